/* worker/session/wk_session_pair.c - pairing: QR codes, the pairing code, the passkey step */
#include <errno.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/net/wk_conn.h"
#include "worker/pair/wk_link_code.h"
#include "worker/session/wk_session_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/wa/link/wa_pair.h"
#include "worker/wa/link/wa_passkey.h"
#include "worker/wa/node/wa_node.h"

static int on_send(const struct wa_node *n, void *arg)
{
	struct wk_session *s = arg;

	return wk_conn_send(s->conn, n);
}

/* The stream is fine, so it is closed as it should be. */
static void refuse(struct wk_session *s, const struct wk_failure *f)
{
	s->failure = *f;
	wk_session_raise(s, WK_EV_REFUSED);
}

/* A driver's end: told with the step it had reached. */
static void on_part_failed(const struct wk_failure *f, void *arg)
{
	refuse(arg, f);
}

/* ---- telling ----------------------------------------------------------------------------- */

/* The first code of the attempt: it comes with its timing, and what can wait follows it. */
static const struct wk_timing *first_code(struct wk_session *s)
{
	if (s->code_shown)
		return NULL;
	s->code_shown = true;
	s->timing.code_us = clock_us() - s->connect_us;
	(void)!wk_timer_set(s->later, 0); /* at the latest, pair-success brings the store */
	return &s->timing;
}

static void tell_qr(struct wk_session *s, const struct wk_timing *timing)
{
	struct wk_code code;

	if (wk_pair_code(s->pair, &code) == 0)
		s->p.ops->on_code(&code, timing, s->p.arg);
	secret_wipe(&code, sizeof(code));
}

static void tell_pairing_code(struct wk_session *s, const struct wk_timing *timing)
{
	char code[WA_LINK_CODE_SHOWN_CAP];
	uint32_t valid_ms;

	if (wk_link_code_shown(s->link_code, code, &valid_ms) == 0)
		s->p.ops->on_pairing_code(code, valid_ms, timing, s->p.arg);
	secret_wipe(code, sizeof(code));
}

static void tell_passkey(struct wk_session *s)
{
	struct wk_passkey_view view;

	wk_passkey_look(s->passkey, &view);
	if (view.stage != WK_PASSKEY_NONE)
		s->p.ops->on_passkey(&view, s->p.arg);
}

void wk_session_tell_pairing(struct wk_session *s)
{
	if (s->passkey != NULL)
		tell_passkey(s);
	else if (s->link_code != NULL)
		tell_pairing_code(s, NULL);
	else if (s->pair != NULL)
		tell_qr(s, NULL);
}

/* ---- codes ------------------------------------------------------------------------------- */

/* With a number, the refs are only the clock: a pairing code is shown instead. */
static void on_code(void *arg)
{
	struct wk_session *s = arg;

	if (s->link_code == NULL) {
		tell_qr(s, first_code(s));
		return;
	}
	wk_pair_hold(s->pair);
	wk_link_code_start(s->link_code);
}

static void on_codes_out(void *arg)
{
	struct wk_session *s = arg;
	uint32_t grace_ms = s->link_code != NULL ? wk_link_code_grace_ms(s->link_code) : 0;
	struct wk_failure f;

	if (grace_ms > 0 && wk_pair_extend(s->pair, grace_ms) == 0)
		return;
	wk_failure_set(&f, WA_ECODE_TIMEOUT,
	               s->link_code != NULL ? "the pairing code was not typed before it ran out"
	                                    : "no code was scanned before the last one ran out");
	refuse(s, &f);
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
		.send = on_send,
		.on_code = on_code,
		.on_out = on_codes_out,
		.on_error = on_code_error,
	};
	struct wk_failure f;
	int rc = 0;

	if (s->pair == NULL)
		rc = wk_pair_new(s->p.base, &s->creds.device, s->p.speed, &ops, s, &s->pair);
	if (rc == 0)
		rc = wk_pair_offer(s->pair, s->offer);
	if (rc == 0 || s->state != WK_PAIRING)
		return 0;
	if (rc == WA_EPROTO || rc == WA_ELIMIT) {
		wk_failure_set(&f, WA_EPROTO, "the codes of %s can't be shown",
		               s->target.url.hostport);
		wk_session_fail(s, &f);
		return 0;
	}
	return rc;
}

/* ---- pairing code ------------------------------------------------------------------------ */

static uint32_t on_left_ms(void *arg)
{
	const struct wk_session *s = arg;

	return wk_pair_left_ms(s->pair);
}

