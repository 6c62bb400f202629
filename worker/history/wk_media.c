/* worker/history/wk_media.c - media servers: which there are, and files fetched from them */
#include "worker/history/wk_media.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/net/wk_http.h"
#include "worker/session/wk_failure.h"
#include "worker/session/wk_timer.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_stanza.h"

#define CONNECT_MS 10000
#define IDLE_MS 30000
#define HOSTS_WAIT_MS 5000 /* for the answer to ask_hosts */
#define TTL_MIN_S 60
#define TTL_MAX_S 86400
#define TRIES_PER_HOST 3
#define WAIT_MAX_S 30 /* before the next try, whatever the server wishes */
#define HOST_CAP 300
#define WHATSAPP ".whatsapp.net"

struct wk_media_get {
	TAILQ_ENTRY(wk_media_get) link;
	struct wk_media *m;
	bool running; /* in m->running, else in m->waiting */
	enum wa_media_kind kind;
	uint8_t key[WA_MEDIA_KEY_LEN];
	uint8_t sha256[WA_MEDIA_HASH_LEN], enc_sha256[WA_MEDIA_HASH_LEN];
	struct wa_media_expect expect; /* its hashes are the ones above */
	char *path, *url;              /* NULL: none */
	const struct wk_media_ops *ops;
	void *arg;
	uint64_t end_ms;     /* monotonic */
	struct event *timer; /* the next try, or the end */
	struct wk_http *http;
	struct wa_media *media;
	size_t host;     /* index of the one that is tried */
	unsigned tries;  /* at this host */
	unsigned status; /* of the answer; 0: none yet */
	uint32_t retry_after_s;
	bool paused; /* until the next try */
	struct wk_failure last;
};
TAILQ_HEAD(get_list, wk_media_get);

struct wk_media {
	struct wk_media_params p;
	char hosts[WK_MEDIA_HOSTS_MAX][HOST_CAP];
	size_t hosts_n;
	uint64_t hosts_until_ms; /* monotonic */
	bool asking;
	struct get_list waiting, running;
	size_t waiting_n, running_n;
	struct event *kick; /* work through what waits */
	struct event *hosts_timer;
};

static uint32_t scaled(const struct wk_media *m, uint32_t ms)
{
	return ms / m->p.speed > 0 ? ms / m->p.speed : 1;
}

static void poke(struct wk_media *m)
{
	event_active(m->kick, EV_TIMEOUT, 0);
}

/* ---- hosts -------------------------------------------------------------------------------------
 */

static void add_host(struct wk_media *m, const char *host)
{
	snprintf(m->hosts[m->hosts_n++], HOST_CAP, "%s", host);
}

/* Where nothing is known: WhatsApp's own; a test server's are where its chat is. */
static void default_hosts(struct wk_media *m)
{
	const char *host = m->p.chat->host;
	size_t len = strlen(host), tail = strlen(WHATSAPP);

	m->hosts_n = 0;
	if (len > tail && strcasecmp(host + len - tail, WHATSAPP) == 0) {
		add_host(m, "mmg.whatsapp.net");
		add_host(m, "mmg-fallback.whatsapp.net");
	} else {
		add_host(m, m->p.chat->hostport);
	}
	m->hosts_until_ms = clock_ms() + scaled(m, TTL_MIN_S * 1000);
}

static void take_hosts(struct wk_media *m, const struct wa_node *conn, const char *type)
{
	const struct wa_node *n;

	for (n = conn->content == WA_CONTENT_NODES ? conn->first_child : NULL; n != NULL;
	     n = n->next) {
		const char *name = wa_node_attr(n, "hostname");
		bool fallback = wa_node_attr_is(n, "type", "fallback");

		if (!wa_node_is(n, "host") || name == NULL || strlen(name) >= HOST_CAP ||
		    fallback != (strcmp(type, "fallback") == 0) || m->hosts_n == WK_MEDIA_HOSTS_MAX)
			continue;
		add_host(m, name);
	}
}

