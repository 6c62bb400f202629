/* worker/store/wk_batch.c - one transaction for many stanzas */
#include "worker/store/wk_batch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/node/wa_node.h"

struct wk_batch {
	struct wk_store *st;
	const struct wk_batch_ops *ops;
	void *arg;
	struct event *pass; /* the next look: has more come? */
	unsigned quiet_ms;
	struct wa_node **after;
	size_t after_n, after_cap;
	unsigned stanzas;  /* left so far */
	unsigned seen;     /* of them, at the last look */
	uint64_t begun_ms; /* of the open transaction */
	uint64_t limit_ms; /* how old it may be */
	unsigned calls;    /* into it that are running */
	int rc;            /* the first failure */
	bool failed, freed;
};

static void on_pass(evutil_socket_t fd, short what, void *arg);

int wk_batch_new(struct event_base *base, struct wk_store *st, const struct wk_batch_ops *ops,
                 void *arg, struct wk_batch **b_out)
{
	struct wk_batch *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return -ENOMEM;
	b->st = st;
	b->ops = ops;
	b->arg = arg;
	b->quiet_ms = WK_BATCH_QUIET_MS;
	b->limit_ms = WK_BATCH_MS;
	b->pass = evtimer_new(base, on_pass, b);
	if (b->pass == NULL) {
		free(b);
		return -ENOMEM;
	}
	*b_out = b;
	return 0;
}

bool wk_batch_is_fatal(int rc)
{
	return rc == -ENOMEM || rc == WA_ESTORAGE || rc == WA_ESTORE_CORRUPT ||
	       rc == WA_EALREADY_RUNNING;
}

void wk_batch_set_quiet(struct wk_batch *b, unsigned ms)
{
	b->quiet_ms = ms;
}

static void drop_after(struct wk_batch *b)
{
	for (size_t i = 0; i < b->after_n; i++)
		wa_node_free(b->after[i]);
	b->after_n = 0;
}

static void destroy(struct wk_batch *b)
{
	drop_after(b);
	free(b->after);
	event_free(b->pass);
	free(b);
}

static void enter_call(struct wk_batch *b)
{
	b->calls++;
}

static void leave_call(struct wk_batch *b)
{
	if (--b->calls == 0 && b->freed)
		destroy(b);
}

static void fail(struct wk_batch *b, int rc)
{
	if (b->st->batch.open)
		rc = wk_store_batch_end(b->st, rc); /* undone: rc as it was */
	drop_after(b);
	(void)evtimer_del(b->pass);
	if (b->failed)
		return;
	b->failed = true;
	b->rc = rc;
	if (!b->freed)
		b->ops->on_failed(rc, b->arg);
}

/* What was waiting leaves; a stanza that can't be written down is nobody's loss but its own. */
static int send_after(struct wk_batch *b)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < b->after_n && !b->freed; i++) {
		rc = b->ops->send(b->after[i], b->arg);
		if (rc == WA_EPROTO || rc == WA_ELIMIT)
			rc = 0;
	}
	drop_after(b);
	return rc;
}

/* Commits that take long are to be worth it. */
static void pace(struct wk_batch *b, uint64_t took_ms)
{
	uint64_t want = took_ms > WK_BATCH_SLOW_MS ? WK_BATCH_SLOW_MS : 2 * took_ms;

	b->limit_ms = (3 * b->limit_ms + want) / 4;
	if (b->limit_ms < WK_BATCH_MS)
		b->limit_ms = WK_BATCH_MS;
	if (b->limit_ms > WK_BATCH_SLOW_MS)
		b->limit_ms = WK_BATCH_SLOW_MS;
}

