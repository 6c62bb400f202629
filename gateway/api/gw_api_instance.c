/* gateway/api/gw_api_instance.c - instances and their tokens made: new, token (contract section 3) */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/http/gw_body.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/instance/gw_room.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/webhook/gw_hook_body.h"

static const char name_rule[] = "a name has 1 to 100 characters of A-Z a-z 0-9 _ -";
static const char token_rule[] = "token has 16 to 128 characters of A-Z a-z 0-9 . _ ~ -";

/* ---- a change that gives a token ------------------------------------------------------------- */

struct change {
	struct gw_req *req;
	char *token;                        /* shown once, in the answer */
	char secret[GW_WEBHOOK_SECRET_CAP]; /* of a webhook, likewise; "": none */
	int status;
	const char *message;
};

static void change_free(struct change *c)
{
	if (c == NULL)
		return;
	if (c->token != NULL)
		secret_wipe(c->token, strlen(c->token));
	free(c->token);
	secret_wipe(c->secret, sizeof(c->secret));
	free(c);
}

/* With the token that was given, or a new one. 0, -ENOMEM or WA_ECRYPTO. */
static int change_new(struct gw_req *req, const char *given, uint8_t hash_out[GW_TOKEN_HASH_LEN],
                      struct change **c_out)
{
	struct change *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	if (c == NULL)
		return rc;
	c->req = req;
	c->token = given != NULL ? strdup(given) : calloc(1, GW_TOKEN_TEXT_CAP);
	if (c->token != NULL)
		rc = given != NULL ? 0 : gw_token_new(c->token);
	if (rc < 0) {
		change_free(c);
		return rc;
	}
	gw_token_hash(c->token, strlen(c->token), hash_out);
	*c_out = c;
	return 0;
}

/* takes shown; what is told this once goes into it. NULL without memory. */
static json_t *with_secrets(json_t *shown, const struct change *c)
{
	int rc = json_object_set_new(shown, "token", json_string(c->token));

	if (rc == 0 && c->secret[0] != '\0')
		rc = json_object_set_new(json_object_get(shown, "webhook"), "secret",
		                         json_string(c->secret));
	if (rc == 0)
		return shown;
	json_decref(shown);
	return NULL;
}

static void on_stored(int rc, struct gw_instance *inst, void *arg)
{
	struct change *c = arg;

	if (rc < 0) {
		gw_req_fail(c->req, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_STORAGE, NULL);
	} else {
		gw_req_reply(c->req, c->status,
		             json_pack("{s:b, s:s, s:o}", "success", 1, "message", c->message,
		                       "instance", with_secrets(gw_instance_json(inst), c)));
	}
	change_free(c);
}

static void refuse(struct gw_req *req, int rc)
{
	switch (rc) {
	case -EEXIST:
		gw_req_fail(req, GW_ERR_INSTANCE_EXISTS, NULL);
		break;
	case -EDQUOT:
		gw_req_fail(req, GW_ERR_QUOTA, NULL);
		break;
	case -EADDRINUSE:
		gw_req_fail(req, GW_ERR_BODY, "this token can't be used; choose another");
		break;
	case -EINVAL:
		gw_req_fail(req, GW_ERR_NAME, NULL);
		break;
	default:
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		break;
	}
}

/* ---- new ------------------------------------------------------------------------------------- */

static const struct gw_body_key new_keys[] = {
	{ "name", GW_BODY_TEXT },
	{ "token", GW_BODY_TEXT },
};

/* What a body of new asks for. */
struct wanted {
	const char *name;  /* borrowed from the body, as token */
	const char *token; /* NULL: none was given */
	char *settings;
	struct gw_proxy proxy;
	bool with_proxy;
	json_t *hooks;               /* a patch; NULL: nothing was said of them */
	struct gw_hook_wish webhook; /* holds the new secret */
};

static void wanted_clear(struct wanted *w)
{
	free(w->settings);
	secret_wipe(&w->proxy, sizeof(w->proxy));
	secret_wipe(&w->webhook, sizeof(w->webhook));
	json_decref(w->hooks);
}

