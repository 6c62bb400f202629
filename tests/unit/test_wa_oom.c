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
#include "worker/wa/wa_device.h"
#include "worker/wa/wa_frame.h"
#include "worker/wa/wa_pair.h"

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
static struct buf stanza, compressed, hello;

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
		                            &t, NULL);
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
	assert_survives(op_registration, 2);
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
	buf_free(&chain);
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
