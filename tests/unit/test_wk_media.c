/* tests/unit/test_wk_media.c - files fetched from a server inside the test, verified, opened */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "http_server.h"
#include "worker/history/wk_media.h"
#include "worker/process/wk_hand.h"
#include "worker/session/wk_failure.h"
#include "worker/wa/history/wa_media.h"
#include "worker/wa/node/wa_node.h"

#define FILE_LEN 100000
#define PATH "/v/t62.7118-24/1_n.enc?ccb=11-4&oh=01_Q5&oe=66"

struct fixture {
	struct event_base *base;
	struct http_server *server;
	struct wk_url chat;
	struct wk_media *media;
	bool answers_hosts; /* ask_hosts says yes */
	unsigned asked;
	uint8_t key[32], plain[FILE_LEN], sha256[32], enc_sha256[32];
	struct buf stored;
	/* what came */
	struct buf got, raw;
	unsigned begun, calls;
	uint64_t in_hand;
	int sink_rc;
	bool done;
	struct wk_failure f;
	struct wk_media_get *get;
};

static const struct wk_proxy *no_proxy(void *arg)
{
	(void)arg;
	return NULL;
}

static bool ask_hosts(void *arg)
{
	struct fixture *f = arg;

	f->asked++;
	return f->answers_hosts;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct wk_media_params p = { .log = NULL, .speed = 10 };
	char url[64];

	f->base = event_base_new();
	f->server = http_server_new(f->base);
	(void)snprintf(url, sizeof(url), "ws://127.0.0.1:%u/ws/chat", http_server_port(f->server));
	assert_int_equal(wk_url_parse(url, &f->chat), 0);
	p.base = f->base;
	p.chat = &f->chat;
	p.origin = "https://web.whatsapp.com";
	p.proxy = no_proxy;
	p.ask_hosts = ask_hosts;
	p.arg = f;
	assert_int_equal(wk_media_new(&p, &f->media), 0);
	memset(f->key, 7, sizeof(f->key));
	for (size_t i = 0; i < FILE_LEN; i++)
		f->plain[i] = (uint8_t)(i * 31 + i / 251);
	assert_int_equal(wa_media_encrypt(f->key, WA_MEDIA_IMAGE, f->plain, FILE_LEN, &f->stored,
	                                  f->sha256, f->enc_sha256),
	                 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wk_media_free(f->media);
	http_server_free(f->server);
	event_base_free(f->base);
	buf_free(&f->stored);
	buf_free(&f->got);
	buf_free(&f->raw);
	free(f);
	return 0;
}

/* in_hand: what was in hand at every callback; 0: there was another. */
static void note_hand(struct fixture *f)
{
	uint64_t hand = wk_hand_take(0);

	(void)wk_hand_take(hand);
	f->in_hand = f->calls++ > 0 && f->in_hand != hand ? 0 : hand;
}

static int on_begin(void *arg)
{
	struct fixture *f = arg;

	note_hand(f);
	f->begun++;
	buf_reset(&f->got);
	buf_reset(&f->raw);
	return 0;
}

static int on_data(void *arg, const uint8_t *data, size_t data_len)
{
	struct fixture *f = arg;

	note_hand(f);
	return f->sink_rc < 0 ? f->sink_rc : buf_append(&f->got, data, data_len);
}

static int on_stored(void *arg, const uint8_t *data, size_t data_len)
{
	struct fixture *f = arg;

	return buf_append(&f->raw, data, data_len);
}

static void on_done(const struct wk_failure *failure, void *arg)
{
	struct fixture *f = arg;

	assert_false(f->done);
	note_hand(f);
	f->done = true;
	f->f = *failure;
	(void)event_base_loopbreak(f->base);
}

static const struct wk_media_ops ops = {
	.on_begin = on_begin,
	.on_data = on_data,
	.on_stored = on_stored,
	.on_done = on_done,
};

static struct wk_media_file file_of(const struct fixture *f)
{
	return (struct wk_media_file){
		.kind = WA_MEDIA_IMAGE,
		.media_key = f->key,
		.direct_path = PATH,
		.sha256 = f->sha256,
		.enc_sha256 = f->enc_sha256,
		.has_len = true,
		.len = FILE_LEN,
		.len_max = 1u << 20,
		.deadline_ms = 600000, /* a minute here: patient where all goes well */
	};
}

static void fetch(struct fixture *f, const struct wk_media_file *file)
{
	assert_int_equal(wk_media_fetch(f->media, file, &ops, f, &f->get), 0);
	assert_false(f->done);
	(void)event_base_dispatch(f->base);
	assert_true(f->done);
}

static void assert_got_it(const struct fixture *f)
{
	assert_int_equal(f->f.rc, 0);
	assert_int_equal(f->got.len, FILE_LEN);
	assert_memory_equal(f->got.p, f->plain, FILE_LEN);
	assert_int_equal(f->raw.len, f->stored.len);
	assert_memory_equal(f->raw.p, f->stored.p, f->stored.len);
}

static void test_a_file_is_fetched_verified_and_opened(void **state)
{
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);
	const char *request;

	http_server_say_body(f->server, f->stored.p, f->stored.len);
	fetch(f, &file);
	assert_got_it(f);
	request = http_server_request(f->server, 0);
	assert_memory_equal(request, "GET " PATH "&hash=", strlen("GET " PATH "&hash="));
	assert_non_null(strstr(request, "&mms-type=image&__wa-mms= HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "\r\nOrigin: https://web.whatsapp.com\r\n"));
	assert_non_null(strstr(request, "\r\nConnection: close\r\n"));
}

/* Should it be what a worker dies of, it is known whose work it was. */
static void test_it_is_in_hand_while_it_is_opened(void **state)
{
	struct fixture *f = *state;
	struct wk_media_file file = file_of(f);

	http_server_say_body(f->server, f->stored.p, f->stored.len);
	file.hand = 4711;
	fetch(f, &file);
	assert_int_equal(f->f.rc, 0);
	assert_true(f->in_hand == 4711);
	assert_true(wk_hand_take(0) == 0);
}

/* In chunks of 1000 bytes. */
static void test_a_chunked_body_is_the_same_file(void **state)
{
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);
	struct buf b = { 0 };

	assert_int_equal(
	    buf_append_str(&b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0);
	for (size_t i = 0, n; i < f->stored.len; i += n) {
		n = f->stored.len - i < 1000 ? f->stored.len - i : 1000;
		assert_int_equal(buf_appendf(&b, "%zx\r\n", n), 0);
		assert_int_equal(buf_append(&b, f->stored.p + i, n), 0);
		assert_int_equal(buf_append_str(&b, "\r\n"), 0);
	}
	assert_int_equal(buf_append_str(&b, "0\r\n\r\n"), 0);
	http_server_say(f->server, b.p, b.len, false);
	buf_free(&b);
	fetch(f, &file);
	assert_got_it(f);
}

static void test_a_cut_answer_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);
	struct buf b = { 0 };

	assert_int_equal(
	    buf_appendf(&b, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", f->stored.len), 0);
	assert_int_equal(buf_append(&b, f->stored.p, f->stored.len / 2), 0);
	http_server_say(f->server, b.p, b.len, false);
	buf_free(&b);
	http_server_say_status(f->server, 503);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	fetch(f, &file);
	assert_got_it(f);
	assert_int_equal(f->begun, 3);
	assert_int_equal(http_server_requests(f->server), 3);
}

static void test_a_file_that_is_gone_is_said_to_be(void **state)
{
	static const unsigned statuses[] = { 403, 404, 410 };

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct fixture *f;
		struct wk_media_file file;

		if (i > 0)
			(void)setup(state);
		f = *state;
		file = file_of(f);
		http_server_say_status(f->server, statuses[i]);
		fetch(f, &file);
		assert_int_equal(f->f.rc, WA_EMEDIA_GONE);
		assert_int_equal(http_server_requests(f->server), 1);
		if (i + 1 < ARRAY_LEN(statuses))
			(void)teardown(state);
	}
}

static void test_redirects_are_not_followed(void **state)
{
	static const char answer[] = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
	                             "Content-Length: 0\r\n\r\n";
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);

	http_server_say(f->server, answer, strlen(answer), false);
	fetch(f, &file);
	assert_int_equal(f->f.rc, WA_ENETWORK);
	assert_int_equal(http_server_requests(f->server), 1);
}

