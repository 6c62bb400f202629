/* worker/process/wk_heap.c - memory that many workers share, and memory that one does not need */
#include "worker/process/wk_heap.h"

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/io.h"
#include "common/ipc_memfd.h"

#ifndef WARDEN_SANITIZERS

#define PAGE 4096u
#define HOLE_MAX 32768 /* larger blocks are no part of the heap (M_MMAP_THRESHOLD) */
#define HOLE_MIN 24    /* the smallest block there is ... */
#define HOLE_STEP 16   /* ... from one size of small blocks to the next ... */
#define SMALL_MAX (HOLE_MIN + 64 * HOLE_STEP) /* ... up to this one; halves above it */
#define HOLES_MAX 65536

#define LOOK_N 256    /* pages looked at in one go */
#define RED_ZONE PAGE /* of frames that this very call makes */
#define STACK_DEEP \
	(128 * 1024) /* the most that a worker has used: a packet on the stack is 64 KiB */

struct hole {
	struct hole *next;
};

/* Kept where a leak checker finds them. */
static struct hole *holes;

/*
 * The heap that a worker was born with, as it was then: at is where it lies, same the same bytes,
 * to be read only. NULL: there is none.
 */
static struct {
	char *at;
	const char *same;
	size_t len;
} born;

static size_t pages_of(size_t len)
{
	return len / PAGE * PAGE;
}

static char *start; /* of the heap, which ends where sbrk() says */

void wk_heap_init(void)
{
	start = (char *)sbrk(0) - pages_of(mallinfo2().arena);
}

/* ---- the zygote's --------------------------------------------------------------------------- */

/* One block of this size. False: it is not from the middle of the heap, which ends at top. */
static bool fill_one(size_t size, uintptr_t top)
{
	struct hole *h = malloc(size);

	if (h == NULL)
		return false;
	h->next = holes;
	holes = h;
	return (uintptr_t)h < top;
}

static void fill_holes(void)
{
	const struct mallinfo2 mi = mallinfo2();
	uintptr_t top = (uintptr_t)sbrk(0) - mi.keepcost;
	size_t size = HOLE_MAX;
	unsigned n = 0;

	while (size >= HOLE_MIN && n < HOLES_MAX) {
		if (fill_one(size, top))
			n++;
		else if (size / 2 > SMALL_MAX)
			size /= 2;
		else
			size = size > SMALL_MAX ? SMALL_MAX : size - HOLE_STEP;
	}
}

/* The heap becomes a private mapping of a file that has the same bytes. Nothing may allocate here.
 */
static void keep_image(int fd)
{
	char *at = start;
	/* Not its free end, which may go back to the kernel. */
	size_t len = pages_of((size_t)((char *)sbrk(0) - at) - mallinfo2().keepcost);
	void *same;

	if (io_write_all(fd, at, len) < 0 || ipc_memfd_seal(fd) < 0)
		return;
	same = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (same == MAP_FAILED)
		return;
	born.at = mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
	if (born.at == MAP_FAILED) {
		born.at = NULL;
		(void)munmap(same, len);
		return;
	}
	born.same = same;
	born.len = len;
}

void wk_heap_share(void)
{
	int fd = memfd_create("warden-heap", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	fill_holes();
	if (fd < 0)
		return;
	keep_image(fd);
	(void)close(fd);
}

/* ---- a worker's ----------------------------------------------------------------------------- */

static void drop(char *from, const char *to)
{
	if (from < to)
		(void)madvise(from, (size_t)(to - from), MADV_DONTNEED);
}

/* Pages that are again what they were: libraries count, lock, and take both back. */
static void drop_unchanged(void)
{
	char *from = born.at;

	for (size_t i = 0; i < born.len; i += PAGE) {
		if (memcmp(born.at + i, born.same + i, PAGE) == 0)
			continue;
		drop(from, born.at + i);
		from = born.at + i + PAGE;
	}
	drop(from, born.at + born.len);
	(void)madvise((void *)(uintptr_t)born.same, born.len, MADV_DONTNEED);
}

static bool is_zero(const char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

/* Of at most LOOK_N pages those that are there, and all zero: what is freed is wiped. */
static void drop_zeros(char *at, size_t n)
{
	unsigned char there[LOOK_N];
	char *from = at;

	if (mincore(at, n * PAGE, there) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if ((there[i] & 1) != 0 && is_zero(at + i * PAGE))
			continue;
		drop(from, at + i * PAGE);
		from = at + (i + 1) * PAGE;
	}
	drop(from, at + n * PAGE);
}

static void drop_heap_zeros(void)
{
	char *end = sbrk(0);
	char *at = born.at != NULL ? born.at + born.len : start;

	while (end - at >= (ptrdiff_t)PAGE) {
		size_t n = (size_t)(end - at) / PAGE;

		if (n > LOOK_N)
			n = LOOK_N;
		drop_zeros(at, n);
		at += n * PAGE;
	}
}

/* Where nothing is mapped, madvise() goes on behind it. */
static void drop_stack(void)
{
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - RED_ZONE) & ~(uintptr_t)(PAGE - 1);

	(void)madvise((void *)(end - STACK_DEEP), STACK_DEEP, MADV_DONTNEED);
}

void wk_heap_give_back(void)
{
	(void)malloc_trim(0);
	if (born.at != NULL)
		drop_unchanged();
	drop_heap_zeros();
	drop_stack();
}

#else

void wk_heap_init(void)
{
}

void wk_heap_share(void)
{
}

void wk_heap_give_back(void)
{
}

#endif
