/* worker/wa/signal/wa_signal_group.c - sender keys: one ciphertext for all of a group */
#include <errno.h>
#include <signal/curve.h>
#include <signal/group_cipher.h>
#include <signal/group_session_builder.h>
#include <signal/protocol.h>
#include <signal/sender_key.h>
#include <signal/sender_key_record.h>
#include <signal/sender_key_state.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "worker/wa/signal/wa_signal_priv.h"

static signal_protocol_sender_key_name lib_name(const char *group,
                                                const struct wa_signal_addr *addr)
{
	return (signal_protocol_sender_key_name){
		.group_id = group,
		.group_id_len = strlen(group),
		.sender = wa_signal_lib_addr(addr),
	};
}

/* 0, WA_SIG_ENOSESSION or another failure. Caller: SIGNAL_UNREF. */
static int load_record(struct wa_signal *s, sender_key_record **record_out)
{
	struct buf b = { 0 };
	int rc;

	rc = wa_signal_sender_key_bytes(s, &b);
	if (rc == 0)
		rc = wa_signal_rc(s, sender_key_record_deserialize(record_out, b.p, b.len, s->ctx));
	buf_wipe(&b);
	return rc == -ENOENT ? WA_SIG_ENOSESSION : rc;
}

/* ---- distribution -------------------------------------------------------------------------------
 */

int wa_signal_skdm_make(struct wa_signal *s, const char *group, const struct wa_signal_addr *own,
                        struct buf *out, uint32_t *key_id_out)
{
	signal_protocol_sender_key_name name = lib_name(group, own);
	sender_key_distribution_message *m = NULL;
	group_session_builder *builder = NULL;
	size_t out_len = out->len;
	uint32_t key_id = 0;
	int rc;

	wa_signal_op_begin(s, own, group);
	rc = wa_signal_rc(s, group_session_builder_create(&builder, s->store, s->ctx));
	if (rc == 0)
		rc = wa_signal_rc(s, group_session_builder_create_session(builder, &m, &name));
	if (rc == 0) {
		signal_buffer *bytes =
		    ciphertext_message_get_serialized((const ciphertext_message *)m);

		key_id = sender_key_distribution_message_get_id(m);
		rc = buf_append(out, signal_buffer_data(bytes), signal_buffer_len(bytes));
	}
	group_session_builder_free(builder);
	SIGNAL_UNREF(m);
	rc = wa_signal_op_end(s, rc);
	if (rc < 0)
		out->len = out_len;
	else if (key_id_out != NULL)
		*key_id_out = key_id;
	return rc;
}

/* Held already: the same key, at this iteration or later? */
static int is_repeated(struct wa_signal *s, sender_key_distribution_message *m, bool *repeated_out)
{
	sender_key_record *record = NULL;
	sender_key_state *state = NULL;
	int rc;

	rc = load_record(s, &record);
	if (rc < 0)
		return rc == WA_SIG_ENOSESSION ? 0 : rc;
	if (sender_key_record_get_sender_key_state_by_id(
	        record, &state, sender_key_distribution_message_get_id(m)) == 0 &&
	    ec_public_key_compare(sender_key_state_get_signing_key_public(state),
	                          sender_key_distribution_message_get_signature_key(m)) == 0 &&
	    sender_chain_key_get_iteration(sender_key_state_get_chain_key(state)) >=
	        sender_key_distribution_message_get_iteration(m))
		*repeated_out = true;
	SIGNAL_UNREF(record);
	return 0;
}

int wa_signal_skdm_take(struct wa_signal *s, const char *group, const struct wa_signal_addr *from,
                        const uint8_t *data, size_t data_len, bool *taken_out)
{
	signal_protocol_sender_key_name name = lib_name(group, from);
	sender_key_distribution_message *m = NULL;
	group_session_builder *builder = NULL;
	bool repeated = false;
	int rc, err;

	rc = wa_signal_wire_check(WA_WIRE_DISTRIBUTION, data, data_len);
	if (rc < 0)
		return rc;
	err = sender_key_distribution_message_deserialize(&m, data, data_len, s->ctx);
	if (err < 0)
		return err == SG_ERR_NOMEM ? -ENOMEM : WA_SIG_EMALFORMED;
	wa_signal_op_begin(s, from, group);
	rc = is_repeated(s, m, &repeated);
	if (rc == 0 && !repeated) {
		rc = wa_signal_rc(s, group_session_builder_create(&builder, s->store, s->ctx));
		if (rc == 0)
			rc = wa_signal_rc(s,
			                  group_session_builder_process_session(builder, &name, m));
	}
	group_session_builder_free(builder);
	SIGNAL_UNREF(m);
	rc = wa_signal_op_end(s, rc);
	if (rc == 0 && taken_out != NULL)
		*taken_out = !repeated;
	return rc;
}

