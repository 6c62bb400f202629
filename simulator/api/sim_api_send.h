/* simulator/api/sim_api_send.h - shared by sim_api_send.c (one, several) and sim_api_bulk.c (very many)
 */
#ifndef SIM_API_SEND_H
#define SIM_API_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulator/api/sim_api.h"
#include "simulator/api/sim_build.h"
#include "simulator/phone/sim_group.h"
#include "simulator/phone/sim_send.h"

/* Where a message goes: one of phone, group and audience. */
struct sim_target {
	struct sim_phone *phone;
	struct sim_group *group;
	struct sim_phone **audience; /* owned; of a status */
	size_t audience_n;
	const char *chat; /* JID as addressed */
};

/* What a body says of it; false after an error answer. t->audience is to be freed. */
ATTR_NODISCARD bool sim_target_take(struct sim_call *call, const json_t *body,
                                    struct sim_target *t);
/* pn, silent, id, spoil, ... into o. False after an error answer. */
ATTR_NODISCARD bool sim_target_options(struct sim_call *call, const json_t *body,
                                       struct sim_out *o);
/* The content into built, and into o. False after an error answer. */
ATTR_NODISCARD bool sim_target_build(struct sim_call *call, const json_t *body, struct sim_out *o,
                                     const struct sim_target *t, struct sim_build *built);
/* 0, WA_SIG_*, WA_ELIMIT (a queue is full), -ENOMEM. */
ATTR_NODISCARD int sim_target_send(struct sim *s, struct sim_out *o, const struct sim_target *t);

/* count messages as call's body says; answers the call, perhaps later. */
void sim_bulk_send(struct sim_call *call, struct sim_phone *from, uint32_t count);

#endif
