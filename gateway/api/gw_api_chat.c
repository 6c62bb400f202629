/* gateway/api/gw_api_chat.c - stored messages and their files (contract 4.2 and 6) */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/err.h"
#include "common/json_out.h"
#include "gateway/api/gw_api_connect.h"
#include "gateway/http/gw_body.h"
#include "gateway/http/gw_json.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/supervision/gw_worker_ask.h"

#define COUNT_PRESET 50
#define MS_FROM 100000000000 /* a time of so much is in milliseconds */

/* One caller that waits for the worker. Owned by its request. */
struct asker {
	struct gw_req *req;
	struct gw_ask *ask; /* NULL: answered */
	struct buf out;     /* the answer */
};

static void asker_free(struct asker *a)
{
	buf_wipe(&a->out);
	free(a);
}

static void on_hangup(void *arg)
{
	struct asker *a = arg;

	gw_ask_cancel(a->ask);
	asker_free(a);
}

/* ---- failures ---------------------------------------------------------------------------------
 */

static const struct {
	int rc;
	int status;
	const char *message, *code;
} failures[] = {
	{ -ENOENT, 404, "Message not found", "message_not_found" },
	{ WA_EMEDIA_GONE, 410, "Media is no longer available", "media_gone" },
	{ WA_ELIMIT, 413, "Media is too large", "media_too_large" },
	{ WA_EAUTH, 502, "Media could not be verified", "media_invalid" },
	{ WA_EPROTO, 502, "Media could not be verified", "media_invalid" },
	{ WA_ETIMEOUT, 504, "WhatsApp did not answer in time", "timeout" },
};

/* There is no worker to ask. */
static void fail_no_worker(struct gw_req *req, const struct gw_instance *inst)
{
	if (gw_instance_is_linked(inst))
		gw_req_fail_with(req, 503, "Instance is not running", "not_running", NULL);
	else
		gw_req_fail(req, GW_ERR_NO_SESSION, NULL);
}

static void fail(struct gw_req *req, int rc, const char *detail)
{
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		if (failures[i].rc == rc) {
			gw_req_fail_with(req, failures[i].status, failures[i].message,
			                 failures[i].code, detail);
			return;
		}
	}
	if (rc == -EINVAL)
		gw_req_fail(req, GW_ERR_NUMBER, NULL);
	else if (rc == WA_EAT_CAPACITY || rc == -ENOMEM)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, detail);
	else if (rc == WA_ESHUTTING_DOWN)
		gw_req_fail(req, GW_ERR_SHUTTING_DOWN, NULL);
	else if (rc == WA_ENO_SESSION)
		gw_req_fail_with(req, 503, "Instance is not running", "not_running", detail);
	else
		gw_req_fail_with(req, 502, "WhatsApp could not be asked", wa_err_name(rc), detail);
}

static void fail_asker(struct asker *a, int rc, const char *detail)
{
	struct gw_req *req = a->req;

	asker_free(a);
	fail(req, rc, detail);
}

/* The ask is under way, or refused with rc. */
static void wait_or_fail(struct asker *a, const struct gw_instance *inst, int rc)
{
	struct gw_req *req = a->req;

	if (rc == 0) {
		gw_req_wait(req, false, on_hangup, a);
		return;
	}
	free(a);
	if (rc == WA_ENO_SESSION)
		fail_no_worker(req, inst);
	else
		fail(req, rc, NULL);
}

static struct asker *asker_new(struct gw_req *req)
{
	struct asker *a = calloc(1, sizeof(*a));

	if (a == NULL)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	else
		a->req = req;
	return a;
}

/* a->out is the answer, unless rc says otherwise. */
static void reply(struct asker *a, int rc)
{
	if (rc < 0)
		gw_req_fail(a->req, GW_ERR_AT_CAPACITY, NULL);
	else
		gw_req_reply_data(a->req, 200, "application/json", a->out.p, a->out.len);
	asker_free(a);
}

/* The beginning of an answer that the worker's data goes into, as it is. What is wrong shows in j.
 */
