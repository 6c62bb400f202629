/* simulator/pair/sim_pair_code.c - linking with a pairing code: the server's relay and the phone */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "simulator/pair/sim_pair_priv.h"

#define STANZA "link_code_companion_reg"
#define HELLOS_MAX 3
#define VALID_MS 180000
#define COUNTRY "DE" /* of the companion's address */

void sim_pair_code_free(struct sim_pair_code *code)
{
	if (code != NULL)
		secret_wipe(code, sizeof(*code));
	free(code);
}

/* ---- companion_hello ---------------------------------------------------------------------------
 */

static bool starts_with_one_of(const char *text, const char *const *words, const char **rest_out)
{
	for (; *words != NULL; words++) {
		size_t len = strlen(*words);

		if (strncmp(text, *words, len) == 0) {
			*rest_out = text + len;
			return true;
		}
	}
	return false;
}

/* "Chrome (Linux)": a browser and a system that WhatsApp knows. */
static bool is_display(const char *text)
{
	static const char *const browsers[] = { "Chrome", "Chromium", "Edge",   "Firefox",
		                                "IE",     "Opera",    "Safari", NULL };
	static const char *const systems[] = { "Windows", "Mac OS", "Linux", "Ubuntu",
		                               "Android", "iOS",    NULL };
	const char *rest;

	return starts_with_one_of(text, browsers, &rest) && strncmp(rest, " (", 2) == 0 &&
	       starts_with_one_of(rest + 2, systems, &rest) && strcmp(rest, ")") == 0;
}

static bool take_display(const struct wa_node *reg, struct sim_pair_code *code)
{
	const uint8_t *text;
	size_t len;

	if (!sim_pair_bytes(reg, "companion_platform_display", 1, sizeof(code->display) - 1, &text,
	                    &len))
		return false;
	memcpy(code->display, text, len);
	code->display[len] = '\0';
	return strlen(code->display) == len && is_display(code->display);
}

static bool is_platform_id(const struct wa_node *reg)
{
	const uint8_t *id;
	size_t len;

	return sim_pair_bytes(reg, "companion_platform_id", 1, 1, &id, &len) &&
	       ((id[0] >= '1' && id[0] <= '9') || (id[0] >= 'a' && id[0] <= 'm'));
}

/* One byte: 0, or the digit that some clients send. */
static bool is_nonce(const struct wa_node *reg)
{
	const uint8_t *nonce;
	size_t len;

	return sim_pair_bytes(reg, "link_code_pairing_nonce", 1, 1, &nonce, &len) &&
	       (nonce[0] == 0 || nonce[0] == '0');
}

static bool take_hello(const struct sim_client *c, const struct wa_node *reg,
                       struct sim_pair_code *code)
{
	const uint8_t *wrapped, *noise;
	size_t len;

	if (!sim_pair_bytes(reg, "link_code_pairing_wrapped_companion_ephemeral_pub",
	                    SIM_LINK_WRAPPED_LEN, SIM_LINK_WRAPPED_LEN, &wrapped, &len) ||
	    !sim_pair_bytes(reg, "companion_server_auth_key_pub", WA_KEY_LEN, WA_KEY_LEN, &noise,
	                    &len))
		return false;
	memcpy(code->wrapped, wrapped, sizeof(code->wrapped));
	return memcmp(noise, c->noise_key, WA_KEY_LEN) == 0 && is_platform_id(reg) &&
	       take_display(reg, code) && is_nonce(reg) &&
	       (wa_node_attr_is(reg, "should_show_push_notification", "true") ||
	        wa_node_attr_is(reg, "should_show_push_notification", "false"));
}

/* The number of "4915100000000@s.whatsapp.net". */
static bool take_number(const struct wa_node *reg, char out[SIM_NUMBER_CAP])
{
	const char *jid = wa_node_attr(reg, "jid");
	size_t len = jid == NULL ? 0 : strcspn(jid, "@");

	if (len == 0 || len >= SIM_NUMBER_CAP || strcmp(jid + len, "@" WA_SERVER_JID) != 0)
		return false;
	memcpy(out, jid, len);
	out[len] = '\0';
	return sim_number_is_valid(out);
}

/* A later hello replaces the former; its code is void. */
static void keep_hello(struct sim_client *c, struct sim_phone *phone, struct sim_pair_code *code)
{
	struct sim_pairing *p = &c->pairing;

	if (p->phone != NULL && p->phone != phone && p->phone->code_client == c)
		p->phone->code_client = NULL;
	sim_pair_tell_error(c, 409, "code_replaced", "the companion has asked for another code");
	sim_pair_code_free(p->code);
	p->code = code;
	p->phone = phone;
	p->rotated = false;
	phone->code_client = c;
}

