/* tests/unit/test_wk_dial_proxy.c - dials through proxies that live in the same loop */
#include "test.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "tls_peer.h"
#include "worker/net/wk_dial.h"
#include "worker/net/wk_proxy.h"
#include "worker/net/wk_tls.h"
#include "worker/net/wk_url.h"
#include "worker/session/wk_failure.h"

#define OK "HTTP/1.1 200 OK\r\n\r\n"
#define EARLY "early" /* the tunnel's first bytes, in one write with the proxy's last answer */

/* What the proxy answers when want bytes (0: an empty line) have come since its last answer. */
struct line {
	size_t want;
	const char *answer;
	size_t answer_len;
	bool split; /* in two segments */
	bool close; /* afterwards */
};
#define SAY(want, text) \
	{ \
		want, text, sizeof(text) - 1, false, false \
	}

struct fixture {
	struct event_base *base;
	struct wk_tls *tls;
	struct tls_peer peer; /* the certificate of proxy and target */
	/* the proxy */
	struct evconnlistener *listener;
	struct bufferevent *proxy, *target; /* target: TLS of the target, inside the tunnel */
	bool proxy_tls, target_tls;
	const struct line *script;
	size_t script_n, said;
	struct buf heard; /* all that came before the tunnel stood */
	size_t heard_at;  /* of it, heard at the last answer */
	const char *rest; /* second segment of a split answer */
	size_t rest_len;
	/* a target of our own, which nobody may reach around the proxy */
	struct evconnlistener *direct;
	unsigned direct_n;
	/* the client */
	struct wk_proxy settings;
	struct wk_url url;
	struct wk_dial *dial;
	struct bufferevent *client;
	bool free_when_connected;
	unsigned resolved, connected;
	struct wk_failure failure;
	struct buf got; /* through the tunnel */
	const char *expected;
};

/* ---- the proxy ----------------------------------------------------------------------------- */

/* Whatever comes through the tunnel goes back. */
static void echo(struct bufferevent *bev, void *arg)
{
	(void)arg;
	(void)evbuffer_add_buffer(bufferevent_get_output(bev), bufferevent_get_input(bev));
}

static void on_peer_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	(void)arg;
}

static void open_tunnel(struct fixture *f)
{
	if (!f->target_tls) {
		bufferevent_setcb(f->proxy, echo, NULL, on_peer_event, f);
		return;
	}
	f->target =
	    bufferevent_openssl_filter_new(f->base, f->proxy, SSL_new(f->peer.ctx),
	                                   BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	assert_non_null(f->target);
	bufferevent_setcb(f->target, echo, NULL, on_peer_event, f);
	(void)bufferevent_enable(f->target, EV_READ | EV_WRITE);
}

static void on_rest(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	(void)what;
	(void)bufferevent_write(f->proxy, f->rest, f->rest_len);
}

static bool is_line_end(const struct buf *b)
{
	return b->len >= 4 && memcmp(b->p + b->len - 4, "\r\n\r\n", 4) == 0;
}

static void on_closed(struct bufferevent *bev, void *arg)
{
	struct fixture *f = arg;

	bufferevent_free(bev);
	f->proxy = NULL;
}

static void on_proxy_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);
	const struct timeval soon = { 0, 1000 };
	struct fixture *f = arg;
	const struct line *l;
	size_t first;

	assert_int_equal(buf_append(&f->heard, evbuffer_pullup(in, -1), len), 0);
	(void)evbuffer_drain(in, len);
	if (f->said == f->script_n)
		return;
	l = &f->script[f->said];
	if (l->want == 0 ? !is_line_end(&f->heard) : f->heard.len - f->heard_at < l->want)
		return;
	f->heard_at = f->heard.len;
	f->said++;
	first = l->split ? l->answer_len / 2 : l->answer_len;
	(void)bufferevent_write(bev, l->answer, first);
	f->rest = l->answer + first;
	f->rest_len = l->answer_len - first;
	if (l->split)
		assert_int_equal(event_base_once(f->base, -1, EV_TIMEOUT, on_rest, f, &soon), 0);
	if (l->close)
		bufferevent_setcb(bev, NULL, on_closed, on_peer_event, f);
	else if (f->said == f->script_n)
		open_tunnel(f);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int sa_len,
                      void *arg)
{
	struct fixture *f = arg;

	(void)l;
	(void)sa;
	(void)sa_len;
	assert_null(f->proxy);
	if (f->proxy_tls)
		f->proxy = bufferevent_openssl_socket_new(f->base, fd, SSL_new(f->peer.ctx),
		                                          BUFFEREVENT_SSL_ACCEPTING,
		                                          BEV_OPT_CLOSE_ON_FREE);
	else
		f->proxy = bufferevent_socket_new(f->base, fd, BEV_OPT_CLOSE_ON_FREE);
	assert_non_null(f->proxy);
	bufferevent_setcb(f->proxy, on_proxy_read, NULL, on_peer_event, f);
	(void)bufferevent_enable(f->proxy, EV_READ | EV_WRITE);
}

