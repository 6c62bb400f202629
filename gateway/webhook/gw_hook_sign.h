/* gateway/webhook/gw_hook_sign.h - the signature of a webhook's request (Standard Webhooks 1.0, symmetric)
 */
#ifndef GW_HOOK_SIGN_H
#define GW_HOOK_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/codec.h"

#define GW_HOOK_SIGNATURE_CAP (3 + B64_CAP(32))

/*
 * "v1," and the base64 of HMAC-SHA256 over "id.unix_s.body". key: the secret without "whsec_",
 * decoded. out holds GW_HOOK_SIGNATURE_CAP bytes. 0 or WA_ECRYPTO.
 */
ATTR_NODISCARD int gw_hook_sign(const uint8_t *key, size_t key_len, const char *id, int64_t unix_s,
                                const void *body, size_t body_len, char *out);

#endif
