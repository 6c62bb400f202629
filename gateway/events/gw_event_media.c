/* gateway/events/gw_event_media.c - an event with its file in it */
#include "gateway/events/gw_event_media.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json_text.h"
#include "gateway/supervision/gw_worker_ask.h"

int gw_event_message_id(const struct gw_event *e, char *out, size_t out_cap)
{
	json_t *data = json_text_read(e->text + e->data_at, e->data_len, 0);
	const char *id = json_string_value(json_object_get(data, "id"));
	int rc = id != NULL && *id != '\0' && strlen(id) < out_cap ? 0 : -ENOENT;

	if (rc == 0)
		memcpy(out, id, strlen(id) + 1);
	json_decref(data);
	return rc;
}

/* As GET /api/chat/base64 names it. */
static const char *code_of(int rc)
{
	switch (rc) {
	case -ENOENT:
		return "message_not_found";
	case WA_ELIMIT:
		return "media_too_large";
	case WA_EAUTH:
	case WA_EPROTO:
		return "media_invalid";
	}
	return wa_err_name(rc);
}

static int set_media(json_t *media, const struct gw_ask_result *r)
{
	json_t *v;

	if (r->rc == 0)
		return json_object_set_new(media, "base64",
		                           json_stringn_nocheck(r->data, r->data_len));
	v = json_pack("{s:s, s:s}", "code", code_of(r->rc), "detail",
	              r->detail != NULL ? r->detail : "the file could not be fetched");
	return json_object_set_new(media, "error", v);
}

int gw_event_text_with_media(const struct gw_event *e, const struct gw_ask_result *r,
                             struct buf *out)
{
	json_t *event = json_text_read(e->text, e->text_len, 0);
	json_t *media =
	    json_object_get(json_object_get(json_object_get(event, "data"), "message"), "media");
	size_t len = out->len;
	int rc;

	if (event != NULL && !json_is_object(media)) {
		json_decref(event);
		return buf_append(out, e->text, e->text_len);
	}
	rc = event == NULL || set_media(media, r) < 0 || json_text_append(event, 0, out) < 0
	         ? -ENOMEM
	         : 0;
	if (rc < 0)
		out->len = len;
	json_decref(event);
	return rc;
}
