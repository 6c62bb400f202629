/* gateway/limit/gw_limit.c - how many requests a token or an address may make */
#include "gateway/limit/gw_limit.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/limit/gw_limit_local.h"
#include "gateway/limit/gw_limit_script.h"
#include "gateway/limit/gw_redis.h"
#include "gateway/limit/gw_redis_url.h"

#define HEALTH_CAP 160

/* One request that Redis is asked about. */
struct gw_limit_call {
	struct gw_limit *limit;
	enum gw_limit_class class;
	struct gw_limit_key key;
	gw_limit_cb *cb; /* NULL: nobody waits any more */
	void *arg;
};

struct gw_limit {
	uint32_t limits[2]; /* per minute, creating per minute */
	struct gw_limit_local *local;
	struct gw_redis *redis; /* NULL: memory alone */
	uint32_t gateway_id;    /* among those that share a Redis */
	uint64_t by_redis_n;
	uint64_t by_memory_n;
	char health[HEALTH_CAP];
};

/* ---- what the headers say -------------------------------------------------------------------- */

static uint32_t left_of(const struct gw_limit_view *v)
{
	return v->n < v->limit ? v->limit - v->n : 0;
}

void gw_limit_judge(const struct gw_limit_view *views, size_t views_n, bool allowed,
                    int64_t now_unix_ms, struct gw_limit_result *out)
{
	const struct gw_limit_view *v = &views[0];

	if (views_n > 1 && left_of(&views[1]) <= left_of(v))
		v = &views[1];
	out->allowed = allowed;
	out->limit = v->limit;
	out->remaining = left_of(v);
	out->reset_unix_s = (now_unix_ms + (int64_t)v->wait_ms + 999) / 1000;
	out->retry_after_s = (uint32_t)((v->wait_ms + 999) / 1000);
	if (out->retry_after_s == 0)
		out->retry_after_s = 1;
}

