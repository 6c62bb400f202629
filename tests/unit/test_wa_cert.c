/* tests/unit/test_wa_cert.c - the certificate chain: one test case for each single thing wrong */
#include "test.h"

#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/pb_guard.h"
#include "wa_fixture.h"
#include "wa_vectors.h"

/* ---- what can be wrong --------------------------------------------------------------------------
 */

static void flip_inter_sig(Wa__CertChain *c)
{
	c->intermediate->signature.data[5] ^= 1;
}

static void flip_leaf_sig(Wa__CertChain *c)
{
	c->leaf->signature.data[5] ^= 1;
}

static void flip_inter_details(Wa__CertChain *c)
{
	c->intermediate->details.data[1] ^= 4; /* the serial: 3 becomes 7 */
}

static void flip_leaf_details(Wa__CertChain *c)
{
	c->leaf->details.data[1] ^= 4;
}

static void drop_leaf(Wa__CertChain *c)
{
	c->leaf = NULL;
}

static void drop_inter(Wa__CertChain *c)
{
	c->intermediate = NULL;
}

static void swap_certs(Wa__CertChain *c)
{
	Wa__NoiseCertificate *leaf = c->leaf;

	c->leaf = c->intermediate;
	c->intermediate = leaf;
}

static void drop_leaf_details(Wa__CertChain *c)
{
	c->leaf->has_details = 0;
}

static void empty_leaf_details(Wa__CertChain *c)
{
	c->leaf->details.len = 0;
}

static void drop_leaf_sig(Wa__CertChain *c)
{
	c->leaf->has_signature = 0;
}

static void short_leaf_sig(Wa__CertChain *c)
{
	c->leaf->signature.len = WA_SIG_LEN - 1;
}

static void long_leaf_sig(Wa__CertChain *c)
{
	c->leaf->signature.len = WA_SIG_LEN + 1;
}

static void drop_inter_details(Wa__CertChain *c)
{
	c->intermediate->has_details = 0;
}

static void empty_inter_details(Wa__CertChain *c)
{
	c->intermediate->details.len = 0;
}

static void drop_inter_sig(Wa__CertChain *c)
{
	c->intermediate->has_signature = 0;
}

static void short_inter_sig(Wa__CertChain *c)
{
	c->intermediate->signature.len = WA_SIG_LEN - 1;
}

static void long_inter_sig(Wa__CertChain *c)
{
	c->intermediate->signature.len = WA_SIG_LEN + 1;
}

static void inter_by_other_root(struct chain_spec *s)
{
	fixture_key(0x99, &s->inter_signer);
}

static void leaf_by_other_key(struct chain_spec *s)
{
	fixture_key(0x99, &s->leaf_signer);
}

static void leaf_by_root(struct chain_spec *s)
{
	s->leaf_signer = s->inter_signer;
}

static void inter_issuer(struct chain_spec *s)
{
	s->inter.issuer_serial = 1;
}

static void leaf_issuer(struct chain_spec *s)
{
	s->leaf.issuer_serial = 4;
}

static void leaf_issuer_missing(struct chain_spec *s)
{
	s->leaf.has_issuer_serial = 0;
}

static void inter_serial(struct chain_spec *s)
{
	s->inter.serial = 4;
}

static void inter_serial_missing(struct chain_spec *s)
{
	s->inter.has_serial = 0;
}

static void leaf_key_other(struct chain_spec *s)
{
	s->leaf_key[31] ^= 1;
}

static void leaf_key_missing(struct chain_spec *s)
{
	s->leaf.has_key = 0;
}

static void leaf_key_short(struct chain_spec *s)
{
	s->leaf.key.len = WA_KEY_LEN - 1;
}

static void leaf_key_long(struct chain_spec *s)
{
	s->leaf.key.len = WA_KEY_LEN + 1;
}

static void inter_key_missing(struct chain_spec *s)
{
	s->inter.has_key = 0;
}

static void inter_key_short(struct chain_spec *s)
{
	s->inter.key.len = WA_KEY_LEN - 1;
}

static void inter_key_long(struct chain_spec *s)
{
	s->inter.key.len = WA_KEY_LEN + 1;
}

static void inter_too_early(struct chain_spec *s)
{
	s->inter.not_before = FIXTURE_NOW + 1;
}

static void inter_expired(struct chain_spec *s)
{
	s->inter.not_after = FIXTURE_NOW - 1;
}

static void leaf_too_early(struct chain_spec *s)
{
	s->leaf.not_before = FIXTURE_NOW + 1;
}

static void leaf_expired(struct chain_spec *s)
{
	s->leaf.not_after = FIXTURE_NOW - 1;
}

