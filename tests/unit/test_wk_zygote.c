/* tests/unit/test_wk_zygote.c - real processes: what the zygote hands out, and what its workers are
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/log_tail.h"
#include "common/pb_guard.h"
#include "proto/ipc.pb-c.h"

#define INSTANCE "abcdefghijklmnop"
#define DIR "/tmp" /* one that is there: the sandbox opens it */
#define WAIT_MS 10000

struct fixture {
	pid_t pid; /* of the zygote */
	int sock;
	char dir[32]; /* of the control socket */
	char path[64];
	pid_t worker;
	int pidfd;
};

/* ---- packets -----------------------------------------------------------------------------------
 */

/* Receive one message of a type; the caller frees it. */
static ProtobufCMessage *receive(int sock, enum ipc_type type, unsigned from, int *fd_out)
{
	static uint8_t packet[IPC_HDR_LEN + IPC_BODY_MAX];
	struct pollfd p = { .fd = sock, .events = POLLIN };
	const struct ipc_type_info *info;
	ProtobufCMessage *msg = NULL;
	struct ipc_header hdr;
	int fd = -1, n;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	n = ipc_recv_packet(sock, packet, sizeof(packet), &fd);
	assert_true(n > 0);
	assert_int_equal(ipc_frame_check(packet, (size_t)n, from, fd >= 0, &hdr, &info), 0);
	assert_int_equal(info->type, type);
	assert_int_equal(
	    pb_unpack(info->desc, packet + IPC_HDR_LEN, hdr.body_len, &pb_limits_small, &msg), 0);
	if (fd_out != NULL)
		*fd_out = fd;
	return msg;
}

static bool peer_closed(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char c;

	return poll(&p, 1, WAIT_MS) == 1 && recv(sock, &c, 1, 0) == 0;
}

/* ---- the zygote
 * ---------------------------------------------------------------------------------- */

static void start_zygote(struct fixture *f, const char *env)
{
	static char padding[4096];
	char *const argv[] = { (char *)"warden-worker", (char *)"--zygote", padding, NULL };
	char *const envp[] = { (char *)env, NULL };
	posix_spawn_file_actions_t actions;
	int pair[2];

	memset(f, 0, sizeof(*f));
	f->pidfd = -1;
	memset(padding, 'x', sizeof(padding) - 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	/* A move first: dup2 onto itself would keep close-on-exec. */
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, pair[1], 9), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, 9, 3), 0);
	assert_int_equal(posix_spawn(&f->pid, WORKER_PATH, &actions, NULL, argv, envp), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(pair[1]);
	f->sock = pair[0];
	strcpy(f->dir, "/tmp/worker-zyg-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/ctl", f->dir);
}

static int listen_control(const struct fixture *f)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	(void)unlink(f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int spawn_with(struct fixture *f, const char *id, const char *dir, const char *level)
{
	Ipc__Spawn msg = IPC__SPAWN__INIT;
	Ipc__SpawnReply *reply;
	int fd = listen_control(f);
	int rc;

	msg.instance_id = (char *)id;
	msg.dir = (char *)dir;
	msg.has_memory_max_mb = 1;
	msg.memory_max_mb = 64;
	msg.log_level = (char *)level;
	msg.log_format = (char *)"text";
	assert_int_equal(ipc_send_packet(f->sock, IPC_SPAWN, 5, &msg.base, fd), 0);
	(void)close(fd);
	reply = (Ipc__SpawnReply *)receive(f->sock, IPC_SPAWN_REPLY, IPC_FROM_ZYGOTE, &f->pidfd);
	rc = reply->rc;
	f->worker = (pid_t)reply->pid;
	pb_free(&reply->base);
	return rc;
}

static void spawn(struct fixture *f)
{
	assert_int_equal(spawn_with(f, INSTANCE, DIR, "err"), 0);
	assert_true(f->worker > 0);
	assert_true(f->pidfd >= 0);
}

static int connect_control(const struct fixture *f)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void say_hello(int fd, const char *id)
{
	Ipc__Hello msg = IPC__HELLO__INIT;

	msg.instance_id = (char *)id;
	msg.gateway_version = (char *)"test";
	assert_int_equal(ipc_send_packet(fd, IPC_HELLO, 1, &msg.base, -1), 0);
}

/* With HELLO_REPLY comes the ring of its last log lines, as a file that can't be made shorter. */
static void check_log_tail(int fd)
{
	char text[LOG_TAIL_LEN + 1];
	int tail = -1;

	pb_free(receive(fd, IPC_LOG_TAIL, IPC_FROM_WORKER, &tail));
	assert_true(tail >= 0);
	assert_int_equal(log_tail_read(tail, text), 0);
	(void)close(tail);
}

/* What the worker costs, readable though its /proc/PID is closed. */
static void check_memory(int fd)
{
	char text[2048];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "\nPss:"));
	(void)close(fd);
}

