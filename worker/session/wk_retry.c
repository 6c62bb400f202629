/* worker/session/wk_retry.c - the retry classes of the fault table */
#include "worker/session/wk_retry.h"

#include "common/err.h"

#define FIRST_MS 1000
#define LONGEST_MS 300000
#define STORAGE_MS 10000 /* a disk heals at any moment, and nobody else is asked */
#define FAILURES_MAX 64  /* the longest wait is reached long before */
#define BOUNDED_MAX 10
#define PROTOCOL_MAX 5
#define PROTOCOL_WINDOW_MS (3600 * 1000)
#define RESTARTS_MAX 3
#define RESTART_WINDOW_MS 60000
#define THROTTLED 429
#define THROTTLED_STEPS 5
#define REPLACED_S (5 * 60)
#define REPLACED_MAX 3
#define DAY_S (24 * 3600)
#define BAN_S 3600 /* of a ban that does not say how long it lasts */

static struct wk_retry_plan after(uint64_t wait_ms)
{
	return (struct wk_retry_plan){ .kind = WK_RETRY_AFTER, .wait_ms = wait_ms };
}

static struct wk_retry_plan at(int64_t unix_s)
{
	return (struct wk_retry_plan){ .kind = WK_RETRY_AT, .unix_s = unix_s };
}

static struct wk_retry_plan never(void)
{
	return (struct wk_retry_plan){ .kind = WK_RETRY_NEVER };
}

/* Full jitter: anything from 0 to a limit that doubles with each failure. */
static uint64_t jitter_ms(struct wk_retry *r, uint64_t longest_ms, uint64_t rnd)
{
	uint64_t limit = FIRST_MS;

	for (unsigned i = 0; i < r->failures && limit < longest_ms; i++)
		limit *= 2;
	if (limit > longest_ms)
		limit = longest_ms;
	if (r->failures < FAILURES_MAX)
		r->failures++;
	return rnd % (limit + 1);
}

static struct wk_retry_plan backoff(struct wk_retry *r, uint64_t rnd)
{
	return after(jitter_ms(r, LONGEST_MS, rnd));
}

static struct wk_retry_plan bounded(struct wk_retry *r, uint64_t rnd)
{
	if (r->bounded >= BOUNDED_MAX)
		return never();
	r->bounded++;
	return backoff(r, rnd);
}

/* Class A: at once, once; what follows is class B. */
static struct wk_retry_plan at_once(struct wk_retry *r, uint64_t rnd)
{
	if (r->failures > 0)
		return backoff(r, rnd);
	r->failures = 1;
	return after(0);
}

/* Begin another window when the old one is over; then count. */
static unsigned count(unsigned *n, uint64_t *began_ms, uint64_t window_ms, uint64_t now_ms)
{
	if (*n == 0 || now_ms - *began_ms >= window_ms) {
		*n = 0;
		*began_ms = now_ms;
	}
	return ++*n;
}

/* The first second of each wait is never left out: no more than one dial a second. */
static struct wk_retry_plan restart(struct wk_retry *r, uint64_t now_ms, uint64_t rnd)
{
	if (count(&r->restarts, &r->restart_ms, RESTART_WINDOW_MS, now_ms) <= RESTARTS_MAX)
		return after(0);
	return after(FIRST_MS + jitter_ms(r, LONGEST_MS - FIRST_MS, rnd));
}

static struct wk_retry_plan protocol(struct wk_retry *r, uint64_t now_ms, uint64_t rnd)
{
	if (count(&r->protocol_n, &r->protocol_ms, PROTOCOL_WINDOW_MS, now_ms) > PROTOCOL_MAX)
		return never();
	return backoff(r, rnd);
}

/* Another login of the same device: a few tries a day, so that two never push each other out. */
static struct wk_retry_plan replaced(struct wk_creds *creds, int64_t now_unix_s)
{
	int64_t since = now_unix_s - creds->replaced_day_unix_s;

	if (creds->replaced_n == 0 || since < 0 || since >= DAY_S) {
		creds->replaced_n = 0;
		creds->replaced_day_unix_s = now_unix_s;
	}
	if (creds->replaced_n >= REPLACED_MAX)
		return never();
	creds->replaced_n++;
	return at(now_unix_s + REPLACED_S);
}

/* Reasons of <failure> that say the request itself is wrong: the same again gets the same. */
static bool is_verdict(uint32_t reason)
{
	return reason == 400 || reason == 409 || reason == 415 || reason == 418 || reason == 501;
}

static struct wk_retry_plan network(struct wk_retry *r, const struct wk_retry_cause *c,
                                    uint64_t rnd)
{
	if (c->reason == THROTTLED && r->failures < THROTTLED_STEPS)
		r->failures = THROTTLED_STEPS;
	return c->at_once ? at_once(r, rnd) : backoff(r, rnd);
}

static struct wk_retry_plan choose(struct wk_retry *r, const struct wk_retry_cause *c,
                                   struct wk_creds *creds, uint64_t now_ms, int64_t now_unix_s,
                                   uint64_t rnd)
{
	if (c->restart)
		return restart(r, now_ms, rnd);
	switch (c->rc) {
	case WA_ELOGGED_OUT:
	case WA_EBANNED:
		return (struct wk_retry_plan){ .kind = WK_RETRY_SET_ASIDE };
	case WA_ETEMP_BANNED:
		return at(now_unix_s + (c->expire_s > 0 ? c->expire_s : BAN_S));
	case WA_ESTREAM_REPLACED:
		return replaced(creds, now_unix_s);
	case WA_ECONNECT_FAILURE:
		return is_verdict(c->reason) ? never() : bounded(r, rnd);
	case WA_ETLS:
	case WA_EHANDSHAKE:
		return c->transient ? backoff(r, rnd) : bounded(r, rnd);
	case WA_EPROTO:
		return protocol(r, now_ms, rnd);
	case WA_ESTORAGE:
		return after(jitter_ms(r, STORAGE_MS, rnd));
	case WA_ECLIENT_OUTDATED:
	case WA_EPROXY_AUTH:
	case WA_ESTORE_CORRUPT:
	case WA_EALREADY_RUNNING:
	case WA_ENO_SESSION:
		return never();
	default: /* dns, network, proxy_unreachable, timeout, and what nobody has thought of */
		return network(r, c, rnd);
	}
}

struct wk_retry_plan wk_retry_next(struct wk_retry *r, const struct wk_retry_cause *cause,
                                   struct wk_creds *creds, uint64_t now_ms, int64_t now_unix_s,
                                   uint64_t rnd)
{
	if (cause->online_ms > 0)
		r->attempt = 0;
	if (cause->online_ms >= WK_RETRY_ONLINE_MS)
		r->failures = r->bounded = 0;
	r->attempt++;
	return choose(r, cause, creds, now_ms, now_unix_s, rnd);
}
