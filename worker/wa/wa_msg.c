/* worker/wa/wa_msg.c - what a message says: the Message protobuf, unwrapped and classified */
#include "worker/wa/wa_msg.h"

#include <string.h>

#include "common/err.h"
#include "proto/wa_msg.pb-c.h"

const struct pb_limits wa_msg_limits = {
	.bytes_max = WA_MSG_MAX_LEN,
	.memory_max = WA_MSG_MEMORY_MAX,
	.depth_max = 32, /* eight wrappers of two levels, content, context, and some */
};

int wa_msg_parse(struct wa_pool *a, const uint8_t *data, size_t data_len,
                 struct Wa__Message **msg_out)
{
	ProtobufCMessage *msg;
	int rc;

	rc = wa_pool_unpack(a, &wa__message__descriptor, data, data_len, &wa_msg_limits, &msg);
	if (rc == 0)
		*msg_out = (Wa__Message *)msg;
	return rc;
}

const char *wa_msg_type_name(enum wa_msg_type t)
{
	static const char *const names[] = {
#define X(id, name) [id] = name,
		WA_MSG_TYPE_LIST(X)
#undef X
	};

	return names[t];
}

/* ---- small parts --------------------------------------------------------------------------------
 */

static struct wa_bytes bytes_of(protobuf_c_boolean has, const ProtobufCBinaryData *b)
{
	if (!has)
		return (struct wa_bytes){ 0 };
	/* an empty field is present, too */
	return (struct wa_bytes){ b->data == NULL ? (const uint8_t *)"" : b->data, b->len };
}

#define BYTES(m, field) bytes_of((m)->has_##field, &(m)->field)

struct wa_msg_key wa_msg_key_view(const struct Wa__MessageKey *key)
{
	if (key == NULL)
		return (struct wa_msg_key){ 0 };
	return (struct wa_msg_key){
		.chat = key->remote_jid,
		.id = key->id,
		.participant = key->participant,
		.from_me = key->has_from_me && key->from_me,
	};
}

static void take_context(struct wa_msg_view *v, const Wa__ContextInfo *c)
{
	if (c == NULL)
		return;
	v->quoted.id = c->stanza_id;
	v->quoted.participant = c->participant;
	v->quoted.chat = c->remote_jid;
	v->quoted_message = BYTES(c, quoted_message);
	v->mentions = c->mentioned_jid;
	v->mentions_n = c->n_mentioned_jid;
	v->mentions_everyone = c->has_non_jid_mentions && c->non_jid_mentions != 0;
	v->forwarded = c->has_is_forwarded && c->is_forwarded;
	v->forwarding_score = c->has_forwarding_score ? c->forwarding_score : 0;
	v->expiration_s = c->has_expiration ? c->expiration : 0;
}

/* ---- media --------------------------------------------------------------------------------------
 *
 * The five media messages have the same fields under other numbers.
 */

#define TAKE_MEDIA(v, m) \
	do { \
		(v)->has_media = true; \
		(v)->media.url = (m)->url; \
		(v)->media.direct_path = (m)->direct_path; \
		(v)->media.mimetype = (m)->mimetype; \
		(v)->media.media_key = BYTES(m, media_key); \
		(v)->media.sha256 = BYTES(m, file_sha256); \
		(v)->media.enc_sha256 = BYTES(m, file_enc_sha256); \
		(v)->media.file_len = (m)->has_file_length ? (m)->file_length : 0; \
		(v)->media.key_unix_s = \
		    (m)->has_media_key_timestamp ? (m)->media_key_timestamp : 0; \
		take_context(v, (m)->context_info); \
	} while (0)

#define TAKE_SIZE(v, m) \
	do { \
		(v)->media.width = (m)->has_width ? (m)->width : 0; \
		(v)->media.height = (m)->has_height ? (m)->height : 0; \
	} while (0)

static void take_image(struct wa_msg_view *v, const Wa__ImageMessage *m)
{
	TAKE_MEDIA(v, m);
	TAKE_SIZE(v, m);
	v->type = WA_MSG_IMAGE;
	v->text = m->caption;
	v->media.thumbnail = BYTES(m, jpeg_thumbnail);
	v->view_once |= m->has_view_once && m->view_once;
}