static size_t views_n(enum gw_limit_class class)
{
	return class == GW_LIMIT_CREATE ? 2 : 1;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int take_locally(struct gw_limit *l, enum gw_limit_class class,
                        const struct gw_limit_key *key, struct gw_limit_result *result_out)
{
	struct gw_limit_view views[2];
	int rc = gw_limit_local_take(l->local, class, key, clock_ms(), views);

	if (rc < 0)
		return rc;
	l->by_memory_n++;
	gw_limit_judge(views, views_n(class), rc == 1, clock_unix_ms(), result_out);
	return 0;
}

/* ---- Redis ----------------------------------------------------------------------------------- */

/* Redis has not answered for it: memory decides. */
static void fall_back(struct gw_limit_call *call)
{
	struct gw_limit_result result;
	int rc = take_locally(call->limit, call->class, &call->key, &result);

	if (call->cb != NULL)
		call->cb(rc < 0 ? NULL : &result, call->arg);
}

static void follow(struct gw_limit_call *call, bool allowed, const struct gw_limit_view views[2])
{
	struct gw_limit *l = call->limit;
	struct gw_limit_result result;
	uint64_t now = clock_ms();

	l->by_redis_n++;
	gw_limit_local_follow(l->local, call->class, &call->key, now, allowed, views,
	                      gw_redis_epoch(l->redis));
	gw_limit_local_mark(l->local, &call->key, now, false);
	gw_limit_judge(views, views_n(call->class), allowed, clock_unix_ms(), &result);
	if (call->cb != NULL)
		call->cb(&result, call->arg);
}

static void on_redis(int rc, const int64_t *values, size_t values_n, void *arg)
{
	struct gw_limit_call *call = arg;
	struct gw_limit *l = call->limit;
	struct gw_limit_view views[2];

	if (rc == 0)
		rc = gw_limit_script_answer(call->class, values, values_n, l->limits, views, NULL);
	if (rc == -EEXIST)
		gw_limit_local_mark(l->local, &call->key, clock_ms(), true);
	if (rc < 0)
		fall_back(call);
	else
		follow(call, rc == 1, views);
	free(call);
}

static int end_text(struct buf *b)
{
	return b->len == 0 ? 0 : buf_append_u8(b, '\0');
}

/* 0, or why Redis is not asked. */
static int ask(struct gw_limit *l, struct gw_limit_call *call)
{
	struct gw_limit_script_args args;
	struct buf ages[2] = { { 0 }, { 0 } };
	int rc = gw_limit_local_ages(l->local, call->class, &call->key, clock_ms(),
	                             gw_redis_epoch(l->redis), ages);

	if (rc == 0)
		rc = end_text(&ages[0]);
	if (rc == 0)
		rc = end_text(&ages[1]);
	if (rc == 0) {
		gw_limit_script_args(call->class, &call->key, l->limits, GW_LIMIT_WINDOW_MS,
		                     l->gateway_id, ages, &args);
		rc = gw_redis_call(l->redis, args.argv, args.argc, on_redis, call);
	}
	buf_free(&ages[0]);
	buf_free(&ages[1]);
	return rc;
}

int gw_limit_take(struct gw_limit *l, enum gw_limit_class class, const struct gw_limit_key *key,
                  gw_limit_cb *cb, void *arg, struct gw_limit_result *result_out,
                  struct gw_limit_call **call_out)
{
	struct gw_limit_call *call;

	assert(class != GW_LIMIT_NONE);
	if (l->redis == NULL || !gw_redis_takes_calls(l->redis))
		return take_locally(l, class, key, result_out);
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return take_locally(l, class, key, result_out);
	*call = (struct gw_limit_call){ l, class, *key, cb, arg };
	if (ask(l, call) < 0) {
		free(call);
		return take_locally(l, class, key, result_out);
	}
	*call_out = call;
	return 1;
}

void gw_limit_cancel(struct gw_limit_call *call)
{
	call->cb = NULL;
}

/* ---- its speed ------------------------------------------------------------------------------- */

struct gw_limit_ping {
	uint64_t start_us;
	void (*cb)(int rc, uint64_t us, void *arg); /* NULL: nobody waits any more */
	void *arg;
};

static void on_ping(int rc, const int64_t *values, size_t values_n, void *arg)
{
	struct gw_limit_ping *ping = arg;

	(void)values;
	(void)values_n;
	if (ping->cb != NULL)
		ping->cb(rc, clock_us() - ping->start_us, ping->arg);
	free(ping);
}

int gw_limit_ping(struct gw_limit *l, void (*cb)(int rc, uint64_t us, void *arg), void *arg,
                  struct gw_limit_ping **ping_out)
{
	struct gw_limit_script_args probe;
	struct gw_limit_ping *ping;
	int rc;

	if (l->redis == NULL)
		return -ENOTCONN;
	ping = calloc(1, sizeof(*ping));
	if (ping == NULL)
		return -ENOMEM;
	*ping = (struct gw_limit_ping){ clock_us(), cb, arg };
	gw_limit_script_probe(l->gateway_id, &probe);
	rc = gw_redis_call(l->redis, probe.argv, probe.argc, on_ping, ping);
	if (rc < 0)
		free(ping);
	else
		*ping_out = ping;
	return rc;
}

void gw_limit_ping_cancel(struct gw_limit_ping *ping)
{
	if (ping != NULL)
		ping->cb = NULL;
}

/* ---- state ----------------------------------------------------------------------------------- */

const char *gw_limit_health(struct gw_limit *l)
{
	const char *why = NULL;

	if (l->redis == NULL)
		return "ok";
	if (!gw_redis_is_up(l->redis))
		why = gw_redis_why(l->redis);
	else if (gw_limit_local_marked_n(l->local, clock_ms()) > 0)
		why = "holds something else under a key of ours";
	if (why == NULL)
		return "ok";
	snprintf(l->health, sizeof(l->health), "fail: redis %s; limiting in memory", why);
	return l->health;
}

void gw_limit_stats(struct gw_limit *l, struct gw_limit_stats *out)
{
	*out = (struct gw_limit_stats){
		.shared = l->redis != NULL,
		.by_redis_n = l->by_redis_n,
		.by_memory_n = l->by_memory_n,
	};
	if (l->redis == NULL)
		return;
	out->shared_up = gw_redis_is_up(l->redis);
	out->degraded = strcmp(gw_limit_health(l), "ok") != 0;
	out->redis_lost_n = gw_redis_lost_n(l->redis);
}

/* ---- new and free ---------------------------------------------------------------------------- */

int gw_limit_new_with(uint32_t per_minute, uint32_t create_per_minute, size_t addresses_max,
                      struct gw_limit **limit_out)
{
	const struct gw_limit_local_params params = {
		.per_minute = per_minute,
		.create_per_minute = create_per_minute,
		.window_ms = GW_LIMIT_WINDOW_MS,
		.addresses_max = addresses_max,
	};
	struct gw_limit *l = calloc(1, sizeof(*l));
	int rc = -ENOMEM;

	if (l != NULL)
		rc = gw_limit_local_new(&params, &l->local);
	if (rc < 0) {
		free(l);
		return rc;
	}
	l->limits[0] = per_minute;
	l->limits[1] = create_per_minute;
	*limit_out = l;
	return 0;
}

/* The setting, or the credential of that name where the service manager has put one. */
static int read_password(const char *file, struct gw_redis_target *target)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];
	int rc;

	if (file == NULL && (credentials == NULL || credentials[0] != '/'))
		return 0;
	if (file == NULL) {
		if (snprintf(path, sizeof(path), "%s/redis_password", credentials) >= PATH_MAX)
			return 0;
		file = path;
	}
	rc = gw_redis_password_read(file, target);
	if (rc == -ENOENT && file == path)
		return 0;
	if (rc < 0)
		LOG(NULL, LOG_ERR, "redis_password_unusable", LF_STR("file", file),
		    LF_STR("why",
		           rc == -EINVAL ? "it holds no password of one line" : "it can't be read"),
		    LF_ERR("err", rc));
	return rc;
}

