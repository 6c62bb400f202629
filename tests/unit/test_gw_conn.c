/* tests/unit/test_gw_conn.c - connections: one request at a time, deadlines, limits, the way out */
#include "http_client.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/http/gw_conn.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define BODY_MAX 64
#define ANSWER_MAX 200000
#define HUGE_LEN ((size_t)3 << 20)

/* Short enough for a test; everything not under test is far away. */
static const struct gw_conn_times far = { 5000, 5000, 1000, 5000, 5000, 200 };

struct fixture {
	struct event_base *base;
	struct gw_conns *conns;
	struct gw_conn_times times;
	struct gw_conn *waiting; /* of a request for /wait */
	unsigned requests_n;
	unsigned gone_n;
	unsigned full_n;
	unsigned room_n;
	char data[64]; /* of an upgraded connection */
	size_t body_len;
	size_t out_max;
};

static void on_gone(void *arg)
{
	struct fixture *f = arg;

	f->gone_n++;
	f->waiting = NULL;
}

static bool wants_body(struct gw_conn *c, uint64_t *body_max, void *arg)
{
	(void)body_max;
	(void)arg;
	return strcmp(gw_gate_target(gw_conn_head(c)), "/drop") != 0;
}

static void answer(struct gw_conn *c, int status, const char *body, size_t len)
{
	const struct gw_answer a = { .status = status, .body = body, .body_len = len };

	gw_conn_answer(c, &a);
}

static void on_request(struct gw_conn *c, void *arg)
{
	struct fixture *f = arg;
	const char *target = gw_gate_target(gw_conn_head(c));
	static char big[HUGE_LEN];

	f->requests_n++;
	f->body_len = gw_conn_body(c)->len;
	if (strcmp(target, "/known") == 0)
		gw_conn_mark_known(c);
	if (strncmp(target, "/wait", 5) == 0) {
		f->waiting = c;
		gw_conn_set_owner(c, on_gone, f, strcmp(target, "/wait-hangup") == 0);
	} else if (strcmp(target, "/big") == 0) {
		memset(big, 'x', ANSWER_MAX);
		answer(c, 200, big, ANSWER_MAX);
	} else if (strcmp(target, "/huge") == 0) {
		memset(big, 'x', sizeof(big));
		answer(c, 200, big, sizeof(big));
	} else {
		answer(c, 200, target, strlen(target));
	}
}

static void on_refused(struct gw_conn *c, int status, void *arg)
{
	(void)arg;
	answer(c, status, "refused", 7);
}

static void on_full(int fd, void *arg)
{
	struct fixture *f = arg;

	f->full_n++;
	assert_int_equal(send(fd, "full", 4, MSG_NOSIGNAL), 4);
}

