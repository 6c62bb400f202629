/* gateway/process/gw_reload.c - from SIGHUP to the program on disk */
#include "gateway/process/gw_reload.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"
#include "gateway/http/gw_http.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/process/gw_activation.h"
#include "gateway/process/gw_notify.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_supervisor.h"

#define CHECK_MS 10000 /* for the program on disk to say that it can run */
#define ANSWERS_MS 200 /* for requests that are being answered; who waits is told to come again */
#define LAST_WORDS_MS 300
#define LOOK_MS 5
#define FIRST_FD 3 /* of handed-over sockets: gw_activation.h */

struct gw_reload {
	struct gw *gw;
	char **argv;
	char exe[PATH_MAX];
	struct event *ev_check; /* the answer of the program on disk */
	struct event *ev_step;
	pid_t pid; /* of that program while it is asked; 0: none */
	int pidfd;
	uint64_t until_ms; /* of the step that runs */
	bool parted;       /* workers and callers have been let go */
	bool leave;        /* nothing is run in our place */
	bool due;
	struct gw_activation kept;
};

/* ---- the environment of the next program ------------------------------------------------------
 */

static bool is_ours(const char *var)
{
	return strncmp(var, "LISTEN_", 7) == 0;
}

/*
 * As ours, with the secrets that were taken out of it and the sockets that wait for it. The caller
 * ends the process or calls env_free(). NULL without memory.
 */
static char **env_new(const struct gw_reload *r, size_t *own_out)
{
	size_t n = 0, at = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = calloc(n + GW_CONFIG_SECRETS_MAX + 4, sizeof(*env));
	if (env == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!is_ours(environ[i]))
			env[at++] = environ[i];
	*own_out = at;
	(void)gw_config_secret_env(&r->gw->cfg, env + at);
	return env;
}

static void env_free(char **env, size_t own)
{
	if (env == NULL)
		return;
	for (char **e = env + own; *e != NULL; e++) {
		explicit_bzero(*e, strlen(*e));
		free(*e);
	}
	free(env);
}

/* ---- is it fit to run? ------------------------------------------------------------------------
 */

static void make_way(struct gw_reload *r);

static void refuse(struct gw_reload *r, const char *why)
{
	LOG(NULL, LOG_ERR, "reload_refused", LF_STR("program", r->exe), LF_STR("why", why));
	gw_notify_ready(r->gw->notify);
}

static void check_over(struct gw_reload *r)
{
	event_free(r->ev_check);
	r->ev_check = NULL;
	close(r->pidfd);
	r->pidfd = -1;
	r->pid = 0;
}

static void on_checked(evutil_socket_t fd, short what, void *arg)
{
	struct gw_reload *r = arg;
	siginfo_t si = { 0 };
	bool ended;

	(void)fd;
	if ((what & EV_TIMEOUT) != 0)
		(void)kill(r->pid, SIGKILL); /* our child: its pid is its own until we fetch it */
	ended = waitid(P_PID, (id_t)r->pid, &si, WEXITED) == 0;
	check_over(r);
	if ((what & EV_TIMEOUT) != 0)
		refuse(r, "it did not say in time whether it can run");
	else if (!ended || si.si_code != CLD_EXITED || si.si_status != 0)
		refuse(r, "it can't run with these settings (wardend --print-config says why)");
	else
		make_way(r);
}

