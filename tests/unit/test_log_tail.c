/* tests/unit/test_log_tail.c - the last log lines of a process, and what is no such thing */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log_tail.h"

#define FILE_LEN (16 + LOG_TAIL_LEN)

static char text[LOG_TAIL_LEN + 1];

static void put(struct log_tail *t, const char *line)
{
	log_tail_put(t, line, strlen(line));
}

static void test_lines_come_back_in_order(void **state)
{
	struct log_tail *t;
	int fd;

	(void)state;
	assert_int_equal(log_tail_new(&t, &fd), 0);
	assert_int_equal(log_tail_read(fd, text), 0);
	assert_string_equal(text, "");
	put(t, "one\n");
	put(t, "two\n");
	assert_int_equal(log_tail_read(fd, text), 0);
	assert_string_equal(text, "one\ntwo\n");
	log_tail_free(t);
	assert_int_equal(log_tail_read(fd, text), 0); /* who wrote it is gone */
	assert_string_equal(text, "one\ntwo\n");
	assert_int_equal(close(fd), 0);
}

/* Whatever the length of the lines: the newest that fit, whole. */
static void test_a_full_ring_keeps_the_newest_whole_lines(void **state)
{
	(void)state;
	for (size_t len = 2; len < 300; len += 7) {
		char line[304];
		struct log_tail *t;
		const char *p;
		unsigned last = 0;
		int fd;

		assert_int_equal(log_tail_new(&t, &fd), 0);
		for (unsigned i = 0; i < 5000; i++) {
			int n = snprintf(line, sizeof(line), "%05u", i);

			memset(line + n, '.', len);
			line[n + len] = '\n';
			log_tail_put(t, line, (size_t)n + len + 1);
		}
		assert_int_equal(log_tail_read(fd, text), 0);
		for (p = text; *p != '\0'; p = strchr(p, '\n') + 1) {
			unsigned number = 0;

			assert_int_equal(sscanf(p, "%5u.", &number), 1);
			assert_true(p == text || number == last + 1);
			assert_int_equal(strcspn(p, "\n"), 5 + len);
			last = number;
		}
		assert_int_equal(last, 4999);
		assert_true(strlen(text) > LOG_TAIL_LEN - 2 * (len + 6));
		log_tail_free(t);
		assert_int_equal(close(fd), 0);
	}
}

static void test_a_ring_that_is_exactly_full_loses_nothing(void **state)
{
	char line[LOG_TAIL_LEN / 2];
	struct log_tail *t;
	int fd;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[0] = 'a';
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(log_tail_new(&t, &fd), 0);
	log_tail_put(t, line, sizeof(line));
	log_tail_put(t, line, sizeof(line));
	assert_int_equal(log_tail_read(fd, text), 0);
	assert_int_equal(strlen(text), LOG_TAIL_LEN);
	assert_int_equal(text[0], 'a');
	put(t, "end\n");
	assert_int_equal(log_tail_read(fd, text), 0);
	assert_int_equal(strlen(text), sizeof(line) + 4); /* the first one is cut, so it goes */
	log_tail_free(t);
	assert_int_equal(close(fd), 0);
}

static void test_a_line_that_is_too_long_keeps_its_end(void **state)
{
	static char line[3 * LOG_TAIL_LEN];
	struct log_tail *t;
	int fd;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 6, "\nlast\n", 6);
	assert_int_equal(log_tail_new(&t, &fd), 0);
	put(t, "before\n");
	log_tail_put(t, line, sizeof(line));
	assert_int_equal(log_tail_read(fd, text), 0);
	assert_string_equal(text, "last\n");
	log_tail_free(t);
	assert_int_equal(close(fd), 0);
}

static void test_what_no_terminal_should_see_is_replaced(void **state)
{
	struct log_tail *t;
	int fd;

	(void)state;
	assert_int_equal(log_tail_new(&t, &fd), 0);
	log_tail_put(t, "a\033[2Jb\0c\xffz\n", 11);
	assert_int_equal(log_tail_read(fd, text), 0);
	assert_string_equal(text, "a?[2Jb?c?z\n");
	log_tail_free(t);
	assert_int_equal(close(fd), 0);
}

/* Who has the descriptor can't make it shorter: reading never faults. */
static void test_what_is_in_hand_is_read_beside_the_lines(void **state)
{
	struct log_tail *t;
	uint64_t key = 1;
	int fd;

	(void)state;
	assert_int_equal(log_tail_new(&t, &fd), 0);
	assert_int_equal(log_tail_read_hand(fd, &key), 0);
	assert_int_equal(key, 0);
	log_tail_hand(t, UINT64_MAX - 1);
	put(t, "one\n");
	log_tail_free(t);
	assert_int_equal(log_tail_read_hand(fd, &key), 0); /* who wrote it is gone */
	assert_true(key == UINT64_MAX - 1);
	assert_int_equal(log_tail_read(fd, text), 0);
	assert_string_equal(text, "one\n");
	assert_int_equal(close(fd), 0);
	assert_int_equal(log_tail_read_hand(-1, &key), -EBADF);
}

