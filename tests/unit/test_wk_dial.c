/* tests/unit/test_wk_dial.c - one way out: literals, names of /etc/hosts, refusals; no network */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "worker/net/wk_dial.h"
#include "worker/session/wk_failure.h"

struct fixture {
	struct event_base *base;
	struct wk_dial *dial;
	unsigned resolved, connected, failed;
	bool free_when_resolved;
	struct wk_failure failure;
};

static void on_resolved(void *arg)
{
	struct fixture *f = arg;

	f->resolved++;
	if (f->free_when_resolved) {
		wk_dial_free(f->dial);
		f->dial = NULL;
	}
}

static void on_connected(struct wk_pipe pipe, void *arg)
{
	struct fixture *f = arg;

	assert_true(pipe.fd >= 0);
	assert_null(pipe.bev);
	wk_pipe_close(&pipe);
	assert_int_equal(pipe.fd, -1);
	f->connected++;
	wk_dial_free(f->dial); /* allowed in every callback */
	f->dial = NULL;
}

static void on_failed(const struct wk_failure *failure, void *arg)
{
	struct fixture *f = arg;

	f->failed++;
	f->failure = *failure;
	wk_dial_free(f->dial);
	f->dial = NULL;
}

static const struct wk_dial_ops ops = {
	.on_resolved = on_resolved,
	.on_connected = on_connected,
	.on_failed = on_failed,
};

/* A listener on a loopback address; *fd_out -1 when the host has no such address. */
static uint16_t listen_on(int family, int *fd_out)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr *sa = family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
	socklen_t len = family == AF_INET ? sizeof(in) : sizeof(in6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd_out = -1;
	if (fd < 0 || bind(fd, sa, len) < 0 || listen(fd, 1) < 0 || getsockname(fd, sa, &len) < 0) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	*fd_out = fd;
	return ntohs(family == AF_INET ? in.sin_port : in6.sin6_port);
}

static void dial(struct fixture *f, const char *host, uint16_t port)
{
	struct wk_dial_params params = { .host = host, .port = port, .connect_ms = 2000 };

	params.base = f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(wk_dial_new(&params, &ops, f, &f->dial), 0);
	assert_int_equal(f->resolved + f->connected + f->failed,
	                 0); /* never from inside the call */
	(void)event_base_dispatch(f->base);
	wk_dial_free(f->dial);
	event_base_free(f->base);
}

static void test_address_needs_no_look_up(void **state)
{
	struct fixture f = { 0 };
	int fd;
	uint16_t port = listen_on(AF_INET, &fd);

	(void)state;
	dial(&f, "127.0.0.1", port);
	assert_int_equal(f.resolved, 1);
	assert_int_equal(f.connected, 1);
	assert_int_equal(f.failed, 0);
	(void)close(fd);
}

static void test_ipv6_address(void **state)
{
	struct fixture f = { 0 };
	int fd;
	uint16_t port = listen_on(AF_INET6, &fd);

	(void)state;
	if (fd < 0)
		skip(); /* no IPv6 on this host */
	dial(&f, "::1", port);
	assert_int_equal(f.connected, 1);
	(void)close(fd);
}

static void test_name_of_the_hosts_file(void **state)
{
	struct fixture f = { 0 };
	int fd;
	uint16_t port = listen_on(AF_INET, &fd);

	(void)state;
	dial(&f, "localhost", port);
	assert_int_equal(f.resolved, 1);
	assert_int_equal(f.connected, 1);
	(void)close(fd);
}

static void test_refusal_is_a_network_failure_with_the_address(void **state)
{
	struct fixture f = { 0 };
	int fd;
	uint16_t port = listen_on(AF_INET, &fd);

	(void)state;
	(void)close(fd);
	dial(&f, "127.0.0.1", port);
	assert_int_equal(f.resolved, 1);
	assert_int_equal(f.failed, 1);
	assert_int_equal(f.failure.rc, WA_ENETWORK);
	assert_non_null(strstr(f.failure.detail, "127.0.0.1:"));
	assert_non_null(strstr(f.failure.detail, "refused"));
}

static void test_dial_may_be_freed_when_resolved(void **state)
{
	struct fixture f = { .free_when_resolved = true };

	(void)state;
	dial(&f, "127.0.0.1", 9);
	assert_int_equal(f.resolved, 1);
	assert_int_equal(f.connected + f.failed, 0);
}

static void test_look_up_may_be_ended(void **state)
{
	struct wk_dial_params params = {
		.host = "no-such-name.invalid",
		.port = 9,
		.connect_ms = 2000,
	};
	struct fixture f = { 0 };

	(void)state;
	params.base = f.base = event_base_new();
	assert_int_equal(wk_dial_new(&params, &ops, &f, &f.dial), 0);
	wk_dial_free(f.dial);
	(void)event_base_dispatch(f.base); /* ends by itself: nothing is left */
	event_base_free(f.base);
	assert_int_equal(f.resolved + f.connected + f.failed, 0);
}

static void test_failure_text_is_clean_and_bounded(void **state)
{
	char longer[2 * WK_DETAIL_CAP];
	struct wk_failure f;

	(void)state;
	wk_failure_set(&f, WA_ETLS, "a\x01\xff\n%s", "b");
	assert_string_equal(f.detail, "a???b");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	wk_failure_add(&f, "%s", longer);
	assert_int_equal(strlen(f.detail), WK_DETAIL_CAP - 1);
	wk_failure_add(&f, "more");
	assert_int_equal(strlen(f.detail), WK_DETAIL_CAP - 1);
	wk_failure_set(&f, -ENOMEM, "x");
	assert_int_equal(f.rc, WA_EWORKER_CRASHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_needs_no_look_up),
		cmocka_unit_test(test_ipv6_address),
		cmocka_unit_test(test_name_of_the_hosts_file),
		cmocka_unit_test(test_refusal_is_a_network_failure_with_the_address),
		cmocka_unit_test(test_dial_may_be_freed_when_resolved),
		cmocka_unit_test(test_look_up_may_be_ended),
		cmocka_unit_test(test_failure_text_is_clean_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
