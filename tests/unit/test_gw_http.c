/*
 * tests/unit/test_gw_http.c - the API over real sockets: order of checks, tokens, errors, codes
 *
 * Registry and instances are the real ones; the supervisor is a fake, so that the test plays
 * worker.
 */
#include "http_client.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/process/gw_activation.h"
#include "gateway/http/gw_auth.h"
#include "gateway/doctor/gw_doctor.h"
#include "gateway/http/gw_http.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/limit/gw_limit.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/metrics/gw_metrics.h"
#include "gateway/instance/gw_numbers.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/http/gw_req.h"
#include "gateway/registry/gw_store.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/api/gw_web.h"
#include "gateway/supervision/gw_upgrade.h"
#include "gateway/supervision/gw_worker.h"
#include "gateway/supervision/gw_survey.h"
#include "gw_fake_supervisor.h"
#include "redis_peer.h"

#define CODE "2@code,one,two,three,1"
#define ACME "acme-token-0123456789"
#define EVIL "evil-token-0123456789"
#define SHOP "shop-token-0123456789"

/* ---- the rest of the supervisor --------------------------------------------- */

static bool workers_ok;

/* A doctor that finds out what the test says, at the next pass of the loop. */
static struct {
	struct gw_findings fs;
	const struct gw_instance *inst; /* whom it was asked about */
	void (*on_done)(const struct gw_findings *fs, void *arg);
	void *arg;
	unsigned alive_n;
} doctor;

static void on_doctor(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	doctor.on_done(&doctor.fs, doctor.arg);
}

int gw_doctor_start(struct gw *gw, const struct gw_instance *inst,
                    void (*on_done)(const struct gw_findings *fs, void *arg), void *arg,
                    struct gw_doctor **doctor_out)
{
	const struct timeval now = { 0 };

	doctor.inst = inst;
	doctor.on_done = on_done;
	doctor.arg = arg;
	doctor.alive_n++;
	*doctor_out = NULL;
	return event_base_once(gw->base, -1, EV_TIMEOUT, on_doctor, NULL, &now);
}

void gw_doctor_free(struct gw_doctor *d)
{
	(void)d;
	doctor.alive_n--;
}

size_t gw_supervisor_count(const struct gw_supervisor *sup)
{
	(void)sup;
	return 0;
}

bool gw_supervisor_ok(const struct gw_supervisor *sup)
{
	(void)sup;
	return workers_ok;
}

struct gw_worker *gw_supervisor_next(struct gw_supervisor *sup, struct gw_worker *prev)
{
	(void)sup;
	(void)prev;
	return NULL;
}

pid_t gw_worker_pid(const struct gw_worker *w)
{
	(void)w;
	return 0;
}

struct gw_survey_list *gw_supervisor_surveys(struct gw_supervisor *sup)
{
	static struct gw_survey_list surveys = TAILQ_HEAD_INITIALIZER(surveys);

	(void)sup;
	return &surveys;
}

void gw_worker_memory(struct gw_worker *w, uint32_t max_age_ms, struct gw_worker_memory *out)
{
	(void)w;
	(void)max_age_ms;
	(void)out;
}

void gw_worker_info(struct gw_worker *w, struct gw_worker_info *info_out)
{
	(void)w;
	(void)info_out;
}

size_t gw_upgrade_start(struct gw_upgrade *u, unsigned per_minute)
{
	(void)u;
	(void)per_minute;
	return 0;
}

/* ---- fixture ---------------------------------------------------------------- */

struct fixture {
	struct gw gw;
	char dir[TEST_DIR_CAP];
	char listen[32];
	struct client c; /* to the public listener */
	struct client admin;
	uint16_t port;
	bool done;
};

static bool is_done(void *arg)
{
	return ((struct fixture *)arg)->done;
}

static void on_done(int rc, struct gw_instance *inst, void *arg)
{
	(void)inst;
	assert_int_equal(rc, 0);
	((struct fixture *)arg)->done = true;
}

static void add_account(struct fixture *f, const char *name, int64_t quota, const char *token)
{
	uint8_t hash[GW_TOKEN_HASH_LEN];

	gw_token_hash(token, strlen(token), hash);
	f->done = false;
	assert_int_equal(gw_registry_account_create(f->gw.registry, name, quota, hash, on_done, f),
	                 0);
	test_run_until(f->gw.base, is_done, f);
}

static struct gw_instance *instance(struct fixture *f, const char *account, const char *name)
{
	return gw_registry_instance(f->gw.registry,
	                            gw_registry_account_by_name(f->gw.registry, account), name);
}

static void add_instance(struct fixture *f, const char *account, const char *name,
                         const char *token)
{
	uint8_t hash[GW_TOKEN_HASH_LEN];

	gw_token_hash(token, strlen(token), hash);
	f->done = false;
	assert_int_equal(gw_registry_instance_create(
	                     f->gw.registry, gw_registry_account_by_name(f->gw.registry, account),
	                     name, hash, NULL, NULL, NULL, on_done, f),
	                 0);
	test_run_until(f->gw.base, is_done, f);
}

static void dial(struct fixture *f, struct client *c)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(f->port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr), 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	client_open(c, f->gw.base, fd);
}

static void dial_admin(struct fixture *f, struct client *c)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/admin.sock", f->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	client_open(c, f->gw.base, fd);
}

static void serve(struct fixture *f)
{
	assert_int_equal(gw_http_start(&f->gw, &f->gw.http), 0);
	f->port = (uint16_t)atoi(strrchr(gw_http_address(f->gw.http), ':') + 1);
	assert_int_not_equal(f->port, 0);
	dial(f, &f->c);
	dial_admin(f, &f->admin);
}

