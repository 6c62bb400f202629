/* simulator/appstate/sim_appstate.c - app state: sums, records, and the patches of the phone */
#include "simulator/appstate/sim_appstate.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "simulator/appstate/sim_appstate_priv.h"
#include "worker/wa/crypto/wa_keys.h"

#define HASH_INFO "WhatsApp Patch Integrity"

static const char *const names[] = {
#define X(id, name) [id] = name,
	SIM_AS_COLLECTION_LIST(X)
#undef X
};

static const char *const flaws[] = {
#define X(id, name) [id] = name,
	SIM_AS_FLAW_LIST(X)
#undef X
};

const char *sim_as_name(enum sim_as_collection c)
{
	return names[c];
}

bool sim_as_find(const char *name, enum sim_as_collection *c_out)
{
	for (size_t i = 0; name != NULL && i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*c_out = (enum sim_as_collection)i;
			return true;
		}
	}
	return false;
}

bool sim_as_flaw_find(const char *name, enum sim_as_flaw *flaw_out)
{
	for (size_t i = 0; i < ARRAY_LEN(flaws); i++) {
		if (strcmp(flaws[i], name) == 0) {
			*flaw_out = (enum sim_as_flaw)i;
			return true;
		}
	}
	return false;
}

/* ---- life --------------------------------------------------------------------------------------
 */

int sim_as_new(const struct sim_rand *rnd, int64_t unix_ms, struct sim_media *media,
               struct sim_appstate **as_out)
{
	struct sim_appstate *as = calloc(1, sizeof(*as));
	uint8_t raw[4];
	int rc;

	if (as == NULL)
		return -ENOMEM;
	as->media = media;
	rc = sim_rand_fork(rnd, "appstate", 0, &as->rnd);
	if (rc == 0)
		rc = sim_rand_bytes(&as->rnd, raw, sizeof(raw));
	if (rc == 0)
		rc = sim_as_rotate(as, unix_ms);
	if (rc < 0) {
		free(as);
		return rc;
	}
	as->raw_id = (uint32_t)raw[0] << 16 | (uint32_t)raw[1] << 8 | raw[2];
	*as_out = as;
	return 0;
}

void sim_as_record_clear(struct sim_as_record *r)
{
	buf_free(&r->wire);
	buf_free(&r->value);
	free(r->index);
	memset(r, 0, sizeof(*r));
}

void sim_as_free(struct sim_appstate *as)
{
	if (as == NULL)
		return;
	for (size_t c = 0; c < SIM_AS_COLLECTIONS_N; c++) {
		struct sim_as_state *st = &as->states[c];

		for (size_t i = 0; i < st->records_n; i++)
			sim_as_record_clear(&st->records[i]);
		for (uint64_t v = 0; v < st->version; v++)
			buf_free(&st->patches[v]);
		free(st->records);
		free(st->patches);
		buf_free(&st->snapshot);
	}
	secret_wipe(as, sizeof(*as));
	free(as);
}

/* ---- sums --------------------------------------------------------------------------------------
 */

int sim_as_hash(uint8_t hash[SIM_AS_HASH_LEN], const uint8_t value_mac[32], bool subtract)
{
	uint8_t e[SIM_AS_HASH_LEN];
	int rc = wa_hkdf(value_mac, 32, NULL, 0, HASH_INFO, strlen(HASH_INFO), e, sizeof(e));

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(e); i += 2) {
		unsigned a = hash[i] | (unsigned)hash[i + 1] << 8;
		unsigned b = e[i] | (unsigned)e[i + 1] << 8;
		unsigned sum = subtract ? a - b : a + b;

		hash[i] = (uint8_t)sum;
		hash[i + 1] = (uint8_t)(sum >> 8);
	}
	return 0;
}

/* The value MAC that a mutation takes the place of: of this patch so far, or of the state. */
static const uint8_t *previous(struct sim_as_state *st, const struct sim_as_mutation *m, size_t i)
{
	const struct sim_as_record *r;

	for (size_t j = i; j > 0; j--) {
		if (memcmp(m[j - 1].record.index_mac, m[i].record.index_mac, 32) == 0)
			return m[j - 1].remove ? NULL : m[j - 1].record.value_mac;
	}
	r = sim_as_lookup(st, m[i].record.index_mac);
	return r == NULL ? NULL : r->value_mac;
}

static int mac_over(const uint8_t key[32], const struct buf *head, uint64_t version,
                    const char *name, uint8_t out[32])
{
	struct buf b = { 0 };
	uint8_t be[8];
	int rc = buf_append(&b, head->p, head->len);

	for (int i = 0; i < 8; i++)
		be[i] = (uint8_t)(version >> (56 - 8 * i));
	if (rc == 0)
		rc = buf_append(&b, be, sizeof(be));
	if (rc == 0)
		rc = buf_append_str(&b, name);
	if (rc == 0)
		rc = wa_hmac_sha256(key, 32, b.p, b.len, out);
	buf_free(&b);
	return rc;
}

