/*
 * worker/wa/node/wa_node.h - binary nodes: the stanzas inside the transport frames
 *
 * A node has a tag, attributes and optional content: bytes or child nodes. A decoded tree or one
 * under construction lives in one arena owned by its root: wa_node_free(root) releases all of it.
 * Source: protocol notes 02.
 */
#ifndef WA_NODE_H
#define WA_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

#define WA_STANZA_MAX_LEN (8u * 1024 * 1024) /* after inflating */
#define WA_NODE_MAX_DEPTH 128
#define WA_NODE_MAX_NODES 32768
#define WA_NODE_MAX_ITEMS 131072 /* attributes and children of all lists of one stanza */

#define WA_NODE_PRINT_BYTES 64

/* The service itself: written FA 00 03 when set as a JID. */
#define WA_SERVER_JID "s.whatsapp.net"

struct wa_attr {
	const char *name;
	/* Text as it came, NUL-terminated (a value may hold more NULs); JIDs in text form. */
	const char *value;
	size_t value_len;
	bool is_jid; /* came, or is to be written, in a JID form */
};

enum wa_content { WA_CONTENT_NONE, WA_CONTENT_BYTES, WA_CONTENT_NODES };

struct wa_node {
	const char *tag;
	struct wa_attr *attrs;
	size_t attrs_n;
	size_t attrs_cap; /* internal */
	enum wa_content content;
	/* WA_CONTENT_BYTES. content_is_text: was a token, packed or JID form on the wire. */
	const uint8_t *bytes;
	size_t bytes_len;
	bool content_is_text;
	bool content_is_jid;
	/* WA_CONTENT_NODES */
	struct wa_node *first_child, *last_child, *next;
	size_t children_n;
	struct wa_node_arena *arena; /* internal */
};

/* ---- reading ------------------------------------------------------------------------------------
 */

/*
 * Decode one stanza: flag byte, then exactly one node; inflates when the flag says so.
 * 0; WA_ETRUNC; WA_EPROTO (bad tag byte, bad name, left-over bytes, duplicate attribute, bad zlib);
 * WA_ELIMIT (size, depth, counts); -ENOMEM. *node_out: caller frees with wa_node_free().
 * The end-of-stream marker (the single byte 02) decodes to <xmlstreamend/>.
 */
ATTR_NODISCARD int wa_stanza_decode(const uint8_t *data, size_t data_len,
                                    struct wa_node **node_out);

/* Attribute value or NULL. A value that holds a NUL byte counts as absent: as text it would be cut.
 */
const char *wa_node_attr(const struct wa_node *n, const char *name);
bool wa_node_attr_is(const struct wa_node *n, const char *name, const char *value);
bool wa_node_is(const struct wa_node *n, const char *tag);
/* First child of that tag; tag NULL: the first child. */
const struct wa_node *wa_node_child(const struct wa_node *n, const char *tag);
const struct wa_node *wa_node_next(const struct wa_node *n, const char *tag); /* next sibling */

/* ---- writing ------------------------------------------------------------------------------------
 */

/*
 * Builders copy what they are given and never fail at once: when memory runs out the arena
 * remembers it and wa_stanza_encode() says -ENOMEM. Passing NULL for a node is allowed. Setting an
 * attribute again replaces its value; a NULL value leaves it out. A node has bytes or children:
 * what was set last counts.
 */
struct wa_node *wa_node_new(const char *tag); /* a root */
struct wa_node *wa_node_add(struct wa_node *parent, const char *tag);
void wa_node_set(struct wa_node *n, const char *name, const char *value);
void wa_node_set_int(struct wa_node *n, const char *name, int64_t value);
void wa_node_set_jid(struct wa_node *n, const char *name, const char *jid_text);
void wa_node_set_bytes(struct wa_node *n, const void *data, size_t data_len);
void wa_node_set_text(struct wa_node *n, const char *text); /* written as BINARY_x, as bytes are */

/*
 * Append flag byte 00 and the node; attributes in the order they were set. Content bytes always go
 * out as BINARY_x, also when they came as a token. 0; -ENOMEM (also for NULL); WA_EPROTO (empty tag
 * or name, JID text that is none or that no JID form can carry); WA_ELIMIT (over 65535 list items,
 * over 2^32 - 1 bytes of content, depth). On failure nothing is appended.
 */
ATTR_NODISCARD int wa_stanza_encode(const struct wa_node *n, struct buf *out);

/* NULL is fine. Only for roots. */
void wa_node_free(struct wa_node *root);

/*
 * Append the node as one line of XML-like text, for logs of the simulator and failing tests; bytes
 * as hex, cut after WA_NODE_PRINT_BYTES. Never used by the worker: stanzas hold secrets.
 * 0 or -ENOMEM.
 */
ATTR_NODISCARD int wa_node_print(const struct wa_node *n, struct buf *out);

#endif
