/* worker/online/wk_online_up.c - from <success> to online, and what is kept up to date from then on
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/online/wk_online_priv.h"
#include "worker/receive/wk_recv.h"
#include "worker/send/wk_send.h"
#include "worker/send/wk_sessions.h"
#include "worker/wa/link/wa_login.h"
#include "worker/wa/stanza/wa_stanza.h"

#define OFFLINE_BATCH 100
#define STALL_MS 60000              /* without a stanza of the queue: it counts as over */
#define UPLOADS_FREE 3              /* uploads in a row that nothing slows down */
#define UPLOAD_GAP_MS 60000         /* between the others: a server can't make us fill the disk */
#define ROTATE_LOOK_MS 86400000u    /* between two looks at the age of the signed pre-key */
#define SERVER_TIME_MAX (1LL << 40) /* Unix s; beyond it a clock is nonsense */

/* ---- <success> ----------------------------------------------------------------------------------
 */

static void take_offset(struct wk_online *o, int64_t server_unix_s)
{
	if (server_unix_s > 0 && server_unix_s < SERVER_TIME_MAX)
		o->offset_ms = server_unix_s * 1000 - clock_unix_ms();
}

/* True when our LID has become known. One that differs from ours is not believed. */
static bool take_lid(struct wk_online *o, const char *lid)
{
	struct wk_creds *c = o->p.creds;

	if (lid == NULL || strlen(lid) >= sizeof(c->lid) || strcmp(lid, c->lid) == 0)
		return false;
	if (c->lid[0] != '\0') {
		LOG(o->p.log, LOG_WARNING, "lid_differs", LF_ID("ours", c->lid),
		    LF_ID("theirs", lid));
		return false;
	}
	(void)snprintf(c->lid, sizeof(c->lid), "%s", lid);
	return true;
}

/* The name WhatsApp knows us by stands in for the push name, which comes with app state. */
static bool take_name(struct wk_online *o, const char *display_name)
{
	struct wk_creds *c = o->p.creds;

	if (c->push_name[0] != '\0' || display_name == NULL || display_name[0] == '\0')
		return false;
	wk_creds_set_text(c->push_name, sizeof(c->push_name), display_name);
	return true;
}

/* The login counts: on disk before anything is sent. On failure the credentials are as before. */
static int commit_login(struct wk_online *o, const struct wa_success *s)
{
	struct wk_creds *c = o->p.creds;
	bool was_confirmed = c->confirmed;
	bool new_lid = take_lid(o, s->lid);
	bool new_name = take_name(o, s->display_name);
	int rc;

	c->confirmed = true;
	c->logins++;
	rc = wk_online_save(o);
	if (rc < 0) {
		c->confirmed = was_confirmed;
		c->logins--;
		if (new_lid)
			c->lid[0] = '\0';
		if (new_name)
			c->push_name[0] = '\0';
		return rc;
	}
	if (new_lid || new_name)
		o->p.ops->on_profile(o->p.arg);
	return 0;
}

void wk_online_up(struct wk_online *o, const struct wa_node *success)
{
	struct wa_success s = { 0 };

	if (wa_success_read(success, &s) < 0) {
		wk_online_fail(o, WA_EPROTO, "WhatsApp's answer to the login can't be read");
		return;
	}
	take_offset(o, s.server_unix_s);
	if (commit_login(o, &s) < 0 || wk_online_is_over(o))
		return;
	o->phase = WK_PHASE_COUNT;
	wk_online_ask(o, WK_REQ_COUNT);
}

/* ---- the signed pre-key -------------------------------------------------------------------------
 */

void wk_online_rotate(struct wk_online *o)
{
	struct wk_creds *c = o->p.creds;
	int64_t due_s = wk_prekeys_signed_due_s(c, clock_unix_s());
	int rc = 0;

	if (wk_online_is_over(o) || !wk_iq_is_idle(&o->iq, WK_REQ_ROTATE))
		return;
	if (!c->signed_prekey_waits && due_s == 0)
		rc = wk_store_rotate_signed(o->p.store, c, clock_unix_s());
	if (rc < 0) {
		wk_online_fail(o, rc, "another signed pre-key can't be kept");
		return;
	}
	o->rotate_look_ms = clock_ms() + ROTATE_LOOK_MS;
	if (c->signed_prekey_waits)
		wk_online_ask(o, WK_REQ_ROTATE);
}

