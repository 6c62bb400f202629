/* worker/wa/history/wa_media.c - encrypted files: keys, decryption as a stream, encryption */
#include "worker/wa/history/wa_media.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"

#define CHUNK_LEN 16384 /* decrypted at a time */
/* The MAC and the last block stay back until it is known that they are the last. */
#define HOLD_LEN (WA_MEDIA_MAC_LEN + WA_MEDIA_BLOCK_LEN)

static const struct {
	const char *info, *mms;
} kinds[] = {
#define X(id, info, mms) [id] = { info, mms },
	WA_MEDIA_KIND_LIST(X)
#undef X
};

const char *wa_media_info(enum wa_media_kind kind)
{
	return kinds[kind].info;
}

const char *wa_media_mms_type(enum wa_media_kind kind)
{
	return kinds[kind].mms;
}

int wa_media_expand(const uint8_t media_key[WA_MEDIA_KEY_LEN], enum wa_media_kind kind,
                    struct wa_media_keys *keys_out)
{
	uint8_t all[112];
	int rc;

	rc = wa_hkdf(media_key, WA_MEDIA_KEY_LEN, NULL, 0, kinds[kind].info,
	             strlen(kinds[kind].info), all, sizeof(all));
	if (rc == 0) {
		memcpy(keys_out->iv, all, 16);
		memcpy(keys_out->cipher_key, all + 16, 32);
		memcpy(keys_out->mac_key, all + 48, 32);
		memcpy(keys_out->ref_key, all + 80, 32);
	}
	secret_wipe(all, sizeof(all));
	return rc;
}

/* ---- state --------------------------------------------------------------------------------------
 */

struct wa_media {
	EVP_CIPHER_CTX *cipher; /* NULL: the file is not encrypted */
	EVP_MAC_CTX *mac;
	EVP_MD_CTX *enc_hash, *hash;
	struct wa_media_expect expect;
	uint8_t enc_sha256[WA_MEDIA_HASH_LEN], sha256[WA_MEDIA_HASH_LEN];
	uint64_t fed, written;
	uint8_t hold[HOLD_LEN];
	size_t hold_len;
	wa_media_sink_fn *sink;
	void *arg;
	uint8_t chunk[CHUNK_LEN + WA_MEDIA_BLOCK_LEN];
};

