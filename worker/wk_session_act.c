/* worker/wk_session_act.c - what the session does on its way: dial, open, show codes, end */
#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/wk_conn.h"
#include "worker/wk_dial.h"
#include "worker/wk_session_priv.h"
#include "worker/wk_timer.h"
#include "worker/wk_version.h"

#define TCP_MS 10000
#define TRIM_AFTER_MS \
	200 /* after the first code: what the attempt took goes back to the kernel \
	     */

static uint64_t elapsed_us(const struct wk_session *s)
{
	return clock_us() - s->connect_us;
}

/* ---- dialling ---------------------------------------------------------------------------- */

static void on_resolved(void *arg)
{
	wk_session_raise(arg, WK_EV_RESOLVED);
}

static void on_connected(int fd, void *arg)
{
	struct wk_session *s = arg;

	s->fd = fd;
	s->timing.tcp_us = elapsed_us(s);
	wk_session_raise(s, WK_EV_DIALLED);
}

static void on_dial_failed(const struct wk_failure *f, void *arg)
{
	wk_session_fail(arg, f);
}

static int dial(struct wk_session *s)
{
	static const struct wk_dial_ops ops = {
		.on_resolved = on_resolved,
		.on_connected = on_connected,
		.on_failed = on_dial_failed,
	};

	return wk_dial_new(s->p.base, s->target.url.host, s->target.url.port,
	                   wk_session_ms(s, TCP_MS), &ops, s, &s->dial);
}

/* The keys are made while the connection is being made. */
int wk_act_dial(struct wk_session *s)
{
	int rc = dial(s);

	return rc < 0 ? rc : wa_device_init(&s->device);
}

int wk_act_none(struct wk_session *s)
{
	(void)s;
	return 0;
}

/* ---- opening ----------------------------------------------------------------------------- */

static void on_tls(void *arg)
{
	wk_session_raise(arg, WK_EV_TLS_UP);
}

static void on_open(void *arg)
{
	wk_session_raise(arg, WK_EV_OPEN);
}

static void on_ready(void *arg)
{
	wk_session_raise(arg, WK_EV_READY);
}

static void on_conn_end(const struct wk_failure *f, void *arg)
{
	struct wk_session *s = arg;
	struct wk_failure mine;

	if (f == NULL) {
		wk_session_raise(s, WK_EV_CLOSED);
		return;
	}
	mine = *f;
	/* Before the first code, whatever is not the protocol counts as a failed handshake. */
	if (mine.rc == WA_EPROTO && !s->code_shown)
		mine.rc = WA_EHANDSHAKE;
	wk_session_fail(s, &mine);
}

static int make_payload(const struct wk_session *s, struct buf *out)
{
	const struct wa_registration reg = {
		.version = s->target.version,
		.device_name = s->target.device_name,
		.history_days = s->target.history_days,
	};

	return wa_payload_registration(&s->device, &reg, out);
}

int wk_act_open(struct wk_session *s)
{
	static const struct wk_conn_ops ops = {
		.on_tls = on_tls,
		.on_open = on_open,
		.on_ready = on_ready,
		.on_stanza = wk_session_on_stanza,
		.on_bad_stanza = wk_session_on_bad_stanza,
		.on_end = on_conn_end,
	};
	struct buf payload = { 0 };
	const struct wk_conn_params params = {
		.tls = s->p.tls,
		.url = &s->target.url,
		.origin = s->target.origin,
		.ca_file = s->target.ca_file,
		.noise = &s->device.noise,
		.root = &s->target.root,
		.payload = &payload,
	};
	struct wk_failure f;
	int fd = s->fd;
	int rc;

	wk_dial_free(s->dial);
	s->dial = NULL;
	rc = make_payload(s, &payload);
	if (rc < 0)
		goto out;
	s->fd = -1; /* handed over */
	if (wk_conn_new(s->p.base, fd, &params, &ops, s, &f, &s->conn) < 0)
		wk_session_fail(s, &f);
	else if (!s->target.url.tls)
		wk_session_raise(s, WK_EV_TLS_UP);
out:
	buf_wipe(&payload);
	return rc;
}

int wk_act_opening(struct wk_session *s)
{
	s->timing.tls_us = elapsed_us(s);
	return 0;
}

int wk_act_upgraded(struct wk_session *s)
{
	s->timing.upgrade_us = elapsed_us(s);
	return 0;
}

/* The stream is up: from now on the peer's health is watched. */
int wk_act_ready(struct wk_session *s)
{
	uint64_t now = clock_ms();
	uint32_t rnd;
	int rc = secret_random(&rnd, sizeof(rnd));

	if (rc < 0)
		return rc;
	s->timing.handshake_us = elapsed_us(s);
	wk_alive_start(&s->alive, now, rnd, s->p.speed);
	return wk_timer_set(s->alive_timer, s->alive.due_ms - now);
}

/* ---- codes ------------------------------------------------------------------------------- */

static int on_pair_send(const struct wa_node *n, void *arg)
{
	struct wk_session *s = arg;

	return wk_conn_send(s->conn, n);
}

static void on_trim(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	(void)malloc_trim(0);
}