static void on_direct(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int sa_len,
                      void *arg)
{
	struct fixture *f = arg;

	(void)l;
	(void)sa;
	(void)sa_len;
	(void)evutil_closesocket(fd);
	f->direct_n++;
}

static uint16_t listen_with(struct fixture *f, evconnlistener_cb cb, struct evconnlistener **l_out)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*l_out = evconnlistener_new_bind(f->base, cb, f, LEV_OPT_CLOSE_ON_FREE, 4,
	                                 (struct sockaddr *)&in, sizeof(in));
	assert_non_null(*l_out);
	assert_int_equal(getsockname(evconnlistener_get_fd(*l_out), (struct sockaddr *)&in, &len),
	                 0);
	return ntohs(in.sin_port);
}

/* ---- the client ---------------------------------------------------------------------------- */

static void on_client_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);
	struct fixture *f = arg;

	assert_int_equal(buf_append(&f->got, evbuffer_pullup(in, -1), len), 0);
	(void)evbuffer_drain(in, len);
	if (f->got.len >= strlen(f->expected))
		(void)event_base_loopbreak(f->base);
}

static void on_client_event(struct bufferevent *bev, short what, void *arg)
{
	struct fixture *f = arg;

	if (what & BEV_EVENT_CONNECTED) {
		(void)bufferevent_write(bev, "ping", 4);
		return;
	}
	wk_tls_explain(bev, what, &f->url, &f->failure);
	(void)event_base_loopbreak(f->base);
}

static void on_resolved(void *arg)
{
	struct fixture *f = arg;

	f->resolved++;
}

static void on_connected(struct wk_pipe pipe, void *arg)
{
	struct fixture *f = arg;

	f->connected++;
	assert_true((pipe.fd >= 0) != (pipe.bev != NULL));
	wk_dial_free(f->dial); /* allowed in every callback */
	f->dial = NULL;
	if (f->free_when_connected) {
		wk_pipe_close(&pipe);
		(void)event_base_loopbreak(f->base);
		return;
	}
	assert_int_equal(
	    wk_tls_open(f->tls, f->base, pipe, &f->url, f->peer.ca_file, &f->failure, &f->client),
	    0);
	assert_int_equal(wk_tls_start(f->client, on_client_read, on_client_event, f, 65536), 0);
	if (!f->url.tls)
		(void)bufferevent_write(f->client, "ping", 4);
}

static void on_failed(const struct wk_failure *failure, void *arg)
{
	struct fixture *f = arg;

	f->failure = *failure;
	wk_dial_free(f->dial);
	f->dial = NULL;
	(void)event_base_loopbreak(f->base);
}

static void setup(struct fixture *f, Ipc__Proxy__Kind kind, const char *username)
{
	Ipc__Proxy msg = IPC__PROXY__INIT;

	memset(f, 0, sizeof(*f));
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(wk_tls_new(&f->tls), 0);
	tls_peer_init(&f->peer, "DNS:target.invalid,IP:127.0.0.1", 3600);
	f->proxy_tls = kind == IPC__PROXY__KIND__HTTPS;
	msg.has_kind = msg.has_port = 1;
	msg.kind = kind;
	msg.host = (char *)"127.0.0.1";
	msg.port = listen_with(f, on_accept, &f->listener);
	msg.username = (char *)username;
	msg.password = (char *)(username != NULL ? "secret" : NULL);
	assert_int_equal(wk_proxy_init(&f->settings, &msg), 0);
}

