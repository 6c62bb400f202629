/* gateway/webhook/gw_hook_body.c - what a body says of a webhook or of the WebSocket */
#include "gateway/webhook/gw_hook_body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gateway/events/gw_event.h"
#include "gateway/http/gw_body.h"
#include "gateway/webhook/gw_hook_url.h"

/* Under which name a key is kept, and its names in a route of its own and in POST
 * /api/instance/new; NULL: it has none there. */
struct key {
	const char *kept;
	const char *name[2];
	enum gw_body_type type;
};

enum { K_ENABLED, K_EVENTS, K_MEDIA, K_HISTORY, K_URL, K_AUTHORIZATION, K_BY_EVENTS };

static const struct key webhook_keys[] = {
	[K_ENABLED] = { "enabled", { "enabled", "webhookEnabled" }, GW_BODY_BOOL },
	[K_EVENTS] = { "events", { "events", "webhookEvents" }, GW_BODY_WORDS },
	[K_MEDIA] = { "mediaBase64", { "mediaBase64", "webhookMediaBase64" }, GW_BODY_BOOL },
	[K_HISTORY] = { "fromHistory", { "fromHistory", "webhookFromHistory" }, GW_BODY_BOOL },
	[K_URL] = { "url", { "url", "webhookURL" }, GW_BODY_TEXT },
	[K_AUTHORIZATION] = { "authorization",
	                      { "authorization", "webhookAuthorization" },
	                      GW_BODY_TEXT },
	[K_BY_EVENTS] = { "byEvents", { "byEvents", "webhookByEvents" }, GW_BODY_BOOL },
};

static const struct key websocket_keys[] = {
	[K_ENABLED] = { "enabled", { "enabled", "websocketEnabled" }, GW_BODY_BOOL },
	[K_EVENTS] = { "events", { "events", "websocketEvents" }, GW_BODY_WORDS },
	[K_MEDIA] = { "mediaBase64", { "mediaBase64", "websocketMediaBase64" }, GW_BODY_BOOL },
	[K_HISTORY] = { "fromHistory", { "fromHistory", "websocketFromHistory" }, GW_BODY_BOOL },
};

