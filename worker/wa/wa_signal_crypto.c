/* worker/wa/wa_signal_crypto.c - crypto provider of libsignal-protocol-c over OpenSSL */
#include "worker/wa/wa_signal_crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/secret.h"

#define SHA256_LEN 32
#define SHA512_LEN 64
#define AES_KEY_LEN 32
#define AES_IV_LEN 16
#define AES_BLOCK_LEN 16

struct wa_signal_crypto {
	EVP_MAC *hmac;
	EVP_MAC_CTX *hmac_sha256; /* with the digest set: duplicated for each use */
	EVP_MD *sha512;
	EVP_CIPHER *aes_cbc, *aes_ctr;
	EVP_CIPHER_CTX *cipher; /* one operation at a time */
	wa_signal_random_fn *random;
	void *random_arg;
};

/* Errors of a call must not stay in OpenSSL's queue, where TLS would find them. */
static int done(int ok)
{
	ERR_pop_to_mark();
	return ok ? SG_SUCCESS : SG_ERR_UNKNOWN;
}

/* ---- random -------------------------------------------------------------------------------------
 */

int wa_signal_crypto_random(struct wa_signal_crypto *c, uint8_t *out, size_t n)
{
	if (c->random == NULL)
		return secret_random(out, n);
	return c->random(c->random_arg, out, n) < 0 ? WA_ECRYPTO : 0;
}

static int on_random(uint8_t *out, size_t n, void *arg)
{
	return wa_signal_crypto_random(arg, out, n) < 0 ? SG_ERR_UNKNOWN : SG_SUCCESS;
}

/* ---- HMAC-SHA256 --------------------------------------------------------------------------------
 */

static int on_hmac_init(void **ctx_out, const uint8_t *key, size_t key_len, void *arg)
{
	struct wa_signal_crypto *c = arg;
	EVP_MAC_CTX *ctx;

	ERR_set_mark();
	ctx = EVP_MAC_CTX_dup(c->hmac_sha256);
	/* A NULL key would mean "keep the one you have". */
	if (ctx == NULL ||
	    EVP_MAC_init(ctx, key_len == 0 ? (const uint8_t *)"" : key, key_len, NULL) != 1) {
		EVP_MAC_CTX_free(ctx);
		return done(0);
	}
	*ctx_out = ctx;
	return done(1);
}

static int on_hmac_update(void *ctx, const uint8_t *data, size_t data_len, void *arg)
{
	(void)arg;
	ERR_set_mark();
	return done(data_len == 0 || EVP_MAC_update(ctx, data, data_len) == 1);
}

static int on_hmac_final(void *ctx, signal_buffer **out, void *arg)
{
	uint8_t mac[SHA256_LEN];
	signal_buffer *b;
	size_t n = 0;
	int ok;

	(void)arg;
	ERR_set_mark();
	ok = EVP_MAC_final(ctx, mac, &n, sizeof(mac)) == 1 && n == sizeof(mac);
	b = ok ? signal_buffer_create(mac, sizeof(mac)) : NULL;
	secret_wipe(mac, sizeof(mac));
	if (b == NULL)
		return done(0);
	*out = b;
	return done(1);
}

static void on_hmac_cleanup(void *ctx, void *arg)
{
	(void)arg;
	EVP_MAC_CTX_free(ctx);
}

/* ---- SHA-512 ------------------------------------------------------------------------------------
 */

struct sha512 {
	EVP_MD_CTX *ctx;
	const EVP_MD *md;
};

static int on_sha512_init(void **ctx_out, void *arg)
{
	struct wa_signal_crypto *c = arg;
	struct sha512 *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return SG_ERR_NOMEM;
	ERR_set_mark();
	s->md = c->sha512;
	s->ctx = EVP_MD_CTX_new();
	if (s->ctx == NULL || EVP_DigestInit_ex2(s->ctx, s->md, NULL) != 1) {
		EVP_MD_CTX_free(s->ctx);
		free(s);
		return done(0);
	}
	*ctx_out = s;
	return done(1);
}

static int on_sha512_update(void *ctx, const uint8_t *data, size_t data_len, void *arg)
{
	struct sha512 *s = ctx;

	(void)arg;
	ERR_set_mark();
	return done(EVP_DigestUpdate(s->ctx, data, data_len) == 1);
}

/* The library may go on with the same context: it begins anew. */
static int on_sha512_final(void *ctx, signal_buffer **out, void *arg)
{
	uint8_t md[SHA512_LEN];
	struct sha512 *s = ctx;
	signal_buffer *b;
	int ok;

	(void)arg;
	ERR_set_mark();
	ok = EVP_DigestFinal_ex(s->ctx, md, NULL) == 1 &&
	     EVP_DigestInit_ex2(s->ctx, s->md, NULL) == 1;
	b = ok ? signal_buffer_create(md, sizeof(md)) : NULL;
	secret_wipe(md, sizeof(md));
	if (b == NULL)
		return done(0);
	*out = b;
	return done(1);
}

static void on_sha512_cleanup(void *ctx, void *arg)
{
	struct sha512 *s = ctx;

	(void)arg;
	EVP_MD_CTX_free(s->ctx);
	free(s);
}

