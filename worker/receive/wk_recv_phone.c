/* worker/receive/wk_recv_phone.c - messages to our own phone, and its asking for them again */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/receive/wk_recv_priv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/stanza/wa_receipt.h"
#include "worker/wa/stanza/wa_stanza.h"

#define SENT_KEPT_S (7 * 24 * 3600)

int wk_msg_id_new(char out[WK_MSG_ID_CAP])
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t rnd[9];
	int rc = secret_random(rnd, sizeof(rnd));

	if (rc < 0)
		return rc;
	memcpy(out, "3EB0", 4);
	for (size_t i = 0; i < sizeof(rnd); i++) {
		out[4 + 2 * i] = digits[rnd[i] >> 4];
		out[5 + 2 * i] = digits[rnd[i] & 15];
	}
	out[4 + 2 * sizeof(rnd)] = '\0';
	return 0;
}

/* ---- what was sent -----------------------------------------------------------------------------
 */

static int64_t key_of(const struct wk_store *st, const char *id)
{
	return (int64_t)(wk_store_hash(st, id, strlen(id)) >> 1);
}

static struct sealed_place place_of(const struct wk_store *st, int64_t key)
{
	return (struct sealed_place){
		.owner = st->instance_id, .table = "peer_sent", .column = "body", .row = key
	};
}

static int forget_old(struct wk_store *st)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "DELETE FROM peer_sent WHERE unix_s < ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, clock_unix_s() - SENT_KEPT_S));
	return wk_store_run(st, s, rc);
}

static int keep(struct wk_store *st, const char *id, const void *message, size_t message_len)
{
	int64_t key = key_of(st, id);
	const struct sealed_place place = place_of(st, key);
	sqlite3_stmt *s;
	int rc = forget_old(st);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(
	    st, "INSERT OR REPLACE INTO peer_sent(key, unix_s, body) VALUES (?1, ?2, ?3)", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, clock_unix_s()));
	if (rc == 0)
		rc = wk_store_bind_sealed(st, s, 3, &place, message, message_len);
	return wk_store_run(st, s, rc);
}

static int find(struct wk_store *st, const char *id, struct buf *out)
{
	int64_t key = key_of(st, id);
	const struct sealed_place place = place_of(st, key);
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT body FROM peer_sent WHERE key = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		rc = wk_store_read_sealed(st, s, 0, &place, out);
	wk_store_done(st, s);
	return rc;
}

/* What waits for a session with the phone: "ID", or "ID priority". NULL: it has left. */
static int set_waits(struct wk_store *st, int64_t key, const char *waits)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "UPDATE peer_sent SET waits = ?2 WHERE key = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key));
	if (rc == 0 && waits != NULL)
		rc = db_err(sqlite3_bind_text(s, 2, waits, -1, SQLITE_STATIC));
	return wk_store_run(st, s, rc);
}

/* -ENOENT: nothing waits. */
static int next_waiting(struct wk_store *st, char *out, size_t out_cap)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(
	    st, "SELECT waits FROM peer_sent WHERE waits IS NOT NULL ORDER BY id LIMIT 1", &s);

	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		rc = db_text(s, 0, out, out_cap);
	wk_store_done(st, s);
	return rc;
}

/* ---- sending -----------------------------------------------------------------------------------
 */

static struct wa_node *stanza_new(const struct wk_recv *r, const char *id)
{
	char to[WA_JID_TEXT_CAP];
	struct wa_node *n = wa_node_new("message");
	struct wa_jid own;

	if (wa_jid_parse(r->p.creds->jid, strlen(r->p.creds->jid), &own) == 0) {
		own.device = 0;
		(void)wa_jid_format(&own, to);
		wa_node_set_jid(n, "to", to);
	}
	wa_node_set(n, "id", id);
	wa_node_set(n, "type", "text");
	wa_node_set(n, "category", "peer");
	return n;
}

/* Seal for the phone and hand the stanza to the batch. count: of the retry it answers; 0: none. */
static int send_sealed(struct wk_recv *r, struct wa_node *stanza_takes, const void *message,
                       size_t message_len, unsigned count)
{
	struct wa_signal_addr phone;
	struct wa_signal *s;
	struct buf sealed = { 0 };
	struct wa_node *enc;
	enum wa_enc type;
	int rc = wk_signal_get(&r->signal, &s);

	if (rc == 0)
		rc = wk_signal_own_phone(&r->signal, &phone);
	if (rc == 0)
		rc = wa_signal_encrypt(s, &phone, message, message_len, &type, &sealed);
	if (rc < 0) {
		wa_node_free(stanza_takes);
		buf_free(&sealed);
		return rc;
	}
	enc = wa_node_add(stanza_takes, "enc");
	wa_node_set(enc, "v", "2");
	wa_node_set(enc, "type", wa_enc_name(type));
	if (count > 0)
		wa_node_set_int(enc, "count", count);
	wa_node_set_bytes(enc, sealed.p, sealed.len);
	if (type == WA_ENC_PKMSG)
		wa_node_set_bytes(wa_node_add(stanza_takes, "device-identity"),
		                  r->p.creds->account.p, r->p.creds->account.len);
	buf_free(&sealed);
	wk_batch_after(r->p.batch, stanza_takes);
	return 0;
}

