/* gateway/registry/gw_registry_invite.c - one-time links: made, found, used up */
#include "gateway/registry/gw_invite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/registry/gw_registry_priv.h"

static struct gw_invite *invite_find(const struct gw_registry *reg, const uint8_t *hash)
{
	uint64_t h = gw_hash(reg->seed, hash, GW_TOKEN_HASH_LEN);
	struct gw_link *l = NULL;

	while ((l = gw_table_next(&reg->invites, h, l)) != NULL) {
		struct gw_invite *v = GW_LINK_OWNER(l, struct gw_invite, link);

		if (secret_eq(v->hash, hash, GW_TOKEN_HASH_LEN))
			return v;
	}
	return NULL;
}

/* In memory, not live. */
static int invite_add(struct gw_registry *reg, struct gw_node *n, const uint8_t *hash,
                      const struct gw_invite_terms *terms, struct gw_invite **v_out)
{
	struct gw_invite *v;

	if (invite_find(reg, hash) != NULL)
		return -EADDRINUSE;
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	memcpy(v->hash, hash, sizeof(v->hash));
	v->terms = *terms;
	v->node = n;
	if (gw_table_add(&reg->invites, &v->link, gw_hash(reg->seed, hash, sizeof(v->hash))) < 0) {
		free(v);
		return -ENOMEM;
	}
	*v_out = v;
	return 0;
}

void gw_registry_invite_del(struct gw_registry *reg, struct gw_invite *v)
{
	if (v == NULL)
		return;
	gw_table_del(&reg->invites, &v->link);
	free(v);
}

int gw_registry_invite_load(struct gw_registry *reg, struct gw_node *n,
                            const struct gw_invite_row *row)
{
	struct gw_invite *v;
	int rc = invite_add(reg, n, row->hash, &row->terms, &v);

	if (rc < 0)
		return rc;
	v->live = true;
	n->invite = v;
	return 0;
}

/* Whoever the one before let in goes. */
static void replace(struct gw_registry *reg, struct gw_node *n, struct gw_invite *v)
{
	struct gw_invite *before = n->invite;
	uint8_t ended[GW_TOKEN_HASH_LEN];

	n->invite = v;
	v->live = true;
	if (before == NULL)
		return;
	memcpy(ended, before->hash, sizeof(ended));
	gw_registry_invite_del(reg, before);
	if (reg->on_token_end != NULL)
		reg->on_token_end(ended, reg->on_token_end_arg);
}

static void on_invite_stored(int rc, void *arg)
{
	struct gw_change *c = arg;
	struct gw_instance *inst = c->node->inst;

	if (rc == 0)
		replace(c->reg, c->node, c->invite);
	else
		gw_registry_invite_del(c->reg, c->invite);
	c->invite = NULL;
	if (rc == 0)
		LOG(gw_instance_log(inst), LOG_NOTICE, "one_time_link_made");
	gw_registry_change_done(c, rc, inst);
}

int gw_registry_invite_create(struct gw_registry *reg, struct gw_instance *inst,
                              const uint8_t *hash, const struct gw_invite_terms *terms,
                              gw_registry_done *done, void *arg)
{
	struct gw_invite_row row = { .terms = *terms };
	struct gw_change *c = gw_registry_change_new(reg, done, arg);
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->node = gw_instance_owner(inst);
	snprintf(row.instance_id, sizeof(row.instance_id), "%s", gw_instance_id(inst));
	memcpy(row.hash, hash, sizeof(row.hash));
	rc = invite_add(reg, c->node, hash, terms, &c->invite);
	if (rc == 0)
		rc = gw_store_invite_put(reg->gw->store, &row, on_invite_stored, c);
	if (rc < 0) {
		gw_registry_invite_del(reg, c->invite);
		gw_registry_change_free(c);
	}
	return rc;
}

struct gw_instance *gw_registry_invite_find(struct gw_registry *reg, const uint8_t *hash,
                                            int64_t now_unix_ms,
                                            const struct gw_invite_terms **terms_out)
{
	struct gw_invite *v = invite_find(reg, hash);

	if (v == NULL || !v->live || v->node->life != GW_LIFE_LIVE ||
	    now_unix_ms >= v->terms.expires_unix_ms)
		return NULL;
	*terms_out = &v->terms;
	return v->node->inst;
}

void gw_registry_invite_used(struct gw_registry *reg, struct gw_instance *inst)
{
	struct gw_node *n = gw_instance_owner(inst);

	if (n == NULL || n->invite == NULL)
		return;
	LOG(gw_instance_log(inst), LOG_NOTICE, "one_time_link_used");
	gw_registry_invite_del(reg, n->invite);
	n->invite = NULL;
}
