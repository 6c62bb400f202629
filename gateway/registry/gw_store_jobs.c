/* gateway/registry/gw_store_jobs.c - what may be asked of the store, as jobs for its thread */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/registry/gw_store.h"
#include "gateway/registry/gw_store_priv.h"

int gw_store_account_put(struct gw_store *st, const struct gw_account_row *row, gw_store_done *done,
                         void *arg)
{
	struct gw_store_job *j = gw_store_job_new(GW_JOB_ACCOUNT_PUT, done, arg);

	if (j == NULL)
		return -ENOMEM;
	j->row.account = *row;
	return gw_store_job_give(st, j);
}

int gw_store_account_token(struct gw_store *st, const char *name, const uint8_t *token_hash,
                           gw_store_done *done, void *arg)
{
	struct gw_store_job *j = gw_store_job_new(GW_JOB_ACCOUNT_TOKEN, done, arg);

	if (j == NULL)
		return -ENOMEM;
	snprintf(j->row.account.name, sizeof(j->row.account.name), "%s", name);
	memcpy(j->row.account.token_hash, token_hash, GW_TOKEN_HASH_LEN);
	return gw_store_job_give(st, j);
}

int gw_store_account_quota(struct gw_store *st, const char *name, int64_t quota,
                           gw_store_done *done, void *arg)
{
	struct gw_store_job *j = gw_store_job_new(GW_JOB_ACCOUNT_QUOTA, done, arg);

	if (j == NULL)
		return -ENOMEM;
	snprintf(j->row.account.name, sizeof(j->row.account.name), "%s", name);
	j->row.account.quota = quota;
	return gw_store_job_give(st, j);
}

int gw_store_account_del(struct gw_store *st, const char *name, gw_store_done *done, void *arg)
{
	struct gw_store_job *j = gw_store_job_new(GW_JOB_ACCOUNT_DEL, done, arg);

	if (j == NULL)
		return -ENOMEM;
	snprintf(j->row.account.name, sizeof(j->row.account.name), "%s", name);
	return gw_store_job_give(st, j);
}

int gw_store_invite_put(struct gw_store *st, const struct gw_invite_row *row, gw_store_done *done,
                        void *arg)
{
	struct gw_store_job *j = gw_store_job_new(GW_JOB_INVITE_PUT, done, arg);

	if (j == NULL)
		return -ENOMEM;
	j->row.invite = *row;
	return gw_store_job_give(st, j);
}

/* *out is a copy of text, NULL for NULL. False without memory. */
static bool copy_text(const char *text, const char **out)
{
	*out = text != NULL ? strdup(text) : NULL;
	return text == NULL || *out != NULL;
}

/* A job on an instance. settings, proxy, hooks: copied; NULL: none. */
static int instance_job(struct gw_store *st, enum gw_store_job_kind kind,
                        const struct gw_instance_row *row, gw_store_done *done, void *arg)
{
	struct gw_store_job *j = gw_store_job_new(kind, done, arg);
	bool copied;

	if (j == NULL)
		return -ENOMEM;
	j->row.instance = *row;
	copied = copy_text(row->settings, &j->row.instance.settings);
	copied = copy_text(row->proxy, &j->row.instance.proxy) && copied;
	copied = copy_text(row->hooks, &j->row.instance.hooks) && copied;
	if (!copied) {
		gw_store_job_free(j);
		return -ENOMEM;
	}
	return gw_store_job_give(st, j);
}

static struct gw_instance_row row_of(const char *id, int64_t updated_unix_ms)
{
	struct gw_instance_row row = { .updated_unix_ms = updated_unix_ms };

	snprintf(row.id, sizeof(row.id), "%s", id);
	return row;
}

int gw_store_instance_add(struct gw_store *st, const struct gw_instance_row *row,
                          gw_store_done *done, void *arg)
{
	struct gw_instance_row full = *row;

	if (full.settings == NULL)
		full.settings = "{}";
	if (full.proxy == NULL)
		full.proxy = "{}";
	if (full.hooks == NULL)
		full.hooks = "{}";
	return instance_job(st, GW_JOB_INSTANCE_ADD, &full, done, arg);
}

int gw_store_instance_token(struct gw_store *st, const char *id, const uint8_t *token_hash,
                            int64_t updated_unix_ms, gw_store_done *done, void *arg)
{
	struct gw_instance_row row = row_of(id, updated_unix_ms);

	memcpy(row.token_hash, token_hash, sizeof(row.token_hash));
	return instance_job(st, GW_JOB_INSTANCE_TOKEN, &row, done, arg);
}

int gw_store_instance_settings(struct gw_store *st, const char *id, const char *settings,
                               int64_t updated_unix_ms, gw_store_done *done, void *arg)
{
	struct gw_instance_row row = row_of(id, updated_unix_ms);

	row.settings = settings;
	return instance_job(st, GW_JOB_INSTANCE_SETTINGS, &row, done, arg);
}

int gw_store_instance_proxy(struct gw_store *st, const char *id, const char *proxy,
                            int64_t updated_unix_ms, gw_store_done *done, void *arg)
{
	struct gw_instance_row row = row_of(id, updated_unix_ms);

	row.proxy = proxy;
	return instance_job(st, GW_JOB_INSTANCE_PROXY, &row, done, arg);
}

int gw_store_instance_hooks(struct gw_store *st, const char *id, const char *hooks,
                            int64_t updated_unix_ms, gw_store_done *done, void *arg)
{
	struct gw_instance_row row = row_of(id, updated_unix_ms);

	row.hooks = hooks;
	return instance_job(st, GW_JOB_INSTANCE_HOOKS, &row, done, arg);
}

int gw_store_instance_link(struct gw_store *st, const char *id, const struct gw_device *link,
                           int64_t updated_unix_ms, gw_store_done *done, void *arg)
{
	struct gw_instance_row row = row_of(id, updated_unix_ms);

	row.link = *link;
	return instance_job(st, GW_JOB_INSTANCE_LINK, &row, done, arg);
}

int gw_store_instance_del(struct gw_store *st, const char *id, gw_store_done *done, void *arg)
{
	const struct gw_instance_row row = row_of(id, 0);

	return instance_job(st, GW_JOB_INSTANCE_DEL, &row, done, arg);
}
