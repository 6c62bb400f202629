/* gateway/webhook/gw_hook_config.c - who is to hear of an instance's events: its webhooks, its
 * WebSocket */
#include "gateway/webhook/gw_hook_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/json_text.h"
#include "common/secret.h"
#include "gateway/registry/gw_sealed_text.h"

#define NO_KIND (UINT32_C(1) << 31) /* no kind has this number */

const struct gw_webhook *gw_webhook_find(const struct gw_hook_config *c, const char *label)
{
	for (size_t i = 0; c != NULL && i < c->webhooks_n; i++)
		if (strcmp(c->webhooks[i]->label, label) == 0)
			return c->webhooks[i];
	return NULL;
}

int gw_webhook_secret_new(char *out)
{
	uint8_t key[GW_WEBHOOK_KEY_LEN];
	size_t n = sizeof(GW_WEBHOOK_SECRET_PREFIX) - 1;
	int rc = secret_random(key, sizeof(key));

	if (rc == 0) {
		memcpy(out, GW_WEBHOOK_SECRET_PREFIX, n);
		b64_encode(key, sizeof(key), out + n);
	}
	secret_wipe(key, sizeof(key));
	return rc;
}

/* ---- memory ------------------------------------------------------------------------------------
 */

static void webhook_free(struct gw_webhook *w)
{
	if (w == NULL)
		return;
	secret_free(w->url);
	secret_free(w->authorization);
	secret_free(w->key);
	free(w);
}

static struct gw_webhook *webhook_new(const char *label)
{
	struct gw_webhook *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	snprintf(w->label, sizeof(w->label), "%s", label);
	w->url = secret_strdup("");
	w->authorization = secret_strdup("");
	if (w->url == NULL || w->authorization == NULL) {
		webhook_free(w);
		return NULL;
	}
	return w;
}

void gw_hook_config_free(struct gw_hook_config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->webhooks_n; i++)
		webhook_free(c->webhooks[i]);
	free(c);
}

/* ---- a patch laid over it ----------------------------------------------------------------------
 */

static int worse(int rc, int next)
{
	return rc < 0 && (rc == -ENOMEM || next == 0) ? rc : next;
}

static int take_bool(const json_t *o, const char *name, bool *out)
{
	const json_t *v = json_object_get(o, name);

	if (v == NULL)
		return 0;
	*out = json_is_true(v);
	return json_is_boolean(v) ? 0 : WA_ESTORE_CORRUPT;
}

static int take_time(const json_t *o, const char *name, int64_t *out)
{
	const json_t *v = json_object_get(o, name);

	if (v == NULL)
		return 0;
	*out = json_integer_value(v);
	return json_is_integer(v) ? 0 : WA_ESTORE_CORRUPT;
}

/* A kind that a later version knew is left out; a filter of nothing else then wants nothing. */
static int take_events(const json_t *o, uint32_t *out)
{
	const json_t *v = json_object_get(o, "events"), *name;
	uint32_t kinds = 0;
	size_t i;
	int rc = 0;

	if (v == NULL)
		return 0;
	json_array_foreach(v, i, name)
	{
		const char *text = json_string_value(name);
		unsigned kind = text == NULL ? 0 : gw_event_kind_find(text, strlen(text));

		if (kind == 0)
			rc = WA_ESTORE_CORRUPT;
		else
			kinds |= UINT32_C(1) << kind;
	}
	if (kinds == 0 && json_array_size(v) > 0)
		kinds = NO_KIND;
	*out = kinds;
	return json_is_array(v) ? rc : WA_ESTORE_CORRUPT;
}

static int take_filter(const json_t *o, struct gw_event_filter *f)
{
	return worse(take_bool(o, "fromHistory", &f->history), take_events(o, &f->kinds));
}

