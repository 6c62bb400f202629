/* simulator/pair/sim_pair_passkey.c - the passkey step: the server's relay and the phone */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "simulator/pair/sim_pair_priv.h"

#define STEP_MS 660000 /* the assertion may take 600 s */
#define ASSERTION_MAX 8192
#define CREDENTIAL_MAX 1023
#define PROLOGUE_MAX 512
#define REQUEST_MAX 512

void sim_pair_passkey_free(struct sim_pair_passkey *passkey)
{
	if (passkey != NULL)
		secret_wipe(passkey, sizeof(*passkey));
	free(passkey);
}

/* ---- 1: the server asks ------------------------------------------------------------------------
 */

static void add_options(struct wa_node *parent, const struct sim_pair_passkey *k)
{
	char text[SIM_PASSKEY_OPTIONS_CAP];
	size_t len = sim_passkey_options(k->challenge, text);

	wa_node_set_bytes(wa_node_add(parent, "passkey_request_options"), text, len);
}

static int make_step(struct sim_client *c)
{
	struct sim_pair_passkey *k = calloc(1, sizeof(*k));
	struct sim_rand *rnd = &c->pairing.phone->rnd;
	int rc =
	    k == NULL ? WA_ELIMIT : sim_rand_bytes(&c->rnd, k->challenge, sizeof(k->challenge));

	if (rc == 0)
		rc = sim_rand_keypair(rnd, &k->ephemeral);
	if (rc == 0)
		rc = sim_rand_bytes(rnd, k->nonce, sizeof(k->nonce));
	if (rc < 0) {
		sim_pair_passkey_free(k);
		return rc;
	}
	sim_pair_passkey_free(c->pairing.passkey);
	c->pairing.passkey = k;
	return 0;
}

static void show(struct sim_phone *phone, enum sim_passkey_state state, const char *why)
{
	phone->passkey_state = state;
	phone->passkey_why = why;
}

void sim_pair_passkey_begin(struct sim_client *c)
{
	struct sim_phone *phone = c->pairing.phone;
	struct wa_node *n;
	int rc = make_step(c);

	if (rc < 0) {
		sim_pair_tell_error(c, 500, "internal", wa_err_name(rc));
		return;
	}
	c->pairing.step = SIM_PAIR_PASSKEY;
	phone->passkey_client = c;
	phone->passkey_code[0] = '\0';
	show(phone, SIM_PASSKEY_ASKED, NULL);
	sim_client_deadline(c, STEP_MS);
	n = sim_pair_notification(c, "passkey_prologue_request");
	if (!phone->no_options)
		add_options(n, c->pairing.passkey);
	sim_client_send(c, n);
	sim_pair_tell(c, 202, json_pack("{s:s}", "status", "passkey"));
}

/* ---- the companion's requests ------------------------------------------------------------------
 *
 * Each returns NULL, or what is wrong with it (static text).
 */

/* 2 */
static const char *on_options(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n = sim_pair_answer(iq, "result");

	add_options(n, c->pairing.passkey);
	sim_client_send(c, n);
	return NULL;
}

/* 4 */
static const char *on_ref(struct sim_client *c, const struct wa_node *iq)
{
	struct sim_pair_passkey *k = c->pairing.passkey;
	struct wa_node *n;

	if (sim_pair_make_ref(c, k->ref) < 0)
		return "no randomness";
	n = sim_pair_answer(iq, "result");
	wa_node_set_text(wa_node_add(n, "ref"), k->ref);
	sim_client_send(c, n);
	return NULL;
}

static const char *check_assertion(const struct sim_pair_passkey *k, const struct wa_node *prologue)
{
	const uint8_t *id, *json;
	size_t id_len, json_len;

	if (!sim_pair_bytes(prologue, "credential_id", 1, CREDENTIAL_MAX, &id, &id_len))
		return "credential_id is missing, empty or too long";
	if (!sim_pair_bytes(prologue, "webauthn_assertion", 1, ASSERTION_MAX, &json, &json_len))
		return "webauthn_assertion is missing, empty or too long";
	return sim_passkey_check_assertion(json, json_len, id, id_len, k->challenge);
}

static const char *take_prologue(struct sim_client *c, const struct wa_node *prologue)
{
	struct sim_pair_passkey *k = c->pairing.passkey;
	const uint8_t *payload, *proof;
	size_t payload_len, proof_len;

	if (!sim_pair_bytes(prologue, "prologue_payload", 1, PROLOGUE_MAX, &payload,
	                    &payload_len) ||
	    sim_prologue_parse(payload, payload_len, &k->prologue) < 0)
		return "prologue_payload is no ProloguePayload";
	if (k->ref[0] == '\0' || strcmp(k->prologue.ref, k->ref) != 0)
		return "the ref of the prologue is not the one that was given";
	if (k->prologue.device_type != (uint32_t)c->payload.platform_type)
		return "the deviceType of the prologue is not the registered one";
	k->proven = false;
	if (wa_node_child(prologue, "pairing_handoff_proof") == NULL)
		return NULL;
	if (!sim_pair_bytes(prologue, "pairing_handoff_proof", SIM_PROOF_LEN, SIM_PROOF_LEN, &proof,
	                    &proof_len) ||
	    sim_passkey_check_proof(c->pairing.secret, payload, payload_len, proof) < 0)
		return "pairing_handoff_proof is wrong";
	k->proven = true;
	return NULL;
}

