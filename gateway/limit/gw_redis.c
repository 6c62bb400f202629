/* gateway/limit/gw_redis.c - one connection to a Redis that runs one script for us */
#include "gateway/limit/gw_redis.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <openssl/sha.h>

#include <event2/event.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/limit/gw_redis_io.h"
#include "gateway/limit/gw_redis_reply.h"

#define WHY_CAP 96
#define STEADY_MS 10000  /* up for so long: the next pause is the shortest again */
#define UNSTEADY_FAILS 3 /* else it goes on from here at most: it was there, after all */
#define LATE_MS 10       /* a timer that goes off so late: it was us who were slow */

const struct gw_redis_times gw_redis_times_default = {
	.connect = 2000,
	.command = 30,
	.idle = 5000,
	.retry_min = 100,
	.retry_max = 2000,
};

enum call_kind {
	CALL_LOGIN,  /* AUTH, SELECT: the answer is OK, or it is over */
	CALL_PROBE,  /* the script on a key of its own */
	CALL_LOAD,   /* the script's text, after a SCRIPT FLUSH */
	CALL_SCRIPT, /* somebody's request */
};

/* A command whose answer is awaited; answers come in order. */
struct call {
	TAILQ_ENTRY(call) entry;
	enum call_kind kind;
	uint64_t deadline_ms;
	struct buf cmd; /* SCRIPT: to be sent again after NOSCRIPT; else empty */
	gw_redis_cb *cb;
	void *arg;
};
TAILQ_HEAD(call_list, call);

enum redis_state {
	REDIS_PAUSE, /* down, until the timer goes off */
	REDIS_JOIN,  /* name, connection, password, probe */
	REDIS_UP,
};

struct gw_redis {
	struct event_base *base;
	struct gw_redis_target *target; /* in secret memory */
	struct gw_redis_times times;
	const char *script;
	char sha[2 * SHA_DIGEST_LENGTH + 1];
	struct buf probe; /* EVAL with the script's text, as it goes over the wire */
	enum redis_state state;
	struct gw_redis_io *io; /* NULL while there is no connection, nor one in the making */
	struct event *timer;    /* what it is for depends on the state */
	struct call_list sent;
	struct call_list held; /* come before the first connection was there */
	bool first;            /* nothing has come about or failed yet */
	bool graced;           /* once late ourselves, and no answer since */
	bool loading;          /* a CALL_LOAD is among sent */
	unsigned fails_n;      /* in a row */
	uint32_t epoch;
	uint64_t lost_n;
	uint64_t join_by_ms;
	uint64_t up_at_ms;
	uint64_t called_at_ms; /* the last command */
	char why[WHY_CAP];
};

static void down(struct gw_redis *r, int rc, const char *why);
static void on_io_reply(const struct gw_redis_reply *reply, void *arg);
static void on_io_end(int rc, const char *why, void *arg);

static void arm(struct gw_redis *r, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		              .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	if (event_add(r->timer, &tv) < 0) /* no memory: at once, rather than never */
		event_active(r->timer, EV_TIMEOUT, 0);
}

/* ---- commands on the wire -------------------------------------------------------------------- */

static int put_arg(struct buf *b, const char *arg)
{
	size_t len = strlen(arg);
	int rc = buf_appendf(b, "$%zu\r\n", len);

	if (rc == 0)
		rc = buf_append(b, arg, len);
	return rc == 0 ? buf_append_str(b, "\r\n") : rc;
}

static int put_command(struct buf *b, const char *const *head, size_t head_n,
                       const char *const *argv, size_t argc)
{
	int rc = buf_appendf(b, "*%zu\r\n", head_n + argc);

	for (size_t i = 0; rc == 0 && i < head_n; i++)
		rc = put_arg(b, head[i]);
	for (size_t i = 0; rc == 0 && i < argc; i++)
		rc = put_arg(b, argv[i]);
	return rc;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void call_free(struct call *c)
{
	buf_wipe(&c->cmd);
	free(c);
}

static struct call *call_new(struct gw_redis *r, enum call_kind kind)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->kind = kind;
	c->deadline_ms = clock_ms() + r->times.command;
	return c;
}

/* Takes c. */
static int call_send(struct gw_redis *r, struct call *c, const struct buf *cmd)
{
	int rc = gw_redis_io_send(r->io, cmd->p, cmd->len);

	if (rc < 0) {
		call_free(c);
		return rc;
	}
	TAILQ_INSERT_TAIL(&r->sent, c, entry);
	r->called_at_ms = clock_ms();
	return 0;
}

/* Everyone who waits is told, and nobody new can come in between: the state is no longer UP. */
static void fail_all(struct gw_redis *r, struct call_list *list, int rc)
{
	struct call *c;

	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, entry);
		if (c->cb != NULL)
			c->cb(rc, NULL, 0, c->arg);
		call_free(c);
	}
	r->loading = false;
}

