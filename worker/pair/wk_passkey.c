/* worker/pair/wk_passkey.c - the passkey step, request by request */
#include "worker/pair/wk_passkey.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "worker/pair/wk_pair_id.h"
#include "worker/pair/wk_passkey_json.h"
#include "worker/session/wk_timer.h"
#include "worker/wa/link/wa_pair.h"
#include "worker/wa/link/wa_passkey.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_stanza.h"

#define ANSWER_MS 20000 /* an IQ's */
#define LINK_MS 60000   /* from the pairing request to pair-success: the phone asks its server */

/* What is waited for. */
enum wait {
	WAIT_OPTIONS,  /* their IQ's answer */
	WAIT_USER,     /* the credential */
	WAIT_REF,      /* its IQ's answer */
	WAIT_PROLOGUE, /* its IQ's answer */
	WAIT_PHONE,    /* crsc_continuation */
	WAIT_NONCE,    /* its IQ's answer */
	WAIT_CONFIRM,  /* the user's comparison */
	WAIT_REQUEST,  /* its IQ's answer */
	WAIT_SUCCESS,  /* pair-success */
};

struct wk_passkey {
	struct wk_passkey_params p;
	struct wa_passkey step;
	struct wk_pair_id id;
	enum wait wait;
	struct event *timer; /* the answer of a request */
	struct event *limit; /* of the whole step; after it: of pair-success */
	uint64_t begin_ms;
	uint64_t until_ms;
	char *options; /* JSON */
	struct wk_credential credential;
	char code[WA_LINK_CODE_SHOWN_CAP];
	bool continued; /* crsc_continuation came */
};

static uint32_t scaled(const struct wk_passkey *pk, uint32_t ms)
{
	return pk->p.speed > 1 ? ms / pk->p.speed : ms;
}

static void fail(struct wk_passkey *pk, const struct wk_failure *f)
{
	pk->id.waiting[0] = '\0';
	(void)event_del(pk->timer);
	(void)event_del(pk->limit);
	pk->p.ops->on_failed(f, pk->p.arg);
}

static void fail_self(struct wk_passkey *pk, int rc)
{
	struct wk_failure f;

	wk_failure_set(&f, rc, "the passkey step could not go on: %s", wa_err_name(rc));
	fail(pk, &f);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_failure f;

	(void)fd;
	(void)what;
	wk_failure_set(&f, WA_ETIMEOUT, "WhatsApp did not answer in the passkey step");
	fail(arg, &f);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct wk_passkey *pk = arg;
	struct wk_failure f;

	(void)fd;
	(void)what;
	if (pk->wait == WAIT_SUCCESS)
		wk_failure_set(&f, WA_ETIMEOUT,
		               "the phone did not complete the link after the passkey step");
	else
		wk_failure_set(&f, WA_ETIMEOUT, "the passkey step was not finished in time");
	fail(pk, &f);
}

static void tell(struct wk_passkey *pk)
{
	pk->p.ops->on_stage(pk->p.arg);
}

/* ---- requests ---------------------------------------------------------------------------- */

/* Send a request that was built for this, and wait for its answer. */
static int ask(struct wk_passkey *pk, struct wa_node *n, enum wait wait)
{
	int rc = n == NULL ? -ENOMEM : pk->p.ops->send(n, pk->p.arg);

	wa_node_free(n);
	pk->wait = wait;
	return rc < 0 ? rc : wk_timer_set(pk->timer, scaled(pk, ANSWER_MS));
}

static int ask_options(struct wk_passkey *pk)
{
	return ask(pk, wa_passkey_options_get(wk_pair_id_next(&pk->id)), WAIT_OPTIONS);
}

static int ask_ref(struct wk_passkey *pk)
{
	return ask(pk, wa_passkey_ref_get(wk_pair_id_next(&pk->id)), WAIT_REF);
}

/* The proof that both sides saw the same QR code spares the comparison, while it is fresh. */
static int send_prologue(struct wk_passkey *pk)
{
	bool with_proof = clock_ms() - pk->begin_ms < scaled(pk, pk->p.proof_ms);
	struct wa_node *n = NULL;
	int rc =
	    wa_passkey_prologue(&pk->step, wk_pair_id_next(&pk->id), pk->credential.id,
	                        pk->credential.id_len, pk->credential.assertion, with_proof, &n);

	wk_credential_clear(&pk->credential);
	return rc < 0 ? rc : ask(pk, n, WAIT_PROLOGUE);
}

