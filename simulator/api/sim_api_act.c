/* simulator/api/sim_api_act.c - the routes of the control API: what else a phone does */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/api/sim_api.h"
#include "simulator/api/sim_build.h"
#include "simulator/phone/sim_chains.h"
#include "simulator/phone/sim_group.h"
#include "simulator/phone/sim_peer.h"
#include "simulator/server/sim_online.h"
#include "simulator/sim.h"

#define CALL_ID_LEN 16
#define IDS_MAX 1024

static void push(struct sim_device *device, struct wa_node *n)
{
	if (sim_online_push(device, n) < 0)
		LOG(NULL, LOG_WARNING, "not_queued", LF_STR("device", device->jid));
}

/* ---- chains ------------------------------------------------------------------------------------
 */

static void add_chain(const char *name, uint32_t next, void *arg)
{
	json_array_append_new(arg,
	                      json_pack("{s:s, s:I}", "chain", name, "next", (json_int_t)next));
}

void sim_api_chains(struct sim_call *call)
{
	const struct sim_phone *phone = sim_api_phone(call);
	struct sim_chains_sum sum;
	json_t *list;

	if (phone == NULL)
		return;
	list = json_array();
	sim_chains_sum(phone->chains, &sum);
	sim_chains_each(phone->chains, add_chain, list);
	sim_call_reply(call, 200,
	               json_pack("{s:I, s:I, s:I, s:I, s:o, s:s?, s:I}", "messages",
	                         (json_int_t)sum.messages, "repeated", (json_int_t)sum.repeated,
	                         "reused", (json_int_t)sum.reused, "gaps", (json_int_t)sum.gaps,
	                         "chains", list, "reusedChain",
	                         sum.reused > 0 ? sum.reused_chain : NULL, "reusedCounter",
	                         (json_int_t)sum.reused_counter));
}

/* ---- read --------------------------------------------------------------------------------------
 */

/* A receipt of the phone, as the author's companion gets it. */
static struct wa_node *make_receipt(const struct sim_phone *phone, const json_t *ids,
                                    const char *type, const char *chat, bool pn)
{
	struct wa_node *n = wa_node_new("receipt"), *list = NULL;
	const char *me = pn ? phone->jid : phone->lid;
	const json_t *id;
	size_t i;

	wa_node_set_jid(n, "from", chat == NULL ? me : chat);
	if (chat != NULL)
		wa_node_set_jid(n, "participant", me);
	wa_node_set(n, "type", type);
	wa_node_set_int(n, "t", clock_unix_s());
	json_array_foreach((json_t *)ids, i, id)
	{
		if (i == 0) {
			wa_node_set(n, "id", json_string_value(id));
			continue;
		}
		if (list == NULL)
			list = wa_node_add(n, "list");
		wa_node_set(wa_node_add(list, "item"), "id", json_string_value(id));
	}
	return n;
}

/* As servers tell of a group: no participant, but who has read which message when. */
static struct wa_node *make_grouped(const struct sim_phone *phone, const json_t *ids,
                                    const char *type, const struct sim_group *g)
{
	struct wa_node *n = wa_node_new("receipt");
	const json_t *id;
	size_t i;

	wa_node_set_jid(n, "from", g->jid);
	wa_node_set(n, "id", json_string_value(json_array_get(ids, 0)));
	wa_node_set(n, "type", type);
	wa_node_set_int(n, "t", clock_unix_s());
	json_array_foreach((json_t *)ids, i, id)
	{
		struct wa_node *list = wa_node_add(n, "participants"),
		               *user = wa_node_add(list, "user");

		wa_node_set(list, "key", json_string_value(id));
		wa_node_set_jid(user, "jid", sim_group_jid_of(g, phone));
		wa_node_set_int(user, "t", clock_unix_s());
	}
	return n;
}

static bool are_texts(const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)list, i, one)
	{
		if (!json_is_string(one))
			return false;
	}
	return json_array_size(list) > 0 && json_array_size(list) <= IDS_MAX;
}

/* The phone's other companions hear of it, too: from the own JID, for that chat. */
static void tell_own(struct sim_call *call, const struct sim_phone *phone, const json_t *ids,
                     const char *chat, bool pn)
{
	for (struct sim_device *d = sim_device_first(call->sim->devices, phone->number); d != NULL;
	     d = d->next) {
		struct wa_node *n = make_receipt(phone, ids, "read-self", NULL, pn);

		wa_node_set_jid(n, "recipient", chat);
		push(d, n);
	}
}

