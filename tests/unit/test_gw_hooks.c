/* tests/unit/test_gw_hooks.c - webhooks: lanes over the real event log, receivers that the test
 * plays */
#include "gw_test.h"

#include "faulty_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/supervision/gw_worker.h"
#include "gateway/supervision/gw_worker_ask.h"
#include "gateway/webhook/gw_hook_http.h"
#include "gateway/webhook/gw_hooks.h"

#define INSTANCES 42
#define CALLS_MAX 512

struct fixture {
	struct gw gw;
	char dir[TEST_DIR_CAP];
	struct gw_account acme, other;
	struct gw_instance inst[INSTANCES]; /* the last is the other account's */
	size_t want_n;                      /* calls */
	uint64_t want;                      /* a sequence */
};
static struct fixture *fix;

/* ---- the clock: the wall's is the test's, the monotonic one the event log's thread waits by
 * --------
 */

static uint64_t now_ms;

uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t clock_unix_ms(void)
{
	return (int64_t)now_ms;
}

int64_t clock_unix_s(void)
{
	return clock_unix_ms() / 1000;
}

void clock_rfc3339(int64_t unix_ms, char *out)
{
	snprintf(out, RFC3339_CAP, "%lld", (long long)unix_ms);
}

/* ---- receivers ---------------------------------------------------------------------------------
 */

struct gw_hook_call {
	bool open;
	char url[256], headers[2048], body[1024];
	gw_hook_http_done *done;
	void *arg;
};
static struct gw_hook_call calls[CALLS_MAX];
static size_t calls_n;

int gw_hook_http_new(struct event_base *base, bool allow_private, uint64_t timeout_ms,
                     struct gw_hook_http **http_out)
{
	(void)base;
	(void)allow_private;
	(void)timeout_ms;
	*http_out = NULL;
	return 0;
}

void gw_hook_http_free(struct gw_hook_http *http)
{
	(void)http;
}

int gw_hook_http_post(struct gw_hook_http *http, struct gw_hook_request *req,
                      gw_hook_http_done *done, void *arg, struct gw_hook_call **call_out)
{
	struct gw_hook_call *c = &calls[calls_n];

	(void)http;
	assert_true(calls_n < CALLS_MAX);
	calls_n++;
	*c = (struct gw_hook_call){ .open = true, .done = done, .arg = arg };
	snprintf(c->url, sizeof(c->url), "%s", req->url);
	for (size_t i = 0; i < GW_HOOK_HEADERS_MAX && req->headers[i] != NULL; i++)
		snprintf(c->headers + strlen(c->headers), sizeof(c->headers) - strlen(c->headers),
		         "%s\n", req->headers[i]);
	snprintf(c->body, sizeof(c->body), "%.*s", (int)req->body->len, (char *)req->body->p);
	buf_wipe(req->body);
	*call_out = c;
	return 0;
}

void gw_hook_http_cancel(struct gw_hook_call *call)
{
	if (call != NULL)
		call->open = false;
}

static void answer_with(size_t i, int status, uint64_t retry_after_s)
{
	const struct gw_hook_answer a = { .status = status,
		                          .retry_after_s = retry_after_s,
		                          .why = status == 0 ? "connect" : NULL };

	assert_true(i < calls_n && calls[i].open);
	calls[i].open = false;
	calls[i].done(&a, calls[i].arg);
}

static void answer(size_t i, int status)
{
	answer_with(i, status, 0);
}

static bool has_calls(void *arg)
{
	return calls_n >= ((struct fixture *)arg)->want_n;
}

/* The next request, of all so far the nth. */
static struct gw_hook_call *await_call(size_t n)
{
	fix->want_n = n;
	test_run_until(fix->gw.base, has_calls, fix);
	assert_int_equal(calls_n, n);
	return &calls[n - 1];
}

