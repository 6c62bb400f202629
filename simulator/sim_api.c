/* simulator/sim_api.c - the routes of the control API: phones, clients, log, version */
#include "simulator/sim_api.h"

#include <errno.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/err.h"
#include "simulator/sim.h"
#include "simulator/sim_client.h"
#include "simulator/sim_json.h"
#include "simulator/sim_log.h"
#include "simulator/sim_phone.h"
#include "simulator/sim_qr.h"
#include "simulator/sim_server.h"
#include "worker/wa/wa_node.h"

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

static bool take_phone(struct sim_call *call, struct sim_phone *phone)
{
	const char *number = "", *name = "", *lid = NULL;
	int business = 0, passkey = 0;
	json_int_t chats = 0, messages = 0, days = 0;
	json_error_t e;

	if (json_unpack_ex(call->body, &e, 0, "{s:s, s?s, s?s, s?b, s?b, s?I, s?I, s?I !}",
	                   "number", &number, "name", &name, "lid", &lid, "business", &business,
	                   "passkey", &passkey, "chats", &chats, "messages", &messages,
	                   "daysOfHistory", &days) < 0) {
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
	return take_count(call, "chats", chats, &phone->chats) &&
	       take_count(call, "messages", messages, &phone->messages) &&
	       take_count(call, "daysOfHistory", days, &phone->days_of_history);
}

static void add_phone(struct sim_call *call)
{
	struct sim_phone phone = { .number = "" };
	const struct sim_phone *added;
	int rc;

	if (!take_phone(call, &phone))
		return;
	rc = sim_phones_add(call->sim->phones, &phone, &call->sim->rnd, &added);
	if (rc == -EEXIST)
		sim_call_error(call, 409, "exists", "a phone with this number or lid exists");
	else if (rc < 0)
		sim_call_error(call, 500, "internal", "%s", wa_err_name(rc));
	else
		sim_call_reply(call, 201, phone_json(added));
}

static void list_phones(struct sim_call *call)
{
	const struct sim_phones *phones = call->sim->phones;
	json_t *list = json_array();

	for (size_t i = 0; i < sim_phones_count(phones); i++)
		json_array_append_new(list, phone_json(sim_phones_at(phones, i)));
	sim_call_reply(call, 200, list);
}

static const struct sim_phone *find_phone(struct sim_call *call)
{
	const struct sim_phone *p = sim_phones_find(call->sim->phones, call->params[0]);

	if (p == NULL)
		sim_call_error(call, 404, "not_found", "no phone with this number");
	return p;
}

static void show_phone(struct sim_call *call)
{
	const struct sim_phone *p = find_phone(call);
	json_t *j;

	if (p == NULL)
		return;
	j = phone_json(p);
	json_object_set_new(j, "devices", json_array());
	json_object_set_new(j, "sent", json_array());
	sim_call_reply(call, 200, j);
}

static void not_simulated(struct sim_call *call)
{
	if (find_phone(call) != NULL)
		sim_call_error(call, 501, "not_implemented",
		               "linking is not simulated by this version");
}

static void no_device(struct sim_call *call)
{
	if (find_phone(call) != NULL)
		sim_call_error(call, 404, "not_found", "no device with this id is linked");
}

/* ---- scan --------------------------------------------------------------------------------------
 */

static int scan_status(const struct sim_qr_error *e)
{
	return strstr(e->code, "_ref") != NULL && strcmp(e->code, "qr_ref") != 0 ? 409 : 400;
}

/* What a phone and the server check before anything is signed. */
static int check_qr(const struct sim *s, const char *text, struct sim_qr_error *e)
{
	const struct sim_client *c;
	struct sim_qr qr;
	int rc = sim_qr_parse(text, &qr, e);

	if (rc < 0)
		return rc;
	switch (sim_server_find_ref(s->server, qr.ref, &c)) {
	case SIM_REF_OPEN:
		return sim_client_check_qr(c, &qr, e);
	case SIM_REF_CLOSED:
		*e = (struct sim_qr_error){ "closed_ref", "the ref's connection has been closed" };
		return WA_EPROTO;
	case SIM_REF_UNKNOWN:
		*e = (struct sim_qr_error){ "unknown_ref", "the ref was never given out" };
		return WA_EPROTO;
	}
	return WA_ESTATE;
}

static void scan(struct sim_call *call)
{
	struct sim_qr_error wrong = { .code = NULL };
	const char *text;
	json_error_t e;

	if (find_phone(call) == NULL)
		return;
	if (json_unpack_ex(call->body, &e, 0, "{s:s !}", "qr", &text) < 0)
		sim_call_error(call, 400, "bad_request", "%s", e.text);
	else if (check_qr(call->sim, text, &wrong) < 0)
		sim_call_error(call, scan_status(&wrong), wrong.code, "%s", wrong.message);
	else
		not_simulated(call);
}

/* ---- clients and log ---------------------------------------------------------------------------
 */

static void add_client(const struct sim_client *c, void *arg)
{
	struct sim_client_info info;
	char at[RFC3339_CAP];

	sim_client_info(c, &info);
	clock_rfc3339(info.connected_unix_ms, at);
	json_array_append_new(arg,
	                      json_pack("{s:I, s:s?, s:s?, s:s, s:s}", "id", (json_int_t)info.id,
	                                "number", info.number, "jid", info.jid, "stage",
	                                sim_stage_name(info.stage), "connectedAt", at));
}

static void list_clients(struct sim_call *call)
{
	json_t *list = json_array();

	if (list != NULL)
		sim_server_each(call->sim->server, add_client, list);
	sim_call_reply(call, 200, list);
}

/* A whole number in the query; false after an error answer. */
static bool take_number(struct sim_call *call, const char *name, const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0)
		return true;
	sim_call_error(call, 400, "bad_request", "%s must be a whole number", name);
	return false;
}