/* {chat, ids, type?, from?, grouped?}: from is the author, in a group; type "read", "played",
 * "delivered". */
void sim_api_read(struct sim_call *call)
{
	const struct sim_phone *phone = sim_api_phone(call), *author;
	const json_t *ids = json_object_get(call->body, "ids");
	const char *chat = sim_build_str(call->body, "chat"),
	           *from = sim_build_str(call->body, "from"),
	           *type = sim_build_str(call->body, "type");
	bool pn = sim_build_flag(call->body, "pn");
	const struct sim_group *g;
	const char *told;

	if (phone == NULL)
		return;
	if (chat == NULL || !are_texts(ids)) {
		sim_call_error(call, 400, "bad_request", "chat and ids are needed");
		return;
	}
	g = sim_groups_find(call->sim->groups, chat);
	author = sim_api_find(call->sim, g != NULL && from != NULL ? from : chat);
	if (author == NULL) {
		sim_call_error(call, 404, "not_found", "no phone is the author");
		return;
	}
	if (type == NULL)
		type = "read";
	told = strcmp(type, "delivered") == 0 ? NULL : type;
	if (g != NULL)
		pn = g->pn;
	for (struct sim_device *d = sim_device_first(call->sim->devices, author->number);
	     author != phone && d != NULL; d = d->next)
		push(d, g != NULL && sim_build_flag(call->body, "grouped")
		            ? make_grouped(phone, ids, told, g)
		            : make_receipt(phone, ids, told, g == NULL ? NULL : g->jid, pn));
	if (strcmp(type, "read") == 0)
		tell_own(call, phone, ids, g != NULL ? g->jid : pn ? author->jid : author->lid, pn);
	sim_call_reply(call, 200, json_pack("{s:I}", "read", (json_int_t)json_array_size(ids)));
}

/* ---- calls -------------------------------------------------------------------------------------
 */

struct call {
	const struct sim_phone *from;
	const struct sim_group *group; /* NULL: none */
	const char *id, *action, *reason;
	bool video, pn;
};

static struct wa_node *make_call(struct sim *s, const struct call *c)
{
	struct wa_node *n = wa_node_new("call"), *child;
	const char *me = c->pn ? c->from->jid : c->from->lid;
	char id[SIM_ID_CAP];

	sim_online_id(s, id);
	wa_node_set_jid(n, "from", me);
	wa_node_set(n, "id", id);
	wa_node_set_int(n, "t", clock_unix_s());
	wa_node_set(n, "platform", "android");
	wa_node_set(n, "version", "2.26.1.1");
	if (c->from->name[0] != '\0')
		wa_node_set(n, "notify", c->from->name);
	child = wa_node_add(n, c->action);
	wa_node_set(child, "call-id", c->id);
	wa_node_set_jid(child, "call-creator", me);
	wa_node_set_jid(child, c->pn ? "caller_lid" : "caller_pn",
	                c->pn ? c->from->lid : c->from->jid);
	wa_node_set_jid(child, "group-jid", c->group == NULL ? NULL : c->group->jid);
	wa_node_set(child, "reason", c->reason);
	if (strcmp(c->action, "offer_notice") == 0) {
		wa_node_set(child, "media", c->video ? "video" : "audio");
		wa_node_set(child, "type", c->group != NULL ? "group" : NULL);
	}
	if (strcmp(c->action, "offer") == 0) {
		wa_node_set(wa_node_add(child, "audio"), "enc", "opus");
		if (c->video)
			wa_node_set(wa_node_add(child, "video"), "enc", "vp8");
	}
	return n;
}

static void ring(struct sim *s, const struct call *c, const struct sim_phone *to)
{
	for (struct sim_device *d = sim_device_first(s->devices, to->number); d != NULL;
	     d = d->next)
		push(d, make_call(s, c));
}

static bool make_call_id(struct sim_phone *phone, char out[2 * CALL_ID_LEN + 1])
{
	static const char hex[] = "0123456789ABCDEF";
	uint8_t raw[CALL_ID_LEN];

	if (sim_rand_bytes(&phone->rnd, raw, sizeof(raw)) < 0)
		return false;
	for (size_t i = 0; i < sizeof(raw); i++) {
		out[2 * i] = hex[raw[i] >> 4];
		out[2 * i + 1] = hex[raw[i] & 15];
	}
	out[2 * CALL_ID_LEN] = '\0';
	return true;
}