static void start(struct fixture *f, size_t max, size_t max_per_address)
{
	const struct gw_conns_params params = {
		.base = f->base,
		.max = max,
		.max_per_address = max_per_address,
		.times = &f->times,
		.body_max = BODY_MAX,
		.out_max = f->out_max,
		.requests_max = 5,
		.arg = f,
		.wants_body = wants_body,
		.on_request = on_request,
		.on_refused = on_refused,
		.on_full = on_full,
	};

	gw_conns_free(f->conns);
	assert_int_equal(gw_conns_new(&params, &f->conns), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	f->base = event_base_new();
	assert_non_null(f->base);
	f->times = far;
	start(f, 100, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_conns_free(f->conns);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void dial_from(struct fixture *f, const char *from, struct client *c)
{
	struct gw_addr addr = { { 0 } };
	int fds[2];

	if (from != NULL)
		assert_int_equal(gw_addr_parse(from, strlen(from), &addr), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	client_open(c, f->base, fds[1]);
	gw_conns_add(f->conns, fds[0], &addr);
}

static void dial(struct fixture *f, struct client *c)
{
	dial_from(f, NULL, c);
}

/* ---- requests and answers --------------------------------------------------- */

static void test_a_connection_serves_many_requests(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	for (int i = 0; i < 4; i++) {
		client_ask(&c, GET("/a"));
		assert_int_equal(client_status(&c), 200);
		assert_non_null(strstr(c.got, "\r\n\r\n/a"));
		assert_null(strstr(c.got, "Connection:"));
	}
	client_ask(&c, GET("/last"));
	assert_non_null(strstr(c.got, "Connection: close\r\n"));
	client_wait_closed(&c);
	client_close(&c);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c,
	            GET("/1") "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab" GET(
	                "/3") "GET /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET("/5"));
	client_wait_closed(&c);
	assert_int_equal(f->requests_n, 4);
	assert_true(strstr(c.got, "\n/1HTTP") < strstr(c.got, "\n/2HTTP"));
	assert_true(strstr(c.got, "\n/2HTTP") < strstr(c.got, "\n/3HTTP"));
	assert_non_null(strstr(c.got, "\n/4"));
	client_close(&c);
}

static bool has_waiting(void *arg)
{
	return ((struct fixture *)arg)->waiting != NULL;
}

static void test_the_next_request_waits_for_the_answer(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, GET("/wait") GET("/next"));
	test_run_until(f->base, has_waiting, f);
	test_run_due(f->base);
	assert_int_equal(f->requests_n, 1);
	answer(f->waiting, 200, "late", 4);
	c.want = 1;
	test_run_until(f->base, client_has_want, &c);
	assert_int_equal(f->requests_n, 2);
	while (strstr(c.got, "\n/next") == NULL)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_true(strstr(c.got, "late") < strstr(c.got, "/next"));
	client_close(&c);
}

static void test_one_byte_at_a_time_is_the_same_request(void **state)
{
	static const char text[] =
	    "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
	struct fixture *f = *state;
	struct client c;
	char one[2] = "";

	dial(f, &c);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		one[0] = text[i];
		client_send(&c, one);
		test_run_due(f->base);
	}
	test_run_until(f->base, client_has_answer, &c);
	assert_int_equal(client_status(&c), 200);
	assert_int_equal(f->body_len, 5);
	client_close(&c);
}

static void test_a_body_nobody_wants_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_ask(&c, "POST /drop HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde");
	assert_int_equal(client_status(&c), 200);
	assert_int_equal(f->body_len, 0);
	client_close(&c);
}

static void test_head_has_no_body_but_its_length(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, "HEAD /abc HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	client_wait_closed(&c);
	assert_non_null(strstr(c.got, "Content-Length: 4\r\n"));
	assert_string_equal(strstr(c.got, "\r\n\r\n"), "\r\n\r\n");
	client_close(&c);
}

static void test_http_10_closes_unless_asked_not_to(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_ask(&c, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_non_null(strstr(c.got, "Connection: keep-alive\r\n"));
	client_ask(&c, "GET /a HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(c.got, "Connection: close\r\n"));
	client_wait_closed(&c);
	client_close(&c);
}

static void test_continue_is_said_only_to_who_waits_for_it(void **state)
{
	static const char head[] =
	    "POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, head);
	c.want = 25;
	test_run_until(f->base, client_has_want, &c);
	assert_string_equal(c.got, "HTTP/1.1 100 Continue\r\n\r\n");
	assert_int_equal(f->requests_n, 0);
	client_ask(&c, "ab");
	assert_int_equal(client_status(&c), 200);
	/* the body comes along: nothing to ask for */
	client_forget(&c);
	client_send(&c, "POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	                "Content-Length: 2\r\n\r\nab");
	test_run_until(f->base, client_has_answer, &c);
	assert_int_equal(client_status(&c), 200);
	assert_int_equal(client_count(&c, "100 Continue"), 0);
	/* nobody wants it: the answer comes at once, and is the last one */
	client_forget(&c);
	client_send(&c, "POST /drop HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	                "Content-Length: 2\r\n\r\n");
	client_wait_closed(&c);
	assert_int_equal(client_status(&c), 200);
	assert_int_equal(client_count(&c, "100 Continue"), 0);
	assert_int_equal(client_count(&c, "Connection: close"), 1);
	client_close(&c);
	/* too large: refused before it is sent */
	dial(f, &c);
	client_forget(&c);
	client_send(&c, "POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	                "Content-Length: 65\r\n\r\n");
	client_wait_closed(&c);
	assert_int_equal(client_status(&c), 413);
	client_close(&c);
}

static void test_a_stream_comes_in_chunks_and_the_connection_goes_on(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, GET("/wait"));
	test_run_until(f->base, has_waiting, f);
	assert_int_equal(gw_conn_stream_start(f->waiting, 200, NULL), 0);
	assert_int_equal(gw_conn_stream_piece(f->waiting, "hello", 5), 0);
	assert_int_equal(gw_conn_stream_piece(f->waiting, "0123456789abcdef", 16), 0);
	gw_conn_stream_end(f->waiting);
	while (strstr(c.got, "\r\n0\r\n\r\n") == NULL)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_non_null(strstr(c.got, "\r\n\r\n5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"));
	client_ask(&c, GET("/after"));
	assert_int_equal(client_status(&c), 200);
	client_close(&c);
}

static void test_a_stream_to_http_10_ends_with_the_connection(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, "GET /wait HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	test_run_until(f->base, has_waiting, f);
	assert_int_equal(gw_conn_stream_start(f->waiting, 200, NULL), 0);
	assert_int_equal(gw_conn_stream_piece(f->waiting, "hello", 5), 0);
	gw_conn_stream_end(f->waiting);
	client_wait_closed(&c);
	assert_non_null(strstr(c.got, "Connection: close\r\n\r\nhello"));
	client_close(&c);
}

static void on_room(void *arg)
{
	((struct fixture *)arg)->room_n++;
}

static bool has_room(void *arg)
{
	return ((struct fixture *)arg)->room_n > 0;
}

static void test_a_paced_stream_waits_for_its_client(void **state)
{
	static char big[4 << 20];
	struct fixture *f = *state;
	size_t got = 0;
	struct client c;
	char data[65536];
	int fd;

	dial(f, &c);
	fd = c.fd;
	client_send(&c, GET("/wait"));
	test_run_until(f->base, has_waiting, f);
	gw_conn_pace(f->waiting, on_room);
	assert_int_equal(gw_conn_stream_start(f->waiting, 200, NULL), 0);
	assert_true(gw_conn_has_room(f->waiting));
	/* far more than a stream may leave lying that does not wait */
	assert_int_equal(gw_conn_stream_piece(f->waiting, big, sizeof(big)), 0);
	assert_false(gw_conn_has_room(f->waiting));
	while (f->room_n == 0) {
		ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

		got += n > 0 ? (size_t)n : 0;
		event_base_loop(f->base, EVLOOP_NONBLOCK);
	}
	assert_true(gw_conn_has_room(f->waiting));
	assert_int_equal(f->gone_n, 0);
	assert_true(got > 0 && has_room(f));
	gw_conn_stream_end(f->waiting);
	client_close(&c);
}

static void on_data(const uint8_t *data, size_t data_len, void *arg)
{
	struct fixture *f = arg;

	assert_true(strlen(f->data) + data_len < sizeof(f->data));
	memcpy(f->data + strlen(f->data), data, data_len);
}

static bool has_data(void *arg)
{
	return strcmp(((struct fixture *)arg)->data, "earlylate") == 0;
}

static void test_another_protocol_on_the_same_connection(void **state)
{
	struct fixture *f = *state;
	struct buf headers = { 0 };
	struct client c;

	dial(f, &c);
	client_send(&c, GET("/wait-hangup") "early");
	test_run_until(f->base, has_waiting, f);
	assert_int_equal(buf_append_str(&headers, "Upgrade: x\r\n"), 0);
	gw_conn_pace(f->waiting, on_room);
	assert_int_equal(gw_conn_upgrade(f->waiting, &headers, on_data), 0);
	client_send(&c, "late");
	test_run_until(f->base, has_data, f);
	assert_int_equal(gw_conn_write(f->waiting, "\x81\x01x", 3), 0);
	gw_conn_upgrade_end(f->waiting);
	client_wait_closed(&c);
	assert_int_equal(client_status(&c), 101);
	assert_non_null(strstr(c.got, "\r\nUpgrade: x\r\n\r\n\x81\x01x"));
	assert_int_equal(f->requests_n, 1);
	assert_int_equal(f->gone_n, 0);
	client_close(&c);
	buf_free(&headers);
}

/* Or it could have us keep answers without end, a ping's for one. */
static void test_who_does_not_read_is_not_read(void **state)
{
	static char big[4 << 20], data[65536];
	struct fixture *f = *state;
	struct buf headers = { 0 };
	struct client c;

	dial(f, &c);
	client_send(&c, GET("/wait-hangup") "early");
	test_run_until(f->base, has_waiting, f);
	assert_int_equal(buf_append_str(&headers, "Upgrade: x\r\n"), 0);
	gw_conn_pace(f->waiting, on_room);
	assert_int_equal(gw_conn_upgrade(f->waiting, &headers, on_data), 0);
	event_del(c.ev);
	assert_int_equal(gw_conn_write(f->waiting, big, sizeof(big)), 0);
	assert_false(gw_conn_has_room(f->waiting));
	client_send(&c, "late");
	for (int i = 0; i < 10; i++)
		test_run_due(f->base);
	assert_string_equal(f->data, "early");
	while (f->room_n == 0) {
		(void)!recv(c.fd, data, sizeof(data), MSG_DONTWAIT);
		test_run_due(f->base);
	}
	test_run_until(f->base, has_data, f);
	assert_int_equal(f->gone_n, 0);
	gw_conn_upgrade_end(f->waiting);
	client_close(&c);
	buf_free(&headers);
}

/* Larger buffers are given back between requests. */
static void test_a_large_head_leaves_the_next_request_alone(void **state)
{
	struct fixture *f = *state;
	struct client c;
	char text[10000];

	dial(f, &c);
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "GET /a HTTP/1.1\r\nHost: h\r\nX: %09000d\r\n\r\n", i);
		client_ask(&c, text);
		assert_int_equal(client_status(&c), 200);
	}
	client_close(&c);
}

/* ---- the way out ------------------------------------------------------------ */

static void test_a_refusal_comes_after_the_answer_before_it(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, GET("/wait") "GET /bad HTTP/1.1\nHost: h\n\n");
	test_run_until(f->base, has_waiting, f);
	answer(f->waiting, 200, "late", 4);
	client_wait_closed(&c);
	assert_true(strstr(c.got, "late") < strstr(c.got, "HTTP/1.1 400"));
	assert_non_null(strstr(c.got, "refused"));
	assert_int_equal(f->requests_n, 1);
	client_close(&c);
}

/* Unread bytes in our receive queue would turn the close into a reset that eats the answer. */
static void test_a_refused_client_that_goes_on_sending_reads_why(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
	for (int i = 0; i < 50; i++) {
		client_send(&c, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		test_run_due(f->base);
	}
	client_wait_closed(&c);
	assert_int_equal(client_status(&c), 413);
	assert_int_equal(f->requests_n, 0);
	client_close(&c);
}

static bool no_conns(void *arg)
{
	return gw_conns_n(((struct fixture *)arg)->conns) == 0;
}

static void test_half_closed_clients_get_their_answers(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, GET("/1") GET("/2") GET("/wait"));
	assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
	test_run_until(f->base, has_waiting, f);
	test_run_due(f->base);
	answer(f->waiting, 200, "last", 4);
	client_wait_closed(&c);
	assert_int_equal(client_count(&c, "HTTP/1.1 200"), 3);
	client_close(&c);
	test_run_until(f->base, no_conns, f);
}

static bool is_gone(void *arg)
{
	return ((struct fixture *)arg)->gone_n > 0;
}

static void test_hanging_up_is_noticed_where_somebody_wants_to_know(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, GET("/wait-hangup"));
	test_run_until(f->base, has_waiting, f);
	client_close(&c);
	test_run_until(f->base, is_gone, f);
	assert_int_equal(f->gone_n, 1);
	assert_int_equal(gw_conns_n(f->conns), 0);
}

static void test_hanging_up_with_the_request_is_noticed_too(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, GET("/wait-hangup"));
	client_close(&c);
	test_run_until(f->base, is_gone, f);
	assert_int_equal(f->gone_n, 1);
}

