/* tests/unit/test_gw_master_key.c - the key at rest: found, made, checked against the registry */
#include "gw_test.h"

#include <errno.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/registry/gw_secrets.h"
#include "gateway/registry/gw_store.h"

struct fixture {
	char dir[TEST_DIR_CAP];
	char path[64]; /* data_dir/master.key */
	struct gw gw;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	unsetenv("CREDENTIALS_DIRECTORY");
	test_dir_make(f->dir);
	snprintf(f->path, sizeof(f->path), "%s/master.key", f->dir);
	f->gw.base = event_base_new();
	f->gw.cfg.data_dir = f->dir;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unsetenv("CREDENTIALS_DIRECTORY");
	event_base_free(f->gw.base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void write_key(const char *path, const void *data, size_t n)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, n, file), n);
	fclose(file);
	assert_int_equal(chmod(path, 0600), 0);
}

/* Two keys are the same when they give the same keys. */
static void fingerprint(const struct gw_master_key *k, struct sealed_key *out)
{
	assert_int_equal(gw_master_key_derive(k, "registry", 1, out), 0);
}

static void expect_same(struct gw_master_key *a, struct gw_master_key *b, bool same)
{
	struct sealed_key ka, kb;

	fingerprint(a, &ka);
	fingerprint(b, &kb);
	assert_int_equal(memcmp(ka.bytes, kb.bytes, sizeof(ka.bytes)) == 0, same);
}

static struct gw_master_key *load_ok(const struct fixture *f, const char *file, bool first)
{
	struct gw_master_key *k = NULL;

	assert_int_equal(gw_master_key_load(file, f->dir, first, &k), 0);
	return k;
}

static void test_the_first_start_makes_a_private_key_and_keeps_it(void **state)
{
	struct fixture *f = *state;
	struct gw_master_key *a, *b;
	struct stat st;

	a = load_ok(f, NULL, true);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 32);
	b = load_ok(f, NULL, false);
	expect_same(a, b, true);
	gw_master_key_free(b);
	b = load_ok(f, NULL, true); /* a first start that was cut short: the key that is there */
	expect_same(a, b, true);
	gw_master_key_free(a);
	gw_master_key_free(b);
}

static void test_a_key_that_is_missing_is_not_made_anew(void **state)
{
	struct fixture *f = *state;
	struct gw_master_key *k = NULL;

	assert_int_equal(gw_master_key_load(NULL, f->dir, false, &k), -ENOENT);
	assert_null(k);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(gw_master_key_load("/nonexistent/key", f->dir, true, &k), -ENOENT);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void test_bytes_and_hex_are_the_same_key(void **state)
{
	static const char hex[] =
	    "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\r\n";
	struct fixture *f = *state;
	struct gw_master_key *raw, *text;
	uint8_t bytes[32];
	char path[64];

	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	snprintf(path, sizeof(path), "%s/key", f->dir);
	write_key(path, bytes, sizeof(bytes));
	raw = load_ok(f, path, false);
	for (size_t n = 64; n <= 66; n++) { /* without, with half, with a whole line end */
		if (n == 65)
			continue;
		write_key(path, hex, n);
		text = load_ok(f, path, false);
		expect_same(raw, text, true);
		gw_master_key_free(text);
	}
	gw_master_key_free(raw);
}

static void test_a_file_of_another_size_or_not_hex_is_refused(void **state)
{
	static const char junk[] =
	    "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	    "zzzzzzzzzzzz";
	struct fixture *f = *state;
	struct gw_master_key *k = NULL;

	for (size_t n = 0; n < sizeof(junk); n++) {
		if (n == 32)
			continue; /* 32 bytes are a key, whatever they look like */
		write_key(f->path, junk, n);
		assert_int_equal(gw_master_key_load(NULL, f->dir, false, &k), -EINVAL);
	}
	assert_null(k);
}

static void test_a_file_that_others_could_read_or_change_is_refused(void **state)
{
	static const mode_t bad[] = { 0604, 0602, 0601, 0620, 0644, 0666 };
	static const mode_t good[] = { 0600, 0400, 0440, 0640 };
	struct fixture *f = *state;
	struct gw_master_key *k = NULL;

	write_key(f->path, "cccccccccccccccccccccccccccccccc", 32);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(chmod(f->path, bad[i]), 0);
		assert_int_equal(gw_master_key_load(NULL, f->dir, false, &k), -EPERM);
	}
	assert_null(k);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(chmod(f->path, good[i]), 0);
		gw_master_key_free(load_ok(f, NULL, false));
	}
	assert_null(gw_master_key_why_unsafe(S_IFREG | 0600, 0, 7));
	assert_null(gw_master_key_why_unsafe(S_IFREG | 0600, 7, 7));
	assert_non_null(gw_master_key_why_unsafe(S_IFREG | 0600, 8, 7));
}

