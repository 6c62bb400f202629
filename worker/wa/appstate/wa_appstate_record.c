/* worker/wa/appstate/wa_appstate_record.c - app state: keys, MACs, one record opened or sealed */
#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_appstate.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/wa/appstate/wa_appstate_priv.h"
#include "worker/wa/crypto/wa_keys.h"

static const struct pb_limits record_limits = {
	.bytes_max = WA_APPSTATE_RECORD_MAX,
	.memory_max = 8u * WA_APPSTATE_RECORD_MAX,
	.depth_max = 8,
};

/* ---- keys ---------------------------------------------------------------------------------------
 */

int wa_appstate_expand(const uint8_t key_data[WA_APPSTATE_KEY_LEN],
                       struct wa_appstate_keys *keys_out)
{
	static const char info[] = "WhatsApp Mutation Keys";

	return wa_hkdf(key_data, WA_APPSTATE_KEY_LEN, NULL, 0, info, sizeof(info) - 1, keys_out,
	               sizeof(*keys_out));
}

_Static_assert(sizeof(struct wa_appstate_keys) == 160, "five keys in a row");

int wa_appstate_each_key(const struct Wa__ProtocolMessage *p,
                         int (*on_key)(void *arg, struct wa_bytes id, const uint8_t *data,
                                       int64_t unix_ms),
                         void *arg)
{
	const Wa__AppStateSyncKeyShare *share = p->app_state_sync_key_share;

	for (size_t i = 0; share != NULL && i < share->n_keys; i++) {
		const Wa__AppStateSyncKeyId *id = share->keys[i]->key_id;
		const Wa__AppStateSyncKeyData *d = share->keys[i]->key_data;
		bool has_data = d != NULL && d->has_key_data;
		int rc;

		if (id == NULL || !id->has_key_id || id->key_id.len == 0 ||
		    id->key_id.len > WA_APPSTATE_KEY_ID_MAX ||
		    (has_data && d->key_data.len != WA_APPSTATE_KEY_LEN))
			continue;
		rc = on_key(arg, (struct wa_bytes){ id->key_id.data, id->key_id.len },
		            has_data ? d->key_data.data : NULL,
		            d != NULL && d->has_timestamp ? d->timestamp : 0);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int wa_appstate_pack(struct Wa__ProtocolMessage *p, struct buf *out)
{
	Wa__Message m = WA__MESSAGE__INIT;
	int rc;

	p->has_type = 1;
	m.protocol_message = p;
	rc = buf_reserve(out, wa__message__get_packed_size(&m));
	if (rc == 0)
		out->len += wa__message__pack(&m, out->p + out->len);
	return rc;
}

int wa_appstate_ask_keys(const struct wa_bytes *ids, size_t ids_n, struct buf *out)
{
	Wa__AppStateSyncKeyId list[32];
	Wa__AppStateSyncKeyId *pointers[ARRAY_LEN(list)];
	Wa__AppStateSyncKeyRequest request = WA__APP_STATE_SYNC_KEY_REQUEST__INIT;
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;

	ids_n = ids_n < ARRAY_LEN(list) ? ids_n : ARRAY_LEN(list);
	for (size_t i = 0; i < ids_n; i++) {
		wa__app_state_sync_key_id__init(&list[i]);
		list[i].has_key_id = 1;
		list[i].key_id.data = (uint8_t *)(uintptr_t)ids[i].p; /* only read */
		list[i].key_id.len = ids[i].len;
		pointers[i] = &list[i];
	}
	request.key_ids = pointers;
	request.n_key_ids = ids_n;
	p.type = WA_PROTO_APP_STATE_SYNC_KEY_REQUEST;
	p.app_state_sync_key_request = &request;
	return wa_appstate_pack(&p, out);
}

/* ---- MACs ---------------------------------------------------------------------------------------
 */

static void put_be64(uint64_t v, uint8_t out[8])
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* HMAC-SHA512, cut, over operation, key id, blob (IV and ciphertext) and the length of the first
 * two. */
static int value_mac(const uint8_t key[32], bool remove, struct wa_bytes key_id,
                     const uint8_t *blob, size_t blob_len, uint8_t out[WA_APPSTATE_MAC_LEN])
{
	char digest[] = "SHA512";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	uint8_t operation = remove ? 2 : 1, length[8], mac[64];
	EVP_MAC *hmac;
	EVP_MAC_CTX *ctx;
	size_t n = 0;
	int rc = WA_ECRYPTO;

	put_be64(1 + key_id.len, length);
	ERR_set_mark();
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	ctx = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	if (ctx != NULL && EVP_MAC_init(ctx, key, 32, params) == 1 &&
	    EVP_MAC_update(ctx, &operation, 1) == 1 &&
	    EVP_MAC_update(ctx, key_id.p, key_id.len) == 1 &&
	    EVP_MAC_update(ctx, blob, blob_len) == 1 &&
	    EVP_MAC_update(ctx, length, sizeof(length)) == 1 &&
	    EVP_MAC_final(ctx, mac, &n, sizeof(mac)) == 1) {
		memcpy(out, mac, WA_APPSTATE_MAC_LEN);
		rc = 0;
	}
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(hmac);
	ERR_pop_to_mark();
	return rc;
}

/* HMAC-SHA256 over a, b, the version and the collection's name. */
static int state_mac(const uint8_t key[32], const void *a, size_t a_len, const void *b,
                     size_t b_len, uint64_t version, const char *collection, uint8_t out[32])
{
	struct buf text = { 0 };
	uint8_t be[8];
	int rc;

	put_be64(version, be);
	rc = buf_append(&text, a, a_len);
	if (rc == 0 && b_len > 0)
		rc = buf_append(&text, b, b_len);
	if (rc == 0)
		rc = buf_append(&text, be, sizeof(be));
	if (rc == 0)
		rc = buf_append_str(&text, collection);
	if (rc == 0)
		rc = wa_hmac_sha256(key, 32, text.p, text.len, out);
	buf_free(&text);
	return rc;
}

int wa_appstate_snapshot_mac(const struct wa_appstate_keys *keys,
                             const uint8_t hash[WA_APPSTATE_HASH_LEN], uint64_t version,
                             const char *collection, uint8_t out[WA_APPSTATE_MAC_LEN])
{
	return state_mac(keys->snapshot_mac, hash, WA_APPSTATE_HASH_LEN, NULL, 0, version,
	                 collection, out);
}

int wa_appstate_patch_mac(const struct wa_appstate_keys *keys,
                          const uint8_t snapshot_mac[WA_APPSTATE_MAC_LEN],
                          const uint8_t *value_macs, size_t value_macs_len, uint64_t version,
                          const char *collection, uint8_t out[WA_APPSTATE_MAC_LEN])
{
	return state_mac(keys->patch_mac, snapshot_mac, WA_APPSTATE_MAC_LEN, value_macs,
	                 value_macs_len, version, collection, out);
}

/* ---- AES ----------------------------------------------------------------------------------------
 */

/* out holds in_len and a block. */
static int cbc(int encrypt, const uint8_t key[32], const uint8_t iv[16], const uint8_t *in,
               size_t in_len, uint8_t *out, size_t *out_len)
{
	EVP_CIPHER_CTX *ctx;
	int n = 0, last = 0, ok;

	if (in_len > INT_MAX - WA_APPSTATE_BLOCK_LEN)
		return WA_ELIMIT;
	ERR_set_mark();
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx != NULL &&
	     EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv, encrypt) == 1 &&
	     (in_len == 0 || EVP_CipherUpdate(ctx, out, &n, in, (int)in_len) == 1) &&
	     EVP_CipherFinal_ex(ctx, out + n, &last) == 1;
	EVP_CIPHER_CTX_free(ctx);
	ERR_pop_to_mark();
	*out_len = (size_t)n + (size_t)last;
	return ok ? 0 : WA_EPROTO;
}

/* ---- an index -----------------------------------------------------------------------------------
 *
 * A JSON array of strings, as clients write it.
 */

struct json {
	const uint8_t *p;
	size_t left;
	char *out; /* unescaped text; no longer than the input */
};

static bool json_take(struct json *j, char c)
{
	while (j->left > 0 && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r')) {
		j->p++;
		j->left--;
	}
	if (j->left == 0 || *j->p != (uint8_t)c)
		return false;
	j->p++;
	j->left--;
	return true;
}

/* Four hex digits behind "\u". -1: there are none. */
static long json_hex4(struct json *j)
{
	long v = 0;

	if (j->left < 4)
		return -1;
	for (unsigned i = 0; i < 4; i++) {
		int d = hex_digit((char)j->p[i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	j->p += 4;
	j->left -= 4;
	return v;
}

static void put_utf8(struct json *j, unsigned long c)
{
	if (c < 0x80) {
		*j->out++ = (char)c;
	} else if (c < 0x800) {
		*j->out++ = (char)(0xc0 | c >> 6);
		*j->out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*j->out++ = (char)(0xe0 | c >> 12);
		*j->out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*j->out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*j->out++ = (char)(0xf0 | c >> 18);
		*j->out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*j->out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*j->out++ = (char)(0x80 | (c & 0x3f));
	}
}

/* Behind a backslash. NUL and half pairs are refused. */
static bool json_escape(struct json *j)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	long c, low;
	char e;

	if (j->left == 0)
		return false;
	e = (char)*j->p++;
	j->left--;
	if (e != 'u') {
		at = e == '\0' ? NULL : strchr(from, e);
		if (at == NULL)
			return false;
		*j->out++ = to[at - from];
		return true;
	}
	c = json_hex4(j);
	if (c <= 0 || (c >= 0xdc00 && c <= 0xdfff))
		return false;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (j->left < 2 || j->p[0] != '\\' || j->p[1] != 'u')
			return false;
		j->p += 2;
		j->left -= 2;
		low = json_hex4(j);
		if (low < 0xdc00 || low > 0xdfff)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	put_utf8(j, (unsigned long)c);
	return true;
}

static bool json_string(struct json *j, const char **out)
{
	if (!json_take(j, '"'))
		return false;
	*out = j->out;
	while (j->left > 0 && *j->p != '"') {
		uint8_t c = *j->p++;

		j->left--;
		if (c < 0x20)
			return false;
		if (c == '\\') {
			if (!json_escape(j))
				return false;
		} else {
			*j->out++ = (char)c;
		}
	}
	*j->out++ = '\0';
	return json_take(j, '"');
}

/* Into pool. 0, WA_EPROTO, WA_ELIMIT, -ENOMEM. */
static int read_index(struct wa_pool *pool, struct wa_bytes index, const char ***parts_out,
                      size_t *n_out)
{
	struct json j = { index.p, index.len, wa_pool_alloc(pool, index.len + 1) };
	const char **parts = wa_pool_alloc(pool, WA_APPSTATE_PARTS_MAX * sizeof(*parts));
	size_t n = 0;

	if (j.out == NULL || parts == NULL)
		return wa_pool_error(pool);
	if (!json_take(&j, '['))
		return WA_EPROTO;
	do {
		if (n == WA_APPSTATE_PARTS_MAX)
			return WA_ELIMIT;
		if (!json_string(&j, &parts[n++]))
			return WA_EPROTO;
	} while (json_take(&j, ','));
	if (!json_take(&j, ']') || j.left > 0)
		return WA_EPROTO;
	*parts_out = parts;
	*n_out = n;
	return 0;
}

static enum wa_appstate_action action_of(const char *name)
{
	static const char *const names[] = {
#define X(id, name) [id] = name,
		WA_APPSTATE_ACTION_LIST(X)
#undef X
	};

	for (size_t i = 1; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return (enum wa_appstate_action)i;
	}
	return WA_ACTION_OTHER;
}

/* ---- one record ---------------------------------------------------------------------------------
 */

int wa_appstate_hand_out(struct wa_pool *pool, const struct wa_appstate_ops *ops, void *arg,
                         const struct wa_appstate_plain *p)
{
	struct wa_appstate_record r = { .removed = p->remove, .key_id = p->key_id };
	uint8_t mac[WA_APPSTATE_MAC_LEN];
	const Wa__SyncActionData *d;
	ProtobufCMessage *msg;
	const char **parts = NULL;
	int rc;

	rc = wa_pool_unpack(pool, &wa__sync_action_data__descriptor, p->data.p, p->data.len,
	                    &record_limits, &msg);
	if (rc < 0)
		return rc;
	d = (const Wa__SyncActionData *)msg;
	if (!d->has_index)
		return WA_EPROTO;
	r.index = (struct wa_bytes){ d->index.data, d->index.len };
	rc = wa_hmac_sha256(p->keys->index, sizeof(p->keys->index), r.index.p, r.index.len, mac);
	if (rc < 0)
		return rc;
	if (p->index_mac != NULL && !secret_eq(mac, p->index_mac, sizeof(mac)))
		return WA_EAUTH;
	rc = read_index(pool, r.index, &parts, &r.parts_n);
	if (rc < 0)
		return rc;
	r.parts = parts;
	r.action = action_of(parts[0]);
	r.value = d->value;
	r.action_version = d->has_version ? d->version : 0;
	r.unix_ms = d->value != NULL && d->value->has_timestamp ? d->value->timestamp : 0;
	r.index_mac = mac;
	r.value_mac = p->value_mac;
	return ops->on_record(arg, &r);
}

/* What counts of it all the same: its place in the map. */
static int hand_out_bad(struct wa_appstate *s, const struct wa_appstate_ops *ops, void *arg,
                        const struct wa_appstate_wire *w)
{
	const struct wa_appstate_record r = { .bad = true,
		                              .removed = w->remove,
		                              .index_mac = w->index_mac,
		                              .value_mac = wa_appstate_blob_mac(w->blob),
		                              .key_id = w->key_id };

	s->records_bad++;
	return ops->on_record(arg, &r);
}

int wa_appstate_open(struct wa_appstate *s, struct wa_pool *pool, const struct wa_appstate_ops *ops,
                     void *arg, const struct wa_appstate_wire *w)
{
	size_t sealed_len = w->blob.len - WA_APPSTATE_MAC_LEN, n;
	uint8_t mac[WA_APPSTATE_MAC_LEN], *plain;
	struct wa_appstate_keys keys;
	int rc;

	rc = wa_appstate_keys_of(s, ops, arg, w->key_id, &keys);
	if (rc < 0)
		return rc;
	wa_pool_reset(pool);
	rc = value_mac(keys.value_mac, w->remove, w->key_id, w->blob.p, sealed_len, mac);
	if (rc == 0 && !secret_eq(mac, wa_appstate_blob_mac(w->blob), sizeof(mac)))
		rc = WA_EAUTH;
	if (rc < 0)
		goto out;
	plain = wa_pool_alloc(pool, sealed_len);
	if (plain == NULL) {
		rc = wa_pool_error(pool);
		goto out;
	}
	rc = cbc(0, keys.cipher, w->blob.p, w->blob.p + WA_APPSTATE_IV_LEN,
	         sealed_len - WA_APPSTATE_IV_LEN, plain, &n);
	if (rc == 0) {
		const struct wa_appstate_plain p = { .remove = w->remove,
			                             .keys = &keys,
			                             .key_id = w->key_id,
			                             .index_mac = w->index_mac,
			                             .value_mac = wa_appstate_blob_mac(w->blob),
			                             .data = { plain, n } };

		rc = wa_appstate_hand_out(pool, ops, arg, &p);
	}
out:
	secret_wipe(&keys, sizeof(keys));
	if ((rc == WA_EAUTH || rc == WA_EPROTO || rc == WA_ETRUNC || rc == WA_ELIMIT) &&
	    s->tolerate_records)
		rc = hand_out_bad(s, ops, arg, w);
	return rc;
}

int wa_appstate_seal(const struct wa_appstate_seal *r, struct buf *out,
                     uint8_t index_mac_out[WA_APPSTATE_MAC_LEN],
                     uint8_t value_mac_out[WA_APPSTATE_MAC_LEN])
{
	uint8_t *blob;
	size_t n;
	int rc;

	rc = buf_reserve(out, WA_APPSTATE_IV_LEN + r->data.len + WA_APPSTATE_BLOCK_LEN +
	                          WA_APPSTATE_MAC_LEN);
	if (rc < 0)
		return rc;
	blob = out->p + out->len;
	memcpy(blob, r->iv, WA_APPSTATE_IV_LEN);
	rc = cbc(1, r->keys->cipher, r->iv, r->data.p, r->data.len, blob + WA_APPSTATE_IV_LEN, &n);
	if (rc < 0)
		return rc;
	n += WA_APPSTATE_IV_LEN;
	rc = value_mac(r->keys->value_mac, r->remove, r->key_id, blob, n, value_mac_out);
	if (rc == 0)
		rc = wa_hmac_sha256(r->keys->index, sizeof(r->keys->index), r->index.p,
		                    r->index.len, index_mac_out);
	if (rc < 0)
		return rc;
	memcpy(blob + n, value_mac_out, WA_APPSTATE_MAC_LEN);
	out->len += n + WA_APPSTATE_MAC_LEN;
	return 0;
}
