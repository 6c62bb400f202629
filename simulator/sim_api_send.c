/* simulator/sim_api_send.c - POST /phones/:number/send: one message, several, or very many */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "simulator/sim.h"
#include "simulator/sim_api.h"
#include "simulator/sim_build.h"
#include "simulator/sim_group.h"
#include "simulator/sim_msg.h"
#include "simulator/sim_send.h"

#define COUNT_MAX 1000000
#define LIST_MAX 10000
#define PASS 200       /* messages of one pass of the loop */
#define BULK_MS 600000 /* how long a caller waits for a bulk */
#define TEXT_MAX 65536
#define INDEX_MARK "{n}"

/* ---- people ------------------------------------------------------------------------------------
 */

struct sim_phone *sim_api_find(const struct sim *s, const char *who)
{
	char user[SIM_JID_CAP];
	size_t n = strcspn(who, "@:");

	if (n == 0 || n >= sizeof(user))
		return NULL;
	memcpy(user, who, n);
	user[n] = '\0';
	return sim_phones_find_user(s->phones, user);
}

bool sim_api_people(struct sim_call *call, const json_t *list, struct sim_phone ***phones_out,
                    size_t *n_out)
{
	struct sim_phone **phones = calloc(json_array_size(list) + 1, sizeof(struct sim_phone *));
	const json_t *one;
	size_t i;

	if (phones == NULL) {
		sim_call_error(call, 500, "internal", "no memory");
		return false;
	}
	json_array_foreach((json_t *)list, i, one)
	{
		const char *who = json_string_value(one);

		phones[i] = who == NULL ? NULL : sim_api_find(call->sim, who);
		if (phones[i] != NULL)
			continue;
		free(phones);
		sim_call_error(call, 404, "not_found", "no phone is %s",
		               who == NULL ? "named by something else than a text" : who);
		return false;
	}
	*phones_out = phones;
	*n_out = json_array_size(list);
	return true;
}

/* ---- where it goes -----------------------------------------------------------------------------
 */

struct target {
	struct sim_phone *phone;
	struct sim_group *group;
	struct sim_phone **audience; /* owned; of a status */
	size_t audience_n;
	const char *chat; /* JID as addressed */
};

static bool take_audience(struct sim_call *call, const json_t *body, struct target *t)
{
	const json_t *list = json_object_get(body, "audience");
	size_t n = sim_phones_count(call->sim->phones);

	t->chat = SIM_STATUS;
	if (list != NULL)
		return sim_api_people(call, list, &t->audience, &t->audience_n);
	t->audience = calloc(n + 1, sizeof(struct sim_phone *));
	if (t->audience == NULL) {
		sim_call_error(call, 500, "internal", "no memory");
		return false;
	}
	for (size_t i = 0; i < n; i++)
		t->audience[i] =
		    sim_phones_find(call->sim->phones, sim_phones_at(call->sim->phones, i)->number);
	t->audience_n = n;
	return true;
}

static bool take_target(struct sim_call *call, const json_t *body, struct target *t)
{
	const char *to = sim_build_str(body, "group");

	if (to == NULL)
		to = sim_build_str(body, "to");
	if (to == NULL) {
		sim_call_error(call, 400, "bad_request", "to is missing");
		return false;
	}
	if (strcmp(to, SIM_STATUS) == 0)
		return take_audience(call, body, t);
	if (strstr(to, "@g.us") != NULL)
		t->group = sim_groups_find(call->sim->groups, to);
	else
		t->phone = sim_api_find(call->sim, to);
	if (t->group == NULL && t->phone == NULL) {
		sim_call_error(call, 404, "not_found", "no phone or group has this number or JID");
		return false;
	}
	if (t->group != NULL)
		t->chat = t->group->jid;
	else
		t->chat = sim_build_flag(body, "pn") ? t->phone->jid : t->phone->lid;
	return true;
}

static int send_to(struct sim *s, struct sim_out *o, const struct target *t)
{
	if (t->group != NULL)
		return sim_send_group(s, o, t->group);
	if (t->phone != NULL)
		return sim_send_direct(s, o, t->phone);
	return sim_send_status(s, o, t->audience, t->audience_n);
}

/* ---- one ---------------------------------------------------------------------------------------
 */

static bool take_options(struct sim_call *call, const json_t *body, struct sim_out *o)
{
	const char *id = sim_build_str(body, "id"), *spoil = sim_build_str(body, "spoil");

	o->pn = sim_build_flag(body, "pn");
	o->silent = sim_build_flag(body, "silent");
	o->no_retry = sim_build_flag(body, "noRetry");
	o->unix_s = (int64_t)sim_build_num(body, "timestamp", 0);
	o->seal.bare = sim_build_flag(body, "bare");
	o->seal.n = (uint32_t)sim_build_num(body, "skip", 0);
	if (id != NULL && (id[0] == '\0' || strlen(id) >= sizeof(o->id))) {
		sim_call_error(call, 400, "bad_request", "id must have 1 to %d characters",
		               (int)sizeof(o->id) - 1);
		return false;
	}
	if (id != NULL)
		memcpy(o->id, id, strlen(id) + 1);
	if (spoil != NULL)
		o->seal.spoil = sim_spoil_parse(spoil);
	if (spoil != NULL && o->seal.spoil == SIM_SPOIL_NO) {
		sim_call_error(call, 400, "bad_request", "spoil is none of those in the README");
		return false;
	}
	if (o->seal.n > 0 && spoil == NULL)
		o->seal.spoil = SIM_SPOIL_SKIP;
	return true;
}

