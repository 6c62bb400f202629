/* worker/control/wk_ipc.c - the worker's end of the channel to the gateway */
#include "worker/control/wk_ipc.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/binary_id.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/proc_stat.h"
#include "common/secret.h"

struct wk_ipc {
	struct event_base *base;
	const char *instance_id;
	const struct log_ctx *log;
	const struct wk_ipc_ops *ops;
	void *arg;
	int listen_fd;
	uid_t gateway_uid;
	uint64_t start_ticks; /* /proc is out of reach later */
	struct event *accept_ev;
	struct ipc_chan *chan; /* the gateway; NULL: none */
	bool greeted;          /* HELLO was right */
	bool takes_events;     /* ... and said so */
	uint64_t binary;       /* common/binary_id.h */
	int tail_fd;           /* -1: none */
	int memory_fd;         /* -1: none */
};

static void drop_gateway(struct wk_ipc *ipc)
{
	bool had = ipc->chan != NULL;

	ipc_chan_free(ipc->chan);
	ipc->chan = NULL;
	ipc->greeted = false;
	if (had)
		ipc->ops->on_presence(false, ipc->arg);
}

int wk_ipc_send_fd(struct wk_ipc *ipc, enum ipc_type type, const ProtobufCMessage *msg, int fd)
{
	if (ipc->chan == NULL || !ipc->greeted)
		return -ENOTCONN;
	return ipc_chan_send(ipc->chan, type, 0, msg, fd);
}

void wk_ipc_send(struct wk_ipc *ipc, enum ipc_type type, const ProtobufCMessage *msg)
{
	int rc = wk_ipc_send_fd(ipc, type, msg, -1);

	if (rc < 0 && rc != -ENOTCONN)
		LOG(ipc->log, LOG_WARNING, "ipc_send", LF_INT("type", type), LF_ERR("err", rc));
}

void wk_ipc_answer(struct wk_ipc *ipc, uint32_t id, const Ipc__Answer *msg, int fd)
{
	if (ipc->chan != NULL && ipc->greeted &&
	    ipc_chan_send(ipc->chan, IPC_ANSWER, id, &msg->base, fd) < 0)
		LOG(ipc->log, LOG_WARNING, "answer_not_sent");
}

int wk_ipc_send_events(struct wk_ipc *ipc, const Ipc__Events *msg)
{
	int rc = 0;

	if (ipc->takes_events)
		return wk_ipc_send_fd(ipc, IPC_EVENTS, &msg->base, -1);
	for (size_t i = 0; rc == 0 && i < msg->n_events; i++)
		rc = wk_ipc_send_fd(ipc, IPC_EVENT, &msg->events[i]->base, -1);
	return rc;
}

void wk_ipc_set_log_tail(struct wk_ipc *ipc, int fd)
{
	ipc->tail_fd = fd;
}

void wk_ipc_set_memory(struct wk_ipc *ipc, int fd)
{
	ipc->memory_fd = fd;
}

bool wk_ipc_is_heard(const struct wk_ipc *ipc, uint64_t ms)
{
	return ipc->chan != NULL && ipc->greeted &&
	       clock_ms() - ipc_chan_last_rx_ms(ipc->chan) < ms;
}

static void send_bye(struct wk_ipc *ipc, int rc, const char *detail, uint64_t generation)
{
	Ipc__Bye bye = IPC__BYE__INIT;

	bye.has_rc = 1;
	bye.rc = rc;
	bye.detail = (char *)detail;
	bye.has_store_generation = generation != 0;
	bye.store_generation = generation;
	if (ipc->chan != NULL && ipc_chan_send(ipc->chan, IPC_BYE, 0, &bye.base, -1) < 0)
		LOG(ipc->log, LOG_DEBUG, "bye_not_sent");
}

void wk_ipc_bye(struct wk_ipc *ipc, int rc, const char *detail, uint64_t generation)
{
	if (ipc->greeted)
		send_bye(ipc, rc, detail, generation);
}

/* ---- messages from the gateway ----------------------------------------------------------- */

/* As the gateway logs, so do we; words that are none of ours change nothing. */
static void take_log_settings(const Ipc__Hello *hello)
{
	enum log_format format;
	int level = hello->log_level != NULL ? log_level_parse(hello->log_level) : -EINVAL;

	if (level >= 0 && hello->log_format != NULL &&
	    log_format_parse(hello->log_format, &format) == 0)
		log_init("warden-worker", level, format);
}

static void send_log_tail(struct wk_ipc *ipc)
{
	Ipc__LogTail tail = IPC__LOG_TAIL__INIT;

	if (ipc->tail_fd >= 0 &&
	    ipc_chan_send(ipc->chan, IPC_LOG_TAIL, 0, &tail.base, ipc->tail_fd) < 0)
		LOG(ipc->log, LOG_DEBUG, "log_tail_not_sent");
}