static bool take_log_query(struct sim_call *call, uint64_t *client, uint64_t *since)
{
	struct evkeyvalq query;
	const struct evkeyval *kv;
	bool ok = true;

	if (evhttp_parse_query_str(call->query == NULL ? "" : call->query, &query) < 0) {
		sim_call_error(call, 400, "bad_request", "the query does not parse");
		return false;
	}
	TAILQ_FOREACH(kv, &query, next)
	{
		if (strcmp(kv->key, "client") == 0) {
			ok = take_number(call, "client", kv->value, client);
		} else if (strcmp(kv->key, "since") == 0) {
			ok = take_number(call, "since", kv->value, since);
		} else {
			sim_call_error(call, 400, "bad_request",
			               "only client and since are known here");
			ok = false;
		}
		if (!ok)
			break;
	}
	evhttp_clear_headers(&query);
	return ok;
}

static json_t *entry_json(const struct sim_log_entry *e)
{
	struct wa_node *n = NULL;
	int rc = wa_stanza_decode(e->stanza, e->stanza_len, &n);
	char at[RFC3339_CAP];
	json_t *j;

	clock_rfc3339(e->at_unix_ms, at);
	j = json_pack("{s:I, s:I, s:s, s:s, s:o}", "seq", (json_int_t)e->seq, "client",
	              (json_int_t)e->client, "at", at, "dir", e->out ? "out" : "in", "node",
	              rc == 0 ? sim_json_node(n) : json_null());
	if (rc < 0 && j != NULL) /* no stanza: the bytes as they came */
		json_object_set_new(j, "hex", sim_json_hex(e->stanza, e->stanza_len));
	wa_node_free(n);
	return j;
}

static void add_entry(const struct sim_log_entry *e, void *arg)
{
	struct evbuffer *out = arg;
	json_t *j = entry_json(e);
	char *text = j == NULL ? NULL : json_dumps(j, JSON_COMPACT);

	if (text != NULL)
		evbuffer_add_printf(out, "%s%s", evbuffer_get_length(out) > 12 ? "," : "", text);
	free(text);
	json_decref(j);
}

static void show_log(struct sim_call *call)
{
	uint64_t client = 0, since = 0;

	if (!take_log_query(call, &client, &since))
		return;
	evbuffer_add(call->text, "{\"entries\":[", 12);
	if (client <= UINT32_MAX)
		sim_log_each(call->sim->log, since, (uint32_t)client, add_entry, call->text);
	evbuffer_add(call->text, "]}\n", 3);
	call->status = 200;
}

/* ---- version -----------------------------------------------------------------------------------
 */

static void show_version(struct sim_call *call)
{
	sim_call_reply(call, 200,
	               json_pack("{s:I, s:I}", "revision", (json_int_t)call->sim->revision,
	                         "minimum", (json_int_t)call->sim->revision_min));
}

static void set_version(struct sim_call *call)
{
	json_int_t revision = call->sim->revision, minimum = call->sim->revision_min;
	json_error_t e;

	if (json_unpack_ex(call->body, &e, 0, "{s?I, s?I !}", "revision", &revision, "minimum",
	                   &minimum) < 0) {
		sim_call_error(call, 400, "bad_request", "%s", e.text);
		return;
	}
	if (revision < 1 || revision > UINT32_MAX || minimum < 0 || minimum > UINT32_MAX) {
		sim_call_error(call, 400, "bad_request", "revision or minimum out of range");
		return;
	}
	call->sim->revision = (uint32_t)revision;
	call->sim->revision_min = (uint32_t)minimum;
	show_version(call);
}

const struct sim_route sim_routes[] = {
	{ "POST", "/phones", add_phone },
	{ "GET", "/phones", list_phones },
	{ "GET", "/phones/:", show_phone },
	{ "POST", "/phones/:/scan", scan },
	{ "POST", "/phones/:/code", not_simulated },
	{ "POST", "/phones/:/passkey", not_simulated },
	{ "POST", "/phones/:/send", not_simulated },
	{ "GET", "/phones/:/inbox", not_simulated },
	{ "DELETE", "/phones/:/devices/:", no_device },
	{ "POST", "/faults", sim_api_add_fault },
	{ "GET", "/faults", sim_api_list_faults },
	{ "DELETE", "/faults", sim_api_clear_faults },
	{ "GET", "/clients", list_clients },
	{ "GET", "/log", show_log },
	{ "GET", "/version", show_version },
	{ "POST", "/version", set_version },
	{ NULL, NULL, NULL },
};
