/* gateway/api/gw_api_ops.c - /health and the front page (contract section 5) */
#include "gateway/api/gw_api.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "gateway/api/gw_web.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/http/gw_req.h"
#include "gateway/limit/gw_limit.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_supervisor.h"

#define UPTIME_CAP 40

/* "3d4h5m6s", from its first unit that is not zero. */
static void uptime_text(uint64_t ms, char out[UPTIME_CAP])
{
	unsigned long long s = ms / 1000, m = s / 60, h = m / 60, d = h / 24;

	if (d > 0)
		snprintf(out, UPTIME_CAP, "%llud%lluh%llum%llus", d, h % 24, m % 60, s % 60);
	else if (h > 0)
		snprintf(out, UPTIME_CAP, "%lluh%llum%llus", h, m % 60, s % 60);
	else if (m > 0)
		snprintf(out, UPTIME_CAP, "%llum%llus", m, s % 60);
	else
		snprintf(out, UPTIME_CAP, "%llus", s);
}

void gw_api_health(struct gw_req *req)
{
	const struct gw *gw = gw_req_gw(req);
	bool registry_ok = gw_registry_ok(gw->registry), workers_ok = gw_supervisor_ok(gw->sup);
	const char *limiter = gw_limit_health(gw->limit);
	const char *events = gw->events != NULL ? gw_events_health(gw->events) : "ok";
	bool down = !registry_ok || !workers_ok, events_ok = strcmp(events, "ok") == 0;
	json_t *checks;
	char uptime[UPTIME_CAP], now[RFC3339_CAP];

	uptime_text(clock_ms() - gw->start_ms, uptime);
	clock_rfc3339(clock_unix_ms(), now);
	checks =
	    json_pack("{s:s, s:s, s:s}", "registry",
	              registry_ok ? "ok" : "fail: the last change could not be stored", "limiter",
	              limiter, "workers", workers_ok ? "ok" : "fail: workers can't be started");
	if (!events_ok) /* only then: the three are what monitoring knows */
		(void)json_object_set_new(checks, "events", json_string(events));
	gw_req_reply(req, down ? 503 : 200,
	             json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "status",
	                       down || !events_ok || strcmp(limiter, "ok") != 0 ? "degraded" : "ok",
	                       "service", "warden", "version", WARDEN_VERSION, "uptime", uptime,
	                       "timestamp", now, "checks", checks));
}

void gw_api_root(struct gw_req *req)
{
	gw_web_answer(req, 200, true);
}
