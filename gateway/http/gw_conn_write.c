/* gateway/http/gw_conn_write.c - answers: whole ones, streams, and how they leave */
#include "gateway/http/gw_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <event2/event.h>

#include "common/clock.h"
#include "gateway/http/gw_conn_priv.h"

#define OUT_MAX (1024 * 1024) /* what may wait of a stream that is not paced */
#define CORK_MAX (32 * 1024)  /* pieces of a stream that leave together */
#define BODY_COPY_MAX 2048    /* shorter bodies are copied behind their head */
#define HEAD_CAP 256          /* what put_head() and put_length() add of their own */

/* ---- writing --------------------------------------------------------------------------------- */

/* 0: all sent; 1: the rest waits for the client; or -errno. */
static int send_out(struct gw_conn *c)
{
	ssize_t n;

	while (c->out_at < c->out.len) {
		n = send(c->fd, c->out.p + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);
		if (n > 0)
			c->out_at += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 1;
		else
			return n < 0 ? -errno : -EPIPE;
	}
	c->out_at = 0;
	if (c->out.cap > CONN_KEEP_CAP)
		buf_wipe(&c->out); /* a new token, a code */
	else
		buf_reset(&c->out); /* overwrites, too */
	return 0;
}

void gw_conn_flush(struct gw_conn *c)
{
	size_t before = c->out_at;
	int rc = send_out(c);

	if (rc < 0) {
		gw_conn_close(c, "write failed");
		return;
	}
	if (rc > 0) {
		if (c->state == CONN_HANDLING && c->on_room == NULL &&
		    c->out.len - c->out_at > OUT_MAX) {
			gw_conn_close(c, "client does not read");
			return;
		}
		if (c->pending_ms == 0 && event_add(&c->ev_write, NULL) < 0) {
			gw_conn_close(c, "out of memory");
			return;
		}
		if (c->pending_ms == 0 || (c->on_room != NULL && c->out_at > before)) {
			c->pending_ms = clock_ms();
			c->pending_at = c->out_at;
		}
		gw_conns_hold_out(c);
		gw_conn_set_deadline(c);
		return;
	}
	if (c->pending_ms != 0) {
		c->pending_ms = 0;
		gw_conns_hold_out(c);
		event_del(&c->ev_write);
		gw_conn_set_deadline(c);
		if (c->on_data != NULL && !c->eof && event_add(&c->ev_read, NULL) < 0) {
			gw_conn_close(c, "out of memory");
			return;
		}
		if (c->state == CONN_HANDLING && c->on_room != NULL) {
			c->on_room(c->on_gone_arg); /* c may be over */
			return;
		}
	}
	if (c->state == CONN_ANSWERED)
		gw_conn_finish(c);
}

/* "HTTP/1.1 200 OK", CRLF and the name of the field that comes next. */
static int put_status(struct buf *out, int status)
{
#define LINE(status, phrase) \
	{ \
		status, "HTTP/1.1 " #status " " phrase "\r\nDate: " \
	}
	static const struct {
		int status;
		const char *line;
	} lines[] = {
		LINE(101, "Switching Protocols"),
		LINE(200, "OK"),
		LINE(201, "Created"),
		LINE(204, "No Content"),
		LINE(304, "Not Modified"),
		LINE(400, "Bad Request"),
		LINE(401, "Unauthorized"),
		LINE(403, "Forbidden"),
		LINE(404, "Not Found"),
		LINE(405, "Method Not Allowed"),
		LINE(406, "Not Acceptable"),
		LINE(408, "Request Timeout"),
		LINE(409, "Conflict"),
		LINE(410, "Gone"),
		LINE(413, "Content Too Large"),
		LINE(429, "Too Many Requests"),
		LINE(500, "Internal Server Error"),
		LINE(501, "Not Implemented"),
		LINE(502, "Bad Gateway"),
		LINE(503, "Service Unavailable"),
		LINE(504, "Gateway Timeout"),
	};
#undef LINE

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (lines[i].status == status)
			return buf_append_str(out, lines[i].line);
	}
	return buf_appendf(out, "HTTP/1.1 %d Unknown\r\nDate: ", status);
}

