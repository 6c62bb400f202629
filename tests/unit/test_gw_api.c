/*
 * tests/unit/test_gw_api.c - the routes of an instance over a real socket: what they take, what
 * they answer
 *
 * Registry and instance are fakes: the test says what becomes of what they are asked.
 */
#include "http_client.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>

#include "common/err.h"
#include "common/log.h"
#include "gateway/api/gw_outcome.h"
#include "gateway/gw.h"
#include "gateway/http/gw_auth.h"
#include "gateway/http/gw_http.h"
#include "gateway/limit/gw_limit.h"
#include "gw_fake_core.h"

#define CODE "2@code,one,two,three,1"
#define HOST " HTTP/1.1\r\nHost: h\r\n"
#define ACME_H "token: " FAKE_ACME "\r\n"
#define SHOP_H "token: " FAKE_SHOP "\r\n"
#define EVENTS_H "Accept: text/event-stream\r\n"

/* ---- fixture ---------------------------------------------------------------- */

struct fixture {
	struct gw gw;
	char dir[TEST_DIR_CAP];
	char listen[32];
	struct client c;
	uint16_t port;
};

static void dial(struct fixture *f, struct client *c)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(f->port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr), 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	client_open(c, f->gw.base, fd);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	test_dir_make(f->dir);
	snprintf(f->listen, sizeof(f->listen), "127.0.0.1:0");
	f->gw.base = event_base_new();
	f->gw.cfg.listen = f->listen;
	f->gw.cfg.run_dir = f->dir;
	f->gw.cfg.connect_timeout_s = 60;
	f->gw.cfg.max_connections = 100;
	f->gw.cfg.max_connections_per_address = 50;
	assert_int_equal(gw_limit_new_with(1000, 1000, 10, &f->gw.limit), 0);
	fake_core_init(&f->gw);
	assert_int_equal(gw_http_start(&f->gw, &f->gw.http), 0);
	f->port = (uint16_t)atoi(strrchr(gw_http_address(f->gw.http), ':') + 1);
	dial(f, &f->c);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_http_free(f->gw.http);
	client_close(&f->c);
	gw_limit_free(f->gw.limit);
	fake_core_clear();
	free(f->gw.cfg.public_url);
	event_base_free(f->gw.base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* ---- asking ----------------------------------------------------------------- */

static void send_request(struct client *c, const char *line, const char *headers, const char *body)
{
	static char text[65536];

	snprintf(text, sizeof(text), "%s" HOST "%s%s", line, headers, body == NULL ? "\r\n" : "");
	if (body != NULL)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		         "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	client_forget(c);
	client_send(c, text);
}

static void ask(struct client *c, const char *line, const char *headers, const char *body)
{
	send_request(c, line, headers, body);
	test_run_until(c->base, client_has_answer, c);
}

static const char *body_of(const struct client *c)
{
	const char *end = strstr(c->got, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static void expect(struct client *c, int status, const char *body)
{
	if (client_status(c) != status || (body != NULL && strcmp(body_of(c), body) != 0))
		fail_msg("expected %d %s, got:\n%s", status, body == NULL ? "" : body, c->got);
}

static void expect_part(struct client *c, int status, const char *part)
{
	if (client_status(c) != status || strstr(c->got, part) == NULL)
		fail_msg("expected %d with %s, got:\n%s", status, part, c->got);
}

static bool has_header(const struct client *c, const char *line)
{
	char text[256];

	snprintf(text, sizeof(text), "\r\n%s", line);
	return strstr(c->got, text) != NULL &&
	       strstr(c->got, text) < strstr(c->got, "\r\n\r\n") + 2;
}

#define ERROR(message, code) \
	"{\"success\":false,\"error\":{\"message\":\"" message "\",\"code\":\"" code "\"}}"
#define ERROR_WHY(message, code, why) \
	"{\"success\":false,\"error\":{\"message\":\"" message "\",\"code\":\"" code \
	"\",\"detail\":\"" why "\"}}"
#define RATE "Rate limit exceeded. Try again later."

static bool is_watched(void *arg)
{
	(void)arg;
	return core.watched;
}

static bool is_unwatched(void *arg)
{
	(void)arg;
	return !core.watched;
}

/* The caller is gone, not only done with sending; another takes its place. */
static void leave(struct fixture *f)
{
	const struct linger at_once = { .l_onoff = 1 };

	assert_int_equal(setsockopt(f->c.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	client_close(&f->c);
	dial(f, &f->c);
}

static bool is_logging_out(void *arg)
{
	(void)arg;
	return core.logging_out;
}

/* A caller of connect who waits. */
static void begin(struct fixture *f, const char *query, const char *headers)
{
	char line[256], all[256];

	snprintf(line, sizeof(line), "GET /api/instance/connect/shop%s", query);
	snprintf(all, sizeof(all), SHOP_H "%s", headers);
	send_request(&f->c, line, all, NULL);
	test_run_until(f->gw.base, is_watched, NULL);
}

static void wait_answer(struct fixture *f)
{
	test_run_until(f->gw.base, client_has_answer, &f->c);
}

static void require_passkey(void)
{
	core.passkey.status = GW_PASSKEY_REQUIRED;
	core.passkey.public_key = json_pack("{s:s}", "challenge", "abc");
}

/* ---- connect ---------------------------------------------------------------- */

static void test_a_number_is_taken_as_its_digits(void **state)
{
	static const struct {
		const char *query, *digits;
	} cases[] = {
		{ "?number=5511999990000", "5511999990000" },
		{ "?number=%2B55%20(11)%2099999-0000", "5511999990000" },
		{ "?number=+55+(11)+99999-0000", "5511999990000" },
		{ "?number=1234567", "1234567" },
		{ "?number=123456789012345", "123456789012345" },
		{ "?history=7", "" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(f, cases[i].query, "");
		assert_string_equal(core.number, cases[i].digits);
		fake_core_show_pairing("ABCD-EFGH");
		wait_answer(f);
		assert_int_equal(client_status(&f->c), 200);
	}
	assert_int_equal(core.history_days, 7);
}

static void test_a_pairing_code_comes_as_json_or_text(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	begin(f, "?number=5511999990000", "");
	fake_core_show_pairing("ABCD-EFGH");
	wait_answer(f);
	json = json_loads(body_of(&f->c), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "message")),
	                    "Pairing code generated");
	assert_string_equal(json_string_value(json_object_get(json, "pairingCode")), "ABCD-EFGH");
	assert_string_equal(json_string_value(json_object_get(json, "status")), "pairing");
	assert_int_equal(json_integer_value(json_object_get(json, "expiresIn")), 60);
	assert_int_equal(strlen(json_string_value(json_object_get(json, "expiresAt"))), 24);
	assert_int_equal(json_object_size(json), 6);
	json_decref(json);
	begin(f, "?number=5511999990000", "Accept: text/plain\r\n");
	fake_core_show_pairing("ABCD-EFGH");
	wait_answer(f);
	expect(&f->c, 200, "ABCD-EFGH\n");
	assert_true(has_header(&f->c, "Content-Type: text/plain; charset=utf-8\r\n"));
	ask(&f->c, "GET /api/instance/connect/shop?number=5511999990000",
	    SHOP_H "Accept: image/png\r\n", NULL);
	expect_part(&f->c, 406, "\"Not acceptable\",\"code\":\"not_acceptable\"");
}

static bool has_end_of_stream(void *arg)
{
	return strstr(((struct client *)arg)->got, "\r\n0\r\n\r\n") != NULL;
}

static void test_who_is_online_needs_no_code(void **state)
{
	static const char body[] = "{\"success\":true,\"message\":\"Instance already connected\","
	                           "\"status\":\"connected\",\"numberJid\":\"" FAKE_JID "\"}";
	struct fixture *f = *state;

	core.linked = true;
	core.state = GW_CONNECTED;
	begin(f, "", "Accept: image/png\r\n");
	fake_core_tell(GW_WATCH_CONNECTED, NULL);
	wait_answer(f);
	expect(&f->c, 200, body);
	begin(f, "", EVENTS_H);
	fake_core_tell(GW_WATCH_CONNECTED, NULL);
	test_run_until(f->gw.base, has_end_of_stream, &f->c);
	assert_non_null(strstr(f->c.got, "\r\nevent: connected\ndata: {\"success\":true,"));
	assert_int_equal(client_count(&f->c, "event: "), 1);
	/* offline: the answer is what comes of the try */
	core.state = GW_CONNECTING;
	begin(f, "", "Accept: text/plain\r\n");
	fake_core_tell(GW_WATCH_CONNECTING, NULL);
	fake_core_tell(GW_WATCH_CONNECTED, NULL);
	wait_answer(f);
	expect(&f->c, 200, body);
}

static void test_a_passkey_step_is_an_answer(void **state)
{
	struct fixture *f = *state;

	begin(f, "", "Accept: image/png\r\n");
	require_passkey();
	fake_core_tell(GW_WATCH_PASSKEY, NULL);
	wait_answer(f);
	expect(&f->c, 200,
	       "{\"success\":true,\"message\":\"Passkey required\",\"status\":\"passkey\","
	       "\"passkey\":{\"status\":\"required\",\"publicKey\":{\"challenge\":\"abc\"},"
	       "\"confirmationCode\":null}}");
	/* answered, but the phone has not shown its code yet: the caller waits for it */
	begin(f, "", "");
	core.passkey.status = GW_PASSKEY_CONFIRM;
	fake_core_tell(GW_WATCH_PASSKEY, NULL);
	assert_true(core.watched);
	memcpy(core.passkey.code, "ABCD-EFGH", 10);
	fake_core_tell(GW_WATCH_PASSKEY, NULL);
	wait_answer(f);
	expect_part(&f->c, 200, "\"confirmationCode\":\"ABCD-EFGH\"");
	begin(f, "", "");
	core.passkey.status = GW_PASSKEY_DONE;
	fake_core_tell(GW_WATCH_PASSKEY, NULL);
	assert_true(core.watched);
	fake_core_tell(GW_WATCH_CONNECTED, NULL);
	wait_answer(f);
	expect_part(&f->c, 200, "\"status\":\"connected\"");
}

static void test_too_many_codes_are_429(void **state)
{
	struct fixture *f = *state;
	struct gw_reason throttled = { .rc = WA_ETHROTTLED };

	core.connect_rc = WA_ERATE_LIMITED;
	core.wait_s = 42;
	for (int i = 0; i < 2; i++) { /* a stream has not begun then */
		ask(&f->c, "GET /api/instance/connect/shop?number=5511999990000",
		    i == 0 ? SHOP_H : SHOP_H EVENTS_H, NULL);
		expect(&f->c, 429,
		       ERROR_WHY(RATE, "rate_limited",
		                 "a number gets one new pairing code per minute"));
		assert_true(has_header(&f->c, "Retry-After: 42\r\n"));
		assert_true(has_header(&f->c, "X-RateLimit-Remaining: "));
	}
	core.connect_rc = 0;
	begin(f, "?number=5511999990000", "");
	fake_core_tell(GW_WATCH_FAILED, &throttled);
	wait_answer(f);
	expect(&f->c, 429, ERROR(RATE, "whatsapp_throttled"));
	assert_true(has_header(&f->c, "Retry-After: 3600\r\n"));
	throttled.retry_after_s = 90;
	begin(f, "?number=5511999990000", "");
	fake_core_tell(GW_WATCH_FAILED, &throttled);
	wait_answer(f);
	assert_true(has_header(&f->c, "Retry-After: 90\r\n"));
}

static void test_waiting_for_a_session_ends_in_its_own_words(void **state)
{
	struct fixture *f = *state;

	f->gw.cfg.connect_timeout_s = 0;
	core.linked = true;
	ask(&f->c, "GET /api/instance/connect/shop", SHOP_H, NULL);
	expect(&f->c, 500,
	       ERROR_WHY("Failed to generate QR code", "timeout", "not online within 0 s"));
	core.linked = false;
	ask(&f->c, "GET /api/instance/connect/shop", SHOP_H, NULL);
	expect(&f->c, 500,
	       ERROR_WHY("Failed to generate QR code", "timeout", "no code within 0 s"));
}

/* The names of the events of a stream, in order, each with a space behind. */
static void event_names(const struct client *c, char *out, size_t out_cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (const char *p = c->got; (p = strstr(p, "event: ")) != NULL;) {
		p += 7;
		len +=
		    (size_t)snprintf(out + len, out_cap - len, "%.*s ", (int)strcspn(p, "\n"), p);
	}
}

static void test_a_stream_tells_every_event(void **state)
{
	struct fixture *f = *state;
	char names[256];

	begin(f, "?number=5511999990000", EVENTS_H);
	fake_core_tell(GW_WATCH_CONNECTING, NULL); /* it has been told that */
	fake_core_show_qr(CODE);
	fake_core_show_pairing("ABCD-EFGH");
	require_passkey();
	fake_core_tell(GW_WATCH_PASSKEY, NULL);
	core.passkey.status = GW_PASSKEY_CONFIRM;
	fake_core_tell(GW_WATCH_PASSKEY, NULL); /* no code to compare yet */
	memcpy(core.passkey.code, "WXYZ-1234", 10);
	fake_core_tell(GW_WATCH_PASSKEY, NULL);
	core.passkey.status = GW_PASSKEY_DONE;
	fake_core_tell(GW_WATCH_PASSKEY, NULL);
	fake_core_tell(GW_WATCH_CONNECTING, NULL);
	core.linked = true;
	fake_core_tell(GW_WATCH_CONNECTED, NULL);
	test_run_until(f->gw.base, has_end_of_stream, &f->c);
	event_names(&f->c, names, sizeof(names));
	assert_string_equal(names,
	                    "connecting qr pairing passkey passkey_confirm connecting connected ");
	assert_non_null(strstr(f->c.got, "\"pairingCode\":\"ABCD-EFGH\""));
	assert_non_null(strstr(f->c.got, "\"confirmationCode\":\"WXYZ-1234\""));
	assert_non_null(strstr(f->c.got, "\"numberJid\":\"" FAKE_JID "\""));
}

static void test_a_stream_ends_with_its_failure(void **state)
{
	const struct gw_reason throttled = { .rc = WA_ETHROTTLED };
	const struct gw_reason timeout = { .rc = WA_ECODE_TIMEOUT };
	struct fixture *f = *state;

	begin(f, "", EVENTS_H);
	fake_core_tell(GW_WATCH_FAILED, &throttled);
	test_run_until(f->gw.base, has_end_of_stream, &f->c);
	expect_part(&f->c, 200, "event: failed\ndata: " ERROR(RATE, "whatsapp_throttled") "\n\n");
	begin(f, "", EVENTS_H);
	fake_core_tell(GW_WATCH_TIMEOUT, &timeout);
	test_run_until(f->gw.base, has_end_of_stream, &f->c);
	expect_part(&f->c, 200, "event: timeout\ndata: {\"success\":false");
}

static void end_token(const char *token)
{
	uint8_t hash[GW_TOKEN_HASH_LEN];

	gw_token_hash(token, strlen(token), hash);
	core.token_end(hash, core.token_end_arg);
}

#define ENDED \
	ERROR_WHY("Invalid token", "invalid_token", "the token was replaced by a new one meanwhile")

static void test_who_waits_with_a_token_that_ends_goes_with_it(void **state)
{
	struct fixture *f = *state;

	begin(f, "", EVENTS_H);
	end_token(FAKE_ACME); /* another token */
	assert_true(core.watched);
	end_token(FAKE_SHOP);
	assert_false(core.watched);
	test_run_until(f->gw.base, has_end_of_stream, &f->c);
	expect_part(&f->c, 200, "event: failed\ndata: " ENDED "\n\n");
	begin(f, "", "");
	end_token(FAKE_SHOP);
	assert_false(core.watched);
	test_run_until(f->gw.base, client_has_answer, &f->c);
	expect(&f->c, 401, ENDED);
	end_token(FAKE_SHOP); /* nobody is left */
}

static void test_a_change_outlives_its_token(void **state)
{
	struct fixture *f = *state;

	send_request(&f->c, "DELETE /api/instance/logout/shop", ACME_H, NULL);
	test_run_until(f->gw.base, is_logging_out, NULL);
	end_token(FAKE_ACME);
	assert_true(core.logging_out);
	fake_core_logged_out(NULL);
	test_run_until(f->gw.base, client_has_answer, &f->c);
	assert_int_equal(client_status(&f->c), 200);
}

static void test_a_caller_that_leaves_is_forgotten(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		begin(f, "", i == 0 ? "" : EVENTS_H);
		leave(f);
		test_run_until(f->gw.base, is_unwatched, NULL);
	}
}

/* ---- reconnect, logout, delete ----------------------------------------------- */

static void test_reconnect_says_what_comes_of_it(void **state)
{
	static const struct {
		int rc;
		int status;
		const char *body;
	} cases[] = {
		{ 0, 200,
		  "{\"success\":true,\"message\":\"Reconnect "
		  "initiated\",\"status\":\"connecting\"}" },
		{ 1, 200,
		  "{\"success\":true,\"message\":\"Reconnect "
		  "initiated\",\"status\":\"connected\"}" },
		{ WA_ENO_SESSION, 400,
		  ERROR("Instance has no saved session \xe2\x80\x94 call /connect first",
		        "no_session") },
		{ WA_EWORKER_START, 500,
		  ERROR("Failed to reconnect: worker_start", "worker_start") },
		{ WA_EAT_CAPACITY, 503, ERROR("Service is at capacity", "at_capacity") },
		{ -ENOMEM, 503, ERROR("Service is at capacity", "at_capacity") },
		{ WA_ESHUTTING_DOWN, 503, ERROR("Service is shutting down", "shutting_down") },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		core.reconnect_rc = cases[i].rc;
		ask(&f->c, "POST /api/instance/reconnect/shop", SHOP_H "X-Request-Id: r.1\r\n",
		    NULL);
		expect(&f->c, cases[i].status, cases[i].body);
		assert_string_equal(core.request_id, "r.1");
	}
	assert_int_equal(core.reconnects_n, ARRAY_LEN(cases));
}

static void test_logout_waits_for_whatsapp(void **state)
{
	const struct gw_reason network = { .rc = WA_ENETWORK, .detail = "refused" };
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		send_request(&f->c, "DELETE /api/instance/logout/shop", SHOP_H, NULL);
		test_run_until(f->gw.base, is_logging_out, NULL);
		assert_int_equal(f->c.len, 0);
		fake_core_logged_out(i == 0 ? NULL : &network);
		wait_answer(f);
		expect(&f->c, i == 0 ? 200 : 500,
		       i == 0 ? "{\"success\":true,\"message\":\"Instance logged out\","
		                "\"instance\":{\"status\":\"loggedout\"}}"
		              : ERROR_WHY("Failed to logout instance", "network", "refused"));
	}
	core.logout_rc = WA_ESHUTTING_DOWN;
	ask(&f->c, "DELETE /api/instance/logout/shop", SHOP_H, NULL);
	expect(&f->c, 503, ERROR("Service is shutting down", "shutting_down"));
}

static bool is_forgotten(void *arg)
{
	(void)arg;
	return !core.logging_out;
}

static void test_a_logout_goes_on_without_its_caller(void **state)
{
	struct fixture *f = *state;

	send_request(&f->c, "DELETE /api/instance/logout/shop", SHOP_H, NULL);
	test_run_until(f->gw.base, is_logging_out, NULL);
	leave(f);
	test_run_until(f->gw.base, is_forgotten, NULL);
}

static void test_delete_unlinks_first(void **state)
{
	const struct gw_reason network = { .rc = WA_ENETWORK };
	struct fixture *f = *state;

	ask(&f->c, "DELETE /api/instance/delete/shop", ACME_H, NULL);
	assert_int_equal(client_status(&f->c), 200);
	assert_int_equal(core.logouts_n, 0);
	core.linked = true;
	for (int i = 0; i < 2; i++) { /* told or not: it is deleted */
		send_request(&f->c, "DELETE /api/instance/delete/shop", ACME_H, NULL);
		test_run_until(f->gw.base, is_logging_out, NULL);
		assert_int_equal(core.deletes_n, i + 1);
		fake_core_logged_out(i == 0 ? NULL : &network);
		wait_answer(f);
		expect(&f->c, 200,
		       "{\"success\":true,\"message\":\"Instance deleted\",\"instance\":"
		       "{\"status\":\"deleted\"}}");
		assert_int_equal(core.deletes_n, i + 2);
	}
	/* somebody else was faster */
	send_request(&f->c, "DELETE /api/instance/delete/shop", ACME_H, NULL);
	test_run_until(f->gw.base, is_logging_out, NULL);
	core.gone = true;
	fake_core_logged_out(NULL);
	wait_answer(f);
	expect(&f->c, 404, ERROR("Instance not found", "instance_not_found"));
	assert_int_equal(core.deletes_n, 3);
}

/* ---- the passkey step -------------------------------------------------------- */

#define NO_PASSKEY ERROR("No passkey step is pending", "no_passkey")
#define RESPONSE "\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AA\",\"signature\":\"AA\""
#define CREDENTIAL \
	"{\"id\":\"a_b-1\",\"rawId\":\"AQID\",\"type\":\"public-key\",\"response\":{" RESPONSE "}"

static void test_the_passkey_step_can_be_read(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "GET /api/instance/passkey/shop", SHOP_H, NULL);
	expect(
	    &f->c, 200,
	    "{\"success\":true,\"status\":\"none\",\"publicKey\":null,\"confirmationCode\":null}");
	require_passkey();
	ask(&f->c, "GET /api/instance/passkey/shop", SHOP_H, NULL);
	expect(&f->c, 200,
	       "{\"success\":true,\"status\":\"required\",\"publicKey\":{\"challenge\":\"abc\"},"
	       "\"confirmationCode\":null}");
	core.passkey.status = GW_PASSKEY_CONFIRM;
	memcpy(core.passkey.code, "ABCD-EFGH", 10);
	ask(&f->c, "GET /api/instance/passkey/shop", SHOP_H, NULL);
	expect_part(&f->c, 200, "\"confirmationCode\":\"ABCD-EFGH\"}");
}

static void test_a_passkey_answer_has_to_be_a_credential(void **state)
{
	static const struct {
		const char *body;
		const char *part;
	} cases[] = {
		{ "", "id has" },
		{ "[]", "one JSON object" },
		{ "{\"id\":\"AQ\"}", "rawId has" },
		{ "{\"id\":\"\",\"rawId\":\"AQ\"}", "id has" },
		{ "{\"id\":\"a b\",\"rawId\":\"AQ\"}", "id has" },
		{ "{\"id\":\"AQ\",\"rawId\":\"AQ==x\"}", "rawId has" },
		{ "{\"id\":\"AQ\",\"rawId\":\"AQ\"}", "type has" },
		{ "{\"id\":\"AQ\",\"rawId\":\"AQ\",\"type\":\"password\"}", "type has" },
		{ "{\"id\":\"AQ\",\"rawId\":\"AQ\",\"type\":\"public-key\"}", "response has" },
		{ "{\"id\":\"AQ\",\"rawId\":\"AQ\",\"type\":\"public-key\",\"response\":{}}",
		  "response needs" },
		{ "{\"id\":\"AQ\",\"rawId\":\"AQ\",\"type\":\"public-key\",\"response\":{" RESPONSE
		  ",\"userHandle\":1}}",
		  "userHandle" },
	};
	struct fixture *f = *state;

	require_passkey();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&f->c, "POST /api/instance/passkey/shop", SHOP_H, cases[i].body);
		expect_part(&f->c, 400, "\"Invalid request body\",\"code\":\"invalid_body\"");
		expect_part(&f->c, 400, cases[i].part);
	}
	assert_string_equal(core.credential, "");
	core.answer_rc = WA_ELIMIT;
	ask(&f->c, "POST /api/instance/passkey/shop", SHOP_H, CREDENTIAL "}");
	expect_part(&f->c, 400, "too long");
}

