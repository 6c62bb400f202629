/* worker/receive/wk_recv_take.c - what a plaintext says: stored, told of, or for the session itself
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/events/wk_event_msg.h"
#include "worker/receive/wk_recv_priv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_lid.h"
#include "worker/wa/appstate/wa_appstate.h"

#define RESENT_PEER_TYPE 4 /* PeerDataOperationRequestType */

/* Decode into the pool, which is made when needed. 0, WA_EPROTO or -ENOMEM. */
static int decode(struct wk_recv *r, const ProtobufCMessageDescriptor *desc, const uint8_t *p,
                  size_t n, ProtobufCMessage **msg_out)
{
	int rc;

	if (r->pool == NULL)
		r->pool = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX);
	if (r->pool == NULL)
		return -ENOMEM;
	rc = wa_pool_unpack(r->pool, desc, p, n, &wa_msg_limits, msg_out);
	return rc == 0 || rc == -ENOMEM ? rc : WA_EPROTO;
}

static int view_of(const struct Wa__Message *msg, struct wa_msg_view *v)
{
	return wa_msg_view(msg, v) < 0 ? WA_EPROTO : 0;
}

/* ---- keys of groups ----------------------------------------------------------------------------
 */

/* A distribution that can't be taken shows with the message that needs it. */
static int take_sender_key(struct wk_recv_in *in, const struct wa_bytes *skdm)
{
	struct wk_recv *r = in->r;
	char chat[WA_JID_TEXT_CAP];
	struct wa_signal *s;
	int rc;

	if (in->src.kind != WA_CHAT_GROUP && in->src.kind != WA_CHAT_BROADCAST)
		return 0;
	(void)wa_jid_format(&in->src.chat, chat);
	rc = wk_signal_get(&r->signal, &s);
	if (rc == 0)
		rc = wa_signal_skdm_take(s, chat, &in->addr, skdm->p, skdm->len, NULL);
	if (rc < 0 && !wk_batch_is_fatal(rc)) {
		LOG(r->p.log, wk_recv_level(r), "sender_key_refused",
		    LF_STR("err", wa_signal_err_name(rc)));
		rc = 0;
	}
	return rc;
}

/* ---- between own devices -----------------------------------------------------------------------
 */

static int learn_migration(struct wk_recv *r, const Wa__ProtocolMessage *p)
{
	const Wa__LidMigrationMappingSyncMessage *m = p->lid_migration_mapping_sync_message;
	const Wa__LidMigrationMappingSyncPayload *all;
	char pn[WK_USER_CAP], lid[WK_USER_CAP];
	ProtobufCMessage *msg;
	int rc;

	if (m == NULL || !m->has_encoded_mapping_payload)
		return 0;
	rc = decode(r, &wa__lid_migration_mapping_sync_payload__descriptor,
	            m->encoded_mapping_payload.data, m->encoded_mapping_payload.len, &msg);
	if (rc < 0)
		return rc == WA_EPROTO ? 0 : rc;
	all = (const Wa__LidMigrationMappingSyncPayload *)msg;
	for (size_t i = 0; rc == 0 && i < all->n_pn_to_lid_mappings; i++) {
		const Wa__LidMigrationMapping *pair = all->pn_to_lid_mappings[i];
		uint64_t v = pair->has_latest_lid && pair->latest_lid != 0 ? pair->latest_lid
		                                                           : pair->assigned_lid;

		(void)snprintf(pn, sizeof(pn), "%llu", (unsigned long long)pair->pn);
		(void)snprintf(lid, sizeof(lid), "%llu", (unsigned long long)v);
		rc = wk_store_lid_learn(r->p.store, pn, lid, NULL);
	}
	return rc;
}

/* Messages that the phone sent again. */
static int take_resent(struct wk_recv_in *in, const Wa__PeerDataOperationRequestResponseMessage *m)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->n_peer_data_operation_result; i++) {
		const Wa__PlaceholderMessageResendResponse *one =
		    m->peer_data_operation_result[i]->placeholder_message_resend_response;

		if (one != NULL && one->has_web_message_info_bytes)
			rc = wk_recv_take_resent(in->r, one->web_message_info_bytes.data,
			                         one->web_message_info_bytes.len);
	}
	return rc;
}

static int hand_over(struct wk_recv_in *in, enum wk_recv_own_kind kind,
                     const Wa__ProtocolMessage *p)
{
	const struct wk_recv_handler *h = &in->r->handlers[kind];
	const struct wk_recv_own own = { .source = &in->src,
		                         .protocol = p,
		                         .from_phone = in->src.sender.device == 0 };

	return h->take == NULL ? 0 : h->take(h->arg, &own);
}