static void
test_systemds_credential_goes_before_the_own_file_and_the_setting_before_both(void **state)
{
	struct fixture *f = *state;
	struct gw_master_key *own = load_ok(f, NULL, true), *credential, *set;
	char dir[64], path[80], file[64];

	snprintf(dir, sizeof(dir), "%s/credentials", f->dir);
	snprintf(path, sizeof(path), "%s/master_key", dir);
	snprintf(file, sizeof(file), "%s/elsewhere", f->dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	credential = load_ok(f, NULL, false); /* none of this name: the own one */
	expect_same(own, credential, true);
	gw_master_key_free(credential);
	write_key(path, "cccccccccccccccccccccccccccccccc", 32);
	write_key(file, "ffffffffffffffffffffffffffffffff", 32);
	credential = load_ok(f, NULL, false);
	set = load_ok(f, file, false);
	expect_same(own, credential, false);
	expect_same(set, credential, false);
	gw_master_key_free(own);
	gw_master_key_free(credential);
	gw_master_key_free(set);
}

static void test_each_owner_and_epoch_has_a_key_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct gw_master_key *k = load_ok(f, NULL, true);
	struct sealed_key a, b, c;

	assert_int_equal(gw_master_key_derive(k, "aaaaaaaaaaaaaaaa", 1, &a), 0);
	assert_int_equal(gw_master_key_derive(k, "bbbbbbbbbbbbbbbb", 1, &b), 0);
	assert_int_equal(gw_master_key_derive(k, "aaaaaaaaaaaaaaaa", 2, &c), 0);
	assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
	assert_memory_not_equal(a.bytes, c.bytes, sizeof(a.bytes));
	assert_int_equal(c.epoch, 2);
	gw_master_key_free(k);
	assert_int_equal(gw_master_key_derive(NULL, "registry", 1, &a), WA_ECRYPTO);
}

/* ---- against the registry --------------------------------------------------- */

static int start(struct fixture *f)
{
	int rc;

	assert_int_equal(gw_store_open(f->gw.base, f->dir, &f->gw.store), 0);
	rc = gw_secrets_start(&f->gw);
	gw_store_free(f->gw.store);
	gw_master_key_free(f->gw.master_key);
	f->gw.master_key = NULL;
	return rc;
}

static void test_a_registry_starts_with_its_own_key_again_and_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f), 0);
	assert_int_equal(access(f->path, F_OK), 0);
	assert_int_equal(start(f), 0);
}

static void test_a_registry_refuses_another_key(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f), 0);
	write_key(f->path, "not the key that it was before..", 32);
	assert_int_equal(start(f), WA_EAUTH);
}

static void test_a_registry_without_its_key_makes_no_new_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f), 0);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(start(f), -ENOENT);
	assert_int_equal(access(f->path, F_OK), -1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_first_start_makes_a_private_key_and_keeps_it),
		T(test_a_key_that_is_missing_is_not_made_anew),
		T(test_bytes_and_hex_are_the_same_key),
		T(test_a_file_of_another_size_or_not_hex_is_refused),
		T(test_a_file_that_others_could_read_or_change_is_refused),
		T(test_systemds_credential_goes_before_the_own_file_and_the_setting_before_both),
		T(test_each_owner_and_epoch_has_a_key_of_its_own),
		T(test_a_registry_starts_with_its_own_key_again_and_again),
		T(test_a_registry_refuses_another_key),
		T(test_a_registry_without_its_key_makes_no_new_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
