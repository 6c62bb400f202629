/* gateway/http/gw_body.c - what routes take from a JSON body: typed keys, settings, a proxy */
#include "gateway/http/gw_body.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_text.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"

#define HOST_MAX 253 /* of a name in the DNS, as text */
_Static_assert(HOST_MAX <= GW_PROXY_HOST_MAX, "a host fits");

json_t *gw_body_read(struct gw_req *req)
{
	json_t *body = NULL;
	int rc = gw_req_json(req, &body);

	if (rc == 0)
		return body;
	gw_req_fail(req, rc == -ENOMEM ? GW_ERR_AT_CAPACITY : GW_ERR_BODY,
	            rc == -ENOMEM ? NULL : "the body is not one JSON object");
	return NULL;
}

/* ---- types ----------------------------------------------------------------------------------- */

static bool words_ok(const json_t *v)
{
	const json_t *word;
	size_t i;

	if (!json_is_array(v))
		return false;
	json_array_foreach(v, i, word)
	{
		if (!json_is_string(word))
			return false;
	}
	return true;
}

static bool type_ok(enum gw_body_type type, const json_t *v)
{
	switch (type) {
	case GW_BODY_BOOL:
		return json_is_boolean(v);
	case GW_BODY_TEXT:
		return json_is_string(v);
	case GW_BODY_WORDS:
		return words_ok(v);
	}
	return false;
}

static const char *type_name(enum gw_body_type type)
{
	switch (type) {
	case GW_BODY_BOOL:
		return "true or false";
	case GW_BODY_TEXT:
		return "a string";
	case GW_BODY_WORDS:
		return "an array of strings";
	}
	return "";
}

bool gw_body_types_ok(const json_t *body, const struct gw_body_key *keys, size_t keys_n,
                      char *why_out)
{
	for (size_t i = 0; i < keys_n; i++) {
		const json_t *v = json_object_get(body, keys[i].name);

		if (v == NULL || type_ok(keys[i].type, v))
			continue;
		snprintf(why_out, GW_BODY_WHY_CAP, "%s has to be %s", keys[i].name,
		         type_name(keys[i].type));
		return false;
	}
	return true;
}

/* ---- settings -------------------------------------------------------------------------------- */

static const struct gw_body_key setting_keys[] = {
	{ "autoRejectCalls", GW_BODY_BOOL },     { "callRejectMessage", GW_BODY_TEXT },
	{ "ignoreGroupMessages", GW_BODY_BOOL }, { "keepOnlineStatus", GW_BODY_BOOL },
	{ "autoReadMessages", GW_BODY_BOOL },    { "disableHistorySync", GW_BODY_BOOL },
	{ "ignoreStatus", GW_BODY_BOOL },
};

/* Characters of valid UTF-8, which jansson's strings are. */
static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool settings_ok(const json_t *body, char *why_out)
{
	const char *message = json_string_value(json_object_get(body, "callRejectMessage"));

	if (!gw_body_types_ok(body, setting_keys, ARRAY_LEN(setting_keys), why_out))
		return false;
	if (message == NULL || characters(message) <= GW_BODY_REJECT_MESSAGE_MAX)
		return true;
	snprintf(why_out, GW_BODY_WHY_CAP, "callRejectMessage has at most %d characters",
	         GW_BODY_REJECT_MESSAGE_MAX);
	return false;
}

int gw_body_settings(const json_t *body, char **text_out, char *why_out)
{
	json_t *settings;
	char *text = NULL;
	int n = 0;

	if (!settings_ok(body, why_out))
		return -EINVAL;
	settings = json_object();
	for (size_t i = 0; n >= 0 && i < ARRAY_LEN(setting_keys); i++) {
		json_t *v = json_object_get(body, setting_keys[i].name);

		if (v != NULL)
			n = json_object_set(settings, setting_keys[i].name, v) == 0 ? n + 1
			                                                            : -ENOMEM;
	}
	if (n >= 0)
		text = json_text(settings);
	json_decref(settings);
	if (text == NULL)
		return -ENOMEM;
	*text_out = text;
	return n;
}

/* ---- proxy ----------------------------------------------------------------------------------- */

/* One key of a proxy: its two names, and how its value is taken. False: not as rule says. */
struct proxy_key {
	const char *name[2]; /* in the proxy's own route; flat */
	bool (*take)(const json_t *v, struct gw_proxy *proxy);
	const char *rule;
};