static void on_pairing_code(void *arg)
{
	struct wk_session *s = arg;

	tell_pairing_code(s, first_code(s));
}

int wk_session_pair_prepare(struct wk_session *s)
{
	static const struct wk_link_code_ops ops = {
		.send = on_send,
		.left_ms = on_left_ms,
		.on_code = on_pairing_code,
		.on_failed = on_part_failed,
	};
	struct wk_link_code_params params = {
		.base = s->p.base,
		.dev = &s->creds.device,
		.number = s->target.number,
		.speed = s->p.speed,
		.ops = &ops,
		.arg = s,
	};
	int rc;

	if (s->target.number[0] == '\0')
		return 0;
	rc = secret_random(&params.tag, sizeof(params.tag));
	return rc < 0 ? rc : wk_link_code_new(&params, &s->link_code);
}

/* ---- passkey ----------------------------------------------------------------------------- */

static void on_passkey_stage(void *arg)
{
	tell_passkey(arg);
}

/* WhatsApp wants a proof: the codes' clock stands still. Asked again: from the beginning. */
static int begin_passkey(struct wk_session *s, const struct wa_node *request)
{
	static const struct wk_passkey_ops ops = {
		.send = on_send,
		.on_stage = on_passkey_stage,
		.on_failed = on_part_failed,
	};
	struct wk_passkey_params params = {
		.base = s->p.base,
		.dev = &s->creds.device,
		.log = s->p.log,
		.proof_ms = WA_PASSKEY_HANDOFF_MS,
		.speed = s->p.speed,
		.ops = &ops,
		.arg = s,
	};
	int rc = secret_random(&params.tag, sizeof(params.tag));

	if (rc < 0)
		return rc;
	LOG(s->p.log, LOG_NOTICE, "passkey_wanted");
	wk_passkey_free(s->passkey);
	s->passkey = NULL;
	wk_pair_pause(s->pair);
	if (s->link_code != NULL)
		wk_link_code_pause(s->link_code);
	return wk_passkey_new(&params, request, &s->passkey);
}

void wk_session_passkey_answer(struct wk_session *s, const char *credential)
{
	if (s->passkey == NULL || wk_passkey_answer(s->passkey, credential) < 0)
		LOG(s->p.log, LOG_NOTICE, "passkey_answer_out_of_turn");
}

void wk_session_passkey_confirm(struct wk_session *s)
{
	if (s->passkey == NULL || wk_passkey_confirm(s->passkey) < 0)
		LOG(s->p.log, LOG_NOTICE, "passkey_confirm_out_of_turn");
}

/* ---- stanzas ----------------------------------------------------------------------------- */

bool wk_session_pair_answer(struct wk_session *s, const struct wa_node *iq)
{
	if (s->link_code != NULL && wk_link_code_answer(s->link_code, iq))
		return true;
	return s->passkey != NULL && wk_passkey_iq(s->passkey, iq);
}

static void ended_by(struct wk_session *s, int rc, const char *what)
{
	struct wk_failure f;

	wk_failure_set(&f, rc, "%s: %s", what, wa_err_name(rc));
	wk_session_fail(s, &f);
}

void wk_session_pair_notification(struct wk_session *s, const struct wa_node *n)
{
	bool pairing = s->state == WK_PAIRING && s->pair != NULL;
	int rc;

	if (pairing && wa_node_attr_is(n, "type", "companion_reg_refresh")) {
		LOG(s->p.log, LOG_INFO, "code_refreshed");
		rc = wk_pair_refresh(s->pair, n);
		if (rc < 0)
			ended_by(s, rc, "the code could not be renewed");
	} else if (pairing && wa_node_attr_is(n, "type", "passkey_prologue_request")) {
		rc = begin_passkey(s, n);
		if (rc < 0)
			ended_by(s, rc, "the passkey step could not begin");
	} else if (!wk_session_send(s, wa_notification_ack(n))) {
		return;
	} else if (pairing && s->link_code != NULL &&
	           wa_node_attr_is(n, "type", "link_code_companion_reg")) {
		wk_link_code_notice(s->link_code, n);
	} else if (pairing && s->passkey != NULL &&
	           wa_node_attr_is(n, "type", "crsc_continuation")) {
		wk_passkey_continuation(s->passkey, n);
	}
}

void wk_session_pair_drop(struct wk_session *s)
{
	wk_pair_free(s->pair);
	s->pair = NULL;
	wk_link_code_free(s->link_code);
	s->link_code = NULL;
	wk_passkey_free(s->passkey);
	s->passkey = NULL;
}
