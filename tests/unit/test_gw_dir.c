/* tests/unit/test_gw_dir.c - making and removing directories */
#include "gw_test.h"

#include <errno.h>
#include <sys/stat.h>

static void test_make_creates_missing_parents(void **state)
{
	char dir[TEST_DIR_CAP], path[128];
	struct stat st;

	(void)state;
	test_dir_make(dir);
	snprintf(path, sizeof(path), "%s/a/b/c", dir);
	assert_int_equal(gw_dir_make(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(path, sizeof(path), "%s/a/b", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0711); /* to be passed, not to be listed */
	assert_int_equal(gw_dir_make(path), 0);    /* there already */
	test_dir_remove(dir);
}

static void test_make_refuses_a_file_in_the_way(void **state)
{
	char dir[TEST_DIR_CAP], path[128];

	(void)state;
	test_dir_make(dir);
	snprintf(path, sizeof(path), "%s/f", dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(gw_dir_make(path), -ENOTDIR);
	snprintf(path, sizeof(path), "%s/f/below", dir);
	assert_int_equal(gw_dir_make(path), -ENOTDIR);
	test_dir_remove(dir);
}

static void test_remove_takes_everything_but_follows_no_link(void **state)
{
	char dir[TEST_DIR_CAP], other[TEST_DIR_CAP], path[128], kept[128];

	(void)state;
	test_dir_make(dir);
	test_dir_make(other);
	snprintf(kept, sizeof(kept), "%s/kept", other);
	close(open(kept, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	snprintf(path, sizeof(path), "%s/x/y", dir);
	assert_int_equal(gw_dir_make(path), 0);
	snprintf(path, sizeof(path), "%s/x/link", dir);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(gw_dir_remove(AT_FDCWD, dir), 0);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(access(kept, F_OK), 0);
	assert_int_equal(gw_dir_remove(AT_FDCWD, dir), 0); /* gone already */
	assert_int_equal(symlink(other, dir), 0);
	assert_true(gw_dir_remove(AT_FDCWD, dir) < 0);
	assert_int_equal(access(kept, F_OK), 0);
	assert_int_equal(unlink(dir), 0);
	test_dir_remove(other);
}

static void test_remove_enters_sixteen_levels(void **state)
{
	char dir[TEST_DIR_CAP], path[512];
	size_t n;

	(void)state;
	test_dir_make(dir);
	n = (size_t)snprintf(path, sizeof(path), "%s", dir);
	for (int i = 0; i < 20; i++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "/d");
	assert_int_equal(gw_dir_make(path), 0);
	assert_int_equal(gw_dir_remove(AT_FDCWD, dir), -ELOOP);
	snprintf(path, sizeof(path), "%s/d/d/d/d/d", dir);
	assert_int_equal(gw_dir_remove(AT_FDCWD, path), 0);
	test_dir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make_creates_missing_parents),
		cmocka_unit_test(test_make_refuses_a_file_in_the_way),
		cmocka_unit_test(test_remove_takes_everything_but_follows_no_link),
		cmocka_unit_test(test_remove_enters_sixteen_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
