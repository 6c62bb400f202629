/* gateway/api/gw_api_workers.c - workers, over the admin socket only: list, last words, upgrade */
#include "gateway/api/gw_api.h"

#include <stdlib.h>

#include "common/codec.h"
#include "gateway/gw.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_survey.h"
#include "gateway/supervision/gw_upgrade.h"
#include "gateway/supervision/gw_worker.h"

/* ---- list ------------------------------------------------------------------------------------ */

static json_t *size_json(int64_t kib)
{
	return kib < 0 ? json_null() : json_integer(kib);
}

static json_t *worker_json(struct gw_worker *w)
{
	struct gw_worker_info info;

	gw_worker_info(w, &info);
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:o}", "pid",
	                 (json_int_t)info.pid, "account", gw_instance_account(info.inst)->name,
	                 "instance", gw_instance_name(info.inst), "id", gw_instance_id(info.inst),
	                 "state", info.state, "uptime", (json_int_t)(info.uptime_ms / 1000),
	                 "outdated", info.outdated, "pssKiB", size_json(info.memory.pss_kib),
	                 "ussKiB", size_json(info.memory.private_kib), "rssKiB",
	                 size_json(info.memory.rss_kib));
}

struct listing {
	struct gw_req *req;
	struct gw_survey *survey;
	json_t *all; /* NULL: no memory for it */
};

static void listing_free(void *arg)
{
	struct listing *l = arg;

	gw_survey_free(l->survey);
	json_decref(l->all);
	free(l);
}

static void on_worker(struct gw_worker *w, void *arg)
{
	struct listing *l = arg;

	if (l->all == NULL || json_array_append_new(l->all, worker_json(w)) == 0)
		return;
	json_decref(l->all);
	l->all = NULL;
}

static void on_done(void *arg)
{
	struct listing *l = arg;
	json_t *all = l->all;

	l->all = NULL;
	gw_req_resume(l->req);
	gw_req_reply(l->req, 200, json_pack("{s:b, s:o}", "success", 1, "workers", all));
	listing_free(l);
}

void gw_api_admin_workers(struct gw_req *req)
{
	static const struct gw_survey_ops ops = { on_worker, on_done };
	struct listing *l = calloc(1, sizeof(*l));

	if (l != NULL) {
		l->req = req;
		l->all = json_array();
	}
	if (l == NULL || gw_survey_new(gw_req_gw(req), &ops, l, &l->survey) < 0) {
		if (l != NULL)
			listing_free(l);
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return;
	}
	gw_req_wait(req, false, listing_free, l);
}

/* ---- the last lines of one that crashed -------------------------------------------------------
 */

void gw_api_admin_worker_log(struct gw_req *req)
{
	char account[GW_NAME_MAX + 1], name[GW_NAME_MAX + 1];
	int with_account = gw_req_param(req, "account", account, sizeof(account));
	struct gw_instance *inst;

	if (with_account < 0 || gw_req_param(req, "instance", name, sizeof(name)) != 1) {
		gw_req_fail(req, GW_ERR_BODY, "instance names one, account whose it is");
		return;
	}
	inst = gw_api_admin_instance(req, with_account == 1 ? account : NULL, name);
	if (inst != NULL)
		gw_req_reply(req, 200,
		             json_pack("{s:b, s:s, s:s?}", "success", 1, "instance",
		                       gw_instance_name(inst), "log", gw_instance_last_log(inst)));
}

/* ---- upgrade --------------------------------------------------------------------------------- */

/* 0: not given; -1: no pace. */
static int read_pace(struct gw_req *req)
{
	char text[16];
	uint64_t n;
	int rc = gw_req_param(req, "perMinute", text, sizeof(text));

	if (rc == 0)
		return 0;
	if (rc < 0 || dec_decode(text, GW_UPGRADE_PER_MINUTE_MAX, &n) < 0 || n == 0)
		return -1;
	return (int)n;
}

void gw_api_admin_worker_upgrade(struct gw_req *req)
{
	int pace = read_pace(req);
	size_t outdated;

	if (pace < 0) {
		gw_req_fail(req, GW_ERR_BODY, "perMinute is a whole number from 1 to 3000");
		return;
	}
	if (pace == 0)
		pace = GW_UPGRADE_PER_MINUTE;
	outdated = gw_upgrade_start(gw_req_gw(req)->upgrade, (unsigned)pace);
	gw_req_reply(req, 200,
	             json_pack("{s:b, s:s, s:I, s:i}", "success", 1, "message", "Upgrade started",
	                       "outdated", (json_int_t)outdated, "perMinute", pace));
}
