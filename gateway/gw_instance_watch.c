/* gateway/gw_instance_watch.c - an instance's live code, and who waits for it */
#include "gateway/gw_instance.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "gateway/gw_instance_priv.h"

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

void gw_instance_tell_ended(struct gw_instance *inst)
{
	struct gw_watch *w;

	while ((w = TAILQ_FIRST(&inst->ended)) != NULL) {
		enum gw_watch_event ev =
		    w->reason.rc == WA_ECODE_TIMEOUT ? GW_WATCH_TIMEOUT : GW_WATCH_FAILED;

		watch_take(w);
		w->cb(inst, ev, &w->reason, w->arg);
		free(w);
	}
}

/* A callback may cancel any watch, add some, or end the attempt: take each from the list's head. */
static void tell_code(struct gw_instance *inst)
{
	size_t n = 0;
	struct gw_watch *w;

	for (w = TAILQ_FIRST(&inst->watches); w != NULL; w = TAILQ_NEXT(w, link))
		n++;
	while (n-- > 0 && gw_instance_code(inst) != NULL &&
	       (w = TAILQ_FIRST(&inst->watches)) != NULL) {
		watch_take(w);
		gw_watch_put(w, &inst->watches);
		if (w->seen_seq == inst->code_seq)
			continue;
		w->seen_seq = inst->code_seq;
		w->cb(inst, GW_WATCH_QR, NULL, w->arg);
	}
}

void gw_instance_on_notify(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	gw_instance_tell_ended(arg);
	tell_code(arg);
}

/* Who came too late for the last code has not had its chance: an attempt of its own follows. */
static bool deserves_another(const struct gw_instance *inst, const struct gw_watch *w, int rc)
{
	return rc == WA_ECODE_TIMEOUT && inst->attempt.codes_n > 0 && w->seen_seq == 0;
}

void gw_instance_watches_end(struct gw_instance *inst, const struct gw_reason *reason)
{
	struct gw_watch *w, *next;

	for (w = TAILQ_FIRST(&inst->watches); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (deserves_another(inst, w, reason->rc))
			continue;
		watch_take(w);
		w->reason = *reason;
		gw_watch_put(w, &inst->ended);
	}
	gw_instance_notify(inst);
}
