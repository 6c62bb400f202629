/*
 * worker/pair/wk_pair_id.h - ids of the requests that one part of the pairing sends
 *
 * An answer belongs to the request that is waiting, told by its id; one request waits at a time.
 */
#ifndef WK_PAIR_ID_H
#define WK_PAIR_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "worker/wa/node/wa_node.h"

#define WK_PAIR_ID_CAP 32

struct wk_pair_id {
	uint32_t tag, seq;            /* tag: random, so that no two parts share an id */
	char waiting[WK_PAIR_ID_CAP]; /* "": nothing is */
};

/* The id of the next request, which is then waited for. */
static inline const char *wk_pair_id_next(struct wk_pair_id *i)
{
	(void)snprintf(i->waiting, sizeof(i->waiting), "%u.%u-%u", i->tag >> 16, i->tag & 0xffff,
	               ++i->seq);
	return i->waiting;
}

/* Is this IQ the answer? Then nothing is waited for any more. */
static inline bool wk_pair_id_take(struct wk_pair_id *i, const struct wa_node *iq)
{
	if (i->waiting[0] == '\0' || !wa_node_attr_is(iq, "id", i->waiting))
		return false;
	i->waiting[0] = '\0';
	return true;
}

#endif
