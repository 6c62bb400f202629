/* gateway/http/gw_auth.h - whose token came with a request */
#ifndef GW_AUTH_H
#define GW_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "gateway/registry/gw_registry.h"

struct gw_gate;

#define GW_TOKEN_TEXT_CAP 44 /* 32 random bytes in base64url, with NUL */

enum gw_token_kind {
	GW_TOKEN_NONE, /* none, or one that nobody has */
	GW_TOKEN_ACCOUNT,
	GW_TOKEN_INSTANCE,
	GW_TOKEN_INVITE, /* no token: a one-time link, set by its own routes alone */
};

struct gw_auth {
	enum gw_token_kind kind;
	uint8_t hash[GW_TOKEN_HASH_LEN]; /* of the token; unset for NONE */
	struct gw_account *account;      /* of either kind; NULL for NONE */
	struct gw_instance *instance;    /* INSTANCE and INVITE only */
};

/* SHA-256. */
void gw_token_hash(const char *token, size_t token_len, uint8_t hash_out[GW_TOKEN_HASH_LEN]);

/*
 * A new token from 32 random bytes. out holds GW_TOKEN_TEXT_CAP bytes; its owner wipes it.
 * 0 or WA_ECRYPTO.
 */
ATTR_NODISCARD int gw_token_new(char *out);

/* 16 to 128 characters of A-Z a-z 0-9 . _ ~ - */
bool gw_token_valid(const char *token);

/*
 * Look the token of a request up: header "token", else "Authorization: Bearer", else (query_too)
 * the parameter "token". The first that is there decides.
 */
void gw_auth_request(struct gw_registry *reg, const struct gw_gate *head, bool query_too,
                     struct gw_auth *auth_out);

#endif
