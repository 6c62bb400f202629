/*
 * worker/events/wk_emit_receipt.c - <receipt> stanzas as message.status events
 *
 * Source: protocol notes 06 section 6.2.
 */
#include <string.h>

#include "common/clock.h"
#include "proto/ipc.pb-c.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_emit_priv.h"
#include "worker/wa/stanza/wa_receipt.h"

#define IDS_MAX 256 /* of one event: a receipt of more becomes several */

/* What a user can make something of; NULL: nothing. */
static const char *status_of(enum wa_receipt_type type)
{
	switch (type) {
	case WA_RECEIPT_DELIVERED:
	case WA_RECEIPT_INACTIVE:
		return "delivered";
	case WA_RECEIPT_READ:
	case WA_RECEIPT_READ_SELF:
		return "read";
	case WA_RECEIPT_PLAYED:
	case WA_RECEIPT_PLAYED_SELF:
		return "played";
	case WA_RECEIPT_SENDER:
	case WA_RECEIPT_PEER_MSG:
	case WA_RECEIPT_HIST_SYNC:
	case WA_RECEIPT_RETRY:
	case WA_RECEIPT_ENC_REKEY_RETRY:
	case WA_RECEIPT_SERVER_ERROR:
	case WA_RECEIPT_VIEW:
	case WA_RECEIPT_UNKNOWN:
		break;
	}
	return NULL;
}

/* One event being written: messages of one chat that one user has got at one time. */
struct status {
	struct wk_emit *e;
	struct wk_event_w w;
	const char *status;
	struct wa_jid chat, from, author; /* author: who wrote the messages, when it was not we */
	bool open;
	const char *participant; /* of the open one */
	uint64_t unix_s;
	unsigned ids;
};

/* ---- parties ------------------------------------------------------------------------------------
 */

/*
 * In a group, or for a status, participant is who got it and recipient, for devices of our own, who
 * wrote it. Elsewhere recipient is the chat when it is our own device that has read there.
 */
static bool read_parties(struct status *s, const struct wa_receipt *r)
{
	struct wa_jid recipient = { 0 };

	if (wk_jid_user_of(r->from, &s->from) < 0)
		return false;
	if (r->recipient != NULL && wk_jid_user_of(r->recipient, &recipient) < 0)
		return false;
	s->chat = s->from;
	if (strcmp(wk_event_chat_type(&s->from), "private") != 0) {
		s->author = recipient;
	} else if (wa_jid_is_own(&s->from, &s->e->look.own)) {
		if (!wk_jid_is_set(&recipient))
			return false; /* between our own devices */
		s->chat = s->author = recipient;
	}
	if (wa_jid_is_own(&s->author, &s->e->look.own))
		memset(&s->author, 0, sizeof(s->author));
	return true;
}

static bool is_silent(const struct status *s)
{
	const struct wk_settings *set = s->e->p.settings;
	const char *type = wk_event_chat_type(&s->chat);

	return (set->ignore_group_messages && strcmp(type, "group") == 0) ||
	       (set->ignore_status && strcmp(type, "status") == 0);
}

/* ---- events -------------------------------------------------------------------------------------
 */

static int close_event(struct status *s)
{
	if (!s->open)
		return 0;
	s->open = false;
	jout_arr_end(&s->w.j);
	jout_obj_end(&s->w.j);
	return s->w.j.err != 0 ? s->w.j.err
	                       : wk_emit_add(s->e, IPC__EVENT__KIND__MESSAGE_STATUS, 0);
}

static void open_event(struct status *s, const struct wa_receipt_item *item)
{
	struct wa_jid who = s->from;
	bool own;

	if (item->participant != NULL && wk_jid_user_of(item->participant, &who) < 0)
		memset(&who, 0, sizeof(who));
	if (item->participant == NULL && strcmp(wk_event_chat_type(&who), "private") != 0)
		memset(&who, 0, sizeof(who)); /* a group's, and nobody is named */
	own = wa_jid_is_own(&who, &s->e->look.own);
	s->w = wk_emit_begin(s->e);
	s->open = true;
	s->participant = item->participant;
	s->unix_s = item->unix_s;
	s->ids = 0;
	jout_obj(&s->w.j, NULL);
	wk_emit_time(&s->w, "timestamp", item->unix_s);
	jout_str(&s->w.j, "status", s->status);
	wk_event_chat(&s->w, "chat", &s->chat, NULL, NULL);
	if (!own)
		wk_event_who(&s->w, "recipient", &who, NULL, NULL);
	jout_flag(&s->w.j, "fromMe", own);
	wk_event_who(&s->w, "messageSender", &s->author, NULL, NULL);
	jout_arr(&s->w.j, "messageIds");
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static int on_item(void *arg, const struct wa_receipt_item *item)
{
	struct status *s = arg;
	int rc = 0;

	if (s->open && (!same_text(s->participant, item->participant) ||
	                s->unix_s != item->unix_s || s->ids == IDS_MAX))
		rc = close_event(s);
	if (rc < 0)
		return rc;
	if (!s->open)
		open_event(s, item);
	s->ids++;
	wk_event_text(&s->w, NULL, item->message_id);
	return 0;
}

int wk_emit_receipt(struct wk_emit *e, const struct wa_node *n)
{
	struct status s = { .e = e };
	struct wa_receipt r;
	int rc;

	if (wa_receipt_read_node(n, &r) < 0)
		return 0;
	(void)wk_emit_lookup(e);
	s.status = status_of(r.type);
	if (s.status == NULL || r.peer || !read_parties(&s, &r) || is_silent(&s))
		return 0;
	rc = wa_receipt_each(n, on_item, &s);
	return rc < 0 ? rc : close_event(&s);
}
