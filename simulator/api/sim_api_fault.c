/* simulator/api/sim_api_fault.c - the routes of the control API: faults, and what can be done to
 * one connection */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/pair/sim_pair.h"
#include "simulator/phone/sim_phone.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_fault.h"
#include "simulator/server/sim_server.h"
#include "simulator/sim.h"
#include "simulator/wire/sim_cert.h"

static bool refuse(struct sim_call *call, const char *message)
{
	sim_call_error(call, 400, "bad_fault", "%s", message);
	return false;
}

/* ---- match -------------------------------------------------------------------------------------
 */

static bool take_match(struct sim_call *call, json_t *match, struct sim_fault_match *m, int *stage)
{
	const char *number = NULL, *stage_name = NULL;
	json_int_t nth = 0;
	json_error_t e;

	if (match == NULL)
		return true;
	if (json_unpack_ex(match, &e, 0, "{s?s, s?I, s?s !}", "number", &number, "nth", &nth,
	                   "stage", &stage_name) < 0) {
		sim_call_error(call, 400, "bad_fault", "match: %s", e.text);
		return false;
	}
	if (number != NULL && !sim_number_is_valid(number))
		return refuse(call, "match.number must have 7 to 15 digits, the first not 0");
	if (json_object_get(match, "nth") != NULL && (nth < 1 || nth > INT32_MAX))
		return refuse(call, "match.nth must be 1 or more");
	*stage = stage_name == NULL ? -1 : sim_stage_parse(stage_name);
	if (stage_name != NULL && *stage < 0)
		return refuse(call,
		              "match.stage must be tcp, tls, upgrade, handshake, registration, "
		              "pairing, login or online");
	if (number != NULL)
		memcpy(m->number, number, strlen(number) + 1);
	m->nth = (uint32_t)nth;
	return true;
}

/* ---- child -------------------------------------------------------------------------------------
 */

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcmp(word, *words) == 0)
			return true;
	}
	return false;
}

static bool is_tag(const char *s)
{
	return s[0] >= 'a' && s[0] <= 'z' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(s);
}

static bool is_xmlns(const char *s)
{
	return s[0] >= 'a' && s[0] <= 'z' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789:") == strlen(s);
}

static bool child_fits(const struct sim_fault *f)
{
	static const char *const certs[] = { "host", "untrusted", NULL };
	static const char *const dates[] = { "leaf_not_before", "leaf_not_after",
		                             "intermediate_not_before", "intermediate_not_after",
		                             NULL };
	static const char *const junk[] = { "stanza", "nested", "bomb", NULL };
	static const char *const moments[] = { "pair-success", "515", NULL };
	static const char *const flaws[] = { "account", "parse", NULL };
	bool tls = f->stage == SIM_TLS;

	switch ((int)f->kind) {
	case SIM_F_BAD_CERT:
		return tls ? is_one_of(f->child, certs) : sim_flaw_parse(f->child) > SIM_FLAW_NONE;
	case SIM_F_EXPIRED_CERT:
		return !tls && is_one_of(f->child, dates);
	case SIM_F_STREAM_ERROR:
		return is_tag(f->child);
	case SIM_F_CLOSE:
	case SIM_F_RESET: /* behind pair-success, or instead of the stream error 515 */
		return f->stage == SIM_PAIRING && is_one_of(f->child, moments);
	case SIM_F_STALL:
		if (f->stage == SIM_PAIRING)
			return is_one_of(f->child, moments);
		return f->stage == SIM_ONLINE && is_xmlns(f->child);
	case SIM_F_BAD_SIGNATURE: /* or an identity that is no protobuf */
		return is_one_of(f->child, flaws);
	case SIM_F_FAILURE: /* the xmlns of the requests that are refused */
		return f->stage == SIM_ONLINE && is_xmlns(f->child);
	case SIM_F_CORRUPT:
		return f->stage > SIM_HANDSHAKE && strcmp(f->child, "counter") == 0;
	case SIM_F_GARBAGE:
		if (strcmp(f->child, "text") == 0)
			return f->stage >= SIM_HANDSHAKE;
		return f->stage > SIM_HANDSHAKE && is_one_of(f->child, junk);
	case SIM_F_SPLIT:
		return f->stage >= SIM_HANDSHAKE && strcmp(f->child, "message") == 0;
	default:
		return false;
	}
}

