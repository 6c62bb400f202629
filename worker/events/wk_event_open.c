/*
 * worker/events/wk_event_open.c - votes, reactions, edits and so on, opened with the secret of the
 * message they are about
 *
 * Source: protocol notes 06 sections 4.1 and 4.4.
 */
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/events/wk_event_priv.h"
#include "worker/wa/message/wa_msg_secret.h"

static const struct pb_limits small_limits = {
	.bytes_max = 64 * 1024,
	.memory_max = 1024 * 1024,
	.depth_max = 4,
};

/* ---- which message ------------------------------------------------------------------------------
 */

struct wk_event_target wk_event_target_of(const struct wk_event_w *w, const struct wk_event_msg *m,
                                          const struct wa_msg_key *key)
{
	struct wk_event_target t = { .id = key->id };

	if (key->from_me) { /* of who sent the pointing one */
		t.author = m->sender;
		t.author_alt = m->sender_alt;
		t.from_me = m->from_me;
	} else if (wk_jid_user_of(key->participant, &t.author) == 0) {
		t.from_me = wa_jid_is_own(&t.author, &w->look->own);
	} else if (m->kind == WA_CHAT_PRIVATE && m->from_me) {
		t.author = m->chat;
		t.author_alt = m->chat_alt;
	} else if (m->kind == WA_CHAT_PRIVATE) {
		t.from_me = true; /* the other side's message is ours */
	}
	wa_jid_to_user(&t.author);
	wa_jid_to_user(&t.author_alt);
	return t;
}

/* ---- the secret ---------------------------------------------------------------------------------
 */

/* Up to two identities of someone, as text. */
struct identities {
	char text[2][WA_JID_TEXT_CAP];
	size_t n;
};

static void add_identity(struct identities *ids, const struct wa_jid *jid)
{
	struct wa_jid bare = *jid;

	if (!wk_jid_is_set(jid) || ids->n == 2)
		return;
	bare.device = 0;
	wa_jid_format(&bare, ids->text[ids->n]);
	if (ids->n == 0 || strcmp(ids->text[0], ids->text[1]) != 0)
		ids->n++;
}

static void set_own(struct wa_jid *jid, const char *user, const char *server)
{
	memset(jid, 0, sizeof(*jid));
	if (user[0] == '\0')
		return;
	memcpy(jid->user, user, strlen(user) + 1);
	memcpy(jid->server, server, strlen(server) + 1);
}

static void identities_of(const struct wk_event_w *w, const struct wa_jid *jid,
                          const struct wa_jid *alt, bool own, struct identities *out)
{
	struct wa_jid other;

	out->n = 0;
	add_identity(out, jid);
	add_identity(out, alt);
	if (own) {
		set_own(&other, w->look->own.lid, WK_SERVER_LID);
		add_identity(out, &other);
		set_own(&other, w->look->own.pn, WK_SERVER_PN);
		add_identity(out, &other);
	} else if (out->n == 1 && w->look->other != NULL &&
	           w->look->other(w->look->arg, jid, &other)) {
		add_identity(out, &other);
	}
}

/*
 * Try both sides under both identities: which one they used is not told. 0 or a code of
 * wa_msg_secret_open().
 */
static int open_with(const struct wk_event_w *w, const struct wk_event_msg *m,
                     const struct wk_event_target *t, const struct wk_event_stored *stored,
                     const uint8_t *secret, const struct wa_msg_enc *enc, struct buf *plain)
{
	struct identities author, modifier;
	int rc = WA_EAUTH;

	identities_of(w, wk_jid_is_set(&stored->author) ? &stored->author : &t->author,
	              wk_jid_is_set(&stored->author) ? &t->author : &t->author_alt, t->from_me,
	              &author);
	identities_of(w, &m->sender, &m->sender_alt, m->from_me, &modifier);
	for (size_t i = 0; i < author.n && rc == WA_EAUTH; i++) {
		for (size_t k = 0; k < modifier.n && rc == WA_EAUTH; k++) {
			const struct wa_msg_secret s = { .secret = secret,
				                         .id = t->id,
				                         .author = author.text[i],
				                         .modifier = modifier.text[k],
				                         .use_case = enc->use_case };

			rc = wa_msg_secret_open(&s, enc->iv.p, enc->iv.len, enc->payload.p,
			                        enc->payload.len, plain);
		}
	}
	return rc;
}

/* Some clients seal a new option of a poll as they seal an edit of it. */
static int open_any(const struct wk_event_w *w, const struct wk_event_msg *m,
                    const struct wk_event_target *t, const struct wk_event_stored *stored,
                    const uint8_t *secret, const struct wa_msg_enc *enc, struct buf *plain)
{
	struct wa_msg_enc as_edit = *enc;
	int rc = open_with(w, m, t, stored, secret, enc, plain);

	if (rc != WA_EAUTH || strcmp(enc->use_case, WA_USE_POLL_ADD_OPTION) != 0)
		return rc;
	as_edit.use_case = WA_USE_POLL_EDIT;
	return open_with(w, m, t, stored, secret, &as_edit, plain);
}