static void test_another_file_is_refused_at_once(void **state)
{
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);

	f->stored.p[5000] ^= 1;
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	fetch(f, &file);
	assert_int_equal(f->f.rc, WA_EAUTH);
	assert_int_equal(http_server_requests(f->server), 1);
}

static void test_a_wrong_plaintext_hash_is_refused(void **state)
{
	struct fixture *f = *state;
	struct wk_media_file file = file_of(f);
	uint8_t other[32] = { 1 };

	file.sha256 = other;
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	fetch(f, &file);
	assert_int_equal(f->f.rc, WA_EAUTH);
}

static void test_what_is_too_large_is_not_asked_for(void **state)
{
	struct fixture *f = *state;
	struct wk_media_file file = file_of(f);

	file.len_max = FILE_LEN - 1;
	fetch(f, &file);
	assert_int_equal(f->f.rc, WA_ELIMIT);
	assert_int_equal(http_server_requests(f->server), 0);
}

/* It says a length that is fine, and sends more; or says none at all. */
static void test_a_body_over_the_limit_is_cut_off(void **state)
{
	struct fixture *f = *state;
	struct wk_media_file file = file_of(f);
	struct buf b = { 0 };

	file.has_len = false;
	file.len_max = 5000;
	assert_int_equal(buf_append_str(&b, "HTTP/1.1 200 OK\r\n\r\n"), 0);
	assert_int_equal(buf_append(&b, f->stored.p, f->stored.len), 0);
	http_server_say(f->server, b.p, b.len, true);
	buf_free(&b);
	fetch(f, &file);
	assert_int_equal(f->f.rc, WA_ELIMIT);
	assert_true(f->got.len <= 5000 + 32);
}

