/*
 * worker/wa/appstate/wa_appstate_plain.c - app state: a whole collection in plain, as the phone has
 * it
 *
 * Nothing in it is sealed: it is believed because the phone itself has sent it to us.
 */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/wa/appstate/wa_appstate_priv.h"
#include "worker/wa/node/wa_inflate.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wa/message/wa_pb_walk.h"

#define FIELD_NAME 2
#define FIELD_RECORDS 3
#define FIELD_HASH 4

/* ---- asking -------------------------------------------------------------------------------------
 */

int wa_appstate_ask_plain(const char *collection, int64_t unix_ms, struct buf *out)
{
	Wa__SyncDCollectionFatalRecoveryRequest ask =
	    WA__SYNC_DCOLLECTION_FATAL_RECOVERY_REQUEST__INIT;
	Wa__PeerDataOperationRequestMessage r = WA__PEER_DATA_OPERATION_REQUEST_MESSAGE__INIT;
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;

	ask.collection_name = (char *)(uintptr_t)collection; /* only read */
	ask.has_timestamp = 1;
	ask.timestamp = unix_ms;
	r.has_peer_data_operation_request_type = 1;
	r.peer_data_operation_request_type = WA_APPSTATE_PEER_TYPE;
	r.syncd_collection_fatal_recovery_request = &ask;
	p.type = WA_PROTO_PEER_DATA_REQUEST;
	p.peer_data_operation_request_message = &r;
	return wa_appstate_pack(&p, out);
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static int read_name(struct wa_bytes name, char out[WA_APPSTATE_NAME_CAP])
{
	if (name.len == 0 || name.len >= WA_APPSTATE_NAME_CAP ||
	    memchr(name.p, '\0', name.len) != NULL)
		return WA_EPROTO;
	memcpy(out, name.p, name.len);
	out[name.len] = '\0';
	return 0;
}

static int read_head(struct wa_appstate_whole *w)
{
	struct wa_bytes name, hash;
	int rc = wa_appstate_version(w->data.p, w->data.len, &w->version);

	if (rc == 0)
		rc = wa_appstate_bytes(w->data.p, w->data.len, FIELD_NAME, &name);
	if (rc == 0)
		rc = wa_appstate_bytes(w->data.p, w->data.len, FIELD_HASH, &hash);
	if (rc == 0 &&
	    (w->version == 0 || w->version > INT64_MAX || hash.len != WA_APPSTATE_HASH_LEN))
		rc = WA_EPROTO;
	if (rc != 0)
		return rc;
	w->hash = hash.p;
	return read_name(name, w->collection);
}

int wa_appstate_whole_read(const struct Wa__PeerDataOperationRequestResponseMessage *m,
                           struct wa_appstate_whole *w_out)
{
	const Wa__SyncDSnapshotFatalRecoveryResponse *r = NULL;
	struct wa_appstate_whole w = { 0 };
	int rc = 0;

	for (size_t i = 0; r == NULL && i < m->n_peer_data_operation_result; i++)
		r = m->peer_data_operation_result[i]->syncd_snapshot_fatal_recovery_response;
	if (r == NULL || !r->has_collection_snapshot)
		return WA_EPROTO;
	w.data = (struct wa_bytes){ r->collection_snapshot.data, r->collection_snapshot.len };
	if (r->has_is_compressed && r->is_compressed) {
		rc = wa_inflate(WA_INFLATE_GZIP, w.data.p, w.data.len, WA_APPSTATE_WHOLE_MAX,
		                &w.inflated);
		w.data = (struct wa_bytes){ w.inflated.p, w.inflated.len };
	}
	if (rc == 0)
		rc = read_head(&w);
	if (rc < 0)
		buf_wipe(&w.inflated);
	else
		*w_out = w;
	return rc;
}

void wa_appstate_whole_clear(struct wa_appstate_whole *w)
{
	buf_wipe(&w->inflated);
	memset(w, 0, sizeof(*w));
}

/* ---- applying -----------------------------------------------------------------------------------
 */

/* A SyncdPlainTextRecord. keys of it are not looked up yet. */
static int read_record(const uint8_t *p, size_t len, struct wa_appstate_plain *out)
{
	struct wa_bytes mac;
	int rc = wa_appstate_bytes(p, len, 1, &out->data);

	if (rc == 0)
		rc = wa_appstate_bytes(p, len, 2, &out->key_id);
	if (rc == 0)
		rc = wa_appstate_bytes(p, len, 3, &mac);
	if (rc != 0)
		return rc;
	if (out->data.p == NULL || out->data.len > WA_APPSTATE_RECORD_MAX ||
	    mac.len != WA_APPSTATE_MAC_LEN)
		return WA_EPROTO;
	out->value_mac = mac.p;
	return 0;
}

/* One that makes no sense, but has an index: its place in the map counts all the same. */
static int hand_out_bad(const struct wa_appstate_ops *ops, void *arg,
                        const struct wa_appstate_plain *p)
{
	struct wa_appstate_record r = { .bad = true,
		                        .value_mac = p->value_mac,
		                        .key_id = p->key_id };
	uint8_t mac[WA_APPSTATE_MAC_LEN];
	struct wa_bytes index;
	int rc = wa_appstate_bytes(p->data.p, p->data.len, 1, &index);

	if (rc < 0 || index.p == NULL)
		return 0;
	rc = wa_hmac_sha256(p->keys->index, sizeof(p->keys->index), index.p, index.len, mac);
	r.index_mac = mac;
	return rc < 0 ? rc : ops->on_record(arg, &r);
}

static int apply_record(struct wa_appstate *s, struct wa_pool *pool,
                        const struct wa_appstate_ops *ops, void *arg, const uint8_t *data,
                        size_t data_len)
{
	struct wa_appstate_plain p = { 0 };
	struct wa_appstate_keys keys;
	int rc = read_record(data, data_len, &p);

	if (rc == 0)
		rc = wa_appstate_keys_of(s, ops, arg, p.key_id, &keys);
	if (rc < 0)
		return rc;
	p.keys = &keys;
	wa_pool_reset(pool);
	rc = wa_appstate_hand_out(pool, ops, arg, &p);
	if (rc == WA_EPROTO || rc == WA_ETRUNC || rc == WA_ELIMIT) {
		s->records_bad++;
		rc = hand_out_bad(ops, arg, &p);
	}
	secret_wipe(&keys, sizeof(keys));
	return rc;
}

/* Does the phone's hash follow from its records? That is for the log: it is the one that counts. */
static int sum(const uint8_t *p, size_t left, uint8_t hash[WA_APPSTATE_HASH_LEN])
{
	struct wa_appstate_plain r = { 0 };
	const uint8_t *content;
	struct wa_pb_field f;
	int rc;

	while ((rc = wa_pb_next(&p, &left, &f, &content)) == 0) {
		if (f.number != FIELD_RECORDS || f.wire_type != WA_PB_BYTES)
			continue;
		rc = read_record(content, (size_t)f.len, &r);
		if (rc == 0)
			rc = wa_lthash_add(hash, r.value_mac);
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

int wa_appstate_whole_apply(struct wa_appstate *s, struct wa_pool *pool,
                            const struct wa_appstate_ops *ops, void *arg,
                            const struct wa_appstate_whole *w)
{
	uint8_t hash[WA_APPSTATE_HASH_LEN] = { 0 };
	const uint8_t *p = w->data.p, *content;
	size_t left = w->data.len;
	struct wa_pb_field f;
	int rc;

	if (w->version <= s->version)
		return WA_APPSTATE_EVERSION;
	rc = sum(p, left, hash);
	if (rc < 0)
		return rc;
	while ((rc = wa_pb_next(&p, &left, &f, &content)) == 0) {
		if (f.number != FIELD_RECORDS || f.wire_type != WA_PB_BYTES)
			continue;
		rc = apply_record(s, pool, ops, arg, content, (size_t)f.len);
		if (rc < 0)
			return rc;
	}
	if (rc != -ENOENT)
		return rc;
	s->hash_differed = memcmp(hash, w->hash, sizeof(hash)) != 0;
	s->version = w->version;
	memcpy(s->hash, w->hash, sizeof(s->hash));
	return 0;
}