/* Time passes and all that is due by then happens; a commit or two on the way. */
static void pass(uint64_t ms)
{
	now_ms += ms;
	test_fire_timers(fix->gw.base);
	gw_events_drain(fix->gw.events);
	test_run_due(fix->gw.base);
	gw_events_drain(fix->gw.events);
	test_run_due(fix->gw.base);
}

/* ---- stand-ins ---------------------------------------------------------------------------------
 */

static struct {
	unsigned n;
	gw_ask_cb *cb;
	void *arg;
	char id[64];
	bool cancelled;
	int rc;
} asked;

int gw_worker_ask_media(struct gw_instance *inst, const char *message_id, uint64_t len_max,
                        gw_ask_cb *cb, void *arg, struct gw_ask **ask_out)
{
	(void)inst;
	(void)len_max;
	if (asked.rc < 0)
		return asked.rc;
	asked.n++;
	asked.cb = cb;
	asked.arg = arg;
	snprintf(asked.id, sizeof(asked.id), "%s", message_id);
	*ask_out = (struct gw_ask *)&asked;
	return 0;
}

void gw_ask_cancel(struct gw_ask *a)
{
	if (a != NULL)
		asked.cancelled = true;
}

void gw_worker_event_commit(struct gw_worker *w, uint64_t store, uint64_t number, bool again)
{
	(void)w;
	(void)store;
	(void)number;
	(void)again;
}

struct gw_instance *gw_registry_next_any(struct gw_registry *reg, struct gw_instance *prev)
{
	(void)reg;
	if (prev == NULL)
		return &fix->inst[0];
	return prev == &fix->inst[INSTANCES - 1] ? NULL : prev + 1;
}

const char *gw_instance_id(const struct gw_instance *inst)
{
	return inst->id;
}

struct gw_account *gw_instance_account(const struct gw_instance *inst)
{
	return inst->account;
}

const struct log_ctx *gw_instance_log(const struct gw_instance *inst)
{
	(void)inst;
	return NULL;
}

const struct gw_hook_config *gw_instance_hooks(const struct gw_instance *inst)
{
	static const struct gw_hook_config none;

	return inst->hooks != NULL ? inst->hooks : &none;
}

static int disable_rc;

/* As the registry does it, at once. */
int gw_registry_instance_hooks(struct gw_registry *reg, struct gw_instance *inst, json_t *patch,
                               gw_registry_done *done, void *arg)
{
	(void)reg;
	if (disable_rc < 0)
		return disable_rc;
	assert_int_equal(gw_hook_config_apply(&inst->hooks, patch), 0);
	gw_hooks_changed(fix->gw.hooks, inst, patch);
	done(0, inst, arg);
	return 0;
}

/* ---- fixture -----------------------------------------------------------------------------------
 */

static void open_all(void)
{
	calls_n = 0;
	assert_int_equal(gw_events_new(&fix->gw, &fix->gw.events), 0);
	assert_int_equal(gw_hooks_new(&fix->gw, &fix->gw.hooks), 0);
	gw_hooks_start(fix->gw.hooks);
}

static void close_all(void)
{
	gw_hooks_stop(fix->gw.hooks);
	gw_events_drain(fix->gw.events);
	gw_hooks_free(fix->gw.hooks);
	for (int i = 0; i < INSTANCES; i++)
		gw_events_forget(fix->gw.events, &fix->inst[i]);
	gw_events_free(fix->gw.events);
	fix->gw.hooks = NULL;
}

static void restart(void)
{
	close_all();
	open_all();
}

