/* gateway/webhook/gw_hook_send.c - one event to one webhook: fetch the file that goes along, send, judge */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/events/gw_event_media.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/supervision/gw_worker_ask.h"
#include "gateway/webhook/gw_hook_sign.h"
#include "gateway/webhook/gw_hook_url.h"
#include "gateway/webhook/gw_hooks_priv.h"

#define BROKEN_MS 1000 /* after a read that failed, or without memory */
#define MEDIA_MAX 4    /* files at once: each is in memory several times over */
#define MEDIA_WAIT_MS 200

static const struct gw_event *head(const struct gw_hook_lane *l)
{
	return &l->batch[l->batch_i];
}

/* ---- the end of a try --------------------------------------------------------------------------
 */

static void count(struct gw_hook_lane *l, const struct gw_hook_answer *a, enum gw_hook_verdict v,
                  bool refused)
{
	struct gw_hooks_stats *s = &l->hooks->stats;
	size_t i = 0;

	switch (v) {
	case GW_HOOK_DONE:
		s->results_n[GW_HOOKS_DELIVERED]++;
		break;
	case GW_HOOK_RETRY:
		s->results_n[refused ? GW_HOOKS_REFUSED : GW_HOOKS_FAILED]++;
		break;
	case GW_HOOK_DEAD:
		s->results_n[GW_HOOKS_DEAD]++;
		break;
	case GW_HOOK_GONE:
		s->results_n[GW_HOOKS_GONE]++;
		break;
	}
	while (i < GW_HOOKS_BUCKETS && a->ms > gw_hooks_bucket_ms[i])
		i++;
	s->buckets[i]++;
	s->sum_ms += a->ms;
}

static void remember(struct gw_hook_lane *l, const struct gw_hook_answer *a)
{
	l->last_status = a->status;
	snprintf(l->last_why, sizeof(l->last_why), "%s", a->why != NULL ? a->why : "");
	l->last_unix_ms = clock_unix_ms();
}

/* The first failure of each event is worth a line that is seen. */
static void log_failure(const struct gw_hook_lane *l, const struct gw_hook_answer *a,
                        const char *event, int level)
{
	LOG(gw_instance_log(l->queue->inst), level, event, LF_STR("label", l->label),
	    LF_INT("sequence", head(l)->sequence), LF_INT("status", a->status),
	    LF_STR("why", a->why != NULL ? a->why : ""), LF_INT("tries", l->place.tries.n),
	    LF_INT("ms", a->ms));
}

/* What is at the head is done with, taken or not. */
static void advance(struct gw_hook_lane *l)
{
	if (l->again_seq == 0)
		l->place.cursor = head(l)->sequence;
	l->place.tries = (struct gw_hook_tries){ 0 };
	l->place.next_unix_ms = 0;
	l->tried_seq = 0;
	l->passed_n = 0;
	l->batch_i++;
}

/* Somebody asked for it to be sent from further back, while this was under way. */
static bool rewound(struct gw_hook_lane *l)
{
	bool back = l->rewind_to != 0 && l->rewind_to <= l->place.cursor;

	if (back)
		l->place.cursor = l->rewind_to - 1;
	l->rewind_to = 0;
	return back;
}

static void on_taken(struct gw_hook_lane *l)
{
	uint64_t again_seq = l->again_seq;
	bool back;

	advance(l);
	l->unbury = again_seq;
	back = rewound(l);
	gw_hook_lane_save(l);
	/* turns are short where others wait; memory is not kept for the time between */
	if (back || again_seq != 0 || gw_hooks_others_wait(l->hooks))
		gw_hook_lane_idle(l);
	else
		gw_hook_lane_next(l);
}

