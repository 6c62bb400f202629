/* gateway/api/gw_api_webhook.c - webhooks and the WebSocket of an instance, set and shown
 * (contract 4.2, 4.3) */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/secret.h"
#include "gateway/events/gw_feed.h"
#include "gateway/gw.h"
#include "gateway/http/gw_body.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/webhook/gw_hook_body.h"
#include "gateway/webhook/gw_hook_config.h"
#include "gateway/webhook/gw_hooks.h"

/* A change that waits for its commit. */
struct change {
	struct gw_req *req;
	struct gw_hook_wish wish; /* of a webhook */
};

static void change_free(struct change *c)
{
	if (c == NULL)
		return;
	secret_wipe(&c->wish, sizeof(c->wish));
	free(c);
}

static void refuse(struct gw_req *req, int rc, const char *why)
{
	switch (rc) {
	case -EINVAL:
		gw_req_fail(req, GW_ERR_BODY, why);
		break;
	case -EDQUOT:
		gw_req_fail(req, GW_ERR_WEBHOOK_LIMIT, "at most 3 webhooks are enabled at once");
		break;
	case -E2BIG:
		gw_req_fail(req, GW_ERR_WEBHOOK_LIMIT, "at most 16 labels; delete some");
		break;
	default:
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		break;
	}
}

static bool stored(struct gw_req *req, int rc)
{
	if (rc < 0)
		gw_req_fail(req, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_STORAGE, NULL);
	return rc == 0;
}

static struct gw_hook_body body_of(const struct gw_req *req, const json_t *body)
{
	return (struct gw_hook_body){ .body = body,
		                      .allow_private = gw_req_gw(req)->cfg.webhook_allow_private,
		                      .now = gw_instance_hooks(gw_req_auth(req)->instance) };
}

/* ---- webhooks ----------------------------------------------------------------------------------
 */