static struct json_out begin(struct asker *a, size_t data_len, const char *message)
{
	struct json_out j = json_out(&a->out);

	j.err = buf_reserve(&a->out, data_len + 2048);
	jout_obj(&j, NULL);
	jout_bool(&j, "success", true);
	jout_str(&j, "message", message);
	return j;
}

/* ---- files ------------------------------------------------------------------------------------
 */

static void on_media(const struct gw_ask_result *r, void *arg)
{
	struct asker *a = arg;
	struct buf *b = &a->out;
	struct json_out j;
	int rc;

	a->ask = NULL;
	if (r->rc != 0) {
		fail_asker(a, r->rc, r->detail);
		return;
	}
	j = begin(a, r->data_len, "Media retrieved successfully");
	jout_str(&j, "mimeType", r->mime_type != NULL ? r->mime_type : "application/octet-stream");
	jout_str(&j, "fileName", r->file_name != NULL ? r->file_name : "");
	rc = j.err;
	if (rc == 0) /* base64 needs no escape, and was checked */
		rc = buf_append_str(b, ",\"base64\":\"");
	if (rc == 0)
		rc = buf_append(b, r->data, r->data_len);
	if (rc == 0)
		rc = buf_append_str(b, "\"}");
	reply(a, rc);
}

void gw_api_chat_base64(struct gw_req *req)
{
	struct gw_instance *inst = gw_req_auth(req)->instance;
	char id[GW_ASK_ID_MAX + 1];
	struct asker *a;

	if (gw_req_param(req, "messageId", id, sizeof(id)) <= 0 || id[0] == '\0') {
		gw_req_fail_with(req, 400, "Message ID is required", "message_id_required", NULL);
		return;
	}
	if (!gw_instance_is_linked(inst)) { /* what it had went with its session */
		fail(req, -ENOENT, "the instance is not linked, and has no messages");
		return;
	}
	a = asker_new(req);
	if (a != NULL)
		wait_or_fail(a, inst,
		             gw_worker_ask_media(inst, id, GW_ASK_MEDIA_MAX, on_media, a, &a->ask));
}

/* ---- messages ---------------------------------------------------------------------------------
 */

/* The worker's text stands in ours as it is: so the whole must be what it looks like. */
static bool is_sound(const struct buf *b, uint32_t count)
{
	json_t *json = NULL;
	bool ok;

	if (gw_json_object(b->p, b->len, &json) < 0)
		return false;
	ok = json_object_size(json) == 6 &&
	     json_array_size(json_object_get(json, "messages")) == count;
	json_decref(json);
	return ok;
}

static void on_messages(const struct gw_ask_result *r, void *arg)
{
	struct asker *a = arg;
	struct buf *b = &a->out;
	struct json_out j;
	int rc;

	a->ask = NULL;
	if (r->rc != 0) {
		fail_asker(a, r->rc, r->detail);
		return;
	}
	j = begin(a, r->data_len, "Messages retrieved successfully");
	rc = j.err;
	if (rc == 0)
		rc = buf_append_str(b, ",\"messages\":");
	if (rc == 0)
		rc = buf_append(b, r->data, r->data_len);
	jout_int(&j, "count", r->count);
	jout_bool(&j, "hasMore", r->has_more);
	jout_str(&j, "chat_jid", r->chat);
	jout_obj_end(&j);
	if (rc == 0 && j.err == 0 && !is_sound(b, r->count))
		fail_asker(a, WA_EWORKER_CRASHED, "the worker's answer made no sense");
	else
		reply(a, rc < 0 ? rc : j.err);
}

/* "+hh:mm", "-hhmm", "Z" or nothing (UTC): seconds east. */
static bool read_zone(const char *p, long *east_s)
{
	int h, m, n = 0;

	*east_s = 0;
	if (*p == '\0' || strcmp(p, "Z") == 0)
		return true;
	if ((*p != '+' && *p != '-') ||
	    (sscanf(p + 1, "%2d:%2d%n", &h, &m, &n) != 2 &&
	     sscanf(p + 1, "%2d%2d%n", &h, &m, &n) != 2) ||
	    p[1 + n] != '\0' || h > 23 || m > 59 || h < 0 || m < 0)
		return false;
	*east_s = (h * 60L + m) * 60 * (*p == '-' ? -1 : 1);
	return true;
}

