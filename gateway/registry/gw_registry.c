/* gateway/registry/gw_registry.c - accounts and instances in memory, written through to gw_store */
#include "gateway/registry/gw_registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/instance/gw_proxy.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/registry/gw_registry_priv.h"
#include "gateway/webhook/gw_hook_config.h"

bool gw_name_valid(const char *name)
{
	size_t n = 0;

	for (; name[n] != '\0'; n++) {
		char c = name[n];

		if (n == GW_NAME_MAX)
			return false;
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '-'))
			return false;
	}
	return n > 0;
}

/* ---- look-ups -----------------------------------------------------------------------------------
 */

static uint64_t hash_name(const struct gw_registry *reg, const char *name)
{
	return gw_hash(reg->seed, name, strlen(name));
}

static uint64_t hash_instance(const struct gw_registry *reg, const char *account, const char *name)
{
	return gw_hash(hash_name(reg, account), name, strlen(name));
}

struct gw_account_node *gw_registry_account_find(const struct gw_registry *reg, const char *name)
{
	uint64_t hash = hash_name(reg, name);
	struct gw_link *l = NULL;

	while ((l = gw_table_next(&reg->account_names, hash, l)) != NULL) {
		struct gw_account_node *a = GW_LINK_OWNER(l, struct gw_account_node, by_name);

		if (strcmp(a->pub.name, name) == 0)
			return a;
	}
	return NULL;
}

struct gw_node *gw_registry_node_find(const struct gw_registry *reg, const struct gw_account *acc,
                                      const char *name)
{
	uint64_t hash = hash_instance(reg, acc->name, name);
	struct gw_link *l = NULL;

	while ((l = gw_table_next(&reg->instance_names, hash, l)) != NULL) {
		struct gw_node *n = GW_LINK_OWNER(l, struct gw_node, by_name);

		if (gw_instance_account(n->inst) == acc &&
		    strcmp(gw_instance_name(n->inst), name) == 0)
			return n;
	}
	return NULL;
}

static struct gw_token *token_find(const struct gw_registry *reg, const uint8_t *hash)
{
	uint64_t h = gw_hash(reg->seed, hash, GW_TOKEN_HASH_LEN);
	struct gw_link *l = NULL;

	while ((l = gw_table_next(&reg->tokens, h, l)) != NULL) {
		struct gw_token *t = GW_LINK_OWNER(l, struct gw_token, link);

		if (secret_eq(t->hash, hash, GW_TOKEN_HASH_LEN))
			return t;
	}
	return NULL;
}

struct gw_account *gw_registry_account_by_name(struct gw_registry *reg, const char *name)
{
	struct gw_account_node *a = gw_registry_account_find(reg, name);

	return a != NULL && a->life == GW_LIFE_LIVE ? &a->pub : NULL;
}

struct gw_account *gw_registry_account_by_token(struct gw_registry *reg, const uint8_t *hash)
{
	struct gw_token *t = token_find(reg, hash);

	if (t == NULL || !t->live || t->account == NULL)
		return NULL;
	return ((struct gw_account_node *)t->account)->life == GW_LIFE_LIVE ? t->account : NULL;
}

struct gw_instance *gw_registry_instance_by_token(struct gw_registry *reg, const uint8_t *hash)
{
	struct gw_token *t = token_find(reg, hash);

	if (t == NULL || !t->live || t->node == NULL)
		return NULL;
	return t->node->life == GW_LIFE_LIVE ? t->node->inst : NULL;
}

struct gw_instance *gw_registry_instance(struct gw_registry *reg, const struct gw_account *acc,
                                         const char *name)
{
	struct gw_node *n = gw_registry_node_find(reg, acc, name);

	return n != NULL && n->life == GW_LIFE_LIVE ? n->inst : NULL;
}

struct gw_instance *gw_registry_next(struct gw_registry *reg, const struct gw_account *acc,
                                     struct gw_instance *prev)
{
	const struct gw_account_node *a = (const struct gw_account_node *)acc;
	struct gw_node *n = prev == NULL
	                        ? TAILQ_FIRST(&a->instances)
	                        : TAILQ_NEXT((struct gw_node *)gw_instance_owner(prev), in_account);

	(void)reg;
	while (n != NULL && n->life != GW_LIFE_LIVE)
		n = TAILQ_NEXT(n, in_account);
	return n != NULL ? n->inst : NULL;
}

struct gw_account *gw_registry_next_account(struct gw_registry *reg, struct gw_account *prev)
{
	struct gw_account_node *a = prev == NULL
	                                ? TAILQ_FIRST(&reg->accounts)
	                                : TAILQ_NEXT((struct gw_account_node *)prev, in_all);

	while (a != NULL && a->life != GW_LIFE_LIVE)
		a = TAILQ_NEXT(a, in_all);
	return a != NULL ? &a->pub : NULL;
}

struct gw_instance *gw_registry_next_any(struct gw_registry *reg, struct gw_instance *prev)
{
	struct gw_node *n = prev == NULL
	                        ? TAILQ_FIRST(&reg->instances)
	                        : TAILQ_NEXT((struct gw_node *)gw_instance_owner(prev), in_all);

