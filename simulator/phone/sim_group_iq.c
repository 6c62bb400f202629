/* simulator/phone/sim_group_iq.c - requests of xmlns "w:g2": groups asked for, made and changed */
#include <stdlib.h>
#include <string.h>

#include "simulator/phone/sim_group_priv.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_online.h"
#include "worker/wa/node/wa_jid.h"

static struct sim_phone *own_phone(const struct sim_client *c)
{
	return sim_phones_find(c->sim->phones, c->session.device->account->number);
}

/* ---- asked for ---------------------------------------------------------------------------------
 */

static void participating(struct sim_client *c, const struct wa_node *iq,
                          const struct wa_node *asked)
{
	const struct sim_groups *groups = c->sim->groups;
	struct wa_node *n = sim_online_answer(iq, "result");
	struct wa_node *list = wa_node_add(n, "groups");
	const struct sim_phone *me = own_phone(c);

	for (const struct sim_group *g = sim_groups_next(groups, NULL); g != NULL;
	     g = sim_groups_next(groups, g)) {
		if (sim_group_member(g, me) != NULL)
			sim_group_node(g, wa_node_child(asked, "participants") != NULL, list);
	}
	sim_client_send(c, n);
}

static void send_group(struct sim_client *c, const struct wa_node *iq, const struct sim_group *g)
{
	struct wa_node *n = sim_online_answer(iq, "result");

	sim_group_node(g, true, n);
	sim_client_send(c, n);
}

static void send_code(struct sim_client *c, const struct wa_node *iq, const struct sim_group *g)
{
	struct wa_node *n = sim_online_answer(iq, "result");

	wa_node_set(wa_node_add(n, "invite"), "code", g->code);
	sim_client_send(c, n);
}

/* ---- made --------------------------------------------------------------------------------------
 */

static void copy_subject(const struct wa_node *create, char out[SIM_SUBJECT_CAP])
{
	const char *subject = wa_node_attr(create, "subject");
	size_t n = subject == NULL ? 0 : strlen(subject);

	if (n >= SIM_SUBJECT_CAP)
		n = SIM_SUBJECT_CAP - 1;
	if (n > 0)
		memcpy(out, subject, n);
	out[n] = '\0';
}

static void create(struct sim_client *c, const struct wa_node *iq, const struct wa_node *asked)
{
	struct sim_phone **members = calloc(asked->children_n + 1, sizeof(struct sim_phone *));
	char subject[SIM_SUBJECT_CAP];
	struct sim_group *g;
	struct wa_jid jid;
	size_t count = 0;
	int rc = members == NULL ? -1 : 0;

	copy_subject(asked, subject);
	for (const struct wa_node *p = wa_node_child(asked, "participant"); p != NULL && rc == 0;
	     p = wa_node_next(p, "participant")) {
		const char *text = wa_node_attr(p, "jid");
		struct sim_phone *phone = text == NULL || wa_jid_parse(text, strlen(text), &jid) < 0
		                              ? NULL
		                              : sim_phones_find_user(c->sim->phones, jid.user);

		if (phone != NULL)
			members[count++] = phone;
	}
	if (rc == 0)
		rc = sim_group_create(c->sim,
		                      &(struct sim_group_new){
		                          .creator = own_phone(c),
		                          .subject = subject,
		                          .members = members,
		                          .members_n = count,
		                          .key = wa_node_attr(asked, "key"),
		                      },
		                      &g);
	free(members);
	if (rc < 0)
		sim_online_error(c, iq, 500, "internal-server-error");
	else
		send_group(c, iq, g);
}

static void join(struct sim_client *c, const struct wa_node *iq, const char *code)
{
	struct sim_group *g = code == NULL ? NULL : sim_groups_find_code(c->sim->groups, code);
	struct wa_node *n;
	int error = g == NULL ? 404 : sim_group_join(c->sim, g, own_phone(c));

	if (error != 0) {
		sim_online_error(c, iq, error, "not-acceptable");
		return;
	}
	n = sim_online_answer(iq, "result");
	wa_node_set_jid(wa_node_add(n, "group"), "jid", g->jid);
	sim_client_send(c, n);
}

/* ---- changed -----------------------------------------------------------------------------------
 */

static void change(struct sim_client *c, const struct wa_node *iq, struct sim_group *g)
{
	struct wa_node *n = sim_online_answer(iq, "result");
	int error = sim_group_change(c->sim, g, own_phone(c), iq->first_child, n);

	if (error == 0) {
		sim_client_send(c, n);
		return;
	}
	wa_node_free(n);
	sim_online_error(c, iq, error, error == 403 ? "forbidden" : "bad-request");
}

/* <leave> is addressed to g.us and names the group. */
static struct sim_group *named(const struct sim_client *c, const struct wa_node *iq)
{
	const struct wa_node *leave = wa_node_child(iq, "leave");
	const struct wa_node *group = leave == NULL ? NULL : wa_node_child(leave, "group");
	const char *jid = group == NULL ? wa_node_attr(iq, "to") : wa_node_attr(group, "id");

	return jid == NULL ? NULL : sim_groups_find(c->sim->groups, jid);
}

static void to_server(struct sim_client *c, const struct wa_node *iq, bool get)
{
	const struct wa_node *child = iq->first_child;
	struct sim_group *g;

	if (get && wa_node_is(child, "participating")) {
		participating(c, iq, child);
	} else if (!get && wa_node_is(child, "create")) {
		create(c, iq, child);
	} else if (!get && wa_node_is(child, "invite")) {
		join(c, iq, wa_node_attr(child, "code"));
	} else if (get && wa_node_is(child, "invite") && wa_node_attr(child, "code") != NULL &&
	           (g = sim_groups_find_code(c->sim->groups, wa_node_attr(child, "code"))) !=
	               NULL) {
		send_group(c, iq, g);
	} else {
		sim_online_error(c, iq, 404, "item-not-found");
	}
}

void sim_group_iq(struct sim_client *c, const struct wa_node *iq)
{
	bool get = wa_node_attr_is(iq, "type", "get");
	struct sim_group *g = named(c, iq);

	if (iq->content != WA_CONTENT_NODES || iq->first_child == NULL || own_phone(c) == NULL)
		sim_online_error(c, iq, 400, "bad-request");
	else if (g == NULL)
		to_server(c, iq, get);
	else if (sim_group_member(g, own_phone(c)) == NULL)
		sim_online_error(c, iq, 403, "forbidden");
	else if (get && wa_node_child(iq, "query") != NULL)
		send_group(c, iq, g);
	else if (get && wa_node_child(iq, "invite") != NULL)
		send_code(c, iq, g);
	else if (get)
		sim_online_error(c, iq, 501, "feature-not-implemented");
	else
		change(c, iq, g);
}
