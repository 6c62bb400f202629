/* worker/wa/signal/wa_signal_crypto.c - crypto provider of libsignal-protocol-c over OpenSSL */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Init() and its like: see HMAC below */

#include "worker/wa/signal/wa_signal_crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "worker/wa/crypto/wa_keys.h"

#define SHA256_LEN 32
#define SHA512_LEN 64
#define AES_KEY_LEN 32
#define AES_IV_LEN 16
#define AES_BLOCK_LEN 16

struct wa_signal_crypto {
	EVP_MD *sha512;
	struct hmac *hmacs; /* idle ones */
	unsigned hmacs_n;
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
 *
 * Nearly all that a ratchet costs: seven of a few bytes a message. Written out over SHA-256's own
 * functions, since what OpenSSL 3 puts around them costs several times what they do.
 */

#define SHA256_BLOCK_LEN 64
#define HMAC_IDLE_MAX 4

struct hmac {
	struct hmac *next; /* in the list of idle ones */
	SHA256_CTX md;
	uint8_t outer[SHA256_BLOCK_LEN]; /* key ^ opad */
};

static void hmac_free(struct hmac *h)
{
	if (h == NULL)
		return;
	secret_wipe(h, sizeof(*h));
	free(h);
}

static int md_begin(SHA256_CTX *md, const uint8_t block[SHA256_BLOCK_LEN])
{
	return SHA256_Init(md) == 1 && SHA256_Update(md, block, SHA256_BLOCK_LEN) == 1;
}

static int hmac_begin(struct hmac *h, const uint8_t *key, size_t key_len)
{
	uint8_t inner[SHA256_BLOCK_LEN] = { 0 };
	int ok = 1;

	if (key_len > SHA256_BLOCK_LEN)
		ok = SHA256(key, key_len, inner) != NULL;
	else if (key_len > 0)
		memcpy(inner, key, key_len);
	for (size_t i = 0; i < SHA256_BLOCK_LEN; i++) {
		h->outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	ok = ok && md_begin(&h->md, inner);
	secret_wipe(inner, sizeof(inner));
	return ok;
}

static void on_hmac_cleanup(void *ctx, void *arg)
{
	struct wa_signal_crypto *c = arg;
	struct hmac *h = ctx;

	if (h == NULL)
		return;
	if (c->hmacs_n >= HMAC_IDLE_MAX) {
		hmac_free(h);
		return;
	}
	secret_wipe(h, sizeof(*h));
	h->next = c->hmacs;
	c->hmacs = h;
	c->hmacs_n++;
}

static int on_hmac_init(void **ctx_out, const uint8_t *key, size_t key_len, void *arg)
{
	struct wa_signal_crypto *c = arg;
	struct hmac *h = c->hmacs;

	*ctx_out = NULL; /* the library cleans up what it could not begin */
	if (h != NULL) {
		c->hmacs = h->next;
		c->hmacs_n--;
	} else {
		h = calloc(1, sizeof(*h));
	}
	if (h == NULL || !hmac_begin(h, key, key_len)) {
		hmac_free(h);
		return SG_ERR_UNKNOWN;
	}
	*ctx_out = h;
	return SG_SUCCESS;
}

static int on_hmac_update(void *ctx, const uint8_t *data, size_t data_len, void *arg)
{
	struct hmac *h = ctx;

	(void)arg;
	return data_len == 0 || SHA256_Update(&h->md, data, data_len) == 1 ? SG_SUCCESS
	                                                                   : SG_ERR_UNKNOWN;
}

static int on_hmac_final(void *ctx, signal_buffer **out, void *arg)
{
	uint8_t mac[SHA256_LEN];
	struct hmac *h = ctx;
	signal_buffer *b;
	int ok;

	(void)arg;
	ok = SHA256_Final(mac, &h->md) == 1 && md_begin(&h->md, h->outer) &&
	     SHA256_Update(&h->md, mac, sizeof(mac)) == 1 && SHA256_Final(mac, &h->md) == 1;
	b = ok ? signal_buffer_create(mac, sizeof(mac)) : NULL;
	secret_wipe(mac, sizeof(mac));
	if (b == NULL)
		return SG_ERR_UNKNOWN;
	*out = b;
	return SG_SUCCESS;
}

/* ---- X25519 -------------------------------------------------------------------------------------
 */

/*
 * The library's own takes four times as long as OpenSSL's. This one stands in front of it: the
 * library finds it in the program, which the linker lets it see since both name it. Where it does
 * not, only the time is lost.
 */
int curve25519_donna(uint8_t *out, const uint8_t *secret, const uint8_t *point);

int curve25519_donna(uint8_t *out, const uint8_t *secret, const uint8_t *point)
{
	static const uint8_t base[WA_KEY_LEN] = { 9 };
	struct wa_keypair kp;
	int rc;

	if (memcmp(point, base, sizeof(base)) == 0) {
		rc = wa_keypair_from_priv(secret, &kp);
		if (rc == 0)
			memcpy(out, kp.pub, WA_KEY_LEN);
		wa_keypair_wipe(&kp);
	} else {
		rc = wa_dh(secret, point, out);
	}
	/* The library looks at no result: a point of low order gives zeros, as it does there. */
	if (rc < 0)
		memset(out, 0, WA_KEY_LEN);
	return rc < 0 && rc != WA_EAUTH ? -1 : 0;
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

	*ctx_out = NULL;
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
	if (s == NULL)
		return;
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
		result =
		    signal_buffer_create(signal_buffer_data(work), (size_t)n + (size_t)last);
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
	c->sha512 = EVP_MD_fetch(NULL, "SHA512", NULL);
	c->aes_cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	c->aes_ctr = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
	c->cipher = EVP_CIPHER_CTX_new();
	return c->sha512 == NULL || c->aes_cbc == NULL || c->aes_ctr == NULL || c->cipher == NULL
	           ? WA_ECRYPTO
	           : 0;
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
	while (c->hmacs != NULL) {
		struct hmac *h = c->hmacs;

		c->hmacs = h->next;
		hmac_free(h);
	}
	EVP_CIPHER_CTX_free(c->cipher);
	EVP_CIPHER_free(c->aes_ctr);
	EVP_CIPHER_free(c->aes_cbc);
	EVP_MD_free(c->sha512);
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
