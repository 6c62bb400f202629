/*
 * tests/fuzz/fuzz_handshake.c - what a server can send before it is trusted
 *
 * First byte: 0, the rest is a ServerHello for a client with fixed keys; 1, the rest is a
 * certificate chain; 2, the rest is a certificate chain sealed inside a correct ServerHello, so
 * that it is reached; 3 and 4, as 0 and 2 for a client that has sent its hello of IK; 5, as 2 for
 * the fallback from there. Property: without a valid chain nothing is sent and no key is handed
 * out, and no chain is valid for a second server key.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "proto/wa_handshake.pb-c.h"
#include "wa_fixture.h"

static int finish(const struct fixture *f, struct wa_noise_client *c, const uint8_t *data,
                  size_t size)
{
	struct wa_server_key key = { .until_unix_s = 0 };
	struct wa_transport t = { 0 }, zero = { 0 };
	struct buf out = { 0 };
	const char *why = NULL;
	int rc;

	rc = wa_noise_client_finish(c, data, size, "payload", 7, FIXTURE_NOW, &out, &t, &key, &why);
	FUZZ_REQUIRE(rc == 0 || out.len == 0);
	FUZZ_REQUIRE((rc == 0) == (memcmp(&t, &zero, sizeof(t)) != 0));
	FUZZ_REQUIRE((rc == 0) == (key.until_unix_s >= FIXTURE_NOW));
	FUZZ_REQUIRE(rc < 0 || memcmp(key.pub, f->server_static.pub, WA_KEY_LEN) == 0);
	FUZZ_REQUIRE((rc == WA_ECERT) == (why != NULL));
	buf_free(&out);
	wa_noise_client_free(c);
	return rc;
}

static int verify(const struct fixture *f, const uint8_t *chain, size_t chain_len)
{
	const char *why = NULL;
	int rc;

	rc = wa_cert_verify(chain, chain_len, &f->root, f->server_static.pub, FIXTURE_NOW, NULL,
	                    &why);
	FUZZ_REQUIRE(rc == 0 || rc == WA_ECERT);
	FUZZ_REQUIRE((rc == 0) == (why == NULL));
	FUZZ_REQUIRE(wa_cert_verify(chain, chain_len, &f->root, f->root_kp.pub, FIXTURE_NOW, NULL,
	                            NULL) == WA_ECERT);
	return rc;
}

/* chain inside a correct hello: taken when it is valid, and only then. */
static void sealed(const struct fixture *f, uint8_t kind, const uint8_t *chain, size_t chain_len)
{
	struct buf client_hello = { 0 }, hello = { 0 };
	struct wa_noise_client *c;

	fuzz_own_begin();
	if (kind == 2)
		c = fixture_client(f);
	else
		c = fixture_client_ik(f, f->server_static.pub, &client_hello);
	if (kind == 2)
		fixture_server_hello(f, chain, chain_len, &hello);
	else if (kind == 4)
		fixture_ik_answer(f, &client_hello, chain, chain_len, &hello);
	else
		fixture_fallback_hello(f, chain, chain_len, &hello);
	fuzz_own_end();
	FUZZ_REQUIRE((finish(f, c, hello.p, hello.len) == 0) == (verify(f, chain, chain_len) == 0));
	buf_free(&client_hello);
	buf_free(&hello);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf client_hello = { 0 };
	struct wa_noise_client *c;
	struct fixture f;

	if (size < 2 || data[0] > 5)
		return 0;
	fuzz_own_begin();
	fixture_init(&f);
	c = data[0] == 3 ? fixture_client_ik(&f, f.server_static.pub, &client_hello)
	                 : fixture_client(&f);
	fuzz_own_end();
	if (data[0] == 0 || data[0] == 3) {
		finish(&f, c, data + 1, size - 1);
		c = NULL;
	} else if (data[0] == 1) {
		verify(&f, data + 1, size - 1);
	} else if (size < 32768) {
		sealed(&f, data[0], data + 1, size - 1);
	}
	wa_noise_client_free(c);
	buf_free(&client_hello);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	static const ProtobufCMessageDescriptor *const schemas[] = {
		&wa__handshake_message__descriptor, &wa__cert_chain__descriptor,
		&wa__cert_chain__descriptor,        &wa__handshake_message__descriptor,
		&wa__cert_chain__descriptor,        &wa__cert_chain__descriptor,
	};
	size_t kind = size < 2 ? ARRAY_LEN(schemas) : data[0];

	if (kind >= ARRAY_LEN(schemas) || schemas[kind] == NULL)
		return false;
	mut_put(out, data, 1);
	mut_pb(m, schemas[kind], data + 1, size - 1, out);
	return true;
}
