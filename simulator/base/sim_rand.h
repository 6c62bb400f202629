/*
 * simulator/base/sim_rand.h - randomness that can be repeated
 *
 * A stream is a key and a counter (HMAC-SHA256 in counter mode). With --seed the first key comes
 * from the seed, else from OpenSSL. What must not depend on the order of events (each connection,
 * each phone) gets a stream of its own, derived from a label and an index.
 */
#ifndef SIM_RAND_H
#define SIM_RAND_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/crypto/wa_keys.h"

struct sim_rand {
	uint8_t key[32];
	uint64_t counter;
};

/* seed NULL: from the system. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_rand_init(struct sim_rand *r, const uint64_t *seed);
/* The stream of label and index; does not move the parent. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_rand_fork(const struct sim_rand *parent, const char *label, uint64_t index,
                                 struct sim_rand *child_out);
/* 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_rand_bytes(struct sim_rand *r, void *out, size_t n);
/* n decimal digits, the first not 0, and a NUL. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_rand_digits(struct sim_rand *r, char *out, size_t n);
/* A fresh key pair from the stream. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_rand_keypair(struct sim_rand *r, struct wa_keypair *kp_out);

#endif
