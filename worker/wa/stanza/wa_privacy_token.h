/*
 * worker/wa/stanza/wa_privacy_token.h - tokens that say: this person lets me write to him
 *
 * Who has given us his sends it along with a message of ours to him; ours is given to those we
 * write to. Source: protocol notes 05 section 10.2.
 */
#ifndef WA_PRIVACY_TOKEN_H
#define WA_PRIVACY_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/node/wa_node.h"

#define WA_PRIVACY_TOKEN_MAX 512

struct wa_privacy_token {
	struct wa_jid user;   /* whose it is: the LID where the stanza has it; without a device */
	const uint8_t *token; /* borrowed from the stanza */
	size_t token_len;
	int64_t unix_s;
};

/*
 * Of a <notification type="privacy_token">, or of the answer to wa_privacy_token_issue(). 0;
 * -ENOENT: none is in it; WA_EPROTO: nobody it could be of.
 */
ATTR_NODISCARD int wa_privacy_token_read(const struct wa_node *n, struct wa_privacy_token *out);
/* Ours for that person. NULL without memory. */
struct wa_node *wa_privacy_token_issue(const char *id, const char *user_jid, int64_t now_unix_s);

/* Is one of then still good? Tokens live for four weeks, counted in whole ones. */
bool wa_privacy_token_is_good(int64_t token_unix_s, int64_t now_unix_s);
/* Ours, given before then, is to be given again. */
int64_t wa_privacy_token_since(int64_t now_unix_s);

#endif
