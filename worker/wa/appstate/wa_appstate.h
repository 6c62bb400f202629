/*
 * worker/wa/appstate/wa_appstate.h - app state: sealed records that all devices of an account share
 *
 * A collection has a version, a hash over all its live records and, kept by the caller, a map from
 * index MAC to value MAC. Snapshots and patches are verified (hash, MACs) and then opened record by
 * record through a callback; a patch that fails may have called it already: the caller's
 * transaction is rolled back then. Source: protocol notes 08.
 */
#ifndef WA_APPSTATE_H
#define WA_APPSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/message/wa_msg.h"
#include "worker/wa/message/wa_pool.h"
#include "worker/wa/node/wa_node.h"

struct Wa__PeerDataOperationRequestResponseMessage; /* proto/wa_msg.pb-c.h */
struct Wa__SyncActionValue;                         /* proto/wa_appstate.pb-c.h */

#define WA_APPSTATE_MAC_LEN 32
#define WA_APPSTATE_HASH_LEN 128
#define WA_APPSTATE_KEY_LEN 32
#define WA_APPSTATE_KEY_ID_MAX 64               /* usually 6 */
#define WA_APPSTATE_MAX_LEN (32u * 1024 * 1024) /* of a snapshot or patch */
#define WA_APPSTATE_RECORD_MAX (1u * 1024 * 1024)
#define WA_APPSTATE_PARTS_MAX 16 /* of an index */

#define WA_APPSTATE_ERR_LIST(X) \
	X(WA_APPSTATE_EKEY, -10421, "missing_key")      /* ask for it: missing_key_id */ \
	X(WA_APPSTATE_EVERSION, -10422, "out_of_order") /* not the version after ours */ \
	X(WA_APPSTATE_EHASH, -10423, "hash_mismatch")   /* our records differ: take a snapshot */

enum wa_appstate_err {
#define X(id, num, name) id = (num),
	WA_APPSTATE_ERR_LIST(X)
#undef X
};

const char *wa_appstate_err_name(int rc); /* NULL for any other code */

/* ---- keys ---------------------------------------------------------------------------------------
 */

struct wa_appstate_keys {
	uint8_t index[32], cipher[32], value_mac[32], snapshot_mac[32], patch_mac[32];
};

/* 0 or WA_ECRYPTO. Wipe with secret_wipe(). */
ATTR_NODISCARD int wa_appstate_expand(const uint8_t key_data[WA_APPSTATE_KEY_LEN],
                                      struct wa_appstate_keys *keys_out);

/*
 * Each key of a share. data NULL: the sender has it neither. Keys of another length, and ids over
 * WA_APPSTATE_KEY_ID_MAX, are left out. Stops at a negative code of on_key and returns it.
 */
ATTR_NODISCARD int wa_appstate_each_key(const struct Wa__ProtocolMessage *p,
                                        int (*on_key)(void *arg, struct wa_bytes id,
                                                      const uint8_t *data, int64_t unix_ms),
                                        void *arg);
/* Append a serialized Message that asks for keys. 0 or -ENOMEM. */
ATTR_NODISCARD int wa_appstate_ask_keys(const struct wa_bytes *ids, size_t ids_n, struct buf *out);

/* ---- the hash -----------------------------------------------------------------------------------
 */

/* Add to or subtract from hash what a value MAC expands to. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int wa_lthash_add(uint8_t hash[WA_APPSTATE_HASH_LEN],
                                 const uint8_t value_mac[WA_APPSTATE_MAC_LEN]);
ATTR_NODISCARD int wa_lthash_sub(uint8_t hash[WA_APPSTATE_HASH_LEN],
                                 const uint8_t value_mac[WA_APPSTATE_MAC_LEN]);

/* ---- records ------------------------------------------------------------------------------------
 */

#define WA_APPSTATE_ACTION_LIST(X) \
	X(WA_ACTION_OTHER, "") /* one that is not read here: only its MACs count */ \
	X(WA_ACTION_PUSH_NAME, "setting_pushName") \
	X(WA_ACTION_CONTACT, "contact") /* parts: PN or LID JID */ \
	X(WA_ACTION_LID_CONTACT, "lid_contact") \
	X(WA_ACTION_MUTE, "mute")                   /* parts: chat */ \
	X(WA_ACTION_PIN, "pin_v1")                  /* parts: chat */ \
	X(WA_ACTION_ARCHIVE, "archive")             /* parts: chat */ \
	X(WA_ACTION_MARK_READ, "markChatAsRead")    /* parts: chat */ \
	X(WA_ACTION_STAR, "star")                   /* parts: chat, id, from me, participant */ \
	X(WA_ACTION_LABEL_EDIT, "label_edit")       /* parts: label */ \
	X(WA_ACTION_LABEL_CHAT, "label_jid")        /* parts: label, chat */ \
	X(WA_ACTION_LABEL_MESSAGE, "label_message") /* parts: label, chat, id, ... */ \
	X(WA_ACTION_PN_FOR_LID, "pnForLidChat")     /* parts: LID */ \
	X(WA_ACTION_NCT_SALT, "nct_salt_sync") \
	X(WA_ACTION_SENTINEL, "sentinel")