static int setup(void **state)
{
	fix = calloc(1, sizeof(*fix));
	assert_non_null(fix);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	unsetenv("CREDENTIALS_DIRECTORY");
	memset(&asked, 0, sizeof(asked));
	disable_rc = 0;
	now_ms = 1700000000000;
	test_dir_make(fix->dir);
	fix->gw.base = event_base_new();
	fix->gw.cfg.data_dir = fix->dir;
	fix->gw.cfg.public_url = (char *)"http://h";
	fix->gw.cfg.event_retention_days = 7;
	assert_int_equal(gw_master_key_load(NULL, fix->dir, true, &fix->gw.master_key), 0);
	for (int i = 0; i < INSTANCES; i++) {
		struct gw_instance *inst = &fix->inst[i];

		snprintf(inst->id, sizeof(inst->id), "aaaaaaaaaaaaaa%c%c", 'a' + i / 26,
		         'a' + i % 26);
		snprintf(inst->name, sizeof(inst->name), "i%d", i);
		inst->gw = &fix->gw;
		inst->account = i == INSTANCES - 1 ? &fix->other : &fix->acme;
		inst->worker = (struct gw_worker *)inst; /* never looked into */
	}
	open_all();
	*state = fix;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_all();
	faulty_vfs_remove();
	for (int i = 0; i < INSTANCES; i++)
		gw_hook_config_free(fix->inst[i].hooks);
	gw_master_key_free(fix->gw.master_key);
	event_base_free(fix->gw.base);
	test_dir_remove(fix->dir);
	free(fix);
	return 0;
}

static bool prepared;

static void on_prepared(int rc, void *arg)
{
	(void)arg;
	assert_int_equal(rc, 0);
	prepared = true;
}

static bool is_prepared(void *arg)
{
	(void)arg;
	return prepared;
}

/* patch: of one label. */
static void change(struct gw_instance *inst, const char *label, const char *patch)
{
	json_t *o = json_loads(patch, JSON_DECODE_ANY, NULL);
	json_t *all = json_pack("{s:{s:o}}", "webhooks", label, o);

	assert_non_null(all);
	if (!json_is_null(o) && gw_webhook_find(inst->hooks, label) == NULL) {
		prepared = false;
		assert_int_equal(gw_hooks_prepare(fix->gw.hooks, inst, label, on_prepared, NULL),
		                 0);
		test_run_until(fix->gw.base, is_prepared, NULL);
	}
	assert_int_equal(gw_hook_config_apply(&inst->hooks, all), 0);
	gw_hooks_changed(fix->gw.hooks, inst, all);
	json_decref(all);
}

#define SECRET "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define HOOK "{\"enabled\":true,\"url\":\"http://a.example/in\",\"secret\":\"" SECRET "\"}"

static void emit(struct gw_instance *inst, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(gw_events_emit(fix->gw.events, inst, GW_EVENT_INSTANCE_STATE,
		                                json_pack("{s:s}", "state", "connected"), NULL, 0),
		                 0);
}

/* A worker's event. */
static void take(struct gw_instance *inst, uint64_t number, const char *data, uint32_t flags)
{
	Ipc__Event m = IPC__EVENT__INIT;
	int fd = -1;

	m.has_store = m.has_number = m.has_kind = m.has_data = m.has_flags = 1;
	m.store = 7;
	m.number = number;
	m.kind = IPC__EVENT__KIND__MESSAGE_EXCHANGE;
	m.flags = flags;
	m.data.data = (uint8_t *)(uintptr_t)data;
	m.data.len = strlen(data);
	assert_int_equal(gw_events_take(fix->gw.events, inst, &m, &fd), 0);
}

static uint64_t sequence_of(const struct gw_hook_call *c)
{
	json_t *event = json_loads(c->body, 0, NULL);
	uint64_t seq = (uint64_t)json_integer_value(json_object_get(event, "sequence"));

	assert_non_null(event);
	json_decref(event);
	return seq;
}

static void assert_sequence(const struct gw_hook_call *c, uint64_t seq)
{
	assert_int_equal(sequence_of(c), seq);
}

static struct gw_hook_dead dead[8];
static size_t dead_n;
static bool listed;

