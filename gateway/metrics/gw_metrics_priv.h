/* gateway/metrics/gw_metrics_priv.h - the counters, for those who count and those who print */
#ifndef GW_METRICS_PRIV_H
#define GW_METRICS_PRIV_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/http/gw_route.h"
#include "gateway/metrics/gw_metrics.h"

#define GW_HTTP_BUCKETS 14
#define GW_CONNECT_BUCKETS 12
#define GW_STATUSES 23

extern const uint32_t gw_metrics_http_ms[GW_HTTP_BUCKETS];
extern const uint32_t gw_metrics_connect_ms[GW_CONNECT_BUCKETS];
extern const uint16_t gw_metrics_statuses[GW_STATUSES]; /* the last, 0, is any other */

struct gw_metrics_http_series {
	uint64_t buckets[GW_HTTP_BUCKETS + 1]; /* not cumulative */
	uint64_t sum_ms;
};

struct gw_metrics {
	struct gw_addr_list *allow;
	size_t public_n, admin_n;            /* routes */
	size_t routes_n;                     /* of both, and one for requests without */
	struct gw_metrics_http_series *http; /* a row of GW_STATUSES per route */
	uint64_t connect[GW_CONNECT_BUCKETS + 1];
	uint64_t connect_sum_ms;
	uint64_t rate_limited_n[2]; /* by address, by token */
	uint64_t starts_n[GW_START_N];
	uint64_t exits_n[GW_EXIT_N];
};

#endif
