/* worker/net/wk_http.c - one HTTP GET over the worker's dial path */
#include "worker/net/wk_http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/net/wk_dial.h"
#include "worker/net/wk_http_reader.h"
#include "worker/net/wk_tls.h"
#include "worker/net/wk_upgrade.h"
#include "worker/net/wk_url.h"
#include "worker/session/wk_failure.h"
#include "worker/session/wk_timer.h"

#define READ_MAX (64 * 1024)
#define SCHEME "https://"

struct wk_http {
	struct wk_http_params p;
	const struct wk_http_ops *ops;
	void *arg;
	struct wk_url url; /* its path is not used: ours may be longer */
	struct wk_dial *dial;
	struct bufferevent *bev;
	struct wk_http_reader reader;
	struct event *timer;
	uint64_t end_ms;  /* monotonic: of all of it */
	uint64_t body_n;  /* bytes so far */
	unsigned depth;   /* calls into it that run */
	bool over, freed; /* freed: destroyed when depth is back at 0 */
	char *text;       /* url and origin are in it */
	const char *path, *origin;
};

static void destroy(struct wk_http *h)
{
	wk_dial_free(h->dial);
	if (h->bev != NULL)
		bufferevent_free(h->bev);
	if (h->timer != NULL)
		event_free(h->timer);
	wk_http_reader_clear(&h->reader);
	free(h->text);
	free(h);
}

void wk_http_free(struct wk_http *h)
{
	if (h == NULL)
		return;
	h->over = h->freed = true;
	if (h->depth == 0)
		destroy(h);
}

static void enter(struct wk_http *h)
{
	h->depth++;
}

static void leave(struct wk_http *h)
{
	if (--h->depth == 0 && h->freed)
		destroy(h);
}

/* One of the last calls follows, so nothing may come after it. */
static void stop(struct wk_http *h)
{
	h->over = true;
	(void)event_del(h->timer);
	if (h->bev != NULL)
		(void)bufferevent_disable(h->bev, EV_READ | EV_WRITE);
}

static void fail_with(struct wk_http *h, const struct wk_failure *f)
{
	if (h->over)
		return;
	stop(h);
	h->ops->on_failed(f, h->arg);
}

static void fail(struct wk_http *h, int rc, const char *what)
{
	struct wk_failure f;

	wk_failure_set(&f, rc, "%s %s", h->url.hostport, what);
	f.rc = rc; /* as it is: a sink's code is for who made the sink */
	fail_with(h, &f);
}

static void done(struct wk_http *h)
{
	if (h->over)
		return;
	stop(h);
	h->ops->on_done(h->arg);
}

/* ---- deadlines ---------------------------------------------------------------------------------
 */

static void arm(struct wk_http *h, uint32_t ms)
{
	uint64_t now = clock_ms();
	uint64_t left = h->end_ms > now ? h->end_ms - now : 0;

	if (wk_timer_set(h->timer, left < ms ? left : ms) < 0)
		fail(h, -ENOMEM, "can't be waited for");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_http *h = arg;

	(void)fd;
	(void)what;
	enter(h);
	fail(h, WA_ETIMEOUT, h->bev == NULL ? "was not reached in time" : "did not answer in time");
	leave(h);
}

/* ---- the answer --------------------------------------------------------------------------------
 */

static int on_head(const struct wk_http_reader *r, void *arg)
{
	struct wk_http *h = arg;
	int rc = h->ops->on_head(r->status, r->retry_after_s, h->arg);

	if (h->over)
		return rc < 0 ? rc : WA_ESTATE;
	return rc == 0 && r->has_len && r->len > h->p.body_max ? WA_ELIMIT : rc;
}

static int on_body(const uint8_t *data, size_t data_len, void *arg)
{
	struct wk_http *h = arg;
	int rc;

	if (data_len > h->p.body_max - h->body_n)
		return WA_ELIMIT;
	h->body_n += data_len;
	rc = h->ops->on_body(data, data_len, h->arg);
	return rc == 0 && h->over ? WA_ESTATE : rc;
}

static const char *explain(int rc)
{
	return rc == WA_EPROTO   ? "gave no proper HTTP answer"
	       : rc == WA_ELIMIT ? "sent more than there may be"
	       : rc == WA_ETRUNC ? "ended its answer too early"
	                         : "sent what could not be taken";
}

static void read_all(struct wk_http *h)
{
	static const struct wk_http_reader_ops ops = { .on_head = on_head, .on_body = on_body };
	struct evbuffer *in = bufferevent_get_input(h->bev);
	size_t len;
	int rc = 0;

	while (rc == 0 && !h->over && !wk_http_reader_is_done(&h->reader) &&
	       (len = evbuffer_get_contiguous_space(in)) > 0) {
		rc = wk_http_reader_feed(&h->reader, evbuffer_pullup(in, (ev_ssize_t)len), len,
		                         &ops, h);
		(void)evbuffer_drain(in, len);
	}
	if (rc != 0)
		fail(h, rc, explain(rc));
	else if (wk_http_reader_is_done(&h->reader))
		done(h);
	else if (!h->over)
		arm(h, h->p.idle_ms);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct wk_http *h = arg;

	(void)bev;
	enter(h);
	read_all(h);
	leave(h);
}

/* ---- the request -------------------------------------------------------------------------------
 */