static void test_a_server_that_falls_silent_does_not_hold_it_up(void **state)
{
	struct fixture *f = *state;
	struct wk_media_file file = file_of(f);
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 100026\r\n\r\nabc";

	file.deadline_ms = 2000; /* 200 ms */
	http_server_say(f->server, head, strlen(head), true);
	http_server_say(f->server, head, strlen(head), true);
	http_server_say(f->server, head, strlen(head), true);
	fetch(f, &file);
	assert_int_equal(f->f.rc, WA_ETIMEOUT);
}

static void test_a_file_in_the_clear_is_checked_by_its_hash(void **state)
{
	struct fixture *f = *state;
	struct wk_media_file file = file_of(f);

	file.enc_sha256 = NULL;
	http_server_say_body(f->server, f->plain, FILE_LEN);
	fetch(f, &file);
	assert_int_equal(f->f.rc, 0);
	assert_memory_equal(f->got.p, f->plain, FILE_LEN);
	assert_memory_equal(http_server_request(f->server, 0), "GET " PATH " HTTP", 20);
	f->done = false;
	f->plain[3] ^= 1;
	http_server_say_body(f->server, f->plain, FILE_LEN);
	fetch(f, &file);
	assert_int_equal(f->f.rc, WA_EAUTH);
}

static void test_a_sinks_code_ends_it(void **state)
{
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);

	f->sink_rc = -ENOSPC;
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	fetch(f, &file);
	assert_int_equal(f->f.rc, -ENOSPC);
	assert_int_equal(http_server_requests(f->server), 1);
}

static struct wa_node *media_conn(uint16_t dead_port, uint16_t port)
{
	struct wa_node *iq = wa_node_new("iq");
	struct wa_node *conn = wa_node_add(iq, "media_conn");
	struct wa_node *host;
	char text[32];

	wa_node_set(conn, "auth", "A");
	wa_node_set(conn, "ttl", "3600");
	host = wa_node_add(conn, "host");
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	wa_node_set(host, "hostname", text);
	wa_node_set(host, "type", "fallback");
	host = wa_node_add(conn, "host");
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", dead_port);
	wa_node_set(host, "hostname", text);
	wa_node_set(host, "type", "primary");
	return iq;
}