static void take_video(struct wa_msg_view *v, const Wa__VideoMessage *m, bool video_note)
{
	TAKE_MEDIA(v, m);
	TAKE_SIZE(v, m);
	v->type = WA_MSG_VIDEO;
	v->text = m->caption;
	v->media.seconds = m->has_seconds ? m->seconds : 0;
	v->media.gif = m->has_gif_playback && m->gif_playback;
	v->media.video_note = video_note;
	v->media.thumbnail = BYTES(m, jpeg_thumbnail);
	v->view_once |= m->has_view_once && m->view_once;
}

static void take_audio(struct wa_msg_view *v, const Wa__AudioMessage *m)
{
	TAKE_MEDIA(v, m);
	v->type = WA_MSG_AUDIO;
	v->media.seconds = m->has_seconds ? m->seconds : 0;
	v->media.voice_note = m->has_ptt && m->ptt;
	v->media.waveform = BYTES(m, waveform);
	v->view_once |= m->has_view_once && m->view_once;
}

static void take_document(struct wa_msg_view *v, const Wa__DocumentMessage *m)
{
	TAKE_MEDIA(v, m);
	v->type = WA_MSG_DOCUMENT;
	v->text = m->caption;
	v->media.title = m->title;
	v->media.file_name = m->file_name;
	v->media.pages = m->has_page_count ? m->page_count : 0;
	v->media.thumbnail = BYTES(m, jpeg_thumbnail);
}

static void take_sticker(struct wa_msg_view *v, const Wa__StickerMessage *m)
{
	TAKE_MEDIA(v, m);
	TAKE_SIZE(v, m);
	v->type = WA_MSG_STICKER;
	v->media.animated = m->has_is_animated && m->is_animated;
	v->media.thumbnail = BYTES(m, png_thumbnail);
}

static void take_sticker_pack(struct wa_msg_view *v, const Wa__StickerPackMessage *m)
{
	v->type = WA_MSG_STICKER_PACK;
	v->has_media = true;
	v->title = m->name;
	v->text = m->caption;
	v->media.direct_path = m->direct_path;
	v->media.media_key = BYTES(m, media_key);
	v->media.sha256 = BYTES(m, file_sha256);
	v->media.enc_sha256 = BYTES(m, file_enc_sha256);
	v->media.file_len = m->has_file_length ? m->file_length : 0;
	take_context(v, m->context_info);
}

/* ---- other content ------------------------------------------------------------------------------
 */

static void take_text(struct wa_msg_view *v, const Wa__ExtendedTextMessage *m)
{
	v->type = WA_MSG_TEXT;
	v->text = m->text;
	v->title = m->title;
	v->view_once |= m->has_view_once && m->view_once;
	take_context(v, m->context_info);
}

static void take_location(struct wa_msg_view *v, const Wa__LocationMessage *m)
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
	take_context(v, m->context_info);
}

static void take_poll(struct wa_msg_view *v, const Wa__PollCreationMessage *m)
{
	v->type = WA_MSG_POLL;
	v->text = m->name;
	v->options_n = m->n_options;
	v->selectable_n = m->has_selectable_options_count ? m->selectable_options_count : 0;
	take_context(v, m->context_info);
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
		take_location(v, m->location);
	take_context(v, m->context_info);
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
	default: /* 4, 5: other clients read a new option with the key of an edit */
		return "Poll Edit";
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
	take_context(v, m->context_info);
}

/* ---- what businesses send -----------------------------------------------------------------------
 */

/* The picture, film, file or place above the text; NULL for none of them. Keeps v->type and text.
 */
static void take_header(struct wa_msg_view *v, const Wa__ImageMessage *image,
                        const Wa__VideoMessage *video, const Wa__DocumentMessage *document,
                        const Wa__LocationMessage *location)
{
	enum wa_msg_type type = v->type;
	const char *text = v->text;

	if (image != NULL)
		take_image(v, image);
	else if (video != NULL)
		take_video(v, video, false);
	else if (document != NULL)
		take_document(v, document);
	if (location != NULL)
		take_location(v, location);
	v->type = type;
	v->text = text;
}

