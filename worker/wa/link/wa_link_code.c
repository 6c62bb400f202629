/* worker/wa/link/wa_link_code.c - pairing codes: the key exchange under one, and its stanzas */
#include "worker/wa/link/wa_link_code.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/stanza/wa_stanza.h"

#define REG "link_code_companion_reg" /* tag and notification type */
#define PBKDF2_ROUNDS 131072
#define SALT_LEN 32
#define CTR_IV_LEN 16
#define RAW_CODE_LEN 5
#define RANDOM_LEN 32
#define ADV_LEN 32

/* ---- the code -----------------------------------------------------------------------------------
 */

void wa_link_code_text(const uint8_t raw[5], char out[WA_LINK_CODE_LEN + 1])
{
	static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";
	uint64_t bits = 0;

	for (unsigned i = 0; i < RAW_CODE_LEN; i++)
		bits = bits << 8 | raw[i];
	for (unsigned i = 0; i < WA_LINK_CODE_LEN; i++)
		out[i] = alphabet[bits >> (5 * (WA_LINK_CODE_LEN - 1 - i)) & 31];
	out[WA_LINK_CODE_LEN] = '\0';
	secret_wipe(&bits, sizeof(bits));
}

void wa_link_code_hyphen(const char code[WA_LINK_CODE_LEN + 1], char out[WA_LINK_CODE_SHOWN_CAP])
{
	const size_t half = WA_LINK_CODE_LEN / 2;

	memcpy(out, code, half);
	out[half] = '-';
	memcpy(out + half + 1, code + half, half);
	out[WA_LINK_CODE_SHOWN_CAP - 1] = '\0';
}

void wa_link_code_shown(const struct wa_link_code *lc, char *out)
{
	wa_link_code_hyphen(lc->code, out);
}

/* Both directions: salt || iv in front say the key stream. */
static int crypt_key(const char *code, const uint8_t salt[SALT_LEN], const uint8_t iv[CTR_IV_LEN],
                     const uint8_t in[WA_KEY_LEN], uint8_t out[WA_KEY_LEN])
{
	uint8_t key[32];
	int rc;

	rc = wa_pbkdf2_sha256(code, WA_LINK_CODE_LEN, salt, SALT_LEN, PBKDF2_ROUNDS, key,
	                      sizeof(key));
	if (rc == 0)
		rc = wa_aes_ctr(key, iv, in, WA_KEY_LEN, out);
	secret_wipe(key, sizeof(key));
	return rc;
}

int wa_link_code_wrap(const char *code, const uint8_t salt[32], const uint8_t iv[16],
                      const uint8_t pub[WA_KEY_LEN], uint8_t out[WA_LINK_CODE_WRAPPED_LEN])
{
	memcpy(out, salt, SALT_LEN);
	memcpy(out + SALT_LEN, iv, CTR_IV_LEN);
	return crypt_key(code, salt, iv, pub, out + SALT_LEN + CTR_IV_LEN);
}

int wa_link_code_unwrap(const char *code, const uint8_t wrapped[WA_LINK_CODE_WRAPPED_LEN],
                        uint8_t pub_out[WA_KEY_LEN])
{
	return crypt_key(code, wrapped, wrapped + SALT_LEN, wrapped + SALT_LEN + CTR_IV_LEN,
	                 pub_out);
}

int wa_link_code_new(struct wa_link_code *lc)
{
	uint8_t raw[RAW_CODE_LEN], salt_iv[SALT_LEN + CTR_IV_LEN];
	int rc;

	memset(lc, 0, sizeof(*lc));
	rc = secret_random(raw, sizeof(raw));
	if (rc == 0)
		rc = secret_random(salt_iv, sizeof(salt_iv));
	if (rc == 0)
		rc = wa_keypair_new(&lc->ephemeral);
	if (rc == 0) {
		wa_link_code_text(raw, lc->code);
		rc = wa_link_code_wrap(lc->code, salt_iv, salt_iv + SALT_LEN, lc->ephemeral.pub,
		                       lc->wrapped);
	}
	if (rc < 0)
		wa_link_code_wipe(lc);
	secret_wipe(raw, sizeof(raw));
	return rc;
}

void wa_link_code_wipe(struct wa_link_code *lc)
{
	secret_wipe(lc, sizeof(*lc));
}

/* ---- companion_hello and what comes back --------------------------------------------------------
 */

/* *reg_out: the child that holds everything. */
static struct wa_node *reg_iq(const char *id, const char *number, const char *stage,
                              struct wa_node **reg_out)
{
	struct wa_node *iq = wa_iq("set", "md", id);
	struct wa_node *reg = wa_node_add(iq, REG);
	char jid[WA_JID_TEXT_CAP];

	snprintf(jid, sizeof(jid), "%s@%s", number, WA_SERVER_JID);
	wa_node_set_jid(reg, "jid", jid);
	wa_node_set(reg, "stage", stage);
	*reg_out = reg;
	return iq;
}

