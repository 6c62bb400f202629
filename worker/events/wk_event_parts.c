/* worker/events/wk_event_parts.c - the parts of an event's "message": what each kind of message shows */
#include <stdlib.h>
#include <string.h>

#include "proto/wa_msg.pb-c.h"
#include "worker/events/wk_event_priv.h"
#include "worker/wa/crypto/wa_keys.h"

#define VOTES_MAX 256 /* chosen options that are looked at; options compared with them */

/* ---- about another message ----------------------------------------------------------------------
 */

static void put_target(struct wk_event_w *w, const struct wk_event_msg *m,
                       const struct wa_msg_key *key)
{
	const struct wk_event_target t = wk_event_target_of(w, m, key);

	wk_event_text(w, "messageId", t.id == NULL ? "" : t.id);
	jout_bool(&w->j, "fromMe", t.from_me);
	wk_event_who(w, "sender", &t.author, &t.author_alt, NULL);
}

static void put_reaction(struct wk_event_w *w, const struct wk_event_msg *m,
                         const struct wk_event_opened *o)
{
	const struct wa_msg_view *v = &o->view;

	jout_obj(&w->j, "reaction");
	if (!o->sealed) {
		wk_event_text(w, "emoji", v->text);
		jout_bool(&w->j, "removed", v->text == NULL || v->text[0] == '\0');
	}
	put_target(w, m, &v->target);
	jout_flag(&w->j, "sealed", o->sealed);
	jout_obj_end(&w->j);
}

/* Names of the options whose hashes were chosen. */
static void put_chosen(struct wk_event_w *w, const struct wk_event_opened *o)
{
	size_t options_n = o->poll.options_n < VOTES_MAX ? o->poll.options_n : VOTES_MAX;
	size_t votes_n =
	    o->vote->n_selected_options < VOTES_MAX ? o->vote->n_selected_options : VOTES_MAX;

	jout_arr(&w->j, "selected");
	for (size_t i = 0; i < options_n; i++) {
		const char *option = wa_msg_option(&o->poll, i);
		uint8_t hash[32];

		if (wa_sha256(option, strlen(option), hash) < 0)
			break;
		for (size_t k = 0; k < votes_n; k++) {
			const ProtobufCBinaryData *vote = &o->vote->selected_options[k];

			if (vote->len == sizeof(hash) &&
			    memcmp(vote->data, hash, sizeof(hash)) == 0) {
				wk_event_text(w, NULL, option);
				break;
			}
		}
	}
	jout_arr_end(&w->j);
}

static void put_vote(struct wk_event_w *w, const struct wk_event_msg *m,
                     const struct wk_event_opened *o)
{
	jout_obj(&w->j, "poll");
	put_target(w, m, &o->view.target);
	if (o->has_poll)
		wk_event_text(w, "question", o->poll.text);
	if (o->vote != NULL && o->has_poll)
		put_chosen(w, o);
	jout_flag(&w->j, "sealed", o->sealed || !o->has_poll);
	jout_obj_end(&w->j);
}

static void put_poll(struct wk_event_w *w, const struct wa_msg_view *v)
{
	size_t n = wk_event_some(w, v->options_n);

	jout_obj(&w->j, "poll");
	wk_event_text(w, "question", v->text == NULL ? "" : v->text);
	jout_arr(&w->j, "options");
	for (size_t i = 0; i < n; i++)
		wk_event_text(w, NULL, wa_msg_option(v, i));
	jout_arr_end(&w->j);
	jout_int(&w->j, "selectableCount", v->selectable_n);
	jout_obj_end(&w->j);
}

/* A part that says no more than which message, and whether it was undone. */
static void put_mark(struct wk_event_w *w, const char *name, const struct wk_event_msg *m,
                     const struct wa_msg_view *v, const char *flag)
{
	jout_obj(&w->j, name);
	put_target(w, m, &v->target);
	if (flag != NULL)
		jout_bool(&w->j, flag, !v->undone);
	jout_obj_end(&w->j);
}

static void put_edit(struct wk_event_w *w, const struct wk_event_msg *m,
                     const struct wk_event_opened *o)
{
	const struct wa_msg_view *v = &o->view;
	bool sealed = v->type == WA_MSG_SECRET_EDIT;

	if (!v->is_edit && !sealed)
		return;
	jout_obj(&w->j, "edit");
	put_target(w, m, v->is_edit ? &v->edited : &v->target);
	if (v->sender_unix_ms > 0)
		jout_time(&w->j, "timestamp", v->sender_unix_ms);
	jout_flag(&w->j, "sealed", sealed);
	jout_obj_end(&w->j);
}

