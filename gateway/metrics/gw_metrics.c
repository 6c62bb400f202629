/* gateway/metrics/gw_metrics.c - what the gateway counts */
#include "gateway/metrics/gw_metrics.h"

#include <stdlib.h>

#include "gateway/http/gw_addr.h"
#include "gateway/metrics/gw_metrics_priv.h"

/* Upper bounds in ms; one more bucket has what is above. */
const uint32_t gw_metrics_http_ms[GW_HTTP_BUCKETS] = { 1,   5,    10,   25,   50,    100,   250,
	                                               500, 1000, 2500, 5000, 10000, 30000, 60000 };
const uint32_t gw_metrics_connect_ms[GW_CONNECT_BUCKETS] = {
	100, 250, 500, 1000, 2000, 3000, 5000, 8000, 13000, 20000, 30000, 60000
};

const uint16_t gw_metrics_statuses[GW_STATUSES] = { 101, 200, 201, 204, 304, 400, 401, 403,
	                                            404, 405, 406, 408, 409, 410, 413, 429,
	                                            499, 500, 501, 502, 503, 504, 0 };

static size_t table_len(const struct gw_route *table)
{
	size_t n = 0;

	while (table[n].pattern != NULL)
		n++;
	return n;
}

int gw_metrics_new(const char *allow, struct gw_metrics **metrics_out)
{
	struct gw_metrics *m = calloc(1, sizeof(*m));
	int rc = -ENOMEM;

	if (m == NULL)
		return rc;
	m->public_n = table_len(gw_routes_public);
	m->admin_n = table_len(gw_routes_admin);
	m->routes_n = m->public_n + m->admin_n + 1;
	m->http = calloc(m->routes_n * GW_STATUSES, sizeof(*m->http));
	if (m->http != NULL)
		rc = gw_addr_list_parse(allow, &m->allow);
	if (rc < 0) {
		gw_metrics_free(m);
		return rc;
	}
	*metrics_out = m;
	return 0;
}

void gw_metrics_free(struct gw_metrics *m)
{
	if (m == NULL)
		return;
	gw_addr_list_free(m->allow);
	free(m->http);
	free(m);
}

const struct gw_addr_list *gw_metrics_allow(const struct gw_metrics *m)
{
	return m->allow;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* The last row is for requests without a route. */
static size_t row_of(const struct gw_metrics *m, const struct gw_route *r)
{
	if (r >= gw_routes_public && r < gw_routes_public + m->public_n)
		return (size_t)(r - gw_routes_public);
	if (r >= gw_routes_admin && r < gw_routes_admin + m->admin_n)
		return m->public_n + (size_t)(r - gw_routes_admin);
	return m->routes_n - 1;
}

static size_t column_of(int status)
{
	size_t i = 0;

	while (i < GW_STATUSES - 1 && gw_metrics_statuses[i] != status)
		i++;
	return i;
}

static size_t bucket_of(const uint32_t *bounds, size_t bounds_n, uint64_t ms)
{
	size_t i = 0;

	while (i < bounds_n && ms > bounds[i])
		i++;
	return i;
}

void gw_metrics_http(struct gw_metrics *m, const struct gw_route *route, int status, uint64_t ms)
{
	struct gw_metrics_http_series *s;

	if (m == NULL)
		return;
	s = &m->http[row_of(m, route) * GW_STATUSES + column_of(status)];
	s->buckets[bucket_of(gw_metrics_http_ms, GW_HTTP_BUCKETS, ms)]++;
	s->sum_ms += ms;
}

void gw_metrics_connect(struct gw_metrics *m, uint64_t ms)
{
	if (m == NULL)
		return;
	m->connect[bucket_of(gw_metrics_connect_ms, GW_CONNECT_BUCKETS, ms)]++;
	m->connect_sum_ms += ms;
}

void gw_metrics_rate_limited(struct gw_metrics *m, bool by_token)
{
	if (m != NULL)
		m->rate_limited_n[by_token]++;
}

void gw_metrics_worker_start(struct gw_metrics *m, enum gw_metrics_start why)
{
	if (m != NULL)
		m->starts_n[why]++;
}

void gw_metrics_worker_exit(struct gw_metrics *m, enum gw_metrics_exit how)
{
	if (m != NULL)
		m->exits_n[how]++;
}
