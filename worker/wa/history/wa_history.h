/*
 * worker/wa/history/wa_history.h - history from the phone: the notice, and the blob decoded as a stream
 *
 * A blob may inflate to hundreds of megabytes; it is never in memory as a whole. Compressed bytes
 * go in, conversations and messages come out one at a time through callbacks. The MAC and hashes of
 * a downloaded blob are known only at its end: what came out before is to be kept in a transaction
 * until then (or the blob verified first).
 * Source: protocol notes 07.
 */
#ifndef WA_HISTORY_H
#define WA_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/message/wa_msg.h"

struct Wa__Conversation; /* proto/wa_history.pb-c.h */
struct Wa__InlineContact;
struct Wa__WebMessageInfo; /* proto/wa_msg.pb-c.h */

#define WA_HISTORY_TYPE_LIST(X) \
	X(WA_HISTORY_INITIAL_BOOTSTRAP, "initial_bootstrap") \
	X(WA_HISTORY_INITIAL_STATUS_V3, "initial_status") \
	X(WA_HISTORY_FULL, "full") \
	X(WA_HISTORY_RECENT, "recent") \
	X(WA_HISTORY_PUSH_NAME, "push_name") \
	X(WA_HISTORY_NON_BLOCKING_DATA, "non_blocking_data") \
	X(WA_HISTORY_ON_DEMAND, "on_demand") \
	X(WA_HISTORY_NO_HISTORY, "no_history") \
	X(WA_HISTORY_MESSAGE_ACCESS_STATUS, "message_access_status")

enum wa_history_type {
#define X(id, name) id,
	WA_HISTORY_TYPE_LIST(X)
#undef X
};

/* "unknown" for a number that is new. */
const char *wa_history_type_name(int type);

/* ---- the notice ---------------------------------------------------------------------------------
 */

struct wa_history_notice {
	int type; /* enum wa_history_type, or a number that is new */
	uint32_t chunk, progress;
	const char *request_id;         /* of ours that it answers; NULL: unasked */
	struct wa_bytes inline_payload; /* p set: the zlib bytes themselves, nothing to fetch */
	/* else the file: all set, or direct_path NULL when there is nothing to fetch */
	const char *direct_path, *enc_handle;
	const uint8_t *media_key, *sha256, *enc_sha256; /* 32 bytes each */
	uint64_t file_len;                              /* of the zlib bytes */
};

/* Borrows from p. 0, or WA_EPROTO (no notice, keys or hashes of a wrong length, half a file). */
ATTR_NODISCARD int wa_history_notice_read(const struct Wa__ProtocolMessage *p,
                                          struct wa_history_notice *n_out);

/* ---- the blob -----------------------------------------------------------------------------------
 */

#define WA_HISTORY_INFLATED_MAX (256u * 1024 * 1024)
#define WA_HISTORY_RATIO_MAX 256
#define WA_HISTORY_RATIO_FREE (8u * 1024 * 1024)  /* as much may come out whatever the ratio */
#define WA_HISTORY_MESSAGE_MAX (2u * 1024 * 1024) /* a longer one is skipped and counted */
#define WA_HISTORY_FIELD_MAX (1u * 1024 * 1024)   /* any other field; all of a chat's together */
#define WA_HISTORY_MEMORY_MAX (8u * 1024 * 1024)  /* one message, decoded */

struct wa_history_limits {
	uint64_t inflated_max; /* bytes */
	unsigned ratio_max;    /* bytes out for a byte in, beyond WA_HISTORY_RATIO_FREE */
	int64_t oldest_unix_s; /* messages before it are dropped undecoded; 0: none are */
	bool sum_checked;      /* it was read before: zlib's checksum is not made again */
};

extern const struct wa_history_limits wa_history_limits_default;

/* Everything is borrowed, for the time of the callback. */
struct wa_history_msg {
	const char *chat;      /* of the conversation; of the message's key while it is unknown */
	struct wa_msg_key key; /* key.id NULL: the phone left it out */
	const char *sender;    /* NULL: we, or not told */
	uint64_t unix_s;       /* 0: not told */
	uint64_t order;        /* as the phone sorts them; 0: not told */
	bool has_view;         /* false: a stub (info->message_stub_type) or nothing at all */
	struct wa_msg_view view;
	struct wa_bytes message; /* serialized Message, as it came */
	struct wa_bytes secret;  /* 32 bytes; p NULL: none */
	const struct Wa__WebMessageInfo *info;
};

struct wa_history_counts {
	uint64_t conversations, messages, statuses, push_names, mappings, contacts;
	uint64_t dropped_old; /* before oldest_unix_s */
	uint64_t unreadable;  /* no message, nested or wrapped too deep */
	uint64_t too_large;
	uint64_t inflated_len; /* bytes */
};

/* Each may be NULL. A negative code stops everything and is handed on. */
struct wa_history_ops {
	int (*on_message)(void *arg, const struct wa_history_msg *m);
	int (*on_status)(void *arg, const struct wa_history_msg *m);
	/* After its messages. messages_n: how many were handed out for it. */
	int (*on_conversation)(void *arg, const struct Wa__Conversation *c, uint64_t messages_n);
	int (*on_push_name)(void *arg, const char *jid, const char *name);
	int (*on_mapping)(void *arg, const char *pn_jid, const char *lid_jid);
	int (*on_contact)(void *arg, const struct Wa__InlineContact *c);
	int (*on_nct_salt)(void *arg, const uint8_t *salt, size_t salt_len);
	int (*on_companion_nonce)(void *arg, const char *nonce);
};

struct wa_history;

/* ops and arg must outlive it. 0 or -ENOMEM. */
ATTR_NODISCARD int wa_history_new(const struct wa_history_ops *ops, void *arg,
                                  const struct wa_history_limits *limits,
                                  struct wa_history **h_out);
/*
 * The next zlib bytes, any number. 0; WA_EPROTO (no zlib stream, no HistorySync, bytes behind the
 * stream); WA_ELIMIT (size or ratio); -ENOMEM; a callback's code. After a failure only free.
 */
ATTR_NODISCARD int wa_history_feed(struct wa_history *h, const uint8_t *data, size_t data_len);
/* There are no more. 0, WA_ETRUNC, or WA_EPROTO (without a syncType). */
ATTR_NODISCARD int wa_history_end(struct wa_history *h);
void wa_history_free(struct wa_history *h); /* NULL is fine */

const struct wa_history_counts *wa_history_counts(const struct wa_history *h);
/* Of the blob itself; -1 until it was read. */
int wa_history_type_of(const struct wa_history *h);
/* Bytes it holds now, for tests of the bound. */
size_t wa_history_memory(const struct wa_history *h);

/* ---- asking the phone ---------------------------------------------------------------------------
 *
 * Each appends a serialized Message for a peer message to our phone. 0 or -ENOMEM.
 */

/* Up to 50 messages of chat before the one that is given. */
ATTR_NODISCARD int wa_history_ask_older(const char *chat, const char *oldest_id,
                                        bool oldest_from_me, int64_t oldest_unix_s,
                                        unsigned messages_n, struct buf *out);
#endif
