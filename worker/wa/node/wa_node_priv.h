/* worker/wa/node/wa_node_priv.h - what the files of wa_node share: the arena and the tag bytes */
#ifndef WA_NODE_PRIV_H
#define WA_NODE_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "worker/wa/node/wa_node.h"

/* The first byte of a string, list or JID; protocol notes 02 section 2. */
enum {
	TAG_LIST_EMPTY = 0x00,
	TAG_TOKEN_LAST = 0xeb, /* 0x01 to here: single-byte tokens */
	TAG_DICT_0 = 0xec,
	TAG_DICT_3 = 0xef,
	TAG_INTEROP_JID = 0xf5,
	TAG_FB_JID = 0xf6,
	TAG_AD_JID = 0xf7,
	TAG_LIST_8 = 0xf8,
	TAG_LIST_16 = 0xf9,
	TAG_JID_PAIR = 0xfa,
	TAG_HEX_8 = 0xfb,
	TAG_BINARY_8 = 0xfc,
	TAG_BINARY_20 = 0xfd,
	TAG_BINARY_32 = 0xfe,
	TAG_NIBBLE_8 = 0xff,
};

/* Domain byte of AD_JID. */
enum {
	DOMAIN_WHATSAPP = 0x00,
	DOMAIN_LID = 0x01,
	DOMAIN_HOSTED = 0x80,
	DOMAIN_HOSTED_LID = 0x81,
};

#define FLAG_COMPRESSED 0x02
#define PACKED_MAX_LEN 127 /* characters of a HEX_8 or NIBBLE_8 string */
#define PACKED_ODD 0x80

/* hint_len: about how many bytes will be asked for in all; only a guess. NULL without memory. */
struct wa_node_arena *wa_arena_new(size_t hint_len);
void wa_arena_free(struct wa_node_arena *a);
/* Zeroed, aligned for any type; n >= 1. NULL without memory, which the arena remembers. */
void *wa_arena_alloc(struct wa_node_arena *a, size_t n);
/* A copy with a NUL behind it. NULL without memory. */
char *wa_arena_dup(struct wa_node_arena *a, const void *data, size_t data_len);
bool wa_arena_failed(const struct wa_node_arena *a);

/* An empty node without tag. NULL without memory. */
struct wa_node *wa_node_alloc(struct wa_node_arena *a);
void wa_node_append_child(struct wa_node *parent, struct wa_node *child);

#endif
