/* worker/events/wk_outbox.c - events on their way from session.db to the gateway */
#include "worker/events/wk_outbox.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/ipc_memfd.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_store_left.h"
#include "worker/store/wk_store_outbox.h"

#define TIDY_MS 500                     /* after the last acknowledgement: remove what it covers */
#define TIDY_N (4 * IPC_EVENT_WINDOW_N) /* so many acknowledged ones wait for that at most */

#ifdef WARDEN_TEST_HOOKS
static uint64_t max_n = WK_OUTBOX_MAX_N;

void wk_outbox_test_max(void)
{
	const char *text = getenv("WARDEN_TEST_OUTBOX");
	long v = text != NULL ? strtol(text, NULL, 10) : 0;

	if (v >= 1 && v <= WK_OUTBOX_MAX_N)
		max_n = (uint64_t)v;
}
#else
static const uint64_t max_n = WK_OUTBOX_MAX_N;
#endif

/* Bytes of the events on the way, by number, so that the window knows what an acknowledgement
 * frees. */
struct on_way {
	uint64_t number;
	uint32_t bytes;
};

struct wk_outbox {
	struct wk_store *st;        /* NULL: it has gone, and what was left is here: */
	struct wk_outbox_row *left; /* by number; owned, with their data */
	size_t left_n;
	char *left_dir;               /* owned; they are in a file there, too; NULL: no more */
	struct wk_outbox_stock stock; /* of the store when it went */
	const struct log_ctx *log;
	const struct wk_outbox_ops *ops;
	void *arg;
	struct event *tidy;
	uint64_t sent;      /* number of the newest that was sent to this gateway */
	uint64_t committed; /* ... that a gateway has acknowledged */
	uint64_t removed;   /* ... that is removed, or about to be */
	struct on_way way[IPC_EVENT_WINDOW_N]; /* a ring */
	unsigned way_at, way_n;
	uint64_t way_bytes;
	bool was_full;
	bool unheard; /* the last ones could not be sent: nothing is prepared in vain */
	bool sending; /* a send may bring the next poke */
};

/* ---- the window ---------------------------------------------------------------------------- */

static void way_clear(struct wk_outbox *o)
{
	o->way_n = 0;
	o->way_bytes = 0;
}

static void way_put(struct wk_outbox *o, uint64_t number, size_t bytes)
{
	o->way[(o->way_at + o->way_n++) % IPC_EVENT_WINDOW_N] =
	    (struct on_way){ number, (uint32_t)bytes };
	o->way_bytes += bytes;
}

static void way_take(struct wk_outbox *o, uint64_t upto)
{
	while (o->way_n > 0 && o->way[o->way_at].number <= upto) {
		o->way_bytes -= o->way[o->way_at].bytes;
		o->way_at = (o->way_at + 1) % IPC_EVENT_WINDOW_N;
		o->way_n--;
	}
}

/* For one more, with n before it and bytes in all. One may always be on its way, however large. */
static bool window_open(const struct wk_outbox *o, size_t bytes, unsigned n)
{
	return o->way_n + n == 0 || (o->way_n + n < IPC_EVENT_WINDOW_N &&
	                             o->way_bytes + bytes <= IPC_EVENT_WINDOW_BYTES);
}

/* ---- the store, or what it has left --------------------------------------------------------- */

static int stock_of(struct wk_outbox *o, struct wk_outbox_stock *stock_out)
{
	if (o->st != NULL)
		return wk_store_outbox_stock(o->st, stock_out);
	*stock_out = o->stock;
	return 0;
}

static int next_left(const struct wk_outbox *o, uint64_t after, struct wk_outbox_row *row_out)
{
	for (size_t i = 0; i < o->left_n; i++)
		if (o->left[i].number > after) {
			*row_out = o->left[i];
			row_out->data = (struct buf){ 0 };
			return buf_append(&row_out->data, o->left[i].data.p, o->left[i].data.len);
		}
	return -ENOENT;
}

/* Up to here events may leave: what an open transaction has added may not last. */
static int limit_of(struct wk_outbox *o, const struct wk_outbox_stock *stock, uint64_t *limit_out)
{
	*limit_out = stock->newest;
	return o->st != NULL ? wk_store_outbox_durable(o->st, limit_out) : 0;
}

