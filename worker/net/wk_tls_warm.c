/*
 * worker/net/wk_tls_warm.c - a handshake with ourselves, in memory
 *
 * OpenSSL fetches algorithms, decoders and error strings when they are first needed: some
 * milliseconds and some 100 KB. Done once in the zygote, all of it is shared by every worker.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "common/err.h"
#include "worker/net/wk_tls.h"
#include "worker/net/wk_tls_priv.h"

#define ROUNDS_MAX 20

/* A certificate for nobody, valid for a minute, signed by its own key. */
static X509 *make_cert(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name;

	if (cert == NULL)
		return NULL;
	name = X509_get_subject_name(cert);
	if (X509_set_version(cert, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(cert), 0) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(cert), 60) == NULL ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost",
	                               -1, -1, 0) != 1 ||
	    X509_set_issuer_name(cert, name) != 1 || X509_set_pubkey(cert, key) != 1 ||
	    X509_sign(cert, key, EVP_sha256()) == 0) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

/* Through PEM and back, as a CA file or the CA directory is read. */
static X509 *reread(X509 *cert)
{
	BIO *mem = BIO_new(BIO_s_mem());
	X509 *again = NULL;

	if (mem != NULL && PEM_write_bio_X509(mem, cert) == 1)
		again = PEM_read_bio_X509(mem, NULL, NULL, NULL);
	BIO_free(mem);
	return again;
}

static SSL_CTX *make_server(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key != NULL ? make_cert(key) : NULL;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (cert == NULL || ctx == NULL || SSL_CTX_use_certificate(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1) {
		SSL_CTX_free(ctx);
		ctx = NULL;
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

/* Both ends in turn until both are done, then one byte each way. */
static bool shake(SSL *client, SSL *server)
{
	char c = 'x';

	for (int i = 0; i < ROUNDS_MAX; i++) {
		int a = SSL_do_handshake(client);
		int b = SSL_do_handshake(server);

		if (a == 1 && b == 1)
			return SSL_write(client, &c, 1) == 1 && SSL_read(server, &c, 1) == 1 &&
			       SSL_write(server, &c, 1) == 1 && SSL_read(client, &c, 1) == 1;
	}
	return false;
}

/* The client trusts exactly this certificate, so that verification runs to its end. */
static bool trust(SSL *client, X509 *cert)
{
	X509_STORE *store = X509_STORE_new();
	bool ok = store != NULL && X509_STORE_add_cert(store, cert) == 1 &&
	          SSL_set1_verify_cert_store(client, store) == 1 &&
	          SSL_set_tlsext_host_name(client, "localhost") == 1 &&
	          SSL_set1_host(client, "localhost") == 1;

	X509_STORE_free(store);
	return ok;
}

int wk_tls_warm(struct wk_tls *tls)
{
	SSL_CTX *server_ctx = make_server();
	SSL *client = SSL_new(tls->ctx);
	SSL *server = server_ctx != NULL ? SSL_new(server_ctx) : NULL;
	X509 *cert = server != NULL ? reread(SSL_get_certificate(server)) : NULL;
	BIO *client_bio = NULL, *server_bio = NULL;
	int rc = WA_ECRYPTO;

	if (client == NULL || server == NULL || cert == NULL || !trust(client, cert) ||
	    BIO_new_bio_pair(&client_bio, 0, &server_bio, 0) != 1)
		goto out;
	SSL_set_bio(client, client_bio, client_bio);
	SSL_set_bio(server, server_bio, server_bio);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	if (shake(client, server))
		rc = 0;
out:
	X509_free(cert);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(server_ctx);
	ERR_clear_error();
	return rc;
}
