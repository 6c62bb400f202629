/* gateway/registry/gw_invite.c - the text of a one-time link */
#include "gateway/registry/gw_invite.h"

#include <string.h>

#include "common/codec.h"
#include "common/secret.h"

int gw_invite_new(char *out)
{
	uint8_t raw[GW_INVITE_RANDOM_LEN];
	int rc = secret_random(raw, sizeof(raw));

	if (rc < 0)
		return rc;
	base32_encode_lower(raw, sizeof(raw), out, GW_INVITE_TEXT_LEN);
	secret_wipe(raw, sizeof(raw));
	return 0;
}

bool gw_invite_text_valid(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz234567");

	return len == GW_INVITE_TEXT_LEN && text[len] == '\0';
}
