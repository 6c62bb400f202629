/* gateway/api/gw_api_replay.c - dead letters listed, events sent again (contract 4.2) */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "gateway/gw.h"
#include "gateway/http/gw_body.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/webhook/gw_hook_body.h"
#include "gateway/webhook/gw_hooks.h"

/* ---- dead letters ------------------------------------------------------------------------------
 */

static json_t *dead_json(const struct gw_hook_dead *d)
{
	const char *kind = gw_event_kind_name(d->kind);
	char at[RFC3339_CAP];

	clock_rfc3339(d->dead_unix_ms, at);
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:i, s:o, s:s, s:b}", "label", d->label,
	                 "sequence", (json_int_t)d->seq, "id", d->id, "event",
	                 kind != NULL ? kind : "", "at", at, "tries", (int)d->tries, "status",
	                 d->status != 0 ? json_integer(d->status) : json_null(), "reason",
	                 d->status != 0 ? "answer" : d->why, "queued", d->again);
}

static void on_listed(int rc, struct gw_hook_job *j, void *arg)
{
	json_t *all = rc == 0 ? json_array() : NULL;

	if (rc < 0) {
		gw_req_fail(arg, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_STORAGE, NULL);
		return;
	}
	for (size_t i = 0; all != NULL && i < j->n; i++) {
		if (json_array_append_new(all, dead_json(&j->dead[i])) < 0) {
			json_decref(all);
			all = NULL;
		}
	}
	gw_req_reply(arg, 200,
	             json_pack("{s:b, s:I, s:o}", "success", 1, "count", (json_int_t)j->n,
	                       "deadLetters", all));
}

/* False: answered. label_out: NULL where every webhook is meant. */
static bool known_label(struct gw_req *req, const char *given, const char **label_out)
{
	*label_out = given;
	if (given == NULL ||
	    gw_webhook_find(gw_instance_hooks(gw_req_auth(req)->instance), given) != NULL)
		return true;
	gw_req_fail(req, GW_ERR_WEBHOOK_NOT_FOUND, NULL);
	return false;
}

void gw_api_dead_list(struct gw_req *req)
{
	struct gw_hooks *hooks = gw_req_gw(req)->hooks;
	char text[GW_WEBHOOK_LABEL_MAX + 1];
	int given = gw_req_param(req, "label", text, sizeof(text));
	const char *label;

	if (given < 0)
		gw_req_fail(req, GW_ERR_WEBHOOK_NOT_FOUND, NULL);
	if (given < 0 || !known_label(req, given > 0 ? text : NULL, &label))
		return;
	if (hooks == NULL ||
	    gw_hooks_dead_list(hooks, gw_req_auth(req)->instance, label, on_listed, req) < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
}

/* ---- replay ------------------------------------------------------------------------------------
 */

struct wanted {
	bool dead;
	uint64_t from; /* 0: not said */
	const char *label;
};

/* Exactly one of them. */
static bool read_wanted(const json_t *body, struct wanted *w, char *why_out)
{
	static const struct gw_body_key keys[] = { { "dead", GW_BODY_BOOL },
		                                   { "label", GW_BODY_TEXT } };
	const json_t *from = json_object_get(body, "from");

	if (!gw_body_types_ok(body, keys, ARRAY_LEN(keys), why_out))
		return false;
	w->dead = json_is_true(json_object_get(body, "dead"));
	w->label = json_string_value(json_object_get(body, "label"));
	if (from != NULL && (!json_is_integer(from) || json_integer_value(from) < 1)) {
		snprintf(why_out, GW_BODY_WHY_CAP, "from has to be a sequence, 1 or more");
		return false;
	}
	w->from = (uint64_t)json_integer_value(from);
	if (w->dead == (from != NULL)) {
		snprintf(why_out, GW_BODY_WHY_CAP, "either from, a sequence, or dead, true");
		return false;
	}
	return true;
}

static void on_again(int rc, struct gw_hook_job *j, void *arg)
{
	if (rc < 0)
		gw_req_fail(arg, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_STORAGE, NULL);
	else
		gw_req_reply(arg, 200,
		             json_pack("{s:b, s:s, s:I}", "success", 1, "message",
		                       "Dead letters are sent again", "deadLetters",
		                       (json_int_t)j->n));
}

static void replay(struct gw_req *req, const struct wanted *w)
{
	struct gw_hooks *hooks = gw_req_gw(req)->hooks;
	struct gw_instance *inst = gw_req_auth(req)->instance;
	size_t n;

	if (hooks == NULL) {
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	} else if (w->dead) {
		if (gw_hooks_dead_again(hooks, inst, w->label, on_again, req) < 0)
			gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	} else {
		n = gw_hooks_rewind(hooks, inst, w->label, w->from);
		if (n == 0)
			gw_req_fail(req, GW_ERR_WEBHOOK_NOT_FOUND, "no webhook is enabled");
		else
			gw_req_reply(req, 200,
			             json_pack("{s:b, s:s, s:I}", "success", 1, "message",
			                       "Events are sent again", "webhooks", (json_int_t)n));
	}
}

void gw_api_replay(struct gw_req *req)
{
	char why[GW_BODY_WHY_CAP];
	json_t *body = gw_body_read(req);
	struct wanted w;

	if (body == NULL)
		return;
	if (!read_wanted(body, &w, why))
		gw_req_fail(req, GW_ERR_BODY, why);
	else if (known_label(req, w.label, &w.label))
		replay(req, &w);
	json_decref(body);
}
