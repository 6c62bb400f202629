/* worker/wa/appstate/wa_appstate.c - app state: snapshots and patches, verified and opened */
#include "worker/wa/appstate/wa_appstate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_appstate.pb-c.h"
#include "worker/wa/appstate/wa_appstate_priv.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wa/message/wa_pb_walk.h"

#define FIELD_MUTATIONS 2         /* of a SyncdPatch */
#define FIELD_MUTATIONS_IN_FILE 1 /* of SyncdMutations */
#define FIELD_RECORDS 2           /* of a SyncdSnapshot */

const char *wa_appstate_err_name(int rc)
{
	switch (rc) {
#define X(id, num, name) \
	case num: \
		return name;
		WA_APPSTATE_ERR_LIST(X)
#undef X
	}
	return NULL;
}

/* ---- the hash -----------------------------------------------------------------------------------
 */

/* 64 little-endian numbers of 16 bits, each by itself. */
static int lthash(uint8_t hash[WA_APPSTATE_HASH_LEN], const uint8_t value_mac[WA_APPSTATE_MAC_LEN],
                  bool add)
{
	static const char info[] = "WhatsApp Patch Integrity";
	uint8_t e[WA_APPSTATE_HASH_LEN];
	int rc;

	rc = wa_hkdf(value_mac, WA_APPSTATE_MAC_LEN, NULL, 0, info, sizeof(info) - 1, e, sizeof(e));
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < WA_APPSTATE_HASH_LEN; i += 2) {
		unsigned a = hash[i] | (unsigned)hash[i + 1] << 8;
		unsigned b = e[i] | (unsigned)e[i + 1] << 8;
		unsigned v = add ? a + b : a - b;

		hash[i] = (uint8_t)v;
		hash[i + 1] = (uint8_t)(v >> 8);
	}
	return 0;
}

int wa_lthash_add(uint8_t hash[WA_APPSTATE_HASH_LEN], const uint8_t value_mac[WA_APPSTATE_MAC_LEN])
{
	return lthash(hash, value_mac, true);
}

int wa_lthash_sub(uint8_t hash[WA_APPSTATE_HASH_LEN], const uint8_t value_mac[WA_APPSTATE_MAC_LEN])
{
	return lthash(hash, value_mac, false);
}

/* ---- fields by hand -----------------------------------------------------------------------------
 *
 * Records are many and small: read where they stand.
 */

int wa_appstate_bytes(const uint8_t *p, size_t left, uint32_t number, struct wa_bytes *out)
{
	const uint8_t *content;
	struct wa_pb_field f;
	int rc;

	*out = (struct wa_bytes){ 0 };
	while ((rc = wa_pb_next(&p, &left, &f, &content)) == 0) {
		if (f.number == number && f.wire_type == WA_PB_BYTES)
			*out = (struct wa_bytes){ content, (size_t)f.len };
	}
	return rc == -ENOENT ? 0 : rc;
}

/* Bytes inside a message inside: number, then 1. */
static int find_nested(const uint8_t *p, size_t left, uint32_t number, struct wa_bytes *out)
{
	struct wa_bytes inner;
	int rc;

	rc = wa_appstate_bytes(p, left, number, &inner);
	if (rc == 0 && inner.p != NULL)
		return wa_appstate_bytes(inner.p, inner.len, 1, out);
	*out = (struct wa_bytes){ 0 };
	return rc;
}

int wa_appstate_version(const uint8_t *p, size_t left, uint64_t *v_out)
{
	const uint8_t *content;
	struct wa_pb_field f;
	struct wa_bytes inner;
	int rc;

	*v_out = 0;
	rc = wa_appstate_bytes(p, left, 1, &inner);
	if (rc < 0 || inner.p == NULL)
		return rc;
	while ((rc = wa_pb_next(&inner.p, &inner.len, &f, &content)) == 0) {
		if (f.number == 1 && f.wire_type == WA_PB_VARINT)
			*v_out = f.value;
	}
	return rc == -ENOENT ? 0 : rc;
}

int wa_appstate_wire_read(const uint8_t *p, size_t len, struct wa_appstate_wire *w_out)
{
	struct wa_appstate_wire w = { 0 };
	struct wa_bytes index;
	int rc;

	rc = find_nested(p, len, 1, &index);
	if (rc == 0)
		rc = find_nested(p, len, 2, &w.blob);
	if (rc == 0)
		rc = find_nested(p, len, 3, &w.key_id);
	if (rc < 0)
		return rc;
	if (index.len != WA_APPSTATE_MAC_LEN || w.key_id.len == 0 ||
	    w.key_id.len > WA_APPSTATE_KEY_ID_MAX || w.blob.len > WA_APPSTATE_RECORD_MAX ||
	    w.blob.len < WA_APPSTATE_IV_LEN + WA_APPSTATE_BLOCK_LEN + WA_APPSTATE_MAC_LEN ||
	    (w.blob.len - WA_APPSTATE_MAC_LEN) % WA_APPSTATE_BLOCK_LEN != 0)
		return WA_EPROTO;
	w.index_mac = index.p;
	*w_out = w;
	return 0;
}