static void on_dead(int rc, struct gw_hook_job *j, void *arg)
{
	(void)arg;
	assert_int_equal(rc, 0);
	dead_n = j->n;
	assert_true(dead_n <= ARRAY_LEN(dead));
	if (j->dead != NULL)
		memcpy(dead, j->dead, dead_n * sizeof(*dead));
	listed = true;
}

static bool is_listed(void *arg)
{
	(void)arg;
	return listed;
}

static size_t list_dead(struct gw_instance *inst)
{
	listed = false;
	assert_int_equal(gw_hooks_dead_list(fix->gw.hooks, inst, NULL, on_dead, NULL), 0);
	test_run_until(fix->gw.base, is_listed, NULL);
	return dead_n;
}

static void send_dead_again(struct gw_instance *inst)
{
	listed = false;
	assert_int_equal(gw_hooks_dead_again(fix->gw.hooks, inst, NULL, on_dead, NULL), 0);
	test_run_until(fix->gw.base, is_listed, NULL);
}

/* ---- tests -------------------------------------------------------------------------------------
 */

static void test_one_at_a_time_in_order_and_on_from_there(void **state)
{
	struct gw_instance *inst = &fix->inst[0];
	struct gw_hook_call *c;
	char line[64];

	(void)state;
	emit(inst, 3); /* before there was a webhook */
	gw_events_drain(fix->gw.events);
	change(inst, "default", HOOK);
	emit(inst, 3);
	c = await_call(1);
	assert_sequence(c, 4);
	assert_string_equal(c->url, "http://a.example/in");
	assert_non_null(strstr(c->headers, "webhook-id: evt_"));
	assert_non_null(strstr(c->headers, "webhook-signature: v1,"));
	snprintf(line, sizeof(line), "webhook-timestamp: %lld\n", (long long)clock_unix_s());
	assert_non_null(strstr(c->headers, line));
	assert_null(strstr(c->headers, "Authorization"));
	pass(60000);
	assert_int_equal(calls_n, 1); /* no second one beside it */
	answer(0, 200);
	assert_sequence(await_call(2), 5);
	answer(1, 204);
	assert_sequence(await_call(3), 6);

	/* cut off: it is sent again, what was taken is not */
	restart();
	assert_sequence(await_call(1), 6);
	answer(0, 200);
	gw_events_drain(fix->gw.events);
	restart();
	emit(inst, 1);
	assert_sequence(await_call(1), 7);
}

static void test_what_fails_is_tried_when_its_time_has_come(void **state)
{
	struct gw_instance *inst = &fix->inst[0];
	struct gw_hooks_lane_info info;

	(void)state;
	change(inst, "default", HOOK);
	emit(inst, 2);
	assert_sequence(await_call(1), 1);
	answer(0, 503);
	pass(3900);
	assert_int_equal(calls_n, 1); /* 5 s less a fifth */
	pass(2200);
	assert_sequence(await_call(2), 1);
	answer_with(1, 429, 600); /* longer than the schedule's 30 s */
	pass(599000);
	assert_int_equal(calls_n, 2);
	assert_true(gw_hooks_lane(fix->gw.hooks, inst, "default", &info));
	assert_int_equal(info.tries, 2);
	assert_int_equal(info.last_status, 429);
	assert_int_equal(info.behind, 2);

	/* a restart changes nothing of that */
	restart();
	pass(0);
	assert_int_equal(calls_n, 0);
	pass(1001);
	assert_sequence(await_call(1), 1);
	answer(0, 0);
	assert_true(gw_hooks_lane(fix->gw.hooks, inst, "default", &info));
	assert_int_equal(info.tries, 3);
	assert_string_equal(info.last_why, "connect");
	pass(150000);
	assert_sequence(await_call(2), 1);
	answer(1, 200);
	assert_sequence(await_call(3), 2);
}

