/* gateway/gw_limit.c - how many requests a token or an address may make */
#include "gateway/gw_limit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/secret.h"
#include "gateway/gw.h"

#define BUCKETS_MIN 256
#define RING_CAP_MIN 8
/* Idle keys looked at with each request: more than a request can add, so the table shrinks. */
#define SWEEP_N 2

/* The instants of the last admitted requests, oldest first. */
struct ring {
	uint64_t *at_ms; /* cap of them; NULL while empty */
	uint32_t cap;
	uint32_t first;
	uint32_t n;
};

struct entry {
	struct entry *next; /* in its bucket */
	TAILQ_ENTRY(entry) lru;
	uint64_t used_ms;
	struct gw_limit_key key;
	struct ring minute;
	struct ring create;
};
TAILQ_HEAD(entry_list, entry);

struct gw_limit {
	uint32_t per_minute;
	uint32_t create_per_minute;
	size_t addresses_max;
	size_t addresses_n;
	size_t entries_n;
	struct entry **buckets;
	size_t buckets_n;         /* a power of two */
	uint64_t seed[2];         /* so that nobody can choose addresses that share a bucket */
	struct entry_list lru[2]; /* by gw_limit_key.by; used last at the tail */
};

/* ---- rings ----------------------------------------------------------------------------------- */

static void ring_expire(struct ring *r, uint64_t now_ms)
{
	while (r->n > 0 && now_ms - r->at_ms[r->first] >= GW_LIMIT_WINDOW_MS) {
		r->first = (r->first + 1) % r->cap;
		r->n--;
	}
}

/* Room for one more. */
static int ring_reserve(struct ring *r, uint32_t limit)
{
	uint32_t cap = r->cap == 0 ? RING_CAP_MIN : r->cap * 2;
	uint64_t *grown;

	if (r->n < r->cap)
		return 0;
	if (cap > limit)
		cap = limit;
	grown = malloc(cap * sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n; i++)
		grown[i] = r->at_ms[(r->first + i) % r->cap];
	free(r->at_ms);
	r->at_ms = grown;
	r->cap = cap;
	r->first = 0;
	return 0;
}

static void ring_push(struct ring *r, uint64_t now_ms)
{
	assert(r->n < r->cap);
	r->at_ms[(r->first + r->n) % r->cap] = now_ms;
	r->n++;
}

/* ---- the table of keys ----------------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static struct entry **bucket_of(const struct gw_limit *l, const struct gw_limit_key *key)
{
	uint64_t w[GW_LIMIT_KEY_LEN / 8];
	uint64_t h = l->seed[0] + (uint64_t)key->by;

	memcpy(w, key->bytes, sizeof(w));
	for (size_t i = 0; i < GW_LIMIT_KEY_LEN / 8; i++)
		h = mix(h ^ w[i], l->seed[1]);
	return &l->buckets[h & (l->buckets_n - 1)];
}

static bool key_eq(const struct gw_limit_key *a, const struct gw_limit_key *b)
{
	return a->by == b->by && memcmp(a->bytes, b->bytes, GW_LIMIT_KEY_LEN) == 0;
}

static void entry_drop(struct gw_limit *l, struct entry *e)
{
	struct entry **p = bucket_of(l, &e->key);

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	TAILQ_REMOVE(&l->lru[e->key.by], e, lru);
	if (e->key.by == GW_LIMIT_BY_ADDRESS)
		l->addresses_n--;
	l->entries_n--;
	free(e->minute.at_ms);
	free(e->create.at_ms);
	free(e);
}

/* Forget what has been idle for a whole window: nothing of it counts any more. */
static void sweep(struct gw_limit *l, uint64_t now_ms)
{
	struct entry *e;

	for (int by = 0; by < 2; by++) {
		for (int i = 0; i < SWEEP_N; i++) {
			e = TAILQ_FIRST(&l->lru[by]);
			if (e == NULL || now_ms - e->used_ms < GW_LIMIT_WINDOW_MS)
				break;
			entry_drop(l, e);
		}
	}
}

/* Twice the buckets. Without memory for it the chains grow longer, which is only slower. */
static void grow(struct gw_limit *l)
{
	struct entry **old = l->buckets, **b;
	size_t old_n = l->buckets_n;
	struct entry **buckets = calloc(old_n * 2, sizeof(struct entry *));

	if (buckets == NULL)
		return;
	l->buckets = buckets;
	l->buckets_n = old_n * 2;
	for (size_t i = 0; i < old_n; i++) {
		for (struct entry *e = old[i], *next; e != NULL; e = next) {
			next = e->next;
			b = bucket_of(l, &e->key);
			e->next = *b;
			*b = e;
		}
	}
	free(old);
}

static struct entry *entry_find(const struct gw_limit *l, const struct gw_limit_key *key)
{
	struct entry *e = *bucket_of(l, key);

	while (e != NULL && !key_eq(&e->key, key))
		e = e->next;
	return e;
}

static struct entry *entry_add(struct gw_limit *l, const struct gw_limit_key *key)
{
	struct entry *e = calloc(1, sizeof(*e));
	struct entry **b;

