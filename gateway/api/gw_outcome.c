/* gateway/api/gw_outcome.c - what came of an attempt, as the contract's bodies and statuses */
#include "gateway/api/gw_outcome.h"

#include <errno.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/err.h"
#include "gateway/api/gw_qr.h"
#include "gateway/gw.h"
#include "gateway/http/gw_auth.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_invite.h"

#define MESSAGE_CAP 96

json_t *gw_outcome_code(struct gw_code *code)
{
	uint64_t now = clock_ms();
	json_int_t left_s =
	    code->expires_at_ms > now ? (json_int_t)(code->expires_at_ms - now) / 1000 : 0;
	char expires_at[RFC3339_CAP];
	const char *png;

	clock_rfc3339(code->expires_unix_ms, expires_at);
	if (code->pairing)
		return json_pack("{s:b, s:s, s:s, s:s, s:I, s:s}", "success", 1, "message",
		                 "Pairing code generated", "pairingCode", code->text, "status",
		                 "pairing", "expiresIn", left_s, "expiresAt", expires_at);
	png = gw_qr_data_url(code);
	if (png == NULL)
		return NULL;
	return json_pack("{s:b, s:s, s:s, s:s, s:s, s:I, s:s}", "success", 1, "message",
	                 "QR code generated", "qrCode", code->text, "qrCodeBase64", png, "status",
	                 "qr", "expiresIn", left_s, "expiresAt", expires_at);
}

/* Whoever asks has a token: not only a one-time link. */
static bool is_of_account(const struct gw_req *req)
{
	return gw_req_auth(req)->kind != GW_TOKEN_INVITE;
}

json_t *gw_outcome_connected(const struct gw_req *req, const struct gw_instance *inst)
{
	return json_pack("{s:b, s:s, s:s, s:s*}", "success", 1, "message",
	                 "Instance already connected", "status", "connected", "numberJid",
	                 is_of_account(req) ? gw_instance_number_jid(inst) : NULL);
}

bool gw_outcome_passkey_waits(const struct gw_passkey *passkey)
{
	switch (passkey->status) {
	case GW_PASSKEY_REQUIRED:
		return true;
	case GW_PASSKEY_CONFIRM:
		return passkey->code[0] != '\0'; /* none yet: the phone's part comes first */
	case GW_PASSKEY_NONE:
	case GW_PASSKEY_DONE:
		return false;
	}
	return false;
}

json_t *gw_outcome_passkey(const struct gw_passkey *passkey)
{
	bool confirm = passkey->status == GW_PASSKEY_CONFIRM;

	return json_pack("{s:b, s:s, s:s, s:{s:s, s:O?, s:s?}}", "success", 1, "message",
	                 confirm ? "Passkey confirmation required" : "Passkey required", "status",
	                 "passkey", "passkey", "status", gw_passkey_status_name(passkey->status),
	                 "publicKey", passkey->public_key, "confirmationCode",
	                 passkey->code[0] != '\0' ? passkey->code : NULL);
}

/* ---- failures -------------------------------------------------------------------------------- */

struct verdict {
	int status;
	char message[MESSAGE_CAP];
	char code[GW_REASON_CODE_CAP];
	uint32_t retry_after_s; /* 0: the answer does not say */
};

static void judge_as(enum gw_error error, struct verdict *v)
{
	v->status = gw_error_status(error);
	snprintf(v->message, sizeof(v->message), "%s", gw_error_message(error));
	snprintf(v->code, sizeof(v->code), "%s", gw_error_code(error));
}

/* 500, by the contract's one list of words. */
static void judge_failure(enum gw_outcome_of what, const struct gw_reason *reason,
                          struct verdict *v)
{
	v->status = 500;
	if (wa_err_is_outcome(reason->rc))
		gw_reason_code(reason, v->code);
	else /* none of the contract's words: the worker broke its promise */
		snprintf(v->code, sizeof(v->code), "%s", wa_err_name(WA_EWORKER_CRASHED));
	switch (what) {
	case GW_OUTCOME_CONNECT:
		snprintf(v->message, sizeof(v->message), "Failed to generate QR code");
		break;
	case GW_OUTCOME_RECONNECT:
		snprintf(v->message, sizeof(v->message), "Failed to reconnect: %s", v->code);
		break;
	case GW_OUTCOME_LOGOUT:
		snprintf(v->message, sizeof(v->message), "Failed to logout instance");
		break;
	}
}

/* The one place that turns how an attempt ended into HTTP. */
static void judge(enum gw_outcome_of what, const struct gw_reason *reason, struct verdict *v)
{
	*v = (struct verdict){ 0 };
	switch (reason->rc) {
	case WA_ERATE_LIMITED:
		judge_as(GW_ERR_RATE_LIMITED, v);
		v->retry_after_s = reason->retry_after_s > 0 ? reason->retry_after_s : 1;
		break;
	case WA_ETHROTTLED:
		judge_as(GW_ERR_THROTTLED, v);
		v->retry_after_s =
		    reason->retry_after_s > 0 ? reason->retry_after_s : GW_OUTCOME_THROTTLED_S;
		break;
	case WA_ENOT_IMPLEMENTED:
		judge_as(GW_ERR_NOT_IMPLEMENTED, v);
		break;
	case WA_ESHUTTING_DOWN:
		judge_as(GW_ERR_SHUTTING_DOWN, v);
		break;
	case WA_EAT_CAPACITY:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		judge_as(GW_ERR_AT_CAPACITY, v);
		break;
	default:
		judge_failure(what, reason, v);
		break;
	}
}

json_t *gw_outcome_failed(const struct gw_req *req, const struct gw_reason *reason)
{
	struct verdict v;

	judge(GW_OUTCOME_CONNECT, reason, &v);
	return gw_error_json(v.message, v.code, is_of_account(req) ? reason->detail : NULL);
}

bool gw_outcome_link_over(const struct gw_req *req)
{
	const struct gw_invite_terms *terms;

	return !is_of_account(req) &&
	       gw_registry_invite_find(gw_req_gw(req)->registry, gw_req_auth(req)->hash,
	                               clock_unix_ms(), &terms) == NULL;
}

json_t *gw_outcome_link_over_json(void)
{
	return gw_error_json(gw_error_message(GW_ERR_LINK_OVER), gw_error_code(GW_ERR_LINK_OVER),
	                     NULL);
}

void gw_outcome_fail(struct gw_req *req, enum gw_outcome_of what, const struct gw_reason *reason)
{
	struct verdict v;

	judge(what, reason, &v);
	if (v.retry_after_s > 0)
		gw_req_add_header(req, "Retry-After", "%u", v.retry_after_s);
	gw_req_fail_with(req, v.status, v.message, v.code,
	                 is_of_account(req) ? reason->detail : NULL);
}
