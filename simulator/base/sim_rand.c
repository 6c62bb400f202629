/* simulator/base/sim_rand.c - randomness that can be repeated */
#include "simulator/base/sim_rand.h"

#include <string.h>

#include "common/err.h"
#include "common/secret.h"

static void put_be64(uint8_t out[8], uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

int sim_rand_init(struct sim_rand *r, const uint64_t *seed)
{
	uint8_t text[8];

	memset(r, 0, sizeof(*r));
	if (seed == NULL)
		return secret_random(r->key, sizeof(r->key));
	put_be64(text, *seed);
	return wa_sha256(text, sizeof(text), r->key);
}

int sim_rand_fork(const struct sim_rand *parent, const char *label, uint64_t index,
                  struct sim_rand *child_out)
{
	struct sim_rand child = { .counter = 0 };
	uint8_t input[64] = { 0 };
	size_t label_len = strnlen(label, sizeof(input) - 9);
	int rc;

	/* A block of the stream itself is made from 8 bytes, so the two inputs never coincide. */
	memcpy(input, label, label_len);
	put_be64(input + label_len + 1, index);
	rc = wa_hmac_sha256(parent->key, sizeof(parent->key), input, label_len + 9, child.key);
	if (rc == 0)
		*child_out = child;
	return rc;
}

int sim_rand_bytes(struct sim_rand *r, void *out, size_t n)
{
	uint8_t *p = out;
	uint8_t number[8], block[32];
	size_t part;
	int rc;

	while (n > 0) {
		put_be64(number, r->counter++);
		rc = wa_hmac_sha256(r->key, sizeof(r->key), number, sizeof(number), block);
		if (rc < 0)
			return rc;
		part = n < sizeof(block) ? n : sizeof(block);
		memcpy(p, block, part);
		p += part;
		n -= part;
	}
	return 0;
}

int sim_rand_digits(struct sim_rand *r, char *out, size_t n)
{
	uint8_t byte;
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = sim_rand_bytes(r, &byte, 1);
		if (rc < 0)
			return rc;
		out[i] = (char)(i == 0 ? '1' + byte % 9 : '0' + byte % 10);
	}
	out[n] = '\0';
	return 0;
}

int sim_rand_keypair(struct sim_rand *r, struct wa_keypair *kp_out)
{
	uint8_t priv[WA_KEY_LEN];
	int rc = sim_rand_bytes(r, priv, sizeof(priv));

	if (rc == 0)
		rc = wa_keypair_from_priv(priv, kp_out);
	secret_wipe(priv, sizeof(priv));
	return rc;
}
