/*
 * worker/appstate/wk_appstate_piece.c - one piece of an answer: a snapshot or a patch, with its
 * file
 *
 * Each piece is verified and applied in a part of a batch of its own: its records, the map, version
 * and hash are on disk together or not at all.
 */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "worker/appstate/wk_appstate_priv.h"
#include "worker/appstate/wk_appstate_step.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_priv.h"

bool wk_appstate_is_content(int rc)
{
	return wa_appstate_err_name(rc) != NULL || rc == WA_EAUTH || rc == WA_EPROTO ||
	       rc == WA_ETRUNC || rc == WA_ELIMIT;
}

const char *wk_appstate_why(int rc)
{
	const char *why = wa_appstate_err_name(rc);

	return why != NULL ? why : wa_err_name(rc);
}

/* ---- callbacks of wa_appstate -------------------------------------------------------------------
 */

static int on_key(void *arg, struct wa_bytes id, struct wa_appstate_keys *out)
{
	struct wk_appstate *a = arg;
	uint8_t data[WA_APPSTATE_KEY_LEN];
	int rc = 0;

	if (a->keys_id_len != id.len || memcmp(a->keys_id, id.p, id.len) != 0) {
		a->keys_id_len = 0;
		rc = wk_store_appstate_key(a->p.store, id, data);
		if (rc == 0)
			rc = wa_appstate_expand(data, &a->keys);
		secret_wipe(data, sizeof(data));
		if (rc < 0)
			return rc;
		memcpy(a->keys_id, id.p, id.len);
		a->keys_id_len = id.len;
	}
	*out = a->keys;
	return 0;
}

static int on_value_mac(void *arg, const uint8_t index_mac[WA_APPSTATE_MAC_LEN],
                        uint8_t out[WA_APPSTATE_MAC_LEN])
{
	struct wk_appstate *a = arg;

	return wk_store_appstate_mac(a->p.store, a->applying, index_mac, out);
}

/* In a snapshot that replaces what is here, most records are the same: they are no news. */
static int on_record(void *arg, const struct wa_appstate_record *r)
{
	struct wk_appstate *a = arg;
	uint8_t known[WA_APPSTATE_MAC_LEN];
	int rc;

	a->records++;
	if (r->removed) {
		rc = wk_store_appstate_mac_del(a->p.store, a->applying, r->index_mac);
		return rc < 0 || r->bad ? rc : wk_appstate_apply(a, r);
	}
	rc = wk_store_appstate_mac(a->p.store, a->applying, r->index_mac, known);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (!r->bad && (rc == -ENOENT || memcmp(known, r->value_mac, sizeof(known)) != 0)) {
		rc = wk_appstate_apply(a, r);
		if (rc < 0)
			return rc;
	}
	return wk_store_appstate_mac_set(a->p.store, a->applying, r->index_mac, r->value_mac,
	                                 a->round);
}

static const struct wa_appstate_ops ops = { on_key, on_value_mac, on_record };

/* ---- one piece ----------------------------------------------------------------------------------
 */

/* What is not of the present round is dropped: no two have the same number. */
static int64_t next_round(struct wk_appstate *a)
{
	int64_t now = clock_unix_ms();

	a->last_round = now > a->last_round ? now : a->last_round + 1;
	return a->last_round;
}

static int open_piece(struct wk_appstate *a, struct wa_appstate *s,
                      const struct wk_appstate_piece *p)
{
	const struct wa_bytes file = { a->has_file ? a->file.p : NULL, a->file.len };

	a->round = p->kind == WK_PIECE_PATCH ? 0 : next_round(a);
	switch (p->kind) {
	case WK_PIECE_PATCH:
		return wa_appstate_patch(s, a->pool, &ops, a, p->data.p, p->data.len, file);
	case WK_PIECE_SNAPSHOT:
		return wa_appstate_snapshot(s, a->pool, &ops, a, file.p, file.len);
	case WK_PIECE_WHOLE:
		return wa_appstate_whole_apply(s, a->pool, &ops, a, p->whole);
	}
	return WA_ESTATE;
}

/* Within the transaction. */
static int apply_piece(struct wk_appstate *a, enum wk_collection c,
                       const struct wk_appstate_piece *p, struct wa_appstate *s)
{
	struct wk_appstate_row row;
	int rc = wk_store_appstate_load(a->p.store, c, &row);

	if (rc < 0)
		return rc;
	a->applying = c;
	a->first = !row.synced;
	a->has_push_name = false;
	s->collection = wk_collection_name(c);
	s->tolerate_hash = s->tolerate_records = a->c[c].tolerant;
	s->version = p->kind == WK_PIECE_SNAPSHOT ? 0 : row.version;
	memcpy(s->hash, row.hash, sizeof(s->hash));
	rc = open_piece(a, s, p);
	if (rc == 0 && a->round != 0)
		rc = wk_store_appstate_mac_end(a->p.store, c, a->round);
	if (rc < 0)
		return rc;
	row.version = s->version;
	memcpy(row.hash, s->hash, sizeof(row.hash));
	row.waits_len = 0;
	return wk_store_appstate_save(a->p.store, c, &row);
}

