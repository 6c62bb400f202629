/*
 * simulator/wire/sim_noise.h - server side of the Noise handshake (XX, IK, XXfallback) and the ciphers
 * after it
 *
 * Written from the rules alone and sharing nothing with the client's code, so that a mistake in one
 * does not hide a mistake in the other. Bytes in, bytes out.
 * Source: protocol notes 01 sections 5, 6, 8 and 9.
 */
#ifndef SIM_NOISE_H
#define SIM_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/crypto/wa_keys.h"

/* One direction of the transport. */
struct sim_cipher {
	uint8_t key[32];
	uint32_t counter;
};

/* How a handshake went: FALLBACK is an IK that we did not accept. */
enum sim_handshake {
	SIM_HANDSHAKE_NONE,
	SIM_HANDSHAKE_XX,
	SIM_HANDSHAKE_IK,
	SIM_HANDSHAKE_FALLBACK
};

/* "XX", "IK", "XXfallback"; NULL for none yet. */
const char *sim_handshake_name(enum sim_handshake h);

/* Who the server is when a ClientHello comes. */
struct sim_noise_server {
	const struct wa_keypair *identity; /* its static key; copied */
	const uint8_t *chain;              /* serialized CertChain for that key */
	size_t chain_len;
	bool no_ik; /* answer every IK ClientHello with XXfallback */
};

struct sim_noise; /* one handshake; its keys are wiped on free */

/* The key pair is copied; it must be fresh for each handshake. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_noise_new(const struct wa_keypair *ephemeral, struct sim_noise **noise_out);
void sim_noise_free(struct sim_noise *n); /* NULL is fine */

struct sim_noise_result {
	enum sim_handshake handshake;
	uint8_t client_static[WA_KEY_LEN];
	struct sim_cipher from_client, to_client;
};

/*
 * Take the ClientHello, append the ServerHello to out. Neither has a frame header.
 * 0: the ClientFinish comes next. 1: the handshake is done (IK): the ClientPayload has been
 * appended to payload_out and result_out is filled. An IK ClientHello that is not sealed for our
 * static key gets XXfallback. WA_EPROTO/WA_ETRUNC/WA_ELIMIT (not a ClientHello with a 32-byte key);
 * WA_EAUTH (low-order key; a payload that does not open although the static key did); WA_ESTATE;
 * WA_ECRYPTO; -ENOMEM.
 */
ATTR_NODISCARD int sim_noise_hello(struct sim_noise *n, const uint8_t *client_hello,
                                   size_t client_hello_len, const struct sim_noise_server *server,
                                   struct buf *out, struct buf *payload_out,
                                   struct sim_noise_result *result_out);

/*
 * Take the ClientFinish, append the ClientPayload it holds to payload_out.
 * Errors as above; WA_EAUTH: a tag is wrong.
 */
ATTR_NODISCARD int sim_noise_finish(struct sim_noise *n, const uint8_t *client_finish,
                                    size_t client_finish_len, struct buf *payload_out,
                                    struct sim_noise_result *result_out);

/* Append the sealed stanza. 0, -ENOMEM, WA_ECRYPTO, WA_ELIMIT (2^32 frames). */
ATTR_NODISCARD int sim_cipher_seal(struct sim_cipher *c, const void *in, size_t in_len,
                                   struct buf *out);
/* Append the opened stanza. 0, WA_EAUTH, WA_ETRUNC, WA_ELIMIT, -ENOMEM. */
ATTR_NODISCARD int sim_cipher_open(struct sim_cipher *c, const void *in, size_t in_len,
                                   struct buf *out);

#endif