/* What is wanted at once is about the user's chats, which WhatsApp wants to be told. */
static void set_priority(struct wa_node *n, const char *priority)
{
	wa_node_set(n, "push_priority", priority);
	if (priority != NULL && strcmp(priority, "high_force") == 0)
		wa_node_set(n, "privacy_sensitive", "1");
}

static int send_new(struct wk_recv *r, const char *id, const char *priority, const void *message,
                    size_t message_len)
{
	struct wa_node *n = stanza_new(r, id);

	set_priority(n, priority);
	wa_node_set(wa_node_add(n, "meta"), "appdata", "default");
	return send_sealed(r, n, message, message_len, 0);
}

/* Keys of the phone are fetched, when somebody can: what it needs them for waits in the store. */
static int wait_for_session(struct wk_recv *r, const char *id, const char *priority)
{
	char waits[WK_MSG_ID_CAP + 32];

	if (r->p.want_phone == NULL || r->p.want_phone(r->p.arg) < 0)
		return WA_SIG_ENOSESSION;
	(void)snprintf(waits, sizeof(waits), "%s%s%s", id, priority == NULL ? "" : " ",
	               priority == NULL ? "" : priority);
	return set_waits(r->p.store, key_of(r->p.store, id), waits);
}

int wk_recv_send_phone(struct wk_recv *r, const void *message, size_t message_len,
                       const char *priority, char id_out[WK_MSG_ID_CAP])
{
	char id[WK_MSG_ID_CAP];
	int sent, rc = wk_msg_id_new(id);

	if (rc < 0)
		return rc;
	sent = send_new(r, id, priority, message, message_len);
	if (sent < 0 && sent != WA_SIG_ENOSESSION)
		return sent;
	rc = keep(r->p.store, id, message, message_len);
	if (rc == 0 && sent < 0)
		rc = wait_for_session(r, id, priority);
	if (rc == 0)
		memcpy(id_out, id, sizeof(id));
	return rc;
}

/* One that waited: on its way now, or let go. -ENOENT: there is none. */
static int send_waiting(struct wk_recv *r)
{
	char waits[WK_MSG_ID_CAP + 32], *priority;
	struct buf message = { 0 };
	int rc = next_waiting(r->p.store, waits, sizeof(waits));

	if (rc < 0)
		return rc;
	priority = strchr(waits, ' ');
	if (priority != NULL)
		*priority++ = '\0';
	rc = find(r->p.store, waits, &message);
	if (rc == 0)
		rc = send_new(r, waits, priority, message.p, message.len);
	LOG(r->p.log, LOG_INFO, "phone_told_late", LF_ERR("rc", rc));
	buf_wipe(&message);
	if (wk_batch_is_fatal(rc))
		return rc;
	return set_waits(r->p.store, key_of(r->p.store, waits), NULL);
}

int wk_recv_phone_resume(struct wk_recv *r)
{
	char waits[WK_MSG_ID_CAP + 32];
	int rc = next_waiting(r->p.store, waits, sizeof(waits));

	if (rc == 0 && r->p.want_phone != NULL)
		(void)r->p.want_phone(r->p.arg);
	return rc == -ENOENT ? 0 : rc;
}

/* ---- asked again -------------------------------------------------------------------------------
 */

/* Of the session that it could not use when it asked for the second time; -1: not known. */
static int base_of(const struct wk_recv *r, int64_t key)
{
	for (int i = 0; i < WK_RECV_BASES; i++) {
		if (r->bases[i].key == key)
			return i;
	}
	return -1;
}

/* True: it is still the session that the phone has been unable to use twice. */
static bool is_worn(struct wk_recv *r, const struct wa_retry *ask, const uint8_t base[WA_KEY_LEN])
{
	int64_t key = key_of(r->p.store, ask->message_id);
	int i = base_of(r, key);

	if (ask->count > 2)
		return i >= 0 && memcmp(r->bases[i].base_key, base, WA_KEY_LEN) == 0;
	if (ask->count == 2) {
		i = i >= 0 ? i : (int)(r->bases_next++ % WK_RECV_BASES);
		r->bases[i].key = key;
		memcpy(r->bases[i].base_key, base, WA_KEY_LEN);
	}
	return false;
}

