/* simulator/api/sim_api_phone.c - the routes of the control API: phones and what a person does with
 * them
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "simulator/api/sim_api.h"
#include "simulator/pair/sim_pair_priv.h"
#include "simulator/pair/sim_qr.h"
#include "simulator/server/sim_client.h"
#include "simulator/server/sim_device.h"
#include "simulator/server/sim_online.h"
#include "simulator/server/sim_server.h"
#include "simulator/sim.h"

#define COUNT_MAX 10000000 /* chats, messages, days */

/* ---- phones ------------------------------------------------------------------------------------
 */

static json_t *phone_json(const struct sim_phone *p)
{
	return json_pack("{s:s, s:s, s:s}", "number", p->number, "jid", p->jid, "lid", p->lid);
}

/* "123" or "123@lid"; false when it is neither. */
static bool take_lid(const char *text, char out[SIM_JID_CAP])
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 20 ||
	    (text[digits] != '\0' && strcmp(text + digits, "@lid") != 0))
		return false;
	memcpy(out, text, digits);
	memcpy(out + digits, "@lid", sizeof("@lid"));
	return true;
}

static bool take_count(struct sim_call *call, const char *name, json_int_t value, uint32_t *out)
{
	if (value < 0 || value > COUNT_MAX) {
		sim_call_error(call, 400, "bad_request", "%s must be between 0 and %d", name,
		               COUNT_MAX);
		return false;
	}
	*out = (uint32_t)value;
	return true;
}

/* Member `history` of a new phone. */
static bool take_history_options(struct sim_call *call, json_t *j, struct sim_history_options *o)
{
	json_int_t chunk = 0, recent = 0, ahead = 0, inline_max = 0;
	int manual = 0, honour = 0;
	json_error_t e;

	if (j == NULL)
		return true;
	if (json_unpack_ex(j, &e, 0, "{s?b, s?b, s?I, s?I, s?I, s?I !}", "manual", &manual,
	                   "honour", &honour, "chunkMessages", &chunk, "recentDays", &recent,
	                   "ahead", &ahead, "inlineMax", &inline_max) < 0) {
		sim_call_error(call, 400, "bad_request", "history: %s", e.text);
		return false;
	}
	o->wanted = true;
	o->manual = manual != 0;
	o->honour = honour != 0;
	return take_count(call, "chunkMessages", chunk, &o->chunk_messages) &&
	       take_count(call, "recentDays", recent, &o->recent_days) &&
	       take_count(call, "ahead", ahead, &o->ahead) &&
	       take_count(call, "inlineMax", inline_max, &o->inline_max);
}

static bool take_phone(struct sim_call *call, struct sim_phone *phone)
{
	const char *number = "", *name = "", *lid = NULL;
	int business = 0, passkey = 0, hosted = 0, rotate = 0, options = 1;
	json_int_t chats = 0, messages = 0, days = 0;
	json_t *history = NULL;
	json_error_t e;

	if (json_unpack_ex(
	        call->body, &e, 0, "{s:s, s?s, s?s, s?b, s?b, s?b, s?b, s?b, s?I, s?I, s?I, s?o !}",
	        "number", &number, "name", &name, "lid", &lid, "business", &business, "passkey",
	        &passkey, "passkeyOptions", &options, "hosted", &hosted, "rotate", &rotate, "chats",
	        &chats, "messages", &messages, "daysOfHistory", &days, "history", &history) < 0) {
		sim_call_error(call, 400, "bad_request", "%s", e.text);
		return false;
	}
	if (!sim_number_is_valid(number)) {
		sim_call_error(call, 400, "bad_request",
		               "number must have 7 to 15 digits, the first not 0");
		return false;
	}
	if (strlen(name) >= sizeof(phone->name)) {
		sim_call_error(call, 400, "bad_request", "name is longer than 100 bytes");
		return false;
	}
	if (lid != NULL && !take_lid(lid, phone->lid)) {
		sim_call_error(call, 400, "bad_request", "lid must be digits, or digits@lid");
		return false;
	}
	memcpy(phone->number, number, strlen(number) + 1);
	memcpy(phone->name, name, strlen(name) + 1);
	phone->business = business != 0;
	phone->passkey = passkey != 0;
	phone->no_options = options == 0;
	phone->hosted = hosted != 0;
	phone->rotate = rotate != 0;
	phone->made_unix_s = clock_unix_s();
	return take_history_options(call, history, &phone->history) &&
	       take_count(call, "chats", chats, &phone->chats) &&
	       take_count(call, "messages", messages, &phone->messages) &&
	       take_count(call, "daysOfHistory", days, &phone->days_of_history);
}

