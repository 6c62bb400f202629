/* worker/history/wk_media_get.c - one file: tried at one server after the other, verified */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/history/wk_media_priv.h"
#include "worker/net/wk_http.h"
#include "worker/process/wk_hand.h"
#include "worker/session/wk_timer.h"

#define CONNECT_MS 10000
#define IDLE_MS 30000
#define TRIES_PER_HOST 3
#define WAIT_MAX_S 30 /* before the next try, whatever the server wishes */

void wk_media_get_drop_try(struct wk_media_get *g)
{
	wk_http_free(g->http);
	g->http = NULL;
	wa_media_free(g->media);
	g->media = NULL;
}

void wk_media_get_free(struct wk_media_get *g)
{
	struct wk_media *m = g->m;

	wk_media_get_drop_try(g);
	if (g->running) {
		TAILQ_REMOVE(&m->running, g, link);
		m->running_n--;
	} else {
		TAILQ_REMOVE(&m->waiting, g, link);
		m->waiting_n--;
	}
	if (g->timer != NULL)
		event_free(g->timer);
	secret_wipe(g->key, sizeof(g->key));
	free(g->path);
	free(g->url);
	free(g);
}

/* The last call. */
static void finish(struct wk_media_get *g, const struct wk_failure *f)
{
	const struct wk_media_ops *ops = g->ops;
	struct wk_failure copy = *f;
	struct wk_media *m = g->m;
	void *arg = g->arg;

	LOG(m->p.log, LOG_DEBUG, "media", LF_STR("type", wa_media_mms_type(g->kind)),
	    LF_ERR("rc", f->rc), LF_STR("detail", f->detail));
	wk_media_get_free(g);
	wk_media_poke(m);
	ops->on_done(&copy, arg);
}

void wk_media_get_finish(struct wk_media_get *g, int rc, const char *detail)
{
	struct wk_failure f = { .rc = 0 };

	if (rc != 0)
		wk_failure_set(&f, rc, "%s", detail);
	f.rc = rc;
	finish(g, &f);
}

int wk_media_get_arm(struct wk_media_get *g, uint64_t ms)
{
	uint64_t now = clock_ms();
	uint64_t left = g->end_ms > now ? g->end_ms - now : 0;

	return wk_timer_set(g->timer, ms < left ? ms : left);
}

/* Later, at this host or the next; or that was the last one. */
static void try_again(struct wk_media_get *g, bool same_host)
{
	struct wk_media *m = g->m;
	uint32_t wait_s = g->tries;

	wk_media_get_drop_try(g);
	if (!same_host || g->tries >= TRIES_PER_HOST) {
		g->host++;
		g->tries = 0;
	}
	if (g->host >= (g->path != NULL ? m->hosts_n : 1)) {
		struct wk_failure f = g->last;

		finish(g, &f);
		return;
	}
	if (g->retry_after_s > wait_s)
		wait_s = g->retry_after_s;
	if (wait_s > WAIT_MAX_S)
		wait_s = WAIT_MAX_S;
	g->paused = true;
	if (wk_media_get_arm(g, g->tries == 0 ? 0 : wk_media_scaled(m, wait_s * 1000)) < 0)
		wk_media_get_finish(g, -ENOMEM, "out of memory");
}

static void failed(struct wk_media_get *g, const struct wk_failure *f)
{
	unsigned status = g->status;

	g->last = *f;
	if (status == 403 || status == 404 || status == 410) {
		wk_media_get_finish(g, WA_EMEDIA_GONE, "WhatsApp no longer has this file");
		return;
	}
	if (status != 0 && status != 200) {
		wk_failure_set(&g->last, WA_ENETWORK, "the media server answered HTTP status %u",
		               status);
		try_again(g, status == 429 || status >= 500);
		return;
	}
	switch (f->rc) {
	case WA_ENETWORK:
	case WA_ETIMEOUT:
		try_again(g, true);
		return;
	case WA_EDNS:
	case WA_ETLS:
	case WA_EPROXY_UNREACHABLE:
		try_again(g, false);
		return;
	}
	finish(g, f); /* the file itself, the proxy's password, or whoever takes the data */
}

/* ---- from the request --------------------------------------------------------------------------
 */

static int on_head(unsigned status, uint32_t retry_after_s, void *arg)
{
	struct wk_media_get *g = arg;

	g->status = status;
	g->retry_after_s = retry_after_s;
	return status == 200 ? 0 : WA_EPROTO;
}

