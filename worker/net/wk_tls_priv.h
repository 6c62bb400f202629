/* worker/net/wk_tls_priv.h - shared by wk_tls.c and wk_tls_warm.c */
#ifndef WK_TLS_PRIV_H
#define WK_TLS_PRIV_H

#include <openssl/ssl.h>

struct wk_tls {
	SSL_CTX *ctx;
};

#endif
