/*
 * worker/store/wk_store_heap.c - SQLite's blocks, in memory of their own
 *
 * Areas are divided into blocks without gaps. In front of each block stands its size; a free one
 * has it at its end too, so that neighbours that are free become one. Free blocks are in lists by
 * size. Freed bytes are zero but for what these lists need.
 */
#include "worker/store/wk_store_heap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/secret.h"

#define AREA ((size_t)256 * 1024)
#define LARGE ((size_t)24 * 1024) /* from here on: malloc() */
#define PAGE ((size_t)4096)
#define UNIT 16u
#define MIN_SIZE ((size_t)2 * UNIT)
#define SMALL_N 64u                /* lists of one size each: UNIT, 2 * UNIT, ... */
#define LISTS_N (SMALL_N + 9u)     /* ... then from one power of two to the next */
#define SMALL_END (SMALL_N * UNIT) /* the first size that is none of them */

#define USED 1u    /* flags in a head: sizes are multiples of UNIT */
#define FOREIGN 2u /* malloc()'s */
#define BEFORE_USED 4u
#define FLAGS (UNIT - 1u)

/* What stands in front of a block; its bytes begin behind it. */
struct head {
	size_t size; /* with the head, and flags */
};

struct free_block {
	struct head head;
	struct free_block *next, *prev; /* at the end of the block stands its size once more */
};

/* Behind its last block stands a head that is used. */
struct area {
	struct area *next;
	size_t pad; /* blocks begin at UNIT less a head, their bytes at UNIT */
	size_t pad2;
};

static struct area *areas;
static struct free_block *lists[LISTS_N];

static size_t size_of(const struct head *h)
{
	return h->size & ~(size_t)FLAGS;
}

static struct head *head_of(void *p)
{
	return (struct head *)p - 1;
}

static struct head *after(struct head *h)
{
	return (struct head *)(void *)((char *)h + size_of(h));
}

/* Only where the block before is free. */
static struct free_block *before(struct head *h)
{
	size_t size = ((size_t *)(void *)h)[-1];

	return (struct free_block *)(void *)((char *)h - size);
}

static size_t *end_of(struct head *h)
{
	return &((size_t *)(void *)after(h))[-1];
}

/* ---- free blocks ---------------------------------------------------------------------------- */

static unsigned list_of(size_t size)
{
	unsigned i = SMALL_N;

	if (size < SMALL_END)
		return (unsigned)(size / UNIT);
	for (size_t s = size / SMALL_END; s > 1 && i < LISTS_N - 1; s /= 2)
		i++;
	return i;
}

static void put(struct head *h)
{
	struct free_block *b = (struct free_block *)(void *)h;
	struct free_block **list = &lists[list_of(size_of(h))];

	*end_of(h) = size_of(h);
	after(h)->size &= ~(size_t)BEFORE_USED;
	b->prev = NULL;
	b->next = *list;
	if (b->next != NULL)
		b->next->prev = b;
	*list = b;
}

static void take_out(struct free_block *b)
{
	if (b->prev != NULL)
		b->prev->next = b->next;
	else
		lists[list_of(size_of(&b->head))] = b->next;
	if (b->next != NULL)
		b->next->prev = b->prev;
	*end_of(&b->head) = 0;
	b->next = b->prev = NULL;
}

/* A block in use that is longer than it has to be. */
static void cut(struct head *h, size_t size)
{
	size_t rest = size_of(h) - size;
	struct head *r;

	if (rest < MIN_SIZE)
		return;
	h->size = size | (h->size & FLAGS);
	r = after(h);
	r->size = rest | BEFORE_USED;
	put(r);
}

static struct free_block *find(size_t size)
{
	for (unsigned i = list_of(size); i < LISTS_N; i++)
		for (struct free_block *b = lists[i]; b != NULL; b = b->next)
			if (size_of(&b->head) >= size)
				return b;
	return NULL;
}

static struct free_block *new_area(void)
{
	struct area *a =
	    mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct head *h;

