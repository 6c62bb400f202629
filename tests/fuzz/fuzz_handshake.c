/*
 * tests/fuzz/fuzz_handshake.c - what a server can send before it is trusted
 *
 * First byte: 0, the rest is a ServerHello for a client with fixed keys; 1, the rest is a
 * certificate chain; 2, the rest is a certificate chain sealed inside a correct ServerHello, so
 * that it is reached. Property: without a valid chain nothing is sent, and no chain is valid for a
 * second server key.
 */
#include "fuzz.h"

#include <string.h>

#include "common/err.h"
#include "wa_fixture.h"

static int finish(const struct fixture *f, const uint8_t *data, size_t size)
{
	struct wa_noise_client *c = fixture_client(f);
	struct wa_transport t = { 0 }, zero = { 0 };
	struct buf out = { 0 };
	const char *why = NULL;
	int rc;

	rc = wa_noise_client_finish(c, data, size, "payload", 7, FIXTURE_NOW, &out, &t, &why);
	FUZZ_REQUIRE((rc == 0) == (out.len > 0));
	FUZZ_REQUIRE((rc == 0) == (memcmp(&t, &zero, sizeof(t)) != 0));
	FUZZ_REQUIRE((rc == WA_ECERT) == (why != NULL));
	buf_free(&out);
	wa_noise_client_free(c);
	return rc;
}

static int verify(const struct fixture *f, const uint8_t *chain, size_t chain_len)
{
	const char *why = NULL;
	int rc;

	rc = wa_cert_verify(chain, chain_len, &f->root, f->server_static.pub, FIXTURE_NOW, &why);
	FUZZ_REQUIRE(rc == 0 || rc == WA_ECERT);
	FUZZ_REQUIRE((rc == 0) == (why == NULL));
	FUZZ_REQUIRE(wa_cert_verify(chain, chain_len, &f->root, f->root_kp.pub, FIXTURE_NOW,
	                            NULL) == WA_ECERT);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf hello = { 0 };
	struct fixture f;

	if (size < 2)
		return 0;
	fixture_init(&f);
	if (data[0] == 0) {
		finish(&f, data + 1, size - 1);
	} else if (data[0] == 1) {
		verify(&f, data + 1, size - 1);
	} else if (size < 32768) {
		fixture_server_hello(&f, data + 1, size - 1, &hello);
		FUZZ_REQUIRE((finish(&f, hello.p, hello.len) == 0) ==
		             (verify(&f, data + 1, size - 1) == 0));
		buf_free(&hello);
	}
	return 0;
}
