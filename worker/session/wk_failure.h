/* worker/session/wk_failure.h - how an attempt failed: a code, WhatsApp's number, one sentence for a person
 */
#ifndef WK_FAILURE_H
#define WK_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

#define WK_DETAIL_CAP 201 /* 200 bytes and a NUL: the limit of ipc.proto's Failed.detail */

struct wk_failure {
	int rc; /* enum wa_err, one of the contract's outcomes, or WA_ENO_SESSION; 0: none */
	uint32_t reason; /* number of <failure> or <stream:error>; 0: none */
	bool silent;     /* the peer did not answer keepalive pings any more */
	char detail[WK_DETAIL_CAP];
};

/*
 * Fill f. A code that is no outcome (-ENOMEM and the like: this process could not go on) becomes
 * WA_EWORKER_CRASHED. Bytes of the text that are not printable ASCII become '?', since some of it
 * comes from a peer. Never pass a secret.
 */
void wk_failure_set(struct wk_failure *f, int rc, const char *fmt, ...) ATTR_PRINTF(3, 4);

/* Append to the sentence, as far as there is room. */
void wk_failure_add(struct wk_failure *f, const char *fmt, ...) ATTR_PRINTF(2, 3);

#endif