static void test_a_passkey_answer_is_passed_on_whole(void **state)
{
	struct fixture *f = *state;

	require_passkey();
	ask(&f->c, "POST /api/instance/passkey/shop", SHOP_H,
	    CREDENTIAL " , \"clientExtensionResults\" : { } }");
	expect(&f->c, 200,
	       "{\"success\":true,\"message\":\"Passkey accepted\",\"status\":\"confirm\"}");
	assert_string_equal(core.credential, CREDENTIAL ",\"clientExtensionResults\":{}}");
}

static void test_a_passkey_answer_out_of_turn_is_409(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "POST /api/instance/passkey/shop", SHOP_H, CREDENTIAL "}");
	expect(&f->c, 409, NO_PASSKEY);
	ask(&f->c, "POST /api/instance/passkey/shop", SHOP_H, "{}");
	expect(&f->c, 409, NO_PASSKEY);
	ask(&f->c, "POST /api/instance/passkey/shop/confirm", SHOP_H, NULL);
	expect(&f->c, 409, NO_PASSKEY);
	require_passkey();
	core.answer_rc = WA_ESTATE;
	ask(&f->c, "POST /api/instance/passkey/shop", SHOP_H, CREDENTIAL "}");
	expect(&f->c, 409, NO_PASSKEY);
	core.passkey.status = GW_PASSKEY_CONFIRM;
	memcpy(core.passkey.code, "ABCD-EFGH", 10);
	ask(&f->c, "POST /api/instance/passkey/shop/confirm", SHOP_H, NULL);
	expect(&f->c, 200,
	       "{\"success\":true,\"message\":\"Passkey confirmed\",\"status\":\"done\"}");
}

