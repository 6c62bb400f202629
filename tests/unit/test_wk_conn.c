/* tests/unit/test_wk_conn.c - WebSocket, Noise and stanzas against a server in the same loop */
#include "test.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/codec.h"
#include "common/err.h"
#include "simulator/wire/sim_noise.h"
#include "tls_peer.h"
#include "wa_fixture.h"
#include "worker/net/wk_conn.h"
#include "worker/net/wk_tls.h"
#include "worker/session/wk_failure.h"
#include "worker/wa/node/wa_node.h"

#define NOT_AFTER 4102444800              /* 2100: these tests run by the real clock */
#define PLAIN_MAX (WA_STANZA_MAX_LEN + 1) /* with its flag byte */
#define WS_BINARY 0x2
#define WS_PONG 0xa

enum stage { UPGRADING, HEADER, HELLO, FINISH, OPEN };

struct server {
	struct fixture keys;
	struct bufferevent *bev;
	enum stage stage;
	const char *before_101;    /* NULL: nothing */
	struct buf raw, stream;    /* as it came; inside the WebSocket */
	struct buf routing, chain; /* routing: of the block in front of the header */
	struct sim_noise *noise;
	struct sim_noise_result keys_out;
	struct buf payload;
	unsigned stanzas, pongs;
};

struct world {
	struct event_base *base;
	struct wk_tls *tls;
	struct wk_url url;
	struct server server;
	struct wk_conn *conn;
	unsigned opened, ready, stanzas, bad;
	int bad_rc;
	struct wa_server_key key;
	bool secure, stop_when_ready, over;
	struct wk_failure failure;
};

/* ---- the server ---------------------------------------------------------------------------- */

static void server_send(struct server *s, uint8_t opcode, const void *data, size_t len)
{
	uint8_t head[10] = { 0x80 | opcode, 127 };
	size_t head_len = sizeof(head);

	if (len < 126) {
		head[1] = (uint8_t)len;
		head_len = 2;
	} else if (len <= UINT16_MAX) {
		head[1] = 126;
		head[2] = (uint8_t)(len >> 8);
		head[3] = (uint8_t)len;
		head_len = 4;
	} else {
		for (size_t i = 0; i < 8; i++)
			head[2 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
	}
	assert_int_equal(bufferevent_write(s->bev, head, head_len), 0);
	assert_int_equal(bufferevent_write(s->bev, data, len), 0);
}

static void server_send_frame(struct server *s, const struct buf *payload)
{
	const uint8_t head[] = { (uint8_t)(payload->len >> 16), (uint8_t)(payload->len >> 8),
		                 (uint8_t)payload->len };
	struct buf frame = { 0 };

	assert_int_equal(buf_append(&frame, head, sizeof(head)), 0);
	assert_int_equal(buf_append(&frame, payload->p, payload->len), 0);
	server_send(s, WS_BINARY, frame.p, frame.len);
	buf_free(&frame);
}

static void server_send_sealed(struct server *s, const void *plain, size_t len)
{
	struct buf sealed = { 0 };

	assert_int_equal(sim_cipher_seal(&s->keys_out.to_client, plain, len, &sealed), 0);
	server_send_frame(s, &sealed);
	buf_free(&sealed);
}

static void server_answer_upgrade(struct server *s)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	const char *end = memmem(s->raw.p, s->raw.len, "\r\n\r\n", 4);
	const char *key = memmem(s->raw.p, s->raw.len, "Sec-WebSocket-Key: ", 19);
	char text[24 + sizeof(guid)], accept[B64_CAP(20)];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_len;

	if (end == NULL)
		return;
	assert_non_null(key);
	memcpy(text, key + 19, 24);
	memcpy(text + 24, guid, sizeof(guid));
	assert_int_equal(EVP_Digest(text, strlen(text), digest, &digest_len, EVP_sha1(), NULL), 1);
	b64_encode(digest, digest_len, accept);
	evbuffer_add_printf(bufferevent_get_output(s->bev),
	                    "%sHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	                    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
	                    s->before_101 != NULL ? s->before_101 : "", accept);
	buf_drop(&s->raw, (size_t)(end - (char *)s->raw.p) + 4);
	s->stage = HEADER;
}