/* ---- events, invitations, shops -----------------------------------------------------------------
 */

static void put_unix(struct wk_event_w *w, const char *name, int64_t unix_s)
{
	if (unix_s > 0 && unix_s < INT64_MAX / 1000)
		jout_time(&w->j, name, unix_s * 1000);
}

static void put_event(struct wk_event_w *w, const struct wa_msg_view *v)
{
	jout_obj(&w->j, "event");
	wk_event_text(w, "name", v->title == NULL ? "" : v->title);
	wk_event_text_set(w, "description", v->text);
	put_unix(w, "start", v->start_unix_s);
	put_unix(w, "end", v->end_unix_s);
	jout_bool(&w->j, "cancelled", v->undone);
	jout_obj_end(&w->j);
}

static void put_answer(struct wk_event_w *w, const struct wk_event_msg *m,
                       const struct wk_event_opened *o)
{
	static const char *const answers[] = { NULL, "going", "not_going", "maybe" };

	jout_obj(&w->j, "event");
	put_target(w, m, &o->view.target);
	if (o->event_answer > 0 && (size_t)o->event_answer < ARRAY_LEN(answers))
		jout_str(&w->j, "response", answers[o->event_answer]);
	jout_flag(&w->j, "sealed", o->sealed);
	jout_obj_end(&w->j);
}

static void put_invite(struct wk_event_w *w, const struct wa_msg_view *v)
{
	jout_obj(&w->j, "invite");
	wk_event_text_set(w, "group", v->group_jid);
	wk_event_text_set(w, "name", v->title);
	wk_event_text_set(w, "code", v->invite_code);
	put_unix(w, "expiresAt", v->end_unix_s);
	jout_obj_end(&w->j);
}

/* ---- context ------------------------------------------------------------------------------------
 */

static void put_quoted(struct wk_event_w *w, const struct wk_event_msg *m,
                       const struct wa_msg_view *v)
{
	struct wa_jid author = { 0 };
	struct wa_msg_view q;
	Wa__Message *msg;

	if (v->quoted.id == NULL)
		return;
	jout_obj(&w->j, "quoted");
	wk_event_text(w, "messageId", v->quoted.id);
	if (wk_jid_user_of(v->quoted.participant, &author) == 0) {
		jout_bool(&w->j, "fromMe", wa_jid_is_own(&author, &w->look->own));
		wk_event_who(w, "sender", &author, NULL, NULL);
	}
	wk_event_text_set(w, "chat", v->quoted.chat);
	if (w->pool != NULL && v->quoted_message.len > 0 &&
	    wa_msg_parse(w->pool, v->quoted_message.p, v->quoted_message.len, &msg) == 0 &&
	    wa_msg_view(msg, &q) == 0 && q.type != WA_MSG_NONE) {
		jout_str(&w->j, "type", wa_msg_type_name(q.type));
		wk_event_text(w, "content", q.text == NULL ? "" : q.text);
	}
	jout_obj_end(&w->j);
	(void)m;
}

static void put_mentions(struct wk_event_w *w, const struct wa_msg_view *v)
{
	size_t n = wk_event_some(w, v->mentions_n);
	struct wa_jid jid;

	jout_flag(&w->j, "mentionsEveryone", v->mentions_everyone);
	if (n == 0)
		return;
	jout_arr(&w->j, "mentions");
	for (size_t i = 0; i < n; i++) {
		if (wk_jid_user_of(v->mentions[i], &jid) == 0)
			wk_event_who(w, NULL, &jid, NULL, NULL);
	}
	jout_arr_end(&w->j);
}

static void put_context(struct wk_event_w *w, const struct wk_event_msg *m,
                        const struct wa_msg_view *v)
{
	put_quoted(w, m, v);
	put_mentions(w, v);
	jout_flag(&w->j, "forwarded", v->forwarded);
	jout_int_set(&w->j, "forwardingScore", v->forwarding_score);
	jout_flag(&w->j, "viewOnce", v->view_once);
	if (v->type != WA_MSG_DISAPPEARING)
		jout_int_set(&w->j, "expiresIn", v->expiration_s);
	if (v->album.id != NULL)
		wk_event_text(w, "albumId", v->album.id);
}

