/*
 * tests/tools/keep_socket.c - holds a listening socket for a program that may die, as systemd would
 *
 *     keep_socket RESTART_MS PROGRAM [ARGUMENT...]
 *
 * The socket (127.0.0.1, a port of the kernel's choice) becomes descriptor 3 of the program, by the
 * protocol of sd_listen_fds(3). A program that ends is started again after RESTART_MS; each start
 * is told as one JSON line on stderr, which the program shares. SIGTERM is passed on, and then its
 * exit status is ours.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_FD 3
#define BACKLOG 4096

static volatile sig_atomic_t asked_to_end;

static void on_term(int sig)
{
	(void)sig;
	asked_to_end = 1;
}

/* At descriptor 3, which is free: nothing else is open. 0 or -1. */
static int open_socket(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	if (fd == SOCKET_FD)
		return 0;
	return dup2(fd, SOCKET_FD) < 0 || close(fd) < 0 ? -1 : 0;
}

static void run_program(char **argv)
{
	char text[24];
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not outlive a test that was killed */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)snprintf(text, sizeof(text), "%ld", (long)getpid());
	if (setenv("LISTEN_PID", text, 1) == 0 && setenv("LISTEN_FDS", "1", 1) == 0 &&
	    setenv("LISTEN_FDNAMES", "http", 1) == 0)
		(void)execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid == 0)
		run_program(argv);
	if (pid > 0)
		(void)fprintf(stderr, "{\"event\":\"kept\",\"pid\":%ld}\n", (long)pid);
	return pid;
}

/* Until it has ended; true: and it was not asked to. SIGTERM interrupts, and nothing else. */
static bool watch(pid_t pid, const sigset_t *unblocked, int *status_out)
{
	bool passed_on = false;
	siginfo_t si;

	for (;;) {
		if (asked_to_end && !passed_on) {
			passed_on = true;
			(void)kill(pid, SIGTERM);
		}
		si.si_pid = 0;
		if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    si.si_pid == pid)
			break;
		(void)sigsuspend(unblocked);
	}
	(void)waitpid(pid, status_out, 0);
	return !asked_to_end;
}

static void on_child(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term }, child = { .sa_handler = on_child };
	sigset_t both, before;
	int status = 0;
	long ms;

	if (argc < 3 || (ms = strtol(argv[1], NULL, 10)) < 0 || open_socket() < 0) {
		(void)fprintf(stderr, "usage: keep_socket RESTART_MS PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	(void)sigemptyset(&both);
	(void)sigaddset(&both, SIGTERM);
	(void)sigaddset(&both, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &both, &before);
	(void)sigaction(SIGTERM, &term, NULL);
	(void)sigaction(SIGCHLD, &child, NULL);
	for (;;) {
		const struct timespec wait = { .tv_sec = ms / 1000,
			                       .tv_nsec = ms % 1000 * 1000000 };
		pid_t pid = start(argv + 2);

		if (pid < 0)
			return 1;
		if (!watch(pid, &before, &status))
			break;
		(void)nanosleep(&wait, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
