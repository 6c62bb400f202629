/* worker/wa/node/wa_node_print.c - a node as text for people */
#include "worker/wa/node/wa_node.h"

#include "common/codec.h"

static int put_escaped(struct buf *out, const char *s, size_t len)
{
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < ' ' || c == '"' || c == '<' || c == '>' || c == '&' || c == 0x7f)
			rc = buf_appendf(out, "&#%u;", (unsigned)c);
		else
			rc = buf_append_u8(out, c);
	}
	return rc;
}

static int put_hex(struct buf *out, const uint8_t *p, size_t len)
{
	char hex[HEX_CAP(WA_NODE_PRINT_BYTES)];

	if (len <= WA_NODE_PRINT_BYTES) {
		hex_encode(p, len, hex);
		return buf_appendf(out, "[%s]", hex);
	}
	hex_encode(p, WA_NODE_PRINT_BYTES, hex);
	return buf_appendf(out, "[%s... %zu bytes]", hex, len);
}

static int put_open(struct buf *out, const struct wa_node *n)
{
	int rc;

	rc = buf_appendf(out, "<%s", n->tag);
	for (size_t i = 0; i < n->attrs_n && rc == 0; i++) {
		const struct wa_attr *a = &n->attrs[i];

		rc = buf_appendf(out, " %s=\"", a->name);
		if (rc == 0)
			rc = put_escaped(out, a->value, a->value_len);
		if (rc == 0)
			rc = buf_append_u8(out, '"');
	}
	return rc;
}

static int put_node(struct buf *out, const struct wa_node *n, unsigned depth_left)
{
	int rc;

	if (depth_left == 0)
		return buf_append_str(out, "...");
	rc = put_open(out, n);
	if (rc < 0)
		return rc;
	if (n->content == WA_CONTENT_NONE)
		return buf_append_str(out, "/>");
	rc = buf_append_u8(out, '>');
	if (rc == 0 && n->content == WA_CONTENT_BYTES)
		rc = n->content_is_text ? put_escaped(out, (const char *)n->bytes, n->bytes_len)
		                        : put_hex(out, n->bytes, n->bytes_len);
	for (const struct wa_node *c = n->first_child; c != NULL && rc == 0; c = c->next)
		rc = put_node(out, c, depth_left - 1);
	return rc < 0 ? rc : buf_appendf(out, "</%s>", n->tag);
}

int wa_node_print(const struct wa_node *n, struct buf *out)
{
	return put_node(out, n, WA_NODE_MAX_DEPTH);
}
