/* simulator/wire/sim_cert.c - the server's Noise certificate chain */
#include "simulator/wire/sim_cert.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_handshake.pb-c.h"

#define DAY_S 86400
#define DETAILS_CAP 96
#define ROOT_SERIAL 0
#define INTERMEDIATE_SERIAL 1
#define LEAF_SERIAL 2

static const char *const flaw_names[] = {
#define X(id, name) [id] = (name),
	SIM_FLAW_LIST(X)
#undef X
};

int sim_flaw_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(flaw_names); i++) {
		if (strcmp(name, flaw_names[i]) == 0)
			return (int)i;
	}
	return -EINVAL;
}

/* One certificate on its way: what it says, serialized, signed. */
struct cert {
	Wa__NoiseCertificateDetails says;
	uint8_t details[DETAILS_CAP];
	size_t details_len;
	uint8_t signature[WA_SIG_LEN];
};

/* Serials are written also when they are 0: the real server writes them. */
static void cert_init(struct cert *c, uint32_t serial, uint32_t issuer_serial,
                      const uint8_t key[WA_KEY_LEN], int64_t not_before_s, int64_t not_after_s)
{
	const Wa__NoiseCertificateDetails empty = WA__NOISE_CERTIFICATE_DETAILS__INIT;

	c->says = empty;
	c->says.has_serial = 1;
	c->says.serial = serial;
	c->says.has_issuer_serial = 1;
	c->says.issuer_serial = issuer_serial;
	c->says.has_key = 1;
	c->says.key.data = (uint8_t *)key;
	c->says.key.len = WA_KEY_LEN;
	c->says.has_not_before = 1;
	c->says.not_before = (uint64_t)not_before_s;
	c->says.has_not_after = 1;
	c->says.not_after = (uint64_t)not_after_s;
}

static int cert_sign(struct cert *c, const struct wa_keypair *issuer, struct sim_rand *rnd)
{
	uint8_t random[64];
	int rc;

	if (wa__noise_certificate_details__get_packed_size(&c->says) > sizeof(c->details))
		return WA_ECRYPTO;
	c->details_len = wa__noise_certificate_details__pack(&c->says, c->details);
	rc = sim_rand_bytes(rnd, random, sizeof(random));
	if (rc < 0)
		return rc;
	return wa_xeddsa_sign(issuer->priv, c->details, c->details_len, random, c->signature);
}

static void cert_message(const struct cert *c, Wa__NoiseCertificate *m)
{
	wa__noise_certificate__init(m);
	m->has_details = 1;
	m->details.data = (uint8_t *)c->details;
	m->details.len = c->details_len;
	m->has_signature = 1;
	m->signature.data = (uint8_t *)c->signature;
	m->signature.len = sizeof(c->signature);
}

/* Flaws of what the certificates say: applied before signing, so that nothing else is wrong. */
static void apply_flaw(enum sim_flaw flaw, struct cert *intermediate, struct cert *leaf,
                       int64_t now)
{
	switch (flaw) {
	case SIM_FLAW_LEAF_ISSUER:
		leaf->says.issuer_serial = INTERMEDIATE_SERIAL + 7;
		break;
	case SIM_FLAW_INTERMEDIATE_ISSUER:
		intermediate->says.issuer_serial = ROOT_SERIAL + 7;
		break;
	case SIM_FLAW_LEAF_NOT_BEFORE:
		leaf->says.not_before = (uint64_t)(now + DAY_S);
		break;
	case SIM_FLAW_LEAF_NOT_AFTER:
		leaf->says.not_after = (uint64_t)(now - DAY_S / 24);
		break;
	case SIM_FLAW_INTERMEDIATE_NOT_BEFORE:
		intermediate->says.not_before = (uint64_t)(now + DAY_S);
		break;
	case SIM_FLAW_INTERMEDIATE_NOT_AFTER:
		intermediate->says.not_after = (uint64_t)(now - DAY_S / 24);
		break;
	case SIM_FLAW_NONE:
	case SIM_FLAW_LEAF_SIGNATURE:
	case SIM_FLAW_INTERMEDIATE_SIGNATURE:
	case SIM_FLAW_LEAF_KEY:
	case SIM_FLAW_OTHER_ROOT:
	case SIM_FLAW_NO_LEAF:
	case SIM_FLAW_NO_INTERMEDIATE:
		break;
	}
}

static int chain_pack(const struct cert *intermediate, const struct cert *leaf, enum sim_flaw flaw,
                      struct sim_chain *chain_out)
{
	Wa__CertChain chain = WA__CERT_CHAIN__INIT;
	Wa__NoiseCertificate m_intermediate, m_leaf;

	cert_message(intermediate, &m_intermediate);
	cert_message(leaf, &m_leaf);
	if (flaw != SIM_FLAW_NO_LEAF)
		chain.leaf = &m_leaf;
	if (flaw != SIM_FLAW_NO_INTERMEDIATE)
		chain.intermediate = &m_intermediate;
	if (wa__cert_chain__get_packed_size(&chain) > sizeof(chain_out->data))
		return WA_ECRYPTO;
	chain_out->len = wa__cert_chain__pack(&chain, chain_out->data);
	return 0;
}

int sim_chain_make(const struct wa_keypair *root, const uint8_t server_static[WA_KEY_LEN],
                   struct sim_rand *rnd, int64_t now_unix_s, enum sim_flaw flaw,
                   struct sim_chain *chain_out)
{
	struct wa_keypair intermediate_key, other;
	struct cert intermediate, leaf;
	const struct wa_keypair *issuer = root;
	const uint8_t *leaf_key = server_static;
	int rc;

	rc = sim_rand_keypair(rnd, &intermediate_key);
	if (rc < 0)
		return rc;
	rc = sim_rand_keypair(rnd, &other);
	if (rc < 0)
		goto out;
	if (flaw == SIM_FLAW_OTHER_ROOT)
		issuer = &other;
	if (flaw == SIM_FLAW_LEAF_KEY)
		leaf_key = other.pub;
	cert_init(&intermediate, INTERMEDIATE_SERIAL, ROOT_SERIAL, intermediate_key.pub,
	          now_unix_s - 365 * DAY_S, now_unix_s + 365 * DAY_S);
	cert_init(&leaf, LEAF_SERIAL, INTERMEDIATE_SERIAL, leaf_key, now_unix_s - 2 * DAY_S,
	          now_unix_s + 120 * DAY_S);
	apply_flaw(flaw, &intermediate, &leaf, now_unix_s);
	rc = cert_sign(&intermediate, issuer, rnd);
	if (rc == 0)
		rc = cert_sign(&leaf, &intermediate_key, rnd);
	if (rc < 0)
		goto out;
	if (flaw == SIM_FLAW_LEAF_SIGNATURE)
		leaf.signature[5] ^= 1;
	if (flaw == SIM_FLAW_INTERMEDIATE_SIGNATURE)
		intermediate.signature[5] ^= 1;
	rc = chain_pack(&intermediate, &leaf, flaw, chain_out);
out:
	wa_keypair_wipe(&intermediate_key);
	wa_keypair_wipe(&other);
	return rc;
}