static void test_the_end_of_everything_tells_who_waits(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, GET("/wait"));
	test_run_until(f->base, has_waiting, f);
	gw_conns_free(f->conns);
	f->conns = NULL;
	assert_int_equal(f->gone_n, 1);
	client_wait_closed(&c);
	client_close(&c);
}

static void test_draining_closes_the_idle_and_lets_the_busy_finish(void **state)
{
	struct fixture *f = *state;
	struct client idle, busy;

	dial(f, &idle);
	dial(f, &busy);
	client_ask(&idle, GET("/a"));
	client_send(&busy, GET("/wait"));
	test_run_until(f->base, has_waiting, f);
	assert_true(gw_conns_are_busy(f->conns));
	gw_conns_drain(f->conns);
	client_wait_closed(&idle);
	answer(f->waiting, 200, "bye", 3);
	client_wait_closed(&busy);
	assert_non_null(strstr(busy.got, "Connection: close\r\n"));
	assert_non_null(strstr(busy.got, "bye"));
	assert_false(gw_conns_are_busy(f->conns));
	client_close(&idle);
	client_close(&busy);
}

/* ---- deadlines -------------------------------------------------------------- */

/* Sends a byte now and then, which must not help. */
struct drip {
	struct client *c;
	struct event *ev;
	const char *text;
};

