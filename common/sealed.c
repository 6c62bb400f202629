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
static void put_place(struct wr *w, const uint8_t head[HEAD_LEN], const struct sealed_place *p)
{
	char hex[HEX_CAP(HEAD_LEN)];

	hex_encode(head, HEAD_LEN, hex);
	put_text(w, hex);
	put_text(w, "|");
	put_part(w, p->owner);
	put_part(w, p->table);
	put_part(w, p->column);
}

static void put_row(struct wr *w, const struct sealed_place *p)
{
	if (p->row < 0)
		put_text(w, "-");
	put_number(w, p->row < 0 ? -(uint64_t)p->row : (uint64_t)p->row);
	if (p->schema > 0) {
		put_text(w, "|");
		put_number(w, p->schema);
	}
}

struct aad {
	uint8_t bytes[AAD_CAP];
	int len;
};

static int make_aad(const uint8_t head[HEAD_LEN], const struct sealed_place *p, struct aad *out)
{
	struct wr w;

	wr_init(&w, out->bytes, AAD_CAP);
	put_place(&w, head, p);
	put_row(&w, p);
	out->len = (int)(w.p - out->bytes);
	return w.err != 0 ? WA_ECRYPTO : 0;
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
#define NAME_MAX_LEN 31 /* of tables and columns that are remembered */

struct sealed_run {
	EVP_CIPHER_CTX *sealing, *opening; /* NULL: not needed yet */
	const struct sealed_key *key;
	unsigned left; /* nonces */
	uint8_t nonces[NONCES_N][NONCE_LEN];
	/* the place of the last value but for its row, as it is written: many have the same */
	char owner[OWNER_MAX + 1], table[NAME_MAX_LEN + 1], column[NAME_MAX_LEN + 1];
	struct aad place; /* len 0: none */
};

static void run_init(struct sealed_run *run, const struct sealed_key *key)
{
	run->key = key;
	run->sealing = run->opening = NULL;
	run->left = 0;
	run->place.len = 0;
}

static void run_clear(struct sealed_run *run)
{
	EVP_CIPHER_CTX_free(run->sealing);
	EVP_CIPHER_CTX_free(run->opening);
}

int sealed_run_new(const struct sealed_key *key, struct sealed_run **run_out)
{
	struct sealed_run *run = malloc(sizeof(*run));

	if (run == NULL)
		return -ENOMEM;
	run_init(run, key);
	*run_out = run;
	return 0;
}

void sealed_run_free(struct sealed_run *run)
{
	if (run == NULL)
		return;
	run_clear(run);
	free(run);
}

/* The cipher with the key, made when it is first needed. */
static int run_cipher(const struct sealed_run *run, bool seals, EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX *c;

	if (*ctx != NULL)
		return 0;
	c = EVP_CIPHER_CTX_new();
	if (c == NULL || EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, run->key->bytes, NULL,
	                                   seals ? 1 : 0) != 1) {
		EVP_CIPHER_CTX_free(c);
		return WA_ECRYPTO;
	}
	*ctx = c;
	return 0;
}

static bool is_same_place(const struct sealed_run *run, const struct sealed_place *p)
{
	return run->place.len > 0 && strcmp(run->column, p->column) == 0 &&
	       strcmp(run->table, p->table) == 0 && strcmp(run->owner, p->owner) == 0;
}

/* Names that do not fit are not remembered. */
static void remember_place(struct sealed_run *run, const uint8_t head[HEAD_LEN],
                           const struct sealed_place *p)
{
	struct wr w;

	run->place.len = 0;
	if (strlen(p->owner) > OWNER_MAX || strlen(p->table) > NAME_MAX_LEN ||
	    strlen(p->column) > NAME_MAX_LEN)
		return;
	memcpy(run->owner, p->owner, strlen(p->owner) + 1);
	memcpy(run->table, p->table, strlen(p->table) + 1);
	memcpy(run->column, p->column, strlen(p->column) + 1);
	wr_init(&w, run->place.bytes, AAD_CAP);
	put_place(&w, head, p);
	run->place.len = w.err != 0 ? 0 : (int)(w.p - run->place.bytes);
}

static int run_aad(struct sealed_run *run, const uint8_t head[HEAD_LEN],
                   const struct sealed_place *p, struct aad *out)
{
	struct wr w;

	if (!is_same_place(run, p))
		remember_place(run, head, p);
	if (run->place.len == 0)
		return make_aad(head, p, out);
	wr_init(&w, out->bytes, AAD_CAP);
	wr_bytes(&w, run->place.bytes, (size_t)run->place.len);
	put_row(&w, p);
	out->len = (int)(w.p - out->bytes);
	return w.err != 0 ? WA_ECRYPTO : 0;
}

