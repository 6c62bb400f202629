/* gateway/webhook/gw_hook_sign.c - the signature of a webhook's request */
#include "gateway/webhook/gw_hook_sign.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"

#define HMAC_LEN 32

int gw_hook_sign(const uint8_t *key, size_t key_len, const char *id, int64_t unix_s,
                 const void *body, size_t body_len, char *out)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	uint8_t tag[HMAC_LEN];
	size_t tag_len = 0;
	char middle[32];
	int n = snprintf(middle, sizeof(middle), ".%" PRId64 ".", unix_s);
	int rc = WA_ECRYPTO;

	if (ctx != NULL && EVP_MAC_init(ctx, key, key_len, params) == 1 &&
	    EVP_MAC_update(ctx, (const uint8_t *)id, strlen(id)) == 1 &&
	    EVP_MAC_update(ctx, (const uint8_t *)middle, (size_t)n) == 1 &&
	    EVP_MAC_update(ctx, body, body_len) == 1 &&
	    EVP_MAC_final(ctx, tag, &tag_len, sizeof(tag)) == 1 && tag_len == sizeof(tag)) {
		memcpy(out, "v1,", 3);
		b64_encode(tag, sizeof(tag), out + 3);
		rc = 0;
	}
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return rc;
}