static int commit(struct wk_batch *b)
{
	uint64_t from_ms;
	int rc = b->rc;

	if (rc == 0 && b->ops->on_commit != NULL && !b->freed)
		rc = b->ops->on_commit(b->arg);
	from_ms = clock_ms();
	rc = wk_store_batch_end(b->st, rc);
	pace(b, clock_ms() - from_ms);
	b->stanzas = b->seen = 0;
	(void)evtimer_del(b->pass);
	if (rc == 0 && b->freed)
		drop_after(b);
	else if (rc == 0)
		rc = send_after(b);
	if (rc < 0)
		fail(b, rc);
	else if (!b->freed)
		b->ops->on_committed(b->arg);
	return rc;
}

/* For calls of the store that commit by themselves. */
static int flush_open(void *arg)
{
	return wk_batch_flush(arg);
}

int wk_batch_flush(struct wk_batch *b)
{
	int rc = 0;

	if (b->failed)
		return b->rc;
	if (!b->st->batch.open || b->st->batch.depth > 0)
		return 0;
	enter_call(b);
	rc = commit(b);
	leave_call(b);
	return rc;
}

void wk_batch_free(struct wk_batch *b)
{
	if (b == NULL)
		return;
	b->freed = true;
	enter_call(b);
	/* What can't be committed now comes again. */
	if (b->st->batch.open)
		b->rc = wk_store_batch_end(b->st, b->st->batch.depth > 0 ? WA_ESTATE : b->rc);
	b->st->batch.depth = 0;
	(void)evtimer_del(b->pass);
	leave_call(b);
}

int wk_batch_enter(struct wk_batch *b)
{
	struct wk_store_batch *open = &b->st->batch;
	int rc = 0;

	if (b->failed)
		return b->rc;
	if (open->open && sqlite3_get_autocommit(b->st->db)) /* SQLite has undone it */
		return WA_ESTORAGE;
	if (!open->open) {
		rc = wk_store_batch_begin(b->st, flush_open, b);
		b->begun_ms = clock_ms();
		if (rc == 0)
			rc = wk_timer_set(b->pass, b->quiet_ms);
	}
	if (rc == 0)
		open->depth++;
	return rc;
}

void wk_batch_after(struct wk_batch *b, struct wa_node *takes)
{
	struct wa_node **more = b->after;

	if (takes != NULL && b->after_n == b->after_cap) {
		more = realloc(b->after, (b->after_cap + 32) * sizeof(*more));
		if (more != NULL) {
			b->after = more;
			b->after_cap += 32;
		}
	}
	if (takes == NULL || more == NULL) {
		wa_node_free(takes);
		b->rc = b->rc < 0 ? b->rc : -ENOMEM;
		return;
	}
	b->after[b->after_n++] = takes;
}

size_t wk_batch_place(const struct wk_batch *b)
{
	return b->after_n;
}

void wk_batch_after_at(struct wk_batch *b, size_t place, struct wa_node *takes)
{
	size_t n = b->after_n;

	wk_batch_after(b, takes);
	if (b->after_n == n) /* no memory */
		return;
	memmove(&b->after[place + 1], &b->after[place], (n - place) * sizeof(b->after[0]));
	b->after[place] = takes;
}

void wk_batch_leave(struct wk_batch *b, int rc)
{
	enter_call(b);
	if (b->st->batch.depth > 0)
		b->st->batch.depth--;
	if (rc < 0 && b->rc == 0)
		b->rc = rc;
	if (b->rc < 0 && !b->failed)
		fail(b, b->rc);
	else if (!b->failed && b->st->batch.depth == 0 && ++b->stanzas >= WK_BATCH_MAX)
		(void)commit(b);
	leave_call(b);
}

static void on_pass(evutil_socket_t fd, short what, void *arg)
{
	struct wk_batch *b = arg;

	(void)fd;
	(void)what;
	if (!b->st->batch.open || b->failed)
		return;
	enter_call(b);
	if (b->stanzas == b->seen || clock_ms() - b->begun_ms >= b->limit_ms ||
	    wk_timer_set(b->pass, b->quiet_ms) < 0)
		(void)commit(b);
	else
		b->seen = b->stanzas;
	leave_call(b);
}
