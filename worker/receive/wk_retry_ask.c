/* worker/receive/wk_retry_ask.c - messages that could not be opened */
#include "worker/receive/wk_retry_ask.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/receive/wk_recv_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_ask.h"
#include "worker/store/wk_store_lid.h"
#include "worker/wa/stanza/wa_receipt.h"

#define PHONE_EVERY_MS 5000
#define PHONE_KEYS_MAX 20
#define RESUME_MAX 256
/* Long enough for the longest wait, and for a connection to come back. */
#define ASKED_LATELY_S 60

/* ---- what is due -------------------------------------------------------------------------------
 */

static void on_timer(evutil_socket_t fd, short what, void *arg);

int wk_retry_asks_init(struct wk_recv *r)
{
	r->asks.timer = evtimer_new(r->p.base, on_timer, r);
	return r->asks.timer == NULL ? -ENOMEM : 0;
}

void wk_retry_asks_clear(struct wk_recv *r)
{
	if (r->asks.timer != NULL)
		event_free(r->asks.timer);
	free(r->asks.due);
	memset(&r->asks, 0, sizeof(r->asks));
}

static void set_timer(struct wk_recv *r)
{
	uint64_t now_ms = clock_ms(), at_ms = UINT64_MAX;

	for (size_t i = 0; i < r->asks.due_n; i++) {
		if (r->asks.due[i].at_ms < at_ms)
			at_ms = r->asks.due[i].at_ms;
	}
	if (at_ms != UINT64_MAX &&
	    wk_timer_set(r->asks.timer, at_ms > now_ms ? at_ms - now_ms : 0) < 0)
		LOG(r->p.log, LOG_WARNING, "no_timer");
}

/* Of the receipt of that number. */
static uint64_t backoff_ms(unsigned count)
{
	return count < 2 ? 0 : 1000ULL << (count - 2);
}

/* What finds no room is found again in the table, once there is some. */
static void add_due(struct wk_recv *r, int64_t key, int what, int why, uint64_t wait_ms)
{
	struct wk_retry_asks *a = &r->asks;
	struct wk_retry_due *more;

	if (a->due_n == a->due_cap && a->due_cap < WK_ASK_WAITING_MAX) {
		size_t cap = a->due_cap == 0 ? 16 : a->due_cap * 2;

		more = realloc(a->due, cap * sizeof(*more));
		if (more != NULL) {
			a->due = more;
			a->due_cap = cap;
		}
	}
	if (a->due_n == a->due_cap)
		return;
	a->due[a->due_n].key = key;
	a->due[a->due_n].what = what;
	a->due[a->due_n].why = why;
	a->due[a->due_n].at_ms = clock_ms() + wait_ms / r->p.speed;
	a->due_n++;
	set_timer(r);
}

/* Nobody was told of it: no worse for being due twice. */
static void tell_later(void *arg, int64_t key, const struct wk_ask_row *row)
{
	if (!row->told)
		add_due(arg, key, WK_DUE_TELL, 0, WK_ASK_TELL_MS);
}

/*
 * Its stanza was acknowledged; what was to follow may have left or not, and comes twice rather than
 * never. The first receipt leaves with the ack, or neither does.
 */
static void resume_one(void *arg, int64_t key, const struct wk_ask_row *row)
{
	if (row->asked >= 2 && row->asked_unix_s >= clock_unix_s() - ASKED_LATELY_S)
		add_due(arg, key, WK_DUE_RECEIPT, 0, backoff_ms(row->asked));
	if (!row->told)
		add_due(arg, key, WK_DUE_PHONE, 0, WK_ASK_PHONE_MS);
	tell_later(arg, key, row);
}

bool wk_retry_asks_owes(struct wk_recv *r)
{
	if (r->asks.loaded)
		return false;
	if (wk_store_ask_count(r->p.store, &r->asks.rows) < 0)
		return true; /* whoever writes will find out */
	r->asks.loaded = r->asks.rows == 0;
	return !r->asks.loaded;
}

int wk_retry_asks_resume(struct wk_recv *r)
{
	struct wk_store *st = r->p.store;
	int64_t now_unix_s = clock_unix_s();
	int rc = wk_store_ask_count(st, &r->asks.rows);

	if (rc == 0 && r->asks.rows > 0)
		rc = wk_store_ask_forget(st, now_unix_s - WK_ASK_KEPT_S);
	if (rc == 0 && r->asks.rows > 0)
		rc = wk_store_ask_open(st, now_unix_s - ASKED_LATELY_S, RESUME_MAX, resume_one, r);
	r->asks.loaded = rc == 0;
	return rc;
}

/* ---- asking the sender -------------------------------------------------------------------------
 */

static bool wants_keys(unsigned count, int why)
{
	return count >= 2 || why == WA_SIG_ENOSESSION || why == WA_SIG_ENOPREKEY;
}

