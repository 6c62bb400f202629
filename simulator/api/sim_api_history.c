/* simulator/api/sim_api_history.c - the routes of the control API: what a phone's history holds,
 * and what of it was told to whom
 */
#include <errno.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/codec.h"
#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/api/sim_api_media.h"
#include "simulator/history/sim_hostile.h"
#include "simulator/history/sim_sync.h"
#include "simulator/sim.h"

/* ---- what there is -----------------------------------------------------------------------------
 */

static json_t *text_or_null(const char *text)
{
	return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *chat_json(const struct sim_chat *c)
{
	return json_pack("{s:I, s:s, s:s, s:b, s:o, s:o, s:s, s:I, s:b, s:b, s:b, s:I}", "chat",
	                 (json_int_t)c->number, "jid", c->id, "form", sim_chat_word(c->form),
	                 "group", c->group, "pn", text_or_null(c->pn), "lid", text_or_null(c->lid),
	                 "name", c->name, "messages", (json_int_t)c->messages, "archived",
	                 c->archived, "pinned", c->pinned, "muted", c->muted, "unread",
	                 (json_int_t)c->unread);
}

static json_t *file_json(const struct sim_history *h, const struct sim_chat *c,
                         const struct sim_history_msg *m)
{
	struct sim_media_file f;
	struct buf stored = { 0 };
	json_t *j = json_null();

	if (m->has_media && sim_history_file(h, c, m, &stored, &f) == 0)
		j = sim_api_media_json(&f);
	buf_free(&stored);
	return j;
}

static json_t *message_json(const struct sim_history *h, const struct sim_chat *c,
                            const struct sim_history_msg *m, bool files)
{
	json_t *j =
	    json_pack("{s:I, s:s, s:s, s:b, s:o, s:I, s:I, s:s, s:o, s:s, s:b}", "number",
	              (json_int_t)m->number, "id", m->id, "chat", c->id, "fromMe", m->from_me,
	              "sender", text_or_null(m->sender), "timestamp", (json_int_t)m->unix_s,
	              "order", (json_int_t)m->order, "type", m->type, "text", text_or_null(m->text),
	              "pushName", m->push_name, "hasMedia", m->has_media);

	if (m->stub != 0)
		json_object_set_new(j, "stub", json_integer(m->stub));
	if (files)
		json_object_set_new(j, "media", file_json(h, c, m));
	return j;
}

struct ask {
	json_int_t chat; /* -1: any */
	bool messages, files;
	int64_t from, to;
};

/* One line of the array, without keeping the whole list in memory. */
static void add_line(struct sim_call *call, json_t *j, bool *first)
{
	char *text = j == NULL ? NULL : json_dumps(j, JSON_COMPACT);

	if (text != NULL)
		evbuffer_add_printf(call->text, "%s%s", *first ? "" : ",\n", text);
	*first = false;
	free(text);
	json_decref(j);
}

static int add_messages(struct sim_call *call, const struct sim_history *h,
                        const struct sim_chat *c, const struct ask *ask, bool *first)
{
	uint32_t low = sim_history_before(h, c, ask->from);
	uint32_t high = sim_history_before(h, c, ask->to);
	struct sim_history_msg m;
	int rc = 0;

	for (uint32_t i = low; rc == 0 && i < high; i++) {
		rc = sim_history_msg(h, c, i, &m);
		if (rc == 0)
			add_line(call, message_json(h, c, &m, ask->files), first);
	}
	return rc;
}

static bool take_query(struct sim_call *call, struct ask *ask)
{
	struct evkeyvalq query;
	const struct evkeyval *kv;
	bool ok = true;

	if (evhttp_parse_query_str(call->query == NULL ? "" : call->query, &query) < 0)
		ok = false;
	TAILQ_FOREACH(kv, &query, next)
	{
		uint64_t v;

		if (!ok || dec_decode(kv->value, INT64_MAX, &v) < 0)
			ok = false;
		else if (strcmp(kv->key, "chat") == 0)
			ask->chat = (json_int_t)v;
		else if (strcmp(kv->key, "from") == 0)
			ask->from = (int64_t)v;
		else if (strcmp(kv->key, "to") == 0)
			ask->to = (int64_t)v;
		else if (strcmp(kv->key, "messages") == 0)
			ask->messages = v != 0;
		else if (strcmp(kv->key, "files") == 0)
			ask->files = v != 0;
		else
			ok = false;
	}
	evhttp_clear_headers(&query);
	if (!ok)
		sim_call_error(call, 400, "bad_request",
		               "known are chat, from, to, messages, files, all numbers");
	return ok;
}

static int add_lists(struct sim_call *call, const struct sim_history *h, const struct ask *ask)
{
	uint32_t chat = ask->chat < 0 ? 0 : (uint32_t)ask->chat;
	uint32_t end = ask->chat < 0 ? h->chats : chat + 1;
	bool first = true;
	struct sim_chat c;
	int rc = 0;

	evbuffer_add_printf(call->text,
	                    "{\"until\":%" PRId64 ",\"days\":%" PRIu32 ",\"total\":%" PRIu32
	                    ",\"chats\":[\n",
	                    h->until_unix_s, h->days, h->messages);
	for (uint32_t i = chat; rc == 0 && i < end; i++) {
		rc = sim_history_chat(h, i, &c);
		if (rc == 0)
			add_line(call, chat_json(&c), &first);
	}
	evbuffer_add_printf(call->text, "],\"messages\":[\n");
	first = true;
	for (uint32_t i = chat; rc == 0 && i < end && ask->messages; i++) {
		rc = sim_history_chat(h, i, &c);
		if (rc == 0)
			rc = add_messages(call, h, &c, ask, &first);
	}
	evbuffer_add_printf(call->text, "]}\n");
	return rc;
}

void sim_api_history(struct sim_call *call)
{
	const struct sim_phone *phone = sim_api_phone(call);
	struct ask ask = { .chat = -1, .to = INT64_MAX };
	struct sim_history h;
	int rc;

	if (phone == NULL || !take_query(call, &ask))
		return;
	rc = sim_history_init(&h, phone, phone->made_unix_s);
	if (rc == 0 && ask.chat >= (json_int_t)h.chats) {
		sim_call_error(call, 404, "not_found", "no chat of this number");
		return;
	}
	if (rc == 0)
		rc = add_lists(call, &h, &ask);
	if (rc < 0) {
		evbuffer_drain(call->text, evbuffer_get_length(call->text));
		sim_call_error(call, 500, "internal", "%s", wa_err_name(rc));
		return;
	}
	call->status = 200;
}

/* ---- what was told -----------------------------------------------------------------------------
 */

static json_t *note_json(const struct sim_sync_note *n)
{
	static const char *const states[] = {
		[SIM_SYNC_SENT] = "sent",
		[SIM_SYNC_DELIVERED] = "delivered",
		[SIM_SYNC_DONE] = "done",
		[SIM_SYNC_REPLACED] = "replaced",
	};

	return json_pack(
	    "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:s, s:I, s:I, "
	    "s:o}",
	    "id", n->id, "type", sim_history_type_word(n->part.type), "order",
	    (json_int_t)n->part.order, "progress", (json_int_t)n->written.progress, "conversations",
	    (json_int_t)n->written.conversations, "messages", (json_int_t)n->written.messages,
	    "oldest", (json_int_t)n->written.oldest_unix_s, "bytes", (json_int_t)n->zlib_len,
	    "plainBytes", (json_int_t)n->written.plain_len, "inline", n->is_inline, "hostile",
	    n->hostile, "state", states[n->state], "attempts", (json_int_t)n->attempts, "file",
	    (json_int_t)n->file, "request", text_or_null(n->request));
}

static json_t *sync_json(const struct sim_device *d)
{
	const struct sim_history_ask *a = &d->history;
	json_t *notes = json_array();

	for (size_t i = 0; i < sim_sync_count(d->sync); i++)
		json_array_append_new(notes, note_json(sim_sync_at(d->sync, i)));
	return json_pack("{s:I, s:{s:b, s:I, s:I, s:I, s:I, s:b}, s:b, s:I, s:o}", "device",
	                 (json_int_t)d->id, "asked", "full", a->full, "fullDays",
	                 (json_int_t)a->full_days, "fullMb", (json_int_t)a->full_mb, "quotaMb",
	                 (json_int_t)a->quota_mb, "recentDays", (json_int_t)a->recent_days,
	                 "inline", a->inline_payload, "done", sim_sync_is_done(d->sync),
	                 "badReceipts", (json_int_t)sim_sync_bad_receipts(d->sync), "notes", notes);
}

void sim_api_show_sync(struct sim_call *call)
{
	const struct sim_phone *phone = sim_api_phone(call);
	json_t *list;

	if (phone == NULL)
		return;
	list = json_array();
	for (const struct sim_device *d = sim_device_first(call->sim->devices, phone->number);
	     d != NULL; d = d->next)
		json_array_append_new(list, sync_json(d));
	sim_call_reply(call, 200, json_pack("{s:o}", "devices", list));
}

/* ---- doing -------------------------------------------------------------------------------------
 */

static struct sim_device *sim_api_device(struct sim_call *call, const struct sim_phone *phone,
                                         json_int_t id)
{
	struct sim_device *d =
	    id <= 0 || id > SIM_DEVICES_MAX
	        ? sim_device_first(call->sim->devices, phone->number)
	        : sim_device_find(call->sim->devices, phone->number, (uint32_t)id);

	if (d == NULL)
		sim_call_error(call, 404, "not_found", "no device with this id is linked");
	return d;
}

static bool take_part(struct sim_call *call, json_int_t *device, const char **type,
                      struct sim_history_part *p)
{
	json_int_t chat = 0, done = 0, max = 1000, order = 1, before = 0, from = 0, to = INT64_MAX;
	json_error_t e;

	if (json_unpack_ex(call->body, &e, 0, "{s?I, s?s, s?I, s?I, s?I, s?I, s?I, s?I, s?I !}",
	                   "device", device, "type", type, "chat", &chat, "done", &done, "max",
	                   &max, "order", &order, "before", &before, "from", &from, "to",
	                   &to) < 0) {
		sim_call_error(call, 400, "bad_request", "%s", e.text);
		return false;
	}
	if (chat < 0 || chat > UINT32_MAX || done < 0 || done > UINT32_MAX || max < 0 ||
	    max > UINT32_MAX || order < 0 || order > UINT32_MAX || before < 0 ||
	    before > UINT32_MAX || (*type != NULL && !sim_history_type_find(*type, &p->type))) {
		sim_call_error(call, 400, "bad_request", "a member is out of range");
		return false;
	}
	p->chat = (uint32_t)chat;
	p->done = (uint32_t)done;
	p->max = (uint32_t)max;
	p->order = (uint32_t)order;
	p->before = (uint32_t)before;
	p->from_unix_s = from;
	p->to_unix_s = to;
	return true;
}

void sim_api_tell_history(struct sim_call *call)
{
	struct sim_phone *phone = sim_api_phone(call);
	struct sim_history_part part = { .order = 1 };
	char id[SIM_MSG_ID_CAP] = "";
	const char *type = NULL;
	struct sim_device *d;
	json_int_t device = 0;
	int rc;

	if (phone == NULL || !take_part(call, &device, &type, &part))
		return;
	d = sim_api_device(call, phone, device);
	if (d == NULL)
		return;
	if (type == NULL)
		rc = sim_sync_begin(call->sim, phone, d);
	else
		rc = sim_sync_send(call->sim, phone, d, &part, NULL, id);
	if (rc < 0)
		sim_call_error(call, 500, "internal", "%s", wa_err_name(rc));
	else
		sim_call_reply(call, 200, json_pack("{s:o}", "id", text_or_null(id)));
}

/* ---- what nobody should send -------------------------------------------------------------------
 */

static bool take_hostile(struct sim_call *call, struct sim_hostile *h, json_int_t *device,
                         int *is_inline)
{
	const char *type = "recent";
	json_int_t size = 0;
	json_error_t e;

	if (json_unpack_ex(call->body, &e, 0, "{s:s, s?I, s?s, s?I, s?b !}", "kind", &h->kind,
	                   "device", device, "type", &type, "size", &size, "inline",
	                   is_inline) < 0) {
		sim_call_error(call, 400, "bad_request", "%s", e.text);
		return false;
	}
	if (!sim_history_type_find(type, &h->type) || size < 0 ||
	    (uint64_t)size > SIM_HOSTILE_SIZE_MAX) {
		sim_call_error(call, 400, "bad_request", "type or size is out of range");
		return false;
	}
	h->size = (uint64_t)size;
	return true;
}

void sim_api_hostile(struct sim_call *call)
{
	struct sim_phone *phone = sim_api_phone(call);
	struct sim_hostile hostile = { .kind = "" };
	char id[SIM_MSG_ID_CAP] = "";
	struct sim_sync_blob blob;
	struct sim_history h;
	struct sim_device *d;
	struct buf zlib = { 0 };
	json_int_t device = 0;
	int is_inline = 0, rc;

	if (phone == NULL || !take_hostile(call, &hostile, &device, &is_inline))
		return;
	d = sim_api_device(call, phone, device);
	if (d == NULL)
		return;
	hostile.history = &h;
	rc = sim_history_init(&h, phone, phone->made_unix_s);
	if (rc == 0)
		rc = sim_hostile_make(&hostile, &zlib, &blob);
	if (rc == 0) {
		blob.is_inline = is_inline != 0;
		blob.order = 1000 + (uint32_t)sim_sync_count(d->sync); /* one of its own */
		rc = sim_sync_send_blob(call->sim, phone, d, &blob, id);
	}
	if (rc < 0)
		sim_call_error(call, rc == -ENOENT ? 400 : 500, "bad_request", "%s",
		               rc == -ENOENT ? "unknown kind" : wa_err_name(rc));
	else
		sim_call_reply(call, 200,
		               json_pack("{s:s, s:I}", "id", id, "bytes", (json_int_t)zlib.len));
	buf_free(&zlib);
}