static int check_login(const struct gw_redis_target *target)
{
	if (target->user[0] == '\0' || target->password[0] != '\0')
		return 0;
	LOG(NULL, LOG_ERR, "redis_password_missing",
	    LF_STR("why", "redis_url has a user, and nothing has the password"));
	return -EINVAL;
}

static int connect_redis(struct gw *gw, const struct gw_redis_times *times, struct gw_limit *l)
{
	struct gw_limit_script_args probe;
	struct gw_redis_params params = { .base = gw->base,
		                          .script = gw_limit_script,
		                          .times = times };
	struct gw_redis_target target;
	uint16_t id;
	int rc = gw_redis_url_parse(gw->cfg.redis_url, &target);

	if (rc == 0)
		rc = read_password(gw->cfg.redis_password_file, &target);
	if (rc == 0)
		rc = check_login(&target);
	if (rc == 0)
		rc = secret_random(&id, sizeof(id));
	if (rc == 0) {
		l->gateway_id = id % GW_LIMIT_SCRIPT_IDS;
		gw_limit_script_probe(l->gateway_id, &probe);
		params.target = &target;
		params.probe = probe.argv;
		params.probe_n = probe.argc;
		rc = gw_redis_new(&params, &l->redis);
	}
	gw_redis_target_wipe(&target);
	return rc;
}

int gw_limit_new_times(struct gw *gw, const struct gw_redis_times *times,
                       struct gw_limit **limit_out)
{
	int64_t minute = gw->cfg.limit_per_minute, create = gw->cfg.limit_create_per_minute;
	struct gw_limit *l;
	int rc;

	if (minute <= 0 || minute > UINT32_MAX || create <= 0 || create > UINT32_MAX)
		return -EINVAL;
	rc = gw_limit_new_with((uint32_t)minute, (uint32_t)create, GW_LIMIT_ADDRESSES_MAX, &l);
	if (rc == 0 && gw->cfg.redis_url != NULL) {
		rc = connect_redis(gw, times, l);
		if (rc < 0)
			gw_limit_free(l);
	}
	if (rc == 0)
		*limit_out = l;
	return rc;
}

int gw_limit_new(struct gw *gw, struct gw_limit **limit_out)
{
	return gw_limit_new_times(gw, NULL, limit_out);
}

void gw_limit_free(struct gw_limit *l)
{
	if (l == NULL)
		return;
	gw_redis_free(l->redis);
	gw_limit_local_free(l->local);
	free(l);
}