/* ---- settings ---------------------------------------------------------------- */

static void test_settings_are_read_and_changed(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "GET /api/instance/getSettings/shop", SHOP_H, NULL);
	expect(&f->c, 200,
	       "{\"success\":true,\"message\":\"Settings retrieved successfully\","
	       "\"settings\":{\"ignoreStatus\":false}}");
	ask(&f->c, "POST /api/instance/settings/shop", SHOP_H,
	    "{\"ignoreStatus\":true,\"callRejectMessage\":\"no\",\"other\":[{}]}");
	expect(&f->c, 200,
	       "{\"success\":true,\"message\":\"Settings updated successfully\","
	       "\"settings\":{\"callRejectMessage\":\"no\",\"ignoreStatus\":true}}");
	core.stored_rc = WA_ESTORAGE;
	ask(&f->c, "POST /api/instance/settings/shop", SHOP_H, "{\"ignoreStatus\":true}");
	expect(&f->c, 500, ERROR("Failed to store the change", "storage"));
	core.change_rc = -ENOMEM;
	ask(&f->c, "POST /api/instance/settings/shop", SHOP_H, "{\"ignoreStatus\":true}");
	expect(&f->c, 503, ERROR("Service is at capacity", "at_capacity"));
}

/* characters of two bytes each */
static void message_body(char *out, size_t characters)
{
	char *p = out + sprintf(out, "{\"callRejectMessage\":\"");

	for (; characters > 0; characters--)
		p += sprintf(p, "\xc3\xa4");
	sprintf(p, "\"}");
}