static void on_dead(struct gw_hook_lane *l, const struct gw_hook_answer *a)
{
	const struct gw_event *e = head(l);

	log_failure(l, a, "webhook_dead_letter", LOG_WARNING);
	l->bury = (struct gw_hook_dead){ .seq = e->sequence,
		                         .kind = e->kind,
		                         .dead_unix_ms = clock_unix_ms(),
		                         .tries = l->place.tries.n,
		                         .status = a->status };
	memcpy(l->bury.id, e->id, sizeof(l->bury.id));
	snprintf(l->bury.why, sizeof(l->bury.why), "%s", a->why != NULL ? a->why : "");
	advance(l);
	(void)rewound(l);
	gw_hook_lane_save(l);
	gw_hook_lane_idle(l);
}

static void on_retry(struct gw_hook_lane *l, const struct gw_hook_answer *a, uint64_t wait_ms)
{
	log_failure(l, a, "webhook_failed", l->place.tries.n == 1 ? LOG_WARNING : LOG_INFO);
	wait_ms /= l->hooks->speed;
	l->tried_seq = head(l)->sequence;
	if (l->changed) { /* that was the old one */
		l->place.tries = (struct gw_hook_tries){ 0 };
		wait_ms = 0;
	}
	l->place.next_unix_ms = wait_ms == 0 ? 0 : clock_unix_ms() + (int64_t)wait_ms;
	(void)rewound(l);
	gw_hook_lane_save(l);
	gw_hook_lane_idle(l);
}

static void on_answer(const struct gw_hook_answer *a, void *arg)
{
	struct gw_hook_lane *l = arg;
	uint32_t refused_n = l->place.tries.refused, random = 0;
	uint64_t wait_ms = 0;
	enum gw_hook_verdict v;

	l->call = NULL;
	(void)!secret_random(&random, sizeof(random));
	v = gw_hook_judge(a->status, a->retry_after_s, random, &l->place.tries, &wait_ms);
	count(l, a, v, l->place.tries.refused > refused_n);
	if (v != GW_HOOK_DONE)
		remember(l, a);
	switch (v) {
	case GW_HOOK_DONE:
		on_taken(l);
		break;
	case GW_HOOK_DEAD:
		on_dead(l, a);
		break;
	case GW_HOOK_RETRY:
		on_retry(l, a, wait_ms);
		break;
	case GW_HOOK_GONE:
		log_failure(l, a, "webhook_gone", LOG_WARNING);
		gw_hook_lane_stop(l);
		gw_hooks_disable(l);
		break;
	}
}

/* ---- a request ---------------------------------------------------------------------------------
 */

/* The lines of a request's head; each is a secret or borrowed. */
struct head_lines {
	char id[16 + GW_EVENT_ID_LEN + 1];
	char timestamp[48];
	char signature[24 + GW_HOOK_SIGNATURE_CAP];
	char authorization[24 + GW_WEBHOOK_AUTH_MAX];
};

static int make_lines(const struct gw_webhook *w, const char *id, const struct buf *body,
                      struct head_lines *lines, struct gw_hook_request *req)
{
	int64_t now = clock_unix_s();
	char signature[GW_HOOK_SIGNATURE_CAP];
	size_t n = 0;
	int rc;

	if (w->key == NULL)
		return WA_ECRYPTO;
	rc = gw_hook_sign(w->key, GW_WEBHOOK_KEY_LEN, id, now, body->p, body->len, signature);
	if (rc < 0)
		return rc;
	snprintf(lines->id, sizeof(lines->id), "webhook-id: %s", id);
	snprintf(lines->timestamp, sizeof(lines->timestamp), "webhook-timestamp: %lld",
	         (long long)now);
	snprintf(lines->signature, sizeof(lines->signature), "webhook-signature: %s", signature);
	snprintf(lines->authorization, sizeof(lines->authorization), "Authorization: %s",
	         w->authorization);
	req->headers[n++] = "Content-Type: application/json";
	req->headers[n++] = "Expect:"; /* none: the body goes at once */
	req->headers[n++] = lines->id;
	req->headers[n++] = lines->timestamp;
	req->headers[n++] = lines->signature;
	if (w->authorization[0] != '\0')
		req->headers[n++] = lines->authorization;
	return 0;
}