static int send_nonce(struct wk_passkey *pk)
{
	return ask(pk, wa_passkey_nonce(&pk->step, wk_pair_id_next(&pk->id)), WAIT_NONCE);
}

static int send_request(struct wk_passkey *pk)
{
	struct wa_node *n = NULL;
	int rc = wa_passkey_request(&pk->step, pk->p.dev, wk_pair_id_next(&pk->id), &n);

	return rc < 0 ? rc : ask(pk, n, WAIT_REQUEST);
}

/* ---- steps ------------------------------------------------------------------------------- */

/* 0; -ENOENT: missing or unreadable; -ENOMEM. */
static int take_options(struct wk_passkey *pk, const struct wa_node *n)
{
	const char *json;
	size_t len;

	if (wa_passkey_options(n, &json, &len) < 0 || memchr(json, '\0', len) != NULL ||
	    !wk_passkey_options_valid(json, len))
		return -ENOENT;
	pk->options = strndup(json, len);
	if (pk->options == NULL)
		return -ENOMEM;
	pk->wait = WAIT_USER;
	tell(pk);
	return 0;
}

static int on_options(struct wk_passkey *pk, const struct wa_node *iq)
{
	int rc = take_options(pk, iq);

	return rc == -ENOENT ? WA_EPROTO : rc;
}

static int on_ref(struct wk_passkey *pk, const struct wa_node *iq)
{
	int rc = wa_passkey_take_ref(&pk->step, iq);

	return rc < 0 ? rc : send_prologue(pk);
}

static int on_prologue(struct wk_passkey *pk)
{
	pk->wait = WAIT_PHONE;
	return pk->continued ? send_nonce(pk) : 0;
}

static int on_nonce(struct wk_passkey *pk)
{
	int rc;

	if (pk->step.handoff_sent)
		return send_request(pk);
	rc = wa_passkey_code(&pk->step, pk->code);
	if (rc < 0)
		return rc;
	pk->wait = WAIT_CONFIRM;
	tell(pk);
	return 0;
}

static int on_request(struct wk_passkey *pk)
{
	pk->wait = WAIT_SUCCESS;
	pk->until_ms = clock_ms() + scaled(pk, LINK_MS);
	tell(pk);
	return wk_timer_set(pk->limit, scaled(pk, LINK_MS));
}

static int go_on(struct wk_passkey *pk, const struct wa_node *iq)
{
	switch (pk->wait) {
	case WAIT_OPTIONS:
		return on_options(pk, iq);
	case WAIT_REF:
		return on_ref(pk, iq);
	case WAIT_PROLOGUE:
		return on_prologue(pk);
	case WAIT_NONCE:
		return on_nonce(pk);
	case WAIT_REQUEST:
		return on_request(pk);
	case WAIT_USER:
	case WAIT_PHONE:
	case WAIT_CONFIRM:
	case WAIT_SUCCESS:
		break;
	}
	return 0;
}

static void refused(struct wk_passkey *pk, unsigned code, const char *text)
{
	struct wk_failure f;

	wk_failure_set(&f, WA_EPAIRING_REFUSED, "WhatsApp refused the passkey step (%u%s%s)", code,
	               text != NULL ? " " : "", text != NULL ? text : "");
	f.reason = code;
	fail(pk, &f);
}

bool wk_passkey_iq(struct wk_passkey *pk, const struct wa_node *iq)
{
	const char *text = NULL;
	unsigned code;
	int rc;

	if (!wk_pair_id_take(&pk->id, iq))
		return false;
	(void)event_del(pk->timer);
	code = wa_iq_error_code(iq, &text);
	if (code != 0) {
		refused(pk, code, text);
		return true;
	}
	rc = go_on(pk, iq);
	if (rc < 0)
		fail_self(pk, rc);
	return true;
}