static void inter_not_before_missing(struct chain_spec *s)
{
	s->inter.has_not_before = 0;
}

static void inter_not_after_missing(struct chain_spec *s)
{
	s->inter.has_not_after = 0;
}

static void leaf_not_before_missing(struct chain_spec *s)
{
	s->leaf.has_not_before = 0;
}

static void leaf_not_after_missing(struct chain_spec *s)
{
	s->leaf.has_not_after = 0;
}

static const struct wrong {
	const char *why;
	void (*spec)(struct chain_spec *s);   /* before signing */
	void (*packed)(Wa__CertChain *chain); /* after */
} wrongs[] = {
	{ "intermediate signature", NULL, flip_inter_sig },
	{ "intermediate signature", NULL, flip_inter_details },
	{ "intermediate signature", inter_by_other_root, NULL },
	{ "intermediate signature", NULL, swap_certs },
	{ "leaf signature", NULL, flip_leaf_sig },
	{ "leaf signature", NULL, flip_leaf_details },
	{ "leaf signature", leaf_by_other_key, NULL },
	{ "leaf signature", leaf_by_root, NULL },
	{ "intermediate issuer serial", inter_issuer, NULL },
	{ "leaf issuer serial", leaf_issuer, NULL },
	{ "leaf issuer serial", leaf_issuer_missing, NULL },
	{ "leaf issuer serial", inter_serial, NULL },
	{ "leaf issuer serial", inter_serial_missing, NULL },
	{ "leaf key is not the server's", leaf_key_other, NULL },
	{ "leaf details", leaf_key_missing, NULL },
	{ "leaf details", leaf_key_short, NULL },
	{ "leaf details", leaf_key_long, NULL },
	{ "leaf details", leaf_not_before_missing, NULL },
	{ "leaf details", leaf_not_after_missing, NULL },
	{ "intermediate details", inter_key_missing, NULL },
	{ "intermediate details", inter_key_short, NULL },
	{ "intermediate details", inter_key_long, NULL },
	{ "intermediate details", inter_not_before_missing, NULL },
	{ "intermediate details", inter_not_after_missing, NULL },
	{ "intermediate not valid yet", inter_too_early, NULL },
	{ "intermediate expired", inter_expired, NULL },
	{ "leaf not valid yet", leaf_too_early, NULL },
	{ "leaf expired", leaf_expired, NULL },
	{ "leaf missing", NULL, drop_leaf },
	{ "intermediate missing", NULL, drop_inter },
	{ "leaf incomplete", NULL, drop_leaf_details },
	{ "leaf incomplete", NULL, empty_leaf_details },
	{ "leaf incomplete", NULL, drop_leaf_sig },
	{ "leaf incomplete", NULL, short_leaf_sig },
	{ "leaf incomplete", NULL, long_leaf_sig },
	{ "intermediate incomplete", NULL, drop_inter_details },
	{ "intermediate incomplete", NULL, empty_inter_details },
	{ "intermediate incomplete", NULL, drop_inter_sig },
	{ "intermediate incomplete", NULL, short_inter_sig },
	{ "intermediate incomplete", NULL, long_inter_sig },
};

/* ---- tests --------------------------------------------------------------------------------------
 */

static void make_chain(const struct fixture *f, const struct wrong *w, struct buf *out)
{
	struct chain_spec spec;

	fixture_chain_spec(f, &spec);
	if (w != NULL && w->spec != NULL)
		w->spec(&spec);
	if (w != NULL)
		spec.change = w->packed;
	fixture_chain_pack(&spec, out);
}

static int verify_at(const struct fixture *f, const struct buf *chain, int64_t now_unix_s,
                     const char **why)
{
	return wa_cert_verify(chain->p, chain->len, &f->root, f->server_static.pub, now_unix_s,
	                      NULL, why);
}

static void test_valid_chain_is_accepted(void **state)
{
	struct buf chain = { 0 };
	const char *why = "unset";
	struct fixture f;

	(void)state;
	fixture_init(&f);
	make_chain(&f, NULL, &chain);
	assert_int_equal(verify_at(&f, &chain, FIXTURE_NOW, &why), 0);
	assert_null(why);
	assert_int_equal(verify_at(&f, &chain, FIXTURE_NOW, NULL), 0);
	buf_free(&chain);
}

/* The real server writes the zero; a parser must do without. */
static void test_issuer_serial_of_the_root_may_be_left_out(void **state)
{
	struct buf chain = { 0 };
	struct chain_spec spec;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_chain_spec(&f, &spec);
	spec.inter.has_issuer_serial = 0;
	fixture_chain_pack(&spec, &chain);
	assert_int_equal(verify_at(&f, &chain, FIXTURE_NOW, NULL), 0);
	buf_free(&chain);
}

