/* worker/store/wk_store_signal.c - Signal records in session.db */
#include "worker/store/wk_store_signal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_priv.h"

#define HOT_N 16                  /* records in memory */
#define HOT_KEPT_LEN (32u * 1024) /* larger ones are not kept once they are written */

/* A record and what it belongs to. */
struct hot {
	char *chat; /* owned; of a sender key, NULL: a session */
	struct wa_signal_addr addr;
	int64_t row; /* its id in the table; 0: not known */
	struct buf record;
	uint64_t used; /* 0: free */
	bool dirty;
};

struct wk_store_hot {
	struct hot e[HOT_N];
	uint64_t used;
};

/* ---- rows --------------------------------------------------------------------------------------
 */

static int bind_addr(sqlite3_stmt *s, int at, const struct wa_signal_addr *addr)
{
	int rc = db_err(sqlite3_bind_text(s, at, addr->name, -1, SQLITE_STATIC));

	return rc < 0 ? rc : db_err(sqlite3_bind_int64(s, at + 1, addr->device));
}

static int bind_key(sqlite3_stmt *s, const char *chat, const struct wa_signal_addr *addr)
{
	int rc = bind_addr(s, 1, addr);

	if (rc == 0 && chat != NULL)
		rc = db_err(sqlite3_bind_text(s, 3, chat, -1, SQLITE_STATIC));
	return rc;
}

static struct sealed_place place_of(const struct wk_store *st, const char *chat, int64_t row)
{
	return (struct sealed_place){ .owner = st->instance_id,
		                      .table = chat == NULL ? "signal_session" : "sender_key",
		                      .column = "record",
		                      .row = row };
}

static int read_record(struct wk_store *st, const char *chat, const struct wa_signal_addr *addr,
                       struct buf *out, int64_t *row_out)
{
	struct sealed_place place;
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       chat == NULL ? "SELECT id, record FROM signal_session"
	                                      " WHERE name = ?1 AND device = ?2"
	                                    : "SELECT id, record FROM sender_key"
	                                      " WHERE name = ?1 AND device = ?2 AND chat = ?3",
	                       &s);

	if (rc == 0)
		rc = bind_key(s, chat, addr);
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		*row_out = sqlite3_column_int64(s, 0);
		place = place_of(st, chat, *row_out);
		rc = wk_store_read_sealed(st, s, 1, &place, out);
	}
	wk_store_done(st, s);
	return rc;
}

/* The row's id; it is made where there is none. */
static int row_id(struct wk_store *st, const char *chat, const struct wa_signal_addr *addr,
                  int64_t *id_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(
	    st,
	    chat == NULL
	        ? "INSERT INTO signal_session(name, device, record) VALUES (?1, ?2, x'')"
	          " ON CONFLICT (name, device) DO UPDATE SET name = name RETURNING id"
	        : "INSERT INTO sender_key(name, device, chat, record) VALUES (?1, ?2, ?3, x'')"
	          " ON CONFLICT (chat, name, device) DO UPDATE SET name = name RETURNING id",
	    &s);

	if (rc == 0)
		rc = bind_key(s, chat, addr);
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		*id_out = sqlite3_column_int64(s, 0);
	if (rc == 0 && wk_store_row(s) != -ENOENT)
		rc = WA_ESTORAGE;
	wk_store_done(st, s);
	return rc;
}

static int write_record(struct wk_store *st, struct hot *h)
{
	const char *chat = h->chat;
	struct sealed_place place;
	sqlite3_stmt *s;
	int rc = h->row != 0 ? 0 : row_id(st, chat, &h->addr, &h->row);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(st,
	                   chat == NULL ? "UPDATE signal_session SET record = ?2 WHERE id = ?1"
	                                : "UPDATE sender_key SET record = ?2 WHERE id = ?1",
	                   &s);
	place = place_of(st, chat, h->row);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, h->row));
	if (rc == 0)
		rc = wk_store_bind_sealed(st, s, 2, &place, h->record.p, h->record.len);
	return wk_store_run(st, s, rc);
}