static const char *date_line(struct gw_conns *conns)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t now = (time_t)clock_unix_s();
	struct tm tm;

	if (now != conns->date_at && gmtime_r(&now, &tm) != NULL) {
		snprintf(conns->date, sizeof(conns->date), "%s, %02u %s %04u %02u:%02u:%02u GMT",
		         days[tm.tm_wday], (unsigned)tm.tm_mday % 100, months[tm.tm_mon],
		         (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
		         (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
		conns->date_at = now;
	}
	return conns->date;
}

/* Will the connection be closed behind the answer that is being started? */
static bool must_close(const struct gw_conn *c)
{
	const struct gw_gate *head = gw_conn_head(c);

	return c->close || head == NULL || !gw_gate_keeps_alive(head) || c->conns->draining ||
	       c->requests_n >= c->conns->p.requests_max;
}

/* Everything up to the framing lines. */
static int put_head(struct gw_conn *c, int status, const struct buf *headers)
{
	const struct gw_gate *head = gw_conn_head(c);
	const char *connection = "\r\n";
	int rc;

	c->close = must_close(c);
	if (c->close)
		connection = "\r\nConnection: close\r\n";
	else if (gw_gate_minor(head) == 0)
		connection = "\r\nConnection: keep-alive\r\n";
	c->no_body = status == 204 || status == 304 ||
	             (head != NULL && strcmp(gw_gate_method(head), "HEAD") == 0);
	rc = put_status(&c->out, status);
	if (rc == 0)
		rc = buf_append_str(&c->out, date_line(c->conns));
	if (rc == 0)
		rc = buf_append_str(&c->out, connection);
	if (rc == 0 && headers != NULL)
		rc = buf_append(&c->out, headers->p, headers->len);
	return rc;
}

static void end_answer(struct gw_conn *c)
{
	c->on_gone = NULL;
	c->on_room = NULL;
	c->on_data = NULL;
	c->until_hangup = false;
	c->state = CONN_ANSWERED;
	gw_conn_flush(c);
}

static int put_length(struct buf *out, size_t len)
{
	int rc = buf_append_str(out, "Content-Length: ");

	if (rc == 0)
		rc = buf_append_dec(out, len);
	if (rc == 0)
		rc = buf_append_str(out, "\r\n");
	return rc;
}

/* Behind the head in out. A large body goes to the kernel from where it is. */
static int put_body(struct gw_conn *c, const void *body, size_t body_len)
{
	struct iovec part[2] = { { .iov_base = c->out.p, .iov_len = c->out.len },
		                 { .iov_base = (void *)(uintptr_t)body, .iov_len = body_len } };
	struct msghdr msg = { .msg_iov = part, .msg_iovlen = 2 };
	ssize_t n = 0;

	if (body_len >= BODY_COPY_MAX && c->out_at == 0 && c->pending_ms == 0)
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	if (n <= 0) /* an error is met again where the rest is sent */
		return buf_append(&c->out, body, body_len);
	if ((size_t)n < c->out.len) {
		c->out_at = (size_t)n;
		return buf_append(&c->out, body, body_len);
	}
	n -= (ssize_t)c->out.len;
	buf_reset(&c->out);
	return buf_append(&c->out, (const uint8_t *)body + n, body_len - (size_t)n);
}

void gw_conn_answer(struct gw_conn *c, const struct gw_answer *a)
{
	size_t headers_len = a->headers == NULL ? 0 : a->headers->len;
	int rc;

	assert(c->state == CONN_HANDLING);
	c->close |= a->close;
	rc = buf_reserve(&c->out,
	                 HEAD_CAP + headers_len + (a->body_len < BODY_COPY_MAX ? a->body_len : 0));
	if (rc == 0)
		rc = put_head(c, a->status, a->headers);
	if (rc == 0 && a->status != 204 && a->status != 304)
		rc = put_length(&c->out, a->body_len);
	if (rc == 0)
		rc = buf_append_str(&c->out, "\r\n");
	if (rc == 0 && !c->no_body && a->body_len > 0)
		rc = put_body(c, a->body, a->body_len);
	c->on_gone = NULL; /* the caller is done with it, whatever happens now */
	if (rc < 0)
		gw_conn_close(c, "out of memory");
	else
		end_answer(c);
}

int gw_conn_stream_start(struct gw_conn *c, int status, const struct buf *headers)
{
	const struct gw_gate *head = gw_conn_head(c);
	int rc;

	assert(c->state == CONN_HANDLING && head != NULL);
	c->chunked = gw_gate_minor(head) > 0;
	c->close |= !c->chunked; /* the end of the connection is the end of the stream */
	rc = put_head(c, status, headers);
	if (rc == 0 && c->chunked)
		rc = buf_append_str(&c->out, "Transfer-Encoding: chunked\r\n");
	if (rc == 0)
		rc = buf_append_str(&c->out, "\r\n");
	if (rc < 0)
		gw_conn_close(c, "out of memory");
	return rc;
}

/* The length in hex, and CRLF. */
static int put_chunk_head(struct buf *out, size_t len)
{
	char text[2 * sizeof(len) + 2], *end = text + sizeof(text), *p = end;

	*--p = '\n';
	*--p = '\r';
	for (; len > 0; len >>= 4)
		*--p = "0123456789abcdef"[len & 15];
	return buf_append(out, p, (size_t)(end - p));
}

static int put_piece(struct gw_conn *c, const void *data, size_t data_len)
{
	int rc = 0;

	if (data_len == 0 || c->no_body)
		return 0;
	if (c->chunked)
		rc = put_chunk_head(&c->out, data_len);
	if (rc == 0)
		rc = buf_append(&c->out, data, data_len);
	if (rc == 0 && c->chunked)
		rc = buf_append_str(&c->out, "\r\n");
	return rc;
}

int gw_conn_stream_piece(struct gw_conn *c, const void *data, size_t data_len)
{
	int rc;

	assert(c->state == CONN_HANDLING);
	rc = put_piece(c, data, data_len);
	if (rc < 0)
		gw_conn_close(c, "out of memory");
	else if (!c->corked || c->out.len - c->out_at >= CORK_MAX)
		gw_conn_flush(c);
	return c->state == CONN_HANDLING ? 0 : -EPIPE;
}

void gw_conn_stream_cork(struct gw_conn *c)
{
	c->corked = true;
}

int gw_conn_stream_flush(struct gw_conn *c)
{
	c->corked = false;
	if (c->out.len > c->out_at)
		gw_conn_flush(c);
	return c->state == CONN_HANDLING ? 0 : -EPIPE;
}

void gw_conn_stream_end(struct gw_conn *c)
{
	int rc = 0;

	assert(c->state == CONN_HANDLING);
	c->corked = false;
	if (c->chunked && !c->no_body)
		rc = buf_append_str(&c->out, "0\r\n\r\n");
	c->on_gone = NULL;
	if (rc < 0)
		gw_conn_close(c, "out of memory");
	else
		end_answer(c);
}

/* ---- at the client's pace, and another protocol -----------------------------------------------
 */

void gw_conn_pace(struct gw_conn *c, void (*on_room)(void *arg))
{
	assert(c->state == CONN_HANDLING);
	c->on_room = on_room;
}

bool gw_conn_has_room(const struct gw_conn *c)
{
	return c->pending_ms == 0;
}

int gw_conn_write(struct gw_conn *c, const void *data, size_t data_len)
{
	assert(c->state == CONN_HANDLING && c->on_data != NULL);
	if (buf_append(&c->out, data, data_len) < 0)
		gw_conn_close(c, "out of memory");
	else
		gw_conn_flush(c);
	return c->state == CONN_HANDLING ? 0 : -EPIPE;
}

/* What came behind the request's head is the new protocol's already. */
static int give_early_data(struct gw_conn *c)
{
	struct buf early = c->in;
	size_t at = c->in_at;

	c->in = (struct buf){ 0 };
	c->in_at = 0;
	if (early.len > at)
		c->on_data(early.p + at, early.len - at, c->on_gone_arg);
	buf_wipe(&early);
	return c->state == CONN_HANDLING ? 0 : -EPIPE;
}

int gw_conn_upgrade(struct gw_conn *c, const struct buf *headers,
                    void (*on_data)(const uint8_t *data, size_t data_len, void *arg))
{
	int rc;

	assert(c->state == CONN_HANDLING && c->on_room != NULL);
	c->close = true;
	c->on_data = on_data;
	rc = put_status(&c->out, 101);
	if (rc == 0)
		rc = buf_append_str(&c->out, date_line(c->conns));
	if (rc == 0)
		rc = buf_append_str(&c->out, "\r\n");
	if (rc == 0)
		rc = buf_append(&c->out, headers->p, headers->len);
	if (rc == 0)
		rc = buf_append_str(&c->out, "\r\n");
	if (rc < 0)
		gw_conn_close(c, "out of memory");
	else
		gw_conn_flush(c);
	return c->state == CONN_HANDLING ? give_early_data(c) : -EPIPE;
}

void gw_conn_upgrade_end(struct gw_conn *c)
{
	if (c->state == CONN_HANDLING)
		end_answer(c);
}