static EVP_MAC_CTX *mac_new(const uint8_t key[32])
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

	EVP_MAC_free(mac);
	if (ctx != NULL && EVP_MAC_init(ctx, key, 32, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static EVP_MD_CTX *hash_new(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static int media_new(const struct wa_media_expect *expect, wa_media_sink_fn *sink, void *arg,
                     struct wa_media **m_out)
{
	struct wa_media *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	m->expect = *expect;
	if (expect->enc_sha256 != NULL) {
		memcpy(m->enc_sha256, expect->enc_sha256, sizeof(m->enc_sha256));
		m->expect.enc_sha256 = m->enc_sha256;
	}
	if (expect->sha256 != NULL) {
		memcpy(m->sha256, expect->sha256, sizeof(m->sha256));
		m->expect.sha256 = m->sha256;
	}
	m->sink = sink;
	m->arg = arg;
	ERR_set_mark();
	m->enc_hash = hash_new();
	m->hash = hash_new();
	ERR_pop_to_mark();
	if (m->enc_hash == NULL || m->hash == NULL) {
		wa_media_free(m);
		return WA_ECRYPTO;
	}
	*m_out = m;
	return 0;
}

int wa_media_open_plain(const struct wa_media_expect *expect, wa_media_sink_fn *sink, void *arg,
                        struct wa_media **m_out)
{
	return media_new(expect, sink, arg, m_out);
}

int wa_media_open(const uint8_t media_key[WA_MEDIA_KEY_LEN], enum wa_media_kind kind,
                  const struct wa_media_expect *expect, wa_media_sink_fn *sink, void *arg,
                  struct wa_media **m_out)
{
	struct wa_media_keys keys;
	struct wa_media *m;
	int rc;

	rc = wa_media_expand(media_key, kind, &keys);
	if (rc < 0)
		return rc;
	rc = media_new(expect, sink, arg, &m);
	if (rc < 0)
		goto out;
	ERR_set_mark();
	m->mac = mac_new(keys.mac_key);
	m->cipher = EVP_CIPHER_CTX_new();
	if (m->mac == NULL || m->cipher == NULL ||
	    EVP_DecryptInit_ex(m->cipher, EVP_aes_256_cbc(), NULL, keys.cipher_key, keys.iv) != 1 ||
	    EVP_CIPHER_CTX_set_padding(m->cipher, 0) != 1 || /* checked here, after the MAC */
	    EVP_MAC_update(m->mac, keys.iv, sizeof(keys.iv)) != 1)
		rc = WA_ECRYPTO;
	ERR_pop_to_mark();
	if (rc < 0)
		wa_media_free(m);
	else
		*m_out = m;
out:
	secret_wipe(&keys, sizeof(keys));
	return rc;
}

void wa_media_free(struct wa_media *m)
{
	if (m == NULL)
		return;
	EVP_CIPHER_CTX_free(m->cipher);
	EVP_MAC_CTX_free(m->mac);
	EVP_MD_CTX_free(m->enc_hash);
	EVP_MD_CTX_free(m->hash);
	secret_wipe(m, sizeof(*m));
	free(m);
}

/* ---- feeding ------------------------------------------------------------------------------------
 */

static int emit(struct wa_media *m, const uint8_t *data, size_t data_len)
{
	if (data_len == 0)
		return 0;
	if (EVP_DigestUpdate(m->hash, data, data_len) != 1)
		return WA_ECRYPTO;
	m->written += data_len;
	return m->sink(m->arg, data, data_len);
}

/* Ciphertext before the last block: MAC, decrypt, hand out. OpenSSL keeps what is no whole block.
 */
static int decrypt(struct wa_media *m, const uint8_t *data, size_t data_len)
{
	while (data_len > 0) {
		size_t n = data_len < CHUNK_LEN ? data_len : CHUNK_LEN;
		int out_n = 0, rc;

		if (EVP_MAC_update(m->mac, data, n) != 1 ||
		    EVP_DecryptUpdate(m->cipher, m->chunk, &out_n, data, (int)n) != 1)
			return WA_ECRYPTO;
		rc = emit(m, m->chunk, (size_t)out_n);
		if (rc < 0)
			return rc;
		data += n;
		data_len -= n;
	}
	return 0;
}

/* Decrypt what was held and data, in a row, but for the last HOLD_LEN bytes: they are held. */
static int advance(struct wa_media *m, const uint8_t *data, size_t data_len)
{
	size_t over = m->hold_len + data_len > HOLD_LEN ? m->hold_len + data_len - HOLD_LEN : 0;
	size_t from_hold = over < m->hold_len ? over : m->hold_len;
	int rc;

	rc = decrypt(m, m->hold, from_hold);
	if (rc == 0)
		rc = decrypt(m, data, over - from_hold);
	if (rc < 0)
		return rc;
	m->hold_len -= from_hold;
	memmove(m->hold, m->hold + from_hold, m->hold_len);
	data += over - from_hold;
	data_len -= over - from_hold;
	memcpy(m->hold + m->hold_len, data, data_len);
	m->hold_len += data_len;
	return 0;
}

int wa_media_feed(struct wa_media *m, const uint8_t *data, size_t data_len)
{
	uint64_t max = m->expect.len_max;
	int rc;

	/* padding and MAC come on top */
	if (data_len > UINT64_MAX - m->fed - HOLD_LEN ||
	    (max <= UINT64_MAX - HOLD_LEN && m->fed + data_len > max + HOLD_LEN))
		return WA_ELIMIT;
	m->fed += data_len;
	if (data_len == 0)
		return 0;
	ERR_set_mark();
	rc = EVP_DigestUpdate(m->enc_hash, data, data_len) == 1 ? 0 : WA_ECRYPTO;
	if (rc == 0)
		rc = m->cipher == NULL ? emit(m, data, data_len) : advance(m, data, data_len);
	ERR_pop_to_mark();
	return rc;
}

/* ---- the end ------------------------------------------------------------------------------------
 */

static int check_hash(EVP_MD_CTX *ctx, const uint8_t *expected)
{
	uint8_t got[WA_MEDIA_HASH_LEN];

	if (expected == NULL)
		return 0;
	if (EVP_DigestFinal_ex(ctx, got, NULL) != 1)
		return WA_ECRYPTO;
	return secret_eq(got, expected, sizeof(got)) ? 0 : WA_EAUTH;
}

/* hold is the last block and the MAC. */
static int end_encrypted(struct wa_media *m)
{
	uint8_t mac[WA_MEDIA_HASH_LEN];
	size_t mac_len = 0;
	int n = 0;
	uint8_t pad;

	if (m->hold_len != HOLD_LEN || (m->fed - HOLD_LEN) % WA_MEDIA_BLOCK_LEN != 0)
		return WA_ETRUNC;
	if (EVP_MAC_update(m->mac, m->hold, WA_MEDIA_BLOCK_LEN) != 1 ||
	    EVP_MAC_final(m->mac, mac, &mac_len, sizeof(mac)) != 1)
		return WA_ECRYPTO;
	if (!secret_eq(mac, m->hold + WA_MEDIA_BLOCK_LEN, WA_MEDIA_MAC_LEN))
		return WA_EAUTH;
	if (EVP_DecryptUpdate(m->cipher, m->chunk, &n, m->hold, WA_MEDIA_BLOCK_LEN) != 1 ||
	    n != WA_MEDIA_BLOCK_LEN)
		return WA_ECRYPTO;
	pad = m->chunk[WA_MEDIA_BLOCK_LEN - 1];
	if (pad == 0 || pad > WA_MEDIA_BLOCK_LEN)
		return WA_EPROTO;
	for (unsigned i = 0; i < pad; i++) {
		if (m->chunk[WA_MEDIA_BLOCK_LEN - 1 - i] != pad)
			return WA_EPROTO;
	}
	return emit(m, m->chunk, WA_MEDIA_BLOCK_LEN - pad);
}

int wa_media_end(struct wa_media *m)
{
	int rc = 0;

	ERR_set_mark();
	rc = check_hash(m->enc_hash, m->cipher == NULL ? NULL : m->expect.enc_sha256);
	if (rc == 0 && m->cipher != NULL)
		rc = end_encrypted(m);
	if (rc == 0)
		rc = check_hash(m->hash, m->expect.sha256);
	if (rc == 0 && m->expect.has_len && m->expect.len != m->written)
		rc = WA_EPROTO;
	ERR_pop_to_mark();
	return rc;
}

static int on_plain(void *arg, const uint8_t *data, size_t data_len)
{
	return buf_append(arg, data, data_len);
}

int wa_media_decrypt(const uint8_t media_key[WA_MEDIA_KEY_LEN], enum wa_media_kind kind,
                     const struct wa_media_expect *expect, const uint8_t *data, size_t data_len,
                     struct buf *out)
{
	size_t out_len = out->len;
	struct wa_media *m;
	int rc;

	rc = wa_media_open(media_key, kind, expect, on_plain, out, &m);
	if (rc < 0)
		return rc;
	rc = wa_media_feed(m, data, data_len);
	if (rc == 0)
		rc = wa_media_end(m);
	wa_media_free(m);
	if (rc < 0 && out->len > out_len) {
		secret_wipe(out->p + out_len, out->len - out_len);
		out->len = out_len;
	}
	return rc;
}

/* ---- encryption ---------------------------------------------------------------------------------
 */

/* HMAC over iv and data, cut to the length of a media MAC. */
static int mac_of(const struct wa_media_keys *keys, const uint8_t *data, size_t data_len,
                  uint8_t out[WA_MEDIA_MAC_LEN])
{
	uint8_t mac[WA_MEDIA_HASH_LEN];
	size_t mac_len = 0;
	EVP_MAC_CTX *ctx;
	int rc = WA_ECRYPTO;

	ERR_set_mark();
	ctx = mac_new(keys->mac_key);
	if (ctx != NULL && EVP_MAC_update(ctx, keys->iv, sizeof(keys->iv)) == 1 &&
	    EVP_MAC_update(ctx, data, data_len) == 1 &&
	    EVP_MAC_final(ctx, mac, &mac_len, sizeof(mac)) == 1) {
		memcpy(out, mac, WA_MEDIA_MAC_LEN);
		rc = 0;
	}
	EVP_MAC_CTX_free(ctx);
	ERR_pop_to_mark();
	return rc;
}

static int cbc_encrypt(const struct wa_media_keys *keys, const uint8_t *data, size_t data_len,
                       uint8_t *out, size_t *out_len)
{
	EVP_CIPHER_CTX *ctx;
	int n = 0, last = 0, ok;

	ERR_set_mark();
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx != NULL &&
	     EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, keys->cipher_key, keys->iv) == 1 &&
	     (data_len == 0 || EVP_EncryptUpdate(ctx, out, &n, data, (int)data_len) == 1) &&
	     EVP_EncryptFinal_ex(ctx, out + n, &last) == 1;
	EVP_CIPHER_CTX_free(ctx);
	ERR_pop_to_mark();
	*out_len = (size_t)n + (size_t)last;
	return ok ? 0 : WA_ECRYPTO;
}

int wa_media_encrypt(const uint8_t media_key[WA_MEDIA_KEY_LEN], enum wa_media_kind kind,
                     const uint8_t *data, size_t data_len, struct buf *out,
                     uint8_t sha256_out[WA_MEDIA_HASH_LEN],
                     uint8_t enc_sha256_out[WA_MEDIA_HASH_LEN])
{
	struct wa_media_keys keys;
	uint8_t *p;
	size_t n;
	int rc;

	if (data_len > INT_MAX - HOLD_LEN)
		return WA_ELIMIT;
	rc = wa_media_expand(media_key, kind, &keys);
	if (rc == 0)
		rc = buf_reserve(out, data_len + HOLD_LEN);
	if (rc < 0)
		goto out;
	p = out->p + out->len;
	rc = cbc_encrypt(&keys, data, data_len, p, &n);
	if (rc == 0)
		rc = mac_of(&keys, p, n, p + n);
	if (rc == 0)
		rc = wa_sha256(data, data_len, sha256_out);
	if (rc == 0)
		rc = wa_sha256(p, n + WA_MEDIA_MAC_LEN, enc_sha256_out);
	if (rc == 0)
		out->len += n + WA_MEDIA_MAC_LEN;
out:
	secret_wipe(&keys, sizeof(keys));
	return rc;
}