static int hello(const struct fixture *f)
{
	int fd = connect_control(f);
	Ipc__HelloReply *reply;
	int memory = -1;

	say_hello(fd, INSTANCE);
	reply = (Ipc__HelloReply *)receive(fd, IPC_HELLO_REPLY, IPC_FROM_WORKER, &memory);
	check_memory(memory);
	assert_int_equal(reply->pid, f->worker);
	assert_true(reply->start_ticks > 0);
	assert_false(reply->has_step);
	assert_false(reply->connected);
	assert_false(reply->linked);
	assert_true(reply->binary != 0);
	pb_free(&reply->base);
	check_log_tail(fd);
	return fd;
}

static void send_stop(int fd)
{
	Ipc__Stop msg = IPC__STOP__INIT;

	assert_int_equal(ipc_send_packet(fd, IPC_STOP, 2, &msg.base, -1), 0);
}

static int32_t receive_bye(int fd)
{
	Ipc__Bye *bye = (Ipc__Bye *)receive(fd, IPC_BYE, IPC_FROM_WORKER, NULL);
	int32_t rc = bye->rc;

	pb_free(&bye->base);
	return rc;
}

/* The pidfd becomes readable; the exit status, where we are the parent. */
static void assert_exit(const struct fixture *f, int status)
{
	struct pollfd p = { .fd = f->pidfd, .events = POLLIN };
	siginfo_t info = { 0 };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	if (status < 0)
		return;
	assert_int_equal(waitid(P_PID, (id_t)f->worker, &info, WEXITED), 0);
	assert_int_equal(info.si_code, CLD_EXITED);
	assert_int_equal(info.si_status, status);
}

static void stop_worker(struct fixture *f, int status)
{
	int fd = hello(f);

	send_stop(fd);
	assert_int_equal(receive_bye(fd), 0);
	assert_true(peer_closed(fd));
	(void)close(fd);
	assert_exit(f, status);
	(void)close(f->pidfd);
	f->pidfd = -1;
}

/* Closes the zygote's socket: it must leave with 0. */
static void stop_zygote(struct fixture *f)
{
	int status = -1;

	(void)close(f->sock);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_int_equal(status, 0);
	(void)unlink(f->path);
	(void)rmdir(f->dir);
}

/* ---- /proc
 * --------------------------------------------------------------------------------------- */

static size_t read_proc(pid_t pid, const char *name, char *out, size_t cap)
{
	char path[64];
	FILE *in;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	in = fopen(path, "r");
	if (in == NULL)
		return 0;
	n = fread(out, 1, cap - 1, in);
	(void)fclose(in);
	out[n] = '\0';
	return n;
}

static void test_worker_looks_like_one_that_was_executed(void **state)
{
	static const char cmdline[] = "warden-worker\0--instance\0" INSTANCE "\0--dir\0" DIR;
	char text[8192], exe[PATH_MAX], expected[PATH_MAX];
	struct fixture f;
	ssize_t n;

	(void)state;
	start_zygote(&f, NULL);
	spawn(&f);
	(void)close(hello(&f)); /* it is up */
	assert_int_equal(read_proc(f.worker, "cmdline", text, sizeof(text)), sizeof(cmdline));
	assert_memory_equal(text, cmdline, sizeof(cmdline));
	(void)read_proc(f.worker, "comm", text, sizeof(text));
	assert_string_equal(text, "warden-worker\n");
	(void)snprintf(text, sizeof(text), "/proc/%d/exe", (int)f.worker);
	n = readlink(text, exe, sizeof(exe) - 1);
	if (n > 0) { /* a process that is not dumpable hides it from all but root */
		exe[n] = '\0';
		assert_non_null(realpath(WORKER_PATH, expected));
		assert_string_equal(exe, expected);
	}
	assert_int_equal(read_proc(f.worker, "environ", text, sizeof(text)), 0);
	(void)read_proc(f.worker, "status", text, sizeof(text));
	(void)snprintf(exe, sizeof(exe), "\nPPid:\t%d\n", (int)getpid());
	assert_non_null(strstr(text, exe));
	stop_worker(&f, 0);
	stop_zygote(&f);
}