/* A date, or a date and time of RFC 3339. */
static bool read_text_time(const char *text, int64_t *unix_s_out)
{
	struct tm tm = { 0 };
	const char *p = strptime(text, "%Y-%m-%d", &tm);
	long east_s;

	if (p != NULL && (*p == 'T' || *p == ' '))
		p = strptime(p + 1, "%H:%M:%S", &tm);
	if (p == NULL)
		return false;
	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if (!read_zone(p, &east_s))
		return false;
	*unix_s_out = timegm(&tm) - east_s;
	return true;
}

/* Absent, null; a time as text; Unix time in seconds or milliseconds. */
static bool read_time(const json_t *body, const char *key, bool *has_out, int64_t *unix_s_out)
{
	const json_t *v = json_object_get(body, key);

	*has_out = v != NULL && !json_is_null(v);
	if (!*has_out)
		return true;
	if (json_is_integer(v)) {
		*unix_s_out = json_integer_value(v);
		if (*unix_s_out >= MS_FROM)
			*unix_s_out /= 1000;
		return *unix_s_out >= 0;
	}
	if (json_is_string(v) && json_string_value(v)[0] == '\0') {
		*has_out = false;
		return true;
	}
	return json_is_string(v) && read_text_time(json_string_value(v), unix_s_out);
}

/* A JID as it is, or a number as people write it. False: answered. */
static bool read_chat(struct gw_req *req, const json_t *body, char out[GW_ASK_CHAT_MAX + 1])
{
	const json_t *v = json_object_get(body, "number");
	const char *text = json_string_value(v);

	if (v != NULL && text == NULL) {
		gw_req_fail(req, GW_ERR_BODY, "number has to be a string");
		return false;
	}
	if (text != NULL && strchr(text, '@') != NULL && strlen(text) <= GW_ASK_CHAT_MAX) {
		memcpy(out, text, strlen(text) + 1);
		return true;
	}
	if (text == NULL || !gw_connect_number(text, out)) {
		gw_req_fail(req, GW_ERR_NUMBER, "number is a phone number or the JID of a chat");
		return false;
	}
	return true;
}

static bool read_question(struct gw_req *req, const json_t *body, struct gw_ask_messages *q)
{
	const json_t *count = json_object_get(body, "count");

	q->count = COUNT_PRESET;
	if (count != NULL && !json_is_null(count)) {
		json_int_t n = json_integer_value(count);

		if (!json_is_integer(count) || n < 1 || n > GW_ASK_MESSAGES_MAX) {
			gw_req_fail(req, GW_ERR_BODY, "count is a whole number from 1 to 500");
			return false;
		}
		q->count = (uint32_t)n;
	}
	if (!read_time(body, "from", &q->has_from, &q->from_unix_s) ||
	    !read_time(body, "to", &q->has_to, &q->to_unix_s)) {
		gw_req_fail(req, GW_ERR_BODY,
		            "from and to are times: RFC 3339, or Unix time in seconds");
		return false;
	}
	return true;
}

void gw_api_chat_history(struct gw_req *req)
{
	struct gw_instance *inst = gw_req_auth(req)->instance;
	struct gw_ask_messages q = { .ask_phone = true };
	char chat[GW_ASK_CHAT_MAX + 1];
	json_t *body = gw_body_read(req);
	struct asker *a;

	if (body == NULL)
		return;
	if (read_chat(req, body, chat) && read_question(req, body, &q)) {
		q.chat = chat;
		a = asker_new(req);
		if (a != NULL)
			wait_or_fail(a, inst,
			             gw_worker_ask_messages(inst, &q, on_messages, a, &a->ask));
	}
	json_decref(body);
}