	while (n != NULL && n->life != GW_LIFE_LIVE)
		n = TAILQ_NEXT(n, in_all);
	return n != NULL ? n->inst : NULL;
}

bool gw_registry_ok(const struct gw_registry *reg)
{
	return gw_store_ok(reg->gw->store);
}

/* ---- adding and removing in memory ------------------------------------------ */

int gw_registry_token_add(struct gw_registry *reg, const uint8_t *hash, struct gw_token **token_out)
{
	struct gw_token *t;

	if (token_find(reg, hash) != NULL)
		return -EADDRINUSE;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	memcpy(t->hash, hash, GW_TOKEN_HASH_LEN);
	if (gw_table_add(&reg->tokens, &t->link, gw_hash(reg->seed, hash, GW_TOKEN_HASH_LEN)) < 0) {
		free(t);
		return -ENOMEM;
	}
	*token_out = t;
	return 0;
}

void gw_registry_token_del(struct gw_registry *reg, struct gw_token *t)
{
	if (t == NULL)
		return;
	gw_table_del(&reg->tokens, &t->link);
	free(t);
}

void gw_registry_token_swap(struct gw_registry *reg, struct gw_token **place, struct gw_token *t)
{
	uint8_t ended[GW_TOKEN_HASH_LEN];

	memcpy(ended, (*place)->hash, sizeof(ended));
	gw_registry_token_del(reg, *place);
	*place = t;
	t->live = true;
	if (reg->on_token_end != NULL)
		reg->on_token_end(ended, reg->on_token_end_arg);
}

void gw_registry_on_token_end(struct gw_registry *reg, gw_registry_token_end *cb, void *arg)
{
	reg->on_token_end = cb;
	reg->on_token_end_arg = arg;
}

int gw_registry_account_add(struct gw_registry *reg, const struct gw_account_row *row,
                            enum gw_life life, struct gw_account_node **acc_out)
{
	struct gw_account_node *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL)
		return -ENOMEM;
	memcpy(a->pub.name, row->name, sizeof(a->pub.name));
	a->pub.quota = row->quota;
	memcpy(a->pub.token_hash, row->token_hash, GW_TOKEN_HASH_LEN);
	a->pub.created_unix_ms = row->created_unix_ms;
	a->life = life;
	TAILQ_INIT(&a->instances);
	rc = gw_registry_token_add(reg, row->token_hash, &a->token);
	if (rc < 0)
		goto fail;
	a->token->account = &a->pub;
	a->token->live = life == GW_LIFE_LIVE;
	rc = gw_table_add(&reg->account_names, &a->by_name, hash_name(reg, row->name));
	if (rc < 0)
		goto fail;
	TAILQ_INSERT_TAIL(&reg->accounts, a, in_all);
	*acc_out = a;
	return 0;
fail:
	gw_registry_token_del(reg, a->token);
	free(a);
	return rc;
}

void gw_registry_account_remove(struct gw_registry *reg, struct gw_account_node *a)
{
	TAILQ_REMOVE(&reg->accounts, a, in_all);
	gw_table_del(&reg->account_names, &a->by_name);
	gw_registry_token_del(reg, a->token);
	free(a);
}

int gw_registry_node_add(struct gw_registry *reg, struct gw_account_node *a,
                         const struct gw_instance_row *row, const struct gw_proxy *proxy,
                         struct gw_hook_config *hooks, enum gw_life life, struct gw_node **node_out)
{
	struct gw_node *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL) {
		gw_hook_config_free(hooks);
		return -ENOMEM;
	}
	n->life = life;
	rc = gw_instance_new(reg->gw, &a->pub, row, proxy, hooks, n, &n->inst);
	if (rc < 0)
		goto fail;
	rc = gw_registry_token_add(reg, row->token_hash, &n->token);
	if (rc < 0)
		goto fail;
	n->token->node = n;
	n->token->live = life == GW_LIFE_LIVE;
	rc = gw_table_add(&reg->instance_names, &n->by_name,
	                  hash_instance(reg, a->pub.name, row->name));
	if (rc < 0)
		goto fail;
	TAILQ_INSERT_TAIL(&a->instances, n, in_account);
	TAILQ_INSERT_TAIL(&reg->instances, n, in_all);
	a->pub.instances_n++;
	*node_out = n;
	return 0;
fail:
	gw_registry_token_del(reg, n->token);
	gw_instance_free(n->inst);
	free(n);
	return rc;
}

void gw_registry_node_remove(struct gw_registry *reg, struct gw_node *n)
{
	struct gw_account_node *a = (struct gw_account_node *)gw_instance_account(n->inst);
	struct gw_change *c;

	for (c = TAILQ_FIRST(&reg->changes); c != NULL; c = TAILQ_NEXT(c, link))
		if (c->node == n)
			c->node = NULL;
	TAILQ_REMOVE(&a->instances, n, in_account);
	TAILQ_REMOVE(&reg->instances, n, in_all);
	a->pub.instances_n--;
	gw_table_del(&reg->instance_names, &n->by_name);
	gw_registry_token_del(reg, n->token);
	gw_registry_invite_del(reg, n->invite);
	gw_instance_free(n->inst);
	free(n);
}

