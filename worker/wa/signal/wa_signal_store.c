/* worker/wa/signal/wa_signal_store.c - the library's stores over ours, with writes held back */
#include <errno.h>
#include <signal/curve.h>
#include <signal/session_pre_key.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "worker/wa/signal/wa_signal_priv.h"

/* The library's callbacks answer with its own codes; ours is kept for wa_signal_rc(). */
static int failed(struct wa_signal *s, int rc)
{
	if (s->store_rc == 0)
		s->store_rc = rc;
	return rc == -ENOMEM ? SG_ERR_NOMEM : SG_ERR_UNKNOWN;
}

/* ---- one operation ------------------------------------------------------------------------------
 */

static void staged_clear(struct wa_signal_staged *st)
{
	buf_wipe(&st->session);
	buf_wipe(&st->sender_key);
	secret_wipe(st, sizeof(*st));
}

void wa_signal_op_begin(struct wa_signal *s, const struct wa_signal_addr *peer, const char *group)
{
	staged_clear(&s->staged);
	memset(&s->note, 0, sizeof(s->note));
	s->peer = *peer;
	s->group = group;
	s->store_rc = 0;
}

static int flush(struct wa_signal *s)
{
	const struct wa_signal_staged *st = &s->staged;
	int rc = 0;

	if (st->has_identity)
		rc = s->ops->identity_save(s->arg, &s->peer, st->identity);
	if (rc == 0 && st->has_session)
		rc = s->ops->session_save(s->arg, &s->peer, st->session.p, st->session.len);
	if (rc == 0 && st->has_sender_key)
		rc = s->ops->sender_key_save(s->arg, s->group, &s->peer, st->sender_key.p,
		                             st->sender_key.len);
	if (rc == 0 && st->removed_prekey != 0)
		rc = s->ops->prekey_remove(s->arg, st->removed_prekey);
	return rc;
}

int wa_signal_op_end(struct wa_signal *s, int rc)
{
	/* A question of the library's that could not be answered may have passed for a "no". */
	if (rc == 0)
		rc = s->store_rc;
	if (rc == 0)
		rc = flush(s);
	staged_clear(&s->staged);
	return rc;
}

/* ---- sessions -----------------------------------------------------------------------------------
 */

int wa_signal_session_bytes(struct wa_signal *s, struct buf *out)
{
	if (s->staged.has_session)
		return buf_append(out, s->staged.session.p, s->staged.session.len);
	return s->ops->session_load(s->arg, &s->peer, out);
}

/* 1 with *out_buffer set, 0 for none, or negative: what the library's loads return. */
static int loaded(struct wa_signal *s, int rc, struct buf *b, signal_buffer **out_buffer)
{
	signal_buffer *copy = NULL;

	if (rc == 0) {
		copy = signal_buffer_create(b->p, b->len);
		rc = copy == NULL ? -ENOMEM : 1;
	}
	buf_wipe(b);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return failed(s, rc);
	*out_buffer = copy;
	return 1;
}

static int on_session_load(signal_buffer **record, signal_buffer **user_record,
                           const signal_protocol_address *addr, void *arg)
{
	struct wa_signal *s = arg;
	struct buf b = { 0 };

	(void)addr, (void)user_record; /* there is one address in an operation */
	return loaded(s, wa_signal_session_bytes(s, &b), &b, record);
}

static int on_session_save(const signal_protocol_address *addr, uint8_t *record, size_t record_len,
                           uint8_t *user_record, size_t user_record_len, void *arg)
{
	struct wa_signal *s = arg;

	(void)addr, (void)user_record, (void)user_record_len;
	buf_wipe(&s->staged.session);
	if (buf_append(&s->staged.session, record, record_len) < 0)
		return failed(s, -ENOMEM);
	s->staged.has_session = true;
	return 0;
}

static int on_session_contains(const signal_protocol_address *addr, void *arg)
{
	signal_buffer *record = NULL;
	int rc;

	rc = on_session_load(&record, NULL, addr, arg);
	signal_buffer_bzero_free(record);
	return rc == 1;
}

/* Nothing below the library's API calls these. */
static int on_session_devices(signal_int_list **out, const char *name, size_t name_len, void *arg)
{
	(void)out, (void)name, (void)name_len, (void)arg;
	return SG_ERR_INVAL;
}

static int on_session_delete(const signal_protocol_address *addr, void *arg)
{
	(void)addr, (void)arg;
	return SG_ERR_INVAL;
}

static int on_session_delete_all(const char *name, size_t name_len, void *arg)
{
	(void)name, (void)name_len, (void)arg;
	return SG_ERR_INVAL;
}

/* ---- keys ---------------------------------------------------------------------------------------
 */