	if (e == NULL)
		return NULL;
	if (key->by == GW_LIMIT_BY_ADDRESS) {
		if (l->addresses_n >= l->addresses_max)
			entry_drop(l, TAILQ_FIRST(&l->lru[GW_LIMIT_BY_ADDRESS]));
		l->addresses_n++;
	}
	if (l->entries_n >= l->buckets_n)
		grow(l);
	e->key = *key;
	b = bucket_of(l, key);
	e->next = *b;
	*b = e;
	TAILQ_INSERT_TAIL(&l->lru[key->by], e, lru);
	l->entries_n++;
	return e;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* What one ring says about the request being counted; the ring is expired. */
static struct gw_limit_result judge(const struct ring *r, uint32_t limit, bool allowed,
                                    uint64_t now_ms, int64_t now_unix_ms)
{
	struct gw_limit_result res = { .allowed = allowed, .limit = limit };
	/* An empty ring: another limit refused before anything was counted here. */
	uint64_t wait_ms = r->n == 0 ? 0 : r->at_ms[r->first] + GW_LIMIT_WINDOW_MS - now_ms;

	res.remaining = limit - r->n;
	res.reset_unix_s = (now_unix_ms + (int64_t)wait_ms + 999) / 1000;
	res.retry_after_s = (uint32_t)((wait_ms + 999) / 1000);
	if (res.retry_after_s == 0)
		res.retry_after_s = 1;
	return res;
}

/* Note one admitted request. */
static int count(struct gw_limit *l, struct entry *e, enum gw_limit_class class, uint64_t now_ms)
{
	if (ring_reserve(&e->minute, l->per_minute) < 0)
		return -ENOMEM;
	if (class == GW_LIMIT_CREATE) {
		if (ring_reserve(&e->create, l->create_per_minute) < 0)
			return -ENOMEM;
		ring_push(&e->create, now_ms);
	}
	ring_push(&e->minute, now_ms);
	e->used_ms = now_ms;
	TAILQ_REMOVE(&l->lru[e->key.by], e, lru);
	TAILQ_INSERT_TAIL(&l->lru[e->key.by], e, lru);
	return 0;
}

int gw_limit_take_at(struct gw_limit *l, enum gw_limit_class class, const struct gw_limit_key *key,
                     uint64_t now_ms, int64_t now_unix_ms, struct gw_limit_result *result_out)
{
	struct gw_limit_result minute, create;
	struct entry *e;
	bool allowed;

	assert(class != GW_LIMIT_NONE);
	sweep(l, now_ms);
	e = entry_find(l, key);
	if (e == NULL)
		e = entry_add(l, key);
	if (e == NULL)
		return -ENOMEM;
	ring_expire(&e->minute, now_ms);
	ring_expire(&e->create, now_ms);
	allowed = e->minute.n < l->per_minute &&
	          (class == GW_LIMIT_MINUTE || e->create.n < l->create_per_minute);
	if (allowed && count(l, e, class, now_ms) < 0)
		return -ENOMEM;
	minute = judge(&e->minute, l->per_minute, allowed, now_ms, now_unix_ms);
	create = judge(&e->create, l->create_per_minute, allowed, now_ms, now_unix_ms);
	*result_out =
	    class == GW_LIMIT_CREATE && create.remaining <= minute.remaining ? create : minute;
	return 0;
}

int gw_limit_take(struct gw_limit *l, enum gw_limit_class class, const struct gw_limit_key *key,
                  struct gw_limit_result *result_out)
{
	return gw_limit_take_at(l, class, key, clock_ms(), clock_unix_ms(), result_out);
}

/* ---- the rest -------------------------------------------------------------------------------- */

int gw_limit_new_with(uint32_t per_minute, uint32_t create_per_minute, size_t addresses_max,
                      struct gw_limit **limit_out)
{
	struct gw_limit *l;
	int rc;

	if (per_minute == 0 || create_per_minute == 0 || addresses_max == 0)
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	l->per_minute = per_minute;
	l->create_per_minute = create_per_minute;
	l->addresses_max = addresses_max;
	TAILQ_INIT(&l->lru[GW_LIMIT_BY_TOKEN]);
	TAILQ_INIT(&l->lru[GW_LIMIT_BY_ADDRESS]);
	l->buckets_n = BUCKETS_MIN;
	l->buckets = calloc(l->buckets_n, sizeof(struct entry *));
	rc = l->buckets == NULL ? -ENOMEM : secret_random(l->seed, sizeof(l->seed));
	if (rc < 0) {
		gw_limit_free(l);
		return rc;
	}
	l->seed[1] |= 1;
	*limit_out = l;
	return 0;
}

int gw_limit_new(struct gw *gw, struct gw_limit **limit_out)
{
	int64_t minute = gw->cfg.limit_per_minute, create = gw->cfg.limit_create_per_minute;

	if (minute <= 0 || minute > UINT32_MAX || create <= 0 || create > UINT32_MAX)
		return -EINVAL;
	return gw_limit_new_with((uint32_t)minute, (uint32_t)create, GW_LIMIT_ADDRESSES_MAX,
	                         limit_out);
}

void gw_limit_free(struct gw_limit *l)
{
	struct entry *e;

	if (l == NULL)
		return;
	for (int by = 0; by < 2; by++) {
		while ((e = TAILQ_FIRST(&l->lru[by])) != NULL)
			entry_drop(l, e);
	}
	free(l->buckets);
	free(l);
}

size_t gw_limit_keys_n(const struct gw_limit *l)
{
	return l->entries_n;
}

const char *gw_limit_health(const struct gw_limit *l)
{
	(void)l;
	return "ok";
}
