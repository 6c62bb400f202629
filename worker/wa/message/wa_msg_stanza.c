/* worker/wa/message/wa_msg_stanza.c - what stands beside the content: the client it came from, types for a
 * stanza */
#include <string.h>

#include "worker/wa/message/wa_msg_priv.h"

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
