/* simulator/api/sim_api_group.c - the routes of the control API: groups */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/api/sim_build.h"
#include "simulator/phone/sim_group.h"
#include "simulator/sim.h"

static json_t *member_json(const struct sim_member *m)
{
	static const char *const ranks[] = { "member", "admin", "superadmin" };

	return json_pack("{s:s, s:s, s:s, s:s}", "number", m->phone->number, "jid", m->phone->jid,
	                 "lid", m->phone->lid, "rank", ranks[m->rank]);
}

static json_t *group_json(const struct sim_group *g)
{
	json_t *members = json_array();

	for (size_t i = 0; i < g->n; i++)
		json_array_append_new(members, member_json(&g->members[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:s, s:o}", "jid", g->jid, "subject",
	                 g->subject, "description", g->description, "addressing",
	                 g->pn ? "pn" : "lid", "announcement", g->announcement, "locked", g->locked,
	                 "ephemeral", (json_int_t)g->ephemeral_s, "code", g->code, "participants",
	                 members);
}

void sim_api_add_group(struct sim_call *call)
{
	const char *subject = sim_build_str(call->body, "subject");
	const json_t *list = json_object_get(call->body, "participants");
	const char *by = sim_build_str(call->body, "creator");
	struct sim_phone **people = NULL;
	struct sim_group_new params = { .subject = subject == NULL ? "" : subject };
	struct sim_group *g;
	int rc;

	if (strlen(params.subject) >= SIM_SUBJECT_CAP || json_array_size(list) == 0) {
		sim_call_error(call, 400, "bad_request", "subject and participants are needed");
		return;
	}
	if (!sim_api_people(call, list, &people, &params.members_n))
		return;
	params.members = people;
	params.pn = sim_build_flag(call->body, "pn");
	params.creator = by == NULL ? people[0] : sim_api_find(call->sim, by);
	rc = params.creator == NULL ? WA_EPROTO : sim_group_create(call->sim, &params, &g);
	free(people);
	if (rc == WA_EPROTO)
		sim_call_error(call, 404, "not_found", "no phone is the creator");
	else if (rc < 0)
		sim_call_error(call, 500, "internal", "%s", wa_err_name(rc));
	else
		sim_call_reply(call, 201, group_json(g));
}

void sim_api_list_groups(struct sim_call *call)
{
	const struct sim_groups *groups = call->sim->groups;
	json_t *list = json_array();

	for (const struct sim_group *g = sim_groups_next(groups, NULL); g != NULL;
	     g = sim_groups_next(groups, g))
		json_array_append_new(list, group_json(g));
	sim_call_reply(call, 200, list);
}

static struct sim_group *find_group(struct sim_call *call)
{
	struct sim_group *g = sim_groups_find(call->sim->groups, call->params[0]);

	if (g == NULL)
		sim_call_error(call, 404, "not_found", "no group has this JID");
	return g;
}

void sim_api_show_group(struct sim_call *call)
{
	const struct sim_group *g = find_group(call);

	if (g != NULL)
		sim_call_reply(call, 200, group_json(g));
}

/* ---- changes -----------------------------------------------------------------------------------
 */

/* The node that a client would send: <add><participant jid/></add>, <subject>text</subject>, ... */
static bool make_op(struct sim_call *call, struct wa_node *op)
{
	const json_t *people = json_object_get(call->body, "participants");
	const char *text = sim_build_str(call->body, "text");
	uint64_t seconds = sim_build_num(call->body, "seconds", 0);
	struct sim_phone **phones = NULL;
	size_t n = 0;

	if (people != NULL && !sim_api_people(call, people, &phones, &n))
		return false;
	for (size_t i = 0; i < n; i++)
		wa_node_set_jid(wa_node_add(op, "participant"), "jid", phones[i]->jid);
	free(phones);
	if (seconds != 0)
		wa_node_set_int(op, "expiration", (int64_t)seconds);
	if (text != NULL && strcmp(op->tag, "description") == 0) {
		wa_node_set(op, "id", "3ADE5C");
		wa_node_set_text(wa_node_add(op, "body"), text);
	} else if (text != NULL) {
		wa_node_set_text(op, text);
	}
	return true;
}

/* POST /groups/:jid/:what {by?, participants?, text?, seconds?} */
void sim_api_change_group(struct sim_call *call)
{
	struct sim_group *g = find_group(call);
	const char *by = sim_build_str(call->body, "by");
	struct sim_phone *actor;
	struct wa_node *op;
	int error;

	if (g == NULL)
		return;
	actor = by == NULL ? (g->n > 0 ? g->members[0].phone : NULL) : sim_api_find(call->sim, by);
	if (actor == NULL) {
		sim_call_error(call, 404, "not_found", "no phone is the one who does it");
		return;
	}
	op = wa_node_new(call->params[1]);
	if (op == NULL || !make_op(call, op)) {
		wa_node_free(op);
		return;
	}
	if (strcmp(call->params[1], "join") == 0)
		error = sim_group_join(call->sim, g, actor);
	else
		error = sim_group_change(call->sim, g, actor, op, NULL);
	wa_node_free(op);
	if (error != 0)
		sim_call_error(call, error, "refused", "the server refuses it with %d", error);
	else
		sim_call_reply(call, 200, group_json(g));
}
