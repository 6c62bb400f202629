/*
 * worker/wa/signal/wa_signal.h - Signal sessions: what is inside <enc>, both directions
 *
 * libsignal-protocol-c does the ratchets; keys and records live behind struct wa_signal_store_ops,
 * as bytes. An operation that fails changes nothing in the store: what it would have written is
 * held back until it has succeeded, then handed to the store at once (identity, session or sender
 * key, used pre-key). The caller runs each operation inside one transaction of that store, together
 * with the plaintext, and must have committed it before a ciphertext leaves the process. One
 * thread; a struct wa_signal is not reentrant. Source: protocol notes 05.
 */
#ifndef WA_SIGNAL_H
#define WA_SIGNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wa/node/wa_jid.h"

#define WA_SIGNAL_NAME_MAX (WA_JID_USER_MAX + 4) /* user, then "_129" */
#define WA_SIGNAL_CIPHER_MAX (4u * 1024 * 1024)  /* one <enc>; a stanza is no larger than 8 MiB */
#define WA_SIGNAL_PREKEY_ID_MAX 0xFFFFFEu

/*
 * Why a ciphertext was not opened or made, beside the codes of common/err.h (WA_ELIMIT: too large,
 * WA_ECRYPTO, -ENOMEM, and whatever the store said).
 */
#define WA_SIGNAL_ERR_LIST(X) \
	X(WA_SIG_ENOSESSION, -10401, \
	  "no_signal_session")                        /* nor sender key: ask again with keys */ \
	X(WA_SIG_ENOPREKEY, -10402, "unknown_prekey") /* one-time or signed pre-key is not ours */ \
	X(WA_SIG_EDUPLICATE, -10403, \
	  "duplicate_message")                     /* old counter: skip it, receipt as usual */ \
	X(WA_SIG_EMAC, -10404, "bad_mac")          /* or signature: no key we hold opens it */ \
	X(WA_SIG_ETOOFAR, -10405, "too_far_ahead") /* beyond what the ratchet skips */ \
	X(WA_SIG_EMALFORMED, -10406, "malformed_cipher") /* not such a message; bad padding */ \
	X(WA_SIG_EVERSION, -10407, "cipher_version")     /* another protocol version */ \
	X(WA_SIG_EIDENTITY, -10408, "identity_changed")  /* only where a change is refused */ \
	X(WA_SIG_EBUNDLE, -10409, \
	  "bad_prekey_bundle") /* signed pre-key not signed by the identity */

enum wa_signal_err {
#define X(id, num, name) id = (num),
	WA_SIGNAL_ERR_LIST(X)
#undef X
};

/* The word for one of these codes; NULL for any other. Static storage. */
const char *wa_signal_err_name(int rc);
/* What <retry error> of a retry receipt says for it (05 section 9.4); 0: nothing. */
unsigned wa_signal_retry_reason(int rc);

/* <enc type>. */
enum wa_enc { WA_ENC_UNKNOWN, WA_ENC_MSG, WA_ENC_PKMSG, WA_ENC_SKMSG, WA_ENC_MSMSG };
enum wa_enc wa_enc_parse(const char *type); /* NULL is fine */
const char *wa_enc_name(enum wa_enc type);  /* "" for WA_ENC_UNKNOWN */

/* ---- addresses ----------------------------------------------------------------------------------
 */

struct wa_signal_addr {
	char name[WA_SIGNAL_NAME_MAX + 1]; /* "15550001111", "100000000000001_1" */
	uint32_t device;
};

#define WA_SIGNAL_ADDR_TEXT_CAP (WA_SIGNAL_NAME_MAX + 12)

/*
 * Of a phone number (also c.us), LID, hosted or bot. 0, or WA_EPROTO: no session peer, or a user
 * that is not all digits (else "1_1" of one server would be "1" of another).
 */
ATTR_NODISCARD int wa_signal_addr_from_jid(const struct wa_jid *jid,
                                           struct wa_signal_addr *addr_out);
/* "name:device"; out holds WA_SIGNAL_ADDR_TEXT_CAP bytes. Returns the length. */
size_t wa_signal_addr_format(const struct wa_signal_addr *addr, char *out);

/* ---- store --------------------------------------------------------------------------------------
 *
 * All return 0 or a negative code that the operation hands on; the loads -ENOENT for "none".
 * Records are opaque bytes with private keys in them: to be sealed at rest.
 */
struct wa_signal_store_ops {
	/* Append the record. */
	int (*session_load)(void *arg, const struct wa_signal_addr *addr, struct buf *out);
	int (*session_save)(void *arg, const struct wa_signal_addr *addr, const uint8_t *record,
	                    size_t record_len);
	int (*identity_load)(void *arg, const struct wa_signal_addr *addr, uint8_t out[WA_KEY_LEN]);
	int (*identity_save)(void *arg, const struct wa_signal_addr *addr,
	                     const uint8_t key[WA_KEY_LEN]);
	int (*prekey_load)(void *arg, uint32_t id, struct wa_keypair *out);
	int (*prekey_remove)(void *arg, uint32_t id); /* used up */
	/* Current and earlier ones. */
	int (*signed_prekey_load)(void *arg, uint32_t id, struct wa_keypair *out,
	                          uint8_t sig_out[WA_SIG_LEN]);
	/* Of one sender device in one group (JID text). */
	int (*sender_key_load)(void *arg, const char *group, const struct wa_signal_addr *addr,
	                       struct buf *out);
	int (*sender_key_save)(void *arg, const char *group, const struct wa_signal_addr *addr,
	                       const uint8_t *record, size_t record_len);
};

