/* tests/unit/test_wk_outbox.c - events in session.db and on their way to a gateway */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/ipc_memfd.h"
#include "worker/events/wk_outbox.h"
#include "worker/store/wk_store_left.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/store/wk_store_priv.h"

#define ID "abcdefghijklmnop"
#define SENT_MAX 2048

struct place {
	char dir[64];
	struct sealed_key key;
	struct wk_store *st;
	struct event_base *base;
	struct wk_outbox *o;
	uint64_t store;
	uint64_t sent[SENT_MAX];
	unsigned sent_n;
	size_t last_len, last_fd_len;
	int send_rc;
	unsigned rooms;
	unsigned packs; /* of several events */
};

static int on_send(const Ipc__Event *msg, int fd, void *arg)
{
	struct place *p = arg;
	struct ipc_memfd_map map = { 0 };

	if (p->send_rc < 0)
		return p->send_rc;
	assert_true(p->sent_n < SENT_MAX);
	assert_true(msg->has_data == (fd < 0));
	p->sent[p->sent_n++] = msg->number;
	p->store = msg->store;
	p->last_len = msg->data.len;
	p->last_fd_len = 0;
	if (fd >= 0) {
		assert_int_equal(ipc_memfd_map(fd, IPC_EVENT_MAX, &map), 0);
		p->last_fd_len = map.len;
		ipc_memfd_unmap(&map);
	}
	return 0;
}

static int on_send_many(const Ipc__Events *msg, void *arg)
{
	struct place *p = arg;
	int rc = p->send_rc;

	assert_in_range(msg->n_events, 2, IPC_EVENTS_MAX_N);
	for (size_t i = 0; rc == 0 && i < msg->n_events; i++)
		rc = on_send(msg->events[i], -1, arg);
	p->packs++;
	return rc;
}

static void on_room(void *arg)
{
	((struct place *)arg)->rooms++;
}

static const struct wk_outbox_ops ops = { .send = on_send, .on_room = on_room };

static const struct wk_outbox_ops many_ops = { .send = on_send,
	                                       .send_many = on_send_many,
	                                       .on_room = on_room };

static void send_many(struct place *p)
{
	wk_outbox_free(p->o);
	assert_int_equal(wk_outbox_new(p->base, p->st, NULL, &many_ops, p, &p->o), 0);
}

static void open_all(struct place *p)
{
	assert_int_equal(wk_store_open(p->dir, ID, &p->key, true, &p->st), 0);
	assert_int_equal(wk_outbox_new(p->base, p->st, NULL, &ops, p, &p->o), 0);
}

static void close_all(struct place *p)
{
	wk_outbox_free(p->o);
	wk_store_close(p->st);
	p->o = NULL;
	p->st = NULL;
}

static int setup(void **state)
{
	static const uint8_t master[SEALED_KEY_LEN] = { 7 };
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/warden-test-outbox-XXXXXX");
	if (mkdtemp(p->dir) == NULL || sealed_derive(master, ID, 1, &p->key) < 0)
		return -1;
	p->base = event_base_new();
	open_all(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char path[512];
	struct dirent *e;
	DIR *d;

	close_all(p);
	event_base_free(p->base);
	d = opendir(p->dir);
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, e->d_name);
		unlink(path);
	}
	closedir(d);
	rmdir(p->dir);
	free(p);
	return 0;
}