static int pair_of(const struct wa_signal *s, const struct wa_keypair *kp, ec_key_pair **out)
{
	ec_private_key *priv = NULL;
	ec_public_key *pub = NULL;
	int rc;

	rc = wa_signal_key(s, kp->pub, &pub);
	if (rc >= 0)
		rc = curve_decode_private_point(&priv, kp->priv, WA_KEY_LEN, s->ctx);
	if (rc >= 0)
		rc = ec_key_pair_create(out, pub, priv);
	SIGNAL_UNREF(priv);
	SIGNAL_UNREF(pub);
	return rc;
}

static int on_prekey_load(signal_buffer **record, uint32_t id, void *arg)
{
	struct wa_signal *s = arg;
	session_pre_key *pk = NULL;
	ec_key_pair *pair = NULL;
	struct wa_keypair kp;
	int rc;

	rc = s->ops->prekey_load(s->arg, id, &kp);
	if (rc == -ENOENT)
		return SG_ERR_INVALID_KEY_ID;
	if (rc < 0)
		return failed(s, rc);
	rc = pair_of(s, &kp, &pair);
	wa_keypair_wipe(&kp);
	if (rc >= 0)
		rc = session_pre_key_create(&pk, id, pair);
	if (rc >= 0)
		rc = session_pre_key_serialize(record, pk);
	SIGNAL_UNREF(pk);
	SIGNAL_UNREF(pair);
	return rc;
}

static int on_prekey_save(uint32_t id, uint8_t *record, size_t record_len, void *arg)
{
	(void)id, (void)record, (void)record_len, (void)arg;
	return SG_ERR_INVAL;
}

static int on_prekey_contains(uint32_t id, void *arg)
{
	struct wa_signal *s = arg;
	struct wa_keypair kp;
	int rc;

	rc = s->ops->prekey_load(s->arg, id, &kp);
	wa_keypair_wipe(&kp);
	return rc < 0 && rc != -ENOENT ? failed(s, rc) : rc == 0;
}

static int on_prekey_remove(uint32_t id, void *arg)
{
	struct wa_signal *s = arg;

	s->staged.removed_prekey = id;
	s->note.prekey_id = id;
	return 0;
}

static int on_signed_load(signal_buffer **record, uint32_t id, void *arg)
{
	session_signed_pre_key *pk = NULL;
	struct wa_signal *s = arg;
	ec_key_pair *pair = NULL;
	uint8_t sig[WA_SIG_LEN];
	struct wa_keypair kp;
	int rc;

	rc = s->ops->signed_prekey_load(s->arg, id, &kp, sig);
	if (rc == -ENOENT)
		return SG_ERR_INVALID_KEY_ID;
	if (rc < 0)
		return failed(s, rc);
	rc = pair_of(s, &kp, &pair);
	wa_keypair_wipe(&kp);
	if (rc >= 0)
		rc = session_signed_pre_key_create(&pk, id, 0, pair, sig, sizeof(sig));
	if (rc >= 0)
		rc = session_signed_pre_key_serialize(record, pk);
	SIGNAL_UNREF(pk);
	SIGNAL_UNREF(pair);
	return rc;
}

static int on_signed_contains(uint32_t id, void *arg)
{
	struct wa_signal *s = arg;
	uint8_t sig[WA_SIG_LEN];
	struct wa_keypair kp;
	int rc;

	rc = s->ops->signed_prekey_load(s->arg, id, &kp, sig);
	wa_keypair_wipe(&kp);
	return rc < 0 && rc != -ENOENT ? failed(s, rc) : rc == 0;
}

static int on_signed_remove(uint32_t id, void *arg)
{
	(void)id, (void)arg;
	return SG_ERR_INVAL;
}

/* ---- identities ---------------------------------------------------------------------------------
 */

static int on_own_pair(signal_buffer **pub_out, signal_buffer **priv_out, void *arg)
{
	uint8_t pub[1 + WA_KEY_LEN] = { WA_SIGNAL_KEY_TYPE };
	const struct wa_signal *s = arg;
	signal_buffer *a, *b;

	memcpy(pub + 1, s->own.identity.pub, WA_KEY_LEN);
	a = signal_buffer_create(pub, sizeof(pub));
	b = signal_buffer_create(s->own.identity.priv, WA_KEY_LEN);
	if (a == NULL || b == NULL) {
		signal_buffer_free(a);
		signal_buffer_bzero_free(b);
		return SG_ERR_NOMEM;
	}
	*pub_out = a;
	*priv_out = b;
	return 0;
}

static int on_own_registration(void *arg, uint32_t *id_out)
{
	const struct wa_signal *s = arg;

	*id_out = s->own.registration_id;
	return 0;
}

/* 1: as known, 0: another, -ENOENT: none known, or the store's failure. */
static int same_identity(struct wa_signal *s, const uint8_t *key_data, size_t key_len)
{
	uint8_t known[WA_KEY_LEN];
	int rc;

	rc = s->ops->identity_load(s->arg, &s->peer, known);
	if (rc < 0)
		return rc;
	return key_len == 1 + WA_KEY_LEN && secret_eq(known, key_data + 1, WA_KEY_LEN);
}

