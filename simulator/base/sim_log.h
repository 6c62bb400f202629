/*
 * simulator/base/sim_log.h - the last stanzas of all connections, for GET /log
 *
 * Stanzas are kept as bytes and decoded only when somebody asks: logging costs a connect nothing
 * but a copy. Bounded in number and in bytes; the oldest go first.
 */
#ifndef SIM_LOG_H
#define SIM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define SIM_LOG_ENTRIES 16384
#define SIM_LOG_BYTES (16u * 1024 * 1024)

struct sim_log;

struct sim_log_entry {
	uint64_t seq; /* from 1, never reused */
	uint32_t client;
	bool out; /* server to client */
	int64_t at_unix_ms;
	uint8_t *stanza; /* with its flag byte; owned */
	size_t stanza_len;
};

ATTR_NODISCARD int sim_log_new(struct sim_log **log_out); /* 0 or -ENOMEM */
void sim_log_free(struct sim_log *l);                     /* NULL is fine */

/* Keep a copy; without memory the entry is lost, nothing else. */
void sim_log_add(struct sim_log *l, uint32_t client, bool out, int64_t at_unix_ms,
                 const uint8_t *stanza, size_t stanza_len);

/* Entries with seq > since and (client 0: any) that client, oldest first. */
void sim_log_each(const struct sim_log *l, uint64_t since, uint32_t client,
                  void (*on_entry)(const struct sim_log_entry *e, void *arg), void *arg);

#endif
