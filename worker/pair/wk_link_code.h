/*
 * worker/pair/wk_link_code.h - linking with a pairing code: asks for it, shows it, answers the phone
 *
 * Begins after pair-device was answered. The refs' clock is the attempt's (wk_pair); a code lives
 * no longer than it, and no longer than WA_LINK_CODE_VALID_MS. Source: protocol notes 03 section 7.
 */
#ifndef WK_LINK_CODE_H
#define WK_LINK_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/session/wk_failure.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/link/wa_link_code.h"

struct event_base;
struct wa_node;
struct wk_link_code;

struct wk_link_code_ops {
	int (*send)(const struct wa_node *n, void *arg); /* 0 or a negative code */
	/* What is left of the attempt's codes, ms. */
	uint32_t (*left_ms)(void *arg);
	/* A code is to be shown: wk_link_code_shown(). */
	void (*on_code)(void *arg);
	/* The flow is over: refused, throttled, out of time, or this process can't go on. */
	void (*on_failed)(const struct wk_failure *f, void *arg);
};

struct wk_link_code_params {
	struct event_base *base;
	struct wa_device *dev; /* borrowed; its adv secret is changed */
	const char *number;    /* digits; borrowed */
	uint32_t tag;          /* random: makes the ids of its requests */
	unsigned speed;        /* divides every wait */
	const struct wk_link_code_ops *ops;
	void *arg;
};

/* Draws the code (some 40 ms of work) and sends nothing. 0, -ENOMEM, WA_ECRYPTO. */
ATTR_NODISCARD int wk_link_code_new(const struct wk_link_code_params *params,
                                    struct wk_link_code **lc_out);
/* NULL is fine; safe from its callbacks. */
void wk_link_code_free(struct wk_link_code *lc);

/* pair-device has been answered: ask for the code. Nothing when that was done before. */
void wk_link_code_start(struct wk_link_code *lc);

/* An IQ result or error. False: not an answer to this. */
bool wk_link_code_answer(struct wk_link_code *lc, const struct wa_node *iq);
/* A notification of type link_code_companion_reg; its ack has been sent. */
void wk_link_code_notice(struct wk_link_code *lc, const struct wa_node *n);

/* The passkey step has begun: it decides from now on; the code and its clock are done with. */
void wk_link_code_pause(struct wk_link_code *lc);

/* The code shown now and what is left of it. 0 or WA_ESTATE: none. */
ATTR_NODISCARD int wk_link_code_shown(const struct wk_link_code *lc,
                                      char out[WA_LINK_CODE_SHOWN_CAP], uint32_t *valid_ms_out);

/* The phone has typed the code: how long to wait for pair-success from now; 0: it has not. */
uint32_t wk_link_code_grace_ms(const struct wk_link_code *lc);

#endif