static bool take_child(struct sim_call *call, const char *child, struct sim_fault *f)
{
	if (child == NULL)
		return true;
	if (strlen(child) >= sizeof(f->child))
		return refuse(call, "fault.child is too long");
	memcpy(f->child, child, strlen(child) + 1);
	if (child_fits(f))
		return true;
	sim_call_error(call, 400, "bad_fault",
	               "fault.child \"%s\" has no meaning for %s at stage %s", child,
	               sim_fault_name(f->kind), sim_stage_name(f->stage));
	return false;
}

/* ---- fault -------------------------------------------------------------------------------------
 */

static bool take_kind(struct sim_call *call, const char *name, int stage, struct sim_fault *f)
{
	int kind = sim_fault_parse(name);

	if (kind < 0) {
		sim_call_error(call, 400, "bad_fault", "fault.kind \"%.32s\" is unknown", name);
		return false;
	}
	f->kind = (enum sim_fault_kind)kind;
	f->stage = stage >= 0 ? (enum sim_stage)stage : sim_fault_default_stage(f->kind);
	if (!sim_fault_fits(f->kind, f->stage)) {
		sim_call_error(call, 400, "bad_fault", "%s has no meaning at stage %s", name,
		               sim_stage_name(f->stage));
		return false;
	}
	if (f->stage == SIM_TLS && call->sim->tls == NULL) {
		sim_call_error(call, 409, "no_tls", "the simulator was started without --tls");
		return false;
	}
	return true;
}

static bool take_code(struct sim_call *call, json_int_t code, struct sim_fault *f)
{
	bool http = f->kind == SIM_F_FAILURE && f->stage == SIM_UPGRADE;

	if (f->kind == SIM_F_REFS_END) {
		if (code < 1 || code >= SIM_REFS)
			return refuse(call, "fault.code of refs_end is a number of refs, 1 to 5");
	} else if (f->kind != SIM_F_FAILURE && f->kind != SIM_F_STREAM_ERROR) {
		return refuse(call, "fault.code is for failure, stream_error and refs_end");
	} else if (http && (code < 200 || code > 599)) {
		return refuse(call, "fault.code at stage upgrade is an HTTP status, 200 to 599");
	} else if (code < 1 || code > 999) {
		return refuse(call, "fault.code must be 1 to 999");
	}
	f->code = (uint32_t)code;
	return true;
}

static bool take_fault(struct sim_call *call, json_t *fault, int stage, struct sim_fault *f)
{
	const char *kind, *child = NULL;
	json_int_t code = 0, rate = 0, offset = -1, expire = 0;
	json_error_t e;

	if (json_unpack_ex(fault, &e, 0, "{s:s, s?I, s?s, s?I, s?I, s?I !}", "kind", &kind, "code",
	                   &code, "child", &child, "bytesPerSecond", &rate, "offset", &offset,
	                   "expire", &expire) < 0) {
		sim_call_error(call, 400, "bad_fault", "fault: %s", e.text);
		return false;
	}
	if (!take_kind(call, kind, stage, f) || !take_child(call, child, f))
		return false;
	if (json_object_get(fault, "code") != NULL && !take_code(call, code, f))
		return false;
	if (json_object_get(fault, "bytesPerSecond") != NULL &&
	    (f->kind != SIM_F_SLOW || rate < 1 || rate > INT32_MAX))
		return refuse(call, "fault.bytesPerSecond is for slow, and 1 or more");
	if (json_object_get(fault, "offset") != NULL &&
	    ((f->kind != SIM_F_CORRUPT && f->kind != SIM_F_TRUNCATE && f->kind != SIM_F_STALL) ||
	     offset < 0 || offset > INT32_MAX))
		return refuse(call,
		              "fault.offset is for corrupt, truncate and stall, and 0 or more");
	if (json_object_get(fault, "expire") != NULL &&
	    (f->kind != SIM_F_FAILURE || f->stage < SIM_REGISTRATION || expire < 1 ||
	     expire > INT32_MAX))
		return refuse(call, "fault.expire is for failure, and seconds from 1 on");
	f->bytes_per_second = (uint32_t)rate;
	f->offset = offset;
	f->expire = (uint32_t)expire;
	return true;
}