/* What a descriptor of another process is; empty when it is not open. */
static void read_fd(pid_t pid, int fd, char *out, size_t cap)
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(path, out, cap - 1);
	out[n > 0 ? n : 0] = '\0';
}

#define LEAKED_FD 50

static void test_no_descriptor_is_handed_on(void **state)
{
	char control[128], text[128];
	struct fixture f;
	int leaked = open("/dev/null", O_RDONLY); /* stays open across exec */

	(void)state;
	assert_int_equal(dup2(leaked, LEAKED_FD), LEAKED_FD);
	start_zygote(&f, NULL);
	spawn(&f);
	(void)close(hello(&f));
	read_fd(f.pid, LEAKED_FD, text, sizeof(text));
	assert_string_equal(text, "");
	read_fd(f.worker, 3, control, sizeof(control));
	for (int fd = 4; fd < 64; fd++) {
		read_fd(f.worker, fd, text, sizeof(text));
		if (strncmp(text, "/memfd:warden-log", 17) == 0 ||
		    strstr(text, "/smaps_rollup") != NULL)
			continue;
		assert_null(strchr(text, '/')); /* no file */
		if (control[0] != '\0')         /* hidden from all but root */
			assert_string_not_equal(text, control);
	}
	stop_worker(&f, 0);
	stop_zygote(&f);
	(void)close(leaked);
	(void)close(LEAKED_FD);
}

static void test_limits_are_set(void **state)
{
	struct rlimit limit;
	struct fixture f;

	(void)state;
	start_zygote(&f, NULL);
	spawn(&f);
	(void)close(hello(&f));
	assert_int_equal(prlimit(f.worker, RLIMIT_CORE, NULL, &limit), 0);
	assert_int_equal(limit.rlim_max, 0);
#ifndef WARDEN_SANITIZERS
	assert_int_equal(prlimit(f.worker, RLIMIT_DATA, NULL, &limit), 0);
	assert_int_equal(limit.rlim_max, 64u * 1024 * 1024);
	assert_int_equal(prlimit(f.worker, RLIMIT_NOFILE, NULL, &limit), 0);
	assert_int_equal(limit.rlim_max, 64);
	assert_int_equal(prlimit(f.worker, RLIMIT_NPROC, NULL, &limit), 0);
	assert_int_equal(limit.rlim_max, 0);
#endif
	stop_worker(&f, 0);
	stop_zygote(&f);
}

#ifndef WARDEN_SANITIZERS
/* One field of /proc/PID/status, as a hexadecimal number. */
static unsigned long long status_field(pid_t pid, const char *name)
{
	char text[8192], head[64];
	const char *p;

	(void)read_proc(pid, "status", text, sizeof(text));
	(void)snprintf(head, sizeof(head), "\n%s:\t", name);
	p = strstr(text, head);
	assert_non_null(p);
	return strtoull(p + strlen(head), NULL, 16);
}

