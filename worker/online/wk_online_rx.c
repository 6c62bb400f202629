/* worker/online/wk_online_rx.c - stanzas that come by themselves: acks, notifications */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/events/wk_emit.h"
#include "worker/online/wk_online_priv.h"
#include "worker/process/wk_hand.h"
#include "worker/receive/wk_recv.h"
#include "worker/send/wk_send.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_aside.h"
#include "worker/store/wk_store_once.h"
#include "worker/wa/stanza/wa_stanza.h"

#define NACK_UNKNOWN_STANZA 488

/* A stanza that can't be taken, and can't even be refused. */
static void bad(struct wk_online *o, const struct wa_node *n)
{
	o->counts.bad++;
	LOG(o->p.log, wk_online_level(o->counts.bad), "stanza_bad", LF_STR("tag", n->tag),
	    LF_INT("so_far", o->counts.bad));
}

static void unknown(struct wk_online *o, const struct wa_node *n)
{
	o->counts.unknown++;
	LOG(o->p.log, wk_online_level(o->counts.unknown), "stanza_unknown", LF_STR("tag", n->tag),
	    LF_INT("so_far", o->counts.unknown));
}

/*
 * The ack of a stanza is made of the stanza's own words. Words that no node can carry make it a
 * bad stanza; they don't end the stream.
 */
static void ack(struct wk_online *o, const struct wa_node *n, unsigned error)
{
	const char *id = wa_node_attr(n, "id");
	const char *from = wa_node_attr(n, "from");
	struct wa_node *a;
	int rc = -ENOMEM;

	if (id == NULL || id[0] == '\0' || from == NULL || from[0] == '\0') {
		bad(o, n);
		return;
	}
	a = wa_ack(n, o->p.creds->jid, error);
	if (a != NULL)
		rc = o->p.ops->send(a, o->p.arg);
	wa_node_free(a);
	if (rc == WA_EPROTO || rc == WA_ELIMIT)
		bad(o, n);
	else if (rc < 0)
		wk_online_fail(o, rc, "an ack can't be sent");
}

/* What it says is kept, or becomes events; its ack leaves once that is on disk. */
static void tell(struct wk_online *o, const struct wa_node *n,
                 int (*take)(struct wk_online *o, const struct wa_node *n))
{
	const char *id = wa_node_attr(n, "id");
	const char *from = wa_node_attr(n, "from");
	int rc;

	if (id == NULL || id[0] == '\0' || from == NULL || from[0] == '\0') {
		bad(o, n);
		return;
	}
	rc = wk_batch_enter(o->batch);
	if (rc < 0) {
		wk_online_fail(o, rc, "what came can't be kept");
		return;
	}
	/* its ack was lost: it is acked again, and that is all */
	rc = wk_store_once(o->p.store, n);
	if (rc > 0)
		rc = take(o, n);
	wk_batch_after(o->batch, wa_ack(n, o->p.creds->jid, 0));
	wk_batch_leave(o->batch, rc);
}

static int take_group(struct wk_online *o, const struct wa_node *n)
{
	return wk_emit_group(o->emit, n);
}

static int take_call(struct wk_online *o, const struct wa_node *n)
{
	return wk_emit_call(o->emit, n);
}

static int take_receipt(struct wk_online *o, const struct wa_node *n)
{
	return wk_emit_receipt(o->emit, n);
}

static int take_server_sync(struct wk_online *o, const struct wa_node *n)
{
	return wk_appstate_told(o->appstate, n);
}

static int take_privacy_token(struct wk_online *o, const struct wa_node *n)
{
	int rc = wk_recv_learn_pairs(o->recv, n);

	return rc < 0 ? rc : wk_send_token_told(o->send, n);
}

/* ---- notifications ------------------------------------------------------------------------------
 */

/* How few pre-keys the server has left, or: compare them. */
static void on_encrypt(struct wk_online *o, const struct wa_node *n)
{
	const struct wa_node *count = wa_node_child(n, "count");
	uint64_t left;

	if (wa_node_child(n, "digest") != NULL)
		wk_online_digest(o);
	if (count == NULL)
		return;
	if (wa_node_attr_u64(count, "value", UINT32_MAX, &left) < 0) {
		bad(o, n);
		return;
	}
	/* Before the bring-up has asked for itself its own count decides. */
	if (o->phase == WK_PHASE_COUNT)
		return;
	wk_prekeys_told(&o->keys, (uint32_t)left);
	wk_online_refill(o);
}

static void on_server(struct wk_online *o, const struct wa_node *n)
{
	/* Before online they will be asked for anyway. */
	if (o->phase == WK_PHASE_ONLINE && wa_node_child(n, "abprops") != NULL)
		wk_online_ask(o, WK_REQ_PROPS);
}

/* What we go by of the account's own settings: whether others are told that they were read. */
static void on_account(struct wk_online *o, const struct wa_node *n)
{
	if (o->phase == WK_PHASE_ONLINE && wa_node_child(n, "privacy") != NULL)
		wk_online_ask(o, WK_REQ_PRIVACY);
}

/* Devices of others come with both identities of theirs. */
static bool names_both(const struct wa_node *n)
{
	return wa_node_attr_is(n, "type", "devices") && wa_node_attr(n, "lid") != NULL;
}

/*
 * Own devices and block list (account_sync), other users' devices, pictures and so on: nothing of
 * theirs is kept, so their ack is all they need.
 */