/* The account's own keys, for clients that ask the server for them. */
int sim_api_publish_keys(struct sim *s, const struct sim_phone *p)
{
	struct sim_prekey_device keys = {
		.registration_id = p->registration_id,
		.signed_id = 1,
	};

	memcpy(keys.identity, p->account.identity.pub, sizeof(keys.identity));
	memcpy(keys.signed_pub, p->signed_prekey.pub, sizeof(keys.signed_pub));
	memcpy(keys.signed_sig, p->signed_prekey_sig, sizeof(keys.signed_sig));
	return sim_account_set_primary(s->devices, p->number, p->lid, &keys);
}

void sim_api_add_phone(struct sim_call *call)
{
	struct sim_phone phone = { .number = "" };
	struct sim_phone *added;
	int rc;

	if (!take_phone(call, &phone))
		return;
	rc = sim_phones_add(call->sim->phones, &phone, &call->sim->rnd, &added);
	if (rc == 0)
		rc = sim_api_publish_keys(call->sim, added);
	if (rc == -EEXIST)
		sim_call_error(call, 409, "exists", "a phone with this number or lid exists");
	else if (rc < 0)
		sim_call_error(call, 500, "internal", "%s", wa_err_name(rc));
	else
		sim_call_reply(call, 201, phone_json(added));
}

void sim_api_list_phones(struct sim_call *call)
{
	const struct sim_phones *phones = call->sim->phones;
	json_t *list = json_array();

	for (size_t i = 0; i < sim_phones_count(phones); i++)
		json_array_append_new(list, phone_json(sim_phones_at(phones, i)));
	sim_call_reply(call, 200, list);
}

struct sim_phone *sim_api_phone(struct sim_call *call)
{
	struct sim_phone *p = sim_phones_find(call->sim->phones, call->params[0]);

	if (p == NULL)
		sim_call_error(call, 404, "not_found", "no phone with this number");
	return p;
}

/* ---- one phone ---------------------------------------------------------------------------------
 */

/* DeviceProps.PlatformType, as the list of linked devices calls it. */
static const char *platform_name(int32_t type)
{
	static const char *const names[] = {
		"unknown",      "chrome",  "firefox",     "ie",        "opera",
		"safari",       "edge",    "desktop",     "ipad",      "android_tablet",
		"ohana",        "aloha",   "catalina",    "tcl_tv",    "ios_phone",
		"ios_catalyst", "android", "android_any", "wear_os",   "ar_wrist",
		"ar_device",    "uwp",     "vr",          "cloud_api", "smartglasses",
		"wail",
	};

	return type >= 0 && (size_t)type < sizeof(names) / sizeof(names[0]) ? names[type]
	                                                                    : "unknown";
}

static json_t *device_json(const struct sim_device *d)
{
	struct sim_queue_counts queued;
	char seen[RFC3339_CAP];

	sim_queue_count(d->queue, &queued);

	if (d->last_seen_unix_ms != 0)
		clock_rfc3339(d->last_seen_unix_ms, seen);
	return json_pack(
	    "{s:I, s:s, s:s, s:s, s:s, s:I, s:b, s:s?, s:I}", "id", (json_int_t)d->id, "jid",
	    d->jid, "lid", d->lid, "platform", platform_name(d->platform_type), "name", d->name,
	    "keyIndex", (json_int_t)d->key_index, "online", sim_device_is_online(d), "lastSeen",
	    d->last_seen_unix_ms != 0 ? seen : NULL, "queued", (json_int_t)queued.count);
}

static json_t *devices_json(const struct sim *s, const struct sim_phone *p)
{
	json_t *list = json_array();

	for (const struct sim_device *d = sim_device_first(s->devices, p->number);
	     list != NULL && d != NULL; d = d->next)
		json_array_append_new(list, device_json(d));
	return list;
}

/* The code that a companion wants the person to type. */
static json_t *code_json(const struct sim_phone *p)
{
	const struct sim_client *c = p->code_client;

	if (c == NULL || c->pairing.code == NULL)
		return json_null();
	return json_pack("{s:s, s:i}", "display", c->pairing.code->display, "attempts",
	                 (int)c->pairing.code->hellos);
}

static json_t *passkey_json(const struct sim_phone *p)
{
	static const char *const states[] = {
		[SIM_PASSKEY_ASKED] = "asked",         [SIM_PASSKEY_CONTINUED] = "continued",
		[SIM_PASSKEY_COMPARING] = "comparing", [SIM_PASSKEY_LINKED] = "linked",
		[SIM_PASSKEY_REFUSED] = "refused",
	};

	if (p->passkey_state == SIM_PASSKEY_NONE)
		return json_null();
	return json_pack("{s:s, s:s?, s:s?}", "status", states[p->passkey_state], "code",
	                 p->passkey_code[0] != '\0' ? p->passkey_code : NULL, "why",
	                 p->passkey_why);
}