static void unserve(struct fixture *f)
{
	gw_http_free(f->gw.http);
	f->gw.http = NULL;
	client_close(&f->c);
	client_close(&f->admin);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	memset(&fake, 0, sizeof(fake));
	workers_ok = true;
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	test_dir_make(f->dir);
	snprintf(f->listen, sizeof(f->listen), "127.0.0.1:0");
	f->gw.base = event_base_new();
	f->gw.cfg.listen = f->listen;
	f->gw.cfg.run_dir = f->dir;
	f->gw.cfg.connect_timeout_s = 60;
	f->gw.cfg.limit_per_minute = 100;
	f->gw.cfg.limit_create_per_minute = 20;
	f->gw.cfg.max_connections = 100;
	f->gw.cfg.max_connections_per_address = 50;
	assert_int_equal(gw_store_open(f->gw.base, f->dir, &f->gw.store), 0);
	assert_int_equal(gw_numbers_new(&f->gw.numbers), 0);
	assert_int_equal(gw_master_key_load(NULL, f->dir, true, &f->gw.master_key), 0);
	assert_int_equal(gw_registry_new(&f->gw, &f->gw.registry), 0);
	assert_int_equal(gw_limit_new(&f->gw, &f->gw.limit), 0);
	assert_int_equal(gw_metrics_new("127.0.0.0/8,::1", &f->gw.metrics), 0);
	add_account(f, "acme", 3, ACME);
	add_account(f, "evil", GW_QUOTA_NONE, EVIL);
	add_instance(f, "acme", "shop", SHOP);
	serve(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_store_drain(f->gw.store);
	unserve(f);
	gw_limit_free(f->gw.limit);
	gw_metrics_free(f->gw.metrics);
	gw_registry_free(f->gw.registry);
	gw_store_free(f->gw.store);
	gw_numbers_free(f->gw.numbers);
	gw_master_key_free(f->gw.master_key);
	free(f->gw.cfg.public_url);
	event_base_free(f->gw.base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* ---- asking ----------------------------------------------------------------- */

#define HOST " HTTP/1.1\r\nHost: h\r\n"

/* Request line without version, more header lines, body. */
static void ask(struct client *c, const char *line, const char *headers, const char *body)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s" HOST "%s%s", line, headers, body == NULL ? "\r\n" : "");
	if (body != NULL)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		         "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	client_ask(c, text);
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

static bool has_header(const struct client *c, const char *line)
{
	char text[256];

	snprintf(text, sizeof(text), "\r\n%s", line);
	return strstr(c->got, text) != NULL &&
	       strstr(c->got, text) < strstr(c->got, "\r\n\r\n") + 2;
}

#define ERROR(message, code) \
	"{\"success\":false,\"error\":{\"message\":\"" message "\",\"code\":\"" code "\"}}"
#define NAME_REQUIRED ERROR("Instance name is required", "instance_name_required")
#define INVALID_NAME ERROR("Invalid instance name", "invalid_name")
#define INVALID_TOKEN ERROR("Invalid token", "invalid_token")
#define WRONG_INSTANCE ERROR("Instance token does not match the instance", "wrong_instance")
#define NO_INSTANCE ERROR("Instance not found", "instance_not_found")
#define NOT_FOUND ERROR("Not found", "not_found")
#define BAD_METHOD ERROR("Method not allowed", "method_not_allowed")
#define NO_PASSKEY ERROR("No passkey step is pending", "no_passkey")
#define NO_SESSION \
	ERROR("Instance has no saved session \xe2\x80\x94 call /connect first", "no_session")
#define NOT_BUILT ERROR("Not implemented", "not_implemented")

#define ACME_H "token: " ACME "\r\n"
#define EVIL_H "token: " EVIL "\r\n"
#define SHOP_H "token: " SHOP "\r\n"

/* ---- the order of checks ---------------------------------------------------- */

static void test_gzip_goes_to_who_takes_it(void **state)
{
	static const struct {
		const char *accept;
		bool takes;
	} cases[] = {
		{ NULL, false },
		{ "", false },
		{ "gzip", true },
		{ "GZip", true },
		{ "br, gzip;q=0.5", true },
		{ "gzip;q=1.0,deflate;q=0", true },
		{ "deflate;q=0 , gzip", true },
		{ "gzip;q=0", false },
		{ "gzip; q=0.000", false },
		{ "gzip;q=0.001", true },
		{ "xgzip, gzipx", false },
		{ "br;q=gzip", false },
		{ ",,;,", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (gw_web_takes_gzip(cases[i].accept) != cases[i].takes)
			fail_msg("%s", cases[i].accept);
	}
}

static void test_the_page_may_be_kept(void **state)
{
	struct fixture *f = *state;
	char tag[64];

	ask(&f->c, "GET /", "", NULL);
	assert_int_equal(client_status(&f->c), 200);
	assert_true(has_header(&f->c, "Cache-Control: no-cache\r\n"));
	assert_true(has_header(&f->c, "Content-Security-Policy: default-src 'none'; "));
	assert_false(has_header(&f->c, "Content-Encoding: "));
	snprintf(tag, sizeof(tag), "ETag: W/\"%s\"\r\n", gw_web_page.tag);
	assert_true(has_header(&f->c, tag));
}

static void test_each_check_comes_in_its_turn(void **state)
{
	static const struct {
		const char *line;
		const char *headers;
		int status;
		const char *body;
		bool counted;
	} cases[] = {
		/* route before method, method before name, name before token */
		{ "PUT /nowhere", "", 404, NOT_FOUND, false },
		{ "PUT /api/instance/connect/", "", 405, BAD_METHOD, false },
		{ "GET /api/instance/connect/", "", 400, NAME_REQUIRED, false },
		{ "GET /api/instance/connect", "", 400, NAME_REQUIRED, false },
		{ "GET /api/instance/connect?a=b", "", 400, NAME_REQUIRED, false },
		{ "POST /api/instance/passkey//confirm", "", 400, NAME_REQUIRED, false },
		{ "DELETE /api/instance/delete", "", 400, NAME_REQUIRED, false },
		/* token before the form of the name, that before scope */
		{ "GET /api/instance/connect/a.b", "", 401, INVALID_TOKEN, true },
		{ "GET /api/instance/connect/a.b", "token: wrong\r\n", 401, INVALID_TOKEN, true },
		{ "GET /api/instance/connect/a.b", SHOP_H, 400, INVALID_NAME, true },
		{ "GET /api/instance/connect/a%20b", ACME_H, 400, INVALID_NAME, true },
		{ "GET /api/instance/connect/a%0ab", ACME_H, 400, INVALID_NAME, true },
		{ "GET /api/instance/connect/none?number=1", ACME_H, 404, NO_INSTANCE, true },
		{ "GET /api/instance/connect/shop?number=1", EVIL_H, 404, NO_INSTANCE, true },
		{ "GET /api/instance/connect/none?number=1", SHOP_H, 403, WRONG_INSTANCE, true },
		{ "POST /api/instance/settings/none", ACME_H, 404, NO_INSTANCE, true },
		{ "POST /api/message/text/shop", ACME_H, 501, NOT_BUILT, true },
		{ "POST /api/message/text/shop", SHOP_H, 501, NOT_BUILT, true },
		{ "POST /api/instance/passkey/shop/confirm", SHOP_H, 409, NO_PASSKEY, true },
		/* %73 is s: the same path */
		{ "POST /api/instance/reconnect/%73hop", SHOP_H, 400, NO_SESSION, true },
		/* a TokenInstance where a TokenAccount is asked for */
		{ "DELETE /api/instance/delete/shop", SHOP_H, 401, INVALID_TOKEN, true },
		{ "POST /api/instance/token/none", SHOP_H, 401, INVALID_TOKEN, true },
		{ "POST /api/instance/new", SHOP_H, 401, INVALID_TOKEN, true },
		/* paths that only look alike */
		{ "GET /api/instance/connect/a/b", ACME_H, 404, NOT_FOUND, false },
		{ "GET /api/instance/connectx", ACME_H, 404, NOT_FOUND, false },
		{ "GET /api/instance/list/", ACME_H, 404, NOT_FOUND, false },
		{ "GET //health", "", 404, NOT_FOUND, false },
		{ "GET /admin/accounts", ACME_H, 404, NOT_FOUND, false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&f->c, cases[i].line, cases[i].headers, NULL);
		if (client_status(&f->c) != cases[i].status ||
		    strcmp(body_of(&f->c), cases[i].body) != 0 ||
		    has_header(&f->c, "X-RateLimit-Limit: ") != cases[i].counted)
			fail_msg("%s (%s): %s", cases[i].line, cases[i].headers, f->c.got);
		assert_true(has_header(&f->c, "Cache-Control: no-store"));
		assert_true(has_header(&f->c, "X-Request-Id: "));
		assert_true(has_header(&f->c, "Content-Type: application/json\r\n"));
	}
}

static void test_methods_unknown_to_a_path_are_told_which_it_knows(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "BREW /api/instance/passkey/x", "", NULL);
	expect(&f->c, 405, BAD_METHOD);
	assert_true(has_header(&f->c, "Allow: GET, POST\r\n"));
	ask(&f->c, "OPTIONS /api/instance/list",
	    "Origin: https://a.example\r\n"
	    "Access-Control-Request-Method: GET\r\n",
	    NULL);
	expect(&f->c, 405, BAD_METHOD);
	assert_false(has_header(&f->c, "Access-Control"));
	client_forget(&f->c);
	client_send(&f->c,
	            "HEAD /api/instance/list HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	client_wait_closed(&f->c);
	assert_int_equal(client_status(&f->c), 405);
	assert_string_equal(body_of(&f->c), "");
}

static void test_what_the_gate_refuses_is_answered_in_json(void **state)
{
	struct fixture *f = *state;

	client_ask(&f->c, "GET / HTTP/1.1\nHost: h\n\n");
	expect(&f->c, 400, ERROR("Bad request", "bad_request"));
	assert_true(has_header(&f->c, "X-Request-Id: "));
	assert_true(has_header(&f->c, "Cache-Control: no-store"));
	assert_true(has_header(&f->c, "Connection: close"));
	assert_false(has_header(&f->c, "X-RateLimit"));
	client_wait_closed(&f->c);
	client_close(&f->c);
	dial(f, &f->c);
	client_ask(&f->c, "POST /api/instance/new HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc.1\r\n"
	                  "Content-Length: 1048577\r\n\r\n");
	expect(&f->c, 413, ERROR("Request body too large", "body_too_large"));
	assert_true(has_header(&f->c, "X-Request-Id: abc.1\r\n"));
}

static void test_media_routes_take_larger_bodies(void **state)
{
	struct fixture *f = *state;

	client_ask(&f->c, "POST /api/message/media/x HTTP/1.1\r\nHost: h\r\n"
	                  "Content-Length: 16777217\r\n\r\n");
	expect(&f->c, 413, ERROR("Request body too large", "body_too_large"));
	client_close(&f->c);
	dial(f, &f->c);
	/* 16 MiB are not too large; without a token they need not be sent */
	client_ask(&f->c,
	           "POST /api/message/media/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	           "Content-Length: 16777216\r\n\r\n");
	expect(&f->c, 401, ERROR("Invalid token", "invalid_token"));
	assert_true(has_header(&f->c, "Connection: close"));
}

static void test_request_ids_are_kept_when_they_can_be(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "GET /health", "X-Request-Id: My-id_1.2\r\n", NULL);
	assert_true(has_header(&f->c, "X-Request-Id: My-id_1.2\r\n"));
	ask(&f->c, "GET /health", "X-Request-Id: not one\r\n", NULL);
	assert_false(has_header(&f->c, "X-Request-Id: not"));
	assert_true(has_header(&f->c, "X-Request-Id: "));
}

/* ---- tokens ----------------------------------------------------------------- */

static void test_the_first_token_found_decides(void **state)
{
	static const struct {
		const char *line;
		const char *headers;
		int status;
	} cases[] = {
		{ "GET /api/instance/list", ACME_H, 200 },
		{ "GET /api/instance/list", "Token: " ACME "\r\n", 200 },
		{ "GET /api/instance/list", "Authorization: Bearer " ACME "\r\n", 200 },
		{ "GET /api/instance/list", "authorization: bearer  " ACME "\r\n", 200 },
		{ "GET /api/instance/list", "Authorization: Basic " ACME "\r\n", 401 },
		{ "GET /api/instance/list", "Authorization: " ACME "\r\n", 401 },
		{ "GET /api/instance/list", "token: x\r\nAuthorization: Bearer " ACME "\r\n", 401 },
		{ "GET /api/instance/list", ACME_H "Authorization: Bearer x\r\n", 200 },
		{ "GET /api/instance/list?token=" ACME, "", 401 },
		{ "GET /api/instance/connect/none?token=" ACME, "", 401 },
		{ "GET /api/instance/connect/none?token=" ACME, "Accept: image/png\r\n", 401 },
		{ "GET /api/instance/connect/none?token=" ACME, "Accept: text/event-stream\r\n",
		  404 },
		{ "GET /api/instance/connect/none?token=" ACME,
		  "Accept: text/event-stream\r\ntoken: x\r\n", 401 },
		{ "GET /ws/none?token=" ACME, "", 404 },
		{ "GET /api/events/stream/none?token=" ACME, "", 404 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&f->c, cases[i].line, cases[i].headers, NULL);
		if (client_status(&f->c) != cases[i].status)
			fail_msg("%s (%s): %s", cases[i].line, cases[i].headers, f->c.got);
	}
}

static void test_guessing_tokens_is_slow(void **state)
{
	struct fixture *f = *state;
	char header[64];

	for (int i = 0; i < 100; i++) {
		snprintf(header, sizeof(header), "token: guess-%d\r\n", i);
		ask(&f->c, "GET /api/instance/list", header, NULL);
		assert_int_equal(client_status(&f->c), 401);
	}
	ask(&f->c, "GET /api/instance/list", "token: guess\r\n", NULL);
	expect(&f->c, 429, ERROR("Rate limit exceeded. Try again later.", "rate_limited"));
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 0\r\n"));
	assert_true(has_header(&f->c, "Retry-After: "));
	/* who has a token is not counted by address, and what does not count goes on */
	ask(&f->c, "GET /api/instance/list", ACME_H, NULL);
	assert_int_equal(client_status(&f->c), 200);
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 99\r\n"));
	ask(&f->c, "GET /health", "", NULL);
	assert_int_equal(client_status(&f->c), 200);
	assert_false(has_header(&f->c, "X-RateLimit"));
}

static void test_creating_has_a_limit_of_its_own(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++) {
		ask(&f->c, "POST /api/instance/new", ACME_H, "{}");
		expect(&f->c, 400, NAME_REQUIRED);
		assert_true(has_header(&f->c, "X-RateLimit-Limit: 20\r\n"));
	}
	ask(&f->c, "POST /api/instance/new", ACME_H, "{}");
	assert_int_equal(client_status(&f->c), 429);
	ask(&f->c, "GET /api/instance/list", ACME_H, NULL);
	assert_true(has_header(&f->c, "X-RateLimit-Limit: 100\r\n"));
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 79\r\n"));
}

/* ---- instances -------------------------------------------------------------- */

static void test_new_checks_every_key(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *part;
	} cases[] = {
		{ "", 400, "instance_name_required" },
		{ "{}", 400, "instance_name_required" },
		{ "{\"name\":\"\"}", 400, "instance_name_required" },
		{ "{\"name\":1}", 400, "invalid_body" },
		{ "{\"name\":null}", 400, "invalid_body" },
		{ "{\"name\":\"a b\"}", 400, "invalid_name" },
		{ "{\"name\":\"a\",\"name\":\"b\"}", 400, "invalid_body" },
		{ "[\"a\"]", 400, "invalid_body" },
		{ "{\"name\":\"a\"", 400, "invalid_body" },
		{ "{\"name\":\"a\"} x", 400, "invalid_body" },
		{ "{\"name\":\"a\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]"
		  "]]]]]]]]}",
		  400, "invalid_body" },
		{ "{\"name\":\"\xff\"}", 400, "invalid_body" },
		{ "{\"name\":\"a\",\"token\":\"short\"}", 400, "invalid_body" },
		{ "{\"name\":\"a\",\"token\":\"0123456789abcde!\"}", 400, "invalid_body" },
		{ "{\"name\":\"a\",\"token\":\"" SHOP "\"}", 400, "invalid_body" },
		{ "{\"name\":\"a\",\"ignoreStatus\":1}", 400, "ignoreStatus" },
		{ "{\"name\":\"a\",\"callRejectMessage\":true}", 400, "callRejectMessage" },
		{ "{\"name\":\"a\",\"proxyPort\":\"x\"}", 400, "proxyPort" },
		{ "{\"name\":\"a\",\"proxyProtocol\":\"ftp\"}", 400, "proxyProtocol" },
		{ "{\"name\":\"a\",\"webhookEvents\":[1]}", 400, "webhookEvents" },
		{ "{\"name\":\"a\",\"proxyEnabled\":true,\"proxyPort\":\"1080\"}", 400,
		  "proxyHost" },
		{ "{\"name\":\"a\",\"webhookEnabled\":true}", 400, "webhookURL" },
		{ "{\"name\":\"a\",\"webhookURL\":\"ftp://a.example\"}", 400, "webhookURL" },
		{ "{\"name\":\"a\",\"webhookURL\":\"http://10.0.0.1/\"}", 400, "webhookURL" },
		{ "{\"name\":\"a\",\"webhookEvents\":[\"message\"]}", 400, "webhookEvents" },
		{ "{\"name\":\"a\",\"websocketEnabled\":1}", 400, "websocketEnabled" },
		{ "{\"name\":\"shop\"}", 409, "instance_exists" },
	};
	struct fixture *f = *state;

	gw_limit_free(f->gw.limit);
	assert_int_equal(gw_limit_new_with(1000, 1000, 10, &f->gw.limit), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&f->c, "POST /api/instance/new", ACME_H, cases[i].body);
		if (client_status(&f->c) != cases[i].status ||
		    strstr(f->c.got, cases[i].part) == NULL)
			fail_msg("%s: %s", cases[i].body, f->c.got);
	}
}

static json_t *answer_json(const struct client *c)
{
	json_t *json = json_loads(body_of(c), 0, NULL);

	assert_non_null(json);
	return json;
}

static void test_new_shows_a_token_once_that_works(void **state)
{
	struct fixture *f = *state;
	char header[128];
	json_t *json;

	ask(&f->c, "POST /api/instance/new", ACME_H,
	    "{\"name\":\"two\",\"unknown\":1,\"ignoreStatus\":true,\"proxyPort\":1080}");
	assert_int_equal(client_status(&f->c), 201);
	json = answer_json(&f->c);
	assert_string_equal(json_string_value(json_object_get(json, "message")),
	                    "Instance created");
	json_t *inst = json_object_get(json, "instance");
	const char *token = json_string_value(json_object_get(inst, "token"));
	assert_int_equal(strlen(token), 43);
	assert_true(
	    json_is_true(json_object_get(json_object_get(inst, "settings"), "ignoreStatus")));
	snprintf(header, sizeof(header), "token: %s\r\n", token);
	json_decref(json);
	ask(&f->c, "GET /api/instance/list?instanceName=shop", header, NULL);
	assert_int_equal(client_status(&f->c), 200);
	assert_non_null(strstr(f->c.got, "\"1 Instance found\""));
	assert_non_null(strstr(f->c.got, "\"name\":\"two\""));
	assert_null(strstr(f->c.got, "token\":"));
	/* one given; then the quota of three is used up */
	ask(&f->c, "POST /api/instance/new", ACME_H,
	    "{\"name\":\"three\",\"token\":\"my.own_token~0-12\"}");
	assert_int_equal(client_status(&f->c), 201);
	ask(&f->c, "GET /api/instance/list", "token: my.own_token~0-12\r\n", NULL);
	assert_int_equal(client_status(&f->c), 200);
	ask(&f->c, "POST /api/instance/new", ACME_H, "{\"name\":\"four\"}");
	expect(&f->c, 403, ERROR("Account instance quota exceeded", "quota_exceeded"));
}

static void test_list_filters_by_name(void **state)
{
	static const struct {
		const char *query;
		int status;
		const char *part;
	} cases[] = {
		{ "", 200, "\"2 Instances found\"" },
		{ "?other=1", 200, "\"2 Instances found\"" },
		{ "?instanceName=shop", 200, "\"1 Instance found\"" },
		{ "?memory=true&instanceName=shop", 200, ",\"memoryBytes\":null}],\"meta\"" },
		{ "?memory=false&instanceName=shop", 200, "}}],\"meta\"" },
		{ "?instanceName=shop,two", 200, "\"2 Instances found\"" },
		{ "?instanceName=two%2Cshop", 200, "\"total\":2" },
		{ "?instanceName=shop,shop", 200, "\"1 Instance found\"" },
		{ "?instanceName=shop,none", 200, "\"1 Instance found\"" },
		{ "?instanceName=none,nil", 200, "\"0 Instances found\"" },
		{ "?instanceName=none", 404, "instance_not_found" },
		{ "?instanceName=", 400, "instance_name_required" },
		{ "?instanceName=,", 400, "instance_name_required" },
		{ "?instanceName", 400, "instance_name_required" },
		{ "?instanceName=a%20b", 400, "invalid_name" },
		{ "?instanceName=shop&instanceName=two", 400, "invalid_name" },
	};
	struct fixture *f = *state;
	char line[128];

	add_instance(f, "acme", "two", "second-token-0123456789");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(line, sizeof(line), "GET /api/instance/list%s", cases[i].query);
		ask(&f->c, line, ACME_H, NULL);
		if (client_status(&f->c) != cases[i].status ||
		    strstr(f->c.got, cases[i].part) == NULL)
			fail_msg("%s: %s", line, f->c.got);
	}
	ask(&f->c, "GET /api/instance/list", EVIL_H, NULL);
	assert_non_null(
	    strstr(f->c.got, "\"0 Instances found\",\"instances\":[],\"meta\":{\"total\":0}"));
}

