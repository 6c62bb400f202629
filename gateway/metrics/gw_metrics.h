/*
 * gateway/metrics/gw_metrics.h - what the gateway counts, and its text for Prometheus
 *
 * Counting is an addition in a table that is there from the start: nothing is allocated, looked up
 * by name, or locked. Every function takes NULL for "nobody counts". Labels are ours alone
 * (patterns of routes, words of tables), never text from a client, so the number of series is
 * bounded.
 */
#ifndef GW_METRICS_H
#define GW_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "gateway/limit/gw_limit.h"

struct gw;
struct gw_addr_list;
struct gw_metrics;
struct gw_route;

/* Why a worker was started; begins with enum gw_mode. */
enum gw_metrics_start {
	GW_START_LINK,
	GW_START_RESUME,
	GW_START_LOGOUT,
	GW_START_ADOPTED, /* it ran already when this gateway began */
	GW_START_N
};

/* How a worker ended. */
enum gw_metrics_exit {
	GW_EXIT_LEFT, /* it said so first, or was told to */
	GW_EXIT_CRASHED,
	GW_EXIT_NOT_STARTED,
	GW_EXIT_N
};

/* Memory of all workers that could be read, in bytes. */
struct gw_metrics_memory {
	uint64_t workers_n;
	uint64_t sum;
	uint64_t max;
};
enum { GW_MEMORY_RESIDENT, GW_MEMORY_PROPORTIONAL, GW_MEMORY_PRIVATE, GW_MEMORY_N };

/* allow: comma-separated addresses and networks that may read; NULL: nobody. 0, -EINVAL or -ENOMEM.
 */
ATTR_NODISCARD int gw_metrics_new(const char *allow, struct gw_metrics **metrics_out);
void gw_metrics_free(struct gw_metrics *m); /* NULL is fine */
const struct gw_addr_list *gw_metrics_allow(const struct gw_metrics *m);

/* An answer has been given, or (499) the client has left before. route NULL: none was found. */
void gw_metrics_http(struct gw_metrics *m, const struct gw_route *route, int status, uint64_t ms);
/* A caller of connect has got a code. */
void gw_metrics_connect(struct gw_metrics *m, uint64_t ms);
void gw_metrics_rate_limited(struct gw_metrics *m, bool by_token);
void gw_metrics_worker_start(struct gw_metrics *m, enum gw_metrics_start why);
void gw_metrics_worker_exit(struct gw_metrics *m, enum gw_metrics_exit how);

/*
 * Everything there is, in Prometheus' text format, appended to out. memory: GW_MEMORY_N of them.
 * 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_metrics_text(const struct gw *gw, const struct gw_metrics_memory *memory,
                                   struct buf *out);

#endif
