/* simulator/phone/sim_keep.h - records by name, in memory; zero-initialised is empty and valid */
#ifndef SIM_KEEP_H
#define SIM_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct sim_kept; /* internal */

struct sim_keep {
	struct sim_kept **slots; /* owned */
	size_t n, cap;
};

void sim_keep_clear(struct sim_keep *k); /* wiped; empty and usable afterwards */
/* Replaces. Bytes are copied. 0 or -ENOMEM (then nothing has changed). */
ATTR_NODISCARD int sim_keep_put(struct sim_keep *k, const char *name, const void *data, size_t len);
/* 0 with borrowed bytes, good until the record changes; or -ENOENT. */
ATTR_NODISCARD int sim_keep_get(const struct sim_keep *k, const char *name,
                                const uint8_t **data_out, size_t *len_out);
bool sim_keep_drop(struct sim_keep *k, const char *name);
/* In no order; on_record must not change k. */
void sim_keep_each(const struct sim_keep *k,
                   void (*on_record)(const char *name, const uint8_t *data, size_t len, void *arg),
                   void *arg);

#endif