/* {to | group, action?, id?, video?, reason?}: action "offer" (usual), "terminate", ... */
void sim_api_call(struct sim_call *call)
{
	struct sim_phone *phone = sim_api_phone(call);
	const char *to = sim_build_str(call->body, "to"),
	           *group = sim_build_str(call->body, "group");
	const struct sim_phone *callee = to == NULL ? NULL : sim_api_find(call->sim, to);
	char made[2 * CALL_ID_LEN + 1];
	struct call c = {
		.from = phone,
		.group = group == NULL ? NULL : sim_groups_find(call->sim->groups, group),
		.id = sim_build_str(call->body, "id"),
		.action = sim_build_str(call->body, "action"),
		.reason = sim_build_str(call->body, "reason"),
		.video = sim_build_flag(call->body, "video"),
		.pn = sim_build_flag(call->body, "pn"),
	};

	if (phone == NULL)
		return;
	if (callee == NULL && c.group == NULL) {
		sim_call_error(call, 404, "not_found", "no phone or group has this number or JID");
		return;
	}
	if (c.action == NULL || c.action[0] == '\0')
		c.action = "offer";
	if (c.id == NULL && !make_call_id(phone, made)) {
		sim_call_error(call, 500, "internal", "no randomness");
		return;
	}
	if (c.id == NULL)
		c.id = made;
	if (callee != NULL)
		ring(call->sim, &c, callee);
	for (size_t i = 0; callee == NULL && i < c.group->n; i++) {
		if (c.group->members[i].phone != phone)
			ring(call->sim, &c, c.group->members[i].phone);
	}
	sim_call_reply(call, 200, json_pack("{s:s}", "id", c.id));
}

/* ---- reinstall ---------------------------------------------------------------------------------
 */

struct told {
	struct sim *sim;
	const struct sim_phone *phone;
	char (*lids)[SIM_JID_CAP]; /* accounts that were told, or will be */
	size_t n, cap;
};

static void on_contact(const char *lid_user, void *arg)
{
	struct told *t = arg;

	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->lids[i], lid_user) == 0)
			return;
	}
	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 16 : t->cap * 2;
		char(*lids)[SIM_JID_CAP] = realloc(t->lids, cap * sizeof(*lids));

		if (lids == NULL)
			return;
		t->lids = lids;
		t->cap = cap;
	}
	snprintf(t->lids[t->n++], SIM_JID_CAP, "%s", lid_user);
}

/* <notification type="encrypt"><identity/>: once per form of the JID, as for new contacts. */
static void tell_identity(const struct told *t, const char *lid_user, bool pn)
{
	const struct sim_account *a = sim_account_find_lid(t->sim->devices, lid_user);

	for (struct sim_device *d = a == NULL ? NULL : a->first; d != NULL; d = d->next) {
		struct wa_node *n = wa_node_new("notification");
		char id[SIM_ID_CAP];

		sim_online_id(t->sim, id);
		wa_node_set_jid(n, "from", pn ? t->phone->jid : t->phone->lid);
		wa_node_set(n, "id", id);
		wa_node_set_int(n, "t", clock_unix_s());
		wa_node_set(n, "type", "encrypt");
		if (pn)
			wa_node_set_jid(n, "lid", t->phone->lid);
		wa_node_add(n, "identity");
		push(d, n);
	}
}

/* {keepDevices?, quiet?}: the companions are unlinked, as everywhere a phone is registered anew. */
void sim_api_reinstall(struct sim_call *call)
{
	struct sim_phone *phone = sim_api_phone(call);
	struct told t = { .sim = call->sim, .phone = phone };
	int rc;

	if (phone == NULL)
		return;
	sim_peer_each_contact(phone, on_contact, &t);
	while (!sim_build_flag(call->body, "keepDevices") &&
	       sim_device_first(call->sim->devices, phone->number) != NULL)
		sim_online_unlink(call->sim, sim_device_first(call->sim->devices, phone->number));
	rc = sim_peer_reinstall(call->sim, phone);
	if (rc == 0)
		rc = sim_api_publish_keys(call->sim, phone);
	for (size_t i = 0; rc == 0 && !sim_build_flag(call->body, "quiet") && i < t.n; i++) {
		tell_identity(&t, t.lids[i], true);
		tell_identity(&t, t.lids[i], false);
	}
	free(t.lids);
	if (rc < 0)
		sim_call_error(call, 500, "internal", "%s", wa_err_name(rc));
	else
		sim_call_reply(call, 200, json_pack("{s:I}", "told", (json_int_t)t.n));
}
