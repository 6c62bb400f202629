/* worker/wa/message/wa_pool.c - memory for decoded messages that is given back all at once */
#include "worker/wa/message/wa_pool.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"

struct chunk {
	struct chunk *next;
	size_t cap, used;
	alignas(max_align_t) uint8_t bytes[];
};

struct wa_pool {
	struct chunk *newest; /* the first one is the last of the list */
	size_t max, total;
	int error; /* first refusal since the last reset */
};

static struct chunk *chunk_new(size_t cap, struct chunk *next)
{
	struct chunk *c;

	if (cap > SIZE_MAX - sizeof(*c))
		return NULL;
	c = malloc(sizeof(*c) + cap);
	if (c == NULL)
		return NULL;
	c->next = next;
	c->cap = cap;
	c->used = 0;
	return c;
}

struct wa_pool *wa_pool_new(size_t first_cap, size_t max)
{
	struct wa_pool *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->max = max;
	a->newest = chunk_new(first_cap, NULL);
	if (a->newest == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

void wa_pool_reset(struct wa_pool *a)
{
	struct chunk *c;

	while ((c = a->newest)->next != NULL) {
		a->newest = c->next;
		secret_wipe(c->bytes, c->used);
		free(c);
	}
	secret_wipe(c->bytes, c->used);
	c->used = 0;
	a->total = 0;
	a->error = 0;
}

void wa_pool_free(struct wa_pool *a)
{
	if (a == NULL)
		return;
	wa_pool_reset(a);
	free(a->newest);
	free(a);
}

static void *refuse(struct wa_pool *a, int error)
{
	if (a->error == 0)
		a->error = error;
	return NULL;
}

/* Not zeroed. */
static void *take(struct wa_pool *a, size_t n)
{
	const size_t unit = alignof(max_align_t);
	struct chunk *c = a->newest;
	uint8_t *p;

	if (n > SIZE_MAX - unit)
		return refuse(a, WA_ELIMIT);
	n = (n + unit - 1) / unit * unit;
	if (n > a->max - a->total)
		return refuse(a, WA_ELIMIT);
	if (n > c->cap - c->used) {
		c = chunk_new(n > c->cap ? n : c->cap, c);
		if (c == NULL)
			return refuse(a, -ENOMEM);
		a->newest = c;
	}
	p = c->bytes + c->used;
	c->used += n;
	a->total += n;
	return p;
}

int wa_pool_error(const struct wa_pool *a)
{
	return a->error;
}

void *wa_pool_alloc(struct wa_pool *a, size_t n)
{
	void *p = take(a, n);

	return p == NULL ? NULL : memset(p, 0, n);
}

/* ---- protobuf-c ---------------------------------------------------------------------------------
 */

static void *on_alloc(void *arg, size_t n)
{
	return take(arg, n);
}

static void on_free(void *arg, void *p)
{
	(void)arg, (void)p; /* with the next reset */
}

int wa_pool_unpack(struct wa_pool *a, const ProtobufCMessageDescriptor *desc, const uint8_t *data,
                   size_t data_len, const struct pb_limits *limits, ProtobufCMessage **msg_out)
{
	ProtobufCAllocator alloc = { on_alloc, on_free, a };
	ProtobufCMessage *msg;
	int rc;

	rc = pb_scan(desc, data, data_len, limits);
	if (rc < 0)
		return rc;
	msg = protobuf_c_message_unpack(desc, &alloc, data_len, data);
	if (msg == NULL)
		return a->error != 0 ? a->error : WA_EPROTO;
	*msg_out = msg;
	return 0;
}
