/*
 * gateway/gw_limit.h - how many requests a token or an address may make
 *
 * Exact over a sliding window of 60 s: per key the instants of the last `limit` admitted requests;
 * a request is refused while the oldest of them is under 60 s old. A refused request consumes
 * nothing.
 */
#ifndef GW_LIMIT_H
#define GW_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define GW_LIMIT_WINDOW_MS 60000
#define GW_LIMIT_KEY_LEN 32
/* Addresses remembered at once; beyond it the one idle for longest is forgotten. */
#define GW_LIMIT_ADDRESSES_MAX 65536

struct gw;
struct gw_limit;

enum gw_limit_class {
	GW_LIMIT_NONE,   /* does not count */
	GW_LIMIT_MINUTE, /* limit_per_minute */
	GW_LIMIT_CREATE, /* limit_per_minute and limit_create_per_minute besides */
};

/* Whose requests are counted: zero-filled beyond what is used. */
struct gw_limit_key {
	enum { GW_LIMIT_BY_TOKEN, GW_LIMIT_BY_ADDRESS } by;
	uint8_t bytes[GW_LIMIT_KEY_LEN]; /* SHA-256 of the token, or the address */
};

/* What the headers say; of the limit that is nearer where two apply. */
struct gw_limit_result {
	bool allowed;
	uint32_t limit;
	uint32_t remaining;
	int64_t reset_unix_s;   /* when remaining next grows */
	uint32_t retry_after_s; /* at least 1; meaningful when refused */
};

/* With cfg's two limits. 0, -EINVAL (one is not above 0), -ENOMEM or WA_ECRYPTO. */
ATTR_NODISCARD int gw_limit_new(struct gw *gw, struct gw_limit **limit_out);
void gw_limit_free(struct gw_limit *limit); /* NULL is fine */

/* The same with the limits given, for tests. */
ATTR_NODISCARD int gw_limit_new_with(uint32_t per_minute, uint32_t create_per_minute,
                                     size_t addresses_max, struct gw_limit **limit_out);

/*
 * Count one request of key. class is not GW_LIMIT_NONE. 0 or -ENOMEM (nothing counted, *result_out
 * untouched).
 */
ATTR_NODISCARD int gw_limit_take(struct gw_limit *limit, enum gw_limit_class class,
                                 const struct gw_limit_key *key,
                                 struct gw_limit_result *result_out);

/* gw_limit_take() at a given time: now_ms monotonic and never falling, now_unix_ms wall clock. */
ATTR_NODISCARD int gw_limit_take_at(struct gw_limit *limit, enum gw_limit_class class,
                                    const struct gw_limit_key *key, uint64_t now_ms,
                                    int64_t now_unix_ms, struct gw_limit_result *result_out);

/* Keys remembered now. */
size_t gw_limit_keys_n(const struct gw_limit *limit);

/* "ok", or what is wrong, as /health shows it. Static storage. */
const char *gw_limit_health(const struct gw_limit *limit);

#endif
