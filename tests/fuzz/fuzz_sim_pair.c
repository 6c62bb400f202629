/*
 * tests/fuzz/fuzz_sim_pair.c - what the simulator reads of clients that link and log in
 *
 * First byte: 0 the rest is the text of a QR code; 1 a ClientPayload; 2 a WebAuthn assertion; 3 a
 * ProloguePayload; 4 an EncryptedPairingRequest; 5 the request inside, sealed as a client does it;
 * 6 a ClientHello; 7 a ClientFinish, after a good hello. Property: what is refused writes nothing
 * and says why; strictness takes nothing more; nobody gets keys but who sealed for ours.
 */
#include "fuzz.h"
#include "mutate.h"

#include <stdio.h>
#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "proto/wa_handshake.pb-c.h"
#include "proto/wa_passkey.pb-c.h"
#include "proto/wa_payload.pb-c.h"
#include "simulator/pair/sim_passkey.h"
#include "simulator/pair/sim_qr.h"
#include "simulator/wire/sim_noise.h"
#include "simulator/wire/sim_reg.h"
#include "wa_fixture.h"

#define INPUT_MAX 16384

static const uint8_t credential[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t challenge[SIM_CHALLENGE_LEN] = { 7 };

static char *as_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_REQUIRE(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static void qr(const uint8_t *data, size_t size)
{
	char *text = as_text(data, size);
	struct sim_qr_error e = { NULL, NULL };
	struct sim_qr out = { .type = 0 };
	int rc = sim_qr_parse(text, &out, &e);

	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO);
	FUZZ_REQUIRE((rc == 0) == (out.type != 0) && (rc == 0) == (e.code == NULL));
	if (rc == 0) /* as it stands there */
		FUZZ_REQUIRE(out.ref[0] != '\0' && strstr(text, out.ref) != NULL);
	free(text);
}

static void payload(const uint8_t *data, size_t size)
{
	struct sim_payload strict = { 0 }, lenient = { 0 };
	struct sim_refusal refusal = { 0, NULL };
	int rc;

	if (sim_payload_check(data, size, 0, true, &strict, &refusal) == 0) {
		FUZZ_REQUIRE(sim_payload_check(data, size, 0, false, &lenient, &refusal) == 0);
		FUZZ_REQUIRE(memcmp(&strict, &lenient, sizeof(strict)) == 0);
	}
	rc = sim_payload_check(data, size, 2, false, &lenient, &refusal);
	FUZZ_REQUIRE(rc == 0 || (rc == WA_EPROTO && refusal.why != NULL));
	FUZZ_REQUIRE(memchr(lenient.device_name, '\0', SIM_DEVICE_NAME_CAP) != NULL);
	FUZZ_REQUIRE(rc < 0 || lenient.revision >= 2);
}

static void assertion(const uint8_t *data, size_t size)
{
	static const uint8_t other[SIM_CHALLENGE_LEN] = { 8 };

	if (sim_passkey_check_assertion(data, size, credential, sizeof(credential), challenge) !=
	    NULL)
		return;
	FUZZ_REQUIRE(sim_passkey_check_assertion(data, size, credential, 3, challenge) != NULL);
	FUZZ_REQUIRE(
	    sim_passkey_check_assertion(data, size, credential, sizeof(credential), other) != NULL);
}

static void prologue(const uint8_t *data, size_t size)
{
	struct sim_prologue p = { .identity_len = 0 };
	uint8_t nonce[SIM_NONCE_LEN] = { 9 };
	int rc = sim_prologue_parse(data, size, &p);

	FUZZ_REQUIRE(rc == 0 || (rc == WA_EPROTO && p.identity_len == 0));
	if (rc < 0)
		return;
	FUZZ_REQUIRE(p.ref[0] != '\0' && memchr(p.ref, '\0', sizeof(p.ref)) != NULL);
	FUZZ_REQUIRE(p.identity_len > WA_KEY_LEN && p.identity_len <= sizeof(p.identity));
	FUZZ_REQUIRE(p.device_type <= INT32_MAX);
	rc = sim_passkey_check_nonce(&p, nonce);
	FUZZ_REQUIRE(rc == 0 || rc == WA_EAUTH);
}

/* ---- the pairing request ------------------------------------------------------------------------
 */

struct pairing {
	struct wa_keypair primary;
	struct sim_prologue prologue;
};

static void pairing_init(struct pairing *p)
{
	struct wa_keypair companion;

	memset(p, 0, sizeof(*p));
	fixture_key(0x31, &p->primary);
	fixture_key(0x32, &companion);
	memcpy(p->prologue.companion, companion.pub, WA_KEY_LEN);
	p->prologue.device_type = 1;
	memcpy(p->prologue.ref, "2@ref", 6);
}

static int open_request(const struct pairing *p, const uint8_t *data, size_t size)
{
	struct sim_pairing_request request = { .secret = { 0 } }, none = { .secret = { 0 } };
	int rc = sim_passkey_open(&p->primary, &p->prologue, data, size, &request);

	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO || rc == WA_EAUTH);
	FUZZ_REQUIRE(rc == 0 || memcmp(&request, &none, sizeof(none)) == 0);
	return rc;
}