/* n events of len bytes in one transaction. */
static void add(struct place *p, unsigned n, size_t len)
{
	char *data = malloc(len);

	memset(data, ' ', len);
	data[0] = '{';
	data[len - 1] = '}';
	assert_int_equal(wk_store_begin(p->st), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(
		    wk_store_outbox_add(p->st, 1, WK_EVENT_HAS_MEDIA, 1700000000000 + i, data, len),
		    0);
	assert_int_equal(wk_store_end(p->st, 0), 0);
	free(data);
}

static void commit(struct place *p, uint64_t number, bool again)
{
	Ipc__EventCommit m = IPC__EVENT_COMMIT__INIT;

	m.store = p->store;
	m.number = number;
	m.has_again = again;
	m.again = again;
	wk_outbox_commit(p->o, &m);
}

static uint64_t kept(struct place *p)
{
	struct wk_outbox_stock stock;

	assert_int_equal(wk_store_outbox_stock(p->st, &stock), 0);
	return stock.n;
}

/* ---- the store ----------------------------------------------------------------------------- */

static void test_event_is_read_back_as_it_was_added(void **state)
{
	struct place *p = *state;
	struct wk_outbox_row row = { 0 };

	assert_int_equal(wk_store_begin(p->st), 0);
	assert_int_equal(wk_store_outbox_add(p->st, 3, 2, 1234, "{\"a\":1}", 7), 0);
	assert_int_equal(wk_store_end(p->st, 0), 0);
	assert_int_equal(wk_store_outbox_next(p->st, 0, &row), 0);
	assert_int_equal(row.number, 1);
	assert_int_equal(row.kind, 3);
	assert_int_equal(row.flags, 2);
	assert_int_equal(row.unix_ms, 1234);
	assert_int_equal(row.data.len, 7);
	assert_memory_equal(row.data.p, "{\"a\":1}", 7);
	buf_wipe(&row.data);
	assert_int_equal(wk_store_outbox_next(p->st, 1, &row), -ENOENT);
}

static void test_event_needs_a_transaction_and_a_size(void **state)
{
	struct place *p = *state;

	assert_int_equal(wk_store_outbox_add(p->st, 1, 0, 0, "{}", 2), WA_ESTATE);
	assert_int_equal(wk_store_begin(p->st), 0);
	assert_int_equal(wk_store_outbox_add(p->st, 1, 0, 0, "", 0), WA_ELIMIT);
	assert_int_equal(wk_store_outbox_add(p->st, 1, 0, 0, "{}", IPC_EVENT_MAX + 1), WA_ELIMIT);
	assert_int_equal(wk_store_end(p->st, 0), 0);
	assert_int_equal(kept(p), 0);
}

static void test_data_is_not_on_disk_in_the_clear(void **state)
{
	struct place *p = *state;
	char cmd[256];

	assert_int_equal(wk_store_begin(p->st), 0);
	assert_int_equal(wk_store_outbox_add(p->st, 1, 0, 0, "{\"x\":\"plainly-seen\"}", 20), 0);
	assert_int_equal(wk_store_end(p->st, 0), 0);
	snprintf(cmd, sizeof(cmd), "cat %s/session.db* | grep -q plainly-seen", p->dir);
	assert_int_not_equal(system(cmd), 0);
}

static void test_rollback_takes_events_and_their_numbers_back(void **state)
{
	struct place *p = *state;
	struct wk_outbox_stock stock;

	add(p, 2, 10);
	assert_int_equal(wk_store_begin(p->st), 0);
	assert_int_equal(wk_store_outbox_add(p->st, 1, 0, 0, "{}", 2), 0);
	assert_int_equal(wk_store_end(p->st, WA_ESTORAGE), WA_ESTORAGE);
	assert_int_equal(wk_store_outbox_stock(p->st, &stock), 0);
	assert_int_equal(stock.newest, 2);
	assert_int_equal(stock.n, 2);
	add(p, 1, 10);
	assert_int_equal(wk_store_outbox_stock(p->st, &stock), 0);
	assert_int_equal(stock.newest, 3);
}

static void test_numbers_are_not_used_again_when_all_are_gone(void **state)
{
	struct place *p = *state;
	struct wk_outbox_stock stock, again;

	add(p, 5, 10);
	assert_int_equal(wk_store_outbox_drop(p->st, 5), 0);
	assert_int_equal(wk_store_outbox_stock(p->st, &stock), 0);
	assert_int_equal(stock.n, 0);
	assert_int_equal(stock.bytes, 0);
	close_all(p);
	open_all(p);
	add(p, 1, 10);
	assert_int_equal(wk_store_outbox_stock(p->st, &again), 0);
	assert_int_equal(again.newest, 6);
	assert_true(again.store == stock.store);
}

/* ---- the way ------------------------------------------------------------------------------- */

static void test_no_more_than_the_window_is_on_its_way(void **state)
{
	struct place *p = *state;

	add(p, IPC_EVENT_WINDOW_N + 50, 10);
	wk_outbox_poke(p->o);
	assert_int_equal(p->sent_n, IPC_EVENT_WINDOW_N);
	commit(p, 10, false);
	assert_int_equal(p->sent_n, IPC_EVENT_WINDOW_N + 10);
	commit(p, IPC_EVENT_WINDOW_N + 10, false);
	assert_int_equal(p->sent_n, IPC_EVENT_WINDOW_N + 50);
	for (unsigned i = 0; i < p->sent_n; i++)
		assert_int_equal(p->sent[i], i + 1);
}

static void test_bytes_count_and_one_large_event_goes_alone(void **state)
{
	struct place *p = *state;

	add(p, 1, IPC_EVENT_INLINE_MAX);
	add(p, 1, IPC_EVENT_INLINE_MAX + 1);
	add(p, 1, IPC_EVENT_WINDOW_BYTES + 1);
	add(p, 1, 100);
	wk_outbox_poke(p->o);
	assert_int_equal(p->sent_n, 2);
	assert_int_equal(p->last_fd_len, IPC_EVENT_INLINE_MAX + 1);
	commit(p, 1, false);
	assert_int_equal(p->sent_n, 2);
	commit(p, 2, false);
	assert_int_equal(p->sent_n, 3);
	assert_int_equal(p->last_fd_len, IPC_EVENT_WINDOW_BYTES + 1);
	commit(p, 3, false);
	assert_int_equal(p->sent_n, 4);
	assert_int_equal(p->last_len, 100);
}

static void test_a_new_gateway_gets_all_that_none_acknowledged(void **state)
{
	struct place *p = *state;

	add(p, 20, 10);
	wk_outbox_poke(p->o);
	commit(p, 7, false);
	p->sent_n = 0;
	wk_outbox_rewind(p->o);
	assert_int_equal(p->sent_n, 13);
	assert_int_equal(p->sent[0], 8);
}

static void test_nobody_there_loses_nothing(void **state)
{
	struct place *p = *state;

	p->send_rc = -ENOTCONN;
	add(p, 20, 10);
	wk_outbox_poke(p->o);
	assert_int_equal(p->sent_n, 0);
	close_all(p);
	open_all(p);
	p->send_rc = 0;
	wk_outbox_rewind(p->o);
	assert_int_equal(p->sent_n, 20);
	assert_int_equal(p->sent[0], 1);
}

static void test_what_the_gateway_lost_is_sent_again(void **state)
{
	struct place *p = *state;

	add(p, 20, 10);
	wk_outbox_poke(p->o);
	commit(p, 5, true);
	assert_int_equal(p->sent_n, 35);
	assert_int_equal(p->sent[20], 6);
}

static void test_acknowledged_events_leave_in_time(void **state)
{
	struct place *p = *state;

	add(p, 10, 10);
	wk_outbox_poke(p->o);
	commit(p, 10, false);
	assert_int_equal(kept(p), 10);
	assert_true(wk_outbox_is_empty(p->o));
	assert_int_equal(wk_store_begin(p->st), 0);
	assert_int_equal(wk_outbox_in_batch(p->o), 0);
	assert_int_equal(wk_store_end(p->st, 0), 0);
	assert_int_equal(kept(p), 0);
	add(p, 3, 10);
	wk_outbox_poke(p->o);
	commit(p, 13, false);
	close_all(p); /* and at the end, whatever was left */
	open_all(p);
	assert_int_equal(kept(p), 0);
}

static void test_commits_that_make_no_sense_change_nothing(void **state)
{
	struct place *p = *state;

	add(p, 3, 10);
	wk_outbox_poke(p->o);
	commit(p, 4, false); /* never was */
	p->store++;
	commit(p, 3, false); /* of another store */
	p->store--;
	p->sent_n = 0;
	wk_outbox_rewind(p->o);
	assert_int_equal(p->sent_n, 3);
}

static void test_full_until_half_is_gone(void **state)
{
	struct place *p = *state;

	assert_false(wk_outbox_is_full(p->o));
	for (int i = 0; i < 8; i++)
		add(p, 1, IPC_EVENT_MAX);
	assert_true(wk_outbox_is_full(p->o));
	wk_outbox_poke(p->o);
	commit(p, 1, false);
	assert_int_equal(p->rooms, 0);
	assert_true(wk_outbox_is_full(p->o));
	for (uint64_t n = 2; n <= 5; n++)
		commit(p, n, false);
	assert_int_equal(p->rooms, 1);
	assert_false(wk_outbox_is_full(p->o));
}

static void test_events_outlive_their_store(void **state)
{
	struct place *p = *state;

	add(p, 600, 100);
	wk_outbox_poke(p->o);
	commit(p, 10, false);
	wk_outbox_outlive(p->o);
	assert_int_equal(wk_store_erase(p->st), 0);
	p->st = NULL;
	assert_false(wk_outbox_is_empty(p->o));
	p->sent_n = 0;
	wk_outbox_rewind(p->o);
	assert_int_equal(p->sent[0], 11);
	for (uint64_t n = 100; n <= 600; n += 100)
		commit(p, n, false);
	assert_int_equal(p->sent_n, 590);
	assert_int_equal(p->sent[589], 600);
	assert_true(wk_outbox_is_empty(p->o));
}

static int open_left(struct place *p)
{
	return wk_outbox_of_left(p->base, p->dir, ID, &p->key, NULL, &ops, p, &p->o);
}

/* The worker dies before the gateway has them: its next life gives them. */
static void test_events_outlive_their_store_and_their_process(void **state)
{
	struct place *p = *state;
	struct sealed_key right = p->key;
	uint64_t store;

	add(p, 30, 100);
	add(p, 1, IPC_EVENT_INLINE_MAX + 1);
	wk_outbox_poke(p->o);
	store = p->store;
	commit(p, 10, false);
	wk_outbox_outlive(p->o);
	assert_int_equal(wk_store_erase(p->st), 0);
	p->st = NULL;
	wk_outbox_free(p->o); /* and nothing more was heard */
	p->o = NULL;
	p->key.bytes[0] ^= 1; /* nobody else reads them */
	assert_int_equal(open_left(p), WA_ESTORE_CORRUPT);
	p->key = right;
	assert_int_equal(open_left(p), 0);
	p->sent_n = 0;
	wk_outbox_poke(p->o);
	assert_int_equal(p->sent_n, 21);
	assert_int_equal(p->sent[0], 11);
	assert_int_equal(p->sent[20], 31);
	assert_int_equal(p->last_fd_len, IPC_EVENT_INLINE_MAX + 1);
	assert_int_equal(p->store, store); /* the gateway knows what it has */
	assert_false(wk_outbox_is_empty(p->o));
	commit(p, 20, false);
	wk_outbox_free(p->o);
	assert_int_equal(open_left(p), 0); /* all of it, until all of it is heard */
	wk_outbox_poke(p->o);
	commit(p, 31, false);
	assert_true(wk_outbox_is_empty(p->o));
	wk_outbox_free(p->o);
	p->o = NULL;
	assert_int_equal(open_left(p), -ENOENT);
}

static void test_a_damaged_file_of_events_is_said_to_be(void **state)
{
	struct place *p = *state;
	char path[128];
	uint8_t bytes[4096];
	size_t n;
	FILE *f;

	add(p, 3, 50);
	wk_outbox_outlive(p->o);
	wk_outbox_free(p->o);
	p->o = NULL;
	snprintf(path, sizeof(path), "%s/" WK_LEFT_NAME, p->dir);
	f = fopen(path, "r");
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_in_range(n, 100, sizeof(bytes) - 1);
	for (size_t cut = 0; cut <= n; cut++) {
		f = fopen(path, "w");
		if (cut < n)
			bytes[cut] ^= 1;
		assert_int_equal(fwrite(bytes, 1, n, f), n);
		if (cut < n)
			bytes[cut] ^= 1;
		fclose(f);
		assert_int_equal(open_left(p), cut < n ? WA_ESTORE_CORRUPT : 0);
	}
	wk_outbox_free(p->o);
	p->o = NULL;
	assert_int_equal(truncate(path, (off_t)n - 1), 0);
	assert_int_equal(open_left(p), WA_ESTORE_CORRUPT);
}

/* ---- the memfd ----------------------------------------------------------------------------- */

static void test_memfd_that_can_change_is_refused(void **state)
{
	struct ipc_memfd_map map = { 0 };
	char path[96];
	FILE *f;
	int fd;

	(void)state;
	fd = ipc_memfd_new("hello", 5);
	assert_true(fd >= 0);
	assert_int_equal(ipc_memfd_map(fd, 4, &map), WA_ELIMIT);
	assert_int_equal(ipc_memfd_map(fd, 5, &map), 0);
	assert_memory_equal(map.p, "hello", 5);
	ipc_memfd_unmap(&map);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
	snprintf(path, sizeof(path), "%s/file", ((struct place *)*state)->dir);
	f = fopen(path, "w+");
	fputs("hello", f);
	fflush(f);
	assert_int_equal(ipc_memfd_map(fileno(f), 10, &map), WA_EPROTO);
	fclose(f);
}

static void assert_sent_in_order(const struct place *p, unsigned n)
{
	assert_int_equal(p->sent_n, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(p->sent[i], i + 1);
}

static void test_several_events_leave_together(void **state)
{
	struct place *p = *state;

	send_many(p);
	add(p, 100, 300);
	wk_outbox_poke(p->o);
	assert_sent_in_order(p, 100);
	assert_int_equal(p->packs, 4); /* 32, 32, 32, 4 */
}

static void test_together_no_more_than_one_message_and_the_window_take(void **state)
{
	struct place *p = *state;

	send_many(p);
	add(p, 2, 40 * 1024);
	add(p, 1, IPC_EVENT_INLINE_MAX + 1);
	add(p, 2, 100);
	wk_outbox_poke(p->o);
	assert_sent_in_order(p, 5);
	assert_int_equal(p->packs, 1); /* the last two; each of the others alone */
	commit(p, 5, false);
	add(p, IPC_EVENT_WINDOW_N + 10, 100);
	wk_outbox_poke(p->o);
	assert_sent_in_order(p, 5 + IPC_EVENT_WINDOW_N);
	commit(p, 6, false);
	assert_sent_in_order(p, 6 + IPC_EVENT_WINDOW_N);
}

static void test_several_that_nobody_takes_come_again(void **state)
{
	struct place *p = *state;

	send_many(p);
	p->send_rc = -ENOTCONN;
	add(p, 50, 300);
	wk_outbox_poke(p->o);
	wk_outbox_poke(p->o);
	assert_int_equal(p->packs, 1); /* then one by one, until a gateway is there */
	p->send_rc = 0;
	wk_outbox_rewind(p->o);
	assert_sent_in_order(p, 50);
}

/* A commit that fails takes the event back, and its number goes to another. */
static void test_nothing_leaves_before_its_commit(void **state)
{
	struct place *p = *state;

	add(p, 1, 100);
	wk_outbox_poke(p->o);
	assert_int_equal(p->sent_n, 1);
	assert_int_equal(wk_store_begin(p->st), 0);
	assert_int_equal(wk_store_outbox_add(p->st, 1, 0, 0, "{\"a\":1}", 7), 0);
	wk_outbox_poke(p->o);
	commit(p, 1, false); /* of the gateway, in the middle of it */
	assert_int_equal(p->sent_n, 1);
	assert_int_equal(wk_store_end(p->st, WA_ESTORAGE), WA_ESTORAGE);
	add(p, 1, 200);
	assert_int_equal(wk_store_begin(p->st), 0); /* the next one does not hold it up */
	assert_int_equal(wk_store_outbox_add(p->st, 1, 0, 0, "{\"a\":1}", 7), 0);
	wk_outbox_poke(p->o);
	assert_sent_in_order(p, 2);
	assert_int_equal(p->last_len, 200); /* not what was taken back */
	assert_int_equal(wk_store_end(p->st, 0), 0);
	wk_outbox_poke(p->o);
	assert_sent_in_order(p, 3);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_event_is_read_back_as_it_was_added),
		T(test_event_needs_a_transaction_and_a_size),
		T(test_data_is_not_on_disk_in_the_clear),
		T(test_rollback_takes_events_and_their_numbers_back),
		T(test_numbers_are_not_used_again_when_all_are_gone),
		T(test_no_more_than_the_window_is_on_its_way),
		T(test_bytes_count_and_one_large_event_goes_alone),
		T(test_a_new_gateway_gets_all_that_none_acknowledged),
		T(test_nobody_there_loses_nothing),
		T(test_what_the_gateway_lost_is_sent_again),
		T(test_acknowledged_events_leave_in_time),
		T(test_commits_that_make_no_sense_change_nothing),
		T(test_full_until_half_is_gone),
		T(test_events_outlive_their_store),
		T(test_events_outlive_their_store_and_their_process),
		T(test_a_damaged_file_of_events_is_said_to_be),
		T(test_memfd_that_can_change_is_refused),
		T(test_several_events_leave_together),
		T(test_together_no_more_than_one_message_and_the_window_take),
		T(test_several_that_nobody_takes_come_again),
		T(test_nothing_leaves_before_its_commit),
	};
#undef T

	return cmocka_run_group_tests_name("wk_outbox", tests, NULL, NULL);
}
