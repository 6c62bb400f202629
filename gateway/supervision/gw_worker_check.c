/* gateway/supervision/gw_worker_check.c - texts from a worker: sound, or refused */
#include "gateway/supervision/gw_worker_check.h"

#include <string.h>

#include "common/attr.h"
#include "common/codec.h"
#include "common/json_text.h"
#include "gateway/http/gw_json.h"

#define NUMBER_MIN 7
#define NUMBER_MAX 15
#define JID_USER_MAX 20
#define JID_DEVICE_MAX 5
#define OPTIONS_MAX 4096
#define OPTIONS_DEPTH_MAX 16

void gw_check_detail(const char *text, char *out, size_t out_cap)
{
	size_t n = 0;

	for (; text != NULL && text[n] != '\0' && n < out_cap - 1; n++)
		out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
	out[n] = '\0';
}

bool gw_check_printable(const char *text, size_t max)
{
	size_t n = 0;

	if (text == NULL)
		return false;
	for (; text[n] != '\0'; n++)
		if (n == max || text[n] < ' ' || text[n] > '~')
			return false;
	return n > 0;
}

bool gw_check_pairing_code(const char *text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	return text != NULL && strlen(text) == 9 && strspn(text, allowed) == 4 && text[4] == '-' &&
	       strspn(text + 5, allowed) == 4;
}

static bool digits(const char **p, size_t max)
{
	size_t n = strspn(*p, "0123456789");

	*p += n;
	return n > 0 && n <= max;
}

bool gw_check_number(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return text[n] == '\0' && n >= NUMBER_MIN && n <= NUMBER_MAX;
}

bool gw_check_jid(const char *text, const char *server)
{
	if (!digits(&text, JID_USER_MAX))
		return false;
	if (*text == ':') {
		text++;
		if (!digits(&text, JID_DEVICE_MAX))
			return false;
	}
	return *text == '@' && strcmp(text + 1, server) == 0;
}

bool gw_check_name(const char *text, char *out, size_t out_cap)
{
	size_t n = 0;

	while (text != NULL && text[n] != '\0') {
		size_t len = utf8_char_len(text + n);

		if (len == 0 || n + len >= out_cap)
			return false;
		memcpy(out + n, text + n, len);
		if (len == 1 && ((unsigned char)out[n] < ' ' || out[n] == 0x7f))
			out[n] = ' ';
		n += len;
	}
	out[n] = '\0';
	return true;
}

json_t *gw_check_passkey_options(const char *text)
{
	json_t *o;

	if (text == NULL || strlen(text) > OPTIONS_MAX ||
	    !gw_json_is_flat(text, strlen(text), OPTIONS_DEPTH_MAX))
		return NULL;
	o = json_text_read(text, strlen(text), JSON_REJECT_DUPLICATES);
	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}
