/* simulator/wire/sim_wire.c - one accepted socket, with or without TLS */
#include "simulator/wire/sim_wire.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"

#define READ_HIGH (256 * 1024)
#define PUMP_CAP 16384
#define CORK_MAX 16384 /* what one TLS record takes */
#define LINGER_MS 2000 /* how long a peer may take to close its side after our FIN */

struct sim_wire {
	struct event_base *base; /* borrowed */
	struct bufferevent *bev;
	SSL *ssl;
	struct evbuffer *plain; /* TLS: decrypted, not yet looked at */
	struct evbuffer *paced; /* waiting for the pace timer; NULL until there is one */
	struct event *pace_timer;
	struct event *linger_timer;
	uint32_t pace_bytes, pace_ms;
	struct sim_shaper shaper;
	struct buf held; /* written while corked */
	bool is_paced, corked;
	bool secure, muted, ending, fin_sent, closed;
	const struct sim_wire_ops *ops;
	void *arg;
};

static void on_read(struct bufferevent *bev, void *arg);
static void on_write(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);

static struct timeval in_ms(uint32_t ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };
}

int sim_wire_new(struct event_base *base, int fd, const struct sim_wire_ops *ops, void *arg,
                 struct sim_wire **wire_out)
{
	struct sim_wire *w = calloc(1, sizeof(*w));
	const int on = 1;

