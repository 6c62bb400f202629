/* worker/session/wk_session_stream.c - what ends a stream: failure, stream:error, its end */
#include "common/err.h"
#include "worker/session/wk_session_priv.h"
#include "worker/wa/link/wa_login.h"
#include "worker/wa/node/wa_node.h"

/* ---- failure ----------------------------------------------------------------------------- */

/* One more try with the newest version there is; then it is the end. */
static void on_outdated(struct wk_session *s)
{
	const struct wa_version *v = &s->target.version;

	wk_failure_set(&s->failure, WA_ECLIENT_OUTDATED,
	               "WhatsApp refused client version %u.%u.%u as outdated", v->primary,
	               v->secondary, v->tertiary);
	s->failure.reason = 405;
	if (s->target.version_auto && !s->version_asked &&
	    (s->state == WK_REGISTERING || s->state == WK_LOGIN)) {
		s->version_asked = true;
		s->refused = v->tertiary;
		wk_session_raise(s, WK_EV_STALE);
		return;
	}
	if (s->no_lookup.rc != 0)
		wk_failure_add(&s->failure, "; look-up: %s", s->no_lookup.detail);
	wk_session_fail(s, &s->failure);
}

/* Of a device that is being linked. */
static int pairing_failure_rc(uint32_t reason)
{
	return reason == 403 || reason == 406 ? WA_EBANNED : WA_EPAIRING_REFUSED;
}

/* Of one that is linked. */
static int login_failure_rc(uint32_t reason)
{
	switch (reason) {
	case 401:
		return WA_ELOGGED_OUT;
	case 402:
		return WA_ETEMP_BANNED;
	case 403:
	case 406:
		return WA_EBANNED;
	case 500:
	case 503:
		return WA_ENETWORK;
	default:
		return WA_ECONNECT_FAILURE;
	}
}

void wk_session_on_failure(struct wk_session *s, const struct wa_node *n)
{
	struct wk_retry_cause hint = { .rc = 0 };
	struct wa_connect_failure cf;
	struct wk_failure f;

	if (wa_failure_read(n, &cf) < 0)
		return;
	if (cf.reason == 405) {
		on_outdated(s);
		return;
	}
	wk_failure_set(&f, s->linked ? login_failure_rc(cf.reason) : pairing_failure_rc(cf.reason),
	               "WhatsApp refused the %s with reason %u", s->linked ? "login" : "device",
	               cf.reason);
	if (cf.message != NULL)
		wk_failure_add(&f, ": %s", cf.message);
	f.reason = cf.reason;
	hint.expire_s = cf.expire_s;
	wk_session_lose(s, &f, &hint);
}

/* ---- stream:error ------------------------------------------------------------------------ */

static int pairing_error_rc(const struct wa_stream_error *e)
{
	switch (e->end) {
	case WA_STREAM_REPLACED:
		return WA_ESTREAM_REPLACED;
	case WA_STREAM_RESTART:
	case WA_STREAM_THROTTLED:
		return WA_ENETWORK;
	case WA_STREAM_LOGGED_OUT:
	case WA_STREAM_UNAUTHORIZED:
		return WA_EPAIRING_REFUSED;
	case WA_STREAM_RETRY:
		break;
	}
	if (e->code == 0)
		return WA_EPROTO;
	return e->code >= 500 && e->code < 600 ? WA_ENETWORK : WA_EPAIRING_REFUSED;
}

static int login_error_rc(const struct wa_stream_error *e)
{
	switch (e->end) {
	case WA_STREAM_REPLACED:
		return WA_ESTREAM_REPLACED;
	case WA_STREAM_LOGGED_OUT:
		return WA_ELOGGED_OUT;
	case WA_STREAM_RESTART:
	case WA_STREAM_THROTTLED:
	case WA_STREAM_UNAUTHORIZED: /* the next login tells */
	case WA_STREAM_RETRY:
		break;
	}
	return WA_ENETWORK;
}

void wk_session_on_stream_error(struct wk_session *s, const struct wa_node *n)
{
	struct wk_retry_cause hint = { .rc = 0 };
	struct wa_stream_error e;
	struct wk_failure f;

	if (wa_stream_error_read(n, &e) < 0)
		return;
	wk_failure_set(&f, s->linked ? login_error_rc(&e) : pairing_error_rc(&e),
	               "%s ended the stream with an error%s%s", s->target.url.hostport,
	               e.child != NULL ? ": " : "", e.child != NULL ? e.child : "");
	if (e.code != 0)
		wk_failure_add(&f, " (code %u)", e.code);
	f.reason = e.code;
	hint.at_once = e.end == WA_STREAM_UNAUTHORIZED;
	hint.restart = s->linked && e.end == WA_STREAM_RESTART;
	if (hint.restart)
		f.rc = 0;
	wk_session_lose(s, &f, &hint);
}

void wk_session_on_stream_end(struct wk_session *s, const struct wa_node *n)
{
	struct wk_failure f;

	(void)n;
	wk_failure_set(&f, WA_ENETWORK, "%s ended the stream", s->target.url.hostport);
	wk_session_fail(s, &f);
}
