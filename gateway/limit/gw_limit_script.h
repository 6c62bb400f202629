/*
 * gateway/limit/gw_limit_script.h - the script that decides in Redis: its text, arguments and answer
 *
 * One call does everything for one request: both limits are looked at before either is counted.
 * Per key a list of the last `limit` admitted instants, oldest first, by Redis' own clock; each
 * is ms * 1024 + the id of the gateway that admitted it, so that a gateway which comes back from
 * deciding alone can say what it has admitted without counting anything twice. A list expires one
 * window after its last entry. Redis 5 or newer (before, a script that asks for the time must not
 * write).
 */
#ifndef GW_LIMIT_SCRIPT_H
#define GW_LIMIT_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "gateway/limit/gw_limit.h"

/* Ids of gateways are below this. */
#define GW_LIMIT_SCRIPT_IDS 1024
#define GW_LIMIT_SCRIPT_KEY_CAP 96
#define GW_LIMIT_SCRIPT_ARGS_MAX 9

extern const char gw_limit_script[];

/* One request, as the script is asked about it. Borrowed pointers point into the struct itself. */
struct gw_limit_script_args {
	const char *argv[GW_LIMIT_SCRIPT_ARGS_MAX]; /* number of keys, keys, arguments */
	size_t argc;
	char keys[2][GW_LIMIT_SCRIPT_KEY_CAP];
	char numbers[4][12];
};

/*
 * limits      per minute, creating per minute
 * ages        of gw_limit_local_ages(), each NUL-terminated or empty; borrowed as long as args
 */
void gw_limit_script_args(enum gw_limit_class class, const struct gw_limit_key *key,
                          const uint32_t limits[2], uint32_t window_ms, uint32_t gateway_id,
                          const struct buf ages[2], struct gw_limit_script_args *args);

/* A call that changes nothing which counts: finds out whether Redis would do its part. */
void gw_limit_script_probe(uint32_t gateway_id, struct gw_limit_script_args *args);

/*
 * The answer. limits as above; now_ms_out: Redis' clock, for tests; may be NULL.
 * 1: allowed; 0: refused; -EEXIST: a key holds something else; -EPROTO: no answer of the script.
 */
ATTR_NODISCARD int gw_limit_script_answer(enum gw_limit_class class, const int64_t *values,
                                          size_t values_n, const uint32_t limits[2],
                                          struct gw_limit_view views_out[2], int64_t *now_ms_out);

#endif
