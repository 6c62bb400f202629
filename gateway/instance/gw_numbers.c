/* gateway/instance/gw_numbers.c - one new pairing code per phone number and minute, over the whole host */
#include "gateway/instance/gw_numbers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "gateway/registry/gw_table.h"

#define CAP_MIN 16

struct number {
	uint64_t hash;
	uint64_t issued_ms; /* the last code; 0: none yet */
	bool open;          /* an attempt for it has not come to its code */
};

struct gw_numbers {
	uint64_t seed;
	struct number *list;
	size_t n, cap;
};

static uint64_t hash_of(const struct gw_numbers *n, const char *number)
{
	return gw_hash(n->seed, number, strlen(number));
}

static struct number *find(const struct gw_numbers *n, const char *number)
{
	uint64_t hash = hash_of(n, number);

	for (size_t i = 0; i < n->n; i++)
		if (n->list[i].hash == hash)
			return &n->list[i];
	return NULL;
}

static uint32_t rest_ms(const struct number *e, uint64_t now_ms)
{
	uint64_t age = now_ms - e->issued_ms;

	if (e->open)
		return GW_NUMBER_REST_MS;
	return e->issued_ms != 0 && age < GW_NUMBER_REST_MS ? (uint32_t)(GW_NUMBER_REST_MS - age)
	                                                    : 0;
}

static void sweep(struct gw_numbers *n, uint64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->n; i++)
		if (rest_ms(&n->list[i], now_ms) > 0)
			n->list[kept++] = n->list[i];
	n->n = kept;
}

static int make_room(struct gw_numbers *n, uint64_t now_ms)
{
	size_t cap = n->cap == 0 ? CAP_MIN : 2 * n->cap;
	struct number *bigger;

	if (n->n == n->cap)
		sweep(n, now_ms);
	if (n->n < n->cap)
		return 0;
	if (cap > GW_NUMBERS_MAX)
		return WA_ERATE_LIMITED;
	bigger = realloc(n->list, cap * sizeof(*bigger));
	if (bigger == NULL)
		return -ENOMEM;
	n->list = bigger;
	n->cap = cap;
	return 0;
}

uint32_t gw_numbers_wait_ms(const struct gw_numbers *n, const char *number, uint64_t now_ms)
{
	const struct number *e = find(n, number);

	return e != NULL ? rest_ms(e, now_ms) : 0;
}

/* Found or made. */
static int entry(struct gw_numbers *n, const char *number, uint64_t now_ms, struct number **e_out)
{
	struct number *e = find(n, number);
	int rc = e != NULL ? 0 : make_room(n, now_ms);

	if (rc < 0)
		return rc;
	if (e == NULL) {
		e = &n->list[n->n++];
		*e = (struct number){ .hash = hash_of(n, number) };
	}
	*e_out = e;
	return 0;
}

int gw_numbers_begin(struct gw_numbers *n, const char *number, uint64_t now_ms)
{
	struct number *e;
	int rc;

	if (gw_numbers_wait_ms(n, number, now_ms) > 0)
		return WA_ERATE_LIMITED;
	rc = entry(n, number, now_ms, &e);
	if (rc == 0)
		e->open = true;
	return rc;
}

void gw_numbers_issued(struct gw_numbers *n, const char *number, uint64_t now_ms)
{
	struct number *e;

	if (entry(n, number, now_ms, &e) < 0)
		return; /* full of numbers that rest: nobody else can begin with this one either */
	e->issued_ms = now_ms;
	e->open = false;
}

void gw_numbers_end(struct gw_numbers *n, const char *number)
{
	struct number *e = find(n, number);

	if (e == NULL)
		return;
	e->open = false;
	if (e->issued_ms == 0)
		*e = n->list[--n->n];
}

int gw_numbers_new(struct gw_numbers **n_out)
{
	struct gw_numbers *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL)
		return -ENOMEM;
	rc = secret_random(&n->seed, sizeof(n->seed));
	if (rc < 0) {
		free(n);
		return rc;
	}
	*n_out = n;
	return 0;
}

void gw_numbers_free(struct gw_numbers *n)
{
	if (n == NULL)
		return;
	free(n->list);
	free(n);
}
