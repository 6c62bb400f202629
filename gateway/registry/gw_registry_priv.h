/*
 * gateway/registry/gw_registry_priv.h - the registry's memory: what gw_registry.c finds and
 * gw_registry_change.c changes
 */
#ifndef GW_REGISTRY_PRIV_H
#define GW_REGISTRY_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/attr.h"
#include "common/sealed.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_invite.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/registry/gw_store.h"
#include "gateway/registry/gw_table.h"
#include "gateway/webhook/gw_hook_config.h"

/* A thing exists for clients only while it is LIVE; its name and token are taken all the time. */
enum gw_life { GW_LIFE_CREATING, GW_LIFE_LIVE, GW_LIFE_DELETING };

struct gw_node;

/* A token that opens an account or an instance; both share one name space. */
struct gw_token {
	struct gw_link link;
	uint8_t hash[GW_TOKEN_HASH_LEN];
	struct gw_account *account; /* one of these */
	struct gw_node *node;
	bool live; /* false until the commit */
};

/* A one-time link. */
struct gw_invite {
	struct gw_link link;
	uint8_t hash[GW_TOKEN_HASH_LEN];
	struct gw_invite_terms terms;
	struct gw_node *node;
	bool live; /* false until the commit */
};

/* An instance's place in the registry. */
struct gw_node {
	struct gw_instance *inst;
	struct gw_link by_name;
	TAILQ_ENTRY(gw_node) in_account;
	TAILQ_ENTRY(gw_node) in_all;
	struct gw_token *token;
	struct gw_invite *invite; /* NULL: none that was not used */
	enum gw_life life;
	bool saving; /* what it is linked to is being written */
	bool dirty;  /* and has changed since, or could not be written */
};
TAILQ_HEAD(gw_node_list, gw_node);

struct gw_account_node {
	struct gw_account pub; /* first: clients hold a pointer to it */
	struct gw_link by_name;
	TAILQ_ENTRY(gw_account_node) in_all;
	struct gw_node_list instances; /* in order of creation */
	struct gw_token *token;
	enum gw_life life;
};
TAILQ_HEAD(gw_account_list, gw_account_node);

/* A change that waits for its commit. */
struct gw_change {
	TAILQ_ENTRY(gw_change) link;
	struct gw_registry *reg;
	struct gw_account_node *acc;
	struct gw_node *node;
	struct gw_token *token;   /* rotate: the new one */
	struct gw_invite *invite; /* a new one-time link */
	int64_t quota;            /* quota: the new one */
	json_t *settings;         /* settings: the change; a reference of its own */
	struct gw_proxy *proxy;   /* proxy: the new one; owned, of secret_alloc() */
	json_t *hooks;            /* hooks: the patch; a reference of its own */
	int64_t updated_unix_ms;
	bool in_call; /* gw_registry_instance_delete() has not returned yet */
	int rc;       /* what it is to return */
	gw_registry_done *done;
	void *arg;
};
TAILQ_HEAD(gw_change_list, gw_change);

struct gw_registry {
	struct gw *gw;
	uint64_t seed;
	struct sealed_key *key; /* seals what the registry keeps; in secret memory */
	struct gw_table tokens;
	struct gw_table invites; /* by the hash of their text */
	struct gw_table account_names;
	struct gw_table instance_names;  /* account and name */
	struct gw_account_list accounts; /* in order of creation */
	struct gw_node_list instances;
	struct gw_change_list changes;
	gw_registry_token_end *on_token_end; /* may be NULL */
	void *on_token_end_arg;
};

/* Of this name, whatever its life; NULL: none. */
struct gw_account_node *gw_registry_account_find(const struct gw_registry *reg, const char *name);
struct gw_node *gw_registry_node_find(const struct gw_registry *reg, const struct gw_account *acc,
                                      const char *name);

/*
 * Into memory only, in the given life; names have been checked. hooks: takes it. 0, -EADDRINUSE
 * (token), -ENOMEM. A token is live from the commit on.
 */
ATTR_NODISCARD int gw_registry_token_add(struct gw_registry *reg, const uint8_t *hash,
                                         struct gw_token **token_out);
ATTR_NODISCARD int gw_registry_account_add(struct gw_registry *reg,
                                           const struct gw_account_row *row, enum gw_life life,
                                           struct gw_account_node **acc_out);
ATTR_NODISCARD int gw_registry_node_add(struct gw_registry *reg, struct gw_account_node *a,
                                        const struct gw_instance_row *row,
                                        const struct gw_proxy *proxy, struct gw_hook_config *hooks,
                                        enum gw_life life, struct gw_node **node_out);

/* Out of memory, with what belongs to it. */
void gw_registry_token_del(struct gw_registry *reg, struct gw_token *t); /* NULL is fine */
/* *place is the token from now on; what was there ends, and whoever is to know is told. */
void gw_registry_token_swap(struct gw_registry *reg, struct gw_token **place, struct gw_token *t);
void gw_registry_account_remove(struct gw_registry *reg, struct gw_account_node *a);
void gw_registry_node_remove(struct gw_registry *reg, struct gw_node *n);

/* NULL is fine. */
void gw_registry_invite_del(struct gw_registry *reg, struct gw_invite *v);
/* One from the disk. 0, -EADDRINUSE, -ENOMEM. */
ATTR_NODISCARD int gw_registry_invite_load(struct gw_registry *reg, struct gw_node *n,
                                           const struct gw_invite_row *row);

/* A change that waits for its commit; NULL without memory. */
struct gw_change *gw_registry_change_new(struct gw_registry *reg, gw_registry_done *done,
                                         void *arg);
/* Of gw_store_on_healed(); arg: the registry. */
void gw_registry_save_again(void *arg);
/* Frees it, then tells. */
void gw_registry_change_done(struct gw_change *c, int rc, struct gw_instance *inst);
void gw_registry_change_free(struct gw_change *c); /* NULL is fine */

#endif
