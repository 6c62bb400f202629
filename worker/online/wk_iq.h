/*
 * worker/online/wk_iq.h - requests that wait for an answer: their ids, their deadlines, asking
 * again
 *
 * One slot for each kind of request, so a kind is on its way at most once and nothing grows. An
 * answer is known by its id alone, whoever it says it is from. No clock, no I/O: the caller passes
 * time and randomness in. Source: protocol notes 04 sections 4.2 and 16.
 */
#ifndef WK_IQ_H
#define WK_IQ_H

#include <stdbool.h>
#include <stdint.h>

#define WK_IQ_KINDS 24  /* kinds are 0 to WK_IQ_KINDS - 1 */
#define WK_IQ_ID_CAP 32 /* longest id with its NUL */

struct wk_iq_slot {
	uint64_t due_ms; /* waiting: deadline; resting: when to ask again; 0: neither */
	uint32_t seq;    /* number in the id of the request on its way; 0: none */
	uint32_t rests;  /* in a row, because of an answer that was an error */
};

struct wk_iq {
	struct wk_iq_slot slots[WK_IQ_KINDS];
	uint32_t tag, seq; /* make the ids */
	unsigned speed;    /* waits are divided by this */
};

enum wk_iq_due {
	WK_IQ_NOTHING, /* so far */
	WK_IQ_LATE,    /* the answer to this kind has not come: it is not waited for any more */
	WK_IQ_AGAIN,   /* this kind has rested: ask */
};

/* tag: any random number. */
void wk_iq_init(struct wk_iq *q, uint32_t tag, unsigned speed);

/* Neither on its way nor resting. */
bool wk_iq_is_idle(const struct wk_iq *q, unsigned kind);
/* A request goes out; id_out holds WK_IQ_ID_CAP bytes. */
void wk_iq_ask(struct wk_iq *q, unsigned kind, uint64_t now_ms, uint64_t deadline_ms, char *id_out);
/* The request that an answer with this id belongs to, which is idle then; -1: none of ours. */
int wk_iq_answer(struct wk_iq *q, const char *id);

/* Ask again after wait_ms. */
void wk_iq_later(struct wk_iq *q, unsigned kind, uint64_t now_ms, uint64_t wait_ms);
/*
 * Ask again after a failure: full jitter, from 1 s doubling to 300 s with each failure in a row,
 * and not before at_least_ms (what the server wished). rnd: any random number.
 */
void wk_iq_rest(struct wk_iq *q, unsigned kind, uint64_t now_ms, uint64_t at_least_ms,
                uint32_t rnd);
/* It has worked: the next failure rests shortly again. */
void wk_iq_fine(struct wk_iq *q, unsigned kind);

/* What is due now; call until WK_IQ_NOTHING. *kind_out is idle then. */
enum wk_iq_due wk_iq_due(struct wk_iq *q, uint64_t now_ms, unsigned *kind_out);
/* When something will be due; 0: never. */
uint64_t wk_iq_next_ms(const struct wk_iq *q);

#endif
