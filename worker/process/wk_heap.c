/* worker/process/wk_heap.c - memory that many workers share, and memory that one does not need */
#include "worker/process/wk_heap.h"

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef WARDEN_SANITIZERS

#define HOLE_MAX 32768 /* larger blocks are no part of the heap (M_MMAP_THRESHOLD) */
#define HOLE_MIN 24    /* the smallest block there is */
#define HOLE_STEP 16   /* from one size of small blocks to the next ... */
#define SMALL_MAX 1040 /* ... up to this one; halves above it */
#define HOLES_MAX 65536

#define PAGE 4096u
#define RED_ZONE PAGE /* of frames that this very call makes */
#define STACK_DEEP \
	(128 * 1024) /* the most that a worker has used: a packet on the stack is 64 KiB */

struct hole {
	struct hole *next;
};

/* Kept where a leak checker finds them. */
static struct hole *holes;

/* One block of this size from the middle of the heap: below top. */
static int fill_one(size_t size, uintptr_t top)
{
	struct hole *h = malloc(size);

	if (h == NULL)
		return 0;
	if ((uintptr_t)h >= top) {
		free(h);
		return 0;
	}
	h->next = holes;
	holes = h;
	return 1;
}

void wk_heap_fill(void)
{
	const struct mallinfo2 mi = mallinfo2();
	uintptr_t top = (uintptr_t)sbrk(0) - mi.keepcost;
	size_t size = HOLE_MAX;
	unsigned n = 0;

	while (size >= HOLE_MIN && n < HOLES_MAX) {
		if (fill_one(size, top))
			n++;
		else
			size = size > SMALL_MAX ? size / 2 : size - HOLE_STEP;
	}
}

/* Where nothing is mapped, madvise() goes on behind it. */
static void give_stack_back(void)
{
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - RED_ZONE) & ~(uintptr_t)(PAGE - 1);

	(void)madvise((void *)(end - STACK_DEEP), STACK_DEEP, MADV_DONTNEED);
}

void wk_heap_give_back(void)
{
	(void)malloc_trim(0);
	give_stack_back();
}

#else

void wk_heap_fill(void)
{
}

void wk_heap_give_back(void)
{
}

#endif
