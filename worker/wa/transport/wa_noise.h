/*
 * worker/wa/transport/wa_noise.h - client side of the Noise handshakes, and the transport ciphers after them
 *
 * XX, IK for a server whose key is known, and XXfallback for a server that has another key by now.
 * Bytes in, bytes out; no clock (now is passed in), no socket. The certificate chain is verified in
 * full before any key material of ours is produced; for IK that was in an earlier handshake, and
 * the chain that comes with the answer is verified again. Source: protocol notes 01 sections 5
 * to 9.
 */
#ifndef WA_NOISE_H
#define WA_NOISE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/crypto/wa_keys.h"

/* ---- symmetric state: also what the vectors check step by step ------------------------------- */

struct wa_noise_state {
	uint8_t h[32], ck[32], k[32];
	uint32_t n;
};

/* name: up to 32 bytes padded with NUL, longer ones hashed. */
ATTR_NODISCARD int wa_noise_state_init(struct wa_noise_state *s, const char *name);
ATTR_NODISCARD int wa_noise_mix_hash(struct wa_noise_state *s, const void *d, size_t d_len);
ATTR_NODISCARD int wa_noise_mix_key(struct wa_noise_state *s, const uint8_t ikm[32]);
/* out holds in_len + 16 / in_len - 16. */
ATTR_NODISCARD int wa_noise_encrypt(struct wa_noise_state *s, const void *in, size_t in_len,
                                    uint8_t *out);
ATTR_NODISCARD int wa_noise_decrypt(struct wa_noise_state *s, const void *in, size_t in_len,
                                    uint8_t *out);

/* ---- transport ------------------------------------------------------------------------------- */

struct wa_cipher {
	uint8_t key[32];
	uint32_t counter;
};

struct wa_transport {
	struct wa_cipher send, recv;
};

/* First half of Split goes to client-to-server. */
ATTR_NODISCARD int wa_noise_split(const struct wa_noise_state *s, struct wa_transport *client_out);

/* Append the sealed stanza to out. 0, -ENOMEM, WA_ECRYPTO, WA_ELIMIT (counter used up). */
ATTR_NODISCARD int wa_cipher_seal(struct wa_cipher *c, const void *in, size_t in_len,
                                  struct buf *out);
/* Append the opened stanza to out. 0, WA_EAUTH, WA_ETRUNC (under 17 bytes), WA_ELIMIT, -ENOMEM. */
ATTR_NODISCARD int wa_cipher_open(struct wa_cipher *c, const void *in, size_t in_len,
                                  struct buf *out);

/* ---- certificate chain --------------------------------------------------------------------------
 */

struct wa_root {
	uint8_t key[WA_KEY_LEN];
	uint32_t serial;
};

extern const struct wa_root wa_root_whatsapp;

/*
 * Verify a serialized CertChain: both signatures, both issuer serials, key lengths, leaf key equal
 * to server_static, validity of both at now_unix_s.
 * 0 or WA_ECERT; *why_out (may be NULL) then names the check that failed, static text.
 * *until_out (may be NULL): the earlier end of validity of the two certificates, Unix s.
 */
ATTR_NODISCARD int wa_cert_verify(const uint8_t *chain, size_t chain_len,
                                  const struct wa_root *root,
                                  const uint8_t server_static[WA_KEY_LEN], int64_t now_unix_s,
                                  int64_t *until_out, const char **why_out);

/* ---- client ------------------------------------------------------------------------------------
 */

struct wa_noise_client; /* owns the ephemeral key; wiped on free */

/* The server's static key, as a verified chain vouches for it: for Noise IK at the next login. */
struct wa_server_key {
	uint8_t pub[WA_KEY_LEN];
	int64_t until_unix_s; /* end of the chain's validity; 0: no key */
};

/*
 * static_kp: the device's noise key, copied. ephemeral: NULL draws one (tests pass theirs).
 * Returns 0, -ENOMEM or WA_ECRYPTO.
 */
ATTR_NODISCARD int wa_noise_client_new(const struct wa_keypair *static_kp,
                                       const struct wa_keypair *ephemeral,
                                       const struct wa_root *root,
                                       struct wa_noise_client **client_out);
void wa_noise_client_free(struct wa_noise_client *c);

/* Append the serialized ClientHello message of Noise XX (no frame header). */
ATTR_NODISCARD int wa_noise_client_hello(struct wa_noise_client *c, struct buf *out);

/*
 * The same for Noise IK: with our static key and payload inside, sealed for server_static. A
 * server that does not take it answers with XXfallback, which wa_noise_client_finish() follows.
 * 0, WA_EAUTH (low-order key), WA_ECRYPTO, -ENOMEM.
 */
ATTR_NODISCARD int wa_noise_client_hello_ik(struct wa_noise_client *c,
                                            const uint8_t server_static[WA_KEY_LEN],
                                            const void *payload, size_t payload_len,
                                            struct buf *out);

/*
 * Take the serialized ServerHello, verify everything, append the serialized ClientFinish with
 * payload (ClientPayload bytes) inside, and hand out the transport ciphers.
 * 0; WA_ETRUNC/WA_EPROTO/WA_ELIMIT (not a ServerHello); WA_EAUTH (a tag is wrong); WA_ECERT
 * (*why_out says which check); WA_ESTATE (called twice). On failure nothing was appended and
 * nothing may be sent. After an accepted IK nothing is appended either: there is no ClientFinish.
 * server_key_out (may be NULL): the key the chain vouches for.
 */
ATTR_NODISCARD int wa_noise_client_finish(struct wa_noise_client *c, const uint8_t *server_hello,
                                          size_t server_hello_len, const void *payload,
                                          size_t payload_len, int64_t now_unix_s, struct buf *out,
                                          struct wa_transport *transport_out,
                                          struct wa_server_key *server_key_out,
                                          const char **why_out);

/* The running symmetric state, for vectors and tests. */
const struct wa_noise_state *wa_noise_client_state(const struct wa_noise_client *c);

#endif
