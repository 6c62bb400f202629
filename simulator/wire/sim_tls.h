/*
 * simulator/wire/sim_tls.h - a certificate authority and server certificates for --tls
 *
 * ECDSA P-256. The authority is kept in the state directory (ca.key, ca.pem); the server's
 * certificate for localhost, 127.0.0.1 and ::1 is made at every start, the wrong ones when a fault
 * first asks for them.
 */
#ifndef SIM_TLS_H
#define SIM_TLS_H

#include <openssl/ssl.h>

#include "common/attr.h"

enum sim_tls_cert {
	SIM_TLS_GOOD,
	SIM_TLS_UNTRUSTED,  /* right in itself, from an authority that nobody knows */
	SIM_TLS_WRONG_HOST, /* from the right authority, for another host */
	SIM_TLS_EXPIRED,
	SIM_TLS_CERTS,
};

struct sim_tls;

/* dir: the state directory. 0, -errno (files), WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int sim_tls_new(const char *dir, struct sim_tls **tls_out);
void sim_tls_free(struct sim_tls *t); /* NULL is fine */
/* Borrowed; NULL when it could not be made. */
SSL_CTX *sim_tls_ctx(struct sim_tls *t, enum sim_tls_cert cert);

#endif
