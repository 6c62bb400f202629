/* tests/unit/appstate_phone.c - a phone's side of one app-state collection */
#include "appstate_phone.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/wa_msg.pb-c.h"
#include "worker/wa/history/wa_media.h"
#include "worker/wa/message/wa_msg.h"

void ap_init(struct appstate_phone *p, const char *collection, uint8_t key)
{
	memset(p, 0, sizeof(*p));
	p->collection = collection;
	memset(p->key_id, key, sizeof(p->key_id));
	memset(p->key_data, key + 1, sizeof(p->key_data));
	assert_int_equal(wa_appstate_expand(p->key_data, &p->keys), 0);
}

void ap_clear(struct appstate_phone *p)
{
	for (size_t i = 0; i < AP_RECORDS_MAX; i++) {
		buf_free(&p->live[i].blob);
		buf_free(&p->next[i].blob);
		buf_free(&p->live[i].data);
		buf_free(&p->next[i].data);
	}
}

/* ---- records ------------------------------------------------------------------------------------
 */

static void add(struct appstate_phone *p, const char *index, Wa__SyncActionValue *value,
                bool remove)
{
	Wa__SyncActionData d = WA__SYNC_ACTION_DATA__INIT;
	struct ap_record *r = &p->next[p->next_n++];
	struct wa_appstate_seal seal = { .keys = &p->keys,
		                         .key_id = { p->key_id, sizeof(p->key_id) },
		                         .remove = remove,
		                         .index = { (const uint8_t *)index, strlen(index) },
		                         .iv = { 9 } };
	struct buf data = { 0 };

	assert_true(p->next_n <= AP_RECORDS_MAX);
	d.has_index = 1;
	d.index.data = (uint8_t *)(uintptr_t)index;
	d.index.len = strlen(index);
	d.value = value;
	d.has_version = 1;
	d.version = 2;
	assert_int_equal(buf_reserve(&data, wa__sync_action_data__get_packed_size(&d) + 1), 0);
	data.len = wa__sync_action_data__pack(&d, data.p);
	seal.data = (struct wa_bytes){ data.p, data.len };
	buf_reset(&r->blob);
	r->remove = remove;
	assert_int_equal(wa_appstate_seal(&seal, &r->blob, r->index_mac, r->value_mac), 0);
	buf_free(&r->data);
	r->data = data;
}

void ap_set(struct appstate_phone *p, const char *index, Wa__SyncActionValue *value)
{
	add(p, index, value, false);
}

void ap_remove(struct appstate_phone *p, const char *index)
{
	add(p, index, NULL, true);
}

/* next becomes part of live, and of the hash. */
static void apply(struct appstate_phone *p)
{
	for (size_t i = 0; i < p->next_n; i++) {
		struct ap_record *r = &p->next[i];
		size_t k = 0;

		while (k < p->live_n && memcmp(p->live[k].index_mac, r->index_mac, 32) != 0)
			k++;
		if (k < p->live_n)
			assert_int_equal(wa_lthash_sub(p->hash, p->live[k].value_mac), 0);
		if (r->remove) {
			struct ap_record gone = p->live[k];

			if (k < p->live_n) {
				p->live[k] = p->live[--p->live_n];
				p->live[p->live_n] = (struct ap_record){ 0 };
				buf_free(&gone.blob);
				buf_free(&gone.data);
			}
			continue;
		}
		assert_int_equal(wa_lthash_add(p->hash, r->value_mac), 0);
		memcpy(p->live[k].index_mac, r->index_mac, 32);
		memcpy(p->live[k].value_mac, r->value_mac, 32);
		buf_reset(&p->live[k].blob);
		assert_int_equal(buf_append(&p->live[k].blob, r->blob.p, r->blob.len), 0);
		buf_reset(&p->live[k].data);
		assert_int_equal(buf_append(&p->live[k].data, r->data.p, r->data.len), 0);
		p->live_n += k == p->live_n;
	}
	p->version++;
}

/* ---- on the wire --------------------------------------------------------------------------------
 */

struct wire {
	Wa__SyncdIndex index;
	Wa__SyncdValue value;
	Wa__SyncdKeyId key_id;
	Wa__SyncdRecord record;
	Wa__SyncdMutation mutation;
};

static void to_wire(const struct appstate_phone *p, const struct ap_record *r, struct wire *w)
{
	wa__syncd_index__init(&w->index);
	wa__syncd_value__init(&w->value);
	wa__syncd_key_id__init(&w->key_id);
	wa__syncd_record__init(&w->record);
	wa__syncd_mutation__init(&w->mutation);
	w->index.has_blob = w->value.has_blob = w->key_id.has_id = 1;
	w->index.blob = (ProtobufCBinaryData){ 32, (uint8_t *)(uintptr_t)r->index_mac };
	w->value.blob = (ProtobufCBinaryData){ r->blob.len, r->blob.p };
	w->key_id.id = (ProtobufCBinaryData){ sizeof(p->key_id), (uint8_t *)(uintptr_t)p->key_id };
	w->record.index = &w->index;
	w->record.value = &w->value;
	w->record.key_id = &w->key_id;
	w->mutation.has_operation = 1;
	w->mutation.operation = r->remove;
	w->mutation.record = &w->record;
}

