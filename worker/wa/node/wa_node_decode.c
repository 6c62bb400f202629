/*
 * worker/wa/node/wa_node_decode.c - foreign bytes to a tree of nodes
 *
 * No recursion: a fixed stack of open child lists. Every count is checked against the limits and
 * against the bytes that are left before memory is taken for it. Names and values that are tokens
 * point into the token table; everything else is copied into the arena.
 */
#include "worker/wa/node/wa_node_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rd.h"
#include "worker/wa/node/wa_inflate.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/node/wa_token.h"

#define PAIRWISE_MAX 24 /* up to here names are compared each with each */

struct dec {
	struct rd rd;
	struct wa_node_arena *arena;
	size_t nodes_n;
	size_t items_n;
};

enum str_kind { STR_EMPTY_LIST, STR_TEXT, STR_BYTES, STR_JID };

struct str {
	const char *p; /* NUL-terminated; in the arena or a token */
	size_t len;
	enum str_kind kind;
};

/* ---- strings ------------------------------------------------------------------------------------
 */

static int copy_str(struct dec *d, const void *p, size_t len, enum str_kind kind, struct str *out)
{
	out->p = wa_arena_dup(d->arena, p, len);
	out->len = len;
	out->kind = kind;
	return out->p == NULL ? -ENOMEM : 0;
}

static int read_token(struct dec *d, uint8_t tag, struct str *out)
{
	if (tag >= TAG_DICT_0) {
		uint8_t index = rd_u8(&d->rd);

		out->p = wa_token_double((unsigned)(tag - TAG_DICT_0), index, &out->len);
	} else {
		out->p = wa_token_single(tag, &out->len);
	}
	out->kind = STR_TEXT;
	if (d->rd.err != 0)
		return d->rd.err;
	return out->p == NULL ? WA_EPROTO : 0;
}

static int read_bytes(struct dec *d, uint8_t tag, struct str *out)
{
	const uint8_t *p;
	size_t len;

	if (tag == TAG_BINARY_8)
		len = rd_u8(&d->rd);
	else if (tag == TAG_BINARY_20)
		len = rd_be24(&d->rd) & 0xfffff; /* the upper 4 bits mean nothing */
	else
		len = rd_be32(&d->rd);
	p = rd_bytes(&d->rd, len);
	if (p == NULL)
		return d->rd.err;
	return copy_str(d, p, len, STR_BYTES, out);
}

static int read_packed(struct dec *d, uint8_t tag, struct str *out)
{
	const char *digits = tag == TAG_HEX_8 ? "0123456789ABCDEF" : "0123456789-.";
	const unsigned digits_n = tag == TAG_HEX_8 ? 16 : 12;
	uint8_t head = rd_u8(&d->rd);
	size_t bytes_n = head & 0x7f;
	size_t len = 2 * bytes_n - (head & PACKED_ODD ? 1 : 0);
	const uint8_t *p;
	char text[2 * 0x7f];

	if (d->rd.err == 0 && head == PACKED_ODD)
		return WA_EPROTO;
	p = rd_bytes(&d->rd, bytes_n);
	if (p == NULL)
		return d->rd.err;
	for (size_t i = 0; i < len; i++) {
		unsigned nibble = i % 2 == 0 ? p[i / 2] >> 4 : p[i / 2] & 0x0f;

		if (nibble >= digits_n)
			return WA_EPROTO;
		text[i] = digits[nibble];
	}
	return copy_str(d, text, len, STR_TEXT, out);
}

/* A string that is neither a list nor a JID. */
static int read_plain(struct dec *d, uint8_t tag, struct str *out)
{
	if (d->rd.err != 0)
		return d->rd.err;
	if (tag >= 0x01 && tag <= TAG_DICT_3)
		return read_token(d, tag, out);
	switch (tag) {
	case TAG_BINARY_8:
	case TAG_BINARY_20:
	case TAG_BINARY_32:
		return read_bytes(d, tag, out);
	case TAG_HEX_8:
	case TAG_NIBBLE_8:
		return read_packed(d, tag, out);
	default:
		return WA_EPROTO;
	}
}