/* One masked frame of the client; false: it is not complete. */
static bool server_take_ws(struct server *s)
{
	const uint8_t *p = s->raw.p;
	size_t head_len = 6, len;

	if (s->raw.len < head_len)
		return false;
	assert_true(p[1] & 0x80);
	len = p[1] & 0x7f;
	if (len >= 126) {
		size_t bytes = len == 126 ? 2 : 8;

		head_len += bytes;
		if (s->raw.len < head_len)
			return false;
		len = 0;
		for (size_t i = 0; i < bytes; i++)
			len = len << 8 | p[2 + i];
	}
	if (s->raw.len < head_len + len)
		return false;
	for (size_t i = 0; i < len; i++)
		s->raw.p[head_len + i] ^= p[head_len - 4 + i % 4];
	if ((p[0] & 0xf) == WS_BINARY)
		assert_int_equal(buf_append(&s->stream, p + head_len, len), 0);
	else if ((p[0] & 0xf) == WS_PONG)
		s->pongs++;
	buf_drop(&s->raw, head_len + len);
	return true;
}

static void server_take_header(struct server *s)
{
	const uint8_t *p = s->stream.p;

	if (s->stream.len < 4)
		return;
	if (p[0] == 'E') {
		size_t len = (size_t)p[4] << 16 | (size_t)p[5] << 8 | p[6];

		assert_memory_equal(p, "ED\0\1", 4);
		assert_true(s->stream.len >= 7 + len); /* one message with the first frame */
		assert_int_equal(buf_append(&s->routing, p + 7, len), 0);
		buf_drop(&s->stream, 7 + len);
	}
	assert_memory_equal(s->stream.p, "WA\x06\x03", 4);
	buf_drop(&s->stream, 4);
	s->stage = HELLO;
}

static void server_on_frame(struct server *s, const uint8_t *p, size_t len)
{
	const struct sim_noise_server identity = {
		.identity = &s->keys.server_static,
		.chain = s->chain.p,
		.chain_len = s->chain.len,
	};
	struct buf out = { 0 };
	int rc;

	switch (s->stage) {
	case HELLO:
		rc = sim_noise_hello(s->noise, p, len, &identity, &out, &s->payload, &s->keys_out);
		assert_true(rc >= 0);
		server_send_frame(s, &out);
		s->stage = rc == 1 ? OPEN : FINISH;
		break;
	case FINISH:
		assert_int_equal(sim_noise_finish(s->noise, p, len, &s->payload, &s->keys_out), 0);
		s->stage = OPEN;
		break;
	case OPEN:
		assert_int_equal(sim_cipher_open(&s->keys_out.from_client, p, len, &out), 0);
		s->stanzas++;
		break;
	case UPGRADING:
	case HEADER:
		fail();
	}
	buf_free(&out);
}

static void on_server_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);
	struct server *s = arg;

	assert_int_equal(buf_append(&s->raw, evbuffer_pullup(in, -1), len), 0);
	(void)evbuffer_drain(in, len);
	if (s->stage == UPGRADING)
		server_answer_upgrade(s);
	while (s->stage != UPGRADING && server_take_ws(s))
		;
	if (s->stage == HEADER)
		server_take_header(s);
	while (s->stage >= HELLO && s->stream.len >= 3) {
		const uint8_t *p = s->stream.p;

		len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
		if (s->stream.len < 3 + len)
			return;
		server_on_frame(s, p + 3, len);
		buf_drop(&s->stream, 3 + len);
	}
}

static void on_server_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	(void)arg;
}