	if (w != NULL)
		w->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (w == NULL || w->bev == NULL) {
		free(w);
		close(fd);
		return -ENOMEM;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	w->base = base;
	w->ops = ops;
	w->arg = arg;
	bufferevent_setcb(w->bev, on_read, on_write, on_event, w);
	bufferevent_setwatermark(w->bev, EV_READ, 0, READ_HIGH);
	bufferevent_enable(w->bev, EV_READ | EV_WRITE);
	*wire_out = w;
	return 0;
}

void sim_wire_free(struct sim_wire *w)
{
	if (w == NULL)
		return;
	if (w->bev != NULL)
		bufferevent_free(w->bev);
	SSL_free(w->ssl);
	buf_free(&w->held);
	if (w->plain != NULL)
		evbuffer_free(w->plain);
	if (w->paced != NULL)
		evbuffer_free(w->paced);
	if (w->pace_timer != NULL)
		event_free(w->pace_timer);
	if (w->linger_timer != NULL)
		event_free(w->linger_timer);
	free(w);
}

struct evbuffer *sim_wire_input(struct sim_wire *w)
{
	return w->ssl != NULL ? w->plain : bufferevent_get_input(w->bev);
}

bool sim_wire_is_live(const struct sim_wire *w)
{
	return !w->muted && !w->ending && !w->closed;
}

/* ---- closing --------------------------------------------------------------------------------- */

static void closed(struct sim_wire *w)
{
	if (w->closed)
		return;
	w->closed = true;
	if (w->pace_timer != NULL)
		event_del(w->pace_timer);
	if (w->linger_timer != NULL)
		event_del(w->linger_timer);
	bufferevent_free(w->bev);
	w->bev = NULL;
	w->ops->on_closed(w->arg);
}

static void on_linger(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	closed(arg);
}

/*
 * All is sent: FIN, then wait for the peer's. Closing at once would turn into RST when something of
 * the peer lies unread, and the peer would lose our last bytes.
 */
static void finish(struct sim_wire *w)
{
	const struct timeval tv = in_ms(LINGER_MS);

	if (w->fin_sent || w->closed)
		return;
	w->fin_sent = true;
	shutdown(bufferevent_getfd(w->bev), SHUT_WR);
	w->linger_timer = evtimer_new(w->base, on_linger, w);
	if (w->linger_timer == NULL || evtimer_add(w->linger_timer, &tv) < 0)
		closed(w);
}

static bool is_drained(const struct sim_wire *w)
{
	return evbuffer_get_length(bufferevent_get_output(w->bev)) == 0 &&
	       (w->paced == NULL || evbuffer_get_length(w->paced) == 0);
}

size_t sim_wire_backlog(const struct sim_wire *w)
{
	if (w->closed)
		return 0;
	return w->held.len + evbuffer_get_length(bufferevent_get_output(w->bev)) +
	       (w->paced == NULL ? 0 : evbuffer_get_length(w->paced));
}

static void flush_tls(struct sim_wire *w);
static void write_corked(struct sim_wire *w);

void sim_wire_end(struct sim_wire *w, bool orderly)
{
	if (!w->ending)
		write_corked(w);
	if (w->ending || w->closed)
		return;
	if (orderly && w->secure && !w->muted) {
		ERR_clear_error();
		SSL_shutdown(w->ssl);
		flush_tls(w);
		if (w->ending || w->closed)
			return;
	}
	w->ending = true;
	if (is_drained(w))
		finish(w);
}

void sim_wire_reset(struct sim_wire *w)
{
	const struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	struct evbuffer *out;
	int fd;

	if (w->closed)
		return;
	write_corked(w);
	if (w->closed)
		return;
	fd = bufferevent_getfd(w->bev);
	out = bufferevent_get_output(w->bev);
	if (evbuffer_get_length(out) > 0 && evbuffer_unfreeze(out, 1) == 0)
		(void)evbuffer_write(out, fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	w->ending = true;
	closed(w);
}

void sim_wire_mute(struct sim_wire *w)
{
	write_corked(w);
	w->muted = true;
	if (w->pace_timer != NULL)
		event_del(w->pace_timer);
	if (w->paced != NULL)
		evbuffer_drain(w->paced, evbuffer_get_length(w->paced));
}

/* ---- sending --------------------------------------------------------------------------------- */

static void pace_arm(struct sim_wire *w, uint32_t ms)
{
	const struct timeval tv = in_ms(ms);

	if (!evtimer_pending(w->pace_timer, NULL))
		evtimer_add(w->pace_timer, &tv);
}

static void on_pace(evutil_socket_t fd, short what, void *arg)
{
	struct sim_wire *w = arg;
	struct evbuffer *out = bufferevent_get_output(w->bev);
	bool taken = evbuffer_get_length(out) == 0;

	(void)fd;
	(void)what;
	/* Only when the last piece has left: else two would share a segment. */
	if (taken)
		evbuffer_remove_buffer(w->paced, out, w->pace_bytes);
	if (evbuffer_get_length(w->paced) > 0)
		pace_arm(w, taken ? w->pace_ms : 1);
}

static bool pace_prepare(struct sim_wire *w)
{
	if (w->paced == NULL)
		w->paced = evbuffer_new();
	if (w->pace_timer == NULL)
		w->pace_timer = evtimer_new(w->base, on_pace, w);
	return w->paced != NULL && w->pace_timer != NULL;
}

void sim_wire_pace(struct sim_wire *w, uint32_t bytes, uint32_t ms)
{
	w->is_paced = bytes > 0;
	if (w->is_paced) { /* else what is waiting keeps its pace */
		w->pace_bytes = bytes;
		w->pace_ms = ms;
	}
}

void sim_wire_shape(struct sim_wire *w, const struct sim_shaper *shaper)
{
	w->shaper = *shaper;
}

/* To the socket, at its pace. */
static void emit(struct sim_wire *w, const void *data, size_t len)
{
	struct evbuffer *out = bufferevent_get_output(w->bev);
	bool waiting = w->paced != NULL && evbuffer_get_length(w->paced) > 0;
	size_t queued = evbuffer_get_length(out) + (waiting ? evbuffer_get_length(w->paced) : 0);

	if (len == 0)
		return;
	if (queued > SIM_WIRE_OUT_MAX) {
		sim_wire_reset(w);
		return;
	}
	if (!w->is_paced && !waiting) {
		bufferevent_write(w->bev, data, len);
		return;
	}
	if (!pace_prepare(w)) {
		sim_wire_reset(w);
		return;
	}
	evbuffer_add(w->paced, data, len);
	pace_arm(w, w->pace_ms);
}

static void emit_shaped(struct sim_wire *w, const void *data, size_t len)
{
	uint8_t *copy = malloc(len);
	enum sim_shape shape;

	if (copy == NULL) {
		sim_wire_reset(w);
		return;
	}
	memcpy(copy, data, len);
	shape = sim_shape(&w->shaper, copy, &len);
	emit(w, copy, len);
	free(copy);
	if (shape == SIM_SHAPE_CUT)
		sim_wire_end(w, false);
	if (shape == SIM_SHAPE_MUTE)
		sim_wire_mute(w);
}

static void write_raw(struct sim_wire *w, const void *data, size_t len)
{
	if (!sim_wire_is_live(w) || len == 0)
		return;
	if (sim_shaper_is_active(&w->shaper))
		emit_shaped(w, data, len);
	else
		emit(w, data, len);
}

void sim_wire_write_raw(struct sim_wire *w, const void *data, size_t len)
{
	write_corked(w);
	write_raw(w, data, len);
}

/* What TLS has to say goes to the socket. */
static void flush_tls(struct sim_wire *w)
{
	BIO *out = SSL_get_wbio(w->ssl);
	char *data;
	long len = BIO_get_mem_data(out, &data);

	if (len <= 0)
		return;
	write_raw(w, data, (size_t)len);
	(void)BIO_reset(out);
}

static void write_out(struct sim_wire *w, const void *data, size_t len)
{
	size_t n;

	if (w->ssl == NULL) {
		write_raw(w, data, len);
		return;
	}
	ERR_clear_error();
	if (SSL_write_ex(w->ssl, data, len, &n) != 1) /* memory takes all or fails */
		sim_wire_reset(w);
	else
		flush_tls(w);
}

static void write_corked(struct sim_wire *w)
{
	struct buf all = w->held;

	w->held = (struct buf){ 0 };
	if (all.len > 0 && sim_wire_is_live(w))
		write_out(w, all.p, all.len);
	buf_free(&all);
}

void sim_wire_write(struct sim_wire *w, const void *data, size_t len)
{
	if (!sim_wire_is_live(w) || len == 0)
		return;
	if (!w->corked)
		write_out(w, data, len);
	else if (buf_append(&w->held, data, len) < 0)
		sim_wire_reset(w);
	else if (w->held.len >= CORK_MAX)
		write_corked(w);
}

void sim_wire_cork(struct sim_wire *w, bool cork)
{
	w->corked = cork;
	if (!cork)
		write_corked(w);
}

/* ---- receiving ------------------------------------------------------------------------------- */

int sim_wire_start_tls(struct sim_wire *w, SSL_CTX *ctx)
{
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());

	w->ssl = SSL_new(ctx);
	w->plain = evbuffer_new();
	if (in == NULL || out == NULL || w->ssl == NULL || w->plain == NULL) {
		BIO_free(in);
		BIO_free(out);
		SSL_free(w->ssl);
		w->ssl = NULL;
		return -ENOMEM;
	}
	BIO_set_mem_eof_return(in, -1);
	BIO_set_mem_eof_return(out, -1);
	SSL_set_bio(w->ssl, in, out);
	SSL_set_accept_state(w->ssl);
	on_read(w->bev, w);
	return 0;
}

/* Returns false when the handshake is not done, or has failed (the wire is then ending). */
static bool pump_handshake(struct sim_wire *w)
{
	int rc;

	if (w->secure)
		return true;
	ERR_clear_error();
	rc = SSL_do_handshake(w->ssl);
	flush_tls(w);
	if (rc != 1) {
		if (SSL_get_error(w->ssl, rc) != SSL_ERROR_WANT_READ)
			sim_wire_end(w, false);
		return false;
	}
	w->secure = true;
	w->ops->on_secure(w->arg);
	return sim_wire_is_live(w);
}

static void pump_plain(struct sim_wire *w)
{
	uint8_t piece[PUMP_CAP];
	size_t n;
	int err;

	ERR_clear_error();
	while (SSL_read_ex(w->ssl, piece, sizeof(piece), &n) == 1)
		evbuffer_add(w->plain, piece, n);
	err = SSL_get_error(w->ssl, 0);
	flush_tls(w);
	if (evbuffer_get_length(w->plain) > 0 && sim_wire_is_live(w))
		w->ops->on_input(w->arg);
	if (err != SSL_ERROR_WANT_READ && !w->closed)
		sim_wire_end(w, true);
}

static void pump(struct sim_wire *w)
{
	struct evbuffer *raw = bufferevent_get_input(w->bev);
	uint8_t piece[PUMP_CAP];
	int n;

	while ((n = evbuffer_remove(raw, piece, sizeof(piece))) > 0)
		BIO_write(SSL_get_rbio(w->ssl), piece, n);
	if (pump_handshake(w))
		pump_plain(w);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct sim_wire *w = arg;
	struct evbuffer *in = bufferevent_get_input(bev);

	if (!sim_wire_is_live(w))
		evbuffer_drain(in, evbuffer_get_length(in));
	else if (w->ssl != NULL)
		pump(w);
	else
		w->ops->on_input(w->arg);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct sim_wire *w = arg;

	(void)bev;
	if (!is_drained(w))
		return;
	if (w->ending)
		finish(w);
	else if (!w->muted)
		w->ops->on_drained(w->arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		closed(arg);
}