/* ---- hot records -------------------------------------------------------------------------------
 */

static void hot_clear(struct hot *h)
{
	free(h->chat);
	buf_wipe(&h->record);
	memset(h, 0, sizeof(*h));
}

static int hot_write(struct wk_store *st, struct hot *h)
{
	int rc = h->dirty ? write_record(st, h) : 0;

	if (rc == 0)
		h->dirty = false;
	return rc;
}

static bool hot_is(const struct hot *h, const char *chat, const struct wa_signal_addr *addr)
{
	if (h->used == 0 || h->addr.device != addr->device || (h->chat == NULL) != (chat == NULL))
		return false;
	return strcmp(h->addr.name, addr->name) == 0 &&
	       (chat == NULL || strcmp(h->chat, chat) == 0);
}

static struct hot *hot_find(struct wk_store *st, const char *chat,
                            const struct wa_signal_addr *addr)
{
	struct wk_store_hot *hot = st->hot;

	for (size_t i = 0; hot != NULL && i < HOT_N; i++) {
		if (hot_is(&hot->e[i], chat, addr)) {
			hot->e[i].used = ++hot->used;
			return &hot->e[i];
		}
	}
	return NULL;
}

/* An empty one in the place of the one used longest ago; that is written first. */
static int hot_new(struct wk_store *st, const char *chat, const struct wa_signal_addr *addr,
                   struct hot **h_out)
{
	struct wk_store_hot *hot = st->hot;
	struct hot *h;
	int rc;

	if (hot == NULL)
		hot = st->hot = calloc(1, sizeof(*hot));
	if (hot == NULL)
		return -ENOMEM;
	h = &hot->e[0];
	for (size_t i = 1; i < HOT_N; i++) {
		if (hot->e[i].used < h->used)
			h = &hot->e[i];
	}
	rc = hot_write(st, h);
	if (rc < 0)
		return rc;
	hot_clear(h);
	if (chat != NULL) {
		h->chat = strdup(chat);
		if (h->chat == NULL)
			return -ENOMEM;
	}
	h->addr = *addr;
	h->used = ++hot->used;
	*h_out = h;
	return 0;
}

int wk_store_signal_write(struct wk_store *st)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && st->hot != NULL && i < HOT_N; i++) {
		struct hot *h = &st->hot->e[i];

		rc = hot_write(st, h);
		if (rc == 0 && h->record.cap > HOT_KEPT_LEN)
			hot_clear(h);
	}
	return rc;
}

static void drop_hot(struct wk_store *st)
{
	for (size_t i = 0; st->hot != NULL && i < HOT_N; i++)
		hot_clear(&st->hot->e[i]);
	free(st->hot);
	st->hot = NULL;
}

int wk_store_signal_settle(struct wk_store *st)
{
	int rc = wk_store_signal_write(st);

	if (rc == 0)
		drop_hot(st);
	return rc;
}

void wk_store_drop(struct wk_store *st)
{
	drop_hot(st);
	wk_store_lid_drop(st);
	wk_store_name_drop(st);
}

static int load(struct wk_store *st, const char *chat, const struct wa_signal_addr *addr,
                struct buf *out)
{
	struct hot *h = hot_find(st, chat, addr);
	struct buf record = { 0 };
	int64_t row = 0;
	int rc;

	if (h != NULL)
		return buf_append(out, h->record.p, h->record.len);
	rc = read_record(st, chat, addr, &record, &row);
	if (rc == 0)
		rc = buf_append(out, record.p, record.len);
	if (rc == 0 && record.cap <= HOT_KEPT_LEN)
		rc = hot_new(st, chat, addr, &h);
	if (rc == 0 && h != NULL) {
		h->record = record; /* handed over */
		h->row = row;
		return 0;
	}
	buf_wipe(&record);
	return rc;
}

