/* gateway/api/gw_api_admin.c - accounts, over the admin socket only */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_registry.h"

/* ---- reading --------------------------------------------------------------------------------- */

static json_t *quota_json(int64_t quota)
{
	return quota == GW_QUOTA_NONE ? json_null() : json_integer(quota);
}

static json_t *account_json(const struct gw_account *acc)
{
	char created[RFC3339_CAP];

	clock_rfc3339(acc->created_unix_ms, created);
	return json_pack("{s:s, s:o, s:I, s:s}", "name", acc->name, "quota", quota_json(acc->quota),
	                 "instances", (json_int_t)acc->instances_n, "createdAt", created);
}

void gw_api_admin_accounts(struct gw_req *req)
{
	struct gw_account *acc = NULL;
	json_t *all = json_array();

	while (all != NULL &&
	       (acc = gw_registry_next_account(gw_req_gw(req)->registry, acc)) != NULL) {
		if (json_array_append_new(all, account_json(acc)) < 0) {
			json_decref(all);
			all = NULL;
		}
	}
	gw_req_reply(req, 200, json_pack("{s:b, s:o}", "success", 1, "accounts", all));
}

/* ---- changing -------------------------------------------------------------------------------- */

/* One change under way, with what its answer needs. */
struct change {
	struct gw_req *req;
	int status;
	int64_t quota;
	char name[GW_NAME_MAX + 1];
	char token[GW_TOKEN_TEXT_CAP];
	uint8_t hash[GW_TOKEN_HASH_LEN];
};

static void change_free(struct change *c)
{
	if (c == NULL)
		return;
	secret_wipe(c->token, sizeof(c->token));
	free(c);
}

/* With a new token. 0, -ENOMEM or WA_ECRYPTO. */
static int change_new(struct gw_req *req, int status, const char *name, int64_t quota,
                      struct change **c_out)
{
	struct change *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	rc = gw_token_new(c->token);
	if (rc < 0) {
		change_free(c);
		return rc;
	}
	c->req = req;
	c->status = status;
	c->quota = quota;
	strncpy(c->name, name, GW_NAME_MAX);
	gw_token_hash(c->token, strlen(c->token), c->hash);
	*c_out = c;
	return 0;
}

static void fail(struct gw_req *req, int rc)
{
	switch (rc) {
	case -EEXIST:
		gw_req_fail(req, GW_ERR_ACCOUNT_EXISTS, NULL);
		break;
	case -ENOTEMPTY:
		gw_req_fail(req, GW_ERR_ACCOUNT_NOT_EMPTY, "delete its instances first");
		break;
	case -EINVAL:
		gw_req_fail(req, GW_ERR_BODY, "a name has 1 to 100 characters of A-Z a-z 0-9 _ -");
		break;
	case -ENOMEM:
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		break;
	default:
		gw_req_fail(req, GW_ERR_STORAGE, NULL);
		break;
	}
}

static void on_token_stored(int rc, struct gw_instance *inst, void *arg)
{
	struct change *c = arg;

	(void)inst;
	if (rc < 0)
		fail(c->req, rc);
	else
		gw_req_reply(c->req, c->status,
		             json_pack("{s:b, s:{s:s, s:o}, s:s}", "success", 1, "account", "name",
		                       c->name, "quota", quota_json(c->quota), "token", c->token));
	change_free(c);
}

/* 0, or -EINVAL. null: no limit. */
static int read_quota(const json_t *quota, int64_t *quota_out)
{
	if (json_is_null(quota)) {
		*quota_out = GW_QUOTA_NONE;
		return 0;
	}
	if (!json_is_integer(quota) || json_integer_value(quota) < 0)
		return -EINVAL;
	*quota_out = json_integer_value(quota);
	return 0;
}

/* Name and quota of a new account. 0, or -EINVAL. */
static int read_account(const json_t *body, const char **name_out, int64_t *quota_out)
{
	const json_t *name = json_object_get(body, "name"), *quota = json_object_get(body, "quota");

	*quota_out = GW_QUOTA_NONE;
	if (!json_is_string(name))
		return -EINVAL;
	*name_out = json_string_value(name);
	return quota == NULL ? 0 : read_quota(quota, quota_out);
}

