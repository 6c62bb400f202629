/* gateway/registry/gw_registry_change.c - accounts and instances made, changed and deleted */
#include "gateway/registry/gw_registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/instance/gw_proxy.h"
#include "gateway/registry/gw_registry_priv.h"
#include "gateway/webhook/gw_hook_config.h"
#include "gateway/webhook/gw_hooks.h"

struct gw_change *gw_registry_change_new(struct gw_registry *reg, gw_registry_done *done, void *arg)
{
	struct gw_change *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->reg = reg;
	c->done = done;
	c->arg = arg;
	TAILQ_INSERT_TAIL(&reg->changes, c, link);
	return c;
}

void gw_registry_change_free(struct gw_change *c)
{
	if (c == NULL)
		return;
	secret_free(c->proxy);
	json_decref(c->hooks);
	json_decref(c->settings);
	TAILQ_REMOVE(&c->reg->changes, c, link);
	free(c);
}

void gw_registry_change_done(struct gw_change *c, int rc, struct gw_instance *inst)
{
	gw_registry_done *done = c->done;
	void *arg = c->arg;

	gw_registry_change_free(c);
	done(rc, inst, arg);
}

static void on_account_created(int rc, void *arg)
{
	struct gw_change *c = arg;

	if (rc == 0) {
		c->acc->life = GW_LIFE_LIVE;
		c->acc->token->live = true;
		LOG(NULL, LOG_NOTICE, "account_created", LF_STR("account", c->acc->pub.name));
	} else {
		gw_registry_account_remove(c->reg, c->acc);
	}
	gw_registry_change_done(c, rc, NULL);
}

int gw_registry_account_create(struct gw_registry *reg, const char *name, int64_t quota,
                               const uint8_t *token_hash, gw_registry_done *done, void *arg)
{
	struct gw_account_row row = { .quota = quota, .created_unix_ms = clock_unix_ms() };
	struct gw_account_node *a;
	struct gw_change *c;
	int rc;

	if (!gw_name_valid(name))
		return -EINVAL;
	if (gw_registry_account_find(reg, name) != NULL)
		return -EEXIST;
	snprintf(row.name, sizeof(row.name), "%s", name);
	memcpy(row.token_hash, token_hash, GW_TOKEN_HASH_LEN);
	rc = gw_registry_account_add(reg, &row, GW_LIFE_CREATING, &a);
	if (rc < 0)
		return rc;
	rc = -ENOMEM;
	c = gw_registry_change_new(reg, done, arg);
	if (c != NULL) {
		c->acc = a;
		rc = gw_store_account_put(reg->gw->store, &row, on_account_created, c);
	}
	if (rc < 0) {
		if (c != NULL)
			gw_registry_change_free(c);
		gw_registry_account_remove(reg, a);
	}
	return rc;
}

static void on_account_rotated(int rc, void *arg)
{
	struct gw_change *c = arg;

	if (rc == 0) {
		gw_registry_token_swap(c->reg, &c->acc->token, c->token);
		memcpy(c->acc->pub.token_hash, c->token->hash, GW_TOKEN_HASH_LEN);
		LOG(NULL, LOG_NOTICE, "account_token_rotated", LF_STR("account", c->acc->pub.name));
	} else {
		gw_registry_token_del(c->reg, c->token);
	}
	gw_registry_change_done(c, rc, NULL);
}

int gw_registry_account_rotate(struct gw_registry *reg, struct gw_account *acc,
                               const uint8_t *token_hash, gw_registry_done *done, void *arg)
{
	struct gw_token *t;
	struct gw_change *c;
	int rc = gw_registry_token_add(reg, token_hash, &t);

	if (rc < 0)
		return rc;
	t->account = acc;
	rc = -ENOMEM;
	c = gw_registry_change_new(reg, done, arg);
	if (c != NULL) {
		c->acc = (struct gw_account_node *)acc;
		c->token = t;
		rc = gw_store_account_token(reg->gw->store, acc->name, token_hash,
		                            on_account_rotated, c);
	}
	if (rc < 0) {
		if (c != NULL)
			gw_registry_change_free(c);
		gw_registry_token_del(reg, t);
	}
	return rc;
}