static int save(struct wk_store *st, const char *chat, const struct wa_signal_addr *addr,
                const uint8_t *p, size_t n)
{
	struct hot *h = hot_find(st, chat, addr);
	struct buf record = { 0 };
	int rc = 0;

	rc = buf_append(&record, p, n);
	if (rc == 0 && h == NULL)
		rc = hot_new(st, chat, addr, &h);
	if (rc < 0) {
		buf_wipe(&record);
		return rc;
	}
	buf_wipe(&h->record);
	h->record = record;
	h->dirty = true;
	return st->batch.open ? 0 : hot_write(st, h);
}

/* ---- for wa_signal -----------------------------------------------------------------------------
 */

static struct wk_store *store_of(void *arg)
{
	return ((struct wk_store_signal *)arg)->st;
}

static int on_session_load(void *arg, const struct wa_signal_addr *addr, struct buf *out)
{
	return load(store_of(arg), NULL, addr, out);
}

static int on_session_save(void *arg, const struct wa_signal_addr *addr, const uint8_t *p, size_t n)
{
	return save(store_of(arg), NULL, addr, p, n);
}

static int on_sender_load(void *arg, const char *chat, const struct wa_signal_addr *addr,
                          struct buf *out)
{
	return load(store_of(arg), chat, addr, out);
}

static int on_sender_save(void *arg, const char *chat, const struct wa_signal_addr *addr,
                          const uint8_t *p, size_t n)
{
	return save(store_of(arg), chat, addr, p, n);
}

/* The own phone's identity came with the pairing. */
static bool is_own_phone(const struct wk_creds *c, const struct wa_signal_addr *addr)
{
	struct wa_signal_addr own;
	struct wa_jid jid;

	if (addr->device != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		const char *text = i == 0 ? c->lid : c->jid;

		if (wa_jid_parse(text, strlen(text), &jid) == 0 &&
		    wa_signal_addr_from_jid(&jid, &own) == 0 && strcmp(own.name, addr->name) == 0)
			return true;
	}
	return false;
}

static int on_identity_load(void *arg, const struct wa_signal_addr *addr, uint8_t out[WA_KEY_LEN])
{
	struct wk_store_signal *ss = arg;
	sqlite3_stmt *s;
	int rc =
	    wk_store_keep(ss->st, "SELECT key FROM identity WHERE name = ?1 AND device = ?2", &s);

	if (rc == 0)
		rc = bind_addr(s, 1, addr);
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0 && sqlite3_column_bytes(s, 0) != WA_KEY_LEN)
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0)
		memcpy(out, sqlite3_column_blob(s, 0), WA_KEY_LEN);
	wk_store_done(ss->st, s);
	if (rc == -ENOENT && is_own_phone(ss->creds, addr)) {
		memcpy(out, ss->creds->account_key, WA_KEY_LEN);
		rc = 0;
	}
	return rc;
}

static int on_identity_save(void *arg, const struct wa_signal_addr *addr,
                            const uint8_t key[WA_KEY_LEN])
{
	struct wk_store *st = store_of(arg);
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "INSERT INTO identity(name, device, key) VALUES (?1, ?2, ?3)"
	                       " ON CONFLICT DO UPDATE SET key = ?3",
	                       &s);

	if (rc == 0)
		rc = bind_addr(s, 1, addr);
	if (rc == 0)
		rc = db_err(sqlite3_bind_blob(s, 3, key, WA_KEY_LEN, SQLITE_STATIC));
	return wk_store_run(st, s, rc);
}

static int on_prekey_load(void *arg, uint32_t id, struct wa_keypair *out)
{
	struct wk_store *st = store_of(arg);
	const struct sealed_place place = {
		.owner = st->instance_id, .table = "prekey", .column = "priv", .row = id
	};
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT priv FROM prekey WHERE id = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, id));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		rc = wk_store_read_key(st, s, 0, &place, out);
	wk_store_done(st, s);
	return rc;
}

