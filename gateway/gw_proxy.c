/* gateway/gw_proxy.c - an instance's proxy as the registry keeps it: JSON, the password sealed */
#include "gateway/gw_proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"

#define SEALED_CAP (SEALED_OVERHEAD + GW_PROXY_TEXT_MAX)

static const char *const protocol_names[] = {
	[GW_PROXY_HTTP] = "http",
	[GW_PROXY_HTTPS] = "https",
	[GW_PROXY_SOCKS5] = "socks5",
};

const char *gw_proxy_protocol_name(enum gw_proxy_protocol p)
{
	return protocol_names[p];
}

int gw_proxy_protocol_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(protocol_names); i++)
		if (strcmp(protocol_names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

static json_t *all_but_password(const struct gw_proxy *p)
{
	return json_pack("{s:b, s:s, s:i, s:s, s:s}", "enabled", p->enabled, "host", p->host,
	                 "port", p->port, "protocol", gw_proxy_protocol_name(p->protocol),
	                 "username", p->username);
}

json_t *gw_proxy_json(const struct gw_proxy *p)
{
	return p->host[0] != '\0' ? all_but_password(p) : json_pack("{s:b}", "enabled", p->enabled);
}

/* ---- the password ----------------------------------------------------------- */

/* The table has no row numbers of its own: the instance's id is part of the column's name. */
static void place_name(const char *instance_id, char *out, size_t out_cap)
{
	snprintf(out, out_cap, "proxy.password:%s", instance_id);
}

/* Base64 of the envelope; new reference. */
static int password_seal(const struct gw_proxy *p, const struct sealed_key *key,
                         const char *instance_id, json_t **text_out)
{
	char column[64], text[B64_CAP(SEALED_CAP)];
	const struct sealed_place place = { "registry", "instance", column, 0 };
	struct buf envelope = { 0 };
	int rc;

	place_name(instance_id, column, sizeof(column));
	rc = sealed_seal(key, &place, p->password, strlen(p->password), &envelope);
	if (rc == 0) {
		b64_encode(envelope.p, envelope.len, text);
		*text_out = json_string(text);
		rc = *text_out != NULL ? 0 : -ENOMEM;
	}
	buf_free(&envelope);
	return rc;
}

static int password_open(const char *text, const struct sealed_key *key, const char *instance_id,
                         struct gw_proxy *p)
{
	uint8_t envelope[SEALED_CAP];
	size_t envelope_len = 0;
	char column[64];
	const struct sealed_place place = { "registry", "instance", column, 0 };
	struct buf plain = { 0 };
	int rc = WA_ESTORE_CORRUPT;

	place_name(instance_id, column, sizeof(column));
	if (b64_decode(text, strlen(text), envelope, sizeof(envelope), &envelope_len) == 0)
		rc = sealed_open(key, &place, envelope, envelope_len, &plain);
	if (rc == 0 && plain.len <= GW_PROXY_TEXT_MAX && memchr(plain.p, 0, plain.len) == NULL)
		memcpy(p->password, plain.p, plain.len);
	else if (rc == 0)
		rc = WA_ESTORE_CORRUPT;
	buf_wipe(&plain);
	return rc;
}

/* ---- the whole -------------------------------------------------------------- */

int gw_proxy_encode(const struct gw_proxy *p, const struct sealed_key *key, const char *instance_id,
                    char **text_out)
{
	json_t *o = all_but_password(p);
	json_t *password = NULL;
	int rc = o != NULL ? 0 : -ENOMEM;

	if (rc == 0 && p->password[0] != '\0')
		rc = password_seal(p, key, instance_id, &password);
	if (password != NULL && json_object_set_new(o, "password", password) < 0)
		rc = -ENOMEM;
	if (rc == 0) {
		*text_out = json_dumps(o, JSON_COMPACT);
		rc = *text_out != NULL ? 0 : -ENOMEM;
	}
	json_decref(o);
	return rc;
}

static bool text_get(const json_t *o, const char *name, char *out, size_t out_cap)
{
	const json_t *v = json_object_get(o, name);
	const char *text = json_string_value(v);

	if (v == NULL)
		return true;
	if (text == NULL || strlen(text) >= out_cap)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool fields_get(const json_t *o, struct gw_proxy *p)
{
	const json_t *protocol = json_object_get(o, "protocol");
	json_int_t port = json_integer_value(json_object_get(o, "port"));
	int which = GW_PROXY_HTTP;

	if (protocol != NULL)
		which = json_is_string(protocol)
		            ? gw_proxy_protocol_parse(json_string_value(protocol))
		            : -1;
	if (which < 0 || port < 0 || port > UINT16_MAX)
		return false;
	p->enabled = json_is_true(json_object_get(o, "enabled"));
	p->port = (uint16_t)port;
	p->protocol = (enum gw_proxy_protocol)which;
	return text_get(o, "host", p->host, sizeof(p->host)) &&
	       text_get(o, "username", p->username, sizeof(p->username));
}

int gw_proxy_decode(const char *text, const struct sealed_key *key, const char *instance_id,
                    struct gw_proxy *p_out)
{
	json_t *o = json_loads(text != NULL ? text : "{}", 0, NULL);
	const char *password;
	int rc = 0;

	*p_out = (struct gw_proxy){ .enabled = false };
	if (!json_is_object(o) || !fields_get(o, p_out))
		rc = WA_ESTORE_CORRUPT;
	password = json_string_value(json_object_get(o, "password"));
	if (rc == 0 && password != NULL)
		rc = password_open(password, key, instance_id, p_out);
	json_decref(o);
	return rc;
}
