/*
 * worker/appstate/wk_appstate_phone.c - a collection that nothing of the server's fits: the phone's
 * own
 *
 * It is asked for once; again the next day, then more rarely, as long as nothing comes: WhatsApp
 * keeps the request for a phone that is away. A request that WhatsApp has not acknowledged may
 * never have left: the next connection makes another. The answer is applied in the part of the
 * batch that its message is: it is acknowledged when it is on disk. Not for the collection of the
 * own name: WhatsApp Web never asks for that one, and phones need not know such a request. Source:
 * protocol notes 08 section 7.
 */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/appstate/wk_appstate_priv.h"
#include "worker/appstate/wk_appstate_step.h"
#include "worker/store/wk_batch.h"

#define AGAIN_S (24 * 3600) /* after the first request, doubling up to */
#define AGAIN_MAX_S (8 * AGAIN_S)
#define LOST_MAX 3 /* requests that did not leave, before that counts as no answer */

/* ---- when ---------------------------------------------------------------------------------------
 */

/* Seconds until c is to be asked for; -1: it is not. */
static int64_t in_s(const struct wk_appstate *a, enum wk_collection c, int64_t now_unix_s)
{
	const struct wk_appstate_ask *q = &a->c[c].ask;
	int64_t wait_s = AGAIN_S, since_s = now_unix_s - q->asked_unix_s;

	if (!q->wanted)
		return -1;
	if (q->tries == 0 || since_s < 0 ||
	    (!q->has_left && !a->c[c].asked_phone && q->tries <= LOST_MAX))
		return 0;
	for (unsigned i = 1; i < q->tries && wait_s < AGAIN_MAX_S; i++)
		wait_s *= 2;
	wait_s /= a->p.speed;
	return since_s >= wait_s ? 0 : wait_s - since_s;
}

/* The answer could not be read before that key is here. */
static bool waits_for_key(struct wk_appstate *a, enum wk_collection c)
{
	struct wk_appstate_row row;

	return wk_store_appstate_load(a->p.store, c, &row) < 0 || row.waits_len > 0;
}

uint64_t wk_appstate_ask_phone_in_ms(const struct wk_appstate *a)
{
	int64_t now = clock_unix_s(), next = -1;

	for (int i = 0; i < WK_COLLECTION_N; i++) {
		int64_t s = in_s(a, (enum wk_collection)i, now);

		/* what is due and was not asked for waits for a key: its coming is the occasion */
		if (s > 0 && (next < 0 || s < next))
			next = s;
	}
	return next < 0 ? UINT64_MAX : (uint64_t)next * 1000;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

static int keep(struct wk_appstate *a, enum wk_collection c, const struct wk_appstate_ask *q)
{
	int rc = wk_store_appstate_ask_put(a->p.store, c, q);

	if (rc == 0)
		a->c[c].ask = *q;
	return rc;
}

/* Within the batch. */
static int ask(struct wk_appstate *a, enum wk_collection c)
{
	struct wk_appstate_ask q = a->c[c].ask;
	struct buf message = { 0 };
	int rc, sent;

	sent = wa_appstate_ask_plain(wk_collection_name(c), clock_unix_ms(), &message);
	if (sent == 0)
		sent = a->p.ops->send_phone(message.p, message.len, NULL, q.message_id, a->p.arg);
	buf_free(&message);
	if (wk_batch_is_fatal(sent))
		return sent;
	if (sent < 0)
		q.message_id[0] = '\0';
	q.tries++;
	q.asked_unix_s = clock_unix_s();
	q.has_left = false;
	rc = keep(a, c, &q);
	a->c[c].asked_phone = true;
	LOG(a->p.log, LOG_NOTICE, "appstate_phone_asked",
	    LF_STR("collection", wk_collection_name(c)), LF_INT("tries", q.tries),
	    LF_ERR("sent", sent));
	return rc;
}

int wk_appstate_give_up(struct wk_appstate *a, enum wk_collection c)
{
	struct wk_appstate_ask q = { .wanted = true };
	int rc = 0;

	if (c == WK_CRITICAL_BLOCK)
		return 0;
	if (!a->c[c].ask.wanted)
		rc = keep(a, c, &q);
	return rc == 0 && in_s(a, c, clock_unix_s()) == 0 ? ask(a, c) : rc;
}

int wk_appstate_ask_phone(struct wk_appstate *a)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < WK_COLLECTION_N; i++) {
		enum wk_collection c = (enum wk_collection)i;

		if (!a->online || in_s(a, c, clock_unix_s()) != 0 || waits_for_key(a, c))
			continue;
		rc = wk_batch_enter(a->p.batch);
		if (rc < 0)
			return rc;
		rc = ask(a, c);
		wk_batch_leave(a->p.batch, rc); /* may be the end of the session */
		if (a->freed)
			return WA_ESTATE;
	}
	return rc;
}

