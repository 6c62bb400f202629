/* worker/wa/appstate/wa_appstate_priv.h - shared by the files of wa_appstate */
#ifndef WA_APPSTATE_PRIV_H
#define WA_APPSTATE_PRIV_H

#include "worker/wa/appstate/wa_appstate.h"

#define WA_APPSTATE_IV_LEN 16
#define WA_APPSTATE_BLOCK_LEN 16

/* A record on the wire. Borrowed. */
struct wa_appstate_wire {
	bool remove;
	const uint8_t *index_mac;
	struct wa_bytes blob, key_id;
};

/* Where the value MAC stands in a blob of a checked length. */
static inline const uint8_t *wa_appstate_blob_mac(struct wa_bytes blob)
{
	return blob.p + blob.len - WA_APPSTATE_MAC_LEN;
}

/* A SyncdRecord. 0 or WA_EPROTO (something missing or of a wrong length). */
int wa_appstate_wire_read(const uint8_t *p, size_t len, struct wa_appstate_wire *w_out);

/* Keys of w, or of the id. 0, WA_APPSTATE_EKEY with s->missing_key_id, or another failure. */
int wa_appstate_keys_of(struct wa_appstate *s, const struct wa_appstate_ops *ops, void *arg,
                        struct wa_bytes id, struct wa_appstate_keys *out);

/* A record in plain: a SyncActionData, and what goes with it. Borrowed. */
struct wa_appstate_plain {
	bool remove;
	const struct wa_appstate_keys *keys; /* of key_id */
	struct wa_bytes key_id;
	const uint8_t *index_mac; /* must be that of its index; NULL: nobody has said one */
	const uint8_t *value_mac;
	struct wa_bytes data;
};

/* 0, WA_EAUTH (another index), WA_EPROTO, WA_ETRUNC, WA_ELIMIT, -ENOMEM, or the callback's code. */
int wa_appstate_hand_out(struct wa_pool *pool, const struct wa_appstate_ops *ops, void *arg,
                         const struct wa_appstate_plain *p);

/* Append the Message that p, with its type, is in. 0 or -ENOMEM. */
int wa_appstate_pack(struct Wa__ProtocolMessage *p, struct buf *out);

/* The last bytes field of that number; p NULL: none. 0 or WA_EPROTO. */
int wa_appstate_bytes(const uint8_t *p, size_t left, uint32_t number, struct wa_bytes *out);
/* version{1 version} in field 1; 0 when absent. 0 or WA_EPROTO. */
int wa_appstate_version(const uint8_t *p, size_t left, uint64_t *v_out);

/* Verify, open and hand out one record. pool is reset. */
int wa_appstate_open(struct wa_appstate *s, struct wa_pool *pool, const struct wa_appstate_ops *ops,
                     void *arg, const struct wa_appstate_wire *w);

#endif
