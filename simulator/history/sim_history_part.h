/*
 * simulator/history/sim_history_part.h - one blob of history, written as a stream (no I/O)
 *
 * A HistorySync goes through deflate piece by piece: a conversation's metadata and messages are in
 * memory, never all of them. Source: protocol notes 07 sections 1, 2 and 4.
 */
#ifndef SIM_HISTORY_PART_H
#define SIM_HISTORY_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "simulator/history/sim_history.h"

/* HistorySync.HistorySyncType */
enum sim_history_type {
	SIM_HISTORY_BOOTSTRAP = 0,
	SIM_HISTORY_STATUS = 1,
	SIM_HISTORY_FULL = 2,
	SIM_HISTORY_RECENT = 3,
	SIM_HISTORY_PUSH_NAME = 4,
	SIM_HISTORY_NON_BLOCKING = 5,
	SIM_HISTORY_ON_DEMAND = 6,
};

const char *sim_history_type_word(enum sim_history_type type);
/* By its word; false: there is none. */
bool sim_history_type_find(const char *word, enum sim_history_type *type_out);

struct sim_history_part {
	enum sim_history_type type;
	uint32_t order; /* from 1 within its type */
	/* RECENT and FULL, for their progress: messages of all parts of the type, and of those
	 * before this one */
	uint64_t total, sent;
	/* RECENT and FULL: messages of that time, from this place on, at most so many */
	int64_t from_unix_s, to_unix_s; /* to: not included */
	uint32_t chat, done;            /* done: how many of the chat's were written already */
	uint32_t max;
	/* ON_DEMAND: messages of chat before number `before` */
	uint32_t before;
};

struct sim_history_written {
	uint32_t conversations, messages;
	uint32_t progress;     /* 0 to 100; 100: the last one */
	int64_t oldest_unix_s; /* 0: no message */
	uint32_t chat, done;   /* where the next part begins; chat == h->chats: there is none */
	uint64_t plain_len;    /* before deflate */
};

/* Append the zlib stream. 0, WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int sim_history_write(const struct sim_history *h,
                                     const struct sim_history_part *part, struct buf *out,
                                     struct sim_history_written *written_out);
/* How many messages a range of time holds. */
ATTR_NODISCARD int sim_history_count(const struct sim_history *h, int64_t from_unix_s,
                                     int64_t to_unix_s, uint64_t *n_out);

#endif
