/* worker/wa/node/wa_node_encode.c - a tree of nodes to bytes */
#include "worker/wa/node/wa_node_priv.h"

#include <errno.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/err.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/node/wa_token.h"

/* ---- strings ------------------------------------------------------------------------------------
 */

static int put_u16(struct buf *out, unsigned v)
{
	const uint8_t b[] = { (uint8_t)(v >> 8), (uint8_t)v };

	return buf_append(out, b, sizeof(b));
}

static int put_binary(struct buf *out, const void *data, size_t n)
{
	uint8_t head[5] = { TAG_BINARY_8, (uint8_t)n };
	size_t head_len = 2;
	int rc;

	if (n > UINT32_MAX)
		return WA_ELIMIT;
	if (n >= 1u << 20) {
		head_len = 5;
		head[0] = TAG_BINARY_32;
		head[1] = (uint8_t)(n >> 24);
		head[2] = (uint8_t)(n >> 16);
		head[3] = (uint8_t)(n >> 8);
		head[4] = (uint8_t)n;
	} else if (n >= 256) {
		head_len = 4;
		head[0] = TAG_BINARY_20;
		head[1] = (uint8_t)(n >> 16);
		head[2] = (uint8_t)(n >> 8);
		head[3] = (uint8_t)n;
	}
	rc = buf_append(out, head, head_len);
	return rc < 0 || n == 0 ? rc : buf_append(out, data, n);
}

/* The half byte for c, or 16 when c can't be packed that way. */
static unsigned nibble_of(char c, uint8_t tag)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (tag == TAG_HEX_8)
		return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 16;
	return c == '-' ? 10 : c == '.' ? 11 : 16;
}

static bool can_pack(const char *s, size_t len, uint8_t tag)
{
	if (len == 0 || len > PACKED_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (nibble_of(s[i], tag) > 15)
			return false;
	}
	return true;
}

static int put_packed(struct buf *out, const char *s, size_t len, uint8_t tag)
{
	uint8_t b[2 + (PACKED_MAX_LEN + 1) / 2];
	size_t bytes_n = (len + 1) / 2;

	b[0] = tag;
	b[1] = (uint8_t)(bytes_n | (len % 2 != 0 ? PACKED_ODD : 0));
	for (size_t i = 0; i < bytes_n; i++) {
		unsigned high = nibble_of(s[2 * i], tag);
		unsigned low = 2 * i + 1 < len ? nibble_of(s[2 * i + 1], tag) : 15;

		b[2 + i] = (uint8_t)(high << 4 | low);
	}
	return buf_append(out, b, 2 + bytes_n);
}

static int put_string(struct buf *out, const char *s, size_t len)
{
	uint8_t b[2];
	int dict;

	if (wa_token_find(s, len, &dict, &b[1])) {
		b[0] = (uint8_t)(TAG_DICT_0 + dict);
		return dict < 0 ? buf_append_u8(out, b[1]) : buf_append(out, b, sizeof(b));
	}
	if (can_pack(s, len, TAG_NIBBLE_8))
		return put_packed(out, s, len, TAG_NIBBLE_8);
	if (can_pack(s, len, TAG_HEX_8))
		return put_packed(out, s, len, TAG_HEX_8);
	return put_binary(out, s, len);
}

/* ---- JIDs ---------------------------------------------------------------------------------------
 */

static int put_user(struct buf *out, const struct wa_jid *jid)
{
	return put_string(out, jid->user, strlen(jid->user));
}

static int put_server(struct buf *out, const struct wa_jid *jid)
{
	return put_string(out, jid->server, strlen(jid->server));
}

static int put_jid_pair(struct buf *out, const struct wa_jid *jid)
{
	int rc;

	if (jid->device != 0)
		return WA_EPROTO; /* this form has no place for it */
	rc = buf_append_u8(out, TAG_JID_PAIR);
	if (rc == 0)
		rc = jid->user[0] == '\0' ? buf_append_u8(out, TAG_LIST_EMPTY) : put_user(out, jid);
	return rc < 0 ? rc : put_server(out, jid);
}

static int put_ad_jid(struct buf *out, const struct wa_jid *jid, uint8_t domain)
{
	const uint8_t head[] = { TAG_AD_JID, domain, (uint8_t)jid->device };
	int rc;

	if (jid->device > UINT8_MAX)
		return WA_EPROTO;
	rc = buf_append(out, head, sizeof(head));
	return rc < 0 ? rc : put_user(out, jid);
}