/* Nothing waits: it happens to the connections that are there. */
static void hit_now(struct sim_call *call, const struct sim_fault_match *match,
                    const struct sim_fault *fault)
{
	size_t hit;

	if (fault->stage < SIM_REGISTRATION) {
		refuse(call, "now needs a stage from registration on");
		return;
	}
	hit = sim_server_hit(call->sim->server, match, fault);
	if (hit == 0)
		sim_call_error(call, 409, "no_client", "no connection at that stage fits");
	else
		sim_call_reply(call, 201, json_pack("{s:i, s:I}", "id", 0, "hit", (json_int_t)hit));
}

void sim_api_add_fault(struct sim_call *call)
{
	struct sim_fault_match match = { .nth = 0 };
	struct sim_fault fault = { .offset = -1 };
	json_t *match_json = NULL, *fault_json;
	json_error_t e;
	uint32_t id;
	int stage = -1, now = 0, rc;

	if (json_unpack_ex(call->body, &e, 0, "{s?o, s:o, s?b !}", "match", &match_json, "fault",
	                   &fault_json, "now", &now) < 0) {
		sim_call_error(call, 400, "bad_fault", "%s", e.text);
		return;
	}
	if (!take_match(call, match_json, &match, &stage) ||
	    !take_fault(call, fault_json, stage, &fault))
		return;
	if (now) {
		hit_now(call, &match, &fault);
		return;
	}
	rc = sim_faults_add(call->sim->faults, &match, &fault, &id);
	if (rc == WA_ELIMIT)
		sim_call_error(call, 409, "too_many", "%d faults are waiting", SIM_FAULTS_MAX);
	else if (rc < 0)
		sim_call_error(call, 500, "internal", "%s", wa_err_name(rc));
	else
		sim_call_reply(call, 201, json_pack("{s:I}", "id", (json_int_t)id));
}

/* ---- list --------------------------------------------------------------------------------------
 */

static json_t *match_json(const struct sim_fault_entry *e)
{
	json_t *j = json_pack("{s:s}", "stage", sim_stage_name(e->fault.stage));

	if (e->match.number[0] != '\0')
		json_object_set_new(j, "number", json_string(e->match.number));
	if (e->match.nth != 0)
		json_object_set_new(j, "nth", json_integer(e->match.nth));
	return j;
}

static json_t *fault_json(const struct sim_fault *f)
{
	json_t *j = json_pack("{s:s}", "kind", sim_fault_name(f->kind));

	if (f->code != 0)
		json_object_set_new(j, "code", json_integer(f->code));
	if (f->expire != 0)
		json_object_set_new(j, "expire", json_integer(f->expire));
	if (f->child[0] != '\0')
		json_object_set_new(j, "child", json_string(f->child));
	if (f->bytes_per_second != 0)
		json_object_set_new(j, "bytesPerSecond", json_integer(f->bytes_per_second));
	if (f->offset >= 0)
		json_object_set_new(j, "offset", json_integer((json_int_t)f->offset));
	return j;
}

void sim_api_list_faults(struct sim_call *call)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sim_faults_count(call->sim->faults); i++) {
		const struct sim_fault_entry *e = sim_faults_at(call->sim->faults, i);

		json_array_append_new(
		    list, json_pack("{s:I, s:o, s:o, s:I, s:I}", "id", (json_int_t)e->id, "match",
		                    match_json(e), "fault", fault_json(&e->fault), "seen",
		                    (json_int_t)e->seen, "hit", (json_int_t)e->hit));
	}
	sim_call_reply(call, 200, list);
}

