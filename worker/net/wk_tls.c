/* worker/net/wk_tls.c - client side TLS on libevent */
#include "worker/net/wk_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "worker/net/wk_tls_priv.h"
#include "worker/session/wk_failure.h"

static const unsigned char alpn_http11[] = "\x08http/1.1";

/* The system's trust: certificates are read from the directory when a chain asks for them. */
static int trust_system(SSL_CTX *ctx)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());

	if (lookup == NULL ||
	    X509_LOOKUP_add_dir(lookup, X509_get_default_cert_dir(), X509_FILETYPE_PEM) != 1)
		return WA_ECRYPTO;
	return 0;
}

static int setup(SSL_CTX *ctx)
{
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_alpn_protos(ctx, alpn_http11, sizeof(alpn_http11) - 1) != 0)
		return WA_ECRYPTO;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* Servers drop TCP without close_notify; what they say is framed, so nothing can be cut. */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
	return trust_system(ctx);
}

int wk_tls_new(struct wk_tls **tls_out)
{
	struct wk_tls *tls;
	int rc;

	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return WA_ECRYPTO;
	tls = calloc(1, sizeof(*tls));
	if (tls == NULL)
		return -ENOMEM;
	tls->ctx = SSL_CTX_new(TLS_client_method());
	rc = tls->ctx == NULL ? WA_ECRYPTO : setup(tls->ctx);
	ERR_clear_error();
	if (rc < 0) {
		wk_tls_free(tls);
		return rc;
	}
	*tls_out = tls;
	return 0;
}

void wk_tls_free(struct wk_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}

/*
 * A sandboxed worker can't open it by name, and /dev/fd/N would open it again: so its descriptor is
 * read, from the beginning, as it is at every connection.
 */