void wk_media_hosts(struct wk_media *m, const struct wa_node *iq)
{
	const struct wa_node *conn = iq != NULL ? wa_node_child(iq, "media_conn") : NULL;
	uint64_t ttl = 0;

	m->asking = false;
	(void)event_del(m->hosts_timer);
	if (conn != NULL) {
		m->hosts_n = 0;
		take_hosts(m, conn, "primary");
		take_hosts(m, conn, "fallback");
		if (wa_node_attr_u64(conn, "ttl", TTL_MAX_S, &ttl) < 0 || ttl < TTL_MIN_S)
			ttl = TTL_MIN_S;
		m->hosts_until_ms = clock_ms() + ttl * 1000;
	}
	if (m->hosts_n == 0)
		default_hosts(m);
	poke(m);
}

static void on_hosts_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wk_media_hosts(arg, NULL);
}

/* True: there are hosts to try. */
static bool have_hosts(struct wk_media *m)
{
	if (m->asking)
		return false;
	if (m->hosts_n > 0 && clock_ms() < m->hosts_until_ms)
		return true;
	m->asking =
	    wk_timer_set(m->hosts_timer, scaled(m, HOSTS_WAIT_MS)) == 0 && m->p.ask_hosts(m->p.arg);
	if (m->asking)
		return false;
	(void)event_del(m->hosts_timer);
	if (m->hosts_n == 0)
		default_hosts(m);
	return true;
}

/* ---- one file ----------------------------------------------------------------------------------
 */

static void drop_try(struct wk_media_get *g)
{
	wk_http_free(g->http);
	g->http = NULL;
	wa_media_free(g->media);
	g->media = NULL;
}

static void set_running(struct wk_media_get *g, bool running)
{
	struct wk_media *m = g->m;

	if (g->running == running)
		return;
	g->running = running;
	if (running) {
		TAILQ_REMOVE(&m->waiting, g, link);
		TAILQ_INSERT_TAIL(&m->running, g, link);
		m->waiting_n--;
		m->running_n++;
	} else {
		TAILQ_REMOVE(&m->running, g, link);
		TAILQ_INSERT_HEAD(&m->waiting, g, link);
		m->running_n--;
		m->waiting_n++;
	}
}

static void get_free(struct wk_media_get *g)
{
	struct wk_media *m = g->m;

	drop_try(g);
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

void wk_media_cancel(struct wk_media_get *g)
{
	struct wk_media *m;

	if (g == NULL)
		return;
	m = g->m;
	get_free(g);
	poke(m);
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
	get_free(g);
	poke(m);
	ops->on_done(&copy, arg);
}

static void finish_with(struct wk_media_get *g, int rc, const char *detail)
{
	struct wk_failure f = { .rc = 0 };

	if (rc != 0)
		wk_failure_set(&f, rc, "%s", detail);
	f.rc = rc;
	finish(g, &f);
}

static int arm(struct wk_media_get *g, uint64_t ms)
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

	drop_try(g);
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
	if (arm(g, g->tries == 0 ? 0 : scaled(m, wait_s * 1000)) < 0)
		finish_with(g, -ENOMEM, "out of memory");
}

