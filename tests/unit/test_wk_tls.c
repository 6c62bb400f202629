/* tests/unit/test_wk_tls.c - whom the client trusts, against a server in the same loop */
#include "test.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "tls_peer.h"
#include "worker/net/wk_tls.h"
#include "worker/session/wk_failure.h"

struct fixture {
	struct event_base *base;
	struct wk_tls *tls;
	struct tls_peer server;
	struct bufferevent *client, *peer;
	struct wk_url url;
	bool connected;
	struct wk_failure failure; /* rc 0: none */
};

static unsigned libevent_fails_at; /* this allocation of libevent's from now; 0: none */

static bool libevent_fails(void)
{
	return libevent_fails_at > 0 && --libevent_fails_at == 0;
}

static void *libevent_malloc(size_t n)
{
	return libevent_fails() ? NULL : malloc(n);
}

static void *libevent_realloc(void *p, size_t n)
{
	return libevent_fails() ? NULL : realloc(p, n);
}

static void setup(struct fixture *f, const char *alt_name, long not_after_s)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(wk_tls_new(&f->tls), 0);
	f->base = event_base_new();
	tls_peer_init(&f->server, alt_name, not_after_s);
}

static void teardown(struct fixture *f)
{
	if (f->client != NULL)
		bufferevent_free(f->client);
	if (f->peer != NULL)
		bufferevent_free(f->peer);
	tls_peer_clear(&f->server);
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
		assert_int_equal(SSL_CTX_set_max_proto_version(f->server.ctx, max_version), 1);
	f->peer = bufferevent_openssl_socket_new(f->base, pair[1], SSL_new(f->server.ctx),
	                                         BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	assert_non_null(f->peer);
	bufferevent_setcb(f->peer, NULL, NULL, on_peer_event, NULL);
	assert_int_equal(wk_tls_open(f->tls, f->base, (struct wk_pipe){ pair[0], NULL }, &f->url,
	                             ca_file, &failure, &f->client),
	                 0);
	assert_int_equal(wk_tls_start(f->client, NULL, on_event, f, 4096), 0);
	(void)event_base_dispatch(f->base);
}

static void test_certificate_of_a_trusted_file_is_accepted(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "DNS:chat.example,IP:127.0.0.1", 3600);
	shake(&f, "wss://chat.example/", f.server.ca_file, 0);
	assert_true(f.connected);
	teardown(&f);
	setup(&f, "DNS:chat.example,IP:127.0.0.1", 3600);
	shake(&f, "wss://127.0.0.1/", f.server.ca_file, TLS1_2_VERSION);
	assert_true(f.connected);
	teardown(&f);
}

/* Open already, and read from its beginning at every connection: a sandboxed worker's way. */
static void test_a_file_that_came_open_is_trusted_again_and_again(void **state)
{
	char name[32];
	struct fixture f;
	int fd;

	(void)state;
	setup(&f, "DNS:chat.example", 3600);
	fd = open(f.server.ca_file, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	(void)snprintf(name, sizeof(name), WK_TLS_FD_PREFIX "%d", fd);
	for (int i = 0; i < 2; i++) {
		f.connected = false;
		shake(&f, "wss://chat.example/", name, 0);
		assert_true(f.connected);
		bufferevent_free(f.client);
		bufferevent_free(f.peer);
		f.client = f.peer = NULL;
	}
	(void)close(fd);
	teardown(&f);
}

static void assert_refused(const char *alt_name, long not_after_s, const char *url, bool own_ca,
                           const char *text)
{
	struct fixture f;

	setup(&f, alt_name, not_after_s);
	shake(&f, url, own_ca ? f.server.ca_file : NULL, 0);
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
	SSL_CTX_set_security_level(f.server.ctx, 0);
	shake(&f, "wss://chat.example/", f.server.ca_file, TLS1_1_VERSION);
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
	assert_int_equal(wk_tls_open(f.tls, f.base, (struct wk_pipe){ pair[0], NULL }, &f.url,
	                             "/nonexistent/ca.pem", &failure, &f.client),
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
	assert_int_equal(wk_tls_open(f.tls, f.base, (struct wk_pipe){ pair[0], NULL }, &f.url,
	                             f.server.ca_file, &failure, &f.client),
	                 0);
	assert_int_equal(wk_tls_start(f.client, NULL, on_event, &f, 4096), 0);
	(void)shutdown(pair[1], SHUT_RDWR);
	(void)event_base_dispatch(f.base);
	assert_int_equal(f.failure.rc, WA_ENETWORK);
	(void)close(pair[1]);
	teardown(&f);
}

static void test_no_memory_for_the_connection_is_said_and_nothing_is_freed_twice(void **state)
{
	struct fixture f;
	int pair[2];
	int rc;

	(void)state;
	setup(&f, "DNS:chat.example", 3600);
	assert_int_equal(wk_url_parse("wss://chat.example/", &f.url), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	libevent_fails_at = 1; /* later ones end inside libevent 2.1.12 itself */
	rc = wk_tls_open(f.tls, f.base, (struct wk_pipe){ pair[0], NULL }, &f.url, f.server.ca_file,
	                 &f.failure, &f.client);
	assert_true(rc < 0);
	assert_int_equal(f.failure.rc, rc);
	assert_null(f.client);
	assert_int_equal(libevent_fails_at, 0);
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
		cmocka_unit_test(test_a_file_that_came_open_is_trusted_again_and_again),
		cmocka_unit_test(test_certificate_for_another_host_is_refused),
		cmocka_unit_test(test_unknown_authority_is_refused),
		cmocka_unit_test(test_expired_certificate_is_refused),
		cmocka_unit_test(test_old_protocol_is_refused),
		cmocka_unit_test(test_missing_ca_file_is_said_at_once),
		cmocka_unit_test(test_closed_connection_is_a_network_failure),
		cmocka_unit_test(
		    test_no_memory_for_the_connection_is_said_and_nothing_is_freed_twice),
		cmocka_unit_test(test_warming_up_works),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the worker does */
	event_set_mem_functions(libevent_malloc, libevent_realloc, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