static void test_settings_are_checked(void **state)
{
	static const struct {
		const char *body;
		const char *part;
	} cases[] = {
		{ "",
		  "\"At least one setting must be provided\",\"code\":\"at_least_one_setting\"" },
		{ "{}", "at_least_one_setting" },
		{ "{\"IgnoreStatus\":true}", "at_least_one_setting" },
		{ "{\"ignoreStatus\":\"true\"}", "ignoreStatus has to be true or false" },
		{ "{\"ignoreStatus\":null}", "invalid_body" },
		{ "{\"callRejectMessage\":1}", "callRejectMessage has to be a string" },
		{ "{\"ignoreStatus\":true,\"ignoreStatus\":true}", "invalid_body" },
		{ "true", "invalid_body" },
	};
	struct fixture *f = *state;
	char body[4096];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&f->c, "POST /api/instance/settings/shop", SHOP_H, cases[i].body);
		expect_part(&f->c, 400, cases[i].part);
	}
	message_body(body, 1025);
	ask(&f->c, "POST /api/instance/settings/shop", SHOP_H, body);
	expect_part(&f->c, 400, "callRejectMessage has at most 1024 characters");
	assert_int_equal(core.changes_n, 0);
	message_body(body, 1024);
	ask(&f->c, "POST /api/instance/settings/shop", SHOP_H, body);
	assert_int_equal(client_status(&f->c), 200);
}