struct wa_node *wa_link_code_hello(const struct wa_link_code *lc, const struct wa_device *d,
                                   const char *id, const char *number)
{
	struct wa_node *reg, *iq = reg_iq(id, number, "companion_hello", &reg);

	wa_node_set(reg, "should_show_push_notification", "true");
	wa_node_set_bytes(wa_node_add(reg, "link_code_pairing_wrapped_companion_ephemeral_pub"),
	                  lc->wrapped, sizeof(lc->wrapped));
	wa_node_set_bytes(wa_node_add(reg, "companion_server_auth_key_pub"), d->noise.pub,
	                  WA_KEY_LEN);
	wa_node_set_text(wa_node_add(reg, "companion_platform_id"), WA_CLIENT_TYPE);
	wa_node_set_text(wa_node_add(reg, "companion_platform_display"), WA_CLIENT_DISPLAY);
	wa_node_set_bytes(wa_node_add(reg, "link_code_pairing_nonce"), "\0", 1);
	return iq;
}

static int read_ref(const struct wa_node *reg, const uint8_t **ref_out, size_t *ref_len_out)
{
	return wa_child_bytes(reg, "link_code_pairing_ref", 1, WA_REF_MAX_LEN, ref_out,
	                      ref_len_out) < 0
	           ? WA_EPROTO
	           : 0;
}

int wa_link_code_take_ref(struct wa_link_code *lc, const struct wa_node *result)
{
	const uint8_t *ref;
	size_t ref_len;
	int rc;

	rc = read_ref(wa_node_child(result, REG), &ref, &ref_len);
	if (rc < 0)
		return rc;
	memcpy(lc->ref, ref, ref_len);
	lc->ref_len = ref_len;
	return 0;
}

static int read_primary_hello(const struct wa_node *reg, struct wa_link_notice *out)
{
	size_t len;
	int rc;

	rc =
	    wa_child_bytes(reg, "link_code_pairing_wrapped_primary_ephemeral_pub",
	                   WA_LINK_CODE_WRAPPED_LEN, WA_LINK_CODE_WRAPPED_LEN, &out->wrapped, &len);
	if (rc == -ENOENT)
		return 0; /* seen ahead of other steps; there is nothing to do about it */
	if (rc < 0 || wa_child_bytes(reg, "primary_identity_pub", WA_KEY_LEN, WA_KEY_LEN,
	                             &out->primary_identity, &len) < 0)
		return WA_EPROTO;
	out->stage = WA_LINK_PRIMARY_HELLO;
	return read_ref(reg, &out->ref, &out->ref_len);
}

int wa_link_code_notice(const struct wa_node *n, struct wa_link_notice *out)
{
	struct wa_link_notice notice = { .stage = WA_LINK_OTHER };
	const struct wa_node *reg;
	int rc = 0;

	if (!wa_is_notification(n, REG))
		return WA_ESTATE;
	reg = wa_node_child(n, REG);
	if (wa_node_attr_is(reg, "stage", "primary_hello")) {
		rc = read_primary_hello(reg, &notice);
	} else if (wa_node_attr_is(reg, "stage", "refresh_code")) {
		notice.stage = wa_node_attr_is(reg, "force_manual_refresh", "true")
		                   ? WA_LINK_REFRESH_MANUAL
		                   : WA_LINK_REFRESH;
		rc = read_ref(reg, &notice.ref, &notice.ref_len);
	}
	if (rc == 0)
		*out = notice;
	return rc;
}

/* ---- companion_finish ---------------------------------------------------------------------------
 */

static int bundle_key(const uint8_t shared_ephemeral[32], const uint8_t salt[SALT_LEN],
                      uint8_t key_out[32])
{
	static const char info[] = "link_code_pairing_key_bundle_encryption_key";

	return wa_hkdf(shared_ephemeral, 32, salt, SALT_LEN, info, strlen(info), key_out, 32);
}

int wa_link_code_seal_bundle(const uint8_t shared_ephemeral[32], const uint8_t salt[32],
                             const uint8_t iv[WA_IV_LEN],
                             const uint8_t plain[WA_LINK_CODE_BUNDLE_PLAIN_LEN],
                             uint8_t out[WA_LINK_CODE_BUNDLE_LEN])
{
	uint8_t key[32];
	int rc;

	memcpy(out, salt, SALT_LEN);
	memcpy(out + SALT_LEN, iv, WA_IV_LEN);
	rc = bundle_key(shared_ephemeral, salt, key);
	if (rc == 0)
		rc = wa_gcm_seal_iv(key, iv, NULL, 0, plain, WA_LINK_CODE_BUNDLE_PLAIN_LEN,
		                    out + SALT_LEN + WA_IV_LEN);
	secret_wipe(key, sizeof(key));
	return rc;
}

