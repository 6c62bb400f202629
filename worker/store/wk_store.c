/* worker/store/wk_store.c - session.db: opening, closing, setting aside */
#include "worker/store/wk_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/store/wk_store_heap.h"
#include "worker/store/wk_store_priv.h"

#define DB_NAME "session.db"
#define WAL_NAME DB_NAME "-wal"
#define ASIDE_KEPT_S (7 * 24 * 3600)

/* Forward only: a step that was released is never changed. */
static const char *const schema[] = {
	"CREATE TABLE link ("
	"  id INTEGER PRIMARY KEY CHECK (id = 1),"
	"  jid TEXT NOT NULL,"
	"  lid TEXT NOT NULL,"
	"  noise_key BLOB NOT NULL,"     /* sealed, as all private keys */
	"  identity_key BLOB NOT NULL,"  /* sealed */
	"  signed_prekey BLOB NOT NULL," /* sealed */
	"  signed_prekey_id INTEGER NOT NULL,"
	"  signed_prekey_sig BLOB NOT NULL,"
	"  registration_id INTEGER NOT NULL,"
	"  account BLOB NOT NULL,"
	"  account_key BLOB NOT NULL,"
	"  platform TEXT NOT NULL,"
	"  business_name TEXT NOT NULL,"
	"  push_name TEXT NOT NULL,"
	"  routing BLOB NOT NULL,"
	"  server_static BLOB NOT NULL,"
	"  server_static_until INTEGER NOT NULL,"
	"  logins INTEGER NOT NULL,"
	"  history_days INTEGER NOT NULL,"
	"  confirmed INTEGER NOT NULL,"
	"  linked_unix_s INTEGER NOT NULL,"
	"  not_before_unix_s INTEGER NOT NULL,"
	"  not_before_rc INTEGER NOT NULL,"
	"  replaced_n INTEGER NOT NULL,"
	"  replaced_day_unix_s INTEGER NOT NULL,"
	"  next_prekey_id INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE prekey ("
	"  id INTEGER PRIMARY KEY,"
	"  seq INTEGER NOT NULL," /* order in which they were made: ids wrap */
	"  priv BLOB NOT NULL,"   /* sealed */
	"  pub BLOB NOT NULL,"
	"  uploaded INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX prekey_waiting ON prekey (seq) WHERE uploaded = 0;",
	"ALTER TABLE link ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;", /* of the whole file
	                                                                       */
	wk_store_outbox_schema,
	/* What messages need. Names are Signal names (U, U_1), users of lid are numbers. */
	"CREATE TABLE identity ("
	"  name TEXT NOT NULL,"
	"  device INTEGER NOT NULL,"
	"  key BLOB NOT NULL," /* public */
	"  PRIMARY KEY (name, device)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE signal_session ("
	"  id INTEGER PRIMARY KEY,"
	"  name TEXT NOT NULL,"
	"  device INTEGER NOT NULL,"
	"  record BLOB NOT NULL," /* sealed */
	"  UNIQUE (name, device)"
	") STRICT;"
	"CREATE TABLE sender_key ("
	"  id INTEGER PRIMARY KEY,"
	"  chat TEXT NOT NULL,"
	"  name TEXT NOT NULL,"
	"  device INTEGER NOT NULL,"
	"  record BLOB NOT NULL," /* sealed */
	"  UNIQUE (chat, name, device)"
	") STRICT;"
	"CREATE INDEX sender_key_name ON sender_key (name);"
	"CREATE TABLE signed_prekey (" /* former ones: peers may still use them */
	"  id INTEGER PRIMARY KEY,"
	"  priv BLOB NOT NULL," /* sealed */
	"  sig BLOB NOT NULL,"
	"  until_unix_s INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE lid ("
	"  lid INTEGER PRIMARY KEY,"
	"  pn INTEGER NOT NULL UNIQUE"
	") STRICT;"
	"CREATE TABLE chat ("
	"  id INTEGER PRIMARY KEY,"
	"  jid TEXT NOT NULL UNIQUE," /* the LID where it is known */
	"  merged_into INTEGER"       /* its messages are there now: one person, two JIDs */
	") STRICT;"
	"CREATE INDEX chat_merged ON chat (merged_into) WHERE merged_into IS NOT NULL;"
	"CREATE TABLE message ("
	"  seq INTEGER PRIMARY KEY,"
	"  key INTEGER NOT NULL UNIQUE," /* of id, chat and sender: see wk_store_msg.c */
	"  chat INTEGER NOT NULL,"
	"  unix_s INTEGER NOT NULL,"
	"  flags INTEGER NOT NULL,"
	"  body BLOB NOT NULL" /* sealed */
	") STRICT;"
	"CREATE INDEX message_time ON message (chat, unix_s);"
	"CREATE TABLE retry_ask (" /* messages that could not be opened */
	"  key INTEGER PRIMARY KEY,"
	"  asked INTEGER NOT NULL,"
	"  since_unix_s INTEGER NOT NULL,"
	"  told INTEGER NOT NULL," /* the placeholder is out */
	"  body BLOB NOT NULL"     /* sealed */
	") STRICT;"
	"CREATE TABLE peer_sent (" /* to our own phone, for when it asks again */
	"  id INTEGER PRIMARY KEY,"
	"  key INTEGER NOT NULL UNIQUE,"
	"  unix_s INTEGER NOT NULL,"
	"  body BLOB NOT NULL" /* sealed */
	") STRICT;",
	wk_store_name_schema,
	wk_store_appstate_schema,
	wk_store_aside_schema,
	wk_store_history_schema,
	wk_store_once_schema,
	/*
	 * Keys are found by chat, so that what is stored for one chat lies together: with one index
	 * over all keys each message of a history touched a page of its own.
	 */
	"CREATE TABLE message_by_chat ("
	"  seq INTEGER PRIMARY KEY,"
	"  key INTEGER NOT NULL," /* of id, chat and sender: see wk_store_msg.c */
	"  chat INTEGER NOT NULL,"
	"  unix_s INTEGER NOT NULL,"
	"  flags INTEGER NOT NULL,"
	"  body BLOB NOT NULL" /* sealed */
	") STRICT;"
	"INSERT INTO message_by_chat SELECT seq, key, chat, unix_s, flags, body FROM message"
	" ORDER BY seq;"
	"DROP TABLE message;"
	"ALTER TABLE message_by_chat RENAME TO message;"
	"CREATE UNIQUE INDEX message_key ON message (chat, key);"
	"CREATE INDEX message_time ON message (chat, unix_s);",
	wk_store_age_schema,
	wk_store_sent_schema,
	"ALTER TABLE link ADD COLUMN signed_prekey_unix_s INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE link ADD COLUMN signed_prekey_waits INTEGER NOT NULL DEFAULT 0;",
	/* What waits for a session with the phone; NULL: it has left. */
	"ALTER TABLE peer_sent ADD COLUMN waits TEXT;"
	"CREATE INDEX peer_sent_waits ON peer_sent (id) WHERE waits IS NOT NULL;",
	wk_store_history_told_schema,
	wk_store_appstate_ask_schema,
	wk_store_ask_schema,
	wk_store_history_by_lid_schema,
};