int sim_as_sum(struct sim_as_state *st, const struct sim_as_key *key, const char *name,
               uint64_t version, const struct sim_as_mutation *m, size_t n,
               uint8_t hash_out[SIM_AS_HASH_LEN], uint8_t snapshot_mac[32], uint8_t patch_mac[32])
{
	struct buf over = { 0 };
	int rc = 0;

	memcpy(hash_out, st->hash, SIM_AS_HASH_LEN);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const uint8_t *old = previous(st, m, i);

		if (!m[i].remove)
			rc = sim_as_hash(hash_out, m[i].record.value_mac, false);
		if (rc == 0 && old != NULL)
			rc = sim_as_hash(hash_out, old, true);
	}
	if (rc == 0)
		rc = buf_append(&over, hash_out, SIM_AS_HASH_LEN);
	if (rc == 0)
		rc = mac_over(key->keys.snapshot_mac, &over, version, name, snapshot_mac);
	buf_reset(&over);
	if (rc == 0)
		rc = buf_append(&over, snapshot_mac, 32);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = buf_append(&over, m[i].record.value_mac, 32);
	if (rc == 0)
		rc = mac_over(key->keys.patch_mac, &over, version, name, patch_mac);
	buf_free(&over);
	return rc;
}

/* ---- records -----------------------------------------------------------------------------------
 */

int sim_as_seal(const struct sim_as_key *key, bool remove, const uint8_t iv[16],
                const uint8_t *data, size_t data_len, struct buf *out)
{
	const uint8_t length[8] = { 0, 0, 0, 0, 0, 0, 0, 1 + SIM_AS_KEY_ID_LEN };
	const uint8_t op = remove ? 2 : 1;
	size_t from = out->len;
	struct buf over = { 0 };
	uint8_t mac[64];
	unsigned mac_len = 0;
	int rc = buf_append(out, iv, 16);

	if (rc == 0)
		rc = sim_cbc_seal(key->keys.cipher, iv, true, data, data_len, out);
	if (rc == 0)
		rc = buf_append_u8(&over, op);
	if (rc == 0)
		rc = buf_append(&over, key->id, sizeof(key->id));
	if (rc == 0)
		rc = buf_append(&over, out->p + from, out->len - from);
	if (rc == 0)
		rc = buf_append(&over, length, sizeof(length));
	if (rc == 0 &&
	    HMAC(EVP_sha512(), key->keys.value_mac, 32, over.p, over.len, mac, &mac_len) == NULL)
		rc = WA_ECRYPTO;
	if (rc == 0)
		rc = buf_append(out, mac, 32);
	buf_free(&over);
	return rc;
}

/* SyncdRecord of a change. */
static int make_record(struct sim_appstate *as, const struct sim_as_key *key,
                       const struct sim_as_change *change, enum sim_as_flaw flaw,
                       struct sim_as_record *r)
{
	struct buf data = { 0 }, blob = { 0 };
	struct sim_pbw w;
	size_t at;
	uint8_t iv[16];
	int rc =
	    wa_hmac_sha256(key->keys.index, 32, change->index, strlen(change->index), r->index_mac);

	sim_pbw_init(&w, &data); /* SyncActionData */
	sim_pbw_text(&w, 1, change->index);
	sim_pbw_bytes(&w, 2, change->value, change->value_len);
	sim_pbw_bytes(&w, 3, "", 0);
	sim_pbw_uint(&w, 4, change->version);
	if (rc == 0)
		rc = w.err;
	if (rc == 0)
		rc = sim_rand_bytes(&as->rnd, iv, sizeof(iv));
	if (rc == 0)
		rc = sim_as_seal(key, change->remove, iv, data.p, data.len, &blob);
	if (rc == 0 && flaw == SIM_AS_FLAW_VALUE_MAC)
		blob.p[blob.len - 1] ^= 1;
	if (flaw == SIM_AS_FLAW_INDEX_MAC)
		r->index_mac[0] ^= 1;
	if (rc == 0)
		memcpy(r->value_mac, blob.p + blob.len - 32, 32);
	memcpy(r->key_id, key->id, sizeof(r->key_id));
	r->version = change->version;
	sim_pbw_init(&w, &r->wire);
	at = sim_pbw_begin(&w, 1);
	sim_pbw_bytes(&w, 1, r->index_mac, 32);
	sim_pbw_end(&w, at);
	at = sim_pbw_begin(&w, 2);
	sim_pbw_bytes(&w, 1, blob.p, blob.len);
	sim_pbw_end(&w, at);
	at = sim_pbw_begin(&w, 3);
	sim_pbw_bytes(&w, 1, key->id, sizeof(key->id));
	sim_pbw_end(&w, at);
	if (rc == 0)
		rc = w.err;
	if (rc == 0)
		rc = buf_append(&r->value, change->value, change->value_len);
	r->index = strdup(change->index);
	if (rc == 0 && r->index == NULL)
		rc = -ENOMEM;
	buf_wipe(&data);
	buf_free(&blob);
	return rc;
}

