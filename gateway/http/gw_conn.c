/* gateway/http/gw_conn.c - one client connection: reading through the gate, deadlines, the way out
 */
#include "gateway/http/gw_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/http/gw_conn_priv.h"

#define READ_LEN 16384
#define IN_MAX 65536              /* bytes of further requests that may wait */
#define LINGER_READ_MAX (4 << 20) /* bytes thrown away while the client reads the last answer */

const struct gw_conn_times gw_conn_times_default = {
	.head = 10000,
	.body = 10000,
	.body_rate = 1000,
	.write = 30000,
	.keep_alive = 60000,
	.linger = 2000,
};

/* ---- deadlines ------------------------------------------------------------------------------- */

/* A later deadline leaves the timer alone: it goes off early and is set again then. */
static void arm(struct gw_conn *c, uint64_t deadline_ms)
{
	uint64_t now = clock_ms(), wait;
	struct timeval tv;

	c->deadline_ms = deadline_ms;
	if (deadline_ms == 0 || (c->armed_ms != 0 && c->armed_ms <= deadline_ms))
		return;
	wait = deadline_ms > now ? deadline_ms - now : 0;
	tv.tv_sec = (time_t)(wait / 1000);
	tv.tv_usec = (suseconds_t)(wait % 1000 * 1000);
	c->armed_ms = evtimer_add(&c->ev_timer, &tv) < 0 ? 0 : deadline_ms;
}

/* The instant by which the body's average rate would be too low, were nothing more to come. */
static uint64_t body_deadline(const struct gw_conn *c)
{
	const struct gw_conn_times *t = c->conns->p.times;
	uint64_t earned_ms = c->gate.body_len * 1000 / t->body_rate;

	return c->began_ms + (earned_ms > t->body ? earned_ms : t->body);
}

/*
 * A whole answer may take as long as it needs while its client takes it at the rate; a stream that
 * is not paced, and the first byte, have the plain deadline.
 */
static uint64_t write_deadline(const struct gw_conn *c)
{
	const struct gw_conn_times *t = c->conns->p.times;
	uint64_t earned_ms = 0;

	if (c->pending_ms == 0)
		return 0;
	if (c->state == CONN_ANSWERED)
		earned_ms = (uint64_t)(c->out_at - c->pending_at) * 1000 / t->body_rate;
	return c->pending_ms + (earned_ms > t->write ? earned_ms : t->write);
}

void gw_conn_set_deadline(struct gw_conn *c)
{
	const struct gw_conn_times *t = c->conns->p.times;

	switch (c->state) {
	case CONN_IDLE:
		arm(c, c->began_ms + (c->requests_n == 0 ? t->head : t->keep_alive));
		break;
	case CONN_HEAD:
		arm(c, c->began_ms + t->head);
		break;
	case CONN_BODY:
		arm(c, body_deadline(c));
		break;
	case CONN_HANDLING:
	case CONN_ANSWERED:
		arm(c, write_deadline(c));
		break;
	case CONN_LINGER:
		arm(c, c->began_ms + t->linger);
		break;
	case CONN_CLOSED:
		break;
	}
}

/* ---- the end of a connection ----------------------------------------------------------------- */

void gw_conn_close(struct gw_conn *c, const char *why)
{
	void (*on_gone)(void *arg) = c->on_gone;

	if (c->state == CONN_CLOSED)
		return;
	LOG(NULL, LOG_DEBUG, "http_conn_closed", LF_STR("why", why),
	    LF_INT("requests", c->requests_n));
	c->state = CONN_CLOSED;
	c->on_gone = NULL;
	c->on_room = NULL;
	c->on_data = NULL;
	event_del(&c->ev_read);
	event_del(&c->ev_write);
	evtimer_del(&c->ev_timer);
	close(c->fd);
	c->fd = -1;
	gw_conns_remove(c);
	if (on_gone != NULL)
		on_gone(c->on_gone_arg);
}