static void teardown(struct fixture *f)
{
	wk_dial_free(f->dial);
	if (f->client != NULL)
		bufferevent_free(f->client);
	if (f->target != NULL)
		bufferevent_free(f->target); /* and f->proxy below it */
	else if (f->proxy != NULL)
		bufferevent_free(f->proxy);
	if (f->listener != NULL)
		evconnlistener_free(f->listener);
	if (f->direct != NULL)
		evconnlistener_free(f->direct);
	for (unsigned layers = 0; layers < 3; layers++) /* each is freed a pass later */
		(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
	wk_proxy_clear(&f->settings);
	tls_peer_clear(&f->peer);
	wk_tls_free(f->tls);
	event_base_free(f->base);
	buf_free(&f->heard);
	buf_free(&f->got);
}

/* expected: what comes through the tunnel; NULL: there will be none. */
static void dial(struct fixture *f, const char *url, const char *expected, uint32_t connect_ms)
{
	static const struct wk_dial_ops ops = {
		.on_resolved = on_resolved,
		.on_connected = on_connected,
		.on_failed = on_failed,
	};
	const struct timeval limit = { 60, 0 };
	struct wk_dial_params params = { .base = f->base,
		                         .proxy = &f->settings,
		                         .tls = f->tls,
		                         .ca_file = f->peer.ca_file,
		                         .connect_ms = connect_ms };

	assert_int_equal(wk_url_parse(url, &f->url), 0);
	f->target_tls = f->url.tls;
	f->expected = expected != NULL ? expected : "";
	params.host = f->url.host;
	params.port = f->url.port;
	assert_int_equal(wk_dial_new(&params, &ops, f, &f->dial), 0);
	(void)event_base_loopexit(f->base, &limit);
	(void)event_base_dispatch(f->base);
	if (expected != NULL) {
		assert_string_equal(f->failure.detail, "");
		assert_int_equal(f->connected, 1);
		assert_int_equal(f->got.len, strlen(expected));
		assert_memory_equal(f->got.p, expected, strlen(expected));
	}
}

static void run_script(struct fixture *f, const struct line *script, size_t script_n)
{
	f->script = script;
	f->script_n = script_n;
}

/* ---- tunnels ------------------------------------------------------------------------------- */

static void test_http_tunnel_loses_no_byte(void **state)
{
	static const struct line whole[] = { SAY(0, OK EARLY) };
	static const struct line split[] = { { 0, OK EARLY, sizeof(OK EARLY) - 1, true, false } };
	struct fixture f;

	(void)state;
	setup(&f, IPC__PROXY__KIND__HTTP, NULL);
	run_script(&f, whole, 1);
	dial(&f, "ws://target.invalid:5222/", EARLY "ping", 2000);
	assert_int_equal(f.resolved, 1);
	assert_memory_equal(f.heard.p, "CONNECT target.invalid:5222 HTTP/1.1\r\n", 38);
	teardown(&f);
	setup(&f, IPC__PROXY__KIND__HTTP, NULL);
	run_script(&f, split, 1);
	dial(&f, "ws://target.invalid/", EARLY "ping", 2000);
	teardown(&f);
}

static void test_tls_inside_a_http_tunnel(void **state)
{
	static const struct line script[] = { SAY(0, OK) };
	struct fixture f;

	(void)state;
	setup(&f, IPC__PROXY__KIND__HTTP, "user");
	run_script(&f, script, 1);
	dial(&f, "wss://target.invalid/", "ping", 2000);
	assert_non_null(memmem(f.heard.p, f.heard.len, "Basic dXNlcjpzZWNyZXQ=\r\n", 24));
	teardown(&f);
}

static void test_socks_tunnel_loses_no_byte(void **state)
{
	static const struct line script[] = {
		SAY(4, "\x05\x02"),
		SAY(1 + 5 + 7, "\x01\x00"),
		{ 4 + 1 + 14 + 2, "\x05\0\0\x01\0\0\0\0\0\0" EARLY, 15, true, false },
	};
	struct fixture f;

	(void)state;
	setup(&f, IPC__PROXY__KIND__SOCKS5, "user");
	run_script(&f, script, ARRAY_LEN(script));
	dial(&f, "ws://target.invalid/", EARLY "ping", 2000);
	assert_int_equal(f.heard.len, 4 + 13 + 21);
	assert_memory_equal(f.heard.p + 4 + 13, "\x05\x01\0\x03\x0etarget.invalid\0P", 21);
	teardown(&f);
}

static void test_https_tunnel_loses_no_byte(void **state)
{
	static const struct line whole[] = { SAY(0, OK EARLY) };
	static const struct line split[] = { { 0, OK EARLY, sizeof(OK EARLY) - 1, true, false } };
	struct fixture f;

	(void)state;
	setup(&f, IPC__PROXY__KIND__HTTPS, "user");
	run_script(&f, whole, 1);
	dial(&f, "ws://target.invalid/", EARLY "ping", 2000);
	teardown(&f);
	setup(&f, IPC__PROXY__KIND__HTTPS, "user");
	run_script(&f, split, 1);
	dial(&f, "ws://target.invalid/", EARLY "ping", 2000);
	teardown(&f);
}

static void test_tls_inside_tls(void **state)
{
	static const struct line script[] = { { 0, OK, sizeof(OK) - 1, true, false } };
	struct fixture f;

	(void)state;
	setup(&f, IPC__PROXY__KIND__HTTPS, NULL);
	run_script(&f, script, 1);
	dial(&f, "wss://target.invalid/", "ping", 2000);
	teardown(&f);
}

static void test_target_s_certificate_counts_inside_a_tunnel(void **state)
{
	static const struct line script[] = { SAY(0, OK) };
	struct fixture f;

	(void)state;
	setup(&f, IPC__PROXY__KIND__HTTPS, NULL);
	run_script(&f, script, 1);
	dial(&f, "wss://other.invalid/", NULL, 2000);
	assert_int_equal(f.connected, 1);
	assert_int_equal(f.failure.rc, WA_ETLS);
	assert_non_null(strstr(f.failure.detail, "other.invalid"));
	teardown(&f);
}

/* ---- failures ------------------------------------------------------------------------------ */

/* The target exists and could be reached; the failure names the proxy and has this text in it. */
static void assert_fails(struct fixture *f, int rc, const char *text, uint32_t connect_ms)
{
	char url[64], begin[64];

	(void)snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
	               listen_with(f, on_direct, &f->direct));
	(void)snprintf(begin, sizeof(begin), "proxy 127.0.0.1:%u", f->settings.port);
	dial(f, url, NULL, connect_ms);
	assert_int_equal(f->connected, 0);
	assert_int_equal(f->failure.rc, rc);
	assert_memory_equal(f->failure.detail, begin, strlen(begin));
	assert_non_null(strstr(f->failure.detail, text));
	assert_null(strstr(f->failure.detail, "secret"));
	(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(f->direct_n, 0);
}

static void refuse_with(Ipc__Proxy__Kind kind, const char *username, const struct line *script,
                        size_t script_n, int rc, const char *text)
{
	struct fixture f;

	setup(&f, kind, username);
	run_script(&f, script, script_n);
	assert_fails(&f, rc, text, 2000);
	teardown(&f);
}

static void test_refusals_of_a_proxy_are_told_and_not_gone_around(void **state)
{
	static const struct line auth[] = { SAY(0, "HTTP/1.1 407 x\r\n\r\n") };
	static const struct line busy[] = { SAY(0, "HTTP/1.1 503 x\r\n\r\n") };
	static const struct line garbage[] = { SAY(0, "220 mail.example ESMTP\r\n") };
	static const struct line closes[] = { { 0, "HTTP/1.1 200", 12, false, true } };
	static const struct line socks[] = { SAY(4, "\x05\x02"), SAY(14, "\x01\x01") };
	static const struct line denies[] = { SAY(3, "\x05\0"), SAY(10, "\x05\x02") };

	(void)state;
	refuse_with(IPC__PROXY__KIND__HTTP, "user", auth, 1, WA_EPROXY_AUTH,
	            " refused the password");
	refuse_with(IPC__PROXY__KIND__HTTP, NULL, auth, 1, WA_EPROXY_AUTH,
	            " wants a user name and password");
	refuse_with(IPC__PROXY__KIND__HTTPS, "user", auth, 1, WA_EPROXY_AUTH,
	            " refused the password");
	refuse_with(IPC__PROXY__KIND__HTTP, NULL, busy, 1, WA_EPROXY_UNREACHABLE,
	            "HTTP status 503");
	refuse_with(IPC__PROXY__KIND__HTTP, NULL, garbage, 1, WA_EPROXY_UNREACHABLE,
	            "is not an HTTP proxy");
	refuse_with(IPC__PROXY__KIND__HTTP, NULL, closes, 1, WA_EPROXY_UNREACHABLE,
	            "closed the connection");
	refuse_with(IPC__PROXY__KIND__HTTPS, NULL, closes, 1, WA_EPROXY_UNREACHABLE,
	            "closed the connection");
	refuse_with(IPC__PROXY__KIND__SOCKS5, "userx", socks, 2, WA_EPROXY_AUTH,
	            " refused the password");
	refuse_with(IPC__PROXY__KIND__SOCKS5, NULL, denies, 2, WA_EPROXY_UNREACHABLE,
	            "does not allow");
}

static void test_dead_proxy_is_unreachable(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, IPC__PROXY__KIND__HTTP, NULL);
	evconnlistener_free(f.listener);
	f.listener = NULL;
	assert_fails(&f, WA_EPROXY_UNREACHABLE, "refused", 2000);
	teardown(&f);
}

