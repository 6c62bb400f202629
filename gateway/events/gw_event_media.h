/* gateway/events/gw_event_media.h - an event with its file in it, for receivers that asked for mediaBase64
 */
#ifndef GW_EVENT_MEDIA_H
#define GW_EVENT_MEDIA_H

#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "gateway/events/gw_event.h"

struct gw_ask_result;

/* The id of the message that e tells of: data.id. out holds out_cap bytes. 0; -ENOENT: it has none,
 * or it does not fit. */
ATTR_NODISCARD int gw_event_message_id(const struct gw_event *e, char *out, size_t out_cap);
/*
 * Append e's text with data.message.media.base64, what was asked for with gw_worker_ask_media();
 * where that failed with media.error, {code, detail}. An event without media is appended as it is.
 * 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_event_text_with_media(const struct gw_event *e, const struct gw_ask_result *r,
                                            struct buf *out);

#endif