static int spawn_check(struct gw_reload *r)
{
	char *flag = (char *)(uintptr_t) "--print-config";
	posix_spawn_file_actions_t actions;
	size_t argc = 0, own = 0;
	char **argv, **env;
	int rc;

	while (r->argv[argc] != NULL)
		argc++;
	argv = calloc(argc + 2, sizeof(*argv));
	env = env_new(r, &own);
	if (argv == NULL || env == NULL || posix_spawn_file_actions_init(&actions) != 0) {
		free(argv);
		env_free(env, own);
		return -ENOMEM;
	}
	memcpy(argv, r->argv, argc * sizeof(*argv));
	argv[argc] = flag;
	rc = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (rc == 0)
		rc = posix_spawn(&r->pid, r->exe, &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	free(argv);
	env_free(env, own);
	return -rc;
}

void gw_reload_begin(struct gw_reload *r)
{
	static const struct timeval limit = { .tv_sec = CHECK_MS / 1000 };
	int rc;

	if (r == NULL || r->pid != 0 || r->until_ms != 0 || r->gw->stopping)
		return;
	gw_notify_reloading(r->gw->notify);
	rc = spawn_check(r);
	if (rc < 0) {
		r->pid = 0;
		refuse(r, "it can't be run");
		return;
	}
	r->pidfd = pidfd_open(r->pid, 0);
	if (r->pidfd >= 0)
		r->ev_check = event_new(r->gw->base, r->pidfd, EV_READ, on_checked, r);
	if (r->ev_check != NULL && event_add(r->ev_check, &limit) == 0)
		return;
	(void)kill(r->pid, SIGKILL);
	(void)waitpid(r->pid, NULL, 0);
	if (r->ev_check != NULL)
		event_free(r->ev_check);
	if (r->pidfd >= 0)
		close(r->pidfd);
	r->ev_check = NULL;
	r->pid = 0;
	refuse(r, "no memory to wait for its answer");
}

/* ---- making way -------------------------------------------------------------------------------
 */

/* Workers go on by themselves; callers that wait for one of them are told to come again. */
static void part(struct gw_reload *r)
{
	struct gw *gw = r->gw;
	struct gw_instance *inst = NULL;

	r->parted = true;
	r->until_ms = clock_ms() + LAST_WORDS_MS;
	gw->stopping = true;
	while ((inst = gw_registry_next_any(gw->registry, inst)) != NULL)
		gw_instance_part(inst);
	gw_supervisor_part(gw->sup);
}

static void next_look(struct gw_reload *r)
{
	static const struct timeval soon = { .tv_usec = LOOK_MS * 1000L };

	if (event_add(r->ev_step, &soon) < 0)
		event_active(r->ev_step, EV_TIMEOUT, 0);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct gw_reload *r = arg;
	bool busy = gw_http_is_busy(r->gw->http) && clock_ms() < r->until_ms;

	(void)fd;
	(void)what;
	if (!busy && r->parted) {
		r->due = !r->leave;
		gw_http_keep_sockets(r->gw->http, &r->kept);
		event_base_loopbreak(r->gw->base);
		return;
	}
	if (!busy)
		part(r);
	next_look(r);
}

static void make_way(struct gw_reload *r)
{
	if (r->gw->stopping)
		return;
	LOG(NULL, LOG_NOTICE, "reloading", LF_STR("program", r->exe),
	    LF_INT("workers", gw_supervisor_count(r->gw->sup)));
	gw_http_make_way(r->gw->http);
	r->until_ms = clock_ms() + ANSWERS_MS;
	next_look(r);
}

void gw_reload_leave(struct gw_reload *r)
{
	if (r == NULL || r->until_ms != 0 || r->gw->stopping)
		return;
	r->leave = true;
	gw_notify_stopping(r->gw->notify);
	make_way(r);
}

/* ---- the next program -------------------------------------------------------------------------
 */

bool gw_reload_is_due(const struct gw_reload *r)
{
	return r != NULL && r->due;
}

/* To the lowest numbers, in order; what was there has been released. */
static int place_sockets(const struct gw_activation *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (dup2(a->sockets[i].fd, FIRST_FD + (int)i) < 0)
			return -errno;
	return 0;
}

int gw_reload_exec(struct gw_reload *r)
{
	char names[GW_ACTIVATION_MAX * GW_ACTIVATION_NAME_CAP + 16] = "LISTEN_FDNAMES=";
	char pid[48], n[48];
	size_t own = 0, last;
	char **env = env_new(r, &own);
	int rc = env == NULL ? -ENOMEM : place_sockets(&r->kept);
	size_t at = strlen(names);

	if (rc < 0) {
		env_free(env, own);
		return rc;
	}
	for (size_t i = 0; i < r->kept.n; i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i > 0 ? ":" : "",
		                       r->kept.sockets[i].name);
	snprintf(pid, sizeof(pid), "LISTEN_PID=%ld", (long)getpid());
	snprintf(n, sizeof(n), "LISTEN_FDS=%zu", r->kept.n);
	for (last = own; env[last] != NULL; last++)
		;
	env[last] = pid;
	env[last + 1] = n;
	env[last + 2] = names;
	execve(r->exe, r->argv, env);
	rc = -errno;
	env[last] = NULL;
	env_free(env, own);
	return rc;
}

/* ---- life -------------------------------------------------------------------------------------
 */

int gw_reload_init(struct gw *gw, char **argv, struct gw_reload **r_out)
{
	struct gw_reload *r = calloc(1, sizeof(*r));
	ssize_t n;

	if (r == NULL)
		return -ENOMEM;
	r->gw = gw;
	r->argv = argv;
	r->pidfd = -1;
	n = readlink("/proc/self/exe", r->exe, sizeof(r->exe) - 1);
	if (n < 0) {
		int rc = -errno;

		free(r);
		return rc;
	}
	r->exe[n] = '\0';
	r->ev_step = evtimer_new(gw->base, on_step, r);
	if (r->ev_step == NULL) {
		free(r);
		return -ENOMEM;
	}
	*r_out = r;
	return 0;
}

void gw_reload_free(struct gw_reload *r)
{
	if (r == NULL)
		return;
	if (r->pid != 0) {
		(void)kill(r->pid, SIGKILL);
		(void)waitpid(r->pid, NULL, 0);
		check_over(r);
	}
	(void)gw_activation_clear(&r->kept);
	if (r->ev_step != NULL)
		event_free(r->ev_step);
	free(r);
}
