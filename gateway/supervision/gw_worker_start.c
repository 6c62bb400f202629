/* gateway/supervision/gw_worker_start.c - a worker's control socket, its first words, the request
 * to the runner
 */
#include "gateway/supervision/gw_worker_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"
#include "gateway/instance/gw_room.h"
#include "gateway/supervision/gw_runner.h"

#define BACKLOG 4

static void on_chan_close(struct ipc_chan *c, int rc, void *arg)
{
	(void)c;
	gw_worker_channel_over(arg, rc);
}

/* ---- sockets ---------------------------------------------------------------- */

static int socket_new(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static void address(const char *path, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path); /* fits: gw_worker_new() */
}

/* It listens before the worker lives, so that we can talk at once. A descriptor or -errno. */
int gw_worker_listen_at(const char *path)
{
	struct sockaddr_un sa;
	int fd = socket_new();
	int rc = 0;

	if (fd < 0)
		return fd;
	address(path, &sa);
	unlink(path);
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(path, 0600) < 0 ||
	    listen(fd, BACKLOG) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* A descriptor or -errno. */
int gw_worker_connect_to(const char *path)
{
	struct sockaddr_un sa;
	int fd = socket_new();
	int rc;

	if (fd < 0)
		return fd;
	address(path, &sa);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* ---- first words ------------------------------------------------------------ */

static int say_hello(struct gw_worker *w)
{
	Ipc__Hello m = IPC__HELLO__INIT;

	m.instance_id = (char *)(uintptr_t)gw_instance_id(w->inst);
	m.gateway_version = (char *)(uintptr_t)WARDEN_VERSION;
	m.log_level = (char *)(uintptr_t)gw_config_log_level_word(&w->gw->cfg);
	m.log_format = (char *)(uintptr_t)gw_config_log_format_word(&w->gw->cfg);
	m.has_takes_events = m.takes_events = 1;
	return ipc_chan_send(w->chan, IPC_HELLO, 0, &m.base, -1);
}

/* The PONG says that everything before it has been said. */
static int say_ping(struct gw_worker *w)
{
	Ipc__Ping m = IPC__PING__INIT;

	return ipc_chan_send(w->chan, IPC_PING, 0, &m.base, -1);
}

static int greet(struct gw_worker *w)
{
	static const struct ipc_chan_ops ops = { gw_worker_on_msg, on_chan_close };
	int fd = gw_worker_connect_to(w->sock_path);
	int rc = fd < 0 ? fd : 0;

	if (rc == 0)
		rc = ipc_chan_new(w->gw->base, fd, IPC_FROM_WORKER, &ops, w, &w->chan);
	if (rc == 0) {
		ipc_chan_ask_sender(w->chan);
		rc = say_hello(w);
	}
	if (rc == 0)
		rc = w->adopted ? say_ping(w) : gw_worker_say_connect(w);
	if (rc < 0) {
		ipc_chan_free(w->chan);
		w->chan = NULL;
	}
	return rc;
}

/* ---- start ------------------------------------------------------------------ */

static int ask_runner(struct gw_worker *w, int listen_fd)
{
	char dir[PATH_MAX];
	const struct gw_runner_request req = { .req_id = w->spawn_id,
		                               .instance_id = gw_instance_id(w->inst),
		                               .dir = dir,
		                               .listen_fd = listen_fd };
	int rc;

	snprintf(dir, sizeof(dir), "%s/instances/%s", w->gw->cfg.data_dir, gw_instance_id(w->inst));
	rc = gw_runner_start(gw_supervisor_runner(w->sup), &req);
	return rc == -EAGAIN ? -EPIPE : rc;
}

/* With a socket of ours, to which everything has been said before the worker lives. */
static int launch_with_socket(struct gw_worker *w)
{
	bool is_new = w->mode == GW_MODE_LINK && !gw_instance_is_linked(w->inst);
	int listen_fd, rc;

	gw_worker_oust(w);
	listen_fd = gw_worker_listen_at(w->sock_path);
	rc = listen_fd < 0 ? listen_fd : 0;

	if (rc == 0 && is_new && !gw_room_for_fd(listen_fd))
		rc = -EMFILE;
	if (rc == 0)
		rc = greet(w);
	if (rc == 0)
		rc = ask_runner(w, listen_fd);
	if (listen_fd >= 0)
		close(listen_fd);
	return rc;
}

int gw_worker_launch(struct gw_worker *w)
{
	bool theirs = gw_runner_makes_sockets(gw_supervisor_runner(w->sup));
	int rc = theirs ? ask_runner(w, -1) : launch_with_socket(w);

	if (rc < 0) {
		LOG(gw_worker_log(w), LOG_WARNING, "worker_start_failed", LF_ERR("err", rc));
		ipc_chan_free(w->chan);
		w->chan = NULL;
		return rc;
	}
	w->phase = GW_W_STARTING;
	w->proc = GW_P_ASKED;
	gw_worker_timer(w, gw_supervisor_times(w->sup)->ready);
	return 0;
}

int gw_worker_greet_late(struct gw_worker *w)
{
	return greet(w);
}

/* ---- workers that run already ----------------------------------------------- */

int gw_worker_adopt(struct gw_worker *w)
{
	int rc;

	w->adopted = true;
	rc = greet(w);
	if (rc < 0)
		return rc;
	w->settling = true;
	w->phase = GW_W_STARTING;
	w->proc = GW_P_NONE;
	gw_worker_timer(w, gw_supervisor_times(w->sup)->ready);
	return 0;
}

void gw_worker_dismiss(const char *sock_path, const char *instance_id)
{
	Ipc__Hello hello = IPC__HELLO__INIT;
	Ipc__Stop stop = IPC__STOP__INIT;
	int fd = gw_worker_connect_to(sock_path);

	if (fd >= 0) {
		hello.instance_id = (char *)(uintptr_t)instance_id;
		stop.has_reason = true;
		stop.reason = IPC__STOP__REASON__DELETED;
		if (ipc_send_packet(fd, IPC_HELLO, 0, &hello.base, -1) == 0)
			(void)!ipc_send_packet(fd, IPC_STOP, 0, &stop.base, -1);
		close(fd);
	}
	unlink(sock_path);
}