/* ---- JIDs ---------------------------------------------------------------------------------------
 */

/* A part of a JID into its fixed field; what it may consist of is checked by read_jid(). */
static int read_jid_part(struct dec *d, uint8_t tag, char *out, size_t out_cap)
{
	struct str s;
	int rc;

	rc = read_plain(d, tag, &s);
	if (rc < 0)
		return rc;
	if (s.len >= out_cap || memchr(s.p, '\0', s.len) != NULL)
		return WA_EPROTO;
	memcpy(out, s.p, s.len + 1);
	return 0;
}

static int read_jid_user(struct dec *d, struct wa_jid *jid)
{
	return read_jid_part(d, rd_u8(&d->rd), jid->user, sizeof(jid->user));
}

static int read_jid_server(struct dec *d, struct wa_jid *jid, const char *must_be)
{
	int rc;

	rc = read_jid_part(d, rd_u8(&d->rd), jid->server, sizeof(jid->server));
	if (rc == 0 && must_be != NULL && strcmp(jid->server, must_be) != 0)
		rc = WA_EPROTO;
	return rc;
}

static int read_jid_pair(struct dec *d, struct wa_jid *jid)
{
	uint8_t tag = rd_u8(&d->rd);
	int rc = 0;

	if (tag != TAG_LIST_EMPTY)
		rc = read_jid_part(d, tag, jid->user, sizeof(jid->user));
	return rc < 0 ? rc : read_jid_server(d, jid, NULL);
}

static const char *domain_server(uint8_t domain)
{
	switch (domain) {
	case DOMAIN_LID:
		return "lid";
	case DOMAIN_HOSTED_LID:
		return "hosted.lid";
	default: /* of the numbers not given out, WhatsApp Web reads these two bits */
		return (domain & 0x81) == 0x80 ? "hosted" : WA_SERVER_JID;
	}
}

static int read_ad_jid(struct dec *d, struct wa_jid *jid)
{
	const char *server = domain_server(rd_u8(&d->rd));

	jid->device = rd_u8(&d->rd);
	memcpy(jid->server, server, strlen(server) + 1);
	return read_jid_user(d, jid);
}

static int read_jid_parts(struct dec *d, uint8_t tag, struct wa_jid *jid)
{
	int rc;

	switch (tag) {
	case TAG_JID_PAIR:
		return read_jid_pair(d, jid);
	case TAG_AD_JID:
		return read_ad_jid(d, jid);
	case TAG_FB_JID:
		rc = read_jid_user(d, jid);
		jid->device = rd_be16(&d->rd);
		return rc < 0 ? rc : read_jid_server(d, jid, "msgr");
	default: /* TAG_INTEROP_JID */
		rc = read_jid_user(d, jid);
		jid->device = rd_be16(&d->rd);
		jid->integrator = rd_be16(&d->rd);
		return rc < 0 ? rc : read_jid_server(d, jid, "interop");
	}
}

static int read_jid(struct dec *d, uint8_t tag, struct str *out)
{
	struct wa_jid jid = { 0 }, again;
	char text[WA_JID_TEXT_CAP];
	size_t len;
	int rc;

	rc = read_jid_parts(d, tag, &jid);
	if (rc == 0)
		rc = d->rd.err;
	if (rc < 0)
		return rc;
	/* A ':' in a user would pass for a device; the other ways to mean something else don't
	 * parse. */
	if ((jid.user[0] == '\0' && tag != TAG_JID_PAIR) || strchr(jid.user, ':') != NULL)
		return WA_EPROTO;
	if (tag == TAG_JID_PAIR && jid.user[0] != '\0') /* here a user holds its integrator */
		len = (size_t)snprintf(text, sizeof(text), "%s@%s", jid.user, jid.server);
	else
		len = wa_jid_format(&jid, text);
	rc = wa_jid_parse(text, len, &again);
	return rc < 0 ? rc : copy_str(d, text, len, STR_JID, out);
}