/* nonces_n: drawn at a time; 1: a run of one. */
static int seal(struct sealed_run *run, unsigned nonces_n, const struct sealed_place *place,
                const void *in, size_t in_len, struct buf *out)
{
	uint8_t head[HEAD_LEN];
	size_t before = out->len;
	struct aad aad;
	uint8_t *at;
	int rc;

	if (in_len > INT32_MAX)
		return WA_ECRYPTO;
	write_head(run->key->epoch, head);
	rc = nonces_n > 1 ? run_aad(run, head, place, &aad) : make_aad(head, place, &aad);
	if (rc == 0)
		rc = buf_reserve(out, in_len + SEALED_OVERHEAD);
	if (rc == 0)
		rc = run_cipher(run, true, &run->sealing);
	if (rc == 0 && run->left == 0) {
		rc = secret_random(run->nonces, nonces_n * NONCE_LEN);
		run->left = rc == 0 ? nonces_n : 0;
	}
	if (rc < 0)
		return rc;
	at = out->p + before;
	memcpy(at, head, HEAD_LEN);
	memcpy(at + HEAD_LEN, run->nonces[--run->left], NONCE_LEN); /* never again */
	if (!encrypt(run->sealing, at + HEAD_LEN, aad.bytes, aad.len, in, (int)in_len,
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
	int rc;

	run_init(&run, key);
	rc = seal(&run, 1, place, in, in_len, out);
	run_clear(&run);
	return rc;
}

/* ctx knows cipher and key. 0, WA_EAUTH or WA_ECRYPTO. */
static int decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, const struct aad *aad,
                   const uint8_t *in, int in_len, uint8_t *out)
{
	int n = 0;

	if (EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_DecryptUpdate(ctx, NULL, &n, aad->bytes, aad->len) != 1 ||
	    EVP_DecryptUpdate(ctx, out, &n, in, in_len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN,
	                        (void *)(uintptr_t)(in + in_len)) != 1)
		return WA_ECRYPTO;
	return EVP_DecryptFinal_ex(ctx, out + n, &n) == 1 ? 0 : WA_EAUTH;
}

/* in is an envelope of that key, its place is aad. */
static int open_with(EVP_CIPHER_CTX *ctx, const struct aad *aad, const uint8_t *in, size_t in_len,
                     struct buf *out)
{
	size_t len = in_len - SEALED_OVERHEAD;
	int rc = buf_reserve(out, len + 1);

	if (rc < 0)
		return rc;
	rc = decrypt(ctx, in + HEAD_LEN, aad, in + HEAD_LEN + NONCE_LEN, (int)len,
	             out->p + out->len);
	if (rc < 0)
		secret_wipe(out->p + out->len, len);
	else
		out->len += len;
	return rc;
}

/* 0, WA_EPROTO or WA_ESTATE; its head. */
static int check_head(uint32_t epoch, const uint8_t *p, size_t in_len, uint8_t head_out[HEAD_LEN])
{
	if (in_len < SEALED_OVERHEAD || in_len > INT32_MAX || p[0] != FORMAT)
		return WA_EPROTO;
	write_head(epoch, head_out);
	return memcmp(p, head_out, HEAD_LEN) != 0 ? WA_ESTATE : 0;
}

/* remember: more of the same place will follow. */
static int open_one(struct sealed_run *run, bool remember, const struct sealed_place *place,
                    const void *in, size_t in_len, struct buf *out)
{
	uint8_t head[HEAD_LEN];
	struct aad aad;
	int rc = check_head(run->key->epoch, in, in_len, head);

	if (rc == 0)
		rc = remember ? run_aad(run, head, place, &aad) : make_aad(head, place, &aad);
	if (rc == 0)
		rc = run_cipher(run, false, &run->opening);
	return rc < 0 ? rc : open_with(run->opening, &aad, in, in_len, out);
}

int sealed_run_open(struct sealed_run *run, const struct sealed_place *place, const void *in,
                    size_t in_len, struct buf *out)
{
	return open_one(run, true, place, in, in_len, out);
}

int sealed_open(const struct sealed_key *key, const struct sealed_place *place, const void *in,
                size_t in_len, struct buf *out)
{
	struct sealed_run run;
	int rc;

	run_init(&run, key);
	rc = open_one(&run, false, place, in, in_len, out);
	run_clear(&run);
	return rc;
}