static bool take_enabled(const json_t *v, struct gw_proxy *proxy)
{
	proxy->enabled = json_is_true(v);
	return json_is_boolean(v);
}

/* A name or an address, IPv6 with or without brackets; kept without. "" takes it away. */
static bool take_host(const json_t *v, struct gw_proxy *proxy)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *text = json_string_value(v);
	size_t len = text == NULL ? 0 : strlen(text);
	struct in6_addr in6;

	if (text == NULL || len > HOST_MAX)
		return false;
	if (len > 2 && text[0] == '[' && text[len - 1] == ']' && strchr(text, ':') != NULL) {
		text++;
		len -= 2;
	}
	memcpy(proxy->host, text, len);
	proxy->host[len] = '\0';
	return strspn(proxy->host, allowed) == len || inet_pton(AF_INET6, proxy->host, &in6) == 1;
}

static bool take_port(const json_t *v, struct gw_proxy *proxy)
{
	const char *text = json_string_value(v);
	json_int_t port = 0;

	if (json_is_integer(v))
		port = json_integer_value(v);
	else if (text != NULL && strlen(text) <= 5 && strspn(text, "0123456789") == strlen(text))
		port = atoi(text);
	if (port < 1 || port > UINT16_MAX)
		return false;
	proxy->port = (uint16_t)port;
	return true;
}

static bool take_protocol(const json_t *v, struct gw_proxy *proxy)
{
	int protocol = json_is_string(v) ? gw_proxy_protocol_parse(json_string_value(v)) : -EINVAL;

	if (protocol < 0)
		return false;
	proxy->protocol = (enum gw_proxy_protocol)protocol;
	return true;
}

/* Without control characters: it may travel in a header. out holds GW_PROXY_TEXT_MAX + 1 bytes. */
static bool take_text(const json_t *v, char *out)
{
	const char *text = json_string_value(v);
	size_t len = text == NULL ? 0 : strlen(text);

	if (text == NULL || len > GW_PROXY_TEXT_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	memcpy(out, text, len + 1);
	return true;
}

static bool take_username(const json_t *v, struct gw_proxy *proxy)
{
	return take_text(v, proxy->username);
}

static bool take_password(const json_t *v, struct gw_proxy *proxy)
{
	return take_text(v, proxy->password);
}

static const struct proxy_key proxy_keys[] = {
	{ { "enabled", "proxyEnabled" }, take_enabled, "has to be true or false" },
	{ { "host", "proxyHost" }, take_host, "has to be a host name or an address" },
	{ { "port", "proxyPort" }, take_port, "has to be a number from 1 to 65535" },
	{ { "protocol", "proxyProtocol" }, take_protocol, "has to be http, https or socks5" },
	{ { "username", "proxyUsername" },
	  take_username,
	  "has to be a string of at most 255 bytes without control characters" },
	{ { "password", "proxyPassword" },
	  take_password,
	  "has to be a string of at most 255 bytes without control characters" },
};

/* What no single key shows. */
static bool proxy_whole(const struct gw_proxy *proxy, bool flat, char *why_out)
{
	if (proxy->enabled && (proxy->host[0] == '\0' || proxy->port == 0)) {
		snprintf(why_out, GW_BODY_WHY_CAP, "an enabled proxy needs %s and %s",
		         proxy_keys[1].name[flat], proxy_keys[2].name[flat]);
		return false;
	}
	/* RFC 7617: the first colon ends the name */
	if (proxy->protocol != GW_PROXY_SOCKS5 && strchr(proxy->username, ':') != NULL) {
		snprintf(why_out, GW_BODY_WHY_CAP, "%s can't hold a colon with this protocol",
		         proxy_keys[4].name[flat]);
		return false;
	}
	return true;
}

int gw_body_proxy(const json_t *body, bool flat, struct gw_proxy *proxy, char *why_out)
{
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(proxy_keys); i++) {
		const struct proxy_key *key = &proxy_keys[i];
		const json_t *v = json_object_get(body, key->name[flat]);

		if (v == NULL)
			continue;
		n++;
		if (key->take(v, proxy))
			continue;
		snprintf(why_out, GW_BODY_WHY_CAP, "%s %s", key->name[flat], key->rule);
		return -EINVAL;
	}
	return n == 0 || proxy_whole(proxy, flat, why_out) ? n : -EINVAL;
}