/* The timer goes off for the oldest call; later ones set it again then. */
static void arm_for_first(struct gw_redis *r)
{
	const struct call *c = TAILQ_FIRST(&r->sent);
	uint64_t now = clock_ms(), at = now + r->times.idle;

	if (c != NULL)
		at = c->deadline_ms;
	arm(r, at > now ? at - now : 0);
}

/* ---- joining --------------------------------------------------------------------------------- */

static int send_login(struct gw_redis *r, const char *const *argv, size_t argc)
{
	struct call *c = call_new(r, CALL_LOGIN);
	struct buf cmd = { 0 };
	int rc = c == NULL ? -ENOMEM : put_command(&cmd, argv, argc, NULL, 0);

	if (rc == 0)
		rc = call_send(r, c, &cmd);
	else if (c != NULL)
		call_free(c);
	buf_wipe(&cmd); /* a password */
	return rc;
}

static int send_auth(struct gw_redis *r)
{
	const struct gw_redis_target *t = r->target;
	const char *const with_user[] = { "AUTH", t->user, t->password };
	const char *const without[] = { "AUTH", t->password };

	if (t->password[0] == '\0')
		return 0;
	if (t->user[0] != '\0')
		return send_login(r, with_user, ARRAY_LEN(with_user));
	return send_login(r, without, ARRAY_LEN(without));
}

static int send_select(struct gw_redis *r)
{
	char db[12];
	const char *const select[] = { "SELECT", db };

	if (r->target->db == 0)
		return 0;
	snprintf(db, sizeof(db), "%u", r->target->db);
	return send_login(r, select, ARRAY_LEN(select));
}

static int send_probe(struct gw_redis *r)
{
	struct call *c = call_new(r, CALL_PROBE);

	return c == NULL ? -ENOMEM : call_send(r, c, &r->probe);
}

/* All in one go: they leave when the connection is there. */
static void join(struct gw_redis *r)
{
	int rc;

	r->state = REDIS_JOIN;
	r->join_by_ms = clock_ms() + r->times.connect;
	rc = gw_redis_io_new(r->base, r->target, r->fails_n, on_io_reply, on_io_end, r, &r->io);
	if (rc == 0)
		rc = send_auth(r);
	if (rc == 0)
		rc = send_select(r);
	if (rc == 0)
		rc = send_probe(r);
	if (rc < 0)
		down(r, rc, "can't be asked for lack of memory or descriptors");
	else
		arm(r, r->first ? r->times.command : r->times.connect);
}

/* Those that came before the connection did. */
static void send_held(struct gw_redis *r)
{
	struct call *c;

	while (r->state == REDIS_UP && (c = TAILQ_FIRST(&r->held)) != NULL) {
		TAILQ_REMOVE(&r->held, c, entry);
		if (gw_redis_io_send(r->io, c->cmd.p, c->cmd.len) == 0) {
			TAILQ_INSERT_TAIL(&r->sent, c, entry);
			continue;
		}
		c->cb(-ENOMEM, NULL, 0, c->arg);
		call_free(c);
	}
}

static void up(struct gw_redis *r)
{
	r->state = REDIS_UP;
	r->first = false;
	r->graced = false;
	r->epoch++;
	r->up_at_ms = clock_ms();
	r->why[0] = '\0';
	LOG(NULL, LOG_NOTICE, "redis_up", LF_INT("tries", r->fails_n + 1));
	send_held(r);
	if (r->state == REDIS_UP)
		arm_for_first(r);
}

/* ---- down ------------------------------------------------------------------------------------ */

/* 100 ms, 200 ms, ... of which the second half is chance: gateways don't come back all at once. */
static uint32_t pause_ms(const struct gw_redis *r)
{
	uint32_t ms = r->times.retry_min, random = 0;

	for (unsigned i = 1; i < r->fails_n && ms < r->times.retry_max; i++)
		ms *= 2;
	if (ms > r->times.retry_max)
		ms = r->times.retry_max;
	if (secret_random(&random, sizeof(random)) < 0)
		random = (uint32_t)clock_us();
	return ms / 2 + random % (ms / 2 + 1);
}