/* The server knows the key. */
static void rotated(struct wk_online *o)
{
	o->p.creds->signed_prekey_waits = false;
	if (wk_online_save(o) < 0)
		return;
	LOG(o->p.log, LOG_NOTICE, "signed_prekey_rotated",
	    LF_INT("id", o->p.creds->device.signed_prekey_id));
	wk_online_rotate(o);
}

/* Where it will not be had this way: an upload says what the key is, too. */
void wk_online_on_rotate(struct wk_online *o, const struct wk_answer *a)
{
	if (a->again)
		return;
	if (a->result != NULL)
		rotated(o);
	else if (a->code != 0)
		wk_prekeys_want_upload(&o->keys);
	if (!wk_online_is_over(o))
		wk_online_refill(o);
	if (o->digest_wanted && !wk_online_is_over(o))
		wk_online_digest(o);
}

/* ---- pre-keys -----------------------------------------------------------------------------------
 */

static void go_active(struct wk_online *o)
{
	o->phase = WK_PHASE_ACTIVE;
	wk_online_ask(o, WK_REQ_ACTIVE);
}

void wk_online_on_count(struct wk_online *o, const struct wk_answer *a)
{
	if (a->result != NULL && wk_prekeys_counted(&o->keys, a->result) < 0) {
		o->counts.bad++;
		LOG(o->p.log, wk_online_level(o->counts.bad), "prekey_count_unreadable");
	}
	if (o->phase != WK_PHASE_COUNT) {
		wk_online_refill(o);
		return;
	}
	if (o->keys.want == 0) {
		go_active(o);
		return;
	}
	o->phase = WK_PHASE_UPLOAD;
	wk_online_ask(o, WK_REQ_UPLOAD);
}

void wk_online_refill(struct wk_online *o)
{
	uint64_t gap_ms = UPLOAD_GAP_MS / o->iq.speed;
	uint64_t now_ms = clock_ms();

	if (o->keys.want == 0 || !wk_iq_is_idle(&o->iq, WK_REQ_UPLOAD))
		return;
	if (o->uploads < UPLOADS_FREE || now_ms >= o->upload_ms + gap_ms)
		wk_online_ask(o, WK_REQ_UPLOAD);
	else
		wk_iq_later(&o->iq, WK_REQ_UPLOAD, now_ms, UPLOAD_GAP_MS);
}

/*
 * A failed upload never keeps the session from coming online: what it lacks is only new chats that
 * others begin while the server is out of keys, and it is tried again.
 */
void wk_online_on_upload(struct wk_online *o, const struct wk_answer *a)
{
	int rc;

	if (a->result == NULL) {
		wk_prekeys_lost(&o->keys);
	} else {
		rc = wk_prekeys_uploaded(&o->keys, a->result);
		if (rc < 0) {
			wk_online_fail(o, rc, "uploaded pre-keys can't be noted");
			return;
		}
		o->uploads++;
		o->upload_ms = clock_ms();
		if (o->p.creds->signed_prekey_waits &&
		    o->keys.sent_signed_id == o->p.creds->device.signed_prekey_id &&
		    wk_iq_is_idle(&o->iq, WK_REQ_ROTATE))
			rotated(o);
		if (wk_online_is_over(o))
			return;
	}
	if (o->phase == WK_PHASE_UPLOAD)
		go_active(o);
	if (a->result != NULL)
		wk_online_refill(o);
	if (o->digest_wanted)
		wk_online_digest(o);
}

void wk_online_digest(struct wk_online *o)
{
	/* What is not uploaded yet can only differ: the check comes after the upload. */
	o->digest_wanted = !wk_iq_is_idle(&o->iq, WK_REQ_UPLOAD) ||
	                   o->p.creds->signed_prekey_waits || o->phase != WK_PHASE_ONLINE;
	if (!o->digest_wanted)
		wk_online_ask(o, WK_REQ_DIGEST);
}

void wk_online_on_digest(struct wk_online *o, const struct wk_answer *a)
{
	int rc;

	if (a->result == NULL && a->code != 404)
		return;
	rc = wk_prekeys_digest(&o->keys, a->result);
	if (rc == WA_EPROTO || rc == WA_ESTATE) {
		LOG(o->p.log, LOG_INFO, "prekey_digest_ignored", LF_ERR("err", rc));
		return;
	}
	if (rc < 0) {
		wk_online_fail(o, rc, "our pre-keys can't be read");
		return;
	}
	if (rc > 0)
		LOG(o->p.log, LOG_WARNING, "prekeys_differ");
	wk_online_refill(o);
}

