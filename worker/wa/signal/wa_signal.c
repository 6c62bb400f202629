/* worker/wa/signal/wa_signal.c - pairwise Signal sessions over libsignal-protocol-c */
#include "worker/wa/signal/wa_signal.h"

#include <errno.h>
#include <signal/curve.h>
#include <signal/protocol.h>
#include <signal/ratchet.h>
#include <signal/session_builder.h>
#include <signal/session_cipher.h>
#include <signal/session_pre_key.h>
#include <signal/session_record.h>
#include <signal/session_state.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "worker/wa/signal/wa_signal_priv.h"

/* ---- life ---------------------------------------------------------------------------------------
 */

int wa_signal_new(const struct wa_signal_own *own, const struct wa_signal_store_ops *ops, void *arg,
                  struct wa_signal **s_out)
{
	struct wa_signal *s = secret_alloc(sizeof(*s));
	int rc;

	if (s == NULL)
		return -ENOMEM;
	s->own = *own;
	s->ops = ops;
	s->arg = arg;
	rc = wa_signal_crypto_new(&s->crypto);
	if (rc == 0)
		rc = wa_signal_rc(s, signal_context_create(&s->ctx, s));
	if (rc == 0)
		rc = wa_signal_rc(s, wa_signal_crypto_attach(s->crypto, s->ctx));
	if (rc == 0)
		rc = wa_signal_rc(s, wa_signal_store_attach(s));
	if (rc < 0) {
		wa_signal_free(s);
		return rc;
	}
	*s_out = s;
	return 0;
}

void wa_signal_free(struct wa_signal *s)
{
	if (s == NULL)
		return;
	if (s->store != NULL)
		signal_protocol_store_context_destroy(s->store);
	if (s->ctx != NULL)
		signal_context_destroy(s->ctx);
	wa_signal_crypto_free(s->crypto);
	secret_free(s);
}

void wa_signal_set_random(struct wa_signal *s, int (*fn)(void *arg, uint8_t *out, size_t n),
                          void *arg)
{
	wa_signal_crypto_set_random(s->crypto, fn, arg);
}

void wa_signal_set_bad_padding(struct wa_signal *s, bool bad)
{
	s->bad_padding = bad;
}

/* ---- parts --------------------------------------------------------------------------------------
 */

int wa_signal_rc(const struct wa_signal *s, int signal_err)
{
	if (signal_err >= 0)
		return 0;
	if (s->store_rc < 0)
		return s->store_rc;
	switch (signal_err) {
	case SG_ERR_NOMEM:
		return -ENOMEM;
	case SG_ERR_DUPLICATE_MESSAGE:
		return WA_SIG_EDUPLICATE;
	case SG_ERR_NO_SESSION:
		return WA_SIG_ENOSESSION;
	case SG_ERR_INVALID_KEY_ID:
		return WA_SIG_ENOPREKEY;
	case SG_ERR_INVALID_MAC:
	case SG_ERR_INVALID_MESSAGE:
		return WA_SIG_EMAC;
	case SG_ERR_UNTRUSTED_IDENTITY:
		return WA_SIG_EIDENTITY;
	case SG_ERR_INVALID_VERSION:
	case SG_ERR_LEGACY_MESSAGE:
		return WA_SIG_EVERSION;
	case SG_ERR_INVALID_PROTO_BUF:
	case SG_ERR_INVALID_KEY:
		return WA_SIG_EMALFORMED;
	}
	return WA_ECRYPTO;
}

struct signal_protocol_address wa_signal_lib_addr(const struct wa_signal_addr *addr)
{
	return (struct signal_protocol_address){
		.name = addr->name,
		.name_len = strlen(addr->name),
		.device_id = (int32_t)addr->device,
	};
}

int wa_signal_key(const struct wa_signal *s, const uint8_t pub[WA_KEY_LEN], ec_public_key **out)
{
	uint8_t typed[1 + WA_KEY_LEN] = { WA_SIGNAL_KEY_TYPE };

	memcpy(typed + 1, pub, WA_KEY_LEN);
	return curve_decode_point(out, typed, sizeof(typed), s->ctx);
}

/* The peer's record: 0, WA_SIG_ENOSESSION or another failure. Caller: SIGNAL_UNREF. */
static int load_record(struct wa_signal *s, session_record **record_out)
{
	struct buf b = { 0 };
	int rc;

	rc = wa_signal_session_bytes(s, &b);
	if (rc == 0)
		rc = wa_signal_rc(s, session_record_deserialize(record_out, b.p, b.len, s->ctx));
	buf_wipe(&b);
	return rc == -ENOENT ? WA_SIG_ENOSESSION : rc;
}

