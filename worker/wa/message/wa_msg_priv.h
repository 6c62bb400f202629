/* worker/wa/message/wa_msg_priv.h - what wa_msg's files share: each fills in its part of a view */
#ifndef WA_MSG_PRIV_H
#define WA_MSG_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/wa_msg.pb-c.h"
#include "worker/wa/message/wa_msg.h"

static inline struct wa_bytes bytes_of(protobuf_c_boolean has, const ProtobufCBinaryData *b)
{
	if (!has)
		return (struct wa_bytes){ 0 };
	/* an empty field is present, too */
	return (struct wa_bytes){ b->data == NULL ? (const uint8_t *)"" : b->data, b->len };
}

#define BYTES(m, field) bytes_of((m)->has_##field, &(m)->field)

/* Each takes what is there; NULL: nothing is. The text of media is its caption. */
void wa_msg_take_context(struct wa_msg_view *v, const Wa__ContextInfo *c);
void wa_msg_take_text(struct wa_msg_view *v, const Wa__ExtendedTextMessage *m);
void wa_msg_take_image(struct wa_msg_view *v, const Wa__ImageMessage *m);
void wa_msg_take_video(struct wa_msg_view *v, const Wa__VideoMessage *m, bool video_note);
void wa_msg_take_document(struct wa_msg_view *v, const Wa__DocumentMessage *m);
void wa_msg_take_location(struct wa_msg_view *v, const Wa__LocationMessage *m);

/* False: it is none of these. */
bool wa_msg_take_media(struct wa_msg_view *v, const Wa__Message *m);
bool wa_msg_take_addon(struct wa_msg_view *v, const Wa__Message *m); /* about another message */
bool wa_msg_take_other(struct wa_msg_view *v, const Wa__Message *m);
bool wa_msg_take_business(struct wa_msg_view *v, const Wa__Message *m);

/* NULL: it has none. */
const Wa__PollCreationMessage *wa_msg_poll(const Wa__Message *m);

#endif