static void test_a_dead_letter_lets_the_next_one_through(void **state)
{
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	change(inst, "default", HOOK);
	emit(inst, 2);
	for (size_t i = 0; i < 3; i++) {
		assert_sequence(await_call(i + 1), 1);
		answer(i, 404);
		pass(40000);
	}
	assert_sequence(await_call(4), 2);
	answer(3, 200);
	assert_int_equal(list_dead(inst), 1);
	assert_int_equal(dead[0].seq, 1);
	assert_int_equal(dead[0].status, 404);
	assert_int_equal(dead[0].tries, 3);
	assert_int_equal(dead[0].kind, GW_EVENT_INSTANCE_STATE);
	assert_string_equal(dead[0].label, "default");

	/* again on request, before what is new; one that is refused three times again stays one */
	send_dead_again(inst);
	emit(inst, 1);
	for (size_t i = 4; i < 7; i++) {
		assert_sequence(await_call(i + 1), 1);
		answer(i, 400);
		pass(40000);
	}
	assert_sequence(await_call(8), 3);
	answer(7, 200);
	assert_int_equal(list_dead(inst), 1);
	assert_int_equal(dead[0].status, 400);
	assert_false(dead[0].again);
	send_dead_again(inst);
	assert_sequence(await_call(9), 1);
	restart(); /* in the middle of it */
	assert_sequence(await_call(1), 1);
	answer(0, 200);
	pass(0);
	assert_int_equal(list_dead(inst), 0);
	assert_int_equal(calls_n, 1);
	emit(inst, 1);
	assert_sequence(await_call(2), 4);
}

static void test_the_end_of_the_schedule_is_a_dead_letter(void **state)
{
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	change(inst, "default", HOOK);
	emit(inst, 2);
	for (size_t i = 0; i < 10; i++) {
		assert_sequence(await_call(i + 1), 1);
		answer(i, 0);
		assert_int_equal(list_dead(inst), i == 9);
		if (i < 9)
			pass(36000000);
	}
	assert_string_equal(dead[0].why, "connect");
	assert_sequence(await_call(11), 2);
}

static void test_nothing_goes_on_before_a_dead_letter_is_kept(void **state)
{
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	faulty_vfs_install();
	restart();
	change(inst, "default", HOOK);
	emit(inst, 2);
	for (size_t i = 0; i < 3; i++) {
		assert_sequence(await_call(i + 1), 1);
		if (i == 2)
			faulty_vfs_fail(1, SQLITE_FULL, true);
		answer(i, 404);
		pass(40000);
	}
	for (int i = 0; i < 5; i++)
		pass(2000);
	assert_int_equal(calls_n, 3);
	faulty_vfs_fail(0, 0, false);
	for (int i = 0; i < 5 && calls_n == 3; i++)
		pass(2000);
	assert_sequence(await_call(4), 2);
	assert_int_equal(list_dead(inst), 1);
}

static void test_a_dead_letter_taken_at_last_is_let_go_of_once_the_disk_is_back(void **state)
{
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	faulty_vfs_install();
	restart();
	change(inst, "default", HOOK);
	emit(inst, 1);
	for (size_t i = 0; i < 3; i++) {
		assert_sequence(await_call(i + 1), 1);
		answer(i, 404);
		pass(40000);
	}
	assert_int_equal(list_dead(inst), 1);
	send_dead_again(inst);
	assert_sequence(await_call(4), 1);
	faulty_vfs_fail(1, SQLITE_FULL, true);
	answer(3, 200);
	for (int i = 0; i < 5; i++)
		pass(2000);
	faulty_vfs_fail(0, 0, false);
	for (int i = 0; i < 5; i++) /* and nothing else happens */
		pass(2000);
	assert_int_equal(list_dead(inst), 0);
	assert_int_equal(calls_n, 4);
}

