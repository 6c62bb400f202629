/* gateway/gw_worker_start.c - a worker's control socket, its first words, the request to the zygote
 */
#include "gateway/gw_worker_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_spawn.h"
#include "proto/ipc.pb-c.h"

#define FD_RESERVE 64 /* descriptors kept for what runs already */
#define BACKLOG 4

static void on_chan_close(struct ipc_chan *c, int rc, void *arg)
{
	(void)c;
	gw_worker_channel_over(arg, rc);
}

/* The worker's control socket: it listens before the worker lives, so that we can talk at once. */
static int make_socket(struct gw_worker *w, int *listen_out, int *client_out)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct rlimit files;
	int rc = 0;
	int lfd, cfd;

	memcpy(sa.sun_path, w->sock_path, sizeof(sa.sun_path));
	unlink(w->sock_path);
	lfd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cfd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (lfd < 0 || cfd < 0)
		rc = -errno;
	else if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FD_RESERVE &&
	         (rlim_t)cfd >= files.rlim_cur - FD_RESERVE)
		rc = -EMFILE; /* refuse new ones before old ones suffer */
	else if (bind(lfd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	         chmod(w->sock_path, 0600) < 0 || listen(lfd, BACKLOG) < 0 ||
	         connect(cfd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		rc = -errno;
	if (rc == 0) {
		*listen_out = lfd;
		*client_out = cfd;
		return 0;
	}
	if (lfd >= 0)
		close(lfd);
	if (cfd >= 0)
		close(cfd);
	return rc;
}

static int say_hello(struct gw_worker *w)
{
	Ipc__Hello m = IPC__HELLO__INIT;

	m.instance_id = (char *)(uintptr_t)gw_instance_id(w->inst);
	m.gateway_version = (char *)(uintptr_t)WARDEN_VERSION;
	return ipc_chan_send(w->chan, IPC_HELLO, 0, &m.base, -1);
}

static int ask_zygote(struct gw_worker *w, int listen_fd)
{
	char dir[PATH_MAX];
	const struct gw_spawn_request req = { .req_id = w->spawn_id,
		                              .instance_id = gw_instance_id(w->inst),
		                              .dir = dir,
		                              .listen_fd = listen_fd };
	int rc;

	snprintf(dir, sizeof(dir), "%s/instances/%s", w->gw->cfg.data_dir, gw_instance_id(w->inst));
	rc = gw_supervisor_spawn(w->sup, &req);
	return rc == -EAGAIN ? -EPIPE : rc;
}

int gw_worker_launch(struct gw_worker *w)
{
	static const struct ipc_chan_ops ops = { gw_worker_on_msg, on_chan_close };
	int listen_fd, client_fd;
	int rc = make_socket(w, &listen_fd, &client_fd);

	if (rc == 0) {
		rc = ipc_chan_new(w->gw->base, client_fd, IPC_FROM_WORKER, &ops, w, &w->chan);
		if (rc == 0)
			rc = say_hello(w);
		if (rc == 0)
			rc = gw_worker_say_connect(w);
		if (rc == 0)
			rc = ask_zygote(w, listen_fd);
		close(listen_fd);
	}
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
