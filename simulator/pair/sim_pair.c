/* simulator/pair/sim_pair.c - after a registration: refs, their clock, the stanzas of the pairing
 * phase, and the scan of a QR code */
#include "simulator/pair/sim_pair.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"
#include "simulator/pair/sim_pair_priv.h"
#include "simulator/pair/sim_qr.h"

#define REF_RANDOM_LEN 64
#define ACK_MS 30000        /* how long the answer to pair-device may take */
#define AFTER_REFS_MS 30000 /* how long the connection stays after the last code */
#define REF_GRACE_MS 10000  /* a phone may have read a code just before it ran out */
#define FIRST_REF_MS 60000
#define NEXT_REF_MS 20000

/* ---- the clock of the codes --------------------------------------------------------------------
 */

/* When code index of n is over, in ms from pair-device. */
static uint32_t sim_ref_end_ms(size_t index, size_t n)
{
	uint32_t first = n == SIM_REFS ? FIRST_REF_MS : NEXT_REF_MS;

	return first + (uint32_t)index * NEXT_REF_MS;
}

/* How long the codes of n refs live together: 60 s for the first of six, else 20 s each. */
static uint32_t sim_refs_total_ms(size_t n)
{
	return n == 0 ? 0 : sim_ref_end_ms(n - 1, n);
}

/* ---- pair-device -------------------------------------------------------------------------------
 */

int sim_pair_make_ref(struct sim_client *c, char out[SIM_REF_CAP])
{
	uint8_t raw[REF_RANDOM_LEN];
	int rc = sim_rand_bytes(&c->rnd, raw, sizeof(raw));

	if (rc < 0)
		return rc;
	memcpy(out, "2@", 2);
	b64_encode(raw, sizeof(raw), out + 2);
	return 0;
}

static int make_refs(struct sim_client *c, size_t n)
{
	struct sim_pairing *p = &c->pairing;
	int rc;

	free(p->refs);
	p->refs_n = 0;
	p->refs = calloc(n, sizeof(*p->refs));
	if (p->refs == NULL)
		return WA_ELIMIT;
	for (size_t i = 0; i < n; i++) {
		rc = sim_pair_make_ref(c, p->refs[i]);
		if (rc < 0)
			return rc;
	}
	p->refs_n = n;
	return sim_rand_digits(&c->rnd, p->iq_id, 10);
}

/* The phone that was linking it waits in vain. */
static void forget_phone(struct sim_pairing *p)
{
	struct sim_phone *phone = p->phone;

	if (phone == NULL)
		return;
	p->phone = NULL;
	if (phone->code_client != NULL && &phone->code_client->pairing == p)
		phone->code_client = NULL;
	sim_pair_code_free(p->code);
	p->code = NULL;
	if (phone->passkey_client == NULL || &phone->passkey_client->pairing != p)
		return;
	phone->passkey_client = NULL;
	phone->passkey_code[0] = '\0';
	if (phone->passkey_state < SIM_PASSKEY_LINKED) {
		phone->passkey_state = SIM_PASSKEY_REFUSED;
		phone->passkey_why = "the companion's connection is closed";
	}
}

void sim_pair_clear(struct sim_pairing *p)
{
	if (p->wait != NULL)
		sim_wait_error(p->wait, 409, "companion_closed",
		               "the companion's connection was closed");
	p->wait = NULL;
	forget_phone(p);
	sim_pair_passkey_free(p->passkey);
	p->passkey = NULL;
	free(p->adv);
	p->adv = NULL;
	free(p->refs);
	p->refs = NULL;
	p->refs_n = 0;
	secret_wipe(p->secret, sizeof(p->secret));
}

static void send_pair_device(struct sim_client *c)
{
	const struct sim_pairing *p = &c->pairing;
	struct wa_node *iq = wa_node_new("iq");
	struct wa_node *pair;

	wa_node_set_jid(iq, "from", WA_SERVER_JID);
	wa_node_set(iq, "type", "set");
	wa_node_set(iq, "id", p->iq_id);
	wa_node_set(iq, "xmlns", "md");
	pair = wa_node_add(iq, "pair-device");
	for (size_t i = 0; i < p->refs_n; i++)
		wa_node_set_text(wa_node_add(pair, "ref"), p->refs[i]);
	sim_client_send(c, iq);
}

