/*
 * gateway/registry/gw_store.h - the registry on disk: data_dir/registry.db and
 * data_dir/instances/ID
 *
 * One writer thread owns the database, so that a slow disk never stalls the loop. Changes are jobs:
 * they commit in the order they were given, those that wait share one transaction, and each one's
 * callback comes from the event loop after its commit is durable. Owned by struct gw.
 */
#ifndef GW_STORE_H
#define GW_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "gateway/instance/gw_device.h"
#include "gateway/registry/gw_invite.h"
#include "gateway/registry/gw_registry.h"

struct event_base;
struct gw_store;

struct gw_account_row {
	char name[GW_NAME_MAX + 1];
	int64_t quota;
	uint8_t token_hash[GW_TOKEN_HASH_LEN];
	int64_t created_unix_ms;
};

struct gw_instance_row {
	char id[GW_ID_LEN + 1];
	char account[GW_NAME_MAX + 1];
	char name[GW_NAME_MAX + 1];
	uint8_t token_hash[GW_TOKEN_HASH_LEN];
	int64_t created_unix_ms;
	int64_t updated_unix_ms;
	const char *settings; /* JSON object or NULL; borrowed */
	const char *proxy;    /* of gw_proxy_encode(), or NULL; borrowed */
	const char *hooks;    /* of gw_hook_patch_seal(), or NULL; borrowed */
	struct gw_device link;
	bool has_session; /* when loaded: its session.db is there */
};

/* A one-time link that was not used. */
struct gw_invite_row {
	char instance_id[GW_ID_LEN + 1];
	uint8_t hash[GW_TOKEN_HASH_LEN];
	struct gw_invite_terms terms;
	char account[GW_NAME_MAX + 1]; /* of the instance, with its name: when loaded */
	char name[GW_NAME_MAX + 1];
};

/* Rows in order of creation, one-time links last. A negative return ends the load with that code.
 */
struct gw_store_loader {
	int (*on_account)(const struct gw_account_row *row, void *arg);
	int (*on_instance)(const struct gw_instance_row *row, void *arg);
	int (*on_invite)(const struct gw_invite_row *row, void *arg); /* NULL: not wanted */
};

/* rc: 0 when durable, else WA_ESTORAGE, WA_ESTORE_CORRUPT or -ENOMEM and nothing has changed. */
typedef void gw_store_done(int rc, void *arg);

/*
 * Make data_dir (0700) if it is missing and open the registry. Blocking; before the loop.
 * 0; WA_EALREADY_RUNNING when another wardend holds data_dir; WA_ESTATE when it was written by a
 * newer version; WA_ESTORE_CORRUPT, WA_ESTORAGE, -ENOMEM, -errno.
 */
ATTR_NODISCARD int gw_store_open(struct event_base *base, const char *data_dir,
                                 struct gw_store **store_out);
/*
 * Read everything (making instance directories that are missing), then start the writer thread.
 * Once, before the first change.
 */
ATTR_NODISCARD int gw_store_load(struct gw_store *st, const struct gw_store_loader *loader,
                                 void *arg);
/* Wait for every change given so far and call its callback: for the end of the program. */
void gw_store_drain(struct gw_store *st);
/*
 * A small value kept under a name (at most 64 KiB), outside of accounts and instances. Blocking;
 * before gw_store_load(). 1: *len_out bytes are in out; 0: there is none; WA_ELIMIT (out is too
 * small), WA_ESTORAGE, WA_ESTORE_CORRUPT.
 */
ATTR_NODISCARD int gw_store_meta_get(struct gw_store *st, const char *name, uint8_t *out,
                                     size_t out_cap, size_t *len_out);
/* Durable on return. 0, WA_ESTORAGE, ... */
ATTR_NODISCARD int gw_store_meta_put(struct gw_store *st, const char *name, const void *data,
                                     size_t data_len);
/* NULL is fine. Changes still waiting are made; their callbacks are not called. */
void gw_store_free(struct gw_store *st);

/*
 * False while the last write failed. Then a write of its own is tried every second, and when one
 * works again cb is called.
 */
void gw_store_on_healed(struct gw_store *st, void (*cb)(void *arg), void *arg);
bool gw_store_ok(const struct gw_store *st);

/* ---- changes: 0, and done will be called; or -ENOMEM, and it will not ------- */

/* Insert, or replace the row of this name. */
ATTR_NODISCARD int gw_store_account_put(struct gw_store *st, const struct gw_account_row *row,
                                        gw_store_done *done, void *arg);
/*
 * Changes of an account; nothing happens where there is none. Each touches its own column, so that
 * two under way at once can't undo each other.
 */
ATTR_NODISCARD int gw_store_account_token(struct gw_store *st, const char *name,
                                          const uint8_t *token_hash, gw_store_done *done,
                                          void *arg);
ATTR_NODISCARD int gw_store_account_quota(struct gw_store *st, const char *name, int64_t quota,
                                          gw_store_done *done, void *arg);
ATTR_NODISCARD int gw_store_account_del(struct gw_store *st, const char *name, gw_store_done *done,
                                        void *arg);
/* Makes the instance's directory, then the row. */
ATTR_NODISCARD int gw_store_instance_add(struct gw_store *st, const struct gw_instance_row *row,
                                         gw_store_done *done, void *arg);
/* Changes of an instance; nothing happens where there is none. They set updated_unix_ms. */
ATTR_NODISCARD int gw_store_instance_token(struct gw_store *st, const char *id,
                                           const uint8_t *token_hash, int64_t updated_unix_ms,
                                           gw_store_done *done, void *arg);
/* The settings in this JSON object replace those there; the others stay. */
ATTR_NODISCARD int gw_store_instance_settings(struct gw_store *st, const char *id,
                                              const char *settings, int64_t updated_unix_ms,
                                              gw_store_done *done, void *arg);
ATTR_NODISCARD int gw_store_instance_proxy(struct gw_store *st, const char *id, const char *proxy,
                                           int64_t updated_unix_ms, gw_store_done *done, void *arg);
/* A patch of gw_hook_config.h: what is in it replaces what is there; the rest stays. */
ATTR_NODISCARD int gw_store_instance_hooks(struct gw_store *st, const char *id, const char *hooks,
                                           int64_t updated_unix_ms, gw_store_done *done, void *arg);
ATTR_NODISCARD int gw_store_instance_link(struct gw_store *st, const char *id,
                                          const struct gw_device *link, int64_t updated_unix_ms,
                                          gw_store_done *done, void *arg);
/* The one-time link of an instance, in the place of the one before. */
ATTR_NODISCARD int gw_store_invite_put(struct gw_store *st, const struct gw_invite_row *row,
                                       gw_store_done *done, void *arg);
/* Removes the row, then, that being durable, the directory with all in it. */
ATTR_NODISCARD int gw_store_instance_del(struct gw_store *st, const char *id, gw_store_done *done,
                                         void *arg);

#endif
