/* tests/unit/test_wk_store.c - session.db: real files in a temporary folder */
#include "test.h"

#include "faulty_vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <signal.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/err.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/stanza/wa_prekey.h"

#define ID "abcdefghijklmnop"

struct place {
	char dir[64];
	char path[96];
	struct sealed_key key;
	struct wk_store *st;
	struct wk_creds creds;
};

static int setup(void **state)
{
	static const uint8_t master[SEALED_KEY_LEN] = { 7 };
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/warden-test-store-XXXXXX");
	if (mkdtemp(p->dir) == NULL || sealed_derive(master, ID, 1, &p->key) < 0)
		return -1;
	snprintf(p->path, sizeof(p->path), "%s/session.db", p->dir);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char path[512];
	struct dirent *e;
	DIR *d;

	wk_store_close(p->st);
	wk_creds_clear(&p->creds);
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

static void reopen(struct place *p)
{
	wk_store_close(p->st);
	p->st = NULL;
	assert_int_equal(wk_store_open(p->dir, ID, &p->key, true, &p->st), 0);
}

static void fill(struct wk_creds *c)
{
	memset(c, 0, sizeof(*c));
	assert_int_equal(wa_device_init(&c->device), 0);
	snprintf(c->jid, sizeof(c->jid), "5511999999999:3@s.whatsapp.net");
	snprintf(c->lid, sizeof(c->lid), "123456789:3@lid");
	assert_int_equal(buf_append(&c->account, "account", 7), 0);
	memset(c->account_key, 0x55, sizeof(c->account_key));
	snprintf(c->platform, sizeof(c->platform), "android");
	snprintf(c->business_name, sizeof(c->business_name), "Caf\xc3\xa9");
	snprintf(c->push_name, sizeof(c->push_name), "Ana");
	memcpy(c->routing, "route", 5);
	c->routing_len = 5;
	memset(c->server_static, 0x66, sizeof(c->server_static));
	c->server_static_until = 1900000000;
	c->logins = 4;
	c->history_days = 7;
	c->linked_unix_s = 1700000000;
	c->not_before_unix_s = 1700000001;
	c->not_before_rc = WA_ETEMP_BANNED;
	c->replaced_n = 2;
	c->replaced_day_unix_s = 1699999999;
}

static void link_it(struct place *p)
{
	fill(&p->creds);
	reopen(p);
	assert_int_equal(wk_store_link(p->st, &p->creds), 0);
}

static void assert_same(const struct wk_creds *a, const struct wk_creds *b)
{
	assert_memory_equal(&a->device.noise, &b->device.noise, sizeof(a->device.noise));
	assert_memory_equal(&a->device.identity, &b->device.identity, sizeof(a->device.identity));
	assert_memory_equal(&a->device.signed_prekey, &b->device.signed_prekey,
	                    sizeof(a->device.signed_prekey));
	assert_memory_equal(a->device.signed_prekey_sig, b->device.signed_prekey_sig, WA_SIG_LEN);
	assert_int_equal(a->device.signed_prekey_id, b->device.signed_prekey_id);
	assert_int_equal(a->device.registration_id, b->device.registration_id);
	assert_string_equal(a->jid, b->jid);
	assert_string_equal(a->lid, b->lid);
	assert_int_equal(a->account.len, b->account.len);
	assert_memory_equal(a->account.p, b->account.p, a->account.len);
	assert_memory_equal(a->account_key, b->account_key, WA_KEY_LEN);
	assert_string_equal(a->platform, b->platform);
	assert_string_equal(a->business_name, b->business_name);
	assert_string_equal(a->push_name, b->push_name);
	assert_int_equal(a->routing_len, b->routing_len);
	assert_memory_equal(a->routing, b->routing, a->routing_len);
	assert_memory_equal(a->server_static, b->server_static, WA_KEY_LEN);
	assert_int_equal(a->server_static_until, b->server_static_until);
	assert_int_equal(a->logins, b->logins);
	assert_int_equal(a->history_days, b->history_days);
	assert_int_equal(a->confirmed, b->confirmed);
	assert_int_equal(a->linked_unix_s, b->linked_unix_s);
	assert_int_equal(a->not_before_unix_s, b->not_before_unix_s);
	assert_int_equal(a->not_before_rc, b->not_before_rc);
	assert_int_equal(a->replaced_n, b->replaced_n);
	assert_int_equal(a->replaced_day_unix_s, b->replaced_day_unix_s);
}

static unsigned count_files(const struct place *p, const char *part)
{
	struct dirent *e;
	unsigned n = 0;
	DIR *d = opendir(p->dir);

	while ((e = readdir(d)) != NULL)
		n += strstr(e->d_name, part) != NULL;
	closedir(d);
	return n;
}

static bool file_holds(const char *path, const void *what, size_t len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long size;
	bool found = false;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	data = malloc((size_t)size);
	assert_int_equal(fread(data, 1, (size_t)size, f), size);
	for (size_t i = 0; !found && i + len <= (size_t)size; i++)
		found = memcmp(data + i, what, len) == 0;
	free(data);
	fclose(f);
	return found;
}

/* ---- the link ------------------------------------------------------------------------------ */

static void test_a_missing_file_is_not_made_unless_asked_for(void **state)
{
	struct place *p = *state;

	assert_int_equal(wk_store_open(p->dir, ID, &p->key, false, &p->st), -ENOENT);
	assert_int_equal(access(p->path, F_OK), -1);
}

static void test_a_new_store_has_no_link_and_is_private(void **state)
{
	struct place *p = *state;
	struct stat st;

	reopen(p);
	assert_int_equal(wk_store_load(p->st, &p->creds), -ENOENT);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_a_link_is_read_back_as_it_was(void **state)
{
	struct place *p = *state;
	struct wk_creds back;

	link_it(p);
	reopen(p);
	assert_int_equal(wk_store_load(p->st, &back), 0);
	assert_same(&p->creds, &back);
	wk_creds_clear(&back);
}

static void test_what_changes_is_read_back_and_keys_stay(void **state)
{
	struct place *p = *state;
	struct wk_creds back;

	link_it(p);
	p->creds.confirmed = true;
	p->creds.logins = 5;
	p->creds.routing_len = 0;
	snprintf(p->creds.lid, sizeof(p->creds.lid), "77:3@lid");
	snprintf(p->creds.push_name, sizeof(p->creds.push_name), "Bea");
	assert_int_equal(wk_store_update(p->st, &p->creds), 0);
	reopen(p);
	assert_int_equal(wk_store_load(p->st, &back), 0);
	assert_same(&p->creds, &back);
	wk_creds_clear(&back);
}

static void test_another_link_replaces_keys_and_pre_keys(void **state)
{
	struct place *p = *state;
	struct wk_prekey a[2], b[2];
	struct wk_creds back;

	link_it(p);
	assert_int_equal(wk_store_prekeys(p->st, 2, a), 0);
	wk_creds_clear(&p->creds);
	fill(&p->creds);
	assert_int_equal(wk_store_link(p->st, &p->creds), 0);
	assert_int_equal(wk_store_load(p->st, &back), 0);
	assert_same(&p->creds, &back);
	assert_int_equal(wk_store_prekeys(p->st, 2, b), 0);
	assert_memory_not_equal(a[0].pub, b[0].pub, WA_KEY_LEN);
	wk_creds_clear(&back);
}

static void test_no_private_key_is_on_disk_in_the_clear(void **state)
{
	struct place *p = *state;
	char wal[128];

	link_it(p);
	snprintf(wal, sizeof(wal), "%s-wal", p->path);
	assert_true(file_holds(wal, p->creds.jid, strlen(p->creds.jid))); /* the look works */
	assert_false(file_holds(wal, p->creds.device.noise.priv, WA_KEY_LEN));
	assert_false(file_holds(wal, p->creds.device.identity.priv, WA_KEY_LEN));
	assert_false(file_holds(wal, p->creds.device.signed_prekey.priv, WA_KEY_LEN));
	wk_store_close(p->st);
	p->st = NULL;
	assert_true(file_holds(p->path, p->creds.jid, strlen(p->creds.jid)));
	assert_false(file_holds(p->path, p->creds.device.noise.priv, WA_KEY_LEN));
	assert_false(file_holds(p->path, p->creds.device.identity.priv, WA_KEY_LEN));
}

/* ---- what must not be opened --------------------------------------------------------------- */

static void test_another_key_or_instance_is_a_corrupt_store(void **state)
{
	static const uint8_t other[SEALED_KEY_LEN] = { 8 };
	struct place *p = *state;
	struct sealed_key key;

	link_it(p);
	wk_store_close(p->st);
	assert_int_equal(sealed_derive(other, ID, 1, &key), 0);
	assert_int_equal(wk_store_open(p->dir, ID, &key, true, &p->st), 0);
	wk_creds_clear(&p->creds);
	assert_int_equal(wk_store_load(p->st, &p->creds), WA_ESTORE_CORRUPT);
	wk_store_close(p->st);
	assert_int_equal(wk_store_open(p->dir, "zzzzzzzzzzzzzzzz", &p->key, true, &p->st), 0);
	assert_int_equal(wk_store_load(p->st, &p->creds), WA_ESTORE_CORRUPT);
}

static void test_a_damaged_file_is_reported_and_left_alone(void **state)
{
	struct place *p = *state;
	struct stat before, after;
	int fd;

	link_it(p);
	wk_store_close(p->st);
	p->st = NULL;
	fd = open(p->path, O_WRONLY);
	assert_int_equal(pwrite(fd, "not a database at all", 21, 0), 21);
	close(fd);
	assert_int_equal(stat(p->path, &before), 0);
	assert_int_equal(wk_store_open(p->dir, ID, &p->key, true, &p->st), WA_ESTORE_CORRUPT);
	assert_int_equal(stat(p->path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void test_a_swapped_key_is_noticed(void **state)
{
	struct place *p = *state;
	sqlite3 *db;

	link_it(p);
	wk_store_close(p->st);
	p->st = NULL;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "UPDATE link SET noise_key = identity_key", NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	reopen(p);
	wk_creds_clear(&p->creds);
	assert_int_equal(wk_store_load(p->st, &p->creds), WA_ESTORE_CORRUPT);
}

static void test_a_newer_schema_is_refused(void **state)
{
	struct place *p = *state;
	sqlite3 *db;

	link_it(p);
	wk_store_close(p->st);
	p->st = NULL;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(wk_store_open(p->dir, ID, &p->key, true, &p->st), WA_ESTATE);
}

static void test_a_second_process_is_refused(void **state)
{
	struct place *p = *state;
	int status;
	pid_t pid;

	link_it(p);
	pid = fork();
	if (pid == 0) {
		struct wk_store *st;

		_exit(wk_store_open(p->dir, ID, &p->key, true, &st) == WA_EALREADY_RUNNING ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- killed, full -------------------------------------------------------------------------- */

static void test_what_was_told_done_survives_a_kill(void **state)
{
	struct place *p = *state;
	struct wk_creds back;
	int status;
	pid_t pid;

	fill(&p->creds);
	pid = fork();
	if (pid == 0) {
		struct wk_store *st;
		struct wk_prekey keys[3];

		if (wk_store_open(p->dir, ID, &p->key, true, &st) == 0 &&
		    wk_store_link(st, &p->creds) == 0 && wk_store_prekeys(st, 3, keys) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	reopen(p);
	assert_int_equal(wk_store_load(p->st, &back), 0);
	assert_same(&p->creds, &back);
	wk_creds_clear(&back);
}

static void test_a_full_disk_changes_nothing(void **state)
{
	const struct rlimit small = { 64 * 1024, RLIM_INFINITY };
	struct place *p = *state;
	struct wk_prekey *keys = calloc(2000, sizeof(*keys));
	struct rlimit before;
	struct wk_creds back;

	link_it(p);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(wk_store_prekeys(p->st, 2000, keys), WA_ESTORAGE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(wk_store_load(p->st, &back), 0); /* it heals when there is room again */
	assert_same(&p->creds, &back);
	wk_creds_clear(&back);
	assert_int_equal(wk_store_prekeys(p->st, 2, keys), 0);
	assert_int_equal(keys[0].id, 1);
	free(keys);
}

/* ---- a disk that fails at any operation ----------------------------------------------------- */

/* What a run of changes was told, and so what has to be on disk. */
struct told {
	bool name, made, uploaded, linked;
	unsigned failed_n;
};

static bool told_done(struct told *t, int rc)
{
	if (rc < 0) {
		assert_true(rc == WA_ESTORAGE || rc == WA_ESTORE_CORRUPT || rc == -ENOMEM);
		t->failed_n++;
	}
	return rc == 0;
}

static void every_change(struct place *p, struct told *t, struct wk_prekey made[5])
{
	struct wk_creds c;

	fill(&c);
	c.device = p->creds.device;
	snprintf(c.push_name, sizeof(c.push_name), "Bea");
	t->name = told_done(t, wk_store_update(p->st, &c));
	t->made = told_done(t, wk_store_prekeys(p->st, 5, made));
	if (t->made)
		t->uploaded = told_done(t, wk_store_prekeys_uploaded(p->st, made, 5));
	snprintf(c.jid, sizeof(c.jid), "5511888888888:4@s.whatsapp.net");
	t->linked = told_done(t, wk_store_link(p->st, &c));
	wk_creds_clear(&c);
}

static void assert_as_told(struct place *p, const struct told *t, const struct wk_prekey made[5])
{
	struct wk_prekey keys[5];
	struct wk_creds back;

	reopen(p);
	assert_int_equal(wk_store_load(p->st, &back), 0);
	assert_memory_equal(&back.device.noise, &p->creds.device.noise, sizeof(back.device.noise));
	assert_string_equal(back.jid, t->linked ? "5511888888888:4@s.whatsapp.net" : p->creds.jid);
	assert_string_equal(back.push_name, t->name || t->linked ? "Bea" : "Ana");
	assert_int_equal(wk_store_generation(p->st),
	                 1 + t->name + t->made + t->uploaded + t->linked);
	assert_int_equal(wk_store_prekeys(p->st, 5, keys), 0);
	if (t->made && !t->uploaded && !t->linked)
		assert_memory_equal(keys, made, sizeof(keys)); /* those of the lost upload */
	else if (t->made)
		assert_memory_not_equal(keys[0].pub, made[0].pub, WA_KEY_LEN);
	wk_creds_clear(&back);
}

/* Operation by operation, until one run meets no fault. */
static void sweep(struct place *p, int rc, bool stays)
{
	unsigned nth = 0, failed = 0;

	faulty_vfs_install();
	do {
		struct wk_prekey made[5] = { 0 };
		struct told t = { 0 };

		wk_store_close(p->st);
		p->st = NULL;
		(void)unlink(p->path);
		wk_creds_clear(&p->creds);
		link_it(p);
		nth += nth == 0 ? 1 : test_step();
		faulty_vfs_fail(nth, rc, stays);
		every_change(p, &t, made);
		assert_true(nth < 1000);
		failed += t.failed_n;
		if (!faulty_vfs_has_failed())
			nth = 0;
		faulty_vfs_fail(0, 0, false);
		assert_as_told(p, &t, made);
	} while (nth > 0);
	assert_true(failed > 5 / test_step());
	faulty_vfs_remove();
}

static void test_no_failing_write_is_told_done(void **state)
{
	sweep(*state, SQLITE_FULL, false);
	sweep(*state, SQLITE_IOERR_WRITE, false);
}

static void test_no_write_is_told_done_on_a_disk_that_stays_so(void **state)
{
	sweep(*state, SQLITE_FULL, true);
	sweep(*state, SQLITE_IOERR_FSYNC, true);
}

static int no_end(void *arg, int action, const char *what, const char *b, const char *c,
                  const char *d)
{
	(void)arg;
	(void)b;
	(void)c;
	(void)d;
	return action == SQLITE_TRANSACTION && strcmp(what, "BEGIN") != 0 ? SQLITE_DENY : SQLITE_OK;
}

/* Neither COMMIT nor ROLLBACK could be run, for want of memory for one: the next change is made all
 * the same. */
static void test_a_transaction_that_could_not_be_ended_is_in_nobodys_way(void **state)
{
	struct place *p = *state;

	link_it(p);
	assert_int_equal(sqlite3_set_authorizer(p->st->db, no_end, NULL), SQLITE_OK);
	assert_int_equal(wk_store_update(p->st, &p->creds), WA_ESTORAGE);
	assert_int_equal(sqlite3_get_autocommit(p->st->db), 0);
	assert_int_equal(sqlite3_set_authorizer(p->st->db, NULL, NULL), SQLITE_OK);
	assert_int_equal(wk_store_update(p->st, &p->creds), 0);
	assert_int_equal(sqlite3_get_autocommit(p->st->db), 1);
}

/* ---- which state it is in ------------------------------------------------------------------- */

static void test_every_commit_is_a_generation(void **state)
{
	struct place *p = *state;
	struct wk_prekey keys[2];
	struct wk_creds back;

	link_it(p);
	assert_int_equal(wk_store_generation(p->st), 1);
	assert_int_equal(wk_store_update(p->st, &p->creds), 0);
	assert_int_equal(wk_store_prekeys(p->st, 2, keys), 0);
	assert_int_equal(wk_store_prekeys_uploaded(p->st, keys, 2), 0);
	assert_int_equal(wk_store_generation(p->st), 4);
	reopen(p);
	assert_int_equal(wk_store_generation(p->st), 0);
	assert_int_equal(wk_store_load(p->st, &back), 0);
	assert_int_equal(wk_store_generation(p->st), 4);
	wk_creds_clear(&back);
	assert_int_equal(wk_store_link(p->st, &p->creds), 0);
	assert_int_equal(wk_store_generation(p->st), 5);
}

static void test_a_new_link_is_newer_than_the_one_before(void **state)
{
	struct place *p = *state;
	struct wk_creds back;

	fill(&p->creds);
	reopen(p);
	wk_store_follow(p->st, 700);
	wk_store_follow(p->st, 3);
	assert_int_equal(wk_store_link(p->st, &p->creds), 0);
	reopen(p);
	assert_int_equal(wk_store_load(p->st, &back), 0);
	assert_int_equal(wk_store_generation(p->st), 701);
	wk_creds_clear(&back);
}

/* ---- pre-keys ------------------------------------------------------------------------------ */

static void test_pre_keys_come_in_order_and_again_until_uploaded(void **state)
{
	struct place *p = *state;
	struct wk_prekey a[5], b[7];
	uint8_t pub[WA_KEY_LEN];

	link_it(p);
	assert_int_equal(wk_store_prekeys(p->st, 5, a), 0);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(a[i].id, i + 1);
	assert_int_equal(wk_store_prekeys(p->st, 7, b), 0); /* the upload was lost: the same */
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(b[6].id, 7);
	assert_int_equal(wk_store_prekeys_uploaded(p->st, b, 7), 0);
	assert_int_equal(wk_store_prekeys(p->st, 1, a), 0);
	assert_int_equal(a[0].id, 8);
	assert_int_equal(wk_store_prekey_pub(p->st, 3, pub), 0);
	assert_memory_equal(pub, b[2].pub, WA_KEY_LEN);
	assert_int_equal(wk_store_prekey_pub(p->st, 99, pub), -ENOENT);
}

static void test_ids_wrap_around_those_in_use(void **state)
{
	struct place *p = *state;
	struct wk_prekey a[2], b[3];
	char sql[96];
	sqlite3 *db;

	link_it(p);
	assert_int_equal(wk_store_prekeys(p->st, 2, a), 0);
	assert_int_equal(wk_store_prekeys_uploaded(p->st, a, 2), 0);
	wk_store_close(p->st);
	p->st = NULL;
	snprintf(sql, sizeof(sql), "UPDATE link SET next_prekey_id = %u", WA_PREKEY_ID_MAX);
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	reopen(p);
	assert_int_equal(wk_store_prekeys(p->st, 3, b), 0);
	assert_int_equal(b[0].id, WA_PREKEY_ID_MAX);
	assert_int_equal(b[1].id, 3);
	assert_int_equal(b[2].id, 4);
}

/* ---- the end of a link --------------------------------------------------------------------- */

static void test_a_link_that_is_over_is_kept_aside(void **state)
{
	struct place *p = *state;
	int rc;

	link_it(p);
	rc = wk_store_set_aside(p->st, "logged_out");
	p->st = NULL;
	assert_int_equal(rc, 0);
	assert_int_equal(access(p->path, F_OK), -1);
	assert_int_equal(count_files(p, "session.db.logged_out-"), 1);
	wk_creds_clear(&p->creds);
	reopen(p); /* what is set aside is not read again */
	assert_int_equal(wk_store_load(p->st, &p->creds), -ENOENT);
	assert_int_equal(count_files(p, "session.db.logged_out-"), 1);
}

static void test_what_was_set_aside_is_kept_for_seven_days(void **state)
{
	static const int64_t ages_s[] = { 6 * 86400, 8 * 86400, 400 * 86400 };
	struct place *p = *state;
	char path[160];

	for (size_t i = 0; i < ARRAY_LEN(ages_s); i++) {
		snprintf(path, sizeof(path), "%s.banned-%lld", p->path,
		         (long long)(clock_unix_s() - ages_s[i]));
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	snprintf(path, sizeof(path), "%s.banned-%lld-wal", p->path,
	         (long long)(clock_unix_s() - ages_s[1]));
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s.notes", p->path); /* not ours */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	reopen(p);
	assert_int_equal(count_files(p, ".banned-"), 1);
	assert_int_equal(count_files(p, ".notes"), 1);
}

static void test_erasing_leaves_no_file(void **state)
{
	struct place *p = *state;
	int rc;

	link_it(p);
	rc = wk_store_erase(p->st);
	p->st = NULL;
	assert_int_equal(rc, 0);
	assert_int_equal(count_files(p, "session"), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_missing_file_is_not_made_unless_asked_for),
		TEST(test_a_new_store_has_no_link_and_is_private),
		TEST(test_a_link_is_read_back_as_it_was),
		TEST(test_what_changes_is_read_back_and_keys_stay),
		TEST(test_another_link_replaces_keys_and_pre_keys),
		TEST(test_no_private_key_is_on_disk_in_the_clear),
		TEST(test_another_key_or_instance_is_a_corrupt_store),
		TEST(test_a_damaged_file_is_reported_and_left_alone),
		TEST(test_a_swapped_key_is_noticed),
		TEST(test_a_newer_schema_is_refused),
		TEST(test_a_second_process_is_refused),
		TEST(test_what_was_told_done_survives_a_kill),
		TEST(test_a_full_disk_changes_nothing),
		TEST(test_no_failing_write_is_told_done),
		TEST(test_a_transaction_that_could_not_be_ended_is_in_nobodys_way),
		TEST(test_no_write_is_told_done_on_a_disk_that_stays_so),
		TEST(test_every_commit_is_a_generation),
		TEST(test_a_new_link_is_newer_than_the_one_before),
		TEST(test_pre_keys_come_in_order_and_again_until_uploaded),
		TEST(test_ids_wrap_around_those_in_use),
		TEST(test_a_link_that_is_over_is_kept_aside),
		TEST(test_what_was_set_aside_is_kept_for_seven_days),
		TEST(test_erasing_leaves_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
