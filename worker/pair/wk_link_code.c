/* worker/pair/wk_link_code.c - the pairing code, from companion_hello to companion_finish */
#include "worker/pair/wk_link_code.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/pair/wk_pair_id.h"
#include "worker/session/wk_timer.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_stanza.h"

#define ANSWER_MS 20000 /* an IQ's */
#define FINISH_MS 60000 /* from companion_finish to pair-success: the phone asks its server */

struct wk_link_code {
	struct wk_link_code_params p;
	struct wa_link_code code;
	struct wk_pair_id id;
	struct event *timer; /* the request's answer, or else the code's end */
	uint64_t until_ms;   /* the code shown runs out; 0: none is shown */
	uint64_t finish_ms;  /* companion_finish was sent; 0: not for this code */
	bool started, paused;
};

static uint32_t scaled(const struct wk_link_code *lc, uint32_t ms)
{
	return lc->p.speed > 1 ? ms / lc->p.speed : ms;
}

static void fail(struct wk_link_code *lc, const struct wk_failure *f)
{
	lc->id.waiting[0] = '\0';
	lc->until_ms = 0;
	(void)event_del(lc->timer);
	lc->p.ops->on_failed(f, lc->p.arg);
}

static void fail_self(struct wk_link_code *lc, int rc)
{
	struct wk_failure f;

	wk_failure_set(&f, rc, "the pairing code could not be made: %s", wa_err_name(rc));
	fail(lc, &f);
}

static void time_is_up(struct wk_link_code *lc)
{
	struct wk_failure f;

	if (lc->id.waiting[0] != '\0')
		wk_failure_set(&f, WA_ETIMEOUT,
		               "WhatsApp did not answer the request for a pairing "
		               "code in time");
	else
		wk_failure_set(&f, WA_ECODE_TIMEOUT,
		               "the pairing code ran out before the link was complete");
	fail(lc, &f);
}

/* A phone that has typed the code in time gets the time it needs. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_link_code *lc = arg;
	uint32_t grace_ms = wk_link_code_grace_ms(lc);

	(void)fd;
	(void)what;
	if (lc->id.waiting[0] != '\0' || grace_ms == 0 || wk_timer_set(lc->timer, grace_ms) < 0)
		time_is_up(lc);
}

int wk_link_code_new(const struct wk_link_code_params *params, struct wk_link_code **lc_out)
{
	struct wk_link_code *lc = secret_alloc(sizeof(*lc));
	int rc;

	if (lc == NULL)
		return -ENOMEM;
	lc->p = *params;
	lc->id.tag = params->tag;
	lc->timer = evtimer_new(params->base, on_timer, lc);
	rc = lc->timer == NULL ? -ENOMEM : wa_link_code_new(&lc->code);
	if (rc < 0) {
		wk_link_code_free(lc);
		return rc;
	}
	*lc_out = lc;
	return 0;
}

void wk_link_code_free(struct wk_link_code *lc)
{
	if (lc == NULL)
		return;
	if (lc->timer != NULL)
		event_free(lc->timer);
	wa_link_code_wipe(&lc->code);
	secret_free(lc);
}

/* Send a request that was built for this, and wait for its answer. */
static int ask(struct wk_link_code *lc, struct wa_node *n)
{
	int rc = n == NULL ? -ENOMEM : lc->p.ops->send(n, lc->p.arg);

	wa_node_free(n);
	return rc < 0 ? rc : wk_timer_set(lc->timer, scaled(lc, ANSWER_MS));
}

static int say_hello(struct wk_link_code *lc)
{
	return ask(
	    lc, wa_link_code_hello(&lc->code, lc->p.dev, wk_pair_id_next(&lc->id), lc->p.number));
}

void wk_link_code_start(struct wk_link_code *lc)
{
	int rc;

	if (lc->started)
		return;
	lc->started = true;
	rc = say_hello(lc);
	if (rc < 0)
		fail_self(lc, rc);
}

/* ---- answers ----------------------------------------------------------------------------- */

static void refused(struct wk_link_code *lc, unsigned code, const char *text)
{
	struct wk_failure f;

	if (text == NULL)
		text = "";
	if (code == 429)
		wk_failure_set(&f, WA_ETHROTTLED,
		               "WhatsApp gives no more pairing codes for this number for now; "
		               "try again in an hour or later");
	else if (code == 400)
		wk_failure_set(&f, WA_EPAIRING_REFUSED,
		               "WhatsApp refused the request for a pairing code (400 %s): the "
		               "number is wrong or throttled, or the display name is not accepted",
		               text);
	else
		wk_failure_set(&f, WA_EPAIRING_REFUSED,
		               "WhatsApp refused the request for a pairing code (%u %s)", code,
		               text);
	f.reason = code;
	fail(lc, &f);
}