static void test_its_size_is_sealed(void **state)
{
	struct log_tail *t;
	int fd;

	(void)state;
	assert_int_equal(log_tail_new(&t, &fd), 0);
	assert_true(ftruncate(fd, 0) < 0);
	assert_true(ftruncate(fd, 1 << 20) < 0);
	log_tail_free(t);
	assert_int_equal(close(fd), 0);
}

/* ---- of somebody who has other plans ----------------------------------------------------------
 */

static void assert_refused(int fd)
{
	assert_true(fd >= 0);
	strcpy(text, "as it was");
	assert_true(log_tail_read(fd, text) < 0);
	assert_string_equal(text, "as it was");
	assert_int_equal(close(fd), 0);
}

static int memory(off_t len, int seals)
{
	int fd = memfd_create("warden-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, len), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_other_descriptors_are_refused(void **state)
{
	char path[] = "/tmp/log-tail-XXXXXX";
	int pair[2], file = mkstemp(path);

	(void)state;
	assert_refused(open("/dev/zero", O_RDONLY));
	assert_refused(open("/dev/null", O_RDWR));
	assert_refused(open("/", O_RDONLY | O_DIRECTORY));
	assert_int_equal(pipe(pair), 0); /* nobody writes: who reads waits */
	assert_refused(pair[0]);
	assert_refused(pair[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_refused(pair[0]);
	assert_refused(pair[1]);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(file, FILE_LEN), 0); /* a file, of this size, on a disk */
	assert_refused(file);
	assert_int_equal(log_tail_read(-1, text), -EBADF);
}

static void test_memory_that_could_shrink_or_is_of_another_size_is_refused(void **state)
{
	(void)state;
	assert_refused(memory(FILE_LEN, 0));
	assert_refused(memory(FILE_LEN, F_SEAL_GROW));
	assert_refused(memory(FILE_LEN - 1, F_SEAL_SHRINK | F_SEAL_GROW));
	assert_refused(memory(FILE_LEN + 1, F_SEAL_SHRINK | F_SEAL_GROW));
	assert_refused(memory(0, F_SEAL_SHRINK | F_SEAL_GROW));
	assert_refused(memory((off_t)1 << 40, F_SEAL_SHRINK | F_SEAL_GROW));
}

static void test_any_content_is_read_as_bounded_text(void **state)
{
	static const uint64_t totals[] = {
		0, 1, LOG_TAIL_LEN - 1, LOG_TAIL_LEN, UINT64_MAX, UINT64_C(1) << 63
	};

	(void)state;
	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		int fd = memory(FILE_LEN, F_SEAL_SHRINK);

		assert_int_equal(pwrite(fd, &totals[i], sizeof(totals[i]), 0), sizeof(totals[i]));
		memset(text, 'Z', sizeof(text));
		assert_int_equal(log_tail_read(fd, text), 0);
		assert_non_null(memchr(text, '\0', sizeof(text)));
		assert_int_equal(strspn(text, "?"), strlen(text));
		assert_int_equal(close(fd), 0);
	}
}

/* Neither a ring nor a descriptor where the process may have no more of what it takes. */
static void test_a_ring_that_cannot_be_made_leaves_nothing(void **state)
{
	struct log_tail *t = NULL;
	struct rlimit had;
	int fd = -1, next = dup(0);

	(void)state;
	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)next, had.rlim_max }),
	                 0);
	assert_int_equal(log_tail_new(&t, &fd), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &had), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, had.rlim_max }), 0);
	assert_int_equal(log_tail_new(&t, &fd), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &had), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_null(t);
	assert_int_equal(fd, -1);
	fd = dup(0);
	assert_int_equal(fd, next); /* none was left open */
	close(fd);
}

static void test_one_that_may_only_be_written_is_not_read(void **state)
{
	uint64_t key = 77;
	struct log_tail *t;
	char path[32];
	int fd, other;

	(void)state;
	assert_int_equal(log_tail_new(&t, &fd), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(other >= 0);
	strcpy(text, "untouched");
	assert_int_equal(log_tail_read(other, text), -EBADF);
	assert_int_equal(log_tail_read_hand(other, &key), -EBADF);
	assert_string_equal(text, "untouched");
	assert_int_equal(key, 77);
	close(other);
	close(fd);
	log_tail_free(t);
	log_tail_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_come_back_in_order),
		cmocka_unit_test(test_a_full_ring_keeps_the_newest_whole_lines),
		cmocka_unit_test(test_a_ring_that_is_exactly_full_loses_nothing),
		cmocka_unit_test(test_a_line_that_is_too_long_keeps_its_end),
		cmocka_unit_test(test_what_no_terminal_should_see_is_replaced),
		cmocka_unit_test(test_what_is_in_hand_is_read_beside_the_lines),
		cmocka_unit_test(test_its_size_is_sealed),
		cmocka_unit_test(test_other_descriptors_are_refused),
		cmocka_unit_test(test_memory_that_could_shrink_or_is_of_another_size_is_refused),
		cmocka_unit_test(test_any_content_is_read_as_bounded_text),
		cmocka_unit_test(test_a_ring_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(test_one_that_may_only_be_written_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
