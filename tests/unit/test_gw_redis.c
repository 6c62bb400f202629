/* tests/unit/test_gw_redis.c - the connection to Redis: joining, calls, and every way to fail */
#include "gw_test.h"

#include <errno.h>
#include <signal.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/limit/gw_redis.h"
#include "redis_peer.h"

#define SCRIPT "return { 1 }"
#define OK "+OK\r\n"
#define ONE "*1\r\n:1\r\n"
#define CALLS_MAX 8
#define SOON_MS 300 /* the 30 ms of a call, on a machine that is busy with other tests */

static const struct gw_redis_times quick = {
	.connect = 200, .command = 30, .idle = 60000, .retry_min = 20, .retry_max = 40
};

struct outcome {
	int calls_n;
	int rc;
	int64_t values[GW_REDIS_VALUES_MAX];
	size_t values_n;
	struct fixture *f;
	bool again; /* call once more from inside */
};

struct fixture {
	struct event_base *base;
	char dir[TEST_DIR_CAP];
	struct redis_peer peer;
	struct gw_redis_target target;
	struct gw_redis *r;
	struct outcome out[CALLS_MAX];
	int done_n;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	test_dir_make(f->dir);
	f->base = event_base_new();
	peer_open(&f->peer, f->base, f->dir);
	snprintf(f->target.path, sizeof(f->target.path), "%s", f->peer.path);
	for (int i = 0; i < CALLS_MAX; i++)
		f->out[i].f = f;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_redis_free(f->r);
	peer_close(&f->peer);
	event_base_free(f->base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void begin(struct fixture *f, const struct gw_redis_times *times)
{
	const char *const probe[] = { "1", "probe", "7" };
	const struct gw_redis_params params = { .base = f->base,
		                                .target = &f->target,
		                                .script = SCRIPT,
		                                .probe = probe,
		                                .probe_n = ARRAY_LEN(probe),
		                                .times = times };

	assert_int_equal(gw_redis_new(&params, &f->r), 0);
}

static void on_call(int rc, const int64_t *values, size_t values_n, void *arg)
{
	struct outcome *o = arg;

	o->calls_n++;
	o->rc = rc;
	o->values_n = values_n;
	if (rc == 0)
		memcpy(o->values, values, values_n * sizeof(*values));
	o->f->done_n++;
	if (o->again) {
		const char *const argv[] = { "0", "inner" };

		o->again = false;
		o->rc = gw_redis_call(o->f->r, argv, 2, on_call, &o[1]);
	}
}

static int call(struct fixture *f, int i)
{
	const char *const argv[] = { "1", "key", "" };

	return gw_redis_call(f->r, argv, ARRAY_LEN(argv), on_call, &f->out[i]);
}

static bool is_up(void *arg)
{
	return gw_redis_is_up(((struct fixture *)arg)->r);
}

static bool is_down(void *arg)
{
	return !gw_redis_is_up(((struct fixture *)arg)->r);
}

static bool done_two(void *arg)
{
	return ((struct fixture *)arg)->done_n == 2;
}

static bool done_one(void *arg)
{
	return ((struct fixture *)arg)->done_n == 1;
}

static bool failed(void *arg)
{
	struct fixture *f = arg;

	return strcmp(gw_redis_why(f->r), "is not reached yet") != 0 && !gw_redis_is_up(f->r);
}

static const char *const lines_up[] = { ONE, NULL };

/* Up, and what joining said is forgotten. */
static void begin_up(struct fixture *f, const struct gw_redis_times *times)
{
	peer_listen(&f->peer);
	f->peer.lines = lines_up;
	begin(f, times);
	test_run_until(f->base, is_up, f);
	peer_forget(&f->peer);
}

static void test_joins_with_password_database_and_probe(void **state)
{
	static const char *const lines[] = { OK, OK, ONE, NULL };
	struct fixture *f = *state;

	strcpy(f->target.user, "warden");
	strcpy(f->target.password, "s cret");
	f->target.db = 3;
	peer_listen(&f->peer);
	f->peer.lines = lines;
	begin(f, &quick);
	assert_false(gw_redis_is_up(f->r));
	assert_int_equal(gw_redis_epoch(f->r), 0);
	test_run_until(f->base, is_up, f);
	assert_int_equal(f->peer.said_n, 3);
	assert_string_equal(f->peer.said[0], "AUTH warden s cret");
	assert_string_equal(f->peer.said[1], "SELECT 3");
	assert_string_equal(f->peer.said[2], "EVAL " SCRIPT " 1 probe 7");
	assert_int_equal(gw_redis_epoch(f->r), 1);
	assert_string_equal(gw_redis_why(f->r), "");
}

static void test_answers_come_to_their_calls_in_order(void **state)
{
	static const char *const lines[] = { "*2\r\n:1\r\n:-5\r\n", "*0\r\n", NULL };
	struct fixture *f = *state;

	begin_up(f, &quick);
	f->peer.lines = lines;
	assert_int_equal(call(f, 0), 0);
	assert_int_equal(call(f, 1), 0);
	assert_int_equal(f->done_n, 0); /* never from inside */
	test_run_until(f->base, done_two, f);
	assert_int_equal(f->out[0].rc, 0);
	assert_int_equal(f->out[0].values_n, 2);
	assert_int_equal(f->out[0].values[0], 1);
	assert_int_equal(f->out[0].values[1], -5);
	assert_int_equal(f->out[1].values_n, 0);
	assert_memory_equal(f->peer.said[0], "EVALSHA ", 8);
	assert_string_equal(f->peer.said[0] + 8 + 40, " 1 key ");
}

static void test_a_call_before_the_connection_waits_for_it(void **state)
{
	static const char *const lines[] = { ONE, "*1\r\n:9\r\n", NULL };
	struct fixture *f = *state;

	peer_listen(&f->peer);
	f->peer.lines = lines;
	begin(f, &quick);
	assert_true(gw_redis_takes_calls(f->r));
	assert_int_equal(call(f, 0), 0);
	test_run_until(f->base, done_one, f);
	assert_int_equal(f->out[0].rc, 0);
	assert_int_equal(f->out[0].values[0], 9);
}

static void test_nobody_there_is_known_at_once(void **state)
{
	struct fixture *f = *state;

	begin(f, &quick);
	assert_int_equal(call(f, 0), 0); /* it can't know yet */
	test_run_until(f->base, failed, f);
	assert_string_equal(gw_redis_why(f->r), "can't be reached");
	assert_int_equal(f->out[0].rc, -ECONNREFUSED);
	assert_false(gw_redis_takes_calls(f->r));
	assert_int_equal(call(f, 1), -ENOTCONN);
	/* and found as soon as somebody is */
	peer_listen(&f->peer);
	f->peer.lines = lines_up;
	test_run_until(f->base, is_up, f);
	assert_int_equal(f->out[1].calls_n, 0);
}

static void test_silence_ends_all_calls_in_time(void **state)
{
	struct fixture *f = *state;
	uint64_t began;

	begin_up(f, &quick);
	f->peer.lines = NULL;
	began = clock_ms();
	assert_int_equal(call(f, 0), 0);
	assert_int_equal(call(f, 1), 0);
	test_run_until(f->base, done_two, f);
	assert_in_range(clock_ms() - began, 30, SOON_MS);
	assert_int_equal(f->out[0].rc, WA_ETIMEOUT);
	assert_int_equal(f->out[1].rc, WA_ETIMEOUT);
	assert_string_equal(gw_redis_why(f->r), "does not answer in time");
	assert_int_equal(gw_redis_lost_n(f->r), 1);
	/* while it is away nobody waits */
	assert_int_equal(call(f, 2), -ENOTCONN);
	f->peer.lines = lines_up;
	test_run_until(f->base, is_up, f);
	assert_int_equal(gw_redis_epoch(f->r), 2);
	assert_int_equal(f->peer.accepted_n, 2);
}

static void test_a_call_that_a_busy_loop_sends_late_is_not_redis_fault(void **state)
{
	static const char *const lines[] = { ONE, NULL };
	struct fixture *f = *state;
	uint64_t busy_until;

	begin_up(f, &quick);
	f->peer.lines = lines;
	assert_int_equal(call(f, 0), 0);
	busy_until = clock_ms() + 60;
	while (clock_ms() < busy_until)
		; /* this is the loop, at something else */
	test_run_until(f->base, done_one, f);
	assert_int_equal(f->out[0].rc, 0);
	assert_true(gw_redis_is_up(f->r));
	/* but silence stays silence */
	f->done_n = 0;
	assert_int_equal(call(f, 1), 0);
	busy_until = clock_ms() + 60;
	while (clock_ms() < busy_until)
		;
	test_run_until(f->base, done_one, f);
	assert_int_equal(f->out[1].rc, WA_ETIMEOUT);
}

static void test_a_silent_first_connection_holds_calls_no_longer_than_an_answer(void **state)
{
	struct fixture *f = *state;
	uint64_t began = clock_ms();

	peer_listen(&f->peer);
	begin(f, &quick);
	assert_int_equal(call(f, 0), 0);
	test_run_until(f->base, done_one, f);
	assert_in_range(clock_ms() - began, 30, SOON_MS);
	assert_int_equal(f->out[0].rc, WA_ETIMEOUT);
	assert_int_equal(call(f, 1), -ENOTCONN);
	/* the connection itself has longer */
	peer_say(&f->peer, ONE);
	test_run_until(f->base, is_up, f);
	assert_int_equal(f->peer.accepted_n, 1);
}

static bool failed_to_join(void *arg)
{
	struct fixture *f = arg;

	return strcmp(gw_redis_why(f->r), "can't be reached in time") == 0;
}

static void test_a_connection_that_never_comes_about_is_given_up(void **state)
{
	struct fixture *f = *state;

	peer_listen(&f->peer);
	begin(f, &quick);
	test_run_until(f->base, failed_to_join, f);
	assert_int_equal(gw_redis_lost_n(f->r), 0); /* it never was up */
}

static void test_an_unknown_script_is_loaded_and_called_again(void **state)
{
	static const char *const lines[] = { "-NOSCRIPT No matching script.\r\n",
		                             "-NOSCRIPT No matching script.\r\n",
		                             "$40\r\n0123456789012345678901234567890123456789\r\n",
		                             "*1\r\n:1\r\n",
		                             "*1\r\n:2\r\n",
		                             NULL };
	struct fixture *f = *state;

	begin_up(f, &quick);
	f->peer.lines = lines;
	assert_int_equal(call(f, 0), 0);
	assert_int_equal(call(f, 1), 0);
	test_run_until(f->base, done_two, f);
	assert_int_equal(f->out[0].values[0], 1);
	assert_int_equal(f->out[1].values[0], 2);
	assert_int_equal(f->peer.said_n, 5);
	assert_string_equal(f->peer.said[2], "SCRIPT LOAD " SCRIPT); /* once for both */
	assert_string_equal(f->peer.said[3], f->peer.said[0]);
	assert_true(gw_redis_is_up(f->r));
}

static void test_what_is_wrong_is_named_by_its_first_word_alone(void **state)
{
	static const struct {
		const char *line, *why;
	} errors[] = {
		{ "-OOM command not allowed when used memory > 'maxmemory'.\r\n", "answers OOM" },
		{ "-READONLY You can't write against a read only replica.\r\n",
		  "answers READONLY" },
		{ "-LOADING Redis is loading the dataset in memory\r\n", "answers LOADING" },
		{ "-ERR unknown command 'EVALSHA', with args beginning with: 'hunter2'\r\n",
		  "answers ERR" },
		{ "-user_script:1: hunter2\r\n", "answers with an error" },
		{ ":5\r\n", "says what is no answer" },
		{ "$-1\r\n", "says what is no answer" },
		{ "+OK\r\n", "says what is no answer" },
	};
	struct fixture *f = *state;

	begin_up(f, &quick);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		const char *const lines[] = { errors[i].line, NULL };

		f->done_n = 0;
		f->peer.lines = lines;
		assert_int_equal(call(f, 0), 0);
		test_run_until(f->base, done_one, f);
		assert_int_equal(f->out[0].rc, WA_EPROTO);
		assert_string_equal(gw_redis_why(f->r), errors[i].why);
		assert_false(gw_redis_is_up(f->r));
		f->peer.lines = lines_up;
		test_run_until(f->base, is_up, f);
	}
}

static void test_a_refused_password_keeps_it_down(void **state)
{
	static const char *const lines[] = { "-WRONGPASS invalid username-password pair\r\n",
		                             "-NOAUTH Authentication required.\r\n", NULL };
	struct fixture *f = *state;

	strcpy(f->target.password, "hunter2");
	peer_listen(&f->peer);
	f->peer.lines = lines;
	begin(f, &quick);
	test_run_until(f->base, failed, f);
	assert_string_equal(gw_redis_why(f->r), "answers WRONGPASS at login");
}

static void test_a_probe_that_fails_keeps_it_down(void **state)
{
	static const char *const lines[] = { "-OOM command not allowed\r\n", NULL };
	struct fixture *f = *state;

	peer_listen(&f->peer);
	f->peer.lines = lines;
	begin(f, &quick);
	test_run_until(f->base, failed, f);
	assert_string_equal(gw_redis_why(f->r), "answers OOM");
	f->peer.lines = lines;
	assert_int_equal(call(f, 0), -ENOTCONN);
}

static void test_a_closed_connection_is_noticed_without_a_call(void **state)
{
	struct fixture *f = *state;

	begin_up(f, &quick);
	peer_hang_up(&f->peer);
	test_run_until(f->base, is_down, f);
	assert_string_equal(gw_redis_why(f->r), "has closed the connection");
	f->peer.lines = lines_up;
	test_run_until(f->base, is_up, f);
	/* with a call on its way */
	assert_int_equal(call(f, 0), 0);
	peer_hang_up(&f->peer);
	test_run_until(f->base, done_one, f);
	assert_int_equal(f->out[0].rc, -ECONNRESET);
}

/* hiredis would abort the process for the first, and ask for gigabytes for the others. */
static void test_nonsense_ends_the_connection_and_nothing_else(void **state)
{
	static const char *const nonsense[] = {
		"+OK POP3 server ready\r\n", /* nobody asked */
		"*1\r\n:1\r\n",
		"*2147483647\r\n",
		"*9\r\n",
		"*1\r\n*1\r\n:1\r\n",
		"*1\r\n$1\r\nx\r\n",
		"*-2\r\n",
		"!\r\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"-ERR max number of clients reached\r\n",
	};
	struct fixture *f = *state;

	begin_up(f, &quick);
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		peer_say(&f->peer, nonsense[i]);
		test_run_until(f->base, is_down, f);
		f->peer.lines = lines_up;
		test_run_until(f->base, is_up, f);
	}
}

