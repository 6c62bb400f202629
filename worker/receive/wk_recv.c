/* worker/receive/wk_recv.c - <message> stanzas: from the stream to their answer */
#include "worker/receive/wk_recv.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/process/wk_hand.h"
#include "worker/process/wk_heap.h"
#include "worker/receive/wk_recv_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/stanza/wa_receipt.h"
#include "worker/wa/stanza/wa_stanza.h"

#define IDLE_MS 10000
#define LOUD_PER_MIN 10
#define RESEND_MAX_AGE_S (14 * 24 * 3600)

#define NACK_PARSING 487
#define NACK_STANZA 488
#define NACK_PROTOBUF 491
#define NACK_NO_SECRET 495

/* ---- life --------------------------------------------------------------------------------------
 */

/* Nothing came for a while: what can be made again is let go. */
static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct wk_recv *r = arg;

	(void)fd, (void)what;
	if (wk_batch_flush(r->p.batch) < 0)
		return;
	wk_signal_idle(&r->signal);
	wa_pool_free(r->pool);
	r->pool = NULL;
	wk_store_trim(r->p.store);
	wk_heap_give_back();
}

static void on_held_timer(evutil_socket_t fd, short what, void *arg);

int wk_recv_new(const struct wk_recv_params *params, struct wk_recv **r_out)
{
	struct wk_recv *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->p = *params;
	wk_signal_init(&r->signal, params->store, params->creds);
	wk_budget_init(&r->budget, clock_ms());
	r->idle = evtimer_new(params->base, on_idle, r);
	r->held_timer = evtimer_new(params->base, on_held_timer, r);
	if (r->idle == NULL || r->held_timer == NULL || wk_retry_asks_init(r) < 0) {
		wk_recv_free(r);
		return -ENOMEM;
	}
	*r_out = r;
	return 0;
}

void wk_recv_free(struct wk_recv *r)
{
	if (r == NULL)
		return;
	wk_retry_asks_clear(r);
	wk_held_clear(&r->held);
	for (size_t i = 0; i < r->retries_n; i++)
		buf_wipe(&r->retries[i]);
	wk_signal_idle(&r->signal);
	wa_pool_free(r->pool);
	if (r->idle != NULL)
		event_free(r->idle);
	if (r->held_timer != NULL)
		event_free(r->held_timer);
	free(r);
}

void wk_recv_handle(struct wk_recv *r, enum wk_recv_own_kind kind, struct wk_recv_handler handler)
{
	r->handlers[kind] = handler;
}

void wk_recv_count(const struct wk_recv *r, struct wk_recv_counts *out)
{
	*out = r->counts;
	out->waiting = (unsigned)r->held.n;
}

int wk_recv_level(struct wk_recv *r)
{
	uint64_t now_ms = clock_ms();

	if (r->loud_ms == 0 || now_ms - r->loud_ms >= 60000) {
		r->loud_ms = now_ms;
		r->loud = 0;
	}
	return r->loud++ < LOUD_PER_MIN ? LOG_WARNING : LOG_DEBUG;
}

static void user_of(const char *jid_text, char out[WA_JID_USER_MAX + 1])
{
	struct wa_jid jid;

	if (wa_jid_parse(jid_text, strlen(jid_text), &jid) < 0)
		jid.user[0] = '\0';
	memcpy(out, jid.user, sizeof(jid.user));
}