void gw_conn_free(struct gw_conn *c)
{
	gw_gate_clear(&c->gate);
	buf_wipe(&c->in); /* may hold a token, as may the body */
	buf_wipe(&c->body);
	buf_wipe(&c->out); /* a new token, a code */
	free(c);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void reset_input(struct gw_conn *c)
{
	if (c->in_at < c->in.len)
		return;
	c->in_at = 0;
	if (c->in.cap > CONN_KEEP_CAP)
		buf_wipe(&c->in);
	else
		buf_reset(&c->in);
}

static void conn_refuse(struct gw_conn *c, int status)
{
	c->state = CONN_HANDLING;
	c->close = true;
	c->requests_n++;
	gw_conn_set_deadline(c);
	c->conns->p.on_refused(c, status, c->conns->p.arg);
}

static void conn_dispatch(struct gw_conn *c)
{
	c->state = CONN_HANDLING;
	c->requests_n++;
	gw_conn_set_deadline(c);
	c->conns->p.on_request(c, c->conns->p.arg);
}

/*
 * The client waits to be asked for its body. Where nobody wants it the answer comes instead;
 * whether the body comes after all, nobody knows, so the connection ends with the answer.
 */
static void conn_continue(struct gw_conn *c)
{
	if (!c->keep_body) {
		c->close = true;
		conn_dispatch(c);
	} else if (buf_append_str(&c->out, "HTTP/1.1 100 Continue\r\n\r\n") < 0) {
		gw_conn_close(c, "out of memory");
	} else {
		gw_conn_flush(c);
	}
}

/* The gate wants more: say so to a client that waits to be asked, and note where the request is. */
static void conn_wait(struct gw_conn *c)
{
	if (c->state == CONN_IDLE && gw_gate_is_started(&c->gate)) {
		c->state = CONN_HEAD;
		/* The first head is timed from the start of the connection. */
		if (c->requests_n > 0)
			c->began_ms = clock_ms();
	}
	if (c->state == CONN_BODY && !c->continued) {
		c->continued = true;
		if (gw_gate_expects_continue(&c->gate) && c->gate.body_len == 0)
			conn_continue(c);
	}
	reset_input(c);
	if (c->state != CONN_CLOSED)
		gw_conn_set_deadline(c);
}

/* One step of the gate. False: it needs bytes that are not there. */
static bool conn_step(struct gw_conn *c)
{
	const uint8_t *next = c->in.len > 0 ? c->in.p + c->in_at : NULL;
	const uint8_t *piece;
	size_t used, piece_len;
	uint64_t body_max;
	enum gw_gate_verdict v;

	v = gw_gate_feed(&c->gate, next, c->in.len - c->in_at, &used, &piece, &piece_len);
	c->in_at += used;
	switch (v) {
	case GW_GATE_MORE:
		conn_wait(c);
		return false;
	case GW_GATE_HEAD:
		c->state = CONN_BODY;
		c->began_ms = clock_ms();
		body_max = c->conns->p.body_max;
		c->keep_body = c->conns->p.wants_body(c, &body_max, c->conns->p.arg);
		gw_gate_set_body_max(&c->gate, body_max);
		break;
	case GW_GATE_DATA:
		if (c->keep_body && buf_append(&c->body, piece, piece_len) < 0)
			gw_conn_close(c, "out of memory");
		break;
	case GW_GATE_DONE:
		conn_dispatch(c);
		break;
	case GW_GATE_BAD:
		conn_refuse(c, 400);
		break;
	case GW_GATE_TOO_LARGE:
		conn_refuse(c, 413);
		break;
	case GW_GATE_NO_MEMORY:
		gw_conn_close(c, "out of memory");
		break;
	}
	return true;
}

static bool is_reading(const struct gw_conn *c)
{
	return c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_BODY;
}

/* What waits behind a request is bounded: read on while it is, or once it is needed. */
static void read_on(struct gw_conn *c)
{
	if (c->state == CONN_CLOSED || c->state == CONN_LINGER || c->eof)
		return;
	if (!is_reading(c) && c->in.len - c->in_at > IN_MAX)
		event_del(&c->ev_read);
	else if (event_add(&c->ev_read, NULL) < 0)
		gw_conn_close(c, "out of memory");
}

/* Requests that are answered at once are read one after the other; never re-entered. */
static void conn_pump(struct gw_conn *c)
{
	if (c->pumping)
		return;
	c->pumping = true;
	while (is_reading(c) && conn_step(c))
		;
	c->pumping = false;
	if (is_reading(c) && c->eof)
		gw_conn_close(c, "client closed");
}

static void on_eof(struct gw_conn *c)
{
	c->eof = true;
	event_del(&c->ev_read);
	if (is_reading(c) || c->state == CONN_LINGER || c->until_hangup)
		gw_conn_close(c, "client closed");
}

static void linger_read(struct gw_conn *c, size_t n)
{
	c->drained_n += n;
	if (c->drained_n > LINGER_READ_MAX)
		gw_conn_close(c, "client goes on sending");
}

static void on_conn_read(evutil_socket_t fd, short what, void *arg)
{
	struct gw_conn *c = arg;
	uint8_t data[READ_LEN];
	ssize_t n;
	int rc;

	(void)what;
	if (c->on_data != NULL && c->pending_ms != 0) {
		event_del(&c->ev_read); /* who does not read is not read: gw_conn_flush() goes on */
		return;
	}
	n = recv(fd, data, sizeof(data), 0);
	if (n < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			gw_conn_close(c, "read failed");
		return;
	}
	if (n == 0) {
		on_eof(c);
		return;
	}
	if (c->state == CONN_LINGER) {
		linger_read(c, (size_t)n);
		return;
	}
	if (c->on_data != NULL) {
		c->on_data(data, (size_t)n, c->on_gone_arg); /* c may be over */
		return;
	}
	buf_drop(&c->in, c->in_at); /* so that a client who never pauses does not let it grow */
	c->in_at = 0;
	rc = buf_append(&c->in, data, (size_t)n);
	secret_wipe(data, (size_t)n); /* a token */
	if (rc < 0) {
		gw_conn_close(c, "out of memory");
		return;
	}
	conn_pump(c);
	read_on(c);
}

static void on_conn_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	gw_conn_flush(arg);
}

