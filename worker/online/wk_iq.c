/* worker/online/wk_iq.c - requests that wait for an answer */
#include "worker/online/wk_iq.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define REST_FIRST_MS 1000u
#define REST_MAX_MS 300000u
#define REST_DOUBLINGS 9 /* 1 s doubled so often is over the longest rest */

void wk_iq_init(struct wk_iq *q, uint32_t tag, unsigned speed)
{
	memset(q, 0, sizeof(*q));
	q->tag = tag;
	q->speed = speed > 0 ? speed : 1;
}

static struct wk_iq_slot *slot_of(struct wk_iq *q, unsigned kind)
{
	assert(kind < WK_IQ_KINDS);
	return &q->slots[kind];
}

bool wk_iq_is_idle(const struct wk_iq *q, unsigned kind)
{
	assert(kind < WK_IQ_KINDS);
	return q->slots[kind].due_ms == 0;
}

static void format_id(const struct wk_iq *q, uint32_t seq, char *out)
{
	(void)snprintf(out, WK_IQ_ID_CAP, "%u.%u-%u", q->tag >> 16, q->tag & 0xffff, seq);
}

/* Time 0 means "nothing is due", so nothing is ever due at 0. */
static uint64_t after(const struct wk_iq *q, uint64_t now_ms, uint64_t wait_ms)
{
	uint64_t due_ms = now_ms + wait_ms / q->speed;

	return due_ms == 0 ? 1 : due_ms;
}

void wk_iq_ask(struct wk_iq *q, unsigned kind, uint64_t now_ms, uint64_t deadline_ms, char *id_out)
{
	struct wk_iq_slot *s = slot_of(q, kind);

	if (++q->seq == 0)
		q->seq = 1;
	s->seq = q->seq;
	s->due_ms = after(q, now_ms, deadline_ms);
	format_id(q, s->seq, id_out);
}

int wk_iq_answer(struct wk_iq *q, const char *id)
{
	char ours[WK_IQ_ID_CAP];

	for (unsigned kind = 0; id != NULL && kind < WK_IQ_KINDS; kind++) {
		struct wk_iq_slot *s = &q->slots[kind];

		if (s->seq == 0)
			continue;
		format_id(q, s->seq, ours);
		if (strcmp(id, ours) == 0) {
			s->seq = 0;
			s->due_ms = 0;
			return (int)kind;
		}
	}
	return -1;
}

void wk_iq_later(struct wk_iq *q, unsigned kind, uint64_t now_ms, uint64_t wait_ms)
{
	struct wk_iq_slot *s = slot_of(q, kind);

	s->seq = 0;
	s->due_ms = after(q, now_ms, wait_ms);
}

void wk_iq_rest(struct wk_iq *q, unsigned kind, uint64_t now_ms, uint64_t at_least_ms, uint32_t rnd)
{
	struct wk_iq_slot *s = slot_of(q, kind);
	uint64_t span_ms = REST_MAX_MS;
	uint64_t wait_ms;

	if (s->rests < REST_DOUBLINGS)
		span_ms = REST_FIRST_MS << s->rests;
	if (span_ms > REST_MAX_MS)
		span_ms = REST_MAX_MS;
	if (s->rests < UINT32_MAX)
		s->rests++;
	wait_ms = rnd % (span_ms + 1);
	wk_iq_later(q, kind, now_ms, wait_ms > at_least_ms ? wait_ms : at_least_ms);
}

void wk_iq_fine(struct wk_iq *q, unsigned kind)
{
	slot_of(q, kind)->rests = 0;
}

enum wk_iq_due wk_iq_due(struct wk_iq *q, uint64_t now_ms, unsigned *kind_out)
{
	for (unsigned kind = 0; kind < WK_IQ_KINDS; kind++) {
		struct wk_iq_slot *s = &q->slots[kind];
		bool was_asked = s->seq != 0;

		if (s->due_ms == 0 || s->due_ms > now_ms)
			continue;
		s->seq = 0;
		s->due_ms = 0;
		*kind_out = kind;
		return was_asked ? WK_IQ_LATE : WK_IQ_AGAIN;
	}
	return WK_IQ_NOTHING;
}

uint64_t wk_iq_next_ms(const struct wk_iq *q)
{
	uint64_t next_ms = 0;

	for (unsigned kind = 0; kind < WK_IQ_KINDS; kind++) {
		uint64_t due_ms = q->slots[kind].due_ms;

		if (due_ms != 0 && (next_ms == 0 || due_ms < next_ms))
			next_ms = due_ms;
	}
	return next_ms;
}