/* As the companion does it: field 1 the sealed request, field 2 the IV. */
static void sealed_request(const struct pairing *p, const uint8_t *data, size_t size)
{
	static const char salt[] = "Companion Pairing 1 with ref 2@ref";
	static const char info[] = "Pairing Information Encryption Key";
	static const uint8_t iv[WA_IV_LEN] = { 1 };
	uint8_t shared[32], key[32], msg[256];
	size_t at = 0;

	if (size == 0 || size > 140)
		return;
	FUZZ_REQUIRE(wa_dh(p->primary.priv, p->prologue.companion, shared) == 0);
	FUZZ_REQUIRE(wa_hkdf(shared, 32, salt, strlen(salt), info, strlen(info), key, 32) == 0);
	msg[at++] = 1 << 3 | 2;
	if (size + WA_TAG_LEN > 0x7f)
		msg[at++] = (uint8_t)((size + WA_TAG_LEN) | 0x80);
	msg[at++] =
	    (uint8_t)(size + WA_TAG_LEN > 0x7f ? (size + WA_TAG_LEN) >> 7 : size + WA_TAG_LEN);
	FUZZ_REQUIRE(wa_gcm_seal_iv(key, iv, NULL, 0, data, size, msg + at) == 0);
	at += size + WA_TAG_LEN;
	msg[at++] = 2 << 3 | 2;
	msg[at++] = WA_IV_LEN;
	memcpy(msg + at, iv, WA_IV_LEN);
	FUZZ_REQUIRE(open_request(p, msg, at + WA_IV_LEN) != WA_EAUTH);
}

/* ---- the handshake ------------------------------------------------------------------------------
 */

static void check_result(int rc, const struct buf *client_payload,
                         const struct sim_noise_result *result)
{
	static const struct sim_noise_result none;

	if (rc == 1) {
		FUZZ_REQUIRE(sim_handshake_name(result->handshake) != NULL);
		return;
	}
	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO || rc == WA_ETRUNC || rc == WA_ELIMIT ||
	             rc == WA_EAUTH);
	FUZZ_REQUIRE(memcmp(result, &none, sizeof(none)) == 0);
	FUZZ_REQUIRE(rc != 0 || client_payload->len == 0);
}

static struct buf chain; /* of certificates, valid for the fixture's server */

static void chain_free(void)
{
	buf_free(&chain);
}

static void chain_init(const struct fixture *f)
{
	struct chain_spec spec;

	if (chain.len > 0)
		return;
	fixture_chain_spec(f, &spec);
	fixture_chain_pack(&spec, &chain);
	FUZZ_REQUIRE(atexit(chain_free) == 0);
}

static int give_hello(const struct fixture *f, struct sim_noise *n, const uint8_t *data,
                      size_t size, bool no_ik)
{
	const struct sim_noise_server server = { &f->server_static, chain.p, chain.len, no_ik };
	struct sim_noise_result result = { .handshake = SIM_HANDSHAKE_NONE };
	struct buf out = { 0 }, client_payload = { 0 };
	int rc = sim_noise_hello(n, data, size, &server, &out, &client_payload, &result);

	check_result(rc, &client_payload, &result);
	FUZZ_REQUIRE((rc >= 0) == (out.len > 0) && !(rc == 1 && no_ik));
	buf_free(&out);
	buf_free(&client_payload);
	return rc;
}