static int read_str(struct dec *d, uint8_t tag, struct str *out)
{
	switch (tag) {
	case TAG_LIST_EMPTY:
		*out = (struct str){ "", 0, STR_EMPTY_LIST };
		return d->rd.err;
	case TAG_JID_PAIR:
	case TAG_AD_JID:
	case TAG_FB_JID:
	case TAG_INTEROP_JID:
		return read_jid(d, tag, out);
	default:
		return read_plain(d, tag, out);
	}
}

/* A tag or an attribute's name. */
static int read_name(struct dec *d, const char **name_out)
{
	struct str s;
	int rc;

	rc = read_plain(d, rd_u8(&d->rd), &s);
	if (rc < 0)
		return rc;
	if (s.len == 0 || memchr(s.p, '\0', s.len) != NULL)
		return WA_EPROTO;
	*name_out = s.p;
	return 0;
}

/* ---- nodes --------------------------------------------------------------------------------------
 */

static int read_list_size(struct dec *d, uint8_t tag, size_t *size_out)
{
	if (d->rd.err == 0 && tag != TAG_LIST_EMPTY && tag != TAG_LIST_8 && tag != TAG_LIST_16)
		return WA_EPROTO;
	*size_out = 0;
	if (tag == TAG_LIST_8)
		*size_out = rd_u8(&d->rd);
	else if (tag == TAG_LIST_16)
		*size_out = rd_be16(&d->rd);
	return d->rd.err;
}

