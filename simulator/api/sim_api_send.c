/* simulator/api/sim_api_send.c - POST /phones/:number/send: one message, several, or very many */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/api/sim_api_send.h"
#include "simulator/phone/sim_group.h"
#include "simulator/phone/sim_send.h"
#include "simulator/sim.h"

#define COUNT_MAX 1000000
#define LIST_MAX 10000

/* ---- people ------------------------------------------------------------------------------------
 */

struct sim_phone *sim_api_find(const struct sim *s, const char *who)
{
	char user[SIM_JID_CAP];
	size_t n = strcspn(who, "@:");

	if (n == 0 || n >= sizeof(user))
		return NULL;
	memcpy(user, who, n);
	user[n] = '\0';
	return sim_phones_find_user(s->phones, user);
}

bool sim_api_people(struct sim_call *call, const json_t *list, struct sim_phone ***phones_out,
                    size_t *n_out)
{
	struct sim_phone **phones = calloc(json_array_size(list) + 1, sizeof(struct sim_phone *));
	const json_t *one;
	size_t i;

	if (phones == NULL) {
		sim_call_error(call, 500, "internal", "no memory");
		return false;
	}
	json_array_foreach((json_t *)list, i, one)
	{
		const char *who = json_string_value(one);

		phones[i] = who == NULL ? NULL : sim_api_find(call->sim, who);
		if (phones[i] != NULL)
			continue;
		free(phones);
		sim_call_error(call, 404, "not_found", "no phone is %s",
		               who == NULL ? "named by something else than a text" : who);
		return false;
	}
	*phones_out = phones;
	*n_out = json_array_size(list);
	return true;
}

/* ---- where it goes -----------------------------------------------------------------------------
 */

static bool take_audience(struct sim_call *call, const json_t *body, struct sim_target *t)
{
	const json_t *list = json_object_get(body, "audience");
	size_t n = sim_phones_count(call->sim->phones);

	t->chat = SIM_STATUS;
	if (list != NULL)
		return sim_api_people(call, list, &t->audience, &t->audience_n);
	t->audience = calloc(n + 1, sizeof(struct sim_phone *));
	if (t->audience == NULL) {
		sim_call_error(call, 500, "internal", "no memory");
		return false;
	}
	for (size_t i = 0; i < n; i++)
		t->audience[i] =
		    sim_phones_find(call->sim->phones, sim_phones_at(call->sim->phones, i)->number);
	t->audience_n = n;
	return true;
}

bool sim_target_take(struct sim_call *call, const json_t *body, struct sim_target *t)
{
	const char *to = sim_build_str(body, "group");

	if (to == NULL)
		to = sim_build_str(body, "to");
	if (to == NULL) {
		sim_call_error(call, 400, "bad_request", "to is missing");
		return false;
	}
	if (strcmp(to, SIM_STATUS) == 0)
		return take_audience(call, body, t);
	if (strstr(to, "@g.us") != NULL)
		t->group = sim_groups_find(call->sim->groups, to);
	else
		t->phone = sim_api_find(call->sim, to);
	if (t->group == NULL && t->phone == NULL) {
		sim_call_error(call, 404, "not_found", "no phone or group has this number or JID");
		return false;
	}
	if (t->group != NULL)
		t->chat = t->group->jid;
	else
		t->chat = sim_build_flag(body, "pn") ? t->phone->jid : t->phone->lid;
	return true;
}

int sim_target_send(struct sim *s, struct sim_out *o, const struct sim_target *t)
{
	if (t->group != NULL)
		return sim_send_group(s, o, t->group);
	if (t->phone != NULL)
		return sim_send_direct(s, o, t->phone);
	return sim_send_status(s, o, t->audience, t->audience_n);
}

/* ---- one ---------------------------------------------------------------------------------------
 */