bool gw_webhook_label_valid(const char *label)
{
	size_t len =
	    strspn(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return label[len] == '\0' && len >= 1 && len <= GW_WEBHOOK_LABEL_MAX;
}

/* ---- keys --------------------------------------------------------------------------------------
 */

static bool kinds_ok(const json_t *events, const char *name, char *why_out)
{
	const json_t *v;
	size_t i;

	if (json_array_size(events) > 2 * GW_EVENT_KIND_END) {
		snprintf(why_out, GW_BODY_WHY_CAP, "%s names too many kinds", name);
		return false;
	}
	json_array_foreach(events, i, v)
	{
		const char *text = json_string_value(v);

		if (gw_event_kind_find(text, strlen(text)) != 0)
			continue;
		snprintf(why_out, GW_BODY_WHY_CAP, "%s: \"%.40s\" is no kind of event", name, text);
		return false;
	}
	return true;
}

/* Every key that is there, with its type, into o under the name it is kept. Their number, -EINVAL
 * or -ENOMEM. */
static int take_keys(const struct gw_hook_body *in, const struct key *keys, size_t keys_n,
                     json_t *o, char *why_out)
{
	int n = 0;

	for (size_t i = 0; i < keys_n; i++) {
		const struct gw_body_key key = { keys[i].name[in->flat], keys[i].type };
		json_t *v = json_object_get(in->body, key.name);

		if (v == NULL)
			continue;
		if (!gw_body_types_ok(in->body, &key, 1, why_out) ||
		    (i == K_EVENTS && !kinds_ok(v, key.name, why_out)))
			return -EINVAL;
		if (json_object_set(o, keys[i].kept, v) < 0)
			return -ENOMEM;
		n++;
	}
	return n;
}

static int add_part(json_t *patch, const char *name, const char *label, json_t *o)
{
	json_t *all = json_object_get(patch, name);
	int rc;

	if (label == NULL)
		return json_object_set_new(patch, name, o) < 0 ? -ENOMEM : 0;
	if (all == NULL) {
		all = json_object();
		if (all == NULL || json_object_set_new(patch, name, all) < 0) {
			json_decref(o);
			return -ENOMEM;
		}
	}
	rc = json_object_set_new(all, label, o);
	return rc < 0 ? -ENOMEM : 0;
}

int gw_hook_body_websocket(const struct gw_hook_body *in, json_t *patch, size_t *n_out,
                           char *why_out)
{
	json_t *o = json_object();
	int n = o == NULL ? -ENOMEM
	                  : take_keys(in, websocket_keys, ARRAY_LEN(websocket_keys), o, why_out);

	if (n > 0) {
		*n_out = (size_t)n;
		return add_part(patch, "websocket", NULL, o);
	}
	*n_out = 0;
	json_decref(o);
	return n;
}

/* ---- a webhook ---------------------------------------------------------------------------------
 */

static int read_label(const struct gw_hook_body *in, struct gw_hook_wish *wish, char *why_out)
{
	static const struct gw_body_key key = { "label", GW_BODY_TEXT };
	const char *label = "default";

	if (!in->flat && json_object_get(in->body, key.name) != NULL) {
		if (!gw_body_types_ok(in->body, &key, 1, why_out))
			return -EINVAL;
		label = json_string_value(json_object_get(in->body, key.name));
	}
	if (!gw_webhook_label_valid(label)) {
		snprintf(why_out, GW_BODY_WHY_CAP,
		         "a label has 1 to %d characters of A-Z a-z 0-9 _ -", GW_WEBHOOK_LABEL_MAX);
		return -EINVAL;
	}
	snprintf(wish->label, sizeof(wish->label), "%s", label);
	return 0;
}

/* It becomes a header's value. */
static bool authorization_ok(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
			return false;
	return strlen(text) <= GW_WEBHOOK_AUTH_MAX;
}

static int check_authorization(const struct gw_hook_body *in, json_t *o, char *why_out)
{
	const char *text = json_string_value(json_object_get(o, "authorization"));

	if (text == NULL)
		return 0;
	if (strcmp(text, GW_WEBHOOK_MASK) == 0) { /* what we showed: it stays as it is */
		json_object_del(o, "authorization");
		return 0;
	}
	if (authorization_ok(text))
		return 0;
	snprintf(why_out, GW_BODY_WHY_CAP, "%s has at most %d bytes of printable ASCII",
	         webhook_keys[K_AUTHORIZATION].name[in->flat], GW_WEBHOOK_AUTH_MAX);
	return -EINVAL;
}

static int check_url(const struct gw_hook_body *in, const struct gw_webhook *old, const json_t *o,
                     bool enabled, char *why_out)
{
	const char *name = webhook_keys[K_URL].name[in->flat], *why;
	const char *url = json_string_value(json_object_get(o, "url"));
	bool given = url != NULL;
	int rc;

	if (url == NULL)
		url = old != NULL ? old->url : "";
	if (*url == '\0') {
		if (!enabled)
			return 0;
		snprintf(why_out, GW_BODY_WHY_CAP, "an enabled webhook needs %s", name);
		return -EINVAL;
	}
	if (!given)
		return 0;
	rc = gw_hook_url_check(url, in->allow_private, &why);
	if (rc == -EINVAL)
		snprintf(why_out, GW_BODY_WHY_CAP, "%s %s", name, why);
	return rc;
}

/* What follows from it: enabled, it is not gone any more; its secret. */
static int complete(const struct gw_hook_body *in, const struct gw_webhook *old, json_t *o,
                    bool enabled, struct gw_hook_wish *wish)
{
	bool rotate = json_is_true(json_object_get(in->body, "rotateSecret")) && !in->flat;
	int rc = 0;

	if (json_object_set_new(o, "enabled", json_boolean(enabled)) < 0)
		return -ENOMEM;
	if (enabled && (old == NULL || !old->enabled) &&
	    json_object_set_new(o, "gone", json_integer(0)) < 0)
		return -ENOMEM;
	if (old == NULL || old->key == NULL || rotate) {
		rc = gw_webhook_secret_new(wish->secret);
		if (rc == 0 && json_object_set_new(o, "secret", json_string(wish->secret)) < 0)
			rc = -ENOMEM;
	}
	return rc;
}

/* o is filled; what was in the body is right by itself. */
static int judge(const struct gw_hook_body *in, json_t *o, struct gw_hook_wish *wish, char *why_out)
{
	static const struct gw_body_key rotate = { "rotateSecret", GW_BODY_BOOL };
	const struct gw_webhook *old = gw_webhook_find(in->now, wish->label);
	const json_t *said = json_object_get(o, "enabled");
	bool enabled = said != NULL ? json_is_true(said) : (old != NULL ? old->enabled : !in->flat);
	int rc = 0;

	if (!in->flat && !gw_body_types_ok(in->body, &rotate, 1, why_out))
		rc = -EINVAL;
	if (rc == 0)
		rc = check_authorization(in, o, why_out);
	if (rc == 0)
		rc = check_url(in, old, o, enabled, why_out);
	return rc == 0 ? complete(in, old, o, enabled, wish) : rc;
}

int gw_hook_body_webhook(const struct gw_hook_body *in, json_t *patch, struct gw_hook_wish *wish,
                         char *why_out)
{
	json_t *o = json_object();
	int rc = o == NULL ? -ENOMEM : 0, n = 0;

	*wish = (struct gw_hook_wish){ .n = 0 };
	if (rc == 0)
		n = take_keys(in, webhook_keys, ARRAY_LEN(webhook_keys), o, why_out);
	if (n < 0)
		rc = n;
	if (rc == 0 && (n > 0 || !in->flat))
		rc = read_label(in, wish, why_out);
	if (rc == 0 && (n > 0 || !in->flat)) {
		wish->n = (size_t)n;
		rc = judge(in, o, wish, why_out);
		if (rc == 0)
			return add_part(patch, "webhooks", wish->label, o);
	}
	json_decref(o);
	return rc;
}
