/*
 * gateway/registry/gw_store_db.h - the tables of registry.db and the directories of the instances
 *
 * Used by gw_store.c only: at start from the loop's thread, then from the writer thread alone.
 */
#ifndef GW_STORE_DB_H
#define GW_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>

#include "common/attr.h"
#include "gateway/registry/gw_store.h"
#include "gateway/supervision/gw_uids.h"

enum gw_sql {
	GW_SQL_BEGIN,
	GW_SQL_COMMIT,
	GW_SQL_ROLLBACK,
	GW_SQL_ACCOUNT_PUT,
	GW_SQL_ACCOUNT_TOKEN,
	GW_SQL_ACCOUNT_QUOTA,
	GW_SQL_ACCOUNT_DEL,
	GW_SQL_INSTANCE_ADD,
	GW_SQL_INSTANCE_TOKEN,
	GW_SQL_INSTANCE_SETTINGS,
	GW_SQL_INSTANCE_PROXY,
	GW_SQL_INSTANCE_HOOKS,
	GW_SQL_INSTANCE_LINK,
	GW_SQL_INSTANCE_DEL,
	GW_SQL_INVITE_PUT,
	GW_SQL_ERASED,
	GW_SQL_META_GET,
	GW_SQL_META_PUT,
	GW_SQL_N
};

struct gw_store_db {
	sqlite3 *db;
	sqlite3_stmt *stmt[GW_SQL_N];
	int instances_fd; /* data_dir/instances */
	struct gw_uids uids;
};

void gw_store_db_init(struct gw_store_db *d);
/* As gw_store_open(). On failure d still wants its clear. */
ATTR_NODISCARD int gw_store_db_open(struct gw_store_db *d, const char *data_dir);
void gw_store_db_clear(struct gw_store_db *d);

/* Every row, in order of creation; makes instance directories that are missing. */
ATTR_NODISCARD int gw_store_db_load(struct gw_store_db *d, const struct gw_store_loader *loader,
                                    void *arg);

/* One transaction at a time; a commit that fails has taken everything back. */
ATTR_NODISCARD int gw_store_db_begin(struct gw_store_db *d);
ATTR_NODISCARD int gw_store_db_commit(struct gw_store_db *d);
/* False after SQLite has rolled back the transaction by itself. */
bool gw_store_db_in_transaction(const struct gw_store_db *d);

/* Within a transaction. 0, WA_ESTORAGE, WA_ESTORE_CORRUPT, -ENOMEM. */
ATTR_NODISCARD int gw_store_db_account_put(struct gw_store_db *d, const struct gw_account_row *r);
ATTR_NODISCARD int gw_store_db_account_token(struct gw_store_db *d, const struct gw_account_row *r);
ATTR_NODISCARD int gw_store_db_account_quota(struct gw_store_db *d, const struct gw_account_row *r);
ATTR_NODISCARD int gw_store_db_account_del(struct gw_store_db *d, const char *name);
ATTR_NODISCARD int gw_store_db_instance_add(struct gw_store_db *d, const struct gw_instance_row *r);
ATTR_NODISCARD int gw_store_db_instance_token(struct gw_store_db *d,
                                              const struct gw_instance_row *r);
ATTR_NODISCARD int gw_store_db_instance_settings(struct gw_store_db *d,
                                                 const struct gw_instance_row *r);
ATTR_NODISCARD int gw_store_db_instance_proxy(struct gw_store_db *d,
                                              const struct gw_instance_row *r);
ATTR_NODISCARD int gw_store_db_instance_hooks(struct gw_store_db *d,
                                              const struct gw_instance_row *r);
ATTR_NODISCARD int gw_store_db_instance_link(struct gw_store_db *d,
                                             const struct gw_instance_row *r);
ATTR_NODISCARD int gw_store_db_invite_put(struct gw_store_db *d, const struct gw_invite_row *r);
ATTR_NODISCARD int gw_store_db_instance_del(struct gw_store_db *d, const char *id);
/*
 * After the commit: the directory with all in it. 0 or -errno, with what could be removed gone;
 * then it is tried again at the next start.
 */
ATTR_NODISCARD int gw_store_db_instance_erase(struct gw_store_db *d, const char *id);
/* Once all rows are loaded: directories that a gateway which died did not come to remove. */
void gw_store_db_tidy(struct gw_store_db *d);
/* The row did not make it: the new directory goes, too. */
void gw_store_db_instance_undo(struct gw_store_db *d, const char *id);

/* As gw_store_meta_get() and gw_store_meta_put(); not within a transaction. */
ATTR_NODISCARD int gw_store_db_meta_get(struct gw_store_db *d, const char *name, uint8_t *out,
                                        size_t out_cap, size_t *len_out);
ATTR_NODISCARD int gw_store_db_meta_put(struct gw_store_db *d, const char *name, const void *data,
                                        size_t data_len);

#endif