/* Our bundle, with a one-time key that is for this message alone. */
static int make_keys(struct wk_recv *r, struct wa_prekey_bundle *b)
{
	const struct wa_device *d = &r->p.creds->device;
	struct wk_prekey key;
	int rc = wk_store_prekey_give(r->p.store, &key);

	if (rc < 0)
		return rc;
	memset(b, 0, sizeof(*b));
	b->registration_id = d->registration_id;
	memcpy(b->identity, d->identity.pub, WA_KEY_LEN);
	b->signed_prekey_id = d->signed_prekey_id;
	memcpy(b->signed_prekey, d->signed_prekey.pub, WA_KEY_LEN);
	memcpy(b->signed_prekey_sig, d->signed_prekey_sig, WA_SIG_LEN);
	b->has_prekey = true;
	b->prekey_id = key.id;
	memcpy(b->prekey, key.pub, WA_KEY_LEN);
	return 0;
}

static int send_receipt(struct wk_recv *r, const struct wa_node *stanza, unsigned count, int why)
{
	const struct buf *account = &r->p.creds->account;
	struct wa_retry_ask ask = { .count = count,
		                    .error = wa_signal_retry_reason(why),
		                    .registration_id = r->p.creds->device.registration_id };
	struct wa_prekey_bundle keys;
	int rc = 0;

	if (wants_keys(count, why)) {
		rc = make_keys(r, &keys);
		ask.keys = &keys;
		ask.device_identity = account->p;
		ask.device_identity_len = account->len;
	}
	if (rc == 0)
		wk_batch_after(r->p.batch, wa_retry_receipt(stanza, &ask));
	return rc;
}

/* ---- asking the phone --------------------------------------------------------------------------
 */

struct phone_keys {
	Wa__PlaceholderMessageResendRequest request[PHONE_KEYS_MAX];
	Wa__PlaceholderMessageResendRequest *requests[PHONE_KEYS_MAX];
	Wa__MessageKey key[PHONE_KEYS_MAX];
	char chat[PHONE_KEYS_MAX][WA_JID_TEXT_CAP], author[PHONE_KEYS_MAX][WA_JID_TEXT_CAP];
	char id[PHONE_KEYS_MAX][WK_MSG_ID_MAX + 1];
	size_t n;
};

static int add_phone_key(struct wk_recv *r, struct phone_keys *p, const struct wa_source *src)
{
	Wa__MessageKey *key = &p->key[p->n];
	struct wa_jid chat, author = src->sender;
	int rc = wk_store_jid(r->p.store, &src->chat, &chat);

	if (rc < 0)
		return rc;
	wa__message_key__init(key);
	(void)wa_jid_format(&chat, p->chat[p->n]);
	key->remote_jid = p->chat[p->n];
	key->has_from_me = true;
	key->from_me = src->from_me;
	memcpy(p->id[p->n], src->id, strlen(src->id) + 1);
	key->id = p->id[p->n];
	author.device = 0;
	(void)wa_jid_format(&author, p->author[p->n]);
	if (!src->from_me && src->kind != WA_CHAT_PRIVATE)
		key->participant = p->author[p->n];
	wa__placeholder_message_resend_request__init(&p->request[p->n]);
	p->request[p->n].message_key = key;
	p->requests[p->n] = &p->request[p->n];
	p->n++;
	return 0;
}

static int send_phone(struct wk_recv *r, struct phone_keys *p)
{
	Wa__PeerDataOperationRequestMessage op = WA__PEER_DATA_OPERATION_REQUEST_MESSAGE__INIT;
	Wa__ProtocolMessage protocol = WA__PROTOCOL_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	char id[WK_MSG_ID_CAP];
	struct buf out = { 0 };
	int rc;

	op.has_peer_data_operation_request_type = true;
	op.peer_data_operation_request_type = 4;
	op.n_placeholder_message_resend_request = p->n;
	op.placeholder_message_resend_request = p->requests;
	protocol.has_type = true;
	protocol.type = WA_PROTO_PEER_DATA_REQUEST;
	protocol.peer_data_operation_request_message = &op;
	m.protocol_message = &protocol;
	rc = buf_reserve(&out, wa__message__get_packed_size(&m));
	if (rc == 0) {
		out.len = wa__message__pack(&m, out.p);
		rc = wk_recv_send_phone(r, out.p, out.len, NULL, id);
	}
	buf_wipe(&out);
	/* Where no session can be begun the phone is not asked: it is only a second way. */
	return wk_batch_is_fatal(rc) ? rc : 0;
}

/* ---- doing what is due -------------------------------------------------------------------------
 */

static int tell(struct wk_recv *r, int64_t key, struct wk_ask_row *row, const struct wa_source *src)
{
	if (row->told)
		return 0;
	row->told = true;
	LOG(r->p.log, LOG_DEBUG, "message_given_up", LF_INT("asked", row->asked));
	int rc = wk_recv_tell_unopened(r, src);
	return rc < 0 ? rc : wk_store_ask_set(r->p.store, key, row);
}