/* peer NULL: without TLS. */
static void server_init(struct server *s, struct event_base *base, int fd,
                        const struct tls_peer *peer)
{
	struct wa_keypair ephemeral;
	struct chain_spec spec;

	fixture_init(&s->keys);
	fixture_chain_spec(&s->keys, &spec);
	spec.inter.not_after = NOT_AFTER + 1;
	spec.leaf.not_after = NOT_AFTER;
	fixture_chain_pack(&spec, &s->chain);
	fixture_key(0x77, &ephemeral);
	assert_int_equal(sim_noise_new(&ephemeral, &s->noise), 0);
	if (peer == NULL)
		s->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	else
		s->bev = bufferevent_openssl_socket_new(
		    base, fd, SSL_new(peer->ctx), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	assert_non_null(s->bev);
	bufferevent_setcb(s->bev, on_server_read, NULL, on_server_event, s);
	(void)bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

static void server_clear(struct server *s)
{
	bufferevent_free(s->bev);
	sim_noise_free(s->noise);
	buf_free(&s->raw);
	buf_free(&s->stream);
	buf_free(&s->routing);
	buf_free(&s->chain);
	buf_free(&s->payload);
}

/* ---- the client ---------------------------------------------------------------------------- */

static void on_tls(void *arg)
{
	struct world *w = arg;

	assert_true(w->secure);
}

static void on_open(void *arg)
{
	struct world *w = arg;

	w->opened++;
}

static void on_ready(const struct wa_server_key *key, void *arg)
{
	struct world *w = arg;

	w->ready++;
	w->key = *key;
	if (w->stop_when_ready)
		(void)event_base_loopbreak(w->base);
}

static void on_stanza(const struct wa_node *n, void *arg)
{
	struct world *w = arg;

	assert_true(wa_node_is(n, "xmlstreamend"));
	w->stanzas++;
	(void)event_base_loopbreak(w->base);
}

static void on_bad_stanza(int rc, void *arg)
{
	struct world *w = arg;

	w->bad++;
	w->bad_rc = rc;
}

static void on_end(const struct wk_failure *f, void *arg)
{
	struct world *w = arg;

	assert_false(w->over);
	w->over = true;
	if (f != NULL)
		w->failure = *f;
	wk_conn_free(w->conn);
	w->conn = NULL;
	(void)event_base_loopbreak(w->base);
}

/* server_static NULL: XX. */
static void start_over(struct world *w, const struct tls_peer *peer, const void *routing,
                       size_t routing_len, const uint8_t *server_static, const char *before_101,
                       bool look_only)
{
	static const struct wk_conn_ops ops = {
		.on_tls = on_tls,
		.on_open = on_open,
		.on_ready = on_ready,
		.on_stanza = on_stanza,
		.on_bad_stanza = on_bad_stanza,
		.on_end = on_end,
	};
	const struct buf payload = { (uint8_t *)FIXTURE_PAYLOAD, sizeof(FIXTURE_PAYLOAD) - 1, 0 };
	struct wk_conn_params params = { .origin = "https://chat.example",
		                         .payload = &payload,
		                         .routing = routing,
		                         .routing_len = routing_len,
		                         .server_static = server_static,
		                         .look_only = look_only };
	int pair[2];

	memset(w, 0, sizeof(*w));
	w->base = event_base_new();
	assert_int_equal(wk_tls_new(&w->tls), 0);
	w->secure = peer != NULL;
	assert_int_equal(
	    wk_url_parse(w->secure ? "wss://chat.example/ws/chat" : "ws://chat.example/ws/chat",
	                 &w->url),
	    0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	server_init(&w->server, w->base, pair[1], peer);
	w->server.before_101 = before_101;
	params.tls = w->tls;
	params.url = &w->url;
	params.ca_file = peer != NULL ? peer->ca_file : NULL;
	params.noise = &w->server.keys.client_static;
	params.root = &w->server.keys.root;
	assert_int_equal(wk_conn_new(w->base, (struct wk_pipe){ pair[0], NULL }, &params, &ops, w,
	                             &w->failure, &w->conn),
	                 0);
}

static void start_as(struct world *w, const void *routing, size_t routing_len,
                     const uint8_t *server_static, const char *before_101, bool look_only)
{
	start_over(w, NULL, routing, routing_len, server_static, before_101, look_only);
}

static void start(struct world *w, const void *routing, size_t routing_len,
                  const uint8_t *server_static, const char *before_101)
{
	start_as(w, routing, routing_len, server_static, before_101, false);
}

static void run(struct world *w)
{
	const struct timeval limit = { 60, 0 };

	(void)event_base_loopexit(w->base, &limit);
	(void)event_base_dispatch(w->base);
}

static void run_until_ready(struct world *w)
{
	w->stop_when_ready = true;
	run(w);
	assert_string_equal(w->failure.detail, "");
	assert_int_equal(w->ready, 1);
	assert_int_equal(w->opened, 1);
	assert_memory_equal(w->key.pub, w->server.keys.server_static.pub, WA_KEY_LEN);
	assert_int_equal(w->key.until_unix_s, NOT_AFTER);
}

/* The client says one thing, the server another. */
static void run_exchange(struct world *w)
{
	struct wa_node *n = wa_node_new("iq");

	assert_non_null(n);
	assert_int_equal(wk_conn_send(w->conn, n), 0);
	wa_node_free(n);
	while (w->server.stanzas == 0)
		assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
	assert_int_equal(w->server.payload.len, sizeof(FIXTURE_PAYLOAD) - 1);
	assert_memory_equal(w->server.payload.p, FIXTURE_PAYLOAD, sizeof(FIXTURE_PAYLOAD) - 1);
	server_send_sealed(&w->server, "\x02", 1);
	run(w);
	assert_int_equal(w->stanzas, 1);
}

static void stop(struct world *w)
{
	wk_conn_free(w->conn);
	server_clear(&w->server);
	wk_tls_free(w->tls);
	(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	event_base_free(w->base);
}

/* ---- TLS below ----------------------------------------------------------------------------- */

static void test_over_tls_many_records_come_at_once(void **state)
{
	struct tls_peer peer;
	struct world w;

	(void)state;
	tls_peer_init(&peer, "DNS:chat.example", 3600);
	start_over(&w, &peer, NULL, 0, NULL, NULL, false);
	run_until_ready(&w);
	run_exchange(&w);
	for (int i = 0; i < 100; i++)
		server_send_sealed(&w.server, "\x02", 1);
	while (w.stanzas < 101 && !w.over)
		run(&w);
	assert_int_equal(w.stanzas, 101);
	stop(&w);
	tls_peer_clear(&peer);
}

/* libevent tells the end first. */
static void test_last_words_are_heard_before_the_end_that_came_with_them(void **state)
{
	struct tls_peer peer;
	struct world w;

	(void)state;
	tls_peer_init(&peer, "DNS:chat.example", 3600);
	start_over(&w, &peer, NULL, 0, NULL, NULL, false);
	run_until_ready(&w);
	run_exchange(&w);
	wk_conn_pause(w.conn, true);
	server_send_sealed(&w.server, "\x02", 1);
	server_send_sealed(&w.server, "\x02", 1);
	while (evbuffer_get_length(bufferevent_get_output(w.server.bev)) > 0)
		assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
	(void)SSL_shutdown(bufferevent_openssl_get_ssl(w.server.bev));
	wk_conn_pause(w.conn, false);
	while (!w.over)
		run(&w);
	assert_int_equal(w.stanzas, 3);
	assert_int_equal(w.failure.rc, WA_ENETWORK);
	stop(&w);
	tls_peer_clear(&peer);
}

/* ---- handshakes ---------------------------------------------------------------------------- */

static void test_first_login_is_xx_and_learns_the_server_s_key(void **state)
{
	struct world w;

	(void)state;
	start(&w, NULL, 0, NULL, NULL);
	run_until_ready(&w);
	run_exchange(&w);
	assert_int_equal(w.server.keys_out.handshake, SIM_HANDSHAKE_XX);
	assert_int_equal(w.server.routing.len, 0);
	stop(&w);
}

static void test_known_server_key_saves_a_round_trip(void **state)
{
	struct fixture keys;
	struct world w;

	(void)state;
	fixture_init(&keys);
	start(&w, NULL, 0, keys.server_static.pub, NULL);
	run_until_ready(&w);
	assert_int_equal(w.server.stage, OPEN);
	run_exchange(&w);
	assert_int_equal(w.server.keys_out.handshake, SIM_HANDSHAKE_IK);
	assert_memory_equal(w.server.keys_out.client_static, keys.client_static.pub, WA_KEY_LEN);
	stop(&w);
}

static void test_stale_server_key_falls_back(void **state)
{
	struct fixture keys;
	struct world w;

	(void)state;
	fixture_init(&keys);
	start(&w, NULL, 0, keys.inter_kp.pub, NULL);
	run_until_ready(&w);
	run_exchange(&w);
	assert_int_equal(w.server.keys_out.handshake, SIM_HANDSHAKE_FALLBACK);
	stop(&w);
}

static void test_routing_info_goes_in_front_and_is_not_hashed(void **state)
{
	uint8_t routing[WK_ROUTING_MAX_LEN + 1];
	struct fixture keys;
	struct world w;

	(void)state;
	fixture_init(&keys);
	memset(routing, 0xa5, sizeof(routing));
	start(&w, routing, WK_ROUTING_MAX_LEN, keys.server_static.pub, NULL);
	run_until_ready(&w);
	run_exchange(&w);
	assert_int_equal(w.server.routing.len, WK_ROUTING_MAX_LEN);
	assert_memory_equal(w.server.routing.p, routing, WK_ROUTING_MAX_LEN);
	stop(&w);
	start(&w, routing, sizeof(routing), NULL, NULL); /* does not fit: left out */
	run_until_ready(&w);
	assert_int_equal(w.server.routing.len, 0);
	stop(&w);
}

static void test_interim_answers_are_passed_over(void **state)
{
	struct world w;

	(void)state;
	start(&w, NULL, 0, NULL,
	      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 x\r\n\r\n");
	run_until_ready(&w);
	stop(&w);
}

static void test_server_that_can_t_prove_itself_gets_no_payload(void **state)
{
	struct world w;

	(void)state;
	start(&w, NULL, 0, NULL, NULL);
	w.server.chain.p[w.server.chain.len - 1] ^= 1;
	run(&w);
	assert_true(w.over);
	assert_int_equal(w.failure.rc, WA_EHANDSHAKE);
	assert_int_equal(w.ready, 0);
	assert_int_equal(w.server.payload.len, 0);
	stop(&w);
}

static void test_who_only_looks_says_nothing_of_itself(void **state)
{
	const struct timeval while_ = { .tv_usec = 50000 };
	struct world w;

	(void)state;
	start_as(&w, NULL, 0, NULL, NULL, true);
	run_until_ready(&w);
	(void)event_base_loopexit(w.base, &while_);
	(void)event_base_dispatch(w.base);
	assert_int_equal(w.server.stage, FINISH); /* which it waits for in vain */
	assert_int_equal(w.server.raw.len, 0);
	assert_int_equal(w.server.payload.len, 0);
	stop(&w);
}

static void test_who_only_looks_sees_a_false_server(void **state)
{
	struct world w;

	(void)state;
	start_as(&w, NULL, 0, NULL, NULL, true);
	w.server.chain.p[w.server.chain.len - 1] ^= 1;
	run(&w);
	assert_int_equal(w.failure.rc, WA_EHANDSHAKE);
	assert_int_equal(w.ready, 0);
	stop(&w);
}

/* ---- memory ---- */

int __real_wa_stanza_decode(const uint8_t *plain, size_t plain_len, struct wa_node **node_out);
int __wrap_wa_stanza_decode(const uint8_t *plain, size_t plain_len, struct wa_node **node_out);
static bool no_memory;

int __wrap_wa_stanza_decode(const uint8_t *plain, size_t plain_len, struct wa_node **node_out)
{
	return no_memory ? -ENOMEM : __real_wa_stanza_decode(plain, plain_len, node_out);
}

/* It may be a message: passed over, it would be missing until the next login. */
static void test_without_memory_for_a_stanza_the_stream_ends(void **state)
{
	struct world w;

	(void)state;
	start(&w, NULL, 0, NULL, NULL);
	run_until_ready(&w);
	while (w.server.stage != OPEN)
		assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
	no_memory = true;
	server_send_sealed(&w.server, "\x02", 1);
	run(&w);
	no_memory = false;
	assert_int_equal(w.failure.rc, WA_EWORKER_CRASHED); /* as every want of memory */
	assert_int_equal(w.bad, 0);
	stop(&w);
}

/* ---- limits -------------------------------------------------------------------------------- */

static void test_longest_stanza_is_taken_and_a_longer_frame_ends_it(void **state)
{
	uint8_t *plain = calloc(1, PLAIN_MAX + 1);
	struct world w;

	(void)state;
	assert_non_null(plain);
	start(&w, NULL, 0, NULL, NULL);
	run_until_ready(&w);
	while (w.server.stage != OPEN)
		assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
	server_send_sealed(&w.server, plain, PLAIN_MAX);
	server_send_sealed(&w.server, "\x02", 1);
	run(&w);
	assert_string_equal(w.failure.detail, "");
	assert_int_equal(w.bad, 1); /* zeros are no stanza, but the stream goes on */
	assert_int_equal(w.stanzas, 1);
	server_send_sealed(&w.server, plain, PLAIN_MAX + 1);
	run(&w);
	assert_int_equal(w.failure.rc, WA_EPROTO);
	stop(&w);
	free(plain);
}

static void test_peer_that_never_reads_is_left(void **state)
{
	static uint8_t bulk[64 * 1024];
	struct wa_node *n = wa_node_new("message");
	struct world w;
	size_t sent = 0;
	int rc;

	(void)state;
	assert_non_null(n);
	wa_node_set_bytes(n, bulk, sizeof(bulk));
	start(&w, NULL, 0, NULL, NULL);
	run_until_ready(&w);
	(void)bufferevent_disable(w.server.bev, EV_READ);
	while ((rc = wk_conn_send(w.conn, n)) == 0)
		assert_true((sent += sizeof(bulk)) < 2 * WK_UNSENT_MAX);
	assert_int_equal(rc, WA_ESTATE);
	assert_true(sent >= WK_UNSENT_MAX);
	assert_false(w.over); /* told by the loop, not inside the call */
	run(&w);
	assert_true(w.over);
	assert_int_equal(w.failure.rc, WA_ENETWORK);
	assert_non_null(strstr(w.failure.detail, "does not read"));
	wa_node_free(n);
	stop(&w);
}

static void test_pings_of_a_peer_that_never_reads_do_not_pile_up(void **state)
{
	static const uint8_t ping[125];
	struct world w;
	size_t sent = 0;

	(void)state;
	start(&w, NULL, 0, NULL, NULL);
	run_until_ready(&w);
	(void)bufferevent_disable(w.server.bev, EV_READ);
	while (!w.over) {
		for (unsigned i = 0; i < 1000; i++)
			server_send(&w.server, 0x9, ping, sizeof(ping));
		sent += 1000 * sizeof(ping);
		assert_true(sent < 4 * WK_UNSENT_MAX);
		(void)event_base_loop(w.base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(w.failure.rc, WA_ENETWORK);
	stop(&w);
}

static void test_pings_are_answered(void **state)
{
	struct world w;

	(void)state;
	start(&w, NULL, 0, NULL, NULL);
	run_until_ready(&w);
	server_send(&w.server, 0x9, "x", 1);
	while (w.server.pongs == 0)
		assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
	stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_over_tls_many_records_come_at_once),
		cmocka_unit_test(test_last_words_are_heard_before_the_end_that_came_with_them),
		cmocka_unit_test(test_first_login_is_xx_and_learns_the_server_s_key),
		cmocka_unit_test(test_known_server_key_saves_a_round_trip),
		cmocka_unit_test(test_stale_server_key_falls_back),
		cmocka_unit_test(test_routing_info_goes_in_front_and_is_not_hashed),
		cmocka_unit_test(test_interim_answers_are_passed_over),
		cmocka_unit_test(test_server_that_can_t_prove_itself_gets_no_payload),
		cmocka_unit_test(test_who_only_looks_says_nothing_of_itself),
		cmocka_unit_test(test_who_only_looks_sees_a_false_server),
		cmocka_unit_test(test_without_memory_for_a_stanza_the_stream_ends),
		cmocka_unit_test(test_longest_stanza_is_taken_and_a_longer_frame_ends_it),
		cmocka_unit_test(test_peer_that_never_reads_is_left),
		cmocka_unit_test(test_pings_of_a_peer_that_never_reads_do_not_pile_up),
		cmocka_unit_test(test_pings_are_answered),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the worker does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