static int take_text(const json_t *o, const char *name, char **out)
{
	const json_t *v = json_object_get(o, name);
	char *copy;

	if (v == NULL)
		return 0;
	if (!json_is_string(v))
		return WA_ESTORE_CORRUPT;
	copy = secret_strdup(json_string_value(v));
	if (copy == NULL)
		return -ENOMEM;
	secret_free(*out);
	*out = copy;
	return 0;
}

static int take_secret(const json_t *o, uint8_t **out)
{
	const char *text = json_string_value(json_object_get(o, "secret"));
	const size_t n = sizeof(GW_WEBHOOK_SECRET_PREFIX) - 1;
	uint8_t *key;
	size_t len = 0;

	if (json_object_get(o, "secret") == NULL)
		return 0;
	if (text == NULL || strncmp(text, GW_WEBHOOK_SECRET_PREFIX, n) != 0)
		return WA_ESTORE_CORRUPT;
	key = secret_alloc(GW_WEBHOOK_KEY_LEN);
	if (key == NULL)
		return -ENOMEM;
	if (b64_decode(text + n, strlen(text + n), key, GW_WEBHOOK_KEY_LEN, &len) < 0 ||
	    len != GW_WEBHOOK_KEY_LEN) {
		secret_free(key);
		return WA_ESTORE_CORRUPT;
	}
	secret_free(*out);
	*out = key;
	return 0;
}

static int webhook_patch(struct gw_webhook *w, const json_t *o)
{
	int rc = json_is_object(o) ? 0 : WA_ESTORE_CORRUPT;

	rc = worse(rc, take_bool(o, "enabled", &w->enabled));
	rc = worse(rc, take_bool(o, "byEvents", &w->by_events));
	rc = worse(rc, take_bool(o, "mediaBase64", &w->media_base64));
	rc = worse(rc, take_filter(o, &w->filter));
	rc = worse(rc, take_time(o, "gone", &w->gone_unix_ms));
	rc = worse(rc, take_text(o, "url", &w->url));
	rc = worse(rc, take_text(o, "authorization", &w->authorization));
	return worse(rc, take_secret(o, &w->key));
}

static int websocket_patch(struct gw_websocket *ws, const json_t *o)
{
	int rc = json_is_object(o) ? 0 : WA_ESTORE_CORRUPT;

	rc = worse(rc, take_bool(o, "enabled", &ws->enabled));
	rc = worse(rc, take_bool(o, "mediaBase64", &ws->media_base64));
	return worse(rc, take_filter(o, &ws->filter));
}

static void remove_label(struct gw_hook_config *c, const char *label)
{
	for (size_t i = 0; i < c->webhooks_n; i++) {
		if (strcmp(c->webhooks[i]->label, label) != 0)
			continue;
		webhook_free(c->webhooks[i]);
		memmove(&c->webhooks[i], &c->webhooks[i + 1],
		        (c->webhooks_n - i - 1) * sizeof(*c->webhooks));
		c->webhooks_n--;
		return;
	}
}

static int label_patch(struct gw_hook_config *c, const char *label, const json_t *o)
{
	struct gw_webhook *w;

	if (json_is_null(o)) {
		remove_label(c, label);
		return 0;
	}
	w = (struct gw_webhook *)(uintptr_t)gw_webhook_find(c, label);
	if (w != NULL)
		return webhook_patch(w, o);
	if (c->webhooks_n == GW_WEBHOOKS_MAX || strlen(label) > GW_WEBHOOK_LABEL_MAX)
		return WA_ESTORE_CORRUPT;
	w = webhook_new(label);
	if (w == NULL)
		return -ENOMEM;
	c->webhooks[c->webhooks_n++] = w;
	return webhook_patch(w, o);
}