/* The primary is tried first; nobody listens at port 1. */
static void test_hosts_are_asked_for_and_the_next_one_tried(void **state)
{
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);
	struct wa_node *iq = media_conn(1, http_server_port(f->server));

	f->answers_hosts = true;
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	assert_int_equal(wk_media_fetch(f->media, &file, &ops, f, &f->get), 0);
	(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(f->asked, 1);
	assert_int_equal(f->begun, 0);
	wk_media_hosts(f->media, iq);
	wa_node_free(iq);
	(void)event_base_dispatch(f->base);
	assert_got_it(f);
	assert_int_equal(f->begun, 4); /* three times at the dead one */
	f->done = false;
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	fetch(f, &file);
	assert_int_equal(f->asked, 1); /* they are good for a while */
}

static void test_hosts_that_are_not_told_are_where_the_chat_is(void **state)
{
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);

	f->answers_hosts = true; /* but nothing comes */
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	fetch(f, &file);
	assert_got_it(f);
}

static void test_only_so_many_wait(void **state)
{
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);
	struct wk_media_get *gets[WK_MEDIA_WAITING_MAX], *g;

	for (size_t i = 0; i < WK_MEDIA_WAITING_MAX; i++)
		assert_int_equal(wk_media_fetch(f->media, &file, &ops, f, &gets[i]), 0);
	assert_int_equal(wk_media_fetch(f->media, &file, &ops, f, &g), WA_EAT_CAPACITY);
	wk_media_cancel(gets[3]);
	assert_int_equal(wk_media_fetch(f->media, &file, &ops, f, &g), 0);
}

static void test_addresses_that_are_none_are_refused(void **state)
{
	struct fixture *f = *state;
	struct wk_media_file file = file_of(f);
	struct wk_media_get *g;

	file.direct_path = "http://169.254.169.254/";
	assert_int_equal(wk_media_fetch(f->media, &file, &ops, f, &g), -EINVAL);
	file.direct_path = NULL;
	assert_int_equal(wk_media_fetch(f->media, &file, &ops, f, &g), -EINVAL);
	file.url = "https://127.0.0.1/x";
	assert_int_equal(wk_media_fetch(f->media, &file, &ops, f, &g), -EINVAL);
	file.url = "https://mmg.whatsapp.net/x";
	assert_int_equal(wk_media_fetch(f->media, &file, &ops, f, &g), 0);
	wk_media_cancel(g);
	file = file_of(f);
	file.direct_path = "/a b";
	fetch(f, &file);
	assert_int_equal(f->f.rc, WA_ENETWORK);
}

static void test_a_proxy_that_changes_begins_anew(void **state)
{
	struct fixture *f = *state;
	const struct wk_media_file file = file_of(f);

	http_server_say(f->server, "HTTP/1.1 200 OK\r\n", 17, true);
	http_server_say_body(f->server, f->stored.p, f->stored.len);
	assert_int_equal(wk_media_fetch(f->media, &file, &ops, f, &f->get), 0);
	while (http_server_requests(f->server) == 0)
		(void)event_base_loop(f->base, EVLOOP_ONCE);
	wk_media_proxy_changes(f->media);
	(void)event_base_dispatch(f->base);
	assert_got_it(f);
	assert_int_equal(f->begun, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_file_is_fetched_verified_and_opened),
		T(test_it_is_in_hand_while_it_is_opened),
		T(test_a_chunked_body_is_the_same_file),
		T(test_a_cut_answer_is_asked_for_again),
		T(test_a_file_that_is_gone_is_said_to_be),
		T(test_redirects_are_not_followed),
		T(test_another_file_is_refused_at_once),
		T(test_a_wrong_plaintext_hash_is_refused),
		T(test_what_is_too_large_is_not_asked_for),
		T(test_a_body_over_the_limit_is_cut_off),
		T(test_a_server_that_falls_silent_does_not_hold_it_up),
		T(test_a_file_in_the_clear_is_checked_by_its_hash),
		T(test_a_sinks_code_ends_it),
		T(test_hosts_are_asked_for_and_the_next_one_tried),
		T(test_hosts_that_are_not_told_are_where_the_chat_is),
		T(test_only_so_many_wait),
		T(test_addresses_that_are_none_are_refused),
		T(test_a_proxy_that_changes_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