static void test_as_an_answer_nonsense_is_no_better(void **state)
{
	static const char *const nonsense[] = { "*2147483647\r\n", "*9\r\n", "*1\r\n*1\r\n:1\r\n",
		                                "*1\r\n$1\r\nx\r\n", "!\r\n" };
	struct fixture *f = *state;

	begin_up(f, &quick);
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		const char *const lines[] = { nonsense[i], NULL };

		f->done_n = 0;
		f->peer.lines = lines;
		assert_int_equal(call(f, 0), 0);
		test_run_until(f->base, done_one, f);
		assert_int_not_equal(f->out[0].rc, 0);
		assert_string_equal(gw_redis_why(f->r), "says what is no answer");
		f->peer.lines = lines_up;
		test_run_until(f->base, is_up, f);
	}
}

static void test_a_reply_without_end_is_not_kept(void **state)
{
	struct fixture *f = *state;
	char *much = malloc(40001);

	memset(much, 'x', 40000);
	much[40000] = '\0';
	begin_up(f, &quick);
	f->peer.lines = NULL;
	assert_int_equal(call(f, 0), 0);
	peer_say(&f->peer, "$400000000\r\n");
	for (int i = 0; i < 4; i++) {
		peer_say(&f->peer, much);
		for (int j = 0; j < 4; j++)
			test_run_due(f->base);
		if (f->done_n == 1)
			break;
	}
	test_run_until(f->base, done_one, f);
	assert_string_equal(gw_redis_why(f->r), "says more than an answer");
	free(much);
}

