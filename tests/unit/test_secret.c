/* tests/unit/test_secret.c - memory for secrets, and what is left of memory that was released */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secret.h"

/* ---- what the kernel says of a mapping -------------------------------------- */

/* VmFlags of the mapping that holds p, as in proc(5): "rd wr mr mw me lo ac dd". */
static void flags_of(const void *p, char *out, size_t out_cap)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	bool in = false;

	out[0] = '\0';
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			in = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (in && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(out, out_cap, "%s", line + 8);
	}
	fclose(f);
}

/* Bytes at an address that may have been released. False: nothing is mapped there any more. */
static bool peek(uintptr_t at, void *out, size_t n)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	assert_true(fd >= 0);
	got = pread(fd, out, n, (off_t)at);
	close(fd);
	return got == (ssize_t)n;
}

/* ---- secret memory ---------------------------------------------------------- */

static void test_secret_memory_is_locked_and_in_no_core_file(void **state)
{
	uint8_t *p = secret_alloc(100);
	char flags[512];

	(void)state;
	assert_non_null(p);
	flags_of(p, flags, sizeof(flags));
	assert_non_null(strstr(flags, " dd"));
#ifndef WARDEN_SANITIZERS /* which make mlock() do nothing */
	assert_non_null(strstr(flags, " lo"));
#endif
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	secret_free(p);
}

static void test_what_is_freed_is_wiped_and_used_again(void **state)
{
	char *stays = secret_alloc(64), *p = secret_strdup("correct horse battery staple");
	uintptr_t at = (uintptr_t)p;
	char left[29];
	static const char zeros[29];

	(void)state;
	assert_string_equal(p, "correct horse battery staple");
	secret_free(p);
	assert_true(peek(at, left, sizeof(left)));
	assert_memory_equal(left, zeros, sizeof(left));
	p = secret_alloc(29);
	assert_int_equal((uintptr_t)p, at);
	secret_free(p);
	secret_free(stays);
}

static void test_the_last_block_gives_its_pages_back(void **state)
{
	uint8_t *p = secret_alloc(50000), byte;

	(void)state;
	assert_non_null(p);
	memset(p, 0x5a, 50000);
	secret_free(p);
	assert_false(peek((uintptr_t)p + 20000, &byte, 1));
}

static void test_nothing_is_something(void **state)
{
	void *p = secret_alloc(0), *q = secret_alloc(0);

	(void)state;
	assert_non_null(p);
	assert_ptr_not_equal(p, q);
	secret_free(p);
	secret_free(q);
	secret_free(NULL);
	assert_null(secret_strdup(NULL));
	assert_null(secret_alloc(SIZE_MAX));
}

#define SLOTS 64

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

/* Blocks of any size, come and gone in any order, never overlap. */
static void test_blocks_keep_apart(void **state)
{
	uint8_t *slot[SLOTS] = { NULL };
	size_t len[SLOTS] = { 0 };
	unsigned seed = 1;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		unsigned i = next_random(&seed) % SLOTS;

		if (slot[i] != NULL) {
			for (size_t k = 0; k < len[i]; k++)
				assert_int_equal(slot[i][k], i);
			secret_free(slot[i]);
			slot[i] = NULL;
			continue;
		}
		len[i] = next_random(&seed) % (i % 8 == 0 ? 9000 : 300);
		slot[i] = secret_alloc(len[i]);
		assert_non_null(slot[i]);
		assert_int_equal((uintptr_t)slot[i] % 16, 0);
		for (size_t k = 0; k < len[i]; k++)
			assert_int_equal(slot[i][k], 0);
		memset(slot[i], (int)i, len[i]);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		secret_free(slot[i]);
}

/* Root may lock what it likes; whoever may not gets memory all the same. */
static void test_memory_that_can_not_be_locked_is_used_unlocked(void **state)
{
	const struct rlimit none = { 0, 0 };
	int status = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		uint8_t *p;

		if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (getuid() == 0 && setuid(65534) < 0))
			_exit(2);
		p = secret_alloc(10);
		_exit(p != NULL && p[9] == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- the heap --------------------------------------------------------------- */

static void expect_gone(uintptr_t at, const char *text)
{
	char left[256];
	size_t n = strlen(text);

	if (!peek(at, left, n))
		return;
	/* the allocator's own list may stand in the first bytes */
	for (size_t i = 16; i + 4 <= n; i++)
		assert_memory_not_equal(left + i, text + i, 4);
}

/* common/heap.c leaves the heaps of sanitizers, valgrind and other C libraries alone. */
static bool heap_is_ours(void)
{
#if defined(HAVE___LIBC_FREE) && !defined(WARDEN_SANITIZERS)
	const char *preload = getenv("LD_PRELOAD");

	return preload == NULL || strstr(preload, "vgpreload") == NULL;
#else
	return false;
#endif
}

static void test_what_the_heap_gets_back_is_overwritten(void **state)
{
	static const char text[] = "a token that was shown once, and then the block went back";
	size_t sizes[] = { sizeof(text), 1000, 5000, 200000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *p = malloc(sizes[i]), *q;
		uintptr_t at = (uintptr_t)p;

		assert_non_null(p);
		memcpy(p, text, sizeof(text));
		free(p);
		expect_gone(at, text);

		p = malloc(sizes[i]);
		assert_non_null(p);
		at = (uintptr_t)p;
		memcpy(p, text, sizeof(text));
		q = realloc(p, sizes[i] * 3);
		assert_non_null(q);
		assert_string_equal(q, text);
		if ((uintptr_t)q != at)
			expect_gone(at, text);
		q = realloc(q, 16);
		assert_non_null(q);
		assert_memory_equal(q, text, 16);
		expect_gone((uintptr_t)q + 16, text + 16);
		free(q);
	}
	assert_null(realloc(malloc(10), 0)); // NOLINT: as glibc has it
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret_memory_is_locked_and_in_no_core_file),
		cmocka_unit_test(test_what_is_freed_is_wiped_and_used_again),
		cmocka_unit_test(test_the_last_block_gives_its_pages_back),
		cmocka_unit_test(test_nothing_is_something),
		cmocka_unit_test(test_blocks_keep_apart),
		cmocka_unit_test(test_memory_that_can_not_be_locked_is_used_unlocked),
	};
	const struct CMUnitTest heap_tests[] = {
		cmocka_unit_test(test_what_the_heap_gets_back_is_overwritten),
	};
	int failed;

	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (heap_is_ours())
		failed += cmocka_run_group_tests(heap_tests, NULL, NULL);
	return failed;
}