/* ---- files --------------------------------------------------------------------------------- */

static bool make_path(char *out, const char *dir, const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX;
}

/* "session.db.WORD-UNIX" and the same with "-wal"; the instant, or -1. */
static int64_t aside_unix_s(const char *name)
{
	static const char prefix[] = DB_NAME ".";
	const char *dash;
	char *end;
	long long v;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return -1;
	dash = strchr(name + sizeof(prefix) - 1, '-');
	if (dash == NULL || dash[1] < '0' || dash[1] > '9')
		return -1;
	v = strtoll(dash + 1, &end, 10);
	return *end == '\0' || strcmp(end, "-wal") == 0 ? v : -1;
}

/* What was set aside too long ago goes; what can't be removed is tried again next time. */
static void purge(const char *dir)
{
	int64_t now = clock_unix_s();
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		int64_t at = aside_unix_s(e->d_name);

		if (at >= 0 && now - at > ASIDE_KEPT_S)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	(void)closedir(d);
}

/* Make renames and removals last. */
static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? WA_ESTORAGE : 0;

	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static void store_free(struct wk_store *st)
{
	wk_store_outbox_trim(st);
	wk_store_drop(st);
	wk_store_forget(st);
	sealed_run_free(st->sealing);
	db_close(st->db);
	free(st->dir);
	secret_free(st);
}

