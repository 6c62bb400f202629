/* tests/unit/test_gw_events.c - the event log, with the real SQLite and its thread */
#include "gw_test.h"

#include "faulty_vfs.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/ipc_memfd.h"
#include "common/log.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/supervision/gw_worker.h"

#define GOT_MAX 1200

struct fixture {
	struct gw gw;
	char dir[TEST_DIR_CAP];
	struct gw_instance a, b; /* only id, name, worker, events are looked at */
	struct gw_events *ev;
	/* what was read */
	uint64_t seq[GOT_MAX];
	unsigned kind[GOT_MAX];
	char id[GOT_MAX][GW_EVENT_ID_LEN + 1];
	char last[2048], last_data[1024];
	unsigned got_n;
	uint64_t next;
	int read_rc;
	bool read_done;
	uint64_t want; /* a sequence, or a number */
};

/* ---- stand-ins ------------------------------------------------------------------------------ */

static struct {
	uint64_t store, number;
	unsigned calls_n, again_n;
} said;

void gw_worker_event_commit(struct gw_worker *w, uint64_t store, uint64_t number, bool again)
{
	(void)w;
	said.store = store;
	said.number = number;
	said.calls_n++;
	said.again_n += again;
}

static struct gw_instance *known[2];
struct gw_instance *gw_registry_next_any(struct gw_registry *reg, struct gw_instance *prev)
{
	(void)reg;
	if (prev == NULL)
		return known[0];
	return prev == known[0] ? known[1] : NULL;
}

/* ---- fixture -------------------------------------------------------------------------------- */

static void open_log(struct fixture *f)
{
	assert_int_equal(gw_events_new(&f->gw, &f->ev), 0);
	f->gw.events = f->ev;
}

static void close_log(struct fixture *f)
{
	if (f->ev == NULL)
		return;
	gw_events_drain(f->ev);
	gw_events_forget(f->ev, &f->a);
	gw_events_forget(f->ev, &f->b);
	gw_events_free(f->ev);
	f->ev = NULL;
}

