/* worker/appstate/wk_appstate.c - app state: what is wanted, asked for, and when again */
#include "worker/appstate/wk_appstate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "worker/appstate/wk_appstate_priv.h"
#include "worker/appstate/wk_appstate_step.h"
#include "worker/history/wk_media.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_batch.h"
#include "worker/wa/stanza/wa_stanza.h"

#define POOL_FIRST 4096
#define POOL_MAX (8u * 1024 * 1024)
#define AGAIN_MS 30000 /* after a failure, doubling up to */
#define AGAIN_MAX_MS 3600000

/* ---- time ---------------------------------------------------------------------------------------
 */

static void on_timer(evutil_socket_t fd, short what, void *arg);

static void wake(struct wk_appstate *a, uint64_t in_ms)
{
	if (wk_timer_set(a->timer, in_ms) < 0)
		LOG(a->p.log, LOG_WARNING, "appstate_no_timer");
}

/* It came to nothing: again later. */
static void back_off(struct wk_appstate *a, struct wk_collection_state *c)
{
	uint64_t ms = AGAIN_MS;

	for (unsigned i = 0; i < c->tries && ms < AGAIN_MAX_MS; i++)
		ms *= 2;
	c->tries++;
	c->wanted = true;
	if (c->again)
		return; /* there is news: at once */
	c->not_before_ms = clock_ms() + (ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS) / a->p.speed;
}

/* May it be asked for now? One that waits for a key may not; that is in its row. */
static bool is_due(struct wk_appstate *a, enum wk_collection c, uint64_t now_ms)
{
	const struct wk_collection_state *s = &a->c[c];
	struct wk_appstate_row row;

	return s->wanted && !s->given_up && s->not_before_ms <= now_ms &&
	       wk_store_appstate_load(a->p.store, c, &row) == 0 && row.waits_len == 0;
}

bool wk_appstate_is_due(struct wk_appstate *a)
{
	uint64_t now_ms = clock_ms();

	if (!a->online || wk_appstate_is_busy(a))
		return false;
	for (int i = 0; i < WK_COLLECTION_N; i++) {
		if (is_due(a, (enum wk_collection)i, now_ms))
			return wk_store_appstate_has_keys(a->p.store) == 1;
	}
	return false;
}

/* Ask for what is due, or see to it that it will be. */
static void ask(struct wk_appstate *a)
{
	uint64_t now_ms = clock_ms(), in_ms;

	if (wk_appstate_ask_phone(a) < 0 || a->freed)
		return; /* the session ends */
	in_ms = wk_appstate_ask_phone_in_ms(a);
	if (wk_appstate_is_due(a)) {
		a->p.ops->ask(a->p.arg);
		return;
	}
	for (int i = 0; i < WK_COLLECTION_N; i++) {
		const struct wk_collection_state *s = &a->c[i];

		if (s->wanted && s->not_before_ms > now_ms && s->not_before_ms - now_ms < in_ms)
			in_ms = s->not_before_ms - now_ms;
	}
	if (in_ms != UINT64_MAX && !wk_appstate_is_busy(a))
		wake(a, in_ms);
}

void wk_appstate_want(struct wk_appstate *a, enum wk_collection c)
{
	a->c[c].wanted = true;
	a->c[c].again = true;
	a->c[c].given_up = false;
	a->c[c].not_before_ms = 0;
}

/* ---- the object ---------------------------------------------------------------------------------
 */

int wk_appstate_new(const struct wk_appstate_params *params, struct wk_appstate **a_out)
{
	struct wk_appstate *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return -ENOMEM;
	a->p = *params;
	if (a->p.speed == 0)
		a->p.speed = 1;
	a->timer = evtimer_new(params->base, on_timer, a);
	a->pool = wa_pool_new(POOL_FIRST, POOL_MAX);
	if (a->timer == NULL || a->pool == NULL) {
		wk_appstate_free(a);
		return -ENOMEM;
	}
	*a_out = a;
	return 0;
}

static void destroy(struct wk_appstate *a)
{
	wa_node_free(a->answer);
	buf_wipe(&a->file);
	wa_pool_free(a->pool);
	if (a->timer != NULL)
		event_free(a->timer);
	secret_wipe(&a->keys, sizeof(a->keys));
	free(a);
}

