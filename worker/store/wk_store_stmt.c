/* worker/store/wk_store_stmt.c - the store's statements, transactions, sealed values and keyed hash
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/crypto/wa_keys.h"

/* ---- statements --------------------------------------------------------------------------------
 */

int wk_store_prepare(struct wk_store *st, const char *sql, sqlite3_stmt **st_out)
{
	*st_out = NULL;
	return db_err(sqlite3_prepare_v2(st->db, sql, -1, st_out, NULL));
}

int wk_store_finish(sqlite3_stmt *stmt, int rc)
{
	if (rc == 0)
		rc = db_err(sqlite3_step(stmt));
	sqlite3_finalize(stmt);
	return rc;
}

/* The place for one more: a free one, else that of the statement used longest ago. */
static struct wk_kept *kept_place(struct wk_store *st)
{
	struct wk_kept *oldest = NULL;

	for (size_t i = 0; i < WK_KEPT_MAX; i++) {
		struct wk_kept *k = &st->kept[i];

		if (k->stmt == NULL)
			return k;
		if (!k->busy && (oldest == NULL || k->used < oldest->used))
			oldest = k;
	}
	return oldest;
}

int wk_store_keep(struct wk_store *st, const char *sql, sqlite3_stmt **st_out)
{
	struct wk_kept *k;
	int rc;

	*st_out = NULL;
	for (size_t i = 0; i < WK_KEPT_MAX; i++) {
		k = &st->kept[i];
		if (k->sql == sql && k->stmt != NULL && !k->busy) {
			k->busy = true;
			k->used = ++st->kept_used;
			*st_out = k->stmt;
			return 0;
		}
	}
	rc = db_err(sqlite3_prepare_v3(st->db, sql, -1, SQLITE_PREPARE_PERSISTENT, st_out, NULL));
	k = rc == 0 ? kept_place(st) : NULL;
	if (k == NULL)
		return rc; /* all in use: this one is not kept */
	sqlite3_finalize(k->stmt);
	*k = (struct wk_kept){ sql, *st_out, ++st->kept_used, true };
	return 0;
}

void wk_store_done(struct wk_store *st, sqlite3_stmt *stmt)
{
	if (stmt == NULL)
		return;
	for (size_t i = 0; i < WK_KEPT_MAX; i++) {
		if (st->kept[i].stmt == stmt) {
			(void)sqlite3_reset(stmt);
			(void)sqlite3_clear_bindings(stmt); /* no borrowed pointer stays */
			st->kept[i].busy = false;
			return;
		}
	}
	sqlite3_finalize(stmt);
}

int wk_store_run(struct wk_store *st, sqlite3_stmt *stmt, int rc)
{
	if (rc == 0)
		rc = db_err(sqlite3_step(stmt));
	wk_store_done(st, stmt);
	return rc;
}

int wk_store_row(sqlite3_stmt *stmt)
{
	int step = sqlite3_step(stmt);

	return step == SQLITE_ROW ? 0 : step == SQLITE_DONE ? -ENOENT : db_err(step);
}

int wk_store_number(struct wk_store *st, const char *sql, int64_t value, int64_t *out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, sql, &s);

	if (rc == 0 && sqlite3_bind_parameter_count(s) > 0)
		rc = db_err(sqlite3_bind_int64(s, 1, value));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		*out = sqlite3_column_int64(s, 0);
	wk_store_done(st, s);
	return rc;
}

void wk_store_forget(struct wk_store *st)
{
	for (size_t i = 0; i < WK_KEPT_MAX; i++) {
		if (st->kept[i].busy)
			continue;
		sqlite3_finalize(st->kept[i].stmt);
		st->kept[i] = (struct wk_kept){ NULL, NULL, 0, false };
	}
}

/* ---- transactions ------------------------------------------------------------------------------
 */

static int next_generation(struct wk_store *st)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "UPDATE link SET generation = ?1 WHERE id = 1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, (int64_t)st->generation + 1));
	return wk_store_run(st, s, rc);
}

static void rollback(struct wk_store *st)
{
	if (!sqlite3_get_autocommit(st->db))
		(void)sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	wk_store_outbox_forget(st);
	wk_store_name_drop(st);
}

static int commit(struct wk_store *st, int rc)
{
	if (rc == 0)
		rc = next_generation(st);
	if (rc == 0)
		rc = db_exec(st->db, "COMMIT");
	if (rc == 0) {
		st->generation++;
		wk_store_outbox_committed(st);
	} else {
		rollback(st);
	}
	return rc;
}

/* What could not even be rolled back must not stand in the way for good. */
static int begin(struct wk_store *st)
{
	if (!sqlite3_get_autocommit(st->db))
		rollback(st);
	return db_exec(st->db, "BEGIN IMMEDIATE");
}

int wk_store_begin(struct wk_store *st)
{
	int rc = 0;

	if (st->batch.open && st->batch.depth > 0)
		return db_exec(st->db, "SAVEPOINT part");
	if (st->batch.open)
		rc = st->batch.flush(st->batch.arg);
	return rc < 0 ? rc : begin(st);
}

int wk_store_end(struct wk_store *st, int rc)
{
	int out;

	if (!st->batch.open)
		return commit(st, rc);
	/* A disk that is full has rolled back everything already: the batch will see it. */
	if (rc < 0 && !sqlite3_get_autocommit(st->db))
		(void)sqlite3_exec(st->db, "ROLLBACK TO part", NULL, NULL, NULL);
	if (rc < 0) {
		wk_store_outbox_forget(st);
		wk_store_name_drop(st);
		wk_store_lid_drop(st);
	}
	out = db_exec(st->db, "RELEASE part");
	return rc < 0 ? rc : out;
}

