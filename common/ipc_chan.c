/* common/ipc_chan.c - one end of a control channel: packets in, packets out, a bounded queue */
#include "common/ipc.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/pb_guard.h"
#include "common/secret.h"

#define READ_BURST 32 /* packets a wake-up: one busy peer can't starve the rest of the loop */

struct packet {
	STAILQ_ENTRY(packet) link;
	int fd; /* owned; -1: none */
	size_t len;
	uint8_t bytes[];
};

struct ipc_chan {
	int fd;
	unsigned accept_from;
	const struct ipc_chan_ops *ops;
	void *arg;
	struct event *ev_read;
	struct event *ev_write;
	struct event *ev_close; /* brings a failure of ipc_chan_send() to the loop */
	STAILQ_HEAD(, packet) queue;
	size_t queue_bytes;
	uint64_t last_rx_ms;
	int close_rc;
	pid_t sender;     /* of the last packet; 0: not asked for, or not known */
	bool closed;      /* on_close is due or was called */
	bool freed;       /* ipc_chan_free() was called from a callback */
	unsigned in_call; /* callbacks running */
};

static const struct pb_limits ipc_limits = {
	.bytes_max = IPC_BODY_MAX,
	.memory_max = 4 * IPC_BODY_MAX,
	.depth_max = 4,
};

/* ---- one packet ---------------------------------------------------------------------------------
 */

/* Take the descriptors of a control message: one is kept, more than that is an error. */
static int take_fds(struct msghdr *mh, int *fd_out)
{
	int rc = (mh->msg_flags & MSG_CTRUNC) != 0 ? WA_EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*fd_out < 0 && rc == 0) {
				*fd_out = fd;
				continue;
			}
			close(fd);
			rc = WA_EPROTO;
		}
	}
	return rc;
}

/* The kernel's word on who sent it; 0: it was not asked (SO_PASSCRED). */
static pid_t sender_of(struct msghdr *mh)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		struct ucred cred;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
		    c->cmsg_len != CMSG_LEN(sizeof(cred)))
			continue;
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		return cred.pid;
	}
	return 0;
}

static int recv_packet(int sock, uint8_t *buf, size_t cap, int *fd_out, pid_t *sender_out)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 4) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	int fd = -1;
	ssize_t n;
	int rc;

	do
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	rc = take_fds(&mh, &fd);
	/* an empty packet looks like the end, but can carry a descriptor */
	if (rc == 0 && ((mh.msg_flags & MSG_TRUNC) != 0 || (n == 0 && fd >= 0)))
		rc = WA_EPROTO;
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	*fd_out = fd;
	*sender_out = sender_of(&mh);
	return (int)n;
}

int ipc_recv_packet(int sock, uint8_t *buf, size_t cap, int *fd_out)
{
	pid_t sender;

	return recv_packet(sock, buf, cap, fd_out, &sender);
}

