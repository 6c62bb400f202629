/* worker/history/wk_history_blob.c - what a history blob holds goes into the store */
#include "worker/history/wk_history_blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_history.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_emit.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/store/wk_store_name.h"
#include "worker/wa/node/wa_jid.h"

struct wk_history_blob {
	struct wk_history_blob_params p;
	struct wa_history *h;
	struct wa_jid own;
	char chat_text[WA_JID_TEXT_CAP]; /* what chat was parsed from; "": nothing */
	struct wa_jid chat;
	uint64_t stored;
	uint64_t dropped; /* too old, up to the last chat */
};

bool wk_history_store_failed(int rc)
{
	return wk_batch_is_fatal(rc) || rc == WA_ECRYPTO || rc == WA_ESTATE;
}

/* Without a device; c.us is how phones write s.whatsapp.net at times. */
static int parse(const char *text, struct wa_jid *jid_out)
{
	int rc = text == NULL ? WA_EPROTO : wa_jid_parse(text, strlen(text), jid_out);

	if (rc < 0 || jid_out->user[0] == '\0')
		return WA_EPROTO;
	jid_out->device = 0;
	if (strcmp(jid_out->server, "c.us") == 0)
		memcpy(jid_out->server, "s.whatsapp.net", sizeof("s.whatsapp.net"));
	return 0;
}

static bool is_user(const struct wa_jid *jid)
{
	return strcmp(jid->server, "s.whatsapp.net") == 0 || strcmp(jid->server, "lid") == 0;
}

/* What is foreign and makes no sense is passed over; what the store says is not. */
static int only_store(int rc)
{
	return wk_history_store_failed(rc) ? rc : 0;
}

/* ---- who is who --------------------------------------------------------------------------------
 */

static int learn(struct wk_history_blob *b, const char *pn_text, const char *lid_text)
{
	struct wa_jid pn, lid;

	if (parse(pn_text, &pn) < 0 || parse(lid_text, &lid) < 0 ||
	    strcmp(pn.server, "s.whatsapp.net") != 0 || strcmp(lid.server, "lid") != 0)
		return 0;
	return only_store(wk_store_lid_learn(b->p.store, pn.user, lid.user, NULL));
}

static int on_mapping(void *arg, const char *pn_jid, const char *lid_jid)
{
	return learn(arg, pn_jid, lid_jid);
}

static int on_who_contact(void *arg, const struct Wa__InlineContact *c)
{
	return learn(arg, c->pn_jid, c->lid_jid);
}

static int on_who_chat(void *arg, const struct Wa__Conversation *c, uint64_t messages_n)
{
	(void)messages_n;
	if (c->pn_jid != NULL)
		return learn(arg, c->pn_jid, c->lid_jid != NULL ? c->lid_jid : c->id);
	return c->lid_jid != NULL ? learn(arg, c->id, c->lid_jid) : 0;
}

/* ---- messages ----------------------------------------------------------------------------------
 */

/* Messages come chat by chat. */
static int take_chat(struct wk_history_blob *b, const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);

	if (len == 0 || len >= sizeof(b->chat_text))
		return WA_EPROTO;
	if (memcmp(text, b->chat_text, len + 1) == 0)
		return 0;
	b->chat_text[0] = '\0';
	if (parse(text, &b->chat) < 0)
		return WA_EPROTO;
	memcpy(b->chat_text, text, len + 1);
	return 0;
}

/* About another message, and none that stands by itself. */
static bool is_addon(const struct wa_msg_view *v)
{
	switch (v->type) {
	case WA_MSG_REACTION:
	case WA_MSG_POLL_VOTE:
	case WA_MSG_EVENT_RESPONSE:
	case WA_MSG_SECRET_EDIT:
	case WA_MSG_REVOKE:
	case WA_MSG_PIN:
	case WA_MSG_KEEP:
		return true;
	case WA_MSG_NONE:
	case WA_MSG_PROTOCOL:
	case WA_MSG_TEXT:
	case WA_MSG_IMAGE:
	case WA_MSG_VIDEO:
	case WA_MSG_AUDIO:
	case WA_MSG_DOCUMENT:
	case WA_MSG_STICKER:
	case WA_MSG_STICKER_PACK:
	case WA_MSG_LOCATION:
	case WA_MSG_CONTACT:
	case WA_MSG_POLL:
	case WA_MSG_POLL_RESULT:
	case WA_MSG_EVENT:
	case WA_MSG_COMMENT:
	case WA_MSG_DISAPPEARING:
	case WA_MSG_GROUP_INVITE:
	case WA_MSG_ALBUM:
	case WA_MSG_PRODUCT:
	case WA_MSG_ORDER:
	case WA_MSG_LIST:
	case WA_MSG_BUTTONS:
	case WA_MSG_TEMPLATE:
	case WA_MSG_INTERACTIVE:
	case WA_MSG_REPLY:
	case WA_MSG_CALL:
	case WA_MSG_UNSUPPORTED:
		break;
	}
	return v->is_edit;
}