void wk_recv_know_self(struct wk_recv *r)
{
	if (r->own.pn[0] == '\0')
		user_of(r->p.creds->jid, r->own.pn);
	if (r->own.lid[0] == '\0')
		user_of(r->p.creds->lid, r->own.lid);
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static void ack(struct wk_recv_in *in, unsigned error)
{
	wk_batch_after(in->r->p.batch, wa_ack(in->node, in->r->p.creds->jid, error));
}

static void nack(struct wk_recv_in *in, unsigned error, const char *why)
{
	struct wk_recv *r = in->r;

	r->counts.refused++;
	LOG(r->p.log, wk_recv_level(r), "message_refused", LF_INT("error", error),
	    LF_STR("why", why), LF_INT("so_far", r->counts.refused));
	ack(in, error);
}

/*
 * The receipt of a message that is dealt with: it stands for the ack, too. It leaves before
 * whatever the message brought about: nobody reads what has not come yet.
 */
static void receipt(struct wk_recv_in *in)
{
	struct wk_recv *r = in->r;
	const struct wa_source *src = &in->src;
	struct wa_jid own = src->sender;
	char to[WA_JID_TEXT_CAP];

	if (src->kind == WA_CHAT_NEWSLETTER) {
		ack(in, 0);
	} else if (src->is_peer && src->from_me) {
		own.device = 0; /* by the identity that it came from */
		(void)wa_jid_format(&own, to);
		wk_batch_after_at(r->p.batch, in->place,
		                  wa_receipt_to_self(src->id, to, WA_RECEIPT_PEER_MSG));
	} else {
		bool shown = r->p.is_shown != NULL && r->p.is_shown(r->p.arg);

		wk_batch_after_at(r->p.batch, in->place,
		                  wa_receipt_for(in->node, src->from_me ? WA_RECEIPT_SENDER
		                                           : shown      ? WA_RECEIPT_DELIVERED
		                                                        : WA_RECEIPT_INACTIVE));
	}
}

/* ---- one message -------------------------------------------------------------------------------
 */

static uint64_t cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* For the budget: which device it is of. Not 0. */
static uint64_t who_of(const struct wk_recv *r, const struct wa_source *src)
{
	char text[WA_JID_TEXT_CAP];
	size_t n = wa_jid_format(&src->sender, text);

	return wk_store_hash(r->p.store, text, n) | 1;
}

/* It can't be opened: ask for it again, and acknowledge it. */
static int unopened(struct wk_recv_in *in, const struct wa_node *enc, int why)
{
	struct wk_retry_why ask = { .rc = why,
		                    .hide = wa_node_attr_is(enc, "decrypt-fail", "hide"),
		                    .ask_phone = true };
	struct wk_recv *r = in->r;
	uint64_t count;
	int rc;

	r->counts.unopened++;
	LOG(r->p.log, wk_recv_level(r), "message_unopened", LF_STR("err", wa_signal_err_name(why)),
	    LF_STR("enc", wa_enc_name(wa_enc_parse(wa_node_attr(enc, "type")))),
	    LF_INT("so_far", r->counts.unopened));
	if (wa_node_attr_u64(enc, "count", 1000, &count) == 0)
		ask.count = (unsigned)count;
	rc = in->src.from_bot ? 0 : wk_retry_ask(in, &ask);
	if (rc == 0)
		ack(in, 0);
	return rc;
}

static int open_and_take(struct wk_recv_in *in, const struct wa_node *enc)
{
	struct buf plain = { 0 };
	int rc = wk_recv_open(in, enc, &plain);

	if (rc == 0)
		rc = wk_recv_take(in, &plain);
	buf_wipe(&plain);
	return rc;
}

/* What came of the <enc>s of one message. */
struct enc_result {
	unsigned known;             /* that were of a kind for us */
	unsigned other_version;     /* of other networks */
	int rc;                     /* the first failure that is no fatal one */
	const struct wa_node *node; /* of it */
};

static int open_all(struct wk_recv_in *in, struct enc_result *res)
{
	const struct wa_node *enc = wa_node_child(in->node, "enc");
	uint64_t from_us;
	int rc = 0;

	for (; rc == 0 && enc != NULL; enc = wa_node_next(enc, "enc")) {
		const char *v = wa_node_attr(enc, "v");

		if (v != NULL && strcmp(v, "2") != 0) {
			res->other_version++;
			continue;
		}
		if (wa_enc_parse(wa_node_attr(enc, "type")) == WA_ENC_UNKNOWN)
			continue;
		res->known++;
		from_us = cpu_us();
		rc = open_and_take(in, enc);
		if (rc == WA_SIG_EDUPLICATE) {
			in->r->counts.duplicates++;
			rc = 0;
		} else if (rc < 0 && !wk_batch_is_fatal(rc)) {
			wk_budget_spend(&in->r->budget, who_of(in->r, &in->src), cpu_us() - from_us,
			                clock_ms());
		}
		res->node = enc;
	}
	if (wk_batch_is_fatal(rc))
		return rc;
	res->rc = rc;
	return 0;
}

static int take_sealed(struct wk_recv_in *in)
{
	struct enc_result res = { .node = NULL };
	int rc = wk_recv_address(in);

	if (rc == WA_EPROTO) {
		nack(in, NACK_PARSING, "the sender has no Signal address");
		return 0;
	}
	if (rc == 0)
		rc = open_all(in, &res);
	if (rc < 0)
		return rc;
	if (res.rc == WA_EPROTO)
		nack(in, NACK_PROTOBUF, "no message in it");
	else if (res.rc == -ENOENT || res.rc == WA_EAUTH)
		nack(in, NACK_NO_SECRET, "its secret is not known");
	else if (res.rc < 0)
		return unopened(in, res.node, res.rc);
	else if (res.known > 0)
		receipt(in);
	else if (res.other_version > 0)
		ack(in, 0);
	else
		nack(in, NACK_STANZA, "of no kind that is known");
	return 0;
}

/* Newsletters: in the clear, without padding. */
static int take_plaintext(struct wk_recv_in *in, const struct wa_node *plaintext)
{
	struct buf plain = { 0 };
	int rc = 0;

	if (plaintext->content == WA_CONTENT_BYTES)
		rc = buf_append(&plain, plaintext->bytes, plaintext->bytes_len);
	if (rc == 0 && plain.len > 0)
		rc = wk_recv_take(in, &plain);
	buf_wipe(&plain);
	if (rc == WA_EPROTO) {
		nack(in, NACK_PROTOBUF, "no message in it");
		return 0;
	}
	if (rc == 0)
		receipt(in);
	return rc;
}

/* Not sealed for this companion. Some kinds never are; for others the phone may help. */
static int take_unavailable(struct wk_recv_in *in, const struct wa_node *unavailable)
{
	static const char *const never[] = { "view_once", "view_once_unavailable_fanout",
		                             "bot_unavailable_fanout",
		                             "hosted_unavailable_fanout" };
	const char *type = wa_node_attr(unavailable, "type");
	bool phone = !wa_node_attr_is(unavailable, "hosted", "true");
	struct wk_retry_why ask = { .rc = 0 };
	int64_t age_s = clock_unix_s() - (int64_t)in->src.unix_s;
	int rc;

	for (size_t i = 0; type != NULL && i < ARRAY_LEN(never); i++)
		phone = phone && strcmp(type, never[i]) != 0;
	ask.ask_phone = phone && age_s < RESEND_MAX_AGE_S;
	rc = wk_retry_ask(in, &ask);
	if (rc == 0)
		ack(in, 0);
	return rc;
}

static int take(struct wk_recv_in *in)
{
	const struct wa_node *n = in->node, *child;

	if (wa_node_attr_is(n, "type", "medianotify")) {
		ack(in, 0);
		return 0;
	}
	if (wa_node_child(n, "enc") != NULL)
		return take_sealed(in);
	child = wa_node_child(n, "plaintext");
	if (child != NULL && in->src.kind == WA_CHAT_NEWSLETTER)
		return take_plaintext(in, child);
	child = wa_node_child(n, "unavailable");
	if (child != NULL)
		return take_unavailable(in, child);
	nack(in, NACK_STANZA, "it holds nothing that is known");
	return 0;
}

static bool can_be_answered(const struct wa_node *n)
{
	const char *id = wa_node_attr(n, "id"), *from = wa_node_attr(n, "from");

	return id != NULL && id[0] != '\0' && from != NULL && from[0] != '\0';
}

/* In a batch: a source that can't be read is refused. */
static int take_any(struct wk_recv *r, const struct wa_node *n)
{
	struct wk_recv_in in = { .r = r, .node = n, .place = wk_batch_place(r->p.batch) };
	int rc = r->asks.loaded ? 0 : wk_retry_asks_resume(r);

	if (rc < 0)
		return rc;
	if (wa_source_read(n, &r->own, &in.src) < 0 || strlen(in.src.id) > WK_MSG_ID_MAX) {
		nack(&in, NACK_PARSING, "its sender or chat can't be read");
		return 0;
	}
	return take(&in);
}

static void work(struct wk_recv *r, const struct wa_node *n)
{
	uint64_t before = wk_hand_take(wk_hand_key(n)); /* it may have been held meanwhile */
	int rc = wk_batch_enter(r->p.batch);

	if (rc == 0)
		wk_batch_leave(r->p.batch, take_any(r, n));
	(void)wk_hand_take(before);
}

/* ---- those who cost too much -------------------------------------------------------------------
 */

static void set_held_timer(struct wk_recv *r, uint64_t wait_ms)
{
	if (wk_timer_set(r->held_timer, wait_ms / r->p.speed + 1) < 0)
		LOG(r->p.log, LOG_WARNING, "no_timer");
}

static void on_held_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_recv *r = arg;
	struct buf stanza = { 0 };
	uint64_t wait_ms = 1;
	struct wa_node *n = NULL;
	bool more;

	(void)fd, (void)what;
	more = wk_held_next(&r->held, &r->budget, clock_ms(), &stanza, &wait_ms);
	if (r->held.n > 0)
		set_held_timer(r, more ? 1 : wait_ms);
	if (more && wa_stanza_decode(stanza.p, stanza.len, &n) == 0)
		work(r, n); /* may end the session: nothing of r is touched after it */
	wa_node_free(n);
	buf_wipe(&stanza);
}

