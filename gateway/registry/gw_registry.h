/*
 * gateway/registry/gw_registry.h - accounts and instances in memory, written through to gw_store
 *
 * All reads are from memory. A change is reported done only after its commit is durable: the
 * callbacks come from the event loop, later, exactly once. Owner of every account and instance.
 */
#ifndef GW_REGISTRY_H
#define GW_REGISTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define GW_NAME_MAX 100                /* ^[A-Za-z0-9_-]{1,100}$, accounts and instances */
#define GW_ID_LEN 16                   /* instance id: a-z2-7 */
#define GW_PROBE_ID "wardenprobe22222" /* of no instance: who wardenctl doctor sends out */
#define GW_TOKEN_HASH_LEN 32
#define GW_QUOTA_NONE (-1)

struct gw;
struct gw_instance;
struct gw_proxy;
struct gw_registry;

struct gw_account {
	char name[GW_NAME_MAX + 1];
	int64_t quota; /* GW_QUOTA_NONE: no limit */
	uint8_t token_hash[GW_TOKEN_HASH_LEN];
	int64_t created_unix_ms;
	size_t instances_n; /* counts those being created too */
};

/* Load everything from gw->store (blocking, at start). 0, WA_ESTORE_CORRUPT, WA_ESTORAGE, -ENOMEM.
 */
ATTR_NODISCARD int gw_registry_new(struct gw *gw, struct gw_registry **reg_out);
void gw_registry_free(struct gw_registry *reg);

bool gw_name_valid(const char *name);

/* ---- look-ups; the pointers stay valid until the loop returns to its top ---- */

struct gw_account *gw_registry_account_by_name(struct gw_registry *reg, const char *name);
/*
 * hash: SHA-256 of the token. The table is walked by a keyed hash of that and nothing else, and a
 * candidate is compared in constant time. So what the time of a look-up could tell is at most a few
 * bits of a hash of a hash: it brings nobody nearer to a token, which is 32 random bytes.
 */
struct gw_account *gw_registry_account_by_token(struct gw_registry *reg, const uint8_t *hash);
struct gw_instance *gw_registry_instance_by_token(struct gw_registry *reg, const uint8_t *hash);
/* NULL too while the instance is still being created or already being deleted. */
struct gw_instance *gw_registry_instance(struct gw_registry *reg, const struct gw_account *acc,
                                         const char *name);
/* Instances of an account in order of creation: call with prev NULL first. */
struct gw_instance *gw_registry_next(struct gw_registry *reg, const struct gw_account *acc,
                                     struct gw_instance *prev);
struct gw_account *gw_registry_next_account(struct gw_registry *reg, struct gw_account *prev);
/* Every instance of every account. */
struct gw_instance *gw_registry_next_any(struct gw_registry *reg, struct gw_instance *prev);

/* False while the last write failed: /health says so. */
bool gw_registry_ok(const struct gw_registry *reg);

/*
 * A token was replaced by another: whoever was let in by it and is still there should go. hash is
 * borrowed. One listener; cb NULL: none. cb must not change the registry.
 */
typedef void gw_registry_token_end(const uint8_t *hash, void *arg);
void gw_registry_on_token_end(struct gw_registry *reg, gw_registry_token_end *cb, void *arg);

/* ---- changes ---------------------------------------------------------------- */

/* rc: 0 or why not (WA_ESTORAGE, -ENOMEM); on failure nothing has changed. inst: instance calls
 * only. */
typedef void gw_registry_done(int rc, struct gw_instance *inst, void *arg);

/*
 * 0: done will be called. Immediately: -EEXIST, -EINVAL (name, or settings that are no JSON
 * object), -EADDRINUSE (an account or instance has this token), -ENOMEM; done is then never called.
 */
ATTR_NODISCARD int gw_registry_account_create(struct gw_registry *reg, const char *name,
                                              int64_t quota, const uint8_t *token_hash,
                                              gw_registry_done *done, void *arg);
ATTR_NODISCARD int gw_registry_account_rotate(struct gw_registry *reg, struct gw_account *acc,
                                              const uint8_t *token_hash, gw_registry_done *done,
                                              void *arg);
/* quota: GW_QUOTA_NONE or 0 and up; one below what there is already keeps that. -ENOMEM. */
ATTR_NODISCARD int gw_registry_account_quota(struct gw_registry *reg, struct gw_account *acc,
                                             int64_t quota, gw_registry_done *done, void *arg);
/* -ENOTEMPTY while it has instances. */
ATTR_NODISCARD int gw_registry_account_delete(struct gw_registry *reg, struct gw_account *acc,
                                              gw_registry_done *done, void *arg);

/*
 * Immediately also -EDQUOT (quota).
 * settings_json: the settings of contract 3.1 as given, or NULL; proxy: or NULL; hooks: a patch of
 * gw_hook_config.h, or NULL; all borrowed.
 */
ATTR_NODISCARD int gw_registry_instance_create(struct gw_registry *reg, struct gw_account *acc,
                                               const char *name, const uint8_t *token_hash,
                                               const char *settings_json,
                                               const struct gw_proxy *proxy, const json_t *hooks,
                                               gw_registry_done *done, void *arg);
/* A partial change: the known settings in it replace those there. Reaches a live worker, too. */
ATTR_NODISCARD int gw_registry_instance_settings(struct gw_registry *reg, struct gw_instance *inst,
                                                 const char *settings_json, gw_registry_done *done,
                                                 void *arg);
/* Used from the next worker start on. */
ATTR_NODISCARD int gw_registry_instance_proxy(struct gw_registry *reg, struct gw_instance *inst,
                                              const struct gw_proxy *proxy, gw_registry_done *done,
                                              void *arg);
/*
 * A patch of gw_hook_config.h; keeps a reference to it. Immediately also -EDQUOT (more than
 * GW_WEBHOOKS_ENABLED_MAX would be enabled, with the changes that are under way) and -E2BIG (more
 * than GW_WEBHOOKS_MAX labels).
 */
ATTR_NODISCARD int gw_registry_instance_hooks(struct gw_registry *reg, struct gw_instance *inst,
                                              json_t *patch, gw_registry_done *done, void *arg);
/* A new token; the old one stops working with the commit. -EADDRINUSE as above. */
ATTR_NODISCARD int gw_registry_instance_rotate(struct gw_registry *reg, struct gw_instance *inst,
                                               const uint8_t *token_hash, gw_registry_done *done,
                                               void *arg);
/*
 * Who it is linked to, how the link ended and so on has changed: write it through. Nobody waits;
 * a failure shows in gw_registry_ok(); it is tried again with the next change, or when the disk is
 * well again.
 */
void gw_registry_instance_save(struct gw_registry *reg, struct gw_instance *inst);
/* All of that is on disk, or will never be (a deletion is on its way). gw_instance_saved() is
 * called when it comes to be. */
bool gw_registry_instance_is_saved(const struct gw_instance *inst);
/*
 * Ends the instance's attempt (callers get WA_EDELETED), stops its worker, waits until it is gone,
 * removes its directory, then the row. inst must not be used afterwards. done's inst is NULL.
 */
ATTR_NODISCARD int gw_registry_instance_delete(struct gw_registry *reg, struct gw_instance *inst,
                                               gw_registry_done *done, void *arg);

#endif
