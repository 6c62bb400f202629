/* simulator/api/sim_api_bulk.c - very many messages in a row, some in each pass of the loop */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "simulator/api/sim_api_send.h"
#include "simulator/phone/sim_msg.h"
#include "simulator/sim.h"

#define PASS 200       /* messages of one pass of the loop */
#define BULK_MS 600000 /* how long a caller waits for a bulk */
#define TEXT_MAX 65536
#define INDEX_MARK "{n}"

/* Texts in a row, some in each pass of the loop. */
struct sim_bulk {
	struct sim *sim;
	struct sim_wait *wait; /* NULL: nobody waits any more */
	struct event *timer;
	struct sim_out out;
	struct sim_target target;
	char prefix[SIM_MSG_ID_CAP - 8];
	struct sim_build built; /* the same for all, unless the text has a mark */
	const char *text;       /* of json; NULL: other content */
	json_t *json;           /* a reference */
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
	sim_build_clear(&b->built);
	json_decref(b->json);
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
static int make_text(const struct sim_bulk *b, const char *mark, struct buf *msg)
{
	struct buf text = { 0 };
	int rc;

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
	const char *mark = b->text == NULL ? NULL : strstr(b->text, INDEX_MARK);
	struct buf msg = { 0 };
	int rc = mark == NULL ? 0 : make_text(b, mark, &msg);

	snprintf(b->out.id, sizeof(b->out.id), "%s%08X", b->prefix, b->next);
	b->out.msg = mark == NULL ? b->built.msg.p : msg.p;
	b->out.msg_len = mark == NULL ? b->built.msg.len : msg.len;
	b->out.unix_s = 0;
	if (rc == 0)
		rc = sim_target_send(b->sim, &b->out, &b->target);
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

static bool take_prefix(struct sim_call *call, struct sim_bulk *b)
{
	const char *prefix = sim_build_str(b->json, "idPrefix");
	uint8_t raw[4];

	if (prefix == NULL) {
		if (sim_rand_bytes(&b->out.from->rnd, raw, sizeof(raw)) < 0) {
			sim_call_error(call, 500, "internal", "no randomness");
			return false;
		}
		snprintf(b->prefix, sizeof(b->prefix), "3A%02X%02X%02X%02X", raw[0], raw[1], raw[2],
		         raw[3]);
		return true;
	}
	if (prefix[0] == '\0' || strlen(prefix) >= sizeof(b->prefix)) {
		sim_call_error(call, 400, "bad_request", "idPrefix is too long");
		return false;
	}
	memcpy(b->prefix, prefix, strlen(prefix) + 1);
	return true;
}

static bool bulk_fill(struct sim_call *call, struct sim_bulk *b)
{
	b->json = json_incref(call->body);
	b->text = sim_build_str(b->json, "text");
	if (b->text != NULL && strlen(b->text) > TEXT_MAX) {
		sim_call_error(call, 400, "bad_request", "text is too long");
		return false;
	}
	return take_prefix(call, b) && sim_target_options(call, b->json, &b->out) &&
	       sim_target_take(call, b->json, &b->target) &&
	       sim_target_build(call, b->json, &b->out, &b->target, &b->built);
}

void sim_bulk_send(struct sim_call *call, struct sim_phone *from, uint32_t count)
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
	b->count = count;
	b->per_second = (uint32_t)sim_build_num(call->body, "perSecond", 0);
	b->began_ms = clock_ms();
	b->timer = evtimer_new(call->sim->base, on_pass, b);
	if (b->timer == NULL)
		sim_call_error(call, 500, "internal", "no memory");
	if (b->timer == NULL || !bulk_fill(call, b)) {
		bulk_free(b);
		return;
	}
	if (b->per_second != 0) /* it takes its time; the caller need not wait */
		sim_call_reply(call, 200, bulk_json(b));
	else
		b->wait = sim_call_defer(call, BULK_MS, on_gone, b);
	on_pass(-1, 0, b);
}
