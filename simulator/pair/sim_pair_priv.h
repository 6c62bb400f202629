/* simulator/pair/sim_pair_priv.h - shared by the files of the pairing phase (sim_pair*.c) */
#ifndef SIM_PAIR_PRIV_H
#define SIM_PAIR_PRIV_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/api/sim_control.h"
#include "simulator/pair/sim_link.h"
#include "simulator/pair/sim_passkey.h"
#include "simulator/phone/sim_phone.h"
#include "simulator/server/sim_client_fault.h"
#include "simulator/server/sim_client_priv.h"

#define SIM_LINK_MS 30000 /* how long a person waits for the companion */

/* A pairing code that the companion has asked for. */
struct sim_pair_code {
	char ref[SIM_REF_CAP];
	uint64_t asked_at_ms;
	uint8_t wrapped[SIM_LINK_WRAPPED_LEN];
	char display[101];           /* what the phone's notification says */
	unsigned hellos;             /* primary_hello sent so far */
	bool finishing;              /* the last of them was not answered yet */
	struct wa_keypair ephemeral; /* the phone's, of the last primary_hello */
	uint8_t companion_ephemeral[WA_KEY_LEN];
};

/* The passkey step of one companion. */
struct sim_pair_passkey {
	uint8_t challenge[SIM_CHALLENGE_LEN];
	char ref[SIM_REF_CAP]; /* "": not asked for yet */
	struct sim_prologue prologue;
	bool proven; /* a handoff proof was right: no codes are compared */
	bool has_nonce;
	bool approved;
	bool has_request;
	struct wa_keypair ephemeral; /* the phone's */
	uint8_t nonce[SIM_NONCE_LEN];
	struct sim_pairing_request request;
};

/* ---- sim_pair.c --------------------------------------------------------------------------------
 */

/* A ref or any other opaque text of the server. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_pair_make_ref(struct sim_client *c, char out[SIM_REF_CAP]);
struct wa_node *sim_pair_answer(const struct wa_node *iq, const char *type);
void sim_pair_answer_ok(struct sim_client *c, const struct wa_node *iq);
/* The text goes with the code. */
void sim_pair_answer_error(struct sim_client *c, const struct wa_node *iq, uint32_t code);
/* A notification with id and t. NULL: no memory. */
struct wa_node *sim_pair_notification(struct sim_client *c, const char *type);
/* The stream is over, as when the codes have run out. */
void sim_pair_end_stream(struct sim_client *c, const char *why);
/* Bytes of a child: tokens and packed text count too. False: missing, or not min to max bytes. */
bool sim_pair_bytes(const struct wa_node *parent, const char *tag, size_t min, size_t max,
                    const uint8_t **data_out, size_t *len_out);

/* The outcome for the person who waits, if somebody does. json is taken. */
void sim_pair_tell(struct sim_client *c, int status, json_t *json);
void sim_pair_tell_error(struct sim_client *c, int status, const char *code, const char *message);
/* Let the call wait for c. False: the call is answered. */
bool sim_pair_wait(struct sim_client *c, struct sim_call *call);

/* ---- sim_pair_success.c ------------------------------------------------------------------------
 */

/* The phone has what it needs (phone, secret): ask for a passkey, or sign. */
void sim_pair_proceed(struct sim_client *c);
/* Sign the companion and send pair-success. */
void sim_pair_sign(struct sim_client *c);
/* result or error with the id of pair-success. */
void sim_pair_on_signed(struct sim_client *c, const struct wa_node *iq);
/* {"device","jid"} of the finished link. */
json_t *sim_pair_linked_json(const struct sim_phone *phone, uint32_t device);

/* ---- sim_pair_code.c, sim_pair_passkey.c -------------------------------------------------------
 *
 * False: the request is none of this flow.
 */

bool sim_pair_code_request(struct sim_client *c, const struct wa_node *iq);
bool sim_pair_passkey_request(struct sim_client *c, const struct wa_node *iq);
/* Ask for a passkey. */
void sim_pair_passkey_begin(struct sim_client *c);
void sim_pair_code_free(struct sim_pair_code *code);          /* NULL is fine */
void sim_pair_passkey_free(struct sim_pair_passkey *passkey); /* NULL is fine */

#endif