/* Values are printable ASCII: params_ok(). */
static int send_request(struct wk_http *h)
{
	struct evbuffer *out = bufferevent_get_output(h->bev);
	int rc = evbuffer_add_printf(out,
	                             "GET %s HTTP/1.1\r\n"
	                             "Host: %s\r\n"
	                             "User-Agent: " WK_USER_AGENT "\r\n"
	                             "Accept: */*\r\n"
	                             "Accept-Encoding: identity\r\n",
	                             h->path, h->url.authority);

	if (rc >= 0 && h->origin != NULL)
		rc = evbuffer_add_printf(out, "Origin: %s\r\nReferer: %s/\r\n", h->origin,
		                         h->origin);
	if (rc >= 0)
		rc = evbuffer_add_printf(out, "Connection: close\r\n\r\n");
	return rc < 0 ? -ENOMEM : 0;
}

static void begin(struct wk_http *h)
{
	if (send_request(h) < 0)
		fail(h, -ENOMEM, "can't be asked");
	else
		arm(h, h->p.idle_ms);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct wk_http *h = arg;
	struct wk_failure f;

	enter(h);
	if (what & BEV_EVENT_CONNECTED) {
		begin(h);
	} else if ((what & BEV_EVENT_EOF) && h->reader.status != 0) {
		int rc;

		read_all(h); /* what came with the end */
		rc = h->over ? 0 : wk_http_reader_eof(&h->reader);
		if (rc < 0) {
			wk_failure_set(&f, WA_ENETWORK, "%s %s", h->url.hostport, explain(rc));
			fail_with(h, &f);
		} else {
			done(h);
		}
	} else {
		wk_tls_explain(bev, what, &h->url, &f);
		fail_with(h, &f);
	}
	leave(h);
}

static void on_connected(struct wk_pipe pipe, void *arg)
{
	struct wk_http *h = arg;
	struct wk_failure f;

	enter(h);
	if (wk_tls_open(h->p.tls, h->p.base, pipe, &h->url, h->p.ca_file, &f, &h->bev) < 0) {
		fail_with(h, &f);
	} else if (wk_tls_start(h->bev, on_read, on_event, h, READ_MAX) < 0) {
		fail(h, -ENOMEM, "can't be read from");
	} else if (!h->url.tls) {
		begin(h);
	} else {
		arm(h, h->p.connect_ms);
	}
	leave(h);
}

static void on_resolved(void *arg)
{
	(void)arg;
}

static void on_dial_failed(const struct wk_failure *f, void *arg)
{
	struct wk_http *h = arg;

	enter(h);
	fail_with(h, f);
	leave(h);
}

/* ---- life --------------------------------------------------------------------------------------
 */

static bool is_printable(const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		if (*s <= 0x20 || *s > 0x7e)
			return false;
	return true;
}

static int take_params(struct wk_http *h, const struct wk_http_params *p)
{
	size_t scheme = strlen(SCHEME), url_len = strlen(p->url), authority;
	size_t origin_len = p->origin != NULL ? strlen(p->origin) : 0;
	char *text;

	if (url_len > WK_HTTP_URL_MAX || origin_len > WK_HTTP_URL_MAX ||
	    strncmp(p->url, SCHEME, scheme) != 0 || !is_printable(p->url) ||
	    !is_printable(p->origin))
		return -EINVAL;
	authority = strcspn(p->url + scheme, "/");
	if (p->url[scheme + authority] != '/' || strchr(p->url, '#') != NULL ||
	    wk_url_authority(p->url + scheme, authority, !p->plain, &h->url) < 0)
		return -EINVAL;
	h->text = text = calloc(1, url_len + origin_len + 2);
	if (text == NULL)
		return -ENOMEM;
	memcpy(text, p->url, url_len);
	h->path = text + scheme + authority;
	if (p->origin != NULL)
		h->origin = memcpy(text + url_len + 1, p->origin, origin_len);
	h->p = *p;
	h->p.url = NULL; /* copied */
	return 0;
}

static int start(struct wk_http *h)
{
	const struct wk_dial_params dial_params = {
		.base = h->p.base,
		.host = h->url.host,
		.port = h->url.port,
		.proxy = h->p.proxy,
		.tls = h->p.tls,
		.ca_file = h->p.ca_file,
		.connect_ms = h->p.connect_ms,
	};
	static const struct wk_dial_ops dial_ops = {
		.on_resolved = on_resolved,
		.on_connected = on_connected,
		.on_failed = on_dial_failed,
	};

	h->timer = evtimer_new(h->p.base, on_timer, h);
	h->end_ms = clock_ms() + h->p.total_ms;
	if (h->timer == NULL || wk_timer_set(h->timer, 2 * h->p.connect_ms) < 0)
		return -ENOMEM;
	return wk_dial_new(&dial_params, &dial_ops, h, &h->dial);
}

int wk_http_new(const struct wk_http_params *params, const struct wk_http_ops *ops, void *arg,
                struct wk_http **http_out)
{
	struct wk_http *h = calloc(1, sizeof(*h));
	int rc;

	if (h == NULL)
		return -ENOMEM;
	h->ops = ops;
	h->arg = arg;
	rc = take_params(h, params);
	if (rc == 0)
		rc = start(h);
	if (rc < 0) {
		destroy(h);
		return rc;
	}
	*http_out = h;
	return 0;
}
