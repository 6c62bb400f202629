/* worker/online/wk_online_send.c - what we send: texts, and sessions that are begun for them */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/events/wk_emit.h"
#include "worker/online/wk_online_priv.h"
#include "worker/receive/wk_recv.h"
#include "worker/send/wk_send.h"
#include "worker/send/wk_sessions.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_history.h"

/* ---- what sending asks of the session ----------------------------------------------------------
 */

static void on_ask_sessions(void *arg)
{
	struct wk_online *o = arg;

	if (o->phase == WK_PHASE_ONLINE)
		wk_online_ask(o, WK_REQ_SESSIONS);
}

static void on_ask_devices(void *arg)
{
	wk_online_ask(arg, WK_REQ_SEND_TO);
}

static void on_give(void *arg)
{
	wk_online_ask(arg, WK_REQ_TOKEN);
}

static int on_message(const struct wk_event_msg *m, void *arg)
{
	struct wk_online *o = arg;

	return wk_emit_message(o->emit, m);
}

static void on_enter(void *arg)
{
	wk_online_enter(arg);
}

static void on_leave(void *arg)
{
	wk_online_leave(arg);
}

int wk_online_send_init(struct wk_online *o)
{
	const struct wk_sessions_params sessions = {
		.batch = o->batch,
		.signal = wk_recv_signal(o->recv),
		.log = o->p.log,
		.on_ask = on_ask_sessions,
		.arg = o,
	};
	struct wk_send_params send = {
		.base = o->p.base,
		.store = o->p.store,
		.batch = o->batch,
		.signal = wk_recv_signal(o->recv),
		.creds = o->p.creds,
		.log = o->p.log,
		.speed = o->p.speed,
		.on_ask = on_ask_devices,
		.on_give = on_give,
		.on_message = on_message,
		.enter = on_enter,
		.leave = on_leave,
		.arg = o,
	};
	int rc = wk_sessions_new(&sessions, &o->sessions);

	send.sessions = o->sessions;
	return rc < 0 ? rc : wk_send_new(&send, &o->send);
}

/* In a batch: the request leaves by itself, what needs the session waits for its answer. */
int wk_online_want_phone(void *online)
{
	struct wk_online *o = online;
	const char *text = o->p.creds->lid[0] != '\0' ? o->p.creds->lid : o->p.creds->jid;
	struct wa_jid phone;
	int rc = wa_jid_parse(text, strlen(text), &phone);

	phone.device = 0;
	if (rc == 0)
		rc = wk_sessions_want(o->sessions, &phone);
	if (rc < 0)
		return rc;
	wk_online_enter(o);
	wk_sessions_ask(o->sessions);
	wk_online_leave(o);
	return 0;
}

int wk_online_on_declined(const struct wa_jid *caller, const struct wa_jid *alt, void *online)
{
	struct wk_online *o = online;
	const char *text = o->p.settings->call_reject_message;

	return text[0] == '\0' ? 0 : wk_send_text(o->send, caller, alt, text);
}

/* ---- answers -----------------------------------------------------------------------------------
 */

void wk_online_on_send_to(struct wk_online *o, const struct wk_answer *a)
{
	if (!a->again)
		wk_send_devices(o->send, a->result);
}

void wk_online_on_token(struct wk_online *o, const struct wk_answer *a)
{
	wk_send_token_given(o->send, a->result);
}

/* More may be wanted by now: who waits is told when all of it has been answered. */
void wk_online_on_sessions(struct wk_online *o, const struct wk_answer *a)
{
	if (a->again)
		return;
	wk_sessions_answer(o->sessions, a->result);
	if (wk_online_is_over(o))
		return;
	if (wk_sessions_is_due(o->sessions)) {
		wk_online_ask(o, WK_REQ_SESSIONS);
		return;
	}
	wk_recv_sessions(o->recv);
	if (!wk_online_is_over(o))
		wk_send_sessions(o->send);
}

/* WhatsApp has our word that history is stored: it need not be said at the next login. */
static void history_told(struct wk_online *o, const char *message_id)
{
	if (message_id == NULL || wk_batch_enter(o->batch) < 0)
		return;
	wk_batch_leave(o->batch, wk_store_history_told_drop(o->p.store, message_id));
}

void wk_online_on_ack(struct wk_online *o, const struct wa_node *n)
{
	if (wa_node_attr_is(n, "class", "receipt") && wa_node_attr_is(n, "type", "hist_sync")) {
		history_told(o, wa_node_attr(n, "id"));
		return;
	}
	if (wa_node_attr(n, "error") == NULL)
		wk_appstate_has_left(o->appstate, wa_node_attr(n, "id"));
	if (!wk_online_is_over(o))
		wk_send_ack(o->send, n);
}
