/*
 * tests/fuzz/fuzz_appstate.c - app state from the server, and records from another device
 *
 * First byte: 0 the rest is a snapshot, 1 a patch; 2 the rest is an index, 3 a whole SyncActionData
 * (its length must fit): sealed into a patch with right MACs, so that the inside is reached. 4: an
 * ExternalBlobReference. 5: a whole collection from the phone, in plain; 6: gzip of one. Property:
 * what is refused leaves version and hash alone; what is accepted moves the version and hands out
 * an index with a name; texts hold no NUL but their end.
 */
#include "fuzz.h"
#include "mutate.h"

#include <errno.h>
#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "proto/wa_appstate.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/wa/appstate/wa_appstate.h"

#define INPUT_MAX 16384

/* Of the published vectors, so that their patches are accepted. */
static const uint8_t key_data[WA_APPSTATE_KEY_LEN] = {
	0xb3, 0x17, 0x69, 0x2b, 0xb4, 0x9b, 0xb4, 0x8b, 0x40, 0xb3, 0x80,
	0xca, 0x8d, 0xb8, 0x89, 0x97, 0x1d, 0x6b, 0x8a, 0xcd, 0x66, 0xf3,
	0x74, 0x64, 0xc5, 0x78, 0xaa, 0x30, 0x5f, 0xfa, 0xc5, 0xe7,
};
static const uint8_t key_id[6] = { 0, 0, 0, 0, 0x12, 0x34 };

static int on_key(void *arg, struct wa_bytes id, struct wa_appstate_keys *out)
{
	(void)arg;
	if (id.len != sizeof(key_id) || memcmp(id.p, key_id, id.len) != 0)
		return -ENOENT;
	return wa_appstate_expand(key_data, out);
}

static int on_value_mac(void *arg, const uint8_t index_mac[32], uint8_t out[32])
{
	(void)arg, (void)index_mac, (void)out;
	return -ENOENT;
}

static int on_record(void *arg, const struct wa_appstate_record *r)
{
	unsigned *n = arg;

	FUZZ_REQUIRE(r->index_mac != NULL && r->value_mac != NULL);
	(*n)++;
	if (r->bad) /* of the phone's own, whose index is no array of texts */
		return 0;
	FUZZ_REQUIRE(r->parts_n >= 1 && r->parts_n <= WA_APPSTATE_PARTS_MAX);
	for (size_t i = 0; i < r->parts_n; i++)
		FUZZ_REQUIRE(strlen(r->parts[i]) <= r->index.len);
	return 0;
}

static const struct wa_appstate_ops ops = { on_key, on_value_mac, on_record };

/* From the phone. A collection that is to be newer than version 1. */
static int run_whole(struct wa_appstate *s, struct wa_pool *pool, struct wa_bytes data, bool gzip,
                     unsigned *n)
{
	Wa__SyncDSnapshotFatalRecoveryResponse r = WA__SYNC_DSNAPSHOT_FATAL_RECOVERY_RESPONSE__INIT;
	Wa__PeerDataOperationResult one = WA__PEER_DATA_OPERATION_RESULT__INIT, *list[] = { &one };
	Wa__PeerDataOperationRequestResponseMessage m =
	    WA__PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE__INIT;
	struct wa_appstate_whole w;
	int rc;

	r.has_collection_snapshot = r.has_is_compressed = 1;
	r.collection_snapshot.data = (uint8_t *)(uintptr_t)data.p;
	r.collection_snapshot.len = data.len;
	r.is_compressed = gzip;
	one.syncd_snapshot_fatal_recovery_response = &r;
	m.peer_data_operation_result = list;
	m.n_peer_data_operation_result = 1;
	rc = wa_appstate_whole_read(&m, &w);
	if (rc < 0)
		return rc;
	FUZZ_REQUIRE(w.version > 0 && w.collection[0] != '\0' && w.hash != NULL);
	FUZZ_REQUIRE(w.data.len < WA_APPSTATE_WHOLE_MAX);
	rc = wa_appstate_whole_apply(s, pool, &ops, n, &w);
	FUZZ_REQUIRE(rc != 0 ||
	             (s->version == w.version && memcmp(s->hash, w.hash, sizeof(s->hash)) == 0));
	FUZZ_REQUIRE(rc != WA_EAUTH && rc != WA_APPSTATE_EHASH);
	wa_appstate_whole_clear(&w);
	return rc;
}

static void check(struct wa_appstate *s, const struct wa_appstate *before, int rc, bool patch)
{
	if (rc == 0) {
		FUZZ_REQUIRE(!patch || s->version == before->version + 1);
		FUZZ_REQUIRE(s->version > 0);
		return;
	}
	FUZZ_REQUIRE(s->version == before->version);
	FUZZ_REQUIRE(memcmp(s->hash, before->hash, sizeof(s->hash)) == 0);
	FUZZ_REQUIRE(s->missing_key_id_len <= WA_APPSTATE_KEY_ID_MAX);
}

/* data sealed as the phone would, under the MAC of index. */
static int run_sealed(struct wa_appstate *s, struct wa_pool *pool, struct wa_bytes index,
                      struct wa_bytes data, unsigned *n)
{
	uint8_t index_mac[32], value_mac[32], snapshot_mac[32], patch_mac[32], hash[128] = { 0 };
	Wa__SyncdMutation m = WA__SYNCD_MUTATION__INIT, *list[] = { &m };
	Wa__SyncdRecord r = WA__SYNCD_RECORD__INIT;
	Wa__SyncdIndex i = WA__SYNCD_INDEX__INIT;
	Wa__SyncdValue v = WA__SYNCD_VALUE__INIT;
	Wa__SyncdKeyId id = WA__SYNCD_KEY_ID__INIT;
	Wa__SyncdPatch p = WA__SYNCD_PATCH__INIT;
	struct wa_appstate_keys keys;
	struct wa_appstate_seal seal = {
		.keys = &keys, .key_id = { key_id, sizeof(key_id) }, .index = index, .data = data
	};
	struct buf blob = { 0 }, patch = { 0 };
	int rc;

