/* simulator/api/sim_api.c - the routes of the control API: clients, log, version */
#include "simulator/api/sim_api.h"

#include <errno.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/err.h"
#include "simulator/api/sim_json.h"
#include "simulator/base/sim_log.h"
#include "simulator/server/sim_client.h"
#include "simulator/server/sim_server.h"
#include "simulator/sim.h"
#include "worker/wa/node/wa_node.h"

/* ---- clients and log ---------------------------------------------------------------------------
 */

static void add_client(const struct sim_client *c, void *arg)
{
	struct sim_client_info info;
	char at[RFC3339_CAP];

	sim_client_info(c, &info);
	clock_rfc3339(info.connected_unix_ms, at);
	json_array_append_new(arg,
	                      json_pack("{s:I, s:s?, s:s?, s:s, s:s, s:s?, s:s?}", "id",
	                                (json_int_t)info.id, "number", info.number, "jid", info.jid,
	                                "stage", sim_stage_name(info.stage), "connectedAt", at,
	                                "handshake", info.handshake, "routing", info.routing));
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
	               json_pack("{s:I, s:I, s:I}", "revision", (json_int_t)call->sim->revision,
	                         "minimum", (json_int_t)call->sim->revision_min, "lookups",
	                         (json_int_t)call->sim->lookups));
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

/* ---- the server itself -------------------------------------------------------------------------
 */

static void show_server(struct sim_call *call)
{
	struct sim_server_counts n;

	sim_server_count(call->sim->server, &n);
	sim_call_reply(call, 200,
	               json_pack("{s:b, s:I, s:I, s:I}", "open", n.open, "accepted",
	                         (json_int_t)n.accepted, "clients", (json_int_t)n.live, "online",
	                         (json_int_t)n.online));
}

static void set_server(struct sim_call *call)
{
	json_error_t e;
	int open, rc = 0;

	if (json_unpack_ex(call->body, &e, 0, "{s:b !}", "open", &open) < 0) {
		sim_call_error(call, 400, "bad_request", "%s", e.text);
		return;
	}
	if (open)
		rc = sim_server_open(call->sim->server);
	else
		sim_server_close(call->sim->server);
	if (rc < 0)
		sim_call_error(call, 409, "not_listening", "%s", strerror(-rc));
	else
		show_server(call);
}

const struct sim_route sim_routes[] = {
	{ "POST", "/phones", sim_api_add_phone },
	{ "GET", "/phones", sim_api_list_phones },
	{ "GET", "/phones/:", sim_api_show_phone },
	{ "POST", "/phones/:/scan", sim_api_scan },
	{ "POST", "/phones/:/code", sim_api_type_code },
	{ "POST", "/phones/:/passkey", sim_api_answer_passkey },
	{ "POST", "/phones/:/send", sim_api_send },
	{ "GET", "/phones/:/inbox", sim_api_inbox },
	{ "GET", "/phones/:/receipts", sim_api_receipts },
	{ "GET", "/phones/:/history", sim_api_history },
	{ "POST", "/phones/:/history", sim_api_tell_history },
	{ "POST", "/phones/:/hostile", sim_api_hostile },
	{ "GET", "/phones/:/sync", sim_api_show_sync },
	{ "GET", "/phones/:/appstate", sim_api_show_appstate },
	{ "POST", "/phones/:/appstate", sim_api_change_appstate },
	{ "DELETE", "/phones/:/devices/:", sim_api_unlink },
	{ "POST", "/phones/:/read", sim_api_read },
	{ "POST", "/phones/:/call", sim_api_call },
	{ "POST", "/phones/:/reinstall", sim_api_reinstall },
	{ "GET", "/phones/:/chains", sim_api_chains },
	{ "POST", "/groups", sim_api_add_group },
	{ "GET", "/groups", sim_api_list_groups },
	{ "GET", "/groups/:", sim_api_show_group },
	{ "POST", "/groups/:/:", sim_api_change_group },
	{ "POST", "/faults", sim_api_add_fault },
	{ "GET", "/faults", sim_api_list_faults },
	{ "DELETE", "/faults", sim_api_clear_faults },
	{ "GET", "/media", sim_api_list_media },
	{ "POST", "/media", sim_api_put_media },
	{ "DELETE", "/media/:", sim_api_drop_media },
	{ "POST", "/media-faults", sim_api_add_media_fault },
	{ "DELETE", "/media-faults", sim_api_clear_media_faults },
	{ "POST", "/media-auth/revoke", sim_api_revoke_media_auth },
	{ "GET", "/clients", list_clients },
	{ "POST", "/clients/:/fault", sim_api_fault_client },
	{ "POST", "/clients/:/ping", sim_api_ping_client },
	{ "POST", "/clients/:/prekeys", sim_api_use_prekeys },
	{ "POST", "/noise", sim_api_noise },
	{ "GET", "/server", show_server },
	{ "POST", "/server", set_server },
	{ "GET", "/log", show_log },
	{ "GET", "/version", show_version },
	{ "POST", "/version", set_version },
	{ NULL, NULL, NULL },
};
