/* simulator/api/sim_api.h - the routes of the control API */
#ifndef SIM_API_H
#define SIM_API_H

#include "simulator/api/sim_control.h"

struct sim_route {
	const char *method;
	const char *path; /* ':' stands for one segment */
	void (*run)(struct sim_call *call);
};

extern const struct sim_route sim_routes[]; /* ends with a NULL method */

/* Phones (sim_api_phone.c) */
void sim_api_add_phone(struct sim_call *call);
void sim_api_list_phones(struct sim_call *call);
void sim_api_show_phone(struct sim_call *call);
void sim_api_scan(struct sim_call *call);
void sim_api_type_code(struct sim_call *call);
void sim_api_answer_passkey(struct sim_call *call);
void sim_api_unlink(struct sim_call *call);
struct sim_phone *sim_api_phone(struct sim_call *call); /* of params[0]; NULL: answered with 404 */
/* By number or user JID; NULL: no phone. */
struct sim_phone *sim_api_find(const struct sim *s, const char *who);
/* The phones that a JSON array names, in *phones_out (to be freed); false after an error answer. */
bool sim_api_people(struct sim_call *call, const json_t *list, struct sim_phone ***phones_out,
                    size_t *n_out);
/* The account's keys for clients that ask the server. 0, -ENOMEM, WA_ECRYPTO. */
ATTR_NODISCARD int sim_api_publish_keys(struct sim *s, const struct sim_phone *p);
/* Messages (sim_api_msg.c, sim_api_send.c) */
void sim_api_send(struct sim_call *call);
void sim_bulks_free(struct sim *s); /* what is not sent yet stays unsent */
void sim_api_inbox(struct sim_call *call);
void sim_api_receipts(struct sim_call *call);
json_t *sim_api_sent(const struct sim_phone *phone); /* what its companions have sent */
/* What else a phone does (sim_api_act.c) */
void sim_api_read(struct sim_call *call);
void sim_api_call(struct sim_call *call);
void sim_api_chains(struct sim_call *call);
void sim_api_reinstall(struct sim_call *call);
/* Groups (sim_api_group.c) */
void sim_api_add_group(struct sim_call *call);
void sim_api_list_groups(struct sim_call *call);
void sim_api_show_group(struct sim_call *call);
void sim_api_change_group(struct sim_call *call);
/* App state (sim_api_appstate.c) */
void sim_api_show_appstate(struct sim_call *call);
void sim_api_change_appstate(struct sim_call *call);
/* History (sim_api_history.c) */
void sim_api_history(struct sim_call *call);
void sim_api_show_sync(struct sim_call *call);
void sim_api_tell_history(struct sim_call *call);
void sim_api_hostile(struct sim_call *call);
/* Faults (sim_api_fault.c) */
void sim_api_add_fault(struct sim_call *call);
void sim_api_list_faults(struct sim_call *call);
void sim_api_clear_faults(struct sim_call *call);
void sim_api_fault_client(struct sim_call *call);
/* The media host (sim_api_media.c) */
void sim_api_list_media(struct sim_call *call);
void sim_api_put_media(struct sim_call *call);
void sim_api_drop_media(struct sim_call *call);
void sim_api_add_media_fault(struct sim_call *call);
void sim_api_clear_media_faults(struct sim_call *call);
void sim_api_revoke_media_auth(struct sim_call *call);
/* One connection, and the server's Noise key (sim_api_fault.c) */
void sim_api_ping_client(struct sim_call *call);
void sim_api_use_prekeys(struct sim_call *call);
void sim_api_noise(struct sim_call *call);

#endif