	FUZZ_REQUIRE(wa_appstate_expand(key_data, &keys) == 0);
	FUZZ_REQUIRE(wa_appstate_seal(&seal, &blob, index_mac, value_mac) == 0);
	FUZZ_REQUIRE(wa_lthash_add(hash, value_mac) == 0);
	FUZZ_REQUIRE(wa_appstate_snapshot_mac(&keys, hash, 1, s->collection, snapshot_mac) == 0);
	FUZZ_REQUIRE(wa_appstate_patch_mac(&keys, snapshot_mac, value_mac, 32, 1, s->collection,
	                                   patch_mac) == 0);
	id.has_id = i.has_blob = v.has_blob = p.has_snapshot_mac = p.has_patch_mac = 1;
	id.id.data = (uint8_t *)(uintptr_t)key_id;
	id.id.len = sizeof(key_id);
	i.blob.data = index_mac;
	p.snapshot_mac.data = snapshot_mac;
	p.patch_mac.data = patch_mac;
	i.blob.len = p.snapshot_mac.len = p.patch_mac.len = 32;
	v.blob.data = blob.p;
	v.blob.len = blob.len;
	r.index = &i;
	r.value = &v;
	r.key_id = p.key_id = &id;
	m.record = &r;
	p.mutations = list;
	p.n_mutations = 1;
	FUZZ_REQUIRE(buf_reserve(&patch, wa__syncd_patch__get_packed_size(&p)) == 0);
	patch.len = wa__syncd_patch__pack(&p, patch.p);
	rc = wa_appstate_patch(s, pool, &ops, n, patch.p, patch.len, (struct wa_bytes){ 0 });
	FUZZ_REQUIRE(rc != WA_APPSTATE_EHASH && rc != WA_APPSTATE_EKEY);
	buf_free(&blob);
	buf_free(&patch);
	return rc;
}

static int run_index(struct wa_appstate *s, struct wa_pool *pool, struct wa_bytes index,
                     unsigned *n)
{
	Wa__SyncActionData d = WA__SYNC_ACTION_DATA__INIT;
	struct buf b = { 0 };
	int rc;

	d.has_index = 1;
	d.index.data = (uint8_t *)(uintptr_t)index.p;
	d.index.len = index.len;
	FUZZ_REQUIRE(buf_reserve(&b, wa__sync_action_data__get_packed_size(&d)) == 0);
	b.len = wa__sync_action_data__pack(&d, b.p);
	rc = run_sealed(s, pool, index, (struct wa_bytes){ b.p, b.len }, n);
	FUZZ_REQUIRE(rc != 0 || *n == 1);
	buf_free(&b);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wa_appstate s = { .collection = "regular_high" }, before;
	struct wa_pool *pool = wa_pool_new(4096, 1 << 20);
	struct wa_appstate_blob blob;
	unsigned n = 0;
	int rc = 0;

	FUZZ_REQUIRE(pool != NULL);
	before = s;
	if (size < 1 || size > INPUT_MAX || data[0] > 6)
		goto out;
	switch (data[0]) {
	case 0:
		rc = wa_appstate_snapshot(&s, pool, &ops, &n, data + 1, size - 1);
		break;
	case 1:
		rc = wa_appstate_patch(&s, pool, &ops, &n, data + 1, size - 1,
		                       (struct wa_bytes){ 0 });
		break;
	case 2:
		rc = run_index(&s, pool, (struct wa_bytes){ data + 1, size - 1 }, &n);
		break;
	case 3: /* the index of a usual record: most are refused for its MAC */
		rc = run_sealed(&s, pool,
		                (struct wa_bytes){ (const uint8_t *)"[\"mute\",\"1@lid\"]", 16 },
		                (struct wa_bytes){ data + 1, size - 1 }, &n);
		break;
	case 4:
		if (wa_appstate_blob_read(pool, data + 1, size - 1, &blob) == 0)
			FUZZ_REQUIRE(blob.direct_path != NULL && blob.media_key != NULL);
		if (wa_appstate_patch_blob(pool, data + 1, size - 1, &blob) == 0)
			FUZZ_REQUIRE((blob.direct_path == NULL) == (blob.media_key == NULL));
		goto out;
	case 5:
	case 6:
		rc = run_whole(&s, pool, (struct wa_bytes){ data + 1, size - 1 }, data[0] == 6, &n);
		break;
	}
	check(&s, &before, rc, data[0] != 0 && data[0] < 5);
out:
	wa_pool_free(pool);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	static const ProtobufCMessageDescriptor *const schemas[] = {
		&wa__syncd_snapshot__descriptor,
		&wa__syncd_patch__descriptor,
		NULL,
		&wa__sync_action_data__descriptor,
		&wa__external_blob_reference__descriptor,
		&wa__syncd_snapshot_recovery__descriptor,
	};
	size_t kind = size < 2 ? ARRAY_LEN(schemas) : data[0];

	if (kind >= ARRAY_LEN(schemas) || schemas[kind] == NULL)
		return false;
	mut_put(out, data, 1);
	mut_pb(m, schemas[kind], data + 1, size - 1, out);
	return true;
}
