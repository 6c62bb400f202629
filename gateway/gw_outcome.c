/* gateway/gw_outcome.c - what a link attempt comes to, as the contract's bodies and statuses */
#include "gateway/gw_outcome.h"

#include <errno.h>

#include "common/clock.h"
#include "common/err.h"
#include "gateway/gw_instance.h"
#include "gateway/gw_qr.h"
#include "gateway/gw_req.h"

json_t *gw_outcome_qr(struct gw_code *code)
{
	uint64_t now = clock_ms();
	json_int_t left_s =
	    code->expires_at_ms > now ? (json_int_t)(code->expires_at_ms - now) / 1000 : 0;
	const char *png = gw_qr_data_url(code);
	char expires_at[RFC3339_CAP];

	if (png == NULL)
		return NULL;
	clock_rfc3339(code->expires_unix_ms, expires_at);
	return json_pack("{s:b, s:s, s:s, s:s, s:s, s:I, s:s}", "success", 1, "message",
	                 "QR code generated", "qrCode", code->text, "qrCodeBase64", png, "status",
	                 "qr", "expiresIn", left_s, "expiresAt", expires_at);
}

json_t *gw_outcome_connected(const struct gw_instance *inst)
{
	json_t *shown = gw_instance_json(inst);
	json_t *answer = json_pack("{s:b, s:s, s:s, s:O*}", "success", 1, "message",
	                           "Instance already connected", "status", "connected", "numberJid",
	                           json_object_get(shown, "numberJid"));

	json_decref(shown);
	return answer;
}

struct verdict {
	int status;
	const char *message;
	const char *code;
};

/*
 * The one place that turns how an attempt ended into HTTP.
 * code_out: holds GW_REASON_CODE_CAP bytes; the verdict may point to it
 */
static struct verdict judge(const struct gw_reason *reason, char *code_out)
{
	switch (reason->rc) {
	case WA_ESHUTTING_DOWN:
		return (struct verdict){ 503, gw_error_message(GW_ERR_SHUTTING_DOWN),
			                 gw_error_code(GW_ERR_SHUTTING_DOWN) };
	case WA_EAT_CAPACITY:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		return (struct verdict){ 503, gw_error_message(GW_ERR_AT_CAPACITY),
			                 gw_error_code(GW_ERR_AT_CAPACITY) };
	case WA_ENOT_IMPLEMENTED:
		return (struct verdict){ 501, gw_error_message(GW_ERR_NOT_IMPLEMENTED),
			                 gw_error_code(GW_ERR_NOT_IMPLEMENTED) };
	default:
		break;
	}
	/* None of the contract's words: the worker broke its promise. */
	if (!wa_err_is_outcome(reason->rc))
		return (struct verdict){ 500, "Failed to generate QR code",
			                 wa_err_name(WA_EWORKER_CRASHED) };
	gw_reason_code(reason, code_out);
	return (struct verdict){ 500, "Failed to generate QR code", code_out };
}

json_t *gw_outcome_failed(const struct gw_reason *reason)
{
	char code[GW_REASON_CODE_CAP];
	struct verdict v = judge(reason, code);

	return gw_error_json(v.message, v.code, reason->detail);
}

void gw_outcome_fail(struct gw_req *req, const struct gw_reason *reason)
{
	char code[GW_REASON_CODE_CAP];
	struct verdict v = judge(reason, code);

	gw_req_fail_with(req, v.status, v.message, v.code, reason->detail);
}
