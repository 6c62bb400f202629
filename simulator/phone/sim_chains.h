/*
 * simulator/phone/sim_chains.h - which chain keys a client has used for what it sent (no I/O)
 *
 * A message key of a ratchet, or of a sender key, may seal one message only. Two different
 * ciphertexts of one counter of one chain mean that a client has gone back to an older state; the
 * same ciphertext again is a stanza sent again. Source: protocol notes 05 section 1.
 */
#ifndef SIM_CHAINS_H
#define SIM_CHAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/signal/wa_signal.h"

#define SIM_CHAINS_MAX 100000         /* of one account; more are not watched */
#define SIM_CHAIN_COUNTERS (1u << 20) /* of one chain */
#define SIM_CHAIN_NAME_CAP 96

struct sim_chains;

void sim_chains_free(struct sim_chains *c); /* NULL is fine */

/*
 * Note a ciphertext that the device has sent. *c_io is made when it is NULL. chat: of an skmsg.
 * 0; WA_EPROTO (not such a message: not noted); WA_ELIMIT; WA_ECRYPTO; -ENOMEM.
 */
ATTR_NODISCARD int sim_chains_note(struct sim_chains **c_io, uint32_t device, const char *chat,
                                   enum wa_enc type, const uint8_t *data, size_t len);

struct sim_chains_sum {
	uint64_t messages; /* that were noted */
	uint64_t repeated; /* the same ciphertext again */
	uint64_t reused;   /* another ciphertext under a key that was used */
	uint64_t gaps;     /* counters that were left out when a later one came */
	size_t chains;
	/* The latest that was reused; name "": none. */
	char reused_chain[SIM_CHAIN_NAME_CAP];
	uint32_t reused_counter;
};

void sim_chains_sum(const struct sim_chains *c, struct sim_chains_sum *sum_out); /* NULL is fine */
/* name: "DEVICE KEY" or "DEVICE CHAT KEYID"; next: above the highest counter. */
void sim_chains_each(const struct sim_chains *c,
                     void (*on_chain)(const char *name, uint32_t next, void *arg), void *arg);

#endif