static int on_identity_save(const signal_protocol_address *addr, uint8_t *key_data, size_t key_len,
                            void *arg)
{
	struct wa_signal *s = arg;
	int rc;

	(void)addr;
	if (key_data == NULL || key_len != 1 + WA_KEY_LEN)
		return SG_ERR_INVALID_KEY;
	rc = same_identity(s, key_data, key_len);
	if (rc < 0 && rc != -ENOENT)
		return failed(s, rc);
	if (rc == 1)
		return 0;
	s->note.identity_new = rc == -ENOENT;
	s->note.identity_changed = rc == 0;
	memcpy(s->staged.identity, key_data + 1, WA_KEY_LEN);
	s->staged.has_identity = true;
	return 0;
}

static int on_identity_trusted(const signal_protocol_address *addr, uint8_t *key_data,
                               size_t key_len, void *arg)
{
	struct wa_signal *s = arg;
	int rc;

	(void)addr;
	if (!s->own.refuse_changed_identity)
		return 1;
	rc = same_identity(s, key_data, key_len);
	if (rc < 0 && rc != -ENOENT)
		return failed(s, rc);
	return rc != 0;
}

/* ---- sender keys --------------------------------------------------------------------------------
 */

int wa_signal_sender_key_bytes(struct wa_signal *s, struct buf *out)
{
	if (s->staged.has_sender_key)
		return buf_append(out, s->staged.sender_key.p, s->staged.sender_key.len);
	return s->ops->sender_key_load(s->arg, s->group, &s->peer, out);
}

static int on_sender_key_save(const signal_protocol_sender_key_name *name, uint8_t *record,
                              size_t record_len, uint8_t *user_record, size_t user_record_len,
                              void *arg)
{
	struct wa_signal *s = arg;

	(void)name, (void)user_record, (void)user_record_len;
	buf_wipe(&s->staged.sender_key);
	if (buf_append(&s->staged.sender_key, record, record_len) < 0)
		return failed(s, -ENOMEM);
	s->staged.has_sender_key = true;
	return 0;
}

static int on_sender_key_load(signal_buffer **record, signal_buffer **user_record,
                              const signal_protocol_sender_key_name *name, void *arg)
{
	struct wa_signal *s = arg;
	struct buf b = { 0 };

	(void)name, (void)user_record;
	return loaded(s, wa_signal_sender_key_bytes(s, &b), &b, record);
}

/* ---- all of it ----------------------------------------------------------------------------------
 */

int wa_signal_store_attach(struct wa_signal *s)
{
	const signal_protocol_session_store sessions = {
		.load_session_func = on_session_load,
		.get_sub_device_sessions_func = on_session_devices,
		.store_session_func = on_session_save,
		.contains_session_func = on_session_contains,
		.delete_session_func = on_session_delete,
		.delete_all_sessions_func = on_session_delete_all,
		.user_data = s,
	};
	const signal_protocol_pre_key_store prekeys = {
		.load_pre_key = on_prekey_load,
		.store_pre_key = on_prekey_save,
		.contains_pre_key = on_prekey_contains,
		.remove_pre_key = on_prekey_remove,
		.user_data = s,
	};
	const signal_protocol_signed_pre_key_store signed_prekeys = {
		.load_signed_pre_key = on_signed_load,
		.store_signed_pre_key = on_prekey_save,
		.contains_signed_pre_key = on_signed_contains,
		.remove_signed_pre_key = on_signed_remove,
		.user_data = s,
	};
	const signal_protocol_identity_key_store identities = {
		.get_identity_key_pair = on_own_pair,
		.get_local_registration_id = on_own_registration,
		.save_identity = on_identity_save,
		.is_trusted_identity = on_identity_trusted,
		.user_data = s,
	};
	const signal_protocol_sender_key_store sender_keys = {
		.store_sender_key = on_sender_key_save,
		.load_sender_key = on_sender_key_load,
		.user_data = s,
	};
	int rc;

	rc = signal_protocol_store_context_create(&s->store, s->ctx);
	if (rc >= 0)
		rc = signal_protocol_store_context_set_session_store(s->store, &sessions);
	if (rc >= 0)
		rc = signal_protocol_store_context_set_pre_key_store(s->store, &prekeys);
	if (rc >= 0)
		rc = signal_protocol_store_context_set_signed_pre_key_store(s->store,
		                                                            &signed_prekeys);
	if (rc >= 0)
		rc = signal_protocol_store_context_set_identity_key_store(s->store, &identities);
	if (rc >= 0)
		rc = signal_protocol_store_context_set_sender_key_store(s->store, &sender_keys);
	return rc;
}
