/* gateway/metrics/gw_metrics_text.c - what the gateway counts, in Prometheus' text format (version
 * 0.0.4)
 */
#include "gateway/metrics/gw_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/metrics/gw_metrics_priv.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/webhook/gw_hooks.h"

#define SECONDS_CAP 24

/* A failure stays: the caller looks once, at the end. */
struct text {
	struct buf *out;
	int rc;
};

ATTR_PRINTF(2, 3) static void put(struct text *t, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (t->rc == 0)
		t->rc = n < 0 || (size_t)n >= sizeof(line) ? -EMSGSIZE
		                                           : buf_append(t->out, line, (size_t)n);
}

static void family(struct text *t, const char *name, const char *type, const char *help)
{
	put(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(struct text *t, const char *name, const char *type, const char *help, uint64_t v)
{
	family(t, name, type, help);
	put(t, "%s %" PRIu64 "\n", name, v);
}

/* 1500 as "1.5", 60000 as "60". */
static const char *seconds(uint64_t ms, char out[SECONDS_CAP])
{
	int n = snprintf(out, SECONDS_CAP, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));

	while (out[n - 1] == '0')
		out[--n] = '\0';
	if (out[n - 1] == '.')
		out[n - 1] = '\0';
	return out;
}

/* labels: "a=\"b\"" without braces, or "". */
static void histogram(struct text *t, const char *name, const char *labels, const uint32_t *bounds,
                      size_t bounds_n, const uint64_t *buckets, uint64_t sum_ms)
{
	const char *comma = *labels == '\0' ? "" : ",", *open = *labels == '\0' ? "" : "{",
	           *close = *labels == '\0' ? "" : "}";
	char s[SECONDS_CAP];
	uint64_t n = 0;

	for (size_t i = 0; i < bounds_n; i++) {
		n += buckets[i];
		put(t, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels, comma,
		    seconds(bounds[i], s), n);
	}
	n += buckets[bounds_n];
	put(t, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, n);
	put(t, "%s_sum%s%s%s %s\n", name, open, labels, close, seconds(sum_ms, s));
	put(t, "%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, n);
}

/* ---- the families ---------------------------------------------------------------------------- */

static void put_about(struct text *t, const struct gw *gw)
{
	uint64_t up_ms = clock_ms() - gw->start_ms;

	family(t, "warden_build_info", "gauge", "Version of the gateway.");
	put(t, "warden_build_info{version=\"%s\"} 1\n", WARDEN_VERSION);
	number(t, "process_start_time_seconds", "gauge", "Unix time at which the gateway started.",
	       (uint64_t)(clock_unix_ms() - (int64_t)up_ms) / 1000);
}

static void put_instances(struct text *t, const struct gw *gw)
{
	static const char name[] = "warden_instances";
	uint64_t n[GW_CONN_STATE_N] = { 0 };
	struct gw_instance *inst = NULL;

	while ((inst = gw_registry_next_any(gw->registry, inst)) != NULL)
		n[gw_instance_state(inst)]++;
	family(t, name, "gauge", "Instances by state, as list shows them.");
	for (int st = 0; st < GW_CONN_STATE_N; st++)
		put(t, "%s{state=\"%s\"} %" PRIu64 "\n", name,
		    gw_conn_state_name((enum gw_conn_state)st), n[st]);
}

static void put_workers(struct text *t, const struct gw *gw)
{
	static const char *const starts[] = { [GW_START_LINK] = "link",
		                              [GW_START_RESUME] = "resume",
		                              [GW_START_LOGOUT] = "logout",
		                              [GW_START_ADOPTED] = "adopted" };
	static const char *const exits[] = { [GW_EXIT_LEFT] = "left",
		                             [GW_EXIT_CRASHED] = "crashed",
		                             [GW_EXIT_NOT_STARTED] = "not_started" };
	const struct gw_metrics *m = gw->metrics;

	number(t, "warden_workers", "gauge",
	       "Workers, from the wish for one to the end of its process.",
	       gw_supervisor_count(gw->sup));
	number(t, "warden_workers_startable", "gauge", "1 while workers can be started.",
	       gw_supervisor_ok(gw->sup));
	family(t, "warden_worker_starts_total", "counter",
	       "Workers started, or taken over (adopted), by reason.");
	for (int i = 0; i < GW_START_N; i++)
		put(t, "warden_worker_starts_total{reason=\"%s\"} %" PRIu64 "\n", starts[i],
		    m->starts_n[i]);
	family(t, "warden_worker_exits_total", "counter", "Workers that ended, by reason.");
	for (int i = 0; i < GW_EXIT_N; i++)
		put(t, "warden_worker_exits_total{reason=\"%s\"} %" PRIu64 "\n", exits[i],
		    m->exits_n[i]);
}

/* Proportional and private shares can be read by root only. */
static void put_memory(struct text *t, const struct gw_metrics_memory *memory)
{
	static const char *const kinds[] = { [GW_MEMORY_RESIDENT] = "resident",
		                             [GW_MEMORY_PROPORTIONAL] = "proportional",
		                             [GW_MEMORY_PRIVATE] = "private" };

	family(t, "warden_worker_memory_workers", "gauge", "Workers whose memory could be read.");
	for (int i = 0; i < GW_MEMORY_N; i++)
		put(t, "warden_worker_memory_workers{kind=\"%s\"} %" PRIu64 "\n", kinds[i],
		    memory[i].workers_n);
	family(t, "warden_worker_memory_bytes", "gauge",
	       "Memory of these workers together, each as it was within the last minute; resident "
	       "counts what they share once for each.");
	for (int i = 0; i < GW_MEMORY_N; i++)
		put(t, "warden_worker_memory_bytes{kind=\"%s\"} %" PRIu64 "\n", kinds[i],
		    memory[i].sum);
	family(t, "warden_worker_memory_max_bytes", "gauge", "Memory of the largest of them.");
	for (int i = 0; i < GW_MEMORY_N; i++)
		put(t, "warden_worker_memory_max_bytes{kind=\"%s\"} %" PRIu64 "\n", kinds[i],
		    memory[i].max);
}

static void put_connect(struct text *t, const struct gw_metrics *m)
{
	static const char name[] = "warden_connect_seconds";

	family(t, name, "histogram", "From a connect request to its QR or pairing code.");
	histogram(t, name, "", gw_metrics_connect_ms, GW_CONNECT_BUCKETS, m->connect,
	          m->connect_sum_ms);
}

static const struct gw_route *route_at(const struct gw_metrics *m, size_t row)
{
	if (row < m->public_n)
		return &gw_routes_public[row];
	return row < m->public_n + m->admin_n ? &gw_routes_admin[row - m->public_n] : NULL;
}

static bool has_any(const struct gw_metrics_http_series *s)
{
	for (size_t i = 0; i <= GW_HTTP_BUCKETS; i++)
		if (s->buckets[i] != 0)
			return true;
	return false;
}

/* Routes have no quotes and no backslashes in them. */
static void put_http(struct text *t, const struct gw_metrics *m)
{
	static const char name[] = "warden_http_request_seconds";
	char labels[160];

	family(
	    t, name, "histogram",
	    "From the end of a request to the beginning of its answer; status 499: the client left "
	    "before.");
	for (size_t row = 0; row < m->routes_n; row++) {
		const struct gw_route *r = route_at(m, row);

		for (size_t col = 0; col < GW_STATUSES; col++) {
			const struct gw_metrics_http_series *s = &m->http[row * GW_STATUSES + col];

			if (!has_any(s))
				continue;
			snprintf(labels, sizeof(labels), "method=\"%s\",route=\"%s\",status=\"%u\"",
			         r == NULL ? "" : r->method, r == NULL ? "" : r->pattern,
			         gw_metrics_statuses[col]);
			histogram(t, name, labels, gw_metrics_http_ms, GW_HTTP_BUCKETS, s->buckets,
			          s->sum_ms);
		}
	}
}

static void put_limiter(struct text *t, const struct gw *gw)
{
	struct gw_limit_stats s;

	gw_limit_stats(gw->limit, &s);
	family(t, "warden_rate_limited_total", "counter",
	       "Requests answered with 429, by whom they count against.");
	put(t, "warden_rate_limited_total{by=\"address\"} %" PRIu64 "\n",
	    gw->metrics->rate_limited_n[0]);
	put(t, "warden_rate_limited_total{by=\"token\"} %" PRIu64 "\n",
	    gw->metrics->rate_limited_n[1]);
	number(t, "warden_limiter_degraded", "gauge",
	       "1 while limits are in memory, wholly or for some, though Redis is configured.",
	       s.degraded);
	number(t, "warden_limiter_redis_configured", "gauge", "1 if redis_url is set.", s.shared);
	number(t, "warden_limiter_redis_up", "gauge", "1 while Redis answers.", s.shared_up);
	number(t, "warden_limiter_redis_lost_total", "counter",
	       "How often Redis was given up after it had answered.", s.redis_lost_n);
	family(t, "warden_limiter_decisions_total", "counter", "Requests counted, by who decided.");
	put(t, "warden_limiter_decisions_total{by=\"memory\"} %" PRIu64 "\n", s.by_memory_n);
	put(t, "warden_limiter_decisions_total{by=\"redis\"} %" PRIu64 "\n", s.by_redis_n);
}

static void put_webhooks(struct text *t, const struct gw *gw)
{
	static const char results[] = "warden_webhook_deliveries_total";
	static const char took[] = "warden_webhook_request_seconds";
	struct gw_hooks_stats s;

	gw_hooks_stats(gw->hooks, &s);
	family(t, results, "counter", "Requests to webhooks that ended, by result.");
	for (int i = 0; i < GW_HOOKS_RESULT_N; i++)
		put(t, "%s{result=\"%s\"} %" PRIu64 "\n", results,
		    gw_hooks_result_name((enum gw_hooks_result)i), s.results_n[i]);
	family(t, took, "histogram", "From the beginning of a request to a webhook to its end.");
	histogram(t, took, "", gw_hooks_bucket_ms, GW_HOOKS_BUCKETS, s.buckets, s.sum_ms);
	number(t, "warden_webhooks", "gauge", "Webhooks that are enabled.", s.lanes_n);
	number(t, "warden_webhooks_waiting", "gauge", "Of these, waiting between two tries.",
	       s.waiting_n);
	number(t, "warden_webhooks_behind", "gauge",
	       "Events that webhooks have yet to come to, wanted or not, of all together.",
	       s.behind_n);
	number(t, "warden_webhook_requests", "gauge", "Requests to webhooks under way.",
	       s.running_n);
}

static void put_events(struct text *t, const struct gw *gw)
{
	struct gw_events_stats s;

	if (gw->events == NULL)
		return;
	gw_events_stats(gw->events, &s);
	family(t, "warden_events_total", "counter", "Events kept, by kind.");
	for (unsigned k = 1; k < GW_EVENT_KIND_END; k++)
		put(t, "warden_events_total{event=\"%s\"} %" PRIu64 "\n", gw_event_kind_name(k),
		    s.kept[k]);
	number(t, "warden_events_again_total", "counter",
	       "Events that workers sent again and that had been kept already.", s.again_n);
	number(t, "warden_events_waiting", "gauge",
	       "Writes and reads of events that are under way.", s.waiting_n);
	number(t, "warden_outbox_depth", "gauge",
	       "Events that workers keep because they are not on the gateway's disk yet.",
	       s.outbox_n);
	number(t, "warden_events_writable", "gauge", "1 while events can be stored.",
	       strcmp(gw_events_health(gw->events), "ok") == 0);
}

int gw_metrics_text(const struct gw *gw, const struct gw_metrics_memory *memory, struct buf *out)
{
	struct text t = { .out = out };

	put_about(&t, gw);
	put_instances(&t, gw);
	put_workers(&t, gw);
	put_memory(&t, memory);
	put_connect(&t, gw->metrics);
	put_http(&t, gw->metrics);
	put_limiter(&t, gw);
	put_webhooks(&t, gw);
	put_events(&t, gw);
	number(&t, "warden_registry_ok", "gauge", "1 unless the last change could not be stored.",
	       gw_registry_ok(gw->registry));
	return t.rc;
}