static void test_delete_erases_and_says_so(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "DELETE /api/instance/delete/shop", EVIL_H, NULL);
	expect(&f->c, 404, NO_INSTANCE);
	ask(&f->c, "DELETE /api/instance/delete/shop", ACME_H, NULL);
	expect(&f->c, 200,
	       "{\"success\":true,\"message\":\"Instance deleted\",\"instance\":"
	       "{\"status\":\"deleted\"}}");
	ask(&f->c, "DELETE /api/instance/delete/shop", ACME_H, NULL);
	expect(&f->c, 404, NO_INSTANCE);
	ask(&f->c, "GET /api/instance/list", SHOP_H, NULL);
	expect(&f->c, 401, INVALID_TOKEN);
}

/* ---- connect ---------------------------------------------------------------- */

static bool started(void *arg)
{
	(void)arg;
	return fake.starts_n > 0;
}

static void event(struct gw_instance *inst, enum gw_inst_event ev, const struct gw_inst_input *in)
{
	assert_int_equal(gw_instance_event(inst, ev, in), 0);
}

static void give_code(struct gw_instance *inst, const char *text)
{
	const struct gw_inst_input in = {
		.code = { .text = text, .valid_ms = 60000, .index = 1, .total = 6 },
	};

	event(inst, GW_EV_CODE, &in);
}

