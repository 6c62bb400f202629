/* tests/unit/test_sim_media.c - the media host's files: encrypted as the notes say, kept once */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "simulator/media/sim_media.h"
#include "simulator/media/sim_media_fault.h"
#include "wa_vectors.h"
#include "worker/wa/history/wa_media.h"

static struct sim_media *fresh(void)
{
	const uint64_t seed = 7;
	struct sim_rand rnd;
	struct sim_media *m = NULL;

	assert_int_equal(sim_rand_init(&rnd, &seed), 0);
	assert_int_equal(sim_media_new(&rnd, &m), 0);
	return m;
}

static enum sim_media_kind kind_of(const char *info)
{
	static const char *const infos[] = {
#define X(id, word, hkdf_info, mms, folder) [id] = hkdf_info,
		SIM_MEDIA_KIND_LIST(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
		if (strcmp(infos[i], info) == 0)
			return (enum sim_media_kind)i;
	}
	fail_msg("no kind for %s", info);
	return SIM_MEDIA_IMAGE;
}

static void check_vector(const json_t *c, const char *plaintext, const char *stored)
{
	enum sim_media_kind kind = kind_of(vec_str(c, "hkdf_info"));
	struct buf plain = { 0 }, out = { 0 }, back = { 0 };
	uint8_t key[SIM_MEDIA_KEY_LEN];

	vec_fixed(c, "media_key", key, sizeof(key));
	vec_hex(c, plaintext, &plain);
	assert_int_equal(sim_media_seal(key, kind, SIM_FLAW_FILE_NONE, plain.p, plain.len, &out),
	                 0);
	vec_assert_hex(c, stored, out.p, out.len);
	assert_int_equal(sim_media_unseal(key, kind, out.p, out.len, &back), 0);
	assert_int_equal(back.len, plain.len);
	out.p[0] ^= 1;
	assert_int_equal(sim_media_unseal(key, kind, out.p, out.len, &back), WA_EAUTH);
	buf_free(&plain);
	buf_free(&out);
	buf_free(&back);
}

static void test_the_vectors(void **state)
{
	json_t *all = vec_load("messaging.json");
	const json_t *cases = vec_get(vec_get(all, "media"), "cases");

	(void)state;
	assert_true(json_array_size(cases) > 0);
	for (size_t i = 0; i < json_array_size(cases); i++)
		check_vector(json_array_get(cases, i), "plaintext", "enc_file");
	check_vector(vec_get(vec_get(all, "history_sync"), "external"), "zlib", "blob");
	json_decref(all);
}

/* Each flaw is noticed by the client's own code, with the code that belongs to it. */
static void test_what_a_client_says_to_flaws(void **state)
{
	static const struct {
		const char *flaw;
		int rc;
	} cases[] = {
		{ "none", 0 },           { "mac", WA_EAUTH },        { "ciphertext", WA_EAUTH },
		{ "sha256", WA_EAUTH },  { "encSha256", WA_EAUTH },  { "padding", WA_EPROTO },
		{ "length", WA_EPROTO }, { "truncated", WA_ETRUNC }, { "key", WA_EAUTH },
	};
	struct sim_media *m = fresh();
	struct buf content = { 0 };

	(void)state;
	assert_int_equal(sim_media_make(SIM_MEDIA_IMAGE, 1, 5000, &content), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum sim_media_flaw flaw = SIM_FLAW_FILE_NONE;
		struct wa_media_expect expect = { .has_len = true, .len_max = 1 << 20 };
		struct sim_media_file f;
		struct sim_media_blob *b;
		struct buf back = { 0 };
		int rc;

		assert_true(sim_media_flaw_find(cases[i].flaw, &flaw));
		assert_int_equal(
		    sim_media_put(m, SIM_MEDIA_IMAGE, flaw, content.p, content.len, &f), 0);
		b = sim_media_find(m, f.direct_path, strcspn(f.direct_path, "?"));
		assert_non_null(b);
		expect.enc_sha256 = f.enc_sha256;
		expect.sha256 = f.sha256;
		expect.len = f.len;
		rc =
		    wa_media_decrypt(f.key, WA_MEDIA_IMAGE, &expect, b->data.p, b->data.len, &back);
		if (rc != cases[i].rc)
			fail_msg("%s: %d", cases[i].flaw, rc);
		if (rc == 0)
			assert_memory_equal(back.p, content.p, content.len);
		buf_free(&back);
	}
	buf_free(&content);
	sim_media_free(m);
}

static void test_same_bytes_are_kept_once(void **state)
{
	struct sim_media *m = fresh();
	struct sim_media_blob *a, *b, *c;
	char old[SIM_MEDIA_PATH_CAP];

	(void)state;
	assert_int_equal(sim_media_store(m, SIM_MEDIA_IMAGE, "abc", 3, &a), 0);
	assert_int_equal(sim_media_store(m, SIM_MEDIA_IMAGE, "abc", 3, &b), 0);
	assert_int_equal(sim_media_store(m, SIM_MEDIA_IMAGE, "abd", 3, &c), 0);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_int_equal(sim_media_count(m), 2);
	assert_int_equal(sim_media_bytes(m), 6);
	sim_media_hold(a);
	sim_media_drop(m, a);
	assert_int_equal(sim_media_count(m), 1);
	assert_memory_equal(a->data.p, "abc", 3); /* still held */
	sim_media_release(a);
	assert_ptr_equal(sim_media_find_number(m, c->number), c);
	memcpy(old, c->path, sizeof(old));
	assert_int_equal(sim_media_move(m, c), 0);
	assert_null(sim_media_find(m, old, strlen(old)));
	assert_ptr_equal(sim_media_find(m, c->path, strlen(c->path)), c);
	assert_ptr_equal(sim_media_find_hash(m, c->enc_sha256), c);
	sim_media_free(m);
}

static int make_it(const char *path, struct buf *out, void *arg)
{
	(void)arg;
	return strcmp(path, SIM_MEDIA_SOURCE_PREFIX "1") == 0 ? buf_append_str(out, "made")
	                                                      : -ENOENT;
}

static void test_a_source_makes_what_is_not_kept(void **state)
{
	static const char path[] = SIM_MEDIA_SOURCE_PREFIX "1";
	struct sim_media *m = fresh();
	struct sim_media_blob *b;

	(void)state;
	assert_null(sim_media_find(m, path, strlen(path)));
	sim_media_set_source(m, make_it, NULL);
	b = sim_media_find(m, path, strlen(path));
	assert_non_null(b);
	sim_media_hold(b);
	assert_memory_equal(b->data.p, "made", 4);
	sim_media_release(b);
	assert_int_equal(sim_media_count(m), 0);
	assert_null(sim_media_find(m, SIM_MEDIA_SOURCE_PREFIX "2", strlen(path)));
	sim_media_free(m);
}

static void test_tokens(void **state)
{
	char one[SIM_MEDIA_AUTH_CAP], two[SIM_MEDIA_AUTH_CAP];
	struct sim_media *m = fresh();

	(void)state;
	assert_int_equal(sim_media_auth(m, one), 0);
	assert_true(sim_media_auth_ok(m, one, strlen(one)));
	assert_false(sim_media_auth_ok(m, one, strlen(one) - 1));
	sim_media_auth_revoke(m);
	assert_false(sim_media_auth_ok(m, one, strlen(one)));
	assert_int_equal(sim_media_auth(m, two), 0);
	assert_true(sim_media_auth_ok(m, two, strlen(two)));
	two[20] = two[20] == '0' ? '1' : '0';
	assert_false(sim_media_auth_ok(m, two, strlen(two)));
	sim_media_free(m);
}

static void test_faults_count_what_fits(void **state)
{
	const struct sim_media_match match = {
		.part = "md-msg-hist", .method = SIM_HTTP_GET, .nth = 2, .times = 1
	};
	const struct sim_media_fault fault = { .kind = SIM_MF_STATUS, .code = 410 };
	struct sim_media_faults *f = NULL;
	uint32_t id;

	(void)state;
	assert_int_equal(sim_media_faults_new(&f), 0);
	assert_int_equal(sim_media_faults_add(f, &match, &fault, &id), 0);
	assert_int_equal(sim_media_faults_take(f, SIM_HTTP_GET, "/v/x?mms-type=md-msg-hist").kind,
	                 SIM_MF_NONE);
	assert_int_equal(sim_media_faults_take(f, SIM_HTTP_POST, "/v/x?mms-type=md-msg-hist").kind,
	                 SIM_MF_NONE);
	assert_int_equal(sim_media_faults_take(f, SIM_HTTP_GET, "/v/x?mms-type=image").kind,
	                 SIM_MF_NONE);
	assert_int_equal(sim_media_faults_take(f, SIM_HTTP_GET, "/v/x?mms-type=md-msg-hist").code,
	                 410);
	assert_int_equal(sim_media_faults_take(f, SIM_HTTP_GET, "/v/x?mms-type=md-msg-hist").kind,
	                 SIM_MF_NONE);
	sim_media_faults_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_vectors),
		cmocka_unit_test(test_what_a_client_says_to_flaws),
		cmocka_unit_test(test_same_bytes_are_kept_once),
		cmocka_unit_test(test_a_source_makes_what_is_not_kept),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_faults_count_what_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