bool wk_appstate_asks_load(struct wk_appstate *a)
{
	struct wk_appstate_ask asks[WK_COLLECTION_N];
	bool any = false;

	if (wk_store_appstate_asks(a->p.store, asks) < 0)
		return false;
	for (int i = 0; i < WK_COLLECTION_N; i++) {
		a->c[i].ask = asks[i];
		any = any || asks[i].wanted;
	}
	return any;
}

void wk_appstate_has_left(struct wk_appstate *a, const char *message_id)
{
	for (int i = 0; i < WK_COLLECTION_N; i++) {
		struct wk_appstate_ask q = a->c[i].ask;

		if (!q.wanted || q.has_left || message_id == NULL ||
		    strcmp(q.message_id, message_id) != 0)
			continue;
		q.has_left = true;
		if (wk_batch_enter(a->p.batch) == 0)
			wk_batch_leave(a->p.batch, keep(a, (enum wk_collection)i, &q));
		return;
	}
}

/* ---- the answer ---------------------------------------------------------------------------------
 */

int wk_appstate_is_sound(struct wk_appstate *a, enum wk_collection c)
{
	int rc = 0;

	if (a->c[c].ask.wanted)
		rc = wk_store_appstate_ask_drop(a->p.store, c);
	if (rc == 0)
		a->c[c].ask = (struct wk_appstate_ask){ 0 };
	return rc;
}

/* What the server has from there on comes next; what is on its way began elsewhere. */
static int recovered(struct wk_appstate *a, enum wk_collection c, uint64_t version)
{
	struct wk_collection_state *s = &a->c[c];
	int rc = a->has_push_name ? a->p.ops->on_push_name(a->push_name, a->p.arg) : 0;

	if (rc == 0)
		rc = wk_appstate_is_sound(a, c);
	if (rc < 0)
		return rc;
	LOG(a->p.log, LOG_NOTICE, "appstate_recovered", LF_STR("collection", wk_collection_name(c)),
	    LF_INT("version", (int64_t)version));
	s->asked = s->snapshot = s->tolerant = s->asked_phone = false;
	s->tries = 0;
	wk_appstate_want(a, c);
	wk_appstate_go_on(a);
	return 0;
}

/* It is not what was hoped for: the request stands, and is made again in its time. */
static int refused(struct wk_appstate *a, enum wk_collection c, const struct wa_appstate *s, int rc)
{
	struct wk_appstate_ask q = { .wanted = true };

	if (!wk_appstate_is_content(rc))
		return rc;
	LOG(a->p.log, rc == WA_APPSTATE_EVERSION ? LOG_NOTICE : LOG_WARNING,
	    "appstate_phone_refused", LF_STR("collection", wk_collection_name(c)),
	    LF_STR("why", wk_appstate_why(rc)));
	if (rc != WA_APPSTATE_EKEY)
		return 0;
	rc = wk_appstate_wait(a, c, s);
	return rc < 0 ? rc : keep(a, c, &q); /* asked for as soon as the key is here */
}

static int take(struct wk_appstate *a, const struct wa_appstate_whole *w)
{
	const struct wk_appstate_piece piece = { .kind = WK_PIECE_WHOLE, .whole = w };
	struct wa_appstate s = { 0 };
	int rc, c = wk_collection_of(w->collection);

	if (c < 0 || !a->c[c].ask.wanted) {
		LOG(a->p.log, LOG_INFO, "appstate_phone_unasked",
		    LF_STR("collection", c < 0 ? "unknown" : w->collection));
		return 0;
	}
	rc = wk_appstate_take(a, (enum wk_collection)c, &piece, &s);
	return rc < 0 ? refused(a, (enum wk_collection)c, &s, rc)
	              : recovered(a, (enum wk_collection)c, s.version);
}

int wk_appstate_whole(struct wk_appstate *a, const struct Wa__ProtocolMessage *p)
{
	const Wa__PeerDataOperationRequestResponseMessage *m =
	    p->peer_data_operation_request_response_message;
	struct wa_appstate_whole w;
	int rc = m == NULL ? WA_EPROTO : wa_appstate_whole_read(m, &w);

	if (rc < 0) {
		LOG(a->p.log, LOG_WARNING, "appstate_phone_unreadable",
		    LF_STR("why", wk_appstate_why(rc)));
		return wk_appstate_is_content(rc) ? 0 : rc;
	}
	rc = take(a, &w);
	wa_appstate_whole_clear(&w);
	return rc;
}
