/* gateway/api/gw_api_session.c - reconnect, logout, the passkey step (contract 2.1, 2.2, 3) */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json_text.h"
#include "gateway/api/gw_outcome.h"
#include "gateway/http/gw_body.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"

/* ---- reconnect ------------------------------------------------------------------------------- */

void gw_api_reconnect(struct gw_req *req)
{
	int rc = gw_instance_reconnect(gw_req_auth(req)->instance, gw_req_id(req));
	const struct gw_reason reason = { .rc = rc };

	if (rc == WA_ENO_SESSION)
		gw_req_fail(req, GW_ERR_NO_SESSION, NULL);
	else if (rc < 0)
		gw_outcome_fail(req, GW_OUTCOME_RECONNECT, &reason);
	else
		gw_req_reply(req, 200,
		             json_pack("{s:b, s:s, s:s}", "success", 1, "message",
		                       "Reconnect initiated", "status",
		                       rc > 0 ? "connected" : "connecting"));
}

/* ---- logout ---------------------------------------------------------------------------------- */

/* One caller that waits for the end of a logout. Owned by its request. */
struct leaver {
	struct gw_req *req;
	struct gw_logout *logout;
};

/* The logout goes on. */
static void on_hangup(void *arg)
{
	struct leaver *l = arg;

	gw_logout_forget(l->logout);
	free(l);
}

static void on_logged_out(struct gw_instance *inst, const struct gw_reason *reason, void *arg)
{
	struct leaver *l = arg;
	struct gw_req *req = l->req;

	(void)inst;
	free(l);
	if (reason != NULL)
		gw_outcome_fail(req, GW_OUTCOME_LOGOUT, reason);
	else
		gw_req_reply(req, 200,
		             json_pack("{s:b, s:s, s:{s:s}}", "success", 1, "message",
		                       "Instance logged out", "instance", "status", "loggedout"));
}

void gw_api_logout(struct gw_req *req)
{
	struct gw_reason reason = { .rc = -ENOMEM };
	struct leaver *l = calloc(1, sizeof(*l));

	if (l != NULL) {
		l->req = req;
		reason.rc = gw_instance_logout(gw_req_auth(req)->instance, gw_req_id(req),
		                               on_logged_out, l, &l->logout);
	}
	if (reason.rc < 0) {
		free(l);
		gw_outcome_fail(req, GW_OUTCOME_LOGOUT, &reason);
		return;
	}
	gw_req_wait(req, false, on_hangup, l);
}

/* ---- the passkey step ------------------------------------------------------------------------ */

void gw_api_passkey_get(struct gw_req *req)
{
	const struct gw_passkey *p = gw_instance_passkey(gw_req_auth(req)->instance);

	gw_req_reply(req, 200,
	             json_pack("{s:b, s:s, s:O?, s:s?}", "success", 1, "status",
	                       gw_passkey_status_name(p->status), "publicKey", p->public_key,
	                       "confirmationCode", p->code[0] != '\0' ? p->code : NULL));
}

/* base64url without what is optional in it: RFC 4648 section 5. */
static bool is_base64url(const json_t *v)
{
	const char *text = json_string_value(v);
	size_t len = text == NULL
	                 ? 0
	                 : strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                                "0123456789-_");

	return len > 0 && text[len + strspn(text + len, "=")] == '\0';
}

/* What a PublicKeyCredential's toJSON() gives for an assertion: the first key that is not so. */
static const char *wrong_in_credential(const json_t *body)
{
	static const char *const parts[] = { "clientDataJSON", "authenticatorData", "signature" };
	const json_t *response = json_object_get(body, "response"), *handle;
	const char *type = json_string_value(json_object_get(body, "type"));

	if (!is_base64url(json_object_get(body, "id")))
		return "id has to be a base64url string";
	if (!is_base64url(json_object_get(body, "rawId")))
		return "rawId has to be a base64url string";
	if (type == NULL || strcmp(type, "public-key") != 0)
		return "type has to be public-key";
	if (!json_is_object(response))
		return "response has to be an object";
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!is_base64url(json_object_get(response, parts[i])))
			return "response needs clientDataJSON, authenticatorData and signature, "
			       "base64url strings";
	}
	handle = json_object_get(response, "userHandle");
	if (handle != NULL && !json_is_null(handle) && !json_is_string(handle))
		return "response.userHandle has to be a string";
	return NULL;
}

static void answer_passkey(struct gw_req *req, int rc, const char *message)
{
	const struct gw_passkey *p = gw_instance_passkey(gw_req_auth(req)->instance);

	if (rc == WA_ESTATE)
		gw_req_fail(req, GW_ERR_NO_PASSKEY, NULL);
	else if (rc == WA_ELIMIT)
		gw_req_fail(req, GW_ERR_BODY, "the credential is too long");
	else if (rc < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	else
		gw_req_reply(req, 200,
		             json_pack("{s:b, s:s, s:s}", "success", 1, "message", message,
		                       "status", gw_passkey_status_name(p->status)));
}

/* Out of turn is said before what is wrong with an answer that nobody waits for. */
void gw_api_passkey_answer(struct gw_req *req)
{
	struct gw_instance *inst = gw_req_auth(req)->instance;
	json_t *body = gw_body_read(req);
	const char *wrong;
	char *text;

	if (body == NULL)
		return;
	wrong = wrong_in_credential(body);
	if (gw_instance_passkey(inst)->status != GW_PASSKEY_REQUIRED) {
		gw_req_fail(req, GW_ERR_NO_PASSKEY, NULL);
	} else if (wrong != NULL) {
		gw_req_fail(req, GW_ERR_BODY, wrong);
	} else {
		text = json_text(body);
		answer_passkey(
		    req,
		    text == NULL ? -ENOMEM : gw_instance_passkey_answer(inst, text, gw_req_id(req)),
		    "Passkey accepted");
		free(text);
	}
	json_decref(body);
}

void gw_api_passkey_confirm(struct gw_req *req)
{
	answer_passkey(req, gw_instance_passkey_confirm(gw_req_auth(req)->instance, gw_req_id(req)),
	               "Passkey confirmed");
}