/* ---- patches of the phone ----------------------------------------------------------------------
 */

static void put_mutations(struct sim_pbw *w, uint32_t field, const struct sim_as_mutation *m,
                          size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = sim_pbw_begin(w, field);

		sim_pbw_uint(w, 1, m[i].remove);
		sim_pbw_bytes(w, 2, m[i].record.wire.p, m[i].record.wire.len);
		sim_pbw_end(w, at);
	}
}

static void put_reference(struct sim_pbw *w, const struct sim_media_file *f)
{
	sim_pbw_bytes(w, 1, f->key, sizeof(f->key));
	sim_pbw_text(w, 2, f->direct_path);
	sim_pbw_uint(w, 4, f->len);
	sim_pbw_bytes(w, 5, f->sha256, sizeof(f->sha256));
	sim_pbw_bytes(w, 6, f->enc_sha256, sizeof(f->enc_sha256));
}

int sim_as_put_reference(struct sim_appstate *as, const struct buf *content, struct buf *out)
{
	struct sim_media_file f;
	struct sim_pbw w;
	int rc = sim_media_put(as->media, SIM_MEDIA_APP_STATE, SIM_FLAW_FILE_NONE, content->p,
	                       content->len, &f);

	if (rc < 0)
		return rc;
	sim_pbw_init(&w, out);
	put_reference(&w, &f);
	return w.err;
}

/* The mutations of a long patch are a file. */
static int put_external(struct sim_appstate *as, struct sim_pbw *w, const struct sim_as_mutation *m,
                        size_t n)
{
	struct buf content = { 0 }, reference = { 0 };
	struct sim_pbw in;
	int rc;

	sim_pbw_init(&in, &content);
	put_mutations(&in, 1, m, n);
	rc = in.err;
	if (rc == 0)
		rc = sim_as_put_reference(as, &content, &reference);
	if (rc == 0)
		sim_pbw_bytes(w, 3, reference.p, reference.len);
	buf_free(&content);
	buf_free(&reference);
	return rc;
}

static int make_patch(struct sim_appstate *as, enum sim_as_collection c,
                      const struct sim_as_key *key, struct sim_as_mutation *m, size_t n,
                      bool external, enum sim_as_flaw flaw)
{
	struct sim_as_state *st = &as->states[c];
	uint8_t hash[SIM_AS_HASH_LEN], snapshot_mac[32], patch_mac[32];
	uint64_t version = st->version + 1;
	struct buf patch = { 0 };
	struct sim_pbw w;
	size_t at;
	int rc = sim_as_sum(st, key, names[c], version, m, n, hash, snapshot_mac, patch_mac);

	if (rc == 0 && flaw == SIM_AS_FLAW_PATCH_MAC)
		patch_mac[0] ^= 1;
	if (rc == 0 && flaw == SIM_AS_FLAW_SNAPSHOT_MAC)
		snapshot_mac[0] ^= 1;
	sim_pbw_init(&w, &patch);
	at = sim_pbw_begin(&w, 1);
	sim_pbw_uint(&w, 1, version + (flaw == SIM_AS_FLAW_VERSION));
	sim_pbw_end(&w, at);
	if (rc == 0 && external)
		rc = put_external(as, &w, m, n);
	else
		put_mutations(&w, 2, m, n);
	sim_pbw_bytes(&w, 4, snapshot_mac, 32);
	sim_pbw_bytes(&w, 5, patch_mac, 32);
	at = sim_pbw_begin(&w, 6);
	sim_pbw_bytes(&w, 1, key->id, sizeof(key->id));
	sim_pbw_end(&w, at);
	sim_pbw_uint(&w, 8, 0);
	if (rc == 0)
		rc = w.err;
	if (rc < 0) {
		buf_free(&patch);
		return rc;
	}
	return sim_as_commit(st, key, m, n, hash, snapshot_mac, &patch);
}

int sim_as_change(struct sim_appstate *as, enum sim_as_collection c,
                  const struct sim_as_change *changes, size_t n, bool external,
                  enum sim_as_flaw flaw)
{
	const struct sim_as_key *key = &as->keys[as->keys_n - 1];
	struct sim_as_mutation *m = calloc(n == 0 ? 1 : n, sizeof(*m));
	int rc = 0;

	if (m == NULL)
		return -ENOMEM;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		m[i].remove = changes[i].remove;
		rc = make_record(as, key, &changes[i], i == 0 ? flaw : SIM_AS_FLAW_NONE,
		                 &m[i].record);
	}
	if (rc == 0)
		rc = make_patch(as, c, key, m, n, external, flaw);
	for (size_t i = 0; i < n; i++)
		sim_as_record_clear(&m[i].record);
	free(m);
	return rc;
}