static void on_notification(struct wk_online *o, const struct wa_node *n)
{
	if (wa_node_attr_is(n, "type", "encrypt") && wa_node_child(n, "identity") != NULL) {
		wk_recv_identity(o->recv, n);
		return;
	}
	if (wa_node_attr_is(n, "type", "privacy_token")) {
		tell(o, n, take_privacy_token);
		return;
	}
	if (names_both(n)) {
		wk_recv_pairs(o->recv, n);
		return;
	}
	if (wa_node_attr_is(n, "type", "w:gp2")) {
		tell(o, n, take_group);
		return;
	}
	if (wa_node_attr_is(n, "type", "server_sync")) {
		tell(o, n, take_server_sync);
		return;
	}
	ack(o, n, 0);
	if (wk_online_is_over(o))
		return;
	if (wa_node_attr_is(n, "type", "encrypt"))
		on_encrypt(o, n);
	else if (wa_node_attr_is(n, "type", "server"))
		on_server(o, n);
	else if (wa_node_attr_is(n, "type", "account_sync"))
		on_account(o, n);
	else if (wa_node_attr_is(n, "type", "mediaretry") && o->p.ops->on_media_retry != NULL)
		o->p.ops->on_media_retry(n, o->p.arg);
}

static void on_call(struct wk_online *o, const struct wa_node *n)
{
	tell(o, n, take_call);
}

static void on_receipt(struct wk_online *o, const struct wa_node *n)
{
	bool retry = wa_node_attr_is(n, "type", "retry");

	if (!retry || (!wk_send_retry(o->send, n) && !wk_recv_retry(o->recv, n)))
		tell(o, n, take_receipt);
}

static void on_message(struct wk_online *o, const struct wa_node *n)
{
	wk_recv_message(o->recv, n);
}

/* ---- IQs and the rest ---------------------------------------------------------------------------
 */

/* Pings are answered before, at any time of a stream. */
static void on_iq(struct wk_online *o, const struct wa_node *n)
{
	if (wa_node_attr_is(n, "type", "result") || wa_node_attr_is(n, "type", "error")) {
		if (!wk_online_answered(o, n))
			LOG(o->p.log, LOG_DEBUG, "answer_unasked"); /* late, or twice */
	} else {
		unknown(o, n);
	}
}

/* The server says that the stanza we sent last was invalid. */
static void on_error(struct wk_online *o, const struct wa_node *n)
{
	uint64_t code = 0;

	if (wa_node_attr_u64(n, "code", UINT32_MAX, &code) < 0)
		code = 0;
	o->counts.bad++;
	LOG(o->p.log, wk_online_level(o->counts.bad), "stanza_refused_by_server",
	    LF_INT("code", code));
}

static void on_ignored(struct wk_online *o, const struct wa_node *n)
{
	(void)o;
	(void)n;
}

static const struct {
	const char *tag;
	void (*take)(struct wk_online *o, const struct wa_node *n);
} stanzas[] = {
	{ "iq", on_iq },
	{ "ib", wk_online_on_ib },
	{ "notification", on_notification },
	{ "receipt", on_receipt },
	{ "call", on_call },
	{ "message", on_message },
	{ "error", on_error },
	{ "ack", wk_online_on_ack },
	/* Others' presence, a second <success>. */
	{ "presence", on_ignored },
	{ "chatstate", on_ignored },
	{ "success", on_ignored },
};

static void take(struct wk_online *o, const struct wa_node *n)
{
	for (size_t i = 0; i < ARRAY_LEN(stanzas); i++) {
		if (wa_node_is(n, stanzas[i].tag)) {
			stanzas[i].take(o, n);
			return;
		}
	}
	unknown(o, n);
	if (wa_node_attr(n, "id") != NULL && wa_node_attr(n, "from") != NULL)
		ack(o, n, NACK_UNKNOWN_STANZA);
}

/* Three workers have died of it: kept as it came, acknowledged, and that is all. */
static void set_aside(struct wk_online *o, const struct wa_node *n, uint64_t key)
{
	struct buf b = { 0 };
	int rc;

	LOG(o->p.log, LOG_ERR, "stanza_set_aside", LF_STR("tag", n->tag),
	    LF_STR("id", wa_node_attr(n, "id")));
	if (wa_node_is(n, "message")) {
		wk_recv_set_aside(o->recv, n, key);
		return;
	}
	rc = wa_stanza_encode(n, &b);
	if (rc == 0)
		rc = wk_store_aside_put(o->p.store, key, clock_unix_ms() / 1000, b.p, b.len);
	buf_wipe(&b);
	if (rc < 0)
		wk_online_fail(o, rc, "a stanza can't be set aside");
	else if (!wa_node_is(n, "iq"))
		ack(o, n, 0);
}

static void take_in_hand(struct wk_online *o, const struct wa_node *n)
{
	uint64_t key = wk_hand_key(n), before;

	if (wk_hand_is_aside(key)) {
		set_aside(o, n, key);
		return;
	}
	before = wk_hand_take(key);
#ifdef WARDEN_TEST_HOOKS
	if (key != 0 && strncmp(wa_node_attr(n, "id"), "TESTDEATH", 9) == 0)
		abort();
#endif
	take(o, n);
	(void)wk_hand_take(before);
}

void wk_online_take(struct wk_online *o, const struct wa_node *n)
{
	bool queued = wa_node_attr(n, "offline") != NULL;

	if (queued)
		wk_online_queue_moves(o);
	/* No timer: a session that nothing comes to needs no new key. */
	if (o->phase == WK_PHASE_ONLINE && clock_ms() >= o->rotate_look_ms)
		wk_online_rotate(o);
	if (wk_online_is_over(o))
		return;
	take_in_hand(o, n);
	if (queued && !wk_online_is_over(o))
		wk_online_queue_taken(o);
	wk_online_name_groups(o);
}
