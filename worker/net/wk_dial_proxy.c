/*
 * worker/net/wk_dial_proxy.c - the talk with a proxy over a socket, or over TLS
 *
 * Bytes behind the proxy's last answer belong to the tunnel. On a socket they are peeked at before
 * they are taken, so that they stay in the kernel; over TLS they stay in the bufferevent.
 */
#include "worker/net/wk_dial_proxy.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"
#include "worker/net/wk_proxy.h"
#include "worker/net/wk_tls.h"
#include "worker/net/wk_url.h"
#include "worker/session/wk_failure.h"

#define PEEK_LEN 2048
#define READ_MAX (16 * 1024)

struct wk_dial_proxy {
	const struct wk_proxy *proxy;
	const struct wk_dial_proxy_ops *ops;
	void *arg;
	struct wk_proxy_talk talk;
	struct buf out; /* still to be sent; may hold the password */
	int fd;         /* on a socket; else -1 */
	struct event *on_read, *on_write;
	struct bufferevent *bev; /* over TLS; else NULL */
	struct wk_url url;       /* the proxy as a TLS peer */
};

/* ---- the end, one way or the other --------------------------------------------------------- */

static void fail(struct wk_dial_proxy *t, int rc, const char *why)
{
	struct wk_failure f;

	wk_failure_set(&f, rc, "proxy %s %s", t->proxy->hostport, why);
	t->ops->on_failed(&f, t->arg);
}

static void fail_closed(struct wk_dial_proxy *t)
{
	fail(t, WA_EPROXY_UNREACHABLE, "closed the connection");
}

static void fail_nomem(struct wk_dial_proxy *t)
{
	fail(t, -ENOMEM, "could not be talked to: out of memory");
}

/* What TLS says, with the proxy named in front. */
static void explain_tls(const struct wk_dial_proxy *t, const struct wk_failure *why,
                        struct wk_failure *f)
{
	wk_failure_set(f, why->rc == WA_EWORKER_CRASHED ? why->rc : WA_EPROXY_UNREACHABLE,
	               "proxy %s: %s", t->proxy->hostport, why->detail);
}

static void fail_answer(struct wk_dial_proxy *t, int rc, const char *why)
{
	struct wk_failure f;

	if (rc == -ENOMEM) {
		fail_nomem(t);
		return;
	}
	wk_failure_set(&f, rc, "proxy %s %s", t->proxy->hostport, why);
	if (rc == WA_EPROXY_UNREACHABLE && t->talk.status != 0)
		wk_failure_add(&f, ": HTTP status %u", t->talk.status);
	t->ops->on_failed(&f, t->arg);
}

static void succeed(struct wk_dial_proxy *t)
{
	const struct wk_pipe pipe = { t->fd, t->bev };

	if (t->bev != NULL) {
		bufferevent_setcb(t->bev, NULL, NULL, NULL, NULL);
		(void)bufferevent_disable(t->bev, EV_READ);
	}
	if (t->on_read != NULL)
		(void)event_del(t->on_read);
	t->fd = -1;
	t->bev = NULL;
	t->ops->on_tunnel(pipe, t->arg);
}

/* ---- on a socket --------------------------------------------------------------------------- */

/* 0 or -errno; what does not fit waits for on_write. */
static int flush_socket(struct wk_dial_proxy *t)
{
	ssize_t n;

	while (t->out.len > 0) {
		n = send(t->fd, t->out.p, t->out.len, MSG_NOSIGNAL);
		if (n > 0)
			buf_drop(&t->out, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			return event_add(t->on_write, NULL) < 0 ? -ENOMEM : 0;
		else if (n < 0 && errno != EINTR)
			return -errno;
	}
	buf_wipe(&t->out);
	return 0;
}

static void flush_or_fail(struct wk_dial_proxy *t)
{
	int rc = flush_socket(t);

	if (rc == -ENOMEM)
		fail_nomem(t);
	else if (rc < 0)
		fail_closed(t);
}

static void on_socket_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush_or_fail(arg);
}

static void on_socket_read(evutil_socket_t fd, short what, void *arg)
{
	struct wk_dial_proxy *t = arg;
	const char *why = NULL;
	uint8_t data[PEEK_LEN];
	size_t used = 0;
	ssize_t n;
	int rc;

	(void)fd;
	(void)what;
	n = recv(t->fd, data, sizeof(data), MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail_closed(t);
		return;
	}
	rc = wk_proxy_feed(&t->talk, data, (size_t)n, &used, &t->out, &why);
	if (used > 0 && recv(t->fd, data, used, 0) != (ssize_t)used)
		fail_closed(t); /* not possible: they were there */
	else if (rc < 0)
		fail_answer(t, rc, why);
	else if (rc > 0)
		succeed(t);
	else
		flush_or_fail(t);
}