/* body: taken. */
static void post(struct gw_hook_lane *l, const struct gw_webhook *w, struct buf *body)
{
	const struct gw_event *e = head(l);
	struct gw_hook_request req = { .url = w->url, .body = body };
	struct head_lines lines;
	char *url = NULL;
	int rc = make_lines(w, e->id, body, &lines, &req);

	if (rc == 0 && w->by_events) {
		rc = gw_hook_url_for(w->url, gw_event_kind_name(e->kind), &url);
		req.url = url;
	}
	if (rc == 0)
		rc = gw_hook_http_post(l->hooks->http, &req, on_answer, l, &l->call);
	secret_wipe(&lines, sizeof(lines));
	free(url);
	buf_wipe(body);
	if (rc < 0) {
		LOG(gw_instance_log(l->queue->inst), LOG_ERR, "webhook_not_sent",
		    LF_STR("label", l->label), LF_ERR("err", rc));
		gw_hook_lane_wait(l, BROKEN_MS);
	}
}

/* media: of gw_worker_ask_media(); NULL: none goes along. */
static void send_event(struct gw_hook_lane *l, const struct gw_webhook *w,
                       const struct gw_ask_result *media)
{
	const struct gw_event *e = head(l);
	const char *codes = l->place.tries.n == 0 && l->again_seq == 0
	                        ? gw_events_live(l->hooks->gw->events, l->queue->inst, e->sequence)
	                        : NULL;
	struct buf body = { 0 };
	int rc;

	if (codes != NULL)
		rc = gw_event_text_with(e, "codes", codes, &body);
	else if (media != NULL)
		rc = gw_event_text_with_media(e, media, &body);
	else
		rc = buf_append(&body, e->text, e->text_len);
	if (rc < 0) {
		buf_wipe(&body);
		gw_hook_lane_wait(l, BROKEN_MS);
		return;
	}
	l->changed = false;
	post(l, w, &body);
}

/* ---- the file that goes along ------------------------------------------------------------------
 */

static void on_media(const struct gw_ask_result *r, void *arg)
{
	struct gw_hook_lane *l = arg;
	const struct gw_webhook *w = gw_hook_lane_webhook(l);

	l->ask = NULL;
	l->hooks->media_n--;
	if (w == NULL)
		gw_hook_lane_stop(l); /* about to be closed */
	else
		send_event(l, w, r);
}

static void fetch_media(struct gw_hook_lane *l, const struct gw_webhook *w)
{
	char id[GW_ASK_ID_MAX + 1];
	struct gw_ask_result none = { .rc = 0 };

	if (l->hooks->media_n >= MEDIA_MAX) {
		gw_hook_lane_wait(l, MEDIA_WAIT_MS);
		return;
	}
	none.rc = gw_event_message_id(head(l), id, sizeof(id));
	if (none.rc == 0)
		none.rc =
		    gw_worker_ask_media(l->queue->inst, id, GW_ASK_MEDIA_MAX, on_media, l, &l->ask);
	if (none.rc < 0)
		send_event(l, w, &none);
	else
		l->hooks->media_n++;
}

void gw_hook_lane_send(struct gw_hook_lane *l, const struct gw_webhook *w)
{
	if (w->media_base64 && (head(l)->flags & GW_EVENT_HAS_MEDIA) != 0)
		fetch_media(l, w);
	else
		send_event(l, w, NULL);
}

void gw_hook_lane_cut(struct gw_hook_lane *l)
{
	gw_events_read_cancel(l->read);
	l->read = NULL;
	gw_hook_http_cancel(l->call);
	l->call = NULL;
	if (l->ask != NULL) {
		gw_ask_cancel(l->ask);
		l->hooks->media_n--;
	}
	l->ask = NULL;
}