static void test_worker_has_given_up_its_rights(void **state)
{
	static const char *const caps[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	struct fixture f;

	(void)state;
	start_zygote(&f, NULL);
	spawn(&f);
	(void)close(hello(&f));
	for (size_t i = 0; i < ARRAY_LEN(caps); i++)
		if (geteuid() == 0 || strcmp(caps[i], "CapBnd") != 0)
			assert_int_equal(status_field(f.worker, caps[i]), 0);
	assert_int_equal(status_field(f.worker, "NoNewPrivs"), 1);
	assert_int_equal(status_field(f.worker, "Seccomp"), 2);
	stop_worker(&f, 0);
	stop_zygote(&f);
}

/* A worker that can't be shut in doesn't run. */
static void test_without_its_directory_it_does_not_start(void **state)
{
	struct fixture f;

	(void)state;
	start_zygote(&f, NULL);
	assert_int_equal(spawn_with(&f, INSTANCE, "/nonexistent/x", "err"), 0);
	assert_exit(&f, 4);
	(void)close(f.pidfd);
	stop_zygote(&f);
}

/* The folder's owner is who the worker becomes; the gateway, another user, may talk to it. */
static void test_worker_of_root_becomes_the_owner_of_its_directory(void **state)
{
	char dir[] = "/tmp/worker-own-XXXXXX", text[8192];
	struct fixture f;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chown(dir, 61184, 61184), 0);
	start_zygote(&f, NULL);
	assert_int_equal(spawn_with(&f, INSTANCE, dir, "err"), 0);
	(void)close(hello(&f));
	(void)read_proc(f.worker, "status", text, sizeof(text));
	assert_non_null(strstr(text, "\nUid:\t61184\t61184\t61184\t61184\n"));
	assert_non_null(strstr(text, "\nGid:\t61184\t61184\t61184\t61184\n"));
	assert_non_null(strstr(text, "\nGroups:\t \n"));
	stop_worker(&f, 0);
	stop_zygote(&f);
	assert_int_equal(rmdir(dir), 0);
}
#endif

static void test_workers_outlive_the_zygote(void **state)
{
	struct fixture f;

	(void)state;
	start_zygote(&f, NULL);
	spawn(&f);
	(void)close(f.sock);
	assert_int_equal(waitpid(f.pid, NULL, 0), f.pid);
	stop_worker(&f, 0);
	(void)unlink(f.path);
	(void)rmdir(f.dir);
}

static void test_bad_requests_are_answered_and_the_zygote_goes_on(void **state)
{
	struct fixture f;

	(void)state;
	start_zygote(&f, NULL);
	assert_int_equal(spawn_with(&f, "../x", DIR, "err"), -EINVAL);
	assert_int_equal(f.pidfd, -1);
	assert_int_equal(spawn_with(&f, INSTANCE, "relative", "err"), -EINVAL);
	assert_int_equal(spawn_with(&f, INSTANCE, DIR, "loud"), -EINVAL);
	assert_int_equal(spawn_with(&f, NULL, DIR, "err"), -EINVAL);
	spawn(&f);
	stop_worker(&f, 0);
	stop_zygote(&f);
}

static void test_malformed_packet_ends_the_zygote(void **state)
{
	struct fixture f;
	int status = 0;

	(void)state;
	start_zygote(&f, NULL);
	assert_int_equal(send(f.sock, "nonsense", 8, 0), 8);
	assert_true(peer_closed(f.sock));
	assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	(void)close(f.sock);
	(void)rmdir(f.dir);
}

/* ---- the worker's channel
 * ------------------------------------------------------------------------ */

static void test_wrong_instance_makes_the_worker_leave(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	start_zygote(&f, NULL);
	spawn(&f);
	fd = connect_control(&f);
	say_hello(fd, "anotherinstance2");
	assert_int_equal(receive_bye(fd), WA_EPROTO);
	(void)close(fd);
	assert_exit(&f, 1);
	(void)close(f.pidfd);
	stop_zygote(&f);
}

static void test_malformed_frame_closes_that_connection_only(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	start_zygote(&f, NULL);
	spawn(&f);
	fd = connect_control(&f);
	assert_int_equal(send(fd, "nonsense", 8, 0), 8);
	assert_true(peer_closed(fd));
	(void)close(fd);
	fd = connect_control(&f);
	send_stop(fd); /* out of turn: before HELLO */
	assert_true(peer_closed(fd));
	(void)close(fd);
	stop_worker(&f, 0);
	stop_zygote(&f);
}

static void test_newest_gateway_wins(void **state)
{
	Ipc__Ping ping = IPC__PING__INIT;
	struct fixture f;
	int old, new;

	(void)state;
	start_zygote(&f, NULL);
	spawn(&f);
	old = hello(&f);
	new = hello(&f);
	assert_true(peer_closed(old));
	assert_int_equal(ipc_send_packet(new, IPC_PING, 9, &ping.base, -1), 0);
	pb_free(receive(new, IPC_PONG, IPC_FROM_WORKER, NULL));
	(void)close(old);
	(void)close(new);
	stop_worker(&f, 0);
	stop_zygote(&f);
}

