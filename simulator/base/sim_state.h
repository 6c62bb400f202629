/*
 * simulator/base/sim_state.h - the state directory: what stays the same from one start to the next
 *
 * root.key   private key that signs the Noise certificate chain (hex)
 * ca.key, ca.pem   the TLS authority (sim_tls.h)
 */
#ifndef SIM_STATE_H
#define SIM_STATE_H

#include <stdbool.h>

#include "common/attr.h"
#include "simulator/base/sim_rand.h"
#include "worker/wa/crypto/wa_keys.h"

struct sim_state;

/*
 * dir NULL: a fresh directory under the system's temporary one, removed again by sim_state_free();
 * else dir is made when it is missing. 0 or -errno.
 */
ATTR_NODISCARD int sim_state_open(const char *dir, struct sim_state **state_out);
void sim_state_free(struct sim_state *s); /* NULL is fine */
const char *sim_state_dir(const struct sim_state *s);

/* The root key of this directory; a new one is drawn from rnd and kept. 0, -errno, WA_ECRYPTO,
 * -EINVAL (damaged). */
ATTR_NODISCARD int sim_state_root_key(const struct sim_state *s, const struct sim_rand *rnd,
                                      struct wa_keypair *root_out);

#endif