/* A caller waits and the worker is up. */
static struct gw_instance *begin(struct fixture *f, const char *headers)
{
	struct gw_instance *inst = instance(f, "acme", "shop");
	char text[512];

	snprintf(text, sizeof(text), "GET /api/instance/connect/shop" HOST "%s\r\n", headers);
	client_forget(&f->c);
	client_send(&f->c, text);
	test_run_until(f->gw.base, started, NULL);
	event(inst, GW_EV_READY, NULL);
	return inst;
}

static void test_connect_checks_its_parameters(void **state)
{
	static const struct {
		const char *query;
		const char *headers;
		int status;
		const char *code;
	} cases[] = {
		{ "number=", "", 400, "invalid_number" },
		{ "number=123456", "", 400, "invalid_number" },
		{ "number=1234567890123456", "", 400, "invalid_number" },
		{ "number=0123456789", "", 400, "invalid_number" },
		{ "number=(0)123456789", "", 400, "invalid_number" },
		{ "number=12345x7890", "", 400, "invalid_number" },
		{ "number=1234567&number=1234567", "", 400, "invalid_number" },
		{ "number=1234567&history=x", "", 400, "invalid_history" },
		{ "history=", "", 400, "invalid_history" },
		{ "history=0", "", 400, "invalid_history" },
		{ "history=3651", "", 400, "invalid_history" },
		{ "history=99999999999", "", 400, "invalid_history" },
		{ "history=-1", "", 400, "invalid_history" },
		{ "history=1.5", "", 400, "invalid_history" },
		{ "number=1234567", "Accept: image/png\r\n", 406, "not_acceptable" },
		{ "number=1234567", "Accept: image/svg+xml\r\n", 406, "not_acceptable" },
		{ "number=1", "Accept: image/png\r\n", 400, "invalid_number" },
	};
	struct fixture *f = *state;
	char line[256];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char headers[128];

		snprintf(line, sizeof(line), "GET /api/instance/connect/shop?%s", cases[i].query);
		snprintf(headers, sizeof(headers), "%s" SHOP_H, cases[i].headers);
		ask(&f->c, line, headers, NULL);
		if (client_status(&f->c) != cases[i].status ||
		    strstr(f->c.got, cases[i].code) == NULL)
			fail_msg("%s: %s", line, f->c.got);
	}
	assert_int_equal(fake.starts_n, 0);
}

static void test_callers_wait_for_one_attempt_and_get_one_code(void **state)
{
	struct fixture *f = *state;
	struct client more[8];
	struct gw_instance *inst;
	json_t *json;

	inst = begin(f, SHOP_H);
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		dial(f, &more[i]);
		client_send(&more[i], "GET /api/instance/connect/shop" HOST ACME_H "\r\n");
	}
	for (int i = 0; i < 20; i++)
		test_run_due(f->gw.base);
	assert_int_equal(f->c.len, 0);
	give_code(inst, CODE);
	test_run_until(f->gw.base, client_has_answer, &f->c);
	assert_int_equal(client_status(&f->c), 200);
	json = answer_json(&f->c);
	assert_true(json_is_true(json_object_get(json, "success")));
	assert_string_equal(json_string_value(json_object_get(json, "message")),
	                    "QR code generated");
	assert_string_equal(json_string_value(json_object_get(json, "qrCode")), CODE);
	assert_string_equal(json_string_value(json_object_get(json, "status")), "qr");
	assert_in_range(json_integer_value(json_object_get(json, "expiresIn")), 58, 60);
	assert_int_equal(strlen(json_string_value(json_object_get(json, "expiresAt"))), 24);
	assert_memory_equal(json_string_value(json_object_get(json, "qrCodeBase64")),
	                    "data:image/png;base64,iVBOR", 27);
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		json_t *other;

		test_run_until(f->gw.base, client_has_answer, &more[i]);
		other = answer_json(&more[i]);
		assert_true(json_equal(json_object_get(json, "qrCodeBase64"),
		                       json_object_get(other, "qrCodeBase64")));
		json_decref(other);
		client_close(&more[i]);
	}
	json_decref(json);
	assert_int_equal(fake.starts_n, 1);
	/* a code that is live needs no waiting */
	ask(&f->c, "GET /api/instance/connect/shop", ACME_H, NULL);
	assert_non_null(strstr(f->c.got, CODE));
}

static void test_the_code_comes_in_the_form_asked_for(void **state)
{
	static const struct {
		const char *accept;
		const char *type;
		const char *start;
	} cases[] = {
		{ "image/png", "Content-Type: image/png\r\n", "\x89PNG\r\n" },
		{ "image/svg+xml", "Content-Type: image/svg+xml\r\n", "<svg " },
		{ "text/plain", "Content-Type: text/plain; charset=utf-8\r\n",
		  "\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88" },
		{ "text/html", "Content-Type: application/json\r\n", "{\"success\":true" },
	};
	struct fixture *f = *state;
	char headers[128];

	give_code(begin(f, SHOP_H), CODE);
	test_run_until(f->gw.base, client_has_answer, &f->c);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(headers, sizeof(headers), SHOP_H "Accept: %s\r\n", cases[i].accept);
		ask(&f->c, "GET /api/instance/connect/shop", headers, NULL);
		assert_int_equal(client_status(&f->c), 200);
		assert_true(has_header(&f->c, cases[i].type));
		assert_memory_equal(body_of(&f->c), cases[i].start, strlen(cases[i].start));
	}
}