/*
 * The session that the phone could not use makes way: for the keys it sent along, or for those that
 * the server has (-EAGAIN: they are to be fetched). fetched: that has been done.
 */
static int renew(struct wk_recv *r, const struct wa_retry *ask, bool fetched)
{
	struct wa_signal_session_info info;
	struct wa_signal_addr phone;
	struct wa_signal *s;
	int rc = wk_signal_get(&r->signal, &s);

	if (rc == 0)
		rc = wk_signal_own_phone(&r->signal, &phone);
	if (rc < 0)
		return rc;
	if (ask->has_keys && !fetched)
		return wa_signal_take_bundle(s, &phone, &ask->keys, NULL);
	rc = wa_signal_session_info(s, &phone, &info);
	if (fetched || (rc < 0 && rc != WA_SIG_ENOSESSION))
		return rc;
	if (rc == 0 && info.remote_registration_id == ask->registration_id &&
	    !is_worn(r, ask, info.base_key))
		return 0;
	if (rc == 0)
		rc = wk_store_signal_forget_one(r->p.store, &phone, false);
	return rc < 0 && rc != WA_SIG_ENOSESSION ? rc : -EAGAIN;
}

static int resend(struct wk_recv *r, const struct wa_retry *ask, bool fetched)
{
	struct buf message = { 0 };
	struct wa_node *n;
	int rc = find(r->p.store, ask->message_id, &message);

	if (rc == 0)
		rc = renew(r, ask, fetched);
	if (rc == 0) {
		n = stanza_new(r, ask->message_id);
		if (ask->message_unix_s != 0)
			wa_node_set_int(n, "t", (int64_t)ask->message_unix_s);
		rc = send_sealed(r, n, message.p, message.len, ask->count);
	}
	buf_wipe(&message);
	return rc;
}

/* Its ack waits for the session, too. False: there is no room, or nobody to fetch keys. */
static bool put_aside(struct wk_recv *r, const struct wa_node *n)
{
	if (r->p.want_phone == NULL || r->retries_n == WK_RECV_RETRIES ||
	    r->p.want_phone(r->p.arg) < 0 || wa_stanza_encode(n, &r->retries[r->retries_n]) < 0)
		return false;
	r->retries_n++;
	return true;
}

static void answer(struct wk_recv *r, const struct wa_node *n, const struct wa_retry *ask,
                   bool fetched)
{
	int rc = wk_batch_enter(r->p.batch);

	if (rc < 0)
		return;
	rc = ask->count < WA_RETRY_COUNT_MAX ? resend(r, ask, fetched) : -ENOENT;
	LOG(r->p.log, LOG_INFO, "phone_asks_again", LF_INT("count", ask->count), LF_ERR("rc", rc));
	if (!wk_batch_is_fatal(rc) && (rc != -EAGAIN || !put_aside(r, n)))
		wk_batch_after(r->p.batch, wa_ack(n, r->p.creds->jid, 0));
	wk_batch_leave(r->p.batch, wk_batch_is_fatal(rc) ? rc : 0);
}

/* From our own phone, under either identity? */
static bool is_own_phone(struct wk_recv *r, const char *from)
{
	struct wa_jid jid;

	wk_recv_know_self(r);
	return wa_jid_parse(from, strlen(from), &jid) == 0 && jid.device == 0 &&
	       wa_jid_is_own(&jid, &r->own);
}

bool wk_recv_retry(struct wk_recv *r, const struct wa_node *n)
{
	struct wa_retry ask;

	if (wa_retry_read(n, &ask) < 0 || !is_own_phone(r, ask.receipt.from))
		return false;
	answer(r, n, &ask, false);
	return true;
}

/* ---- the phone's keys have come ----------------------------------------------------------------
 */

static void answer_late(struct wk_recv *r, struct buf *stanza)
{
	struct wa_node *n = NULL;
	struct wa_retry ask;

	if (wa_stanza_decode(stanza->p, stanza->len, &n) == 0 && wa_retry_read(n, &ask) == 0)
		answer(r, n, &ask, true);
	wa_node_free(n);
	buf_wipe(stanza);
}

void wk_recv_sessions(struct wk_recv *r)
{
	struct buf retries[WK_RECV_RETRIES];
	size_t n = r->retries_n;
	int rc = wk_batch_enter(r->p.batch);

	if (rc < 0)
		return;
	while (rc == 0)
		rc = send_waiting(r);
	wk_batch_leave(r->p.batch, rc == -ENOENT ? 0 : rc);
	memcpy(retries, r->retries, sizeof(retries));
	memset(r->retries, 0, sizeof(r->retries));
	r->retries_n = 0;
	for (size_t i = 0; i < n; i++)
		answer_late(r, &retries[i]);
}
