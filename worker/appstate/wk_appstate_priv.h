/* worker/appstate/wk_appstate_priv.h - app state's inside, shared by its files */
#ifndef WK_APPSTATE_PRIV_H
#define WK_APPSTATE_PRIV_H

#include <event2/event.h>
#include <stdint.h>

#include "common/buf.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/store/wk_creds.h"
#include "worker/wa/message/wa_pool.h"

struct wk_media_get;

/* What a collection has come to on this connection. */
struct wk_collection_state {
	bool wanted;    /* is to be fetched */
	bool asked;     /* in the request on its way, or the answer at hand */
	bool again;     /* it became wanted anew since then */
	bool snapshot;  /* from the beginning: what is here did not fit */
	bool tolerant;  /* even a fresh snapshot did not fit: a hash that differs is let pass */
	bool given_up;  /* until the server speaks of it again */
	unsigned tries; /* in a row that came to nothing */
	uint64_t not_before_ms;
	struct wk_appstate_ask ask; /* of the phone; as it is in the store */
	bool asked_phone;           /* on this connection */
};

struct wk_appstate {
	struct wk_appstate_params p;
	bool online, asking;
	bool freed;     /* destroyed when depth is back at 0 */
	unsigned depth; /* of calls into it that may call out */
	struct wk_collection_state c[WK_COLLECTION_N];
	struct wa_pool *pool;
	struct event *timer; /* the next try; the next piece of an answer */
	/* the answer being worked on, ours; NULL: none */
	struct wa_node *answer;
	const struct wa_node *at;    /* collection of it; NULL: through */
	const struct wa_node *patch; /* of that; NULL: its snapshot is first */
	bool begun;                  /* the collection's snapshot, if any, is done */
	struct wk_media_get *get;    /* a file on its way */
	struct buf file;             /* what came of it */
	bool has_file;
	/* while records are handed out */
	enum wk_collection applying;
	bool first; /* never synchronised before: not news */
	int64_t round, last_round;
	struct wa_appstate_keys keys; /* of the key used last */
	uint8_t keys_id[WA_APPSTATE_KEY_ID_MAX];
	size_t keys_id_len;
	char push_name[WK_NAME_CAP];
	bool has_push_name;
	unsigned records; /* applied so far, for the log */
};

/* wk_appstate_apply.c: what a record says, into the store and the outbox. 0 or a code. */
ATTR_NODISCARD int wk_appstate_apply(struct wk_appstate *a, const struct wa_appstate_record *r);

#endif