/* ---- messages -----------------------------------------------------------------------------------
 */

/* Do we hold the key of m, near enough? 0, WA_SIG_ENOSESSION, WA_SIG_ETOOFAR or a failure. */
static int check_key(struct wa_signal *s, sender_key_message *m)
{
	sender_key_record *record = NULL;
	sender_key_state *state = NULL;
	uint32_t at, want = sender_key_message_get_iteration(m);
	int rc;

	rc = load_record(s, &record);
	if (rc < 0)
		return rc;
	if (sender_key_record_is_empty(record) ||
	    sender_key_record_get_sender_key_state_by_id(record, &state,
	                                                 sender_key_message_get_key_id(m)) < 0) {
		rc = WA_SIG_ENOSESSION;
	} else {
		at = sender_chain_key_get_iteration(sender_key_state_get_chain_key(state));
		if (want > at && want - at > WA_SIGNAL_FORWARD_MAX)
			rc = WA_SIG_ETOOFAR;
	}
	SIGNAL_UNREF(record);
	return rc;
}

static int decrypt(struct wa_signal *s, const signal_protocol_sender_key_name *name,
                   sender_key_message *m, struct buf *out)
{
	group_cipher *cipher = NULL;
	signal_buffer *plain = NULL;
	size_t n;
	int rc;

	rc = check_key(s, m);
	if (rc == 0)
		rc = wa_signal_rc(s, group_cipher_create(&cipher, s->store, name, s->ctx));
	if (rc == 0)
		rc = wa_signal_rc(s, group_cipher_decrypt(cipher, m, NULL, &plain));
	if (rc == 0)
		rc = wa_unpad(signal_buffer_data(plain), signal_buffer_len(plain), &n);
	if (rc == 0)
		rc = buf_append(out, signal_buffer_data(plain), n);
	signal_buffer_bzero_free(plain);
	group_cipher_free(cipher);
	return rc;
}

int wa_signal_group_decrypt(struct wa_signal *s, const char *group,
                            const struct wa_signal_addr *from, const uint8_t *data, size_t data_len,
                            struct buf *out)
{
	signal_protocol_sender_key_name name = lib_name(group, from);
	sender_key_message *m = NULL;
	size_t out_len = out->len;
	int rc, err;

	rc = wa_signal_wire_check(WA_WIRE_SENDER_KEY, data, data_len);
	if (rc < 0)
		return rc;
	err = sender_key_message_deserialize(&m, data, data_len, s->ctx);
	if (err < 0)
		return err == SG_ERR_NOMEM ? -ENOMEM : WA_SIG_EMALFORMED;
	wa_signal_op_begin(s, from, group);
	rc = wa_signal_op_end(s, decrypt(s, &name, m, out));
	SIGNAL_UNREF(m);
	if (rc < 0 && out->len > out_len) {
		secret_wipe(out->p + out_len, out->len - out_len);
		out->len = out_len;
	}
	return rc;
}

int wa_signal_group_encrypt(struct wa_signal *s, const char *group,
                            const struct wa_signal_addr *own, const void *msg, size_t msg_len,
                            struct buf *out)
{
	signal_protocol_sender_key_name name = lib_name(group, own);
	ciphertext_message *sealed = NULL;
	group_cipher *cipher = NULL;
	size_t out_len = out->len;
	struct buf padded = { 0 };
	int rc;

	if (msg_len > WA_SIGNAL_CIPHER_MAX - 1024)
		return WA_ELIMIT;
	wa_signal_op_begin(s, own, group);
	rc = wa_signal_padded(s, msg, msg_len, &padded);
	if (rc == 0)
		rc = wa_signal_rc(s, group_cipher_create(&cipher, s->store, &name, s->ctx));
	if (rc == 0)
		rc = wa_signal_rc(s, group_cipher_encrypt(cipher, padded.p, padded.len, &sealed));
	if (rc == 0) {
		signal_buffer *bytes = ciphertext_message_get_serialized(sealed);

		rc = buf_append(out, signal_buffer_data(bytes), signal_buffer_len(bytes));
	}
	group_cipher_free(cipher);
	SIGNAL_UNREF(sealed);
	buf_wipe(&padded);
	rc = wa_signal_op_end(s, rc);
	if (rc < 0)
		out->len = out_len;
	return rc;
}
