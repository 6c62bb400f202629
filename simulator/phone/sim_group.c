/* simulator/phone/sim_group.c - groups: who is in them */
#include "simulator/phone/sim_group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "simulator/phone/sim_group_priv.h"
#include "simulator/server/sim_online.h"
#include "simulator/sim.h"

#define GROUPS_MAX 100000
#define ID_DIGITS 15

struct sim_groups {
	struct sim_rand rnd;
	struct sim_group *first; /* owned */
	size_t n;
};

int sim_groups_new(const struct sim_rand *rnd, struct sim_groups **groups_out)
{
	struct sim_groups *g = calloc(1, sizeof(*g));
	int rc = g == NULL ? -ENOMEM : sim_rand_fork(rnd, "groups", 0, &g->rnd);

	if (rc < 0)
		free(g);
	else
		*groups_out = g;
	return rc;
}

static void group_free(struct sim_group *g)
{
	free(g->members);
	free(g);
}

void sim_groups_free(struct sim_groups *g)
{
	if (g == NULL)
		return;
	while (g->first != NULL) {
		struct sim_group *one = g->first;

		g->first = one->next;
		group_free(one);
	}
	free(g);
}

struct sim_group *sim_groups_find(const struct sim_groups *g, const char *jid)
{
	struct sim_group *one = g->first;

	while (one != NULL && strcmp(one->jid, jid) != 0)
		one = one->next;
	return one;
}

struct sim_group *sim_groups_find_code(const struct sim_groups *g, const char *code)
{
	struct sim_group *one = g->first;

	while (one != NULL && strcmp(one->code, code) != 0)
		one = one->next;
	return one;
}

struct sim_group *sim_groups_next(const struct sim_groups *groups, const struct sim_group *last)
{
	return last == NULL ? groups->first : last->next;
}

/* ---- members -----------------------------------------------------------------------------------
 */

struct sim_member *sim_group_member(const struct sim_group *g, const struct sim_phone *phone)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->members[i].phone == phone)
			return &g->members[i];
	}
	return NULL;
}

int sim_group_put(struct sim_group *g, struct sim_phone *phone, enum sim_rank rank)
{
	struct sim_member *m = sim_group_member(g, phone);
	size_t cap = g->cap == 0 ? 8 : g->cap * 2;

	if (m != NULL)
		return -EEXIST;
	if (g->n >= SIM_GROUP_MEMBERS_MAX)
		return WA_ELIMIT;
	if (g->n == g->cap) {
		m = realloc(g->members, cap * sizeof(*m));
		if (m == NULL)
			return -ENOMEM;
		g->members = m;
		g->cap = cap;
	}
	g->members[g->n++] = (struct sim_member){ phone, rank };
	return 0;
}

void sim_group_drop(struct sim_group *g, const struct sim_phone *phone)
{
	struct sim_member *m = sim_group_member(g, phone);
	size_t after;

	if (m == NULL)
		return;
	after = (size_t)(g->members + g->n - (m + 1));
	memmove(m, m + 1, after * sizeof(*m));
	g->n--;
	/* Who stays sends under another key from now on. */
	for (size_t i = 0; i < g->n; i++)
		sim_peer_rotate_group(g->members[i].phone, g->jid);
}

const char *sim_group_jid_of(const struct sim_group *g, const struct sim_phone *phone)
{
	return g->pn ? phone->jid : phone->lid;
}

const char *sim_group_other_of(const struct sim_group *g, const struct sim_phone *phone)
{
	return g->pn ? phone->lid : phone->jid;
}

/* ---- as nodes ----------------------------------------------------------------------------------
 */

void sim_group_add_participant(const struct sim_group *g, const struct sim_phone *phone,
                               enum sim_rank rank, struct wa_node *parent)
{
	struct wa_node *n = wa_node_add(parent, "participant");

	wa_node_set_jid(n, "jid", sim_group_jid_of(g, phone));
	wa_node_set_jid(n, g->pn ? "lid" : "phone_number", sim_group_other_of(g, phone));
	if (rank != SIM_MEMBER)
		wa_node_set(n, "type", rank == SIM_ADMIN ? "admin" : "superadmin");
}

