/* cli/ctl_tls.c - TLS for ctl_http: the system's certificates, the host's name checked */
#include "cli/ctl_tls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct ctl_tls {
	SSL_CTX *ctx;
	SSL *ssl; /* owned by the bufferevent */
};

static bool is_address(const char *host)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
}

static bool expect_host(SSL *ssl, const char *host)
{
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct bufferevent *ctl_tls_bufferevent(struct event_base *base, int fd, const char *host,
                                        struct ctl_tls **tls_out)
{
	struct ctl_tls *tls = calloc(1, sizeof(*tls));
	struct bufferevent *bev = NULL;
	SSL *ssl = NULL;

	if (tls == NULL)
		return NULL;
	tls->ctx = SSL_CTX_new(TLS_client_method());
	if (tls->ctx == NULL || SSL_CTX_set_default_verify_paths(tls->ctx) != 1)
		goto fail;
	SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
	ssl = SSL_new(tls->ctx);
	if (ssl == NULL || !expect_host(ssl, host))
		goto fail;
	bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_CONNECTING,
	                                     BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (bev == NULL) {
		ssl = NULL; /* freed by the failed call */
		goto fail;
	}
	/* An answer says itself where it ends; servers that close without notice are common. */
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	tls->ssl = ssl;
	*tls_out = tls;
	return bev;
fail:
	SSL_free(ssl);
	ctl_tls_free(tls);
	return NULL;
}

void ctl_tls_free(struct ctl_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}

bool ctl_tls_why(const struct ctl_tls *tls, struct bufferevent *bev, char *why, size_t why_cap)
{
	long verify = SSL_get_verify_result(tls->ssl);
	unsigned long err = bufferevent_get_openssl_error(bev);

	if (verify != X509_V_OK) {
		snprintf(why, why_cap, "the server's certificate is not accepted: %s",
		         X509_verify_cert_error_string(verify));
		return true;
	}
	if (err != 0) {
		const char *reason = ERR_reason_error_string(err);

		snprintf(why, why_cap, "TLS failed: %s", reason != NULL ? reason : "unknown error");
		return true;
	}
	return false;
}
