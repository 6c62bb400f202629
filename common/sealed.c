/* common/sealed.c - secrets at rest */
#include "common/sealed.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/rd.h"
#include "common/secret.h"
#include "common/wr.h"

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

/* Text that is known to fit; where it does not, nothing is written any more. */
static void put_text(struct wr *w, const char *s)
{
	wr_bytes(w, s, strlen(s));
}

static void put_number(struct wr *w, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	wr_bytes(w, digits + n, sizeof(digits) - n);
}

static void put_part(struct wr *w, const char *s)
{
	put_number(w, strlen(s));
	put_text(w, "|");
	put_text(w, s);
	put_text(w, "|");
}

/*
 * The head of the envelope in hex and its place, with lengths in between, so that no two places are
 * alike: "HEAD|LEN|OWNER|LEN|TABLE|LEN|COLUMN|ROW", and "|SCHEMA" where it is not the first.
 */
static int make_aad(const uint8_t head[HEAD_LEN], const struct sealed_place *p,
                    uint8_t out[AAD_CAP], int *len_out)
{
	char hex[HEX_CAP(HEAD_LEN)];
	struct wr w;

	wr_init(&w, out, AAD_CAP);
	hex_encode(head, HEAD_LEN, hex);
	put_text(&w, hex);
	put_text(&w, "|");
	put_part(&w, p->owner);
	put_part(&w, p->table);
	put_part(&w, p->column);
	if (p->row < 0)
		put_text(&w, "-");
	put_number(&w, p->row < 0 ? -(uint64_t)p->row : (uint64_t)p->row);
	if (p->schema > 0) {
		put_text(&w, "|");
		put_number(&w, p->schema);
	}
	if (w.err != 0)
		return WA_ECRYPTO;
	*len_out = (int)(w.p - out);
	return 0;
}

static void write_head(uint32_t epoch, uint8_t head[HEAD_LEN])
{
	head[0] = FORMAT;
	for (int i = 0; i < 4; i++)
		head[1 + i] = (uint8_t)(epoch >> (8 * i));
}

/* ctx knows cipher and key. */
static bool encrypt(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, const uint8_t *aad, int aad_len,
                    const void *in, int in_len, uint8_t *out, uint8_t *tag)
{
	int n = 0;

	return EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1 &&
	       EVP_EncryptUpdate(ctx, NULL, &n, aad, aad_len) == 1 &&
	       EVP_EncryptUpdate(ctx, out, &n, in, in_len) == 1 &&
	       EVP_EncryptFinal_ex(ctx, out + n, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1;
}

#define NONCES_N 32

struct sealed_run {
	EVP_CIPHER_CTX *ctx;
	uint32_t epoch;
	unsigned left; /* nonces */
	uint8_t nonces[NONCES_N][NONCE_LEN];
};

static int run_init(struct sealed_run *run, const struct sealed_key *key)
{
	run->epoch = key->epoch;
	run->left = 0;
	run->ctx = EVP_CIPHER_CTX_new();
	return run->ctx != NULL &&
	               EVP_EncryptInit_ex(run->ctx, EVP_aes_256_gcm(), NULL, key->bytes, NULL) == 1
	           ? 0
	           : WA_ECRYPTO;
}

int sealed_run_new(const struct sealed_key *key, struct sealed_run **run_out)
{
	struct sealed_run *run = malloc(sizeof(*run));
	int rc;

	if (run == NULL)
		return -ENOMEM;
	rc = run_init(run, key);
	if (rc < 0) {
		sealed_run_free(run);
		return rc;
	}
	*run_out = run;
	return 0;
}

void sealed_run_free(struct sealed_run *run)
{
	if (run == NULL)
		return;
	EVP_CIPHER_CTX_free(run->ctx);
	free(run);
}

/* nonces_n: drawn at a time. */
static int seal(struct sealed_run *run, unsigned nonces_n, const struct sealed_place *place,
                const void *in, size_t in_len, struct buf *out)
{
	uint8_t head[HEAD_LEN], aad[AAD_CAP];
	size_t before = out->len;
	uint8_t *at;
	int aad_len;
	int rc;

	if (in_len > INT32_MAX)
		return WA_ECRYPTO;
	write_head(run->epoch, head);
	rc = make_aad(head, place, aad, &aad_len);
	if (rc == 0)
		rc = buf_reserve(out, in_len + SEALED_OVERHEAD);
	if (rc == 0 && run->left == 0) {
		rc = secret_random(run->nonces, nonces_n * NONCE_LEN);
		run->left = rc == 0 ? nonces_n : 0;
	}
	if (rc < 0)
		return rc;
	at = out->p + before;
	memcpy(at, head, HEAD_LEN);
	memcpy(at + HEAD_LEN, run->nonces[--run->left], NONCE_LEN); /* never again */
	if (!encrypt(run->ctx, at + HEAD_LEN, aad, aad_len, in, (int)in_len,
	             at + HEAD_LEN + NONCE_LEN, at + HEAD_LEN + NONCE_LEN + in_len))
		return WA_ECRYPTO;
	out->len = before + in_len + SEALED_OVERHEAD;
	return 0;
}

int sealed_run_seal(struct sealed_run *run, const struct sealed_place *place, const void *in,
                    size_t in_len, struct buf *out)
{
	return seal(run, NONCES_N, place, in, in_len, out);
}

int sealed_seal(const struct sealed_key *key, const struct sealed_place *place, const void *in,
                size_t in_len, struct buf *out)
{
	struct sealed_run run;
	int rc = run_init(&run, key);

	if (rc == 0)
		rc = seal(&run, 1, place, in, in_len, out);
	EVP_CIPHER_CTX_free(run.ctx);
	return rc;
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
