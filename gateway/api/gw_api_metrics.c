/* gateway/api/gw_api_metrics.c - GET /metrics (contract section 5) */
#include "gateway/api/gw_api.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/gw.h"
#include "gateway/http/gw_addr.h"
#include "gateway/http/gw_gate.h"
#include "gateway/http/gw_req.h"
#include "gateway/metrics/gw_metrics.h"
#include "gateway/supervision/gw_survey.h"
#include "gateway/supervision/gw_worker.h"

#define GOOD_FOR_MIN_MS 30000 /* a worker's memory; see good_for_ms() */
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
	struct gw_survey *survey;
	struct gw_metrics_memory memory[GW_MEMORY_N];
};

static void scrape_free(void *arg)
{
	struct scrape *s = arg;

	gw_survey_free(s->survey);
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

/* Not all in one scrape: each has a time of its own. */
static uint32_t good_for_ms(pid_t pid)
{
	return GOOD_FOR_MIN_MS + (uint32_t)pid % 30 * 1000;
}

static void on_worker(struct gw_worker *w, void *arg)
{
	struct scrape *s = arg;
	struct gw_worker_memory mem;
	pid_t pid = gw_worker_pid(w);

	if (pid == 0)
		return;
	gw_worker_memory(w, good_for_ms(pid), &mem);
	add(&s->memory[GW_MEMORY_RESIDENT], mem.rss_kib);
	add(&s->memory[GW_MEMORY_PROPORTIONAL], mem.pss_kib);
	add(&s->memory[GW_MEMORY_PRIVATE], mem.private_kib);
}

static void on_done(void *arg)
{
	struct scrape *s = arg;

	gw_req_resume(s->req);
	answer(s->req, s->memory);
	scrape_free(s);
}

static struct scrape *scrape_new(struct gw_req *req)
{
	static const struct gw_survey_ops ops = { on_worker, on_done };
	struct scrape *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->req = req;
	if (gw_survey_new(gw_req_gw(req), &ops, s, &s->survey) < 0) {
		free(s);
		return NULL;
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
}