/* secret: NULL or "" where none is to be shown. */
static json_t *webhook_json(const struct gw_webhook *w, const char *secret)
{
	json_t *o = gw_webhook_json(w);

	if (o != NULL && secret != NULL && *secret != '\0' &&
	    json_object_set_new(o, "secret", json_string(secret)) < 0) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

static void on_webhook_stored(int rc, struct gw_instance *inst, void *arg)
{
	struct change *c = arg;
	const struct gw_webhook *w;

	if (stored(c->req, rc)) {
		w = gw_webhook_find(gw_instance_hooks(inst), c->wish.label);
		gw_req_reply(c->req, 200,
		             json_pack("{s:b, s:s, s:o}", "success", 1, "message",
		                       "Webhook configuration updated", "webhook",
		                       w != NULL ? webhook_json(w, c->wish.secret) : json_null()));
	}
	change_free(c);
}

void gw_api_webhook_set(struct gw_req *req)
{
	char why[GW_BODY_WHY_CAP] = "";
	json_t *body = gw_body_read(req), *patch;
	struct gw_hook_body in;
	struct change *c;
	int rc = -ENOMEM;

	if (body == NULL)
		return;
	in = body_of(req, body);
	patch = json_object();
	c = calloc(1, sizeof(*c));
	if (patch != NULL && c != NULL) {
		c->req = req;
		rc = gw_hook_body_webhook(&in, patch, &c->wish, why);
	}
	if (rc == 0)
		rc =
		    gw_registry_instance_hooks(gw_req_gw(req)->registry, gw_req_auth(req)->instance,
		                               patch, on_webhook_stored, c);
	if (rc < 0) {
		change_free(c);
		refuse(req, rc, why);
	}
	json_decref(patch);
	json_decref(body);
}

/* ?label=: 1: given; 0: not; -EINVAL: answered. out holds GW_WEBHOOK_LABEL_MAX + 1 bytes. */
static int label_param(struct gw_req *req, char *out)
{
	int rc = gw_req_param(req, "label", out, GW_WEBHOOK_LABEL_MAX + 1);

	if (rc < 0 || (rc > 0 && gw_webhook_find(gw_instance_hooks(gw_req_auth(req)->instance),
	                                         out) == NULL)) {
		gw_req_fail(req, GW_ERR_WEBHOOK_NOT_FOUND, NULL);
		return -EINVAL;
	}
	return rc;
}

static json_t *time_json(int64_t unix_ms)
{
	char text[RFC3339_CAP];

	if (unix_ms == 0)
		return json_null();
	clock_rfc3339(unix_ms, text);
	return json_string(text);
}

static json_t *failure_json(const struct gw_hooks_lane_info *info)
{
	if (info->last_unix_ms == 0)
		return json_null();
	return json_pack("{s:o, s:s, s:o}", "status",
	                 info->last_status != 0 ? json_integer(info->last_status) : json_null(),
	                 "reason", info->last_status != 0 ? "answer" : info->last_why, "at",
	                 time_json(info->last_unix_ms));
}

/* With how it is doing; null where it is not enabled. */
static json_t *whole_json(struct gw_req *req, const struct gw_webhook *w)
{
	struct gw_hooks_lane_info info;
	json_t *o = gw_webhook_json(w), *delivery = json_null();

	if (gw_hooks_lane(gw_req_gw(req)->hooks, gw_req_auth(req)->instance, w->label, &info))
		delivery = json_pack(
		    "{s:I, s:I, s:i, s:o, s:o}", "sequence", (json_int_t)info.cursor, "behind",
		    (json_int_t)info.behind, "tries", (int)info.tries, "nextTryAt",
		    time_json(info.next_unix_ms), "lastFailure", failure_json(&info));
	if (json_object_set_new(o, "delivery", delivery) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *webhooks_json(struct gw_req *req, const struct gw_hook_config *c)
{
	json_t *a = json_array();

	for (size_t i = 0; a != NULL && i < c->webhooks_n; i++) {
		if (json_array_append_new(a, whole_json(req, c->webhooks[i])) < 0) {
			json_decref(a);
			a = NULL;
		}
	}
	return a;
}

void gw_api_webhook_get(struct gw_req *req)
{
	const struct gw_hook_config *c = gw_instance_hooks(gw_req_auth(req)->instance);
	char label[GW_WEBHOOK_LABEL_MAX + 1];
	int given = label_param(req, label);

	if (given < 0)
		return;
	if (given > 0)
		gw_req_reply(req, 200,
		             json_pack("{s:b, s:o}", "success", 1, "webhook",
		                       whole_json(req, gw_webhook_find(c, label))));
	else
		gw_req_reply(
		    req, 200,
		    json_pack("{s:b, s:o}", "success", 1, "webhooks", webhooks_json(req, c)));
}

static void on_webhook_deleted(int rc, struct gw_instance *inst, void *arg)
{
	(void)inst;
	if (stored(arg, rc))
		gw_req_reply(arg, 200,
		             json_pack("{s:b, s:s}", "success", 1, "message", "Webhook deleted"));
}

void gw_api_webhook_delete(struct gw_req *req)
{
	char label[GW_WEBHOOK_LABEL_MAX + 1] = "default";
	int given = label_param(req, label);
	json_t *patch;
	int rc;

	if (given < 0)
		return;
	if (gw_webhook_find(gw_instance_hooks(gw_req_auth(req)->instance), label) == NULL) {
		gw_req_fail(req, GW_ERR_WEBHOOK_NOT_FOUND, NULL);
		return;
	}
	patch = json_pack("{s:{s:n}}", "webhooks", label);
	rc = patch == NULL
	         ? -ENOMEM
	         : gw_registry_instance_hooks(gw_req_gw(req)->registry, gw_req_auth(req)->instance,
	                                      patch, on_webhook_deleted, req);
	if (rc < 0)
		refuse(req, rc, NULL);
	json_decref(patch);
}

/* ---- WebSocket ---------------------------------------------------------------------------------
 */

static void answer_websocket(struct gw_req *req, const struct gw_instance *inst,
                             const char *message)
{
	const struct gw_websocket *ws = gw_websocket_config(inst);
	json_t *o = gw_websocket_json(ws);

	if (o != NULL &&
	    json_object_set_new(o, "fromHistory", json_boolean(ws->filter.history)) < 0) {
		json_decref(o);
		o = NULL;
	}
	gw_req_reply(
	    req, 200,
	    json_pack("{s:b, s:s, s:o}", "success", 1, "message", message, "websocket", o));
}

void gw_api_websocket_get(struct gw_req *req)
{
	answer_websocket(req, gw_req_auth(req)->instance,
	                 "WebSocket configuration retrieved successfully");
}

static void on_websocket_stored(int rc, struct gw_instance *inst, void *arg)
{
	struct gw_events *events = gw_req_gw(arg)->events;

	if (rc == 0 && events != NULL)
		gw_feeds_settings(events, inst);
	if (stored(arg, rc))
		answer_websocket(arg, inst, "WebSocket configuration updated");
}

void gw_api_websocket_set(struct gw_req *req)
{
	char why[GW_BODY_WHY_CAP] = "";
	json_t *body = gw_body_read(req), *patch;
	struct gw_hook_body in;
	size_t n = 0;
	int rc = -ENOMEM;

	if (body == NULL)
		return;
	in = body_of(req, body);
	patch = json_object();
	if (patch != NULL)
		rc = gw_hook_body_websocket(&in, patch, &n, why);
	if (rc == 0 && n == 0) /* nothing was said of it: it stays as it is */
		answer_websocket(req, gw_req_auth(req)->instance,
		                 "WebSocket configuration updated");
	else if (rc == 0)
		rc =
		    gw_registry_instance_hooks(gw_req_gw(req)->registry, gw_req_auth(req)->instance,
		                               patch, on_websocket_stored, req);
	if (rc < 0)
		refuse(req, rc, why);
	json_decref(patch);
	json_decref(body);
}