/* The code lives as long as the refs, and not longer than the phone takes it. */
static void on_ref(struct wk_link_code *lc, const struct wa_node *result)
{
	uint32_t left_ms = lc->p.ops->left_ms(lc->p.arg);
	uint32_t valid_ms = scaled(lc, WA_LINK_CODE_VALID_MS);
	struct wk_failure f;
	int rc = wa_link_code_take_ref(&lc->code, result);

	if (rc < 0) {
		wk_failure_set(&f, WA_EPROTO,
		               "the answer to the request for a pairing code is "
		               "malformed");
		fail(lc, &f);
		return;
	}
	if (left_ms < valid_ms)
		valid_ms = left_ms;
	lc->until_ms = clock_ms() + valid_ms;
	rc = wk_timer_set(lc->timer, valid_ms);
	if (rc < 0)
		fail_self(lc, rc);
	else
		lc->p.ops->on_code(lc->p.arg);
}

/* companion_finish was taken: back to the clock of the code. */
static void on_finished(struct wk_link_code *lc)
{
	uint64_t now = clock_ms();
	int rc = wk_timer_set(lc->timer, lc->until_ms > now ? lc->until_ms - now : 0);

	if (rc < 0)
		fail_self(lc, rc);
}

bool wk_link_code_answer(struct wk_link_code *lc, const struct wa_node *iq)
{
	const char *text = NULL;
	unsigned code;

	if (!wk_pair_id_take(&lc->id, iq))
		return false;
	(void)event_del(lc->timer);
	code = wa_iq_error_code(iq, &text);
	if (code != 0)
		refused(lc, code, text);
	else if (lc->paused)
		return true;
	else if (lc->until_ms == 0)
		on_ref(lc, iq);
	else
		on_finished(lc);
	return true;
}

/* ---- the phone --------------------------------------------------------------------------- */

static bool is_ours(const struct wk_link_code *lc, const struct wa_link_notice *notice)
{
	return lc->until_ms != 0 && notice->ref_len == lc->code.ref_len &&
	       memcmp(notice->ref, lc->code.ref, notice->ref_len) == 0;
}

/* Late, too many, or garbage: the phone notices and says so; nothing here is worth an end. */
static void on_primary_hello(struct wk_link_code *lc, const struct wa_link_notice *notice)
{
	struct wa_node *finish = NULL;
	int rc;

	if (clock_ms() >= lc->until_ms)
		return;
	rc = wa_link_code_finish(&lc->code, lc->p.dev, notice, wk_pair_id_next(&lc->id),
	                         lc->p.number, &finish);
	if (rc == 0) {
		lc->finish_ms = clock_ms();
		rc = ask(lc, finish);
	} else {
		lc->id.waiting[0] = '\0';
	}
	if (rc < 0 && rc != WA_ESTATE && rc != WA_ELIMIT && rc != WA_EAUTH)
		fail_self(lc, rc);
}

/* The code on the screen is dead; another one at once. */
static void on_refresh(struct wk_link_code *lc)
{
	int rc;

	lc->until_ms = 0;
	lc->finish_ms = 0;
	wa_link_code_wipe(&lc->code);
	rc = wa_device_rotate_adv(lc->p.dev);
	if (rc == 0)
		rc = wa_link_code_new(&lc->code);
	if (rc == 0)
		rc = say_hello(lc);
	if (rc < 0)
		fail_self(lc, rc);
}

static void on_manual_refresh(struct wk_link_code *lc)
{
	struct wk_failure f;

	wk_failure_set(&f, WA_ECODE_TIMEOUT,
	               "WhatsApp has withdrawn the pairing code; ask for a new one");
	fail(lc, &f);
}

void wk_link_code_notice(struct wk_link_code *lc, const struct wa_node *n)
{
	struct wa_link_notice notice;

	if (lc->paused || wa_link_code_notice(n, &notice) < 0 || !is_ours(lc, &notice))
		return;
	switch (notice.stage) {
	case WA_LINK_PRIMARY_HELLO:
		on_primary_hello(lc, &notice);
		break;
	case WA_LINK_REFRESH:
		on_refresh(lc);
		break;
	case WA_LINK_REFRESH_MANUAL:
		on_manual_refresh(lc);
		break;
	case WA_LINK_OTHER:
		break;
	}
}

/* ---- questions --------------------------------------------------------------------------- */

void wk_link_code_pause(struct wk_link_code *lc)
{
	lc->paused = true;
	(void)event_del(lc->timer);
}

int wk_link_code_shown(const struct wk_link_code *lc, char out[WA_LINK_CODE_SHOWN_CAP],
                       uint32_t *valid_ms_out)
{
	uint64_t now = clock_ms();

	if (lc->until_ms <= now)
		return WA_ESTATE;
	wa_link_code_shown(&lc->code, out);
	*valid_ms_out = (uint32_t)(lc->until_ms - now);
	return 0;
}

uint32_t wk_link_code_grace_ms(const struct wk_link_code *lc)
{
	uint64_t end_ms = lc->finish_ms + scaled(lc, FINISH_MS);
	uint64_t now = clock_ms();

	return lc->finish_ms != 0 && now < end_ms ? (uint32_t)(end_ms - now) : 0;
}
