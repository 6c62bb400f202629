/* gateway/gw_api_instance.c - new, list, delete (contract section 3) */
#include "gateway/gw_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/gw_instance.h"
#include "gateway/gw_registry.h"
#include "gateway/gw_req.h"

#define NAMES_CAP 8193 /* a query is never longer */

/* ---- new: the keys of the body --------------------------------------------------------------- */

enum key_type {
	KEY_BOOL,
	KEY_TEXT,
	KEY_PORT,  /* a number from 1 to 65535, or that as text */
	KEY_WORDS, /* an array of strings */
};

enum key_group { KEY_OWN, KEY_SETTING, KEY_LATER };

static const struct {
	const char *name;
	enum key_type type;
	enum key_group group;
} new_keys[] = {
	{ "name", KEY_TEXT, KEY_OWN },
	{ "token", KEY_TEXT, KEY_OWN },
	{ "autoRejectCalls", KEY_BOOL, KEY_SETTING },
	{ "callRejectMessage", KEY_TEXT, KEY_SETTING },
	{ "ignoreGroupMessages", KEY_BOOL, KEY_SETTING },
	{ "keepOnlineStatus", KEY_BOOL, KEY_SETTING },
	{ "autoReadMessages", KEY_BOOL, KEY_SETTING },
	{ "disableHistorySync", KEY_BOOL, KEY_SETTING },
	{ "ignoreStatus", KEY_BOOL, KEY_SETTING },
	{ "proxyEnabled", KEY_BOOL, KEY_LATER },
	{ "proxyHost", KEY_TEXT, KEY_LATER },
	{ "proxyPort", KEY_PORT, KEY_LATER },
	{ "proxyProtocol", KEY_TEXT, KEY_LATER },
	{ "proxyUsername", KEY_TEXT, KEY_LATER },
	{ "proxyPassword", KEY_TEXT, KEY_LATER },
	{ "webhookEnabled", KEY_BOOL, KEY_LATER },
	{ "webhookURL", KEY_TEXT, KEY_LATER },
	{ "webhookAuthorization", KEY_TEXT, KEY_LATER },
	{ "webhookByEvents", KEY_BOOL, KEY_LATER },
	{ "webhookEvents", KEY_WORDS, KEY_LATER },
	{ "webhookMediaBase64", KEY_BOOL, KEY_LATER },
	{ "websocketEnabled", KEY_BOOL, KEY_LATER },
	{ "websocketEvents", KEY_WORDS, KEY_LATER },
	{ "websocketMediaBase64", KEY_BOOL, KEY_LATER },
};

static bool port_ok(const json_t *v)
{
	json_int_t port = 0;
	const char *text;

	if (json_is_integer(v)) {
		port = json_integer_value(v);
	} else if (json_is_string(v)) {
		text = json_string_value(v);
		if (strspn(text, "0123456789") == strlen(text) && strlen(text) <= 5)
			port = atoi(text);
	}
	return port >= 1 && port <= 65535;
}

static bool words_ok(const json_t *v)
{
	const json_t *word;
	size_t i;

	if (!json_is_array(v))
		return false;
	json_array_foreach(v, i, word)
	{
		if (!json_is_string(word))
			return false;
	}
	return true;
}

static bool value_ok(enum key_type type, const json_t *v)
{
	switch (type) {
	case KEY_BOOL:
		return json_is_boolean(v);
	case KEY_TEXT:
		return json_is_string(v);
	case KEY_PORT:
		return port_ok(v);
	case KEY_WORDS:
		return words_ok(v);
	}
	return false;
}

static bool protocol_ok(const json_t *body)
{
	const char *p = json_string_value(json_object_get(body, "proxyProtocol"));

	return p == NULL || strcmp(p, "http") == 0 || strcmp(p, "https") == 0 ||
	       strcmp(p, "socks5") == 0;
}

/* Name of the first key whose value is not of its type, or NULL. */
static const char *wrong_key(const json_t *body)
{
	const json_t *v;

	for (size_t i = 0; i < ARRAY_LEN(new_keys); i++) {
		v = json_object_get(body, new_keys[i].name);
		if (v != NULL && !value_ok(new_keys[i].type, v))
			return new_keys[i].name;
	}
	return protocol_ok(body) ? NULL : "proxyProtocol";
}

/* The settings that were given, as JSON text for the registry; NULL without memory. */
static char *settings_text(const json_t *body)
{
	json_t *settings = json_object(), *v;
	char *text = NULL;
	bool ok = settings != NULL;

	for (size_t i = 0; i < ARRAY_LEN(new_keys); i++) {
		v = json_object_get(body, new_keys[i].name);
		if (ok && v != NULL && new_keys[i].group == KEY_SETTING)
			ok = json_object_set(settings, new_keys[i].name, v) == 0;
	}
	if (ok)
		text = json_dumps(settings, JSON_COMPACT);
	json_decref(settings);
	return text;
}

/* What the body asks for and is not built yet, or NULL. */
static const char *not_built(const json_t *body)
{
	if (json_is_true(json_object_get(body, "proxyEnabled")))
		return "proxyEnabled: proxies are not built yet";
	if (json_is_true(json_object_get(body, "webhookEnabled")))
		return "webhookEnabled: webhooks are not built yet";
	if (json_is_true(json_object_get(body, "websocketEnabled")))
		return "websocketEnabled: event streams are not built yet";
	return NULL;
}

