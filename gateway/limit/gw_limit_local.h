/*
 * gateway/limit/gw_limit_local.h - the windows of all keys, in this process's memory
 *
 * It decides alone, or follows what a shared Redis decides (gw_limit_local_follow()), so that it
 * can take over at any moment and give back what it knows. Times are given: now_ms is monotonic
 * and never falls.
 */
#ifndef GW_LIMIT_LOCAL_H
#define GW_LIMIT_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "gateway/limit/gw_limit.h"

/* Instants told to Redis in one go; of a key with more, the newest. */
#define GW_LIMIT_AGES_MAX 10000

struct gw_limit_local;

struct gw_limit_local_params {
	uint32_t per_minute;
	uint32_t create_per_minute;
	uint32_t window_ms;
	size_t addresses_max;
};

/* 0, -EINVAL (one of the params is 0), -ENOMEM or WA_ECRYPTO. */
ATTR_NODISCARD int gw_limit_local_new(const struct gw_limit_local_params *params,
                                      struct gw_limit_local **local_out);
void gw_limit_local_free(struct gw_limit_local *local); /* NULL is fine */

/*
 * Count one request of key, from what is known here. views_out has one entry, for GW_LIMIT_CREATE
 * two. 1: allowed; 0: refused; -ENOMEM: nothing counted.
 */
ATTR_NODISCARD int gw_limit_local_take(struct gw_limit_local *local, enum gw_limit_class class,
                                       const struct gw_limit_key *key, uint64_t now_ms,
                                       struct gw_limit_view views_out[2]);

/* ---- beside a shared Redis ------------------------------------------------------------------- */

/*
 * Redis has decided on a request of key: views as it said, epoch of the connection that it said it
 * on. What other gateways admitted is the difference to what is known here. Without memory the
 * window here is short by this request.
 */
void gw_limit_local_follow(struct gw_limit_local *local, enum gw_limit_class class,
                           const struct gw_limit_key *key, uint64_t now_ms, bool allowed,
                           const struct gw_limit_view views[2], uint32_t epoch);

/*
 * What Redis may not know of key, on the connection of that epoch: the ages in ms of what this
 * gateway admitted, "59000 1200 17", oldest first; empty when it knows all. out[1] is touched for
 * GW_LIMIT_CREATE only. 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_limit_local_ages(struct gw_limit_local *local, enum gw_limit_class class,
                                       const struct gw_limit_key *key, uint64_t now_ms,
                                       uint32_t epoch, struct buf out[2]);

/* Under key, Redis holds something that is not ours (or no longer does). */
void gw_limit_local_mark(struct gw_limit_local *local, const struct gw_limit_key *key,
                         uint64_t now_ms, bool foreign);
/* How many such keys there are; idle ones are forgotten, a few a call. */
size_t gw_limit_local_marked_n(struct gw_limit_local *local, uint64_t now_ms);

/* Keys remembered now. */
size_t gw_limit_local_keys_n(const struct gw_limit_local *local);

#endif