/*
 * The peer has another identity now: sessions that were archived under the old one must not open
 * anything any more. (The library keeps up to 40.)
 */
static int drop_old_sessions(struct wa_signal *s)
{
	session_record_state_node *node;
	session_record *record = NULL;
	signal_buffer *bytes = NULL;
	ec_public_key *identity;
	int rc;

	rc = load_record(s, &record);
	if (rc < 0)
		return rc;
	identity = session_state_get_remote_identity_key(session_record_get_state(record));
	node = session_record_get_previous_states_head(record);
	while (node != NULL) {
		session_state *old = session_record_get_previous_states_element(node);

		if (ec_public_key_compare(session_state_get_remote_identity_key(old), identity) !=
		    0)
			node = session_record_get_previous_states_remove(record, node);
		else
			node = session_record_get_previous_states_next(node);
	}
	rc = wa_signal_rc(s, session_record_serialize(&bytes, record));
	if (rc == 0) {
		buf_wipe(&s->staged.session);
		rc = buf_append(&s->staged.session, signal_buffer_data(bytes),
		                signal_buffer_len(bytes));
	}
	signal_buffer_bzero_free(bytes);
	SIGNAL_UNREF(record);
	return rc;
}

/* ---- decrypt ------------------------------------------------------------------------------------
 */

/*
 * The library says the same for a wrong MAC and for a counter too far ahead. Look which: is there a
 * chain for the message's ratchet key, and how far is it behind?
 */
static int why_not_opened(struct wa_signal *s, const signal_message *m)
{
	session_record *record = NULL;
	session_record_state_node *node;
	session_state *state;
	int rc = WA_SIG_EMAC;

	if (load_record(s, &record) < 0)
		return WA_SIG_EMAC;
	node = session_record_get_previous_states_head(record);
	for (state = session_record_get_state(record); state != NULL && rc == WA_SIG_EMAC;) {
		ratchet_chain_key *chain = session_state_get_receiver_chain_key(
		    state, signal_message_get_sender_ratchet_key(m));
		uint32_t at = chain == NULL ? UINT32_MAX : ratchet_chain_key_get_index(chain);

		if (chain != NULL && signal_message_get_counter(m) > at &&
		    signal_message_get_counter(m) - at > WA_SIGNAL_FORWARD_MAX)
			rc = WA_SIG_ETOOFAR;
		state = node == NULL ? NULL : session_record_get_previous_states_element(node);
		node = node == NULL ? NULL : session_record_get_previous_states_next(node);
	}
	SIGNAL_UNREF(record);
	return rc;
}

static int decrypt_msg(struct wa_signal *s, session_cipher *cipher, const uint8_t *data,
                       size_t data_len, signal_buffer **plain)
{
	signal_message *m = NULL;
	int rc, err;

	rc = wa_signal_wire_check(WA_WIRE_SIGNAL, data, data_len);
	if (rc < 0)
		return rc;
	/* What the library's reader refuses is not a message, whatever it calls it. */
	err = signal_message_deserialize(&m, data, data_len, s->ctx);
	if (err < 0)
		return err == SG_ERR_NOMEM ? -ENOMEM : WA_SIG_EMALFORMED;
	err = session_cipher_decrypt_signal_message(cipher, m, NULL, plain);
	rc = wa_signal_rc(s, err);
	if (err == SG_ERR_INVALID_MESSAGE && rc == WA_SIG_EMAC)
		rc = why_not_opened(s, m);
	SIGNAL_UNREF(m);
	return rc;
}

static int decrypt_pkmsg(struct wa_signal *s, session_cipher *cipher, const uint8_t *data,
                         size_t data_len, signal_buffer **plain)
{
	pre_key_signal_message *m = NULL;
	signal_message *inner;
	signal_buffer *text;
	int rc, err;

	rc = wa_signal_wire_check(WA_WIRE_PREKEY, data, data_len);
	if (rc < 0)
		return rc;
	err = pre_key_signal_message_deserialize(&m, data, data_len, s->ctx);
	if (err < 0)
		return err == SG_ERR_NOMEM ? -ENOMEM : WA_SIG_EMALFORMED;
	inner = pre_key_signal_message_get_signal_message(m);
	text = ciphertext_message_get_serialized((const ciphertext_message *)inner);
	rc =
	    wa_signal_wire_check(WA_WIRE_SIGNAL, signal_buffer_data(text), signal_buffer_len(text));
	if (rc == 0) {
		err = session_cipher_decrypt_pre_key_signal_message(cipher, m, NULL, plain);
		rc = wa_signal_rc(s, err);
		if (err == SG_ERR_INVALID_MESSAGE && rc == WA_SIG_EMAC)
			rc = why_not_opened(s, inner);
	}
	SIGNAL_UNREF(m);
	return rc;
}