/* True: it waits, or is left to WhatsApp, which gives it again with the next login. */
static bool hold(struct wk_recv *r, const struct wa_node *n)
{
	struct wa_source src;
	struct buf stanza = { 0 };
	uint64_t who, wait_ms;

	if (wa_node_child(n, "enc") == NULL || wa_source_read(n, &r->own, &src) < 0)
		return false;
	who = who_of(r, &src);
	wait_ms = wk_budget_wait_ms(&r->budget, who, clock_ms());
	if (wait_ms == 0 && (r->held.n == 0 || !wk_held_has(&r->held, who)))
		return false;
	if (wa_stanza_encode(n, &stanza) < 0 || !wk_held_put(&r->held, who, &stanza)) {
		buf_wipe(&stanza);
		r->counts.dropped++;
		LOG(r->p.log, wk_recv_level(r), "messages_left_to_whatsapp",
		    LF_INT("so_far", r->counts.dropped));
		return true;
	}
	if (r->held.n == 1) {
		LOG(r->p.log, wk_recv_level(r), "sender_costs_too_much");
		set_held_timer(r, wait_ms);
	}
	return true;
}

void wk_recv_message(struct wk_recv *r, const struct wa_node *n)
{
	r->counts.messages++;
	wk_recv_know_self(r);
	if (wk_timer_set(r->idle, IDLE_MS) < 0)
		LOG(r->p.log, LOG_WARNING, "no_timer");
	if (!can_be_answered(n)) {
		r->counts.refused++;
		LOG(r->p.log, wk_recv_level(r), "message_refused",
		    LF_STR("why", "no id, or from nobody"), LF_INT("so_far", r->counts.refused));
		return;
	}
	if (!hold(r, n))
		work(r, n);
}

