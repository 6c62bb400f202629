/* gateway/api/gw_api_list.c - list and delete (contract section 3) */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_registry.h"

#define NAMES_CAP 8193    /* a query is never longer */
#define FRAME_CAP 128     /* of what stands around the instances */
#define INSTANCE_CAP 1024 /* most have less */
#define FOUND_CAP_MIN 32
#define LOOKS_MAX 64      /* into /proc for one answer, some 0.1 ms each */
#define LOOKS_FOR_MS 5000

/* ---- list ------------------------------------------------------------------------------------ */

/* The instances to be shown. */
struct found {
	struct gw_instance **inst;
	size_t n;
	size_t cap;
	bool memory; /* with what each takes */
};

static int found_add(struct found *f, struct gw_instance *inst)
{
	size_t cap = f->cap == 0 ? FOUND_CAP_MIN : 2 * f->cap;
	struct gw_instance **grown;

	if (f->n == f->cap) {
		grown = reallocarray(f->inst, cap, sizeof(struct gw_instance *));
		if (grown == NULL)
			return -ENOMEM;
		f->inst = grown;
		f->cap = cap;
	}
	f->inst[f->n++] = inst;
	return 0;
}

/* The memory of more than LOOKS_MAX is looked at by turns, and shown as it was meanwhile. */
static size_t first_look(size_t n)
{
	return n == 0 ? 0 : (size_t)(clock_ms() / LOOKS_FOR_MS) * LOOKS_MAX % n;
}

static int put_instance(const struct found *f, size_t i, size_t first, struct buf *body)
{
	if (!f->memory)
		return gw_instance_json_text(f->inst[i], body);
	return gw_instance_json_text_memory(f->inst[i], (i + f->n - first) % f->n < LOOKS_MAX,
	                                    body);
}

static int put_list(struct buf *body, const struct found *f)
{
	int rc = buf_reserve(body, FRAME_CAP + f->n * INSTANCE_CAP);
	size_t first = first_look(f->n);

	if (rc == 0)
		rc = buf_append_str(body, "{\"success\":true,\"message\":\"");
	if (rc == 0)
		rc = buf_append_dec(body, f->n);
	if (rc == 0)
		rc = buf_append_str(body, f->n == 1 ? " Instance found\",\"instances\":["
		                                    : " Instances found\",\"instances\":[");
	for (size_t i = 0; rc == 0 && i < f->n; i++) {
		if (i > 0)
			rc = buf_append_u8(body, ',');
		if (rc == 0)
			rc = put_instance(f, i, first, body);
	}
	if (rc == 0)
		rc = buf_append_str(body, "],\"meta\":{\"total\":");
	if (rc == 0)
		rc = buf_append_dec(body, f->n);
	return rc == 0 ? buf_append_str(body, "}}") : rc;
}

