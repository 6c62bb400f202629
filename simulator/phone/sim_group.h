/*
 * simulator/phone/sim_group.h - groups: who is in them, what is changed, who is told
 *
 * A change comes as the node that a client would send in its IQ; the control API makes such nodes
 * too. Source: protocol notes 10 section 3, 06 section 10.1.
 */
#ifndef SIM_GROUP_H
#define SIM_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/phone/sim_phone.h"
#include "simulator/phone/sim_send.h"
#include "worker/wa/node/wa_node.h"

#define SIM_GROUP_MEMBERS_MAX 4096
#define SIM_SUBJECT_CAP 401 /* 100 characters */
#define SIM_CODE_CAP 24

enum sim_rank { SIM_MEMBER, SIM_ADMIN, SIM_SUPERADMIN };

struct sim_member {
	struct sim_phone *phone;
	enum sim_rank rank;
};

struct sim_group {
	char jid[SIM_JID_CAP];
	char subject[SIM_SUBJECT_CAP];
	char description[1025], description_id[SIM_MSG_ID_CAP]; /* "": none */
	char code[SIM_CODE_CAP];                                /* invite link */
	const struct sim_phone *creator, *subject_owner;
	int64_t created_s, subject_s;
	bool pn; /* addressed by phone number */
	bool announcement, locked;
	uint32_t ephemeral_s;
	struct sim_member *members; /* owned */
	size_t n, cap;
	struct sim_group *next; /* internal */
};

struct sim_client;
struct sim_groups;

ATTR_NODISCARD int sim_groups_new(const struct sim_rand *rnd, struct sim_groups **groups_out);
void sim_groups_free(struct sim_groups *g); /* NULL is fine */

struct sim_group *sim_groups_find(const struct sim_groups *g, const char *jid);
struct sim_group *sim_groups_find_code(const struct sim_groups *g, const char *code);
/* NULL: no more. Loop: g = sim_groups_next(groups, NULL), then with the last. */
struct sim_group *sim_groups_next(const struct sim_groups *groups, const struct sim_group *last);
struct sim_member *sim_group_member(const struct sim_group *g, const struct sim_phone *phone);

/* What a new group is. Members are added besides the creator. */
struct sim_group_new {
	struct sim_phone *creator;
	const char *subject;
	struct sim_phone *const *members;
	size_t members_n;
	bool pn;
	const char *key; /* of the create notification; NULL: none */
};

/* Everyone's companions are told. 0, WA_ECRYPTO, WA_ELIMIT or -ENOMEM. */
ATTR_NODISCARD int sim_group_create(struct sim *s, const struct sim_group_new *params,
                                    struct sim_group **group_out);

/*
 * Change the group as op says (<add>, <remove>, <promote>, <demote>, <leave>, <subject>,
 * <description>, <announcement>, <locked>, <ephemeral>, ... ), by actor; the members' companions
 * are told, and those that are removed. result (may be NULL) gets the answer's child.
 * 0, or the code of an IQ error (400, 403, 404, 405).
 */
int sim_group_change(struct sim *s, struct sim_group *g, struct sim_phone *actor,
                     const struct wa_node *op, struct wa_node *result);
/* By invite link. 0, 409 (is in it) or 419 (full). */
int sim_group_join(struct sim *s, struct sim_group *g, struct sim_phone *phone);

/* <group> as answers and create notifications have it. */
void sim_group_node(const struct sim_group *g, bool with_members, struct wa_node *parent);
/* The JID of a person in this group. */
const char *sim_group_jid_of(const struct sim_group *g, const struct sim_phone *phone);

/* ---- sending (sim_group_send.c) ----------------------------------------------------------------
 */

/* o->id is filled in when it was "". 0, WA_SIG_*, -ENOMEM. */
ATTR_NODISCARD int sim_send_group(struct sim *s, struct sim_out *o, const struct sim_group *g);
#define SIM_STATUS "status@broadcast"
/* A status, for those people. */
ATTR_NODISCARD int sim_send_status(struct sim *s, struct sim_out *o,
                                   struct sim_phone *const *audience, size_t n);

/* IQs of xmlns w:g2 (sim_group_iq.c) */
void sim_group_iq(struct sim_client *c, const struct wa_node *iq);

#endif