#ifdef WARDEN_TEST_HOOKS
static void test_plain_fork_gives_something_to_wait_for(void **state)
{
	struct fixture f;

	(void)state;
	start_zygote(&f, "WARDEN_TEST_FORK=1");
	spawn(&f);
	stop_worker(&f, -1); /* the zygote is the parent here, so no status */
	stop_zygote(&f);
}

static void test_worker_that_nobody_wants_leaves(void **state)
{
	struct fixture f;

	(void)state;
	start_zygote(&f, "WARDEN_TEST_SPEED=1000"); /* 60 ms */
	spawn(&f);
	assert_exit(&f, 3);
	(void)close(f.pidfd);
	stop_zygote(&f);
}
#endif

/* ---- without a gateway
 * --------------------------------------------------------------------------- */

/* A TCP port on the loopback: with somebody behind it who never says a word, or with nobody. */
static int tcp_port(bool listens, uint16_t *port_out)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	if (listens)
		assert_int_equal(listen(fd, 4), 0);
	*port_out = ntohs(sin.sin_port);
	return fd;
}

/* Pair, at this port. */
static void send_connect(int fd, uint16_t port)
{
	static uint8_t key[32] = { 1 };
	Ipc__SessionSettings settings = IPC__SESSION_SETTINGS__INIT;
	Ipc__Connect m = IPC__CONNECT__INIT;
	char url[64];

	(void)snprintf(url, sizeof(url), "ws://127.0.0.1:%u/ws/chat", port);
	m.wa_url = url;
	m.wa_origin = (char *)"http://127.0.0.1";
	m.has_wa_root_key = m.has_instance_key = m.has_key_epoch = m.has_mode = 1;
	m.wa_root_key.data = m.instance_key.data = key;
	m.wa_root_key.len = m.instance_key.len = sizeof(key);
	m.key_epoch = 1;
	m.wa_version = (char *)"2.3000.1";
	m.wa_device_name = (char *)"Warden";
	m.mode = IPC__CONNECT__MODE__LINK;
	m.settings = &settings;
	assert_int_equal(ipc_send_packet(fd, IPC_CONNECT, 3, &m.base, -1), 0);
}

/* What comes before it may come. */
static ProtobufCMessage *receive_after_steps(int sock, enum ipc_type type)
{
	uint8_t head[IPC_HDR_LEN];

	for (;;) {
		struct pollfd p = { .fd = sock, .events = POLLIN };

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		assert_true(recv(sock, head, sizeof(head), MSG_PEEK) >= IPC_HDR_LEN);
		if ((head[2] | head[3] << 8) != IPC_STEP)
			return receive(sock, type, IPC_FROM_WORKER, NULL);
		pb_free(receive(sock, IPC_STEP, IPC_FROM_WORKER, NULL));
	}
}

static void assert_failed(int sock, int rc)
{
	Ipc__Failed *m = (Ipc__Failed *)receive_after_steps(sock, IPC_FAILED);

	assert_int_equal(m->rc, rc);
	pb_free(&m->base);
}

/* A gateway that comes later: HELLO, and what the worker says it is at. */
static int hello_again(const struct fixture *f, bool has_step)
{
	int fd = connect_control(f);
	Ipc__HelloReply *reply;

	say_hello(fd, INSTANCE);
	reply = (Ipc__HelloReply *)receive(fd, IPC_HELLO_REPLY, IPC_FROM_WORKER, NULL);
	assert_int_equal(reply->pid, f->worker);
	assert_true(reply->connected);
	assert_false(reply->linked);
	assert_int_equal(reply->has_step, has_step);
	pb_free(&reply->base);
	check_log_tail(fd);
	return fd;
}

static void release(struct fixture *f, int fd)
{
	send_stop(fd);
	pb_free(receive_after_steps(fd, IPC_BYE));
	(void)close(fd);
	assert_exit(f, 0);
	(void)close(f->pidfd);
	stop_zygote(f);
}

static void test_a_worker_at_work_outlives_its_gateways(void **state)
{
	struct fixture f;
	uint16_t port;
	int peer = tcp_port(true, &port), fd;

	(void)state;
	start_zygote(&f, NULL);
	assert_int_equal(spawn_with(&f, INSTANCE, f.dir, "err"), 0);
	fd = hello(&f);
	send_connect(fd, port);
	pb_free(receive(fd, IPC_STEP, IPC_FROM_WORKER, NULL)); /* it has begun */
	(void)close(fd);
	for (int i = 0; i < 3; i++) {
		fd = hello_again(&f, true);
		if (i < 2)
			(void)close(fd);
	}
	release(&f, fd);
	(void)close(peer);
}

