/*
 * gateway/registry/gw_table.h - a hash table of objects that carry their own link
 *
 * Holds no keys: the owner hashes a key, walks the few candidates with that hash and compares.
 * Zero-initialised is empty and valid.
 */
#ifndef GW_TABLE_H
#define GW_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct gw_link {
	struct gw_link *next;
	uint64_t hash;
};

struct gw_table {
	struct gw_link **slots; /* owned */
	size_t slots_n;         /* power of two, or 0 */
	size_t n;
};

/* The object a link is embedded in. */
#define GW_LINK_OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* 0 or -ENOMEM (nothing added). */
ATTR_NODISCARD int gw_table_add(struct gw_table *t, struct gw_link *l, uint64_t hash);
/* l must be in t. */
void gw_table_del(struct gw_table *t, struct gw_link *l);
/* Candidates with this hash: start with prev NULL; NULL at the end. */
struct gw_link *gw_table_next(const struct gw_table *t, uint64_t hash, struct gw_link *prev);
/* Forget everything; the objects are the owner's. */
void gw_table_clear(struct gw_table *t);

/* FNV-1a from a seed that no client knows, with its bits spread. */
uint64_t gw_hash(uint64_t seed, const void *data, size_t n);

#endif