static void answer_list(struct gw_req *req, const struct found *found)
{
	struct buf body = { 0 };

	if (put_list(&body, found) < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	else
		gw_req_reply_data(req, 200, gw_media_type(GW_MEDIA_JSON), body.p, body.len);
	buf_free(&body);
}

static int list_all(struct gw_req *req, struct found *found)
{
	const struct gw_auth *auth = gw_req_auth(req);
	struct gw_registry *reg = gw_req_gw(req)->registry;
	struct gw_instance *inst = NULL;
	int rc = 0;

	if (auth->kind == GW_TOKEN_INSTANCE)
		return found_add(found, auth->instance);
	while (rc == 0 && (inst = gw_registry_next(reg, auth->account, inst)) != NULL)
		rc = found_add(found, inst);
	return rc;
}

/* names: a comma-separated list, taken apart here. seen: those that were asked for, as keys. False:
 * *error_out. */
static bool list_named(struct gw_req *req, char *names, struct found *found, json_t *seen,
                       enum gw_error *error_out)
{
	const struct gw_account *acc = gw_req_auth(req)->account;
	struct gw_instance *inst;
	char *save = NULL;
	size_t asked_n = 0;

	*error_out = GW_ERR_AT_CAPACITY;
	for (char *name = strtok_r(names, ",", &save); name != NULL;
	     name = strtok_r(NULL, ",", &save)) {
		if (!gw_name_valid(name)) {
			*error_out = GW_ERR_NAME;
			return false;
		}
		if (json_object_get(seen, name) != NULL)
			continue;
		asked_n++;
		inst = gw_registry_instance(gw_req_gw(req)->registry, acc, name);
		if (json_object_set_new(seen, name, json_true()) < 0 ||
		    (inst != NULL && found_add(found, inst) < 0))
			return false;
	}
	*error_out = asked_n == 0 ? GW_ERR_NAME_REQUIRED : GW_ERR_INSTANCE_NOT_FOUND;
	return asked_n > 1 || found->n > 0;
}

/* Into found, what the request asks for. False: *error_out. */
static bool list_wanted(struct gw_req *req, struct found *found, enum gw_error *error_out)
{
	char names[NAMES_CAP];
	bool one = gw_req_auth(req)->kind == GW_TOKEN_INSTANCE; /* the filter is ignored then */
	int filtered = one ? 0 : gw_req_param(req, "instanceName", names, sizeof(names));
	json_t *seen;
	bool ok;

	*error_out = filtered < 0 ? GW_ERR_NAME : GW_ERR_AT_CAPACITY;
	if (filtered < 0)
		return false;
	if (filtered == 0)
		return list_all(req, found) == 0;
	seen = json_object();
	ok = seen != NULL && list_named(req, names, found, seen, error_out);
	json_decref(seen);
	return ok;
}

static bool memory_wanted(const struct gw_req *req)
{
	char text[sizeof("true")];

	return gw_req_param(req, "memory", text, sizeof(text)) == 1 && strcmp(text, "true") == 0;
}

void gw_api_instance_list(struct gw_req *req)
{
	struct found found = { .memory = memory_wanted(req) };
	enum gw_error error;

	if (list_wanted(req, &found, &error))
		answer_list(req, &found);
	else
		gw_req_fail(req, error, NULL);
	free(found.inst);
}

/* ---- delete ---------------------------------------------------------------------------------- */

static void on_deleted(int rc, struct gw_instance *inst, void *arg)
{
	struct gw_req *req = arg;

	(void)inst;
	if (rc < 0)
		gw_req_fail(req, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_STORAGE, NULL);
	else
		gw_req_reply(req, 200,
		             json_pack("{s:b, s:s, s:{s:s}}", "success", 1, "message",
		                       "Instance deleted", "instance", "status", "deleted"));
}

static void erase(struct gw_req *req, struct gw_instance *inst)
{
	if (gw_registry_instance_delete(gw_req_gw(req)->registry, inst, on_deleted, req) < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
}

/*
 * WhatsApp knows, or could not be told: the person asked for the instance to go, and can still
 * unlink the device on the phone. Another request may have begun to delete it meanwhile.
 */
static void on_logged_out(struct gw_instance *inst, const struct gw_reason *reason, void *arg)
{
	struct gw_req *req = arg;
	struct gw_account *acc = gw_instance_account(inst);
	char code[GW_REASON_CODE_CAP];

	if (reason != NULL) {
		gw_reason_code(reason, code);
		LOG(gw_instance_log(inst), LOG_WARNING, "deleted_without_logout",
		    LF_STR("reason", code));
	}
	if (gw_registry_instance(gw_req_gw(req)->registry, acc, gw_instance_name(inst)) != inst)
		gw_req_fail(req, GW_ERR_INSTANCE_NOT_FOUND, NULL);
	else
		erase(req, inst);
}

void gw_api_instance_delete(struct gw_req *req)
{
	struct gw_instance *inst = gw_req_auth(req)->instance;
	struct gw_logout *logout;

	if (!gw_instance_is_linked(inst))
		erase(req, inst);
	else if (gw_instance_logout(inst, gw_req_id(req), on_logged_out, req, &logout) < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
}