static void on_code(void *arg)
{
	const struct timeval trim_after = { 0, TRIM_AFTER_MS * 1000 };
	struct wk_session *s = arg;
	bool first = !s->code_shown;
	struct wk_code code;

	if (wk_pair_code(s->pair, &code) < 0)
		return;
	s->code_shown = true;
	if (first) {
		s->timing.code_us = elapsed_us(s);
		(void)event_base_once(s->p.base, -1, EV_TIMEOUT, on_trim, NULL, &trim_after);
	}
	s->p.ops->on_code(&code, first ? &s->timing : NULL, s->p.arg);
	secret_wipe(&code, sizeof(code));
}

static void on_codes_out(void *arg)
{
	struct wk_session *s = arg;

	wk_failure_set(&s->failure, WA_ECODE_TIMEOUT,
	               "no code was scanned before the last one ran out");
	wk_session_raise(s, WK_EV_REFUSED);
}

static void on_code_error(int rc, void *arg)
{
	struct wk_failure f;

	wk_failure_set(&f, rc, "the next code could not be made: %s", wa_err_name(rc));
	wk_session_fail(arg, &f);
}

int wk_act_offer(struct wk_session *s)
{
	static const struct wk_pair_ops ops = {
		.send = on_pair_send,
		.on_code = on_code,
		.on_out = on_codes_out,
		.on_error = on_code_error,
	};
	struct wk_failure f;
	int rc = 0;

	if (s->pair == NULL)
		rc = wk_pair_new(s->p.base, &s->device, s->p.speed, &ops, s, &s->pair);
	if (rc == 0)
		rc = wk_pair_offer(s->pair, s->offer);
	if (rc == 0 || s->state == WK_ENDED)
		return 0;
	if (rc == WA_EPROTO || rc == WA_ELIMIT) {
		wk_failure_set(&f, WA_EPROTO, "the codes of %s can't be shown",
		               s->target.url.hostport);
		wk_session_fail(s, &f);
		return 0;
	}
	return rc;
}

/* ---- another version --------------------------------------------------------------------- */

/* One more try, also when the look-up found what was used: a server may have changed its mind. */
static void on_version(uint32_t revision, void *arg)
{
	struct wk_session *s = arg;

	LOG(s->p.log, LOG_NOTICE, "client_version", LF_INT("used", s->target.version.tertiary),
	    LF_INT("found", revision));
	s->target.version.tertiary = revision;
	wk_session_raise(s, WK_EV_VERSION);
}

static void on_lookup_failed(const struct wk_failure *f, void *arg)
{
	wk_session_fail(arg, f);
}

int wk_act_look_up(struct wk_session *s)
{
	static const struct wk_version_ops ops = {
		.on_version = on_version,
		.on_failed = on_lookup_failed,
	};

	s->looked_up = true;
	s->outdated = s->failure;
	wk_session_drop(s);
	return wk_version_new(s->p.base, s->p.tls, &s->target.url, s->target.ca_file,
	                      wk_session_ms(s, TCP_MS), &ops, s, &s->lookup);
}

/* The device stays the same: nothing of it was registered. */
int wk_act_redial(struct wk_session *s)
{
	wk_version_free(s->lookup);
	s->lookup = NULL;
	return dial(s);
}

/* ---- ends -------------------------------------------------------------------------------- */

void wk_session_drop(struct wk_session *s)
{
	wk_dial_free(s->dial);
	s->dial = NULL;
	wk_conn_free(s->conn);
	s->conn = NULL;
	wk_version_free(s->lookup);
	s->lookup = NULL;
	wk_pair_free(s->pair);
	s->pair = NULL;
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	if (s->alive_timer != NULL)
		(void)event_del(s->alive_timer);
}

static void tell(struct wk_session *s, const struct wk_failure *f)
{
	if (s->told)
		return;
	s->told = true;
	LOG(s->p.log, LOG_NOTICE, "attempt_failed", LF_ERR("code", f->rc),
	    LF_INT("reason", f->reason), LF_STR("detail", f->detail));
	s->p.ops->on_failed(f, s->p.arg);
}

int wk_act_end(struct wk_session *s)
{
	wk_session_drop(s);
	wa_device_wipe(&s->device);
	return wk_timer_set(s->end_timer, 0);
}

int wk_act_fail(struct wk_session *s)
{
	tell(s, &s->failure);
	return wk_act_end(s);
}

/* Whatever became of the look-up: the attempt failed because the version is too old. */
int wk_act_fail_lookup(struct wk_session *s)
{
	wk_failure_add(&s->outdated, "; look-up: %s", s->failure.detail);
	tell(s, &s->outdated);
	return wk_act_end(s);
}

int wk_act_timeout_lookup(struct wk_session *s)
{
	wk_failure_add(&s->outdated, "; the look-up of a newer one took too long");
	tell(s, &s->outdated);
	return wk_act_end(s);
}

int wk_act_timeout(struct wk_session *s)
{
	wk_failure_set(&s->failure, WA_ETIMEOUT, "%s did not answer in time (step: %s)",
	               s->target.url.hostport, wk_state_info(s->from)->doing);
	tell(s, &s->failure);
	return wk_act_end(s);
}

/* The stream is fine, so it is closed as it should be; the caller need not wait for that. */
int wk_act_refuse(struct wk_session *s)
{
	tell(s, &s->failure);
	return wk_act_close(s);
}

int wk_act_close(struct wk_session *s)
{
	wk_pair_free(s->pair);
	s->pair = NULL;
	(void)event_del(s->alive_timer);
	if (wk_conn_close(s->conn))
		return 0;
	return wk_session_event(s, WK_EV_CLOSED);
}