static void on_account_quota(int rc, void *arg)
{
	struct gw_change *c = arg;

	if (rc == 0) {
		c->acc->pub.quota = c->quota;
		LOG(NULL, LOG_NOTICE, "account_quota_set", LF_STR("account", c->acc->pub.name),
		    LF_INT("quota", c->quota));
	}
	gw_registry_change_done(c, rc, NULL);
}

int gw_registry_account_quota(struct gw_registry *reg, struct gw_account *acc, int64_t quota,
                              gw_registry_done *done, void *arg)
{
	struct gw_change *c = gw_registry_change_new(reg, done, arg);
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->acc = (struct gw_account_node *)acc;
	c->quota = quota;
	rc = gw_store_account_quota(reg->gw->store, acc->name, quota, on_account_quota, c);
	if (rc < 0)
		gw_registry_change_free(c);
	return rc;
}

static void on_account_deleted(int rc, void *arg)
{
	struct gw_change *c = arg;

	if (rc == 0) {
		LOG(NULL, LOG_NOTICE, "account_deleted", LF_STR("account", c->acc->pub.name));
		gw_registry_account_remove(c->reg, c->acc);
	} else {
		c->acc->life = GW_LIFE_LIVE;
	}
	gw_registry_change_done(c, rc, NULL);
}

int gw_registry_account_delete(struct gw_registry *reg, struct gw_account *acc,
                               gw_registry_done *done, void *arg)
{
	struct gw_account_node *a = (struct gw_account_node *)acc;
	struct gw_change *c;
	int rc = -ENOMEM;

	if (acc->instances_n > 0)
		return -ENOTEMPTY;
	c = gw_registry_change_new(reg, done, arg);
	if (c != NULL) {
		c->acc = a;
		rc = gw_store_account_del(reg->gw->store, acc->name, on_account_deleted, c);
	}
	if (rc == 0)
		a->life = GW_LIFE_DELETING;
	else if (c != NULL)
		gw_registry_change_free(c);
	return rc;
}

static void on_instance_created(int rc, void *arg)
{
	struct gw_change *c = arg;
	struct gw_instance *inst = c->node->inst;

	if (rc == 0) {
		c->node->life = GW_LIFE_LIVE;
		c->node->token->live = true;
		gw_hooks_changed(c->reg->gw->hooks, inst, NULL);
		LOG(gw_instance_log(inst), LOG_NOTICE, "instance_created",
		    LF_STR("account", gw_instance_account(inst)->name),
		    LF_STR("name", gw_instance_name(inst)));
	} else {
		gw_registry_node_remove(c->reg, c->node);
		inst = NULL;
	}
	gw_registry_change_done(c, rc, inst);
}

/* A new row; its texts are the caller's to free. */
static int instance_row(const struct gw_registry *reg, const struct gw_account *acc,
                        const char *name, const uint8_t *token_hash, const char *settings_json,
                        const struct gw_proxy *proxy, const json_t *hooks,
                        struct gw_instance_row *row)
{
	uint8_t id[GW_ID_LEN * 5 / 8];
	char *settings, *proxy_text, *hooks_text;
	int rc;

	*row = (struct gw_instance_row){ .created_unix_ms = clock_unix_ms() };
	row->updated_unix_ms = row->created_unix_ms;
	rc = secret_random(id, sizeof(id));
	if (rc < 0)
		return rc;
	base32_encode_lower(id, sizeof(id), row->id, GW_ID_LEN);
	memcpy(row->account, acc->name, sizeof(row->account));
	snprintf(row->name, sizeof(row->name), "%s", name);
	memcpy(row->token_hash, token_hash, GW_TOKEN_HASH_LEN);
	rc = gw_settings_normalise(settings_json, &settings);
	if (rc < 0)
		return rc;
	row->settings = settings;
	if (proxy != NULL)
		rc = gw_proxy_encode(proxy, reg->key, row->id, &proxy_text);
	if (proxy != NULL && rc == 0)
		row->proxy = proxy_text;
	if (hooks == NULL || rc < 0)
		return rc;
	rc = gw_hook_patch_seal(hooks, reg->key, row->id, &hooks_text);
	if (rc == 0)
		row->hooks = hooks_text;
	return rc;
}