/* ---- what goes wrong ----------------------------------------------------------------------------
 */

int wk_appstate_ask_key(struct wk_appstate *a, enum wk_collection c, struct wa_bytes id)
{
	char message_id[WK_APPSTATE_ASK_ID_CAP];
	struct buf message = { 0 };
	int rc, asked = wk_store_appstate_key_ask(a->p.store, id, clock_unix_s());

	LOG(a->p.log, asked > 0 ? LOG_NOTICE : LOG_DEBUG, "appstate_key_missing",
	    LF_STR("collection", wk_collection_name(c)), LF_BOOL("asked", asked > 0));
	if (asked <= 0)
		return asked;
	rc = wa_appstate_ask_keys(&id, 1, &message);
	if (rc == 0)
		rc = a->p.ops->send_phone(message.p, message.len, "high", message_id, a->p.arg);
	buf_free(&message);
	/* no session with the phone yet: its first message brings the keys along */
	return wk_batch_is_fatal(rc) ? rc : 0;
}

int wk_appstate_wait(struct wk_appstate *a, enum wk_collection c, const struct wa_appstate *s)
{
	const struct wa_bytes id = { s->missing_key_id, s->missing_key_id_len };
	struct wk_appstate_row row;
	int rc = wk_store_appstate_load(a->p.store, c, &row);

	if (rc < 0)
		return rc;
	memcpy(row.waits, id.p, id.len);
	row.waits_len = id.len;
	rc = wk_store_appstate_save(a->p.store, c, &row);
	return rc < 0 ? rc : wk_appstate_ask_key(a, c, id);
}

/*
 * It does not fit what is here: at once again from a snapshot, then once without minding a hash
 * that differs or single records that are wrong; then the phone is asked for it. 0 or a code.
 */
static int start_over(struct wk_appstate *a, enum wk_collection c, int rc)
{
	struct wk_collection_state *s = &a->c[c];

	LOG(a->p.log, LOG_WARNING, "appstate_refused", LF_STR("collection", wk_collection_name(c)),
	    LF_STR("why", wk_appstate_why(rc)), LF_BOOL("snapshot", s->snapshot),
	    LF_BOOL("tolerant", s->tolerant));
	s->given_up = s->tolerant && !s->again;
	s->tolerant = s->snapshot && !s->tolerant;
	s->snapshot = true;
	s->wanted = true;
	s->not_before_ms = 0;
	return s->given_up ? wk_appstate_give_up(a, c) : 0;
}

/* Within the batch. 0, or what ends it. */
static int after_failure(struct wk_appstate *a, enum wk_collection c, const struct wa_appstate *s,
                         int rc)
{
	a->c[c].asked = false;
	if (!wk_appstate_is_content(rc))
		return rc;
	return rc == WA_APPSTATE_EKEY ? wk_appstate_wait(a, c, s) : start_over(a, c, rc);
}

int wk_appstate_take(struct wk_appstate *a, enum wk_collection c, const struct wk_appstate_piece *p,
                     struct wa_appstate *s)
{
	int rc = wk_store_signal_write(a->p.store); /* records may tell of pairs */

	if (rc == 0)
		rc = wk_store_begin(a->p.store);
	if (rc == 0)
		rc = wk_store_end(a->p.store, apply_piece(a, c, p, s));
	if (rc == 0 && (s->hash_differed || s->records_bad > 0))
		LOG(a->p.log, LOG_WARNING, "appstate_tolerated",
		    LF_STR("collection", s->collection), LF_BOOL("hash_differs", s->hash_differed),
		    LF_INT("records", s->records_bad));
	wa_pool_reset(a->pool);
	return rc;
}

int wk_appstate_piece(struct wk_appstate *a, enum wk_collection c,
                      const struct wk_appstate_piece *p)
{
	struct wa_appstate s = { 0 };
	int rc, end, ours = wk_batch_enter(a->p.batch);

	if (ours < 0)
		return ours;
	rc = wk_appstate_take(a, c, p, &s);
	end = rc < 0 ? after_failure(a, c, &s, rc) : 0;
	if (rc == 0 && a->has_push_name)
		end = a->p.ops->on_push_name(a->push_name, a->p.arg);
	wk_batch_leave(a->p.batch, end); /* may be the end of the session */
	return end < 0 ? end : a->freed ? WA_ESTATE : rc < 0;
}
