/* tests/unit/tls_peer.h - a TLS server of its own authority, for tests of the client side */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include <openssl/ssl.h>

struct tls_peer {
	SSL_CTX *ctx;
	char ca_file[64]; /* PEM, in /tmp */
};

/* A self-signed certificate for alt_name ("DNS:a,IP:b"), valid until not_after_s from now. */
void tls_peer_init(struct tls_peer *p, const char *alt_name, long not_after_s);
void tls_peer_clear(struct tls_peer *p);

#endif
