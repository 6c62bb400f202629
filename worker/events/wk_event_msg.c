/* worker/events/wk_event_msg.c - a message as the data of a message.exchange event */
#include "worker/events/wk_event_msg.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_event_priv.h"

#define STUB_REVOKE 1

/* What usual messages stay below; then, for one that does not, what can't add up to too much. */
#define TEXT_MAX (1024u * 1024)
#define LIST_MAX 4096
#define PICTURE_MAX (256u * 1024)
#define TEXT_MAX_CUT (16u * 1024)
#define LIST_MAX_CUT 16

/* ---- where it comes from ------------------------------------------------------------------------
 */

void wk_event_msg_of_source(struct wk_event_msg *m, const struct wa_source *s,
                            const struct wa_msg_view *view)
{
	*m = (struct wk_event_msg){
		.id = s->id,
		.kind = s->kind,
		.chat = s->chat,
		.chat_alt = s->chat_alt,
		.sender = s->sender,
		.sender_alt = s->sender_alt,
		.from_me = s->from_me,
		.is_status = s->is_status,
		.unix_s = s->unix_s > INT64_MAX ? 0 : (int64_t)s->unix_s,
		.push_name = s->push_name,
		.view = view,
	};
}

static enum wa_chat_kind kind_of(const struct wa_jid *chat)
{
	if (wk_jid_is(chat, "g.us"))
		return WA_CHAT_GROUP;
	if (wk_jid_is(chat, "newsletter"))
		return WA_CHAT_NEWSLETTER;
	return wk_jid_is(chat, "broadcast") ? WA_CHAT_BROADCAST : WA_CHAT_PRIVATE;
}

int wk_event_msg_of_row(struct wk_event_msg *m, const char *chat, const char *sender, bool from_me,
                        const char *id, int64_t unix_s, const struct wa_msg_view *view)
{
	struct wk_event_msg row = { .id = id, .from_me = from_me, .unix_s = unix_s, .view = view };
	int rc;

	rc = wk_jid_user_of(chat, &row.chat);
	if (rc < 0)
		return rc;
	row.kind = kind_of(&row.chat);
	row.is_status = row.kind == WA_CHAT_BROADCAST && strcmp(row.chat.user, "status") == 0;
	if (wk_jid_user_of(sender, &row.sender) < 0 && !from_me && row.kind == WA_CHAT_PRIVATE)
		row.sender = row.chat;
	*m = row;
	return 0;
}

int wk_event_msg_of_info(struct wk_event_msg *m, const char *chat,
                         const struct Wa__WebMessageInfo *info, const struct wa_msg_view *view,
                         const struct wa_own_users *own)
{
	const Wa__MessageKey *key = info->key;
	struct wk_event_msg row;
	const char *sender;
	int rc;

	if (key == NULL || key->id == NULL || key->id[0] == '\0')
		return WA_EPROTO;
	sender = key->participant != NULL ? key->participant : info->participant;
	rc = wk_event_msg_of_row(&row, chat, sender, key->has_from_me && key->from_me, key->id, 0,
	                         view);
	if (rc < 0)
		return rc;
	/* who wrote it counts, should the flag say otherwise */
	if (row.kind != WA_CHAT_PRIVATE && wa_jid_is_own(&row.sender, own))
		row.from_me = true;
	if (info->has_message_timestamp && info->message_timestamp <= INT64_MAX)
		row.unix_s = (int64_t)info->message_timestamp;
	if (info->push_name != NULL && info->push_name[0] != '\0' &&
	    strcmp(info->push_name, "-") != 0)
		row.push_name = info->push_name;
	row.info = info;
	row.from_history = true;
	*m = row;
	return 0;
}