static void test_a_call_may_follow_from_inside_an_answer(void **state)
{
	static const char *const lines[] = { ONE, "*1\r\n:2\r\n", NULL };
	struct fixture *f = *state;

	begin_up(f, &quick);
	f->peer.lines = lines;
	f->out[0].again = true;
	assert_int_equal(call(f, 0), 0);
	test_run_until(f->base, done_two, f);
	assert_int_equal(f->out[0].rc, 0);
	assert_int_equal(f->out[1].values[0], 2);
	/* and from inside a failure: refused, for it is down by then */
	f->done_n = 0;
	f->peer.lines = NULL;
	f->out[0].again = true;
	assert_int_equal(call(f, 0), 0);
	test_run_until(f->base, done_one, f);
	assert_int_equal(f->out[0].rc, -ENOTCONN);
}

static void test_an_idle_connection_is_probed(void **state)
{
	const struct gw_redis_times times = {
		.connect = 200, .command = 30, .idle = 10, .retry_min = 20, .retry_max = 40
	};
	struct fixture *f = *state;

	begin_up(f, &times);
	f->peer.lines = NULL;
	test_run_until(f->base, is_down, f); /* no answer to the probe */
	assert_string_equal(gw_redis_why(f->r), "does not answer in time");
	assert_memory_equal(f->peer.said[0], "EVAL ", 5);
}

