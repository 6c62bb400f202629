/* simulator/appstate/sim_appstate_server.c - app state: versions, snapshots, patches that are
 * uploaded */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "simulator/appstate/sim_appstate_priv.h"
#include "worker/wa/crypto/wa_keys.h"

#define MUTATIONS_MAX 10000

/* ---- state -------------------------------------------------------------------------------------
 */

struct sim_as_record *sim_as_lookup(struct sim_as_state *st, const uint8_t index_mac[32])
{
	for (size_t i = 0; i < st->records_n; i++) {
		if (memcmp(st->records[i].index_mac, index_mac, 32) == 0)
			return &st->records[i];
	}
	return NULL;
}

static int make_room(struct sim_as_state *st, size_t records)
{
	size_t need = st->records_n + records;

	if (need > SIM_AS_RECORDS_MAX)
		return WA_ELIMIT;
	if (need > st->records_cap) {
		struct sim_as_record *more =
		    realloc(st->records, (need + need / 2) * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		st->records = more;
		st->records_cap = need + need / 2;
	}
	if (st->version + 1 > st->patches_cap) {
		size_t cap = st->patches_cap == 0 ? 8 : st->patches_cap * 2;
		struct buf *more = realloc(st->patches, cap * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		st->patches = more;
		st->patches_cap = cap;
	}
	return 0;
}

static void apply(struct sim_as_state *st, struct sim_as_mutation *m)
{
	struct sim_as_record *r = sim_as_lookup(st, m->record.index_mac);

	if (m->remove && r != NULL) {
		sim_as_record_clear(r);
		*r = st->records[--st->records_n];
	} else if (!m->remove) {
		if (r == NULL)
			r = &st->records[st->records_n++];
		else
			sim_as_record_clear(r);
		*r = m->record;
		m->record = (struct sim_as_record){ .index = NULL };
	}
}

int sim_as_commit(struct sim_as_state *st, const struct sim_as_key *key, struct sim_as_mutation *m,
                  size_t n, const uint8_t hash[SIM_AS_HASH_LEN], const uint8_t mac[32],
                  struct buf *patch)
{
	int rc = make_room(st, n);

	if (rc < 0) {
		buf_free(patch);
		return rc;
	}
	for (size_t i = 0; i < n; i++)
		apply(st, &m[i]);
	memcpy(st->hash, hash, SIM_AS_HASH_LEN);
	memcpy(st->mac, mac, 32);
	memcpy(st->key_id, key->id, sizeof(st->key_id));
	st->patches[st->version++] = *patch;
	return 0;
}

uint64_t sim_as_version(const struct sim_appstate *as, enum sim_as_collection c)
{
	return as->states[c].version;
}

const struct buf *sim_as_patch(const struct sim_appstate *as, enum sim_as_collection c,
                               uint64_t version)
{
	const struct sim_as_state *st = &as->states[c];

	return version == 0 || version > st->version ? NULL : &st->patches[version - 1];
}

void sim_as_each(const struct sim_appstate *as, enum sim_as_collection c,
                 void (*on_record)(const char *index, const struct buf *value, void *arg),
                 void *arg)
{
	const struct sim_as_state *st = &as->states[c];

	for (size_t i = 0; i < st->records_n; i++)
		on_record(st->records[i].index, &st->records[i].value, arg);
}

uint32_t sim_as_uploads(const struct sim_appstate *as, uint32_t *refused_out, const char **why_out)
{
	*refused_out = as->refused;
	*why_out = as->why;
	return as->uploads;
}

/* ---- snapshots ---------------------------------------------------------------------------------
 */

int sim_as_put_snapshot(const struct sim_appstate *as, enum sim_as_collection c, struct buf *out)
{
	const struct sim_as_state *st = &as->states[c];
	struct sim_pbw w;
	size_t at;

	sim_pbw_init(&w, out);
	at = sim_pbw_begin(&w, 1);
	sim_pbw_uint(&w, 1, st->version);
	sim_pbw_end(&w, at);
	for (size_t i = 0; i < st->records_n; i++)
		sim_pbw_bytes(&w, 2, st->records[i].wire.p, st->records[i].wire.len);
	sim_pbw_bytes(&w, 3, st->mac, sizeof(st->mac));
	at = sim_pbw_begin(&w, 4);
	sim_pbw_bytes(&w, 1, st->key_id, sizeof(st->key_id));
	sim_pbw_end(&w, at);
	return w.err;
}

int sim_as_snapshot(struct sim_appstate *as, enum sim_as_collection c, struct buf *out,
                    uint64_t *version_out)
{
	struct sim_as_state *st = &as->states[c];
	struct buf content = { 0 }, reference = { 0 };
	int rc = 0;

	if (st->snapshot.len == 0 || st->version - st->snapshot_version >= SIM_AS_SNAPSHOT_AGE) {
		rc = sim_as_put_snapshot(as, c, &content);
		if (rc == 0)
			rc = sim_as_put_reference(as, &content, &reference);
		buf_free(&content);
		if (rc < 0) {
			buf_free(&reference);
			return rc;
		}
		buf_free(&st->snapshot);
		st->snapshot = reference;
		st->snapshot_version = st->version;
	}
	*version_out = st->snapshot_version;
	return buf_append(out, st->snapshot.p, st->snapshot.len);
}

/* ---- uploads -----------------------------------------------------------------------------------
 */

/* One that is being checked. */
struct upload {
	struct sim_appstate *as;
	struct sim_as_mutation *m; /* owned */
	size_t n;
	const uint8_t *snapshot_mac, *patch_mac; /* 32 bytes; borrowed */
	const struct sim_as_key *key;            /* of the patch */
	struct buf external;                     /* SyncdMutations of a file */
	const char *why;
};

static int refuse(struct upload *u, int rc, const char *why)
{
	u->why = why;
	return rc;
}

/* The bytes of a message's only field of interest. */
static bool inner(const struct sim_pb_field *of, uint32_t number, struct sim_pb_field *out)
{
	struct rd r;

	rd_init(&r, of->data, of->len);
	while (sim_pb_next(&r, out)) {
		if (out->number == number)
			return true;
	}
	return false;
}

/* SyncActionData: the index must be what the index MAC is of. */
static int read_action(struct upload *u, const struct sim_as_key *key, const struct buf *data,
                       struct sim_as_record *r)
{
	struct sim_pb_field whole = { .data = data->p, .len = data->len }, index, value, version;
	uint8_t mac[32];
	int rc;

	if (!inner(&whole, 1, &index) || index.type != SIM_PB_BYTES || index.len == 0)
		return refuse(u, WA_EPROTO, "an action without an index");
	rc = wa_hmac_sha256(key->keys.index, 32, index.data, index.len, mac);
	if (rc < 0)
		return rc;
	if (!secret_eq(mac, r->index_mac, 32))
		return refuse(u, WA_EAUTH, "an index MAC is wrong");
	if (!inner(&whole, 4, &version) || version.type != SIM_PB_VARINT || version.value == 0 ||
	    version.value > INT32_MAX)
		return refuse(u, WA_EPROTO, "an action without a version");
	r->version = (uint32_t)version.value;
	memcpy(r->key_id, key->id, sizeof(r->key_id));
	r->index = strndup((const char *)index.data, index.len);
	if (r->index == NULL)
		return -ENOMEM;
	if (inner(&whole, 2, &value) && value.type == SIM_PB_BYTES)
		return buf_append(&r->value, value.data, value.len);
	return 0;
}

static int read_value(struct upload *u, bool remove, const struct sim_as_key *key,
                      const struct sim_pb_field *blob, struct sim_as_record *r)
{
	struct buf data = { 0 }, again = { 0 };
	int rc;

	if (blob->len < 16 + 16 + 32)
		return refuse(u, WA_EPROTO, "a value is too short");
	memcpy(r->value_mac, blob->data + blob->len - 32, 32);
	rc = sim_cbc_open(key->keys.cipher, blob->data, blob->data + 16, blob->len - 48, &data);
	if (rc < 0)
		rc = refuse(u, WA_EPROTO, "a value does not decrypt");
	if (rc == 0) /* sealed again it must be the same, with its MAC */
		rc = sim_as_seal(key, remove, blob->data, data.p, data.len, &again);
	if (rc == 0 && (again.len != blob->len || memcmp(again.p, blob->data, again.len) != 0))
		rc = refuse(u, WA_EAUTH, "a value MAC is wrong");
	if (rc == 0)
		rc = read_action(u, key, &data, r);
	buf_wipe(&data);
	buf_free(&again);
	return rc;
}

static int read_mutation(struct upload *u, const struct sim_pb_field *f, struct sim_as_mutation *m)
{
	struct sim_pb_field op, record, index, value, id, blob;
	const struct sim_as_key *key;
	int rc;

	m->remove = inner(f, 1, &op) && op.type == SIM_PB_VARINT && op.value == 1;
	if (!inner(f, 2, &record) || record.type != SIM_PB_BYTES || !inner(&record, 1, &index) ||
	    !inner(&index, 1, &blob) || blob.type != SIM_PB_BYTES || blob.len != 32)
		return refuse(u, WA_EPROTO, "a record without an index MAC");
	memcpy(m->record.index_mac, blob.data, 32);
	if (!inner(&record, 3, &id) || id.type != SIM_PB_BYTES || !inner(&id, 1, &blob) ||
	    blob.type != SIM_PB_BYTES)
		return refuse(u, WA_EPROTO, "a record without a key id");
	key = sim_as_key_find(u->as, blob.data, blob.len);
	if (key == NULL)
		return refuse(u, WA_EAUTH, "a key that the phone has not made");
	if (!inner(&record, 2, &value) || value.type != SIM_PB_BYTES || !inner(&value, 1, &blob) ||
	    blob.type != SIM_PB_BYTES)
		return refuse(u, WA_EPROTO, "a record without a value");
	rc = read_value(u, m->remove, key, &blob, &m->record);
	return rc < 0 ? rc : buf_append(&m->record.wire, record.data, record.len);
}

static int add_mutation(struct upload *u, const struct sim_pb_field *f)
{
	struct sim_as_mutation *more;

	if (u->n == MUTATIONS_MAX)
		return refuse(u, WA_ELIMIT, "too many mutations");
	more = realloc(u->m, (u->n + 1) * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	u->m = more;
	memset(&u->m[u->n], 0, sizeof(*more));
	return read_mutation(u, f, &u->m[u->n++]);
}

/* Mutations that were put on the media host. */
static int fetch(struct upload *u, const struct sim_pb_field *f)
{
	struct sim_pb_field key, path, m;
	struct sim_media_blob *b;
	const uint8_t *query;
	struct rd r;
	int rc;

	if (!inner(f, 1, &key) || key.type != SIM_PB_BYTES || key.len != SIM_MEDIA_KEY_LEN ||
	    !inner(f, 2, &path) || path.type != SIM_PB_BYTES)
		return refuse(u, WA_EPROTO, "externalMutations without key or path");
	query = memchr(path.data, '?', path.len);
	b = sim_media_find(u->as->media, (const char *)path.data,
	                   query == NULL ? path.len : (size_t)(query - path.data));
	if (b == NULL)
		return refuse(u, WA_EPROTO, "externalMutations are not on the media host");
	sim_media_hold(b);
	rc = sim_media_unseal(key.data, SIM_MEDIA_APP_STATE, b->data.p, b->data.len, &u->external);
	sim_media_release(b);
	if (rc < 0)
		return refuse(u, rc, "externalMutations do not open");
	rd_init(&r, u->external.p, u->external.len);
	while (rc == 0 && sim_pb_next(&r, &m)) {
		if (m.number == 1 && m.type == SIM_PB_BYTES)
			rc = add_mutation(u, &m);
	}
	return rc < 0 ? rc : r.err;
}

static int read_patch(struct upload *u, const uint8_t *patch, size_t patch_len)
{
	struct sim_pb_field f, id;
	struct rd r;
	int rc = 0;

	rd_init(&r, patch, patch_len);
	while (rc == 0 && sim_pb_next(&r, &f)) {
		if (f.number == 1)
			rc = refuse(u, WA_EPROTO, "an upload with a version");
		else if (f.number == 2 && f.type == SIM_PB_BYTES)
			rc = add_mutation(u, &f);
		else if (f.number == 3 && f.type == SIM_PB_BYTES)
			rc = fetch(u, &f);
		else if (sim_pb_is_bytes(&f, 4, 32))
			u->snapshot_mac = f.data;
		else if (sim_pb_is_bytes(&f, 5, 32))
			u->patch_mac = f.data;
		else if (f.number == 6 && f.type == SIM_PB_BYTES && inner(&f, 1, &id) &&
		         id.type == SIM_PB_BYTES)
			u->key = sim_as_key_find(u->as, id.data, id.len);
	}
	if (rc == 0 && r.err != 0)
		rc = refuse(u, WA_EPROTO, "the patch does not parse");
	if (rc == 0 && (u->key == NULL || u->snapshot_mac == NULL || u->patch_mac == NULL))
		rc = refuse(u, WA_EPROTO, "a patch without key id or MACs");
	return rc;
}

/* The patch as others get it: with its version in front. */
static int with_version(const uint8_t *patch, size_t patch_len, uint64_t version, struct buf *out)
{
	struct sim_pbw w;
	size_t at;

	sim_pbw_init(&w, out);
	at = sim_pbw_begin(&w, 1);
	sim_pbw_uint(&w, 1, version);
	sim_pbw_end(&w, at);
	return w.err < 0 ? w.err : buf_append(out, patch, patch_len);
}

static int take(struct upload *u, enum sim_as_collection c, const uint8_t *patch, size_t patch_len)
{
	struct sim_as_state *st = &u->as->states[c];
	uint8_t hash[SIM_AS_HASH_LEN], snapshot_mac[32], patch_mac[32];
	struct buf kept = { 0 };
	int rc = read_patch(u, patch, patch_len);

	if (rc == 0)
		rc = sim_as_sum(st, u->key, sim_as_name(c), st->version + 1, u->m, u->n, hash,
		                snapshot_mac, patch_mac);
	if (rc == 0 && !secret_eq(snapshot_mac, u->snapshot_mac, 32))
		rc = refuse(u, WA_EAUTH, "the snapshot MAC is wrong");
	if (rc == 0 && !secret_eq(patch_mac, u->patch_mac, 32))
		rc = refuse(u, WA_EAUTH, "the patch MAC is wrong");
	if (rc == 0)
		rc = with_version(patch, patch_len, st->version + 1, &kept);
	if (rc < 0) {
		buf_free(&kept);
		return rc;
	}
	return sim_as_commit(st, u->key, u->m, u->n, hash, snapshot_mac, &kept);
}

int sim_as_upload(struct sim_appstate *as, enum sim_as_collection c, const uint8_t *patch,
                  size_t patch_len, const char **why_out)
{
	struct upload u = { .as = as, .why = "" };
	int rc = patch_len > SIM_AS_PATCH_MAX ? refuse(&u, WA_ELIMIT, "the patch is too large")
	                                      : take(&u, c, patch, patch_len);

	for (size_t i = 0; i < u.n; i++)
		sim_as_record_clear(&u.m[i].record);
	free(u.m);
	buf_free(&u.external);
	as->uploads++;
	if (rc < 0) {
		as->refused++;
		as->why = u.why;
		*why_out = u.why;
	}
	return rc;
}
