/*
 * tests/unit/test_powercut.c - what was committed outlives a power cut; and the cuts are real
 *
 * Commits rows until the power fails at a random write, then looks at what the disk has kept. The
 * same with synchronous=NORMAL loses rows: else the test would prove nothing.
 */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/db.h"
#include "common/err.h"
#include "powercut_vfs.h"

#define CUTS 400
#define ROWS_MAX 200

struct cut {
	int committed; /* rows whose commit has returned */
	int kept;      /* rows without a gap from 1, after the cut */
};

static int insert(sqlite3 *db, int i)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	         "INSERT INTO t VALUES (%d, randomblob(%d)); "
	         "DELETE FROM scratch; INSERT INTO scratch VALUES (randomblob(3000))",
	         i, 20 + i * 37 % 1500);
	return db_exec(db, sql);
}

static int count_kept(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	int n = 0;

	assert_int_equal(
	    sqlite3_prepare_v2(db, "SELECT id, length(body) FROM t ORDER BY id", -1, &st, NULL),
	    SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		n++;
		assert_int_equal(sqlite3_column_int(st, 0), n);
		assert_int_equal(sqlite3_column_int(st, 1), 20 + n * 37 % 1500);
	}
	sqlite3_finalize(st);
	return n;
}

static struct cut cut_once(const char *path, const char *synchronous, unsigned seed)
{
	static const char *const schema[] = {
		"CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB);"
		"CREATE TABLE scratch (body BLOB);",
	};
	struct cut c = { 0 };
	sqlite3 *db = NULL;

	powercut_reset(seed);
	assert_int_equal(db_open(path, &db), 0);
	assert_int_equal(db_exec(db, synchronous), 0);
	assert_int_equal(db_migrate(db, schema, 1), 0);
	assert_int_equal(db_exec(db, "PRAGMA wal_autocheckpoint=20"), 0);
	powercut_after(1 + seed * 7919 % 600);
	while (c.committed < ROWS_MAX && insert(db, c.committed + 1) == 0)
		c.committed++;
	powercut_now();
	db_close(db);
	powercut_power_on();
	db = NULL;
	assert_int_equal(db_open(path, &db), 0); /* also finds the file sound */
	assert_int_equal(db_migrate(db, schema, 1), 0);
	c.kept = count_kept(db);
	db_close(db);
	return c;
}

static unsigned cuts_that_lose(const char *synchronous)
{
	char dir[] = "/tmp/warden-powercut-XXXXXX", path[sizeof(dir) + 16];
	unsigned lost = 0;

	assert_non_null(
	    mkdtemp(dir)); /* common/db.c makes the file itself, where everybody sees it */
	snprintf(path, sizeof(path), "%s/t.db", dir);
	for (unsigned seed = 1; seed <= CUTS; seed++) {
		struct cut c = cut_once(path, synchronous, seed);

		assert_true(c.kept <= c.committed + 1);
		lost += c.kept < c.committed;
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	return lost;
}

static void test_what_is_committed_is_kept(void **state)
{
	(void)state;
	assert_int_equal(cuts_that_lose("PRAGMA synchronous=FULL"), 0);
}

static void test_without_syncs_it_is_not(void **state)
{
	unsigned lost = cuts_that_lose("PRAGMA synchronous=NORMAL");

	(void)state;
	assert_in_range(lost, CUTS / 4, CUTS);
}

/* A commit of many pages: its frames follow one another in the log. */
static void test_frames_are_written_together(void **state)
{
	char dir[] = "/tmp/warden-powercut-XXXXXX", path[sizeof(dir) + 16];
	sqlite3 *db = NULL;
	uint64_t before;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/t.db", dir);
	powercut_reset(1);
	assert_int_equal(db_open(path, &db), 0);
	assert_int_equal(db_exec(db, "CREATE TABLE t (body BLOB)"), 0);
	before = powercut_ops();
	assert_int_equal(db_exec(db, "BEGIN"), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(db_exec(db, "INSERT INTO t VALUES (randomblob(3900))"), 0);
	assert_int_equal(db_exec(db, "COMMIT"), 0);
	/* of twenty pages and more, each with a head: two pieces of all, and a sync */
	assert_in_range(powercut_ops() - before, 2, 4);
	db_close(db);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_committed_is_kept),
		cmocka_unit_test(test_without_syncs_it_is_not),
		cmocka_unit_test(test_frames_are_written_together),
	};

	powercut_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
