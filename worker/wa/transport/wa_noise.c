/* worker/wa/transport/wa_noise.c - Noise symmetric state, and the two ciphers of the transport phase */
#include "worker/wa/transport/wa_noise.h"

#include <string.h>

#include "common/err.h"
#include "common/secret.h"

/* ---- symmetric state ----------------------------------------------------------------------------
 */

int wa_noise_state_init(struct wa_noise_state *s, const char *name)
{
	size_t name_len = strlen(name);
	int rc = 0;

	memset(s, 0, sizeof(*s));
	if (name_len > sizeof(s->h))
		rc = wa_sha256(name, name_len, s->h);
	else
		memcpy(s->h, name, name_len);
	memcpy(s->ck, s->h, sizeof(s->ck));
	memcpy(s->k, s->h, sizeof(s->k)); /* as the peer has it; replaced before its first use */
	return rc;
}

int wa_noise_mix_hash(struct wa_noise_state *s, const void *d, size_t d_len)
{
	return wa_sha256_pair(s->h, sizeof(s->h), d, d_len, s->h);
}

int wa_noise_mix_key(struct wa_noise_state *s, const uint8_t ikm[32])
{
	uint8_t okm[64];
	int rc;

	rc = wa_hkdf(ikm, 32, s->ck, sizeof(s->ck), NULL, 0, okm, sizeof(okm));
	if (rc == 0) {
		memcpy(s->ck, okm, 32);
		memcpy(s->k, okm + 32, 32);
		s->n = 0;
	}
	secret_wipe(okm, sizeof(okm));
	return rc;
}

int wa_noise_encrypt(struct wa_noise_state *s, const void *in, size_t in_len, uint8_t *out)
{
	int rc;

	rc = wa_gcm_seal(s->k, s->n, s->h, sizeof(s->h), in, in_len, out);
	if (rc < 0)
		return rc;
	s->n++;
	return wa_noise_mix_hash(s, out, in_len + WA_TAG_LEN);
}

int wa_noise_decrypt(struct wa_noise_state *s, const void *in, size_t in_len, uint8_t *out)
{
	uint8_t h[32];
	int rc;

	/* First, because out may be in: the next h is over the ciphertext. */
	rc = wa_sha256_pair(s->h, sizeof(s->h), in, in_len, h);
	if (rc < 0)
		return rc;
	rc = wa_gcm_open(s->k, s->n, s->h, sizeof(s->h), in, in_len, out);
	if (rc < 0)
		return rc;
	s->n++;
	memcpy(s->h, h, sizeof(h));
	return 0;
}

/* ---- transport ----------------------------------------------------------------------------------
 */

int wa_noise_split(const struct wa_noise_state *s, struct wa_transport *client_out)
{
	uint8_t okm[64];
	int rc;

	rc = wa_hkdf(NULL, 0, s->ck, sizeof(s->ck), NULL, 0, okm, sizeof(okm));
	if (rc == 0) {
		memcpy(client_out->send.key, okm, 32);
		memcpy(client_out->recv.key, okm + 32, 32);
		client_out->send.counter = 0;
		client_out->recv.counter = 0;
	}
	secret_wipe(okm, sizeof(okm));
	return rc;
}

/*
 * The last counter value is never used: after it the next one would be 0 again, and a counter used
 * twice gives the key stream away.
 */
static int counter_left(const struct wa_cipher *c)
{
	return c->counter == UINT32_MAX ? WA_ELIMIT : 0;
}

int wa_cipher_seal(struct wa_cipher *c, const void *in, size_t in_len, struct buf *out)
{
	int rc;

	rc = counter_left(c);
	if (rc == 0 && in_len > SIZE_MAX - WA_TAG_LEN)
		rc = WA_ELIMIT;
	if (rc == 0)
		rc = buf_reserve(out, in_len + WA_TAG_LEN);
	if (rc == 0)
		rc = wa_gcm_seal(c->key, c->counter, NULL, 0, in, in_len, out->p + out->len);
	if (rc < 0)
		return rc;
	out->len += in_len + WA_TAG_LEN;
	c->counter++;
	return 0;
}

int wa_cipher_open(struct wa_cipher *c, const void *in, size_t in_len, struct buf *out)
{
	int rc;

	if (in_len <= WA_TAG_LEN)
		return WA_ETRUNC;
	rc = counter_left(c);
	if (rc == 0)
		rc = buf_reserve(out, in_len - WA_TAG_LEN);
	if (rc == 0)
		rc = wa_gcm_open(c->key, c->counter, NULL, 0, in, in_len, out->p + out->len);
	if (rc < 0)
		return rc;
	out->len += in_len - WA_TAG_LEN;
	c->counter++;
	return 0;
}