void wk_appstate_free(struct wk_appstate *a)
{
	if (a == NULL)
		return;
	wk_media_cancel(a->get);
	a->get = NULL;
	a->freed = true;
	if (a->depth == 0)
		destroy(a);
}

/* What calls out may end the session, and this with it. */
static void enter(struct wk_appstate *a)
{
	a->depth++;
}

static void leave(struct wk_appstate *a)
{
	if (--a->depth == 0 && a->freed)
		destroy(a);
}

void wk_appstate_start(struct wk_appstate *a)
{
	struct wk_appstate_row row;
	bool waits = wk_appstate_asks_load(a);

	a->online = true;
	for (int i = 0; i < WK_COLLECTION_N; i++) {
		if (wk_store_appstate_load(a->p.store, (enum wk_collection)i, &row) < 0)
			continue;
		if (!row.synced || row.told > row.version)
			wk_appstate_want(a, (enum wk_collection)i);
		waits = waits || row.waits_len > 0;
	}
	if (waits || wk_appstate_is_due(a))
		wake(a, 0);
}

bool wk_appstate_is_busy(const struct wk_appstate *a)
{
	return a->asking || a->answer != NULL;
}

/* ---- what makes it begin ------------------------------------------------------------------------
 */

static int on_key(void *arg, struct wa_bytes id, const uint8_t *data, int64_t unix_ms)
{
	struct wk_appstate *a = arg;
	bool is_new;

	if (data == NULL)
		return 0; /* the sender has it neither */
	return wk_store_appstate_key_put(a->p.store, id, data, unix_ms, &is_new);
}

/* Those that waited for a key that is here now. */
static int unblock(struct wk_appstate *a, enum wk_collection c)
{
	uint8_t data[WA_APPSTATE_KEY_LEN];
	struct wk_appstate_row row;
	int rc = wk_store_appstate_load(a->p.store, c, &row);

	if (rc < 0)
		return rc;
	if (row.waits_len > 0) {
		rc = wk_store_appstate_key(a->p.store,
		                           (struct wa_bytes){ row.waits, row.waits_len }, data);
		secret_wipe(data, sizeof(data));
		if (rc < 0)
			return rc == -ENOENT ? 0 : rc;
		row.waits_len = 0;
		rc = wk_store_appstate_save(a->p.store, c, &row);
		if (rc < 0)
			return rc;
		wk_appstate_want(a, c);
	}
	if (!row.synced)
		wk_appstate_want(a, c);
	return 0;
}

int wk_appstate_keys(struct wk_appstate *a, const struct Wa__ProtocolMessage *p)
{
	int rc = wa_appstate_each_key(p, on_key, a);

	a->keys_id_len = 0; /* it may be one that has changed */
	for (int i = 0; rc == 0 && i < WK_COLLECTION_N; i++)
		rc = unblock(a, (enum wk_collection)i);
	if (rc == 0)
		wake(a, 0);
	return rc;
}

int wk_appstate_told(struct wk_appstate *a, const struct wa_node *notification)
{
	int rc = 0;

	for (const struct wa_node *n = wa_node_child(notification, "collection");
	     n != NULL && rc == 0; n = wa_node_next(n, "collection")) {
		const char *name = wa_node_attr(n, "name");
		int c = name == NULL ? -1 : wk_collection_of(name);
		struct wk_appstate_row row;
		uint64_t version;

		if (c < 0)
			continue;
		rc = wk_store_appstate_load(a->p.store, (enum wk_collection)c, &row);
		if (rc < 0)
			break;
		if (wa_node_attr_u64(n, "version", INT64_MAX, &version) < 0)
			version = row.version + 1;
		if (version <= row.version)
			continue;
		if (version > row.told) {
			row.told = version;
			rc = wk_store_appstate_save(a->p.store, (enum wk_collection)c, &row);
		}
		wk_appstate_want(a, (enum wk_collection)c);
	}
	if (rc == 0)
		wake(a, 0);
	return rc;
}