/* Where each allocation is failed or looked after by a tool, SQLite's are malloc()'s. */
static int own_heap(void)
{
#if defined(WARDEN_SANITIZERS) || defined(WARDEN_TEST_HOOKS)
	return SQLITE_OK;
#else
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &wk_store_heap_methods);
#endif
}

int wk_store_init(void)
{
	int rc = sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);

	if (rc == SQLITE_OK)
		rc = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (rc == SQLITE_OK)
		rc = own_heap();
	if (rc == SQLITE_OK)
		rc = sqlite3_initialize();
	return rc == SQLITE_OK ? 0 : WA_ESTORAGE;
}

int wk_store_open(const char *dir, const char *instance_id, const struct sealed_key *key,
                  bool create, struct wk_store **store_out)
{
	char path[PATH_MAX];
	struct wk_store *st;
	int rc;

	if (!make_path(path, dir, DB_NAME) || strlen(instance_id) > WK_INSTANCE_ID_MAX)
		return WA_ESTORAGE;
	purge(dir);
	if (!create && access(path, F_OK) < 0 && errno == ENOENT)
		return -ENOENT;
	st = secret_alloc(sizeof(*st));
	if (st == NULL)
		return -ENOMEM;
	memcpy(st->instance_id, instance_id, strlen(instance_id) + 1);
	st->key = *key;
	st->dir = strdup(dir);
	rc = st->dir == NULL ? -ENOMEM : db_open(path, &st->db);
	if (rc == 0)
		rc = db_migrate(st->db, schema, ARRAY_LEN(schema));
	if (rc == 0)
		rc = wk_store_hash_init(st);
	if (rc < 0) {
		store_free(st);
		return rc;
	}
	*store_out = st;
	return 0;
}

void wk_store_close(struct wk_store *st)
{
	if (st != NULL)
		store_free(st);
}

uint64_t wk_store_generation(const struct wk_store *st)
{
	return st->generation;
}

void wk_store_follow(struct wk_store *st, uint64_t generation)
{
	if (st->generation < generation)
		st->generation = generation;
}

void wk_store_trim(struct wk_store *st)
{
	if (st == NULL)
		return;
	if (!st->batch.open)
		wk_store_drop(st);
	wk_store_outbox_trim(st);
	wk_store_forget(st);
	if (st->batch.wide)
		(void)sqlite3_exec(st->db, "PRAGMA cache_size=-256", NULL, NULL, NULL);
	st->batch.wide = false;
	db_rest(st->db);
	wk_store_heap_trim();
}

/* What a clean close leaves of the log is nothing; after a failed one it goes along. */
static int move_aside(const char *dir, const char *word)
{
	char from[PATH_MAX], to[PATH_MAX], name[NAME_MAX];
	long long now = (long long)clock_unix_s();
	int rc = 0;

	(void)snprintf(name, sizeof(name), DB_NAME ".%s-%lld-wal", word, now);
	if (make_path(from, dir, WAL_NAME) && make_path(to, dir, name))
		(void)rename(from, to);
	(void)snprintf(name, sizeof(name), DB_NAME ".%s-%lld", word, now);
	if (!make_path(from, dir, DB_NAME) || !make_path(to, dir, name) || rename(from, to) < 0)
		rc = WA_ESTORAGE;
	return rc < 0 ? rc : sync_dir(dir);
}

int wk_store_set_aside(struct wk_store *st, const char *word)
{
	char *dir = st->dir;
	int rc;

	st->dir = NULL;
	store_free(st);
	rc = move_aside(dir, word);
	free(dir);
	return rc;
}

int wk_store_erase(struct wk_store *st)
{
	char path[PATH_MAX];
	char *dir = st->dir;
	int rc = 0;

	st->dir = NULL;
	store_free(st);
	if (make_path(path, dir, DB_NAME) && unlink(path) < 0 && errno != ENOENT)
		rc = WA_ESTORAGE;
	if (make_path(path, dir, WAL_NAME) && unlink(path) < 0 && errno != ENOENT)
		rc = WA_ESTORAGE;
	if (rc == 0)
		rc = sync_dir(dir);
	free(dir);
	return rc;
}