static int start_socket(struct wk_dial_proxy *t, struct event_base *base)
{
	t->on_read = event_new(base, t->fd, EV_READ | EV_PERSIST, on_socket_read, t);
	t->on_write = event_new(base, t->fd, EV_WRITE, on_socket_write, t);
	/* The first words are sent when the socket says that it can be written to. */
	if (t->on_read == NULL || t->on_write == NULL || event_add(t->on_read, NULL) < 0 ||
	    event_add(t->on_write, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* ---- over TLS ------------------------------------------------------------------------------ */

static int flush_tls(struct wk_dial_proxy *t)
{
	int rc =
	    t->out.len > 0 && bufferevent_write(t->bev, t->out.p, t->out.len) < 0 ? -ENOMEM : 0;

	buf_wipe(&t->out);
	return rc;
}

static void on_tls_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct wk_dial_proxy *t = arg;
	const char *why = NULL;
	size_t len, used;
	int rc = 0;

	while (rc == 0 && (len = evbuffer_get_contiguous_space(in)) > 0) {
		used = 0;
		rc = wk_proxy_feed(&t->talk, evbuffer_pullup(in, (ev_ssize_t)len), len, &used,
		                   &t->out, &why);
		(void)evbuffer_drain(in, used);
	}
	if (rc < 0)
		fail_answer(t, rc, why);
	else if (rc > 0)
		succeed(t);
	else if (flush_tls(t) < 0)
		fail_nomem(t);
}

static void on_tls_event(struct bufferevent *bev, short what, void *arg)
{
	struct wk_dial_proxy *t = arg;
	struct wk_failure why, f;

	if (what & BEV_EVENT_CONNECTED) {
		if (flush_tls(t) < 0)
			fail_nomem(t);
		return;
	}
	wk_tls_explain(bev, what, &t->url, &why);
	explain_tls(t, &why, &f);
	t->ops->on_failed(&f, t->arg);
}

/* fd is taken. */
static int start_tls(struct wk_dial_proxy *t, int fd, const struct wk_dial_params *params,
                     struct wk_failure *f)
{
	struct wk_failure why;
	int rc;

	t->url = (struct wk_url){ .tls = true, .port = t->proxy->port, .hostport = "the proxy" };
	(void)snprintf(t->url.host, sizeof(t->url.host), "%s", t->proxy->host);
	rc = wk_tls_open(params->tls, params->base, (struct wk_pipe){ fd, NULL }, &t->url,
	                 params->ca_file, &why, &t->bev);
	if (rc < 0) {
		explain_tls(t, &why, f);
		return f->rc;
	}
	rc = wk_tls_start(t->bev, on_tls_read, on_tls_event, t, READ_MAX);
	if (rc < 0)
		wk_failure_set(f, rc, "out of memory");
	return rc;
}

/* ---- life ---------------------------------------------------------------------------------- */

int wk_dial_proxy_new(int fd, const struct wk_dial_params *params,
                      const struct wk_dial_proxy_ops *ops, void *arg, struct wk_failure *f,
                      struct wk_dial_proxy **talk_out)
{
	struct wk_dial_proxy *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL) {
		(void)close(fd);
		wk_failure_set(f, -ENOMEM, "out of memory");
		return f->rc;
	}
	t->proxy = params->proxy;
	t->ops = ops;
	t->arg = arg;
	t->fd = -1;
	rc = wk_proxy_begin(&t->talk, t->proxy, params->host, params->port, &t->out);
	if (rc < 0) {
		(void)close(fd);
		wk_failure_set(f, rc, "proxy %s can't be asked for this host", t->proxy->hostport);
		rc = f->rc;
		goto fail;
	}
	if (t->proxy->kind == WK_PROXY_HTTPS) {
		rc = start_tls(t, fd, params, f);
	} else {
		t->fd = fd;
		rc = start_socket(t, params->base);
		if (rc < 0)
			wk_failure_set(f, rc, "out of memory");
	}
	if (rc < 0)
		goto fail;
	*talk_out = t;
	return 0;
fail:
	wk_dial_proxy_free(t);
	return rc;
}

void wk_dial_proxy_free(struct wk_dial_proxy *t)
{
	if (t == NULL)
		return;
	if (t->on_read != NULL)
		event_free(t->on_read);
	if (t->on_write != NULL)
		event_free(t->on_write);
	if (t->fd >= 0)
		(void)close(t->fd);
	if (t->bev != NULL)
		bufferevent_free(t->bev);
	wk_proxy_end(&t->talk);
	buf_wipe(&t->out);
	free(t);
}