static bool failed(struct sim_call *call, int rc)
{
	const char *name = wa_signal_err_name(rc);

	if (rc < 0)
		sim_call_error(call, rc == WA_ELIMIT ? 409 : 500,
		               rc == WA_ELIMIT ? "queue_full" : "internal", "%s",
		               name != NULL ? name : wa_err_name(rc));
	return rc < 0;
}

/* Build and send what body says; the id, or false after an error answer. */
static bool send_one(struct sim_call *call, struct sim_phone *from, const json_t *body,
                     char id_out[SIM_MSG_ID_CAP])
{
	struct sim_out o = { .from = from };
	struct target t = { .phone = NULL };
	bool ok = take_options(call, body, &o) && take_target(call, body, &t);

	if (ok) {
		struct sim_build b = {
			.call = call,
			.body = body,
			.from = from,
			.chat = t.chat,
			.pn = t.group != NULL ? t.group->pn : o.pn,
			.group = t.phone == NULL,
		};

		ok = sim_build(&b);
		o.msg = b.msg.p;
		o.msg_len = b.msg.len;
		o.type = b.type;
		o.edit = b.edit;
		o.seal.mediatype = b.mediatype;
		o.seal.hide = b.hide;
		if (ok)
			ok = !failed(call, send_to(call->sim, &o, &t));
		memcpy(id_out, o.id, SIM_MSG_ID_CAP);
		sim_build_clear(&b);
	}
	free(t.audience);
	return ok;
}

static void send_list(struct sim_call *call, struct sim_phone *from, const json_t *list)
{
	json_t *ids = json_array();
	const json_t *body;
	char id[SIM_MSG_ID_CAP];
	size_t i;

	if (json_array_size(list) > LIST_MAX) {
		json_decref(ids);
		sim_call_error(call, 400, "bad_request", "more than %d messages", LIST_MAX);
		return;
	}
	json_array_foreach((json_t *)list, i, body)
	{
		if (!send_one(call, from, body, id)) {
			json_decref(ids);
			return;
		}
		json_array_append_new(ids, json_string(id));
	}
	sim_call_reply(call, 200, json_pack("{s:o}", "ids", ids));
}

/* ---- very many ---------------------------------------------------------------------------------
 */

/* Texts in a row, some in each pass of the loop. */
struct sim_bulk {
	struct sim *sim;
	struct sim_wait *wait; /* NULL: nobody waits any more */
	struct event *timer;
	struct sim_out out;
	struct target target;
	char prefix[SIM_MSG_ID_CAP - 8];
	char *text; /* owned */
	uint32_t next, count;
	uint32_t per_second; /* 0: as fast as it goes */
	uint64_t began_ms;
	struct sim_bulk *after, **at; /* in the list of the process */
};

static void bulk_free(struct sim_bulk *b)
{
	if (b->after != NULL)
		b->after->at = b->at;
	*b->at = b->after;
	if (b->timer != NULL)
		event_free(b->timer);
	free(b->target.audience);
	free(b->text);
	free(b);
}

void sim_bulks_free(struct sim *s)
{
	while (s->bulks != NULL)
		bulk_free(s->bulks);
}

static json_t *bulk_json(const struct sim_bulk *b)
{
	char first[SIM_MSG_ID_CAP];

	snprintf(first, sizeof(first), "%s%08X", b->prefix, 0u);
	return json_pack("{s:s, s:s, s:I}", "id", first, "idPrefix", b->prefix, "count",
	                 (json_int_t)b->count);
}

/* "{n}" in the text is the message's index. */
static int make_text(const struct sim_bulk *b, struct buf *msg)
{
	const char *mark = strstr(b->text, INDEX_MARK);
	struct buf text = { 0 };
	int rc;

	if (mark == NULL)
		return sim_msg_put_text(msg, 1, b->text);
	rc = buf_append(&text, b->text, (size_t)(mark - b->text));
	if (rc == 0)
		rc = buf_append_dec(&text, b->next);
	if (rc == 0)
		rc = buf_append_str(&text, mark + strlen(INDEX_MARK));
	if (rc == 0)
		rc = sim_msg_put(msg, 1, text.p, text.len);
	buf_free(&text);
	return rc;
}