static void pack(const ProtobufCMessage *m, struct buf *out)
{
	buf_reset(out);
	assert_int_equal(buf_reserve(out, protobuf_c_message_get_packed_size(m) + 1), 0);
	out->len = protobuf_c_message_pack(m, out->p);
}

void ap_patch(struct appstate_phone *p, struct buf *out)
{
	struct wire wires[AP_RECORDS_MAX];
	Wa__SyncdMutation *mutations[AP_RECORDS_MAX];
	Wa__SyncdPatch patch = WA__SYNCD_PATCH__INIT;
	Wa__SyncdVersion version = WA__SYNCD_VERSION__INIT;
	uint8_t macs[AP_RECORDS_MAX * 32], snapshot_mac[32], patch_mac[32];

	apply(p);
	for (size_t i = 0; i < p->next_n; i++) {
		to_wire(p, &p->next[i], &wires[i]);
		mutations[i] = &wires[i].mutation;
		memcpy(macs + 32 * i, p->next[i].value_mac, 32);
	}
	assert_int_equal(
	    wa_appstate_snapshot_mac(&p->keys, p->hash, p->version, p->collection, snapshot_mac),
	    0);
	assert_int_equal(wa_appstate_patch_mac(&p->keys, snapshot_mac, macs, 32 * p->next_n,
	                                       p->version, p->collection, patch_mac),
	                 0);
	version.has_version = 1;
	version.version = p->version;
	patch.version = &version;
	patch.mutations = mutations;
	patch.n_mutations = p->next_n;
	patch.has_snapshot_mac = patch.has_patch_mac = 1;
	patch.snapshot_mac = (ProtobufCBinaryData){ 32, snapshot_mac };
	patch.patch_mac = (ProtobufCBinaryData){ 32, patch_mac };
	if (p->next_n > 0)
		patch.key_id = &wires[0].key_id;
	pack(&patch.base, out);
	p->next_n = 0;
}

void ap_snapshot(struct appstate_phone *p, struct buf *out)
{
	struct wire wires[AP_RECORDS_MAX];
	Wa__SyncdRecord *records[AP_RECORDS_MAX];
	Wa__SyncdSnapshot s = WA__SYNCD_SNAPSHOT__INIT;
	Wa__SyncdVersion version = WA__SYNCD_VERSION__INIT;
	Wa__SyncdKeyId key_id = WA__SYNCD_KEY_ID__INIT;
	uint8_t mac[32];

	for (size_t i = 0; i < p->live_n; i++) {
		to_wire(p, &p->live[i], &wires[i]);
		records[i] = &wires[i].record;
	}
	assert_int_equal(
	    wa_appstate_snapshot_mac(&p->keys, p->hash, p->version, p->collection, mac), 0);
	version.has_version = 1;
	version.version = p->version;
	s.version = &version;
	s.records = records;
	s.n_records = p->live_n;
	s.has_mac = 1;
	s.mac = (ProtobufCBinaryData){ 32, mac };
	key_id.has_id = 1;
	key_id.id = (ProtobufCBinaryData){ sizeof(p->key_id), p->key_id };
	s.key_id = &key_id;
	pack(&s.base, out);
}

void ap_whole(const struct appstate_phone *p, struct buf *out)
{
	Wa__SyncdPlainTextRecord records[AP_RECORDS_MAX], *list[AP_RECORDS_MAX];
	Wa__SyncdSnapshotRecovery w = WA__SYNCD_SNAPSHOT_RECOVERY__INIT;
	Wa__SyncdVersion version = WA__SYNCD_VERSION__INIT;
	uint8_t *key_id = (uint8_t *)(uintptr_t)p->key_id;

	for (size_t i = 0; i < p->live_n; i++) {
		const struct ap_record *r = &p->live[i];

		wa__syncd_plain_text_record__init(&records[i]);
		records[i].value = wa__sync_action_data__unpack(NULL, r->data.len, r->data.p);
		assert_non_null(records[i].value);
		records[i].has_key_id = records[i].has_mac = 1;
		records[i].key_id = (ProtobufCBinaryData){ sizeof(p->key_id), key_id };
		records[i].mac = (ProtobufCBinaryData){ 32, (uint8_t *)(uintptr_t)r->value_mac };
		list[i] = &records[i];
	}
	version.has_version = 1;
	version.version = p->version;
	w.version = &version;
	w.collection_name = (char *)(uintptr_t)p->collection;
	w.mutation_records = list;
	w.n_mutation_records = p->live_n;
	w.has_collection_lthash = 1;
	w.collection_lthash =
	    (ProtobufCBinaryData){ WA_APPSTATE_HASH_LEN, (uint8_t *)(uintptr_t)p->hash };
	pack(&w.base, out);
	for (size_t i = 0; i < p->live_n; i++)
		wa__sync_action_data__free_unpacked(records[i].value, NULL);
}