/* ---- life ---------------------------------------------------------------------------------------
 */

struct wa_signal_own {
	struct wa_keypair identity;
	uint32_t registration_id;
	/* A changed identity key fails with WA_SIG_EIDENTITY instead of replacing the old one. */
	bool refuse_changed_identity;
};

struct wa_signal;

/* own is copied; ops and arg must outlive it. 0, WA_ECRYPTO or -ENOMEM. */
ATTR_NODISCARD int wa_signal_new(const struct wa_signal_own *own,
                                 const struct wa_signal_store_ops *ops, void *arg,
                                 struct wa_signal **s_out);
void wa_signal_free(struct wa_signal *s); /* wipes; NULL is fine */

/* For tests: where randomness comes from. 32 bytes a key, 1 byte a padding, 64 a signature. */
void wa_signal_set_random(struct wa_signal *s, int (*fn)(void *arg, uint8_t *out, size_t n),
                          void *arg);

/* For tests: whatever is sealed from now on ends in a padding that none can be. */
void wa_signal_set_bad_padding(struct wa_signal *s, bool bad);

/* ---- padding ------------------------------------------------------------------------------------
 */

/* Length without the padding. 0 or WA_SIG_EMALFORMED (empty, pad byte 0, too long or unequal). */
ATTR_NODISCARD int wa_unpad(const uint8_t *data, size_t data_len, size_t *len_out);
/* Append (rnd & 15) + 1 bytes. 0 or -ENOMEM. */
ATTR_NODISCARD int wa_pad(struct buf *b, uint8_t rnd);

/* ---- pairwise -----------------------------------------------------------------------------------
 */

/* What an operation found out beside its result. */
struct wa_signal_note {
	bool identity_changed; /* another key than the one known; the old one is replaced */
	bool identity_new;     /* none was known */
	bool session_new;      /* the message began a session */
	uint32_t prekey_id;    /* one-time pre-key that was used up; 0: none */
};

/*
 * Append the plaintext (a Message, padding removed) of a msg or pkmsg. note_out may be NULL.
 * 0, a code of the list above, or what the store said. out and store are unchanged on failure.
 */
ATTR_NODISCARD int wa_signal_decrypt(struct wa_signal *s, const struct wa_signal_addr *from,
                                     enum wa_enc type, const uint8_t *data, size_t data_len,
                                     struct buf *out, struct wa_signal_note *note_out);

/*
 * Pad and encrypt msg; append the ciphertext. *type_out: msg, or pkmsg until the peer has answered.
 * 0, WA_SIG_ENOSESSION (fetch a bundle first), ...
 */
ATTR_NODISCARD int wa_signal_encrypt(struct wa_signal *s, const struct wa_signal_addr *to,
                                     const void *msg, size_t msg_len, enum wa_enc *type_out,
                                     struct buf *out);

/* Keys of a peer's device, from the server or a retry receipt. */
struct wa_prekey_bundle {
	uint32_t registration_id;
	uint8_t identity[WA_KEY_LEN];
	uint32_t signed_prekey_id;
	uint8_t signed_prekey[WA_KEY_LEN];
	uint8_t signed_prekey_sig[WA_SIG_LEN];
	bool has_prekey; /* false: the device has run out of one-time keys */
	uint32_t prekey_id;
	uint8_t prekey[WA_KEY_LEN];
};

/* Begin a session. 0, WA_SIG_EBUNDLE, WA_SIG_EIDENTITY, ... */
ATTR_NODISCARD int wa_signal_take_bundle(struct wa_signal *s, const struct wa_signal_addr *to,
                                         const struct wa_prekey_bundle *b,
                                         struct wa_signal_note *note_out);

struct wa_signal_session_info {
	uint32_t remote_registration_id;
	uint8_t base_key[WA_KEY_LEN]; /* the same while the session is the same (05 section 9.3) */
	bool answered;                /* the next message will be a msg, no pkmsg */
};

/* 0, or WA_SIG_ENOSESSION: none that could encrypt. */
ATTR_NODISCARD int wa_signal_session_info(struct wa_signal *s, const struct wa_signal_addr *peer,
                                          struct wa_signal_session_info *info_out);

/* ---- groups -------------------------------------------------------------------------------------
 */

/*
 * Append our SenderKeyDistributionMessage for the group as it is before the next message; makes the
 * sender key when there is none. *key_id_out (may be NULL): which key it is.
 */
ATTR_NODISCARD int wa_signal_skdm_make(struct wa_signal *s, const char *group,
                                       const struct wa_signal_addr *own, struct buf *out,
                                       uint32_t *key_id_out);
/*
 * Take a member's. A repeated one, of a key and iteration already held, is left alone (it would
 * make old messages acceptable again). *taken_out (may be NULL): false for such a one.
 */
ATTR_NODISCARD int wa_signal_skdm_take(struct wa_signal *s, const char *group,
                                       const struct wa_signal_addr *from, const uint8_t *data,
                                       size_t data_len, bool *taken_out);
/* As the pairwise ones; WA_SIG_ENOSESSION: no sender key, or not this one. */
ATTR_NODISCARD int wa_signal_group_decrypt(struct wa_signal *s, const char *group,
                                           const struct wa_signal_addr *from, const uint8_t *data,
                                           size_t data_len, struct buf *out);
ATTR_NODISCARD int wa_signal_group_encrypt(struct wa_signal *s, const char *group,
                                           const struct wa_signal_addr *own, const void *msg,
                                           size_t msg_len, struct buf *out);

#endif