void sim_api_clear_faults(struct sim_call *call)
{
	size_t n = sim_faults_clear(call->sim->faults);

	sim_call_reply(call, 200, json_pack("{s:I}", "deleted", (json_int_t)n));
}

/* ---- one connection ----------------------------------------------------------------------------
 */

static struct sim_client *find_client(struct sim_call *call)
{
	uint64_t id = 0;
	struct sim_client *c = dec_decode(call->params[0], UINT32_MAX, &id) < 0
	                           ? NULL
	                           : sim_server_find(call->sim->server, (uint32_t)id);

	if (c == NULL)
		sim_call_error(call, 404, "not_found", "no connection with this id");
	return c;
}

/* The same, for what needs a device. */
static struct sim_client *find_online(struct sim_call *call)
{
	struct sim_client *c = find_client(call);

	if (c == NULL || c->session.device != NULL)
		return c;
	sim_call_error(call, 409, "not_online", "the connection is not online");
	return NULL;
}

void sim_api_fault_client(struct sim_call *call)
{
	struct sim_client *c = find_client(call);
	struct sim_fault fault = { .offset = -1 };

	if (c == NULL || !take_fault(call, call->body, (int)c->stage, &fault))
		return;
	if (c->stage < SIM_REGISTRATION) {
		sim_call_error(call, 409, "too_early", "the connection is not past its handshake");
		return;
	}
	sim_client_hit(c, &fault);
	sim_call_reply(call, 200, json_pack("{s:I}", "client", (json_int_t)c->id));
}

void sim_api_ping_client(struct sim_call *call)
{
	struct sim_client *c = find_online(call);
	json_int_t timeout = 0;
	json_error_t e;

	if (c == NULL)
		return;
	if (call->body != NULL &&
	    json_unpack_ex(call->body, &e, 0, "{s?I !}", "timeoutMs", &timeout) < 0) {
		sim_call_error(call, 400, "bad_request", "%s", e.text);
		return;
	}
	if (timeout < 0 || timeout > INT32_MAX) {
		sim_call_error(call, 400, "bad_request", "timeoutMs is out of range");
		return;
	}
	sim_online_ping(c, (uint32_t)timeout);
	sim_call_reply(call, 200, json_pack("{s:s}", "id", c->session.ping_id));
}

void sim_api_use_prekeys(struct sim_call *call)
{
	struct sim_client *c = find_online(call);
	struct sim_device *device;
	json_int_t left;
	json_error_t e;

	if (c == NULL)
		return;
	if (json_unpack_ex(call->body, &e, 0, "{s:I !}", "left", &left) < 0 || left < 0) {
		sim_call_error(call, 400, "bad_request", "left: how many prekeys shall be left");
		return;
	}
	device = c->session.device;
	sim_prekeys_use_up(device->prekeys, (size_t)left);
	sim_online_check_prekeys(call->sim, device);
	sim_call_reply(call, 200,
	               json_pack("{s:I}", "left", (json_int_t)sim_prekeys_count(device->prekeys)));
}

/* ---- Noise -------------------------------------------------------------------------------------
 */

void sim_api_noise(struct sim_call *call)
{
	int rotate = 0, ik = !call->sim->no_ik;
	json_error_t e;

	if (json_unpack_ex(call->body, &e, 0, "{s?b, s?b !}", "rotate", &rotate, "ik", &ik) < 0) {
		sim_call_error(call, 400, "bad_request", "%s", e.text);
		return;
	}
	if (rotate && sim_rotate_identity(call->sim) < 0) {
		sim_call_error(call, 500, "internal", "no key");
		return;
	}
	call->sim->no_ik = !ik;
	sim_call_reply(
	    call, 200,
	    json_pack("{s:b, s:I}", "ik", ik, "rotations", (json_int_t)call->sim->keys_made));
}
