/* simulator/phone/sim_group_change.c - what is changed in a group, and who is told */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/phone/sim_group_priv.h"
#include "simulator/server/sim_online.h"
#include "simulator/sim.h"
#include "worker/wa/node/wa_jid.h"

/* One change: by whom, and the child of the notification that tells of it. */
struct change {
	struct sim *s;
	struct sim_group *g;
	struct sim_phone *actor;
	const struct wa_node *op;
	struct wa_node *result; /* NULL: nobody asks */
};

/* ---- telling -----------------------------------------------------------------------------------
 */

static struct wa_node *notification(struct sim *s, const struct sim_group *g,
                                    const struct sim_phone *actor)
{
	struct wa_node *n = wa_node_new("notification");
	char id[SIM_ID_CAP];

	sim_online_id(s, id);
	wa_node_set_jid(n, "from", g->jid);
	wa_node_set(n, "id", id);
	wa_node_set_int(n, "t", clock_unix_s());
	wa_node_set(n, "type", "w:gp2");
	wa_node_set_jid(n, "participant", sim_group_jid_of(g, actor));
	wa_node_set_jid(n, g->pn ? "participant_lid" : "participant_pn",
	                sim_group_other_of(g, actor));
	if (actor->name[0] != '\0')
		wa_node_set(n, "notify", actor->name);
	wa_node_set(n, "addressing_mode", g->pn ? "pn" : "lid");
	return n;
}

/* fill adds the child; each device gets a stanza of its own. */
static void tell_phone(struct sim *s, const struct sim_group *g, const struct sim_phone *actor,
                       const struct sim_phone *to,
                       void (*fill)(const void *arg, struct wa_node *notification), const void *arg)
{
	for (struct sim_device *d = sim_device_first(s->devices, to->number); d != NULL;
	     d = d->next) {
		struct wa_node *n = notification(s, g, actor);

		fill(arg, n);
		if (sim_online_push(d, n) < 0)
			LOG(NULL, LOG_WARNING, "group_not_told", LF_STR("device", d->jid));
	}
}

static void tell_all(struct sim *s, const struct sim_group *g, const struct sim_phone *actor,
                     void (*fill)(const void *arg, struct wa_node *notification), const void *arg)
{
	for (size_t i = 0; i < g->n; i++)
		tell_phone(s, g, actor, g->members[i].phone, fill, arg);
}

struct created {
	const struct sim_group *g;
	const char *key;
};

static void fill_created(const void *arg, struct wa_node *n)
{
	const struct created *c = arg;
	struct wa_node *create = wa_node_add(n, "create");

	wa_node_set(create, "type", "new");
	wa_node_set(create, "key", c->key);
	sim_group_node(c->g, true, create);
}

void sim_group_tell_created(struct sim *s, const struct sim_group *g, const struct sim_phone *actor,
                            const char *key)
{
	const struct created c = { g, key };

	tell_all(s, g, actor, fill_created, &c);
}

/* ---- participants ------------------------------------------------------------------------------
 */

struct people {
	const struct sim_group *g;
	const char *what, *reason; /* reason NULL: none */
	struct sim_phone **phones; /* owned */
	size_t n;
};

static void fill_people(const void *arg, struct wa_node *n)
{
	const struct people *p = arg;
	struct wa_node *child = wa_node_add(n, p->what);

	wa_node_set(child, "reason", p->reason);
	for (size_t i = 0; i < p->n; i++)
		sim_group_add_participant(p->g, p->phones[i], SIM_MEMBER, child);
}

static struct sim_phone *phone_of(const struct sim *s, const struct wa_node *n)
{
	const char *text = wa_node_attr(n, "jid");
	struct wa_jid jid;

	return text == NULL || wa_jid_parse(text, strlen(text), &jid) < 0
	           ? NULL
	           : sim_phones_find_user(s->phones, jid.user);
}