static void hello(const struct fixture *f, const uint8_t *data, size_t size)
{
	struct sim_noise *n = NULL;

	for (int no_ik = 0; no_ik < 2; no_ik++) {
		FUZZ_REQUIRE(sim_noise_new(&f->server_ephemeral, &n) == 0);
		(void)give_hello(f, n, data, size, no_ik != 0);
		sim_noise_free(n);
	}
}

static void client_hello(const struct fixture *f, struct buf *out)
{
	Wa__HandshakeMessage msg = WA__HANDSHAKE_MESSAGE__INIT;
	Wa__ClientHello h = WA__CLIENT_HELLO__INIT;

	h.has_ephemeral = 1;
	h.ephemeral = (ProtobufCBinaryData){ WA_KEY_LEN, (uint8_t *)f->client_ephemeral.pub };
	msg.client_hello = &h;
	FUZZ_REQUIRE(buf_reserve(out, wa__handshake_message__get_packed_size(&msg)) == 0);
	out->len = wa__handshake_message__pack(&msg, out->p);
}

static void finish(const struct fixture *f, const uint8_t *data, size_t size)
{
	struct sim_noise_result result = { .handshake = SIM_HANDSHAKE_NONE };
	struct buf first = { 0 }, client_payload = { 0 };
	struct sim_noise *n = NULL;
	int rc;

	FUZZ_REQUIRE(sim_noise_new(&f->server_ephemeral, &n) == 0);
	client_hello(f, &first);
	FUZZ_REQUIRE(give_hello(f, n, first.p, first.len, false) == 0);
	rc = sim_noise_finish(n, data, size, &client_payload, &result);
	FUZZ_REQUIRE(rc <= 0);
	check_result(rc == 0 ? 1 : rc, &client_payload, &result);
	if (rc == 0)
		FUZZ_REQUIRE(sim_noise_finish(n, data, size, &client_payload, &result) ==
		             WA_ESTATE);
	sim_noise_free(n);
	buf_free(&first);
	buf_free(&client_payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pairing pairing;
	struct fixture f;

	if (size < 2 || size > INPUT_MAX || data[0] > 7 || wa_keys_init() < 0)
		return 0;
	fuzz_own_begin();
	pairing_init(&pairing);
	fixture_init(&f);
	chain_init(&f);
	fuzz_own_end();
	switch (data[0]) {
	case 0:
		qr(data + 1, size - 1);
		break;
	case 1:
		payload(data + 1, size - 1);
		break;
	case 2:
		assertion(data + 1, size - 1);
		break;
	case 3:
		prologue(data + 1, size - 1);
		break;
	case 4:
		(void)open_request(&pairing, data + 1, size - 1);
		break;
	case 5:
		sealed_request(&pairing, data + 1, size - 1);
		break;
	case 6:
		hello(&f, data + 1, size - 1);
		break;
	default:
		finish(&f, data + 1, size - 1);
	}
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	static const char *const names[] = {
		"id",        "rawId", "type", "response", "clientDataJSON", "authenticatorData",
		"signature",
	};
	static const ProtobufCMessageDescriptor *const schemas[] = {
		NULL,
		&wa__client_payload__descriptor,
		NULL,
		&wa__prologue_payload__descriptor,
		&wa__encrypted_pairing_request__descriptor,
		&wa__pairing_request__descriptor,
		&wa__handshake_message__descriptor,
		&wa__handshake_message__descriptor,
	};

	if (size < 2 || data[0] == 0 || data[0] >= ARRAY_LEN(schemas))
		return false;
	mut_put(out, data, 1);
	if (data[0] == 2)
		mut_json(m, names, ARRAY_LEN(names), data + 1, size - 1, out);
	else
		mut_pb(m, schemas[data[0]], data + 1, size - 1, out);
	return true;
}
