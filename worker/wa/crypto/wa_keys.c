/* worker/wa/crypto/wa_keys.c - key pairs, X25519, hashes, key derivation and AES from OpenSSL */
#include "worker/wa/crypto/wa_keys.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/secret.h"

#define HASH_LEN 32

/*
 * The one mutable global of the library: handles of algorithms, fetched once because each fetch
 * takes locks and look-ups, and kept for the life of the process. They hold no secret, are only
 * read afterwards (but gcm: one thread uses this library), and stay valid in a forked child.
 */
static struct {
	bool ready;
	EVP_MD *sha256;
	EVP_MD *sha1;
	EVP_MD *md5;
	EVP_CIPHER *aes_256_gcm;
	EVP_CIPHER *aes_256_ctr;
	EVP_MAC *hmac;
	EVP_MAC_CTX *hmac_sha256; /* keyed with zeros: to be duplicated, never used itself */
	EVP_CIPHER_CTX *gcm;      /* keyed with zeros between two calls; NULL: not needed yet */
} alg;

/*
 * A failed call leaves entries in OpenSSL's error queue, which would later be taken for an error
 * of the TLS connection: every call is wrapped by these two.
 */
static void openssl_begin(void)
{
	ERR_set_mark();
}

static int openssl_end(int rc)
{
	ERR_pop_to_mark();
	return rc;
}

static int fetch_all(void)
{
	static const uint8_t zeros[HASH_LEN];
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	if (alg.sha256 == NULL)
		alg.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (alg.sha1 == NULL)
		alg.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	if (alg.md5 == NULL)
		alg.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	if (alg.aes_256_gcm == NULL)
		alg.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (alg.aes_256_ctr == NULL)
		alg.aes_256_ctr = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
	if (alg.hmac == NULL)
		alg.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (alg.hmac_sha256 == NULL && alg.hmac != NULL)
		alg.hmac_sha256 = EVP_MAC_CTX_new(alg.hmac);
	if (alg.sha256 == NULL || alg.sha1 == NULL || alg.md5 == NULL || alg.aes_256_gcm == NULL ||
	    alg.aes_256_ctr == NULL || alg.hmac_sha256 == NULL)
		return WA_ECRYPTO;
	if (EVP_MAC_init(alg.hmac_sha256, zeros, sizeof(zeros), params) != 1)
		return WA_ECRYPTO;
	return 0;
}

int wa_keys_init(void)
{
	struct wa_keypair a, b;
	uint8_t shared[WA_KEY_LEN];
	int rc;

	if (alg.ready)
		return 0;
	openssl_begin();
	rc = openssl_end(fetch_all());
	if (rc < 0)
		return rc;
	alg.ready = true;

	/* Once around with throw-away keys: loads X25519 and the random generator. */
	rc = wa_keypair_new(&a);
	if (rc == 0)
		rc = wa_keypair_new(&b);
	if (rc == 0)
		rc = wa_dh(a.priv, b.pub, shared);
	wa_keypair_wipe(&a);
	wa_keypair_wipe(&b);
	secret_wipe(shared, sizeof(shared));
	alg.ready = rc == 0;
	return rc;
}

/* ---- X25519 -------------------------------------------------------------------------------------
 */

int wa_keypair_from_priv(const uint8_t priv[WA_KEY_LEN], struct wa_keypair *kp_out)
{
	struct wa_keypair kp;
	size_t pub_len = sizeof(kp.pub);
	EVP_PKEY *key;
	int rc = WA_ECRYPTO;

	memcpy(kp.priv, priv, sizeof(kp.priv));
	kp.priv[0] &= 0xf8;
	kp.priv[31] = (uint8_t)((kp.priv[31] & 0x7f) | 0x40);

	openssl_begin();
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, kp.priv, sizeof(kp.priv));
	if (key != NULL && EVP_PKEY_get_raw_public_key(key, kp.pub, &pub_len) == 1 &&
	    pub_len == sizeof(kp.pub)) {
		*kp_out = kp;
		rc = 0;
	}
	EVP_PKEY_free(key);
	secret_wipe(&kp, sizeof(kp));
	return openssl_end(rc);
}