/* ---- what was in it -----------------------------------------------------------------------------
 */

static void *unpack(const struct wk_event_w *w, const ProtobufCMessageDescriptor *desc,
                    const struct buf *plain)
{
	ProtobufCMessage *msg;

	if (wa_pool_unpack(w->pool, desc, plain->p, plain->len, &small_limits, &msg) < 0)
		return NULL;
	return msg;
}

/* An edit or a comment: a message of its own. */
static bool take_message(const struct wk_event_w *w, const struct buf *plain,
                         struct wk_event_opened *out)
{
	struct wa_msg_view outer = out->view, v;
	Wa__Message *msg;

	if (wa_msg_parse(w->pool, plain->p, plain->len, &msg) < 0 || wa_msg_view(msg, &v) < 0)
		return false;
	if (outer.type == WA_MSG_COMMENT) {
		v.type = WA_MSG_COMMENT;
		v.target = outer.target;
	} else if (!v.is_edit) {
		v.is_edit = true;
		v.edited = outer.target;
	}
	out->view = v;
	return true;
}

static bool take_plain(const struct wk_event_w *w, const struct buf *plain,
                       struct wk_event_opened *out)
{
	const Wa__ReactionMessage *reaction;
	const Wa__EventResponseMessage *answer;

	switch (out->view.type) {
	case WA_MSG_POLL_VOTE:
		out->vote = unpack(w, &wa__poll_vote_message__descriptor, plain);
		return out->vote != NULL;
	case WA_MSG_REACTION:
		reaction = unpack(w, &wa__reaction_message__descriptor, plain);
		if (reaction == NULL)
			return false;
		out->view.text = reaction->text == NULL ? "" : reaction->text;
		if (reaction->has_sender_timestamp_ms)
			out->view.sender_unix_ms = reaction->sender_timestamp_ms;
		return true;
	case WA_MSG_EVENT_RESPONSE:
		answer = unpack(w, &wa__event_response_message__descriptor, plain);
		if (answer == NULL)
			return false;
		out->event_answer = answer->has_response ? answer->response : 0;
		return true;
	default:
		return take_message(w, plain, out);
	}
}

/* ---- the stored message -------------------------------------------------------------------------
 */

/* Its view, for a poll's options and a secret that stands in it. Its bytes are parsed into the
 * pool, which outlives the lookup's. */
static bool view_stored(const struct wk_event_w *w, const struct wk_event_stored *s,
                        struct wa_msg_view *out)
{
	Wa__Message *msg;

	return s->message != NULL && wa_msg_parse(w->pool, s->message, s->message_len, &msg) == 0 &&
	       wa_msg_view(msg, out) == 0;
}

/* Its secret, copied: what a lookup gave is gone with the next one. */
static bool secret_of(const struct wk_event_stored *s, const struct wa_msg_view *v,
                      uint8_t out[WA_MSG_SECRET_LEN])
{
	const uint8_t *p = s->secret;

	if (p == NULL && v != NULL && v->message_secret.len == WA_MSG_SECRET_LEN)
		p = v->message_secret.p;
	if (p != NULL)
		memcpy(out, p, WA_MSG_SECRET_LEN);
	return p != NULL;
}

void wk_event_open(const struct wk_event_w *w, const struct wk_event_msg *m,
                   struct wk_event_opened *out)
{
	const struct wa_msg_enc *enc = &m->view->enc;
	struct wk_event_stored stored = { 0 };
	struct wk_event_target t;
	uint8_t secret[WA_MSG_SECRET_LEN];
	struct wa_msg_view v;
	struct buf plain = { 0 };
	bool viewed;

	memset(out, 0, sizeof(*out));
	out->view = *m->view;
	if (enc->use_case == NULL)
		return;
	out->sealed = true;
	if (m->view->target.id == NULL || enc->payload.p == NULL || enc->iv.p == NULL ||
	    w->pool == NULL || w->look->stored == NULL)
		return;
	t = wk_event_target_of(w, m, &m->view->target);
	if (!w->look->stored(w->look->arg, &m->chat, t.id, &t.author, &stored))
		return;
	viewed = view_stored(w, &stored, &v);
	if (viewed && v.type == WA_MSG_POLL) {
		out->has_poll = true;
		out->poll = v;
	}
	if (secret_of(&stored, viewed ? &v : NULL, secret) &&
	    open_any(w, m, &t, &stored, secret, enc, &plain) == 0)
		out->sealed = !take_plain(w, &plain, out);
	secret_wipe(secret, sizeof(secret));
	buf_wipe(&plain);
}
