/* worker/wa/message/wa_msg_content.c - content that is no file, and what is about another message
 */
#include <string.h>

#include "common/attr.h"
#include "worker/wa/message/wa_msg_priv.h"

/* ---- other content ------------------------------------------------------------------------------
 */

void wa_msg_take_text(struct wa_msg_view *v, const Wa__ExtendedTextMessage *m)
{
	v->type = WA_MSG_TEXT;
	v->text = m->text;
	v->title = m->title;
	v->view_once |= m->has_view_once && m->view_once;
	wa_msg_take_context(v, m->context_info);
}

void wa_msg_take_location(struct wa_msg_view *v, const Wa__LocationMessage *m)
{
	v->has_location = true;
	v->location.latitude = m->has_degrees_latitude ? m->degrees_latitude : 0;
	v->location.longitude = m->has_degrees_longitude ? m->degrees_longitude : 0;
	v->location.name = m->name;
	v->location.address = m->address;
	v->location.url = m->url;
	v->location.accuracy_m = m->has_accuracy_in_meters ? m->accuracy_in_meters : 0;
	v->location.live = m->has_is_live && m->is_live;
}

static void take_live_location(struct wa_msg_view *v, const Wa__LiveLocationMessage *m)
{
	v->type = WA_MSG_LOCATION;
	v->has_location = true;
	v->text = m->caption;
	v->location.latitude = m->has_degrees_latitude ? m->degrees_latitude : 0;
	v->location.longitude = m->has_degrees_longitude ? m->degrees_longitude : 0;
	v->location.accuracy_m = m->has_accuracy_in_meters ? m->accuracy_in_meters : 0;
	v->location.live = true;
	v->location.sequence = m->has_sequence_number ? m->sequence_number : 0;
	wa_msg_take_context(v, m->context_info);
}

static void take_poll(struct wa_msg_view *v, const Wa__PollCreationMessage *m)
{
	v->type = WA_MSG_POLL;
	v->text = m->name;
	v->options_n = m->n_options;
	v->selectable_n = m->has_selectable_options_count ? m->selectable_options_count : 0;
	wa_msg_take_context(v, m->context_info);
}

static void take_event(struct wa_msg_view *v, const Wa__EventMessage *m)
{
	v->type = WA_MSG_EVENT;
	v->title = m->name;
	v->text = m->description;
	v->undone = m->has_is_canceled && m->is_canceled;
	v->start_unix_s = m->has_start_time ? m->start_time : 0;
	v->end_unix_s = m->has_end_time ? m->end_time : 0;
	if (m->location != NULL)
		wa_msg_take_location(v, m->location);
	wa_msg_take_context(v, m->context_info);
}

static void take_enc(struct wa_msg_view *v, enum wa_msg_type type, const char *use_case,
                     const Wa__EncPayloadMessage *m)
{
	v->type = type;
	v->target = wa_msg_key_view(m->target_message_key);
	v->enc.use_case = use_case;
	v->enc.payload = BYTES(m, enc_payload);
	v->enc.iv = BYTES(m, enc_iv);
}

static void take_vote(struct wa_msg_view *v, const Wa__PollUpdateMessage *m)
{
	v->type = WA_MSG_POLL_VOTE;
	v->target = wa_msg_key_view(m->poll_creation_message_key);
	v->sender_unix_ms = m->has_sender_timestamp_ms ? m->sender_timestamp_ms : 0;
	v->enc.use_case = "Poll Vote";
	if (m->vote != NULL) {
		v->enc.payload = BYTES(m->vote, enc_payload);
		v->enc.iv = BYTES(m->vote, enc_iv);
	}
}

static const char *secret_use_case(const Wa__EncPayloadMessage *m)
{
	switch (m->has_secret_enc_type ? m->secret_enc_type : 0) {
	case 1:
		return "Event Edit";
	case 2:
		return "Message Edit";
	case 5:
		return WA_USE_POLL_ADD_OPTION;
	default: /* 4 */
		return WA_USE_POLL_EDIT;
	}
}

static void take_invite(struct wa_msg_view *v, const Wa__GroupInviteMessage *m)
{
	v->type = WA_MSG_GROUP_INVITE;
	v->title = m->group_name;
	v->text = m->caption;
	v->group_jid = m->group_jid;
	v->invite_code = m->invite_code;
	v->end_unix_s = m->has_invite_expiration ? m->invite_expiration : 0;
	wa_msg_take_context(v, m->context_info);
}

/* ---- which of them -----------------------------------------------------------------------------
 */