static int next_row(const struct wk_outbox *o, uint64_t after, struct wk_outbox_row *row_out)
{
	return o->st != NULL ? wk_store_outbox_next(o->st, after, row_out)
	                     : next_left(o, after, row_out);
}

/* It goes out another time. */
static void put_back(struct wk_outbox *o, struct wk_outbox_row *row)
{
	if (o->st != NULL)
		wk_store_outbox_put_back(o->st, row);
	buf_wipe(&row->data);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* Events that leave together. */
struct pack {
	unsigned n;
	size_t bytes;
	struct wk_outbox_row rows[IPC_EVENTS_MAX_N];
	Ipc__Event msgs[IPC_EVENTS_MAX_N];
	Ipc__Event *refs[IPC_EVENTS_MAX_N];
};

/* The data stays the row's; fd_out: of a large one, to be closed. */
static int fill(Ipc__Event *msg, const struct wk_outbox_row *row,
                const struct wk_outbox_stock *stock, int *fd_out)
{
	Ipc__Event m = IPC__EVENT__INIT;
	int fd = -1;

	m.has_store = m.has_number = m.has_kind = m.has_unix_ms = m.has_flags = m.has_newest = 1;
	m.store = stock->store;
	m.number = row->number;
	m.kind = (Ipc__Event__Kind)row->kind;
	m.unix_ms = row->unix_ms;
	m.flags = row->flags;
	m.newest = stock->newest;
	if (row->data.len > IPC_EVENT_INLINE_MAX) {
		fd = ipc_memfd_new(row->data.p, row->data.len);
		if (fd < 0)
			return fd;
	} else {
		m.has_data = 1;
		m.data.data = row->data.p;
		m.data.len = row->data.len;
	}
	*msg = m;
	*fd_out = fd;
	return 0;
}

static void pack_clear(struct pack *p)
{
	for (unsigned i = 0; i < p->n; i++)
		buf_wipe(&p->rows[i].data);
	p->n = 0;
	p->bytes = 0;
}

static bool pack_takes(const struct pack *p, size_t bytes)
{
	return p->n == 0 || (p->n < IPC_EVENTS_MAX_N && p->bytes + bytes <= IPC_EVENT_INLINE_MAX);
}

/* What follows after, as much as one message and the window take. 0, or a code. */
static int pack_fill(struct wk_outbox *o, struct pack *p, const struct wk_outbox_stock *stock)
{
	const unsigned max = o->ops->send_many == NULL || o->unheard ? 1 : IPC_EVENTS_MAX_N;
	uint64_t after = o->sent, limit;
	int rc = limit_of(o, stock, &limit);

	while (rc == 0 && p->n < max && after < limit && window_open(o, p->bytes, p->n)) {
		struct wk_outbox_row *row = &p->rows[p->n];

		*row = (struct wk_outbox_row){ 0 };
		rc = next_row(o, after, row);
		if (rc == 0 && (!pack_takes(p, row->data.len) ||
		                !window_open(o, p->bytes + row->data.len, p->n))) {
			put_back(o, row);
			break;
		}
		if (rc == 0) {
			after = row->number;
			p->bytes += row->data.len;
			p->n++;
		}
	}
	return rc == -ENOENT ? 0 : rc;
}

static int pack_send(struct wk_outbox *o, struct pack *p, const struct wk_outbox_stock *stock)
{
	Ipc__Events all = IPC__EVENTS__INIT;
	int fd = -1;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < p->n; i++) {
		rc = fill(&p->msgs[i], &p->rows[i], stock, &fd);
		p->refs[i] = &p->msgs[i];
	}
	all.n_events = p->n;
	all.events = p->refs;
	if (rc == 0)
		rc = p->n == 1 ? o->ops->send(&p->msgs[0], fd, o->arg)
		               : o->ops->send_many(&all, o->arg);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

/* The next events, if there are any and the window takes them: 1 sent, 0 no more now, or a code. */
static int send_next(struct wk_outbox *o, const struct wk_outbox_stock *stock)
{
	struct pack p = { .n = 0 };
	int rc = pack_fill(o, &p, stock);

	if (rc == 0 && p.n > 0) {
		rc = pack_send(o, &p, stock);
		o->unheard = rc < 0;
		for (unsigned i = 0; rc == 0 && i < p.n; i++) {
			way_put(o, p.rows[i].number, p.rows[i].data.len);
			o->sent = p.rows[i].number;
		}
		rc = rc < 0 ? rc : 1;
	}
	pack_clear(&p);
	return rc;
}

void wk_outbox_poke(struct wk_outbox *o)
{
	struct wk_outbox_stock stock;
	int rc;

	if (o->sending)
		return;
	o->sending = true;
	rc = stock_of(o, &stock);
	if (rc == 0)
		do
			rc = send_next(o, &stock);
		while (rc > 0);
	o->sending = false;
	if (rc < 0 && rc != -ENOTCONN && rc != -EPIPE)
		LOG(o->log, LOG_WARNING, "event_not_sent", LF_ERR("err", rc));
}

void wk_outbox_rewind(struct wk_outbox *o)
{
	o->sent = o->committed;
	o->unheard = false;
	way_clear(o);
	wk_outbox_poke(o);
}

/* ---- removing ------------------------------------------------------------------------------ */

static int tidy(struct wk_outbox *o)
{
	int rc;

	if (o->removed == o->committed || o->st == NULL)
		return 0;
	rc = wk_store_outbox_drop(o->st, o->committed);
	if (rc == 0)
		o->removed = o->committed;
	return rc;
}

int wk_outbox_in_batch(struct wk_outbox *o)
{
	return tidy(o);
}

static void tell_room(struct wk_outbox *o)
{
	struct wk_outbox_stock stock;

	if (!o->was_full || stock_of(o, &stock) < 0 || stock.n > max_n / 2 ||
	    stock.bytes > WK_OUTBOX_MAX_BYTES / 2)
		return;
	o->was_full = false;
	LOG(o->log, LOG_NOTICE, "outbox_has_room", LF_INT("events", stock.n));
	o->ops->on_room(o->arg);
}

static void forget_left(struct wk_outbox *o);

static void on_tidy(evutil_socket_t fd, short what, void *arg)
{
	struct wk_outbox *o = arg;

	(void)fd;
	(void)what;
	if (tidy(o) < 0)
		(void)!wk_timer_set(o->tidy, TIDY_MS); /* the disk is full, say: later */
	tell_room(o);
}

void wk_outbox_commit(struct wk_outbox *o, const Ipc__EventCommit *msg)
{
	struct wk_outbox_stock stock;

	if (stock_of(o, &stock) < 0 || msg->store != stock.store)
		return;
	if (msg->number > o->sent && msg->number > stock.newest)
		return; /* of events that never were */
	if (msg->number > o->committed) {
		o->committed = msg->number;
		way_take(o, msg->number);
		if (o->sent < o->committed) /* a gateway before this one had them */
			o->sent = o->committed;
	}
	if (msg->has_again && msg->again) {
		o->sent = o->committed;
		way_clear(o);
	}
	forget_left(o);
	if (o->committed - o->removed >= TIDY_N || o->was_full)
		on_tidy(-1, 0, o);
	else if (o->removed < o->committed && !event_pending(o->tidy, EV_TIMEOUT, NULL))
		(void)!wk_timer_set(o->tidy, TIDY_MS);
	wk_outbox_poke(o);
}

/* ---- asked by others ----------------------------------------------------------------------- */

bool wk_outbox_is_full(struct wk_outbox *o)
{
	struct wk_outbox_stock stock;

	if (stock_of(o, &stock) < 0)
		return false; /* whoever writes next hears of it */
	if (stock.n < max_n && stock.bytes < WK_OUTBOX_MAX_BYTES)
		return o->was_full;
	if (!o->was_full)
		LOG(o->log, LOG_WARNING, "outbox_full", LF_INT("events", stock.n),
		    LF_INT("bytes", stock.bytes));
	o->was_full = true;
	return true;
}

bool wk_outbox_is_empty(struct wk_outbox *o)
{
	struct wk_outbox_stock stock;

	return stock_of(o, &stock) == 0 && (stock.n == 0 || o->committed >= stock.newest);
}

/* ---- the store goes ------------------------------------------------------------------------- */

/* False: no more fit, or there are none. */
static bool keep_next(struct wk_outbox *o, uint64_t *after, size_t *bytes)
{
	struct wk_outbox_row row = { 0 };
	struct wk_outbox_row *more;

	if (o->left_n == WK_LEFT_N || *bytes >= WK_LEFT_BYTES ||
	    wk_store_outbox_next(o->st, *after, &row) < 0)
		return false;
	more =
	    o->left_n % 256 != 0 ? o->left : realloc(o->left, (o->left_n + 256) * sizeof(*o->left));
	if (more == NULL) {
		buf_wipe(&row.data);
		return false;
	}
	o->left = more;
	*after = row.number;
	*bytes += row.data.len;
	o->left[o->left_n++] = row;
	return true;
}

void wk_outbox_outlive(struct wk_outbox *o)
{
	uint64_t after = o->committed;
	size_t bytes = 0;
	int rc;

	if (o->st == NULL)
		return;
	if (tidy(o) < 0 || wk_store_outbox_stock(o->st, &o->stock) < 0)
		LOG(o->log, LOG_WARNING, "outbox_not_tidied");
	while (keep_next(o, &after, &bytes))
		;
	if (after < o->stock.newest && o->stock.n > o->left_n)
		LOG(o->log, LOG_ERR, "events_lost", LF_INT("n", o->stock.n - o->left_n));
	o->stock.newest = o->left_n > 0 ? after : o->committed;
	o->stock.n = o->left_n;
	o->stock.bytes = bytes;
	if (o->left_n > 0) {
		rc = wk_store_left_write(o->st, &o->stock, o->left, o->left_n);
		if (rc < 0) /* they have this process, and no more */
			LOG(o->log, LOG_ERR, "events_not_kept", LF_ERR("err", rc));
		else
			o->left_dir = strdup(wk_store_dir(o->st));
	}
	o->st = NULL;
}

/* Nothing is left that the gateway does not have. */
static void forget_left(struct wk_outbox *o)
{
	if (o->left_dir == NULL || o->committed < o->stock.newest)
		return;
	wk_store_left_remove(o->left_dir);
	free(o->left_dir);
	o->left_dir = NULL;
}

static void left_free(struct wk_outbox *o)
{
	for (size_t i = 0; i < o->left_n; i++)
		buf_wipe(&o->left[i].data);
	free(o->left);
	free(o->left_dir);
}

/* ---- life ---------------------------------------------------------------------------------- */

int wk_outbox_new(struct event_base *base, struct wk_store *st, const struct log_ctx *log,
                  const struct wk_outbox_ops *ops, void *arg, struct wk_outbox **outbox_out)
{
	struct wk_outbox *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return -ENOMEM;
	o->st = st;
	o->log = log;
	o->ops = ops;
	o->arg = arg;
	o->tidy = evtimer_new(base, on_tidy, o);
	if (o->tidy == NULL) {
		free(o);
		return -ENOMEM;
	}
	*outbox_out = o;
	return 0;
}

int wk_outbox_of_left(struct event_base *base, const char *dir, const char *instance_id,
                      const struct sealed_key *key, const struct log_ctx *log,
                      const struct wk_outbox_ops *ops, void *arg, struct wk_outbox **outbox_out)
{
	struct wk_outbox_row *rows = NULL;
	struct wk_outbox_stock stock;
	struct wk_outbox *o;
	size_t n = 0;
	int rc = wk_store_left_read(dir, instance_id, key, &stock, &rows, &n);

	if (rc < 0)
		return rc;
	rc = wk_outbox_new(base, NULL, log, ops, arg, &o);
	if (rc < 0) {
		for (size_t i = 0; i < n; i++)
			buf_wipe(&rows[i].data);
		free(rows);
		return rc;
	}
	o->left = rows;
	o->left_n = n;
	o->stock = stock;
	o->left_dir = strdup(dir);
	*outbox_out = o;
	return 0;
}

void wk_outbox_free(struct wk_outbox *o)
{
	if (o == NULL)
		return;
	if (tidy(o) < 0)
		LOG(o->log, LOG_DEBUG, "outbox_not_tidied");
	event_free(o->tidy);
	left_free(o);
	free(o);
}