int wa_keypair_new(struct wa_keypair *kp_out)
{
	uint8_t priv[WA_KEY_LEN];
	int rc;

	rc = secret_random(priv, sizeof(priv));
	if (rc == 0)
		rc = wa_keypair_from_priv(priv, kp_out);
	secret_wipe(priv, sizeof(priv));
	return rc;
}

void wa_keypair_wipe(struct wa_keypair *kp)
{
	secret_wipe(kp, sizeof(*kp));
}

int wa_dh(const uint8_t priv[WA_KEY_LEN], const uint8_t pub[WA_KEY_LEN], uint8_t out[WA_KEY_LEN])
{
	static const uint8_t zeros[WA_KEY_LEN];
	size_t out_len = WA_KEY_LEN;
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *own, *peer;
	int rc = WA_ECRYPTO;

	openssl_begin();
	own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, priv, WA_KEY_LEN);
	peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, pub, WA_KEY_LEN);
	if (own == NULL || peer == NULL)
		goto out;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 ||
	    EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) != 1)
		goto out;
	/* All that is left to fail is the result: OpenSSL refuses an all-zero one. */
	rc = WA_EAUTH;
	if (EVP_PKEY_derive(ctx, out, &out_len) != 1 || out_len != WA_KEY_LEN ||
	    secret_eq(out, zeros, WA_KEY_LEN))
		goto out;
	rc = 0;
out:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(own);
	return openssl_end(rc);
}

/* ---- hashes -------------------------------------------------------------------------------------
 */

int wa_sha256_pair(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[32])
{
	EVP_MD_CTX *ctx;
	int rc;

	rc = wa_keys_init();
	if (rc < 0)
		return rc;
	openssl_begin();
	rc = WA_ECRYPTO;
	ctx = EVP_MD_CTX_new();
	if (ctx != NULL && EVP_DigestInit_ex2(ctx, alg.sha256, NULL) == 1 &&
	    EVP_DigestUpdate(ctx, a, a_len) == 1 && EVP_DigestUpdate(ctx, b, b_len) == 1 &&
	    EVP_DigestFinal_ex(ctx, out, NULL) == 1)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	return openssl_end(rc);
}

int wa_sha256(const void *data, size_t data_len, uint8_t out[32])
{
	return wa_sha256_pair(data, data_len, NULL, 0, out);
}

/* *which is read only after wa_keys_init() has filled it. */
static int digest(EVP_MD *const *which, const void *data, size_t data_len, uint8_t *out)
{
	int rc;

	rc = wa_keys_init();
	if (rc < 0)
		return rc;
	openssl_begin();
	rc = EVP_Digest(data, data_len, out, NULL, *which, NULL) == 1 ? 0 : WA_ECRYPTO;
	return openssl_end(rc);
}

int wa_sha1(const void *data, size_t data_len, uint8_t out[20])
{
	return digest(&alg.sha1, data, data_len, out);
}

int wa_md5(const void *data, size_t data_len, uint8_t out[16])
{
	return digest(&alg.md5, data, data_len, out);
}

struct part {
	const void *p;
	size_t len;
};

/* HMAC over the parts in a row. */
static int hmac_parts(const void *key, size_t key_len, const struct part *parts, size_t parts_n,
                      uint8_t out[HASH_LEN])
{
	EVP_MAC_CTX *ctx;
	size_t out_len = 0;
	int rc;

	rc = wa_keys_init();
	if (rc < 0)
		return rc;
	openssl_begin();
	rc = WA_ECRYPTO;
	ctx = EVP_MAC_CTX_dup(alg.hmac_sha256);
	/* A NULL key would mean "keep the one you have". */
	if (ctx == NULL || EVP_MAC_init(ctx, key_len == 0 ? "" : key, key_len, NULL) != 1)
		goto out;
	for (size_t i = 0; i < parts_n; i++) {
		if (parts[i].len > 0 && EVP_MAC_update(ctx, parts[i].p, parts[i].len) != 1)
			goto out;
	}
	if (EVP_MAC_final(ctx, out, &out_len, HASH_LEN) == 1 && out_len == HASH_LEN)
		rc = 0;
out:
	EVP_MAC_CTX_free(ctx);
	return openssl_end(rc);
}