static void set_instance(struct gw_instance *inst, const char *id, const char *name)
{
	snprintf(inst->id, sizeof(inst->id), "%s", id);
	snprintf(inst->name, sizeof(inst->name), "%s", name);
	inst->worker = (struct gw_worker *)inst; /* never looked into */
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	unsetenv("CREDENTIALS_DIRECTORY");
	memset(&said, 0, sizeof(said));
	test_dir_make(f->dir);
	f->gw.base = event_base_new();
	f->gw.cfg.data_dir = f->dir;
	f->gw.cfg.public_url = (char *)"http://h:1/\"x";
	f->gw.cfg.event_retention_days = 7;
	assert_int_equal(gw_master_key_load(NULL, f->dir, true, &f->gw.master_key), 0);
	set_instance(&f->a, "aaaaaaaaaaaaaaaa", "sales");
	set_instance(&f->b, "bbbbbbbbbbbbbbbb", "shop");
	known[0] = &f->a;
	known[1] = &f->b;
	open_log(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_log(f);
	faulty_vfs_remove();
	gw_master_key_free(f->gw.master_key);
	event_base_free(f->gw.base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void emit(struct fixture *f, struct gw_instance *inst, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(gw_events_emit(f->ev, inst, GW_EVENT_INSTANCE_STATE,
		                                json_pack("{s:i}", "i", i), NULL, 0),
		                 0);
}

static int take_as(struct fixture *f, struct gw_instance *inst, uint64_t store, uint64_t number,
                   const char *data, uint32_t flags)
{
	Ipc__Event m = IPC__EVENT__INIT;
	int fd = -1;

	m.has_store = m.has_number = m.has_kind = m.has_data = m.has_flags = 1;
	m.store = store;
	m.number = number;
	m.kind = IPC__EVENT__KIND__MESSAGE_EXCHANGE;
	m.flags = flags;
	m.data.data = (uint8_t *)(uintptr_t)data;
	m.data.len = strlen(data);
	return gw_events_take(f->ev, inst, &m, &fd);
}

static void take(struct fixture *f, uint64_t number)
{
	assert_int_equal(take_as(f, &f->a, 77, number, "{\"x\":1}", 0), 0);
}

static void on_read(int rc, const struct gw_events_batch *b, void *arg)
{
	struct fixture *f = arg;

	f->read_rc = rc;
	f->read_done = true;
	for (size_t i = 0; rc == 0 && i < b->n; i++) {
		const struct gw_event *e = &b->events[i];

		assert_true(f->got_n < GOT_MAX);
		f->seq[f->got_n] = e->sequence;
		f->kind[f->got_n] = e->kind;
		snprintf(f->id[f->got_n++], sizeof(f->id[0]), "%s", e->id);
		snprintf(f->last, sizeof(f->last), "%.*s", (int)e->text_len, e->text);
		snprintf(f->last_data, sizeof(f->last_data), "%.*s", (int)e->data_len,
		         e->text + e->data_at);
	}
	f->next = rc == 0 ? b->next : 0;
}

static bool is_read(void *arg)
{
	return ((struct fixture *)arg)->read_done;
}

static int read_from(struct fixture *f, struct gw_instance *inst, uint64_t from, size_t max,
                     const struct gw_event_filter *filter)
{
	static const struct gw_event_filter all = { .history = true };
	struct gw_events_read *r;

	f->read_done = false;
	f->got_n = 0;
	assert_int_equal(
	    gw_events_read(f->ev, inst, from, max, filter != NULL ? filter : &all, on_read, f, &r),
	    0);
	test_run_until(f->gw.base, is_read, f);
	return f->read_rc;
}

static bool is_committed(void *arg)
{
	return said.number >= ((struct fixture *)arg)->want;
}

static void wait_number(struct fixture *f, uint64_t number)
{
	f->want = number;
	test_run_until(f->gw.base, is_committed, f);
}

static bool a_is_there(void *arg)
{
	struct fixture *f = arg;

	return gw_events_newest(f->ev, &f->a) >= f->want;
}

static void wait_newest(struct fixture *f, uint64_t seq)
{
	f->want = seq;
	test_run_until(f->gw.base, a_is_there, f);
}

/* ---- sequences ------------------------------------------------------------------------------ */

static void test_sequences_have_no_gap_and_ids_are_unlike(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 50; i++) {
		emit(f, &f->a, 1);
		take(f, (uint64_t)i + 1);
		emit(f, &f->b, 2);
	}
	wait_newest(f, 100);
	assert_int_equal(read_from(f, &f->a, 1, 256, NULL), 0);
	assert_int_equal(f->got_n, 100);
	assert_int_equal(f->next, 101);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(f->seq[i], i + 1);
		assert_int_equal(f->kind[i],
		                 i % 2 == 0 ? GW_EVENT_INSTANCE_STATE : GW_EVENT_MESSAGE_EXCHANGE);
		assert_int_equal(strlen(f->id[i]), GW_EVENT_ID_LEN);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(f->id[i], f->id[k]);
	}
	assert_int_equal(read_from(f, &f->b, 1, 256, NULL), 0);
	assert_int_equal(f->got_n, 100);
}

static void test_sequence_and_ids_go_on_after_a_restart(void **state)
{
	struct fixture *f = *state;
	char first[GW_EVENT_ID_LEN + 1];

	emit(f, &f->a, 3);
	close_log(f);
	open_log(f);
	assert_int_equal(read_from(f, &f->a, 1, 10, NULL), 0);
	snprintf(first, sizeof(first), "%s", f->id[0]);
	close_log(f);
	open_log(f);
	emit(f, &f->a, 1);
	wait_newest(f, 4);
	assert_int_equal(read_from(f, &f->a, 1, 10, NULL), 0);
	assert_int_equal(f->got_n, 4);
	assert_int_equal(f->seq[3], 4);
	assert_string_equal(f->id[0], first);
}

static void test_text_is_the_contracts(void **state)
{
	struct fixture *f = *state;
	json_t *o, *data;

	take(f, 1);
	wait_newest(f, 1);
	assert_int_equal(read_from(f, &f->a, 1, 10, NULL), 0);
	assert_string_equal(f->last_data, "{\"x\":1}");
	o = json_loads(f->last, 0, NULL);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "event")), "message.exchange");
	assert_string_equal(json_string_value(json_object_get(o, "id")), f->id[0]);
	assert_int_equal(json_integer_value(json_object_get(o, "sequence")), 1);
	assert_string_equal(json_string_value(json_object_get(o, "timestamp")),
	                    "1970-01-01T00:00:00.000Z");
	data = json_object_get(o, "instanceData");
	assert_string_equal(json_string_value(json_object_get(data, "baseUrl")), "http://h:1/\"x");
	assert_string_equal(json_string_value(json_object_get(data, "instance")), "sales");
	json_decref(o);
}