static int send_bytes(int sock, const uint8_t *bytes, size_t len, int fd, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Header and body; the caller frees it. NULL without memory. */
static struct packet *packet_new(enum ipc_type type, uint32_t req_id, const ProtobufCMessage *body,
                                 size_t body_len)
{
	struct ipc_header h = {
		.type = (uint16_t)type,
		.req_id = req_id,
		.body_len = (uint32_t)body_len,
	};
	struct packet *p = malloc(sizeof(*p) + IPC_HDR_LEN + body_len);

	if (p == NULL)
		return NULL;
	p->fd = -1;
	p->len = IPC_HDR_LEN + body_len;
	ipc_header_encode(&h, p->bytes);
	protobuf_c_message_pack(body, p->bytes + IPC_HDR_LEN);
	return p;
}

static void packet_free(struct packet *p)
{
	if (p == NULL)
		return;
	if (p->fd >= 0)
		close(p->fd);
	secret_wipe(p->bytes, p->len); /* a message may carry a key or a code */
	free(p);
}

/* Refuse at the sender what the receiver would refuse. */
static int body_check(enum ipc_type type, const ProtobufCMessage *body, size_t *len_out)
{
	const struct ipc_type_info *info = ipc_type_find((uint16_t)type);

	if (info == NULL || body->descriptor != info->desc)
		return WA_EPROTO;
	*len_out = protobuf_c_message_get_packed_size(body);
	return *len_out > info->body_max ? WA_ELIMIT : 0;
}

int ipc_send_packet(int sock, enum ipc_type type, uint32_t req_id, const ProtobufCMessage *body,
                    int fd)
{
	struct packet *p;
	size_t len;
	int rc = body_check(type, body, &len);

	if (rc < 0)
		return rc;
	p = packet_new(type, req_id, body, len);
	if (p == NULL)
		return -ENOMEM;
	rc = send_bytes(sock, p->bytes, p->len, fd, 0);
	packet_free(p);
	return rc;
}

/* ---- channel
 * -------------------------------------------------------------------------------------- */

static void chan_destroy(struct ipc_chan *c)
{
	struct packet *p;

	while ((p = STAILQ_FIRST(&c->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->queue, link);
		packet_free(p);
	}
	if (c->ev_read != NULL)
		event_free(c->ev_read);
	if (c->ev_write != NULL)
		event_free(c->ev_write);
	if (c->ev_close != NULL)
		event_free(c->ev_close);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* A callback may free the channel: that waits until the last one has returned. */
static void enter(struct ipc_chan *c)
{
	c->in_call++;
}

static void leave(struct ipc_chan *c)
{
	if (--c->in_call == 0 && c->freed)
		chan_destroy(c);
}

static void chan_fail(struct ipc_chan *c, int rc)
{
	if (c->closed || c->freed)
		return;
	c->closed = true;
	c->close_rc = rc;
	event_del(c->ev_read);
	event_del(c->ev_write);
	event_active(c->ev_close, EV_TIMEOUT, 0);
}

static void on_close_due(evutil_socket_t fd, short what, void *arg)
{
	struct ipc_chan *c = arg;

	(void)fd;
	(void)what;
	enter(c);
	c->ops->on_close(c, c->close_rc, c->arg);
	leave(c);
}

static int chan_flush(struct ipc_chan *c)
{
	struct packet *p;

	while ((p = STAILQ_FIRST(&c->queue)) != NULL) {
		int rc = send_bytes(c->fd, p->bytes, p->len, p->fd, MSG_DONTWAIT);

		if (rc == -EAGAIN)
			return event_add(c->ev_write, NULL) < 0 ? -ENOMEM : 0;
		/* The peer has left: its last words may still be unread, and reading finds the end.
		 */
		if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
			return rc;
		STAILQ_REMOVE_HEAD(&c->queue, link);
		c->queue_bytes -= p->len;
		packet_free(p);
	}
	return 0;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct ipc_chan *c = arg;
	int rc;

	(void)fd;
	(void)what;
	rc = chan_flush(c);
	if (rc < 0)
		chan_fail(c, rc);
}

static int chan_dispatch(struct ipc_chan *c, const uint8_t *packet, size_t packet_len, int *fd)
{
	const struct ipc_type_info *info;
	struct ipc_msg m = { .fd = *fd };
	struct ipc_header h;
	int rc;

	rc = ipc_frame_check(packet, packet_len, c->accept_from, *fd >= 0, &h, &info);
	if (rc == 0)
		rc = pb_unpack(info->desc, packet + IPC_HDR_LEN, h.body_len, &ipc_limits, &m.body);
	if (rc < 0)
		return rc;
	m.type = info->type;
	m.req_id = h.req_id;
	rc = c->ops->on_msg(c, &m, c->arg);
	pb_free(m.body);
	*fd = m.fd; /* -1 when the handler kept it */
	return rc;
}

/* One packet. 1: go on; 0: nothing more to read now; negative: the channel is done (-EPIPE:
 * closed). */
static int chan_read_one(struct ipc_chan *c)
{
	uint8_t packet[IPC_HDR_LEN + IPC_BODY_MAX];
	int fd = -1;
	int n, rc;

	n = recv_packet(c->fd, packet, sizeof(packet), &fd, &c->sender);
	if (n == -EAGAIN)
		return 0;
	if (n == -ECONNRESET)
		return 1; /* said once when the peer left with mail unread; its own mail comes next
		           */
	if (n == 0)
		return -EPIPE;
	if (n < 0)
		return n;
	c->last_rx_ms = clock_ms();
	rc = chan_dispatch(c, packet, (size_t)n, &fd);
	secret_wipe(packet, (size_t)n);
	if (fd >= 0)
		close(fd);
	return rc < 0 ? rc : 1;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ipc_chan *c = arg;
	int rc = 1;

	(void)fd;
	(void)what;
	enter(c);
	for (int i = 0; i < READ_BURST && rc > 0 && !c->freed && !c->closed; i++)
		rc = chan_read_one(c);
	if (rc < 0)
		chan_fail(c, rc == -EPIPE ? 0 : rc);
	leave(c);
}

int ipc_chan_new(struct event_base *base, int fd, unsigned accept_from,
                 const struct ipc_chan_ops *ops, void *arg, struct ipc_chan **chan_out)
{
	struct ipc_chan *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return -ENOMEM;
	}
	c->fd = fd;
	c->accept_from = accept_from;
	c->ops = ops;
	c->arg = arg;
	c->last_rx_ms = clock_ms();
	STAILQ_INIT(&c->queue);
	c->ev_read = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->ev_write = event_new(base, fd, EV_WRITE, on_writable, c);
	c->ev_close = event_new(base, -1, 0, on_close_due, c);
	if (c->ev_read == NULL || c->ev_write == NULL || c->ev_close == NULL ||
	    evutil_make_socket_nonblocking(fd) < 0 || event_add(c->ev_read, NULL) < 0) {
		chan_destroy(c);
		return -ENOMEM;
	}
	*chan_out = c;
	return 0;
}

void ipc_chan_free(struct ipc_chan *c)
{
	if (c == NULL || c->freed)
		return;
	c->freed = true;
	if (!c->closed)
		(void)!chan_flush(c); /* what can't leave now is dropped */
	event_del(c->ev_read);
	event_del(c->ev_write);
	event_del(c->ev_close);
	if (c->in_call == 0)
		chan_destroy(c);
}

int ipc_chan_send(struct ipc_chan *c, enum ipc_type type, uint32_t req_id,
                  const ProtobufCMessage *body, int fd)
{
	struct packet *p;
	size_t len;
	int rc = body_check(type, body, &len);

	if (rc < 0)
		return rc;
	if (c->closed || c->freed)
		return -EPIPE;
	p = packet_new(type, req_id, body, len);
	if (p == NULL)
		return -ENOMEM;
	if (c->queue_bytes + p->len > IPC_QUEUE_MAX) {
		packet_free(p);
		chan_fail(c, WA_ELIMIT);
		return WA_ELIMIT;
	}
	if (fd >= 0) {
		p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (p->fd < 0) {
			rc = -errno;
			packet_free(p);
			return rc;
		}
	}
	STAILQ_INSERT_TAIL(&c->queue, p, link);
	c->queue_bytes += p->len;
	rc = chan_flush(c);
	if (rc < 0)
		chan_fail(c, rc);
	return rc;
}

void ipc_chan_ask_sender(struct ipc_chan *c)
{
	int on = 1;

	(void)setsockopt(c->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

pid_t ipc_chan_sender(const struct ipc_chan *c)
{
	return c->sender;
}

uint64_t ipc_chan_last_rx_ms(const struct ipc_chan *c)
{
	return c->last_rx_ms;
}
