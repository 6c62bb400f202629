/*
 * tests/unit/test_wa_oom.c - memory running out at each allocation in turn
 *
 * The program is linked with --wrap=malloc and --wrap=calloc: what libwa.a and libcommon.a ask for
 * comes here. Each operation is repeated with its first allocation failing, then its second, until
 * it succeeds; before that it must fail cleanly (leaks are for the sanitizer to find).
 */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/err.h"
#include "wa_fixture.h"
#include "proto/wa_adv.pb-c.h"
#include "worker/wa/link/wa_adv.h"
#include "worker/wa/link/wa_link_code.h"
#include "worker/wa/link/wa_login.h"
#include "worker/wa/link/wa_pair.h"
#include "worker/wa/link/wa_passkey.h"
#include "worker/wa/stanza/wa_prekey.h"
#include "worker/wa/stanza/wa_stanza.h"
#include "worker/wa/transport/wa_frame.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

static long countdown = -1; /* below 0: nothing fails */

static size_t largest; /* asked for at once */

static bool fails_now(size_t n)
{
	if (n > largest)
		largest = n;
	return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
	return fails_now(n) ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now(n * size) ? NULL : __real_calloc(n, size);
}

static struct fixture fix;
static struct buf stanza, compressed, hello, ik_answer, fallback, device_identity;
static struct wa_device device;
static struct wa_link_code link_code; /* answered by the server */
static struct wa_link_notice link_hello;
static uint8_t link_wrapped[WA_LINK_CODE_WRAPPED_LEN];
static struct wa_keypair peer;
static struct wa_passkey passkey; /* up to the phone's key */
static struct wa_node *digest;    /* that is the device's */

static int op_decode(void)
{
	struct wa_node *n = NULL;
	int rc = wa_stanza_decode(stanza.p, stanza.len, &n);

	wa_node_free(n);
	return rc;
}

static int op_inflate(void)
{
	struct wa_node *n = NULL;
	int rc = wa_stanza_decode(compressed.p, compressed.len, &n);

	wa_node_free(n);
	return rc;
}

static struct wa_node *build(void)
{
	struct wa_node *n = wa_node_new("iq");
	char name[16];

	for (int i = 0; i < 40; i++) {
		struct wa_node *c = wa_node_add(n, "child");

		snprintf(name, sizeof(name), "name-%d", i);
		wa_node_set(c, name, "value");
		wa_node_set(n, name, "a value that takes some room in the arena of this node");
		wa_node_set_bytes(c, "0123456789abcdef", 16);
	}
	return n;
}

static int op_build(void)
{
	struct buf out = { 0 };
	struct wa_node *n = build();
	int rc = wa_stanza_encode(n, &out);

	assert_int_equal(rc == 0, out.len > 0);
	buf_free(&out);
	wa_node_free(n);
	return rc;
}

static int op_answers(void)
{
	struct wa_node *n = wa_iq_error("1", 500, "text");
	struct wa_node *ack;
	struct buf out = { 0 };
	int rc;

	rc = wa_stanza_encode(n, &out);
	wa_node_set(n, "type", "x");
	ack = wa_notification_ack(n);
	if (rc == 0)
		rc = wa_stanza_encode(ack, &out);
	wa_node_free(ack);
	wa_node_free(n);
	buf_free(&out);
	return rc;
}

static int op_handshake(void)
{
	struct wa_noise_client *c = NULL;
	struct buf out = { 0 };
	struct wa_transport t;
	int rc;

	rc = wa_noise_client_new(&fix.client_static, &fix.client_ephemeral, &fix.root, &c);
	if (rc == 0)
		rc = wa_noise_client_hello(c, &out);
	buf_free(&out);
	if (rc == 0) {
		rc = wa_noise_client_finish(c, hello.p, hello.len, "payload", 7, FIXTURE_NOW, &out,
		                            &t, NULL, NULL);
		assert_int_equal(rc == 0, out.len > 0);
	}
	wa_noise_client_free(c);
	buf_free(&out);
	return rc;
}

static int op_registration(void)
{
	struct wa_registration r = { { 2, 3000, 1 }, "Name", 7 };
	struct buf out = { 0 };
	struct wa_device d;
	int rc;

	rc = wa_device_init(&d);
	if (rc == 0)
		rc = wa_payload_registration(&d, &r, &out);
	assert_int_equal(rc == 0, out.len > 0);
	buf_free(&out);
	return rc;
}

