/* gateway/limit/gw_limit_local.c - the windows of all keys, in this process's memory */
#include "gateway/limit/gw_limit_local.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/secret.h"

#define BUCKETS_MIN 256
#define RING_CAP_MIN 8
/* Idle keys looked at with each request: more than a request can add, so the table shrinks. */
#define SWEEP_N 2

/*
 * The instants of the last requests that this gateway admitted, oldest first, and how many others
 * have admitted besides, as far as Redis has said so: these are taken to leave the window evenly.
 */
struct ring {
	uint64_t *at_ms; /* cap of them; NULL while empty */
	uint32_t cap;
	uint32_t first;
	uint32_t n;
	uint32_t others_n; /* at others_at_ms */
	uint32_t epoch;    /* of the connection on which Redis knew all of this; 0: it may not */
	uint64_t others_at_ms;
};

struct entry {
	struct entry *next; /* in its bucket */
	TAILQ_ENTRY(entry) lru;
	uint64_t used_ms;
	struct gw_limit_key key;
	bool marked;          /* Redis holds something else under this key */
	struct ring rings[2]; /* of the minute, of creating */
};
TAILQ_HEAD(entry_list, entry);

struct gw_limit_local {
	uint32_t limits[2]; /* per minute, creating per minute */
	uint32_t window_ms;
	size_t addresses_max;
	size_t addresses_n;
	size_t marked_n;
	size_t entries_n;
	struct entry **buckets;
	size_t buckets_n;         /* a power of two */
	uint64_t seed[2];         /* so that nobody can choose addresses that share a bucket */
	struct entry_list lru[2]; /* by gw_limit_key.by; used last at the tail */
};

/* ---- rings ----------------------------------------------------------------------------------- */