/* 5 and 6 */
static const char *on_prologue(struct sim_client *c, const struct wa_node *iq)
{
	const struct wa_node *prologue = wa_node_child(iq, "passkey_prologue");
	struct sim_pair_passkey *k = c->pairing.passkey;
	uint8_t primary[SIM_PASSKEY_PRIMARY_LEN];
	struct wa_node *n;
	const char *why;

	if (c->pairing.phone->passkey_state != SIM_PASSKEY_ASKED)
		return "passkey_prologue comes twice";
	why = check_assertion(k, prologue);
	if (why == NULL)
		why = take_prologue(c, prologue);
	if (why != NULL)
		return why;
	show(c->pairing.phone, SIM_PASSKEY_CONTINUED, NULL);
	sim_pair_answer_ok(c, iq);
	n = sim_pair_notification(c, "crsc_continuation");
	sim_passkey_primary(k->ephemeral.pub, k->nonce, primary);
	wa_node_set_bytes(wa_node_add(n, "primary_ephemeral_identity"), primary, sizeof(primary));
	sim_client_send(c, n);
	return NULL;
}

/* 7 and 8 */
static const char *on_nonce(struct sim_client *c, const struct wa_node *iq)
{
	struct sim_pair_passkey *k = c->pairing.passkey;
	struct sim_phone *phone = c->pairing.phone;
	const uint8_t *nonce;
	size_t len;

	if (phone->passkey_state != SIM_PASSKEY_CONTINUED)
		return "companion_nonce comes at the wrong time";
	if (!sim_pair_bytes(iq, "companion_nonce", SIM_NONCE_LEN, SIM_NONCE_LEN, &nonce, &len))
		return "companion_nonce is not 32 bytes";
	if (sim_passkey_check_nonce(&k->prologue, nonce) < 0)
		return "companion_nonce is not what the commitment is to";
	if (!k->proven &&
	    sim_passkey_code(k->nonce, nonce, k->ephemeral.pub, phone->passkey_code) < 0)
		return "no code";
	k->has_nonce = true;
	show(phone, SIM_PASSKEY_COMPARING, NULL);
	sim_pair_answer_ok(c, iq);
	return NULL;
}

/* Both sides have said yes: the phone signs what it was asked to, under the new secret. */
static void finish(struct sim_client *c)
{
	struct sim_pair_passkey *k = c->pairing.passkey;

	if (!k->has_request || !(k->proven || k->approved))
		return;
	memcpy(c->pairing.secret, k->request.secret, sizeof(c->pairing.secret));
	sim_pair_sign(c);
}

/* 9 */
static const char *on_encrypted(struct sim_client *c, const struct wa_node *iq)
{
	struct sim_pair_passkey *k = c->pairing.passkey;
	const uint8_t *data;
	size_t len;

	if (!k->has_nonce || k->has_request)
		return "encrypted_pairing_request comes at the wrong time";
	if (!sim_pair_bytes(iq, "encrypted_pairing_request", 1, REQUEST_MAX, &data, &len) ||
	    sim_passkey_open(&k->ephemeral, &k->prologue, data, len, &k->request) < 0)
		return "encrypted_pairing_request does not open";
	if (memcmp(k->request.noise, c->noise_key, WA_KEY_LEN) != 0)
		return "companionPublicKey is not the connection's noise key";
	if (memcmp(k->request.identity, c->payload.identity, WA_KEY_LEN) != 0)
		return "companionIdentityKey is not the registered one";
	k->has_request = true;
	sim_pair_answer_ok(c, iq);
	finish(c);
	return NULL;
}

static const struct {
	const char *type, *tag;
	const char *(*run)(struct sim_client *c, const struct wa_node *iq);
} requests[] = {
	{ "get", "passkey_request_options", on_options },
	{ "get", "ref", on_ref },
	{ "set", "passkey_prologue", on_prologue },
	{ "set", "companion_nonce", on_nonce },
	{ "set", "encrypted_pairing_request", on_encrypted },
};

bool sim_pair_passkey_request(struct sim_client *c, const struct wa_node *iq)
{
	const char *why = "there is no passkey step";

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (!wa_node_attr_is(iq, "type", requests[i].type) ||
		    wa_node_child(iq, requests[i].tag) == NULL)
			continue;
		if (c->pairing.step == SIM_PAIR_PASSKEY)
			why = requests[i].run(c, iq);
		if (why == NULL)
			return true;
		LOG(NULL, LOG_NOTICE, "passkey_refused", LF_INT("client", c->id),
		    LF_STR("why", why));
		if (c->pairing.phone != NULL)
			c->pairing.phone->passkey_why = why;
		sim_pair_answer_error(c, iq, 400);
		return true;
	}
	return false;
}

/* ---- the person --------------------------------------------------------------------------------
 */

void sim_pair_answer_passkey(struct sim_call *call, struct sim_phone *phone, bool approve)
{
	struct sim_client *c = phone->passkey_client;

	if (phone->passkey_state == SIM_PASSKEY_LINKED) {
		sim_call_reply(call, 200, sim_pair_linked_json(phone, phone->passkey_device));
	} else if (c == NULL || c->ended || phone->passkey_state == SIM_PASSKEY_REFUSED) {
		sim_call_error(call, 409, "no_passkey_step", "no companion is in the passkey step");
	} else if (!approve) {
		show(phone, SIM_PASSKEY_REFUSED, "the person said no");
		sim_call_reply(call, 200, json_pack("{s:s}", "status", "refused"));
		sim_pair_end_stream(c, "passkey refused");
	} else if (sim_pair_wait(c, call)) {
		c->pairing.passkey->approved = true;
		if (c->pairing.step == SIM_PAIR_PASSKEY)
			finish(c);
	}
}