const Wa__PollCreationMessage *wa_msg_poll(const Wa__Message *m)
{
	const Wa__PollCreationMessage *const all[] = {
		m->poll_creation_message,    m->poll_creation_message_v2,
		m->poll_creation_message_v3, m->poll_creation_message_v5,
		m->poll_creation_message_v6,
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i] != NULL)
			return all[i];
	}
	return NULL;
}

/* What is about another message. */
bool wa_msg_take_addon(struct wa_msg_view *v, const Wa__Message *m)
{
	if (m->reaction_message != NULL) {
		v->type = WA_MSG_REACTION;
		v->target = wa_msg_key_view(m->reaction_message->key);
		v->text = m->reaction_message->text == NULL ? "" : m->reaction_message->text;
		v->sender_unix_ms = m->reaction_message->has_sender_timestamp_ms
		                        ? m->reaction_message->sender_timestamp_ms
		                        : 0;
	} else if (m->enc_reaction_message != NULL) {
		take_enc(v, WA_MSG_REACTION, "Enc Reaction", m->enc_reaction_message);
	} else if (m->poll_update_message != NULL) {
		take_vote(v, m->poll_update_message);
	} else if (m->enc_event_response_message != NULL) {
		take_enc(v, WA_MSG_EVENT_RESPONSE, "Event Response", m->enc_event_response_message);
	} else if (m->enc_comment_message != NULL) {
		take_enc(v, WA_MSG_COMMENT, "Enc Comment", m->enc_comment_message);
	} else if (m->secret_encrypted_message != NULL) {
		take_enc(v, WA_MSG_SECRET_EDIT, secret_use_case(m->secret_encrypted_message),
		         m->secret_encrypted_message);
	} else if (m->pin_in_chat_message != NULL) {
		v->type = WA_MSG_PIN;
		v->target = wa_msg_key_view(m->pin_in_chat_message->key);
		v->undone = m->pin_in_chat_message->has_type && m->pin_in_chat_message->type == 2;
		v->sender_unix_ms = m->pin_in_chat_message->has_sender_timestamp_ms
		                        ? m->pin_in_chat_message->sender_timestamp_ms
		                        : 0;
	} else if (m->keep_in_chat_message != NULL) {
		v->type = WA_MSG_KEEP;
		v->target = wa_msg_key_view(m->keep_in_chat_message->key);
		v->undone = m->keep_in_chat_message->has_keep_type &&
		            m->keep_in_chat_message->keep_type == 2;
	} else {
		return false;
	}
	return true;
}

bool wa_msg_take_other(struct wa_msg_view *v, const Wa__Message *m)
{
	if (wa_msg_poll(m) != NULL) {
		take_poll(v, wa_msg_poll(m));
	} else if (m->location_message != NULL) {
		v->type = WA_MSG_LOCATION;
		v->text = m->location_message->comment;
		wa_msg_take_location(v, m->location_message);
		wa_msg_take_context(v, m->location_message->context_info);
	} else if (m->live_location_message != NULL) {
		take_live_location(v, m->live_location_message);
	} else if (m->contact_message != NULL) {
		v->type = WA_MSG_CONTACT;
		v->contacts_n = 1;
		v->text = m->contact_message->display_name;
		wa_msg_take_context(v, m->contact_message->context_info);
	} else if (m->contacts_array_message != NULL) {
		v->type = WA_MSG_CONTACT;
		v->contacts_n = m->contacts_array_message->n_contacts;
		v->text = m->contacts_array_message->display_name;
		wa_msg_take_context(v, m->contacts_array_message->context_info);
	} else if (m->event_message != NULL) {
		take_event(v, m->event_message);
	} else if (m->group_invite_message != NULL) {
		take_invite(v, m->group_invite_message);
	} else if (m->album_message != NULL) {
		v->type = WA_MSG_ALBUM;
		wa_msg_take_context(v, m->album_message->context_info);
	} else if (m->poll_result_snapshot_message != NULL ||
	           m->poll_result_snapshot_message_v3 != NULL) {
		v->type = WA_MSG_POLL_RESULT;
		v->text =
		    (m->poll_result_snapshot_message != NULL ? m->poll_result_snapshot_message
		                                             : m->poll_result_snapshot_message_v3)
		        ->name;
	} else if (m->call != NULL || m->call_log_message != NULL ||
	           m->scheduled_call_creation_message != NULL) {
		v->type = WA_MSG_CALL;
		if (m->scheduled_call_creation_message != NULL)
			v->text = m->scheduled_call_creation_message->title;
	} else {
		return false;
	}
	return true;
}