bool wk_event_msg_shows(const struct wk_event_msg *m, const struct wk_settings *settings)
{
	if (settings != NULL && settings->ignore_group_messages && m->kind == WA_CHAT_GROUP)
		return false;
	if (settings != NULL && settings->ignore_status && m->is_status)
		return false;
	if (m->view == NULL) /* of history: nothing but a stub */
		return m->info == NULL || (m->info->has_message_stub_type &&
		                           m->info->message_stub_type == STUB_REVOKE);
	return m->view->type != WA_MSG_NONE && m->view->type != WA_MSG_PROTOCOL;
}

/* ---- the object ---------------------------------------------------------------------------------
 */

/* Of a private chat where nobody said: the partner, or we. */
static struct wa_jid sender_of(const struct wk_event_w *w, const struct wk_event_msg *m)
{
	const struct wa_own_users *own = &w->look->own;
	struct wa_jid jid = m->sender;
	const char *user = own->pn[0] != '\0' ? own->pn : own->lid;

	if (wk_jid_is_set(&jid) || !m->from_me || user[0] == '\0')
		return jid;
	memcpy(jid.user, user, strlen(user) + 1);
	snprintf(jid.server, sizeof(jid.server), "%s",
	         user == own->pn ? WK_SERVER_PN : WK_SERVER_LID);
	return jid;
}

/* A broadcast list of somebody else's is no chat here: its messages are that person's. */
static bool is_foreign_list(const struct wk_event_msg *m)
{
	return m->kind == WA_CHAT_BROADCAST && !m->is_status && !m->from_me;
}

static const char *const delivery_names[] = { "error",     "pending", "sent",
	                                      "delivered", "read",    "played" };

static void put_delivery(struct wk_event_w *w, const struct wk_event_msg *m)
{
	const Wa__WebMessageInfo *info = m->info;

	if (info == NULL)
		return;
	if (m->from_me && info->has_status && info->status >= 0 &&
	    (size_t)info->status < ARRAY_LEN(delivery_names))
		jout_str(&w->j, "status", delivery_names[info->status]);
	jout_flag(&w->j, "starred", info->has_starred && info->starred);
}

static void put_data(struct wk_event_w *w, const struct wk_event_msg *m)
{
	const struct wa_jid sender = sender_of(w, m);
	bool list = is_foreign_list(m);

	jout_obj(&w->j, NULL);
	wk_event_text(w, "id", m->id);
	jout_str(&w->j, "direction", m->from_me ? "outgoing" : "incoming");
	jout_time(&w->j, "timestamp",
	          m->unix_s > 0 && m->unix_s < INT64_MAX / 1000 ? m->unix_s * 1000 : 0);
	if (list)
		wk_event_chat(w, "chat", &m->sender, &m->sender_alt, m->push_name);
	else
		wk_event_chat(w, "chat", &m->chat, &m->chat_alt,
		              m->kind == WA_CHAT_PRIVATE && !m->from_me ? m->push_name : NULL);
	wk_event_who(w, "sender", &sender, &m->sender_alt, m->push_name);
	wk_event_content(w, m);
	jout_flag(&w->j, "broadcast", list);
	put_delivery(w, m);
	jout_bool(&w->j, "fromHistory", m->from_history);
	jout_obj_end(&w->j);
}

int wk_event_message(const struct wk_event_msg *m, const struct wk_event_lookup *look,
                     struct wa_pool *pool, struct buf *out)
{
	static const struct wk_event_lookup nothing;
	struct wk_event_w w = {
		.j = json_out(out),
		.look = look == NULL ? &nothing : look,
		.pool = pool,
		.text_max = TEXT_MAX,
		.list_max = LIST_MAX,
		.picture_max = PICTURE_MAX,
	};
	size_t from = out->len;

	put_data(&w, m);
	if (w.j.err == 0 && out->len - from > WK_EVENT_DATA_MAX) {
		out->len = from;
		w.j = json_out(out);
		w.text_max = TEXT_MAX_CUT;
		w.list_max = LIST_MAX_CUT;
		w.picture_max = 0;
		w.cut = true;
		put_data(&w, m);
	}
	if (w.j.err != 0)
		out->len = from;
	return w.j.err;
}