static int on_hello(struct wk_ipc *ipc, const struct ipc_msg *m)
{
	const Ipc__Hello *hello = (const Ipc__Hello *)m->body;
	Ipc__HelloReply reply = IPC__HELLO_REPLY__INIT;
	int rc;

	if (hello->instance_id == NULL || strcmp(hello->instance_id, ipc->instance_id) != 0) {
		LOG(ipc->log, LOG_ERR, "wrong_instance");
		send_bye(ipc, WA_EPROTO, "this worker serves another instance", 0);
		ipc->ops->on_wrong_instance(ipc->arg);
		return 0;
	}
	reply.has_pid = 1;
	reply.pid = (uint32_t)getpid();
	reply.has_start_ticks = 1;
	reply.start_ticks = ipc->start_ticks;
	reply.worker_version = (char *)WARDEN_VERSION;
	reply.has_binary = ipc->binary != 0;
	reply.binary = ipc->binary;
	ipc->ops->fill_reply(&reply, ipc->arg);
	rc = ipc_chan_send(ipc->chan, IPC_HELLO_REPLY, m->req_id, &reply.base, ipc->memory_fd);
	if (rc < 0)
		return rc;
	LOG(ipc->log, LOG_DEBUG, "gateway",
	    LF_STR("version", hello->gateway_version != NULL ? hello->gateway_version : ""));
	ipc->greeted = true;
	ipc->takes_events = hello->has_takes_events && hello->takes_events;
	take_log_settings(hello);
	send_log_tail(ipc);
	ipc->ops->on_hello(ipc->arg);
	return 0;
}

static void wipe_text(char *text)
{
	if (text != NULL)
		secret_wipe(text, strlen(text));
}

static void on_connect(struct wk_ipc *ipc, Ipc__Connect *msg, int ca_fd)
{
	ipc->ops->on_connect(msg, ca_fd, ipc->arg);
	if (msg->has_instance_key)
		secret_wipe(msg->instance_key.data, msg->instance_key.len);
	if (msg->proxy != NULL)
		wipe_text(msg->proxy->password);
	wipe_text(msg->number);
}

static void on_passkey_answer(struct wk_ipc *ipc, Ipc__PasskeyAnswer *msg)
{
	ipc->ops->on_passkey_answer(msg, ipc->arg);
	wipe_text(msg->credential);
}

static void on_route(struct wk_ipc *ipc, Ipc__Route *msg)
{
	ipc->ops->on_route(msg, ipc->arg);
	if (msg->proxy != NULL)
		wipe_text(msg->proxy->password);
}

static int on_msg(struct ipc_chan *c, struct ipc_msg *m, void *arg)
{
	struct wk_ipc *ipc = arg;
	Ipc__Pong pong = IPC__PONG__INIT;

	if (m->type != IPC_HELLO && !ipc->greeted)
		return WA_EPROTO;
	switch (m->type) {
	case IPC_HELLO:
		return on_hello(ipc, m);
	case IPC_PING:
		return ipc_chan_send(c, IPC_PONG, m->req_id, &pong.base, -1);
	case IPC_CONNECT:
		on_connect(ipc, (Ipc__Connect *)m->body, m->fd);
		m->fd = -1; /* taken */
		return 0;
	case IPC_STOP:
		ipc->ops->on_stop((const Ipc__Stop *)m->body, ipc->arg);
		return 0;
	case IPC_RESUME:
		ipc->ops->on_resume((const Ipc__Resume *)m->body, ipc->arg);
		return 0;
	case IPC_LOGOUT:
		ipc->ops->on_logout((const Ipc__Logout *)m->body, ipc->arg);
		return 0;
	case IPC_DIAL_GO:
		ipc->ops->on_dial_go(ipc->arg);
		return 0;
	case IPC_VERSION_TELL:
		ipc->ops->on_version_tell((const Ipc__VersionTell *)m->body, ipc->arg);
		return 0;
	case IPC_PASSKEY_ANSWER:
		on_passkey_answer(ipc, (Ipc__PasskeyAnswer *)m->body);
		return 0;
	case IPC_PASSKEY_CONFIRM:
		ipc->ops->on_passkey_confirm((const Ipc__PasskeyConfirm *)m->body, ipc->arg);
		return 0;
	case IPC_SETTINGS:
		ipc->ops->on_settings((const Ipc__SessionSettings *)m->body, ipc->arg);
		return 0;
	case IPC_EVENT_COMMIT:
		ipc->ops->on_event_commit((const Ipc__EventCommit *)m->body, ipc->arg);
		return 0;
	case IPC_ROUTE:
		on_route(ipc, (Ipc__Route *)m->body);
		return 0;
	case IPC_ASK:
		ipc->ops->on_ask(m->req_id, (const Ipc__Ask *)m->body, ipc->arg);
		return 0;
	case IPC_HELLO_REPLY:
	case IPC_PONG:
	case IPC_STEP:
	case IPC_QR:
	case IPC_FAILED:
	case IPC_BYE:
	case IPC_PAIRING_CODE:
	case IPC_PASSKEY:
	case IPC_LINKED:
	case IPC_ONLINE:
	case IPC_DOWN:
	case IPC_PROFILE:
	case IPC_LOGOUT_DONE:
	case IPC_LOG_TAIL:
	case IPC_PROBE_DONE:
	case IPC_ANSWER:
	case IPC_HISTORY_STATE:
	case IPC_DIAL_ASK:
	case IPC_VERSION_ASK:
	case IPC_VERSION_FOUND:
	case IPC_SPAWN:
	case IPC_SPAWN_REPLY:
	case IPC_EVENT:
	case IPC_EVENTS:
		break;
	}
	return WA_EPROTO; /* the channel lets none of these through */
}