static void test_what_nobody_reads_may_be_anything(void **state)
{
	static const char *const bodies[] = {
		"{\"ignoreStatus\":true,\"x\":99999999999999999999999999}",
		"{\"ignoreStatus\":true,\"x\":-1e999,\"y\":\"123456789012345678901\"}",
		"{\"ignoreStatus\":true,\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		ask(&f->c, "POST /api/instance/settings/shop", SHOP_H, bodies[i]);
		expect_part(&f->c, 200, "Settings updated successfully");
	}
}

/* ---- proxy ------------------------------------------------------------------- */

static void test_a_proxy_is_read_without_its_password(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "GET /api/instance/getProxy/shop", SHOP_H, NULL);
	expect(&f->c, 200,
	       "{\"success\":true,\"message\":\"Proxy configuration retrieved successfully\","
	       "\"proxy\":{\"enabled\":false,\"host\":\"\",\"port\":0,\"protocol\":\"http\","
	       "\"username\":\"\"}}");
	core.proxy = (struct gw_proxy){ .enabled = true,
		                        .host = "10.0.0.5",
		                        .port = 1080,
		                        .protocol = GW_PROXY_SOCKS5,
		                        .username = "me",
		                        .password = "hush-hush" };
	ask(&f->c, "GET /api/instance/getProxy/shop", SHOP_H, NULL);
	expect_part(&f->c, 200,
	            "\"proxy\":{\"enabled\":true,\"host\":\"10.0.0.5\",\"port\":1080,"
	            "\"protocol\":\"socks5\",\"username\":\"me\"}}");
	assert_null(strstr(f->c.got, "hush"));
}