int wk_store_change(struct wk_store *st, sqlite3_stmt *s, int rc)
{
	bool joined = st->batch.open && st->batch.depth > 0;

	if (rc < 0 || joined || !sqlite3_get_autocommit(st->db))
		return wk_store_run(st, s, rc);
	rc = wk_store_begin(st);
	if (rc < 0) {
		wk_store_done(st, s);
		return rc;
	}
	return wk_store_end(st, wk_store_run(st, s, 0));
}

int wk_store_batch_begin(struct wk_store *st, int (*flush)(void *arg), void *arg)
{
	int rc = 0;

	/* Many stanzas touch many pages; wk_store_trim() gives the memory back. */
	if (!st->batch.wide)
		rc = db_exec(st->db, "PRAGMA cache_size=-1024");
	if (rc == 0)
		rc = begin(st);
	if (rc == 0)
		st->batch = (struct wk_store_batch){
			.open = true, .wide = true, .flush = flush, .arg = arg
		};
	return rc;
}

int wk_store_batch_end(struct wk_store *st, int rc)
{
	if (rc == 0)
		rc = wk_store_signal_write(st);
	st->batch.open = false;
	sealed_run_free(st->sealing);
	st->sealing = NULL;
	rc = commit(st, rc);
	if (rc < 0)
		wk_store_drop(st);
	return rc;
}

/* ---- sealed values -----------------------------------------------------------------------------
 */

/* The run of the open batch; NULL: there is none. */
static int run_of_batch(struct wk_store *st, struct sealed_run **run_out)
{
	int rc = 0;

	if (st->batch.open && st->sealing == NULL)
		rc = sealed_run_new(&st->key, &st->sealing);
	*run_out = st->batch.open ? st->sealing : NULL;
	return rc;
}

int wk_store_seal(struct wk_store *st, const struct sealed_place *place, const void *data,
                  size_t data_len, struct buf *out)
{
	struct sealed_run *run;
	int rc = run_of_batch(st, &run);

	if (rc < 0)
		return rc;
	return run != NULL ? sealed_run_seal(run, place, data, data_len, out)
	                   : sealed_seal(&st->key, place, data, data_len, out);
}

int wk_store_bind_sealed(struct wk_store *st, sqlite3_stmt *stmt, int index,
                         const struct sealed_place *place, const void *data, size_t data_len)
{
	struct buf env = { 0 };
	int rc = wk_store_seal(st, place, data, data_len, &env);

	if (rc < 0)
		return rc;
	/* The envelope goes to SQLite, which frees it. */
	return db_err(sqlite3_bind_blob64(stmt, index, env.p, env.len, free));
}

int wk_store_read_sealed(struct wk_store *st, sqlite3_stmt *stmt, int column,
                         const struct sealed_place *place, struct buf *out)
{
	const void *env = sqlite3_column_blob(stmt, column);
	size_t env_len = (size_t)sqlite3_column_bytes(stmt, column);
	struct sealed_run *run = NULL;
	int rc = env == NULL ? WA_ESTORE_CORRUPT : run_of_batch(st, &run);

	if (rc == 0)
		rc = run != NULL ? sealed_run_open(run, place, env, env_len, out)
		                 : sealed_open(&st->key, place, env, env_len, out);
	/* Changed, moved, or sealed with another key. */
	return rc < 0 && rc != -ENOMEM && rc != WA_ECRYPTO ? WA_ESTORE_CORRUPT : rc;
}

int wk_store_bind_key(struct wk_store *st, sqlite3_stmt *stmt, int index,
                      const struct sealed_place *place, const uint8_t priv[WA_KEY_LEN])
{
	return wk_store_bind_sealed(st, stmt, index, place, priv, WA_KEY_LEN);
}

int wk_store_read_key(struct wk_store *st, sqlite3_stmt *stmt, int column,
                      const struct sealed_place *place, struct wa_keypair *out)
{
	struct buf priv = { 0 };
	int rc = wk_store_read_sealed(st, stmt, column, place, &priv);

	if (rc == 0 && priv.len != WA_KEY_LEN)
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0)
		rc = wa_keypair_from_priv(priv.p, out);
	buf_wipe(&priv);
	return rc;
}

/* ---- keyed hash --------------------------------------------------------------------------------
 *
 * SipHash-2-4: short, and nobody without the key can aim at a value.
 */

int wk_store_hash_init(struct wk_store *st)
{
	static const char info[] = "warden store index";

	return wa_hkdf(st->key.bytes, SEALED_KEY_LEN, NULL, 0, info, sizeof(info) - 1, st->hash_key,
	               sizeof(st->hash_key));
}

static uint64_t rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void sip_rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

uint64_t wk_store_hash(const struct wk_store *st, const void *data, size_t data_len)
{
	uint64_t k0 = st->hash_key[0], k1 = st->hash_key[1];
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
		          k1 ^ 0x7465646279746573 };
	const uint8_t *p = data;
	uint64_t word;

	for (size_t left = data_len; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
	}
	word = (uint64_t)data_len << 56;
	for (size_t i = 0; i < data_len % 8; i++)
		word |= (uint64_t)p[i] << (8 * i);
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