static int put_wide_jid(struct buf *out, const struct wa_jid *jid, uint8_t tag)
{
	int rc;

	rc = buf_append_u8(out, tag);
	if (rc == 0)
		rc = put_user(out, jid);
	if (rc == 0)
		rc = put_u16(out, jid->device);
	if (rc == 0 && tag == TAG_INTEROP_JID)
		rc = put_u16(out, jid->integrator);
	return rc < 0 ? rc : put_server(out, jid);
}

/* Which form which server takes; every other server is a JID_PAIR. */
static const struct form {
	const char *server;
	uint8_t tag;
	uint8_t domain;
	bool also_device_0;
} forms[] = {
	{ WA_SERVER_JID, TAG_AD_JID, DOMAIN_WHATSAPP, false },
	{ "lid", TAG_AD_JID, DOMAIN_LID, false },
	{ "hosted", TAG_AD_JID, DOMAIN_HOSTED, true },
	{ "hosted.lid", TAG_AD_JID, DOMAIN_HOSTED_LID, true },
	{ "msgr", TAG_FB_JID, 0, true },
	{ "interop", TAG_INTEROP_JID, 0, true },
};

static int put_jid(struct buf *out, const char *text, size_t len)
{
	struct wa_jid jid;
	int rc;

	rc = wa_jid_parse(text, len, &jid);
	if (rc < 0)
		return rc;
	if (jid.user[0] == '\0')
		return put_jid_pair(out, &jid);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const struct form *f = &forms[i];

		if (strcmp(jid.server, f->server) != 0 || (jid.device == 0 && !f->also_device_0))
			continue;
		return f->tag == TAG_AD_JID ? put_ad_jid(out, &jid, f->domain)
		                            : put_wide_jid(out, &jid, f->tag);
	}
	return put_jid_pair(out, &jid);
}

/* ---- nodes --------------------------------------------------------------------------------------
 */

static int put_list(struct buf *out, size_t n)
{
	const uint8_t wide[] = { TAG_LIST_16, (uint8_t)(n >> 8), (uint8_t)n };
	const uint8_t narrow[] = { TAG_LIST_8, (uint8_t)n };

	if (n == 0)
		return buf_append_u8(out, TAG_LIST_EMPTY);
	if (n > UINT16_MAX)
		return WA_ELIMIT;
	return n > UINT8_MAX ? buf_append(out, wide, sizeof(wide))
	                     : buf_append(out, narrow, sizeof(narrow));
}

static int put_name(struct buf *out, const char *name)
{
	return name[0] == '\0' ? WA_EPROTO : put_string(out, name, strlen(name));
}

static int put_attrs(struct buf *out, const struct wa_node *n)
{
	int rc = 0;

	for (size_t i = 0; i < n->attrs_n && rc == 0; i++) {
		const struct wa_attr *a = &n->attrs[i];

		rc = put_name(out, a->name);
		if (rc == 0)
			rc = a->is_jid ? put_jid(out, a->value, a->value_len)
			               : put_string(out, a->value, a->value_len);
	}
	return rc;
}

/* Recursion is bounded by depth_left, at first WA_NODE_MAX_DEPTH. */
static int put_node(struct buf *out, const struct wa_node *n, unsigned depth_left)
{
	int rc;

	if (depth_left == 0 || n->attrs_n > UINT16_MAX / 2)
		return WA_ELIMIT;
	rc = put_list(out, 1 + 2 * n->attrs_n + (n->content == WA_CONTENT_NONE ? 0 : 1));
	if (rc == 0)
		rc = put_name(out, n->tag);
	if (rc == 0)
		rc = put_attrs(out, n);
	if (rc < 0 || n->content == WA_CONTENT_NONE)
		return rc;
	if (n->content == WA_CONTENT_BYTES)
		return put_binary(out, n->bytes, n->bytes_len);
	rc = put_list(out, n->children_n);
	for (const struct wa_node *c = n->first_child; c != NULL && rc == 0; c = c->next)
		rc = put_node(out, c, depth_left - 1);
	return rc;
}

int wa_stanza_encode(const struct wa_node *n, struct buf *out)
{
	size_t out_len = out->len;
	int rc;

	if (n == NULL || wa_arena_failed(n->arena))
		return -ENOMEM;
	rc = buf_append_u8(out, 0);
	if (rc == 0)
		rc = put_node(out, n, WA_NODE_MAX_DEPTH);
	if (rc < 0)
		out->len = out_len;
	return rc;
}
