/*
 * simulator/wire/sim_cert.h - the server's Noise certificate chain, right or wrong in one chosen thing
 *
 * root -> intermediate (serial 1, issuer serial 0) -> leaf (serial 2), signed with XEdDSA.
 * Source: protocol notes 01 section 7.
 */
#ifndef SIM_CERT_H
#define SIM_CERT_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/base/sim_rand.h"
#include "worker/wa/crypto/wa_keys.h"

#define SIM_CHAIN_CAP 320

/* The single thing that is wrong with a chain; the words are `child` of the fault bad_cert. */
#define SIM_FLAW_LIST(X) \
	X(SIM_FLAW_NONE, "none") \
	X(SIM_FLAW_LEAF_SIGNATURE, "leaf_signature") \
	X(SIM_FLAW_INTERMEDIATE_SIGNATURE, "intermediate_signature") \
	X(SIM_FLAW_LEAF_ISSUER, "leaf_issuer") \
	X(SIM_FLAW_INTERMEDIATE_ISSUER, "intermediate_issuer") \
	X(SIM_FLAW_LEAF_KEY, "leaf_key") \
	X(SIM_FLAW_LEAF_NOT_BEFORE, "leaf_not_before") \
	X(SIM_FLAW_LEAF_NOT_AFTER, "leaf_not_after") \
	X(SIM_FLAW_INTERMEDIATE_NOT_BEFORE, "intermediate_not_before") \
	X(SIM_FLAW_INTERMEDIATE_NOT_AFTER, "intermediate_not_after") \
	X(SIM_FLAW_OTHER_ROOT, "other_root") \
	X(SIM_FLAW_NO_LEAF, "no_leaf") \
	X(SIM_FLAW_NO_INTERMEDIATE, "no_intermediate")

enum sim_flaw {
#define X(id, name) id,
	SIM_FLAW_LIST(X)
#undef X
};

/* The flaw of that name, or -EINVAL. */
int sim_flaw_parse(const char *name);

struct sim_chain {
	uint8_t data[SIM_CHAIN_CAP]; /* a serialized CertChain */
	size_t len;
};

/*
 * Issue a chain for server_static. rnd gives the intermediate key and the signatures' random bytes.
 * 0, WA_ECRYPTO, -ENOMEM.
 */
ATTR_NODISCARD int sim_chain_make(const struct wa_keypair *root,
                                  const uint8_t server_static[WA_KEY_LEN], struct sim_rand *rnd,
                                  int64_t now_unix_s, enum sim_flaw flaw,
                                  struct sim_chain *chain_out);

#endif
