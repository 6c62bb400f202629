/* tests/unit/test_gw_store.c - the registry on disk, with the real SQLite */
#include "gw_test.h"

#include "faulty_vfs.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/log.h"
#include "gateway/registry/gw_store.h"

struct fixture {
	struct event_base *base;
	char dir[TEST_DIR_CAP];
	struct gw_store *st;
	/* what was loaded */
	unsigned accounts_n, instances_n;
	struct gw_account_row account;
	struct gw_instance_row instance;
	char settings[256], proxy[256];
};

struct outcome {
	unsigned calls_n;
	int rc;
};

static int on_account(const struct gw_account_row *row, void *arg)
{
	struct fixture *f = arg;

	f->accounts_n++;
	f->account = *row;
	return 0;
}

static int on_instance(const struct gw_instance_row *row, void *arg)
{
	struct fixture *f = arg;

	f->instances_n++;
	f->instance = *row;
	snprintf(f->settings, sizeof(f->settings), "%s", row->settings);
	snprintf(f->proxy, sizeof(f->proxy), "%s", row->proxy);
	return 0;
}

static void on_done(int rc, void *arg)
{
	struct outcome *o = arg;

	o->calls_n++;
	o->rc = rc;
}

static bool is_done(void *arg)
{
	return ((struct outcome *)arg)->calls_n > 0;
}

