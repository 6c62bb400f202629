/*
 * tests/unit/test_gw_limit_redis.c - limits in a real Redis: as exact as in memory, shared, and
 * held over its absence
 */
#include "gw_test.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <hiredis/hiredis.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/limit/gw_limit.h"
#include "gateway/limit/gw_limit_local.h"
#include "gateway/limit/gw_limit_script.h"
#include "gateway/limit/gw_redis.h"

#define STEPS 10000
#define WINDOW_MIN_MS 40
#define STEPS_A_WINDOW 200 /* at least: for the limits to be reached */
#define KEYS_N 4
#define URL_CAP (TEST_DIR_CAP + 32)

struct fixture {
	struct event_base *base;
	char dir[TEST_DIR_CAP];
	char path[TEST_DIR_CAP + 16];
	char url[URL_CAP];
	pid_t pid;
	struct gw gw[2];
};

/* ---- a Redis of our own ---------------------------------------------------------------------- */

static bool start_redis(struct fixture *f)
{
	char name[] = "redis-server", port[] = "--port", zero[] = "0", sock[] = "--unixsocket",
	     save[] = "--save", none[] = "", dir[] = "--dir", log[] = "--logfile", file[] = "log";
	char *const argv[] = { name, port, zero,   sock, f->path, save,
		               none, dir,  f->dir, log,  file,    NULL };

	return posix_spawnp(&f->pid, name, NULL, NULL, argv, environ) == 0;
}

static void stop_redis(struct fixture *f)
{
	if (f->pid == 0)
		return;
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	f->pid = 0;
}