/* False: the request has been answered. */
static bool new_body_ok(struct gw_req *req, const json_t *body)
{
	const char *wrong = wrong_key(body), *later = not_built(body);
	const char *name = json_string_value(json_object_get(body, "name"));
	const char *token = json_string_value(json_object_get(body, "token"));
	char detail[64];

	if (wrong != NULL) {
		snprintf(detail, sizeof(detail), "%s has the wrong type", wrong);
		gw_req_fail(req, GW_ERR_BODY, detail);
	} else if (name == NULL || *name == '\0') {
		gw_req_fail(req, GW_ERR_NAME_REQUIRED, NULL);
	} else if (!gw_name_valid(name)) {
		gw_req_fail(req, GW_ERR_NAME, "a name has 1 to 100 characters of A-Z a-z 0-9 _ -");
	} else if (token != NULL && !gw_token_valid(token)) {
		gw_req_fail(req, GW_ERR_BODY,
		            "token has 16 to 128 characters of A-Z a-z 0-9 . _ ~ -");
	} else if (later != NULL) {
		gw_req_fail(req, GW_ERR_NOT_IMPLEMENTED, later);
	} else {
		return true;
	}
	return false;
}

/* ---- new: making it -------------------------------------------------------------------------- */

struct creation {
	struct gw_req *req;
	char *token; /* shown once, in the answer */
};

static void creation_free(struct creation *c)
{
	if (c == NULL)
		return;
	if (c->token != NULL)
		secret_wipe(c->token, strlen(c->token));
	free(c->token);
	free(c);
}

static void on_created(int rc, struct gw_instance *inst, void *arg)
{
	struct creation *c = arg;
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
		gw_req_reply(c->req, 201,
		             json_pack("{s:b, s:s, s:o}", "success", 1, "message",
		                       "Instance created", "instance", shown));
	}
	creation_free(c);
}

static void refuse_creation(struct gw_req *req, int rc)
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

/* The token that was given, or a new one. */
static int creation_new(struct gw_req *req, const json_t *body, struct creation **c_out)
{
	const char *given = json_string_value(json_object_get(body, "token"));
	struct creation *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	if (c == NULL)
		return rc;
	c->req = req;
	c->token = given != NULL ? strdup(given) : calloc(1, GW_TOKEN_TEXT_CAP);
	if (c->token != NULL)
		rc = given != NULL ? 0 : gw_token_new(c->token);
	if (rc < 0)
		creation_free(c);
	else
		*c_out = c;
	return rc;
}

static void create(struct gw_req *req, const json_t *body)
{
	struct gw *gw = gw_req_gw(req);
	uint8_t hash[GW_TOKEN_HASH_LEN];
	char *settings = settings_text(body);
	struct creation *c = NULL;
	int rc = settings == NULL ? -ENOMEM : creation_new(req, body, &c);

	if (rc == 0) {
		gw_token_hash(c->token, strlen(c->token), hash);
		rc = gw_registry_instance_create(gw->registry, gw_req_auth(req)->account,
		                                 json_string_value(json_object_get(body, "name")),
		                                 hash, settings, on_created, c);
	}
	free(settings);
	if (rc < 0) {
		creation_free(c);
		refuse_creation(req, rc);
	}
}

void gw_api_instance_new(struct gw_req *req)
{
	json_t *body;
	int rc = gw_req_json(req, &body);

	if (rc < 0) {
		gw_req_fail(req, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_BODY,
		            rc == -ENOMEM ? NULL : "the body is not one JSON object");
		return;
	}
	if (new_body_ok(req, body))
		create(req, body);
	json_decref(body);
}

/* ---- list ------------------------------------------------------------------------------------ */

static void answer_list(struct gw_req *req, json_t *found)
{
	size_t n = json_array_size(found);
	char message[48];

	snprintf(message, sizeof(message), n == 1 ? "%zu Instance found" : "%zu Instances found",
	         n);
	gw_req_reply(req, 200,
	             json_pack("{s:b, s:s, s:o, s:{s:I}}", "success", 1, "message", message,
	                       "instances", found, "meta", "total", (json_int_t)n));
}

static int list_all(struct gw_req *req, json_t *found)
{
	const struct gw_auth *auth = gw_req_auth(req);
	struct gw_registry *reg = gw_req_gw(req)->registry;
	struct gw_instance *inst = NULL;

	if (auth->kind == GW_TOKEN_INSTANCE)
		return json_array_append_new(found, gw_instance_json(auth->instance));
	while ((inst = gw_registry_next(reg, auth->account, inst)) != NULL) {
		if (json_array_append_new(found, gw_instance_json(inst)) < 0)
			return -1;
	}
	return 0;
}

/* names: a comma-separated list, taken apart here. seen: those that were shown, as keys. False:
 * *error_out. */
static bool list_named(struct gw_req *req, char *names, json_t *found, json_t *seen,
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
		    (inst != NULL && json_array_append_new(found, gw_instance_json(inst)) < 0))
			return false;
	}
	*error_out = asked_n == 0 ? GW_ERR_NAME_REQUIRED : GW_ERR_INSTANCE_NOT_FOUND;
	return asked_n > 1 || json_array_size(found) > 0;
}

/* Into found, what the request asks for. False: *error_out. */
static bool list_wanted(struct gw_req *req, json_t *found, enum gw_error *error_out)
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

void gw_api_instance_list(struct gw_req *req)
{
	enum gw_error error = GW_ERR_AT_CAPACITY;
	json_t *found = json_array();

	if (found != NULL && list_wanted(req, found, &error)) {
		answer_list(req, found);
		return;
	}
	json_decref(found);
	gw_req_fail(req, error, NULL);
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

void gw_api_instance_delete(struct gw_req *req)
{
	int rc = gw_registry_instance_delete(gw_req_gw(req)->registry, gw_req_auth(req)->instance,
	                                     on_deleted, req);

	if (rc < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
}