static void test_a_proxy_is_changed_in_part(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "POST /api/instance/proxy/shop", SHOP_H,
	    "{\"enabled\":true,\"host\":\"[2001:db8::1]\",\"port\":\"3128\",\"protocol\":\"https\","
	    "\"username\":\"me\",\"password\":\"hush-hush\",\"other\":1}");
	expect(&f->c, 200,
	       "{\"success\":true,\"message\":\"Proxy configuration updated\",\"proxy\":"
	       "{\"enabled\":true,\"host\":\"2001:db8::1\",\"port\":3128,\"protocol\":\"https\","
	       "\"username\":\"me\"}}");
	assert_string_equal(core.proxy.password, "hush-hush");
	ask(&f->c, "POST /api/instance/proxy/shop", SHOP_H, "{\"enabled\":false,\"port\":8080}");
	assert_int_equal(client_status(&f->c), 200);
	assert_false(core.proxy.enabled);
	assert_int_equal(core.proxy.port, 8080);
	assert_string_equal(core.proxy.host, "2001:db8::1");
	assert_string_equal(core.proxy.password, "hush-hush");
	assert_int_equal(core.changes_n, 2);
	ask(&f->c, "POST /api/instance/proxy/shop", SHOP_H, "{}");
	assert_int_equal(client_status(&f->c), 200);
	assert_int_equal(core.changes_n, 2);
	core.stored_rc = WA_ESTORAGE;
	ask(&f->c, "POST /api/instance/proxy/shop", SHOP_H, "{\"enabled\":true}");
	expect(&f->c, 500, ERROR("Failed to store the change", "storage"));
}

