/* gateway/http/gw_auth.c - whose token came with a request */
/*
 * OpenSSL 3 would have a digest looked up by name, with locks and memory of its own, for every
 * request. The functions of SHA-256 itself need neither and can't fail.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gateway/http/gw_auth.h"

#include <string.h>
#include <strings.h>

#include <openssl/sha.h>

#include "common/codec.h"
#include "common/secret.h"
#include "gateway/http/gw_gate.h"
#include "gateway/http/gw_query.h"
#include "gateway/instance/gw_instance.h"

#define TOKEN_RANDOM_LEN 32
#define TOKEN_MIN 16
#define TOKEN_MAX 128

void gw_token_hash(const char *token, size_t token_len, uint8_t hash_out[GW_TOKEN_HASH_LEN])
{
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, token, token_len);
	SHA256_Final(hash_out, &ctx);
	secret_wipe(&ctx, sizeof(ctx));
}

int gw_token_new(char *out)
{
	uint8_t raw[TOKEN_RANDOM_LEN];
	char text[B64_CAP(TOKEN_RANDOM_LEN)];
	int rc = secret_random(raw, sizeof(raw));

	if (rc < 0)
		return rc;
	b64_encode(raw, sizeof(raw), text);
	text[strcspn(text, "=")] = '\0';
	for (char *p = text; *p != '\0'; p++) {
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
	}
	memcpy(out, text, strlen(text) + 1);
	secret_wipe(raw, sizeof(raw));
	secret_wipe(text, sizeof(text));
	return 0;
}

bool gw_token_valid(const char *token)
{
	size_t len =
	    strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-");

	return token[len] == '\0' && len >= TOKEN_MIN && len <= TOKEN_MAX;
}

/* The credentials of "Authorization: Bearer T", or NULL for another scheme. */
static const char *bearer(const char *value)
{
	if (value == NULL || strncasecmp(value, "Bearer ", 7) != 0)
		return NULL;
	return value + 7 + strspn(value + 7, " ");
}

static void look_up(struct gw_registry *reg, const char *token, struct gw_auth *auth)
{
	gw_token_hash(token, strlen(token), auth->hash);
	auth->account = gw_registry_account_by_token(reg, auth->hash);
	if (auth->account != NULL) {
		auth->kind = GW_TOKEN_ACCOUNT;
		return;
	}
	auth->instance = gw_registry_instance_by_token(reg, auth->hash);
	if (auth->instance != NULL) {
		auth->account = gw_instance_account(auth->instance);
		auth->kind = GW_TOKEN_INSTANCE;
	}
}

void gw_auth_request(struct gw_registry *reg, const struct gw_gate *head, bool query_too,
                     struct gw_auth *auth_out)
{
	char from_query[TOKEN_MAX + 1] = "";
	const char *token = gw_gate_value(head, GW_FIELD_TOKEN);

	memset(auth_out, 0, sizeof(*auth_out));
	if (token == NULL || *token == '\0')
		token = bearer(gw_gate_value(head, GW_FIELD_AUTHORIZATION));
	if ((token == NULL || *token == '\0') && query_too &&
	    gw_query_param(gw_gate_target(head), "token", from_query, sizeof(from_query)) == 1)
		token = from_query;
	if (token != NULL && *token != '\0')
		look_up(reg, token, auth_out);
	secret_wipe(from_query, sizeof(from_query));
}
