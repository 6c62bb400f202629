/* gateway/registry/gw_registry_instance.c - instances changed: settings, proxy, token, link */
#include "gateway/registry/gw_registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/instance/gw_proxy.h"
#include "gateway/registry/gw_registry_priv.h"
#include "gateway/webhook/gw_hook_config.h"
#include "gateway/webhook/gw_hooks.h"

static struct gw_change *change_of(struct gw_registry *reg, struct gw_instance *inst,
                                   gw_registry_done *done, void *arg)
{
	struct gw_change *c = gw_registry_change_new(reg, done, arg);

	if (c == NULL)
		return NULL;
	c->node = gw_instance_owner(inst);
	c->updated_unix_ms = clock_unix_ms();
	return c;
}

/* ---- settings --------------------------------------------------------------- */

static void on_settings(int rc, void *arg)
{
	struct gw_change *c = arg;
	struct gw_instance *inst = c->node->inst;

	if (rc == 0)
		gw_instance_settings_changed(inst, c->settings, c->updated_unix_ms);
	gw_registry_change_done(c, rc, inst);
}

int gw_registry_instance_settings(struct gw_registry *reg, struct gw_instance *inst,
                                  const char *settings_json, gw_registry_done *done, void *arg)
{
	struct gw_change *c = change_of(reg, inst, done, arg);
	char *text = NULL;
	int rc = c == NULL ? -ENOMEM : gw_settings_normalise(settings_json, &text);

	if (rc == 0)
		rc = gw_settings_begin(inst, text, &c->settings);
	if (rc == 0)
		rc = gw_store_instance_settings(reg->gw->store, gw_instance_id(inst), text,
		                                c->updated_unix_ms, on_settings, c);
	free(text);
	if (rc < 0)
		gw_registry_change_free(c);
	return rc;
}

/* ---- proxy ------------------------------------------------------------------ */

static void on_proxy(int rc, void *arg)
{
	struct gw_change *c = arg;
	struct gw_instance *inst = c->node->inst;

	if (rc == 0)
		gw_instance_proxy_changed(inst, c->proxy, c->updated_unix_ms);
	if (rc == 0)
		c->proxy = NULL; /* taken */
	gw_registry_change_done(c, rc, inst);
}

int gw_registry_instance_proxy(struct gw_registry *reg, struct gw_instance *inst,
                               const struct gw_proxy *proxy, gw_registry_done *done, void *arg)
{
	struct gw_change *c = change_of(reg, inst, done, arg);
	char *text = NULL;
	int rc = -ENOMEM;

	if (c == NULL)
		return rc;
	c->proxy = secret_alloc(sizeof(*c->proxy));
	if (c->proxy != NULL) {
		*c->proxy = *proxy;
		rc = gw_proxy_encode(proxy, reg->key, gw_instance_id(inst), &text);
	}
	if (rc == 0)
		rc = gw_store_instance_proxy(reg->gw->store, gw_instance_id(inst), text,
		                             c->updated_unix_ms, on_proxy, c);
	free(text);
	if (rc < 0)
		gw_registry_change_free(c);
	return rc;
}

/* ---- hooks ------------------------------------------------------------------ */

#define PATCHES_MAX 64 /* of one instance under way at once */

static void on_hooks(int rc, void *arg)
{
	struct gw_change *c = arg;
	struct gw_instance *inst = c->node->inst;

	if (rc == 0)
		gw_instance_hooks_changed(inst, c->hooks, c->updated_unix_ms);
	gw_registry_change_done(c, rc, inst);
}

/* What would be, once everything that is under way is done. */
static int hooks_allowed(const struct gw_registry *reg, const struct gw_instance *inst,
                         const json_t *patch)
{
	const json_t *patches[PATCHES_MAX];
	size_t n = 0, labels_n, enabled_n;
	struct gw_change *c;

	for (c = TAILQ_FIRST(&reg->changes); c != NULL; c = TAILQ_NEXT(c, link)) {
		if (c->hooks == NULL || c->node != gw_instance_owner(inst))
			continue;
		if (n == PATCHES_MAX - 1)
			return -ENOMEM;
		patches[n++] = c->hooks;
	}
	patches[n++] = patch;
	gw_hook_config_count(gw_instance_hooks(inst), patches, n, &labels_n, &enabled_n);
	if (enabled_n > GW_WEBHOOKS_ENABLED_MAX)
		return -EDQUOT;
	return labels_n > GW_WEBHOOKS_MAX ? -E2BIG : 0;
}

static int store_hooks(struct gw_change *c, struct gw_instance *inst)
{
	char *text = NULL;
	int rc = gw_hook_patch_seal(c->hooks, c->reg->key, gw_instance_id(inst), &text);

	if (rc == 0)
		rc = gw_store_instance_hooks(c->reg->gw->store, gw_instance_id(inst), text,
		                             c->updated_unix_ms, on_hooks, c);
	free(text);
	return rc;
}

/* Where it begins is on disk; only now the webhook is made. */
static void on_prepared(int rc, void *arg)
{
	struct gw_change *c = arg;
	struct gw_node *n = c->node;

	if (rc == 0 && (n == NULL || n->life != GW_LIFE_LIVE))
		rc = WA_EDELETED;
	if (rc == 0)
		rc = store_hooks(c, n->inst);
	if (rc < 0)
		gw_registry_change_done(c, rc, NULL);
}