bool wk_appstate_renew(struct wk_appstate *a)
{
	if (wk_store_appstate_has_keys(a->p.store) != 1)
		return false;
	for (int i = 0; i < WK_COLLECTION_N; i++)
		wk_appstate_want(a, (enum wk_collection)i);
	return true;
}

/* The phone may not have heard of a key that is missing, or not have had it yet. */
static int ask_keys(struct wk_appstate *a)
{
	struct wk_appstate_row row;
	int rc = 0;

	for (int i = 0; rc == 0 && i < WK_COLLECTION_N; i++) {
		enum wk_collection c = (enum wk_collection)i;

		if (wk_store_appstate_load(a->p.store, c, &row) < 0 || row.waits_len == 0)
			continue;
		rc = wk_batch_enter(a->p.batch);
		if (rc < 0)
			return rc;
		rc = wk_appstate_ask_key(a, c, (struct wa_bytes){ row.waits, row.waits_len });
		wk_batch_leave(a->p.batch, rc); /* may be the end of the session */
		if (a->freed)
			return WA_ESTATE;
	}
	return rc;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

struct wa_node *wk_appstate_build(struct wk_appstate *a, const char *id)
{
	struct wa_node *iq = NULL;
	uint64_t now_ms = clock_ms();
	struct wk_appstate_row row;

	for (int i = 0; i < WK_COLLECTION_N; i++) {
		struct wk_collection_state *s = &a->c[i];

		if (!is_due(a, (enum wk_collection)i, now_ms) ||
		    wk_store_appstate_load(a->p.store, (enum wk_collection)i, &row) < 0)
			continue;
		if (iq == NULL)
			iq = wa_appstate_fetch(id);
		wa_appstate_fetch_add(iq, wk_collection_name((enum wk_collection)i),
		                      s->snapshot ? 0 : row.version);
		s->asked = true;
		s->wanted = s->again = false;
	}
	a->asking = iq != NULL;
	return iq;
}

/* Those that were asked for and not answered. */
static void end(struct wk_appstate *a)
{
	for (int i = 0; i < WK_COLLECTION_N; i++) {
		if (a->c[i].asked)
			back_off(a, &a->c[i]);
		a->c[i].asked = false;
	}
	wa_node_free(a->answer);
	a->answer = NULL;
	a->at = NULL;
	if (a->records > 0)
		LOG(a->p.log, LOG_INFO, "appstate_applied", LF_INT("records", a->records));
	a->records = 0;
	buf_wipe(&a->file);
	wa_pool_reset(a->pool);
	ask(a);
}

/* The answer is worked on piece by piece, over files that are to be fetched: it is kept. */
static int keep(struct wk_appstate *a, const struct wa_node *result)
{
	struct buf wire = { 0 };
	int rc = wa_stanza_encode(result, &wire);

	if (rc == 0)
		rc = wa_stanza_decode(wire.p, wire.len, &a->answer);
	buf_wipe(&wire);
	if (rc == 0)
		a->at = wa_node_child(wa_node_child(a->answer, "sync"), "collection");
	a->begun = false;
	a->patch = NULL;
	return rc;
}

void wk_appstate_answer(struct wk_appstate *a, const struct wa_node *result)
{
	if (!a->asking)
		return;
	enter(a);
	a->asking = false;
	if (result == NULL || keep(a, result) < 0)
		end(a);
	else
		wake(a, 0);
	leave(a);
}

/* ---- pieces -------------------------------------------------------------------------------------
 */

void wk_appstate_back_off(struct wk_appstate *a, enum wk_collection c)
{
	back_off(a, &a->c[c]);
}

static void go_on(struct wk_appstate *a)
{
	switch (wk_appstate_step(a)) {
	case WK_STEP_MORE:
		wake(a, 0);
		break;
	case WK_STEP_WAIT:
	case WK_STEP_FAILED:
		break;
	case WK_STEP_DONE:
		end(a);
		break;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_appstate *a = arg;

	(void)fd;
	(void)what;
	enter(a);
	if (a->answer == NULL && ask_keys(a) == 0)
		ask(a);
	else if (a->answer != NULL && a->get == NULL) /* else its end goes on */
		go_on(a);
	leave(a);
}

void wk_appstate_go_on(struct wk_appstate *a)
{
	wake(a, 0);
}
