/* simulator/sim_pair.c - after a registration: refs, their clock, and the stanzas of the pairing
 * phase */
#include "simulator/sim_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "simulator/sim_client_fault.h"
#include "simulator/sim_client_priv.h"

#define REF_RANDOM_LEN 64
#define ACK_MS 30000        /* how long the answer to pair-device may take */
#define AFTER_REFS_MS 30000 /* how long the connection stays after the last code */
#define REF_GRACE_MS 10000  /* a phone may have read a code just before it ran out */
#define FIRST_REF_MS 60000
#define NEXT_REF_MS 20000

/* ---- the clock of the codes --------------------------------------------------------------------
 */

uint32_t sim_ref_end_ms(size_t index, size_t n)
{
	uint32_t first = n == SIM_REFS ? FIRST_REF_MS : NEXT_REF_MS;

	return first + (uint32_t)index * NEXT_REF_MS;
}

uint32_t sim_refs_total_ms(size_t n)
{
	return n == 0 ? 0 : sim_ref_end_ms(n - 1, n);
}

/* ---- pair-device -------------------------------------------------------------------------------
 */

static int make_refs(struct sim_client *c, size_t n)
{
	struct sim_pairing *p = &c->pairing;
	uint8_t raw[REF_RANDOM_LEN];
	int rc;

	free(p->refs);
	p->refs_n = 0;
	p->refs = calloc(n, sizeof(*p->refs));
	if (p->refs == NULL)
		return WA_ELIMIT;
	for (size_t i = 0; i < n; i++) {
		rc = sim_rand_bytes(&c->rnd, raw, sizeof(raw));
		if (rc < 0)
			return rc;
		memcpy(p->refs[i], "2@", 2);
		b64_encode(raw, sizeof(raw), p->refs[i] + 2);
	}
	p->refs_n = n;
	return sim_rand_digits(&c->rnd, p->iq_id, 10);
}

void sim_pair_clear(struct sim_pairing *p)
{
	free(p->refs);
	p->refs = NULL;
	p->refs_n = 0;
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

/* The stream is over, as when the codes have run out. */
static void end_stream(struct sim_client *c, const char *why)
{
	sim_client_send(c, wa_node_new("xmlstreamend"));
	sim_client_end(c, why);
}

void sim_pair_on_deadline(struct sim_client *c)
{
	if (c->pairing.acked)
		end_stream(c, "codes ran out");
	else
		sim_client_end(c, "pair-device was not answered");
}

static void on_acked(struct sim_client *c)
{
	const struct sim_pairing *p = &c->pairing;
	uint64_t passed_ms = clock_ms() - p->sent_at_ms;
	uint32_t left_ms = sim_refs_total_ms(p->refs_n) + (p->ends_early ? 0 : AFTER_REFS_MS);

	c->pairing.acked = true;
	if (p->ends_on_ack)
		end_stream(c, "fault");
	else
		sim_client_deadline(c, left_ms > passed_ms ? left_ms - (uint32_t)passed_ms : 1);
}

/* ---- stanzas in --------------------------------------------------------------------------------
 */

static struct wa_node *answer(const struct wa_node *iq, const char *type)
{
	struct wa_node *n = wa_node_new("iq");

	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", type);
	wa_node_set(n, "id", wa_node_attr(iq, "id"));
	return n;
}

static void answer_error(struct sim_client *c, const struct wa_node *iq, int code, const char *text)
{
	struct wa_node *n = answer(iq, "error");
	struct wa_node *error = wa_node_add(n, "error");

	wa_node_set_int(error, "code", code);
	wa_node_set(error, "text", text);
	sim_client_send(c, n);
}

static void answer_ping(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n;

	if (c->pairing.no_pong)
		return;
	n = answer(iq, "result");
	wa_node_set_int(n, "t", clock_unix_s());
	sim_client_send(c, n);
}

static void on_request(struct sim_client *c, const struct wa_node *iq)
{
	if (wa_node_attr_is(iq, "type", "get") && wa_node_attr_is(iq, "xmlns", "w:p"))
		answer_ping(c, iq);
	else
		answer_error(c, iq, 501, "feature-not-implemented");
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
	return 0;
}
