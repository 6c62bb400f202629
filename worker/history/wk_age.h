/*
 * worker/history/wk_age.h - once a day, stored messages that are too old are removed
 *
 * A few at a time with pauses in between, so that nothing waits for it. Begins some minutes after
 * it was made, when what came with the login is done.
 */
#ifndef WK_AGE_H
#define WK_AGE_H

#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"

struct event_base;
struct wk_age;
struct wk_store;

struct wk_age_params {
	struct event_base *base;
	const struct log_ctx *log;
	struct wk_store *store; /* all borrowed for its life */
	uint32_t days;          /* how long they are kept; 0: for ever */
	unsigned speed;         /* divides every wait */
};

/* *age_out is NULL when days is 0. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_age_new(const struct wk_age_params *params, struct wk_age **age_out);
void wk_age_free(struct wk_age *a); /* NULL is fine */

#endif