/* Every way an attempt may end, as an answer. */
static void test_each_failure_has_its_answer(void **state)
{
	static const struct {
		struct gw_reason reason;
		int status;
		const char *body;
	} cases[] = {
#define FAILED(rc, code) \
	{ { (rc), 0, "why", 0, 0 }, \
	  500, \
	  "{\"success\":false,\"error\":{\"message\":\"Failed to generate QR " \
	  "code\",\"code\":\"" code "\",\"detail\":\"why\"}}" }
		FAILED(WA_ETIMEOUT, "timeout"),
		FAILED(WA_ENETWORK, "network"),
		FAILED(WA_EDNS, "dns"),
		FAILED(WA_ETLS, "tls"),
		FAILED(WA_EHANDSHAKE, "handshake"),
		FAILED(WA_ECLIENT_OUTDATED, "client_outdated"),
		FAILED(WA_EBANNED, "banned"),
		FAILED(WA_EPAIRING_REFUSED, "pairing_refused"),
		FAILED(WA_ESTORAGE, "storage"),
		FAILED(WA_EPROTO, "protocol_error"),
		/* not one of the contract's words */
		FAILED(-EIO, "worker_crashed"),
		FAILED(WA_ETRUNC, "worker_crashed"),
		{ { WA_ECONNECT_FAILURE, 418, "", 0, 0 },
		  500,
		  ERROR("Failed to generate QR code", "connect_failure_418") },
		{ { WA_EAT_CAPACITY, 0, "", 0, 0 },
		  503,
		  ERROR("Service is at capacity", "at_capacity") },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct gw_inst_input in = { .reason = &cases[i].reason };
		struct gw_instance *inst;

		fake.starts_n = 0;
		inst = begin(f, SHOP_H);
		event(inst, GW_EV_FAILED, &in);
		fake_worker_gone(inst);
		test_run_until(f->gw.base, client_has_answer, &f->c);
		expect(&f->c, cases[i].status, cases[i].body);
		assert_true(has_header(&f->c, "X-RateLimit-Limit: 100\r\n"));
	}
}

static void test_no_room_for_a_worker_is_503(void **state)
{
	struct fixture *f = *state;

	fake.start_rc = WA_EAT_CAPACITY;
	ask(&f->c, "GET /api/instance/connect/shop", SHOP_H, NULL);
	assert_int_equal(client_status(&f->c), 503);
	assert_non_null(strstr(f->c.got, "\"Service is at capacity\",\"code\":\"at_capacity\""));
}

static void test_another_history_supersedes_who_waits(void **state)
{
	struct fixture *f = *state;
	struct client other;

	(void)begin(f, SHOP_H);
	dial(f, &other);
	client_send(&other, "GET /api/instance/connect/shop?history=7" HOST SHOP_H "\r\n");
	test_run_until(f->gw.base, client_has_answer, &f->c);
	assert_int_equal(client_status(&f->c), 500);
	assert_non_null(strstr(f->c.got, "\"code\":\"superseded\""));
	assert_int_equal(other.len, 0);
	client_close(&other);
}

static void test_a_caller_that_leaves_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct gw_instance *inst = begin(f, SHOP_H);
	struct client other;

	dial(f, &other);
	client_send(&other, "GET /api/instance/connect/shop" HOST SHOP_H "\r\n");
	client_close(&f->c);
	dial(f, &f->c);
	for (int i = 0; i < 20; i++)
		test_run_due(f->gw.base);
	assert_int_equal(fake.stops_n, 0);
	give_code(inst, CODE);
	test_run_until(f->gw.base, client_has_answer, &other);
	assert_int_equal(client_status(&other), 200);
	client_close(&other);
	/* nor does the last one to leave */
	ask(&f->c, "GET /api/instance/list", SHOP_H, NULL);
	assert_non_null(strstr(f->c.got, "\"status\":\"connecting\""));
}

static void test_waiting_ends_at_the_time_limit(void **state)
{
	struct fixture *f = *state;

	f->gw.cfg.connect_timeout_s = 0; /* due at the next pass */
	ask(&f->c, "GET /api/instance/connect/shop", SHOP_H, NULL);
	assert_int_equal(client_status(&f->c), 500);
	assert_non_null(strstr(f->c.got, "\"Failed to generate QR code\",\"code\":\"timeout\""));
	ask(&f->c, "GET /api/instance/list", SHOP_H, NULL);
	assert_non_null(strstr(f->c.got, "\"status\":\"connecting\""));
}

static bool has_end_of_stream(void *arg)
{
	return strstr(((struct client *)arg)->got, "\r\n0\r\n\r\n") != NULL;
}

static bool has_qr_event(void *arg)
{
	return strstr(((struct client *)arg)->got, "event: qr\n") != NULL;
}

static void test_a_stream_tells_the_attempt_to_its_end(void **state)
{
	const struct gw_reason reason = { WA_ENETWORK, 0, "reset", 0, 0 };
	const struct gw_inst_input in = { .reason = &reason };
	struct fixture *f = *state;
	struct gw_instance *inst = begin(f, "Accept: text/event-stream\r\n" SHOP_H);

	give_code(inst, CODE);
	test_run_until(f->gw.base, has_qr_event, &f->c);
	give_code(inst, "2@next,one,two,three,1");
	while (strstr(f->c.got, "2@next") == NULL)
		event_base_loop(f->gw.base, EVLOOP_ONCE);
	event(inst, GW_EV_FAILED, &in);
	test_run_until(f->gw.base, has_end_of_stream, &f->c);
	assert_int_equal(client_status(&f->c), 200);
	assert_true(has_header(&f->c, "Content-Type: text/event-stream\r\n"));
	assert_true(has_header(&f->c, "X-RateLimit-Limit: 100\r\n"));
	assert_int_equal(client_count(&f->c, "event: connecting\n"), 1);
	assert_int_equal(client_count(&f->c, "event: qr\n"), 2);
	assert_non_null(strstr(f->c.got,
	                       "event: failed\ndata: "
	                       "{\"success\":false,\"error\":{\"message\":\"Failed to generate QR "
	                       "code\",\"code\":\"network\",\"detail\":\"reset\"}}\n\n"));
	fake_worker_gone(inst);
	/* the connection goes on */
	ask(&f->c, "GET /health", "", NULL);
	assert_int_equal(client_status(&f->c), 200);
}

static void test_a_stream_that_is_left_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct gw_instance *inst = begin(f, "Accept: text/event-stream\r\n" SHOP_H);

	client_close(&f->c);
	dial(f, &f->c);
	for (int i = 0; i < 20; i++)
		test_run_due(f->gw.base);
	give_code(inst, CODE);
	ask(&f->c, "GET /api/instance/connect/shop", SHOP_H, NULL);
	assert_non_null(strstr(f->c.got, CODE));
	assert_int_equal(fake.starts_n, 1);
}

static void test_a_stream_without_room_fails_in_the_stream(void **state)
{
	struct fixture *f = *state;

	fake.start_rc = WA_EAT_CAPACITY;
	client_send(&f->c, "GET /api/instance/connect/shop" HOST SHOP_H
	                   "Accept: text/event-stream\r\n\r\n");
	test_run_until(f->gw.base, has_end_of_stream, &f->c);
	assert_int_equal(client_status(&f->c), 200);
	assert_non_null(strstr(f->c.got, "event: failed\n"));
	assert_non_null(strstr(f->c.got, "at_capacity"));
}

/* ---- stopping --------------------------------------------------------------- */

static void test_who_waits_is_told_of_the_end(void **state)
{
	struct fixture *f = *state;
	struct gw_instance *inst = begin(f, SHOP_H);
	struct client busy;

	dial(f, &busy);
	ask(&busy, "GET /health", "", NULL);
	ask(&f->admin, "GET /accounts", "",
	    NULL); /* one that is new is given time to say what it wants */
	f->gw.stopping = true;
	gw_http_stop_accepting(f->gw.http);
	gw_http_stop_accepting(f->gw.http);
	client_wait_closed(&busy);
	assert_true(gw_http_is_busy(f->gw.http));
	gw_instance_stop(inst);
	client_wait_closed(&f->c);
	expect(&f->c, 503, NULL);
	assert_non_null(
	    strstr(f->c.got, "\"Service is shutting down\",\"code\":\"shutting_down\""));
	assert_false(gw_http_is_busy(f->gw.http));
	client_close(&busy);
}

static void test_new_work_is_refused_while_stopping(void **state)
{
	struct fixture *f = *state;

	f->gw.stopping = true;
	ask(&f->c, "GET /api/instance/list", ACME_H, NULL);
	expect(&f->c, 503, ERROR("Service is shutting down", "shutting_down"));
	ask(&f->c, "GET /health", "", NULL);
	assert_int_equal(client_status(&f->c), 200);
}

/* ---- operations, CORS, proxies ---------------------------------------------- */

static void test_health_says_what_fails(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	ask(&f->c, "GET /health", "", NULL);
	assert_int_equal(client_status(&f->c), 200);
	json = answer_json(&f->c);
	assert_string_equal(json_string_value(json_object_get(json, "status")), "ok");
	assert_string_equal(json_string_value(json_object_get(json, "service")), "warden");
	assert_int_equal(json_object_size(json_object_get(json, "checks")), 3);
	json_decref(json);
	workers_ok = false;
	ask(&f->c, "GET /health", "", NULL);
	assert_int_equal(client_status(&f->c), 503);
	assert_non_null(strstr(f->c.got, "\"status\":\"degraded\""));
	assert_non_null(strstr(f->c.got, "\"workers\":\"fail: "));
}

