/* gateway/limit/gw_redis_io.c - hiredis on the gateway's loop: bytes out, small replies in */
#include "gateway/limit/gw_redis_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <hiredis/async.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/resolve.h"
#include "gateway/limit/gw_redis_reply.h"

#define UNREAD_MAX 65536 /* of a reply that is not complete */

struct gw_redis_io {
	struct event_base *base;
	struct gw_redis_target target; /* without user and password */
	unsigned nth;
	void (*on_reply)(const struct gw_redis_reply *reply, void *arg);
	void (*on_end)(int rc, const char *why, void *arg);
	void *arg;
	struct resolve *resolve;
	redisAsyncContext *ac; /* NULL: not yet, or no longer */
	struct gw_redis_reading reading;
	struct buf early; /* commands given before there is a context, each behind its length */
	struct event ev_read;
	struct event ev_write;
	struct event ev_later; /* what began with a failure is told from the loop */
	bool writing;          /* inside redisAsyncHandleWrite() */
	bool busy;             /* inside hiredis: freed when it returns */
	bool orphan;           /* the owner is gone */
	size_t asked_n;        /* commands whose reply has not come */
	int end_rc;
	const char *end_why;
};

/* ---- the end --------------------------------------------------------------------------------- */

static void destroy(struct gw_redis_io *io)
{
	resolve_free(io->resolve);
	event_del(&io->ev_later);
	buf_wipe(&io->early);
	gw_redis_target_wipe(&io->target);
	free(io);
}

/* Lets go of the connection; hiredis calls back for every command, and finds nobody. */
static void drop(struct gw_redis_io *io)
{
	redisAsyncContext *ac = io->ac;

	io->ac = NULL;
	if (ac != NULL)
		redisAsyncFree(ac);
}

static void end(struct gw_redis_io *io)
{
	void (*on_end)(int rc, const char *why, void *arg) = io->on_end;
	void *arg = io->arg;
	int rc = io->end_rc;
	const char *why = io->end_why;
	bool orphan = io->orphan;

	drop(io);
	destroy(io);
	if (!orphan)
		on_end(rc, why, arg);
}

/* Noted while hiredis is on the stack, done when it is not: see settle(). */
static void note_end(struct gw_redis_io *io, int rc, const char *why)
{
	if (io->end_rc != 0)
		return;
	io->end_rc = rc;
	io->end_why = why;
	if (!io->busy)
		event_active(&io->ev_later, EV_TIMEOUT, 0);
}

/* After hiredis has returned; io may be gone then. */
static void settle(struct gw_redis_io *io)
{
	io->busy = false;
	if (io->end_rc != 0 || io->orphan)
		end(io);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end(arg);
}

void gw_redis_io_free(struct gw_redis_io *io)
{
	if (io == NULL)
		return;
	io->orphan = true;
	if (io->busy)
		return; /* settle() does the rest */
	drop(io);
	destroy(io);
}

/* ---- replies --------------------------------------------------------------------------------- */

static const char *why_ended(const redisAsyncContext *ac)
{
	if ((ac->c.flags & REDIS_CONNECTED) == 0)
		return "can't be reached";
	switch (ac->err) {
	case REDIS_ERR_EOF:
		return "has closed the connection";
	case REDIS_ERR_IO:
		return "broke the connection";
	default:
		return "says what is no answer";
	}
}

static void on_command_reply(redisAsyncContext *ac, void *obj, void *arg)
{
	struct gw_redis_io *io = arg;
	struct gw_redis_reading *g = obj;

	/* Without a reply: hook_cleanup() has seen to it. */
	if (g == NULL || io->ac != ac || io->orphan || io->end_rc != 0)
		return;
	io->reading.expected = --io->asked_n > 0;
	io->on_reply(&g->reply, io->arg);
}

/* ---- hiredis' events ------------------------------------------------------------------------- */

static void hook_add_read(void *arg)
{
	struct gw_redis_io *io = arg;

	event_add(&io->ev_read, NULL);
}

static void hook_del_read(void *arg)
{
	struct gw_redis_io *io = arg;

	event_del(&io->ev_read);
}

/*
 * Once the connection is there the socket nearly always takes bytes: what this loop pass has asked
 * leaves together at its end, without another turn of the loop.
 */
static void hook_add_write(void *arg)
{
	struct gw_redis_io *io = arg;

	if (!io->writing && io->ac != NULL && (io->ac->c.flags & REDIS_CONNECTED) != 0)
		event_active(&io->ev_write, EV_WRITE, 0);
	else
		event_add(&io->ev_write, NULL);
}

static void hook_del_write(void *arg)
{
	struct gw_redis_io *io = arg;

	event_del(&io->ev_write);
}

/* hiredis lets go of the socket and of its context. Unless we wanted that, it is the end. */
static void hook_cleanup(void *arg)
{
	struct gw_redis_io *io = arg;

	event_del(&io->ev_read);
	event_del(&io->ev_write);
	if (io->ac == NULL)
		return;
	note_end(io, -ECONNRESET, why_ended(io->ac));
	io->ac = NULL;
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct gw_redis_io *io = arg;

	(void)fd;
	(void)what;
	io->busy = true;
	if (io->ac->c.reader->len - io->ac->c.reader->pos > UNREAD_MAX)
		note_end(io, WA_EPROTO, "says more than an answer");
	else
		redisAsyncHandleRead(io->ac);
	settle(io);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct gw_redis_io *io = arg;

	(void)fd;
	(void)what;
	io->busy = true;
	io->writing = true;
	redisAsyncHandleWrite(io->ac);
	io->writing = false;
	settle(io);
}

