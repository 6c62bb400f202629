/* simulator/wire/sim_tls.c - a certificate authority and server certificates for --tls */
#include "simulator/wire/sim_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/secret.h"

#define DAY_S 86400L

struct authority {
	EVP_PKEY *key;
	X509 *cert;
};

struct sim_tls {
	struct authority ca;
	SSL_CTX *ctx[SIM_TLS_CERTS];
};

static void authority_clear(struct authority *a)
{
	EVP_PKEY_free(a->key);
	X509_free(a->cert);
	a->key = NULL;
	a->cert = NULL;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool set_name(X509_NAME *name, const char *common_name)
{
	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
	                                  (const unsigned char *)"warden-sim", -1, -1, 0) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	                                  (const unsigned char *)common_name, -1, -1, 0) == 1;
}

/* An unsigned certificate with serial, name, validity and key. */
static X509 *cert_new(EVP_PKEY *key, const char *common_name, long from_s, long to_s)
{
	X509 *cert = X509_new();
	uint64_t serial;

	if (cert == NULL)
		return NULL;
	if (secret_random(&serial, sizeof(serial)) == 0 && X509_set_version(cert, 2) == 1 &&
	    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
	    set_name(X509_get_subject_name(cert), common_name) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), from_s) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), to_s) != NULL &&
	    X509_set_pubkey(cert, key) == 1)
		return cert;
	X509_free(cert);
	return NULL;
}

static int authority_make(struct authority *a)
{
	a->key = EVP_EC_gen("P-256");
	if (a->key == NULL)
		return WA_ECRYPTO;
	a->cert = cert_new(a->key, "warden-sim test authority", -DAY_S, 3650 * DAY_S);
	if (a->cert == NULL || X509_set_issuer_name(a->cert, X509_get_subject_name(a->cert)) != 1 ||
	    !add_extension(a->cert, a->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
	    !add_extension(a->cert, a->cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
	    !add_extension(a->cert, a->cert, NID_subject_key_identifier, "hash") ||
	    X509_sign(a->cert, a->key, EVP_sha256()) == 0) {
		authority_clear(a);
		return WA_ECRYPTO;
	}
	return 0;
}

/* ---- the authority's files ------------------------------------------------------------------- */

static int file_path(char out[PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static FILE *file_create(const char *dir, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	int fd;

	if (file_path(path, dir, name) < 0)
		return NULL;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static FILE *file_read(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return file_path(path, dir, name) < 0 ? NULL : fopen(path, "re");
}

static int authority_save(const struct authority *a, const char *dir)
{
	FILE *key = file_create(dir, "ca.key", 0600);
	FILE *cert = file_create(dir, "ca.pem", 0644);
	int rc = 0;

	if (key == NULL || cert == NULL)
		rc = errno != 0 ? -errno : -EIO;
	else if (PEM_write_PrivateKey(key, a->key, NULL, NULL, 0, NULL, NULL) != 1 ||
	         PEM_write_X509(cert, a->cert) != 1)
		rc = -EIO;
	if (key != NULL && fclose(key) != 0 && rc == 0)
		rc = -EIO;
	if (cert != NULL && fclose(cert) != 0 && rc == 0)
		rc = -EIO;
	return rc;
}

/* False: there is none, or not a usable one. */
static bool authority_load(struct authority *a, const char *dir)
{
	FILE *key = file_read(dir, "ca.key");
	FILE *cert = file_read(dir, "ca.pem");

	if (key != NULL && cert != NULL) {
		a->key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
		a->cert = PEM_read_X509(cert, NULL, NULL, NULL);
	}
	if (key != NULL)
		fclose(key);
	if (cert != NULL)
		fclose(cert);
	if (a->key != NULL && a->cert != NULL && X509_check_private_key(a->cert, a->key) == 1)
		return true;
	authority_clear(a);
	return false;
}

/* ---- server certificates --------------------------------------------------------------------- */

static X509 *leaf_make(const struct authority *ca, EVP_PKEY *key, enum sim_tls_cert kind)
{
	bool expired = kind == SIM_TLS_EXPIRED;
	const char *names = kind == SIM_TLS_WRONG_HOST ? "DNS:another.invalid"
	                                               : "DNS:localhost,IP:127.0.0.1,IP:::1";
	X509 *leaf = cert_new(key, "warden-sim", expired ? -60 * DAY_S : -DAY_S,
	                      expired ? -DAY_S : 365 * DAY_S);

	if (leaf == NULL)
		return NULL;
	if (X509_set_issuer_name(leaf, X509_get_subject_name(ca->cert)) == 1 &&
	    add_extension(leaf, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(leaf, ca->cert, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(leaf, ca->cert, NID_ext_key_usage, "serverAuth") &&
	    add_extension(leaf, ca->cert, NID_subject_alt_name, names) &&
	    add_extension(leaf, ca->cert, NID_authority_key_identifier, "keyid") &&
	    X509_sign(leaf, ca->key, EVP_sha256()) != 0)
		return leaf;
	X509_free(leaf);
	return NULL;
}

/* No session is stored here: a client that wants to resume brings its ticket along. */
static SSL_CTX *ctx_make(const struct authority *ca, enum sim_tls_cert kind)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *leaf = key == NULL ? NULL : leaf_make(ca, key, kind);

	if (ctx != NULL && leaf != NULL &&
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_use_certificate(ctx, leaf) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_num_tickets(ctx, 1);
		SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	} else {
		SSL_CTX_free(ctx);
		ctx = NULL;
	}
	X509_free(leaf);
	EVP_PKEY_free(key);
	return ctx;
}

int sim_tls_new(const char *dir, struct sim_tls **tls_out)
{
	struct sim_tls *t = calloc(1, sizeof(*t));
	int rc = 0;

	if (t == NULL)
		return -ENOMEM;
	if (!authority_load(&t->ca, dir)) {
		rc = authority_make(&t->ca);
		if (rc == 0)
			rc = authority_save(&t->ca, dir);
	}
	if (rc == 0 && sim_tls_ctx(t, SIM_TLS_GOOD) == NULL)
		rc = WA_ECRYPTO;
	if (rc < 0)
		sim_tls_free(t);
	else
		*tls_out = t;
	return rc;
}

void sim_tls_free(struct sim_tls *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(t->ctx); i++)
		SSL_CTX_free(t->ctx[i]);
	authority_clear(&t->ca);
	free(t);
}

SSL_CTX *sim_tls_ctx(struct sim_tls *t, enum sim_tls_cert cert)
{
	struct authority other = { .key = NULL };

	if (t->ctx[cert] != NULL)
		return t->ctx[cert];
	if (cert != SIM_TLS_UNTRUSTED) {
		t->ctx[cert] = ctx_make(&t->ca, cert);
	} else if (authority_make(&other) == 0) {
		t->ctx[cert] = ctx_make(&other, cert);
		authority_clear(&other);
	}
	return t->ctx[cert];
}
