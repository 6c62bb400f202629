/* worker/events/wk_emit_label.c - labels as label.update events */
#include "proto/ipc.pb-c.h"
#include "worker/events/wk_emit_priv.h"
#include "worker/store/wk_store_outbox.h"

int wk_emit_label(struct wk_emit *e, const struct wk_emit_label *l)
{
	struct wk_event_w w;
	bool itself = !wk_jid_is_set(&l->chat);

	(void)wk_emit_lookup(e);
	w = wk_emit_begin(e);
	jout_obj(&w.j, NULL);
	wk_event_text(&w, "labelId", l->label);
	wk_event_text_set(&w, "name", l->name);
	wk_event_chat(&w, "chat", &l->chat, NULL, NULL);
	wk_event_text_set(&w, "messageId", l->message_id);
	jout_bool(&w.j, "added", l->added);
	if (itself && l->has_color)
		jout_int(&w.j, "color", l->color);
	wk_emit_time(&w, "timestamp", l->unix_ms > 0 ? (uint64_t)l->unix_ms / 1000 : 0);
	jout_flag(&w.j, "fromHistory", l->first);
	jout_obj_end(&w.j);
	return w.j.err != 0 ? w.j.err
	                    : wk_emit_add(e, IPC__EVENT__KIND__LABEL_UPDATE,
	                                  l->first ? WK_EVENT_FROM_HISTORY : 0);
}