/* CONNECT counts once, whoever says it. */
static void test_a_second_connect_changes_nothing(void **state)
{
	struct fixture f;
	uint16_t port, other;
	int peer = tcp_port(true, &port), nobody = tcp_port(false, &other), fd;
	Ipc__Ping ping = IPC__PING__INIT;

	(void)state;
	start_zygote(&f, NULL);
	assert_int_equal(spawn_with(&f, INSTANCE, f.dir, "err"), 0);
	fd = hello(&f);
	send_connect(fd, port);
	send_connect(fd, other); /* would fail at once */
	assert_int_equal(ipc_send_packet(fd, IPC_PING, 9, &ping.base, -1), 0);
	pb_free(receive_after_steps(fd, IPC_PONG));
	(void)close(fd);
	fd = hello_again(&f, true);
	release(&f, fd);
	(void)close(peer);
	(void)close(nobody);
}

/* How it ended is told to each gateway until one says that it has it: STOP. */
static void test_an_end_is_told_until_a_gateway_has_it(void **state)
{
	struct fixture f;
	uint16_t port;
	int nobody = tcp_port(false, &port), fd;

	(void)state;
	start_zygote(&f, NULL);
	assert_int_equal(spawn_with(&f, INSTANCE, f.dir, "err"), 0);
	fd = hello(&f);
	send_connect(fd, port);
	assert_failed(fd, WA_ENETWORK);
	(void)close(fd); /* it dies before that is on its disk */
	for (int i = 0; i < 3; i++) {
		fd = hello_again(&f, false);
		assert_failed(fd, WA_ENETWORK);
		if (i < 2)
			(void)close(fd);
	}
	release(&f, fd);
	(void)close(nobody);
}

#ifdef WARDEN_TEST_HOOKS
/* Nobody comes to hear it: a pairing that failed is not worth waiting for without an end. */
static void test_an_end_that_nobody_hears_is_given_up(void **state)
{
	struct fixture f;
	uint16_t port;
	int nobody = tcp_port(false, &port), fd;

	(void)state;
	start_zygote(&f, "WARDEN_TEST_SPEED=1000"); /* 60 ms */
	assert_int_equal(spawn_with(&f, INSTANCE, f.dir, "err"), 0);
	fd = hello(&f);
	send_connect(fd, port);
	assert_failed(fd, WA_ENETWORK);
	(void)close(fd);
	assert_exit(&f, 3);
	(void)close(f.pidfd);
	stop_zygote(&f);
	(void)close(nobody);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worker_looks_like_one_that_was_executed),
		cmocka_unit_test(test_no_descriptor_is_handed_on),
		cmocka_unit_test(test_limits_are_set),
#ifndef WARDEN_SANITIZERS
		cmocka_unit_test(test_worker_has_given_up_its_rights),
		cmocka_unit_test(test_without_its_directory_it_does_not_start),
		cmocka_unit_test(test_worker_of_root_becomes_the_owner_of_its_directory),
#endif
		cmocka_unit_test(test_workers_outlive_the_zygote),
		cmocka_unit_test(test_bad_requests_are_answered_and_the_zygote_goes_on),
		cmocka_unit_test(test_malformed_packet_ends_the_zygote),
		cmocka_unit_test(test_wrong_instance_makes_the_worker_leave),
		cmocka_unit_test(test_malformed_frame_closes_that_connection_only),
		cmocka_unit_test(test_newest_gateway_wins),
		cmocka_unit_test(test_a_worker_at_work_outlives_its_gateways),
		cmocka_unit_test(test_a_second_connect_changes_nothing),
		cmocka_unit_test(test_an_end_is_told_until_a_gateway_has_it),
#ifdef WARDEN_TEST_HOOKS
		cmocka_unit_test(test_plain_fork_gives_something_to_wait_for),
		cmocka_unit_test(test_worker_that_nobody_wants_leaves),
		cmocka_unit_test(test_an_end_that_nobody_hears_is_given_up),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