/* Safe from anywhere. Those that wait are told last, when everything else is settled. */
static void down(struct gw_redis *r, int rc, const char *why)
{
	struct gw_redis_io *io = r->io;
	bool was_up = r->state == REDIS_UP;
	uint64_t now = clock_ms();

	if (r->state == REDIS_PAUSE)
		return;
	r->state = REDIS_PAUSE;
	r->first = false;
	r->io = NULL;
	snprintf(r->why, sizeof(r->why), "%s", why);
	if (was_up) {
		r->lost_n++;
		if (now - r->up_at_ms >= STEADY_MS)
			r->fails_n = 0;
		else if (r->fails_n > UNSTEADY_FAILS)
			r->fails_n = UNSTEADY_FAILS;
	}
	r->fails_n++;
	LOG(NULL, was_up || r->fails_n == 1 ? LOG_WARNING : LOG_DEBUG, "redis_down",
	    LF_STR("why", r->why), LF_ERR("err", rc), LF_INT("tries", r->fails_n));
	arm(r, pause_ms(r));
	gw_redis_io_free(io);
	fail_all(r, &r->sent, rc);
	fail_all(r, &r->held, rc);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* "OOM command not allowed..." is shown as its first word: what follows may quote what we sent. */
static void describe_error(const struct gw_redis_reply *reply, enum call_kind kind, char *out,
                           size_t cap)
{
	static const char *const during[] = {
		[CALL_LOGIN] = " at login",
		[CALL_PROBE] = "",
		[CALL_LOAD] = "",
		[CALL_SCRIPT] = "",
	};
	size_t n = strspn(reply->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	if (reply->type != GW_REDIS_ERROR)
		snprintf(out, cap, "says what is no answer");
	else if (n == 0 || n > 24)
		snprintf(out, cap, "answers with an error%s", during[kind]);
	else
		snprintf(out, cap, "answers %.*s%s", (int)n, reply->text, during[kind]);
}

static bool is_error(const struct gw_redis_reply *reply, const char *word)
{
	size_t n = strlen(word);

	return reply->type == GW_REDIS_ERROR && strncmp(reply->text, word, n) == 0 &&
	       (reply->text[n] == ' ' || reply->text[n] == '\0');
}

/* The script is unknown there: its text first, and the call again behind it, in its own time. */
static int again_with_text(struct gw_redis *r, struct call *c)
{
	const char *const load[] = { "SCRIPT", "LOAD", r->script };
	struct call *l = NULL;
	struct buf cmd = { 0 };
	int rc = 0;

	if (!r->loading) {
		l = call_new(r, CALL_LOAD);
		rc = l == NULL ? -ENOMEM : put_command(&cmd, load, ARRAY_LEN(load), NULL, 0);
		if (rc == 0)
			rc = call_send(r, l, &cmd);
		else if (l != NULL)
			call_free(l);
		r->loading = rc == 0;
	}
	if (rc == 0)
		rc = gw_redis_io_send(r->io, c->cmd.p, c->cmd.len);
	buf_free(&cmd);
	return rc;
}

/* Of the script's own errors only the one about a key is left to the caller (in its values). */
static void on_answer(struct gw_redis *r, struct call *c, const struct gw_redis_reply *reply)
{
	char why[WHY_CAP];

	if (c->kind == CALL_LOAD)
		r->loading = false;
	if (c->kind == CALL_SCRIPT && is_error(reply, "NOSCRIPT") && again_with_text(r, c) == 0) {
		TAILQ_INSERT_TAIL(&r->sent, c, entry);
		return;
	}
	if (reply->type == GW_REDIS_ERROR ||
	    ((c->kind == CALL_PROBE || c->kind == CALL_SCRIPT) && reply->type != GW_REDIS_VALUES)) {
		describe_error(reply, c->kind, why, sizeof(why));
		TAILQ_INSERT_HEAD(&r->sent, c, entry); /* told with the others */
		down(r, WA_EPROTO, why);
		return;
	}
	if (c->kind == CALL_PROBE && r->state == REDIS_JOIN)
		up(r);
	if (c->cb != NULL)
		c->cb(0, reply->values, reply->values_n, c->arg);
	call_free(c);
}

static void on_io_reply(const struct gw_redis_reply *reply, void *arg)
{
	struct gw_redis *r = arg;
	struct call *c = TAILQ_FIRST(&r->sent);

	r->graced = false;
	if (c == NULL) {
		down(r, WA_EPROTO, "says what nobody asked");
		return;
	}
	TAILQ_REMOVE(&r->sent, c, entry);
	on_answer(r, c, reply);
}

static void on_io_end(int rc, const char *why, void *arg)
{
	struct gw_redis *r = arg;

	r->io = NULL; /* it frees itself */
	down(r, rc, why);
}

/* ---- time ------------------------------------------------------------------------------------ */

/*
 * The oldest call is out of time. What had come from Redis was read before any timer of this loop
 * pass went off; but if the pass was a long one, the call may have left only now: once, it gets a
 * little longer.
 */
static void on_call_timer(struct gw_redis *r)
{
	uint64_t now = clock_ms();
	const struct call *c = TAILQ_FIRST(&r->sent);

	if (c == NULL) {
		if (now - r->called_at_ms >= r->times.idle && send_probe(r) < 0)
			down(r, -ENOMEM, "can't be asked for lack of memory");
	} else if (c->deadline_ms <= now) {
		if (r->graced || now - c->deadline_ms < LATE_MS) {
			down(r, WA_ETIMEOUT, "does not answer in time");
		} else {
			r->graced = true;
			arm(r, LATE_MS);
			return;
		}
	}
	if (r->state == REDIS_UP)
		arm_for_first(r);
}

/* Calls don't wait for the first connection longer than for an answer. */
static void on_join_timer(struct gw_redis *r)
{
	uint64_t now = clock_ms();

	if (now >= r->join_by_ms) {
		down(r, WA_ETIMEOUT, "can't be reached in time");
		return;
	}
	r->first = false;
	snprintf(r->why, sizeof(r->why), "is not reached yet");
	fail_all(r, &r->held, WA_ETIMEOUT);
	arm(r, r->join_by_ms - now);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gw_redis *r = arg;

	(void)fd;
	(void)what;
	switch (r->state) {
	case REDIS_PAUSE:
		join(r);
		break;
	case REDIS_JOIN:
		on_join_timer(r);
		break;
	case REDIS_UP:
		on_call_timer(r);
		break;
	}
}

/* ---- for the limiter ------------------------------------------------------------------------- */

int gw_redis_call(struct gw_redis *r, const char *const *argv, size_t argc, gw_redis_cb *cb,
                  void *arg)
{
	const char *const head[] = { "EVALSHA", r->sha };
	bool hold = r->state == REDIS_JOIN;
	bool idle = TAILQ_EMPTY(&r->sent);
	struct call *c;
	int rc;

	if (!gw_redis_takes_calls(r))
		return -ENOTCONN;
	c = call_new(r, CALL_SCRIPT);
	if (c == NULL)
		return -ENOMEM;
	c->cb = cb;
	c->arg = arg;
	rc = put_command(&c->cmd, head, ARRAY_LEN(head), argv, argc);
	if (rc == 0 && !hold)
		rc = gw_redis_io_send(r->io, c->cmd.p, c->cmd.len);
	if (rc < 0) {
		call_free(c);
		return rc;
	}
	if (hold) {
		TAILQ_INSERT_TAIL(&r->held, c, entry);
		return 0;
	}
	TAILQ_INSERT_TAIL(&r->sent, c, entry);
	r->called_at_ms = clock_ms();
	if (idle)
		arm_for_first(r);
	return 0;
}

bool gw_redis_takes_calls(const struct gw_redis *r)
{
	return r->state == REDIS_UP || (r->state == REDIS_JOIN && r->first);
}

bool gw_redis_is_up(const struct gw_redis *r)
{
	return r->state == REDIS_UP;
}

uint32_t gw_redis_epoch(const struct gw_redis *r)
{
	return r->epoch;
}

const char *gw_redis_why(const struct gw_redis *r)
{
	return r->why;
}

uint64_t gw_redis_lost_n(const struct gw_redis *r)
{
	return r->lost_n;
}

static int prepare(struct gw_redis *r, const struct gw_redis_params *p)
{
	const char *const head[] = { "EVAL", r->script };
	uint8_t sha[SHA_DIGEST_LENGTH];

	SHA1((const unsigned char *)r->script, strlen(r->script), sha);
	hex_encode(sha, sizeof(sha), r->sha);
	*r->target = *p->target;
	return put_command(&r->probe, head, ARRAY_LEN(head), p->probe, p->probe_n);
}

int gw_redis_new(const struct gw_redis_params *p, struct gw_redis **redis_out)
{
	struct gw_redis *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (r == NULL)
		return rc;
	TAILQ_INIT(&r->sent);
	TAILQ_INIT(&r->held);
	r->base = p->base;
	r->script = p->script;
	r->times = p->times != NULL ? *p->times : gw_redis_times_default;
	r->first = true;
	snprintf(r->why, sizeof(r->why), "is not reached yet");
	r->timer = evtimer_new(r->base, on_timer, r);
	r->target = secret_alloc(sizeof(*r->target));
	if (r->timer != NULL && r->target != NULL)
		rc = prepare(r, p);
	if (rc < 0) {
		gw_redis_free(r);
		return rc;
	}
	join(r);
	*redis_out = r;
	return 0;
}

void gw_redis_free(struct gw_redis *r)
{
	if (r == NULL)
		return;
	r->state = REDIS_PAUSE;
	gw_redis_io_free(r->io);
	r->io = NULL;
	fail_all(r, &r->sent, -ECANCELED);
	fail_all(r, &r->held, -ECANCELED);
	if (r->timer != NULL)
		event_free(r->timer);
	buf_free(&r->probe);
	secret_free(r->target);
	free(r);
}
