/* common/sealed.c - secrets at rest */
#include "common/sealed.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/rd.h"
#include "common/secret.h"

#define FORMAT 1
#define NONCE_LEN 12
#define TAG_LEN 16
#define HEAD_LEN (1 + 4)
#define AAD_CAP 256
#define OWNER_MAX 64

static int hkdf(const uint8_t *ikm, const char *info, uint8_t out[SEALED_KEY_LEN])
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)ikm,
		                                  SEALED_KEY_LEN),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info,
		                                  strlen(info)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int ok = ctx != NULL && EVP_KDF_derive(ctx, out, SEALED_KEY_LEN, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok ? 0 : WA_ECRYPTO;
}

int sealed_derive(const uint8_t master[SEALED_KEY_LEN], const char *owner, uint32_t epoch,
                  struct sealed_key *key_out)
{
	char info[OWNER_MAX + 32];
	int n = snprintf(info, sizeof(info), "warden %s %u", owner, epoch);

	if (n < 0 || (size_t)n >= sizeof(info))
		return WA_ECRYPTO;
	key_out->epoch = epoch;
	return hkdf(master, info, key_out->bytes);
}

/* The head of the envelope and its place, with lengths in between, so that no two places are alike.
 */
static int make_aad(const uint8_t head[HEAD_LEN], const struct sealed_place *p,
                    uint8_t out[AAD_CAP], int *len_out)
{
	int n =
	    snprintf((char *)out, AAD_CAP, "%02x%02x%02x%02x%02x|%zu|%s|%zu|%s|%zu|%s|%lld",
	             head[0], head[1], head[2], head[3], head[4], strlen(p->owner), p->owner,
	             strlen(p->table), p->table, strlen(p->column), p->column, (long long)p->row);

	if (n > 0 && n < AAD_CAP && p->schema > 0)
		n += snprintf((char *)out + n, (size_t)(AAD_CAP - n), "|%u", p->schema);
	if (n < 0 || n >= AAD_CAP)
		return WA_ECRYPTO;
	*len_out = n;
	return 0;
}

static void write_head(uint32_t epoch, uint8_t head[HEAD_LEN])
{
	head[0] = FORMAT;
	for (int i = 0; i < 4; i++)
		head[1 + i] = (uint8_t)(epoch >> (8 * i));
}

static bool encrypt(const uint8_t *key, const uint8_t *nonce, const uint8_t *aad, int aad_len,
                    const void *in, int in_len, uint8_t *out, uint8_t *tag)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;
	bool ok = ctx != NULL &&
	          EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
	          EVP_EncryptUpdate(ctx, NULL, &n, aad, aad_len) == 1 &&
	          EVP_EncryptUpdate(ctx, out, &n, in, in_len) == 1 &&
	          EVP_EncryptFinal_ex(ctx, out + n, &n) == 1 &&
	          EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

int sealed_seal(const struct sealed_key *key, const struct sealed_place *place, const void *in,
                size_t in_len, struct buf *out)
{
	uint8_t head[HEAD_LEN], aad[AAD_CAP];
	size_t before = out->len;
	uint8_t *at;
	int aad_len;
	int rc;

	if (in_len > INT32_MAX)
		return WA_ECRYPTO;
	write_head(key->epoch, head);
	rc = make_aad(head, place, aad, &aad_len);
	if (rc == 0)
		rc = buf_reserve(out, in_len + SEALED_OVERHEAD);
	if (rc < 0)
		return rc;
	at = out->p + before;
	memcpy(at, head, HEAD_LEN);
	rc = secret_random(at + HEAD_LEN, NONCE_LEN);
	if (rc < 0)
		return rc;
	if (!encrypt(key->bytes, at + HEAD_LEN, aad, aad_len, in, (int)in_len,
	             at + HEAD_LEN + NONCE_LEN, at + HEAD_LEN + NONCE_LEN + in_len))
		return WA_ECRYPTO;
	out->len = before + in_len + SEALED_OVERHEAD;
	return 0;
}

/* 0, WA_EAUTH or WA_ECRYPTO. */
static int decrypt(const uint8_t *key, const uint8_t *nonce, const uint8_t *aad, int aad_len,
                   const uint8_t *in, int in_len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int rc = WA_ECRYPTO;
	int n = 0;

	if (ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
	    EVP_DecryptUpdate(ctx, NULL, &n, aad, aad_len) == 1 &&
	    EVP_DecryptUpdate(ctx, out, &n, in, in_len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN,
	                        (void *)(uintptr_t)(in + in_len)) == 1)
		rc = EVP_DecryptFinal_ex(ctx, out + n, &n) == 1 ? 0 : WA_EAUTH;
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

int sealed_open(const struct sealed_key *key, const struct sealed_place *place, const void *in,
                size_t in_len, struct buf *out)
{
	uint8_t head[HEAD_LEN], aad[AAD_CAP];
	const uint8_t *p = in;
	size_t len;
	int aad_len;
	int rc;

	if (in_len < SEALED_OVERHEAD || in_len > INT32_MAX || p[0] != FORMAT)
		return WA_EPROTO;
	len = in_len - SEALED_OVERHEAD;
	write_head(key->epoch, head);
	if (memcmp(p, head, HEAD_LEN) != 0)
		return WA_ESTATE;
	rc = make_aad(head, place, aad, &aad_len);
	if (rc == 0)
		rc = buf_reserve(out, len + 1);
	if (rc < 0)
		return rc;
	rc = decrypt(key->bytes, p + HEAD_LEN, aad, aad_len, p + HEAD_LEN + NONCE_LEN, (int)len,
	             out->p + out->len);
	if (rc < 0)
		secret_wipe(out->p + out->len, len);
	else
		out->len += len;
	return rc;
}