static void test_proxy_that_never_answers_is_left_in_time(void **state)
{
	static const Ipc__Proxy__Kind kinds[] = { IPC__PROXY__KIND__HTTP, IPC__PROXY__KIND__HTTPS,
		                                  IPC__PROXY__KIND__SOCKS5 };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		setup(&f, kinds[i], NULL);
		assert_fails(&f, WA_EPROXY_UNREACHABLE, "did not answer in time", 20);
		teardown(&f);
	}
}

static void test_https_proxy_must_show_its_certificate(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, IPC__PROXY__KIND__HTTPS, NULL);
	tls_peer_clear(&f.peer);
	tls_peer_init(&f.peer, "DNS:other.invalid", 3600);
	assert_fails(&f, WA_EPROXY_UNREACHABLE, "IP address mismatch", 2000);
	assert_int_equal(f.heard.len, 0); /* and no password */
	teardown(&f);
	setup(&f, IPC__PROXY__KIND__HTTPS, "user");
	f.proxy_tls = false;
	f.script_n = 1;
	f.script = &(const struct line)SAY(1, "HTTP/1.1 400 x\r\n\r\n");
	assert_fails(&f, WA_EPROXY_UNREACHABLE, "TLS", 2000);
	assert_null(memmem(f.heard.p, f.heard.len, "CONNECT", 7));
	teardown(&f);
}

