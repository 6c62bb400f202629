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

struct wk_appstate_piece {
	enum wk_piece_kind {
		WK_PIECE_PATCH,    /* data, and a file if it is said to have one */
		WK_PIECE_SNAPSHOT, /* in a file */
		WK_PIECE_WHOLE,    /* from the phone */
	} kind;
	struct wa_bytes data;
	const struct wa_appstate_whole *whole;
};

/* wk_appstate_piece.c: 0; 1: refused, on with the next collection; or what ends the session. */
ATTR_NODISCARD int wk_appstate_piece(struct wk_appstate *a, enum wk_collection c,
                                     const struct wk_appstate_piece *p);

/* wk_appstate_piece.c, within a batch: apply it as one part of that, or none of it; *s says what
 * was wrong. 0 or a code, of the content or of ours. */
ATTR_NODISCARD int wk_appstate_take(struct wk_appstate *a, enum wk_collection c,
                                    const struct wk_appstate_piece *p, struct wa_appstate *s);
/* Codes that say something about what came. All others are ours: memory, the disk. */
bool wk_appstate_is_content(int rc);
const char *wk_appstate_why(int rc); /* for the log */

/* wk_appstate_piece.c, within a batch: c waits for the key that is missing. As below. */
ATTR_NODISCARD int wk_appstate_wait(struct wk_appstate *a, enum wk_collection c,
                                    const struct wa_appstate *s);

/* wk_appstate_piece.c, within a batch: ask the phone for a key that c waits for, unless that was
 * done within a day. 0, or what ends the session. */
ATTR_NODISCARD int wk_appstate_ask_key(struct wk_appstate *a, enum wk_collection c,
                                       struct wa_bytes id);

/* wk_appstate_phone.c, within a batch: nothing that the server has fits. 0, or what ends the
 * session. */
ATTR_NODISCARD int wk_appstate_give_up(struct wk_appstate *a, enum wk_collection c);
/* The collection is sound: the phone's copy is not wanted any more. 0 or a code of the store. */
ATTR_NODISCARD int wk_appstate_is_sound(struct wk_appstate *a, enum wk_collection c);
/* What the phone is to be asked for now, if anything. As above. */
ATTR_NODISCARD int wk_appstate_ask_phone(struct wk_appstate *a);
/* When that is again; UINT64_MAX: nothing is wanted of it. */
uint64_t wk_appstate_ask_phone_in_ms(const struct wk_appstate *a);
/* Has a former process left something to ask for? Read from the store. */
bool wk_appstate_asks_load(struct wk_appstate *a);

/* wk_appstate.c: it is to be fetched, now. */
void wk_appstate_want(struct wk_appstate *a, enum wk_collection c);
/* wk_appstate.c: a file is there, or is not to be had. */
void wk_appstate_go_on(struct wk_appstate *a);
/* A collection is to be tried again later. */
void wk_appstate_back_off(struct wk_appstate *a, enum wk_collection c);

#endif
