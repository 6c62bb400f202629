/* gateway/instance/gw_instance_watch.c - an instance's live code and passkey step, and who waits for what */
#include "gateway/instance/gw_instance_act.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"

#define CODE_MIN_LEFT_MS 2000 /* a code with less than this left is not handed out */

/* ---- the live code ---------------------------------------------------------- */

void gw_instance_code_clear(struct gw_instance *inst)
{
	if (inst->code.png_data_url != NULL)
		secret_wipe(inst->code.png_data_url, strlen(inst->code.png_data_url));
	free(inst->code.png_data_url);
	explicit_bzero(&inst->code, sizeof(inst->code));
}

struct gw_code *gw_instance_code(struct gw_instance *inst)
{
	if (inst->code.text[0] == '\0' || clock_ms() + CODE_MIN_LEFT_MS > inst->code.expires_at_ms)
		return NULL;
	return &inst->code;
}

/* ---- the passkey step ------------------------------------------------------- */

static const char *const passkey_names[] = {
	[GW_PASSKEY_NONE] = "none",
	[GW_PASSKEY_REQUIRED] = "required",
	[GW_PASSKEY_CONFIRM] = "confirm",
	[GW_PASSKEY_DONE] = "done",
};

const char *gw_passkey_status_name(enum gw_passkey_status st)
{
	return passkey_names[st];
}

void gw_instance_passkey_clear(struct gw_instance *inst)
{
	json_decref(inst->passkey.public_key);
	inst->passkey = (struct gw_passkey){ .status = GW_PASSKEY_NONE };
}

const struct gw_passkey *gw_instance_passkey(const struct gw_instance *inst)
{
	return &inst->passkey;
}

/* ---- watches ---------------------------------------------------------------- */

void gw_watch_put(struct gw_watch *w, struct gw_watch_list *list)
{
	w->list = list;
	TAILQ_INSERT_TAIL(list, w, link);
}

static void watch_take(struct gw_watch *w)
{
	TAILQ_REMOVE(w->list, w, link);
	w->list = NULL;
}

void gw_watch_cancel(struct gw_watch *w)
{
	if (w == NULL)
		return;
	watch_take(w);
	free(w);
}

/* Callbacks come from the loop, so that none runs inside the call that causes it. */
void gw_instance_notify(struct gw_instance *inst)
{
	event_active(inst->ev_notify, EV_TIMEOUT, 0);
}

static enum gw_watch_event last_event(const struct gw_reason *reason)
{
	if (reason->rc == 0)
		return GW_WATCH_CONNECTED;
	return reason->rc == WA_ECODE_TIMEOUT ? GW_WATCH_TIMEOUT : GW_WATCH_FAILED;
}

static void tell_logouts(struct gw_instance *inst)
{
	struct gw_logout *l;

	while ((l = TAILQ_FIRST(&inst->logouts_ended)) != NULL) {
		TAILQ_REMOVE(&inst->logouts_ended, l, link);
		if (l->cb != NULL)
			l->cb(inst, l->reason.rc != 0 ? &l->reason : NULL, l->arg);
		free(l);
	}
}

void gw_instance_tell_ended(struct gw_instance *inst)
{
	struct gw_watch *w;

	while ((w = TAILQ_FIRST(&inst->ended)) != NULL) {
		enum gw_watch_event ev = last_event(&w->reason);

		watch_take(w);
		w->cb(inst, ev, ev != GW_WATCH_CONNECTED ? &w->reason : NULL, w->arg);
		free(w);
	}
	tell_logouts(inst);
}

/* What this watch has not heard yet; one thing at a time. False: nothing. */
static bool news(struct gw_instance *inst, struct gw_watch *w, enum gw_watch_event *ev_out)
{
	bool open = inst->passkey.status == GW_PASSKEY_REQUIRED ||
	            inst->passkey.status == GW_PASSKEY_CONFIRM;
	bool resuming = inst->state == GW_RESUMING || inst->state == GW_WAITING;

	if (inst->state == GW_CODE && gw_instance_code(inst) != NULL &&
	    w->seen_code != inst->code_seq) {
		w->seen_code = inst->code_seq;
		*ev_out = GW_WATCH_CODE;
	} else if (inst->state == GW_PASSKEY && open && w->seen_passkey != inst->passkey_seq) {
		w->seen_passkey = inst->passkey_seq;
		*ev_out = GW_WATCH_PASSKEY;
	} else if (resuming && !w->seen_connecting) {
		w->seen_connecting = true;
		*ev_out = GW_WATCH_CONNECTING;
	} else {
		return false;
	}
	return true;
}

/* A callback may cancel any watch, add some, or end the attempt: take each from the list's head. */
static void tell_news(struct gw_instance *inst)
{
	enum gw_watch_event ev;
	struct gw_watch *w;
	size_t n = 0;

	for (w = TAILQ_FIRST(&inst->watches); w != NULL; w = TAILQ_NEXT(w, link))
		n++;
	while (n-- > 0 && (w = TAILQ_FIRST(&inst->watches)) != NULL) {
		watch_take(w);
		gw_watch_put(w, &inst->watches);
		if (news(inst, w, &ev))
			w->cb(inst, ev, NULL, w->arg);
	}
}

void gw_instance_on_notify(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	gw_instance_tell_ended(arg);
	tell_news(arg);
}

static void watch_end(struct gw_watch *w, const struct gw_reason *reason)
{
	const struct gw_reason none = { 0 };

	watch_take(w);
	w->reason = reason != NULL ? *reason : none;
	gw_watch_put(w, &w->inst->ended);
}

/* Who came too late for the last code has not had its chance: a pairing of its own follows. */
static bool deserves_another(const struct gw_instance *inst, const struct gw_watch *w,
                             const struct gw_reason *reason)
{
	return reason != NULL && reason->rc == WA_ECODE_TIMEOUT && inst->attempt.codes_n > 0 &&
	       w->seen_code == 0 && w->seen_passkey == 0;
}

void gw_instance_watches_end(struct gw_instance *inst, const struct gw_reason *reason)
{
	struct gw_watch *w, *next;

	for (w = TAILQ_FIRST(&inst->watches); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!deserves_another(inst, w, reason))
			watch_end(w, reason);
	}
	gw_instance_notify(inst);
}

void gw_instance_watches_end_others(struct gw_instance *inst, const struct gw_reason *reason)
{
	struct gw_watch *w, *next;

	for (w = TAILQ_FIRST(&inst->watches); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!gw_inst_same_pairing(inst, w->number, w->history_days))
			watch_end(w, reason);
	}
	gw_instance_notify(inst);
}

/* ---- logouts ---------------------------------------------------------------- */

void gw_instance_logouts_end(struct gw_instance *inst, const struct gw_reason *reason)
{
	const struct gw_reason none = { 0 };
	struct gw_logout *l;

	while ((l = TAILQ_FIRST(&inst->logouts)) != NULL) {
		TAILQ_REMOVE(&inst->logouts, l, link);
		l->reason = reason != NULL ? *reason : none;
		TAILQ_INSERT_TAIL(&inst->logouts_ended, l, link);
	}
	gw_instance_notify(inst);
}

void gw_logout_forget(struct gw_logout *l)
{
	l->cb = NULL; /* it goes on, and is freed when it is over */
}