int gw_hook_config_apply(struct gw_hook_config **c, const json_t *patch)
{
	const json_t *webhooks = json_object_get(patch, "webhooks");
	const json_t *websocket = json_object_get(patch, "websocket");
	const char *label;
	json_t *o;
	int rc = 0;

	if (*c == NULL)
		*c = calloc(1, sizeof(**c));
	if (*c == NULL)
		return -ENOMEM;
	json_object_foreach((json_t *)(uintptr_t)webhooks, label, o)
	{
		rc = worse(rc, label_patch(*c, label, o));
	}
	if (websocket != NULL)
		rc = worse(rc, websocket_patch(&(*c)->websocket, websocket));
	return rc;
}

/* ---- counted ahead -----------------------------------------------------------------------------
 */

/* What is said last of a label; -1: nothing is. 2: it is deleted. */
static int last_said(const char *label, const json_t *const *patches, size_t patches_n)
{
	int said = -1;

	for (size_t i = 0; i < patches_n; i++) {
		const json_t *o = json_object_get(json_object_get(patches[i], "webhooks"), label);
		const json_t *enabled = json_object_get(o, "enabled");

		if (json_is_null(o))
			said = 2;
		else if (enabled != NULL)
			said = json_is_true(enabled);
		else if (o != NULL && said == 2)
			said = 0;
	}
	return said;
}

/* Is the label first named by patch i? */
static bool is_first(const struct gw_hook_config *c, const char *label,
                     const json_t *const *patches, size_t i)
{
	if (gw_webhook_find(c, label) != NULL)
		return false;
	for (size_t j = 0; j < i; j++)
		if (json_object_get(json_object_get(patches[j], "webhooks"), label) != NULL)
			return false;
	return true;
}

void gw_hook_config_count(const struct gw_hook_config *c, const json_t *const *patches,
                          size_t patches_n, size_t *labels_n_out, size_t *enabled_n_out)
{
	size_t labels_n = 0, enabled_n = 0;
	const char *label;
	json_t *o;

	for (size_t i = 0; c != NULL && i < c->webhooks_n; i++) {
		int said = last_said(c->webhooks[i]->label, patches, patches_n);

		labels_n += said != 2;
		enabled_n += said < 0 ? c->webhooks[i]->enabled : said == 1;
	}
	for (size_t i = 0; i < patches_n; i++) {
		json_object_foreach(json_object_get(patches[i], "webhooks"), label, o)
		{
			int said = last_said(label, patches, patches_n);

			if (!is_first(c, label, patches, i))
				continue;
			labels_n += said != 2;
			enabled_n += said == 1;
		}
	}
	*labels_n_out = labels_n;
	*enabled_n_out = enabled_n;
}

/* ---- sealed for the registry -------------------------------------------------------------------
 */

static const char *const sealed_keys[] = { "url", "authorization", "secret" };

#define COLUMN_CAP 128

static void column_of(const char *field, const char *label, const char *instance_id,
                      char out[COLUMN_CAP])
{
	snprintf(out, COLUMN_CAP, "hooks.%s:%s:%s", field, instance_id, label);
}

static int seal_key(json_t *o, const char *field, const char *label, const struct sealed_key *key,
                    const char *instance_id)
{
	const char *plain = json_string_value(json_object_get(o, field));
	char column[COLUMN_CAP];

	column_of(field, label, instance_id, column);
	return plain != NULL ? gw_sealed_text_set(o, field, plain, key, column) : 0;
}

int gw_hook_patch_seal(const json_t *patch, const struct sealed_key *key, const char *instance_id,
                       char **text_out)
{
	json_t *copy = json_deep_copy(patch), *o;
	const char *label;
	int rc = copy == NULL ? -ENOMEM : 0;

	json_object_foreach(json_object_get(copy, "webhooks"), label, o)
	{
		for (size_t i = 0; rc == 0 && i < ARRAY_LEN(sealed_keys); i++)
			rc = seal_key(o, sealed_keys[i], label, key, instance_id);
	}
	if (rc == 0) {
		*text_out = json_text(copy);
		rc = *text_out == NULL ? -ENOMEM : 0;
	}
	json_decref(copy);
	return rc;
}