int wa_hmac_sha256(const void *key, size_t key_len, const void *data, size_t data_len,
                   uint8_t out[32])
{
	const struct part part = { data, data_len };

	return hmac_parts(key, key_len, &part, 1, out);
}

/*
 * RFC 5869. Written out over HMAC because OpenSSL 3.0's HKDF fetches HMAC and the digest anew in
 * every call.
 */
int wa_hkdf(const void *ikm, size_t ikm_len, const void *salt, size_t salt_len, const void *info,
            size_t info_len, void *out, size_t out_len)
{
	uint8_t prk[HASH_LEN], block[HASH_LEN], i = 0;
	struct part parts[3] = { { block, 0 }, { info, info_len }, { &i, 1 } };
	uint8_t *p = out;
	int rc;

	if (out_len > 255 * HASH_LEN)
		return WA_ECRYPTO;
	/* An empty salt is the same HMAC key as 32 zero bytes. */
	rc = wa_hmac_sha256(salt, salt_len, ikm, ikm_len, prk);
	while (rc == 0 && out_len > 0) {
		size_t n = out_len < HASH_LEN ? out_len : HASH_LEN;

		i++;
		rc = hmac_parts(prk, sizeof(prk), parts, ARRAY_LEN(parts), block);
		if (rc < 0)
			break;
		memcpy(p, block, n);
		parts[0].len = HASH_LEN;
		p += n;
		out_len -= n;
	}
	secret_wipe(prk, sizeof(prk));
	secret_wipe(block, sizeof(block));
	return rc;
}

int wa_pbkdf2_sha256(const void *password, size_t password_len, const void *salt, size_t salt_len,
                     unsigned rounds, void *out, size_t out_len)
{
	int rc;

	if (password_len > INT_MAX || salt_len > INT_MAX || out_len > INT_MAX || rounds > INT_MAX)
		return WA_ECRYPTO;
	rc = wa_keys_init();
	if (rc < 0)
		return rc;
	openssl_begin();
	rc = PKCS5_PBKDF2_HMAC(password, (int)password_len, salt, (int)salt_len, (int)rounds,
	                       alg.sha256, (int)out_len, out) == 1
	         ? 0
	         : WA_ECRYPTO;
	return openssl_end(rc);
}

/* ---- AES-256-CTR --------------------------------------------------------------------------------
 */

int wa_aes_ctr(const uint8_t key[32], const uint8_t iv[16], const void *in, size_t in_len,
               uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	int n = 0, rc;

	if (in_len > INT_MAX)
		return WA_ECRYPTO;
	rc = wa_keys_init();
	if (rc < 0)
		return rc;
	openssl_begin();
	rc = WA_ECRYPTO;
	ctx = EVP_CIPHER_CTX_new();
	if (ctx != NULL && EVP_CipherInit_ex2(ctx, alg.aes_256_ctr, key, iv, 1, NULL) == 1 &&
	    EVP_CipherUpdate(ctx, out, &n, in, (int)in_len) == 1 && n == (int)in_len)
		rc = 0;
	EVP_CIPHER_CTX_free(ctx);
	return openssl_end(rc);
}

/* ---- AES-256-GCM --------------------------------------------------------------------------------
 */

static void iv_fill(uint8_t iv[WA_IV_LEN], uint32_t counter)
{
	memset(iv, 0, WA_IV_LEN);
	iv[8] = (uint8_t)(counter >> 24);
	iv[9] = (uint8_t)(counter >> 16);
	iv[10] = (uint8_t)(counter >> 8);
	iv[11] = (uint8_t)counter;
}

/*
 * The context with key, iv and associated data set; NULL on failure. Making one costs more than to
 * seal a stanza. Each call ends with gcm_end().
 */