/* A label that there is not yet; NULL: the patch makes none. A patch makes one at most. */
static const char *made_label(const struct gw_instance *inst, const json_t *patch)
{
	const char *label;
	json_t *o;

	json_object_foreach(json_object_get(patch, "webhooks"), label, o)
	{
		if (!json_is_null(o) && gw_webhook_find(gw_instance_hooks(inst), label) == NULL)
			return label;
	}
	return NULL;
}

int gw_registry_instance_hooks(struct gw_registry *reg, struct gw_instance *inst, json_t *patch,
                               gw_registry_done *done, void *arg)
{
	const char *label = made_label(inst, patch);
	int rc = hooks_allowed(reg, inst, patch);
	struct gw_change *c;

	if (rc < 0)
		return rc;
	c = change_of(reg, inst, done, arg);
	if (c == NULL)
		return -ENOMEM;
	c->hooks = json_incref(patch);
	if (label != NULL && reg->gw->hooks != NULL)
		rc = gw_hooks_prepare(reg->gw->hooks, inst, label, on_prepared, c);
	else
		rc = store_hooks(c, inst);
	if (rc < 0)
		gw_registry_change_free(c);
	return rc;
}

/* ---- token ------------------------------------------------------------------ */

static void on_rotated(int rc, void *arg)
{
	struct gw_change *c = arg;
	struct gw_instance *inst = c->node->inst;

	if (rc == 0) {
		gw_registry_token_swap(c->reg, &c->node->token, c->token);
		gw_instance_updated(inst, c->updated_unix_ms);
		LOG(gw_instance_log(inst), LOG_NOTICE, "instance_token_rotated");
	} else {
		gw_registry_token_del(c->reg, c->token);
	}
	gw_registry_change_done(c, rc, inst);
}

int gw_registry_instance_rotate(struct gw_registry *reg, struct gw_instance *inst,
                                const uint8_t *token_hash, gw_registry_done *done, void *arg)
{
	struct gw_change *c;
	struct gw_token *t;
	int rc = gw_registry_token_add(reg, token_hash, &t);

	if (rc < 0)
		return rc;
	t->node = gw_instance_owner(inst);
	rc = -ENOMEM;
	c = change_of(reg, inst, done, arg);
	if (c != NULL) {
		c->token = t;
		rc = gw_store_instance_token(reg->gw->store, gw_instance_id(inst), token_hash,
		                             c->updated_unix_ms, on_rotated, c);
	}
	if (rc < 0) {
		gw_registry_change_free(c);
		gw_registry_token_del(reg, t);
	}
	return rc;
}

/* ---- link ------------------------------------------------------------------- */

static void save(struct gw_registry *reg, struct gw_node *n);

static void on_saved(int rc, void *arg)
{
	struct gw_change *c = arg;
	struct gw_registry *reg = c->reg;
	struct gw_node *n = c->node;
	bool again;

	gw_registry_change_free(c);
	if (n == NULL)
		return; /* deleted meanwhile */
	again = n->dirty && n->life == GW_LIFE_LIVE;
	n->saving = false;
	n->dirty = n->dirty || rc < 0;
	if (again)
		save(reg, n);
	else if (gw_registry_instance_is_saved(n->inst))
		gw_instance_saved(n->inst);
}

static void save(struct gw_registry *reg, struct gw_node *n)
{
	struct gw_change *c = gw_registry_change_new(reg, NULL, NULL);
	const struct gw_device *link = gw_instance_link(n->inst);
	int64_t now = clock_unix_ms();
	int rc = -ENOMEM;

	gw_instance_updated(n->inst, now); /* the time that is stored is the time that is shown */
	if (c != NULL) {
		c->node = n;
		rc = gw_store_instance_link(reg->gw->store, gw_instance_id(n->inst), link, now,
		                            on_saved, c);
	}
	n->saving = rc == 0;
	n->dirty = rc < 0;
	if (rc < 0) {
		gw_registry_change_free(c);
		LOG(gw_instance_log(n->inst), LOG_ERR, "link_not_saved", LF_ERR("err", rc));
	}
}

bool gw_registry_instance_is_saved(const struct gw_instance *inst)
{
	const struct gw_node *n = gw_instance_owner(inst);

	return n->life != GW_LIFE_LIVE || (!n->saving && !n->dirty);
}

/* The disk is well again: what could not be written before is written now. */
void gw_registry_save_again(void *arg)
{
	struct gw_registry *reg = arg;
	struct gw_node *n;

	for (n = TAILQ_FIRST(&reg->instances); n != NULL; n = TAILQ_NEXT(n, in_all))
		if (n->dirty && !n->saving && n->life == GW_LIFE_LIVE)
			save(reg, n);
}

void gw_registry_instance_save(struct gw_registry *reg, struct gw_instance *inst)
{
	struct gw_node *n = gw_instance_owner(inst);

	if (n->saving)
		n->dirty = true;
	else
		save(reg, n);
}