static void test_the_front_page_is_there(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "GET /", "", NULL);
	assert_int_equal(client_status(&f->c), 200);
	assert_true(has_header(&f->c, "Content-Type: text/html; charset=utf-8\r\n"));
	assert_false(has_header(&f->c, "X-RateLimit"));
}

static void test_listed_origins_are_let_in(void **state)
{
	static char origins[] = "https://a.example,https://b.example";
	struct fixture *f = *state;

	unserve(f);
	f->gw.cfg.cors_origins = origins;
	serve(f);
	ask(&f->c, "OPTIONS /api/instance/connect/shop",
	    "Origin: https://b.example\r\nAccess-Control-Request-Method: GET\r\n", NULL);
	assert_int_equal(client_status(&f->c), 204);
	assert_true(has_header(&f->c, "Access-Control-Allow-Origin: https://b.example\r\n"));
	assert_true(has_header(&f->c, "Access-Control-Allow-Methods: GET\r\n"));
	ask(&f->c, "GET /api/instance/list", "Origin: https://a.example\r\n", NULL);
	assert_int_equal(client_status(&f->c), 401);
	assert_true(has_header(&f->c, "Access-Control-Allow-Origin: https://a.example\r\n"));
	ask(&f->c, "GET /api/instance/list", "Origin: https://c.example\r\n", NULL);
	assert_false(has_header(&f->c, "Access-Control-Allow-Origin"));
	assert_true(has_header(&f->c, "Vary: Origin\r\n"));
	f->gw.cfg.cors_origins = NULL;
}

static void test_a_proxy_is_believed_about_its_clients(void **state)
{
	static char proxies[] = "127.0.0.0/8";
	struct fixture *f = *state;

	unserve(f);
	f->gw.cfg.trusted_proxies = proxies;
	serve(f);
	ask(&f->c, "GET /api/instance/list", "X-Forwarded-For: 10.1.1.1\r\n", NULL);
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 99\r\n"));
	ask(&f->c, "GET /api/instance/list", "X-Forwarded-For: 10.1.1.2\r\n", NULL);
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 99\r\n"));
	ask(&f->c, "GET /api/instance/list", "X-Forwarded-For: 10.9.9.9, 10.1.1.1\r\n", NULL);
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 98\r\n"));
	f->gw.cfg.trusted_proxies = NULL;
}

/* ---- the admin socket ------------------------------------------------------- */

static void test_accounts_are_administered_over_the_admin_socket(void **state)
{
	struct fixture *f = *state;
	char header[128], before[64];
	json_t *json;

	ask(&f->admin, "POST /admin/accounts", "", "{\"name\":\"new\",\"quota\":2}");
	assert_int_equal(client_status(&f->admin), 201);
	json = answer_json(&f->admin);
	snprintf(before, sizeof(before), "%s", json_string_value(json_object_get(json, "token")));
	json_decref(json);
	snprintf(header, sizeof(header), "token: %s\r\n", before);
	ask(&f->c, "GET /api/instance/list", header, NULL);
	assert_int_equal(client_status(&f->c), 200);

	ask(&f->admin, "POST /admin/accounts", "", "{\"name\":\"new\"}");
	assert_non_null(strstr(f->admin.got, "\"account_exists\""));
	assert_int_equal(client_status(&f->admin), 409);
	ask(&f->admin, "POST /admin/accounts", "", "{\"name\":\"a b\"}");
	assert_int_equal(client_status(&f->admin), 400);
	ask(&f->admin, "POST /admin/accounts", "", "{\"name\":\"x\",\"quota\":-1}");
	assert_int_equal(client_status(&f->admin), 400);

	ask(&f->admin, "POST /admin/accounts/new/rotate", "", NULL);
	assert_int_equal(client_status(&f->admin), 200);
	assert_non_null(strstr(f->admin.got, "\"account\":{\"name\":\"new\",\"quota\":2}"));
	ask(&f->c, "GET /api/instance/list", header, NULL);
	expect(&f->c, 401, INVALID_TOKEN);

	ask(&f->admin, "POST /admin/accounts/new/quota", "", "{\"quota\":5}");
	expect(&f->admin, 200, "{\"success\":true,\"account\":{\"name\":\"new\",\"quota\":5}}");
	ask(&f->admin, "POST /admin/accounts/new/quota", "", "{\"quota\":null}");
	expect(&f->admin, 200, "{\"success\":true,\"account\":{\"name\":\"new\",\"quota\":null}}");
	ask(&f->admin, "POST /admin/accounts/new/quota", "", "{}");
	assert_int_equal(client_status(&f->admin), 400);
	ask(&f->admin, "POST /admin/accounts/new/quota", "", "{\"quota\":1.5}");
	assert_int_equal(client_status(&f->admin), 400);
	ask(&f->admin, "POST /admin/accounts/nobody/quota", "", "{\"quota\":5}");
	assert_int_equal(client_status(&f->admin), 404);
	ask(&f->admin, "GET /admin/accounts", "", NULL);
	json = answer_json(&f->admin);
	assert_int_equal(json_array_size(json_object_get(json, "accounts")), 3);
	json_decref(json);
	ask(&f->admin, "DELETE /admin/accounts/new", "", NULL);
	assert_int_equal(client_status(&f->admin), 200);
	ask(&f->admin, "DELETE /admin/accounts/new", "", NULL);
	assert_int_equal(client_status(&f->admin), 404);
	assert_non_null(strstr(f->admin.got, "\"account_not_found\""));
	ask(&f->admin, "DELETE /admin/accounts/acme", "", NULL);
	assert_int_equal(client_status(&f->admin), 409);
	assert_non_null(strstr(f->admin.got, "\"account_not_empty\""));
	ask(&f->admin, "GET /admin/workers", "", NULL);
	expect(&f->admin, 200, "{\"success\":true,\"workers\":[]}");
	ask(&f->admin, "GET /health", "", NULL);
	assert_int_equal(client_status(&f->admin), 200);
	ask(&f->admin, "GET /api/instance/list", ACME_H, NULL);
	expect(&f->admin, 404, NOT_FOUND);
}

static void test_the_doctor_is_called_over_the_admin_socket(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	doctor.fs = (struct gw_findings){ 0 };
	for (int i = 0; i < GW_CHECK_N; i++)
		gw_finding_set(&doctor.fs, (enum gw_check)i, GW_OK, NULL, "fine");
	ask(&f->admin, "POST /admin/doctor", "", NULL);
	assert_int_equal(client_status(&f->admin), 200);
	assert_null(doctor.inst);
	json = answer_json(&f->admin);
	assert_true(json_is_true(json_object_get(json, "ok")));
	assert_int_equal(json_array_size(json_object_get(json, "checks")), GW_CHECK_N);
	json_decref(json);
	gw_finding_set(&doctor.fs, GW_CHECK_REGISTRY, GW_FAILED, "do this", "bad");
	ask(&f->admin, "POST /admin/doctor", "", "{\"instance\":\"shop\"}");
	assert_ptr_equal(doctor.inst,
	                 gw_registry_instance(f->gw.registry,
	                                      gw_registry_account_by_name(f->gw.registry, "acme"),
	                                      "shop"));
	assert_non_null(strstr(f->admin.got, "\"ok\":false"));
	assert_non_null(strstr(f->admin.got,
	                       "{\"check\":\"registry\",\"status\":\"failed\",\"detail\":\"bad\","
	                       "\"advice\":\"do this\"}"));
	assert_int_equal(doctor.alive_n, 0);
}

static void test_the_doctor_asks_which_of_several(void **state)
{
	struct fixture *f = *state;

	ask(&f->admin, "POST /admin/doctor", "", "{\"instance\":\"nobody\"}");
	assert_int_equal(client_status(&f->admin), 404);
	ask(&f->admin, "POST /admin/doctor", "", "{\"instance\":\"shop\",\"account\":\"evil\"}");
	assert_int_equal(client_status(&f->admin), 404);
	ask(&f->admin, "POST /admin/doctor", "", "{\"instance\":\"shop\",\"account\":\"x\"}");
	assert_non_null(strstr(f->admin.got, "\"account_not_found\""));
	ask(&f->admin, "POST /admin/doctor", "", "{\"instance\":7}");
	assert_int_equal(client_status(&f->admin), 400);
	ask(&f->admin, "POST /admin/doctor", "", "no JSON");
	assert_int_equal(client_status(&f->admin), 400);
	add_instance(f, "evil", "shop", "another-token-0123456789");
	ask(&f->admin, "POST /admin/doctor", "", "{\"instance\":\"shop\"}");
	assert_int_equal(client_status(&f->admin), 409);
	assert_non_null(strstr(f->admin.got, "\"ambiguous_name\""));
	ask(&f->admin, "POST /admin/doctor", "", "{\"instance\":\"shop\",\"account\":\"evil\"}");
	assert_int_equal(client_status(&f->admin), 200);
}

