/* simulator/phone/sim_phone.h - the phones (primary devices) that tests have made, by number */
#ifndef SIM_PHONE_H
#define SIM_PHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/base/sim_rand.h"
#include "simulator/pair/sim_adv.h"
#include "simulator/pair/sim_link.h"
#include "simulator/server/sim_fault.h"

#define SIM_JID_CAP 40
#define SIM_NAME_CAP 101

struct sim_client;
struct sim_peer;
struct sim_mail;
struct sim_chains;
struct sim_appstate;

/* How a phone hands its history to companions; 0: as the comment says. */
struct sim_history_options {
	bool manual; /* not by itself after linking */
	bool honour; /* no more than the companion has asked for; real phones send what they like */
	bool wanted; /* also without chats */
	uint32_t chunk_messages; /* 1000: messages of one part */
	uint32_t recent_days;    /* 90: what is RECENT */
	uint32_t ahead;          /* 1: parts on the way that are not acknowledged */
	uint32_t inline_max;     /* 65536: bytes of a first part that go inside its message */
};

/* Where the passkey step of a phone's latest companion is. */
enum sim_passkey_state {
	SIM_PASSKEY_NONE,
	SIM_PASSKEY_ASKED,     /* the companion owes an assertion */
	SIM_PASSKEY_CONTINUED, /* it has come, and the phone has sent its ephemeral key */
	SIM_PASSKEY_COMPARING, /* the phone shows a code, or needs none */
	SIM_PASSKEY_LINKED,
	SIM_PASSKEY_REFUSED,
};

struct sim_phone {
	/* What the test decides */
	char number[SIM_NUMBER_CAP];
	char lid[SIM_JID_CAP]; /* digits@lid */
	char name[SIM_NAME_CAP];
	bool business;
	bool hosted;
	bool passkey;    /* a companion must bring an assertion */
	bool no_options; /* the notification of the passkey step comes without its options */
	bool rotate;     /* after a scan the phone asks for another code */
	/* Account history */
	uint32_t chats, messages, days_of_history;
	int64_t made_unix_s; /* the newest message is just before it */
	struct sim_history_options history;
	/* What sim_phones_add() fills in */
	char jid[SIM_JID_CAP]; /* number@s.whatsapp.net */
	struct sim_rand rnd;   /* the phone's own stream */
	struct sim_adv_account account;
	uint32_t registration_id;
	struct wa_keypair signed_prekey; /* id 1 */
	uint8_t signed_prekey_sig[WA_SIG_LEN];
	/* What happens later */
	uint32_t key_index;                /* the highest given to a companion */
	struct sim_client *code_client;    /* the latest that has asked for a code; borrowed */
	struct sim_client *passkey_client; /* the one in the passkey step; borrowed */
	enum sim_passkey_state passkey_state;
	char passkey_code[SIM_LINK_SHOWN_CAP]; /* as the phone shows it; "": none */
	const char *passkey_why;               /* what was wrong last; static text or NULL */
	uint32_t passkey_device;               /* once it is linked */
	uint32_t installs;                     /* how often it was installed anew */
	struct sim_peer *peer;                 /* owned; its Signal sessions; NULL: none yet */
	struct sim_chains *chains;     /* owned; of what its companions sent; NULL: nothing */
	struct sim_appstate *appstate; /* owned; NULL: not needed yet */
	size_t *mail_bytes;            /* borrowed; of all phones together; NULL: not counted */
	struct sim_mail *mail;         /* owned; what it has got and sent; NULL: nothing yet */
};

struct sim_phones;

ATTR_NODISCARD int sim_phones_new(struct sim_phones **phones_out); /* 0 or -ENOMEM */
void sim_phones_free(struct sim_phones *p);                        /* NULL is fine */

/* 7 to 15 digits, the first not 0. */
bool sim_number_is_valid(const char *number);

/*
 * Add a copy of phone, whose number must be valid; keys are made, lid too when it is "".
 * 0; -EEXIST (the number, or the lid, is taken); WA_ECRYPTO; -ENOMEM. *phone_out is borrowed.
 */
ATTR_NODISCARD int sim_phones_add(struct sim_phones *p, const struct sim_phone *phone,
                                  const struct sim_rand *rnd, struct sim_phone **phone_out);
/* NULL: none. Borrowed; phones are never removed. */
struct sim_phone *sim_phones_find(const struct sim_phones *p, const char *number);
/* By phone number or LID user (digits only). NULL: none. */
struct sim_phone *sim_phones_find_user(const struct sim_phones *p, const char *user);
/* Other keys than before, as after a new installation. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_phone_rekey(struct sim_phone *phone);
size_t sim_phones_count(const struct sim_phones *p);
const struct sim_phone *sim_phones_at(const struct sim_phones *p, size_t index);

#endif
