/*
 * worker/wa/stanza/wa_receipt.h - receipts: delivery, reading, retries
 *
 * Builders return NULL without memory, or where a stanza they answer has no id or no sender.
 * Source: protocol notes 06 section 6, 05 sections 9.3 and 9.4.
 */
#ifndef WA_RECEIPT_H
#define WA_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_bundle.h"

#define WA_RECEIPT_LIST(X) \
	X(WA_RECEIPT_DELIVERED, "") /* the type is left out */ \
	X(WA_RECEIPT_INACTIVE, "inactive") \
	X(WA_RECEIPT_READ, "read") \
	X(WA_RECEIPT_READ_SELF, "read-self") \
	X(WA_RECEIPT_PLAYED, "played") \
	X(WA_RECEIPT_PLAYED_SELF, "played-self") \
	X(WA_RECEIPT_SENDER, "sender") \
	X(WA_RECEIPT_PEER_MSG, "peer_msg") \
	X(WA_RECEIPT_HIST_SYNC, "hist_sync") \
	X(WA_RECEIPT_RETRY, "retry") \
	X(WA_RECEIPT_ENC_REKEY_RETRY, "enc_rekey_retry") /* of calls */ \
	X(WA_RECEIPT_SERVER_ERROR, "server-error") \
	X(WA_RECEIPT_VIEW, "view") \
	X(WA_RECEIPT_UNKNOWN, "?")

enum wa_receipt_type {
#define X(id, name) id,
	WA_RECEIPT_LIST(X)
#undef X
};

/* ---- outgoing -----------------------------------------------------------------------------------
 */

/* Of a message stanza: id, to, participant and recipient as it has them. */
struct wa_node *wa_receipt_for(const struct wa_node *message, enum wa_receipt_type type);
/* To ourselves about a message of our phone: peer_msg, hist_sync. */
struct wa_node *wa_receipt_to_self(const char *message_id, const char *own_pn_jid,
                                   enum wa_receipt_type type);
/* read, read-self or played, for ids of one author. participant: in groups, else NULL. ids_n >= 1.
 */
struct wa_node *wa_receipt_read(const char *chat_jid, const char *participant,
                                const char *const *ids, size_t ids_n, int64_t now_unix_s,
                                enum wa_receipt_type type);

/* ---- incoming -----------------------------------------------------------------------------------
 */

struct wa_receipt {
	enum wa_receipt_type type;
	/* borrowed from the stanza; NULL: absent */
	const char *id, *from, *participant, *recipient;
	uint64_t unix_s; /* 0: not told */
	bool offline, peer;
};

/* 0, or WA_EPROTO (not a receipt, no id, no from). */
ATTR_NODISCARD int wa_receipt_read_node(const struct wa_node *n, struct wa_receipt *r_out);

/* One message the receipt is about: by whom, when (0: not told). */
struct wa_receipt_item {
	const char *message_id, *participant;
	uint64_t unix_s;
};

/*
 * Each message (and, where a group's members are told together, each member) of a receipt. Stops at
 * a negative code of on_item and returns it.
 */
ATTR_NODISCARD int wa_receipt_each(const struct wa_node *n,
                                   int (*on_item)(void *arg, const struct wa_receipt_item *item),
                                   void *arg);

/* ---- retries ------------------------------------------------------------------------------------
 */

#define WA_RETRY_COUNT_MAX 5

/* What we send: the message could not be opened. */
struct wa_retry_ask {
	unsigned count; /* from 1; at most WA_RETRY_COUNT_MAX */
	unsigned error; /* wa_signal_retry_reason(); 0: left out */
	uint32_t registration_id;
	/* With keys, when count >= 2 or there is no session: else NULL. has_prekey: always */
	const struct wa_prekey_bundle *keys;
	const uint8_t *device_identity; /* our ADVSignedDeviceIdentity, with keys */
	size_t device_identity_len;
};

struct wa_node *wa_retry_receipt(const struct wa_node *message, const struct wa_retry_ask *ask);

/* What we get: a device could not open a message of ours. */
struct wa_retry {
	struct wa_receipt receipt;
	const char *message_id;
	unsigned count;
	unsigned error;
	uint64_t message_unix_s;
	uint32_t registration_id;
	bool has_keys;
	struct wa_prekey_bundle keys;   /* registration_id filled in */
	const uint8_t *device_identity; /* borrowed; NULL: none */
	size_t device_identity_len;
};

/* 0, or WA_EPROTO (no retry receipt; no or bad <retry>, <registration> or <keys>). */
ATTR_NODISCARD int wa_retry_read(const struct wa_node *n, struct wa_retry *r_out);

#endif