static int read_hooks(const struct gw *gw, const json_t *body, struct wanted *w, char *why_out)
{
	const struct gw_hook_body in = { .body = body,
		                         .flat = true,
		                         .allow_private = gw->cfg.webhook_allow_private };
	size_t websocket_n = 0;
	int rc;

	w->hooks = json_object();
	if (w->hooks == NULL)
		return -ENOMEM;
	rc = gw_hook_body_webhook(&in, w->hooks, &w->webhook, why_out);
	if (rc == 0)
		rc = gw_hook_body_websocket(&in, w->hooks, &websocket_n, why_out);
	if (rc == 0 && w->webhook.n + websocket_n == 0) {
		json_decref(w->hooks);
		w->hooks = NULL;
	}
	return rc;
}

/* Settings, proxy, webhook and WebSocket. 0; -EINVAL with why_out set; -ENOMEM, WA_ECRYPTO. */
static int read_parts(const struct gw *gw, const json_t *body, struct wanted *w, char *why_out)
{
	int rc;

	if (!gw_body_types_ok(body, new_keys, ARRAY_LEN(new_keys), why_out))
		return -EINVAL;
	rc = gw_body_settings(body, &w->settings, why_out);
	if (rc < 0)
		return rc;
	rc = gw_body_proxy(body, true, &w->proxy, why_out);
	w->with_proxy = rc > 0;
	return rc < 0 ? rc : read_hooks(gw, body, w, why_out);
}

/* False: the request has been answered. */
static bool read_new(struct gw_req *req, const json_t *body, struct wanted *w)
{
	char why[GW_BODY_WHY_CAP];
	int rc = read_parts(gw_req_gw(req), body, w, why);

	w->name = json_string_value(json_object_get(body, "name"));
	w->token = json_string_value(json_object_get(body, "token"));
	if (rc == -EINVAL)
		gw_req_fail(req, GW_ERR_BODY, why);
	else if (rc < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	else if (w->name == NULL || *w->name == '\0')
		gw_req_fail(req, GW_ERR_NAME_REQUIRED, NULL);
	else if (!gw_name_valid(w->name))
		gw_req_fail(req, GW_ERR_NAME, name_rule);
	else if (w->token != NULL && !gw_token_valid(w->token))
		gw_req_fail(req, GW_ERR_BODY, token_rule);
	else
		return true;
	return false;
}

static void create(struct gw_req *req, const struct wanted *w)
{
	uint8_t hash[GW_TOKEN_HASH_LEN];
	struct change *c = NULL;
	int rc = gw_room_for_more() ? change_new(req, w->token, hash, &c) : -ENOMEM;

	if (rc == 0) {
		c->status = 201;
		c->message = "Instance created";
		memcpy(c->secret, w->webhook.secret, sizeof(c->secret));
		rc = gw_registry_instance_create(
		    gw_req_gw(req)->registry, gw_req_auth(req)->account, w->name, hash, w->settings,
		    w->with_proxy ? &w->proxy : NULL, w->hooks, on_stored, c);
	}
	if (rc < 0) {
		change_free(c);
		refuse(req, rc);
	}
}

void gw_api_instance_new(struct gw_req *req)
{
	struct wanted w = { 0 };
	json_t *body = gw_body_read(req);

	if (body != NULL && read_new(req, body, &w))
		create(req, &w);
	wanted_clear(&w);
	json_decref(body);
}

/* ---- token ----------------------------------------------------------------------------------- */

static void rotate(struct gw_req *req, const char *given)
{
	uint8_t hash[GW_TOKEN_HASH_LEN];
	struct change *c = NULL;
	int rc = change_new(req, given, hash, &c);

	if (rc == 0) {
		c->status = 200;
		c->message = "Token rotated";
		rc = gw_registry_instance_rotate(gw_req_gw(req)->registry,
		                                 gw_req_auth(req)->instance, hash, on_stored, c);
	}
	if (rc < 0) {
		change_free(c);
		refuse(req, rc);
	}
}

void gw_api_instance_token(struct gw_req *req)
{
	static const struct gw_body_key keys[] = { { "token", GW_BODY_TEXT } };
	char why[GW_BODY_WHY_CAP];
	json_t *body = gw_body_read(req);
	const char *token = json_string_value(json_object_get(body, "token"));

	if (body == NULL)
		return;
	if (!gw_body_types_ok(body, keys, ARRAY_LEN(keys), why))
		gw_req_fail(req, GW_ERR_BODY, why);
	else if (token != NULL && !gw_token_valid(token))
		gw_req_fail(req, GW_ERR_BODY, token_rule);
	else
		rotate(req, token);
	json_decref(body);
}
