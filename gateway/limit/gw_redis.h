/*
 * gateway/limit/gw_redis.h - one connection to a Redis that runs one script for us
 *
 * Calls are pipelined on one connection, on the gateway's loop; nothing here waits. A call that is
 * not answered in time, and everything else that is wrong with Redis, ends the connection: all
 * calls that wait are told at once, further ones are refused at once, and the connection is tried
 * again after a while that grows. It is up when Redis has run the script on a key of the probe, so
 * an error that every request would get (no password, no memory, a replica, loading) keeps it down.
 *
 * hiredis 0.14 has no timeouts and looks names up with getaddrinfo(), so both are done here. It
 * aborts the process when malloc() fails; its reading is bounded here, so that no peer can make it
 * ask for much.
 */
#ifndef GW_REDIS_H
#define GW_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "gateway/limit/gw_redis_url.h"

struct event_base;
struct gw_redis;

#define GW_REDIS_VALUES_MAX 8

struct gw_redis_times {
	uint32_t connect;   /* ms: name, connection, password and probe together */
	uint32_t command;   /* ms from a call to its answer */
	uint32_t idle;      /* ms without a call after which the probe is sent again */
	uint32_t retry_min; /* ms: pause after the first failure; doubled with each, with jitter */
	uint32_t retry_max;
};
extern const struct gw_redis_times gw_redis_times_default;

struct gw_redis_params {
	struct event_base *base;
	const struct gw_redis_target *target; /* copied */
	const char *script;                   /* static */
	const char *const *probe;             /* arguments of a call that always works; copied */
	size_t probe_n;
	const struct gw_redis_times *times; /* NULL: the default; static */
};

/* Begins to connect. 0, -ENOMEM. */
ATTR_NODISCARD int gw_redis_new(const struct gw_redis_params *params, struct gw_redis **redis_out);
/* Calls that wait get -ECANCELED, from inside. Not from a call's callback. NULL is fine. */
void gw_redis_free(struct gw_redis *redis);

/*
 * rc 0: values are the script's integers, borrowed. Else why there is no answer: WA_ETIMEOUT,
 * -ECONNRESET, WA_EPROTO, ... and Redis is down now.
 */
typedef void gw_redis_cb(int rc, const int64_t *values, size_t values_n, void *arg);

/*
 * Run the script: argv is the number of keys, the keys, the arguments; all borrowed for the call.
 * cb is called once, from the loop. 0, -ENOTCONN (down: decide without it) or -ENOMEM.
 * Before the first connection has come about or failed, calls wait for that as they would for an
 * answer.
 */
ATTR_NODISCARD int gw_redis_call(struct gw_redis *redis, const char *const *argv, size_t argc,
                                 gw_redis_cb *cb, void *arg);

/* Would gw_redis_call() take one? */
bool gw_redis_takes_calls(const struct gw_redis *redis);
/* Are calls answered? */
bool gw_redis_is_up(const struct gw_redis *redis);
/* Counts connections that were up; 0 before the first. What a script once knew may be gone with a
 * new one. */
uint32_t gw_redis_epoch(const struct gw_redis *redis);
/* What is wrong, for a person: "refused the connection", "OOM"; never a secret or an address. Good
 * until the next call. */
const char *gw_redis_why(const struct gw_redis *redis);
/* How often it went down after it had been up. */
uint64_t gw_redis_lost_n(const struct gw_redis *redis);

#endif
