/* gateway/http/gw_query.c - the query of a request target that has passed the gate */
#include "gateway/http/gw_query.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/codec.h"

#define KEY_CAP 32 /* longer keys are none of ours */

int gw_percent_decode(const char *text, size_t text_len, bool plus_is_space, char *out,
                      size_t out_cap)
{
	size_t n = 0;
	uint8_t c;

	for (size_t i = 0; i < text_len; i++) {
		c = (uint8_t)text[i];
		if (c == '%' && text_len - i > 2) {
			c = (uint8_t)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7f || n + 1 >= out_cap)
			return -EINVAL;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return 0;
}

int gw_query_param(const char *target, const char *key, char *out, size_t out_cap)
{
	const char *p = strchr(target, '?');
	char name[KEY_CAP];
	size_t len, name_len;
	int found = 0;

	for (p = p == NULL ? "" : p + 1; *p != '\0'; p += len + (p[len] == '&')) {
		len = strcspn(p, "&");
		name_len = strcspn(p, "=&");
		if (gw_percent_decode(p, name_len, true, name, sizeof(name)) < 0 ||
		    strcmp(name, key) != 0)
			continue;
		if (found++ > 0)
			return -EINVAL;
		if (name_len < len)
			name_len++; /* the "=" */
		if (gw_percent_decode(p + name_len, len - name_len, true, out, out_cap) < 0)
			return -EINVAL;
	}
	return found;
}