/* ---- workers -------------------------------------------------------------------------------- */

static void test_event_that_comes_again_is_kept_once(void **state)
{
	struct fixture *f = *state;
	struct gw_events_stats stats;

	for (uint64_t n = 1; n <= 20; n++)
		take(f, n);
	wait_number(f, 20);
	gw_events_worker_met(f->ev, &f->a);
	for (uint64_t n = 11; n <= 30; n++)
		take(f, n);
	wait_number(f, 30);
	close_log(f);
	open_log(f);
	gw_events_worker_met(f->ev, &f->a);
	for (uint64_t n = 21; n <= 35; n++)
		take(f, n);
	wait_number(f, 35);
	gw_events_stats(f->ev, &stats);
	assert_int_equal(stats.again_n, 10);
	assert_int_equal(read_from(f, &f->a, 1, 256, NULL), 0);
	assert_int_equal(f->got_n, 35);
}

static void test_another_store_has_numbers_of_its_own(void **state)
{
	struct fixture *f = *state;

	for (uint64_t store = 1; store <= 6; store++) {
		gw_events_worker_met(f->ev, &f->a);
		said.number = 0;
		assert_int_equal(take_as(f, &f->a, store, 1, "{}", 0), 0);
		assert_int_equal(take_as(f, &f->a, store, 2, "{}", 0), 0);
		wait_number(f, 2);
		assert_int_equal(said.store, store);
	}
	close_log(f);
	open_log(f);
	said.number = 0;
	assert_int_equal(take_as(f, &f->a, 5, 2, "{}", 0), 0); /* one of the last four: known */
	wait_number(f, 2);
	assert_int_equal(read_from(f, &f->a, 1, 256, NULL), 0);
	assert_int_equal(f->got_n, 12);
}

static void test_what_is_no_event_is_passed_over_once_and_for_all(void **state)
{
	static const char *const bad[] = { "{",       "[]",           "\"x\"",      "{\"a\":1}}",
		                           "{'a':1}", "{\"a\":\xff}", "{\"a\":\n1}" };
	struct fixture *f = *state;
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(take_as(f, &f->a, 9, ++n, bad[i], 0), 0);
	assert_int_equal(take_as(f, &f->a, 9, ++n, "{\"ok\":true}", 0), 0);
	wait_number(f, n);
	assert_int_equal(read_from(f, &f->a, 1, 256, NULL), 0);
	assert_int_equal(f->got_n, 1);
	assert_int_equal(f->seq[0], 1);
}

static void test_more_than_the_window_ends_the_worker(void **state)
{
	struct fixture *f = *state;

	for (uint64_t n = 1; n <= IPC_EVENT_WINDOW_N; n++)
		take(f, n);
	assert_int_equal(take_as(f, &f->a, 77, IPC_EVENT_WINDOW_N + 1, "{}", 0), WA_ELIMIT);
	assert_int_equal(take_as(f, &f->b, 77, 0, "{}", 0), WA_EPROTO);
	wait_number(f, IPC_EVENT_WINDOW_N);
	assert_int_equal(take_as(f, &f->a, 77, IPC_EVENT_WINDOW_N + 1, "{}", 0), 0);
}

static int take_fd(struct fixture *f, uint64_t number, int fd, bool with_data)
{
	Ipc__Event m = IPC__EVENT__INIT;
	int rc;

	m.has_store = m.has_number = m.has_kind = 1;
	m.has_data = with_data;
	m.data.data = (uint8_t *)(uintptr_t) "{}";
	m.data.len = 2;
	m.store = 77;
	m.number = number;
	m.kind = IPC__EVENT__KIND__MESSAGE_EXCHANGE;
	rc = gw_events_take(f->ev, &f->a, &m, &fd);
	assert_int_equal(fd, -1); /* taken, whatever it was */
	return rc;
}