static void test_a_receiver_that_is_gone_is_left_alone(void **state)
{
	struct gw_instance *inst = &fix->inst[0];
	struct gw_hooks_lane_info info;

	(void)state;
	change(inst, "default", HOOK);
	emit(inst, 2);
	assert_sequence(await_call(1), 1);
	disable_rc = WA_ESTORAGE; /* the registry's disk is ill: it is asked again */
	answer(0, 410);
	assert_true(gw_webhook_find(inst->hooks, "default")->enabled);
	disable_rc = 0;
	pass(1001);
	assert_sequence(await_call(2), 1);
	answer(1, 410);
	assert_false(gw_webhook_find(inst->hooks, "default")->enabled);
	assert_true(gw_webhook_find(inst->hooks, "default")->gone_unix_ms > 0);
	assert_false(gw_hooks_lane(fix->gw.hooks, inst, "default", &info));
	pass(86400000);
	assert_int_equal(calls_n, 2);
	change(inst, "default", "{\"enabled\":true}");
	assert_sequence(await_call(3), 1);
}

static void test_what_is_not_wanted_is_passed_over(void **state)
{
	struct gw_instance *inst = &fix->inst[0];
	struct gw_hooks_lane_info info;

	(void)state;
	change(inst, "m", HOOK);
	change(inst, "m", "{\"events\":[\"message.exchange\"],\"byEvents\":true}");
	emit(inst, 40);
	take(inst, 1, "{\"id\":\"A\"}", 0);
	take(inst, 2, "{\"id\":\"H\"}", GW_EVENT_FROM_HISTORY);
	emit(inst, 40);
	take(inst, 3, "{\"id\":\"B\"}", 0);
	assert_sequence(await_call(1), 41);
	assert_string_equal(calls[0].url, "http://a.example/in/message-exchange");
	answer(0, 200);
	assert_sequence(await_call(2), 83);
	answer(1, 200);
	emit(inst, 5);
	pass(0);
	pass(0);
	assert_true(gw_hooks_lane(fix->gw.hooks, inst, "m", &info));
	assert_int_equal(info.behind, 0);
	assert_int_equal(calls_n, 2);
	change(inst, "m", "{\"fromHistory\":true}");
	assert_int_equal(gw_hooks_rewind(fix->gw.hooks, inst, "m", 42), 1);
	assert_sequence(await_call(3), 42);
}

static void test_tries_are_those_of_one_event(void **state)
{
	struct gw_instance *inst = &fix->inst[0];
	struct gw_hooks_lane_info info;

	(void)state;
	change(inst, "a", HOOK);
	emit(inst, 1);
	take(inst, 1, "{\"id\":\"A\"}", 0);
	await_call(1);
	answer(0, 404);
	pass(40000);
	await_call(2);
	answer(1, 404);
	change(inst, "a",
	       "{\"events\":[\"message.exchange\"]}"); /* the head is not wanted any more */
	pass(40000);
	assert_sequence(await_call(3), 2);
	answer(2, 404);
	assert_true(gw_hooks_lane(fix->gw.hooks, inst, "a", &info));
	assert_int_equal(info.tries, 1);
	assert_int_equal(list_dead(inst), 0);
}

static void test_a_change_is_tried_at_once(void **state)
{
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	change(inst, "default", HOOK);
	emit(inst, 1);
	await_call(1);
	answer_with(0, 500, 3600);
	pass(0);
	change(inst, "default", "{\"url\":\"http://b.example/\",\"authorization\":\"Bearer x\"}");
	assert_string_equal(await_call(2)->url, "http://b.example/");
	assert_non_null(strstr(calls[1].headers, "Authorization: Bearer x\n"));
	/* while a request is under way: what comes of it is that of the old one */
	change(inst, "default", "{\"url\":\"http://c.example/\"}");
	answer(1, 500);
	assert_string_equal(await_call(3)->url, "http://c.example/");
	answer(2, 200);
	pass(0);
	assert_int_equal(calls_n, 3);
}