/* Append plain without its padding. */
static int take_plain(signal_buffer *plain, struct buf *out)
{
	size_t n;
	int rc;

	rc = wa_unpad(signal_buffer_data(plain), signal_buffer_len(plain), &n);
	return rc < 0 ? rc : buf_append(out, signal_buffer_data(plain), n);
}

/* 1, 0 or the store's failure. */
static int has_record(struct wa_signal *s)
{
	struct buf b = { 0 };
	int rc;

	rc = wa_signal_session_bytes(s, &b);
	buf_wipe(&b);
	return rc == -ENOENT ? 0 : rc < 0 ? rc : 1;
}

int wa_signal_decrypt(struct wa_signal *s, const struct wa_signal_addr *from, enum wa_enc type,
                      const uint8_t *data, size_t data_len, struct buf *out,
                      struct wa_signal_note *note_out)
{
	struct signal_protocol_address addr = wa_signal_lib_addr(from);
	size_t out_len = out->len;
	session_cipher *cipher = NULL;
	signal_buffer *plain = NULL;
	int rc, had_session = 1;

	if (type != WA_ENC_MSG && type != WA_ENC_PKMSG)
		return WA_SIG_EMALFORMED;
	wa_signal_op_begin(s, from, NULL);
	if (type == WA_ENC_PKMSG)
		had_session = has_record(s);
	if (had_session < 0)
		return had_session;
	rc = wa_signal_rc(s, session_cipher_create(&cipher, s->store, &addr, s->ctx));
	if (rc == 0)
		rc = type == WA_ENC_MSG ? decrypt_msg(s, cipher, data, data_len, &plain)
		                        : decrypt_pkmsg(s, cipher, data, data_len, &plain);
	session_cipher_free(cipher);
	if (rc == 0 && s->note.identity_changed)
		rc = drop_old_sessions(s);
	if (rc == 0)
		rc = take_plain(plain, out);
	signal_buffer_bzero_free(plain);
	rc = wa_signal_op_end(s, rc);
	if (rc < 0 && out->len > out_len) {
		secret_wipe(out->p + out_len, out->len - out_len);
		out->len = out_len;
	}
	s->note.session_new = !had_session;
	if (rc == 0 && note_out != NULL)
		*note_out = s->note;
	return rc;
}

/* ---- encrypt ------------------------------------------------------------------------------------
 */

int wa_signal_padded(struct wa_signal *s, const void *msg, size_t msg_len, struct buf *out)
{
	uint8_t rnd = 0;
	int rc;

	rc = wa_signal_crypto_random(s->crypto, &rnd, 1);
	if (rc == 0)
		rc = buf_append(out, msg, msg_len);
	if (rc == 0)
		rc = wa_pad(out, rnd);
	if (rc == 0 && s->bad_padding)
		out->p[out->len - 1] = 0;
	return rc;
}

int wa_signal_encrypt(struct wa_signal *s, const struct wa_signal_addr *to, const void *msg,
                      size_t msg_len, enum wa_enc *type_out, struct buf *out)
{
	struct signal_protocol_address addr = wa_signal_lib_addr(to);
	struct wa_signal_session_info info;
	ciphertext_message *sealed = NULL;
	session_cipher *cipher = NULL;
	size_t out_len = out->len;
	struct buf padded = { 0 };
	int rc;

	if (msg_len > WA_SIGNAL_CIPHER_MAX - 1024)
		return WA_ELIMIT;
	wa_signal_op_begin(s, to, NULL);
	rc = wa_signal_padded(s, msg, msg_len, &padded);
	if (rc == 0)
		rc = wa_signal_rc(s, session_cipher_create(&cipher, s->store, &addr, s->ctx));
	if (rc == 0)
		rc = wa_signal_rc(s, session_cipher_encrypt(cipher, padded.p, padded.len, &sealed));
	if (rc == 0) {
		signal_buffer *bytes = ciphertext_message_get_serialized(sealed);

		rc = buf_append(out, signal_buffer_data(bytes), signal_buffer_len(bytes));
	}
	session_cipher_free(cipher);
	buf_wipe(&padded);
	rc = wa_signal_op_end(s, rc);
	if (rc == 0)
		*type_out = ciphertext_message_get_type(sealed) == CIPHERTEXT_PREKEY_TYPE
		                ? WA_ENC_PKMSG
		                : WA_ENC_MSG;
	else
		out->len = out_len;
	SIGNAL_UNREF(sealed);
	/* Without a session to send on the library only says that something failed. */
	if (rc == WA_ECRYPTO && wa_signal_session_info(s, to, &info) == WA_SIG_ENOSESSION)
		rc = WA_SIG_ENOSESSION;
	return rc;
}