static void test_large_event_comes_in_memory_that_cannot_change(void **state)
{
	static char large[IPC_EVENT_MAX + 1];
	struct fixture *f = *state;
	int fds[2];

	memset(large, ' ', sizeof(large));
	large[0] = '{';
	large[IPC_EVENT_MAX - 1] = '}';
	assert_int_equal(take_fd(f, 1, ipc_memfd_new(large, IPC_EVENT_MAX), false), 0);
	wait_number(f, 1);
	assert_int_equal(read_from(f, &f->a, 1, 10, NULL), 0);
	assert_int_equal(f->got_n, 1);
	assert_int_equal(take_fd(f, 2, ipc_memfd_new(large, IPC_EVENT_MAX + 1), false), WA_ELIMIT);
	assert_int_equal(take_fd(f, 2, ipc_memfd_new("{}", 2), true), WA_EPROTO);
	assert_int_equal(take_fd(f, 2, -1, false), WA_EPROTO);
	assert_int_equal(take_fd(f, 2, memfd_create("open", MFD_CLOEXEC), false), WA_EPROTO);
	assert_int_equal(take_fd(f, 2, open("/dev/zero", O_RDONLY | O_CLOEXEC), false), WA_EPROTO);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(take_fd(f, 2, fds[0], false), WA_EPROTO);
	close(fds[1]);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void test_filters_and_reading_on(void **state)
{
	struct fixture *f = *state;
	struct gw_event_filter live = { 0 };
	struct gw_event_filter states = { .kinds = 1u << GW_EVENT_INSTANCE_STATE };

	for (uint64_t n = 1; n <= 10; n++)
		assert_int_equal(take_as(f, &f->a, 1, n, "{}", n % 2 ? GW_EVENT_FROM_HISTORY : 0),
		                 0);
	emit(f, &f->a, 1);
	wait_newest(f, 11);
	assert_int_equal(read_from(f, &f->a, 1, 3, &live), 0);
	assert_int_equal(f->got_n, 3);
	assert_int_equal(f->seq[2], 6);
	assert_int_equal(f->next, 7);
	assert_int_equal(read_from(f, &f->a, f->next, 256, &live), 0);
	assert_int_equal(f->got_n, 3);
	assert_int_equal(f->seq[2], 11);
	assert_int_equal(f->next, 12);
	assert_int_equal(read_from(f, &f->a, 1, 256, &states), 0);
	assert_int_equal(f->got_n, 1);
	assert_int_equal(read_from(f, &f->a, 0, 256, NULL), 0);
	assert_int_equal(f->got_n, 11);
	assert_int_equal(read_from(f, &f->a, GW_EVENTS_NEW, 256, NULL), 0);
	assert_int_equal(f->got_n, 0);
	assert_int_equal(f->next, 12);
	assert_int_equal(read_from(f, &f->b, GW_EVENTS_NEW, 256, NULL), 0);
	assert_int_equal(f->next, 1);
}

static unsigned told_n;
static uint64_t told_newest;
static bool told_gone;

static void on_more(struct gw_instance *inst, uint64_t newest, void *arg)
{
	(void)arg;
	told_gone = inst == NULL;
	told_n++;
	told_newest = newest;
}

static bool is_told(void *arg)
{
	return told_newest >= ((struct fixture *)arg)->want;
}

static void test_watch_hears_of_what_is_durable_and_of_the_end(void **state)
{
	struct fixture *f = *state;
	struct gw_events_watch *w, *x;

	told_n = 0;
	told_newest = 0;
	assert_int_equal(gw_events_watch(f->ev, &f->a, on_more, f, &w), 0);
	assert_int_equal(gw_events_watch(f->ev, &f->a, on_more, f, &x), 0);
	gw_events_unwatch(x);
	emit(f, &f->a, 5);
	f->want = 5;
	test_run_until(f->gw.base, is_told, f);
	assert_false(told_gone);
	gw_events_forget(f->ev, &f->a);
	assert_true(told_gone);
}

static void test_codes_go_out_live_only(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gw_events_emit(f->ev, &f->a, GW_EVENT_INSTANCE_STATE,
	                                json_pack("{s:s}", "state", "qr_ready"),
	                                json_pack("[s]", "secret-code"), 60000),
	                 0);
	wait_newest(f, 1);
	assert_string_equal(gw_events_live(f->ev, &f->a, 1), "[\"secret-code\"]");
	assert_null(gw_events_live(f->ev, &f->a, 2));
	assert_int_equal(read_from(f, &f->a, 1, 10, NULL), 0);
	assert_null(strstr(f->last, "secret-code"));
	emit(f, &f->a, 1);
	wait_newest(f, 2);
	assert_null(gw_events_live(f->ev, &f->a, 1));
}

