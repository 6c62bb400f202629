/* worker/store/wk_creds.c - what a completed pairing left */
#include "worker/store/wk_creds.h"

#include <string.h>

#include "common/codec.h"
#include "common/secret.h"

void wk_creds_clear(struct wk_creds *c)
{
	buf_wipe(&c->account);
	secret_wipe(c, sizeof(*c));
}

void wk_creds_set_text(char *out, size_t out_cap, const char *text)
{
	size_t used = 0;

	while (text != NULL && *text != '\0') {
		size_t len = utf8_char_len(text);
		size_t step = len > 0 ? len : 1;

		if (used + step >= out_cap)
			break;
		memcpy(out + used, len > 0 ? text : "?", step);
		used += step;
		text += step;
	}
	out[used] = '\0';
}