static void on_drip(evutil_socket_t fd, short what, void *arg)
{
	struct drip *d = arg;

	(void)fd;
	(void)what;
	if (*d->text != '\0' && send(d->c->fd, d->text, 1, MSG_NOSIGNAL) == 1)
		d->text++;
}

static uint64_t drip_until_closed(struct fixture *f, struct client *c, const char *text)
{
	const struct timeval every = { .tv_usec = 5000 };
	struct drip d = { .c = c, .text = text };
	uint64_t began = clock_ms();

	d.ev = event_new(f->base, -1, EV_PERSIST, on_drip, &d);
	assert_non_null(d.ev);
	assert_int_equal(event_add(d.ev, &every), 0);
	client_wait_closed(c);
	event_free(d.ev);
	return clock_ms() - began;
}

static const char endless[] =
    "GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void test_a_slow_head_ends_at_its_deadline(void **state)
{
	struct fixture *f = *state;
	struct client c;

	f->times.head = 60;
	dial(f, &c);
	assert_in_range(drip_until_closed(f, &c, endless), 40, 1000);
	assert_int_equal(client_status(&c), 408);
	client_close(&c);
}

static void test_a_silent_connection_ends_at_the_same_deadline(void **state)
{
	struct fixture *f = *state;
	struct client c;

	f->times.head = 30;
	dial(f, &c);
	client_wait_closed(&c);
	assert_int_equal(client_status(&c), 408);
	client_close(&c);
}