static int on_prekey_remove(void *arg, uint32_t id)
{
	struct wk_store *st = store_of(arg);
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "DELETE FROM prekey WHERE id = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, id));
	return wk_store_run(st, s, rc);
}

/* A former one. */
static int read_signed(struct wk_store *st, uint32_t id, struct wa_keypair *out,
                       uint8_t sig_out[WA_SIG_LEN])
{
	const struct sealed_place place = {
		.owner = st->instance_id, .table = "signed_prekey", .column = "priv", .row = id
	};
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT priv, sig FROM signed_prekey WHERE id = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, id));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0 && sqlite3_column_bytes(s, 1) != WA_SIG_LEN)
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0) {
		memcpy(sig_out, sqlite3_column_blob(s, 1), WA_SIG_LEN);
		rc = wk_store_read_key(st, s, 0, &place, out);
	}
	wk_store_done(st, s);
	return rc;
}

static int on_signed_load(void *arg, uint32_t id, struct wa_keypair *out,
                          uint8_t sig_out[WA_SIG_LEN])
{
	const struct wk_store_signal *ss = arg;
	const struct wa_device *d = &ss->creds->device;

	if (id != d->signed_prekey_id)
		return read_signed(ss->st, id, out, sig_out);
	*out = d->signed_prekey;
	memcpy(sig_out, d->signed_prekey_sig, WA_SIG_LEN);
	return 0;
}

const struct wa_signal_store_ops wk_store_signal_ops = {
	.session_load = on_session_load,
	.session_save = on_session_save,
	.identity_load = on_identity_load,
	.identity_save = on_identity_save,
	.prekey_load = on_prekey_load,
	.prekey_remove = on_prekey_remove,
	.signed_prekey_load = on_signed_load,
	.sender_key_load = on_sender_load,
	.sender_key_save = on_sender_save,
};

/* ---- forgetting --------------------------------------------------------------------------------
 */

static int forget(struct wk_store *st, const char *sql, const struct wa_signal_addr *addr, bool one)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, sql, &s);

	if (rc == 0)
		rc = one ? bind_addr(s, 1, addr)
		         : db_err(sqlite3_bind_text(s, 1, addr->name, -1, SQLITE_STATIC));
	return wk_store_run(st, s, rc);
}

static int forget_name(struct wk_store *st, const char *name)
{
	struct wa_signal_addr addr = { .device = 0 };
	int rc;

	(void)snprintf(addr.name, sizeof(addr.name), "%s", name);
	rc = forget(st, "DELETE FROM signal_session WHERE name = ?1", &addr, false);
	if (rc == 0)
		rc = forget(st, "DELETE FROM identity WHERE name = ?1", &addr, false);
	return rc;
}

int wk_store_signal_forget(struct wk_store *st, const char *pn, const char *lid)
{
	char name[WA_SIGNAL_NAME_MAX + 1];
	int rc = wk_store_signal_settle(st);

	if (rc == 0)
		rc = wk_store_begin(st);
	if (rc < 0)
		return rc;
	(void)snprintf(name, sizeof(name), "%s_1", lid);
	if (pn[0] != '\0')
		rc = forget_name(st, pn);
	if (rc == 0 && lid[0] != '\0')
		rc = forget_name(st, name);
	return wk_store_end(st, rc);
}

int wk_store_signal_forget_one(struct wk_store *st, const struct wa_signal_addr *addr,
                               bool identity)
{
	int rc = wk_store_signal_settle(st);

	if (rc == 0)
		rc = wk_store_begin(st);
	if (rc < 0)
		return rc;
	rc = forget(st, "DELETE FROM signal_session WHERE name = ?1 AND device = ?2", addr, true);
	if (rc == 0 && identity)
		rc = forget(st, "DELETE FROM identity WHERE name = ?1 AND device = ?2", addr, true);
	return wk_store_end(st, rc);
}