/* Fault duplicate at stage pairing: one more of what has brought the client here. */
static void send_again(struct sim_client *c)
{
	c->fault.kind = SIM_F_NONE;
	send_pair_device(c);
	c->fault.kind = SIM_F_DUPLICATE;
}

/* Fault refs_end with a code: only so many refs. */
static size_t refs_wanted(const struct sim_client *c)
{
	if (c->fault.kind == SIM_F_REFS_END && c->fault.code > 0 && c->fault.code < SIM_REFS)
		return c->fault.code;
	return SIM_REFS;
}

void sim_pair_begin(struct sim_client *c)
{
	if (c->fault.kind == SIM_F_NO_REFS)
		return;
	c->pairing.ends_early = c->fault.kind == SIM_F_REFS_END;
	c->pairing.ends_on_ack = c->pairing.ends_early && c->fault.code == 0;
	if (make_refs(c, refs_wanted(c)) < 0) {
		sim_client_end(c, "no refs");
		return;
	}
	send_pair_device(c);
	c->pairing.sent_at_ms = clock_ms();
	c->stage = SIM_PAIRING;
	sim_client_deadline(c, ACK_MS);
	if (!sim_client_meet(c, SIM_PAIRING) || !sim_client_fault_stanza(c))
		return;
	if (c->fault.kind == SIM_F_DUPLICATE)
		send_again(c);
	c->pairing.no_pong = c->fault.kind == SIM_F_NO_PONG;
}

void sim_pair_end_stream(struct sim_client *c, const char *why)
{
	sim_client_send(c, wa_node_new("xmlstreamend"));
	sim_client_end(c, why);
}

void sim_pair_on_deadline(struct sim_client *c)
{
	if (!c->pairing.acked)
		sim_client_end(c, "pair-device was not answered");
	else if (c->pairing.step == SIM_PAIR_CODES)
		sim_pair_end_stream(c, "codes ran out");
	else
		sim_pair_end_stream(c, "the companion did not go on");
}

static void on_acked(struct sim_client *c)
{
	const struct sim_pairing *p = &c->pairing;
	uint64_t passed_ms = clock_ms() - p->sent_at_ms;
	uint32_t left_ms = sim_refs_total_ms(p->refs_n) + (p->ends_early ? 0 : AFTER_REFS_MS);

	c->pairing.acked = true;
	if (p->ends_on_ack)
		sim_pair_end_stream(c, "fault");
	else
		sim_client_deadline(c, left_ms > passed_ms ? left_ms - (uint32_t)passed_ms : 1);
}

/* ---- stanzas in --------------------------------------------------------------------------------
 */

struct wa_node *sim_pair_answer(const struct wa_node *iq, const char *type)
{
	struct wa_node *n = wa_node_new("iq");

	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", type);
	wa_node_set(n, "id", wa_node_attr(iq, "id"));
	return n;
}

void sim_pair_answer_ok(struct sim_client *c, const struct wa_node *iq)
{
	sim_client_send(c, sim_pair_answer(iq, "result"));
}

static const char *error_text(uint32_t code)
{
	switch (code) {
	case 400:
		return "bad-request";
	case 401:
		return "not-authorized";
	case 403:
		return "forbidden";
	case 404:
		return "item-not-found";
	case 429:
		return "rate-overlimit";
	case 501:
		return "feature-not-implemented";
	default:
		return "internal-server-error";
	}
}

void sim_pair_answer_error(struct sim_client *c, const struct wa_node *iq, uint32_t code)
{
	struct wa_node *n = sim_pair_answer(iq, "error");
	struct wa_node *error = wa_node_add(n, "error");

	wa_node_set_int(error, "code", code);
	wa_node_set(error, "text", error_text(code));
	sim_client_send(c, n);
}

