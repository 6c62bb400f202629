/* gateway/api/gw_api_doctor.c - POST /admin/doctor, over the admin socket only */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/doctor/gw_doctor.h"
#include "gateway/gw.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_registry.h"

/* ---- which instance ----------------------------------------------------------------------------
 */

/* The one of this name; with several accounts that have one, account says which. */
static struct gw_instance *find(struct gw *gw, const char *account, const char *name,
                                size_t *found_out)
{
	struct gw_account *acc = NULL;
	struct gw_instance *inst, *last = NULL;

	*found_out = 0;
	while ((acc = gw_registry_next_account(gw->registry, acc)) != NULL) {
		if (account != NULL && strcmp(acc->name, account) != 0)
			continue;
		inst = gw_registry_instance(gw->registry, acc, name);
		if (inst == NULL)
			continue;
		last = inst;
		++*found_out;
	}
	return last;
}

struct gw_instance *gw_api_admin_instance(struct gw_req *req, const char *account, const char *name)
{
	struct gw *gw = gw_req_gw(req);
	struct gw_instance *inst;
	size_t n;

	if (account != NULL && gw_registry_account_by_name(gw->registry, account) == NULL) {
		gw_req_fail(req, GW_ERR_ACCOUNT_NOT_FOUND, NULL);
		return NULL;
	}
	inst = find(gw, account, name, &n);
	if (n == 1)
		return inst;
	if (n == 0)
		gw_req_fail(req, GW_ERR_INSTANCE_NOT_FOUND, NULL);
	else
		gw_req_fail(req, GW_ERR_AMBIGUOUS, "say which account");
	return NULL;
}

/* ---- the doctor --------------------------------------------------------------------------------
 */

struct visit {
	struct gw_req *req;
	struct gw_doctor *doctor;
};

static void visit_free(struct visit *v)
{
	gw_doctor_free(v->doctor);
	free(v);
}

static void on_done(const struct gw_findings *fs, void *arg)
{
	struct visit *v = arg;
	struct gw_req *req = v->req;
	json_t *answer = json_pack("{s:b, s:b, s:o}", "success", 1, "ok", !gw_findings_failed(fs),
	                           "checks", gw_findings_json(fs));

	visit_free(v);
	gw_req_reply(req, 200, answer);
}

static void on_hangup(void *arg)
{
	visit_free(arg);
}

static void visit(struct gw_req *req, const struct gw_instance *inst)
{
	struct visit *v = calloc(1, sizeof(*v));

	if (v == NULL || gw_doctor_start(gw_req_gw(req), inst, on_done, v, &v->doctor) < 0) {
		free(v);
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return;
	}
	v->req = req;
	gw_req_wait(req, true, on_hangup, v); /* who closes has left, and the work ends */
}

static bool is_text_or_none(const json_t *v)
{
	return v == NULL || json_is_null(v) || json_is_string(v);
}

void gw_api_admin_doctor(struct gw_req *req)
{
	const json_t *account, *name;
	struct gw_instance *inst = NULL;
	json_t *body = NULL;
	bool ok = true;
	int rc = gw_req_json(req, &body);

	if (rc == -ENOMEM) {
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return;
	}
	account = json_object_get(body, "account");
	name = json_object_get(body, "instance");
	if (rc < 0 || !is_text_or_none(account) || !is_text_or_none(name)) {
		gw_req_fail(req, GW_ERR_BODY, "instance and account are strings");
		ok = false;
	} else if (json_is_string(name)) {
		inst =
		    gw_api_admin_instance(req, json_string_value(account), json_string_value(name));
		ok = inst != NULL;
	}
	json_decref(body);
	if (ok)
		visit(req, inst);
}