void gw_api_admin_account_create(struct gw_req *req)
{
	struct change *c = NULL;
	json_t *body = NULL;
	const char *name = NULL;
	int64_t quota;
	int rc = gw_req_json(req, &body);

	if (rc == -EINVAL || (rc == 0 && read_account(body, &name, &quota) < 0)) {
		json_decref(body);
		gw_req_fail(req, GW_ERR_BODY, "name is a string, quota a whole number or null");
		return;
	}
	if (rc == 0)
		rc = change_new(req, 201, name, quota, &c);
	if (rc == 0)
		rc = gw_registry_account_create(gw_req_gw(req)->registry, name, quota, c->hash,
		                                on_token_stored, c);
	json_decref(body);
	if (rc < 0) {
		change_free(c);
		fail(req, rc);
	}
}

/* The account in the path; NULL: the request has been answered. */
static struct gw_account *find_account(struct gw_req *req)
{
	struct gw_account *acc =
	    gw_registry_account_by_name(gw_req_gw(req)->registry, gw_req_name(req));

	if (acc == NULL)
		gw_req_fail(req, GW_ERR_ACCOUNT_NOT_FOUND, NULL);
	return acc;
}

void gw_api_admin_account_rotate(struct gw_req *req)
{
	struct gw_account *acc = find_account(req);
	struct change *c = NULL;
	int rc;

	if (acc == NULL)
		return;
	rc = change_new(req, 200, acc->name, acc->quota, &c);
	if (rc == 0)
		rc = gw_registry_account_rotate(gw_req_gw(req)->registry, acc, c->hash,
		                                on_token_stored, c);
	if (rc < 0) {
		change_free(c);
		fail(req, rc);
	}
}

/* One change of an account's quota under way. */
struct quota_change {
	struct gw_req *req;
	int64_t quota;
	char name[GW_NAME_MAX + 1];
};

static void on_quota_stored(int rc, struct gw_instance *inst, void *arg)
{
	struct quota_change *c = arg;

	(void)inst;
	if (rc < 0)
		fail(c->req, rc);
	else
		gw_req_reply(c->req, 200,
		             json_pack("{s:b, s:{s:s, s:o}}", "success", 1, "account", "name",
		                       c->name, "quota", quota_json(c->quota)));
	free(c);
}

static void set_quota(struct gw_req *req, struct gw_account *acc, int64_t quota)
{
	struct quota_change *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	if (c != NULL) {
		c->req = req;
		c->quota = quota;
		memcpy(c->name, acc->name, sizeof(c->name));
		rc = gw_registry_account_quota(gw_req_gw(req)->registry, acc, quota,
		                               on_quota_stored, c);
	}
	if (rc < 0) {
		free(c);
		fail(req, rc);
	}
}

void gw_api_admin_account_quota(struct gw_req *req)
{
	struct gw_account *acc = find_account(req);
	json_t *body = NULL;
	int64_t quota = 0;
	int rc;

	if (acc == NULL)
		return;
	rc = gw_req_json(req, &body);
	if (rc == 0 && read_quota(json_object_get(body, "quota"), &quota) < 0)
		rc = -EINVAL;
	json_decref(body);
	if (rc == -EINVAL)
		gw_req_fail(req, GW_ERR_BODY, "quota is a whole number or null");
	else if (rc < 0)
		fail(req, rc);
	else
		set_quota(req, acc, quota);
}

static void on_account_deleted(int rc, struct gw_instance *inst, void *arg)
{
	struct gw_req *req = arg;

	(void)inst;
	if (rc < 0)
		fail(req, rc);
	else
		gw_req_reply(req, 200,
		             json_pack("{s:b, s:s}", "success", 1, "message", "Account deleted"));
}

void gw_api_admin_account_delete(struct gw_req *req)
{
	struct gw_account *acc = find_account(req);
	int rc;

	if (acc == NULL)
		return;
	rc = gw_registry_account_delete(gw_req_gw(req)->registry, acc, on_account_deleted, req);
	if (rc < 0)
		fail(req, rc);
}