static void open_and_load(struct fixture *f)
{
	static const struct gw_store_loader loader = { .on_account = on_account,
		                                       .on_instance = on_instance };

	f->accounts_n = f->instances_n = 0;
	assert_int_equal(gw_store_open(f->base, f->dir, &f->st), 0);
	assert_int_equal(gw_store_load(f->st, &loader, f), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	f->base = event_base_new();
	test_dir_make(f->dir);
	open_and_load(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_store_free(f->st);
	event_base_free(f->base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	gw_store_free(f->st);
	f->st = NULL;
	open_and_load(f);
}

static struct gw_account_row account_row(const char *name)
{
	struct gw_account_row row = { .quota = 5, .created_unix_ms = 1000 };

	snprintf(row.name, sizeof(row.name), "%s", name);
	memset(row.token_hash, name[0], sizeof(row.token_hash));
	return row;
}

static struct gw_instance_row instance_row(const char *id, const char *account, const char *name)
{
	struct gw_instance_row row = { .created_unix_ms = 2000, .updated_unix_ms = 3000 };

	snprintf(row.id, sizeof(row.id), "%s", id);
	snprintf(row.account, sizeof(row.account), "%s", account);
	snprintf(row.name, sizeof(row.name), "%s", name);
	memset(row.token_hash, id[0], sizeof(row.token_hash));
	return row;
}

static void put_account(struct fixture *f, const char *name)
{
	const struct gw_account_row row = account_row(name);
	struct outcome o = { 0 };

	assert_int_equal(gw_store_account_put(f->st, &row, on_done, &o), 0);
	test_run_until(f->base, is_done, &o);
	assert_int_equal(o.rc, 0);
}

static bool dir_exists(const struct fixture *f, const char *id)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/instances/%s", f->dir, id);
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0700;
}

static void test_what_is_committed_is_there_after_reopening(void **state)
{
	struct fixture *f = *state;
	struct gw_instance_row row = instance_row("aaaaaaaaaaaaaaaa", "acme", "sales");
	struct outcome o = { 0 };

	put_account(f, "acme");
	row.settings = "{\"keepOnlineStatus\":true}";
	assert_int_equal(gw_store_instance_add(f->st, &row, on_done, &o), 0);
	assert_int_equal(o.calls_n, 0); /* never from inside the call */
	test_run_until(f->base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_true(dir_exists(f, row.id));

	reopen(f);
	assert_int_equal(f->accounts_n, 1);
	assert_string_equal(f->account.name, "acme");
	assert_int_equal(f->account.quota, 5);
	assert_int_equal(f->account.created_unix_ms, 1000);
	assert_int_equal(f->account.token_hash[31], 'a');
	assert_int_equal(f->instances_n, 1);
	assert_string_equal(f->instance.name, "sales");
	assert_string_equal(f->instance.account, "acme");
	assert_int_equal(f->instance.updated_unix_ms, 3000);
	assert_string_equal(f->settings, "{\"keepOnlineStatus\":true}");
}

static void test_put_again_replaces_quota_and_token(void **state)
{
	struct fixture *f = *state;
	struct gw_account_row row = account_row("acme");
	struct outcome o = { 0 };

	put_account(f, "acme");
	row.quota = -1;
	memset(row.token_hash, 'z', sizeof(row.token_hash));
	assert_int_equal(gw_store_account_put(f->st, &row, on_done, &o), 0);
	test_run_until(f->base, is_done, &o);
	reopen(f);
	assert_int_equal(f->accounts_n, 1);
	assert_int_equal(f->account.quota, -1);
	assert_int_equal(f->account.token_hash[0], 'z');
}

static void test_deleting_an_instance_removes_its_files(void **state)
{
	struct fixture *f = *state;
	const struct gw_instance_row row = instance_row("bbbbbbbbbbbbbbbb", "acme", "x");
	struct outcome o = { 0 };
	char path[128];

	put_account(f, "acme");
	assert_int_equal(gw_store_instance_add(f->st, &row, on_done, &o), 0);
	test_run_until(f->base, is_done, &o);
	snprintf(path, sizeof(path), "%s/instances/%s/session.db", f->dir, row.id);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	o = (struct outcome){ 0 };
	assert_int_equal(gw_store_instance_del(f->st, row.id, on_done, &o), 0);
	test_run_until(f->base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_false(dir_exists(f, row.id));
	reopen(f);
	assert_int_equal(f->instances_n, 0);
}

static void test_one_refused_change_does_not_harm_its_group(void **state)
{
	struct fixture *f = *state;
	const struct gw_instance_row orphan = instance_row("cccccccccccccccc", "nobody", "x");
	const struct gw_account_row good = account_row("good");
	struct outcome bad = { 0 }, ok = { 0 };

	assert_int_equal(gw_store_instance_add(f->st, &orphan, on_done, &bad), 0);
	assert_int_equal(gw_store_account_put(f->st, &good, on_done, &ok), 0);
	test_run_until(f->base, is_done, &bad);
	test_run_until(f->base, is_done, &ok);
	assert_int_equal(bad.rc, WA_ESTORAGE);
	assert_int_equal(ok.rc, 0);
	assert_false(dir_exists(f, orphan.id)); /* taken back */
	reopen(f);
	assert_int_equal(f->accounts_n, 1);
	assert_int_equal(f->instances_n, 0);
}

static void test_many_changes_each_get_their_callback_in_order(void **state)
{
	struct fixture *f = *state;
	enum { N = 1000 };
	struct outcome o = { 0 };

	for (int i = 0; i < N; i++) {
		struct gw_account_row row = account_row("a");

		snprintf(row.name, sizeof(row.name), "a%d", i);
		memcpy(row.token_hash, &i, sizeof(i));
		assert_int_equal(gw_store_account_put(f->st, &row, on_done, &o), 0);
	}
	gw_store_drain(f->st);
	assert_int_equal(o.calls_n, N);
	assert_int_equal(o.rc, 0);
	reopen(f);
	assert_int_equal(f->accounts_n, N);
	assert_string_equal(f->account.name, "a999");
}

static void test_a_disk_that_refuses_is_reported_and_heals(void **state)
{
	struct fixture *f = *state;
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	const struct gw_account_row row = account_row("acme");
	struct rlimit before;
	struct outcome o = { 0 };

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(gw_store_ok(f->st));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(gw_store_account_put(f->st, &row, on_done, &o), 0);
	test_run_until(f->base, is_done, &o);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(o.rc, WA_ESTORAGE);
	assert_false(gw_store_ok(f->st));
	put_account(f, "acme");
	assert_true(gw_store_ok(f->st));
	reopen(f);
	assert_int_equal(f->accounts_n, 1);
}

static void test_a_second_gateway_on_the_same_directory_is_refused(void **state)
{
	struct fixture *f = *state;
	struct gw_store *second = NULL;

	assert_int_equal(gw_store_open(f->base, f->dir, &second), WA_EALREADY_RUNNING);
	assert_null(second);
}

static void test_a_file_that_is_no_database_is_reported_as_corrupt(void **state)
{
	struct fixture *f = *state;
	struct gw_store *st = NULL;
	char path[64];
	FILE *file;

	gw_store_free(f->st);
	f->st = NULL;
	snprintf(path, sizeof(path), "%s/registry.db", f->dir);
	file = fopen(path, "r+");
	assert_non_null(file);
	for (int i = 0; i < 4096; i++)
		fputc('x', file);
	fclose(file);
	assert_int_equal(gw_store_open(f->base, f->dir, &st), WA_ESTORE_CORRUPT);
}

static void test_an_instance_directory_that_is_missing_is_made_again(void **state)
{
	struct fixture *f = *state;
	const struct gw_instance_row row = instance_row("dddddddddddddddd", "acme", "x");
	struct outcome o = { 0 };
	char path[128];

	put_account(f, "acme");
	assert_int_equal(gw_store_instance_add(f->st, &row, on_done, &o), 0);
	test_run_until(f->base, is_done, &o);
	snprintf(path, sizeof(path), "%s/instances/%s", f->dir, row.id);
	assert_int_equal(rmdir(path), 0);
	reopen(f);
	assert_true(dir_exists(f, row.id));
}

static void test_changes_given_before_the_end_are_made(void **state)
{
	struct fixture *f = *state;
	const struct gw_account_row row = account_row("last");
	struct outcome o = { 0 };

	assert_int_equal(gw_store_account_put(f->st, &row, on_done, &o), 0);
	reopen(f);
	assert_int_equal(o.calls_n, 0);
	assert_int_equal(f->accounts_n, 1);
}

static void add_instance(struct fixture *f, const char *id)
{
	const struct gw_instance_row row = instance_row(id, "acme", id);
	struct outcome o = { 0 };

	assert_int_equal(gw_store_instance_add(f->st, &row, on_done, &o), 0);
	test_run_until(f->base, is_done, &o);
	assert_int_equal(o.rc, 0);
}

/* As the version before wrote it. */
static const char version_1[] =
    "CREATE TABLE account ("
    "  name TEXT PRIMARY KEY, quota INTEGER NOT NULL, token_hash BLOB NOT NULL UNIQUE,"
    "  created_unix_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE instance ("
    "  id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account(name),"
    "  name TEXT NOT NULL, token_hash BLOB NOT NULL UNIQUE, created_unix_ms INTEGER NOT NULL,"
    "  updated_unix_ms INTEGER NOT NULL, settings TEXT NOT NULL, UNIQUE (account, name)) STRICT;"
    "INSERT INTO account VALUES ('acme', 5, randomblob(32), 1000);"
    "INSERT INTO instance VALUES ('aaaaaaaaaaaaaaaa', 'acme', 'sales', randomblob(32), 2000,"
    " 3000, '{\"ignoreStatus\":true}');"
    "PRAGMA user_version = 1;";

static void test_a_file_of_the_version_before_is_brought_up_to_date(void **state)
{
	struct fixture *f = *state;
	struct outcome o = { 0 };
	struct gw_device link = { .linked = true };
	char path[64];
	sqlite3 *db;

	gw_store_free(f->st);
	f->st = NULL;
	test_dir_remove(f->dir);
	assert_int_equal(gw_dir_make(f->dir), 0);
	snprintf(path, sizeof(path), "%s/registry.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, version_1, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);

	open_and_load(f);
	assert_int_equal(f->accounts_n, 1);
	assert_int_equal(f->instances_n, 1);
	assert_string_equal(f->instance.name, "sales");
	assert_int_equal(f->instance.updated_unix_ms, 3000);
	assert_string_equal(f->settings, "{\"ignoreStatus\":true}");
	assert_string_equal(f->proxy, "{}");
	assert_false(f->instance.link.linked);
	assert_int_equal(f->instance.link.key_epoch, 1);
	assert_int_equal(f->instance.link.last_error.rc, 0);
	assert_int_equal(
	    gw_store_instance_link(f->st, "aaaaaaaaaaaaaaaa", &link, 4000, on_done, &o), 0);
	reopen(f);
	assert_true(f->instance.link.linked);
}

static void put_session(const struct fixture *f, const char *id)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/instances/%s", f->dir, id);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/instances/%s/session.db", f->dir, id);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
}

/* A gateway died between the end of a row and that of its folder; or before the row was there. */
static void test_what_a_deletion_left_behind_is_erased_at_the_next_start(void **state)
{
	struct fixture *f = *state;
	char path[128];
	sqlite3 *db;

	put_account(f, "acme");
	add_instance(f, "aaaaaaaaaaaaaaaa");
	add_instance(f, "bbbbbbbbbbbbbbbb");
	gw_store_free(f->st);
	f->st = NULL;
	put_session(f, "aaaaaaaaaaaaaaaa");
	put_session(f, "dddddddddddddddd"); /* whose row a copy of the registry does not know */
	snprintf(path, sizeof(path), "%s/instances/cccccccccccccccc", f->dir);
	assert_int_equal(mkdir(path, 0700), 0); /* empty: of a creation that was cut short */
	snprintf(path, sizeof(path), "%s/registry.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM instance WHERE id = 'aaaaaaaaaaaaaaaa'",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);

	open_and_load(f);
	assert_int_equal(f->instances_n, 1);
	assert_false(dir_exists(f, "aaaaaaaaaaaaaaaa"));
	assert_true(dir_exists(f, "bbbbbbbbbbbbbbbb"));
	assert_false(dir_exists(f, "cccccccccccccccc"));
	assert_true(dir_exists(f, "dddddddddddddddd"));
	put_session(f, "aaaaaaaaaaaaaaaa"); /* crossed out: it is not erased once more */
	reopen(f);
	assert_true(dir_exists(f, "aaaaaaaaaaaaaaaa"));
}

static void test_a_file_of_a_later_version_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[64];
	sqlite3 *db;

	gw_store_free(f->st);
	f->st = NULL;
	snprintf(path, sizeof(path), "%s/registry.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(gw_store_open(f->base, f->dir, &f->st), WA_ESTATE);
	assert_null(f->st);
}

static void test_each_change_of_an_instance_leaves_the_others_alone(void **state)
{
	struct fixture *f = *state;
	const char *id = "aaaaaaaaaaaaaaaa";
	struct gw_device link = { .linked = true,
		                  .end = GW_END_BANNED,
		                  .lid = "1:7@lid",
		                  .platform = "android",
		                  .push_name = "Jos\xc3\xa9",
		                  .business_name = "Shop",
		                  .history_days = 30,
		                  .key_epoch = 4,
		                  .store_generation = 1234567890123,
		                  .last_error = { .rc = WA_ECONNECT_FAILURE,
		                                  .number = 418,
		                                  .detail = "refused",
		                                  .at_unix_ms = 77 } };
	uint8_t hash[GW_TOKEN_HASH_LEN];
	struct outcome o = { 0 };

	gw_device_jid_set(&link, "55:7@s.whatsapp.net");
	memset(hash, 'n', sizeof(hash));
	put_account(f, "acme");
	add_instance(f, id);
	assert_int_equal(
	    gw_store_instance_settings(f->st, id, "{\"a\":true,\"b\":true}", 11, on_done, &o), 0);
	assert_int_equal(gw_store_instance_settings(f->st, id, "{\"b\":false}", 12, on_done, &o),
	                 0);
	assert_int_equal(gw_store_instance_proxy(f->st, id, "{\"enabled\":true}", 13, on_done, &o),
	                 0);
	assert_int_equal(gw_store_instance_token(f->st, id, hash, 14, on_done, &o), 0);
	assert_int_equal(gw_store_instance_link(f->st, id, &link, 15, on_done, &o), 0);
	assert_int_equal(gw_store_instance_link(f->st, "nobody", &link, 16, on_done, &o), 0);
	gw_store_drain(f->st);
	assert_int_equal(o.calls_n, 6);
	assert_int_equal(o.rc, 0);
	reopen(f);
	assert_string_equal(f->settings, "{\"a\":true,\"b\":false}");
	assert_string_equal(f->proxy, "{\"enabled\":true}");
	assert_memory_equal(f->instance.token_hash, hash, sizeof(hash));
	assert_int_equal(f->instance.updated_unix_ms, 15);
	assert_int_equal(f->instance.created_unix_ms, 2000);
	assert_int_equal(f->instance.link.end, GW_END_BANNED);
	assert_string_equal(f->instance.link.jid, "55:7@s.whatsapp.net");
	assert_string_equal(f->instance.link.jid_bare, "55@s.whatsapp.net");
	assert_string_equal(f->instance.link.lid, "1:7@lid");
	assert_string_equal(f->instance.link.push_name, "Jos\xc3\xa9");
	assert_string_equal(f->instance.link.business_name, "Shop");
	assert_int_equal(f->instance.link.history_days, 30);
	assert_int_equal(f->instance.link.key_epoch, 4);
	assert_int_equal(f->instance.link.store_generation, 1234567890123);
	assert_int_equal(f->instance.link.last_error.rc, WA_ECONNECT_FAILURE);
	assert_int_equal(f->instance.link.last_error.number, 418);
	assert_string_equal(f->instance.link.last_error.detail, "refused");
}

static void test_a_session_on_disk_is_seen_when_loading(void **state)
{
	struct fixture *f = *state;
	char path[128];

	put_account(f, "acme");
	add_instance(f, "aaaaaaaaaaaaaaaa");
	reopen(f);
	assert_false(f->instance.has_session);
	snprintf(path, sizeof(path), "%s/instances/aaaaaaaaaaaaaaaa/session.db", f->dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	reopen(f);
	assert_true(f->instance.has_session);
}

static void test_small_values_are_kept_and_replaced(void **state)
{
	struct fixture *f = *state;
	uint8_t out[8];
	size_t len = 0;

	gw_store_free(f->st);
	assert_int_equal(gw_store_open(f->base, f->dir, &f->st), 0);
	assert_int_equal(gw_store_meta_get(f->st, "x", out, sizeof(out), &len), 0);
	assert_int_equal(gw_store_meta_put(f->st, "x", "first", 5), 0);
	assert_int_equal(gw_store_meta_put(f->st, "x", "second", 6), 0);
	assert_int_equal(gw_store_meta_get(f->st, "x", out, 5, &len), WA_ELIMIT);
	assert_int_equal(gw_store_meta_get(f->st, "x", out, sizeof(out), &len), 1);
	assert_int_equal(len, 6);
	assert_memory_equal(out, "second", 6);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define MANY 60

static bool many_done(void *arg)
{
	const struct outcome *o = arg;

	for (int i = 0; i < MANY; i++)
		if (o[i].calls_n == 0)
			return false;
	return true;
}

/*
 * Without memory SQLite takes the whole transaction back in the middle of a group. Whatever the
 * group was: what is told done is there afterwards, and nothing else.
 */
static void test_a_transaction_that_breaks_off_takes_all_of_it_back(void **state)
{
	struct fixture *f = *state;
	struct outcome o[MANY] = { 0 };
	char *big = malloc(4 << 20);
	char id[GW_ID_LEN + 1], name[16];
	unsigned told = 0, failed = 0;

	put_account(f, "acme");
	memset(big, 'x', (4 << 20) - 1);
	big[(4 << 20) - 1] = '\0';
	sqlite3_hard_heap_limit64(sqlite3_memory_used() + (1 << 20));
	for (int i = 0; i < MANY; i++) {
		struct gw_instance_row row;

		snprintf(id, sizeof(id), "aaaaaaaaaaaaaa%c%c", 'a' + i / 26, 'a' + i % 26);
		snprintf(name, sizeof(name), "i%d", i);
		row = instance_row(id, "acme", name);
		row.token_hash[1] = (uint8_t)i;
		row.settings = i % 20 == 10 ? big : "{}";
		assert_int_equal(gw_store_instance_add(f->st, &row, on_done, &o[i]), 0);
	}
	test_run_until(f->base, many_done, o);
	sqlite3_hard_heap_limit64(0);
	free(big);
	for (int i = 0; i < MANY; i++) {
		told += o[i].rc == 0;
		failed += o[i].rc != 0;
	}
	assert_true(failed >= 3);
	reopen(f);
	assert_int_equal(f->instances_n, told);
}

static void count_healed(void *arg)
{
	++*(unsigned *)arg;
}

static bool has_healed(void *arg)
{
	return *(unsigned *)arg > 0;
}

/* Nobody changes anything any more, and still it is noticed. */
static void test_a_disk_that_is_well_again_is_noticed(void **state)
{
	struct fixture *f = *state;
	const struct gw_account_row row = account_row("acme");
	struct outcome o = { 0 };
	unsigned healed = 0;

	faulty_vfs_install();
	reopen(f);
	gw_store_on_healed(f->st, count_healed, &healed);
	faulty_vfs_fail(1, SQLITE_FULL, true);
	assert_int_equal(gw_store_account_put(f->st, &row, on_done, &o), 0);
	test_run_until(f->base, is_done, &o);
	assert_int_equal(o.rc, WA_ESTORAGE);
	assert_false(gw_store_ok(f->st));
	faulty_vfs_fail(0, 0, false);
	test_run_until(f->base, has_healed, &healed);
	assert_int_equal(healed, 1);
	assert_true(gw_store_ok(f->st));
	faulty_vfs_remove();
}

/* ---- a disk that fails at any operation ------------------------------------- */

/* What a run of changes was told, and so what has to be on disk. */
struct told {
	bool settings, proxy, token, link, account, added, deleted;
	unsigned failed_n;
};

static bool told_done(struct fixture *f, int rc, struct outcome *o)
{
	assert_int_equal(rc, 0);
	test_run_until(f->base, is_done, o);
	if (o->rc < 0)
		assert_true(o->rc == WA_ESTORAGE || o->rc == WA_ESTORE_CORRUPT || o->rc == -ENOMEM);
	return o->rc == 0;
}

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"

static void every_change(struct fixture *f, struct told *t)
{
	const struct gw_account_row account = account_row("later");
	struct gw_instance_row row = instance_row(B, "acme", "b");
	const struct gw_device link = { .linked = true, .key_epoch = 9 };
	struct outcome o[7] = { 0 };
	uint8_t hash[GW_TOKEN_HASH_LEN];

	memset(hash, 'n', sizeof(hash));
	row.token_hash[0] = 'B';
	t->settings = told_done(
	    f, gw_store_instance_settings(f->st, A, "{\"a\":true}", 11, on_done, &o[0]), &o[0]);
	t->proxy = told_done(
	    f, gw_store_instance_proxy(f->st, A, "{\"enabled\":true}", 12, on_done, &o[1]), &o[1]);
	t->token = told_done(f, gw_store_instance_token(f->st, A, hash, 13, on_done, &o[2]), &o[2]);
	t->link = told_done(f, gw_store_instance_link(f->st, A, &link, 14, on_done, &o[3]), &o[3]);
	t->account = told_done(f, gw_store_account_put(f->st, &account, on_done, &o[4]), &o[4]);
	t->added = told_done(f, gw_store_instance_add(f->st, &row, on_done, &o[5]), &o[5]);
	t->deleted =
	    t->added && told_done(f, gw_store_instance_del(f->st, B, on_done, &o[6]), &o[6]);
	for (size_t i = 0; i < sizeof(o) / sizeof(o[0]); i++)
		t->failed_n += o[i].rc < 0;
}

static int on_instance_a(const struct gw_instance_row *row, void *arg)
{
	struct fixture *f = arg;

	if (strcmp(row->id, A) == 0)
		return on_instance(row, arg);
	f->instances_n++;
	return 0;
}

static void assert_as_told(struct fixture *f, const struct told *t)
{
	static const struct gw_store_loader loader = { .on_account = on_account,
		                                       .on_instance = on_instance_a };

	gw_store_free(f->st);
	f->accounts_n = f->instances_n = 0;
	assert_int_equal(gw_store_open(f->base, f->dir, &f->st), 0);
	assert_int_equal(gw_store_load(f->st, &loader, f), 0);
	assert_string_equal(f->settings, t->settings ? "{\"a\":true}" : "{}");
	assert_string_equal(f->proxy, t->proxy ? "{\"enabled\":true}" : "{}");
	assert_int_equal(f->instance.token_hash[1] == 'n', t->token);
	assert_int_equal(f->instance.link.linked, t->link);
	assert_int_equal(f->accounts_n, t->account ? 2 : 1);
	assert_int_equal(f->instances_n, t->added && !t->deleted ? 2 : 1);
}

static void fresh(struct fixture *f)
{
	gw_store_free(f->st);
	f->st = NULL;
	test_dir_remove(f->dir);
	open_and_load(f);
	put_account(f, "acme");
	add_instance(f, A);
}

/* Operation by operation, until one run meets no fault: what is told is what is there. */
static void sweep(struct fixture *f, int rc, bool stays)
{
	const unsigned step = test_step() * (stays ? 3 : 1); /* what fails for good fails much the same */
	unsigned nth = 0, failed = 0;

	faulty_vfs_install();
	do {
		struct told t = { 0 };

		fresh(f);
		nth += nth == 0 ? 1 : step;
		faulty_vfs_fail(nth, rc, stays);
		every_change(f, &t);
		assert_true(nth < 1000);
		failed += t.failed_n;
		if (stays && faulty_vfs_has_failed() && t.failed_n > 0)
			assert_false(gw_store_ok(f->st));
		if (!faulty_vfs_has_failed())
			nth = 0;
		faulty_vfs_fail(0, 0, false);
		assert_as_told(f, &t);
		put_account(f, "heals");
		assert_true(gw_store_ok(f->st));
	} while (nth > 0);
	assert_true(failed > 5 / test_step());
	faulty_vfs_remove();
}

static void test_no_failing_write_is_told_done(void **state)
{
	sweep(*state, SQLITE_FULL, false);
}

static void test_no_write_is_told_done_on_a_disk_that_stays_full(void **state)
{
	sweep(*state, SQLITE_FULL, true);
}

static void test_no_write_is_told_done_after_an_io_error(void **state)
{
	sweep(*state, SQLITE_IOERR_WRITE, false);
}

static void test_no_write_is_told_done_on_a_broken_disk(void **state)
{
	sweep(*state, SQLITE_IOERR_FSYNC, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_is_committed_is_there_after_reopening),
		T(test_put_again_replaces_quota_and_token),
		T(test_deleting_an_instance_removes_its_files),
		T(test_what_a_deletion_left_behind_is_erased_at_the_next_start),
		T(test_one_refused_change_does_not_harm_its_group),
		T(test_a_transaction_that_breaks_off_takes_all_of_it_back),
		T(test_many_changes_each_get_their_callback_in_order),
		T(test_a_disk_that_refuses_is_reported_and_heals),
		T(test_a_second_gateway_on_the_same_directory_is_refused),
		T(test_a_file_that_is_no_database_is_reported_as_corrupt),
		T(test_an_instance_directory_that_is_missing_is_made_again),
		T(test_changes_given_before_the_end_are_made),
		T(test_a_file_of_the_version_before_is_brought_up_to_date),
		T(test_a_file_of_a_later_version_is_refused),
		T(test_each_change_of_an_instance_leaves_the_others_alone),
		T(test_a_session_on_disk_is_seen_when_loading),
		T(test_small_values_are_kept_and_replaced),
		T(test_a_disk_that_is_well_again_is_noticed),
		T(test_no_failing_write_is_told_done),
		T(test_no_write_is_told_done_on_a_disk_that_stays_full),
		T(test_no_write_is_told_done_after_an_io_error),
		T(test_no_write_is_told_done_on_a_broken_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
