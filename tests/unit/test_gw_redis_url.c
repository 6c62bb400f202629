/* tests/unit/test_gw_redis_url.c - the setting redis_url: what is understood, what is refused */
#include "gw_test.h"

#include <errno.h>

#include "gateway/limit/gw_redis_url.h"

static void test_forms_that_are_understood(void **state)
{
	static const struct {
		const char *url, *host, *path, *user, *password;
		uint16_t port;
		uint32_t db;
	} good[] = {
		{ "redis://localhost", "localhost", "", "", "", 6379, 0 },
		{ "redis://localhost/", "localhost", "", "", "", 6379, 0 },
		{ "redis://127.0.0.1:7000/3", "127.0.0.1", "", "", "", 7000, 3 },
		{ "redis://[::1]/15", "::1", "", "", "", 6379, 15 },
		{ "redis://[2001:db8::1]:1", "2001:db8::1", "", "", "", 1, 0 },
		{ "redis://:secret@redis.internal:6380/0", "redis.internal", "", "", "secret", 6380,
		  0 },
		{ "redis://warden:s%40cr%2Fet%25@h/1", "h", "", "warden", "s@cr/et%", 6379, 1 },
		{ "redis://:a@b:c@h", "h", "", "", "a@b:c", 6379, 0 },
		{ "redis://warden@h", "h", "", "warden", "", 6379, 0 },
		{ "unix:/run/redis.sock", "", "/run/redis.sock", "", "", 0, 0 },
		{ "unix:///run/redis.sock", "", "/run/redis.sock", "", "", 0, 0 },
		{ "unix:/run/redis.sock?db=2", "", "/run/redis.sock", "", "", 0, 2 },
		{ "unix:/r%3F?user=w&password=a%26b&db=7", "", "/r?", "w", "a&b", 0, 7 },
	};
	struct gw_redis_target t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (gw_redis_url_parse(good[i].url, &t) != 0)
			fail_msg("%s", good[i].url);
		assert_string_equal(t.host, good[i].host);
		assert_string_equal(t.path, good[i].path);
		assert_string_equal(t.user, good[i].user);
		assert_string_equal(t.password, good[i].password);
		assert_int_equal(t.port, good[i].port);
		assert_int_equal(t.db, good[i].db);
	}
}

static void test_everything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"localhost:6379",
		"rediss://localhost",
		"http://localhost",
		"redis:localhost",
		"redis://",
		"redis:///1",
		"redis://:p@",
		"redis://h:0",
		"redis://h:65536",
		"redis://h:x",
		"redis://h:",
		"redis://h/x",
		"redis://h/1/2",
		"redis://h/65536",
		"redis://h?db=1",
		"redis://h h",
		"redis://[::1",
		"redis://[::1]6379",
		"redis://[host]",
		"redis://[]",
		"redis://:%@h",
		"redis://:%4@h",
		"redis://:%zz@h",
		"redis://:a%00b@h",
		"redis://:a%0d%0aFLUSHALL@h",
		"unix:",
		"unix:/",
		"unix:relative",
		"unix:/p?",
		"unix:/p?db",
		"unix:/p?db=",
		"unix:/p?db=x",
		"unix:/p?DB=1",
		"unix:/p?timeout=1",
		"unix:/p?db=1&",
	};
	char longer[4096];
	struct gw_redis_target t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (gw_redis_url_parse(bad[i], &t) != -EINVAL)
			fail_msg("%s", bad[i]);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer, "redis://", 8);
	assert_int_equal(gw_redis_url_parse(longer, &t), -EINVAL);
	longer[300] = '\0';
	assert_int_equal(gw_redis_url_parse(longer, &t), -EINVAL);
	memcpy(longer, "unix:/aa", 8);
	assert_int_equal(gw_redis_url_parse(longer, &t), -EINVAL);
}

static int read_password(const char *dir, const void *text, size_t len, struct gw_redis_target *t)
{
	char path[TEST_DIR_CAP + 16];
	FILE *f;

	snprintf(path, sizeof(path), "%s/password", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return gw_redis_password_read(path, t);
}

static void test_password_from_a_file(void **state)
{
	struct gw_redis_target t = { .password = "from the URL" };
	char dir[TEST_DIR_CAP], longer[600];

	(void)state;
	test_dir_make(dir);
	assert_int_equal(gw_redis_password_read("/nonexistent/x", &t), -ENOENT);
	assert_int_equal(read_password(dir, "", 0, &t), -EINVAL);
	assert_int_equal(read_password(dir, "\n", 1, &t), -EINVAL);
	assert_int_equal(read_password(dir, "a\nb\n", 4, &t), -EINVAL);
	assert_int_equal(read_password(dir, "a\0b", 3, &t), -EINVAL);
	memset(longer, 'x', sizeof(longer));
	assert_int_equal(read_password(dir, longer, 513, &t), -EINVAL);
	assert_int_equal(read_password(dir, longer, sizeof(longer), &t), -EINVAL);
	assert_string_equal(t.password, "from the URL"); /* nothing of these was taken */
	assert_int_equal(read_password(dir, longer, 512, &t), 0);
	assert_int_equal(strlen(t.password), 512);
	assert_int_equal(read_password(dir, "p@ss word\r\n", 11, &t), 0);
	assert_string_equal(t.password, "p@ss word");
	gw_redis_target_wipe(&t);
	assert_string_equal(t.password, "");
	test_dir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms_that_are_understood),
		cmocka_unit_test(test_everything_else_is_refused),
		cmocka_unit_test(test_password_from_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
