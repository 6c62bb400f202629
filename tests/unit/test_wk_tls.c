/* tests/unit/test_wk_tls.c - whom the client trusts, against a server in the same loop */
#include "test.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "worker/wk_failure.h"
#include "worker/wk_tls.h"

struct fixture {
	struct event_base *base;
	struct wk_tls *tls;
	SSL_CTX *server;
	char ca_file[64];
	struct bufferevent *client, *peer;
	struct wk_url url;
	bool connected;
	struct wk_failure failure; /* rc 0: none */
};

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

static void setup(struct fixture *f, const char *alt_name, long not_after_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_cert(key, alt_name, not_after_s);

	memset(f, 0, sizeof(*f));
	assert_int_equal(wk_tls_new(&f->tls), 0);
	f->base = event_base_new();
	f->server = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(f->server, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(f->server, key), 1);
	write_pem(cert, f->ca_file);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void teardown(struct fixture *f)
{
	if (f->client != NULL)
		bufferevent_free(f->client);
	if (f->peer != NULL)
		bufferevent_free(f->peer);
	(void)unlink(f->ca_file);
	SSL_CTX_free(f->server);
	wk_tls_free(f->tls);
	event_base_free(f->base);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct fixture *f = arg;

	if (what & BEV_EVENT_CONNECTED)
		f->connected = true;
	else
		wk_tls_explain(bev, what, &f->url, &f->failure);
	(void)event_base_loopbreak(f->base);
}

static void on_peer_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	(void)arg;
}

/* ca_file NULL: the system's trust. max_version 0: any. */
static void shake(struct fixture *f, const char *url, const char *ca_file, int max_version)
{
	struct wk_failure failure;
	int pair[2];

	assert_int_equal(wk_url_parse(url, &f->url), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	if (max_version != 0)
		assert_int_equal(SSL_CTX_set_max_proto_version(f->server, max_version), 1);
	f->peer = bufferevent_openssl_socket_new(f->base, pair[1], SSL_new(f->server),
	                                         BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	assert_non_null(f->peer);
	bufferevent_setcb(f->peer, NULL, NULL, on_peer_event, NULL);
	assert_int_equal(
	    wk_tls_open(f->tls, f->base, pair[0], &f->url, ca_file, &failure, &f->client), 0);
	bufferevent_setcb(f->client, NULL, NULL, on_event, f);
	(void)bufferevent_enable(f->client, EV_READ | EV_WRITE);
	(void)event_base_dispatch(f->base);
}

static void test_certificate_of_a_trusted_file_is_accepted(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "DNS:chat.example,IP:127.0.0.1", 3600);
	shake(&f, "wss://chat.example/", f.ca_file, 0);
	assert_true(f.connected);
	teardown(&f);
	setup(&f, "DNS:chat.example,IP:127.0.0.1", 3600);
	shake(&f, "wss://127.0.0.1/", f.ca_file, TLS1_2_VERSION);
	assert_true(f.connected);
	teardown(&f);
}

static void assert_refused(const char *alt_name, long not_after_s, const char *url, bool own_ca,
                           const char *text)
{
	struct fixture f;

	setup(&f, alt_name, not_after_s);
	shake(&f, url, own_ca ? f.ca_file : NULL, 0);
	assert_false(f.connected);
	assert_int_equal(f.failure.rc, WA_ETLS);
	assert_non_null(strstr(f.failure.detail, text));
	teardown(&f);
}

static void test_certificate_for_another_host_is_refused(void **state)
{
	(void)state;
	assert_refused("DNS:other.example", 3600, "wss://chat.example/", true, "hostname mismatch");
	assert_refused("DNS:chat.example", 3600, "wss://127.0.0.1/", true, "IP address mismatch");
	assert_refused("DNS:ch*t.example", 3600, "wss://chat.example/", true, "hostname mismatch");
}

static void test_unknown_authority_is_refused(void **state)
{
	(void)state;
	assert_refused("DNS:chat.example", 3600, "wss://chat.example/", false, "self-signed");
}

static void test_expired_certificate_is_refused(void **state)
{
	(void)state;
	assert_refused("DNS:chat.example", -60, "wss://chat.example/", true, "expired");
}

static void test_old_protocol_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "DNS:chat.example", 3600);
	SSL_CTX_set_security_level(f.server, 0);
	shake(&f, "wss://chat.example/", f.ca_file, TLS1_1_VERSION);
	assert_false(f.connected);
	assert_int_equal(f.failure.rc, WA_ETLS);
	teardown(&f);
}

static void test_missing_ca_file_is_said_at_once(void **state)
{
	struct wk_failure failure;
	struct fixture f;
	int pair[2];

	(void)state;
	setup(&f, "DNS:chat.example", 3600);
	assert_int_equal(wk_url_parse("wss://chat.example/", &f.url), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(
	    wk_tls_open(f.tls, f.base, pair[0], &f.url, "/nonexistent/ca.pem", &failure, &f.client),
	    WA_ETLS);
	assert_non_null(strstr(failure.detail, "/nonexistent/ca.pem"));
	assert_null(f.client);
	(void)close(pair[1]);
	teardown(&f);
}

static void test_closed_connection_is_a_network_failure(void **state)
{
	struct wk_failure failure;
	struct fixture f;
	int pair[2];

	(void)state;
	setup(&f, "DNS:chat.example", 3600);
	assert_int_equal(wk_url_parse("wss://chat.example/", &f.url), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(
	    wk_tls_open(f.tls, f.base, pair[0], &f.url, f.ca_file, &failure, &f.client), 0);
	bufferevent_setcb(f.client, NULL, NULL, on_event, &f);
	(void)bufferevent_enable(f.client, EV_READ | EV_WRITE);
	(void)shutdown(pair[1], SHUT_RDWR);
	(void)event_base_dispatch(f.base);
	assert_int_equal(f.failure.rc, WA_ENETWORK);
	(void)close(pair[1]);
	teardown(&f);
}

static void test_warming_up_works(void **state)
{
	struct wk_tls *tls;

	(void)state;
	assert_int_equal(wk_tls_new(&tls), 0);
	assert_int_equal(wk_tls_warm(tls), 0);
	wk_tls_free(tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate_of_a_trusted_file_is_accepted),
		cmocka_unit_test(test_certificate_for_another_host_is_refused),
		cmocka_unit_test(test_unknown_authority_is_refused),
		cmocka_unit_test(test_expired_certificate_is_refused),
		cmocka_unit_test(test_old_protocol_is_refused),
		cmocka_unit_test(test_missing_ca_file_is_said_at_once),
		cmocka_unit_test(test_closed_connection_is_a_network_failure),
		cmocka_unit_test(test_warming_up_works),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the worker does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