static void test_a_dead_admin_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct fixture *f = *state;
	struct gw_http *second;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/admin.sock", f->dir);
	assert_int_equal(stat(sun.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(gw_http_start(&f->gw, &second), -EADDRINUSE);
	assert_int_equal(stat(sun.sun_path, &st), 0);
	unserve(f);
	assert_int_equal(stat(sun.sun_path, &st), -1);
	/* one whose process is gone */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	serve(f);
	ask(&f->admin, "GET /health", "", NULL);
	assert_int_equal(client_status(&f->admin), 200);
}

/* A listening socket as systemd makes one; its port in *port_out. */
static int listening_socket(uint16_t *port_out)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port_out = ntohs(sin.sin_port);
	return fd;
}

static void test_every_socket_handed_over_is_served(void **state)
{
	struct fixture *f = *state;
	struct gw_activation activation = { .n = 3 };
	uint16_t ports[2], unused;
	char url[64];

	unserve(f);
	f->gw.cfg.listen = (char *)(uintptr_t) "systemd";
	assert_int_equal(gw_http_start(&f->gw, &f->gw.http), -ENOENT);
	assert_null(f->gw.http);
	activation.sockets[0] = (struct gw_activated){ listening_socket(&ports[0]), "http" };
	activation.sockets[1] = (struct gw_activated){ listening_socket(&unused), "other" };
	activation.sockets[2] = (struct gw_activated){ listening_socket(&ports[1]), "http" };
	f->gw.activation = &activation;
	free(f->gw.cfg.public_url);
	f->gw.cfg.public_url = NULL;
	assert_int_equal(gw_http_start(&f->gw, &f->gw.http), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ports[0]);
	assert_string_equal(f->gw.cfg.public_url, url);
	for (int i = 0; i < 2; i++) {
		f->port = ports[i];
		dial(f, &f->c);
		ask(&f->c, "GET /health", "", NULL);
		assert_int_equal(client_status(&f->c), 200);
		client_close(&f->c);
	}
	assert_int_equal(gw_activation_clear(&activation), 1);
	dial(f, &f->c);
	dial_admin(f, &f->admin);
}

/* ---- metrics ---------------------------------------------------------------- */

static void expect_line(struct client *c, const char *line)
{
	if (strstr(c->got, line) == NULL)
		fail_msg("no line \"%s\" in:\n%s", line, c->got);
}