enum wa_appstate_action {
#define X(id, name) id,
	WA_APPSTATE_ACTION_LIST(X)
#undef X
};

/* Borrowed, for the time of the callback. */
struct wa_appstate_record {
	/* It can't be believed, or read (see tolerate_records): only the MACs and removed are set.
	 */
	bool bad;
	bool removed;
	enum wa_appstate_action action;
	const char *const *parts; /* the index: [0] is the action's name; UTF-8 as it came */
	size_t parts_n;           /* at least 1 */
	const struct Wa__SyncActionValue *value; /* NULL: none */
	int32_t action_version;
	int64_t unix_ms;                      /* 0: not told */
	struct wa_bytes index;                /* JSON, as it came */
	const uint8_t *index_mac, *value_mac; /* for the map: set, or delete when removed */
	struct wa_bytes key_id;
};

struct wa_appstate_ops {
	/* Expanded keys of an id. 0, or -ENOENT: not known. */
	int (*key)(void *arg, struct wa_bytes id, struct wa_appstate_keys *out);
	/* The map: the live value MAC of an index MAC. 0, or -ENOENT. Not asked for snapshots. */
	int (*value_mac)(void *arg, const uint8_t index_mac[WA_APPSTATE_MAC_LEN],
	                 uint8_t out[WA_APPSTATE_MAC_LEN]);
	int (*on_record)(void *arg, const struct wa_appstate_record *r);
};

/* ---- snapshots and patches ----------------------------------------------------------------------
 */

struct wa_appstate {
	const char *collection; /* "regular_high", ...; borrowed */
	uint64_t version;       /* 0: never synchronised */
	uint8_t hash[WA_APPSTATE_HASH_LEN];
	/* A hash that differs is no failure (after a snapshot has not helped); see hash_differed.
	 */
	bool tolerate_hash;
	bool hash_differed;
	/* Nor is a record whose MACs are wrong, or that makes no sense: it is handed out as bad. */
	bool tolerate_records;
	unsigned records_bad;
	/* of WA_APPSTATE_EKEY */
	uint8_t missing_key_id[WA_APPSTATE_KEY_ID_MAX];
	size_t missing_key_id_len;
};

/*
 * Replace the collection: data is a SyncdSnapshot. On success version and hash are the snapshot's,
 * and every record was handed out (the caller empties its map first).
 * 0; WA_APPSTATE_EKEY; WA_APPSTATE_EHASH; WA_EAUTH (a record's MAC or index); WA_EPROTO; WA_ELIMIT;
 * a callback's code. version and hash are unchanged on failure.
 */
ATTR_NODISCARD int wa_appstate_snapshot(struct wa_appstate *s, struct wa_pool *pool,
                                        const struct wa_appstate_ops *ops, void *arg,
                                        const uint8_t *data, size_t data_len);

/* A file that a snapshot or patch stands in; as wa_media_decrypt() wants it. Borrowed. */
struct wa_appstate_blob {
	const char *direct_path;                        /* NULL: none */
	const uint8_t *media_key, *sha256, *enc_sha256; /* 32 bytes each */
	uint64_t file_len;
};

/* data: an ExternalBlobReference. The path is copied into pool. 0, WA_EPROTO, WA_ELIMIT. */
ATTR_NODISCARD int wa_appstate_blob_read(struct wa_pool *pool, const uint8_t *data, size_t data_len,
                                         struct wa_appstate_blob *b_out);
/* Of a patch whose mutations stand in a file: direct_path NULL when they stand in itself. */
ATTR_NODISCARD int wa_appstate_patch_blob(struct wa_pool *pool, const uint8_t *data,
                                          size_t data_len, struct wa_appstate_blob *b_out);

/*
 * Apply a SyncdPatch of exactly the next version. external: the opened file of its mutations, when
 * wa_appstate_patch_blob() says that there is one; p NULL otherwise. As wa_appstate_snapshot(), and
 * WA_APPSTATE_EVERSION; WA_EAUTH also for the patch's MAC.
 */