static void take_interactive(struct wa_msg_view *v, const Wa__InteractiveMessage *m)
{
	const Wa__InteractiveHeader *h = m->header;

	v->type = WA_MSG_INTERACTIVE;
	v->text = m->body == NULL ? NULL : m->body->text;
	v->footer = m->footer == NULL ? NULL : m->footer->text;
	if (h != NULL) {
		v->title = h->title;
		take_header(v, h->image_message, h->video_message, h->document_message,
		            h->location_message);
	}
	take_context(v, m->context_info);
}

static void take_template(struct wa_msg_view *v, const Wa__TemplateMessage *m)
{
	const Wa__HydratedFourRowTemplate *t =
	    m->hydrated_template != NULL ? m->hydrated_template : m->hydrated_four_row_template;

	v->type = WA_MSG_TEMPLATE;
	if (t != NULL) {
		v->title = t->hydrated_title_text;
		v->text = t->hydrated_content_text;
		v->footer = t->hydrated_footer_text;
		take_header(v, t->image_message, t->video_message, t->document_message,
		            t->location_message);
	} else if (m->interactive_message_template != NULL) {
		take_interactive(v, m->interactive_message_template);
		v->type = WA_MSG_TEMPLATE;
	}
	if (m->context_info != NULL)
		take_context(v, m->context_info);
}

static void take_buttons(struct wa_msg_view *v, const Wa__ButtonsMessage *m)
{
	v->type = WA_MSG_BUTTONS;
	v->title = m->text;
	v->text = m->content_text;
	v->footer = m->footer_text;
	take_header(v, m->image_message, m->video_message, m->document_message,
	            m->location_message);
	take_context(v, m->context_info);
}

static void take_product(struct wa_msg_view *v, const Wa__ProductMessage *m)
{
	v->type = WA_MSG_PRODUCT;
	v->text = m->body;
	if (m->product != NULL) {
		v->title = m->product->title;
		v->choice_id = m->product->product_id;
		if (v->text == NULL)
			v->text = m->product->description;
		take_header(v, m->product->product_image, NULL, NULL, NULL);
	}
	take_context(v, m->context_info);
}

static void take_reply(struct wa_msg_view *v, const char *id, const char *text,
                       const Wa__ContextInfo *context)
{
	v->type = WA_MSG_REPLY;
	v->choice_id = id;
	v->text = text;
	take_context(v, context);
}

static bool take_business(struct wa_msg_view *v, const Wa__Message *m)
{
	if (m->list_message != NULL) {
		v->type = WA_MSG_LIST;
		v->title = m->list_message->title;
		v->text = m->list_message->description;
		v->footer = m->list_message->footer_text;
		take_context(v, m->list_message->context_info);
	} else if (m->buttons_message != NULL) {
		take_buttons(v, m->buttons_message);
	} else if (m->template_message != NULL) {
		take_template(v, m->template_message);
	} else if (m->highly_structured_message != NULL) {
		v->type = WA_MSG_TEMPLATE;
		if (m->highly_structured_message->hydrated_hsm != NULL)
			take_template(v, m->highly_structured_message->hydrated_hsm);
	} else if (m->interactive_message != NULL) {
		take_interactive(v, m->interactive_message);
	} else if (m->list_response_message != NULL) {
		const Wa__ListResponseMessage *r = m->list_response_message;

		take_reply(v,
		           r->single_select_reply == NULL ? NULL
		                                          : r->single_select_reply->selected_row_id,
		           r->title, r->context_info);
	} else if (m->buttons_response_message != NULL) {
		const Wa__ButtonsResponseMessage *r = m->buttons_response_message;

		take_reply(v, r->selected_button_id, r->selected_display_text, r->context_info);
	} else if (m->template_button_reply_message != NULL) {
		const Wa__TemplateButtonReplyMessage *r = m->template_button_reply_message;

		take_reply(v, r->selected_id, r->selected_display_text, r->context_info);
	} else if (m->interactive_response_message != NULL) {
		const Wa__InteractiveResponseMessage *r = m->interactive_response_message;
		const Wa__NativeFlowResponseMessage *f = r->native_flow_response_message;

		take_reply(v, f == NULL ? NULL : f->params_json,
		           r->body == NULL ? NULL : r->body->text, r->context_info);
	} else if (m->product_message != NULL) {
		take_product(v, m->product_message);
	} else if (m->order_message != NULL) {
		v->type = WA_MSG_ORDER;
		v->title = m->order_message->order_title;
		v->text = m->order_message->message;
		v->choice_id = m->order_message->order_id;
		take_context(v, m->order_message->context_info);
	} else {
		return false;
	}
	return true;
}