void ap_gzip(const struct buf *in, struct buf *out)
{
	z_stream z = { .next_in = in->p, .avail_in = (uInt)in->len };

	buf_reset(out);
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
	                 Z_OK);
	assert_int_equal(buf_reserve(out, deflateBound(&z, in->len)), 0);
	z.next_out = out->p;
	z.avail_out = (uInt)deflateBound(&z, in->len);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len = z.total_out;
	assert_int_equal(deflateEnd(&z), Z_OK);
}

static Wa__ProtocolMessage *copy_of(const Wa__ProtocolMessage *m)
{
	struct buf b = { 0 };
	Wa__ProtocolMessage *out;

	pack(&m->base, &b);
	out = wa__protocol_message__unpack(NULL, b.len, b.p);
	assert_non_null(out);
	buf_free(&b);
	return out;
}

struct Wa__ProtocolMessage *ap_whole_answer(const struct buf *whole, bool gzip)
{
	Wa__SyncDSnapshotFatalRecoveryResponse r = WA__SYNC_DSNAPSHOT_FATAL_RECOVERY_RESPONSE__INIT;
	Wa__PeerDataOperationResult one = WA__PEER_DATA_OPERATION_RESULT__INIT, *list[] = { &one };
	Wa__PeerDataOperationRequestResponseMessage a =
	    WA__PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE__INIT;
	Wa__ProtocolMessage m = WA__PROTOCOL_MESSAGE__INIT;

	r.has_collection_snapshot = r.has_is_compressed = 1;
	r.collection_snapshot = (ProtobufCBinaryData){ whole->len, whole->p };
	r.is_compressed = gzip;
	one.syncd_snapshot_fatal_recovery_response = &r;
	a.has_peer_data_operation_request_type = 1;
	a.peer_data_operation_request_type = WA_APPSTATE_PEER_TYPE;
	a.peer_data_operation_result = list;
	a.n_peer_data_operation_result = 1;
	m.has_type = 1;
	m.type = WA_PROTO_PEER_DATA_RESPONSE;
	m.peer_data_operation_request_response_message = &a;
	return copy_of(&m);
}

void ap_file(const struct buf *plain, struct buf *reference, struct buf *stored)
{
	static uint8_t key[32] = { 77 };
	static char path[] = "/v/t62/state.enc?oh=1";
	Wa__ExternalBlobReference r = WA__EXTERNAL_BLOB_REFERENCE__INIT;
	uint8_t sha256[32], enc_sha256[32];

	buf_reset(stored);
	assert_int_equal(wa_media_encrypt(key, WA_MEDIA_APP_STATE, plain->p, plain->len, stored,
	                                  sha256, enc_sha256),
	                 0);
	r.has_media_key = r.has_file_sha256 = r.has_file_enc_sha256 = r.has_file_size_bytes = 1;
	r.media_key = (ProtobufCBinaryData){ 32, key };
	r.direct_path = path;
	r.file_sha256 = (ProtobufCBinaryData){ 32, sha256 };
	r.file_enc_sha256 = (ProtobufCBinaryData){ 32, enc_sha256 };
	r.file_size_bytes = plain->len;
	pack(&r.base, reference);
}

/* ---- keys ---------------------------------------------------------------------------------------
 */

struct Wa__ProtocolMessage *ap_share(const struct appstate_phone *p)
{
	Wa__AppStateSyncKeyId id = WA__APP_STATE_SYNC_KEY_ID__INIT;
	Wa__AppStateSyncKeyData data = WA__APP_STATE_SYNC_KEY_DATA__INIT;
	Wa__AppStateSyncKey key = WA__APP_STATE_SYNC_KEY__INIT, *keys[] = { &key };
	Wa__AppStateSyncKeyShare share = WA__APP_STATE_SYNC_KEY_SHARE__INIT;
	Wa__ProtocolMessage m = WA__PROTOCOL_MESSAGE__INIT;

	id.has_key_id = data.has_key_data = data.has_timestamp = 1;
	id.key_id = (ProtobufCBinaryData){ sizeof(p->key_id), (uint8_t *)(uintptr_t)p->key_id };
	data.key_data =
	    (ProtobufCBinaryData){ sizeof(p->key_data), (uint8_t *)(uintptr_t)p->key_data };
	data.timestamp = 1700000000000;
	key.key_id = &id;
	key.key_data = &data;
	share.keys = keys;
	share.n_keys = 1;
	m.has_type = 1;
	m.type = WA_PROTO_APP_STATE_SYNC_KEY_SHARE;
	m.app_state_sync_key_share = &share;
	return copy_of(&m);
}

void ap_share_free(struct Wa__ProtocolMessage *m)
{
	wa__protocol_message__free_unpacked(m, NULL);
}
