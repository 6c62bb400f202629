/*
 * common/heap.c - what is released to the heap is overwritten first
 *
 * free() and realloc() of every program here, libraries included: a key, a token or a request that
 * passed through jansson, OpenSSL, libevent, SQLite or stdio is gone with its block, and nobody has
 * to know of each copy. It costs one memset() of what is released anyway. Where there is another
 * heap (sanitizers) or libc does not offer its own under these names, it stays as it is; what our
 * own code knows to be secret is wiped by that code as well.
 */
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(HAVE___LIBC_FREE) && !defined(WARDEN_SANITIZERS)

void __libc_free(void *p);
void *__libc_realloc(void *p, size_t n);

void free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	__libc_free(p);
}

/* A block that has to move would leave a copy behind; one that shrinks stays where it is. */
void *realloc(void *p, size_t n)
{
	size_t have = p != NULL ? malloc_usable_size(p) : 0;
	void *to;

	if (p == NULL)
		return malloc(n);
	if (n == 0) { /* as glibc has it */
		free(p);
		return NULL;
	}
	if (n <= have) {
		explicit_bzero((char *)p + n, have - n);
		return __libc_realloc(p, n);
	}
	to = malloc(n);
	if (to == NULL)
		return NULL;
	memcpy(to, p, have);
	free(p);
	return to;
}

#endif
