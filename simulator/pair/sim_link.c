/* simulator/pair/sim_link.c - the phone's side of a pairing code */
#include "simulator/pair/sim_link.h"

#include <string.h>

#include "common/err.h"
#include "common/secret.h"

#define ROUNDS 131072
#define BUNDLE_INFO "link_code_pairing_key_bundle_encryption_key"
#define SECRET_INFO "adv_secret"
#define PLAIN_LEN 96 /* companion identity, own identity, random */

static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";

bool sim_link_code_parse(const char *text, char code_out[SIM_LINK_CODE_CAP])
{
	size_t n = 0;

	for (size_t i = 0; text[i] != '\0'; i++) {
		char c = text[i];

		if (i == SIM_LINK_CODE_LEN / 2 && c == '-')
			continue;
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (n == SIM_LINK_CODE_LEN || strchr(alphabet, c) == NULL)
			return false;
		code_out[n++] = c;
	}
	code_out[n] = '\0';
	return n == SIM_LINK_CODE_LEN;
}

void sim_link_code_show(const uint8_t raw[5], char out[SIM_LINK_SHOWN_CAP])
{
	uint64_t bits = 0;
	char *p = out;

	for (size_t i = 0; i < 5; i++)
		bits = bits << 8 | raw[i];
	for (unsigned i = 0; i < SIM_LINK_CODE_LEN; i++) {
		if (i == SIM_LINK_CODE_LEN / 2)
			*p++ = '-';
		*p++ = alphabet[bits >> (35 - 5 * i) & 31];
	}
	*p = '\0';
}

static int code_key(const char *code, const uint8_t *salt, uint8_t key_out[32])
{
	return wa_pbkdf2_sha256(code, SIM_LINK_CODE_LEN, salt, SIM_LINK_SALT_LEN, ROUNDS, key_out,
	                        32);
}

int sim_link_wrap(const char *code, const uint8_t salt[SIM_LINK_SALT_LEN],
                  const uint8_t iv[SIM_LINK_IV_LEN], const uint8_t pub[WA_KEY_LEN],
                  uint8_t out[SIM_LINK_WRAPPED_LEN])
{
	uint8_t key[32];
	int rc = code_key(code, salt, key);

	memcpy(out, salt, SIM_LINK_SALT_LEN);
	memcpy(out + SIM_LINK_SALT_LEN, iv, SIM_LINK_IV_LEN);
	if (rc == 0)
		rc =
		    wa_aes_ctr(key, iv, pub, WA_KEY_LEN, out + SIM_LINK_SALT_LEN + SIM_LINK_IV_LEN);
	secret_wipe(key, sizeof(key));
	return rc;
}

int sim_link_unwrap(const char *code, const uint8_t wrapped[SIM_LINK_WRAPPED_LEN],
                    uint8_t pub_out[WA_KEY_LEN])
{
	const uint8_t *iv = wrapped + SIM_LINK_SALT_LEN;
	uint8_t key[32];
	int rc = code_key(code, wrapped, key);

	if (rc == 0)
		rc = wa_aes_ctr(key, iv, iv + SIM_LINK_IV_LEN, WA_KEY_LEN, pub_out);
	secret_wipe(key, sizeof(key));
	return rc;
}

/* The bundle under the secret that the ephemeral keys share. */
static int open_bundle(const uint8_t shared[32], const uint8_t *bundle, uint8_t plain[PLAIN_LEN])
{
	const uint8_t *iv = bundle + SIM_LINK_SALT_LEN;
	const uint8_t *sealed = iv + WA_IV_LEN;
	uint8_t key[32];
	int rc = wa_hkdf(shared, 32, bundle, SIM_LINK_SALT_LEN, BUNDLE_INFO, strlen(BUNDLE_INFO),
	                 key, sizeof(key));

	if (rc == 0)
		rc = wa_gcm_open_iv(key, iv, NULL, 0, sealed, PLAIN_LEN + WA_TAG_LEN, plain);
	secret_wipe(key, sizeof(key));
	return rc;
}

int sim_link_open(const struct sim_link_keys *k, const uint8_t bundle[SIM_LINK_BUNDLE_LEN],
                  uint8_t secret_out[32])
{
	uint8_t plain[PLAIN_LEN], ikm[96];
	int rc = wa_dh(k->ephemeral->priv, k->companion_ephemeral, ikm);

	if (rc == 0)
		rc = open_bundle(ikm, bundle, plain);
	if (rc == 0 && (memcmp(plain, k->companion_identity, WA_KEY_LEN) != 0 ||
	                memcmp(plain + WA_KEY_LEN, k->identity->pub, WA_KEY_LEN) != 0))
		rc = WA_EPROTO;
	if (rc == 0 && wa_dh(k->identity->priv, k->companion_identity, ikm + 32) < 0)
		rc = WA_EPROTO;
	if (rc == 0) {
		memcpy(ikm + 64, plain + 64, 32);
		rc = wa_hkdf(ikm, sizeof(ikm), NULL, 0, SECRET_INFO, strlen(SECRET_INFO),
		             secret_out, 32);
	}
	secret_wipe(plain, sizeof(plain));
	secret_wipe(ikm, sizeof(ikm));
	return rc;
}