static void failed(struct wk_media_get *g, const struct wk_failure *f)
{
	unsigned status = g->status;

	g->last = *f;
	if (status == 403 || status == 404 || status == 410) {
		finish_with(g, WA_EMEDIA_GONE, "WhatsApp no longer has this file");
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
	int rc = 0;

	if (g->ops->on_stored != NULL)
		rc = g->ops->on_stored(g->arg, data, data_len);
	return rc < 0 ? rc : wa_media_feed(g->media, data, data_len);
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
	int rc = wa_media_end(g->media);

	finish_with(g, rc, wrong_file(rc));
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
		.connect_ms = scaled(m, CONNECT_MS),
		.idle_ms = scaled(m, IDLE_MS),
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
		rc = arm(g, UINT32_MAX);
	buf_free(&url);
	if (rc < 0)
		finish_with(g, rc, "the file could not be asked for");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_media_get *g = arg;

	(void)fd;
	(void)what;
	if (clock_ms() >= g->end_ms)
		finish_with(g, WA_ETIMEOUT, "the file could not be fetched in time");
	else if (g->running && g->paused)
		begin(g);
	else if (arm(g, UINT32_MAX) < 0)
		finish_with(g, -ENOMEM, "out of memory");
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct wk_media *m = arg;
	struct wk_media_get *g;

	(void)fd;
	(void)what;
	if (m->running_n >= WK_MEDIA_AT_ONCE || (g = TAILQ_FIRST(&m->waiting)) == NULL)
		return;
	if (g->expect.has_len && g->expect.len > g->expect.len_max) {
		finish_with(g, WA_ELIMIT, "the file is too large");
		return; /* which has poked */
	}
	if (g->path != NULL && !have_hosts(m))
		return;
	if (g != TAILQ_FIRST(&m->waiting)) { /* asking has ended the session, and this with it */
		poke(m);
		return;
	}
	set_running(g, true);
	poke(m); /* for the next one; g may be gone then */
	begin(g);
}

/* ---- asking for one ----------------------------------------------------------------------------
 */

static int take_text(const char *text, char **out)
{
	if (text == NULL)
		return 0;
	*out = strdup(text);
	return *out == NULL ? -ENOMEM : 0;
}

static int take_file(struct wk_media_get *g, const struct wk_media_file *f)
{
	int rc = take_text(f->direct_path, &g->path);

	if (rc == 0 && g->path == NULL)
		rc = take_text(f->url, &g->url);
	g->kind = f->kind;
	if (f->media_key != NULL)
		memcpy(g->key, f->media_key, sizeof(g->key));
	if (f->sha256 != NULL)
		g->expect.sha256 = memcpy(g->sha256, f->sha256, sizeof(g->sha256));
	if (f->enc_sha256 != NULL)
		g->expect.enc_sha256 = memcpy(g->enc_sha256, f->enc_sha256, sizeof(g->enc_sha256));
	g->expect.has_len = f->has_len;
	g->expect.len = f->len;
	g->expect.len_max = f->len_max;
	return rc;
}

static bool file_ok(const struct wk_media_file *f)
{
	if (f->enc_sha256 != NULL && f->media_key == NULL)
		return false;
	if (f->direct_path != NULL)
		return f->direct_path[0] == '/' && strlen(f->direct_path) <= WA_MEDIA_PATH_MAX;
	return f->url != NULL && wa_media_url_allowed(f->url);
}

int wk_media_fetch(struct wk_media *m, const struct wk_media_file *file,
                   const struct wk_media_ops *ops, void *arg, struct wk_media_get **get_out)
{
	struct wk_media_get *g;
	int rc;

	if (!file_ok(file))
		return -EINVAL;
	if (m->waiting_n >= WK_MEDIA_WAITING_MAX)
		return WA_EAT_CAPACITY;
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return -ENOMEM;
	g->m = m;
	g->ops = ops;
	g->arg = arg;
	g->end_ms = clock_ms() + scaled(m, file->deadline_ms);
	TAILQ_INSERT_TAIL(&m->waiting, g, link);
	m->waiting_n++;
	g->timer = evtimer_new(m->p.base, on_timer, g);
	rc = take_file(g, file);
	if (g->timer == NULL || (rc == 0 && arm(g, UINT32_MAX) < 0))
		rc = -ENOMEM;
	if (rc < 0) {
		get_free(g);
		return rc;
	}
	poke(m);
	*get_out = g;
	return 0;
}

/* ---- life --------------------------------------------------------------------------------------
 */

void wk_media_proxy_changes(struct wk_media *m)
{
	struct wk_media_get *g;

	while (m != NULL && (g = TAILQ_FIRST(&m->running)) != NULL) {
		drop_try(g);
		g->paused = false;
		g->tries = 0;
		set_running(g, false);
		poke(m);
	}
}

int wk_media_new(const struct wk_media_params *params, struct wk_media **media_out)
{
	struct wk_media *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	m->p = *params;
	TAILQ_INIT(&m->waiting);
	TAILQ_INIT(&m->running);
	m->kick = evtimer_new(params->base, on_kick, m);
	m->hosts_timer = evtimer_new(params->base, on_hosts_timer, m);
	if (m->kick == NULL || m->hosts_timer == NULL) {
		wk_media_free(m);
		return -ENOMEM;
	}
	*media_out = m;
	return 0;
}

void wk_media_free(struct wk_media *m)
{
	struct wk_media_get *g;

	if (m == NULL)
		return;
	while ((g = TAILQ_FIRST(&m->running)) != NULL)
		get_free(g);
	while ((g = TAILQ_FIRST(&m->waiting)) != NULL)
		get_free(g);
	if (m->kick != NULL)
		event_free(m->kick);
	if (m->hosts_timer != NULL)
		event_free(m->hosts_timer);
	free(m);
}