static void add_description(const struct sim_group *g, struct wa_node *group)
{
	struct wa_node *n;

	if (g->description_id[0] == '\0')
		return;
	n = wa_node_add(group, "description");
	wa_node_set(n, "id", g->description_id);
	wa_node_set_int(n, "t", g->subject_s);
	wa_node_set_jid(n, "participant", sim_group_jid_of(g, g->creator));
	wa_node_set_text(wa_node_add(n, "body"), g->description);
}

void sim_group_node(const struct sim_group *g, bool with_members, struct wa_node *parent)
{
	struct wa_node *n = wa_node_add(parent, "group");
	char id[SIM_JID_CAP];

	snprintf(id, sizeof(id), "%.*s", (int)strcspn(g->jid, "@"), g->jid);
	wa_node_set(n, "id", id);
	wa_node_set_int(n, "creation", g->created_s);
	wa_node_set_jid(n, "creator", sim_group_jid_of(g, g->creator));
	wa_node_set_jid(n, g->pn ? "creator_lid" : "creator_pn", sim_group_other_of(g, g->creator));
	wa_node_set(n, "subject", g->subject);
	wa_node_set_int(n, "s_t", g->subject_s);
	wa_node_set_jid(n, "s_o", sim_group_jid_of(g, g->subject_owner));
	wa_node_set_int(n, "size", (int64_t)g->n);
	wa_node_set(n, "addressing_mode", g->pn ? "pn" : "lid");
	for (size_t i = 0; with_members && i < g->n; i++)
		sim_group_add_participant(g, g->members[i].phone, g->members[i].rank, n);
	add_description(g, n);
	if (g->announcement)
		wa_node_add(n, "announcement");
	if (g->locked)
		wa_node_add(n, "locked");
	if (g->ephemeral_s != 0)
		wa_node_set_int(wa_node_add(n, "ephemeral"), "expiration", g->ephemeral_s);
}

/* ---- making ------------------------------------------------------------------------------------
 */

int sim_group_make_code(struct sim *s, struct sim_group *g)
{
	uint8_t raw[(SIM_CODE_CAP - 2) / 2];
	int rc = sim_rand_bytes(&s->groups->rnd, raw, sizeof(raw));

	if (rc == 0)
		hex_encode(raw, sizeof(raw), g->code);
	return rc;
}

static int name_it(struct sim *s, struct sim_group *g)
{
	char digits[ID_DIGITS + 1];
	int rc;

	do {
		rc = sim_rand_digits(&s->groups->rnd, digits, ID_DIGITS);
		snprintf(g->jid, sizeof(g->jid), "120363%s@g.us", digits);
	} while (rc == 0 && sim_groups_find(s->groups, g->jid) != NULL);
	return rc < 0 ? rc : sim_group_make_code(s, g);
}

static int fill(struct sim *s, struct sim_group *g, const struct sim_group_new *params)
{
	int rc = name_it(s, g);

	snprintf(g->subject, sizeof(g->subject), "%s", params->subject);
	g->creator = g->subject_owner = params->creator;
	g->created_s = g->subject_s = clock_unix_s();
	g->pn = params->pn;
	if (rc == 0)
		rc = sim_group_put(g, params->creator, SIM_SUPERADMIN);
	for (size_t i = 0; i < params->members_n && rc == 0; i++) {
		rc = sim_group_put(g, params->members[i], SIM_MEMBER);
		if (rc == -EEXIST)
			rc = 0;
	}
	return rc;
}

int sim_group_create(struct sim *s, const struct sim_group_new *params,
                     struct sim_group **group_out)
{
	struct sim_group *g;
	int rc;

	if (s->groups->n >= GROUPS_MAX)
		return WA_ELIMIT;
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return -ENOMEM;
	rc = fill(s, g, params);
	if (rc < 0) {
		group_free(g);
		return rc;
	}
	g->next = s->groups->first;
	s->groups->first = g;
	s->groups->n++;
	sim_group_tell_created(s, g, params->creator, params->key);
	*group_out = g;
	return 0;
}