struct wa_node *sim_pair_notification(struct sim_client *c, const char *type)
{
	struct wa_node *n = wa_node_new("notification");
	char id[SIM_IQ_ID_CAP];

	if (sim_rand_digits(&c->rnd, id, 10) < 0) {
		wa_node_free(n);
		return NULL;
	}
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "id", id);
	wa_node_set_int(n, "t", clock_unix_s());
	wa_node_set(n, "type", type);
	return n;
}

bool sim_pair_bytes(const struct wa_node *parent, const char *tag, size_t min, size_t max,
                    const uint8_t **data_out, size_t *len_out)
{
	const struct wa_node *n = wa_node_child(parent, tag);

	if (n == NULL || n->content != WA_CONTENT_BYTES || n->bytes_len < min || n->bytes_len > max)
		return false;
	*data_out = n->bytes;
	*len_out = n->bytes_len;
	return true;
}

static void answer_ping(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n;

	if (c->pairing.no_pong)
		return;
	n = sim_pair_answer(iq, "result");
	wa_node_set_int(n, "t", clock_unix_s());
	sim_client_send(c, n);
}

static void on_request(struct sim_client *c, const struct wa_node *iq)
{
	if (wa_node_attr_is(iq, "type", "get") && wa_node_attr_is(iq, "xmlns", "w:p"))
		answer_ping(c, iq);
	else if (!wa_node_attr_is(iq, "xmlns", "md") ||
	         (!sim_pair_code_request(c, iq) && !sim_pair_passkey_request(c, iq)))
		sim_pair_answer_error(c, iq, 501);
}

static bool is_pair_device_answer(const struct sim_client *c, const struct wa_node *iq)
{
	return c->pairing.iq_id[0] != '\0' && wa_node_attr_is(iq, "id", c->pairing.iq_id);
}

static int on_iq(struct sim_client *c, const struct wa_node *iq)
{
	if (wa_node_attr(iq, "id") == NULL || wa_node_attr(iq, "type") == NULL) {
		sim_client_stream_error(c, 0, "xml-not-well-formed");
		return 0;
	}
	if (wa_node_attr_is(iq, "type", "get") || wa_node_attr_is(iq, "type", "set"))
		on_request(c, iq);
	else if (c->pairing.success_id[0] != '\0' &&
	         wa_node_attr_is(iq, "id", c->pairing.success_id))
		sim_pair_on_signed(c, iq);
	else if (!is_pair_device_answer(c, iq))
		return 0; /* an answer to nothing we asked */
	else if (wa_node_attr_is(iq, "type", "result") && !c->pairing.acked)
		on_acked(c);
	else if (wa_node_attr_is(iq, "type", "error"))
		sim_client_end(c, "pair-device was refused");
	return 0;
}

int sim_pair_on_stanza(struct sim_client *c, const uint8_t *stanza, size_t len)
{
	struct wa_node *n = NULL;
	int rc = wa_stanza_decode(stanza, len, &n);

	if (rc < 0) {
		sim_client_stream_error(c, 0, "xml-not-well-formed");
		return rc;
	}
	if (wa_node_is(n, "iq"))
		rc = on_iq(c, n);
	else if (wa_node_is(n, "xmlstreamend"))
		sim_client_end(c, "ended by the client");
	/* acks, presence, ib: taken, not answered */
	wa_node_free(n);
	return rc;
}

/* ---- QR codes ----------------------------------------------------------------------------------
 */

static size_t find_ref(const struct sim_pairing *p, const char *ref)
{
	for (size_t i = 0; i < p->refs_n; i++) {
		if (strcmp(p->refs[i], ref) == 0)
			return i;
	}
	return SIZE_MAX;
}

bool sim_client_has_ref(const struct sim_client *c, const char *ref)
{
	return find_ref(&c->pairing, ref) != SIZE_MAX;
}

static int refuse(struct sim_qr_error *e, const char *code, const char *message)
{
	e->code = code;
	e->message = message;
	return WA_EPROTO;
}

