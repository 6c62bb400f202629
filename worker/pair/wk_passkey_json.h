/*
 * worker/pair/wk_passkey_json.h - WebAuthn JSON: what is asked, and what a browser answers
 *
 * The answer comes from a client of the gateway; only the members that WhatsApp knows are passed
 * on. Source: protocol notes 03 section 8.2.
 */
#ifndef WK_PASSKEY_JSON_H
#define WK_PASSKEY_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define WK_CREDENTIAL_ID_MAX 1023 /* WebAuthn level 2, 5.8.3 */
#define WK_CREDENTIAL_MAX 32768   /* bytes of the answer */

/* PublicKeyCredentialRequestOptions: a JSON object? */
bool wk_passkey_options_valid(const char *json, size_t json_len);

struct wk_credential {
	uint8_t id[WK_CREDENTIAL_ID_MAX]; /* raw */
	size_t id_len;
	char *assertion; /* JSON with id, rawId, type and response; owned */
};

/*
 * A PublicKeyCredential as its toJSON() gives it.
 * 0; WA_ELIMIT (too long); WA_EPROTO, *why_out says what is missing or wrong, static text;
 * -ENOMEM. On failure out is empty.
 */
ATTR_NODISCARD int wk_credential_read(const char *json, struct wk_credential *out,
                                      const char **why_out);
/* Wipes and releases. */
void wk_credential_clear(struct wk_credential *c);

#endif
