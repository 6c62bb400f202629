/*
 * gateway/limit/gw_limit.h - how many requests a token or an address may make
 *
 * Exact over a sliding window of 60 s: per key the instants of the last `limit` admitted requests;
 * a request is refused while the oldest of them is under 60 s old. A refused request consumes
 * nothing.
 *
 * The instants are in this process's memory (gw_limit_local.h), or, with redis_url, in a Redis that
 * any number of gateways share: then the memory follows along and decides alone whenever Redis
 * doesn't (gw_limit_redis.c).
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
struct gw_limit_call;
struct gw_redis_times;

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

/* What one of the two limits says about a request, after it was counted or refused. */
struct gw_limit_view {
	uint32_t limit;
	uint32_t n;       /* requests in the window */
	uint64_t wait_ms; /* until remaining next grows; 0: nothing was counted yet */
};

/* result is NULL: no memory, nothing was counted. */
typedef void gw_limit_cb(const struct gw_limit_result *result, void *arg);

/*
 * With cfg's two limits and, if redis_url is set, its Redis; that one is not waited for.
 * 0, -EINVAL (a limit is not above 0), -ENOMEM, WA_ECRYPTO, or what reading the password file says.
 */
ATTR_NODISCARD int gw_limit_new(struct gw *gw, struct gw_limit **limit_out);
/* The same with the waits for Redis given (static; NULL: the default), for tests. */
ATTR_NODISCARD int gw_limit_new_times(struct gw *gw, const struct gw_redis_times *times,
                                      struct gw_limit **limit_out);
/* Calls that still wait end with a decision from memory first. NULL is fine. */
void gw_limit_free(struct gw_limit *limit);

/* In memory, with the limits given, for tests. */
ATTR_NODISCARD int gw_limit_new_with(uint32_t per_minute, uint32_t create_per_minute,
                                     size_t addresses_max, struct gw_limit **limit_out);

/*
 * Count one request of key. class is not GW_LIMIT_NONE.
 * 0: *result_out is the answer. 1: cb(result, arg) comes with it, from the loop, at the latest when
 * Redis has not answered in time; *call_out is good until then. -ENOMEM: nothing was counted.
 */
ATTR_NODISCARD int gw_limit_take(struct gw_limit *limit, enum gw_limit_class class,
                                 const struct gw_limit_key *key, gw_limit_cb *cb, void *arg,
                                 struct gw_limit_result *result_out,
                                 struct gw_limit_call **call_out);
/* Nobody waits for it any more: cb is not called. The request counts all the same. */
void gw_limit_cancel(struct gw_limit_call *call);

/* "ok", or what is wrong, as /health shows it. Good until the next call. */
const char *gw_limit_health(struct gw_limit *limit);

/* For /metrics: is there a Redis, does it decide at the moment, and who has decided how often? */
struct gw_limit_stats {
	bool shared;
	bool shared_up;
	bool degraded; /* health is not "ok" */
	uint64_t by_redis_n;
	uint64_t by_memory_n;
	uint64_t redis_lost_n; /* how often Redis was given up */
};
void gw_limit_stats(struct gw_limit *limit, struct gw_limit_stats *out);

/*
 * How long does Redis take for one call? cb comes once, from the loop: rc 0 and how many us, or why
 * there is no answer. 0; -ENOTCONN: there is none, or it is down; -ENOMEM.
 */
struct gw_limit_ping;
ATTR_NODISCARD int gw_limit_ping(struct gw_limit *limit, void (*cb)(int rc, uint64_t us, void *arg),
                                 void *arg, struct gw_limit_ping **ping_out);
/* Nobody waits for it any more. Not after its cb. NULL is fine. */
void gw_limit_ping_cancel(struct gw_limit_ping *ping);

/* From views (one or two) to what the headers say: of two, the one with less left. */
void gw_limit_judge(const struct gw_limit_view *views, size_t views_n, bool allowed,
                    int64_t now_unix_ms, struct gw_limit_result *out);

#endif
