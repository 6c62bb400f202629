/* worker/history/wk_history_tell.c - what the user and the phone hear of history */
#include <string.h>

#include "common/clock.h"
#include "common/json_out.h"
#include "common/secret.h"
#include "proto/ipc.pb-c.h"
#include "worker/history/wk_history_priv.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/wa/history/wa_media.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_receipt.h"

#define FULL_FROM_DAYS 90 /* more than these: the phone was asked for a full sync */

/* ---- the user -----------------------------------------------------------------------------------
 */

static bool expects_full(const struct wk_creds *creds)
{
	return creds->history_days > FULL_FROM_DAYS;
}

uint32_t wk_history_overall(const struct wk_history_state *s, const struct wk_creds *creds)
{
	uint32_t v = expects_full(creds) ? (s->recent + s->full) / 2 : s->recent;

	return s->done ? 100 : v < 99 ? v : 99;
}

void wk_history_progress(const struct wk_history *h, uint32_t *progress_out, uint64_t *messages_out)
{
	*progress_out = wk_history_overall(&h->state, h->p.creds);
	*messages_out = h->state.messages;
}

void wk_history_tell_state(struct wk_history *h)
{
	uint32_t progress;
	uint64_t messages;

	wk_history_progress(h, &progress, &messages);
	h->p.ops->on_state(progress, messages, h->p.arg);
}

const char *wk_history_phase(int type)
{
	switch (type) {
	case WA_HISTORY_INITIAL_BOOTSTRAP:
		return "initial";
	case WA_HISTORY_RECENT:
		return "recent";
	case WA_HISTORY_FULL:
		return "full";
	case WA_HISTORY_PUSH_NAME:
		return "push_name";
	default:
		return NULL; /* not one that the user hears of */
	}
}

/* history.sync, within the batch. */
int wk_history_add_event(struct wk_history *h, const char *phase, uint32_t progress, uint32_t chunk,
                         uint64_t conversations, uint64_t messages)
{
	int64_t oldest = wk_history_oldest(h);
	struct buf b = { 0 };
	struct json_out j = json_out(&b);
	int rc;

	jout_obj(&j, NULL);
	jout_str(&j, "phase", phase);
	jout_int(&j, "progress", progress);
	jout_int(&j, "chunk", chunk);
	jout_int(&j, "conversations", (int64_t)conversations);
	jout_int(&j, "messages", (int64_t)messages);
	if (oldest > 0)
		jout_time(&j, "skippedOlderThan", oldest * 1000);
	jout_obj_end(&j);
	rc = j.err;
	if (rc == 0)
		rc = wk_store_outbox_add(h->p.store, IPC__EVENT__KIND__HISTORY_SYNC, 0,
		                         clock_unix_ms(), b.p, b.len);
	buf_free(&b);
	return rc;
}

int wk_history_say_done(struct wk_history *h)
{
	h->state.done = true;
	return wk_history_add_event(h, "done", 100, 0, h->state.conversations, h->state.messages);
}

bool wk_history_is_complete(const struct wk_history *h)
{
	const struct wk_history_state *s = &h->state;

	return s->recent == 100 && (!expects_full(h->p.creds) || s->full == 100);
}

/* ---- the phone ----------------------------------------------------------------------------------
 */

/* A stored chunk is told of under the identity that its notice came from (07 section 4). */
static void own_lid(const struct wk_history *h, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid jid = { .server = "lid" };

	if (wa_jid_parse(h->p.creds->lid, strlen(h->p.creds->lid), &jid) == 0)
		jid.device = 0;
	(void)wa_jid_format(&jid, out);
}

static void own_pn(const struct wk_history *h, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid jid = { .server = "s.whatsapp.net" };

	if (wa_jid_parse(h->p.creds->jid, strlen(h->p.creds->jid), &jid) == 0)
		jid.device = 0;
	(void)wa_jid_format(&jid, out);
}

struct wa_node *wk_history_stored_receipt(const struct wk_history *h, const char *message_id,
                                          bool by_lid)
{
	char to[WA_JID_TEXT_CAP];

	if (by_lid && h->p.creds->lid[0] != '\0')
		own_lid(h, to);
	else
		own_pn(h, to);
	return wa_receipt_to_self(message_id, to, WA_RECEIPT_HIST_SYNC);
}

/* Please upload it again: 09 section 7. */
struct wa_node *wk_history_broken_receipt(const struct wk_history *h)
{
	char to[WA_JID_TEXT_CAP];
	uint8_t iv[WA_IV_LEN];
	struct buf enc_p = { 0 };
	struct wa_node *n = NULL, *enc;

	own_pn(h, to);
	if (secret_random(iv, sizeof(iv)) == 0 &&
	    wa_media_retry_seal(h->job.media_key, h->job.message_id, iv, &enc_p) == 0)
		n = wa_receipt_to_self(h->job.message_id, to, WA_RECEIPT_SERVER_ERROR);
	if (n != NULL) {
		wa_node_set(n, "category", "peer");
		enc = wa_node_add(n, "encrypt");
		wa_node_set_bytes(wa_node_add(enc, "enc_p"), enc_p.p, enc_p.len);
		wa_node_set_bytes(wa_node_add(enc, "enc_iv"), iv, sizeof(iv));
	}
	buf_free(&enc_p);
	return n;
}
