/* worker/wa/message/wa_msg_media.c - what comes with a message, and files in it */
#include "worker/wa/message/wa_msg_priv.h"

/* ---- small parts --------------------------------------------------------------------------------
 */

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

void wa_msg_take_context(struct wa_msg_view *v, const Wa__ContextInfo *c)
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
		wa_msg_take_context(v, (m)->context_info); \
	} while (0)

#define TAKE_SIZE(v, m) \
	do { \
		(v)->media.width = (m)->has_width ? (m)->width : 0; \
		(v)->media.height = (m)->has_height ? (m)->height : 0; \
	} while (0)

void wa_msg_take_image(struct wa_msg_view *v, const Wa__ImageMessage *m)
{
	TAKE_MEDIA(v, m);
	TAKE_SIZE(v, m);
	v->type = WA_MSG_IMAGE;
	v->text = m->caption;
	v->media.thumbnail = BYTES(m, jpeg_thumbnail);
	v->view_once |= m->has_view_once && m->view_once;
}

void wa_msg_take_video(struct wa_msg_view *v, const Wa__VideoMessage *m, bool video_note)
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

void wa_msg_take_document(struct wa_msg_view *v, const Wa__DocumentMessage *m)
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
	wa_msg_take_context(v, m->context_info);
}

bool wa_msg_take_media(struct wa_msg_view *v, const Wa__Message *m)
{
	if (m->image_message != NULL)
		wa_msg_take_image(v, m->image_message);
	else if (m->video_message != NULL)
		wa_msg_take_video(v, m->video_message, false);
	else if (m->ptv_message != NULL)
		wa_msg_take_video(v, m->ptv_message, true);
	else if (m->audio_message != NULL)
		take_audio(v, m->audio_message);
	else if (m->document_message != NULL)
		wa_msg_take_document(v, m->document_message);
	else if (m->sticker_message != NULL)
		take_sticker(v, m->sticker_message);
	else if (m->sticker_pack_message != NULL)
		take_sticker_pack(v, m->sticker_pack_message);
	else
		return false;
	return true;
}