/* ---- AES-256 ------------------------------------------------------------------------------------
 */

static int crypt_buffer(struct wa_signal_crypto *c, signal_buffer **out, int mode, int encrypt,
                        const uint8_t *key, size_t key_len, const uint8_t *iv, size_t iv_len,
                        const uint8_t *in, size_t in_len)
{
	const EVP_CIPHER *cipher = mode == SG_CIPHER_AES_CBC_PKCS5 ? c->aes_cbc : c->aes_ctr;
	signal_buffer *work, *result = NULL;
	int n = 0, last = 0, ok;

	if (mode != SG_CIPHER_AES_CBC_PKCS5 && mode != SG_CIPHER_AES_CTR_NOPADDING)
		return SG_ERR_INVAL;
	if (key_len != AES_KEY_LEN || iv_len != AES_IV_LEN || in_len > INT_MAX - AES_BLOCK_LEN)
		return SG_ERR_INVAL;
	work = signal_buffer_alloc(in_len + AES_BLOCK_LEN);
	if (work == NULL)
		return SG_ERR_NOMEM;
	ERR_set_mark();
	ok = EVP_CipherInit_ex2(c->cipher, cipher, key, iv, encrypt, NULL) == 1 &&
	     (in_len == 0 ||
	      EVP_CipherUpdate(c->cipher, signal_buffer_data(work), &n, in, (int)in_len) == 1) &&
	     EVP_CipherFinal_ex(c->cipher, signal_buffer_data(work) + n, &last) == 1;
	if (ok)
		result = signal_buffer_create(signal_buffer_data(work), (size_t)(n + last));
	EVP_CIPHER_CTX_reset(c->cipher); /* holds the key */
	signal_buffer_bzero_free(work);
	if (result == NULL)
		return done(0);
	*out = result;
	return done(1);
}

static int on_encrypt(signal_buffer **out, int mode, const uint8_t *key, size_t key_len,
                      const uint8_t *iv, size_t iv_len, const uint8_t *in, size_t in_len, void *arg)
{
	return crypt_buffer(arg, out, mode, 1, key, key_len, iv, iv_len, in, in_len);
}

static int on_decrypt(signal_buffer **out, int mode, const uint8_t *key, size_t key_len,
                      const uint8_t *iv, size_t iv_len, const uint8_t *in, size_t in_len, void *arg)
{
	return crypt_buffer(arg, out, mode, 0, key, key_len, iv, iv_len, in, in_len);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static int fetch_all(struct wa_signal_crypto *c)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	c->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	c->sha512 = EVP_MD_fetch(NULL, "SHA512", NULL);
	c->aes_cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	c->aes_ctr = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
	c->cipher = EVP_CIPHER_CTX_new();
	if (c->hmac == NULL || c->sha512 == NULL || c->aes_cbc == NULL || c->aes_ctr == NULL ||
	    c->cipher == NULL)
		return WA_ECRYPTO;
	c->hmac_sha256 = EVP_MAC_CTX_new(c->hmac);
	if (c->hmac_sha256 == NULL ||
	    EVP_MAC_init(c->hmac_sha256, (const uint8_t *)"", 0, params) != 1)
		return WA_ECRYPTO;
	return 0;
}

int wa_signal_crypto_new(struct wa_signal_crypto **c_out)
{
	struct wa_signal_crypto *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	ERR_set_mark();
	rc = fetch_all(c);
	ERR_pop_to_mark();
	if (rc < 0) {
		wa_signal_crypto_free(c);
		return rc;
	}
	*c_out = c;
	return 0;
}

void wa_signal_crypto_free(struct wa_signal_crypto *c)
{
	if (c == NULL)
		return;
	EVP_CIPHER_CTX_free(c->cipher);
	EVP_MAC_CTX_free(c->hmac_sha256);
	EVP_CIPHER_free(c->aes_ctr);
	EVP_CIPHER_free(c->aes_cbc);
	EVP_MD_free(c->sha512);
	EVP_MAC_free(c->hmac);
	free(c);
}

void wa_signal_crypto_set_random(struct wa_signal_crypto *c, wa_signal_random_fn *fn, void *arg)
{
	c->random = fn;
	c->random_arg = arg;
}

int wa_signal_crypto_attach(struct wa_signal_crypto *c, signal_context *ctx)
{
	const signal_crypto_provider provider = {
		.random_func = on_random,
		.hmac_sha256_init_func = on_hmac_init,
		.hmac_sha256_update_func = on_hmac_update,
		.hmac_sha256_final_func = on_hmac_final,
		.hmac_sha256_cleanup_func = on_hmac_cleanup,
		.sha512_digest_init_func = on_sha512_init,
		.sha512_digest_update_func = on_sha512_update,
		.sha512_digest_final_func = on_sha512_final,
		.sha512_digest_cleanup_func = on_sha512_cleanup,
		.encrypt_func = on_encrypt,
		.decrypt_func = on_decrypt,
		.user_data = c,
	};

	return signal_context_set_crypto_provider(ctx, &provider);
}
