/* gateway/webhook/gw_hook_body.h - what a body says of a webhook or of the WebSocket, as a patch of
 * gw_hook_config.h */
#ifndef GW_HOOK_BODY_H
#define GW_HOOK_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "gateway/webhook/gw_hook_config.h"

/* What is wanted of one webhook. */
struct gw_hook_wish {
	char label[GW_WEBHOOK_LABEL_MAX + 1];
	char secret[GW_WEBHOOK_SECRET_CAP]; /* a new one, to be shown once; "": none was made */
	size_t n;                           /* keys that were there */
};

struct gw_hook_body {
	const json_t *body;
	bool flat; /* the keys are those of POST /api/instance/new: webhookEnabled and so on */
	bool allow_private; /* setting webhook_allow_private */
	const struct gw_hook_config *now;
};

bool gw_webhook_label_valid(const char *label);

/*
 * Add what the body says of a webhook, or of the WebSocket, to patch (an object). wish is the
 * caller's to wipe. 0 (wish->n, *n_out 0: the body says nothing of it); -EINVAL with why_out set
 * (GW_BODY_WHY_CAP bytes); -ENOMEM, WA_ECRYPTO.
 */
ATTR_NODISCARD int gw_hook_body_webhook(const struct gw_hook_body *in, json_t *patch,
                                        struct gw_hook_wish *wish, char *why_out);
ATTR_NODISCARD int gw_hook_body_websocket(const struct gw_hook_body *in, json_t *patch,
                                          size_t *n_out, char *why_out);

#endif