/* IK for a server that takes it, or that wants the fallback. */
static int resume(const struct buf *answer)
{
	struct wa_noise_client *c = NULL;
	struct buf out = { 0 };
	struct wa_transport t;
	int rc;

	rc = wa_noise_client_new(&fix.client_static, &fix.client_ephemeral, &fix.root, &c);
	if (rc == 0)
		rc = wa_noise_client_hello_ik(c, fix.server_static.pub, FIXTURE_PAYLOAD,
		                              strlen(FIXTURE_PAYLOAD), &out);
	buf_free(&out);
	if (rc == 0)
		rc = wa_noise_client_finish(c, answer->p, answer->len, FIXTURE_PAYLOAD,
		                            strlen(FIXTURE_PAYLOAD), FIXTURE_NOW, &out, &t, NULL,
		                            NULL);
	assert_true(rc == 0 || out.len == 0);
	wa_noise_client_free(c);
	buf_free(&out);
	return rc;
}

static int op_resume(void)
{
	return resume(&ik_answer);
}

static int op_fallback(void)
{
	return resume(&fallback);
}

static int op_login_payload(void)
{
	struct wa_login l = { .version = { 2, 3000, 1 }, .jid = "49:7@s.whatsapp.net" };
	struct buf out = { 0 };
	int rc = wa_payload_login(&l, &out);

	assert_int_equal(rc == 0, out.len > 0);
	buf_free(&out);
	return rc;
}

/* Encode n, free it; NULL, as the builders say it, is no memory. */
static int sent(struct wa_node *n)
{
	struct buf out = { 0 };
	int rc = wa_stanza_encode(n, &out);

	buf_free(&out);
	wa_node_free(n);
	return rc;
}

static int op_adv(void)
{
	static const uint8_t rnd[WA_SIG_LEN];
	struct wa_adv a, empty = { 0 };
	int rc;

	rc = wa_adv_verify_rnd(&device, device_identity.p, device_identity.len, rnd, &a, NULL);
	if (rc == 0)
		rc = sent(wa_pair_device_sign("1", &a));
	else
		assert_memory_equal(&a, &empty, sizeof(a));
	wa_adv_clear(&a);
	return rc;
}

static int op_link_code(void)
{
	struct wa_device before = device, d = device;
	struct wa_link_code lc = link_code;
	struct wa_node *finish = NULL;
	int rc;

	rc = sent(wa_link_code_hello(&lc, &d, "1", "49123456789"));
	if (rc == 0)
		rc = wa_link_code_finish(&lc, &d, &link_hello, "2", "49123456789", &finish);
	if (rc < 0)
		assert_memory_equal(&d, &before, sizeof(d));
	return rc < 0 ? rc : sent(finish);
}

static int op_passkey(void)
{
	struct wa_passkey p = passkey;
	struct wa_node *n = NULL;
	int rc;

	rc = wa_passkey_prologue(&p, "1", (const uint8_t *)"id", 2, "{}", true, &n);
	if (rc == 0)
		rc = sent(n);
	else
		assert_memory_equal(&p, &passkey, sizeof(p)); /* can be tried again */
	if (rc == 0)
		rc = sent(wa_passkey_nonce(&p, "2"));
	if (rc == 0)
		rc = wa_passkey_request(&p, &device, "3", &n);
	return rc < 0 ? rc : sent(n);
}

static int pub_of(uint32_t id, uint8_t pub[WA_KEY_LEN], void *arg)
{
	(void)arg;
	memset(pub, (int)id, WA_KEY_LEN);
	return 0;
}

static int op_prekeys(void)
{
	struct wa_node *n = wa_prekey_upload(&device, "1");
	uint8_t pub[WA_KEY_LEN];
	int rc;

	for (uint32_t id = 1; id < 50; id++) {
		assert_int_equal(pub_of(id, pub, NULL), 0);
		wa_prekey_upload_add(n, id, pub);
	}
	rc = sent(n);
	return rc < 0 ? rc : wa_prekey_digest_check(digest, &device, pub_of, NULL);
}

static int op_small_stanzas(void)
{
	int rc;

	rc = sent(wa_ack(digest, "49:7@s.whatsapp.net", 487));
	if (rc == 0)
		rc = sent(wa_pong(digest));
	if (rc == 0)
		rc = sent(wa_active("1"));
	if (rc == 0)
		rc = sent(wa_presence(true, "Name"));
	if (rc == 0)
		rc = sent(wa_unified_session(7));
	return rc;
}

static int on_frame(const uint8_t *payload, size_t payload_len, void *arg)
{
	(void)payload, (void)payload_len, (void)arg;
	return 0;
}

static int op_frames(void)
{
	struct wa_frame_reader r = { 0 };
	struct buf out = { 0 };
	int rc;

	rc = wa_frame_append(&out, stanza.p, stanza.len);
	for (size_t i = 0; i < out.len && rc == 0; i += 100)
		rc = wa_frame_feed(&r, out.p + i, out.len - i < 100 ? out.len - i : 100, on_frame,
		                   NULL);
	buf_free(&out);
	wa_frame_reader_clear(&r);
	return rc;
}