static unsigned flags_of(const struct wa_history_msg *m)
{
	return WK_MSG_HISTORY | (m->key.from_me ? WK_MSG_FROM_ME : 0) |
	       (is_addon(&m->view) ? WK_MSG_ADDON : 0) | (m->view.has_media ? WK_MSG_MEDIA : 0);
}

/* An event of a message that was not known, or of a group's change. */
static int tell(struct wk_history_blob *b, const struct wa_history_msg *m)
{
	const struct wa_own_users *own;
	struct wk_event_msg ev;

	if (b->p.emit == NULL)
		return 0;
	if (!m->has_view)
		return wk_emit_stub(b->p.emit, &b->chat, m->info);
	own = &wk_emit_lookup(b->p.emit)->own;
	if (wk_event_msg_of_info(&ev, m->chat, m->info, &m->view, own) < 0)
		return 0;
	return wk_emit_message(b->p.emit, &ev);
}

static bool is_left_out(const struct wk_history_blob *b)
{
	return b->p.settings != NULL && b->p.settings->ignore_group_messages &&
	       strcmp(b->chat.server, "g.us") == 0;
}

/*
 * A change of a group is no message: it is kept for being told of once. Without an emitter nobody
 * wants it.
 */
static int on_stub(struct wk_history_blob *b, const struct wa_history_msg *m)
{
	struct wk_msg row = { .id = m->key.id,
		              .unix_s = (int64_t)m->unix_s,
		              .flags = WK_MSG_HISTORY | WK_MSG_ADDON };
	bool is_new = false;
	int rc;

	if (b->p.emit == NULL || m->key.id == NULL || m->unix_s > INT64_MAX ||
	    !wk_emit_is_group_stub(m->info) || take_chat(b, m->chat) < 0 || is_left_out(b))
		return 0;
	row.chat = row.sender = b->chat;
	rc = wk_store_msg_put(b->p.store, &row, &is_new);
	if (rc == 0 && is_new)
		rc = tell(b, m);
	return only_store(rc);
}

static int on_message(void *arg, const struct wa_history_msg *m)
{
	struct wk_history_blob *b = arg;
	struct wk_msg row = { .id = m->key.id,
		              .unix_s = (int64_t)m->unix_s,
		              .order = m->order,
		              .message = m->message.p,
		              .message_len = m->message.len,
		              .secret = m->secret.p };
	bool is_new = false;
	int rc;

	if (!m->has_view)
		return on_stub(b, m);
	if (m->key.id == NULL || m->view.type == WA_MSG_NONE || m->view.type == WA_MSG_PROTOCOL ||
	    m->unix_s > INT64_MAX || take_chat(b, m->chat) < 0 || is_left_out(b))
		return 0;
	row.chat = b->chat;
	row.flags = flags_of(m);
	row.push_name = m->info->push_name;
	if (m->key.from_me)
		row.sender = b->own;
	else if (m->sender == m->chat)
		row.sender = b->chat;
	else if (parse(m->sender, &row.sender) < 0)
		return 0;
	rc = wk_store_msg_put(b->p.store, &row, &is_new);
	b->stored += rc == 0 && is_new;
	if (rc == 0 && is_new)
		rc = tell(b, m);
	return only_store(rc);
}

/* ---- names and tokens --------------------------------------------------------------------------
 */

static int name(struct wk_history_blob *b, const struct wa_jid *jid, enum wk_name_kind kind,
                const char *text)
{
	if (text == NULL || text[0] == '\0')
		return 0;
	return only_store(wk_store_name_learn(b->p.store, jid, kind, text));
}

/* endOfHistoryTransferType: 1: the phone has no more; 3: none that we get. */
static enum wk_chat_older older(struct wk_history_blob *b, const struct Wa__Conversation *c)
{
	uint64_t dropped = wa_history_counts(b->h)->dropped_old;
	bool some = dropped != b->dropped; /* of this chat */
	bool end = c->has_end_of_history_transfer_type &&
	           (c->end_of_history_transfer_type == 1 || c->end_of_history_transfer_type == 3);

