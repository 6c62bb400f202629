/*
 * simulator/server/sim_queue.h - stanzas for one device that were not acked yet (no I/O)
 *
 * Each has a tag and an id; it stays until an ack names both, over any number of connections.
 * Source: protocol notes 04 sections 1, 9 and 10.
 */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/node/wa_node.h"

#define SIM_QUEUE_MAX 100000

struct sim_queue;

struct sim_queue_counts {
	uint32_t count, message, receipt, notification, call;
};

ATTR_NODISCARD int sim_queue_new(struct sim_queue **queue_out);
void sim_queue_free(struct sim_queue *q); /* NULL is fine */

/* Takes node, also on failure; it must have an id. 0, -ENOMEM, WA_ELIMIT, WA_EPROTO. */
ATTR_NODISCARD int sim_queue_push(struct sim_queue *q, struct wa_node *node);
/* False: nothing like it waits. */
bool sim_queue_ack(struct sim_queue *q, const char *tag, const char *id);

void sim_queue_count(const struct sim_queue *q, struct sim_queue_counts *counts_out);

/* A connection begins: all of it is to be handed out again. */
void sim_queue_rewind(struct sim_queue *q);
/*
 * The oldest stanza that was not handed out since the last rewind; it stays until it is acked.
 * True with the encoded stanza in *stanza_out (borrowed until it is acked) and in *sends_out how
 * often it had been handed out before; false: none.
 */
bool sim_queue_take(struct sim_queue *q, const struct buf **stanza_out, uint32_t *sends_out);
/* The id of the oldest one that was handed out and is not acked, with its tag; NULL: none. */
const char *sim_queue_unacked(const struct sim_queue *q, const char **tag_out);

#endif