/* The types that every client of that kind shows; others differ from client to client. */
static bool type_fits(char type, int32_t platform_type)
{
	static const char types[] = {
		[1] = '1', [2] = '3', [3] = '4', [4] = '5', [5] = '6', [6] = '2'
	};

	return platform_type < 1 || platform_type >= (int32_t)sizeof(types) ||
	       types[platform_type] == type;
}

int sim_client_check_qr(const struct sim_client *c, const struct sim_qr *qr,
                        struct sim_qr_error *error_out)
{
	const struct sim_pairing *p = &c->pairing;
	size_t index = find_ref(p, qr->ref);

	if (index == SIZE_MAX)
		return refuse(error_out, "unknown_ref", "the ref was never given out");
	if (clock_ms() - p->sent_at_ms > sim_ref_end_ms(index, p->refs_n) + REF_GRACE_MS)
		return refuse(error_out, "expired_ref", "the ref has run out");
	if (memcmp(qr->noise, c->noise_key, WA_KEY_LEN) != 0)
		return refuse(
		    error_out, "qr_noise_key",
		    "the noise key is not the static key of the handshake of the ref's connection");
	if (memcmp(qr->identity, c->payload.identity, WA_KEY_LEN) != 0)
		return refuse(error_out, "qr_identity_key",
		              "the identity key is not the one registered on the ref's connection");
	if (c->sim->options->strict && !type_fits(qr->type, c->payload.platform_type))
		return refuse(error_out, "qr_type",
		              "the client type is not that of the registered platform type");
	return 0;
}

/* ---- the person who waits ----------------------------------------------------------------------
 */

static void on_person_gone(void *arg)
{
	struct sim_client *c = arg;

	c->pairing.wait = NULL;
}

bool sim_pair_wait(struct sim_client *c, struct sim_call *call)
{
	if (c->pairing.wait != NULL) {
		sim_call_error(call, 409, "busy", "the companion is being linked already");
		return false;
	}
	c->pairing.wait = sim_call_defer(call, SIM_LINK_MS, on_person_gone, c);
	return c->pairing.wait != NULL;
}

void sim_pair_tell(struct sim_client *c, int status, json_t *json)
{
	struct sim_wait *w = c->pairing.wait;

	c->pairing.wait = NULL;
	if (w != NULL)
		sim_wait_reply(w, status, json);
	else
		json_decref(json);
}

void sim_pair_tell_error(struct sim_client *c, int status, const char *code, const char *message)
{
	struct sim_wait *w = c->pairing.wait;

	c->pairing.wait = NULL;
	if (w != NULL)
		sim_wait_error(w, status, code, message);
}

/* The phone wants to see that the code on the screen can change. */
static void ask_rotation(struct sim_client *c)
{
	struct wa_node *n = sim_pair_notification(c, "companion_reg_refresh");

	wa_node_add(n, "companion_reg_refresh");
	sim_client_send(c, n);
	c->pairing.rotated = true;
	sim_pair_tell(c, 202, json_pack("{s:s}", "status", "rotate"));
}

void sim_pair_scan(struct sim_call *call, struct sim_phone *phone, struct sim_client *c,
                   const struct sim_qr *qr, bool rotate)
{
	struct sim_pairing *p = &c->pairing;
	bool again = p->rotated && p->phone == phone;

	if (p->step != SIM_PAIR_CODES) {
		sim_call_error(call, 409, "busy", "the companion is being linked already");
		return;
	}
	if (again && secret_eq(qr->adv, p->secret, sizeof(p->secret))) {
		sim_call_error(call, 409, "old_secret",
		               "the code is still the one from before the phone asked for another");
		return;
	}
	if (!sim_pair_wait(c, call))
		return;
	if (p->phone != phone)
		forget_phone(p);
	p->phone = phone;
	memcpy(p->secret, qr->adv, sizeof(p->secret));
	if (!sim_client_set_number(c, phone->number))
		return;
	if (rotate && !again)
		ask_rotation(c);
	else
		sim_pair_proceed(c);
}
