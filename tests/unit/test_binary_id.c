/* tests/unit/test_binary_id.c - the same file is the same program, another one is another */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/binary_id.h"

static int file_with(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void test_a_replaced_file_has_another_id(void **state)
{
	char dir[] = "/tmp/binary-id-XXXXXX", path[64], next[64];
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	int old, new, again;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/a", dir);
	(void)snprintf(next, sizeof(next), "%s/b", dir);
	old = file_with(path, "one");
	again = open(path, O_RDONLY);
	assert_true(binary_id_of_fd(old) != 0);
	assert_true(binary_id_of_fd(old) == binary_id_of_fd(again));
	new = file_with(next, "two"); /* as long, and as old: another file all the same */
	assert_int_equal(futimens(old, times), 0);
	assert_int_equal(futimens(new, times), 0);
	assert_int_equal(rename(next, path), 0);
	assert_true(binary_id_of_fd(new) != binary_id_of_fd(old));
	times[1].tv_nsec = 1; /* written to in place */
	uint64_t before = binary_id_of_fd(new);
	assert_int_equal(futimens(new, times), 0);
	assert_true(binary_id_of_fd(new) != before);
	(void)close(old);
	(void)close(new);
	(void)close(again);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_our_own_is_that_of_our_file(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	(void)state;
	assert_true(binary_id_own() != 0);
	assert_true(binary_id_own() == binary_id_of_fd(fd));
	(void)close(fd);
	assert_true(binary_id_of_fd(-1) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_replaced_file_has_another_id),
		cmocka_unit_test(test_our_own_is_that_of_our_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