static void on_close(struct ipc_chan *c, int rc, void *arg)
{
	struct wk_ipc *ipc = arg;

	(void)c;
	if (rc < 0)
		LOG(ipc->log, LOG_WARNING, "gateway_refused", LF_ERR("err", rc));
	else
		LOG(ipc->log, LOG_INFO, "gateway_gone");
	drop_gateway(ipc);
}

/* ---- connections ------------------------------------------------------------------------- */

/*
 * Whose the gateway is. A gateway that made our socket called listen() on it. One that systemd made
 * is root's by that; then the gateway is the owner of the folder that our directory is in.
 */
static uid_t find_gateway_uid(int listen_fd, const char *dir)
{
	struct ucred maker;
	socklen_t len = sizeof(maker);
	char above[PATH_MAX];
	struct stat st;
	int n;

	if (getsockopt(listen_fd, SOL_SOCKET, SO_PEERCRED, &maker, &len) == 0 && maker.uid != 0)
		return maker.uid;
	n = snprintf(above, sizeof(above), "%s/..", dir);
	return n > 0 && n < (int)sizeof(above) && stat(above, &st) == 0 ? st.st_uid : 0;
}

static bool peer_is_allowed(const struct wk_ipc *ipc, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == ipc->gateway_uid);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	static const struct ipc_chan_ops chan_ops = { .on_msg = on_msg, .on_close = on_close };
	struct wk_ipc *ipc = arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd < 0)
		return;
	if (!peer_is_allowed(ipc, fd)) {
		LOG(ipc->log, LOG_WARNING, "peer_refused");
		(void)close(fd);
		return;
	}
	drop_gateway(ipc);
	if (ipc_chan_new(ipc->base, fd, IPC_FROM_GATEWAY, &chan_ops, ipc, &ipc->chan) < 0) {
		LOG(ipc->log, LOG_WARNING, "accept", LF_ERR("err", -ENOMEM));
		return;
	}
	ipc->ops->on_presence(true, ipc->arg);
}

int wk_ipc_new(struct event_base *base, int listen_fd, const char *instance_id, const char *dir,
               const struct log_ctx *log, const struct wk_ipc_ops *ops, void *arg,
               struct wk_ipc **ipc_out)
{
	struct wk_ipc *ipc = calloc(1, sizeof(*ipc));

	if (ipc == NULL) {
		(void)close(listen_fd);
		return -ENOMEM;
	}
	ipc->base = base;
	ipc->instance_id = instance_id;
	ipc->log = log;
	ipc->ops = ops;
	ipc->arg = arg;
	ipc->listen_fd = listen_fd;
	ipc->gateway_uid = find_gateway_uid(listen_fd, dir);
	ipc->start_ticks = proc_start_ticks(0);
	ipc->tail_fd = ipc->memory_fd = -1;
	ipc->binary = binary_id_own();
	(void)evutil_make_socket_nonblocking(listen_fd);
	ipc->accept_ev = event_new(base, listen_fd, EV_READ | EV_PERSIST, on_accept, ipc);
	if (ipc->accept_ev == NULL || event_add(ipc->accept_ev, NULL) < 0) {
		wk_ipc_free(ipc);
		return -ENOMEM;
	}
	*ipc_out = ipc;
	return 0;
}

void wk_ipc_free(struct wk_ipc *ipc)
{
	if (ipc == NULL)
		return;
	ipc_chan_free(ipc->chan);
	if (ipc->accept_ev != NULL)
		event_free(ipc->accept_ev);
	(void)close(ipc->listen_fd);
	if (ipc->tail_fd >= 0)
		(void)close(ipc->tail_fd);
	if (ipc->memory_fd >= 0)
		(void)close(ipc->memory_fd);
	free(ipc);
}
