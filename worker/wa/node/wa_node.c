/* worker/wa/node/wa_node.c - the arena of a tree of nodes, looking into it, building it */
#include "worker/wa/node/wa_node.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "worker/wa/node/wa_node_priv.h"

/* ---- arena --------------------------------------------------------------------------------------
 *
 * Chunks that grow geometrically: most stanzas fit the first, and a worker keeps little. What is
 * larger than a chunk gets one of its own size.
 */

#define CHUNK_FIRST 512
#define CHUNK_LAST (64u * 1024)
#define ALIGN alignof(max_align_t)

struct chunk {
	struct chunk *next;
	size_t cap, used;
	alignas(max_align_t) uint8_t data[];
};

struct wa_node_arena {
	struct chunk *chunks; /* the newest first; the last one holds the arena itself */
	size_t next_cap;
	bool failed;
};

static struct chunk *chunk_new(size_t cap)
{
	struct chunk *c = malloc(sizeof(*c) + cap);

	if (c == NULL)
		return NULL;
	c->next = NULL;
	c->cap = cap;
	c->used = 0;
	return c;
}

static size_t aligned(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static void *chunk_take(struct chunk *c, size_t n)
{
	void *p = c->data + c->used;

	if (n > c->cap - c->used)
		return NULL;
	c->used += n;
	return p;
}

struct wa_node_arena *wa_arena_new(size_t hint_len)
{
	size_t cap = hint_len;
	struct wa_node_arena *a;
	struct chunk *c;

	if (cap < CHUNK_FIRST)
		cap = CHUNK_FIRST;
	if (cap > CHUNK_LAST)
		cap = CHUNK_LAST;
	c = chunk_new(cap);
	if (c == NULL)
		return NULL;
	a = chunk_take(c, aligned(sizeof(*a)));
	a->chunks = c;
	a->next_cap = cap;
	a->failed = false;
	return a;
}

void wa_arena_free(struct wa_node_arena *a)
{
	struct chunk *c, *next;

	if (a == NULL)
		return;
	for (c = a->chunks; c != NULL; c = next) {
		next = c->next; /* read before the chunk that holds it, or the arena, is gone */
		secret_wipe(c->data, c->used);
		free(c);
	}
}

static void *take_new_chunk(struct wa_node_arena *a, size_t n)
{
	struct chunk *c;

	if (a->next_cap < CHUNK_LAST)
		a->next_cap *= 2;
	c = chunk_new(n > a->next_cap ? n : a->next_cap);
	if (c == NULL)
		return NULL;
	c->next = a->chunks;
	a->chunks = c;
	return chunk_take(c, n);
}

void *wa_arena_alloc(struct wa_node_arena *a, size_t n)
{
	void *p = NULL;

	if (n <= SIZE_MAX - sizeof(struct chunk) - ALIGN) {
		p = chunk_take(a->chunks, aligned(n));
		if (p == NULL)
			p = take_new_chunk(a, aligned(n));
	}
	if (p == NULL)
		a->failed = true;
	else
		memset(p, 0, n);
	return p;
}

char *wa_arena_dup(struct wa_node_arena *a, const void *data, size_t data_len)
{
	char *p;

	if (data_len == SIZE_MAX) {
		a->failed = true;
		return NULL;
	}
	p = wa_arena_alloc(a, data_len + 1);
	if (p != NULL && data_len > 0)
		memcpy(p, data, data_len);
	return p;
}

bool wa_arena_failed(const struct wa_node_arena *a)
{
	return a->failed;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

/* Most differ in the first character. */
static bool same(const char *a, const char *b)
{
	return a[0] == b[0] && strcmp(a, b) == 0;
}

static struct wa_attr *attr_find(const struct wa_node *n, const char *name)
{
	for (size_t i = 0; i < n->attrs_n; i++) {
		if (same(n->attrs[i].name, name))
			return &n->attrs[i];
	}
	return NULL;
}

const char *wa_node_attr(const struct wa_node *n, const char *name)
{
	const struct wa_attr *a = n == NULL ? NULL : attr_find(n, name);

	if (a == NULL || memchr(a->value, '\0', a->value_len) != NULL)
		return NULL;
	return a->value;
}

bool wa_node_attr_is(const struct wa_node *n, const char *name, const char *value)
{
	const char *have = wa_node_attr(n, name);

	return have != NULL && same(have, value);
}

bool wa_node_is(const struct wa_node *n, const char *tag)
{
	return n != NULL && same(n->tag, tag);
}

static const struct wa_node *find_from(const struct wa_node *n, const char *tag)
{
	while (n != NULL && tag != NULL && !same(n->tag, tag))
		n = n->next;
	return n;
}

const struct wa_node *wa_node_child(const struct wa_node *n, const char *tag)
{
	if (n == NULL || n->content != WA_CONTENT_NODES)
		return NULL;
	return find_from(n->first_child, tag);
}

const struct wa_node *wa_node_next(const struct wa_node *n, const char *tag)
{
	return n == NULL ? NULL : find_from(n->next, tag);
}

/* ---- building -----------------------------------------------------------------------------------
 */

struct wa_node *wa_node_alloc(struct wa_node_arena *a)
{
	struct wa_node *n = wa_arena_alloc(a, sizeof(*n));

	if (n != NULL) {
		n->arena = a;
		n->tag = "";
	}
	return n;
}

void wa_node_append_child(struct wa_node *parent, struct wa_node *child)
{
	if (parent->last_child == NULL)
		parent->first_child = child;
	else
		parent->last_child->next = child;
	parent->last_child = child;
	parent->children_n++;
}

static struct wa_node *node_in(struct wa_node_arena *a, const char *tag)
{
	struct wa_node *n = wa_node_alloc(a);
	char *copy = n == NULL ? NULL : wa_arena_dup(a, tag, strlen(tag));

	if (copy == NULL)
		return NULL;
	n->tag = copy;
	return n;
}

struct wa_node *wa_node_new(const char *tag)
{
	struct wa_node_arena *a = wa_arena_new(0);
	struct wa_node *n;

	if (a == NULL)
		return NULL;
	n = node_in(a, tag);
	if (n == NULL)
		wa_arena_free(a);
	return n;
}

struct wa_node *wa_node_add(struct wa_node *parent, const char *tag)
{
	struct wa_node *n;

	if (parent == NULL)
		return NULL;
	n = node_in(parent->arena, tag);
	if (n == NULL)
		return NULL;
	if (parent->content != WA_CONTENT_NODES) {
		parent->content = WA_CONTENT_NODES;
		parent->bytes = NULL;
		parent->bytes_len = 0;
	}
	wa_node_append_child(parent, n);
	return n;
}

/* The attribute of that name, added when there is none. NULL without memory. */
static struct wa_attr *attr_slot(struct wa_node *n, const char *name)
{
	struct wa_attr *a = attr_find(n, name);
	char *copy;

	if (a != NULL)
		return a;
	if (n->attrs_n == n->attrs_cap) {
		size_t cap = n->attrs_cap < 4 ? 4 : n->attrs_cap * 2;

		a = wa_arena_alloc(n->arena, cap * sizeof(*a));
		if (a == NULL)
			return NULL;
		if (n->attrs_n > 0)
			memcpy(a, n->attrs, n->attrs_n * sizeof(*a));
		n->attrs = a;
		n->attrs_cap = cap;
	}
	copy = wa_arena_dup(n->arena, name, strlen(name));
	if (copy == NULL)
		return NULL;
	a = &n->attrs[n->attrs_n++];
	a->name = copy;
	a->value = "";
	return a;
}

static void set_attr(struct wa_node *n, const char *name, const char *value, bool is_jid)
{
	struct wa_attr *a;
	size_t value_len;
	char *copy;

	if (n == NULL || value == NULL)
		return;
	value_len = strlen(value);
	copy = wa_arena_dup(n->arena, value, value_len);
	a = copy == NULL ? NULL : attr_slot(n, name);
	if (a == NULL)
		return; /* the arena knows */
	a->value = copy;
	a->value_len = value_len;
	a->is_jid = is_jid;
}

void wa_node_set(struct wa_node *n, const char *name, const char *value)
{
	set_attr(n, name, value, false);
}

void wa_node_set_int(struct wa_node *n, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	set_attr(n, name, text, false);
}

void wa_node_set_jid(struct wa_node *n, const char *name, const char *jid_text)
{
	set_attr(n, name, jid_text, true);
}

void wa_node_set_bytes(struct wa_node *n, const void *data, size_t data_len)
{
	char *copy;

	if (n == NULL)
		return;
	copy = wa_arena_dup(n->arena, data, data_len);
	if (copy == NULL)
		return;
	n->content = WA_CONTENT_BYTES;
	n->content_is_text = false;
	n->content_is_jid = false;
	n->bytes = (const uint8_t *)copy;
	n->bytes_len = data_len;
	n->first_child = n->last_child = NULL;
	n->children_n = 0;
}

void wa_node_set_text(struct wa_node *n, const char *text)
{
	wa_node_set_bytes(n, text, strlen(text));
}

void wa_node_free(struct wa_node *root)
{
	if (root != NULL)
		wa_arena_free(root->arena);
}