/* Reactions that history tells along with the message. */
static void put_reactions(struct wk_event_w *w, const struct wk_event_msg *m)
{
	size_t n = m->info == NULL ? 0 : wk_event_some(w, m->info->n_reactions);

	if (n == 0)
		return;
	jout_arr(&w->j, "reactions");
	for (size_t i = 0; i < n; i++) {
		const Wa__Reaction *r = m->info->reactions[i];
		const struct wa_msg_key key = wa_msg_key_view(r->key);
		struct wa_jid who = { 0 };

		jout_obj(&w->j, NULL);
		wk_event_text(w, "emoji", r->text == NULL ? "" : r->text);
		jout_bool(&w->j, "fromMe", key.from_me);
		if (!key.from_me && wk_jid_user_of(key.participant, &who) < 0 &&
		    m->kind == WA_CHAT_PRIVATE)
			who = m->chat;
		wk_event_who(w, "sender", &who, NULL, NULL);
		if (r->has_sender_timestamp_ms && r->sender_timestamp_ms > 0)
			jout_time(&w->j, "timestamp", r->sender_timestamp_ms);
		jout_obj_end(&w->j);
	}
	jout_arr_end(&w->j);
}

/* ---- by kind ------------------------------------------------------------------------------------
 */

static void put_kind(struct wk_event_w *w, const struct wk_event_msg *m,
                     const struct wk_event_opened *o)
{
	const struct wa_msg_view *v = &o->view;

	switch (v->type) {
	case WA_MSG_CONTACT:
		wk_event_contacts(w, v);
		break;
	case WA_MSG_REACTION:
		put_reaction(w, m, o);
		break;
	case WA_MSG_POLL:
		put_poll(w, v);
		break;
	case WA_MSG_POLL_VOTE:
		put_vote(w, m, o);
		break;
	case WA_MSG_EVENT:
		put_event(w, v);
		break;
	case WA_MSG_EVENT_RESPONSE:
		put_answer(w, m, o);
		break;
	case WA_MSG_REVOKE:
		put_mark(w, "revoke", m, v, NULL);
		break;
	case WA_MSG_PIN:
		put_mark(w, "pin", m, v, "pinned");
		break;
	case WA_MSG_KEEP:
		put_mark(w, "keep", m, v, "kept");
		break;
	case WA_MSG_COMMENT:
		put_mark(w, "comment", m, v, NULL);
		break;
	case WA_MSG_DISAPPEARING:
		jout_obj(&w->j, "disappearing");
		jout_int(&w->j, "seconds", v->expiration_s);
		jout_obj_end(&w->j);
		break;
	case WA_MSG_GROUP_INVITE:
		put_invite(w, v);
		break;
	default:
		wk_event_text_set(w, "title", v->title);
		wk_event_text_set(w, "footer", v->footer);
		wk_event_text_set(w, "choiceId", v->choice_id);
		break;
	}
}

/* The words of a message that has no text of its own. */
static const char *content_of(const struct wk_event_opened *o)
{
	const struct wa_msg_view *v = &o->view;

	if (o->sealed && v->type == WA_MSG_REACTION)
		return "";
	if (v->text != NULL)
		return v->text;
	if (v->title != NULL)
		return v->title;
	if (v->has_location && v->location.name != NULL)
		return v->location.name;
	return "";
}

static void put_view(struct wk_event_w *w, const struct wk_event_msg *m)
{
	struct wk_event_opened o;

	wk_event_open(w, m, &o);
	jout_str(&w->j, "type", wa_msg_type_name(o.view.type));
	wk_event_text(w, "content", content_of(&o));
	jout_str(&w->j, "source", wa_msg_source(m->id));
	wk_event_media(w, &o.view);
	wk_event_location(w, &o.view);
	put_kind(w, m, &o);
	put_edit(w, m, &o);
	put_context(w, m, &o.view);
	put_reactions(w, m);
}

void wk_event_content(struct wk_event_w *w, const struct wk_event_msg *m)
{
	jout_obj(&w->j, "message");
	if (m->view != NULL) {
		put_view(w, m);
	} else {
		jout_str(&w->j, "type", m->info != NULL ? "revoked" : "undecryptable");
		jout_str(&w->j, "content", "");
		jout_str(&w->j, "source", wa_msg_source(m->id));
	}
	jout_flag(&w->j, "truncated", w->cut);
	jout_obj_end(&w->j);
}