static void test_dial_may_be_ended_at_any_point(void **state)
{
	static const struct line script[] = { SAY(0, OK EARLY) };
	static const Ipc__Proxy__Kind kinds[] = { IPC__PROXY__KIND__HTTP, IPC__PROXY__KIND__HTTPS };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		setup(&f, kinds[i], NULL);
		run_script(&f, script, 1);
		f.free_when_connected = true;
		dial(&f, "ws://target.invalid/", NULL, 2000);
		assert_int_equal(f.connected, 1);
		teardown(&f);
		/* passes of the loop until the next, counted, would be the last */
		for (unsigned passes = 0; passes < 12; passes++) {
			const struct wk_dial_ops ops = { on_resolved, on_connected, on_failed };
			struct wk_dial_params params = { .host = "h", .port = 1, .connect_ms = 20 };

			setup(&f, kinds[i], NULL);
			run_script(&f, script, 1);
			f.free_when_connected = true;
			params.base = f.base;
			params.proxy = &f.settings;
			params.tls = f.tls;
			params.ca_file = f.peer.ca_file;
			assert_int_equal(wk_dial_new(&params, &ops, &f, &f.dial), 0);
			for (unsigned n = 0; n < passes; n++)
				(void)event_base_loop(f.base, EVLOOP_NONBLOCK);
			teardown(&f);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_tunnel_loses_no_byte),
		cmocka_unit_test(test_tls_inside_a_http_tunnel),
		cmocka_unit_test(test_socks_tunnel_loses_no_byte),
		cmocka_unit_test(test_https_tunnel_loses_no_byte),
		cmocka_unit_test(test_tls_inside_tls),
		cmocka_unit_test(test_target_s_certificate_counts_inside_a_tunnel),
		cmocka_unit_test(test_refusals_of_a_proxy_are_told_and_not_gone_around),
		cmocka_unit_test(test_dead_proxy_is_unreachable),
		cmocka_unit_test(test_proxy_that_never_answers_is_left_in_time),
		cmocka_unit_test(test_https_proxy_must_show_its_certificate),
		cmocka_unit_test(test_dial_may_be_ended_at_any_point),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the worker does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