static EVP_CIPHER_CTX *gcm_start(const uint8_t key[32], const uint8_t iv[WA_IV_LEN],
                                 const void *aad, size_t aad_len, int encrypt)
{
	const EVP_CIPHER *cipher = NULL; /* that it has */
	int n;

	if (alg.gcm == NULL) {
		alg.gcm = EVP_CIPHER_CTX_new();
		cipher = alg.aes_256_gcm;
	}
	if (alg.gcm != NULL && EVP_CipherInit_ex2(alg.gcm, cipher, key, iv, encrypt, NULL) == 1 &&
	    (aad_len == 0 || EVP_CipherUpdate(alg.gcm, NULL, &n, aad, (int)aad_len) == 1))
		return alg.gcm;
	return NULL;
}

/* No key stays behind. */
static int gcm_end(int rc)
{
	static const uint8_t zeros[32];

	if (alg.gcm != NULL &&
	    (rc == WA_ECRYPTO || EVP_CipherInit_ex2(alg.gcm, NULL, zeros, zeros, 1, NULL) != 1)) {
		EVP_CIPHER_CTX_free(alg.gcm);
		alg.gcm = NULL;
	}
	return rc;
}

int wa_gcm_seal_iv(const uint8_t key[32], const uint8_t iv[WA_IV_LEN], const void *aad,
                   size_t aad_len, const void *in, size_t in_len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	int n = 0, rc;

	if (in_len > INT_MAX || aad_len > INT_MAX)
		return WA_ECRYPTO;
	rc = wa_keys_init();
	if (rc < 0)
		return rc;
	openssl_begin();
	rc = WA_ECRYPTO;
	ctx = gcm_start(key, iv, aad, aad_len, 1);
	if (ctx != NULL && (in_len == 0 || EVP_CipherUpdate(ctx, out, &n, in, (int)in_len) == 1) &&
	    EVP_CipherFinal_ex(ctx, out + in_len, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, WA_TAG_LEN, out + in_len) == 1)
		rc = 0;
	return openssl_end(gcm_end(rc));
}

int wa_gcm_open_iv(const uint8_t key[32], const uint8_t iv[WA_IV_LEN], const void *aad,
                   size_t aad_len, const void *in, size_t in_len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	uint8_t tag[WA_TAG_LEN];
	size_t text_len;
	int n = 0, rc;

	if (in_len < WA_TAG_LEN)
		return WA_ETRUNC;
	text_len = in_len - WA_TAG_LEN;
	if (text_len > INT_MAX || aad_len > INT_MAX)
		return WA_ECRYPTO;
	rc = wa_keys_init();
	if (rc < 0)
		return rc;
	memcpy(tag, (const uint8_t *)in + text_len, sizeof(tag));
	openssl_begin();
	rc = WA_ECRYPTO;
	ctx = gcm_start(key, iv, aad, aad_len, 0);
	if (ctx == NULL || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) != 1)
		goto out;
	if (text_len > 0 && EVP_CipherUpdate(ctx, out, &n, in, (int)text_len) != 1)
		goto out;
	/* The final step writes nothing for GCM; it checks the tag. */
	rc = EVP_CipherFinal_ex(ctx, tag, &n) == 1 ? 0 : WA_EAUTH;
	if (rc < 0)
		secret_wipe(out, text_len); /* plaintext nobody vouches for */
out:
	return openssl_end(gcm_end(rc));
}

int wa_gcm_seal(const uint8_t key[32], uint32_t counter, const void *aad, size_t aad_len,
                const void *in, size_t in_len, uint8_t *out)
{
	uint8_t iv[WA_IV_LEN];

	iv_fill(iv, counter);
	return wa_gcm_seal_iv(key, iv, aad, aad_len, in, in_len, out);
}

int wa_gcm_open(const uint8_t key[32], uint32_t counter, const void *aad, size_t aad_len,
                const void *in, size_t in_len, uint8_t *out)
{
	uint8_t iv[WA_IV_LEN];

	iv_fill(iv, counter);
	return wa_gcm_open_iv(key, iv, aad, aad_len, in, in_len, out);
}
