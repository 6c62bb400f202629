/* worker/appstate/wk_appstate_step.h - one piece of an answer: a snapshot or a patch, with its file
 */
#ifndef WK_APPSTATE_STEP_H
#define WK_APPSTATE_STEP_H

#include <stdbool.h>

#include "common/attr.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/wa/message/wa_msg.h"

enum wk_appstate_next {
	WK_STEP_MORE,   /* the next piece, in the next pass of the loop */
	WK_STEP_WAIT,   /* for a file: wk_appstate_go_on() is called */
	WK_STEP_DONE,   /* the answer is through */
	WK_STEP_FAILED, /* the store: the session ends */
};

/* The next piece of the answer, as one part of a batch. */
enum wk_appstate_next wk_appstate_step(struct wk_appstate *a);

/* wk_appstate_piece.c: 0; 1: refused, on with the next collection; or what ends the session. */
ATTR_NODISCARD int wk_appstate_piece(struct wk_appstate *a, enum wk_collection c, bool snapshot,
                                     struct wa_bytes data);

/* wk_appstate_piece.c, within a batch: ask the phone for a key that c waits for, unless that was
 * done within a day. 0, or what ends the session. */
ATTR_NODISCARD int wk_appstate_ask_key(struct wk_appstate *a, enum wk_collection c,
                                       struct wa_bytes id);

/* wk_appstate.c: a file is there, or is not to be had. */
void wk_appstate_go_on(struct wk_appstate *a);
/* A collection is to be tried again later. */
void wk_appstate_back_off(struct wk_appstate *a, enum wk_collection c);

#endif