int gw_registry_instance_create(struct gw_registry *reg, struct gw_account *acc, const char *name,
                                const uint8_t *token_hash, const char *settings_json,
                                const struct gw_proxy *proxy, const json_t *hooks,
                                gw_registry_done *done, void *arg)
{
	struct gw_hook_config *config = NULL;
	struct gw_instance_row row = { 0 };
	struct gw_node *n = NULL;
	struct gw_change *c = NULL;
	int rc;

	if (!gw_name_valid(name))
		return -EINVAL;
	if (gw_registry_node_find(reg, acc, name) != NULL)
		return -EEXIST;
	if (acc->quota != GW_QUOTA_NONE && (int64_t)acc->instances_n >= acc->quota)
		return -EDQUOT;
	rc = instance_row(reg, acc, name, token_hash, settings_json, proxy, hooks, &row);
	if (rc == 0 && hooks != NULL)
		rc = gw_hook_config_apply(&config, hooks);
	if (rc < 0) {
		gw_hook_config_free(config);
		goto out;
	}
	rc = gw_registry_node_add(reg, (struct gw_account_node *)acc, &row, proxy, config,
	                          GW_LIFE_CREATING, &n);
	if (rc < 0)
		goto out;
	rc = -ENOMEM;
	c = gw_registry_change_new(reg, done, arg);
	if (c == NULL)
		goto out;
	c->node = n;
	rc = gw_store_instance_add(reg->gw->store, &row, on_instance_created, c);
out:
	if (rc < 0 && c != NULL)
		gw_registry_change_free(c);
	if (rc < 0 && n != NULL)
		gw_registry_node_remove(reg, n);
	free((void *)(uintptr_t)row.settings);
	free((void *)(uintptr_t)row.proxy);
	free((void *)(uintptr_t)row.hooks);
	return rc;
}

static void on_instance_deleted(int rc, void *arg)
{
	struct gw_change *c = arg;
	struct gw_instance *inst = c->node->inst;

	if (rc == 0) {
		LOG(gw_instance_log(inst), LOG_NOTICE, "instance_deleted",
		    LF_STR("account", gw_instance_account(inst)->name),
		    LF_STR("name", gw_instance_name(inst)));
		if (c->reg->gw->events != NULL)
			gw_events_erase(c->reg->gw->events, gw_instance_id(inst));
		gw_hooks_forget(c->reg->gw->hooks, inst);
		gw_hooks_erase(c->reg->gw->hooks, gw_instance_id(inst));
		gw_registry_node_remove(c->reg, c->node);
	} else {
		c->node->life = GW_LIFE_LIVE;
		gw_instance_restore(inst);
	}
	gw_registry_change_done(c, rc, NULL);
}

/* Nothing runs for it any more: now its files. */
static void on_instance_gone(struct gw_instance *inst, void *arg)
{
	struct gw_change *c = arg;
	int rc =
	    gw_store_instance_del(c->reg->gw->store, gw_instance_id(inst), on_instance_deleted, c);

	if (rc < 0 && c->in_call)
		c->rc = rc;
	else if (rc < 0)
		on_instance_deleted(rc, c);
}

int gw_registry_instance_delete(struct gw_registry *reg, struct gw_instance *inst,
                                gw_registry_done *done, void *arg)
{
	struct gw_node *n = gw_instance_owner(inst);
	struct gw_change *c = gw_registry_change_new(reg, done, arg);
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->node = n;
	c->in_call = true;
	n->life = GW_LIFE_DELETING;
	gw_instance_delete(inst, on_instance_gone, c);
	c->in_call = false;
	if (c->rc == 0)
		return 0;
	rc = c->rc;
	n->life = GW_LIFE_LIVE;
	gw_instance_restore(inst);
	gw_registry_change_free(c);
	return rc;
}
