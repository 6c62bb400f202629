/*
 * simulator/media/sim_media_http.h - the media host: one request on a connection of the WhatsApp side
 *
 * POST /mms/TYPE/TOKEN?auth=...  upload; TOKEN must be the hash of the body
 * GET  /v/...                    download, also of a range; `hash`, if it is there, must fit
 * DELETE /mms/TYPE/TOKEN?...     the blob is no longer needed
 * Each connection carries one request. Source: protocol notes 09 and 07 section 6.
 */
#ifndef SIM_MEDIA_HTTP_H
#define SIM_MEDIA_HTTP_H

#include <event2/buffer.h>

#include "common/attr.h"
#include "simulator/wire/sim_http.h"

struct sim_client;
struct sim_media_request;

/* Begin; what is needed of req is copied. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_media_request_new(struct sim_client *c, const struct sim_http_request *req,
                                         struct sim_media_request **r_out);
void sim_media_request_free(struct sim_media_request *r); /* NULL is fine */

/* Take what has come; answers when all of it is here. */
void sim_media_request_feed(struct sim_media_request *r, struct evbuffer *in);
/* The socket takes more of the answer. */
void sim_media_request_drained(struct sim_media_request *r);

#endif