/* A SyncdMutation. */
static int mutation_read(const uint8_t *p, size_t len, struct wa_appstate_wire *w_out)
{
	const uint8_t *content;
	struct wa_bytes record = { 0 };
	struct wa_pb_field f;
	uint64_t operation = 0;
	int rc;

	while ((rc = wa_pb_next(&p, &len, &f, &content)) == 0) {
		if (f.number == 1 && f.wire_type == WA_PB_VARINT)
			operation = f.value;
		else if (f.number == 2 && f.wire_type == WA_PB_BYTES)
			record = (struct wa_bytes){ content, (size_t)f.len };
	}
	if (rc != -ENOENT || record.p == NULL || operation > 1)
		return WA_EPROTO;
	rc = wa_appstate_wire_read(record.p, record.len, w_out);
	w_out->remove = operation == 1;
	return rc;
}

/* ---- keys ---------------------------------------------------------------------------------------
 */

int wa_appstate_keys_of(struct wa_appstate *s, const struct wa_appstate_ops *ops, void *arg,
                        struct wa_bytes id, struct wa_appstate_keys *out)
{
	int rc;

	if (id.p == NULL || id.len == 0 || id.len > WA_APPSTATE_KEY_ID_MAX)
		return WA_EPROTO;
	rc = ops->key(arg, id, out);
	if (rc != -ENOENT)
		return rc;
	memcpy(s->missing_key_id, id.p, id.len);
	s->missing_key_id_len = id.len;
	return WA_APPSTATE_EKEY;
}

/* The MAC over the hash: is what we computed what the others have? */
static int check_hash(struct wa_appstate *s, const struct wa_appstate_keys *keys,
                      const uint8_t hash[WA_APPSTATE_HASH_LEN], uint64_t version,
                      struct wa_bytes mac)
{
	uint8_t own[WA_APPSTATE_MAC_LEN];
	int rc;

	if (mac.len != WA_APPSTATE_MAC_LEN)
		return WA_EPROTO;
	rc = wa_appstate_snapshot_mac(keys, hash, version, s->collection, own);
	if (rc < 0)
		return rc;
	s->hash_differed = !secret_eq(own, mac.p, sizeof(own));
	return s->hash_differed && !s->tolerate_hash ? WA_APPSTATE_EHASH : 0;
}

static void commit(struct wa_appstate *s, uint64_t version,
                   const uint8_t hash[WA_APPSTATE_HASH_LEN])
{
	s->version = version;
	memcpy(s->hash, hash, WA_APPSTATE_HASH_LEN);
}

/* ---- snapshots ----------------------------------------------------------------------------------
 */

