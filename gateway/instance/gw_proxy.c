/* gateway/instance/gw_proxy.c - an instance's proxy as the registry keeps it: JSON, user name and
 * password sealed */
#include "gateway/instance/gw_proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json_text.h"
#include "common/secret.h"
#include "gateway/registry/gw_sealed_text.h"

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

/* What is no secret: a user name often says which customer it is, and for how much. */
static json_t *open_part(const struct gw_proxy *p)
{
	return json_pack("{s:b, s:s, s:i, s:s}", "enabled", p->enabled, "host", p->host, "port",
	                 p->port, "protocol", gw_proxy_protocol_name(p->protocol));
}

json_t *gw_proxy_json(const struct gw_proxy *p)
{
	json_t *o;

	if (p->host[0] == '\0')
		return json_pack("{s:b}", "enabled", p->enabled);
	o = open_part(p);
	if (o != NULL && json_object_set_new(o, "username", json_string(p->username)) < 0) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

/* ---- what is sealed --------------------------------------------------------- */

#define COLUMN_CAP 64

static void column_of(const char *field, const char *instance_id, char out[COLUMN_CAP])
{
	snprintf(out, COLUMN_CAP, "proxy.%s:%s", field, instance_id);
}

static int seal_into(json_t *o, const char *o_key, const char *plain, const char *field,
                     const struct sealed_key *key, const char *instance_id)
{
	char column[COLUMN_CAP];

	column_of(field, instance_id, column);
	return gw_sealed_text_set(o, o_key, plain, key, column);
}

/* out holds GW_PROXY_TEXT_MAX + 1 bytes; untouched where there is nothing. */
static int open_from(const json_t *o, const char *o_key, const char *field,
                     const struct sealed_key *key, const char *instance_id, char *out)
{
	struct buf plain = { 0 };
	char column[COLUMN_CAP];
	int rc;

	column_of(field, instance_id, column);
	rc = gw_sealed_text_get(o, o_key, key, column, &plain);
	if (rc == 0 && plain.len > GW_PROXY_TEXT_MAX)
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0 && plain.len > 0) {
		memcpy(out, plain.p, plain.len);
		out[plain.len] = '\0';
	}
	buf_wipe(&plain);
	return rc;
}

/* ---- the whole -------------------------------------------------------------- */

int gw_proxy_encode(const struct gw_proxy *p, const struct sealed_key *key, const char *instance_id,
                    char **text_out)
{
	json_t *o = open_part(p);
	int rc = o != NULL ? 0 : -ENOMEM;

	if (rc == 0)
		rc = seal_into(o, "user", p->username, "username", key, instance_id);
	if (rc == 0)
		rc = seal_into(o, "password", p->password, "password", key, instance_id);
	if (rc == 0) {
		*text_out = json_text(o);
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
	       text_get(o, "username", p->username, sizeof(p->username)); /* as it once was */
}

int gw_proxy_decode(const char *text, const struct sealed_key *key, const char *instance_id,
                    struct gw_proxy *p_out)
{
	const char *stored = text != NULL ? text : "{}";
	json_t *o = NULL;
	int rc = json_text_load(stored, strlen(stored), 0, &o);

	*p_out = (struct gw_proxy){ .enabled = false };
	if (rc < 0 ? rc != -ENOMEM : !json_is_object(o) || !fields_get(o, p_out))
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0)
		rc = open_from(o, "user", "username", key, instance_id, p_out->username);
	if (rc == 0)
		rc = open_from(o, "password", "password", key, instance_id, p_out->password);
	json_decref(o);
	return rc;
}