/* ---- what it is ---------------------------------------------------------------------------------
 */

static bool take_media(struct wa_msg_view *v, const Wa__Message *m)
{
	if (m->image_message != NULL)
		take_image(v, m->image_message);
	else if (m->video_message != NULL)
		take_video(v, m->video_message, false);
	else if (m->ptv_message != NULL)
		take_video(v, m->ptv_message, true);
	else if (m->audio_message != NULL)
		take_audio(v, m->audio_message);
	else if (m->document_message != NULL)
		take_document(v, m->document_message);
	else if (m->sticker_message != NULL)
		take_sticker(v, m->sticker_message);
	else if (m->sticker_pack_message != NULL)
		take_sticker_pack(v, m->sticker_pack_message);
	else
		return false;
	return true;
}

static const Wa__PollCreationMessage *find_poll(const Wa__Message *m)
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
static bool take_addon(struct wa_msg_view *v, const Wa__Message *m)
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

static bool take_other(struct wa_msg_view *v, const Wa__Message *m)
{
	if (find_poll(m) != NULL) {
		take_poll(v, find_poll(m));
	} else if (m->location_message != NULL) {
		v->type = WA_MSG_LOCATION;
		v->text = m->location_message->comment;
		take_location(v, m->location_message);
		take_context(v, m->location_message->context_info);
	} else if (m->live_location_message != NULL) {
		take_live_location(v, m->live_location_message);
	} else if (m->contact_message != NULL) {
		v->type = WA_MSG_CONTACT;
		v->contacts_n = 1;
		v->text = m->contact_message->display_name;
		take_context(v, m->contact_message->context_info);
	} else if (m->contacts_array_message != NULL) {
		v->type = WA_MSG_CONTACT;
		v->contacts_n = m->contacts_array_message->n_contacts;
		v->text = m->contacts_array_message->display_name;
		take_context(v, m->contacts_array_message->context_info);
	} else if (m->event_message != NULL) {
		take_event(v, m->event_message);
	} else if (m->group_invite_message != NULL) {
		take_invite(v, m->group_invite_message);
	} else if (m->album_message != NULL) {
		v->type = WA_MSG_ALBUM;
		take_context(v, m->album_message->context_info);
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

/* A ProtocolMessage that is no edit. */
static void take_protocol(struct wa_msg_view *v, const Wa__ProtocolMessage *p)
{
	/* type 0 is not written by every client: its absence is a revoke, too */
	int32_t type = p->has_type ? p->type : WA_PROTO_REVOKE;

	v->protocol = p;
	v->type = WA_MSG_PROTOCOL;
	if (type == WA_PROTO_REVOKE && p->key != NULL) {
		v->type = WA_MSG_REVOKE;
		v->target = wa_msg_key_view(p->key);
	} else if (type == WA_PROTO_EPHEMERAL_SETTING || type == WA_PROTO_EPHEMERAL_SYNC_RESPONSE) {
		v->type = WA_MSG_DISAPPEARING;
		v->expiration_s = p->has_ephemeral_expiration ? p->ephemeral_expiration : 0;
	}
}

/* Fields that accompany content, whatever it is. */
static bool has_unknown_content(const Wa__Message *m)
{
	return m->base.n_unknown_fields > 0 || m->placeholder_message != NULL;
}

static void classify(struct wa_msg_view *v, const Wa__Message *m)
{
	v->inner = m;
	if (m->conversation != NULL) {
		v->type = WA_MSG_TEXT;
		v->text = m->conversation;
	} else if (m->extended_text_message != NULL) {
		take_text(v, m->extended_text_message);
	} else if (m->protocol_message != NULL) {
		take_protocol(v, m->protocol_message);
	} else if (!take_media(v, m) && !take_addon(v, m) && !take_other(v, m) &&
	           !take_business(v, m)) {
		v->type = has_unknown_content(m) ? WA_MSG_UNSUPPORTED : WA_MSG_NONE;
	}
}

/* ---- wrappers -----------------------------------------------------------------------------------
 */

#define WRAP_EPHEMERAL 1u
#define WRAP_VIEW_ONCE 2u
#define WRAP_STATUS 4u

static const struct wrapper {
	size_t at; /* of a pointer to a FutureProofMessage in Wa__Message */
	unsigned flags;
} wrappers[] = {
	{ offsetof(Wa__Message, ephemeral_message), WRAP_EPHEMERAL },
	{ offsetof(Wa__Message, view_once_message), WRAP_VIEW_ONCE },
	{ offsetof(Wa__Message, view_once_message_v2), WRAP_VIEW_ONCE },
	{ offsetof(Wa__Message, view_once_message_v2_extension), WRAP_VIEW_ONCE },
	{ offsetof(Wa__Message, document_with_caption_message), 0 },
	{ offsetof(Wa__Message, edited_message), 0 },
	{ offsetof(Wa__Message, lottie_sticker_message), 0 },
	{ offsetof(Wa__Message, group_mentioned_message), 0 },
	{ offsetof(Wa__Message, bot_invoke_message), 0 },
	{ offsetof(Wa__Message, event_cover_image), 0 },
	{ offsetof(Wa__Message, status_mention_message), WRAP_STATUS },
	{ offsetof(Wa__Message, poll_creation_option_image_message), 0 },
	{ offsetof(Wa__Message, associated_child_message), 0 },
	{ offsetof(Wa__Message, group_status_mention_message), WRAP_STATUS },
	{ offsetof(Wa__Message, poll_creation_message_v4), 0 },
	{ offsetof(Wa__Message, status_add_yours), WRAP_STATUS },
	{ offsetof(Wa__Message, group_status_message), WRAP_STATUS },
	{ offsetof(Wa__Message, limit_sharing_message), 0 },
	{ offsetof(Wa__Message, bot_task_message), 0 },
	{ offsetof(Wa__Message, question_message), 0 },
	{ offsetof(Wa__Message, group_status_message_v2), WRAP_STATUS },
	{ offsetof(Wa__Message, bot_forwarded_message), 0 },
	{ offsetof(Wa__Message, question_reply_message), 0 },
	{ offsetof(Wa__Message, newsletter_admin_profile_message), 0 },
	{ offsetof(Wa__Message, spoiler_message), 0 },
};

/* What m wraps, or NULL: it is the content. */
static const Wa__Message *unwrap(struct wa_msg_view *v, const Wa__Message *m)
{
	const Wa__ProtocolMessage *p = m->protocol_message;

	if (m->device_sent_message != NULL && m->device_sent_message->message != NULL) {
		v->from_own_device = true;
		v->destination = m->device_sent_message->destination_jid;
		return m->device_sent_message->message;
	}
	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
		Wa__FutureProofMessage *w;

		memcpy(&w, (const char *)m + wrappers[i].at, sizeof(w));
		if (w == NULL || w->message == NULL)
			continue;
		v->ephemeral |= (wrappers[i].flags & WRAP_EPHEMERAL) != 0;
		v->view_once |= (wrappers[i].flags & WRAP_VIEW_ONCE) != 0;
		v->status |= (wrappers[i].flags & WRAP_STATUS) != 0;
		return w->message;
	}
	if (p != NULL && p->has_type && p->type == WA_PROTO_MESSAGE_EDIT &&
	    p->edited_message != NULL && !v->is_edit) {
		v->is_edit = true;
		v->edited = wa_msg_key_view(p->key);
		v->sender_unix_ms = p->has_timestamp_ms ? p->timestamp_ms : 0;
		return p->edited_message;
	}
	return NULL;
}

/* What may stand beside content at any level; the innermost one counts. */
static void take_beside(struct wa_msg_view *v, const Wa__Message *m)
{
	const Wa__MessageContextInfo *c = m->message_context_info;
	const Wa__SenderKeyDistributionMessage *d = m->sender_key_distribution_message;

	if (d == NULL)
		d = m->fast_ratchet_key_sender_key_distribution_message;
	if (d != NULL)
		v->sender_key_distribution = BYTES(d, axolotl_sender_key_distribution_message);
	if (c == NULL)
		return;
	if (c->has_message_secret)
		v->message_secret = BYTES(c, message_secret);
	if (c->message_association != NULL && c->message_association->has_association_type &&
	    c->message_association->association_type == 1)
		v->album = wa_msg_key_view(c->message_association->parent_message_key);
}

int wa_msg_view(const struct Wa__Message *msg, struct wa_msg_view *view_out)
{
	const Wa__Message *inner = msg;
	struct wa_msg_view v = { 0 };
	unsigned n = 0;

	do {
		msg = inner;
		if (n++ > WA_MSG_WRAP_MAX)
			return WA_ELIMIT;
		take_beside(&v, msg);
		inner = unwrap(&v, msg);
	} while (inner != NULL);
	classify(&v, msg);
	*view_out = v;
	return 0;
}

/* ---- parts of a view ----------------------------------------------------------------------------
 */

struct wa_msg_contact wa_msg_contact(const struct wa_msg_view *v, size_t i)
{
	const Wa__ContactMessage *c = v->inner->contact_message;

	if (c == NULL)
		c = v->inner->contacts_array_message->contacts[i];
	return (struct wa_msg_contact){ c->display_name, c->vcard };
}

const char *wa_msg_option(const struct wa_msg_view *v, size_t i)
{
	const Wa__PollOption *o = find_poll(v->inner)->options[i];

	return o->option_name == NULL ? "" : o->option_name;
}

/* ---- beside the content -------------------------------------------------------------------------
 */

const char *wa_msg_source(const char *id)
{
	size_t n = strlen(id);

	if (strspn(id, "0123456789ABCDEF") != n)
		return "unknown";
	if (strncmp(id, "3EB0", 4) == 0)
		return "web";
	if (strncmp(id, "3A", 2) == 0 && n == 20)
		return "ios";
	if (n == 32 || (n >= 18 && n <= 22))
		return "android";
	return "unknown";
}

static const char *media_type_of(const struct wa_msg_view *v)
{
	switch (v->type) {
	case WA_MSG_IMAGE:
		return "image";
	case WA_MSG_VIDEO:
		return v->media.video_note ? "ptv" : v->media.gif ? "gif" : "video";
	case WA_MSG_AUDIO:
		return v->media.voice_note ? "ptt" : "audio";
	case WA_MSG_DOCUMENT:
		return "document";
	case WA_MSG_STICKER:
		return "sticker";
	case WA_MSG_STICKER_PACK:
		return "sticker_pack";
	case WA_MSG_LOCATION:
		return v->location.live ? "livelocation" : "location";
	case WA_MSG_CONTACT:
		return v->inner->contact_message != NULL ? "vcard" : "contact_array";
	case WA_MSG_LIST:
		return "list";
	case WA_MSG_BUTTONS:
		return "button";
	case WA_MSG_REPLY:
		if (v->inner->list_response_message != NULL)
			return "list_response";
		return v->inner->interactive_response_message != NULL ? "native_flow_response"
		                                                      : "buttons_response";
	case WA_MSG_ORDER:
		return "order";
	case WA_MSG_PRODUCT:
		return "product";
	case WA_MSG_GROUP_INVITE:
		return "url";
	case WA_MSG_TEXT: {
		const Wa__ExtendedTextMessage *m = v->inner->extended_text_message;
		const char *link = m == NULL ? NULL : m->matched_text;

		return link != NULL && link[strspn(link, " \t\r\n")] != '\0' ? "url" : NULL;
	}
	default: /* the rest has none */
		return NULL;
	}
}

const char *wa_msg_stanza_type(const struct wa_msg_view *v, const char **mediatype_out)
{
	*mediatype_out = v->is_edit ? NULL : media_type_of(v);
	if (*mediatype_out != NULL)
		return "media";
	if (v->is_edit)
		return "text";
	switch (v->type) {
	case WA_MSG_REACTION:
		return "reaction";
	case WA_MSG_POLL:
	case WA_MSG_POLL_VOTE:
		return "poll";
	case WA_MSG_EVENT:
	case WA_MSG_EVENT_RESPONSE:
		return "event";
	case WA_MSG_SECRET_EDIT:
		return strcmp(v->enc.use_case, "Poll Edit") == 0    ? "poll"
		       : strcmp(v->enc.use_case, "Event Edit") == 0 ? "event"
		                                                    : "text";
	default:
		return "text";
	}
}
