/* simulator/phone/sim_group_priv.h - shared by sim_group*.c */
#ifndef SIM_GROUP_PRIV_H
#define SIM_GROUP_PRIV_H

#include "simulator/phone/sim_group.h"

/* 0, -EEXIST, WA_ELIMIT or -ENOMEM. */
ATTR_NODISCARD int sim_group_put(struct sim_group *g, struct sim_phone *phone, enum sim_rank rank);
/* The others' sender keys are made anew. */
void sim_group_drop(struct sim_group *g, const struct sim_phone *phone);
/* The person's other JID: LID in groups by phone number, else the number's. */
const char *sim_group_other_of(const struct sim_group *g, const struct sim_phone *phone);
void sim_group_add_participant(const struct sim_group *g, const struct sim_phone *phone,
                               enum sim_rank rank, struct wa_node *parent);
/* Another invite code. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_group_make_code(struct sim *s, struct sim_group *g);

/* <notification type="w:gp2">: everyone's companions get <create> with the whole group. */
void sim_group_tell_created(struct sim *s, const struct sim_group *g, const struct sim_phone *actor,
                            const char *key);

#endif
