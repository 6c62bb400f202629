/*
 * tests/unit/wa_fixture.h - a server for tests: keys from fixed bytes, certificate chains with any
 * single thing wrong, and its side of the Noise handshake
 *
 * Used by unit tests and fuzz targets; anything that can't go wrong ends the program when it does.
 */
#ifndef WA_FIXTURE_H
#define WA_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "proto/wa_handshake.pb-c.h"
#include "worker/wa/transport/wa_noise.h"

#define FIXTURE_NOT_BEFORE 1700000000
#define FIXTURE_NOT_AFTER 1800000000
#define FIXTURE_NOW 1750000000

struct fixture {
	struct wa_keypair root_kp, inter_kp, server_static, server_ephemeral;
	struct wa_keypair client_static, client_ephemeral;
	struct wa_root root;
};

void fixture_init(struct fixture *f);

/* The private key of n equal bytes, clamped. */
void fixture_key(uint8_t byte, struct wa_keypair *kp_out);

struct chain_spec {
	Wa__NoiseCertificateDetails inter, leaf; /* signed as they are when the chain is packed */
	struct wa_keypair inter_signer, leaf_signer;
	void (*change)(Wa__CertChain *chain); /* NULL, or a last change behind the signatures */
	uint8_t leaf_key[WA_KEY_LEN + 1], inter_key[WA_KEY_LEN + 1]; /* what the details point to */
};

/* A valid chain. spec must stay where it is. */
void fixture_chain_spec(const struct fixture *f, struct chain_spec *spec);
/* Append the serialized chain. */
void fixture_chain_pack(const struct chain_spec *spec, struct buf *out);

/* Append the serialized ServerHello that answers the fixture's client, with chain inside. */
void fixture_server_hello(const struct fixture *f, const void *chain, size_t chain_len,
                          struct buf *out);

/* The same in answer to a ClientHello of IK: XXfallback, with the fixture's server key. */
void fixture_fallback_hello(const struct fixture *f, const void *chain, size_t chain_len,
                            struct buf *out);
/* The ServerHello of a server that takes client_hello, a ClientHello of IK for its key. */
void fixture_ik_answer(const struct fixture *f, const struct buf *client_hello, const void *chain,
                       size_t chain_len, struct buf *out);

/* A client with the fixture's keys that has sent its ClientHello. */
struct wa_noise_client *fixture_client(const struct fixture *f);
/* The same with IK for server_static, and FIXTURE_PAYLOAD inside; the hello is appended. */
#define FIXTURE_PAYLOAD "payload"
struct wa_noise_client *fixture_client_ik(const struct fixture *f, const uint8_t *server_static,
                                          struct buf *hello_out);

#endif
