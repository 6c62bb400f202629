/* gateway/gw_api_instance.c - instances and their tokens made: new, token (contract section 3) */
#include "gateway/gw_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/gw_body.h"
#include "gateway/gw_instance.h"
#include "gateway/gw_registry.h"
#include "gateway/gw_req.h"
#include "gateway/gw_room.h"

static const char name_rule[] = "a name has 1 to 100 characters of A-Z a-z 0-9 _ -";
static const char token_rule[] = "token has 16 to 128 characters of A-Z a-z 0-9 . _ ~ -";

/* ---- a change that gives a token ------------------------------------------------------------- */

struct change {
	struct gw_req *req;
	char *token; /* shown once, in the answer */
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

static void on_stored(int rc, struct gw_instance *inst, void *arg)
{
	struct change *c = arg;
	json_t *shown;

	if (rc < 0) {
		gw_req_fail(c->req, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_STORAGE, NULL);
	} else {
		shown = gw_instance_json(inst);
		if (shown != NULL &&
		    json_object_set_new(shown, "token", json_string(c->token)) < 0) {
			json_decref(shown);
			shown = NULL;
		}
		gw_req_reply(c->req, c->status,
		             json_pack("{s:b, s:s, s:o}", "success", 1, "message", c->message,
		                       "instance", shown));
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
	{ "webhookEnabled", GW_BODY_BOOL },
	{ "webhookURL", GW_BODY_TEXT },
	{ "webhookAuthorization", GW_BODY_TEXT },
	{ "webhookByEvents", GW_BODY_BOOL },
	{ "webhookEvents", GW_BODY_WORDS },
	{ "webhookMediaBase64", GW_BODY_BOOL },
	{ "websocketEnabled", GW_BODY_BOOL },
	{ "websocketEvents", GW_BODY_WORDS },
	{ "websocketMediaBase64", GW_BODY_BOOL },
};

/* What a body of new asks for. */
struct wanted {
	const char *name;  /* borrowed from the body, as token */
	const char *token; /* NULL: none was given */
	char *settings;
	struct gw_proxy proxy;
	bool with_proxy;
};

static void wanted_clear(struct wanted *w)
{
	free(w->settings);
	secret_wipe(&w->proxy, sizeof(w->proxy));
}

/* What the body asks for and is not built yet, or NULL. */
static const char *not_built(const json_t *body)
{
	if (json_is_true(json_object_get(body, "webhookEnabled")))
		return "webhookEnabled: webhooks are not built yet";
	if (json_is_true(json_object_get(body, "websocketEnabled")))
		return "websocketEnabled: event streams are not built yet";
	return NULL;
}

/* Settings and proxy. 0; -EINVAL with why_out set; -ENOMEM. */
static int read_parts(const json_t *body, struct wanted *w, char *why_out)
{
	int rc;

	if (!gw_body_types_ok(body, new_keys, ARRAY_LEN(new_keys), why_out))
		return -EINVAL;
	rc = gw_body_settings(body, &w->settings, why_out);
	if (rc < 0)
		return rc;
	rc = gw_body_proxy(body, true, &w->proxy, why_out);
	w->with_proxy = rc > 0;
	return rc < 0 ? rc : 0;
}

/* False: the request has been answered. */
static bool read_new(struct gw_req *req, const json_t *body, struct wanted *w)
{
	char why[GW_BODY_WHY_CAP];
	int rc = read_parts(body, w, why);
	const char *later = not_built(body);

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
	else if (later != NULL)
		gw_req_fail(req, GW_ERR_NOT_IMPLEMENTED, later);
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
		rc = gw_registry_instance_create(
		    gw_req_gw(req)->registry, gw_req_auth(req)->account, w->name, hash, w->settings,
		    w->with_proxy ? &w->proxy : NULL, on_stored, c);
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
