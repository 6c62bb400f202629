/* gateway/instance/gw_instance_json.c - an instance as the contract shows it in list; its settings
 */
#include "gateway/instance/gw_instance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json_text.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/instance/gw_proxy.h"
#include "gateway/webhook/gw_hook_config.h"

/* The settings of contract 3.1: a name, and either a truth value or a text. */
static const struct {
	const char *name;
	const char *text; /* default; NULL: the setting is a truth value */
	bool on;          /* default */
} known_settings[] = {
	{ "autoRejectCalls", NULL, false },     { "callRejectMessage", "", false },
	{ "ignoreGroupMessages", NULL, false }, { "keepOnlineStatus", NULL, false },
	{ "autoReadMessages", NULL, false },    { "disableHistorySync", NULL, true },
	{ "ignoreStatus", NULL, false },
};

/* From 8 keys on jansson may enlarge its table where a value takes another's place, too. */
_Static_assert(ARRAY_LEN(known_settings) < 8, "gw_instance_settings_changed() takes no memory");

static const char *const display_names[GW_CONN_STATE_N] = {
	[GW_DISCONNECTED] = "Disconnected",
	[GW_CONNECTING] = "Connecting",
	[GW_CONNECTED] = "Connected",
	[GW_LOGGEDOUT] = "Logged out",
	[GW_BANNED] = "Banned",
};

/* The value given for a known setting, when it has the right type. Borrowed. */
static json_t *setting_given(const json_t *given, size_t i)
{
	json_t *v = json_object_get(given, known_settings[i].name);
	bool fits = known_settings[i].text != NULL ? json_is_string(v) : json_is_boolean(v);

	return fits ? v : NULL;
}

int gw_settings_normalise(const char *text, char **text_out)
{
	json_t *given = NULL;
	json_t *kept = json_object();
	char *out = NULL;
	int rc = -ENOMEM;

	if (kept == NULL)
		goto out;
	if (text != NULL) {
		rc = json_text_load(text, strlen(text), 0, &given);
		if (rc == 0 && !json_is_object(given))
			rc = -EINVAL;
		if (rc < 0) {
			rc = rc == -ENOMEM ? rc : -EINVAL;
			goto out;
		}
	}
	rc = -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(known_settings); i++) {
		json_t *v = setting_given(given, i);

		if (v != NULL && json_object_set(kept, known_settings[i].name, v) < 0)
			goto out;
	}
	out = json_text(kept);
	if (out == NULL)
		goto out;
	*text_out = out;
	rc = 0;
out:
	json_decref(given);
	json_decref(kept);
	return rc;
}

static json_t *setting_preset(size_t i)
{
	return known_settings[i].text != NULL ? json_string(known_settings[i].text)
	                                      : json_boolean(known_settings[i].on);
}

int gw_settings_begin(struct gw_instance *inst, const char *partial, json_t **given_out)
{
	json_t *given = json_text_read(partial, strlen(partial), 0);
	int rc = given != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(known_settings); i++) {
		if (setting_given(given, i) != NULL && setting_given(inst->settings, i) == NULL &&
		    json_object_set_new(inst->settings, known_settings[i].name, setting_preset(i)) <
		        0)
			rc = -ENOMEM;
	}
	if (rc < 0)
		json_decref(given);
	else
		*given_out = given;
	return rc;
}

static size_t setting_find(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_LEN(known_settings) - 1 && strcmp(known_settings[i].name, name) != 0)
		i++;
	return i;
}

bool gw_instance_setting_on(const struct gw_instance *inst, const char *name)
{
	size_t i = setting_find(name);
	const json_t *v = setting_given(inst->settings, i);

	return v != NULL ? json_is_true(v) : known_settings[i].on;
}

const char *gw_instance_setting_text(const struct gw_instance *inst, const char *name)
{
	size_t i = setting_find(name);
	const char *v = json_string_value(setting_given(inst->settings, i));

	return v != NULL ? v : known_settings[i].text;
}

/* Each of these gives a new reference, or NULL without memory, which json_pack() passes on. */

