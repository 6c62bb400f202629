/* simulator/media/sim_media_target.c - paths and queries of requests to the media host */
#include "simulator/media/sim_media_target.h"

#include <string.h>

#include "common/codec.h"

bool sim_media_query(const char *target, const char *name, char *out, size_t cap)
{
	const char *p = strchr(target, '?');
	size_t len = strlen(name), n = 0;

	while (p != NULL && (strncmp(p + 1, name, len) != 0 || p[1 + len] != '='))
		p = strchr(p + 1, '&');
	if (p == NULL)
		return false;
	for (p += 2 + len; *p != '\0' && *p != '&'; p++) {
		char c = *p;

		if (c == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
			c = (char)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
			p += 2;
		}
		if (n + 1 >= cap)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

bool sim_media_read_hash(const char *text, size_t text_len, uint8_t out[SIM_HASH_LEN])
{
	size_t n;

	return b64_decode(text, text_len, out, SIM_HASH_LEN, &n) == 0 && n == SIM_HASH_LEN;
}

/* "/mms/TYPE/TOKEN": false when it is none, or TOKEN is no hash. */
bool sim_media_mms_path(const char *target, enum sim_media_kind *kind, uint8_t hash[SIM_HASH_LEN])
{
	static const struct {
		const char *mms;
		enum sim_media_kind kind;
	} others[] = {
		{ "sticker", SIM_MEDIA_STICKER },
		{ "gif", SIM_MEDIA_VIDEO },
		{ "ptt", SIM_MEDIA_AUDIO },
		{ "thumbnail-link", SIM_MEDIA_IMAGE },
	};
	const char *type = target + 5;
	size_t type_len = strcspn(type, "/?");
	const char *token = type + type_len + 1;
	char decoded[64], *q;
	bool known = false;

	if (strncmp(target, "/mms/", 5) != 0 || type[type_len] != '/')
		return false;
	for (size_t i = 0; !known && i < SIM_MEDIA_KINDS_N; i++) {
		*kind = (enum sim_media_kind)i;
		known = strlen(sim_media_mms(*kind)) == type_len &&
		        memcmp(sim_media_mms(*kind), type, type_len) == 0;
	}
	for (size_t i = 0; !known && i < ARRAY_LEN(others); i++) {
		*kind = others[i].kind;
		known =
		    strlen(others[i].mms) == type_len && memcmp(others[i].mms, type, type_len) == 0;
	}
	/* the token in the path may be percent-encoded, too */
	q = decoded;
	for (const char *p = token; *p != '\0' && *p != '?'; p++) {
		if (q - decoded >= (int)sizeof(decoded) - 1)
			return false;
		*q++ = *p;
		if (*p == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
			q[-1] = (char)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
			p += 2;
		}
	}
	*q = '\0';
	return known && sim_media_read_hash(decoded, strlen(decoded), hash);
}
