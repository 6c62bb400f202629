/* tests/unit/tls_peer.c - a TLS server of its own authority */
#include "test.h"

#include "tls_peer.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Self-signed, so it is its own authority; not_after_s from now. */
static X509 *make_cert(EVP_PKEY *key, const char *alt_name, long not_after_s)
{
	X509 *cert = X509_new();
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt_name);

	assert_non_null(cert);
	assert_non_null(ext);
	assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 7), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), not_after_s));
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
	                                            (const unsigned char *)"test", -1, -1, 0),
	                 1);
	assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(cert)), 1);
	assert_int_equal(X509_add_ext(cert, ext, -1), 1);
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	X509_EXTENSION_free(ext);
	return cert;
}

static void write_pem(X509 *cert, char *path)
{
	FILE *out;
	int fd;

	strcpy(path, "/tmp/worker-tls-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	out = fdopen(fd, "w");
	assert_non_null(out);
	assert_int_equal(PEM_write_X509(out, cert), 1);
	assert_int_equal(fclose(out), 0);
}

void tls_peer_init(struct tls_peer *p, const char *alt_name, long not_after_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_cert(key, alt_name, not_after_s);

	p->ctx = SSL_CTX_new(TLS_server_method());
	assert_non_null(p->ctx);
	assert_int_equal(SSL_CTX_use_certificate(p->ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(p->ctx, key), 1);
	write_pem(cert, p->ca_file);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void tls_peer_clear(struct tls_peer *p)
{
	(void)unlink(p->ca_file);
	SSL_CTX_free(p->ctx);
}