void wk_passkey_continuation(struct wk_passkey *pk, const struct wa_node *n)
{
	int rc;

	if ((pk->wait != WAIT_PROLOGUE && pk->wait != WAIT_PHONE) || pk->continued)
		return;
	rc = wa_passkey_continue(&pk->step, n);
	if (rc < 0) {
		LOG(pk->p.log, LOG_WARNING, "passkey_continuation_refused", LF_ERR("err", rc));
		return;
	}
	pk->continued = true;
	rc = pk->wait == WAIT_PHONE ? send_nonce(pk) : 0;
	if (rc < 0)
		fail_self(pk, rc);
}

/* ---- the user ---------------------------------------------------------------------------- */

int wk_passkey_answer(struct wk_passkey *pk, const char *credential)
{
	const char *why = NULL;
	int rc;

	if (pk->wait != WAIT_USER)
		return WA_ESTATE;
	rc = wk_credential_read(credential, &pk->credential, &why);
	if (rc == WA_EPROTO || rc == WA_ELIMIT) {
		LOG(pk->p.log, LOG_NOTICE, "passkey_refused", LF_STR("why", why));
		tell(pk);
		return 0;
	}
	if (rc == 0)
		rc = ask_ref(pk);
	if (rc < 0)
		fail_self(pk, rc);
	return 0;
}

int wk_passkey_confirm(struct wk_passkey *pk)
{
	int rc;

	if (pk->wait != WAIT_CONFIRM)
		return WA_ESTATE;
	rc = send_request(pk);
	if (rc < 0)
		fail_self(pk, rc);
	return 0;
}

void wk_passkey_look(const struct wk_passkey *pk, struct wk_passkey_view *out)
{
	uint64_t now = clock_ms();

	memset(out, 0, sizeof(*out));
	out->valid_ms = now < pk->until_ms ? (uint32_t)(pk->until_ms - now) : 0;
	if (pk->wait == WAIT_USER) {
		out->stage = WK_PASSKEY_REQUIRED;
		out->options = pk->options;
	} else if (pk->wait == WAIT_CONFIRM) {
		out->stage = WK_PASSKEY_CONFIRM;
		out->code = pk->code;
	} else if (pk->wait == WAIT_SUCCESS) {
		out->stage = WK_PASSKEY_DONE;
	}
}

/* ---- begin and end ----------------------------------------------------------------------- */

/* The new secret is there before the request is acknowledged. */
static int begin(struct wk_passkey *pk, const struct wa_node *request)
{
	struct wa_node *ack;
	int rc = wa_passkey_begin(&pk->step, pk->p.dev);

	if (rc < 0)
		return rc;
	ack = wa_notification_ack(request);
	rc = ack == NULL ? -ENOMEM : pk->p.ops->send(ack, pk->p.arg);
	wa_node_free(ack);
	if (rc < 0)
		return rc;
	pk->begin_ms = clock_ms();
	pk->until_ms = pk->begin_ms + scaled(pk, WK_PASSKEY_MS);
	return wk_timer_set(pk->limit, scaled(pk, WK_PASSKEY_MS));
}

int wk_passkey_new(const struct wk_passkey_params *params, const struct wa_node *request,
                   struct wk_passkey **pk_out)
{
	struct wk_passkey *pk = secret_alloc(sizeof(*pk));
	int rc = -ENOMEM;

	if (pk == NULL)
		return -ENOMEM;
	pk->p = *params;
	pk->id.tag = params->tag;
	pk->timer = evtimer_new(params->base, on_timer, pk);
	pk->limit = evtimer_new(params->base, on_limit, pk);
	if (pk->timer == NULL || pk->limit == NULL)
		goto fail;
	rc = begin(pk, request);
	if (rc < 0)
		goto fail;
	*pk_out = pk; /* on_stage looks at it */
	rc = take_options(pk, request);
	if (rc == -ENOENT)
		rc = ask_options(pk);
	if (rc == 0)
		return 0;
	*pk_out = NULL;
fail:
	wk_passkey_free(pk);
	return rc;
}

void wk_passkey_free(struct wk_passkey *pk)
{
	if (pk == NULL)
		return;
	if (pk->timer != NULL)
		event_free(pk->timer);
	if (pk->limit != NULL)
		event_free(pk->limit);
	wa_passkey_wipe(&pk->step);
	wk_credential_clear(&pk->credential);
	free(pk->options);
	secret_free(pk);
}
