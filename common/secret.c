/* common/secret.c - randomness, comparison without timing, wiping, memory that stays here */
#include "common/secret.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"

int secret_random(void *out, size_t n)
{
	if (n > INT_MAX || RAND_bytes(out, (int)n) != 1)
		return WA_ECRYPTO;
	return 0;
}

bool secret_eq(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void secret_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}

/* ---- memory that is locked and in no core file ------------------------------ */

#define UNIT 16 /* sizes are multiples of it, blocks begin at one */

/* In front of each block; behind the last one of a region stands the region's end. */
struct block {
	size_t size; /* with this head */
	size_t used; /* 0: free */
};

/* One mapping: this head, then blocks without gaps. */
struct region {
	struct region *next;
	size_t size;
};
_Static_assert(sizeof(struct block) == UNIT && sizeof(struct region) == UNIT, "blocks are aligned");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct region *regions; /* under the lock */
static bool warned;

static struct block *first_block(struct region *r)
{
	return (struct block *)((char *)r + sizeof(*r));
}

/* NULL: b was the last. */
static struct block *next_block(struct region *r, struct block *b)
{
	char *next = (char *)b + b->size;

	return next < (char *)r + r->size ? (struct block *)next : NULL;
}

/* With room for one block of this size at least. */
static struct region *region_new(size_t block_size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (sizeof(struct region) + block_size + page - 1) / page * page;
	struct region *r =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (r == MAP_FAILED)
		return NULL;
	(void)madvise(r, size, MADV_DONTDUMP);
	if (mlock(r, size) < 0 && !warned) {
		warned = true;
		LOG(NULL, LOG_WARNING, "secrets_not_locked",
		    LF_STR("why", "the limit for locked memory (memlock) is too low: a secret may "
		                  "be swapped out"),
		    LF_ERR("err", -errno));
	}
	r->size = size;
	r->next = regions;
	regions = r;
	first_block(r)->size = size - sizeof(*r);
	return r;
}

static void region_free(struct region *r)
{
	struct region **at = &regions;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	munmap(r, r->size); /* unlocks */
}

/* What is left of a block, if it is worth it, becomes a free one. */
static void *take(struct block *b, size_t size)
{
	if (b->size - size >= 2 * UNIT) {
		struct block *rest = (struct block *)((char *)b + size);

		rest->size = b->size - size;
		rest->used = 0;
		b->size = size;
	}
	b->used = 1;
	return b + 1;
}

static void *find(size_t size)
{
	struct region *r;

	for (r = regions; r != NULL; r = r->next)
		for (struct block *b = first_block(r); b != NULL; b = next_block(r, b))
			if (b->used == 0 && b->size >= size)
				return take(b, size);
	r = region_new(size);
	return r != NULL ? take(first_block(r), size) : NULL;
}

void *secret_alloc(size_t n)
{
	void *p;

	if (n > INT_MAX)
		return NULL;
	pthread_mutex_lock(&lock);
	p = find(sizeof(struct block) + (n > 0 ? (n + UNIT - 1) / UNIT * UNIT : UNIT));
	pthread_mutex_unlock(&lock);
	return p;
}

char *secret_strdup(const char *text)
{
	size_t size = text != NULL ? strlen(text) + 1 : 0;
	char *copy = size > 0 ? secret_alloc(size) : NULL;

	if (copy != NULL)
		memcpy(copy, text, size);
	return copy;
}

/* Neighbours that are free become one. */
static void merge(struct region *r)
{
	struct block *b = first_block(r);
	struct block *next;

	while ((next = next_block(r, b)) != NULL) {
		if (b->used == 0 && next->used == 0) {
			b->size += next->size;
			secret_wipe(next, sizeof(*next)); /* free bytes are zero */
		} else {
			b = next;
		}
	}
	b = first_block(r);
	if (b->used == 0 && next_block(r, b) == NULL)
		region_free(r);
}

void secret_free(void *p)
{
	struct block *b = p;
	struct region *r;

	if (p == NULL)
		return;
	b--;
	pthread_mutex_lock(&lock);
	r = regions;
	while ((char *)b < (char *)r || (char *)b >= (char *)r + r->size)
		r = r->next;
	secret_wipe(p, b->size - sizeof(*b));
	b->used = 0;
	merge(r);
	pthread_mutex_unlock(&lock);
}