/* ---- beginning ------------------------------------------------------------------------------- */

static int send_now(struct gw_redis_io *io, const char *cmd, size_t cmd_len)
{
	if (redisAsyncFormattedCommand(io->ac, on_command_reply, io, cmd, cmd_len) != REDIS_OK)
		return -ENOMEM;
	io->asked_n++;
	io->reading.expected = true;
	return 0;
}

static int send_early(struct gw_redis_io *io)
{
	size_t at = 0, len;
	int rc = 0;

	while (rc == 0 && at < io->early.len) {
		memcpy(&len, io->early.p + at, sizeof(len));
		at += sizeof(len);
		rc = send_now(io, (const char *)io->early.p + at, len);
		at += len;
	}
	buf_wipe(&io->early); /* a password may be in it */
	return rc;
}

static int keep_early(struct gw_redis_io *io, const void *cmd, size_t cmd_len)
{
	int rc = buf_reserve(&io->early, sizeof(cmd_len) + cmd_len);

	if (rc == 0)
		rc = buf_append(&io->early, &cmd_len, sizeof(cmd_len));
	return rc == 0 ? buf_append(&io->early, cmd, cmd_len) : rc;
}

int gw_redis_io_send(struct gw_redis_io *io, const void *cmd, size_t cmd_len)
{
	return io->ac == NULL ? keep_early(io, cmd, cmd_len) : send_now(io, cmd, cmd_len);
}

static void socket_options(int fd)
{
	int one = 1;

	(void)!fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* not a socket's */
}

/* host: an address, or NULL for the Unix socket. */
static void dial(struct gw_redis_io *io, const char *host)
{
	redisAsyncContext *ac = host == NULL ? redisAsyncConnectUnix(io->target.path)
	                                     : redisAsyncConnect(host, io->target.port);

	if (ac == NULL || ac->err != 0) {
		note_end(io, -ECONNREFUSED, "can't be reached");
		if (ac != NULL)
			redisAsyncFree(ac);
		return;
	}
	socket_options(ac->c.fd);
	ac->ev.data = io;
	ac->ev.addRead = hook_add_read;
	ac->ev.delRead = hook_del_read;
	ac->ev.addWrite = hook_add_write;
	ac->ev.delWrite = hook_del_write;
	ac->ev.cleanup = hook_cleanup;
	gw_redis_reply_read_into(ac->c.reader, &io->reading);
	event_assign(&io->ev_read, io->base, ac->c.fd, EV_READ | EV_PERSIST, on_read, io);
	event_assign(&io->ev_write, io->base, ac->c.fd, EV_WRITE, on_write, io);
	io->ac = ac;
	event_add(&io->ev_write, NULL); /* the first writable moment is the connection */
	if (send_early(io) < 0)
		note_end(io, -ENOMEM, "can't be asked for lack of memory");
}

static void on_addresses(int gai_rc, const struct addrinfo *ai, void *arg)
{
	struct gw_redis_io *io = arg;
	const struct addrinfo *chosen = ai;
	char text[INET6_ADDRSTRLEN] = "";
	unsigned n = 0;

	if (gai_rc == 0) {
		for (const struct addrinfo *a = ai; a != NULL; a = a->ai_next)
			n++;
		for (unsigned i = 0; n > 0 && i < io->nth % n; i++)
			chosen = chosen->ai_next;
		if (chosen != NULL)
			(void)getnameinfo(chosen->ai_addr, chosen->ai_addrlen, text, sizeof(text),
			                  NULL, 0, NI_NUMERICHOST);
	}
	resolve_free(io->resolve);
	io->resolve = NULL;
	if (text[0] == '\0')
		note_end(io, WA_EDNS, "has a name that can't be resolved");
	else
		dial(io, text);
}

static bool is_address(const char *host)
{
	uint8_t addr[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
}

int gw_redis_io_new(struct event_base *base, const struct gw_redis_target *target, unsigned nth,
                    void (*on_reply)(const struct gw_redis_reply *reply, void *arg),
                    void (*on_end)(int rc, const char *why, void *arg), void *arg,
                    struct gw_redis_io **io_out)
{
	struct gw_redis_io *io = calloc(1, sizeof(*io));
	int rc = 0;

	if (io == NULL)
		return -ENOMEM;
	io->base = base;
	io->nth = nth;
	io->on_reply = on_reply;
	io->on_end = on_end;
	io->arg = arg;
	memcpy(io->target.host, target->host, sizeof(target->host));
	memcpy(io->target.path, target->path, sizeof(target->path));
	io->target.port = target->port;
	event_assign(&io->ev_later, base, -1, 0, on_later, io);
	if (io->target.path[0] != '\0')
		dial(io, NULL);
	else if (is_address(io->target.host))
		dial(io, io->target.host);
	else
		rc = resolve_new(base, io->target.host, io->target.port, on_addresses, io,
		                 &io->resolve);
	if (rc < 0) {
		destroy(io);
		return rc;
	}
	*io_out = io;
	return 0;
}
