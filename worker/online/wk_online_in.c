/* worker/online/wk_online_in.c - what comes in: the batch, the receive path, the outbox */
#include <errno.h>

#include "common/err.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/events/wk_emit.h"
#include "worker/events/wk_outbox.h"
#include "worker/online/wk_online_priv.h"
#include "worker/receive/wk_recv.h"
#include "worker/send/wk_send.h"
#include "worker/send/wk_sessions.h"
#include "worker/store/wk_batch.h"

static int on_send(const struct wa_node *n, void *arg)
{
	struct wk_online *o = arg;
	int rc = wk_online_is_over(o) ? WA_ESTATE : o->p.ops->send(n, o->p.arg);

	/* Answers are made of foreign words: some no node can carry. */
	if (rc == WA_EPROTO || rc == WA_ELIMIT) {
		o->counts.bad++;
		LOG(o->p.log, wk_online_level(o->counts.bad), "stanza_bad", LF_STR("tag", n->tag),
		    LF_INT("so_far", o->counts.bad));
	}
	return rc;
}

static int on_commit(void *arg)
{
	struct wk_online *o = arg;

	return o->p.outbox == NULL ? 0 : wk_outbox_in_batch(o->p.outbox);
}

static void on_committed(void *arg)
{
	struct wk_online *o = arg;

	wk_online_enter(o);
	if (o->p.outbox != NULL)
		wk_outbox_poke(o->p.outbox);
	if (o->p.outbox != NULL && !wk_online_is_over(o) && o->p.ops->on_full != NULL &&
	    wk_outbox_is_full(o->p.outbox))
		o->p.ops->on_full(o->p.arg);
	wk_online_state_committed(o);
	if (!wk_online_is_over(o))
		wk_send_committed(o->send);
	wk_online_leave(o);
}

static void on_failed(int rc, void *arg)
{
	wk_online_fail(arg, rc, "what came can't be kept");
}

static int on_message(const struct wk_event_msg *m, void *arg)
{
	struct wk_online *o = arg;

	return wk_emit_message(o->emit, m);
}

static bool is_shown(void *arg)
{
	const struct wk_online *o = arg;

	return o->shown == WK_SHOWN_HERE;
}

int wk_online_in_init(struct wk_online *o)
{
	static const struct wk_batch_ops ops = {
		.send = on_send,
		.on_commit = on_commit,
		.on_committed = on_committed,
		.on_failed = on_failed,
	};
	struct wk_emit_params emit = {
		.store = o->p.store,
		.creds = o->p.creds,
		.settings = o->p.settings,
		.log = o->p.log,
		.on_declined = wk_online_on_declined,
		.arg = o,
	};
	struct wk_recv_params recv = {
		.base = o->p.base,
		.store = o->p.store,
		.creds = o->p.creds,
		.settings = o->p.settings,
		.log = o->p.log,
		.speed = o->p.speed,
		.on_message = on_message,
		.is_shown = is_shown,
		.want_phone = wk_online_want_phone,
		.arg = o,
	};
	int rc = wk_batch_new(o->p.base, o->p.store, &ops, o, &o->batch);

	emit.batch = recv.batch = o->batch;
	if (rc == 0)
		rc = wk_emit_new(&emit, &o->emit);
	if (rc == 0)
		rc = wk_recv_new(&recv, &o->recv);
	if (rc == 0)
		rc = wk_online_send_init(o);
	return rc < 0 ? rc : wk_online_state_init(o);
}

void wk_online_in_clear(struct wk_online *o)
{
	wk_appstate_free(o->appstate);
	wk_send_free(o->send);
	wk_sessions_free(o->sessions);
	wk_recv_free(o->recv);
	wk_emit_free(o->emit);
	wk_batch_free(o->batch);
}

struct wk_batch *wk_online_batch(struct wk_online *o)
{
	return o->batch;
}

struct wk_emit *wk_online_emit(struct wk_online *o)
{
	return o->emit;
}

struct wk_recv *wk_online_recv(struct wk_online *o)
{
	return o->recv;
}