static void ring_expire(struct ring *r, uint64_t now_ms, uint32_t window_ms)
{
	if (now_ms - r->others_at_ms >= window_ms)
		r->others_n = 0;
	while (r->n > 0 && now_ms - r->at_ms[r->first] >= window_ms) {
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

static struct entry **bucket_of(const struct gw_limit_local *l, const struct gw_limit_key *key)
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

static void entry_drop(struct gw_limit_local *l, struct entry *e)
{
	struct entry **p = bucket_of(l, &e->key);

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	TAILQ_REMOVE(&l->lru[e->key.by], e, lru);
	if (e->key.by == GW_LIMIT_BY_ADDRESS)
		l->addresses_n--;
	l->entries_n--;
	l->marked_n -= e->marked;
	free(e->rings[0].at_ms);
	free(e->rings[1].at_ms);
	free(e);
}

/* Forget what has been idle for a whole window: nothing of it counts any more. */
static void sweep(struct gw_limit_local *l, uint64_t now_ms)
{
	struct entry *e;

	for (int by = 0; by < 2; by++) {
		for (int i = 0; i < SWEEP_N; i++) {
			e = TAILQ_FIRST(&l->lru[by]);
			if (e == NULL || now_ms - e->used_ms < l->window_ms)
				break;
			entry_drop(l, e);
		}
	}
}

/* Twice the buckets. Without memory for it the chains grow longer, which is only slower. */
static void grow(struct gw_limit_local *l)
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

static struct entry *entry_find(const struct gw_limit_local *l, const struct gw_limit_key *key)
{
	struct entry *e = *bucket_of(l, key);

	while (e != NULL && !key_eq(&e->key, key))
		e = e->next;
	return e;
}

static struct entry *entry_add(struct gw_limit_local *l, const struct gw_limit_key *key)
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

static void touch(struct gw_limit_local *l, struct entry *e, uint64_t now_ms)
{
	e->used_ms = now_ms;
	TAILQ_REMOVE(&l->lru[e->key.by], e, lru);
	TAILQ_INSERT_TAIL(&l->lru[e->key.by], e, lru);
}

/* The entry of key, made if need be, its rings expired. NULL: no memory. */
static struct entry *entry_now(struct gw_limit_local *l, const struct gw_limit_key *key,
                               uint64_t now_ms)
{
	struct entry *e;

	sweep(l, now_ms);
	e = entry_find(l, key);
	if (e == NULL)
		e = entry_add(l, key);
	if (e == NULL)
		return NULL;
	for (int i = 0; i < 2; i++)
		ring_expire(&e->rings[i], now_ms, l->window_ms);
	return e;
}

/* ---- deciding alone -------------------------------------------------------------------------- */

/* The other gateways' part of the window: less and less of what was last heard. */
static uint32_t others_now(const struct ring *r, uint64_t now_ms, uint32_t window_ms)
{
	uint64_t left_ms = window_ms - (now_ms - r->others_at_ms);

	if (r->others_n == 0)
		return 0;
	return (uint32_t)((r->others_n * left_ms + window_ms - 1) / window_ms);
}

/* What an expired ring says. */
static struct gw_limit_view view_of(const struct ring *r, uint32_t limit, uint64_t now_ms,
                                    uint32_t window_ms)
{
	uint32_t others_n = others_now(r, now_ms, window_ms);
	uint64_t n = (uint64_t)r->n + others_n;
	struct gw_limit_view v = { .limit = limit, .n = n > limit ? limit : (uint32_t)n };

	/* An empty ring: another limit refused before anything was counted here. */
	if (r->n > 0)
		v.wait_ms = r->at_ms[r->first] + window_ms - now_ms;
	if (others_n > 0 && (r->n == 0 || window_ms / r->others_n < v.wait_ms))
		v.wait_ms = window_ms / r->others_n;
	return v;
}

/* Note one admitted request. */
static int count(struct gw_limit_local *l, struct entry *e, int rings_n, uint64_t now_ms)
{
	for (int i = 0; i < rings_n; i++)
		if (ring_reserve(&e->rings[i], l->limits[i]) < 0)
			return -ENOMEM;
	for (int i = 0; i < rings_n; i++)
		ring_push(&e->rings[i], now_ms);
	touch(l, e, now_ms);
	return 0;
}

int gw_limit_local_take(struct gw_limit_local *l, enum gw_limit_class class,
                        const struct gw_limit_key *key, uint64_t now_ms,
                        struct gw_limit_view views_out[2])
{
	struct entry *e = entry_now(l, key, now_ms);
	int rings_n = class == GW_LIMIT_CREATE ? 2 : 1;
	bool allowed = true;

	assert(class != GW_LIMIT_NONE);
	if (e == NULL)
		return -ENOMEM;
	for (int i = 0; i < rings_n; i++) {
		const struct ring *r = &e->rings[i];

		if ((uint64_t)r->n + others_now(r, now_ms, l->window_ms) >= l->limits[i])
			allowed = false;
	}
	if (allowed && count(l, e, rings_n, now_ms) < 0)
		return -ENOMEM;
	for (int i = 0; i < rings_n; i++) {
		if (allowed)
			e->rings[i].epoch = 0; /* nobody told Redis */
		views_out[i] = view_of(&e->rings[i], l->limits[i], now_ms, l->window_ms);
	}
	return allowed;
}

/* ---- beside a shared Redis ------------------------------------------------------------------- */

/* Instants in the ring that are younger than age_ms. */
static uint32_t younger_n(const struct ring *r, uint64_t now_ms, uint64_t age_ms)
{
	uint32_t lo = 0, hi = r->n; /* the first that is young enough is in lo..hi */

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (now_ms - r->at_ms[(r->first + mid) % r->cap] < age_ms)
			hi = mid;
		else
			lo = mid + 1;
	}
	return r->n - lo;
}

/* Redis has admitted it, so it counts, even where the clocks differ by a moment: the oldest goes.
 */
static void ring_force(struct ring *r, uint32_t limit, uint64_t now_ms)
{
	if (r->n >= limit) {
		r->first = (r->first + 1) % r->cap;
		r->n--;
	}
	if (ring_reserve(r, limit) == 0)
		ring_push(r, now_ms);
}

static void ring_follow(struct ring *r, uint32_t limit, uint64_t now_ms, uint32_t window_ms,
                        bool allowed, const struct gw_limit_view *view, uint32_t epoch)
{
	/* The two clocks see the end of a window at different moments; well before it, they agree.
	 */
	uint32_t margin_ms = window_ms / 60;

	if (allowed)
		ring_force(r, limit, now_ms);
	r->others_n = view->n > r->n ? view->n - r->n : 0;
	r->others_at_ms = now_ms;
	/* Flushed, evicted, started from an old dump: told again with the next request. */
	r->epoch = younger_n(r, now_ms, window_ms - margin_ms) > view->n ? 0 : epoch;
}

void gw_limit_local_follow(struct gw_limit_local *l, enum gw_limit_class class,
                           const struct gw_limit_key *key, uint64_t now_ms, bool allowed,
                           const struct gw_limit_view views[2], uint32_t epoch)
{
	struct entry *e = entry_now(l, key, now_ms);
	int rings_n = class == GW_LIMIT_CREATE ? 2 : 1;

	if (e == NULL)
		return;
	for (int i = 0; i < rings_n; i++)
		ring_follow(&e->rings[i], l->limits[i], now_ms, l->window_ms, allowed, &views[i],
		            epoch);
	touch(l, e, now_ms);
}

static int ring_ages(const struct ring *r, uint64_t now_ms, struct buf *out)
{
	uint32_t i = r->n > GW_LIMIT_AGES_MAX ? r->n - GW_LIMIT_AGES_MAX : 0;
	int rc = 0;

	for (; rc == 0 && i < r->n; i++)
		rc = buf_appendf(out, "%s%llu", out->len == 0 ? "" : " ",
		                 (unsigned long long)(now_ms - r->at_ms[(r->first + i) % r->cap]));
	return rc;
}

int gw_limit_local_ages(struct gw_limit_local *l, enum gw_limit_class class,
                        const struct gw_limit_key *key, uint64_t now_ms, uint32_t epoch,
                        struct buf out[2])
{
	struct entry *e = entry_find(l, key);
	int rings_n = class == GW_LIMIT_CREATE ? 2 : 1;
	int rc = 0;

	for (int i = 0; e != NULL && rc == 0 && i < rings_n; i++) {
		if (e->rings[i].epoch == epoch)
			continue;
		ring_expire(&e->rings[i], now_ms, l->window_ms);
		rc = ring_ages(&e->rings[i], now_ms, &out[i]);
	}
	return rc;
}

void gw_limit_local_mark(struct gw_limit_local *l, const struct gw_limit_key *key, uint64_t now_ms,
                         bool foreign)
{
	struct entry *e = foreign ? entry_now(l, key, now_ms) : entry_find(l, key);

	if (e == NULL || e->marked == foreign)
		return;
	if (foreign) {
		l->marked_n++;
		touch(l, e, now_ms);
	} else {
		l->marked_n--;
	}
	e->marked = foreign;
}

size_t gw_limit_local_marked_n(struct gw_limit_local *l, uint64_t now_ms)
{
	if (l->marked_n > 0)
		sweep(l, now_ms);
	return l->marked_n;
}

/* ---- the rest -------------------------------------------------------------------------------- */

int gw_limit_local_new(const struct gw_limit_local_params *p, struct gw_limit_local **local_out)
{
	struct gw_limit_local *l;
	int rc;

	if (p->per_minute == 0 || p->create_per_minute == 0 || p->window_ms == 0 ||
	    p->addresses_max == 0)
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	l->limits[0] = p->per_minute;
	l->limits[1] = p->create_per_minute;
	l->window_ms = p->window_ms;
	l->addresses_max = p->addresses_max;
	TAILQ_INIT(&l->lru[GW_LIMIT_BY_TOKEN]);
	TAILQ_INIT(&l->lru[GW_LIMIT_BY_ADDRESS]);
	l->buckets_n = BUCKETS_MIN;
	l->buckets = calloc(l->buckets_n, sizeof(struct entry *));
	rc = l->buckets == NULL ? -ENOMEM : secret_random(l->seed, sizeof(l->seed));
	if (rc < 0) {
		gw_limit_local_free(l);
		return rc;
	}
	l->seed[1] |= 1;
	*local_out = l;
	return 0;
}

void gw_limit_local_free(struct gw_limit_local *l)
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

size_t gw_limit_local_keys_n(const struct gw_limit_local *l)
{
	return l->entries_n;
}