static void test_a_proxy_is_checked(void **state)
{
	static const struct {
		const char *body;
		const char *part;
	} cases[] = {
		{ "{\"enabled\":true}", "an enabled proxy needs host and port" },
		{ "{\"enabled\":true,\"host\":\"h\"}", "an enabled proxy needs" },
		{ "{\"enabled\":true,\"port\":1}", "an enabled proxy needs" },
		{ "{\"enabled\":true,\"host\":\"\",\"port\":1}", "an enabled proxy needs" },
		{ "{\"enabled\":1}", "enabled has to be" },
		{ "{\"host\":\"a b\"}", "host has to be" },
		{ "{\"host\":\"a/b\"}", "host has to be" },
		{ "{\"host\":\"http://h\"}", "host has to be" },
		{ "{\"host\":5}", "host has to be" },
		{ "{\"host\":\"10.0.0.5:80\"}", "host has to be" },
		{ "{\"host\":\"[10.0.0.5]\"}", "host has to be" },
		{ "{\"host\":\"[::1\"}", "host has to be" },
		{ "{\"host\":\"[]\"}", "host has to be" },
		{ "{\"host\":\"m\xc3\xa4\"}", "host has to be" },
		{ "{\"port\":0}", "port has to be" },
		{ "{\"port\":65536}", "port has to be" },
		{ "{\"port\":\"\"}", "port has to be" },
		{ "{\"port\":\"80x\"}", "port has to be" },
		{ "{\"port\":\"000080\"}", "port has to be" },
		{ "{\"port\":99999999999999999999}", "port has to be" },
		{ "{\"port\":80.5}", "port has to be" },
		{ "{\"protocol\":\"ftp\"}", "protocol has to be" },
		{ "{\"protocol\":null}", "protocol has to be" },
		{ "{\"username\":\"a\\nb\"}", "username has to be" },
		{ "{\"password\":false}", "password has to be" },
		{ "{\"username\":\"a:b\"}", "username can't hold a colon" },
		{ "[]", "one JSON object" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&f->c, "POST /api/instance/proxy/shop", SHOP_H, cases[i].body);
		expect_part(&f->c, 400, "\"Invalid request body\",\"code\":\"invalid_body\"");
		expect_part(&f->c, 400, cases[i].part);
	}
	assert_int_equal(core.changes_n, 0);
	ask(&f->c, "POST /api/instance/proxy/shop", SHOP_H,
	    "{\"protocol\":\"socks5\",\"username\":\"a:b\"}");
	assert_int_equal(client_status(&f->c), 200);
}

static void test_proxy_texts_have_their_bounds(void **state)
{
	static const struct {
		const char *key;
		size_t max;
	} cases[] = { { "host", 253 }, { "username", 255 }, { "password", 255 } };
	struct fixture *f = *state;
	char text[300], body[400];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t len = cases[i].max; len <= cases[i].max + 1; len++) {
			memset(text, 'a', len);
			text[len] = '\0';
			snprintf(body, sizeof(body), "{\"%s\":\"%s\"}", cases[i].key, text);
			ask(&f->c, "POST /api/instance/proxy/shop", SHOP_H, body);
			assert_int_equal(client_status(&f->c), len == cases[i].max ? 200 : 400);
		}
	}
}