struct wk_signal *wk_recv_signal(struct wk_recv *r)
{
	return &r->signal;
}

void wk_recv_resume(struct wk_recv *r)
{
	int rc;

	wk_recv_know_self(r);
	rc = wk_recv_phone_resume(r);
	if (rc < 0)
		LOG(r->p.log, LOG_WARNING, "phone_messages_unread", LF_ERR("rc", rc));
	/* Mostly there is nothing, and nothing to write. */
	if (wk_retry_asks_owes(r) && wk_batch_enter(r->p.batch) == 0)
		wk_batch_leave(r->p.batch, wk_retry_asks_resume(r));
}

/* ---- identities --------------------------------------------------------------------------------
 */

static int forget_user(struct wk_recv *r, const struct wa_jid *user)
{
	bool is_lid = strcmp(user->server, "lid") == 0;
	char other[WK_USER_CAP] = "";
	int rc = is_lid ? wk_store_pn_of(r->p.store, user->user, other)
	                : wk_store_lid_of(r->p.store, user->user, other);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	return wk_store_signal_forget(r->p.store, is_lid ? other : user->user,
	                              is_lid ? user->user : other);
}

/* The user of a notice whose sessions are void. Our own account, and companions, tell otherwise. */
static bool identity_of(struct wk_recv *r, const struct wa_node *n, struct wa_jid *jid)
{
	const char *from = wa_node_attr(n, "from");

	wk_recv_know_self(r);
	return wa_jid_parse(from, strlen(from), jid) == 0 && jid->user[0] != '\0' &&
	       jid->device == 0 && !wa_jid_is_own(jid, &r->own) &&
	       (strcmp(jid->server, "lid") == 0 || strcmp(jid->server, WA_SERVER_JID) == 0);
}

void wk_recv_identity(struct wk_recv *r, const struct wa_node *n)
{
	struct wa_jid jid;
	int rc;

	if (!can_be_answered(n) || wk_batch_enter(r->p.batch) < 0)
		return;
	rc = identity_of(r, n, &jid) ? forget_user(r, &jid) : 0;
	wk_batch_after(r->p.batch, wa_ack(n, r->p.creds->jid, 0));
	wk_batch_leave(r->p.batch, rc);
}

/* The two identities that two attributes name; what can't be read is passed over. */
static int learn_named(struct wk_recv *r, const struct wa_node *n, const char *one,
                       const char *other)
{
	const char *a_text = wa_node_attr(n, one), *b_text = wa_node_attr(n, other);
	struct wa_jid a, b;

	if (a_text == NULL || b_text == NULL || wa_jid_parse(a_text, strlen(a_text), &a) < 0 ||
	    wa_jid_parse(b_text, strlen(b_text), &b) < 0 || a.user[0] == '\0' || b.user[0] == '\0')
		return 0;
	return wk_recv_learn(r, &a, &b);
}

int wk_recv_learn_pairs(struct wk_recv *r, const struct wa_node *n)
{
	int rc;

	wk_recv_know_self(r);
	rc = learn_named(r, n, "from", "lid");
	return rc < 0 ? rc : learn_named(r, n, "from", "sender_lid");
}

void wk_recv_pairs(struct wk_recv *r, const struct wa_node *n)
{
	int rc;

	if (!can_be_answered(n) || wk_batch_enter(r->p.batch) < 0)
		return;
	rc = wk_recv_learn_pairs(r, n);
	wk_batch_after(r->p.batch, wa_ack(n, r->p.creds->jid, 0));
	wk_batch_leave(r->p.batch, rc);
}
