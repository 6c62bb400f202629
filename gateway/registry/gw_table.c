/* gateway/registry/gw_table.c - a hash table of objects that carry their own link */
#include "gateway/registry/gw_table.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_MIN 64

static struct gw_link **slot_of(const struct gw_table *t, uint64_t hash)
{
	return &t->slots[hash & (t->slots_n - 1)];
}

static int grow(struct gw_table *t)
{
	struct gw_table bigger = { .slots_n = t->slots_n == 0 ? SLOTS_MIN : 2 * t->slots_n };

	bigger.slots = calloc(bigger.slots_n, sizeof(struct gw_link *));
	if (bigger.slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->slots_n; i++)
		while (t->slots[i] != NULL) {
			struct gw_link *l = t->slots[i];
			struct gw_link **to = slot_of(&bigger, l->hash);

			t->slots[i] = l->next;
			l->next = *to;
			*to = l;
		}
	bigger.n = t->n;
	free(t->slots);
	*t = bigger;
	return 0;
}

int gw_table_add(struct gw_table *t, struct gw_link *l, uint64_t hash)
{
	struct gw_link **to;

	/* a table that can't grow still works, with longer chains */
	if (t->n >= t->slots_n && grow(t) < 0 && t->slots_n == 0)
		return -ENOMEM;
	to = slot_of(t, hash);
	l->hash = hash;
	l->next = *to;
	*to = l;
	t->n++;
	return 0;
}

void gw_table_del(struct gw_table *t, struct gw_link *l)
{
	struct gw_link **p = slot_of(t, l->hash);

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	l->next = NULL;
	t->n--;
}

struct gw_link *gw_table_next(const struct gw_table *t, uint64_t hash, struct gw_link *prev)
{
	struct gw_link *l;

	if (t->slots_n == 0)
		return NULL;
	l = prev == NULL ? *slot_of(t, hash) : prev->next;
	while (l != NULL && l->hash != hash)
		l = l->next;
	return l;
}

void gw_table_clear(struct gw_table *t)
{
	free(t->slots);
	*t = (struct gw_table){ 0 };
}

uint64_t gw_hash(uint64_t seed, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t h = seed;

	for (size_t i = 0; i < n; i++) {
		h ^= p[i];
		h *= UINT64_C(0x100000001b3);
	}
	h ^= h >> 32;
	h *= UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}