/* 0, or what the answer says of that person. */
static int change_one(struct sim_group *g, const char *what, struct sim_phone *phone)
{
	struct sim_member *m = phone == NULL ? NULL : sim_group_member(g, phone);

	if (phone == NULL)
		return 404;
	if (strcmp(what, "add") == 0)
		return m != NULL ? 409 : sim_group_put(g, phone, SIM_MEMBER) < 0 ? 419 : 0;
	if (m == NULL)
		return 404;
	if (strcmp(what, "remove") == 0)
		sim_group_drop(g, phone);
	else
		m->rank = strcmp(what, "promote") == 0 ? SIM_ADMIN : SIM_MEMBER;
	return 0;
}

static void answer_one(struct wa_node *answer, const struct wa_node *asked, int error)
{
	struct wa_node *n;

	if (answer == NULL)
		return;
	n = wa_node_add(answer, "participant");
	wa_node_set_jid(n, "jid", wa_node_attr(asked, "jid"));
	if (error != 0)
		wa_node_set_int(n, "error", error);
}

static int change_people(const struct change *c)
{
	struct people p = { .g = c->g, .what = c->op->tag };
	struct wa_node *answer = c->result == NULL ? NULL : wa_node_add(c->result, c->op->tag);

	p.phones = calloc(c->op->children_n + 1, sizeof(struct sim_phone *));
	if (p.phones == NULL)
		return 500;
	for (const struct wa_node *n = wa_node_child(c->op, "participant"); n != NULL;
	     n = wa_node_next(n, "participant")) {
		struct sim_phone *phone = phone_of(c->s, n);
		int error = change_one(c->g, c->op->tag, phone);

		answer_one(answer, n, error);
		if (error == 0)
			p.phones[p.n++] = phone;
	}
	if (p.n > 0)
		tell_all(c->s, c->g, c->actor, fill_people, &p);
	for (size_t i = 0; strcmp(p.what, "remove") == 0 && i < p.n; i++)
		tell_phone(c->s, c->g, c->actor, p.phones[i], fill_people, &p);
	free(p.phones);
	return 0;
}

static int leave(const struct change *c)
{
	struct sim_phone *one[] = { c->actor };
	struct people p = { .g = c->g, .what = "remove", .phones = one, .n = 1 };
	struct wa_node *answer;

	if (c->result != NULL) {
		answer = wa_node_add(wa_node_add(c->result, "leave"), "group");
		wa_node_set_jid(answer, "id", c->g->jid);
	}
	sim_group_drop(c->g, c->actor);
	tell_all(c->s, c->g, c->actor, fill_people, &p);
	tell_phone(c->s, c->g, c->actor, c->actor, fill_people, &p);
	return 0;
}

int sim_group_join(struct sim *s, struct sim_group *g, struct sim_phone *phone)
{
	struct sim_phone *one[] = { phone };
	struct people p = { .g = g, .what = "add", .reason = "invite", .phones = one, .n = 1 };
	int rc = sim_group_put(g, phone, SIM_MEMBER);

	if (rc < 0)
		return rc == -EEXIST ? 409 : 419;
	tell_all(s, g, phone, fill_people, &p);
	return 0;
}

/* ---- what the group is -------------------------------------------------------------------------
 */

static void copy_text(const struct wa_node *n, char *out, size_t cap)
{
	size_t len = n == NULL || n->content != WA_CONTENT_BYTES ? 0 : n->bytes_len;

	if (len >= cap)
		len = cap - 1;
	if (len > 0)
		memcpy(out, n->bytes, len);
	out[len] = '\0';
}

static void fill_subject(const void *arg, struct wa_node *n)
{
	const struct sim_group *g = arg;
	struct wa_node *child = wa_node_add(n, "subject");

	wa_node_set(child, "subject", g->subject);
	wa_node_set_int(child, "s_t", g->subject_s);
	wa_node_set_jid(child, "s_o", sim_group_jid_of(g, g->subject_owner));
}

static int set_subject(const struct change *c)
{
	copy_text(c->op, c->g->subject, sizeof(c->g->subject));
	c->g->subject_s = clock_unix_s();
	c->g->subject_owner = c->actor;
	tell_all(c->s, c->g, c->actor, fill_subject, c->g);
	return 0;
}