static void test_data_is_not_on_disk_in_the_clear(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	assert_int_equal(take_as(f, &f->a, 1, 1, "{\"t\":\"plainly-seen\"}", 0), 0);
	wait_number(f, 1);
	snprintf(cmd, sizeof(cmd), "cat %s/events.db* | grep -q plainly-seen", f->dir);
	assert_int_not_equal(system(cmd), 0);
}

/* ---- the end of events ---------------------------------------------------------------------- */

static int count(struct fixture *f, const char *sql)
{
	char path[64];
	sqlite3 *db;
	sqlite3_stmt *s;
	int n;

	close_log(f);
	snprintf(path, sizeof(path), "%s/events.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : -1;
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

static void test_deletion_erases_all_of_one_instance(void **state)
{
	struct fixture *f = *state;

	emit(f, &f->a, 1100);
	emit(f, &f->b, 3);
	gw_events_erase(f->ev, f->a.id);
	assert_int_equal(count(f, "SELECT count(*) FROM log"), 3);
	assert_int_equal(count(f, "SELECT count(*) FROM place"), 1);
}

static void test_events_of_nobody_are_erased_at_the_start(void **state)
{
	struct fixture *f = *state;

	emit(f, &f->a, 600);
	emit(f, &f->b, 3);
	close_log(f);
	known[0] = &f->b;
	known[1] = NULL;
	open_log(f);
	assert_int_equal(count(f, "SELECT count(*) FROM log"), 3);
}

static void test_old_events_go_and_sequences_stay(void **state)
{
	struct fixture *f = *state;

	emit(f, &f->a, 700);
	assert_int_equal(count(f, "UPDATE log SET kept_ms = kept_ms - 7 * 86400000 - 1000 "
	                          "WHERE seq <= 650 RETURNING 1"),
	                 1);
	open_log(f);
	assert_int_equal(count(f, "SELECT min(seq) FROM log"), 651);
	open_log(f);
	emit(f, &f->a, 1);
	wait_newest(f, 701);
	assert_int_equal(read_from(f, &f->a, 1, 1, NULL), 0);
	assert_int_equal(f->seq[0], 651); /* what is gone is passed over */
}

/* ---- jobs of others ------------------------------------------------------------------------- */

static int make_table(struct gw_events_tx *tx, void *arg)
{
	(void)arg;
	return sqlite3_exec(gw_events_tx_db(tx), "CREATE TABLE t (x INTEGER)", NULL, NULL, NULL) ==
	               SQLITE_OK
	           ? 0
	           : -EIO;
}

static int put_row(struct gw_events_tx *tx, void *arg)
{
	static const char sql[] = "INSERT INTO t VALUES (1)";
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);

	(void)arg;
	if (rc == 0 && sqlite3_step(s) != SQLITE_DONE)
		rc = -EIO;
	sqlite3_reset(s);
	return rc;
}

static int put_and_fail(struct gw_events_tx *tx, void *arg)
{
	(void)!put_row(tx, arg);
	return -EBADMSG;
}

static void on_job(int rc, void *arg)
{
	*(int *)arg = rc;
}

static void test_job_that_fails_takes_back_its_own_only(void **state)
{
	struct fixture *f = *state;
	int rc[4] = { 1, 1, 1, 1 };

	assert_int_equal(gw_events_job(f->ev, make_table, on_job, &rc[0]), 0);
	assert_int_equal(gw_events_job(f->ev, put_row, on_job, &rc[1]), 0);
	assert_int_equal(gw_events_job(f->ev, put_and_fail, on_job, &rc[2]), 0);
	assert_int_equal(gw_events_job(f->ev, put_row, on_job, &rc[3]), 0);
	emit(f, &f->a, 1);
	assert_int_equal(count(f, "SELECT count(*) FROM t"), 2);
	assert_int_equal(rc[0], 0);
	assert_int_equal(rc[1], 0);
	assert_int_equal(rc[2], -EBADMSG);
	assert_int_equal(rc[3], 0);
	assert_int_equal(count(f, "SELECT count(*) FROM log"), 1);
}

/* ---- a disk that fails ---------------------------------------------------------------------- */

static bool is_failing(void *arg)
{
	struct fixture *f = arg;

	return strcmp(gw_events_health(f->ev), "ok") != 0;
}

static bool is_well(void *arg)
{
	return !is_failing(arg) && said.again_n > 0;
}

static void test_full_disk_loses_nothing_and_heals(void **state)
{
	struct fixture *f = *state;
	uint64_t from;

	close_log(f);
	faulty_vfs_install();
	open_log(f);
	for (uint64_t n = 1; n <= 5; n++)
		take(f, n);
	wait_number(f, 5);
	faulty_vfs_fail(1, SQLITE_FULL, true);
	for (uint64_t n = 6; n <= 10; n++)
		take(f, n);
	emit(f, &f->a, 2);
	test_run_until(f->gw.base, is_failing, f);
	assert_int_equal(said.number, 5);
	take(f, 11); /* dropped, if the first failure was seen */
	faulty_vfs_fail(0, 0, false);
	test_run_until(f->gw.base, is_well, f);
	assert_string_equal(gw_events_health(f->ev), "ok");
	from = said.number + 1;
	assert_int_equal(from, 6);
	for (uint64_t n = from; n <= 12; n++)
		take(f, n);
	wait_number(f, 12);
	assert_int_equal(read_from(f, &f->a, 1, 256, NULL), 0);
	assert_int_equal(f->got_n, 14);
	for (unsigned i = 0; i < f->got_n; i++)
		assert_int_equal(f->seq[i], i + 1);
}

static bool has_lost_all(void *arg)
{
	struct fixture *f = arg;
	struct gw_events_stats stats;

	gw_events_stats(f->ev, &stats);
	return is_failing(f) && stats.waiting_n == 0;
}

static void test_what_is_lost_first_of_all_is_asked_for(void **state)
{
	struct fixture *f = *state;

	close_log(f);
	faulty_vfs_install();
	open_log(f);
	faulty_vfs_fail(1, SQLITE_FULL, true);
	gw_events_worker_met(f->ev, &f->a);
	take(f, 1);
	test_run_until(f->gw.base, has_lost_all,
	               f); /* not just something that the log does by itself */
	faulty_vfs_fail(0, 0, false);
	test_run_until(f->gw.base, is_well, f);
	assert_int_equal(said.store, 77);
	assert_int_equal(said.number, 0);
	take(f, 1);
	wait_number(f, 1);
	assert_int_equal(read_from(f, &f->a, 1, 10, NULL), 0);
	assert_int_equal(f->got_n, 1);
}

/* At whichever operation of the disk it fails: what was acknowledged is there, once, in order. */
static void test_failure_at_any_point_keeps_the_order(void **state)
{
	struct fixture *f = *state;

	for (unsigned nth = 1; nth < 40; nth++) {
		uint64_t committed;

		close_log(f);
		faulty_vfs_remove();
		test_dir_remove(f->dir);
		assert_int_equal(mkdir(f->dir, 0700), 0);
		faulty_vfs_install();
		memset(&said, 0, sizeof(said));
		open_log(f);
		take(f, 1);
		wait_number(f, 1);
		faulty_vfs_fail(nth, SQLITE_IOERR, false);
		for (uint64_t n = 2; n <= 6; n++) {
			take(f, n);
			gw_events_drain(f->ev);
		}
		faulty_vfs_fail(0, 0, false);
		committed = said.number;
		gw_events_worker_met(f->ev, &f->a);
		for (uint64_t n = committed + 1; n <= 6; n++)
			take(f, n);
		wait_number(f, 6);
		assert_int_equal(read_from(f, &f->a, 1, 256, NULL), 0);
		assert_int_equal(f->got_n, 6);
	}
}

/* What waits behind a group that fails must not be kept in its place: it would be acknowledged. */
static void test_nothing_is_kept_that_comes_behind_what_is_lost(void **state)
{
	const struct gw_event_filter messages = { .kinds = 1u << GW_EVENT_MESSAGE_EXCHANGE };
	struct fixture *f = *state;

	for (unsigned nth = 1; nth < 7; nth++) {
		uint64_t committed;

		close_log(f);
		faulty_vfs_remove();
		test_dir_remove(f->dir);
		assert_int_equal(mkdir(f->dir, 0700), 0);
		faulty_vfs_install();
		memset(&said, 0, sizeof(said));
		open_log(f);
		take(f, 1);
		wait_number(f, 1);
		faulty_vfs_fail(nth, SQLITE_FULL, false);
		take(f, 2);
		emit(f, &f->b, GW_EVENTS_GROUP + 50); /* the next one is in another group */
		take(f, 3);
		gw_events_drain(f->ev);
		faulty_vfs_fail(0, 0, false);
		committed = said.number;
		gw_events_worker_met(f->ev, &f->a);
		for (uint64_t n = committed + 1; n <= 3; n++)
			take(f, n);
		wait_number(f, 3);
		assert_int_equal(read_from(f, &f->a, 1, 256, &messages), 0);
		assert_int_equal(f->got_n, 3);
	}
}

/* ---- a gateway that is killed --------------------------------------------------------------- */

/* Takes events until it is killed; each acknowledgement is told to the parent. */
static void child(struct fixture *f, int out)
{
	uint64_t told = said.number, n = told;

	for (;;) {
		while (n < told + 20)
			take(f, ++n);
		wait_number(f, told + 1);
		told = said.number;
		if (write(out, &told, sizeof(told)) != sizeof(told))
			_exit(1);
	}
}

static void test_killed_at_any_time_nothing_is_lost_or_doubled(void **state)
{
	struct fixture *f = *state;
	uint64_t acked = 0;

	close_log(f);
	for (unsigned round = 0; round < 12; round++) {
		int fds[2];
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct event_base *base = event_base_new();

			f->gw.base = base;
			said.number = acked;
			open_log(f);
			child(f, fds[1]);
		}
		close(fds[1]);
		for (unsigned i = 0; i <= round; i++)
			assert_int_equal(read(fds[0], &acked, sizeof(acked)), sizeof(acked));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		while (read(fds[0], &acked, sizeof(acked)) == sizeof(acked))
			;
		close(fds[0]);
	}
	said.number = 0;
	open_log(f);
	for (uint64_t from = 1; from == 1 || f->got_n > 0; from = f->next) {
		assert_int_equal(read_from(f, &f->a, from, 256, NULL), 0);
		for (unsigned i = 0; i < f->got_n; i++)
			assert_int_equal(f->seq[i], from + i);
	}
	assert_true(f->next > acked);
	/* numbers: each sequence is one of them, since nothing else was kept */
	gw_events_worker_met(f->ev, &f->a);
	assert_int_equal(take_as(f, &f->a, 77, f->next - 1, "{}", 0), 0);
	wait_number(f, f->next - 1);
	assert_int_equal(read_from(f, &f->a, f->next - 1, 256, NULL), 0);
	assert_int_equal(f->got_n, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_sequences_have_no_gap_and_ids_are_unlike),
		T(test_sequence_and_ids_go_on_after_a_restart),
		T(test_text_is_the_contracts),
		T(test_event_that_comes_again_is_kept_once),
		T(test_another_store_has_numbers_of_its_own),
		T(test_what_is_no_event_is_passed_over_once_and_for_all),
		T(test_more_than_the_window_ends_the_worker),
		T(test_large_event_comes_in_memory_that_cannot_change),
		T(test_filters_and_reading_on),
		T(test_watch_hears_of_what_is_durable_and_of_the_end),
		T(test_codes_go_out_live_only),
		T(test_data_is_not_on_disk_in_the_clear),
		T(test_deletion_erases_all_of_one_instance),
		T(test_events_of_nobody_are_erased_at_the_start),
		T(test_old_events_go_and_sequences_stay),
		T(test_job_that_fails_takes_back_its_own_only),
		T(test_full_disk_loses_nothing_and_heals),
		T(test_what_is_lost_first_of_all_is_asked_for),
		T(test_failure_at_any_point_keeps_the_order),
		T(test_nothing_is_kept_that_comes_behind_what_is_lost),
		T(test_killed_at_any_time_nothing_is_lost_or_doubled),
	};
#undef T

	return cmocka_run_group_tests_name("gw_events", tests, NULL, NULL);
}
