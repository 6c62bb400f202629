/* worker/wa/message/wa_msg_secret.c - what is sealed under a message's secret, and hashes sends carry */
#include "worker/wa/message/wa_msg_secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/wa/node/wa_jid.h"

static int derive(const struct wa_msg_secret *s, uint8_t key_out[32])
{
	struct buf info = { 0 };
	int rc;

	rc = buf_append_str(&info, s->id);
	if (rc == 0)
		rc = buf_append_str(&info, s->author);
	if (rc == 0)
		rc = buf_append_str(&info, s->modifier);
	if (rc == 0)
		rc = buf_append_str(&info, s->use_case);
	if (rc == 0)
		rc = wa_hkdf(s->secret, WA_MSG_SECRET_LEN, NULL, 0, info.p, info.len, key_out, 32);
	buf_free(&info);
	return rc;
}

/* Votes and answers bind target and sender; the other uses bind nothing. */
static int append_aad(const struct wa_msg_secret *s, struct buf *out)
{
	int rc;

	if (strcmp(s->use_case, "Poll Vote") != 0 && strcmp(s->use_case, "Event Response") != 0)
		return 0;
	rc = buf_append_str(out, s->id);
	if (rc == 0)
		rc = buf_append_u8(out, 0);
	return rc == 0 ? buf_append_str(out, s->modifier) : rc;
}

int wa_msg_secret_open(const struct wa_msg_secret *s, const uint8_t *iv, size_t iv_len,
                       const uint8_t *sealed, size_t sealed_len, struct buf *out)
{
	struct buf aad = { 0 };
	uint8_t key[32];
	int rc;

	if (iv_len != WA_IV_LEN)
		return WA_EPROTO;
	if (sealed_len < WA_TAG_LEN)
		return WA_ETRUNC;
	rc = derive(s, key);
	if (rc == 0)
		rc = append_aad(s, &aad);
	if (rc == 0)
		rc = buf_reserve(out, sealed_len);
	if (rc == 0)
		rc = wa_gcm_open_iv(key, iv, aad.p, aad.len, sealed, sealed_len, out->p + out->len);
	if (rc == 0)
		out->len += sealed_len - WA_TAG_LEN;
	secret_wipe(key, sizeof(key));
	buf_free(&aad);
	return rc;
}

int wa_msg_secret_seal(const struct wa_msg_secret *s, const uint8_t iv[WA_IV_LEN],
                       const void *plain, size_t plain_len, struct buf *out)
{
	struct buf aad = { 0 };
	uint8_t key[32];
	int rc;

	rc = derive(s, key);
	if (rc == 0)
		rc = append_aad(s, &aad);
	if (rc == 0)
		rc = buf_reserve(out, plain_len + WA_TAG_LEN);
	if (rc == 0)
		rc = wa_gcm_seal_iv(key, iv, aad.p, aad.len, plain, plain_len, out->p + out->len);
	if (rc == 0)
		out->len += plain_len + WA_TAG_LEN;
	secret_wipe(key, sizeof(key));
	buf_free(&aad);
	return rc;
}

int wa_msg_secret_token(const struct wa_msg_secret *s, const void *data, size_t data_len,
                        uint8_t out[32])
{
	uint8_t key[32];
	int rc = derive(s, key);

	if (rc == 0)
		rc = wa_hmac_sha256(key, sizeof(key), data, data_len, out);
	secret_wipe(key, sizeof(key));
	return rc;
}

/* ---- hashes -------------------------------------------------------------------------------------
 */

#define AD_CAP (WA_JID_TEXT_CAP + 16)

static int by_bytes(const void *a, const void *b)
{
	return strcmp(a, b);
}

int wa_phash(const char *const *devices, size_t devices_n, char out[WA_PHASH_CAP])
{
	char(*texts)[AD_CAP] = calloc(devices_n == 0 ? 1 : devices_n, sizeof(*texts));
	uint8_t hash[32];
	struct buf all = { 0 };
	struct wa_jid jid;
	int rc = texts == NULL ? -ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < devices_n; i++) {
		rc = wa_jid_parse(devices[i], strlen(devices[i]), &jid);
		if (rc == 0 && jid.user[0] == '\0')
			rc = WA_EPROTO;
		if (rc == 0)
			snprintf(texts[i], sizeof(texts[i]), "%s.0:%u@%s", jid.user, jid.device,
			         strcmp(jid.server, "c.us") == 0 ? "s.whatsapp.net" : jid.server);
	}
	if (rc == 0)
		qsort(texts, devices_n, sizeof(*texts), by_bytes);
	for (size_t i = 0; rc == 0 && i < devices_n; i++)
		rc = buf_append_str(&all, texts[i]);
	if (rc == 0)
		rc = wa_sha256(all.p, all.len, hash);
	if (rc == 0) {
		memcpy(out, "2:", 2);
		b64_encode(hash, 6, out + 2);
	}
	free(texts);
	buf_free(&all);
	return rc;
}

int wa_cstoken(const uint8_t *nct_salt, size_t nct_salt_len, const char *recipient_lid,
               uint8_t out[32])
{
	return wa_hmac_sha256(nct_salt, nct_salt_len, recipient_lid, strlen(recipient_lid), out);
}