static bool load_fd(X509_STORE *store, int fd)
{
	BIO *file = lseek(fd, 0, SEEK_SET) == 0 ? BIO_new_fd(fd, BIO_NOCLOSE) : NULL;
	BIO *bio = file != NULL ? BIO_new(BIO_f_buffer()) : NULL; /* else byte by byte */
	bool ok = bio != NULL && BIO_push(bio, file) != NULL;
	X509 *cert;
	int n = 0;

	while (ok && (cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		ok = X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
		n++;
	}
	BIO_free(bio);
	BIO_free(file);
	return ok && n > 0;
}

static bool load_ca(X509_STORE *store, const char *ca_file)
{
	const size_t prefix_len = sizeof(WK_TLS_FD_PREFIX) - 1;

	if (strncmp(ca_file, WK_TLS_FD_PREFIX, prefix_len) == 0)
		return load_fd(store, (int)strtol(ca_file + prefix_len, NULL, 10));
	return X509_STORE_load_file(store, ca_file) == 1;
}

static int trust_file(SSL *ssl, const char *ca_file, struct wk_failure *f)
{
	X509_STORE *store = X509_STORE_new();
	int ok =
	    store != NULL && load_ca(store, ca_file) && SSL_set1_verify_cert_store(ssl, store) == 1;

	X509_STORE_free(store);
	ERR_clear_error();
	if (ok)
		return 0;
	wk_failure_set(f, WA_ETLS, "the CA file %s can't be read", ca_file);
	return f->rc;
}

/* The peer must show a certificate for this name or address. */
static int expect_host(SSL *ssl, const char *host)
{
	struct in6_addr a;

	if (inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 ? 0
		                                                                     : WA_ECRYPTO;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (SSL_set_tlsext_host_name(ssl, host) != 1 || SSL_set1_host(ssl, host) != 1)
		return WA_ECRYPTO;
	return 0;
}

static int new_ssl(const struct wk_tls *tls, const struct wk_url *url, const char *ca_file,
                   struct wk_failure *f, SSL **ssl_out)
{
	SSL *ssl = SSL_new(tls->ctx);
	int rc;

	if (ssl == NULL || expect_host(ssl, url->host) < 0) {
		wk_failure_set(f, -ENOMEM, "TLS could not be set up");
		rc = f->rc;
		goto out;
	}
	rc = ca_file == NULL ? 0 : trust_file(ssl, ca_file, f);
	if (rc < 0)
		goto out;
	*ssl_out = ssl;
	ssl = NULL;
out:
	SSL_free(ssl);
	return rc;
}

/* ssl is taken, also on failure (libevent frees it then); the pipe is not. */
static struct bufferevent *open_tls(struct event_base *base, const struct wk_pipe *pipe, SSL *ssl)
{
	/* Deferred: else an end is told from within the read, before the data that came with it. */
	const int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
	struct bufferevent *bev;

	if (pipe->bev != NULL)
		bev = bufferevent_openssl_filter_new(base, pipe->bev, ssl,
		                                     BUFFEREVENT_SSL_CONNECTING, options);
	else
		bev = bufferevent_openssl_socket_new(base, pipe->fd, ssl,
		                                     BUFFEREVENT_SSL_CONNECTING, options);
	if (bev != NULL)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

int wk_tls_open(const struct wk_tls *tls, struct event_base *base, struct wk_pipe pipe,
                const struct wk_url *url, const char *ca_file, struct wk_failure *f,
                struct bufferevent **bev_out)
{
	struct bufferevent *bev;
	SSL *ssl = NULL;
	int rc;

	if (url->tls) {
		rc = new_ssl(tls, url, ca_file, f, &ssl);
		if (rc < 0)
			goto fail;
		bev = open_tls(base, &pipe, ssl);
		ssl = NULL;
	} else if (pipe.bev != NULL) {
		bev = pipe.bev;
	} else {
		bev = bufferevent_socket_new(base, pipe.fd, BEV_OPT_CLOSE_ON_FREE);
	}
	if (bev == NULL) {
		wk_failure_set(f, -ENOMEM, "out of memory");
		rc = f->rc;
		goto fail;
	}
	*bev_out = bev;
	return 0;
fail:
	SSL_free(ssl);
	wk_pipe_close(&pipe);
	return rc;
}

static void on_nothing(struct evbuffer *b, const struct evbuffer_cb_info *info, void *arg)
{
	(void)b;
	(void)info;
	(void)arg;
}

/*
 * A watermark is a callback of the buffer. bufferevent_setwatermark() uses what it could not
 * allocate; what one callback has had, the next gets.
 */
static int limit_reading(struct bufferevent *bev, size_t read_max)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer_cb_entry *cb = evbuffer_add_cb(in, on_nothing, NULL);

	if (cb == NULL)
		return -ENOMEM;
	(void)evbuffer_remove_cb_entry(in, cb);
	bufferevent_setwatermark(bev, EV_READ, 0, read_max);
	return 0;
}

int wk_tls_start(struct bufferevent *bev, bufferevent_data_cb on_read,
                 bufferevent_event_cb on_event, void *arg, size_t read_max)
{
	struct bufferevent *below = bufferevent_get_underlying(bev);

	bufferevent_setcb(bev, on_read, NULL, on_event, arg);
	if (limit_reading(bev, read_max) < 0 || bufferevent_enable(bev, EV_READ | EV_WRITE) < 0)
		return -ENOMEM;
	/* What came before there was someone to read it: nobody will call for it. */
	if (below != NULL)
		bufferevent_trigger(below, EV_READ | EV_WRITE,
		                    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	else if (evbuffer_get_length(bufferevent_get_input(bev)) > 0)
		bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	return 0;
}

size_t wk_tls_unsent(struct bufferevent *bev)
{
	size_t len = 0;

	for (; bev != NULL; bev = bufferevent_get_underlying(bev))
		len += evbuffer_get_length(bufferevent_get_output(bev));
	return len;
}

void wk_tls_push(struct bufferevent *bev)
{
	struct bufferevent *below;
	struct evbuffer *out;

	while ((below = bufferevent_get_underlying(bev)) != NULL)
		bev = below;
	out = bufferevent_get_output(bev);
	if (bufferevent_getfd(bev) >= 0 && evbuffer_get_length(out) > 0 &&
	    evbuffer_unfreeze(out, 1) == 0)
		(void)evbuffer_write(out, bufferevent_getfd(bev));
}

/* True when the TLS layer knows why the stream ended. */
static bool explain_ssl(struct bufferevent *bev, const struct wk_url *url, struct wk_failure *f)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	unsigned long err = 0, e;
	long verify;
	const char *reason;

	if (ssl == NULL)
		return false;
	verify = SSL_get_verify_result(ssl);
	while ((e = bufferevent_get_openssl_error(bev)) != 0)
		err = err == 0 ? e : err;
	if (verify != X509_V_OK) {
		wk_failure_set(f, WA_ETLS, "the TLS certificate of %s was refused: %s",
		               url->hostport, X509_verify_cert_error_string(verify));
		return true;
	}
	/* Without a library in it, it is libevent's note of SSL_ERROR_SYSCALL: the socket's error.
	 */
	if (err == 0 || ERR_SYSTEM_ERROR(err) || ERR_GET_LIB(err) == 0 ||
	    ERR_GET_REASON(err) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return false;
	reason = ERR_reason_error_string(err);
	wk_failure_set(f, WA_ETLS, "TLS with %s failed: %s", url->hostport,
	               reason != NULL ? reason : "unknown error");
	return true;
}

void wk_tls_explain(struct bufferevent *bev, short what, const struct wk_url *url,
                    struct wk_failure *f)
{
	int err = EVUTIL_SOCKET_ERROR();

	if (explain_ssl(bev, url, f))
		return;
	if ((what & BEV_EVENT_ERROR) && err != 0 && err != EAGAIN)
		wk_failure_set(f, WA_ENETWORK, "the connection to %s was lost: %s", url->hostport,
		               strerror(err));
	else
		wk_failure_set(f, WA_ENETWORK, "%s closed the connection", url->hostport);
}