void sim_api_show_phone(struct sim_call *call)
{
	const struct sim_phone *p = sim_api_phone(call);
	json_t *j;

	if (p == NULL)
		return;
	j = phone_json(p);
	json_object_set_new(j, "devices", devices_json(call->sim, p));
	json_object_set_new(j, "sent", sim_api_sent(p));
	json_object_set_new(j, "code", code_json(p));
	json_object_set_new(j, "passkey", passkey_json(p));
	sim_call_reply(call, 200, j);
}

void sim_api_unlink(struct sim_call *call)
{
	const struct sim_phone *p = sim_api_phone(call);
	struct sim_device *d = NULL;
	unsigned long id;
	char *end;

	if (p == NULL)
		return;
	id = strtoul(call->params[1], &end, 10);
	if (*end == '\0' && id <= SIM_DEVICES_MAX)
		d = sim_device_find(call->sim->devices, p->number, (uint32_t)id);
	if (d == NULL) {
		sim_call_error(call, 404, "not_found", "no device with this id is linked");
		return;
	}
	sim_online_unlink(call->sim, d);
	sim_call_reply(call, 200, json_pack("{s:I}", "deleted", (json_int_t)id));
}

/* ---- scan --------------------------------------------------------------------------------------
 */

static int scan_status(const struct sim_qr_error *e)
{
	return strstr(e->code, "_ref") != NULL && strcmp(e->code, "qr_ref") != 0 ? 409 : 400;
}

/* What a phone and the server check before anything is signed. */
static int check_qr(const struct sim *s, const char *text, struct sim_qr *qr, struct sim_client **c,
                    struct sim_qr_error *e)
{
	int rc = sim_qr_parse(text, qr, e);

	if (rc < 0)
		return rc;
	switch (sim_server_find_ref(s->server, qr->ref, c)) {
	case SIM_REF_OPEN:
		return sim_client_check_qr(*c, qr, e);
	case SIM_REF_CLOSED:
		*e = (struct sim_qr_error){ "closed_ref", "the ref's connection has been closed" };
		return WA_EPROTO;
	case SIM_REF_UNKNOWN:
		*e = (struct sim_qr_error){ "unknown_ref", "the ref was never given out" };
		return WA_EPROTO;
	}
	return WA_ESTATE;
}

void sim_api_scan(struct sim_call *call)
{
	struct sim_qr_error wrong = { .code = NULL };
	struct sim_phone *phone = sim_api_phone(call);
	struct sim_client *c = NULL;
	struct sim_qr qr = { .type = 0 };
	const char *text;
	json_error_t e;
	int rotate;

	if (phone == NULL)
		return;
	rotate = phone->rotate;
	if (json_unpack_ex(call->body, &e, 0, "{s:s, s?b !}", "qr", &text, "rotate", &rotate) < 0)
		sim_call_error(call, 400, "bad_request", "%s", e.text);
	else if (check_qr(call->sim, text, &qr, &c, &wrong) < 0)
		sim_call_error(call, scan_status(&wrong), wrong.code, "%s", wrong.message);
	else
		sim_pair_scan(call, phone, c, &qr, rotate != 0);
	secret_wipe(&qr, sizeof(qr));
}

/* ---- code and passkey --------------------------------------------------------------------------
 */

void sim_api_type_code(struct sim_call *call)
{
	struct sim_phone *phone = sim_api_phone(call);
	const char *code = NULL, *refresh = NULL;
	json_error_t e;

	if (phone == NULL)
		return;
	if (json_unpack_ex(call->body, &e, 0, "{s?s, s?s !}", "code", &code, "refresh", &refresh) <
	    0)
		sim_call_error(call, 400, "bad_request", "%s", e.text);
	else if ((code == NULL) == (refresh == NULL))
		sim_call_error(call, 400, "bad_request", "either code or refresh is needed");
	else if (code != NULL)
		sim_pair_type_code(call, phone, code);
	else if (strcmp(refresh, "auto") == 0 || strcmp(refresh, "manual") == 0)
		sim_pair_refresh_code(call, phone, strcmp(refresh, "manual") == 0);
	else
		sim_call_error(call, 400, "bad_request", "refresh must be auto or manual");
}

void sim_api_answer_passkey(struct sim_call *call)
{
	struct sim_phone *phone = sim_api_phone(call);
	json_error_t e;
	int approve;

	if (phone == NULL)
		return;
	if (json_unpack_ex(call->body, &e, 0, "{s:b !}", "approve", &approve) < 0)
		sim_call_error(call, 400, "bad_request", "%s", e.text);
	else
		sim_pair_answer_passkey(call, phone, approve != 0);
}
