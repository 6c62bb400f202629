/*
 * simulator/sim_pair.h - after a registration: refs, their clock, and the stanzas of the pairing
 * phase
 *
 * Source: protocol notes 03 section 4 and 04 sections 4.2 and 8.
 */
#ifndef SIM_PAIR_H
#define SIM_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define SIM_REFS 6
#define SIM_REF_CAP 96
#define SIM_IQ_ID_CAP 16

struct sim_client;

struct sim_pairing {
	char iq_id[SIM_IQ_ID_CAP]; /* of the last pair-device; "" before */
	char (*refs)[SIM_REF_CAP]; /* owned; NULL before */
	size_t refs_n;
	uint64_t sent_at_ms;
	bool acked;
	/* faults */
	bool no_pong;
	bool ends_early;  /* the connection ends with the last code */
	bool ends_on_ack; /* the connection ends with the answer to pair-device */
};

/* How long the codes of n refs live together: 60 s for the first of six, else 20 s each. */
uint32_t sim_refs_total_ms(size_t n);
/* When code index of n is over, in ms from pair-device. */
uint32_t sim_ref_end_ms(size_t index, size_t n);

/* The registration was accepted. */
void sim_pair_begin(struct sim_client *c);
void sim_pair_clear(struct sim_pairing *p);
/* 0, or a negative code that ends the connection. */
ATTR_NODISCARD int sim_pair_on_stanza(struct sim_client *c, const uint8_t *stanza, size_t len);
/* The deadline of the pairing phase is over. */
void sim_pair_on_deadline(struct sim_client *c);

#endif
