/* simulator/phone/sim_keep.c - records by name, in memory */
#include "simulator/phone/sim_keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

#define CAP_FIRST 16

struct sim_kept {
	struct sim_kept *next;
	uint8_t *data; /* owned */
	size_t len, cap;
	char name[]; /* with its NUL */
};

/* FNV-1a */
static size_t slot_of(const char *name, size_t cap)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32) & (cap - 1);
}

static struct sim_kept **find(const struct sim_keep *k, const char *name)
{
	struct sim_kept **at;

	if (k->cap == 0)
		return NULL;
	at = &k->slots[slot_of(name, k->cap)];
	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static void record_free(struct sim_kept *r)
{
	if (r->data != NULL)
		secret_wipe(r->data, r->cap);
	free(r->data);
	free(r);
}

void sim_keep_clear(struct sim_keep *k)
{
	for (size_t i = 0; i < k->cap; i++) {
		while (k->slots[i] != NULL) {
			struct sim_kept *r = k->slots[i];

			k->slots[i] = r->next;
			record_free(r);
		}
	}
	free(k->slots);
	*k = (struct sim_keep){ 0 };
}

static int grow(struct sim_keep *k)
{
	size_t cap = k->cap == 0 ? CAP_FIRST : k->cap * 2;
	struct sim_kept **slots = calloc(cap, sizeof(*slots));

	if (slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < k->cap; i++) {
		while (k->slots[i] != NULL) {
			struct sim_kept *r = k->slots[i];
			struct sim_kept **to = &slots[slot_of(r->name, cap)];

			k->slots[i] = r->next;
			r->next = *to;
			*to = r;
		}
	}
	free(k->slots);
	k->slots = slots;
	k->cap = cap;
	return 0;
}

static int set(struct sim_kept *r, const void *data, size_t len)
{
	size_t cap = len < 64 ? 64 : len + len / 4;
	uint8_t *fresh;

	if (len > r->cap) {
		fresh = malloc(cap);
		if (fresh == NULL)
			return -ENOMEM;
		if (r->data != NULL)
			secret_wipe(r->data, r->cap);
		free(r->data);
		r->data = fresh;
		r->cap = cap;
	}
	if (len > 0)
		memcpy(r->data, data, len);
	r->len = len;
	return 0;
}

static int add(struct sim_keep *k, const char *name, const void *data, size_t len)
{
	size_t name_len = strlen(name);
	struct sim_kept *r, **to;

	if (k->n >= k->cap && grow(k) < 0)
		return -ENOMEM;
	r = calloc(1, sizeof(*r) + name_len + 1);
	if (r == NULL)
		return -ENOMEM;
	if (set(r, data, len) < 0) {
		free(r);
		return -ENOMEM;
	}
	memcpy(r->name, name, name_len + 1);
	to = &k->slots[slot_of(name, k->cap)];
	r->next = *to;
	*to = r;
	k->n++;
	return 0;
}

int sim_keep_put(struct sim_keep *k, const char *name, const void *data, size_t len)
{
	struct sim_kept **at = find(k, name);

	return at != NULL && *at != NULL ? set(*at, data, len) : add(k, name, data, len);
}

int sim_keep_get(const struct sim_keep *k, const char *name, const uint8_t **data_out,
                 size_t *len_out)
{
	struct sim_kept **at = find(k, name);

	if (at == NULL || *at == NULL)
		return -ENOENT;
	*data_out = (*at)->data;
	*len_out = (*at)->len;
	return 0;
}

bool sim_keep_drop(struct sim_keep *k, const char *name)
{
	struct sim_kept **at = find(k, name), *r;

	if (at == NULL || *at == NULL)
		return false;
	r = *at;
	*at = r->next;
	record_free(r);
	k->n--;
	return true;
}

void sim_keep_each(const struct sim_keep *k,
                   void (*on_record)(const char *name, const uint8_t *data, size_t len, void *arg),
                   void *arg)
{
	for (size_t i = 0; i < k->cap; i++) {
		for (const struct sim_kept *r = k->slots[i]; r != NULL; r = r->next)
			on_record(r->name, r->data, r->len, arg);
	}
}