int wa_link_code_open_bundle(const uint8_t shared_ephemeral[32],
                             const uint8_t bundle[WA_LINK_CODE_BUNDLE_LEN],
                             uint8_t plain_out[WA_LINK_CODE_BUNDLE_PLAIN_LEN])
{
	const size_t head_len = SALT_LEN + WA_IV_LEN;
	uint8_t key[32];
	int rc;

	rc = bundle_key(shared_ephemeral, bundle, key);
	if (rc == 0)
		rc = wa_gcm_open_iv(key, bundle + SALT_LEN, NULL, 0, bundle + head_len,
		                    WA_LINK_CODE_BUNDLE_LEN - head_len, plain_out);
	secret_wipe(key, sizeof(key));
	return rc;
}

int wa_link_code_adv(const uint8_t shared_ephemeral[32], const uint8_t shared_identity[32],
                     const uint8_t random[32], uint8_t adv_out[32])
{
	static const char info[] = "adv_secret";
	uint8_t ikm[32 + 32 + RANDOM_LEN];
	int rc;

	memcpy(ikm, shared_ephemeral, 32);
	memcpy(ikm + 32, shared_identity, 32);
	memcpy(ikm + 64, random, RANDOM_LEN);
	rc = wa_hkdf(ikm, sizeof(ikm), NULL, 0, info, strlen(info), adv_out, ADV_LEN);
	secret_wipe(ikm, sizeof(ikm));
	return rc;
}

/* What a primary_hello leads to. */
struct outcome {
	uint8_t bundle[WA_LINK_CODE_BUNDLE_LEN];
	uint8_t adv[ADV_LEN];
};

static int compute(const struct wa_link_code *lc, const struct wa_device *d,
                   const struct wa_link_notice *hello, struct outcome *out)
{
	uint8_t primary_pub[WA_KEY_LEN], shared_ephemeral[32], shared_identity[32];
	uint8_t salt_iv[SALT_LEN + WA_IV_LEN], plain[WA_LINK_CODE_BUNDLE_PLAIN_LEN];
	uint8_t *random = plain + 2 * WA_KEY_LEN;
	int rc;

	memcpy(plain, d->identity.pub, WA_KEY_LEN);
	memcpy(plain + WA_KEY_LEN, hello->primary_identity, WA_KEY_LEN);
	rc = wa_dh(d->identity.priv, hello->primary_identity, shared_identity);
	if (rc == 0) /* the costly part, after what can be refused without it */
		rc = wa_link_code_unwrap(lc->code, hello->wrapped, primary_pub);
	if (rc == 0)
		rc = wa_dh(lc->ephemeral.priv, primary_pub, shared_ephemeral);
	if (rc == 0)
		rc = secret_random(random, RANDOM_LEN);
	if (rc == 0)
		rc = secret_random(salt_iv, sizeof(salt_iv));
	if (rc == 0)
		rc = wa_link_code_seal_bundle(shared_ephemeral, salt_iv, salt_iv + SALT_LEN, plain,
		                              out->bundle);
	if (rc == 0)
		rc = wa_link_code_adv(shared_ephemeral, shared_identity, random, out->adv);
	secret_wipe(shared_ephemeral, sizeof(shared_ephemeral));
	secret_wipe(shared_identity, sizeof(shared_identity));
	secret_wipe(plain, sizeof(plain));
	return rc;
}

static struct wa_node *finish_iq(const struct wa_link_code *lc, const struct wa_device *d,
                                 const char *id, const char *number, const struct outcome *o)
{
	struct wa_node *reg, *iq = reg_iq(id, number, "companion_finish", &reg);

	wa_node_set_bytes(wa_node_add(reg, "link_code_pairing_wrapped_key_bundle"), o->bundle,
	                  sizeof(o->bundle));
	wa_node_set_bytes(wa_node_add(reg, "companion_identity_public"), d->identity.pub,
	                  WA_KEY_LEN);
	wa_node_set_bytes(wa_node_add(reg, "link_code_pairing_ref"), lc->ref, lc->ref_len);
	return iq;
}

int wa_link_code_finish(struct wa_link_code *lc, struct wa_device *d,
                        const struct wa_link_notice *hello, const char *id, const char *number,
                        struct wa_node **out)
{
	struct outcome o;
	struct wa_node *iq;
	int rc;

	if (hello->stage != WA_LINK_PRIMARY_HELLO || lc->ref_len == 0 ||
	    hello->ref_len != lc->ref_len || memcmp(hello->ref, lc->ref, lc->ref_len) != 0)
		return WA_ESTATE;
	if (lc->hellos >= WA_LINK_CODE_HELLOS_MAX)
		return WA_ELIMIT;
	lc->hellos++;
	rc = compute(lc, d, hello, &o);
	if (rc == 0) {
		iq = finish_iq(lc, d, id, number, &o);
		if (iq == NULL) {
			rc = -ENOMEM;
		} else {
			memcpy(d->adv_secret, o.adv, sizeof(d->adv_secret));
			*out = iq;
		}
	}
	secret_wipe(&o, sizeof(o));
	return rc;
}
