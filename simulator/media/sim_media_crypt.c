/* simulator/media/sim_media_crypt.c - files as the media host keeps them */
#include "simulator/media/sim_media_crypt.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "worker/wa/crypto/wa_keys.h"

#define IV_LEN 16
#define BLOCK_LEN 16
#define FILE_MAX (512u * 1024 * 1024)

struct keys { /* in the order of the expansion */
	uint8_t iv[IV_LEN];
	uint8_t cipher[32];
	uint8_t mac[32];
	uint8_t ref[32];
};

static const struct kind {
	const char *word, *info, *mms, *folder;
} kinds[] = {
#define X(id, word, info, mms, folder) [id] = { word, info, mms, folder },
	SIM_MEDIA_KIND_LIST(X)
#undef X
};

static const char *const flaws[] = {
#define X(id, word) [id] = word,
	SIM_MEDIA_FLAW_LIST(X)
#undef X
};

const char *sim_media_word(enum sim_media_kind kind)
{
	return kinds[kind].word;
}

const char *sim_media_mms(enum sim_media_kind kind)
{
	return kinds[kind].mms;
}

const char *sim_media_folder(enum sim_media_kind kind)
{
	return kinds[kind].folder;
}

bool sim_media_kind_find(const char *word, enum sim_media_kind *kind_out)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].word, word) == 0) {
			*kind_out = (enum sim_media_kind)i;
			return true;
		}
	}
	return false;
}

bool sim_media_flaw_find(const char *word, enum sim_media_flaw *flaw_out)
{
	for (size_t i = 0; i < ARRAY_LEN(flaws); i++) {
		if (strcmp(flaws[i], word) == 0) {
			*flaw_out = (enum sim_media_flaw)i;
			return true;
		}
	}
	return false;
}

/* ---- AES-CBC -----------------------------------------------------------------------------------
 */

static int cbc(bool seal, const uint8_t key[32], const uint8_t iv[16], bool pad, const void *in,
               size_t len, struct buf *out)
{
	EVP_CIPHER_CTX *ctx;
	int n = 0, last = 0, rc;

	if (len > FILE_MAX)
		return WA_ELIMIT;
	rc = buf_reserve(out, len + BLOCK_LEN);
	if (rc < 0)
		return rc;
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		return -ENOMEM;
	rc = WA_ECRYPTO;
	if (EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv, seal) == 1 &&
	    EVP_CIPHER_CTX_set_padding(ctx, pad) == 1 &&
	    EVP_CipherUpdate(ctx, out->p + out->len, &n, in, (int)len) == 1)
		rc = EVP_CipherFinal_ex(ctx, out->p + out->len + n, &last) == 1 ? 0 : WA_EPROTO;
	EVP_CIPHER_CTX_free(ctx);
	if (rc == 0)
		out->len += (size_t)(n + last);
	return rc;
}

int sim_cbc_seal(const uint8_t key[32], const uint8_t iv[16], bool pad, const void *in, size_t len,
                 struct buf *out)
{
	return cbc(true, key, iv, pad, in, len, out);
}

int sim_cbc_open(const uint8_t key[32], const uint8_t iv[16], const void *in, size_t len,
                 struct buf *out)
{
	if (len == 0 || len % BLOCK_LEN != 0)
		return WA_EPROTO;
	return cbc(false, key, iv, true, in, len, out);
}

/* ---- files -------------------------------------------------------------------------------------
 */

static int expand(const uint8_t key[SIM_MEDIA_KEY_LEN], enum sim_media_kind kind, struct keys *k)
{
	const char *info = kinds[kind].info;

	return wa_hkdf(key, SIM_MEDIA_KEY_LEN, NULL, 0, info, strlen(info), k, sizeof(*k));
}

/* HMAC over IV and ciphertext: both lie one behind the other in iv_and_text. */
static int add_mac(const struct keys *k, const struct buf *iv_and_text, struct buf *out)
{
	uint8_t mac[32];
	int rc = wa_hmac_sha256(k->mac, sizeof(k->mac), iv_and_text->p, iv_and_text->len, mac);

	return rc < 0 ? rc : buf_append(out, mac, SIM_MEDIA_MAC_LEN);
}

/* The last block decrypts to zeros, which are no padding. */
static int seal_without_padding(const struct keys *k, const void *data, size_t len,
                                struct buf *text)
{
	static const uint8_t zeros[2 * BLOCK_LEN];
	struct buf plain = { 0 };
	int rc = buf_append(&plain, data, len);

	if (rc == 0)
		rc = buf_append(&plain, zeros, BLOCK_LEN + (BLOCK_LEN - len % BLOCK_LEN));
	if (rc == 0)
		rc = sim_cbc_seal(k->cipher, k->iv, false, plain.p, plain.len, text);
	buf_free(&plain);
	return rc;
}

static void spoil(struct buf *out, size_t from, enum sim_media_flaw flaw)
{
	size_t len = out->len - from;

	if (flaw == SIM_FLAW_MAC)
		out->p[out->len - 1] ^= 1;
	if (flaw == SIM_FLAW_CIPHERTEXT)
		out->p[from + (len - SIM_MEDIA_MAC_LEN) / 2] ^= 1;
	if (flaw == SIM_FLAW_TRUNCATED)
		out->len = from + len / 2;
}

int sim_media_seal(const uint8_t key[SIM_MEDIA_KEY_LEN], enum sim_media_kind kind,
                   enum sim_media_flaw flaw, const void *data, size_t len, struct buf *out)
{
	struct buf text = { 0 }; /* IV and ciphertext */
	size_t from = out->len;
	struct keys k;
	int rc = expand(key, kind, &k);

	if (rc == 0)
		rc = buf_append(&text, k.iv, IV_LEN);
	if (rc == 0 && flaw == SIM_FLAW_PADDING)
		rc = seal_without_padding(&k, data, len, &text);
	else if (rc == 0)
		rc = sim_cbc_seal(k.cipher, k.iv, true, data, len, &text);
	if (rc == 0)
		rc = buf_append(out, text.p + IV_LEN, text.len - IV_LEN);
	if (rc == 0)
		rc = add_mac(&k, &text, out);
	if (rc == 0)
		spoil(out, from, flaw);
	else
		out->len = from;
	secret_wipe(&k, sizeof(k));
	buf_free(&text);
	return rc;
}

int sim_media_unseal(const uint8_t key[SIM_MEDIA_KEY_LEN], enum sim_media_kind kind,
                     const void *stored, size_t len, struct buf *out)
{
	struct buf text = { 0 }, mac = { 0 };
	const uint8_t *p = stored;
	struct keys k;
	size_t text_len;
	int rc;

	if (len < BLOCK_LEN + SIM_MEDIA_MAC_LEN)
		return WA_ETRUNC;
	text_len = len - SIM_MEDIA_MAC_LEN;
	rc = expand(key, kind, &k);
	if (rc == 0)
		rc = buf_append(&text, k.iv, IV_LEN);
	if (rc == 0)
		rc = buf_append(&text, p, text_len);
	if (rc == 0)
		rc = add_mac(&k, &text, &mac);
	if (rc == 0 && !secret_eq(mac.p, p + text_len, SIM_MEDIA_MAC_LEN))
		rc = WA_EAUTH;
	if (rc == 0)
		rc = sim_cbc_open(k.cipher, k.iv, p, text_len, out);
	secret_wipe(&k, sizeof(k));
	buf_free(&text);
	buf_free(&mac);
	return rc;
}
