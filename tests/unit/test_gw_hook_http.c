/* tests/unit/test_gw_hook_http.c - requests to servers that behave in one way or another, over real
 * sockets */
#include "gw_test.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>

#include "common/log.h"
#include "gateway/webhook/gw_hook_http.h"

/* What the server does with a request. */
enum manner { ANSWER, SILENT, CLOSE, FLOOD, SLOW_BODY };

struct fixture {
	struct event_base *base;
	struct gw_hook_http *http;
	struct evconnlistener *listener;
	struct bufferevent *peer[16];
	unsigned peers_n;
	uint16_t port;
	enum manner manner;
	const char *says;
	char got[4096];
	size_t requests_n;
	/* the last answer */
	unsigned answers_n;
	int status;
	uint64_t retry_after_s;
	char why[32];
};

static void on_readable(struct bufferevent *bev, void *arg)
{
	static const char flood[16384];
	struct fixture *f = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t n = evbuffer_get_length(in);

	if (n >= sizeof(f->got))
		n = sizeof(f->got) - 1;
	evbuffer_copyout(in, f->got, (ssize_t)n);
	f->got[n] = '\0';
	if (strstr(f->got, "\r\n\r\n{}") == NULL)
		return; /* not whole yet */
	evbuffer_drain(in, n);
	f->requests_n++;
	if (f->manner == ANSWER || f->manner == FLOOD || f->manner == SLOW_BODY)
		bufferevent_write(bev, f->says, strlen(f->says));
	if (f->manner == FLOOD)
		for (int i = 0; i < 64; i++)
			bufferevent_write(bev, flood, sizeof(flood));
	if (f->manner == CLOSE) {
		shutdown(bufferevent_getfd(bev), SHUT_RDWR);
		bufferevent_disable(bev, EV_READ | EV_WRITE);
	}
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
                      int len, void *arg)
{
	struct fixture *f = arg;
	struct bufferevent *bev = bufferevent_socket_new(f->base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)listener;
	(void)sa;
	(void)len;
	assert_non_null(bev);
	assert_true(f->peers_n < 16);
	f->peer[f->peers_n++] = bev;
	bufferevent_setcb(bev, on_readable, NULL, NULL, f);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void open_http(struct fixture *f, bool allow_private, uint64_t timeout_ms)
{
	gw_hook_http_free(f->http);
	assert_int_equal(gw_hook_http_new(f->base, allow_private, timeout_ms, &f->http), 0);
}

static int setup(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct fixture *f = calloc(1, sizeof(*f));
	socklen_t len = sizeof(sin);

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* of no concern to us */
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	f->base = event_base_new();
	f->listener = evconnlistener_new_bind(f->base, on_accept, f, LEV_OPT_CLOSE_ON_FREE, 16,
	                                      (struct sockaddr *)&sin, sizeof(sin));
	assert_non_null(f->listener);
	assert_int_equal(
	    getsockname(evconnlistener_get_fd(f->listener), (struct sockaddr *)&sin, &len), 0);
	f->port = ntohs(sin.sin_port);
	f->says = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	open_http(f, true, 5000);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_hook_http_free(f->http);
	for (unsigned i = 0; i < f->peers_n; i++)
		bufferevent_free(f->peer[i]);
	evconnlistener_free(f->listener);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void on_done(const struct gw_hook_answer *a, void *arg)
{
	struct fixture *f = arg;

	f->answers_n++;
	f->status = a->status;
	f->retry_after_s = a->retry_after_s;
	snprintf(f->why, sizeof(f->why), "%s", a->why != NULL ? a->why : "");
}

static bool is_answered(void *arg)
{
	return ((struct fixture *)arg)->answers_n > 0;
}

static struct gw_hook_call *begin(struct fixture *f, const char *host)
{
	struct buf body = { 0 };
	struct gw_hook_request req = { .headers = { "Content-Type: application/json",
		                                    "Expect:", "webhook-id: evt_x" },
		                       .body = &body };
	struct gw_hook_call *call = NULL;
	char url[128];

	snprintf(url, sizeof(url), "http://%s:%u/in?k=v", host, f->port);
	req.url = url;
	f->answers_n = 0;
	assert_int_equal(buf_append_str(&body, "{}"), 0);
	assert_int_equal(gw_hook_http_post(f->http, &req, on_done, f, &call), 0);
	assert_int_equal(body.len, 0);
	assert_int_equal(f->answers_n, 0); /* never from inside */
	return call;
}

static void ask(struct fixture *f, const char *host)
{
	begin(f, host);
	test_run_until(f->base, is_answered, f);
	assert_int_equal(f->answers_n, 1);
}

static void test_a_request_is_what_it_should_be(void **state)
{
	struct fixture *f = *state;

	ask(f, "127.0.0.1");
	assert_int_equal(f->status, 200);
	assert_int_equal(strncmp(f->got, "POST /in?k=v HTTP/1.1\r\n", 23), 0);
	assert_non_null(strstr(f->got, "\r\nContent-Length: 2\r\n"));
	assert_non_null(strstr(f->got, "\r\nwebhook-id: evt_x\r\n"));
	assert_non_null(strstr(f->got, "\r\nUser-Agent: Warden/"));
	assert_null(strstr(f->got, "Expect"));
	assert_null(strstr(f->got, "Transfer-Encoding"));
	ask(f, "127.0.0.1");
	assert_int_equal(f->peers_n, 1); /* the connection serves the next one, too */
}

static void test_answers_that_are_none(void **state)
{
	struct fixture *f = *state;

	f->manner = CLOSE;
	ask(f, "127.0.0.1");
	assert_int_equal(f->status, 0);
	assert_string_equal(f->why, "closed");
	open_http(f, true, 100);
	f->manner = SILENT;
	ask(f, "127.0.0.1");
	assert_int_equal(f->status, 0);
	assert_string_equal(f->why, "timeout");
	f->manner = SLOW_BODY; /* promised, and not in time */
	f->says = "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nok";
	ask(f, "127.0.0.1");
	assert_int_equal(f->status, 0);
	open_http(f, true, 5000);
	f->manner = ANSWER;
	f->says = "SMTP ready\r\n\r\n";
	ask(f, "127.0.0.1");
	assert_int_equal(f->status, 0);
	assert_string_equal(f->why, "protocol");
	evconnlistener_disable(f->listener);
	f->port = 1;
	ask(f, "127.0.0.1");
	assert_string_equal(f->why, "connect");
	ask(f, "no-such-host.invalid");
	assert_string_equal(f->why, "dns");
}

static void test_an_answer_is_its_status(void **state)
{
	struct fixture *f = *state;

	f->says =
	    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
	ask(f, "127.0.0.1");
	assert_int_equal(f->status, 302);
	assert_int_equal(f->requests_n, 1);
	f->says = "HTTP/1.1 503 No\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n";
	ask(f, "127.0.0.1");
	assert_int_equal(f->status, 503);
	assert_int_equal(f->retry_after_s, 120);
	f->says = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Nothing\r\n\r\n";
	ask(f, "127.0.0.1");
	assert_int_equal(f->status, 204);
	f->manner = FLOOD; /* more than anybody wants to read */
	f->says = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
	ask(f, "127.0.0.1");
	assert_int_equal(f->status, 200);
}

static void test_addresses_are_judged_where_they_are_connected_to(void **state)
{
	static const char *const hosts[] = { "127.0.0.1",          "127.1",           "0x7f000001",
		                             "localhost",          "hooks.localhost", "[::1]",
		                             "[::ffff:127.0.0.1]", "0.0.0.0" };
	struct fixture *f = *state;

	open_http(f, false, 5000);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		ask(f, hosts[i]);
		if (strcmp(f->why, "address_refused") != 0)
			fail_msg("%s: %d %s", hosts[i], f->status, f->why);
	}
	assert_int_equal(f->peers_n, 0);
	open_http(f, true, 5000);
	ask(f, "hooks.localhost");
	assert_int_equal(f->status, 200);
}

static void test_nobody_is_told_of_what_was_cut_off(void **state)
{
	struct fixture *f = *state;
	struct gw_hook_call *call;

	f->manner = SILENT;
	call = begin(f, "127.0.0.1");
	while (f->requests_n == 0)
		event_base_loop(f->base, EVLOOP_ONCE);
	gw_hook_http_cancel(call);
	begin(f, "127.0.0.1");
	gw_hook_http_free(f->http);
	f->http = NULL;
	test_run_due(f->base);
	assert_int_equal(f->answers_n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_a_request_is_what_it_should_be),
		T(test_answers_that_are_none),
		T(test_an_answer_is_its_status),
		T(test_addresses_are_judged_where_they_are_connected_to),
		T(test_nobody_is_told_of_what_was_cut_off),
#undef T
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
