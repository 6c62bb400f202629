/* gateway/api/gw_api_settings.c - an instance's settings and proxy, read and changed
 * (contract 3.1, 3.2) */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdlib.h>

#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/http/gw_body.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_registry.h"

/* ---- settings -------------------------------------------------------------------------------- */

static void answer_settings(struct gw_req *req, const struct gw_instance *inst, const char *message)
{
	gw_req_reply(req, 200,
	             json_pack("{s:b, s:s, s:o}", "success", 1, "message", message, "settings",
	                       gw_instance_settings_json(inst)));
}

void gw_api_settings_get(struct gw_req *req)
{
	answer_settings(req, gw_req_auth(req)->instance, "Settings retrieved successfully");
}

static void on_settings_stored(int rc, struct gw_instance *inst, void *arg)
{
	if (rc < 0)
		gw_req_fail(arg, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_STORAGE, NULL);
	else
		answer_settings(arg, inst, "Settings updated successfully");
}

void gw_api_settings_set(struct gw_req *req)
{
	char why[GW_BODY_WHY_CAP], *text = NULL;
	json_t *body = gw_body_read(req);
	int rc;

	if (body == NULL)
		return;
	rc = gw_body_settings(body, &text, why);
	json_decref(body);
	if (rc == -EINVAL)
		gw_req_fail(req, GW_ERR_BODY, why);
	else if (rc == 0)
		gw_req_fail(req, GW_ERR_NO_SETTING, NULL);
	else if (rc < 0 ||
	         gw_registry_instance_settings(gw_req_gw(req)->registry, gw_req_auth(req)->instance,
	                                       text, on_settings_stored, req) < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	free(text);
}

/* ---- proxy ----------------------------------------------------------------------------------- */

/* Never with the password. */
static void answer_proxy(struct gw_req *req, const struct gw_instance *inst, const char *message)
{
	const struct gw_proxy *p = gw_instance_proxy(inst);

	gw_req_reply(req, 200,
	             json_pack("{s:b, s:s, s:{s:b, s:s, s:i, s:s, s:s}}", "success", 1, "message",
	                       message, "proxy", "enabled", p->enabled, "host", p->host, "port",
	                       (int)p->port, "protocol", gw_proxy_protocol_name(p->protocol),
	                       "username", p->username));
}

void gw_api_proxy_get(struct gw_req *req)
{
	answer_proxy(req, gw_req_auth(req)->instance, "Proxy configuration retrieved successfully");
}

static void on_proxy_stored(int rc, struct gw_instance *inst, void *arg)
{
	if (rc < 0)
		gw_req_fail(arg, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_STORAGE, NULL);
	else
		answer_proxy(arg, inst, "Proxy configuration updated");
}

void gw_api_proxy_set(struct gw_req *req)
{
	struct gw_instance *inst = gw_req_auth(req)->instance;
	struct gw_proxy proxy = *gw_instance_proxy(inst);
	char why[GW_BODY_WHY_CAP];
	json_t *body = gw_body_read(req);
	int rc;

	if (body == NULL)
		goto out;
	rc = gw_body_proxy(body, false, &proxy, why);
	json_decref(body);
	if (rc < 0)
		gw_req_fail(req, GW_ERR_BODY, why);
	else if (rc == 0) /* nothing was said of it: it stays as it is */
		answer_proxy(req, inst, "Proxy configuration updated");
	else if (gw_registry_instance_proxy(gw_req_gw(req)->registry, inst, &proxy, on_proxy_stored,
	                                    req) < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
out:
	secret_wipe(&proxy, sizeof(proxy));
}