/* Open one value in place; what can't be opened is taken out. */
static int open_key(json_t *o, const char *field, const char *label, const struct sealed_key *key,
                    const char *instance_id)
{
	struct buf plain = { 0 };
	char column[COLUMN_CAP];
	int rc;

	column_of(field, label, instance_id, column);
	rc = gw_sealed_text_get(o, field, key, column, &plain);
	if (rc == 0 && plain.len > 0 &&
	    json_object_set_new(o, field, json_stringn((const char *)plain.p, plain.len)) < 0)
		rc = WA_ESTORE_CORRUPT;
	if (rc < 0)
		json_object_del(o, field);
	buf_wipe(&plain);
	return rc;
}

static int open_webhook(json_t *o, const char *label, const struct sealed_key *key,
                        const char *instance_id)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(sealed_keys); i++)
		rc = worse(rc, open_key(o, sealed_keys[i], label, key, instance_id));
	if (rc < 0 && json_object_set_new(o, "enabled", json_false()) < 0)
		rc = -ENOMEM;
	return rc;
}

int gw_hook_config_load(const char *text, const struct sealed_key *key, const char *instance_id,
                        struct gw_hook_config **c_out)
{
	json_t *patch, *o;
	const char *label;
	int rc = 0;

	*c_out = NULL;
	if (text == NULL || strcmp(text, "{}") == 0)
		return 0;
	patch = NULL;
	rc = json_text_load(text, strlen(text), 0, &patch);
	if (rc < 0 ? rc != -ENOMEM : !json_is_object(patch))
		rc = WA_ESTORE_CORRUPT;
	json_object_foreach(json_object_get(patch, "webhooks"), label, o)
	{
		rc = worse(rc, open_webhook(o, label, key, instance_id));
	}
	rc = worse(rc, gw_hook_config_apply(c_out, patch));
	json_decref(patch);
	return rc;
}

/* ---- shown -------------------------------------------------------------------------------------
 */

static json_t *gone_json(const struct gw_webhook *w)
{
	char at[RFC3339_CAP];

	if (w->gone_unix_ms == 0)
		return json_null();
	clock_rfc3339(w->gone_unix_ms, at);
	return json_pack("{s:s, s:s, s:s}", "code", "gone", "detail",
	                 "the receiver answered 410, which disables a webhook", "at", at);
}

json_t *gw_webhook_json(const struct gw_webhook *w)
{
	return json_pack("{s:s, s:b, s:s, s:s, s:b, s:o, s:b, s:b, s:o}", "label", w->label,
	                 "enabled", w->enabled, "url", w->url, "authorization",
	                 w->authorization[0] == '\0' ? "" : GW_WEBHOOK_MASK, "byEvents",
	                 w->by_events, "events", gw_event_kinds_json(w->filter.kinds),
	                 "mediaBase64", w->media_base64, "fromHistory", w->filter.history,
	                 "disabledBy", gone_json(w));
}

json_t *gw_websocket_json(const struct gw_websocket *ws)
{
	return json_pack("{s:b, s:o, s:b}", "enabled", ws->enabled, "events",
	                 gw_event_kinds_json(ws->filter.kinds), "mediaBase64", ws->media_base64);
}

json_t *gw_hook_config_brief_json(const struct gw_hook_config *c)
{
	const struct gw_webhook *w = NULL;

	for (size_t i = 0; c != NULL && i < c->webhooks_n; i++)
		if (w == NULL || (c->webhooks[i]->enabled && !w->enabled))
			w = c->webhooks[i];
	if (w == NULL)
		return json_pack("{s:b}", "enabled", 0);
	return json_pack("{s:b, s:s, s:s, s:b, s:o, s:b}", "enabled", w->enabled, "label", w->label,
	                 "url", w->url, "byEvents", w->by_events, "events",
	                 gw_event_kinds_json(w->filter.kinds), "mediaBase64", w->media_base64);
}