static void test_validity_includes_both_ends(void **state)
{
	struct buf chain = { 0 };
	const char *why;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	make_chain(&f, NULL, &chain);
	assert_int_equal(verify_at(&f, &chain, FIXTURE_NOT_BEFORE, &why), 0);
	assert_int_equal(verify_at(&f, &chain, FIXTURE_NOT_AFTER, &why), 0);
	assert_int_equal(verify_at(&f, &chain, FIXTURE_NOT_BEFORE - 1, &why), WA_ECERT);
	assert_int_equal(verify_at(&f, &chain, FIXTURE_NOT_AFTER + 1, &why), WA_ECERT);
	assert_int_equal(verify_at(&f, &chain, -1, &why), WA_ECERT);
	assert_int_equal(verify_at(&f, &chain, INT64_MIN, &why), WA_ECERT);
	buf_free(&chain);
}

static void test_each_single_thing_wrong_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		struct buf chain = { 0 };
		const char *why = NULL;

		make_chain(&f, &wrongs[i], &chain);
		if (verify_at(&f, &chain, FIXTURE_NOW, &why) != WA_ECERT)
			fail_msg("case %zu accepted (%s)", i, wrongs[i].why);
		assert_string_equal(why, wrongs[i].why);
		buf_free(&chain);
	}
}

static void assert_finish_refused(const struct fixture *f, const struct buf *chain,
                                  const char *want)
{
	struct wa_noise_client *c = fixture_client(f);
	struct buf hello = { 0 }, out = { 0 };
	struct wa_transport t = { 0 }, zero = { 0 };
	const char *why = NULL;

	fixture_server_hello(f, chain->p, chain->len, &hello);
	assert_int_equal(buf_append(&out, "before", 6), 0);
	assert_int_equal(wa_noise_client_finish(c, hello.p, hello.len, "payload", 7, FIXTURE_NOW,
	                                        &out, &t, NULL, &why),
	                 WA_ECERT);
	assert_string_equal(why, want);
	assert_int_equal(out.len, 6); /* no ClientFinish */
	assert_memory_equal(&t, &zero, sizeof(t));
	assert_int_equal(wa_noise_client_finish(c, hello.p, hello.len, "payload", 7, FIXTURE_NOW,
	                                        &out, &t, NULL, &why),
	                 WA_ESTATE);
	assert_int_equal(out.len, 6);
	buf_free(&hello);
	buf_free(&out);
	wa_noise_client_free(c);
}

static void test_no_client_finish_for_a_wrong_certificate(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		struct buf chain = { 0 };

		make_chain(&f, &wrongs[i], &chain);
		assert_finish_refused(&f, &chain, wrongs[i].why);
		buf_free(&chain);
	}
}

static void test_no_client_finish_under_another_root(void **state)
{
	struct buf chain = { 0 };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	make_chain(&f, NULL, &chain);
	f.root = wa_root_whatsapp;
	assert_finish_refused(&f, &chain, "intermediate signature");
	memcpy(f.root.key, f.root_kp.pub, WA_KEY_LEN);
	f.root.serial = 1;
	assert_finish_refused(&f, &chain, "intermediate issuer serial");
	buf_free(&chain);
}