static void test_metrics_count_by_route_and_status_never_by_path(void **state)
{
	struct fixture *f = *state;

	ask(&f->c, "GET /api/instance/list?instanceName=shop", ACME_H, NULL);
	ask(&f->c, "GET /api/instance/getSettings/shop", SHOP_H, NULL);
	ask(&f->c, "GET /api/instance/getSettings/shop", SHOP_H, NULL);
	ask(&f->c, "GET /api/instance/getSettings/nobody", ACME_H, NULL);
	ask(&f->c, "GET /api/instance/list", "token: wrong-wrong-wrong-wrong\r\n", NULL);
	ask(&f->c, "GET /secret-path", "", NULL);
	ask(&f->c, "GET /metrics", "", NULL);
	assert_int_equal(client_status(&f->c), 200);
	assert_true(has_header(&f->c, "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
	assert_false(has_header(&f->c, "X-RateLimit-Limit"));
#define COUNT(route, status, n) \
	"\nwarden_http_request_seconds_count{method=\"GET\",route=\"" route "\",status=\"" status \
	"\"} " n "\n"
	expect_line(&f->c, COUNT("/api/instance/list", "200", "1"));
	expect_line(&f->c, COUNT("/api/instance/list", "401", "1"));
	expect_line(&f->c, COUNT("/api/instance/getSettings/:instance", "200", "2"));
	expect_line(&f->c, COUNT("/api/instance/getSettings/:instance", "404", "1"));
	expect_line(&f->c, "\nwarden_http_request_seconds_count{method=\"\",route=\"\",status=\"");
	expect_line(&f->c, "\nwarden_instances{state=\"disconnected\"} 1\n");
	expect_line(&f->c, "\nwarden_instances{state=\"connected\"} 0\n");
	expect_line(&f->c, "\nwarden_limiter_decisions_total{by=\"memory\"} 5\n");
	expect_line(&f->c, "\nwarden_limiter_redis_configured 0\n");
	expect_line(&f->c, "\nwarden_workers_startable 1\n");
	assert_null(strstr(f->c.got, "secret-path"));
	assert_null(strstr(f->c.got, "nobody"));
	ask(&f->c, "POST /metrics", "", NULL);
	expect(&f->c, 405, BAD_METHOD);
	workers_ok = false;
	ask(&f->c, "GET /metrics", "", NULL);
	expect_line(&f->c, "\nwarden_workers_startable 0\n");
	expect_line(&f->c, COUNT("/metrics", "200", "1"));
#undef COUNT
}

static void expect_metrics(struct fixture *f, const char *headers, int status)
{
	ask(&f->c, "GET /metrics", headers, NULL);
	if (client_status(&f->c) != status)
		fail_msg("expected %d with \"%s\", got:\n%.200s", status, headers, f->c.got);
	if (status == 403)
		expect(&f->c, 403, ERROR("Forbidden", "forbidden"));
}

static void test_metrics_are_for_allowed_addresses_and_not_through_just_any_proxy(void **state)
{
	struct fixture *f = *state;

	expect_metrics(f, "", 200);
	expect_metrics(f, "X-Forwarded-For: 127.0.0.1\r\n", 403);
	expect_metrics(f, "Forwarded: for=127.0.0.1\r\n", 403);
	expect_metrics(f, "x-real-ip: 127.0.0.1\r\n", 403);
	expect_metrics(f, "X-Forwarded-Proto: https\r\n", 403);
	expect_metrics(f, "Via: 1.1 proxy\r\n", 403);
	expect_metrics(f, "X-Forwarded-For:\r\n", 403);
	unserve(f);
	f->gw.cfg.trusted_proxies = (char *)(uintptr_t) "127.0.0.1";
	serve(f);
	expect_metrics(f, "", 200);
	expect_metrics(f, "X-Forwarded-For: 127.0.0.2\r\n", 200);
	expect_metrics(f, "X-Forwarded-For: ::1\r\nVia: 1.1 proxy\r\n", 200);
	expect_metrics(f, "X-Forwarded-For: 203.0.113.9\r\n", 403);
	expect_metrics(f, "X-Forwarded-For: 127.0.0.2, 203.0.113.9\r\n", 403);
	expect_metrics(f, "X-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n", 403);
	expect_metrics(f, "X-Forwarded-For: unknown\r\n", 403);
	expect_metrics(f, "X-Forwarded-For: unix:, 127.0.0.1\r\n", 403);
	expect_metrics(f, "X-Forwarded-For: 127.0.0.2\r\nX-Forwarded-For: 127.0.0.1\r\n", 200);
	expect_metrics(f, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 127.0.0.1\r\n", 403);
	expect_metrics(f, "X-Forwarded-For: 127.0.0.2\r\nX-Forwarded-For: 203.0.113.9\r\n", 403);
	expect_metrics(f, "X-Forwarded-For: ,\r\n", 403);
	expect_metrics(f, "X-Real-IP: 127.0.0.2\r\n", 403);
	unserve(f);
	gw_metrics_free(f->gw.metrics);
	assert_int_equal(gw_metrics_new("10.0.0.0/8", &f->gw.metrics), 0);
	serve(f);
	expect_metrics(f, "", 403);
	expect_metrics(f, "X-Forwarded-For: 10.1.2.3\r\n", 200);
	gw_metrics_free(f->gw.metrics);
	assert_int_equal(gw_metrics_new(NULL, &f->gw.metrics), 0);
	expect_metrics(f, "", 403);
}

/* ---- the limit in a Redis --------------------------------------------------- */

static bool limiter_ok(void *arg)
{
	return strcmp(gw_limit_health(((struct fixture *)arg)->gw.limit), "ok") == 0;
}

/* The limit step now waits for what the peer is told to say. */
static void begin_redis(struct fixture *f, struct redis_peer *peer)
{
	static const char *const lines[] = { "*1\r\n:1\r\n", NULL };
	char url[TEST_DIR_CAP + 32];

	peer_open(peer, f->gw.base, f->dir);
	peer_listen(peer);
	peer->lines = lines;
	snprintf(url, sizeof(url), "unix:%s", peer->path);
	f->gw.cfg.redis_url = url;
	gw_limit_free(f->gw.limit);
	assert_int_equal(gw_limit_new(&f->gw, &f->gw.limit), 0);
	f->gw.cfg.redis_url = NULL;
	test_run_until(f->gw.base, limiter_ok, f);
	peer_forget(peer);
	peer->lines = NULL;
}

static void end_redis(struct fixture *f, struct redis_peer *peer)
{
	gw_limit_free(f->gw.limit);
	f->gw.limit = NULL;
	peer_close(peer);
}

static bool peer_was_asked(void *arg)
{
	return ((struct redis_peer *)arg)->said_n > 0;
}

#define ADMITTED(n, wait) "*4\r\n:1\r\n:1700000000000\r\n:" n "\r\n:" wait "\r\n"
#define REFUSED "*4\r\n:0\r\n:1700000000000\r\n:100\r\n:12345\r\n"

static void test_what_redis_says_is_in_the_headers(void **state)
{
	static const char *const lines[] = { ADMITTED("40", "30000"), REFUSED, NULL };
	struct fixture *f = *state;
	struct redis_peer peer;

	begin_redis(f, &peer);
	peer.lines = lines;
	ask(&f->c, "GET /api/instance/list", ACME_H, NULL);
	assert_int_equal(client_status(&f->c), 200);
	assert_true(has_header(&f->c, "X-RateLimit-Limit: 100\r\n"));
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 60\r\n"));
	ask(&f->c, "GET /api/instance/list", ACME_H, NULL);
	assert_int_equal(client_status(&f->c), 429);
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 0\r\n"));
	assert_true(has_header(&f->c, "Retry-After: 13\r\n"));
	end_redis(f, &peer);
}

static void test_memory_decides_when_redis_is_silent(void **state)
{
	struct fixture *f = *state;
	struct redis_peer peer;

	begin_redis(f, &peer);
	ask(&f->c, "GET /api/instance/list", ACME_H, NULL);
	assert_int_equal(client_status(&f->c), 200);
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 99\r\n"));
	ask(&f->c, "GET /health", "", NULL);
	assert_non_null(strstr(f->c.got, "\"status\":\"degraded\""));
	assert_non_null(strstr(f->c.got, "\"limiter\":\"fail: redis does not answer in time; "
	                                 "limiting in memory\""));
	ask(&f->c, "GET /metrics", "", NULL);
	expect_line(&f->c, "\nwarden_limiter_redis_up 0\n");
	expect_line(&f->c, "\nwarden_limiter_degraded 1\n");
	expect_line(&f->c, "\nwarden_limiter_redis_lost_total 1\n");
	end_redis(f, &peer);
}

static void test_a_caller_may_leave_while_redis_is_asked(void **state)
{
	static const char *const lines[] = { ADMITTED("2", "60000"), NULL };
	struct fixture *f = *state;
	struct redis_peer peer;

	begin_redis(f, &peer);
	client_send(&f->c, "GET /api/instance/list" HOST ACME_H "\r\n");
	test_run_until(f->gw.base, peer_was_asked, &peer);
	client_close(&f->c);
	dial(f, &f->c);
	test_run_due(f->gw.base);
	peer_say(&peer, ADMITTED("1", "60000"));
	peer.lines = lines;
	ask(&f->c, "GET /api/instance/list", ACME_H, NULL);
	assert_true(has_header(&f->c, "X-RateLimit-Remaining: 98\r\n"));
	end_redis(f, &peer);
}

static void test_a_token_that_ends_while_redis_is_asked_lets_nothing_in(void **state)
{
	static const char *const asked[] = { "GET /api/instance/list" HOST ACME_H "\r\n",
		                             "POST /api/instance/new" HOST EVIL_H
		                             "Content-Length: 14\r\n\r\n{\"name\":\"new\"}" };
	static const char *const rotate[] = { "POST /admin/accounts/acme/rotate",
		                              "POST /admin/accounts/evil/rotate" };
	struct fixture *f = *state;
	struct redis_peer peer;

	begin_redis(f, &peer);
	for (int i = 0; i < 2; i++) {
		peer_forget(&peer);
		f->c.len = 0;
		client_send(&f->c, asked[i]);
		test_run_until(f->gw.base, peer_was_asked, &peer);
		ask(&f->admin, rotate[i], "", NULL);
		assert_int_equal(client_status(&f->admin), 200);
		peer_say(&peer, i == 0 ? ADMITTED("1", "60000")
		                       : "*6\r\n:1\r\n:1\r\n:1\r\n:60000\r\n:1\r\n:60000\r\n");
		test_run_until(f->gw.base, client_has_answer, &f->c);
		assert_int_equal(client_status(&f->c), 401);
	}
	assert_null(instance(f, "evil", "new"));
	end_redis(f, &peer);
}

static void test_a_stop_while_redis_is_asked_is_a_stop(void **state)
{
	struct fixture *f = *state;
	struct redis_peer peer;

	begin_redis(f, &peer);
	client_send(&f->c, "GET /api/instance/list" HOST ACME_H "\r\n");
	test_run_until(f->gw.base, peer_was_asked, &peer);
	f->gw.stopping = true;
	peer_say(&peer, ADMITTED("1", "60000"));
	test_run_until(f->gw.base, client_has_answer, &f->c);
	assert_int_equal(client_status(&f->c), 503);
	f->gw.stopping = false;
	end_redis(f, &peer);
}

static void test_the_gateway_may_end_while_redis_is_asked(void **state)
{
	struct fixture *f = *state;
	struct redis_peer peer;

	begin_redis(f, &peer);
	client_send(&f->c, "GET /api/instance/list" HOST ACME_H "\r\n");
	test_run_until(f->gw.base, peer_was_asked, &peer);
	unserve(f);
	end_redis(f, &peer);
	assert_int_equal(gw_limit_new(&f->gw, &f->gw.limit), 0);
	serve(f);
	ask(&f->c, "GET /api/instance/list", ACME_H, NULL);
	assert_int_equal(client_status(&f->c), 200);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void test_bodies_of_errors_are_what_the_encoder_gives(void **state)
{
	json_t *json;
	char *text;

	(void)state;
#define X(id, status, message, code) \
	json = gw_error_json(message, code, NULL); \
	text = json_dumps(json, JSON_COMPACT); \
	assert_string_equal(gw_error_body(id), text); \
	free(text); \
	json_decref(json);
	GW_ERROR_LIST(X)
#undef X
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies_of_errors_are_what_the_encoder_gives),
		T(test_each_check_comes_in_its_turn),
		cmocka_unit_test(test_gzip_goes_to_who_takes_it),
		T(test_the_page_may_be_kept),
		T(test_methods_unknown_to_a_path_are_told_which_it_knows),
		T(test_what_the_gate_refuses_is_answered_in_json),
		T(test_media_routes_take_larger_bodies),
		T(test_request_ids_are_kept_when_they_can_be),
		T(test_the_first_token_found_decides),
		T(test_guessing_tokens_is_slow),
		T(test_creating_has_a_limit_of_its_own),
		T(test_new_checks_every_key),
		T(test_new_shows_a_token_once_that_works),
		T(test_list_filters_by_name),
		T(test_delete_erases_and_says_so),
		T(test_connect_checks_its_parameters),
		T(test_callers_wait_for_one_attempt_and_get_one_code),
		T(test_the_code_comes_in_the_form_asked_for),
		T(test_each_failure_has_its_answer),
		T(test_no_room_for_a_worker_is_503),
		T(test_another_history_supersedes_who_waits),
		T(test_a_caller_that_leaves_changes_nothing),
		T(test_waiting_ends_at_the_time_limit),
		T(test_a_stream_tells_the_attempt_to_its_end),
		T(test_a_stream_that_is_left_changes_nothing),
		T(test_a_stream_without_room_fails_in_the_stream),
		T(test_who_waits_is_told_of_the_end),
		T(test_new_work_is_refused_while_stopping),
		T(test_health_says_what_fails),
		T(test_the_front_page_is_there),
		T(test_listed_origins_are_let_in),
		T(test_a_proxy_is_believed_about_its_clients),
		T(test_accounts_are_administered_over_the_admin_socket),
		T(test_the_doctor_is_called_over_the_admin_socket),
		T(test_the_doctor_asks_which_of_several),
		T(test_a_dead_admin_socket_is_replaced_and_a_live_one_is_not),
		T(test_every_socket_handed_over_is_served),
		T(test_metrics_count_by_route_and_status_never_by_path),
		T(test_metrics_are_for_allowed_addresses_and_not_through_just_any_proxy),
		T(test_what_redis_says_is_in_the_headers),
		T(test_memory_decides_when_redis_is_silent),
		T(test_a_caller_may_leave_while_redis_is_asked),
		T(test_a_token_that_ends_while_redis_is_asked_lets_nothing_in),
		T(test_a_stop_while_redis_is_asked_is_a_stop),
		T(test_the_gateway_may_end_while_redis_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