/* Half-close, so that the answer is not lost to a reset, and read until the client closes too. */
static void conn_begin_linger(struct gw_conn *c)
{
	if (c->eof || shutdown(c->fd, SHUT_WR) < 0) {
		gw_conn_close(c, "answered");
		return;
	}
	c->state = CONN_LINGER;
	c->began_ms = clock_ms();
	gw_gate_clear(&c->gate);
	buf_wipe(&c->in);
	c->in_at = 0;
	buf_wipe(&c->body);
	gw_conn_set_deadline(c);
	if (event_add(&c->ev_read, NULL) < 0)
		gw_conn_close(c, "out of memory");
}

/* The answer has left. */
void gw_conn_finish(struct gw_conn *c)
{
	if (c->close) {
		conn_begin_linger(c);
		return;
	}
	gw_gate_reset(&c->gate);
	buf_wipe(&c->body);
	reset_input(c);
	c->continued = false;
	c->chunked = false;
	c->state = CONN_IDLE;
	c->began_ms = clock_ms();
	if (c->eof && c->in_at == c->in.len) {
		gw_conn_close(c, "client closed");
		return;
	}
	if (c->conns->draining && c->in_at == c->in.len) {
		gw_conn_close(c, "stopping");
		return;
	}
	gw_conn_set_deadline(c);
	conn_pump(c);
	read_on(c);
}

static void on_deadline(struct gw_conn *c)
{
	switch (c->state) {
	case CONN_IDLE:
		if (c->requests_n > 0)
			gw_conn_close(c, "idle");
		else
			conn_refuse(c, 408);
		break;
	case CONN_HEAD:
	case CONN_BODY:
		conn_refuse(c, 408);
		break;
	case CONN_HANDLING:
	case CONN_ANSWERED:
		gw_conn_close(c, "client does not read");
		break;
	case CONN_LINGER:
		gw_conn_close(c, "answered");
		break;
	case CONN_CLOSED:
		break;
	}
}

static void on_conn_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gw_conn *c = arg;

	(void)fd;
	(void)what;
	c->armed_ms = 0;
	if (c->deadline_ms == 0)
		return;
	if (clock_ms() < c->deadline_ms)
		arm(c, c->deadline_ms);
	else
		on_deadline(c);
}

void gw_conn_start(struct gw_conn *c)
{
	struct event_base *base = c->conns->p.base;

	c->state = CONN_IDLE;
	c->began_ms = clock_ms();
	gw_gate_init(&c->gate, c->conns->p.body_max);
	event_assign(&c->ev_read, base, c->fd, EV_READ | EV_PERSIST, on_conn_read, c);
	event_assign(&c->ev_write, base, c->fd, EV_WRITE | EV_PERSIST, on_conn_write, c);
	evtimer_assign(&c->ev_timer, base, on_conn_timer, c);
	gw_conn_set_deadline(c);
	if (event_add(&c->ev_read, NULL) < 0)
		gw_conn_close(c, "out of memory");
}

/* ---- one request ----------------------------------------------------------------------------- */

const struct gw_gate *gw_conn_head(const struct gw_conn *c)
{
	return gw_gate_has_head(&c->gate) ? &c->gate : NULL;
}

const struct buf *gw_conn_body(const struct gw_conn *c)
{
	return &c->body;
}

const struct gw_addr *gw_conn_peer(const struct gw_conn *c)
{
	return &c->addr;
}

void gw_conn_mark_known(struct gw_conn *c)
{
	gw_conns_forget_unknown(c);
}

void gw_conn_set_owner(struct gw_conn *c, void (*on_gone)(void *arg), void *arg, bool until_hangup)
{
	assert(c->state == CONN_HANDLING);
	c->on_gone = on_gone;
	c->on_gone_arg = arg;
	c->until_hangup = until_hangup;
	/* It may have happened already, in the same packet as the request. */
	if (until_hangup && c->eof)
		event_active(&c->ev_read, EV_READ, 0);
}
