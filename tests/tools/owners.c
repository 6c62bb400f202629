/*
 * tests/tools/owners.c - LD_PRELOAD: who made the blocks of the heap, for tests/bench/owners
 *
 * A table at an address that the reader of the process' memory knows: block, size, caller and the
 * process that made it. It lies outside the heap, so that this stays as it is without us.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define TABLE ((struct entry *)UINT64_C(0x200000000000))
#define ENTRIES 65536u
#define GONE 1u

struct entry {
	uint64_t at, size, caller, pid;
};

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t each);
extern void *__libc_memalign(size_t align, size_t n);

static struct entry *table;
static bool looked;

static struct entry *find_table(void)
{
	void *at = TABLE;

	if (!looked) {
		looked = true;
		at = mmap(TABLE, ENTRIES * sizeof(*table), PROT_READ | PROT_WRITE,
		          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
		table = at == TABLE ? TABLE : NULL;
	}
	return table;
}

static unsigned place_of(uint64_t at)
{
	return (unsigned)((at >> 4) * UINT64_C(2654435761) >> 8) % ENTRIES;
}

static void *note(void *p, size_t size, void *caller)
{
	uint64_t at = (uint64_t)(uintptr_t)p;
	unsigned i = place_of(at);

	if (p == NULL || find_table() == NULL)
		return p;
	for (unsigned n = 0; n < ENTRIES; n++, i = (i + 1) % ENTRIES) {
		if (table[i].at > GONE)
			continue;
		table[i] =
		    (struct entry){ at, size, (uint64_t)(uintptr_t)caller, (uint64_t)getpid() };
		break;
	}
	return p;
}

static void forget(const void *p)
{
	uint64_t at = (uint64_t)(uintptr_t)p;
	unsigned i = place_of(at);

	if (p == NULL || table == NULL)
		return;
	for (unsigned n = 0; n < ENTRIES && table[i].at != 0; n++, i = (i + 1) % ENTRIES)
		if (table[i].at == at)
			table[i].at = GONE;
}

void *malloc(size_t n)
{
	return note(__libc_malloc(n), n, __builtin_return_address(0));
}

void *calloc(size_t n, size_t each)
{
	return note(__libc_calloc(n, each), n * each, __builtin_return_address(0));
}

int posix_memalign(void **out, size_t align, size_t n)
{
	*out = note(__libc_memalign(align, n), n, __builtin_return_address(0));
	return *out == NULL ? 12 : 0;
}

/* Our programs have a free() and a realloc() of their own (common/heap.c), which end in these. */
void __libc_free(void *p)
{
	static void (*next)(void *);

	if (next == NULL)
		next = (void (*)(void *))dlsym(RTLD_NEXT, "__libc_free");
	forget(p);
	next(p);
}

void *__libc_realloc(void *p, size_t n)
{
	static void *(*next)(void *, size_t);

	if (next == NULL)
		next = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "__libc_realloc");
	forget(p);
	return note(next(p, n), n, __builtin_return_address(0));
}

/* SQLite's areas (worker/store/wk_store_heap.c). */
void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	static void *(*next)(void *, size_t, int, int, int, off_t);
	void *p;

	if (next == NULL)
		next = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
	p = next(at, n, prot, flags, fd, offset);
	if (at == NULL && fd < 0 && p != MAP_FAILED)
		(void)note(p, n, __builtin_return_address(0));
	return p;
}

int munmap(void *p, size_t n)
{
	static int (*next)(void *, size_t);

	if (next == NULL)
		next = (int (*)(void *, size_t))dlsym(RTLD_NEXT, "munmap");
	forget(p);
	return next(p, n);
}
