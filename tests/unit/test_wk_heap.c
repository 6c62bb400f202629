/* tests/unit/test_wk_heap.c - which pages of the heap stay copies of our own */
#include "test.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/process/wk_heap.h"

#ifndef WARDEN_SANITIZERS /* with them the heap is another, and nothing is done */

#define PAGE 4096u
#define LEN (8 * PAGE)
#define THERE (UINT64_C(1) << 63)
#define OF_A_FILE (UINT64_C(1) << 61) /* or shared with another process' */

/* Memory of this process alone. */
static bool is_own(const char *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	assert_true(fd >= 0);
	assert_int_equal(
	    pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)at / PAGE * sizeof(entry))),
	    sizeof(entry));
	close(fd);
	return (entry & THERE) != 0 && (entry & OF_A_FILE) == 0;
}

/* A whole page in a block of the heap that has some. */
static char *page(char *block, unsigned i)
{
	return (char *)(((uintptr_t)block + PAGE - 1) / PAGE * PAGE) + i * PAGE;
}

/* As the zygote calls it: once, with blocks that came and went. */
static char *born;
static char *holes[128];

static int share(void **state)
{
	char *kept[128];

	(void)state;
	wk_heap_init();
	(void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	born = malloc(LEN + PAGE);
	memset(born, 'a', LEN + PAGE);
	for (unsigned i = 0; i < 128; i++) {
		holes[i] = malloc(8 * i + 1);
		kept[i] = malloc(8 * i + 1);
		assert_non_null(holes[i]);
		assert_non_null(kept[i]);
	}
	for (unsigned i = 0; i < 128; i++)
		free(holes[i]);
	wk_heap_share();
	for (unsigned i = 0; i < 128; i++)
		kept[i][0] = 'k';
	return 0;
}

static void test_no_block_comes_into_a_hole(void **state)
{
	char *block[128];

	(void)state;
	for (unsigned i = 0; i < 128; i++) {
		block[i] = malloc(8 * i + 1);
		for (unsigned k = 0; k < 128; k++)
			assert_ptr_not_equal(block[i], holes[k]);
	}
	for (unsigned i = 0; i < 128; i++)
		free(block[i]);
}

static void test_what_is_as_it_was_is_no_copy(void **state)
{
	(void)state;
	assert_false(is_own(page(born, 2)));
	page(born, 2)[7] = 'b';
	page(born, 4)[7] = 'b';
	assert_true(is_own(page(born, 2)));
	page(born, 2)[7] = 'a';
	wk_heap_give_back();
	assert_false(is_own(page(born, 2)));
	assert_true(is_own(page(born, 4)));
	for (unsigned i = 0; i < LEN; i++)
		assert_int_equal(page(born, 0)[i], i == 4 * PAGE + 7 ? 'b' : 'a');
}

static void test_zeros_are_given_back(void **state)
{
	char *block = malloc(LEN + PAGE);

	(void)state;
	memset(block, 'x', LEN + PAGE);
	memset(page(block, 1), 0, 2 * PAGE);
	page(block, 2)[PAGE - 1] = 'y';
	assert_true(is_own(page(block, 1)));
	wk_heap_give_back();
	assert_false(is_own(page(block, 1)));
	assert_true(is_own(page(block, 2)));
	assert_int_equal(page(block, 0)[PAGE - 1], 'x');
	assert_int_equal(page(block, 1)[0], 0);
	assert_int_equal(page(block, 2)[PAGE - 1], 'y');
	assert_int_equal(page(block, 3)[0], 'x');
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_block_comes_into_a_hole),
		cmocka_unit_test(test_what_is_as_it_was_is_no_copy),
		cmocka_unit_test(test_zeros_are_given_back),
	};

	return cmocka_run_group_tests_name("wk_heap", tests, share, NULL);
}

#else

static void test_nothing_is_lost(void **state)
{
	char *block = malloc(1);

	(void)state;
	wk_heap_share();
	block[0] = 'a';
	wk_heap_give_back();
	assert_int_equal(block[0], 'a');
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost),
	};

	return cmocka_run_group_tests_name("wk_heap", tests, NULL, NULL);
}

#endif