/* Answers of the phone. */
static int take_response(struct wk_recv_in *in, const Wa__ProtocolMessage *p)
{
	const Wa__PeerDataOperationRequestResponseMessage *m =
	    p->peer_data_operation_request_response_message;

	if (m == NULL)
		return 0;
	switch (m->peer_data_operation_request_type) {
	case RESENT_PEER_TYPE:
		return take_resent(in, m);
	case WA_APPSTATE_PEER_TYPE:
		return hand_over(in, WK_OWN_APPSTATE, p);
	}
	return 0;
}

/* Account state is believed from our own devices alone, and what only the phone has from it. */
static int take_protocol(struct wk_recv_in *in, const Wa__ProtocolMessage *p)
{
	bool phone = in->src.sender.device == 0;

	if (!in->src.from_me || p == NULL || !p->has_type)
		return 0;
	switch (p->type) {
	case WA_PROTO_HISTORY_SYNC_NOTIFICATION:
		return phone ? hand_over(in, WK_OWN_HISTORY, p) : 0;
	case WA_PROTO_APP_STATE_SYNC_KEY_SHARE:
		return hand_over(in, WK_OWN_KEY_SHARE, p);
	case WA_PROTO_APP_STATE_FATAL_EXCEPTION:
		return hand_over(in, WK_OWN_FATAL, p);
	case WA_PROTO_LID_MIGRATION_MAPPING_SYNC:
		return phone ? learn_migration(in->r, p) : 0;
	case WA_PROTO_PEER_DATA_RESPONSE:
		return phone ? take_response(in, p) : 0;
	}
	return 0;
}

/* ---- content -----------------------------------------------------------------------------------
 */

/* A list of somebody else's is no chat here: what comes through it is that person's. */
static const struct wa_jid *chat_of(const struct wa_source *src)
{
	if (src->kind == WA_CHAT_BROADCAST && !src->is_status && !src->from_me)
		return &src->sender;
	return &src->chat;
}

void wk_recv_row(const struct wa_source *src, struct wk_msg *row)
{
	*row = (struct wk_msg){ .chat = *chat_of(src),
		                .sender = src->sender,
		                .id = src->id,
		                .push_name = src->push_name,
		                .unix_s = (int64_t)src->unix_s,
		                .flags = src->from_me ? WK_MSG_FROM_ME : 0 };
	row->chat.device = 0;
	row->sender.device = 0;
}

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
	case WA_MSG_DISAPPEARING:
		return true;
	default:
		return v->is_edit;
	}
}

/*
 * A message of the chat is edited or deleted: by its author, or (deleted) by a group's admin, whom
 * the server lets say so. keys are from the viewpoint of who sent this one.
 */
static int mark_target(struct wk_recv_in *in, const struct wa_msg_view *v, const struct wk_msg *row)
{
	bool revoke = v->type == WA_MSG_REVOKE;
	const struct wa_msg_key *key = revoke ? &v->target : &v->edited;
	bool admin = revoke && in->src.edit != NULL && strcmp(in->src.edit, "8") == 0;
	struct wk_msg target = *row;

	if (key->id == NULL || (!revoke && !v->is_edit))
		return 0;
	if (!key->from_me) {
		if (!admin || key->participant == NULL ||
		    wa_jid_parse(key->participant, strlen(key->participant), &target.sender) < 0)
			return 0;
		target.flags = wa_jid_is_own(&target.sender, &in->r->own) ? WK_MSG_FROM_ME : 0;
	}
	target.id = key->id;
	return wk_store_msg_mark(in->r->p.store, &target, revoke ? WK_MSG_REVOKED : WK_MSG_EDITED);
}

static int tell(struct wk_recv *r, const struct wk_event_msg *ev)
{
	return r->p.on_message(ev, r->p.arg);
}

/* It came, perhaps after it had been asked for. */
static int came(struct wk_recv *r, const struct wk_msg *row)
{
	int64_t key, chat;
	int rc;

	if (r->asks.rows == 0)
		return 0;
	rc = wk_store_msg_key(r->p.store, row, true, &key, &chat);
	return rc < 0 ? rc : wk_retry_came(r, key);
}

static int store_and_tell(struct wk_recv_in *in, const struct wa_msg_view *v,
                          const struct buf *plain)
{
	struct wk_recv *r = in->r;
	struct wk_event_msg ev;
	struct wk_msg row;
	bool is_new;
	int rc;

	wk_recv_row(&in->src, &row);
	rc = came(r, &row);
	wk_event_msg_of_source(&ev, &in->src, v);
	if (rc < 0 || !wk_event_msg_shows(&ev, r->p.settings))
		return rc;
	row.flags |= (v->has_media ? WK_MSG_MEDIA : 0) | (is_addon(v) ? WK_MSG_ADDON : 0);
	row.message = plain->p;
	row.message_len = plain->len;
	row.secret = v->message_secret.len == WA_MSG_SECRET_LEN ? v->message_secret.p : NULL;
	rc = wk_store_msg_put(r->p.store, &row, &is_new);
	if (rc == 0 && !is_new) {
		r->counts.duplicates++;
		return 0;
	}
	if (rc == 0)
		rc = mark_target(in, v, &row);
	return rc == 0 ? tell(r, &ev) : rc;
}

