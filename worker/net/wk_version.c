/* worker/net/wk_version.c - GET /sw.js over the worker's dial path */
#include "worker/net/wk_version.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

#include "common/err.h"
#include "worker/net/wk_dial.h"
#include "worker/net/wk_tls.h"
#include "worker/net/wk_upgrade.h"
#include "worker/session/wk_failure.h"

#define READ_MAX (64 * 1024)

struct wk_version {
	struct event_base *base;
	const struct wk_tls *tls;
	const struct wk_url *url;
	const char *ca_file;
	const struct wk_version_ops *ops;
	void *arg;
	struct wk_dial *dial;
	struct bufferevent *bev;
	struct wk_version_reader reader;
	bool over;
};

/* One of the last calls follows, so nothing may come after it. */
static void stop(struct wk_version *v)
{
	v->over = true;
	if (v->bev != NULL)
		(void)bufferevent_disable(v->bev, EV_READ | EV_WRITE);
}

static void fail(struct wk_version *v, const struct wk_failure *f)
{
	if (v->over)
		return;
	stop(v);
	v->ops->on_failed(f, v->arg);
}

static void fail_answer(struct wk_version *v, int rc)
{
	struct wk_failure f;

	if (v->reader.http.status != 0 && v->reader.http.status != 200)
		wk_failure_set(&f, WA_EPROTO, "%s answered HTTP status %u", v->url->hostport,
		               v->reader.http.status);
	else
		wk_failure_set(&f, rc, "no client version in the answer of %s", v->url->hostport);
	fail(v, &f);
}

static int send_request(struct wk_version *v)
{
	return evbuffer_add_printf(bufferevent_get_output(v->bev),
	                           "GET /sw.js HTTP/1.1\r\n"
	                           "Host: %s\r\n"
	                           "User-Agent: " WK_USER_AGENT "\r\n"
	                           "Accept: */*\r\n"
	                           "Accept-Encoding: identity\r\n"
	                           "sec-fetch-site: none\r\n"
	                           "Connection: close\r\n"
	                           "\r\n",
	                           v->url->authority) < 0
	           ? -ENOMEM
	           : 0;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct wk_version *v = arg;
	uint32_t revision = 0;
	size_t len;
	int rc = 0;

	while (rc == 0 && !v->over && (len = evbuffer_get_contiguous_space(in)) > 0) {
		rc = wk_version_feed(&v->reader, evbuffer_pullup(in, (ev_ssize_t)len), len,
		                     &revision);
		(void)evbuffer_drain(in, len);
	}
	if (v->over || rc == 0)
		return;
	if (rc < 0) {
		fail_answer(v, rc == WA_ELIMIT ? WA_EPROTO : rc);
		return;
	}
	stop(v);
	v->ops->on_version(revision, v->arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct wk_version *v = arg;
	struct wk_failure f;

	if (what & BEV_EVENT_CONNECTED) {
		if (send_request(v) < 0)
			fail_answer(v, -ENOMEM);
		return;
	}
	if ((what & BEV_EVENT_EOF) && v->reader.http.status == 200) {
		fail_answer(v, WA_EPROTO);
		return;
	}
	wk_tls_explain(bev, what, v->url, &f);
	fail(v, &f);
}

static void on_connected(struct wk_pipe pipe, void *arg)
{
	struct wk_version *v = arg;
	struct wk_failure f;

	if (wk_tls_open(v->tls, v->base, pipe, v->url, v->ca_file, &f, &v->bev) < 0) {
		fail(v, &f);
		return;
	}
	if (wk_tls_start(v->bev, on_read, on_event, v, READ_MAX) < 0 ||
	    (!v->url->tls && send_request(v) < 0))
		fail_answer(v, -ENOMEM);
}

static void on_resolved(void *arg)
{
	(void)arg;
}

static void on_dial_failed(const struct wk_failure *f, void *arg)
{
	fail(arg, f);
}

int wk_version_new(struct event_base *base, const struct wk_tls *tls, const struct wk_url *url,
                   const struct wk_proxy *proxy, const char *ca_file, uint32_t connect_ms,
                   const struct wk_version_ops *ops, void *arg, struct wk_version **version_out)
{
	const struct wk_dial_params dial_params = {
		.base = base,
		.host = url->host,
		.port = url->port,
		.proxy = proxy,
		.tls = tls,
		.ca_file = ca_file,
		.connect_ms = connect_ms,
	};
	static const struct wk_dial_ops dial_ops = {
		.on_resolved = on_resolved,
		.on_connected = on_connected,
		.on_failed = on_dial_failed,
	};
	struct wk_version *v = calloc(1, sizeof(*v));
	int rc;

	if (v == NULL)
		return -ENOMEM;
	v->base = base;
	v->tls = tls;
	v->url = url;
	v->ca_file = ca_file;
	v->ops = ops;
	v->arg = arg;
	rc = wk_dial_new(&dial_params, &dial_ops, v, &v->dial);
	if (rc < 0) {
		free(v);
		return rc;
	}
	*version_out = v;
	return 0;
}

int64_t wk_version_date(const struct wk_version *v)
{
	return v->reader.http.date_unix_s;
}

void wk_version_free(struct wk_version *v)
{
	if (v == NULL)
		return;
	wk_dial_free(v->dial);
	if (v->bev != NULL)
		bufferevent_free(v->bev);
	wk_version_reader_clear(&v->reader);
	free(v);
}