static int do_one(struct wk_recv *r, const struct wk_retry_due *due, struct phone_keys *phone)
{
	struct wa_node *stanza = NULL;
	struct wa_source src;
	struct wk_ask_row row;
	int rc = wk_store_ask_get(r->p.store, due->key, &row, &stanza);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc; /* it has come */
	if (wa_source_read(stanza, &r->own, &src) < 0)
		rc = WA_ESTORE_CORRUPT;
	else if (due->what == WK_DUE_RECEIPT)
		rc = send_receipt(r, stanza, row.asked, due->why);
	else if (due->what == WK_DUE_TELL)
		rc = tell(r, due->key, &row, &src);
	else if (phone->n < PHONE_KEYS_MAX)
		rc = add_phone_key(r, phone, &src);
	wa_node_free(stanza);
	return rc;
}

/* Is it time? A question to the phone also waits for the one before. */
static bool is_due(const struct wk_recv *r, const struct wk_retry_due *due, uint64_t now_ms,
                   const struct phone_keys *phone)
{
	if (due->at_ms > now_ms)
		return false;
	return due->what != WK_DUE_PHONE ||
	       (now_ms >= r->asks.phone_ms && phone->n < PHONE_KEYS_MAX);
}

static int do_due(struct wk_recv *r, struct phone_keys *phone)
{
	struct wk_retry_asks *a = &r->asks;
	uint64_t now_ms = clock_ms();
	unsigned done = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < a->due_n && done < WK_BATCH_MAX;) {
		struct wk_retry_due due = a->due[i];

		if (!is_due(r, &due, now_ms, phone)) {
			i++;
			continue;
		}
		a->due[i] = a->due[--a->due_n];
		rc = do_one(r, &due, phone);
		done++;
	}
	if (rc == 0 && phone->n > 0) {
		a->phone_ms = now_ms + PHONE_EVERY_MS / r->p.speed;
		rc = send_phone(r, phone);
	}
	for (size_t i = 0; i < a->due_n; i++) {
		if (a->due[i].what == WK_DUE_PHONE && a->due[i].at_ms < a->phone_ms)
			a->due[i].at_ms = a->phone_ms;
	}
	if (rc == 0 && a->due_n == 0 && a->rows > 0)
		rc = wk_store_ask_open(r->p.store, INT64_MAX, RESUME_MAX, tell_later, r);
	return rc;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_recv *r = arg;
	struct phone_keys *phone;
	int rc = wk_batch_enter(r->p.batch);

	(void)fd, (void)what;
	if (rc < 0)
		return;
	phone = calloc(1, sizeof(*phone));
	rc = phone == NULL ? -ENOMEM : do_due(r, phone);
	free(phone);
	set_timer(r);
	wk_batch_leave(r->p.batch, rc); /* may end the session */
}

/* ---- a message that did not open ---------------------------------------------------------------
 */

/* Nobody asked for it before: what is to happen to it, in time. */
static void plan(struct wk_recv *r, int64_t key, const struct wk_retry_why *why)
{
	bool told_now = why->rc == 0 && !why->ask_phone;

	if (why->ask_phone)
		add_due(r, key, WK_DUE_PHONE, 0, why->rc == 0 ? 0 : WK_ASK_PHONE_MS);
	if (!why->hide && !told_now)
		add_due(r, key, WK_DUE_TELL, 0, WK_ASK_TELL_MS);
}

static int ask_again(struct wk_recv_in *in, int64_t key, struct wk_ask_row *row,
                     const struct wk_retry_why *why)
{
	unsigned count = (row->asked > why->count ? row->asked : why->count) + 1;
	int rc;

	if (count > WA_RETRY_COUNT_MAX)
		return tell(in->r, key, row, &in->src);
	row->asked = count;
	row->asked_unix_s = clock_unix_s();
	rc = wk_store_ask_set(in->r->p.store, key, row);
	if (rc == 0 && backoff_ms(count) == 0)
		rc = send_receipt(in->r, in->node, count, why->rc);
	else if (rc == 0)
		add_due(in->r, key, WK_DUE_RECEIPT, why->rc, backoff_ms(count));
	return rc;
}

int wk_retry_came(struct wk_recv *r, int64_t key)
{
	bool had = false;
	int rc = wk_store_ask_drop(r->p.store, key, &had);

	if (had && r->asks.rows > 0)
		r->asks.rows--;
	return rc;
}

int wk_retry_ask(struct wk_recv_in *in, const struct wk_retry_why *why)
{
	struct wk_recv *r = in->r;
	struct wk_ask_row row = { .told = why->hide };
	int64_t key, chat;
	struct wk_msg m;
	int rc;

	wk_recv_row(&in->src, &m);
	rc = wk_store_msg_has(r->p.store, &m); /* it was opened before: a wrong copy */
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = wk_store_msg_key(r->p.store, &m, true, &key, &chat);
	if (rc < 0)
		return rc;
	rc = wk_store_ask_get(r->p.store, key, &row, NULL);
	if (rc == -ENOENT) {
		rc = wk_store_ask_add(r->p.store, key, &row, in->node);
		if (rc < 0) /* words that no node can carry: then no receipt can, either */
			return wk_batch_is_fatal(rc) ? rc : 0;
		r->asks.rows++;
		plan(r, key, why);
	}
	if (rc < 0)
		return rc;
	if (why->rc != 0)
		return ask_again(in, key, &row, why);
	return why->ask_phone ? 0 : tell(r, key, &row, &in->src);
}
