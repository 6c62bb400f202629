/*
 * worker/online/wk_alive.h - is the peer still there? When to ping, and when to give up
 *
 * A ping every 20 to 30 s; an answer that is missing after 10 s: ping again; 10 s later: dead.
 * No clock, no I/O: the caller passes time and randomness in. Source: protocol notes 04 section 8.
 */
#ifndef WK_ALIVE_H
#define WK_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

#define WK_ALIVE_ID_CAP 32

enum wk_alive_verdict { WK_ALIVE_WAIT, WK_ALIVE_PING, WK_ALIVE_DEAD };

struct wk_alive {
	uint64_t due_ms;   /* monotonic: when something is to be done */
	unsigned waiting;  /* pings sent without an answer: 0 to 2 */
	uint32_t tag, seq; /* make the ids */
	unsigned speed;    /* waits are divided by this */
};

/* The stream is up. rnd: any random number. */
void wk_alive_start(struct wk_alive *a, uint64_t now_ms, uint32_t rnd, unsigned speed);

/* What to do now. PING: send one with wk_alive_id(), then ask again at due_ms. */
enum wk_alive_verdict wk_alive_tick(struct wk_alive *a, uint64_t now_ms);

/* Id of the ping sent last; out holds WK_ALIVE_ID_CAP bytes. */
void wk_alive_id(const struct wk_alive *a, char *out);

/* An answer with this id came. True when it was one to our pings (either of the last two). */
bool wk_alive_answer(struct wk_alive *a, const char *id, uint64_t now_ms, uint32_t rnd);

#endif