/* Each record, opened, or (ops NULL) only added to hash. */
static int each_record(struct wa_appstate *s, struct wa_pool *pool,
                       const struct wa_appstate_ops *ops, void *arg, const uint8_t *p, size_t left,
                       uint8_t hash[WA_APPSTATE_HASH_LEN])
{
	struct wa_appstate_wire w;
	const uint8_t *content;
	struct wa_pb_field f;
	int rc;

	while ((rc = wa_pb_next(&p, &left, &f, &content)) == 0) {
		if (f.number != FIELD_RECORDS || f.wire_type != WA_PB_BYTES)
			continue;
		rc = wa_appstate_wire_read(content, (size_t)f.len, &w);
		if (rc == 0)
			rc = ops == NULL ? wa_lthash_add(hash, wa_appstate_blob_mac(w.blob))
			                 : wa_appstate_open(s, pool, ops, arg, &w);
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

int wa_appstate_snapshot(struct wa_appstate *s, struct wa_pool *pool,
                         const struct wa_appstate_ops *ops, void *arg, const uint8_t *data,
                         size_t data_len)
{
	uint8_t hash[WA_APPSTATE_HASH_LEN] = { 0 };
	struct wa_appstate_keys keys;
	struct wa_bytes mac, key_id;
	uint64_t version;
	int rc;

	if (data_len > WA_APPSTATE_MAX_LEN)
		return WA_ELIMIT;
	rc = wa_appstate_version(data, data_len, &version);
	if (rc == 0)
		rc = wa_appstate_bytes(data, data_len, 3, &mac);
	if (rc == 0)
		rc = find_nested(data, data_len, 4, &key_id);
	if (rc == 0 && version == 0)
		rc = WA_EPROTO;
	if (rc == 0)
		rc = wa_appstate_keys_of(s, ops, arg, key_id, &keys);
	if (rc < 0)
		return rc;
	rc = each_record(s, pool, NULL, NULL, data, data_len, hash);
	if (rc == 0)
		rc = check_hash(s, &keys, hash, version, mac);
	secret_wipe(&keys, sizeof(keys));
	if (rc == 0)
		rc = each_record(s, pool, ops, arg, data, data_len, NULL);
	if (rc == 0)
		commit(s, version, hash);
	return rc;
}

/* ---- patches ------------------------------------------------------------------------------------
 */

struct mutation {
	struct wa_appstate_wire wire;
	size_t order;
};

/* n mutations of the field, in order. *list_out: caller frees. */
static int read_mutations(const uint8_t *data, size_t data_len, uint32_t number,
                          struct mutation **list_out, size_t *n_out)
{
	struct mutation *list = NULL;
	const uint8_t *p, *content;
	struct wa_pb_field f;
	size_t n = 0, left;
	int rc = 0;

	/* first how many, then each */
	for (unsigned pass = 0; rc == 0 && pass < 2; pass++) {
		p = data;
		left = data_len;
		if (pass == 1) {
			list = calloc(n == 0 ? 1 : n, sizeof(*list));
			if (list == NULL)
				return -ENOMEM;
		}
		n = 0;
		while (rc == 0 && (rc = wa_pb_next(&p, &left, &f, &content)) == 0) {
			if (f.number != number || f.wire_type != WA_PB_BYTES)
				continue;
			if (pass == 1) {
				list[n].order = n;
				rc = mutation_read(content, (size_t)f.len, &list[n].wire);
			}
			n++;
		}
		rc = rc == -ENOENT ? 0 : rc;
	}
	if (rc < 0) {
		free(list);
		return rc;
	}
	*list_out = list;
	*n_out = n;
	return 0;
}

static int by_index(const void *a, const void *b)
{
	const struct mutation *x = a, *y = b;
	int c = memcmp(x->wire.index_mac, y->wire.index_mac, WA_APPSTATE_MAC_LEN);

	return c != 0 ? c : x->order < y->order ? -1 : x->order > y->order;
}

static int by_order(const void *a, const void *b)
{
	const struct mutation *x = a, *y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

/*
 * The changes of one record, in order: each set takes back what was live before it, from the map or
 * from this patch.
 */
static int hash_changes(const struct mutation *m, size_t n, const struct wa_appstate_ops *ops,
                        void *arg, uint8_t hash[WA_APPSTATE_HASH_LEN])
{
	uint8_t known[WA_APPSTATE_MAC_LEN];
	const uint8_t *live = known;
	int rc;

	rc = ops->value_mac(arg, m[0].wire.index_mac, known);
	if (rc == -ENOENT)
		live = NULL;
	else if (rc < 0)
		return rc;
	rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (live != NULL)
			rc = wa_lthash_sub(hash, live);
		live = m[i].wire.remove ? NULL : wa_appstate_blob_mac(m[i].wire.blob);
		if (rc == 0 && live != NULL)
			rc = wa_lthash_add(hash, live);
	}
	return rc;
}

/* Leaves list in its own order. */
static int hash_patch(struct mutation *list, size_t n, const struct wa_appstate_ops *ops, void *arg,
                      uint8_t hash[WA_APPSTATE_HASH_LEN])
{
	int rc = 0;

	if (n > 0)
		qsort(list, n, sizeof(*list), by_index);
	for (size_t i = 0, j; rc == 0 && i < n; i = j) {
		for (j = i + 1; j < n && memcmp(list[i].wire.index_mac, list[j].wire.index_mac,
		                                WA_APPSTATE_MAC_LEN) == 0;)
			j++;
		rc = hash_changes(list + i, j - i, ops, arg, hash);
	}
	qsort(list, n, sizeof(*list), by_order);
	return rc;
}

static int check_patch_mac(const struct wa_appstate *s, const struct wa_appstate_keys *keys,
                           const struct mutation *list, size_t n, struct wa_bytes snapshot_mac,
                           struct wa_bytes patch_mac, uint64_t version)
{
	uint8_t own[WA_APPSTATE_MAC_LEN];
	struct buf macs = { 0 };
	int rc = 0;

	if (patch_mac.len != sizeof(own))
		return WA_EPROTO;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = buf_append(&macs, wa_appstate_blob_mac(list[i].wire.blob), sizeof(own));
	if (rc == 0)
		rc = wa_appstate_patch_mac(keys, snapshot_mac.p, macs.p, macs.len, version,
		                           s->collection, own);
	if (rc == 0 && !secret_eq(own, patch_mac.p, sizeof(own)))
		rc = WA_EAUTH;
	buf_free(&macs);
	return rc;
}

struct patch {
	uint64_t version;
	struct wa_bytes snapshot_mac, patch_mac, key_id;
};

static int patch_read(const struct wa_appstate *s, const uint8_t *data, size_t data_len,
                      struct patch *p)
{
	int rc;

	rc = wa_appstate_version(data, data_len, &p->version);
	if (rc == 0)
		rc = wa_appstate_bytes(data, data_len, 4, &p->snapshot_mac);
	if (rc == 0)
		rc = wa_appstate_bytes(data, data_len, 5, &p->patch_mac);
	if (rc == 0)
		rc = find_nested(data, data_len, 6, &p->key_id);
	if (rc == 0 && p->version == 0)
		p->version = s->version + 1; /* not told: the next one */
	if (rc == 0 && p->version != s->version + 1)
		rc = WA_APPSTATE_EVERSION;
	return rc;
}

int wa_appstate_patch(struct wa_appstate *s, struct wa_pool *pool,
                      const struct wa_appstate_ops *ops, void *arg, const uint8_t *data,
                      size_t data_len, struct wa_bytes external)
{
	uint8_t hash[WA_APPSTATE_HASH_LEN];
	struct mutation *list = NULL;
	struct wa_appstate_keys keys;
	struct patch p;
	size_t n = 0;
	int rc;

	if (data_len > WA_APPSTATE_MAX_LEN || external.len > WA_APPSTATE_MAX_LEN)
		return WA_ELIMIT;
	rc = patch_read(s, data, data_len, &p);
	if (rc == 0 && external.p != NULL)
		rc = read_mutations(external.p, external.len, FIELD_MUTATIONS_IN_FILE, &list, &n);
	else if (rc == 0)
		rc = read_mutations(data, data_len, FIELD_MUTATIONS, &list, &n);
	if (rc == 0)
		rc = wa_appstate_keys_of(s, ops, arg, p.key_id, &keys);
	if (rc < 0)
		goto out;
	memcpy(hash, s->hash, sizeof(hash));
	rc = hash_patch(list, n, ops, arg, hash);
	if (rc == 0)
		rc = p.snapshot_mac.len == WA_APPSTATE_MAC_LEN ? 0 : WA_EPROTO;
	/* The patch's MAC first: a hash that differs is news only of a patch that is genuine. */
	if (rc == 0)
		rc = check_patch_mac(s, &keys, list, n, p.snapshot_mac, p.patch_mac, p.version);
	if (rc == 0)
		rc = check_hash(s, &keys, hash, p.version, p.snapshot_mac);
	secret_wipe(&keys, sizeof(keys));
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = wa_appstate_open(s, pool, ops, arg, &list[i].wire);
	if (rc == 0)
		commit(s, p.version, hash);
out:
	free(list);
	return rc;
}

/* ---- files --------------------------------------------------------------------------------------
 */

int wa_appstate_blob_read(struct wa_pool *pool, const uint8_t *data, size_t data_len,
                          struct wa_appstate_blob *b_out)
{
	struct wa_appstate_blob b = { 0 };
	ProtobufCMessage *msg;
	const Wa__ExternalBlobReference *m;
	int rc;

	rc = wa_pool_unpack(pool, &wa__external_blob_reference__descriptor, data, data_len,
	                    &pb_limits_small, &msg);
	if (rc < 0)
		return rc;
	m = (const Wa__ExternalBlobReference *)msg;
	if (m->direct_path == NULL || !m->has_media_key || !m->has_file_sha256 ||
	    !m->has_file_enc_sha256 || m->media_key.len != 32 || m->file_sha256.len != 32 ||
	    m->file_enc_sha256.len != 32)
		return WA_EPROTO;
	b.direct_path = m->direct_path;
	b.media_key = m->media_key.data;
	b.sha256 = m->file_sha256.data;
	b.enc_sha256 = m->file_enc_sha256.data;
	b.file_len = m->has_file_size_bytes ? m->file_size_bytes : 0;
	*b_out = b;
	return 0;
}

int wa_appstate_patch_blob(struct wa_pool *pool, const uint8_t *data, size_t data_len,
                           struct wa_appstate_blob *b_out)
{
	struct wa_bytes reference;
	int rc;

	if (data_len > WA_APPSTATE_MAX_LEN)
		return WA_ELIMIT;
	rc = wa_appstate_bytes(data, data_len, 3, &reference);
	if (rc < 0)
		return rc;
	if (reference.p != NULL)
		return wa_appstate_blob_read(pool, reference.p, reference.len, b_out);
	*b_out = (struct wa_appstate_blob){ 0 };
	return 0;
}