static int on_body(const uint8_t *data, size_t data_len, void *arg)
{
	struct wk_media_get *g = arg;
	uint64_t before = wk_hand_take(g->hand);
	int rc = 0;

	if (g->ops->on_stored != NULL)
		rc = g->ops->on_stored(g->arg, data, data_len);
	if (rc == 0)
		rc = wa_media_feed(g->media, data, data_len);
	(void)wk_hand_take(before);
	return rc;
}

static const char *wrong_file(int rc)
{
	return rc == WA_EAUTH || rc == WA_EPROTO || rc == WA_ETRUNC
	           ? "the file is not the one that the message tells of"
	           : "the file could not be opened";
}

static void on_done(void *arg)
{
	struct wk_media_get *g = arg;
	uint64_t before = wk_hand_take(g->hand);
	int rc = wa_media_end(g->media);

	wk_media_get_finish(g, rc, wrong_file(rc));
	(void)wk_hand_take(before);
}

static void on_failed(const struct wk_failure *f, void *arg)
{
	failed(arg, f);
}

/* ---- trying ------------------------------------------------------------------------------------
 */

static int make_url(struct wk_media_get *g, struct buf *out)
{
	int rc;

	if (g->path == NULL)
		rc = buf_append_str(out, g->url);
	else
		rc =
		    wa_media_url(g->m->hosts[g->host], g->path, g->expect.enc_sha256, g->kind, out);
	return rc < 0 ? rc : buf_append_u8(out, '\0');
}

/* Plaintext and padding and MAC. */
static uint64_t body_max(const struct wk_media_get *g)
{
	uint64_t len = g->expect.has_len ? g->expect.len : g->expect.len_max;

	return len + WA_MEDIA_BLOCK_LEN + WA_MEDIA_MAC_LEN;
}

static int open_request(struct wk_media_get *g, const char *url)
{
	static const struct wk_http_ops ops = {
		.on_head = on_head,
		.on_body = on_body,
		.on_done = on_done,
		.on_failed = on_failed,
	};
	struct wk_media *m = g->m;
	uint64_t now = clock_ms();
	const struct wk_http_params params = {
		.base = m->p.base,
		.tls = m->p.tls,
		.ca_file = m->p.ca_file,
		.proxy = m->p.proxy(m->p.arg),
		.url = url,
		.plain = !m->p.chat->tls,
		.origin = m->p.origin,
		.body_max = body_max(g),
		.connect_ms = wk_media_scaled(m, CONNECT_MS),
		.idle_ms = wk_media_scaled(m, IDLE_MS),
		.total_ms = g->end_ms > now ? (uint32_t)(g->end_ms - now) : 1,
	};

	return wk_http_new(&params, &ops, g, &g->http);
}

static int open_media(struct wk_media_get *g)
{
	if (g->expect.enc_sha256 == NULL)
		return wa_media_open_plain(&g->expect, g->ops->on_data, g->arg, &g->media);
	return wa_media_open(g->key, g->kind, &g->expect, g->ops->on_data, g->arg, &g->media);
}

/* A url that can't be made (a strange host) is the host's fault. */
static void begin(struct wk_media_get *g)
{
	struct buf url = { 0 };
	int rc = 0;

	g->tries++;
	g->status = 0;
	g->retry_after_s = 0;
	g->paused = false;
	rc = make_url(g, &url);
	if (rc == WA_EPROTO) {
		buf_free(&url);
		wk_failure_set(&g->last, WA_ENETWORK, "the file has no address that can be used");
		try_again(g, false);
		return;
	}
	if (rc == 0 && g->ops->on_begin != NULL)
		rc = g->ops->on_begin(g->arg);
	if (rc == 0)
		rc = open_media(g);
	if (rc == 0)
		rc = open_request(g, (const char *)url.p);
	if (rc == 0)
		rc = wk_media_get_arm(g, UINT32_MAX);
	buf_free(&url);
	if (rc < 0)
		wk_media_get_finish(g, rc, "the file could not be asked for");
}

void wk_media_get_begin(struct wk_media_get *g)
{
	uint64_t before = wk_hand_take(g->hand);

	begin(g); /* g may be gone */
	(void)wk_hand_take(before);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_media_get *g = arg;

	(void)fd;
	(void)what;
	if (clock_ms() >= g->end_ms)
		wk_media_get_finish(g, WA_ETIMEOUT, "the file could not be fetched in time");
	else if (g->running && g->paused)
		wk_media_get_begin(g);
	else if (wk_media_get_arm(g, UINT32_MAX) < 0)
		wk_media_get_finish(g, -ENOMEM, "out of memory");
}

struct event *wk_media_get_timer(struct wk_media_get *g)
{
	return evtimer_new(g->m->p.base, on_timer, g);
}