static void answer_ref(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n = sim_pair_answer(iq, "result"), *reg = wa_node_add(n, STANZA);

	wa_node_set(reg, "stage", "companion_hello");
	wa_node_set_text(wa_node_add(reg, "link_code_pairing_ref"), c->pairing.code->ref);
	sim_client_send(c, n);
}

static void on_hello(struct sim_client *c, const struct wa_node *iq, const struct wa_node *reg)
{
	struct sim_phone *phone = NULL;
	struct sim_pair_code *code;
	char number[SIM_NUMBER_CAP];
	bool valid = take_number(reg, number);

	if (valid && !sim_client_set_number(c, number))
		return;
	if (c->fault.kind == SIM_F_FAILURE) {
		sim_pair_answer_error(c, iq, c->fault.code != 0 ? c->fault.code : 500);
		return;
	}
	if (valid)
		phone = sim_phones_find(c->sim->phones, number);
	code = phone == NULL ? NULL : calloc(1, sizeof(*code));
	if (code == NULL || !c->pairing.acked || c->pairing.step != SIM_PAIR_CODES ||
	    !take_hello(c, reg, code)) {
		sim_pair_code_free(code);
		sim_pair_answer_error(c, iq, 400);
		return;
	}
	code->asked_at_ms = clock_ms();
	if (sim_pair_make_ref(c, code->ref) < 0) {
		sim_pair_code_free(code);
		sim_pair_answer_error(c, iq, 500);
		return;
	}
	keep_hello(c, phone, code);
	answer_ref(c, iq);
}

/* ---- primary_hello -----------------------------------------------------------------------------
 */

static struct wa_node *stage_notification(struct sim_client *c, const char *stage,
                                          struct wa_node **reg_out)
{
	struct wa_node *n = sim_pair_notification(c, STANZA);

	*reg_out = wa_node_add(n, STANZA);
	wa_node_set(*reg_out, "stage", stage);
	return n;
}

static void add_ref(struct wa_node *reg, const struct sim_pair_code *code)
{
	wa_node_set_text(wa_node_add(reg, "link_code_pairing_ref"), code->ref);
}

static int send_primary_hello(struct sim_client *c, const char *typed)
{
	struct sim_pair_code *code = c->pairing.code;
	struct sim_phone *phone = c->pairing.phone;
	uint8_t random[SIM_LINK_SALT_LEN + SIM_LINK_IV_LEN], wrapped[SIM_LINK_WRAPPED_LEN];
	struct wa_node *n, *reg;
	int rc;

	rc = sim_link_unwrap(typed, code->wrapped, code->companion_ephemeral);
	if (rc == 0)
		rc = sim_rand_keypair(&phone->rnd, &code->ephemeral);
	if (rc == 0)
		rc = sim_rand_bytes(&phone->rnd, random, sizeof(random));
	if (rc == 0)
		rc = sim_link_wrap(typed, random, random + SIM_LINK_SALT_LEN, code->ephemeral.pub,
		                   wrapped);
	if (rc < 0)
		return rc;
	code->hellos++;
	code->finishing = true;
	n = stage_notification(c, "primary_hello", &reg);
	wa_node_set_bytes(wa_node_add(reg, "link_code_pairing_wrapped_primary_ephemeral_pub"),
	                  wrapped, sizeof(wrapped));
	wa_node_set_bytes(wa_node_add(reg, "primary_identity_pub"), phone->account.identity.pub,
	                  WA_KEY_LEN);
	add_ref(reg, code);
	sim_client_send(c, n);
	return 0;
}

/* The code that the phone is asked for; NULL: the call is answered. */
static struct sim_pair_code *wanted_code(struct sim_call *call, const struct sim_phone *phone)
{
	struct sim_client *c = phone->code_client;

	if (c == NULL || c->ended || c->pairing.code == NULL) {
		sim_call_error(call, 409, "no_code_wanted",
		               "no companion has asked this phone for a code");
		return NULL;
	}
	if (c->pairing.step == SIM_PAIR_CODES)
		return c->pairing.code;
	sim_call_error(call, 409, "busy", "the companion is being linked already");
	return NULL;
}