static void test_calls_end_with_the_connection_object(void **state)
{
	struct fixture *f = *state;

	begin_up(f, &quick);
	f->peer.lines = NULL;
	assert_int_equal(call(f, 0), 0);
	assert_int_equal(call(f, 1), 0);
	gw_redis_free(f->r);
	f->r = NULL;
	assert_int_equal(f->done_n, 2);
	assert_int_equal(f->out[0].rc, -ECANCELED);
	test_run_due(f->base);
}

static void test_a_name_is_looked_up(void **state)
{
	struct fixture *f = *state;

	f->target.path[0] = '\0';
	strcpy(f->target.host, "localhost");
	f->target.port = 1; /* nobody listens there */
	begin(f, &quick);
	test_run_until(f->base, failed, f);
	assert_string_equal(gw_redis_why(f->r), "can't be reached");
	gw_redis_free(f->r);
	f->r = NULL;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_joins_with_password_database_and_probe),
		T(test_answers_come_to_their_calls_in_order),
		T(test_a_call_before_the_connection_waits_for_it),
		T(test_nobody_there_is_known_at_once),
		T(test_silence_ends_all_calls_in_time),
		T(test_a_call_that_a_busy_loop_sends_late_is_not_redis_fault),
		T(test_a_silent_first_connection_holds_calls_no_longer_than_an_answer),
		T(test_a_connection_that_never_comes_about_is_given_up),
		T(test_an_unknown_script_is_loaded_and_called_again),
		T(test_what_is_wrong_is_named_by_its_first_word_alone),
		T(test_a_refused_password_keeps_it_down),
		T(test_a_probe_that_fails_keeps_it_down),
		T(test_a_closed_connection_is_noticed_without_a_call),
		T(test_nonsense_ends_the_connection_and_nothing_else),
		T(test_as_an_answer_nonsense_is_no_better),
		T(test_a_reply_without_end_is_not_kept),
		T(test_a_call_may_follow_from_inside_an_answer),
		T(test_an_idle_connection_is_probed),
		T(test_calls_end_with_the_connection_object),
		T(test_a_name_is_looked_up),
	};

	signal(SIGPIPE, SIG_IGN); /* as the gateway does: hiredis writes to what may be closed */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