bool sim_target_options(struct sim_call *call, const json_t *body, struct sim_out *o)
{
	const char *id = sim_build_str(body, "id"), *spoil = sim_build_str(body, "spoil");

	o->pn = sim_build_flag(body, "pn");
	o->silent = sim_build_flag(body, "silent");
	o->no_retry = sim_build_flag(body, "noRetry");
	o->unix_s = (int64_t)sim_build_num(body, "timestamp", 0);
	o->seal.bare = sim_build_flag(body, "bare");
	o->seal.n = (uint32_t)sim_build_num(body, "skip", 0);
	if (id != NULL && (id[0] == '\0' || strlen(id) >= sizeof(o->id))) {
		sim_call_error(call, 400, "bad_request", "id must have 1 to %d characters",
		               (int)sizeof(o->id) - 1);
		return false;
	}
	if (id != NULL)
		memcpy(o->id, id, strlen(id) + 1);
	if (spoil != NULL)
		o->seal.spoil = sim_spoil_parse(spoil);
	if (spoil != NULL && o->seal.spoil == SIM_SPOIL_NO) {
		sim_call_error(call, 400, "bad_request", "spoil is none of those in the README");
		return false;
	}
	if (o->seal.n > 0 && spoil == NULL)
		o->seal.spoil = SIM_SPOIL_SKIP;
	return true;
}

static bool failed(struct sim_call *call, int rc)
{
	const char *name = wa_signal_err_name(rc);

	if (rc < 0)
		sim_call_error(call, rc == WA_ELIMIT ? 409 : 500,
		               rc == WA_ELIMIT ? "queue_full" : "internal", "%s",
		               name != NULL ? name : wa_err_name(rc));
	return rc < 0;
}

/* What body says into built, and into o. False after an error answer. */
bool sim_target_build(struct sim_call *call, const json_t *body, struct sim_out *o,
                      const struct sim_target *t, struct sim_build *built)
{
	*built = (struct sim_build){
		.call = call,
		.body = body,
		.from = o->from,
		.chat = t->chat,
		.pn = t->group != NULL ? t->group->pn : o->pn,
		.group = t->phone == NULL,
	};
	if (!sim_build(built))
		return false;
	o->msg = built->msg.p;
	o->msg_len = built->msg.len;
	o->type = built->type;
	o->edit = built->edit;
	o->seal.mediatype = built->mediatype;
	o->seal.hide = built->hide;
	return true;
}

/* Build and send what body says; the id, or false after an error answer. */
static bool send_one(struct sim_call *call, struct sim_phone *from, const json_t *body,
                     char id_out[SIM_MSG_ID_CAP])
{
	struct sim_build built = { .call = call };
	struct sim_out o = { .from = from };
	struct sim_target t = { .phone = NULL };
	bool ok = sim_target_options(call, body, &o) && sim_target_take(call, body, &t) &&
	          sim_target_build(call, body, &o, &t, &built) &&
	          !failed(call, sim_target_send(call->sim, &o, &t));

	memcpy(id_out, o.id, SIM_MSG_ID_CAP);
	sim_build_clear(&built);
	free(t.audience);
	return ok;
}

static void send_list(struct sim_call *call, struct sim_phone *from, const json_t *list)
{
	json_t *ids = json_array();
	const json_t *body;
	char id[SIM_MSG_ID_CAP];
	size_t i;

	if (json_array_size(list) > LIST_MAX) {
		json_decref(ids);
		sim_call_error(call, 400, "bad_request", "more than %d messages", LIST_MAX);
		return;
	}
	json_array_foreach((json_t *)list, i, body)
	{
		if (!send_one(call, from, body, id)) {
			json_decref(ids);
			return;
		}
		json_array_append_new(ids, json_string(id));
	}
	sim_call_reply(call, 200, json_pack("{s:o}", "ids", ids));
}

void sim_api_send(struct sim_call *call)
{
	struct sim_phone *from = sim_api_phone(call);
	const json_t *list = json_object_get(call->body, "messages");
	uint64_t count = sim_build_num(call->body, "count", 0);
	char id[SIM_MSG_ID_CAP];

	if (from == NULL)
		return;
	if (count > COUNT_MAX)
		sim_call_error(call, 400, "bad_request", "count must be at most %d", COUNT_MAX);
	else if (json_is_array(list))
		send_list(call, from, list);
	else if (count > 0)
		sim_bulk_send(call, from, (uint32_t)count);
	else if (send_one(call, from, call->body, id))
		sim_call_reply(call, 200, json_pack("{s:s}", "id", id));
}