static int bulk_one(struct sim_bulk *b)
{
	struct buf msg = { 0 };
	int rc = make_text(b, &msg);

	snprintf(b->out.id, sizeof(b->out.id), "%s%08X", b->prefix, b->next);
	b->out.msg = msg.p;
	b->out.msg_len = msg.len;
	b->out.unix_s = 0;
	if (rc == 0)
		rc = send_to(b->sim, &b->out, &b->target);
	b->next++;
	buf_free(&msg);
	return rc;
}

static void bulk_end(struct sim_bulk *b, int rc)
{
	if (b->wait != NULL && rc == 0)
		sim_wait_reply(b->wait, 200, bulk_json(b));
	else if (b->wait != NULL)
		sim_wait_error(b->wait, rc == WA_ELIMIT ? 409 : 500,
		               rc == WA_ELIMIT ? "queue_full" : "internal", wa_err_name(rc));
	bulk_free(b);
}

/* How many are due by now. */
static uint32_t due(const struct sim_bulk *b)
{
	uint64_t n = b->next + PASS;

	if (b->per_second != 0)
		n = (clock_ms() - b->began_ms) * b->per_second / 1000 + 1;
	return n > b->count ? b->count : (uint32_t)n;
}

static void on_pass(evutil_socket_t fd, short what, void *arg)
{
	struct sim_bulk *b = arg;
	const struct timeval at_once = { 0 }, soon = { .tv_usec = 2000 };
	uint32_t until = due(b);
	int rc = 0;

	(void)fd;
	(void)what;
	while (rc == 0 && b->next < until)
		rc = bulk_one(b);
	if (rc == 0 && b->next < b->count &&
	    evtimer_add(b->timer, b->per_second == 0 ? &at_once : &soon) == 0)
		return;
	bulk_end(b, rc);
}

static void on_gone(void *arg)
{
	struct sim_bulk *b = arg;

	b->wait = NULL;
}

static bool bulk_fill(struct sim_call *call, struct sim_bulk *b, const json_t *body)
{
	const char *text = sim_build_str(body, "text"), *prefix = sim_build_str(body, "idPrefix");
	uint8_t raw[4];

	if (text == NULL || strlen(text) > TEXT_MAX) {
		sim_call_error(call, 400, "bad_request", "with count only text can be sent");
		return false;
	}
	if (prefix != NULL && (prefix[0] == '\0' || strlen(prefix) >= sizeof(b->prefix))) {
		sim_call_error(call, 400, "bad_request", "idPrefix is too long");
		return false;
	}
	if (!take_options(call, body, &b->out) || !take_target(call, body, &b->target))
		return false;
	b->out.type = "text";
	b->text = strdup(text);
	if (b->text == NULL || sim_rand_bytes(&b->out.from->rnd, raw, sizeof(raw)) < 0) {
		sim_call_error(call, 500, "internal", "no memory");
		return false;
	}
	if (prefix != NULL)
		memcpy(b->prefix, prefix, strlen(prefix) + 1);
	else
		snprintf(b->prefix, sizeof(b->prefix), "3A%02X%02X%02X%02X", raw[0], raw[1], raw[2],
		         raw[3]);
	return true;
}

static void send_bulk(struct sim_call *call, struct sim_phone *from, uint64_t count)
{
	struct sim_bulk *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		sim_call_error(call, 500, "internal", "no memory");
		return;
	}
	b->sim = call->sim;
	b->at = &call->sim->bulks;
	b->after = *b->at;
	if (b->after != NULL)
		b->after->at = &b->after;
	*b->at = b;
	b->out.from = from;
	b->count = (uint32_t)count;
	b->per_second = (uint32_t)sim_build_num(call->body, "perSecond", 0);
	b->began_ms = clock_ms();
	b->timer = evtimer_new(call->sim->base, on_pass, b);
	if (b->timer == NULL)
		sim_call_error(call, 500, "internal", "no memory");
	if (b->timer == NULL || !bulk_fill(call, b, call->body)) {
		bulk_free(b);
		return;
	}
	if (b->per_second != 0) /* it takes its time; the caller need not wait */
		sim_call_reply(call, 200, bulk_json(b));
	else
		b->wait = sim_call_defer(call, BULK_MS, on_gone, b);
	on_pass(-1, 0, b);
}

void sim_api_send(struct sim_call *call)
{
	struct sim_phone *from = sim_api_phone(call);
	const json_t *list = json_object_get(call->body, "messages");
	uint64_t count = sim_build_num(call->body, "count", 0);
	char id[SIM_MSG_ID_CAP];

	if (from == NULL)
		return;
	if (count > COUNT_MAX)
		sim_call_error(call, 400, "bad_request", "count must be at most %d", COUNT_MAX);
	else if (json_is_array(list))
		send_list(call, from, list);
	else if (count > 0)
		send_bulk(call, from, count);
	else if (send_one(call, from, call->body, id))
		sim_call_reply(call, 200, json_pack("{s:s}", "id", id));
}