	if (a == MAP_FAILED)
		return NULL;
	a->next = areas;
	areas = a;
	h = (struct head *)(a + 1);
	h->size = (AREA - sizeof(*a) - sizeof(*h)) | BEFORE_USED;
	after(h)->size = USED;
	put(h);
	return (struct free_block *)(void *)h;
}

/* ---- what SQLite calls ---------------------------------------------------------------------- */

static size_t size_for(size_t n)
{
	size_t size = (n + sizeof(struct head) + UNIT - 1) / UNIT * UNIT;

	return size < MIN_SIZE ? MIN_SIZE : size;
}

static int round_up(int n)
{
	return (int)(size_for((size_t)n) - sizeof(struct head));
}

static void *foreign(size_t n)
{
	struct head *h = malloc(size_for(n));

	if (h == NULL)
		return NULL;
	h->size = size_for(n) | USED | FOREIGN;
	return h + 1;
}

static void *heap_malloc(int n)
{
	size_t size = size_for((size_t)n);
	struct free_block *b;

	if (size >= LARGE)
		return foreign((size_t)n);
	b = find(size);
	if (b == NULL)
		b = new_area();
	if (b == NULL)
		return NULL;
	take_out(b);
	b->head.size |= USED;
	after(&b->head)->size |= BEFORE_USED;
	cut(&b->head, size);
	return &b->head + 1;
}

static void heap_free(void *p)
{
	struct head *h = head_of(p), *next;

	secret_wipe(p, size_of(h) - sizeof(*h));
	if (h->size & FOREIGN) {
		free(h);
		return;
	}
	h->size &= ~(size_t)USED;
	next = after(h);
	if (!(next->size & USED)) {
		take_out((struct free_block *)(void *)next);
		h->size += size_of(next);
		next->size = 0;
	}
	if (!(h->size & BEFORE_USED)) {
		struct free_block *b = before(h);

		take_out(b);
		b->head.size += size_of(h);
		h->size = 0;
		h = &b->head;
	}
	put(h);
}

static int heap_size(void *p)
{
	return p == NULL ? 0 : (int)(size_of(head_of(p)) - sizeof(struct head));
}

static void *heap_realloc(void *p, int n)
{
	size_t have = (size_t)heap_size(p);
	void *to;

	if ((size_t)n <= have && (size_t)n > have / 2)
		return p;
	to = heap_malloc(n);
	if (to == NULL)
		return NULL;
	memcpy(to, p, have < (size_t)n ? have : (size_t)n);
	heap_free(p);
	return to;
}

static int heap_init(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void heap_shutdown(void *arg)
{
	(void)arg;
}

const sqlite3_mem_methods wk_store_heap_methods = {
	.xMalloc = heap_malloc,
	.xFree = heap_free,
	.xRealloc = heap_realloc,
	.xSize = heap_size,
	.xRoundup = round_up,
	.xInit = heap_init,
	.xShutdown = heap_shutdown,
};

/* ---- rest ----------------------------------------------------------------------------------- */

/* The area's only block; NULL: there are others. */
static struct free_block *all_of(struct area *a)
{
	struct head *h = (struct head *)(a + 1);

	return !(h->size & USED) && size_of(after(h)) == 0 ? (struct free_block *)(void *)h : NULL;
}

void wk_store_heap_trim(void)
{
	for (struct area **at = &areas, *a; (a = *at) != NULL;) {
		struct free_block *whole = all_of(a);

		if (whole == NULL) {
			at = &a->next;
			continue;
		}
		take_out(whole);
		*at = a->next;
		(void)munmap(a, AREA);
	}
	/* The list's pointers lie at the beginning of a block, its size at the end. */
	for (unsigned i = list_of(PAGE); i < LISTS_N; i++)
		for (struct free_block *b = lists[i]; b != NULL; b = b->next) {
			uintptr_t from = ((uintptr_t)(b + 1) + PAGE - 1) / PAGE * PAGE;
			uintptr_t to = (uintptr_t)end_of(&b->head) / PAGE * PAGE;

			if (from < to)
				(void)madvise((void *)from, to - from, MADV_DONTNEED);
		}
}
