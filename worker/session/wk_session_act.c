/* worker/session/wk_session_act.c - from the permission to dial to an open stream */
#include <errno.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/history/wk_media.h"
#include "worker/net/wk_conn.h"
#include "worker/session/wk_session_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/wa/link/wa_login.h"

#define TCP_MS 10000

static uint64_t elapsed_us(const struct wk_session *s)
{
	return clock_us() - s->connect_us;
}

/* ---- dialling ---------------------------------------------------------------------------- */

/* Asked once, however long the turn takes; another gateway is asked by wk_session_tell(). */
int wk_act_ask(struct wk_session *s)
{
	wk_session_drop(s);
	s->p.ops->on_dial_ask(s->p.arg);
	return 0;
}

static void on_resolved(void *arg)
{
	wk_session_raise(arg, WK_EV_RESOLVED);
}

static void on_connected(struct wk_pipe pipe, void *arg)
{
	struct wk_session *s = arg;

	s->pipe = pipe;
	s->timing.tcp_us = elapsed_us(s);
	wk_session_raise(s, WK_EV_DIALLED);
}

static void on_dial_failed(const struct wk_failure *f, void *arg)
{
	wk_session_fail(arg, f);
}

/* The keys of a new device, and its code: made while the connection is being made. */
static int prepare_device(struct wk_session *s)
{
	int rc = 0;

	if (s->linked)
		return 0;
	if (s->creds.device.registration_id == 0)
		rc = wa_device_init(&s->creds.device);
	return rc < 0 ? rc : wk_session_pair_prepare(s);
}

int wk_session_route(struct wk_session *s, const Ipc__Proxy *proxy)
{
	struct wk_proxy next;
	int rc = wk_proxy_init(&next, proxy);

	if (rc < 0)
		return rc;
	wk_media_proxy_changes(s->media);
	wk_proxy_clear(&s->next_proxy);
	s->next_proxy = next;
	s->proxy_changed = true;
	LOG(s->p.log, LOG_INFO, "proxy_changed");
	return 0;
}

void wk_session_take_proxy(struct wk_session *s)
{
	if (!s->proxy_changed)
		return;
	wk_media_proxy_changes(s->media);
	wk_proxy_clear(&s->target.proxy);
	s->target.proxy = s->next_proxy;
	s->next_proxy = (struct wk_proxy){ 0 };
	s->proxy_changed = false;
}

int wk_act_dial(struct wk_session *s)
{
	static const struct wk_dial_ops ops = {
		.on_resolved = on_resolved,
		.on_connected = on_connected,
		.on_failed = on_dial_failed,
	};
	const struct wk_dial_params params = {
		.base = s->p.base,
		.host = s->target.url.host,
		.port = s->target.url.port,
		.proxy = &s->target.proxy,
		.tls = s->p.tls,
		.ca_file = s->target.ca_file,
		.connect_ms = wk_session_ms(s, TCP_MS),
	};
	int rc;

	wk_session_drop(s);
	wk_session_take_proxy(s);
	s->may_dial = false;
	s->dial_us = clock_us();
	s->logout_dials += s->logging_out;
	rc = wk_dial_new(&params, &ops, s, &s->dial);
	return rc < 0 ? rc : prepare_device(s);
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

static void on_ready(const struct wa_server_key *key, void *arg)
{
	struct wk_session *s = arg;

	s->server_key = key != NULL ? *key : (struct wa_server_key){ .until_unix_s = 0 };
	wk_session_raise(s, s->linked ? WK_EV_KNOWN : WK_EV_READY);
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
	if (mine.rc == WA_EPROTO && !s->linked && !s->code_shown)
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
	const struct wa_login login = {
		.version = s->target.version,
		.jid = s->creds.jid,
		.push_name = s->creds.push_name,
		.logins = s->creds.logins,
		.attempt = s->retry.attempt,
	};

	return s->linked ? wa_payload_login(&login, out)
	                 : wa_payload_registration(&s->creds.device, &reg, out);
}

/* What earlier logins left for the next one. */
static void use_hints(struct wk_session *s, struct wk_conn_params *params)
{
	s->used_routing = s->linked && s->creds.routing_len > 0;
	s->used_ik = s->linked && clock_unix_s() < s->creds.server_static_until;
	if (s->used_routing) {
		params->routing = s->creds.routing;
		params->routing_len = s->creds.routing_len;
	}
	if (s->used_ik)
		params->server_static = s->creds.server_static;
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
	struct wk_conn_params params = {
		.tls = s->p.tls,
		.url = &s->target.url,
		.origin = s->target.origin,
		.ca_file = s->target.ca_file,
		.noise = &s->creds.device.noise,
		.root = &s->target.root,
		.payload = &payload,
	};
	struct wk_pipe pipe = s->pipe;
	struct wk_failure f;
	int rc;

	wk_dial_free(s->dial);
	s->dial = NULL;
	use_hints(s, &params);
	rc = make_payload(s, &payload);
	if (rc < 0)
		goto out;
	s->pipe = (struct wk_pipe){ .fd = -1 }; /* handed over */
	if (wk_conn_new(s->p.base, pipe, &params, &ops, s, &f, &s->conn) < 0)
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