/* Validity ends with the certificate that ends first. */
static void test_end_of_validity(void **state)
{
	const uint64_t ends[][2] = {
		{ FIXTURE_NOW + 7, FIXTURE_NOW + 9 },
		{ FIXTURE_NOW + 9, FIXTURE_NOW + 7 },
		{ UINT64_MAX, FIXTURE_NOW + 7 },
		{ UINT64_MAX, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct chain_spec spec;
		struct buf chain = { 0 };
		int64_t until = -1;
		struct fixture f;

		fixture_init(&f);
		fixture_chain_spec(&f, &spec);
		spec.inter.not_after = ends[i][0];
		spec.leaf.not_after = ends[i][1];
		fixture_chain_pack(&spec, &chain);
		assert_int_equal(wa_cert_verify(chain.p, chain.len, &f.root, f.server_static.pub,
		                                FIXTURE_NOW, &until, NULL),
		                 0);
		assert_int_equal(until, i == 3 ? INT64_MAX : FIXTURE_NOW + 7);
		buf_free(&chain);
	}
}

static void test_chain_of_another_server_is_refused(void **state)
{
	struct buf chain = { 0 };
	const char *why = NULL;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	make_chain(&f, NULL, &chain);
	assert_int_equal(wa_cert_verify(chain.p, chain.len, &f.root, f.server_ephemeral.pub,
	                                FIXTURE_NOW, NULL, &why),
	                 WA_ECERT);
	assert_string_equal(why, "leaf key is not the server's");
	buf_free(&chain);
}

static void test_truncated_chain_is_refused(void **state)
{
	struct buf chain = { 0 };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	make_chain(&f, NULL, &chain);
	for (size_t n = 0; n < chain.len; n++)
		assert_int_equal(wa_cert_verify(chain.p, n, &f.root, f.server_static.pub,
		                                FIXTURE_NOW, NULL, NULL),
		                 WA_ECERT);
	buf_free(&chain);
}

static void test_every_changed_bit_is_refused_or_harmless(void **state)
{
	struct buf chain = { 0 };
	struct fixture f;
	unsigned accepted = 0;

	(void)state;
	fixture_init(&f);
	make_chain(&f, NULL, &chain);
	for (size_t bit = 0; bit < 8 * chain.len; bit += 3) {
		chain.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		accepted += verify_at(&f, &chain, FIXTURE_NOW, NULL) == 0;
		chain.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(accepted, 0);
	buf_free(&chain);
}

static void assert_details(const json_t *o, const Wa__NoiseCertificate *c)
{
	const struct pb_limits *limits = &pb_limits_small;
	Wa__NoiseCertificateDetails *d;
	ProtobufCMessage *base = NULL;

	vec_assert_hex(o, "details", c->details.data, c->details.len);
	vec_assert_hex(o, "signature", c->signature.data, c->signature.len);
	assert_int_equal(pb_unpack(&wa__noise_certificate_details__descriptor, c->details.data,
	                           c->details.len, limits, &base),
	                 0);
	d = (Wa__NoiseCertificateDetails *)base;
	assert_int_equal(d->serial, json_integer_value(vec_get(o, "serial")));
	assert_int_equal(d->issuer_serial, json_integer_value(vec_get(o, "issuerSerial")));
	assert_int_equal(d->not_before, json_integer_value(vec_get(o, "notBefore")));
	assert_int_equal(d->not_after, json_integer_value(vec_get(o, "notAfter")));
	vec_assert_hex(o, "key", d->key.data, d->key.len);
	pb_free(base);
}

static void test_captured_production_chain_verifies(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *v = vec_get(root, "production_certificate_chain");
	const json_t *leaf = vec_get(v, "leaf");
	int64_t from = json_integer_value(vec_get(leaf, "notBefore"));
	int64_t to = json_integer_value(vec_get(leaf, "notAfter"));
	ProtobufCMessage *msg = NULL;
	uint8_t leaf_key[WA_KEY_LEN];
	struct buf chain = { 0 };
	int64_t until = 0;
	const char *why;

	(void)state;
	vec_assert_hex(v, "root_public_key", wa_root_whatsapp.key, WA_KEY_LEN);
	assert_int_equal(wa_root_whatsapp.serial, json_integer_value(vec_get(v, "root_serial")));
	vec_hex(v, "chain", &chain);
	vec_fixed(leaf, "key", leaf_key, sizeof(leaf_key));
	assert_int_equal(
	    pb_unpack(&wa__cert_chain__descriptor, chain.p, chain.len, &pb_limits_small, &msg), 0);
	assert_details(leaf, ((Wa__CertChain *)msg)->leaf);
	assert_details(vec_get(v, "intermediate"), ((Wa__CertChain *)msg)->intermediate);
	pb_free(msg);

	assert_int_equal(
	    wa_cert_verify(chain.p, chain.len, &wa_root_whatsapp, leaf_key, from, &until, &why), 0);
	assert_int_equal(
	    wa_cert_verify(chain.p, chain.len, &wa_root_whatsapp, leaf_key, to, NULL, &why), 0);
	assert_int_equal(
	    wa_cert_verify(chain.p, chain.len, &wa_root_whatsapp, leaf_key, to + 1, &until, &why),
	    WA_ECERT);
	assert_string_equal(why, "leaf expired");
	assert_int_equal(until, to); /* and nothing after the failure */
	buf_free(&chain);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_chain_is_accepted),
		cmocka_unit_test(test_issuer_serial_of_the_root_may_be_left_out),
		cmocka_unit_test(test_validity_includes_both_ends),
		cmocka_unit_test(test_each_single_thing_wrong_is_refused),
		cmocka_unit_test(test_no_client_finish_for_a_wrong_certificate),
		cmocka_unit_test(test_no_client_finish_under_another_root),
		cmocka_unit_test(test_end_of_validity),
		cmocka_unit_test(test_chain_of_another_server_is_refused),
		cmocka_unit_test(test_truncated_chain_is_refused),
		cmocka_unit_test(test_every_changed_bit_is_refused_or_harmless),
		cmocka_unit_test(test_captured_production_chain_verifies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