void sim_pair_type_code(struct sim_call *call, struct sim_phone *phone, const char *text)
{
	struct sim_pair_code *code = wanted_code(call, phone);
	struct sim_client *c = phone->code_client;
	char typed[SIM_LINK_CODE_CAP];
	int rc;

	if (code == NULL)
		return;
	if (!sim_link_code_parse(text, typed)) {
		sim_call_error(call, 400, "bad_code",
		               "a code is 8 of 123456789ABCDEFGHJKLMNPQRSTVWXYZ");
	} else if (clock_ms() - code->asked_at_ms > VALID_MS) {
		sim_call_error(call, 409, "expired_code", "the code is older than 180 s");
	} else if (code->hellos == HELLOS_MAX) {
		sim_call_error(call, 409, "too_many_attempts", "%d codes were tried", HELLOS_MAX);
	} else if (sim_pair_wait(c, call)) {
		rc = send_primary_hello(c, typed);
		if (rc < 0)
			sim_pair_tell_error(c, 500, "internal", wa_err_name(rc));
	}
	secret_wipe(typed, sizeof(typed));
}

void sim_pair_refresh_code(struct sim_call *call, struct sim_phone *phone, bool manual)
{
	struct sim_pair_code *code = wanted_code(call, phone);
	struct sim_client *c = phone->code_client;
	struct wa_node *n, *reg;

	if (code == NULL)
		return;
	n = stage_notification(c, "refresh_code", &reg);
	wa_node_set(reg, "force_manual_refresh", manual ? "true" : "false");
	add_ref(reg, code);
	sim_client_send(c, n);
	sim_pair_tell_error(c, 409, "code_replaced", "the code has become void");
	sim_pair_code_free(code);
	c->pairing.code = NULL;
	phone->code_client = NULL;
	sim_call_reply(call, 200, json_pack("{s:s}", "status", "refresh"));
}

/* ---- companion_finish --------------------------------------------------------------------------
 */

static bool is_our_ref(const struct wa_node *reg, const struct sim_pair_code *code)
{
	const uint8_t *ref;
	size_t len;

	return sim_pair_bytes(reg, "link_code_pairing_ref", 1, SIM_REF_CAP, &ref, &len) &&
	       len == strlen(code->ref) && memcmp(ref, code->ref, len) == 0;
}

/* What the phone makes of the bundle. */
static void open_bundle(struct sim_client *c, const uint8_t *identity, const uint8_t *bundle)
{
	struct sim_pairing *p = &c->pairing;
	const struct sim_link_keys keys = {
		.ephemeral = &p->code->ephemeral,
		.identity = &p->phone->account.identity,
		.companion_ephemeral = p->code->companion_ephemeral,
		.companion_identity = identity,
	};
	int rc = sim_link_open(&keys, bundle, p->secret);

	if (rc == WA_EAUTH)
		sim_pair_tell_error(c, 400, "wrong_code",
		                    "the code is wrong: the key bundle does not open");
	else if (rc < 0)
		sim_pair_tell_error(c, 400, "bad_bundle",
		                    "the key bundle holds keys that are not both sides'");
	else
		sim_pair_proceed(c);
}

static void on_finish(struct sim_client *c, const struct wa_node *iq, const struct wa_node *reg)
{
	struct sim_pair_code *code = c->pairing.code;
	const uint8_t *bundle, *identity;
	size_t len;

	if (code == NULL || !code->finishing || c->pairing.step != SIM_PAIR_CODES ||
	    !is_our_ref(reg, code) ||
	    !sim_pair_bytes(reg, "link_code_pairing_wrapped_key_bundle", SIM_LINK_BUNDLE_LEN,
	                    SIM_LINK_BUNDLE_LEN, &bundle, &len) ||
	    !sim_pair_bytes(reg, "companion_identity_public", WA_KEY_LEN, WA_KEY_LEN, &identity,
	                    &len) ||
	    memcmp(identity, c->payload.identity, WA_KEY_LEN) != 0) {
		sim_pair_answer_error(c, iq, 400);
		return;
	}
	code->finishing = false;
	sim_pair_answer_ok(c, iq);
	open_bundle(c, identity, bundle);
}

static void answer_country(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n = sim_pair_answer(iq, "result");

	wa_node_set(wa_node_add(n, "country_code"), "iso", COUNTRY);
	sim_client_send(c, n);
}

bool sim_pair_code_request(struct sim_client *c, const struct wa_node *iq)
{
	const struct wa_node *reg = wa_node_child(iq, STANZA);
	bool set = wa_node_attr_is(iq, "type", "set");

	if (reg == NULL)
		return false;
	if (set && wa_node_attr_is(reg, "stage", "companion_hello"))
		on_hello(c, iq, reg);
	else if (set && wa_node_attr_is(reg, "stage", "companion_finish"))
		on_finish(c, iq, reg);
	else if (!set && wa_node_attr_is(reg, "stage", "get_country_code"))
		answer_country(c, iq);
	else
		sim_pair_answer_error(c, iq, 400);
	return true;
}