static void test_from_further_back_on_request(void **state)
{
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	change(inst, "a", HOOK);
	emit(inst, 3);
	for (size_t i = 0; i < 3; i++) {
		await_call(i + 1);
		answer(i, 200);
	}
	pass(0);
	assert_int_equal(gw_hooks_rewind(fix->gw.hooks, inst, "none", 1), 0);
	assert_int_equal(gw_hooks_rewind(fix->gw.hooks, inst, NULL, 9), 1); /* not that far yet */
	pass(0);
	assert_int_equal(calls_n, 3);
	assert_int_equal(gw_hooks_rewind(fix->gw.hooks, inst, NULL, 2), 1);
	assert_sequence(await_call(4), 2);
	/* while a request is under way: after it */
	assert_int_equal(gw_hooks_rewind(fix->gw.hooks, inst, "a", 1), 1);
	answer(3, 200);
	assert_sequence(await_call(5), 1);
	answer(4, 200);
	assert_sequence(await_call(6), 2);
	restart(); /* kept */
	assert_sequence(await_call(1), 2);
}

static void test_a_deleted_label_leaves_nothing_behind(void **state)
{
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	change(inst, "a", HOOK);
	emit(inst, 2);
	for (size_t i = 0; i < 3; i++) {
		await_call(i + 1);
		answer(i, 404);
		pass(40000);
	}
	assert_sequence(await_call(4), 2);
	change(inst, "a", "null");
	assert_false(calls[3].open);
	assert_int_equal(list_dead(inst), 0);
	emit(inst, 1);
	pass(0);
	change(inst, "a", HOOK);
	emit(inst, 1);
	assert_sequence(await_call(5), 4); /* not 2, nor 3 */
}

static void test_an_instance_that_goes_takes_all_along(void **state)
{
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	change(inst, "a", HOOK);
	emit(inst, 1);
	await_call(1);
	gw_hooks_forget(fix->gw.hooks, inst);
	gw_hooks_erase(fix->gw.hooks, inst->id);
	gw_events_erase(fix->gw.events, inst->id);
	assert_false(calls[0].open);
	pass(0);
	assert_int_equal(list_dead(inst), 0);
	emit(&fix->inst[1], 1);
	pass(0);
	assert_int_equal(calls_n, 1);
}

static void test_what_was_left_behind_is_tidied_away(void **state)
{
	struct gw_instance *inst = &fix->inst[0], *kept = &fix->inst[1];

	(void)state;
	for (int i = 0; i < 2; i++) {
		change(&fix->inst[i], "a", HOOK);
		emit(&fix->inst[i], 1);
		for (size_t n = 0; n < 3; n++) {
			await_call(3 * (size_t)i + n + 1);
			answer(calls_n - 1, 404);
			pass(40000);
		}
	}
	assert_int_equal(list_dead(inst), 1);
	assert_int_equal(list_dead(kept), 1);
	gw_hooks_forget(fix->gw.hooks, inst);
	gw_events_erase(fix->gw.events, inst->id); /* and then the gateway died */
	pass(3600000);
	pass(0);
	assert_int_equal(list_dead(inst), 0);
	assert_int_equal(list_dead(kept), 1);
	pass(8 * UINT64_C(86400000)); /* dead letters do not stay for ever */
	pass(0);
	assert_int_equal(list_dead(kept), 0);
}

static void test_accounts_take_turns(void **state)
{
	struct gw_instance *other = &fix->inst[INSTANCES - 1];
	struct gw_hooks_stats stats;
	size_t mine = 0;

	(void)state;
	for (int i = 0; i < INSTANCES; i++) {
		change(&fix->inst[i], "a", HOOK);
		emit(&fix->inst[i], 2);
	}
	await_call(GW_HOOKS_RUNNING_ACCOUNT_MAX + 1);
	pass(0);
	assert_int_equal(calls_n, GW_HOOKS_RUNNING_ACCOUNT_MAX + 1);
	for (size_t i = 0; i < calls_n; i++)
		mine += strstr(calls[i].body, "\"instance\":\"i41\"") != NULL;
	assert_int_equal(mine, 1);
	gw_hooks_stats(fix->gw.hooks, &stats);
	assert_int_equal(stats.running_n, GW_HOOKS_RUNNING_ACCOUNT_MAX + 1);
	assert_int_equal(stats.lanes_n, INSTANCES);
	(void)other;
	/* one that has had its turn goes behind those that have not */
	answer(0, 200);
	await_call(GW_HOOKS_RUNNING_ACCOUNT_MAX + 2);
	assert_sequence(&calls[calls_n - 1], 1);
}