static void ask(struct fixture *f, const char *command)
{
	redisContext *c = redisConnectUnix(f->path);
	redisReply *r;

	assert_non_null(c);
	assert_int_equal(c->err, 0);
	r = redisCommand(c, command);
	assert_non_null(r);
	assert_int_not_equal(r->type, REDIS_REPLY_ERROR);
	freeReplyObject(r);
	redisFree(c);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	test_dir_make(f->dir);
	f->base = event_base_new();
	snprintf(f->path, sizeof(f->path), "%s/redis.sock", f->dir);
	snprintf(f->url, sizeof(f->url), "unix:%s", f->path);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_limit_free(f->gw[0].limit);
	gw_limit_free(f->gw[1].limit);
	stop_redis(f);
	event_base_free(f->base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* Without redis-server there is nothing to test: ./check installs it. */
#define NEED_REDIS(f) \
	do { \
		if (!start_redis(f)) { \
			print_message("redis-server is not installed\n"); \
			skip(); \
		} \
	} while (0)

/* ---- gateways -------------------------------------------------------------------------------- */

static bool is_ok(void *arg)
{
	return strcmp(gw_limit_health(arg), "ok") == 0;
}

static bool is_not_ok(void *arg)
{
	return !is_ok(arg);
}

/* Slow machines run the tests too: what is tested here is not how long an answer takes. */
static const struct gw_redis_times patient = {
	.connect = 5000, .command = 5000, .idle = 60000, .retry_min = 10, .retry_max = 20
};

static void begin(struct fixture *f, int i)
{
	struct gw *gw = &f->gw[i];

	gw->base = f->base;
	gw->cfg.limit_per_minute = 100;
	gw->cfg.limit_create_per_minute = 20;
	gw->cfg.redis_url = f->url;
	assert_int_equal(gw_limit_new_times(gw, &patient, &gw->limit), 0);
	test_run_until(f->base, is_ok, gw->limit);
}

struct answer {
	struct gw_limit_result res;
	bool there;
};

static void on_limit(const struct gw_limit_result *res, void *arg)
{
	struct answer *a = arg;

	assert_non_null(res);
	a->res = *res;
	a->there = true;
}

static bool is_there(void *arg)
{
	return ((struct answer *)arg)->there;
}

static struct gw_limit_key key_of(uint8_t n)
{
	struct gw_limit_key key;

	memset(&key, 0, sizeof(key));
	key.bytes[0] = n;
	return key;
}

static struct gw_limit_result take(struct fixture *f, int i, enum gw_limit_class class, uint8_t n)
{
	struct gw_limit_key key = key_of(n);
	struct gw_limit_call *call;
	struct answer a = { .there = false };
	int rc = gw_limit_take(f->gw[i].limit, class, &key, on_limit, &a, &a.res, &call);

	assert_in_range(rc, 0, 1);
	if (rc == 1)
		test_run_until(f->base, is_there, &a);
	return a.res;
}

/* How many of n requests one after the other are admitted. */
static int admitted(struct fixture *f, int i, int n)
{
	int count = 0;

	while (n-- > 0)
		count += take(f, i, GW_LIMIT_MINUTE, 1).allowed;
	return count;
}

/* ---- the script beside the windows in memory ------------------------------------------------- */

struct ran {
	int64_t values[GW_REDIS_VALUES_MAX];
	size_t n;
	bool done;
};

static void on_ran(int rc, const int64_t *values, size_t values_n, void *arg)
{
	struct ran *ran = arg;

	assert_int_equal(rc, 0);
	memcpy(ran->values, values, values_n * sizeof(*values));
	ran->n = values_n;
	ran->done = true;
}

static bool has_run(void *arg)
{
	return ((struct ran *)arg)->done;
}

static bool redis_up(void *arg)
{
	return gw_redis_is_up(arg);
}

static struct gw_redis *open_redis(struct fixture *f)
{
	struct gw_limit_script_args probe;
	struct gw_redis_target target;
	struct gw_redis_params params = {
		.base = f->base, .target = &target, .script = gw_limit_script, .times = &patient
	};
	struct gw_redis *r;

	assert_int_equal(gw_redis_url_parse(f->url, &target), 0);
	gw_limit_script_probe(0, &probe);
	params.probe = probe.argv;
	params.probe_n = probe.argc;
	assert_int_equal(gw_redis_new(&params, &r), 0);
	test_run_until(f->base, redis_up, r);
	return r;
}

/* One call of the script. ages: as gw_limit_local_ages() writes them, or "". */
static int run(struct fixture *f, struct gw_redis *r, enum gw_limit_class class,
               const struct gw_limit_key *key, const uint32_t limits[2], uint32_t window_ms,
               uint32_t id, const char *ages, struct gw_limit_view views[2], int64_t *now_ms)
{
	struct buf told[2] = { { 0 }, { 0 } };
	struct gw_limit_script_args args;
	struct ran ran = { .done = false };

	if (*ages != '\0')
		assert_int_equal(buf_append(&told[0], ages, strlen(ages) + 1), 0);
	gw_limit_script_args(class, key, limits, window_ms, id, told, &args);
	assert_int_equal(gw_redis_call(r, args.argv, args.argc, on_ran, &ran), 0);
	test_run_until(f->base, has_run, &ran);
	buf_free(&told[0]);
	return gw_limit_script_answer(class, ran.values, ran.n, limits, views, now_ms);
}

/* A window that passes now and then, but not before the limits are reached, however slow this is.
 */
static uint32_t window_for(struct fixture *f, struct gw_redis *r, const struct gw_limit_key *key)
{
	const uint32_t limits[2] = { 1000000, 1000000 };
	const uint64_t began = clock_ms();
	struct gw_limit_view views[2];

	for (int i = 0; i < STEPS_A_WINDOW; i++)
		(void)run(f, r, GW_LIMIT_MINUTE, key, limits, 1000, 1, "", views, NULL);
	return WINDOW_MIN_MS + (uint32_t)(clock_ms() - began);
}

static void test_any_history_has_the_same_answers_as_in_memory(void **state)
{
	const uint32_t limits[2] = { 7, 3 };
	struct gw_limit_local_params params = { .per_minute = 7,
		                                .create_per_minute = 3,
		                                .addresses_max = 10 };
	const struct gw_limit_key waiting = key_of(KEYS_N);
	struct fixture *f = *state;
	struct gw_limit_local *local;
	struct gw_redis *r;
	unsigned seed = 20, allowed_n = 0, refused_n = 0, gone_n = 0;

	NEED_REDIS(f);
	r = open_redis(f);
	params.window_ms = window_for(f, r, &waiting);
	assert_int_equal(gw_limit_local_new(&params, &local), 0);
	for (int step = 0; step < STEPS; step++) {
		enum gw_limit_class class =
		    rand_r(&seed) % 3 == 0 ? GW_LIMIT_CREATE : GW_LIMIT_MINUTE;
		struct gw_limit_key key = key_of((uint8_t)(rand_r(&seed) % KEYS_N));
		struct gw_limit_view here[2], there[2];
		int64_t now_ms = 0;
		int rc;

		key.by = rand_r(&seed) % 2 == 0 ? GW_LIMIT_BY_TOKEN : GW_LIMIT_BY_ADDRESS;
		/* now and then a window passes, for a key at least */
		if (rand_r(&seed) % 500 == 0) {
			const uint64_t until = clock_ms() + params.window_ms + 5;

			while (clock_ms() < until)
				(void)run(f, r, GW_LIMIT_MINUTE, &waiting, limits, params.window_ms,
				          1, "", there, NULL);
			gone_n++;
		}
		rc = run(f, r, class, &key, limits, params.window_ms, 1, "", there, &now_ms);
		assert_in_range(rc, 0, 1);
		assert_int_equal(gw_limit_local_take(local, class, &key, (uint64_t)now_ms, here),
		                 rc);
		for (int i = 0; i < (class == GW_LIMIT_CREATE ? 2 : 1); i++) {
			if (here[i].n != there[i].n || here[i].wait_ms != there[i].wait_ms)
				fail_msg("step %d, limit %d: %u in the window and %u, %llu ms and "
				         "%llu ms",
				         step, i, here[i].n, there[i].n,
				         (unsigned long long)here[i].wait_ms,
				         (unsigned long long)there[i].wait_ms);
		}
		allowed_n += rc == 1;
		refused_n += rc == 0;
	}
	assert_true(allowed_n > 500 && refused_n > 500 && gone_n > 3);
	gw_limit_local_free(local);
	gw_redis_free(r);
}

static void test_what_a_gateway_tells_is_counted_once(void **state)
{
	const uint32_t limits[2] = { 10, 10 };
	struct gw_limit_key key = key_of(1);
	struct gw_limit_view v[2];
	struct fixture *f = *state;
	struct gw_redis *r;

	NEED_REDIS(f);
	r = open_redis(f);
	/* gateway 1 has admitted three, of which one is out of the window by now */
	assert_int_equal(
	    run(f, r, GW_LIMIT_MINUTE, &key, limits, 60000, 1, "60000 5000 4000", v, NULL), 1);
	assert_int_equal(v[0].n, 3);
	assert_in_range(v[0].wait_ms, 54900, 55000);
	/* the same again, with the one just counted: nothing new */
	assert_int_equal(run(f, r, GW_LIMIT_MINUTE, &key, limits, 60000, 1, "5001 4001 1", v, NULL),
	                 1);
	assert_int_equal(v[0].n, 4);
	/* gateway 2 comes with four of its own, one older than all */
	assert_int_equal(
	    run(f, r, GW_LIMIT_MINUTE, &key, limits, 60000, 2, "30000 10 9 8", v, NULL), 1);
	assert_int_equal(v[0].n, 9);
	assert_in_range(v[0].wait_ms, 29900, 30000);
	/* it knew of more than there is room for: the newest stay, and the next is refused */
	assert_int_equal(run(f, r, GW_LIMIT_MINUTE, &key, limits, 60000, 3,
	                     "50000 40000 30000 20000 10000", v, NULL),
	                 0);
	assert_int_equal(v[0].n, 10);
	assert_in_range(v[0].wait_ms, 39000, 40000);
	gw_redis_free(r);
}

static void test_a_list_from_the_future_or_of_nonsense_is_not_believed(void **state)
{
	static const char *const lists[] = { "RPUSH %s 9007199254740991", "RPUSH %s x y z",
		                             "RPUSH %s -5 0 1e300", "RPUSH %s nan",
		                             "RPUSH %s inf" };
	const uint32_t limits[2] = { 2, 2 };
	struct gw_limit_key key = key_of(1);
	struct gw_limit_script_args args;
	struct buf none[2] = { { 0 }, { 0 } };
	struct gw_limit_view v[2];
	struct fixture *f = *state;
	char command[160];
	struct gw_redis *r;

	NEED_REDIS(f);
	r = open_redis(f);
	gw_limit_script_args(GW_LIMIT_MINUTE, &key, limits, 60000, 1, none, &args);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		ask(f, "FLUSHALL");
		snprintf(command, sizeof(command), "RPUSH %s %s", args.keys[0],
		         strchr(lists[i] + 7, ' ') + 1);
		ask(f, command);
		assert_int_equal(run(f, r, GW_LIMIT_MINUTE, &key, limits, 60000, 1, "", v, NULL),
		                 1);
		assert_int_equal(v[0].n, 1);
	}
	gw_redis_free(r);
}

/* ---- gateways on one Redis ------------------------------------------------------------------- */

static void test_two_gateways_admit_exactly_the_limit(void **state)
{
	struct fixture *f = *state;
	struct gw_limit_result res;
	int n = 0;

	NEED_REDIS(f);
	begin(f, 0);
	begin(f, 1);
	for (int i = 0; i < 150; i++) {
		res = take(f, i % 3 == 0, GW_LIMIT_MINUTE, 1);
		n += res.allowed;
		assert_int_equal(res.limit, 100);
		assert_int_equal(res.remaining, n < 100 ? 100 - n : 0);
	}
	assert_int_equal(n, 100);
	assert_in_range(res.retry_after_s, 55, 60);
	assert_true(take(f, 0, GW_LIMIT_MINUTE, 2).allowed);
}

static void test_creating_is_counted_in_both_limits_at_once(void **state)
{
	struct fixture *f = *state;
	struct gw_limit_result res;

	NEED_REDIS(f);
	begin(f, 0);
	for (uint32_t i = 0; i < 20; i++) {
		res = take(f, 0, GW_LIMIT_CREATE, 1);
		assert_true(res.allowed);
		assert_int_equal(res.limit, 20);
		assert_int_equal(res.remaining, 19 - i);
	}
	res = take(f, 0, GW_LIMIT_CREATE, 1);
	assert_false(res.allowed);
	assert_int_equal(res.limit, 20);
	res = take(f, 0, GW_LIMIT_MINUTE, 1);
	assert_true(res.allowed);
	assert_int_equal(res.remaining, 79); /* what was refused has cost nothing */
}

static void test_the_limit_holds_while_redis_dies_and_comes_back_empty(void **state)
{
	struct fixture *f = *state;
	int n;

	NEED_REDIS(f);
	begin(f, 0);
	n = admitted(f, 0, 40);
	stop_redis(f);
	n += admitted(f, 0, 40); /* the first of these may be the one that notices */
	assert_int_equal(n, 80);
	assert_true(is_not_ok(f->gw[0].limit));
	assert_true(start_redis(f));
	test_run_until(f->base, is_ok, f->gw[0].limit);
	n += admitted(f, 0, 40);
	assert_int_equal(n, 100);
	/* another gateway, which knows nothing, finds it in Redis */
	begin(f, 1);
	assert_int_equal(admitted(f, 1, 10), 0);
}

static void test_what_is_flushed_is_told_again(void **state)
{
	struct fixture *f = *state;
	struct gw_limit_result res;

	NEED_REDIS(f);
	begin(f, 0);
	assert_int_equal(admitted(f, 0, 60), 60);
	ask(f, "FLUSHALL");
	ask(f, "SCRIPT FLUSH");
	res = take(f, 0, GW_LIMIT_MINUTE, 1); /* finds out */
	assert_int_equal(res.remaining, 99);
	res = take(f, 0, GW_LIMIT_MINUTE, 1);
	assert_int_equal(res.remaining, 38);
	assert_int_equal(admitted(f, 0, 50), 38);
	assert_true(is_ok(f->gw[0].limit));
}

static void test_what_others_admitted_counts_when_redis_is_gone(void **state)
{
	struct fixture *f = *state;
	int n;

	NEED_REDIS(f);
	begin(f, 0);
	begin(f, 1);
	assert_int_equal(admitted(f, 0, 50), 50);
	assert_int_equal(admitted(f, 1, 30), 30);
	assert_int_equal(admitted(f, 0, 1), 1);
	stop_redis(f);
	n = admitted(f, 0, 100);
	assert_in_range(n, 19, 22); /* the others' part leaves the window little by little */
}

static void test_another_type_under_a_key_concerns_that_key_alone(void **state)
{
	struct gw_limit_key key = key_of(1);
	struct gw_limit_script_args args;
	struct buf none[2] = { { 0 }, { 0 } };
	const uint32_t limits[2] = { 100, 20 };
	struct fixture *f = *state;
	struct gw_limit_stats stats;
	char command[160];

	NEED_REDIS(f);
	begin(f, 0);
	assert_int_equal(admitted(f, 0, 30), 30);
	gw_limit_script_args(GW_LIMIT_MINUTE, &key, limits, 60000, 1, none, &args);
	snprintf(command, sizeof(command), "SET %s x", args.keys[0]);
	ask(f, command);
	assert_int_equal(admitted(f, 0, 30), 30);
	assert_string_equal(
	    gw_limit_health(f->gw[0].limit),
	    "fail: redis holds something else under a key of ours; limiting in memory");
	gw_limit_stats(f->gw[0].limit, &stats);
	assert_int_equal(stats.by_memory_n, 30);
	assert_true(take(f, 0, GW_LIMIT_MINUTE, 2).allowed);
	gw_limit_stats(f->gw[0].limit, &stats);
	assert_int_equal(stats.by_redis_n, 31);
	assert_int_equal(stats.redis_lost_n, 0);
	snprintf(command, sizeof(command), "DEL %s", args.keys[0]);
	ask(f, command);
	/* told what memory admitted meanwhile, at once */
	assert_int_equal(take(f, 0, GW_LIMIT_MINUTE, 1).remaining, 39);
	assert_int_equal(admitted(f, 0, 100), 39);
	assert_true(is_ok(f->gw[0].limit));
}

static void test_a_caller_who_leaves_is_not_called_but_counted(void **state)
{
	struct fixture *f = *state;
	struct gw_limit_key key = key_of(1);
	struct answer a = { .there = false };
	struct gw_limit_call *call;

	NEED_REDIS(f);
	begin(f, 0);
	assert_int_equal(
	    gw_limit_take(f->gw[0].limit, GW_LIMIT_MINUTE, &key, on_limit, &a, &a.res, &call), 1);
	gw_limit_cancel(call);
	assert_int_equal(take(f, 0, GW_LIMIT_MINUTE, 1).remaining, 98);
	assert_false(a.there);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_any_history_has_the_same_answers_as_in_memory),
		T(test_what_a_gateway_tells_is_counted_once),
		T(test_a_list_from_the_future_or_of_nonsense_is_not_believed),
		T(test_two_gateways_admit_exactly_the_limit),
		T(test_creating_is_counted_in_both_limits_at_once),
		T(test_the_limit_holds_while_redis_dies_and_comes_back_empty),
		T(test_what_is_flushed_is_told_again),
		T(test_what_others_admitted_counts_when_redis_is_gone),
		T(test_another_type_under_a_key_concerns_that_key_alone),
		T(test_a_caller_who_leaves_is_not_called_but_counted),
	};

	signal(SIGPIPE, SIG_IGN); /* as the gateway does: hiredis writes to what may be closed */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