int wa_signal_session_info(struct wa_signal *s, const struct wa_signal_addr *peer,
                           struct wa_signal_session_info *info_out)
{
	struct wa_signal_session_info info = { 0 };
	session_record *record = NULL;
	signal_buffer *key = NULL;
	session_state *state;
	int rc;

	wa_signal_op_begin(s, peer, NULL);
	rc = load_record(s, &record);
	if (rc < 0)
		return rc;
	state = session_record_get_state(record);
	if (state == NULL || !session_state_has_sender_chain(state)) {
		rc = WA_SIG_ENOSESSION;
		goto out;
	}
	info.remote_registration_id = session_state_get_remote_registration_id(state);
	info.answered = !session_state_has_unacknowledged_pre_key_message(state);
	if (session_state_get_alice_base_key(state) != NULL)
		rc = wa_signal_rc(
		    s, ec_public_key_serialize(&key, session_state_get_alice_base_key(state)));
	if (rc == 0 && key != NULL && signal_buffer_len(key) == 1 + WA_KEY_LEN)
		memcpy(info.base_key, signal_buffer_data(key) + 1, WA_KEY_LEN);
	if (rc == 0)
		*info_out = info;
out:
	signal_buffer_free(key);
	SIGNAL_UNREF(record);
	return rc;
}

/* ---- bundles ------------------------------------------------------------------------------------
 */

static int process_bundle(struct wa_signal *s, const struct wa_signal_addr *to,
                          session_pre_key_bundle *bundle)
{
	struct signal_protocol_address addr = wa_signal_lib_addr(to);
	session_builder *builder = NULL;
	int rc;

	rc = wa_signal_rc(s, session_builder_create(&builder, s->store, &addr, s->ctx));
	if (rc == 0)
		rc = wa_signal_rc(s, session_builder_process_pre_key_bundle(builder, bundle));
	session_builder_free(builder);
	return rc;
}

int wa_signal_take_bundle(struct wa_signal *s, const struct wa_signal_addr *to,
                          const struct wa_prekey_bundle *b, struct wa_signal_note *note_out)
{
	uint8_t typed[1 + WA_KEY_LEN] = { WA_SIGNAL_KEY_TYPE };
	ec_public_key *identity = NULL, *signed_key = NULL, *one_time = NULL;
	session_pre_key_bundle *bundle = NULL;
	int rc;

	/* Ours is stricter than the library's check of the same signature. */
	memcpy(typed + 1, b->signed_prekey, WA_KEY_LEN);
	if (wa_xeddsa_verify(b->identity, typed, sizeof(typed), b->signed_prekey_sig) < 0)
		return WA_SIG_EBUNDLE;
	wa_signal_op_begin(s, to, NULL);
	rc = wa_signal_rc(s, wa_signal_key(s, b->identity, &identity));
	if (rc == 0)
		rc = wa_signal_rc(s, wa_signal_key(s, b->signed_prekey, &signed_key));
	if (rc == 0 && b->has_prekey)
		rc = wa_signal_rc(s, wa_signal_key(s, b->prekey, &one_time));
	if (rc == 0)
		rc = wa_signal_rc(s, session_pre_key_bundle_create(
		                         &bundle, b->registration_id, (int)to->device, b->prekey_id,
		                         one_time, b->signed_prekey_id, signed_key,
		                         b->signed_prekey_sig, WA_SIG_LEN, identity));
	if (rc == 0)
		rc = process_bundle(s, to, bundle);
	if (rc == 0 && s->note.identity_changed)
		rc = drop_old_sessions(s);
	SIGNAL_UNREF(bundle);
	SIGNAL_UNREF(one_time);
	SIGNAL_UNREF(signed_key);
	SIGNAL_UNREF(identity);
	rc = wa_signal_op_end(s, rc);
	s->note.session_new = true;
	if (rc == 0 && note_out != NULL)
		*note_out = s->note;
	return rc;
}