static void test_a_file_goes_along(void **state)
{
	static const char data[] = "{\"id\":\"M1\",\"message\":{\"media\":{\"mimeType\":\"a/b\"}}}";
	const struct gw_ask_result file = { .data = "QUJD", .data_len = 4 };
	const struct gw_ask_result gone = { .rc = WA_ETIMEOUT, .detail = "too slow" };
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	change(inst, "a", HOOK);
	change(inst, "a", "{\"mediaBase64\":true}");
	for (uint64_t i = 1; i <= 4; i++)
		take(inst, i, data, GW_EVENT_HAS_MEDIA);
	for (int i = 0; i < 20 && asked.n == 0; i++)
		pass(0);
	assert_int_equal(asked.n, 1);
	assert_string_equal(asked.id, "M1");
	asked.cb(&file, asked.arg);
	assert_non_null(
	    strstr(await_call(1)->body, "\"media\":{\"mimeType\":\"a/b\",\"base64\":\"QUJD\"}"));
	answer(0, 200);
	assert_int_equal(asked.n, 2);
	asked.cb(&gone, asked.arg);
	assert_non_null(strstr(await_call(2)->body,
	                       "\"error\":{\"code\":\"timeout\",\"detail\":\"too slow\"}"));
	asked.rc = WA_ENO_SESSION; /* no worker: sent without */
	answer(1, 200);
	assert_non_null(strstr(await_call(3)->body, "\"error\":{\"code\":\"no_session\""));
	asked.rc = 0;
	answer(2, 200);
	assert_int_equal(asked.n, 3);
	change(inst, "a", "{\"enabled\":false}"); /* nobody waits for the file any more */
	assert_true(asked.cancelled);
}

static void test_codes_go_out_once(void **state)
{
	struct gw_instance *inst = &fix->inst[0];

	(void)state;
	change(inst, "a", HOOK);
	assert_int_equal(gw_events_emit(fix->gw.events, inst, GW_EVENT_INSTANCE_STATE,
	                                json_pack("{s:s}", "state", "qr_ready"),
	                                json_pack("[s]", "THE-CODE"), 60000),
	                 0);
	assert_non_null(strstr(await_call(1)->body, "\"codes\":[\"THE-CODE\"]"));
	answer(0, 500);
	pass(7000);
	assert_null(strstr(await_call(2)->body, "THE-CODE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_one_at_a_time_in_order_and_on_from_there),
		T(test_what_fails_is_tried_when_its_time_has_come),
		T(test_a_dead_letter_lets_the_next_one_through),
		T(test_the_end_of_the_schedule_is_a_dead_letter),
		T(test_nothing_goes_on_before_a_dead_letter_is_kept),
		T(test_a_dead_letter_taken_at_last_is_let_go_of_once_the_disk_is_back),
		T(test_a_receiver_that_is_gone_is_left_alone),
		T(test_what_is_not_wanted_is_passed_over),
		T(test_tries_are_those_of_one_event),
		T(test_a_change_is_tried_at_once),
		T(test_from_further_back_on_request),
		T(test_a_deleted_label_leaves_nothing_behind),
		T(test_an_instance_that_goes_takes_all_along),
		T(test_what_was_left_behind_is_tidied_away),
		T(test_accounts_take_turns),
		T(test_a_file_goes_along),
		T(test_codes_go_out_once),
#undef T
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