int wk_recv_take(struct wk_recv_in *in, const struct buf *plain)
{
	struct wk_recv *r = in->r;
	ProtobufCMessage *msg;
	struct wa_msg_view v;
	int rc;

	rc = decode(r, &wa__message__descriptor, plain->p, plain->len, &msg);
	if (rc == 0)
		rc = view_of((const struct Wa__Message *)msg, &v);
	if (rc == 0 && v.sender_key_distribution.p != NULL)
		rc = take_sender_key(in, &v.sender_key_distribution);
	if (rc == 0 && v.type == WA_MSG_PROTOCOL)
		rc = take_protocol(in, v.protocol);
	else if (rc == 0 && v.type != WA_MSG_NONE)
		rc = store_and_tell(in, &v, plain);
	if (r->pool != NULL)
		wa_pool_reset(r->pool);
	return rc;
}

int wk_recv_tell_unopened(struct wk_recv *r, const struct wa_source *src)
{
	struct wk_event_msg ev;

	wk_event_msg_of_source(&ev, src, NULL);
	return wk_event_msg_shows(&ev, r->p.settings) ? tell(r, &ev) : 0;
}

/* ---- from the phone ----------------------------------------------------------------------------
 */

/* The same message, serialised alone: what is stored of it. */
static int pack(const Wa__Message *m, struct buf *out)
{
	size_t n = wa__message__get_packed_size(m);
	int rc = n > WA_MSG_MAX_LEN ? WA_EPROTO : buf_reserve(out, n);

	if (rc == 0)
		out->len += wa__message__pack(m, out->p + out->len);
	return rc;
}

static int resent_row(const struct wk_event_msg *ev, struct wk_msg *row)
{
	*row = (struct wk_msg){ .chat = ev->chat,
		                .sender = ev->sender,
		                .id = ev->id,
		                .push_name = ev->push_name,
		                .unix_s = ev->unix_s,
		                .flags = ev->from_me ? WK_MSG_FROM_ME : 0 };
	if (row->sender.server[0] == '\0')
		row->sender = row->chat;
	return row->id == NULL ? WA_EPROTO : 0;
}

/* NULL: it has none. */
static const uint8_t *secret_of(const Wa__WebMessageInfo *info, const struct wa_msg_view *v)
{
	if (info->has_message_secret && info->message_secret.len == WA_MSG_SECRET_LEN)
		return info->message_secret.data;
	return v->message_secret.len == WA_MSG_SECRET_LEN ? v->message_secret.p : NULL;
}

static int take_info(struct wk_recv *r, const Wa__WebMessageInfo *info)
{
	struct buf plain = { 0 };
	struct wk_event_msg ev;
	struct wa_msg_view v;
	struct wk_msg row;
	bool is_new = false;
	int rc;

	if (info->message == NULL || info->key == NULL)
		return WA_EPROTO;
	rc = view_of(info->message, &v);
	if (rc == 0)
		rc = wk_event_msg_of_info(&ev, info->key->remote_jid, info, &v, &r->own);
	if (rc == 0)
		rc = resent_row(&ev, &row);
	if (rc == 0)
		rc = came(r, &row);
	if (rc < 0)
		return rc;
	ev.from_history = false;
	if (!wk_event_msg_shows(&ev, r->p.settings))
		return 0;
	row.flags |= (v.has_media ? WK_MSG_MEDIA : 0) | (is_addon(&v) ? WK_MSG_ADDON : 0);
	row.secret = secret_of(info, &v);
	rc = pack(info->message, &plain);
	row.message = plain.p;
	row.message_len = plain.len;
	if (rc == 0)
		rc = wk_store_msg_put(r->p.store, &row, &is_new);
	if (rc == 0 && is_new)
		rc = tell(r, &ev);
	buf_wipe(&plain);
	return rc;
}

int wk_recv_take_resent(struct wk_recv *r, const uint8_t *info, size_t info_len)
{
	ProtobufCMessage *msg;
	int rc = decode(r, &wa__web_message_info__descriptor, info, info_len, &msg);

	if (rc == 0)
		rc = take_info(r, (const Wa__WebMessageInfo *)msg);
	/* What the phone says wrongly is not worth the message that it came in. */
	return wk_batch_is_fatal(rc) ? rc : 0;
}