/* n more attributes or children, each of at least two bytes. */
static int take_items(struct dec *d, size_t n)
{
	if (n > WA_NODE_MAX_ITEMS - d->items_n)
		return WA_ELIMIT;
	if (n > d->rd.left / 2)
		return WA_ETRUNC;
	d->items_n += n;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A node can have thousands of attributes: comparing each with each would take minutes. */
static int check_many_names(const struct wa_node *n)
{
	const char **names = malloc(n->attrs_n * sizeof(*names));
	int rc = 0;

	if (names == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n->attrs_n; i++)
		names[i] = n->attrs[i].name;
	qsort(names, n->attrs_n, sizeof(*names), compare_names);
	for (size_t i = 1; i < n->attrs_n && rc == 0; i++) {
		if (strcmp(names[i - 1], names[i]) == 0)
			rc = WA_EPROTO;
	}
	free(names);
	return rc;
}

static int check_names(const struct wa_node *n)
{
	if (n->attrs_n > PAIRWISE_MAX)
		return check_many_names(n);
	for (size_t i = 1; i < n->attrs_n; i++) {
		for (size_t k = 0; k < i; k++) {
			const char *a = n->attrs[i].name, *b = n->attrs[k].name;

			if (a[0] == b[0] && strcmp(a, b) == 0)
				return WA_EPROTO;
		}
	}
	return 0;
}

static int read_attrs(struct dec *d, struct wa_node *n, size_t attrs_n)
{
	struct str value;
	int rc;

	rc = take_items(d, attrs_n);
	if (rc < 0 || attrs_n == 0)
		return rc;
	n->attrs = wa_arena_alloc(d->arena, attrs_n * sizeof(*n->attrs));
	if (n->attrs == NULL)
		return -ENOMEM;
	n->attrs_cap = attrs_n;
	for (; n->attrs_n < attrs_n; n->attrs_n++) {
		struct wa_attr *a = &n->attrs[n->attrs_n];

		rc = read_name(d, &a->name);
		if (rc == 0)
			rc = read_str(d, rd_u8(&d->rd), &value);
		if (rc < 0)
			return rc;
		a->value = value.p;
		a->value_len = value.len;
		a->is_jid = value.kind == STR_JID;
	}
	return check_names(n);
}

/* *children_out: how many child nodes follow. */
static int read_content(struct dec *d, struct wa_node *n, size_t *children_out)
{
	uint8_t tag = rd_u8(&d->rd);
	struct str s;
	int rc;

	if (tag == TAG_LIST_EMPTY || tag == TAG_LIST_8 || tag == TAG_LIST_16) {
		n->content = WA_CONTENT_NODES;
		rc = read_list_size(d, tag, children_out);
		return rc < 0 ? rc : take_items(d, *children_out);
	}
	rc = read_str(d, tag, &s);
	if (rc < 0)
		return rc;
	n->content = WA_CONTENT_BYTES;
	n->bytes = (const uint8_t *)s.p;
	n->bytes_len = s.len;
	n->content_is_text = s.kind != STR_BYTES;
	n->content_is_jid = s.kind == STR_JID;
	return 0;
}

/* One node without its children. */
static int read_node(struct dec *d, struct wa_node **node_out, size_t *children_out)
{
	struct wa_node *n;
	size_t size;
	int rc;

	*children_out = 0;
	if (d->nodes_n == WA_NODE_MAX_NODES)
		return WA_ELIMIT;
	d->nodes_n++;
	rc = read_list_size(d, rd_u8(&d->rd), &size);
	if (rc < 0)
		return rc;
	if (size == 0)
		return WA_EPROTO;
	n = wa_node_alloc(d->arena);
	if (n == NULL)
		return -ENOMEM;
	rc = read_name(d, &n->tag);
	if (rc == 0)
		rc = read_attrs(d, n, (size - 1) / 2);
	if (rc == 0 && size % 2 == 0)
		rc = read_content(d, n, children_out);
	if (rc == 0)
		*node_out = n;
	return rc;
}

static int read_tree(struct dec *d, struct wa_node **root_out)
{
	struct {
		struct wa_node *node;
		size_t children_left;
	} stack[WA_NODE_MAX_DEPTH];
	struct wa_node *n;
	size_t depth = 1, children_n;
	int rc;

	rc = read_node(d, &stack[0].node, &stack[0].children_left);
	while (rc == 0 && depth > 0) {
		if (stack[depth - 1].children_left == 0) {
			depth--;
			continue;
		}
		if (depth == WA_NODE_MAX_DEPTH)
			return WA_ELIMIT;
		stack[depth - 1].children_left--;
		rc = read_node(d, &n, &children_n);
		if (rc < 0)
			return rc;
		wa_node_append_child(stack[depth - 1].node, n);
		stack[depth].node = n;
		stack[depth].children_left = children_n;
		depth++;
	}
	if (rc == 0)
		*root_out = stack[0].node;
	return rc;
}

static int decode_nodes(const uint8_t *data, size_t data_len, struct wa_node **node_out)
{
	struct dec d = { 0 };
	struct wa_node *root;
	int rc;

	d.arena = wa_arena_new(2 * data_len);
	if (d.arena == NULL)
		return -ENOMEM;
	rd_init(&d.rd, data, data_len);
	rc = read_tree(&d, &root);
	if (rc == 0 && d.rd.left > 0)
		rc = WA_EPROTO;
	if (rc < 0)
		wa_arena_free(d.arena);
	else
		*node_out = root;
	return rc;
}

/* ---- stanza -------------------------------------------------------------------------------------
 */

static int decode_compressed(const uint8_t *data, size_t data_len, struct wa_node **node_out)
{
	struct buf plain = { 0 };
	int rc = wa_inflate(WA_INFLATE_ZLIB, data, data_len, WA_STANZA_MAX_LEN + 1, &plain);

	if (rc == 0)
		rc = decode_nodes(plain.p, plain.len, node_out);
	buf_wipe(&plain);
	return rc;
}

static int stream_end(struct wa_node **node_out)
{
	struct wa_node *n = wa_node_new("xmlstreamend");

	if (n == NULL)
		return -ENOMEM;
	*node_out = n;
	return 0;
}

int wa_stanza_decode(const uint8_t *data, size_t data_len, struct wa_node **node_out)
{
	if (data_len == 0)
		return WA_ETRUNC;
	if (data_len > WA_STANZA_MAX_LEN)
		return WA_ELIMIT;
	if ((data[0] & FLAG_COMPRESSED) == 0)
		return decode_nodes(data + 1, data_len - 1, node_out);
	if (data_len == 1)
		return stream_end(node_out);
	return decode_compressed(data + 1, data_len - 1, node_out);
}
