/*
 * worker/session/wk_retry.h - after a saved session has failed: when to try again, if at all
 *
 * The retry classes of the fault table, as one pure function over a small state: no clock, no I/O,
 * randomness is passed in. A: at once, once. B: full jitter, from 1 s doubling to 300 s, back to
 * the start only after 60 s online. C: never. D: at a given time.
 */
#ifndef WK_RETRY_H
#define WK_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/session/wk_failure.h"
#include "worker/store/wk_creds.h"

#define WK_RETRY_ONLINE_MS 60000 /* online for this long: the backoff starts anew */

struct wk_retry {
	unsigned failures;   /* in a row, of class B */
	unsigned bounded;    /* of those that are tried a bounded number of times */
	unsigned protocol_n; /* WA_EPROTO within the hour that began at */
	uint64_t protocol_ms;
	unsigned restarts; /* 515 within the minute that began at */
	uint64_t restart_ms;
	unsigned attempt; /* failures since it was last online; told to the gateway */
};

enum wk_retry_kind {
	WK_RETRY_AFTER,     /* try again after wait_ms (0: at once) */
	WK_RETRY_AT,        /* not before unix_s; write it to the credentials */
	WK_RETRY_NEVER,     /* leave: the session stays on disk */
	WK_RETRY_SET_ASIDE, /* leave: the link is over (logged out, banned) */
};

struct wk_retry_plan {
	enum wk_retry_kind kind;
	uint64_t wait_ms;
	int64_t unix_s;
};

/* What ended the session, as the policy needs it. */
struct wk_retry_cause {
	int rc;             /* enum wa_err */
	uint32_t reason;    /* of <failure> or <stream:error>; 0: none */
	bool restart;       /* 515: wished by the server */
	bool at_once;       /* class A: a peer that fell silent, a login to be asked again */
	bool transient;     /* TLS or HANDSHAKE that is no verdict on the peer: no bound on tries */
	uint32_t expire_s;  /* of a temporary ban; 0: not said */
	uint64_t online_ms; /* how long it had been online; 0: it was not */
};

/*
 * rnd: any random number. creds: replaced_n and replaced_day_unix_s are counted there, and are to
 * be saved with a plan of WK_RETRY_AT.
 */
struct wk_retry_plan wk_retry_next(struct wk_retry *r, const struct wk_retry_cause *cause,
                                   struct wk_creds *creds, uint64_t now_ms, int64_t now_unix_s,
                                   uint64_t rnd);

#endif
