/* tests/unit/test_wk_store_heap.c - SQLite's memory: blocks keep what is in them, free ones go */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "worker/store/wk_store_heap.h"

#define BLOCKS_N 600
#define STEPS 200000
#define PAGE 4096u

static const sqlite3_mem_methods *const m = &wk_store_heap_methods;

static uint32_t seed = 7;

static uint32_t chance(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* Mostly small, as SQLite's are; now and then one that is malloc()'s. */
static int a_size(void)
{
	switch (chance(20)) {
	case 0:
		return (int)chance(60000) + 1;
	case 1:
	case 2:
		return (int)chance(5000) + 1;
	default:
		return (int)chance(300) + 1;
	}
}

struct block {
	unsigned char *p;
	int n;
	unsigned char mark;
};

static void fill(struct block *b)
{
	b->mark = (unsigned char)(1 + chance(255));
	memset(b->p, b->mark, (size_t)b->n);
}

static void check(const struct block *b, int n)
{
	assert_true(m->xSize(b->p) >= b->n);
	assert_int_equal((uintptr_t)b->p % 8, 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(b->p[i], b->mark);
}

static void step(struct block *b)
{
	int n = a_size();

	if (b->p == NULL) {
		b->p = m->xMalloc(n);
		b->n = n;
		assert_non_null(b->p);
		fill(b);
	} else if (chance(3) == 0) {
		b->p = m->xRealloc(b->p, m->xRoundup(n));
		assert_non_null(b->p);
		check(&(struct block){ b->p, n, b->mark }, n < b->n ? n : b->n);
		b->n = n;
		fill(b);
	} else {
		check(b, b->n);
		m->xFree(b->p);
		b->p = NULL;
	}
}

static bool is_mapped(void *p)
{
	unsigned char there;

	return mincore((void *)((uintptr_t)p & ~(uintptr_t)(PAGE - 1)), 1, &there) == 0 ||
	       errno != ENOMEM;
}

static bool is_there(void *p)
{
	unsigned char there = 0;

	assert_int_equal(mincore(p, 1, &there), 0);
	return (there & 1) != 0;
}

static void test_blocks_keep_what_is_in_them(void **state)
{
	static struct block blocks[BLOCKS_N];
	void *small;

	(void)state;
	for (unsigned i = 0; i < STEPS; i++) {
		step(&blocks[chance(BLOCKS_N)]);
		if (chance(5000) == 0)
			wk_store_heap_trim();
	}
	small = m->xMalloc(100);
	for (unsigned i = 0; i < BLOCKS_N; i++) {
		if (blocks[i].p == NULL)
			continue;
		check(&blocks[i], blocks[i].n);
		m->xFree(blocks[i].p);
	}
	m->xFree(small);
	assert_true(is_mapped(small));
	wk_store_heap_trim();
	assert_false(is_mapped(small));
}

static void test_free_pages_between_blocks_go(void **state)
{
	unsigned char *p[20], *page;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		p[i] = m->xMalloc(PAGE);
		assert_non_null(p[i]);
		memset(p[i], 'x', PAGE);
	}
	page = (unsigned char *)(((uintptr_t)p[10] + PAGE - 1) / PAGE * PAGE);
	for (unsigned i = 1; i < 19; i++)
		m->xFree(p[i]);
	assert_true(is_there(page));
	wk_store_heap_trim();
	assert_false(is_there(page));
	for (unsigned i = 0; i < 20; i += 19) {
		for (unsigned k = 0; k < PAGE; k++)
			assert_int_equal(p[i][k], 'x');
	}
	for (unsigned i = 1; i < 19; i++) {
		p[i] = m->xMalloc(PAGE);
		memset(p[i], 'y', PAGE);
	}
	for (unsigned i = 0; i < 20; i++)
		m->xFree(p[i]);
	wk_store_heap_trim();
}

static void test_what_is_freed_is_wiped(void **state)
{
	unsigned char *keep = m->xMalloc(64), *p = m->xMalloc(1000);

	(void)state;
	memset(p, 's', 1000);
	m->xFree(p);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_not_equal(p[i], 's');
	m->xFree(keep);
	wk_store_heap_trim();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_keep_what_is_in_them),
		cmocka_unit_test(test_free_pages_between_blocks_go),
		cmocka_unit_test(test_what_is_freed_is_wiped),
	};

	return cmocka_run_group_tests_name("wk_store_heap", tests, NULL, NULL);
}
