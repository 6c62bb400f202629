/* worker/history/wk_media.c - files from media servers: what waits for its turn, what runs */
#include "worker/history/wk_media.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/history/wk_media_priv.h"

uint32_t wk_media_scaled(const struct wk_media *m, uint32_t ms)
{
	return ms / m->p.speed > 0 ? ms / m->p.speed : 1;
}

void wk_media_poke(struct wk_media *m)
{
	event_active(m->kick, EV_TIMEOUT, 0);
}

/* ---- one after the other -----------------------------------------------------------------------
 */

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

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct wk_media *m = arg;
	struct wk_media_get *g;

	(void)fd;
	(void)what;
	if (m->running_n >= WK_MEDIA_AT_ONCE || (g = TAILQ_FIRST(&m->waiting)) == NULL)
		return;
	if (g->expect.has_len && g->expect.len > g->expect.len_max) {
		wk_media_get_finish(g, WA_ELIMIT, "the file is too large");
		return; /* which has poked */
	}
	if (g->path != NULL && !wk_media_have_hosts(m))
		return;
	if (g != TAILQ_FIRST(&m->waiting)) { /* asking has ended the session, and this with it */
		wk_media_poke(m);
		return;
	}
	set_running(g, true);
	wk_media_poke(m); /* for the next one; g may be gone then */
	wk_media_get_begin(g);
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
	g->hand = f->hand;
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
	g->end_ms = clock_ms() + wk_media_scaled(m, file->deadline_ms);
	TAILQ_INSERT_TAIL(&m->waiting, g, link);
	m->waiting_n++;
	g->timer = wk_media_get_timer(g);
	rc = take_file(g, file);
	if (g->timer == NULL || (rc == 0 && wk_media_get_arm(g, UINT32_MAX) < 0))
		rc = -ENOMEM;
	if (rc < 0) {
		wk_media_get_free(g);
		return rc;
	}
	wk_media_poke(m);
	*get_out = g;
	return 0;
}

void wk_media_cancel(struct wk_media_get *g)
{
	struct wk_media *m;

	if (g == NULL)
		return;
	m = g->m;
	wk_media_get_free(g);
	wk_media_poke(m);
}

/* ---- life --------------------------------------------------------------------------------------
 */

void wk_media_proxy_changes(struct wk_media *m)
{
	struct wk_media_get *g;

	while (m != NULL && (g = TAILQ_FIRST(&m->running)) != NULL) {
		wk_media_get_drop_try(g);
		g->paused = false;
		g->tries = 0;
		set_running(g, false);
		wk_media_poke(m);
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
	m->hosts_timer = evtimer_new(params->base, wk_media_on_hosts_timer, m);
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
		wk_media_get_free(g);
	while ((g = TAILQ_FIRST(&m->waiting)) != NULL)
		wk_media_get_free(g);
	if (m->kick != NULL)
		event_free(m->kick);
	if (m->hosts_timer != NULL)
		event_free(m->hosts_timer);
	free(m);
}
