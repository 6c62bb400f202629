/* worker/wa/crypto/wa_xeddsa.c - XEdDSA signatures from libsignal-protocol-c, with stricter checks */
#include "worker/wa/crypto/wa_keys.h"

#include <errno.h>
#include <signal/curve.h>
#include <signal/signal_protocol.h>
#include <stdbool.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"

#define KEY_TYPE_DJB 0x05

/* The group order L = 2^252 + 27742317777372353535851937790883648493, little-endian. */
static const uint8_t group_order[32] = {
	0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,        0xd6,
	0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10,
};

/*
 * S, the second half without its sign bit, must be below the group order: else the same signature
 * could be written in several ways. It implies that bits 5 and 6 of the last byte are 0.
 */
static bool scalar_is_canonical(const uint8_t s[32])
{
	for (int i = 31; i >= 0; i--) {
		uint8_t b = i == 31 ? s[i] & 0x7f : s[i];

		if (b != group_order[i])
			return b < group_order[i];
	}
	return false;
}

/* u = p - 1 = 2^255 - 20 has no point on the Edwards curve. The top bit does not count. */
static bool has_edwards_form(const uint8_t pub[WA_KEY_LEN])
{
	if (pub[0] != 0xec || (pub[31] & 0x7f) != 0x7f)
		return true;
	for (int i = 1; i < 31; i++) {
		if (pub[i] != 0xff)
			return true;
	}
	return false;
}

int wa_xeddsa_verify(const uint8_t pub[WA_KEY_LEN], const void *msg, size_t msg_len,
                     const uint8_t sig[WA_SIG_LEN])
{
	uint8_t typed[1 + WA_KEY_LEN] = { KEY_TYPE_DJB };
	ec_public_key *key = NULL;
	int rc = WA_EAUTH;

	if (!scalar_is_canonical(sig + 32) || !has_edwards_form(pub))
		return WA_EAUTH;
	memcpy(typed + 1, pub, WA_KEY_LEN);
	/* The context would serve to log a wrong type or length. */
	if (curve_decode_point(&key, typed, sizeof(typed), NULL) != 0)
		return WA_EAUTH;
	if (curve_verify_signature(key, msg_len == 0 ? (const void *)"" : msg, msg_len, sig,
	                           WA_SIG_LEN) == 1)
		rc = 0;
	SIGNAL_UNREF(key);
	return rc;
}

/* ---- signing ------------------------------------------------------------------------------------
 *
 * libsignal draws the random bytes of a signature from its crypto provider, so each signature gets
 * a context of its own whose provider hands out the caller's bytes.
 */

static int on_random(uint8_t *data, size_t data_len, void *arg)
{
	const uint8_t *rnd = arg;

	if (rnd == NULL)
		return secret_random(data, data_len) == 0 ? 0 : SG_ERR_UNKNOWN;
	if (data_len != WA_SIG_LEN)
		return SG_ERR_INVAL;
	memcpy(data, rnd, data_len);
	return 0;
}

/* A provider must have HMAC callbacks. A signature needs none: they refuse. */
static int on_hmac_init(void **ctx, const uint8_t *key, size_t key_len, void *arg)
{
	(void)ctx, (void)key, (void)key_len, (void)arg;
	return SG_ERR_INVAL;
}

static int on_hmac_update(void *ctx, const uint8_t *data, size_t data_len, void *arg)
{
	(void)ctx, (void)data, (void)data_len, (void)arg;
	return SG_ERR_INVAL;
}

static int on_hmac_final(void *ctx, signal_buffer **out, void *arg)
{
	(void)ctx, (void)out, (void)arg;
	return SG_ERR_INVAL;
}

static void on_hmac_cleanup(void *ctx, void *arg)
{
	(void)ctx, (void)arg;
}

static int signal_rc(int signal_err)
{
	if (signal_err == SG_ERR_NOMEM)
		return -ENOMEM;
	return signal_err < 0 ? WA_ECRYPTO : 0;
}

int wa_xeddsa_sign(const uint8_t priv[WA_KEY_LEN], const void *msg, size_t msg_len,
                   const uint8_t *rnd, uint8_t sig_out[WA_SIG_LEN])
{
	const signal_crypto_provider provider = {
		.random_func = on_random,
		.hmac_sha256_init_func = on_hmac_init,
		.hmac_sha256_update_func = on_hmac_update,
		.hmac_sha256_final_func = on_hmac_final,
		.hmac_sha256_cleanup_func = on_hmac_cleanup,
		.user_data = (void *)rnd, /* only read */
	};
	signal_context *ctx = NULL;
	ec_private_key *key = NULL;
	signal_buffer *sig = NULL;
	int rc;

	rc = signal_rc(signal_context_create(&ctx, NULL));
	if (rc < 0)
		return rc;
	rc = signal_rc(signal_context_set_crypto_provider(ctx, &provider));
	if (rc == 0)
		rc = signal_rc(curve_decode_private_point(&key, priv, WA_KEY_LEN, ctx));
	if (rc == 0)
		rc = signal_rc(curve_calculate_signature(
		    ctx, &sig, key, msg_len == 0 ? (const void *)"" : msg, msg_len));
	if (rc == 0 && signal_buffer_len(sig) != WA_SIG_LEN)
		rc = WA_ECRYPTO;
	if (rc == 0)
		memcpy(sig_out, signal_buffer_data(sig), WA_SIG_LEN);
	if (sig != NULL)
		signal_buffer_free(sig);
	if (key != NULL)
		SIGNAL_UNREF(key);
	signal_context_destroy(ctx);
	return rc;
}
