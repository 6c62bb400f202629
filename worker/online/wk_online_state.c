/*
 * worker/online/wk_online_state.c - what the account's devices share: app state, privacy, names of
 * groups
 */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/events/wk_emit.h"
#include "worker/online/wk_online_priv.h"
#include "worker/receive/wk_recv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store.h"
#include "worker/wa/stanza/wa_stanza.h"

/* ---- what app state asks of the session ---------------------------------------------------------
 */

static void on_ask(void *arg)
{
	struct wk_online *o = arg;

	wk_online_enter(o);
	wk_online_ask(o, WK_REQ_APPSTATE);
	wk_online_leave(o);
}

_Static_assert(WK_MSG_ID_CAP <= WK_APPSTATE_ASK_ID_CAP, "an id of ours can be kept");

static int on_send_phone(const void *message, size_t message_len, const char *priority,
                         char *id_out, void *arg)
{
	struct wk_online *o = arg;

	return wk_recv_send_phone(o->recv, message, message_len, priority, id_out);
}

/* Within the batch: whoever is to hear of it hears when it is on disk. */
static int on_push_name(const char *name, void *arg)
{
	struct wk_online *o = arg;
	char before[WK_NAME_CAP];
	int rc;

	if (strcmp(o->p.creds->push_name, name) == 0)
		return 0;
	memcpy(before, o->p.creds->push_name, sizeof(before));
	wk_creds_set_text(o->p.creds->push_name, sizeof(o->p.creds->push_name), name);
	rc = wk_store_update(o->p.store, o->p.creds);
	if (rc < 0)
		memcpy(o->p.creds->push_name, before, sizeof(before));
	else
		o->name_changed = true;
	return rc;
}

static void on_failed(int rc, void *arg)
{
	wk_online_fail(arg, rc, "app state can't be kept");
}

/* ---- what comes of our own devices --------------------------------------------------------------
 */

static int on_keys(void *arg, const struct wk_recv_own *own)
{
	struct wk_online *o = arg;

	return wk_appstate_keys(o->appstate, own->protocol);
}

static int on_whole(void *arg, const struct wk_recv_own *own)
{
	struct wk_online *o = arg;

	return wk_appstate_whole(o->appstate, own->protocol);
}

/* A device found the state corrupt; the phone may log all of us out because of it. */
static int on_fatal(void *arg, const struct wk_recv_own *own)
{
	struct wk_online *o = arg;

	(void)own;
	LOG(o->p.log, LOG_WARNING, "appstate_fatal_elsewhere");
	return 0;
}

int wk_online_state_init(struct wk_online *o)
{
	static const struct wk_appstate_ops ops = { on_ask, on_send_phone, on_push_name,
		                                    on_failed };
	const struct wk_appstate_params params = {
		.base = o->p.base,
		.store = o->p.store,
		.batch = o->batch,
		.emit = o->emit,
		.media = o->p.media,
		.log = o->p.log,
		.speed = o->p.speed,
		.ops = &ops,
		.arg = o,
	};
	int rc = wk_appstate_new(&params, &o->appstate);

	if (rc < 0)
		return rc;
	wk_recv_handle(o->recv, WK_OWN_KEY_SHARE, (struct wk_recv_handler){ on_keys, o });
	wk_recv_handle(o->recv, WK_OWN_APPSTATE, (struct wk_recv_handler){ on_whole, o });
	wk_recv_handle(o->recv, WK_OWN_FATAL, (struct wk_recv_handler){ on_fatal, o });
	return 0;
}

void wk_online_state_committed(struct wk_online *o)
{
	if (!o->name_changed || wk_online_is_over(o))
		return;
	o->name_changed = false;
	o->p.ops->on_profile(o->p.arg);
	wk_online_show(o);
}

/* ---- answers ------------------------------------------------------------------------------------
 */

void wk_online_on_appstate(struct wk_online *o, const struct wk_answer *a)
{
	wk_appstate_answer(o->appstate, a->result);
}

/* With read receipts off only our own devices are told of what was read. */
void wk_online_on_privacy(struct wk_online *o, const struct wk_answer *a)
{
	const struct wa_node *c = wa_node_child(wa_node_child(a->result, "privacy"), "category");

	for (; c != NULL; c = wa_node_next(c, "category")) {
		if (wa_node_attr_is(c, "name", "readreceipts"))
			wk_emit_read_receipts(o->emit, wa_node_attr_is(c, "value", "none"));
	}
}

void wk_online_on_groups(struct wk_online *o, const struct wk_answer *a)
{
	if (a->result == NULL || wk_batch_enter(o->batch) < 0)
		return;
	wk_batch_leave(o->batch, wk_emit_groups(o->emit, a->result));
}

/* A group was spoken of whose name we don't know: all of them are asked for, once a connection. */
void wk_online_name_groups(struct wk_online *o)
{
	if (wk_online_is_over(o) || o->phase != WK_PHASE_ONLINE || o->groups_named ||
	    !wk_emit_lacks_group(o->emit))
		return;
	o->groups_named = true;
	wk_online_ask(o, WK_REQ_GROUPS);
}