ATTR_NODISCARD int wa_appstate_patch(struct wa_appstate *s, struct wa_pool *pool,
                                     const struct wa_appstate_ops *ops, void *arg,
                                     const uint8_t *data, size_t data_len,
                                     struct wa_bytes external);

/* ---- the phone's own copy -----------------------------------------------------------------------
 *
 * When not even a snapshot of the server's fits, the phone is asked for all of a collection. What
 * it sends is in plain, with the value MACs and the hash that it has: they are taken over.
 */

#define WA_APPSTATE_PEER_TYPE 8                   /* PeerDataOperationRequestType */
#define WA_APPSTATE_WHOLE_MAX (16u * 1024 * 1024) /* inflated */
#define WA_APPSTATE_NAME_CAP 64                   /* of a collection */

/* Append a serialized Message that asks the phone for it. 0 or -ENOMEM. */
ATTR_NODISCARD int wa_appstate_ask_plain(const char *collection, int64_t unix_ms, struct buf *out);

struct wa_appstate_whole {
	char collection[WA_APPSTATE_NAME_CAP]; /* of any name */
	uint64_t version;                      /* at least 1 */
	const uint8_t *hash;                   /* WA_APPSTATE_HASH_LEN */
	struct wa_bytes data;                  /* SyncdSnapshotRecovery */
	struct buf inflated;                   /* what data is in, if it was compressed */
};

/*
 * Of an answer of the phone's, of that type; it is borrowed as long as *w_out is used.
 * 0; WA_EPROTO, WA_ETRUNC, WA_ELIMIT (what it inflates to); -ENOMEM. Clear it after use.
 */
ATTR_NODISCARD int
wa_appstate_whole_read(const struct Wa__PeerDataOperationRequestResponseMessage *m,
                       struct wa_appstate_whole *w_out);
void wa_appstate_whole_clear(struct wa_appstate_whole *w);
/*
 * Replace the collection, as wa_appstate_snapshot() does. Records that make no sense are handed out
 * as bad where they have an index; hash_differed: the phone's hash is not that of its records.
 * 0; WA_APPSTATE_EVERSION: it is not newer than s->version; WA_APPSTATE_EKEY; WA_EPROTO; a
 * callback's code. version and hash are unchanged on failure.
 */
ATTR_NODISCARD int wa_appstate_whole_apply(struct wa_appstate *s, struct wa_pool *pool,
                                           const struct wa_appstate_ops *ops, void *arg,
                                           const struct wa_appstate_whole *w);

/* ---- making records (our own changes, and the simulator's phone) --------------------------------
 */

struct wa_appstate_seal {
	const struct wa_appstate_keys *keys;
	struct wa_bytes key_id;
	bool remove;
	struct wa_bytes index, data; /* JSON; serialized SyncActionData */
	uint8_t iv[16];              /* random */
};

/* Append the value blob. The MACs go into the record and the hash. 0, WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int wa_appstate_seal(const struct wa_appstate_seal *r, struct buf *out,
                                    uint8_t index_mac_out[WA_APPSTATE_MAC_LEN],
                                    uint8_t value_mac_out[WA_APPSTATE_MAC_LEN]);
ATTR_NODISCARD int wa_appstate_snapshot_mac(const struct wa_appstate_keys *keys,
                                            const uint8_t hash[WA_APPSTATE_HASH_LEN],
                                            uint64_t version, const char *collection,
                                            uint8_t out[WA_APPSTATE_MAC_LEN]);
/* value_macs: of each mutation in order, in a row. */
ATTR_NODISCARD int wa_appstate_patch_mac(const struct wa_appstate_keys *keys,
                                         const uint8_t snapshot_mac[WA_APPSTATE_MAC_LEN],
                                         const uint8_t *value_macs, size_t value_macs_len,
                                         uint64_t version, const char *collection,
                                         uint8_t out[WA_APPSTATE_MAC_LEN]);

/* ---- asking the server --------------------------------------------------------------------------
 */

/* Then one add for each collection. version 0: the snapshot is asked for. NULL without memory. */
struct wa_node *wa_appstate_fetch(const char *id);
void wa_appstate_fetch_add(struct wa_node *fetch, const char *collection, uint64_t version);

/* Of a <collection> of the answer: the code of its <error>, 1 for one without; 0: none. */
unsigned wa_appstate_error(const struct wa_node *collection);

#endif
