/*
 * gateway/api/gw_api_metrics.c - GET /metrics (contract section 5)
 *
 * The memory of workers is read from /proc, some 0.1 ms each: a few per loop pass, so that a
 * thousand of them keep nobody waiting.
 */
#include "gateway/api/gw_api.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>

#include "gateway/gw.h"
#include "gateway/http/gw_addr.h"
#include "gateway/http/gw_gate.h"
#include "gateway/http/gw_req.h"
#include "gateway/metrics/gw_metrics.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/supervision/gw_worker.h"

#define WORKERS_A_PASS 8
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* ---- who may read ---------------------------------------------------------------------------- */

/* Somebody says that the request is not its peer's own. */
static bool is_forwarding(const char *name)
{
	static const char *const names[] = { "forwarded",        "via",
		                             "x-real-ip",        "x-client-ip",
		                             "client-ip",        "true-client-ip",
		                             "cf-connecting-ip", "x-cluster-client-ip" };

	if (strncasecmp(name, "x-forwarded-", 12) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/*
 * By whose address is it judged? Without a forwarding header the peer's. With one, a trusted
 * proxy's word in X-Forwarded-For, all of it readable; anything else is nobody's. False: nobody.
 */
static bool judged_by(const struct gw_req *req, struct gw_addr *who)
{
	const struct gw_addr_list *trusted = gw_req_env(req)->trusted;
	const struct gw_gate *head = gw_req_head(req);
	const char *lines[GW_GATE_FIELDS_MAX];
	size_t lines_n = 0, signs = 0;

	*who = *gw_req_peer(req);
	for (size_t i = 0; i < gw_gate_fields_n(head); i++) {
		if (!is_forwarding(gw_gate_field_name(head, i)))
			continue;
		signs++;
		if (gw_gate_field_kind(head, i) == GW_FIELD_X_FORWARDED_FOR)
			lines[lines_n++] = gw_gate_field_value(head, i);
	}
	if (signs == 0)
		return true;
	return gw_addr_list_has(trusted, who) &&
	       gw_addr_client_known(who, lines, lines_n, trusted, who);
}

/* ---- the answer ------------------------------------------------------------------------------ */

struct scrape {
	struct gw_req *req;
	struct event *ev; /* the next few */
	struct gw_metrics_memory memory[GW_MEMORY_N];
	size_t pids_n, at;
	pid_t pids[];
};

static void scrape_free(void *arg)
{
	struct scrape *s = arg;

	if (s->ev != NULL)
		event_free(s->ev);
	free(s);
}

static void answer(struct gw_req *req, const struct gw_metrics_memory *memory)
{
	struct buf out = { 0 };

	if (gw_metrics_text(gw_req_gw(req), memory, &out) < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	else
		gw_req_reply_data(req, 200, CONTENT_TYPE, out.p, out.len);
	buf_free(&out);
}

static void add(struct gw_metrics_memory *m, int64_t kib)
{
	uint64_t bytes = (uint64_t)kib * 1024;

	if (kib < 0)
		return;
	m->workers_n++;
	m->sum += bytes;
	if (bytes > m->max)
		m->max = bytes;
}

static void on_pass(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = { 0 };
	struct scrape *s = arg;
	struct gw_worker_memory mem;
	struct gw_req *req = s->req;

	(void)fd;
	(void)what;
	for (int i = 0; i < WORKERS_A_PASS && s->at < s->pids_n; i++) {
		gw_worker_memory(gw_req_gw(req)->sup, s->pids[s->at++], &mem);
		add(&s->memory[GW_MEMORY_RESIDENT], mem.rss_kib);
		add(&s->memory[GW_MEMORY_PROPORTIONAL], mem.pss_kib);
		add(&s->memory[GW_MEMORY_PRIVATE], mem.private_kib);
	}
	if (s->at < s->pids_n && evtimer_add(s->ev, &now) == 0)
		return;
	gw_req_resume(req);
	answer(req, s->memory);
	scrape_free(s);
}

/* The processes as they are now; one that ends meanwhile is no longer there to be read. */
static struct scrape *scrape_new(struct gw_req *req)
{
	struct gw *gw = gw_req_gw(req);
	size_t max = gw_supervisor_count(gw->sup);
	struct scrape *s = calloc(1, sizeof(*s) + max * sizeof(s->pids[0]));
	struct gw_worker *w = NULL;

	if (s == NULL)
		return NULL;
	s->req = req;
	s->ev = evtimer_new(gw->base, on_pass, s);
	if (s->ev == NULL) {
		free(s);
		return NULL;
	}
	while (s->pids_n < max && (w = gw_supervisor_next(gw->sup, w)) != NULL) {
		pid_t pid = gw_worker_pid(w);

		if (pid > 0)
			s->pids[s->pids_n++] = pid;
	}
	return s;
}

void gw_api_metrics(struct gw_req *req)
{
	const struct gw_metrics *m = gw_req_gw(req)->metrics;
	struct gw_addr who;
	struct scrape *s;

	if (!judged_by(req, &who) || !gw_addr_list_has(gw_metrics_allow(m), &who)) {
		gw_req_fail(req, GW_ERR_FORBIDDEN, NULL);
		return;
	}
	s = scrape_new(req);
	if (s == NULL) {
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return;
	}
	gw_req_wait(req, false, scrape_free, s);
	on_pass(-1, 0, s);
}
