/* worker/wa/node/wa_jid.c - JID text to parts and back */
#include "worker/wa/node/wa_jid.h"

#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"

#define INTEROP_SERVER "interop"

/* Users are printable ASCII; '@' and ':' separate the parts. */
static bool is_user(const char *s, size_t len)
{
	if (len == 0 || len > WA_JID_USER_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] <= ' ' || s[i] > '~' || s[i] == '@' || s[i] == ':')
			return false;
	}
	return true;
}

/* Lower-case names with dots: "s.whatsapp.net", "hosted.lid", "msgr". */
static bool is_server(const char *s, size_t len)
{
	if (len == 0 || len > WA_JID_SERVER_MAX || s[0] < 'a' || s[0] > 'z')
		return false;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] < 'a' || s[i] > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '.' &&
		    s[i] != '-' && s[i] != '_')
			return false;
	}
	return true;
}

/* Decimal without leading zeros, 0..65535. */
static bool parse_u16(const char *s, size_t len, uint16_t *v_out)
{
	unsigned v = 0;

	if (len == 0 || len > 5 || (len > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	if (v > UINT16_MAX)
		return false;
	*v_out = (uint16_t)v;
	return true;
}

static bool copy_part(char *out, const char *s, size_t len, bool (*is_part)(const char *, size_t))
{
	if (!is_part(s, len))
		return false;
	memcpy(out, s, len);
	out[len] = '\0';
	return true;
}

int wa_jid_parse(const char *text, size_t text_len, struct wa_jid *jid_out)
{
	struct wa_jid jid = { 0 };
	const char *user = text, *at, *colon, *dash, *server;
	size_t user_len, server_len;

	at = memchr(text, '@', text_len);
	server = at == NULL ? text : at + 1;
	server_len = text_len - (size_t)(server - text);
	if (!copy_part(jid.server, server, server_len, is_server))
		return WA_EPROTO;
	if (at == NULL) {
		*jid_out = jid;
		return 0;
	}

	user_len = (size_t)(at - text);
	colon = memchr(user, ':', user_len);
	if (colon != NULL) {
		if (!parse_u16(colon + 1, (size_t)(at - colon - 1), &jid.device))
			return WA_EPROTO;
		user_len = (size_t)(colon - user);
	}
	if (strcmp(jid.server, INTEROP_SERVER) == 0) {
		dash = memchr(user, '-', user_len);
		if (dash == NULL || !parse_u16(user, (size_t)(dash - user), &jid.integrator))
			return WA_EPROTO;
		user_len -= (size_t)(dash + 1 - user);
		user = dash + 1;
	}
	if (!copy_part(jid.user, user, user_len, is_user))
		return WA_EPROTO;
	*jid_out = jid;
	return 0;
}

int wa_jid_parse_device(const char *text, const char *server, struct wa_jid *jid_out)
{
	struct wa_jid jid;
	int rc;

	rc = wa_jid_parse(text, strlen(text), &jid);
	if (rc < 0)
		return rc;
	if (strcmp(jid.server, server) != 0 || jid.user[0] == '\0' || jid.device == 0)
		return WA_EPROTO;
	*jid_out = jid;
	return 0;
}

int wa_jid_user_number(const struct wa_jid *jid, uint64_t *v_out)
{
	return jid->user[0] == '0' || dec_decode(jid->user, UINT64_MAX, v_out) < 0 ? WA_EPROTO : 0;
}

size_t wa_jid_format(const struct wa_jid *jid, char *out)
{
	size_t user_len = strlen(jid->user), server_len = strlen(jid->server);
	char integrator[8] = "", device[8] = "";
	int len;

	/* nearly all of them */
	if (user_len > 0 && jid->device == 0 && strcmp(jid->server, INTEROP_SERVER) != 0) {
		memcpy(out, jid->user, user_len);
		out[user_len] = '@';
		memcpy(out + user_len + 1, jid->server, server_len + 1);
		return user_len + 1 + server_len;
	}
	if (jid->user[0] == '\0') {
		len = snprintf(out, WA_JID_TEXT_CAP, "%s", jid->server);
		return (size_t)len;
	}
	if (strcmp(jid->server, INTEROP_SERVER) == 0)
		snprintf(integrator, sizeof(integrator), "%u-", (unsigned)jid->integrator);
	if (jid->device != 0)
		snprintf(device, sizeof(device), ":%u", (unsigned)jid->device);
	len =
	    snprintf(out, WA_JID_TEXT_CAP, "%s%s%s@%s", integrator, jid->user, device, jid->server);
	return (size_t)len;
}

bool wa_jid_same_user(const struct wa_jid *a, const struct wa_jid *b)
{
	return strcmp(a->user, b->user) == 0 && strcmp(a->server, b->server) == 0;
}