static int op_transport(void)
{
	struct wa_cipher a = { .key = { 1 } }, b = a;
	struct buf sealed = { 0 }, opened = { 0 };
	int rc;

	rc = wa_cipher_seal(&a, "x", 1, &sealed);
	if (rc == 0)
		rc = wa_cipher_open(&b, sealed.p, sealed.len, &opened);
	buf_free(&sealed);
	buf_free(&opened);
	return rc;
}

static void assert_survives(int (*op)(void), long at_least)
{
	long n;
	int rc;

	for (n = 0; n < 10000; n++) {
		countdown = n;
		rc = op();
		if (countdown >= 0) { /* it got through without reaching the failing one */
			countdown = -1;
			assert_int_equal(rc, 0);
			break;
		}
		/* pb_guard reports any failure within its budget as a limit, the chain as
		 * unreadable */
		if (rc != -ENOMEM && rc != WA_ELIMIT && rc != WA_ECERT)
			fail_msg("allocation %ld failed, result %d", n, rc);
	}
	assert_true(n >= at_least);
}

static void test_memory_running_out(void **state)
{
	(void)state;
	assert_survives(op_decode, 2);
	assert_survives(op_inflate, 3);
	assert_survives(op_build, 5);
	assert_survives(op_answers, 3);
	assert_survives(op_handshake, 4);
	assert_survives(op_resume, 5);
	assert_survives(op_fallback, 5);
	assert_survives(op_registration, 2);
	assert_survives(op_login_payload, 1);
	assert_survives(op_adv, 8);
	assert_survives(op_link_code, 4);
	assert_survives(op_passkey, 8);
	assert_survives(op_prekeys, 6);
	assert_survives(op_small_stanzas, 8);
	assert_survives(op_frames, 3);
	assert_survives(op_transport, 2);
}

/* Counts and lengths far beyond the bytes that follow: refused before memory is taken for them. */
static void test_claims_cost_no_memory(void **state)
{
	static const struct {
		uint8_t bytes[8];
		size_t len;
	} claims[] = {
		{ { 0x00, 0xf9, 0xff, 0xff, 0x19 }, 5 },                   /* 32767 attributes */
		{ { 0x00, 0xf8, 0x02, 0x19, 0xf9, 0xff, 0xff }, 7 },       /* 65535 children */
		{ { 0x00, 0xf8, 0x02, 0x19, 0xfd, 0x0f, 0xff, 0xff }, 8 }, /* 1 MiB of content */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		struct wa_node *n = NULL;

		largest = 0;
		assert_int_equal(wa_stanza_decode(claims[i].bytes, claims[i].len, &n), WA_ETRUNC);
		assert_in_range(largest, 1, 4096);
	}
}

/* ---- what the operations work on ----------------------------------------------------------------
 */

static void must(int rc)
{
	if (rc != 0)
		abort();
}

static void pack(const ProtobufCMessage *msg, struct buf *out)
{
	must(buf_reserve(out, protobuf_c_message_get_packed_size(msg) + 1));
	out->len += protobuf_c_message_pack(msg, out->p + out->len);
}

/* What a phone with the key peer says about our device. */
static void make_device_identity(void)
{
	Wa__AdvSignedDeviceIdentityHmac w = WA__ADV_SIGNED_DEVICE_IDENTITY_HMAC__INIT;
	Wa__AdvSignedDeviceIdentity a = WA__ADV_SIGNED_DEVICE_IDENTITY__INIT;
	uint8_t msg[4 + WA_KEY_LEN] = { 0x06, 0x00, 0x18, 0x02 }, sig[WA_SIG_LEN], hmac[32];
	struct buf signed_id = { 0 };

	memcpy(msg + 4, device.identity.pub, WA_KEY_LEN);
	must(wa_xeddsa_sign(peer.priv, msg, sizeof(msg), NULL, sig));
	a.has_details = a.has_account_signature_key = a.has_account_signature = 1;
	a.details.data = msg + 2;
	a.details.len = 2;
	a.account_signature_key.data = peer.pub;
	a.account_signature_key.len = WA_KEY_LEN;
	a.account_signature.data = sig;
	a.account_signature.len = sizeof(sig);
	pack(&a.base, &signed_id);
	must(wa_hmac_sha256(device.adv_secret, 32, signed_id.p, signed_id.len, hmac));
	w.has_details = w.has_hmac = 1;
	w.details.data = signed_id.p;
	w.details.len = signed_id.len;
	w.hmac.data = hmac;
	w.hmac.len = sizeof(hmac);
	pack(&w.base, &device_identity);
	buf_free(&signed_id);
}