/* ---- the offline queue --------------------------------------------------------------------------
 */

static void go_online(struct wk_online *o)
{
	o->phase = WK_PHASE_ONLINE;
	o->stall_ms = 0;
	o->p.ops->on_online(o->p.arg);
	wk_online_ask(o, WK_REQ_PROPS);
	wk_online_ask(o, WK_REQ_BLOCKLIST);
	wk_online_ask(o, WK_REQ_PRIVACY);
	wk_online_rotate(o);
	if (!wk_online_is_over(o))
		wk_online_digest(o);
	wk_online_show(o);
	wk_online_dirty_start(o);
	if (wk_online_is_over(o))
		return;
	wk_appstate_start(o->appstate);
	wk_online_name_groups(o);
	if (!wk_online_is_over(o))
		wk_recv_resume(o->recv);
	if (!wk_online_is_over(o))
		wk_sessions_ask(o->sessions); /* wanted before the session was online */
	if (!wk_online_is_over(o))
		wk_send_resume(o->send);
}

static void send_session_id(struct wk_online *o)
{
	wk_online_send(o, wa_unified_session(wa_unified_session_id(clock_unix_ms(), o->offset_ms)));
}

void wk_online_queue_moves(struct wk_online *o)
{
	if (o->phase == WK_PHASE_QUEUE)
		o->stall_ms = clock_ms() + STALL_MS / o->iq.speed;
}

static void ask_batch(struct wk_online *o)
{
	o->batch_left = OFFLINE_BATCH;
	wk_online_send(o, wa_offline_batch(OFFLINE_BATCH));
}

/* A server may wait with the rest until it is asked for. */
void wk_online_queue_taken(struct wk_online *o)
{
	if (o->phase == WK_PHASE_QUEUE && o->batch_left > 0 && --o->batch_left == 0)
		ask_batch(o);
}

/* Answered or refused: an account that can't be switched gets its queue all the same, or stalls. */
void wk_online_on_active(struct wk_online *o, const struct wk_answer *a)
{
	(void)a;
	if (o->phase != WK_PHASE_ACTIVE)
		return;
	o->phase = WK_PHASE_QUEUE;
	wk_online_queue_moves(o);
	send_session_id(o);
	if (wk_online_is_over(o))
		return;
	if (o->queue_over)
		go_online(o);
	else if (o->queue_waits)
		ask_batch(o);
}

void wk_online_queue_begins(struct wk_online *o)
{
	bool first = !o->queue_waits;

	o->queue_waits = true;
	wk_online_queue_moves(o);
	if (first && o->phase == WK_PHASE_QUEUE)
		ask_batch(o);
}

void wk_online_queue_ends(struct wk_online *o)
{
	o->queue_over = true;
	if (o->phase == WK_PHASE_QUEUE)
		go_online(o);
}

void wk_online_queue_stalls(struct wk_online *o, uint64_t now_ms)
{
	if (o->phase != WK_PHASE_QUEUE || o->stall_ms == 0 || now_ms < o->stall_ms)
		return;
	LOG(o->p.log, LOG_WARNING, "offline_queue_stalled");
	go_online(o);
}

/* ---- presence and properties --------------------------------------------------------------------
 */

/* "available" makes phones stop ringing, so it is sent on wish only, and never without a name. */
void wk_online_show(struct wk_online *o)
{
	const char *name = o->p.creds->push_name;
	bool here = o->p.settings->keep_online_status && name[0] != '\0';
	int wanted = here ? WK_SHOWN_HERE : WK_SHOWN_AWAY;

	if (o->phase != WK_PHASE_ONLINE || (int)o->shown == wanted)
		return;
	if (o->shown != WK_SHOWN_NOTHING)
		send_session_id(o);
	o->shown = here ? WK_SHOWN_HERE : WK_SHOWN_AWAY;
	wk_online_send(o, wa_presence(here, name));
}

/* The properties themselves mean nothing to us; their hash saves the server the next listing. */
void wk_online_on_props(struct wk_online *o, const struct wk_answer *a)
{
	const char *hash = wa_node_attr(wa_node_child(a->result, "props"), "hash");

	if (hash != NULL && strlen(hash) < sizeof(o->abt_hash))
		(void)snprintf(o->abt_hash, sizeof(o->abt_hash), "%s", hash);
}