static void fill_description(const void *arg, struct wa_node *n)
{
	const struct sim_group *g = arg;
	struct wa_node *child = wa_node_add(n, "description");

	wa_node_set(child, "id", g->description_id);
	if (g->description[0] == '\0')
		wa_node_add(child, "delete");
	else
		wa_node_set_text(wa_node_add(child, "body"), g->description);
}

static int set_description(const struct change *c)
{
	const char *id = wa_node_attr(c->op, "id");

	snprintf(c->g->description_id, sizeof(c->g->description_id), "%s", id == NULL ? "0" : id);
	copy_text(wa_node_child(c->op, "body"), c->g->description, sizeof(c->g->description));
	tell_all(c->s, c->g, c->actor, fill_description, c->g);
	return 0;
}

static void fill_op(const void *arg, struct wa_node *n)
{
	const struct wa_node *op = arg;
	struct wa_node *child = wa_node_add(n, op->tag);

	wa_node_set(child, "expiration", wa_node_attr(op, "expiration"));
	if (op->content == WA_CONTENT_BYTES)
		wa_node_set_bytes(child, op->bytes, op->bytes_len);
}

/* <announcement/>, <locked/>, <ephemeral/> and what ends them; others are only told. */
static int set_flag(const struct change *c)
{
	const char *tag = c->op->tag, *expiration = wa_node_attr(c->op, "expiration");

	if (strcmp(tag, "announcement") == 0 || strcmp(tag, "not_announcement") == 0)
		c->g->announcement = tag[0] == 'a';
	else if (strcmp(tag, "locked") == 0 || strcmp(tag, "unlocked") == 0)
		c->g->locked = tag[0] == 'l';
	else if (strcmp(tag, "ephemeral") == 0)
		c->g->ephemeral_s =
		    expiration == NULL ? 0 : (uint32_t)strtoul(expiration, NULL, 10);
	else if (strcmp(tag, "not_ephemeral") == 0)
		c->g->ephemeral_s = 0;
	tell_all(c->s, c->g, c->actor, fill_op, c->op);
	return 0;
}

static void fill_invite(const void *arg, struct wa_node *n)
{
	wa_node_set(wa_node_add(n, "invite"), "code", arg);
}

static int new_code(const struct change *c)
{
	if (sim_group_make_code(c->s, c->g) < 0)
		return 500;
	if (c->result != NULL)
		fill_invite(c->g->code, c->result);
	tell_all(c->s, c->g, c->actor, fill_invite, c->g->code);
	return 0;
}

/* ---- one change --------------------------------------------------------------------------------
 */

static const struct {
	const char *tag;
	bool admin; /* only admins may */
	int (*run)(const struct change *c);
} ops[] = {
	{ "add", false, change_people },
	{ "remove", true, change_people },
	{ "promote", true, change_people },
	{ "demote", true, change_people },
	{ "leave", false, leave },
	{ "subject", false, set_subject },
	{ "description", false, set_description },
	{ "announcement", true, set_flag },
	{ "not_announcement", true, set_flag },
	{ "locked", true, set_flag },
	{ "unlocked", true, set_flag },
	{ "ephemeral", true, set_flag },
	{ "not_ephemeral", true, set_flag },
	{ "member_add_mode", true, set_flag },
	{ "membership_approval_mode", true, set_flag },
	{ "invite", true, new_code },
};

int sim_group_change(struct sim *s, struct sim_group *g, struct sim_phone *actor,
                     const struct wa_node *op, struct wa_node *result)
{
	const struct change c = { s, g, actor, op, result };
	const struct sim_member *m = sim_group_member(g, actor);

	if (op == NULL)
		return 400;
	if (m == NULL)
		return 403;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (!wa_node_is(op, ops[i].tag))
			continue;
		return ops[i].admin && m->rank == SIM_MEMBER ? 403 : ops[i].run(&c);
	}
	return 400;
}