static void test_a_slow_body_ends_at_its_deadline(void **state)
{
	struct fixture *f = *state;
	struct client c;

	f->times.body = 50;
	dial(f, &c);
	client_send(&c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60\r\n\r\n");
	/* 200 bytes a second where 1,000 are asked for */
	assert_in_range(drip_until_closed(f, &c, endless), 30, 1000);
	assert_int_equal(client_status(&c), 408);
	assert_int_equal(f->requests_n, 0);
	client_close(&c);
}

static void test_a_body_at_the_rate_may_take_longer(void **state)
{
	struct fixture *f = *state;
	struct client c;

	/* 300 ms at 200 bytes a second: long past the first deadline, also where the machine is
	 * busy */
	f->times.body = 100;
	f->times.body_rate = 50;
	dial(f, &c);
	client_send(
	    &c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60\r\nConnection: close\r\n\r\n");
	(void)drip_until_closed(f, &c, endless);
	assert_int_equal(client_status(&c), 200);
	client_close(&c);
}

static void test_an_idle_connection_is_closed_without_a_word(void **state)
{
	struct fixture *f = *state;
	struct client c;

	f->times.keep_alive = 30;
	dial(f, &c);
	client_ask(&c, GET("/a"));
	client_forget(&c);
	client_wait_closed(&c);
	assert_int_equal(c.len, 0);
	client_close(&c);
}

static void test_the_second_head_has_its_own_deadline(void **state)
{
	struct fixture *f = *state;
	struct client c;

	f->times.head = 50;
	dial(f, &c);
	client_ask(&c, GET("/a"));
	client_forget(&c);
	assert_in_range(drip_until_closed(f, &c, endless), 30, 1000);
	assert_int_equal(client_status(&c), 408);
	client_close(&c);
}

static void test_a_client_that_does_not_read_is_closed(void **state)
{
	struct fixture *f = *state;
	struct client c;
	int small = 4096;

	f->times.write = 50;
	dial(f, &c);
	event_del(c.ev);
	(void)setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	client_send(&c, GET("/big") GET("/big") GET("/big"));
	test_run_until(f->base, no_conns, f);
	client_close(&c);
}

/* Reads until the other end closes: bytes that came. The client's buffer is smaller. */
static size_t read_all(struct client *c)
{
	size_t n = 0;

	event_add(c->ev, NULL);
	while (!c->eof) {
		n += c->len;
		client_forget(c);
		event_base_loop(c->base, EVLOOP_ONCE);
	}
	return n;
}

static void test_a_large_answer_arrives_whole(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	client_send(&c, "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	assert_in_range(read_all(&c), ANSWER_MAX, ANSWER_MAX + 200);
	client_close(&c);
}

#define GET_HUGE "GET /huge HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

static void test_a_huge_answer_waits_for_a_slow_client(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	event_del(c.ev);
	client_send(&c, GET_HUGE);
	test_run_due(f->base);
	assert_int_equal(f->requests_n, 1);
	assert_int_equal(gw_conns_n(f->conns), 1);
	assert_in_range(read_all(&c), HUGE_LEN, HUGE_LEN + 200);
	client_close(&c);
}

static void test_a_client_that_reads_at_the_rate_may_take_longer(void **state)
{
	const struct timeval past = { 0, 150000 };
	struct fixture *f = *state;
	struct client c;
	size_t n = 0;

	f->times.write = 50;
	f->times.body_rate = 1;
	dial(f, &c);
	client_send(&c, GET_HUGE);
	while (n < HUGE_LEN / 3) {
		event_base_loop(f->base, EVLOOP_ONCE);
		n += c.len;
		client_forget(&c);
	}
	event_del(c.ev); /* it has taken something, and takes no more for a while */
	event_base_loopexit(f->base, &past);
	event_base_dispatch(f->base);
	assert_int_equal(gw_conns_n(f->conns), 1);
	assert_in_range(n + read_all(&c), HUGE_LEN, HUGE_LEN + 200);
	client_close(&c);
}

static void test_what_all_clients_leave_unread_is_bounded(void **state)
{
	struct client honest, hoarder[3];
	struct fixture *f = *state;

	f->out_max = 2 * HUGE_LEN;
	start(f, 100, 0);
	dial(f, &honest);
	event_del(honest.ev);
	client_send(&honest, GET("/big"));
	for (int i = 0; i < 3; i++) {
		dial(f, &hoarder[i]);
		event_del(hoarder[i].ev);
		client_send(&hoarder[i], GET_HUGE);
		test_run_due(f->base);
	}
	assert_in_range(gw_conns_n(f->conns), 2, 3); /* who held most is gone */
	client_send(&honest, "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	assert_in_range(read_all(&honest), 2 * ANSWER_MAX, 2 * ANSWER_MAX + 400);
	client_close(&honest);
	for (int i = 0; i < 3; i++)
		client_close(&hoarder[i]);
}

/* ---- limits ----------------------------------------------------------------- */

static void test_the_oldest_without_a_token_makes_room(void **state)
{
	struct fixture *f = *state;
	struct client c[4];

	start(f, 3, 0);
	for (int i = 0; i < 3; i++)
		dial(f, &c[i]);
	client_ask(&c[0], GET("/known"));
	dial(f, &c[3]);
	client_wait_closed(&c[1]);
	assert_int_equal(gw_conns_n(f->conns), 3);
	client_ask(&c[0], GET("/a"));
	client_ask(&c[2], GET("/a"));
	client_ask(&c[3], GET("/a"));
	assert_int_equal(client_status(&c[3]), 200);
	for (int i = 0; i < 4; i++)
		client_close(&c[i]);
}

static void test_where_all_have_tokens_the_new_one_is_turned_away(void **state)
{
	struct fixture *f = *state;
	struct client c[3];

	start(f, 2, 0);
	for (int i = 0; i < 2; i++) {
		dial(f, &c[i]);
		client_ask(&c[i], GET("/known"));
	}
	dial(f, &c[2]);
	client_wait_closed(&c[2]);
	assert_string_equal(c[2].got, "full");
	assert_int_equal(f->full_n, 1);
	for (int i = 0; i < 3; i++)
		client_close(&c[i]);
}

static void test_each_address_has_its_own_limit(void **state)
{
	struct fixture *f = *state;
	struct client c[6];

	start(f, 100, 2);
	dial_from(f, "10.0.0.1", &c[0]);
	dial_from(f, "10.0.0.1", &c[1]);
	dial_from(f, "10.0.0.2", &c[2]);
	dial_from(f, "2001:db8::1", &c[3]);
	client_ask(&c[0], GET("/known"));
	dial_from(f, "10.0.0.1", &c[4]);
	client_wait_closed(&c[1]);
	client_ask(&c[4], GET("/known"));
	dial_from(f, "10.0.0.1", &c[5]);
	client_wait_closed(&c[5]);
	assert_string_equal(c[5].got, "full");
	client_ask(&c[2], GET("/a"));
	client_ask(&c[3], GET("/a"));
	assert_int_equal(client_status(&c[3]), 200);
	for (int i = 0; i < 6; i++)
		client_close(&c[i]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_connection_serves_many_requests),
		T(test_pipelined_requests_are_answered_in_order),
		T(test_the_next_request_waits_for_the_answer),
		T(test_one_byte_at_a_time_is_the_same_request),
		T(test_a_body_nobody_wants_is_dropped),
		T(test_a_large_head_leaves_the_next_request_alone),
		T(test_head_has_no_body_but_its_length),
		T(test_http_10_closes_unless_asked_not_to),
		T(test_continue_is_said_only_to_who_waits_for_it),
		T(test_a_stream_comes_in_chunks_and_the_connection_goes_on),
		T(test_a_stream_to_http_10_ends_with_the_connection),
		T(test_a_paced_stream_waits_for_its_client),
		T(test_another_protocol_on_the_same_connection),
		T(test_who_does_not_read_is_not_read),
		T(test_a_refusal_comes_after_the_answer_before_it),
		T(test_a_refused_client_that_goes_on_sending_reads_why),
		T(test_half_closed_clients_get_their_answers),
		T(test_hanging_up_is_noticed_where_somebody_wants_to_know),
		T(test_hanging_up_with_the_request_is_noticed_too),
		T(test_the_end_of_everything_tells_who_waits),
		T(test_draining_closes_the_idle_and_lets_the_busy_finish),
		T(test_a_slow_head_ends_at_its_deadline),
		T(test_a_silent_connection_ends_at_the_same_deadline),
		T(test_a_slow_body_ends_at_its_deadline),
		T(test_a_body_at_the_rate_may_take_longer),
		T(test_an_idle_connection_is_closed_without_a_word),
		T(test_the_second_head_has_its_own_deadline),
		T(test_a_client_that_does_not_read_is_closed),
		T(test_a_large_answer_arrives_whole),
		T(test_a_huge_answer_waits_for_a_slow_client),
		T(test_a_client_that_reads_at_the_rate_may_take_longer),
		T(test_what_all_clients_leave_unread_is_bounded),
		T(test_the_oldest_without_a_token_makes_room),
		T(test_where_all_have_tokens_the_new_one_is_turned_away),
		T(test_each_address_has_its_own_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
