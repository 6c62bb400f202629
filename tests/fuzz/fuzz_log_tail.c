/*
 * tests/fuzz/fuzz_log_tail.c - the ring of log lines that a worker has written into
 *
 * Input: what the memfd holds; the last byte says what is wrong with the descriptor, if anything.
 * Property: only a memfd of the right size that cannot shrink is read; what is read of it is
 * printable text of no more than the ring, and whole lines alone once the ring has wrapped.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log_tail.h"

#define HEAD_LEN 16 /* total, hand */
#define FILE_LEN (HEAD_LEN + LOG_TAIL_LEN)

enum wrong { NOTHING, SIZE, NOT_SEALED, NO_MEMFD, WRONG_N };

static int make_fd(const uint8_t *data, size_t size, enum wrong wrong)
{
	size_t len = wrong == SIZE ? size : FILE_LEN, part = size;
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	FUZZ_REQUIRE(fd >= 0 && ftruncate(fd, (off_t)len) == 0);
	/* again and again, so that a few bytes fill it */
	for (size_t at = 0; size > 0 && at < len; at += part) {
		part = len - at < size ? len - at : size;
		FUZZ_REQUIRE(pwrite(fd, data, part, (off_t)at) == (ssize_t)part);
	}
	if (wrong != NOT_SEALED)
		FUZZ_REQUIRE(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	if (wrong == NO_MEMFD) {
		close(fd);
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

static void check_text(const uint8_t *data, size_t size, const char *text)
{
	uint64_t total = 0;
	size_t len = strnlen(text, LOG_TAIL_LEN + 1);

	for (size_t i = 0; size > 0 && i < sizeof(total); i++)
		((uint8_t *)&total)[i] = data[i % size];
	FUZZ_REQUIRE(len <= LOG_TAIL_LEN && len <= total);
	for (size_t i = 0; i < len; i++)
		FUZZ_REQUIRE(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
	if (total <= LOG_TAIL_LEN)
		FUZZ_REQUIRE(len == total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[LOG_TAIL_LEN + 1] = "untouched";
	uint64_t key = 77;
	enum wrong wrong;
	int fd, rc;

	if (size == 0 || size > 2 * FILE_LEN)
		return 0;
	wrong = data[--size] % WRONG_N;
	fd = make_fd(data, size, wrong);
	if (wrong == SIZE && size == FILE_LEN)
		wrong = NOTHING;
	rc = log_tail_read(fd, text);
	FUZZ_REQUIRE(rc == (wrong == NOTHING ? 0 : -EINVAL));
	FUZZ_REQUIRE(log_tail_read_hand(fd, &key) == rc);
	if (rc == 0)
		check_text(data, size, text);
	else
		FUZZ_REQUIRE(strcmp(text, "untouched") == 0 && key == 77);
	close(fd);
	return 0;
}
