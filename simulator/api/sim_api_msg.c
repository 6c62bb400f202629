/* simulator/api/sim_api_msg.c - the routes of the control API: messages of phones */
#include <errno.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/api/sim_json.h"
#include "simulator/phone/sim_mail.h"
#include "simulator/phone/sim_msg.h"
#include "simulator/phone/sim_send.h"
#include "simulator/sim.h"

/* ---- lists -------------------------------------------------------------------------------------
 */

/* ?since=N (and nothing else); false after an error answer. */
static bool take_since(struct sim_call *call, uint64_t *since)
{
	const char *text = call->query == NULL ? "" : call->query;
	char *end;

	*since = 0;
	if (text[0] == '\0')
		return true;
	if (strncmp(text, "since=", 6) == 0 && text[6] >= '0' && text[6] <= '9') {
		*since = strtoull(text + 6, &end, 10);
		if (*end == '\0')
			return true;
	}
	sim_call_error(call, 400, "bad_request", "only since=N is known here");
	return false;
}

/* Foreign text may be no UTF-8. */
static json_t *text_json(const char *text)
{
	json_t *j = text == NULL ? json_null() : json_string(text);

	return j == NULL ? sim_json_hex(text, strlen(text)) : j;
}

static void add_entry(const struct sim_mail_entry *e, void *arg)
{
	json_array_append_new(arg, json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:I, s:o}", "seq",
	                                     (json_int_t)e->seq, "id", e->id, "from", e->from, "to",
	                                     e->chat, "type", e->type, "text", text_json(e->text),
	                                     "timestamp", (json_int_t)e->unix_s, "message",
	                                     sim_json_hex(e->msg, e->msg_len)));
}

json_t *sim_api_sent(const struct sim_phone *phone)
{
	json_t *list = json_array();

	(void)sim_mail_each_own(phone, 0, add_entry, list);
	return list;
}

void sim_api_inbox(struct sim_call *call)
{
	const struct sim_phone *phone = sim_api_phone(call);
	json_t *list;
	uint64_t since, total;

	if (phone == NULL || !take_since(call, &since))
		return;
	list = json_array();
	total = sim_mail_each_got(phone, since, add_entry, list);
	sim_call_reply(call, 200,
	               json_pack("{s:o, s:I}", "messages", list, "total", (json_int_t)total));
}

static void add_receipt(const struct sim_mail_receipt *r, void *arg)
{
	char at[RFC3339_CAP];

	clock_rfc3339(r->unix_ms, at);
	json_array_append_new(arg, json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:s}", "seq",
	                                     (json_int_t)r->seq, "id", r->id, "from", r->from, "to",
	                                     r->chat, "type", r->type, "code", (json_int_t)r->code,
	                                     "at", at));
}

static void add_count(const char *type, uint64_t n, void *arg)
{
	json_object_set_new(arg, type, json_integer((json_int_t)n));
}

void sim_api_receipts(struct sim_call *call)
{
	const struct sim_phone *phone = sim_api_phone(call);
	json_t *list, *counts;
	uint64_t since;

	if (phone == NULL || !take_since(call, &since))
		return;
	list = json_array();
	counts = json_object();
	sim_mail_each_count(phone, add_count, counts);
	(void)sim_mail_each_receipt(phone, since, add_receipt, list);
	sim_call_reply(call, 200, json_pack("{s:o, s:o}", "counts", counts, "receipts", list));
}
