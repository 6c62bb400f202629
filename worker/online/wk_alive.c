/* worker/online/wk_alive.c - when to ping, and when to give up */
#include "worker/online/wk_alive.h"

#include <stdio.h>
#include <string.h>

#define INTERVAL_MIN_MS 20000
#define INTERVAL_SPREAD_MS 10000
#define ANSWER_MS 10000

static void rest(struct wk_alive *a, uint64_t now_ms, uint32_t rnd)
{
	a->waiting = 0;
	a->due_ms = now_ms + (INTERVAL_MIN_MS + rnd % INTERVAL_SPREAD_MS) / a->speed;
}

static void format_id(const struct wk_alive *a, uint32_t seq, char *out)
{
	(void)snprintf(out, WK_ALIVE_ID_CAP, "%u.%u-%u", a->tag >> 16, a->tag & 0xffff, seq);
}

void wk_alive_start(struct wk_alive *a, uint64_t now_ms, uint32_t rnd, unsigned speed)
{
	a->tag = rnd;
	a->seq = 0;
	a->speed = speed > 0 ? speed : 1;
	rest(a, now_ms, rnd);
}

enum wk_alive_verdict wk_alive_tick(struct wk_alive *a, uint64_t now_ms)
{
	if (now_ms < a->due_ms)
		return WK_ALIVE_WAIT;
	if (a->waiting == 2)
		return WK_ALIVE_DEAD;
	a->waiting++;
	a->seq++;
	a->due_ms = now_ms + ANSWER_MS / a->speed;
	return WK_ALIVE_PING;
}

void wk_alive_id(const struct wk_alive *a, char *out)
{
	format_id(a, a->seq, out);
}

bool wk_alive_answer(struct wk_alive *a, const char *id, uint64_t now_ms, uint32_t rnd)
{
	char ours[WK_ALIVE_ID_CAP];

	for (unsigned i = 0; i < a->waiting; i++) {
		format_id(a, a->seq - i, ours);
		if (strcmp(id, ours) == 0) {
			rest(a, now_ms, rnd);
			return true;
		}
	}
	return false;
}
