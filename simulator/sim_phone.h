/* simulator/sim_phone.h - the phones (primary devices) that tests have made, by number */
#ifndef SIM_PHONE_H
#define SIM_PHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/sim_fault.h"
#include "simulator/sim_rand.h"

#define SIM_JID_CAP 40
#define SIM_NAME_CAP 101

struct sim_phone {
	char number[SIM_NUMBER_CAP];
	char jid[SIM_JID_CAP]; /* number@s.whatsapp.net */
	char lid[SIM_JID_CAP]; /* digits@lid */
	char name[SIM_NAME_CAP];
	bool business;
	bool passkey;
	/* Account history, served once linking is simulated. */
	uint32_t chats, messages, days_of_history;
};

struct sim_phones;

ATTR_NODISCARD int sim_phones_new(struct sim_phones **phones_out); /* 0 or -ENOMEM */
void sim_phones_free(struct sim_phones *p);                        /* NULL is fine */

/* 7 to 15 digits, the first not 0. */
bool sim_number_is_valid(const char *number);

/*
 * Add a copy of phone, whose number must be valid; jid is filled in, lid when it is "".
 * 0; -EEXIST (the number, or the lid, is taken); WA_ECRYPTO; -ENOMEM. *phone_out is borrowed.
 */
ATTR_NODISCARD int sim_phones_add(struct sim_phones *p, const struct sim_phone *phone,
                                  const struct sim_rand *rnd, const struct sim_phone **phone_out);
/* NULL: none. Borrowed; phones are never removed. */
const struct sim_phone *sim_phones_find(const struct sim_phones *p, const char *number);
size_t sim_phones_count(const struct sim_phones *p);
const struct sim_phone *sim_phones_at(const struct sim_phones *p, size_t index);

#endif