static void make_link_code(void)
{
	static const uint8_t salt[32], iv[16];

	must(wa_link_code_new(&link_code));
	link_code.ref_len = 1;
	link_code.ref[0] = 'r';
	must(wa_link_code_wrap(link_code.code, salt, iv, peer.pub, link_wrapped));
	link_hello.stage = WA_LINK_PRIMARY_HELLO;
	link_hello.ref = (const uint8_t *)"r";
	link_hello.ref_len = 1;
	link_hello.wrapped = link_wrapped;
	link_hello.primary_identity = peer.pub;
}

static void make_passkey(void)
{
	struct wa_device d = device;

	must(wa_passkey_begin(&passkey, &d));
	strcpy(passkey.ref, "r");
	memcpy(passkey.primary_pub, peer.pub, WA_KEY_LEN);
}

/* As the server writes it, with two one-time keys. */
static void make_digest(void)
{
	static const uint8_t ids[2][3] = { { 0, 0, 1 }, { 0, 0, 2 } };
	struct wa_node *n = wa_prekey_upload(&device, "1"), *c, *list = NULL;
	struct wa_node *d, *copy;
	uint8_t keys[3 * WA_KEY_LEN + WA_SIG_LEN + WA_KEY_LEN], hash[20];

	digest = wa_node_new("iq");
	wa_node_set(digest, "id", "1");
	wa_node_set_jid(digest, "from", WA_SERVER_JID);
	d = wa_node_add(digest, "digest");
	for (c = n->first_child; c != NULL; c = c->next) {
		copy = wa_node_add(d, c->tag);
		if (c->content == WA_CONTENT_BYTES)
			wa_node_set_bytes(copy, c->bytes, c->bytes_len);
		for (struct wa_node *k = c->first_child; k != NULL; k = k->next)
			wa_node_set_bytes(wa_node_add(copy, k->tag), k->bytes, k->bytes_len);
		if (wa_node_is(c, "list"))
			list = copy;
	}
	memcpy(keys, device.identity.pub, WA_KEY_LEN);
	memcpy(keys + 32, device.signed_prekey.pub, WA_KEY_LEN);
	memcpy(keys + 64, device.signed_prekey_sig, WA_SIG_LEN);
	for (uint32_t i = 0; i < 2; i++) {
		wa_node_set_bytes(wa_node_add(list, "id"), ids[i], 3);
		must(pub_of(i + 1, keys + 128 + 32 * i, NULL));
	}
	must(wa_sha1(keys, sizeof(keys), hash));
	wa_node_set_bytes(wa_node_add(d, "hash"), hash, sizeof(hash));
	wa_node_free(n);
}

static void make_answers(const struct buf *chain)
{
	struct buf client_hello = { 0 };

	wa_noise_client_free(fixture_client_ik(&fix, fix.server_static.pub, &client_hello));
	fixture_ik_answer(&fix, &client_hello, chain->p, chain->len, &ik_answer);
	fixture_fallback_hello(&fix, chain->p, chain->len, &fallback);
	buf_free(&client_hello);
}

static int setup(void **state)
{
	uLongf z_len;
	struct wa_node *n = build();
	struct chain_spec spec;
	struct buf chain = { 0 };
	int rc;

	(void)state;
	fixture_init(&fix);
	fixture_chain_spec(&fix, &spec);
	fixture_chain_pack(&spec, &chain);
	fixture_server_hello(&fix, chain.p, chain.len, &hello);
	make_answers(&chain);
	buf_free(&chain);
	fixture_key(0x77, &peer);
	must(wa_device_init(&device));
	make_device_identity();
	make_link_code();
	make_passkey();
	make_digest();
	rc = wa_stanza_encode(n, &stanza);
	wa_node_free(n);
	z_len = compressBound((uLong)stanza.len);
	if (rc == 0)
		rc = buf_append_u8(&compressed, 2);
	if (rc == 0)
		rc = buf_reserve(&compressed, z_len);
	if (rc == 0)
		rc = compress(compressed.p + 1, &z_len, stanza.p + 1, (uLong)(stanza.len - 1));
	compressed.len += z_len;
	return rc;
}

static int teardown(void **state)
{
	(void)state;
	buf_free(&stanza);
	buf_free(&compressed);
	buf_free(&hello);
	buf_free(&ik_answer);
	buf_free(&fallback);
	buf_free(&device_identity);
	wa_node_free(digest);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_running_out),
		cmocka_unit_test(test_claims_cost_no_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
