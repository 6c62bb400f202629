/* tests/unit/test_db.c - SQLite opened our way */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/db.h"
#include "common/err.h"

static const char *const steps[] = {
	"CREATE TABLE a (x INTEGER) STRICT",
	"ALTER TABLE a ADD COLUMN y TEXT",
};

struct place {
	char dir[64];
	char path[96];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/warden-test-db-XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		return -1;
	snprintf(p->path, sizeof(p->path), "%s/t.db", p->dir);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char wal[128];

	snprintf(wal, sizeof(wal), "%s-wal", p->path);
	unlink(wal);
	unlink(p->path);
	rmdir(p->dir);
	free(p);
	return 0;
}

static int pragma_int(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int v;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

static void test_db_text_is_whole_or_refused(void **state)
{
	const struct place *p = *state;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	char out[6] = "as is", other[7];
	struct db_text_to two[] = { { 1, other, sizeof(other) }, { 0, out, sizeof(out) } };

	assert_int_equal(db_open(p->path, &db), 0);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT 'hello', 'longer', NULL", -1, &st, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_int_equal(db_text(st, 1, out, sizeof(out)), WA_ESTORE_CORRUPT);
	assert_int_equal(db_text(st, 2, out, sizeof(out)), WA_ESTORE_CORRUPT);
	assert_string_equal(out, "as is");
	assert_int_equal(db_text(st, 0, out, sizeof(out)), 0);
	assert_string_equal(out, "hello");
	assert_int_equal(db_texts(st, two, 2), 0);
	assert_string_equal(other, "longer");
	assert_string_equal(out, "hello");
	two[0].out_cap = sizeof("longer") - 1;
	memset(out, 0, sizeof(out));
	assert_int_equal(db_texts(st, two, 2), WA_ESTORE_CORRUPT);
	assert_string_equal(out, ""); /* not after one that failed */
	sqlite3_finalize(st);
	db_close(db);
}

static void test_db_is_private_and_durable(void **state)
{
	const struct place *p = *state;
	sqlite3 *db = NULL;
	struct stat st;

	umask(0);
	assert_int_equal(db_open(p->path, &db), 0);
	umask(022);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(pragma_int(db, "PRAGMA synchronous"), 2); /* FULL */
	assert_int_equal(pragma_int(db, "PRAGMA secure_delete"), 1);
	assert_int_equal(pragma_int(db, "PRAGMA trusted_schema"), 0);
	assert_int_equal(pragma_int(db, "PRAGMA cell_size_check"), 1);
	db_close(db);
	db_close(NULL);
}

static void test_second_process_is_refused(void **state)
{
	const struct place *p = *state;
	sqlite3 *db = NULL;
	int status;
	pid_t pid;

	assert_int_equal(db_open(p->path, &db), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sqlite3 *other = NULL;

		/* by name, as a second program would: exec is not needed for a lock of another pid
		 */
		_exit(db_open(p->path, &other) == WA_EALREADY_RUNNING ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	db_close(db);
}

static void test_garbage_file_is_corrupt_and_left_alone(void **state)
{
	const struct place *p = *state;
	sqlite3 *db = NULL;
	char bytes[5000], back[5000];
	int fd = open(p->path, O_CREAT | O_RDWR, 0600);

	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(db_open(p->path, &db), WA_ESTORE_CORRUPT);
	assert_null(db);
	assert_int_equal(pread(fd, back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(bytes, back, sizeof(bytes));
	close(fd);
}

static void test_damaged_page_is_found_at_open(void **state)
{
	const struct place *p = *state;
	sqlite3 *db = NULL;
	char junk[4096];
	int fd;

	assert_int_equal(db_open(p->path, &db), 0);
	assert_int_equal(db_migrate(db, steps, 2), 0);
	assert_int_equal(
	    db_exec(db,
	            "INSERT INTO a SELECT value, hex(randomblob(200)) FROM json_each("
	            "'[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26]')"),
	    0);
	db_close(db);
	fd = open(p->path, O_RDWR);
	memset(junk, 0xa5, sizeof(junk));
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 4096), sizeof(junk));
	close(fd);
	db = NULL;
	assert_int_equal(db_open(p->path, &db), WA_ESTORE_CORRUPT);
}

static void test_unreachable_path_is_a_storage_error(void **state)
{
	sqlite3 *db = NULL;

	(void)state;
	assert_int_equal(db_open("/nonexistent/dir/t.db", &db), WA_ESTORAGE);
}

static void test_symlink_is_not_followed(void **state)
{
	const struct place *p = *state;
	sqlite3 *db = NULL;

	assert_int_equal(symlink("/dev/null", p->path), 0);
	assert_int_equal(db_open(p->path, &db), WA_ESTORAGE);
}

static void test_migration_runs_each_step_once(void **state)
{
	const struct place *p = *state;
	sqlite3 *db = NULL;

	assert_int_equal(db_open(p->path, &db), 0);
	assert_int_equal(db_migrate(db, steps, 1), 0);
	assert_int_equal(pragma_int(db, "PRAGMA user_version"), 1);
	assert_int_equal(db_migrate(db, steps, 2), 0);
	assert_int_equal(db_migrate(db, steps, 2), 0);
	assert_int_equal(pragma_int(db, "PRAGMA user_version"), 2);
	assert_int_equal(db_exec(db, "INSERT INTO a (x, y) VALUES (1, 'b')"), 0);
	db_close(db);
}

static void test_newer_file_is_refused(void **state)
{
	const struct place *p = *state;
	sqlite3 *db = NULL;

	assert_int_equal(db_open(p->path, &db), 0);
	assert_int_equal(db_migrate(db, steps, 2), 0);
	assert_int_equal(db_migrate(db, steps, 1), WA_ESTATE);
	db_close(db);
}

static void test_failed_step_leaves_the_version(void **state)
{
	static const char *const bad[] = { "CREATE TABLE b (x INTEGER); CREATE TABLE nonsense" };
	const struct place *p = *state;
	sqlite3 *db = NULL;

	assert_int_equal(db_open(p->path, &db), 0);
	assert_true(db_migrate(db, bad, 1) < 0);
	assert_int_equal(pragma_int(db, "PRAGMA user_version"), 0);
	assert_int_equal(pragma_int(db, "SELECT count(*) FROM sqlite_schema"), 0);
	db_close(db);
}

/* Bytes that the schema takes. */
static int schema_bytes(sqlite3 *db)
{
	int now = 0, most = 0;

	assert_int_equal(sqlite3_db_status(db, SQLITE_DBSTATUS_SCHEMA_USED, &now, &most, 0), 0);
	return now;
}

static void test_rest_lets_go_and_statements_stay_good(void **state)
{
	const struct place *p = *state;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;

	assert_int_equal(db_open(p->path, &db), 0);
	assert_int_equal(db_migrate(db, steps, 2), 0);
	assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO a(x) VALUES (7)", -1, &st, NULL), 0);
	assert_true(schema_bytes(db) > 300);
	db_rest(db);
	assert_in_range(schema_bytes(db), 0, 300);
	assert_int_equal(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
	assert_int_equal(pragma_int(db, "SELECT x FROM a"), 7);
	db_close(db);
}

static void test_rest_disturbs_nothing_that_runs(void **state)
{
	const struct place *p = *state;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	int before;

	assert_int_equal(db_open(p->path, &db), 0);
	assert_int_equal(db_migrate(db, steps, 2), 0);
	assert_int_equal(db_exec(db, "INSERT INTO a(x) VALUES (7), (8); BEGIN;"), 0);
	before = schema_bytes(db);
	db_rest(db);
	assert_int_equal(schema_bytes(db), before);
	assert_int_equal(db_exec(db, "COMMIT"), 0);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT x FROM a", -1, &st, NULL), 0);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	db_rest(db);
	assert_int_equal(schema_bytes(db), before);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(st, 0), 8);
	sqlite3_finalize(st);
	db_close(db);
}

/* After so many commits of so many bytes each; without an end all of them were in it. */
static off_t log_after(const struct place *p, int (*open_db)(const char *path, sqlite3 **db_out),
                       int commits, int bytes)
{
	sqlite3 *db = NULL;
	char wal[128], insert[64];
	struct stat st;

	assert_int_equal(open_db(p->path, &db), 0);
	assert_int_equal(db_exec(db, "CREATE TABLE IF NOT EXISTS t (x BLOB) STRICT"), 0);
	snprintf(insert, sizeof(insert), "INSERT INTO t VALUES (randomblob(%d))", bytes);
	for (int i = 0; i < commits; i++)
		assert_int_equal(db_exec(db, insert), 0);
	snprintf(wal, sizeof(wal), "%s-wal", p->path);
	assert_int_equal(stat(wal, &st), 0);
	db_close(db);
	return st.st_size;
}

static void test_log_ends_at_a_mebibyte(void **state)
{
	const struct place *p = *state;

	assert_in_range(log_after(p, db_open, 250, 20000), 512 * 1024, 1200 * 1024);
	assert_in_range(log_after(p, db_open_large, 250, 20000), 2048 * 1024, 4400 * 1024);
}

static void test_log_of_a_burst_ends_later(void **state)
{
	const struct place *p = *state;

	assert_in_range(log_after(p, db_open, 20, 400000), 2048 * 1024, 4800 * 1024);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_db_is_private_and_durable),
		T(test_db_text_is_whole_or_refused),
		T(test_log_ends_at_a_mebibyte),
		T(test_log_of_a_burst_ends_later),
		T(test_second_process_is_refused),
		T(test_garbage_file_is_corrupt_and_left_alone),
		T(test_damaged_page_is_found_at_open),
		T(test_unreachable_path_is_a_storage_error),
		T(test_symlink_is_not_followed),
		T(test_migration_runs_each_step_once),
		T(test_newer_file_is_refused),
		T(test_failed_step_leaves_the_version),
		T(test_rest_lets_go_and_statements_stay_good),
		T(test_rest_disturbs_nothing_that_runs),
	};

	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