/* ---- loading ---------------------------------------------------------------- */

/* Names and tokens are unique on disk; where they are not, the file is damaged. */
static int load_rc(int rc)
{
	return rc == -EADDRINUSE ? WA_ESTORE_CORRUPT : rc;
}

static int on_account_row(const struct gw_account_row *row, void *arg)
{
	struct gw_registry *reg = arg;
	struct gw_account_node *a;

	if (!gw_name_valid(row->name))
		return WA_ESTORE_CORRUPT;
	return load_rc(gw_registry_account_add(reg, row, GW_LIFE_LIVE, &a));
}

/* One that can't be read in full is used as far as it goes: the proxy refuses, nothing leaks. */
static void load_proxy(const struct gw_registry *reg, const struct gw_instance_row *row,
                       struct gw_proxy *proxy_out)
{
	int rc = gw_proxy_decode(row->proxy, reg->key, row->id, proxy_out);

	if (rc < 0)
		LOG(NULL, LOG_ERR, "proxy_not_readable", LF_STR("instance", row->id),
		    LF_ERR("err", rc));
	if (rc == WA_ESTORE_CORRUPT)
		proxy_out->enabled = true; /* whatever it was: not directly */
}

/* What can't be read is not delivered to; whoever made it sees that it is not enabled. */
static struct gw_hook_config *load_hooks(const struct gw_registry *reg,
                                         const struct gw_instance_row *row)
{
	struct gw_hook_config *hooks = NULL;
	int rc = gw_hook_config_load(row->hooks, reg->key, row->id, &hooks);

	if (rc < 0)
		LOG(NULL, LOG_ERR, "webhooks_not_readable", LF_STR("instance", row->id),
		    LF_ERR("err", rc));
	return hooks;
}

static int on_instance_row(const struct gw_instance_row *row, void *arg)
{
	struct gw_registry *reg = arg;
	struct gw_account_node *a = gw_registry_account_find(reg, row->account);
	struct gw_proxy proxy;
	struct gw_node *n;
	int rc;

	if (a == NULL || !gw_name_valid(row->name) || strlen(row->id) != GW_ID_LEN)
		return WA_ESTORE_CORRUPT;
	load_proxy(reg, row, &proxy);
	rc = load_rc(
	    gw_registry_node_add(reg, a, row, &proxy, load_hooks(reg, row), GW_LIFE_LIVE, &n));
	secret_wipe(&proxy, sizeof(proxy));
	return rc;
}

static int on_invite_row(const struct gw_invite_row *row, void *arg)
{
	struct gw_registry *reg = arg;
	struct gw_account_node *a = gw_registry_account_find(reg, row->account);
	struct gw_node *n = a != NULL ? gw_registry_node_find(reg, &a->pub, row->name) : NULL;

	return n == NULL ? WA_ESTORE_CORRUPT : load_rc(gw_registry_invite_load(reg, n, row));
}

int gw_registry_new(struct gw *gw, struct gw_registry **reg_out)
{
	static const struct gw_store_loader loader = { on_account_row, on_instance_row,
		                                       on_invite_row };
	struct gw_registry *reg = calloc(1, sizeof(*reg));
	int rc = -ENOMEM;

	if (reg == NULL)
		return rc;
	reg->gw = gw;
	TAILQ_INIT(&reg->accounts);
	TAILQ_INIT(&reg->instances);
	TAILQ_INIT(&reg->changes);
	reg->key = secret_alloc(sizeof(*reg->key));
	if (reg->key != NULL)
		rc = secret_random(&reg->seed, sizeof(reg->seed));
	if (rc == 0)
		rc = gw_master_key_derive(gw->master_key, "registry", 1, reg->key);
	if (rc == 0)
		rc = gw_store_load(gw->store, &loader, reg);
	if (rc == 0)
		gw_store_on_healed(gw->store, gw_registry_save_again, reg);
	if (rc < 0) {
		gw_registry_free(reg);
		return rc;
	}
	*reg_out = reg;
	return 0;
}

void gw_registry_free(struct gw_registry *reg)
{
	struct gw_account_node *a;
	struct gw_change *c;
	struct gw_node *n;

	if (reg == NULL)
		return;
	while ((c = TAILQ_FIRST(&reg->changes)) != NULL) {
		if (c->token != NULL)
			gw_registry_token_del(reg, c->token);
		gw_registry_invite_del(reg, c->invite);
		gw_registry_change_free(c);
	}
	while ((n = TAILQ_FIRST(&reg->instances)) != NULL)
		gw_registry_node_remove(reg, n);
	while ((a = TAILQ_FIRST(&reg->accounts)) != NULL)
		gw_registry_account_remove(reg, a);
	gw_table_clear(&reg->tokens);
	gw_table_clear(&reg->invites);
	gw_table_clear(&reg->account_names);
	gw_table_clear(&reg->instance_names);
	secret_free(reg->key);
	free(reg);
}