json_t *gw_instance_settings_json(const struct gw_instance *inst)
{
	json_t *all = json_object();

	for (size_t i = 0; all != NULL && i < ARRAY_LEN(known_settings); i++) {
		json_t *v = json_incref(setting_given(inst->settings, i));

		if (v == NULL)
			v = setting_preset(i);
		if (json_object_set_new(all, known_settings[i].name, v) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

static json_t *time_json(int64_t unix_ms)
{
	char text[RFC3339_CAP];

	clock_rfc3339(unix_ms, text);
	return json_string(text);
}

static json_t *error_json(const struct gw_reason *r)
{
	char code[GW_REASON_CODE_CAP];

	if (r->rc == 0)
		return json_null();
	gw_reason_code(r, code);
	return json_pack("{s:s, s:s, s:o}", "code", code, "detail", r->detail, "at",
	                 time_json(r->at_unix_ms));
}

/* "user:device@server" without the device. */
static void jid_bare(const char *jid, char out[GW_JID_CAP])
{
	size_t user = strcspn(jid, ":@");
	const char *at = strchr(jid, '@');

	snprintf(out, GW_JID_CAP, "%.*s%s", (int)user, jid, at != NULL ? at : "");
}

const char *gw_instance_number_jid(const struct gw_instance *inst)
{
	return inst->link.jid_bare;
}

void gw_device_jid_set(struct gw_device *l, const char *jid)
{
	snprintf(l->jid, sizeof(l->jid), "%s", jid);
	jid_bare(l->jid, l->jid_bare);
}

static const char *presence(const struct gw_instance *inst)
{
	bool there = inst->conn == GW_CONNECTED && gw_instance_setting_on(inst, "keepOnlineStatus");

	return there ? "available" : "unavailable";
}

static json_t *next_try_json(const struct gw_instance *inst)
{
	bool planned = (inst->state == GW_WAITING || inst->state == GW_RESTARTING) &&
	               inst->retry.next_unix_ms != 0;

	return planned ? time_json(inst->retry.next_unix_ms) : json_null();
}

static json_t *connection_json(const struct gw_instance *inst)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:o}", "state",
	                 gw_conn_state_name(inst->conn), "numberJid", inst->link.jid_bare,
	                 "presenceStatus", presence(inst), "displayStatus",
	                 display_names[inst->conn], "since", time_json(inst->since_unix_ms),
	                 "lastError", error_json(&inst->link.last_error), "attempt",
	                 (json_int_t)inst->retry.attempt, "nextRetryAt", next_try_json(inst));
}

static json_t *profile_json(const struct gw_instance *inst)
{
	const struct gw_device *l = &inst->link;

	return json_pack("{s:s, s:s, s:b, s:s}", "name", l->push_name, "pictureUrl", "",
	                 "isBusiness", l->business_name[0] != '\0', "businessName",
	                 l->business_name);
}

/* Of the link, or of the pairing that runs or ran last. */
static json_t *history_json(const struct gw_instance *inst)
{
	uint32_t days = inst->link.linked ? inst->link.history_days : inst->attempt.history_days;

	if (days == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "requestedDays", (json_int_t)days, "progress",
	                 (json_int_t)inst->history.progress, "messages",
	                 (json_int_t)inst->history.messages);
}

json_t *gw_instance_json(const struct gw_instance *inst)
{
	return json_pack(
	    "{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o,"
	    " s:o, s:o, s:o, s:o}",
	    "id", inst->id, "name", inst->name, "status", gw_conn_state_name(inst->conn),
	    "numberJid", inst->link.jid_bare, "createdAt", time_json(inst->created_unix_ms),
	    "updatedAt", time_json(inst->updated_unix_ms), "connection", connection_json(inst),
	    "profile", profile_json(inst), "history", history_json(inst), "webhook",
	    gw_hook_config_brief_json(inst->hooks), "websocket",
	    gw_websocket_json(gw_websocket_config(inst)), "proxy",
	    gw_proxy_json(gw_instance_proxy(inst)), "settings", gw_instance_settings_json(inst));
}