	b->dropped = dropped;
	if (some)
		return WK_OLDER_DROPPED;
	if (end)
		return b->p.asked ? WK_OLDER_ASKED : WK_OLDER_NONE;
	return c->has_end_of_history_transfer_type ? WK_OLDER_MAYBE : WK_OLDER_UNSAID;
}

static int on_chat(void *arg, const struct Wa__Conversation *c, uint64_t messages_n)
{
	struct wk_history_blob *b = arg;
	struct wa_jid jid;
	int rc;

	(void)messages_n;
	if (parse(c->id, &jid) < 0)
		return 0;
	rc = name(b, &jid, is_user(&jid) ? WK_NAME_BOOK : WK_NAME_OWN,
	          c->name != NULL ? c->name : c->display_name);
	if (rc == 0)
		rc = only_store(wk_store_history_chat_put(b->p.store, &jid, older(b, c)));
	if (rc == 0 && c->has_tc_token && c->tc_token.len > 0 && c->has_tc_token_timestamp &&
	    c->tc_token_timestamp <= INT64_MAX && is_user(&jid))
		rc = only_store(wk_store_tc_token_put(b->p.store, &jid, c->tc_token.data,
		                                      c->tc_token.len,
		                                      (int64_t)c->tc_token_timestamp));
	return rc;
}

static int on_push_name(void *arg, const char *jid_text, const char *push)
{
	struct wa_jid jid;

	return parse(jid_text, &jid) < 0 || !is_user(&jid) ? 0 : name(arg, &jid, WK_NAME_OWN, push);
}

static int on_contact(void *arg, const struct Wa__InlineContact *c)
{
	struct wa_jid jid;

	if (parse(c->lid_jid, &jid) < 0 && parse(c->pn_jid, &jid) < 0)
		return 0;
	return name(arg, &jid, WK_NAME_BOOK, c->full_name != NULL ? c->full_name : c->first_name);
}

static int on_nct_salt(void *arg, const uint8_t *salt, size_t salt_len)
{
	struct wk_history_blob *b = arg;

	return only_store(wk_store_nct_salt_put(b->p.store, salt, salt_len));
}

/* ---- life --------------------------------------------------------------------------------------
 */

int wk_history_blob_new(const struct wk_history_blob_params *params, struct wk_history_blob **b_out)
{
	static const struct wa_history_ops who = {
		.on_conversation = on_who_chat,
		.on_mapping = on_mapping,
		.on_contact = on_who_contact,
	};
	static const struct wa_history_ops all = {
		.on_message = on_message,
		.on_conversation = on_chat,
		.on_push_name = on_push_name,
		.on_contact = on_contact,
		.on_nct_salt = on_nct_salt,
	};
	struct wa_history_limits limits = wa_history_limits_default;
	struct wk_history_blob *b = calloc(1, sizeof(*b));
	int rc;

	if (b == NULL)
		return -ENOMEM;
	b->p = *params;
	if (parse(params->creds->jid, &b->own) < 0)
		b->own = (struct wa_jid){ .server = "s.whatsapp.net" };
	/* messages are of no interest in the first pass: all are too old for it */
	limits.oldest_unix_s = params->pass == WK_HISTORY_WHO ? INT64_MAX : params->oldest_unix_s;
	limits.sum_checked = params->pass == WK_HISTORY_ALL;
	rc = wa_history_new(params->pass == WK_HISTORY_WHO ? &who : &all, b, &limits, &b->h);
	if (rc < 0) {
		free(b);
		return rc;
	}
	*b_out = b;
	return 0;
}

void wk_history_blob_free(struct wk_history_blob *b)
{
	if (b == NULL)
		return;
	wa_history_free(b->h);
	free(b);
}

int wk_history_blob_feed(struct wk_history_blob *b, const uint8_t *data, size_t data_len)
{
	return wa_history_feed(b->h, data, data_len);
}

int wk_history_blob_end(struct wk_history_blob *b)
{
	return wa_history_end(b->h);
}

uint64_t wk_history_blob_seen(const struct wk_history_blob *b)
{
	const struct wa_history_counts *c = wa_history_counts(b->h);

	return c->messages + c->dropped_old + c->unreadable + c->too_large;
}

uint64_t wk_history_blob_stored(const struct wk_history_blob *b)
{
	return b->stored;
}

const struct wa_history_counts *wk_history_blob_counts(const struct wk_history_blob *b)
{
	return wa_history_counts(b->h);
}