/* ---- new, token -------------------------------------------------------------- */

static void test_new_takes_a_proxy(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "POST /api/instance/new", ACME_H, "{\"name\":\"a\",\"ignoreStatus\":true}");
	assert_int_equal(client_status(&f->c), 201);
	assert_false(core.with_proxy);
	assert_string_equal(core.settings, "{\"ignoreStatus\":true}");
	ask(&f->c, "POST /api/instance/new", ACME_H,
	    "{\"name\":\"a\",\"proxyEnabled\":false,\"proxyHost\":\"h\",\"proxyPort\":\"1080\","
	    "\"proxyProtocol\":\"socks5\",\"proxyUsername\":\"u\",\"proxyPassword\":\"p\","
	    "\"host\":5}");
	assert_int_equal(client_status(&f->c), 201);
	assert_true(core.with_proxy);
	assert_false(core.proxy.enabled);
	assert_string_equal(core.proxy.host, "h");
	assert_int_equal(core.proxy.port, 1080);
	assert_int_equal(core.proxy.protocol, GW_PROXY_SOCKS5);
	assert_string_equal(core.proxy.username, "u");
	assert_string_equal(core.proxy.password, "p");
	ask(&f->c, "POST /api/instance/new", ACME_H,
	    "{\"name\":\"a\",\"proxyEnabled\":true,\"proxyHost\":\"h\"}");
	expect(&f->c, 400,
	       ERROR_WHY("Invalid request body", "invalid_body",
	                 "an enabled proxy needs proxyHost and proxyPort"));
}

static void test_a_token_can_be_rotated(void **state)
{
	uint8_t hash[GW_TOKEN_HASH_LEN];
	struct fixture *f = *state;
	const char *token;
	json_t *json;

	ask(&f->c, "POST /api/instance/token/shop", ACME_H, NULL);
	assert_int_equal(client_status(&f->c), 200);
	json = json_loads(body_of(&f->c), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "message")), "Token rotated");
	token = json_string_value(json_object_get(json_object_get(json, "instance"), "token"));
	assert_int_equal(strlen(token), 43);
	gw_token_hash(token, strlen(token), hash);
	assert_memory_equal(hash, core.token_hash, sizeof(hash));
	json_decref(json);
	ask(&f->c, "POST /api/instance/token/shop", ACME_H, "{\"token\":\"my.own_token~0-12\"}");
	expect(&f->c, 200,
	       "{\"success\":true,\"message\":\"Token rotated\",\"instance\":{\"name\":\"shop\","
	       "\"token\":\"my.own_token~0-12\"}}");
	ask(&f->c, "POST /api/instance/token/shop", ACME_H, "{\"token\":\"short\"}");
	expect_part(&f->c, 400, "16 to 128 characters");
	ask(&f->c, "POST /api/instance/token/shop", ACME_H, "{\"token\":7}");
	expect_part(&f->c, 400, "token has to be a string");
	ask(&f->c, "POST /api/instance/token/shop", SHOP_H, NULL);
	expect(&f->c, 401, ERROR("Invalid token", "invalid_token"));
	core.change_rc = -EADDRINUSE;
	ask(&f->c, "POST /api/instance/token/shop", ACME_H, "{\"token\":\"my.own_token~0-12\"}");
	expect_part(&f->c, 400, "this token can't be used");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_number_is_taken_as_its_digits),
		TEST(test_a_pairing_code_comes_as_json_or_text),
		TEST(test_who_is_online_needs_no_code),
		TEST(test_a_passkey_step_is_an_answer),
		TEST(test_too_many_codes_are_429),
		TEST(test_waiting_for_a_session_ends_in_its_own_words),
		TEST(test_a_stream_tells_every_event),
		TEST(test_a_stream_ends_with_its_failure),
		TEST(test_who_waits_with_a_token_that_ends_goes_with_it),
		TEST(test_a_change_outlives_its_token),
		TEST(test_a_caller_that_leaves_is_forgotten),
		TEST(test_reconnect_says_what_comes_of_it),
		TEST(test_logout_waits_for_whatsapp),
		TEST(test_a_logout_goes_on_without_its_caller),
		TEST(test_delete_unlinks_first),
		TEST(test_the_passkey_step_can_be_read),
		TEST(test_a_passkey_answer_has_to_be_a_credential),
		TEST(test_a_passkey_answer_is_passed_on_whole),
		TEST(test_a_passkey_answer_out_of_turn_is_409),
		TEST(test_settings_are_read_and_changed),
		TEST(test_settings_are_checked),
		TEST(test_what_nobody_reads_may_be_anything),
		TEST(test_a_proxy_is_read_without_its_password),
		TEST(test_a_proxy_is_changed_in_part),
		TEST(test_a_proxy_is_checked),
		TEST(test_proxy_texts_have_their_bounds),
		TEST(test_new_takes_a_proxy),
		TEST(test_a_token_can_be_rotated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
