/* tests/unit/starve.c - a heap that fails one allocation */
#include "starve.h"

#include <errno.h>
#include <stdlib.h>

static long countdown = -1, paused = -1; /* allocations until one fails; below 0: none does */
static volatile bool failed;

#if defined(HAVE___LIBC_FREE) && !defined(WARDEN_SANITIZERS)

/* In front of libc's; realloc() is that of common/heap.c, which comes here. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);

static bool fails_now(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t n)
{
	return fails_now() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __libc_calloc(n, size);
}

#endif

void starve_at(long n)
{
	failed = false;
	countdown = n;
}

bool starve_end(void)
{
	countdown = -1;
	return failed;
}

bool starve_failed(void)
{
	return failed;
}

void starve_pause(void)
{
	paused = countdown;
	countdown = -1;
}

void starve_resume(void)
{
	countdown = paused;
}
