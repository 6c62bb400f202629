/*
 * worker/receive/wk_retry_ask.h - messages that could not be opened: asked for again, given up, told of
 *
 * Each failed delivery of a message is answered by one retry receipt, at most WA_RETRY_COUNT_MAX
 * for a message: the first at once, the next after 1, 2, 4 and 8 s. A message that has not come
 * WK_ASK_TELL_MS after the first becomes an event of its own ("undecryptable"); when it comes after
 * all it is told of as any other. What is owed is kept in session.db, so that it outlives the
 * connection and the process: then what may not have left is said again. Source: protocol notes 05
 * section 9.4.
 */
#ifndef WK_RETRY_ASK_H
#define WK_RETRY_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct event;
struct wa_node;
struct wk_recv;
struct wk_recv_in;

#define WK_ASK_TELL_MS 60000
#define WK_ASK_PHONE_MS 5000    /* then our own phone is asked, which may have it */
#define WK_ASK_WAITING_MAX 1024 /* beyond that: when there is room */
#define WK_ASK_KEPT_S (14 * 24 * 3600)

/* Something that is to be done for a message later. */
struct wk_retry_due {
	int64_t key;
	uint64_t at_ms;
	enum { WK_DUE_RECEIPT, WK_DUE_PHONE, WK_DUE_TELL } what;
	int why; /* of WK_DUE_RECEIPT; 0: no longer known */
};

struct wk_retry_asks {
	struct wk_retry_due *due; /* unordered */
	size_t due_n, due_cap;
	struct event *timer;
	uint64_t rows;     /* in the table; 0: nobody needs to look */
	bool loaded;       /* rows is known, and what was owed is due */
	uint64_t phone_ms; /* when the phone may be asked again */
};

ATTR_NODISCARD int wk_retry_asks_init(struct wk_recv *r);
void wk_retry_asks_clear(struct wk_recv *r);
/* Is there anything to resume? Only reads. */
bool wk_retry_asks_owes(struct wk_recv *r);
/* Within the batch: what is known of, and owed by, a former process. 0 or fatal. */
ATTR_NODISCARD int wk_retry_asks_resume(struct wk_recv *r);

struct wk_retry_why {
	int rc;         /* a code of wa_signal.h; 0: it was not sealed for us */
	unsigned count; /* <enc count>; 0: none */
	bool hide;      /* nobody misses it: it never becomes an event */
	bool ask_phone; /* it may have it */
};

/*
 * Within the batch: the message did not open. The stanza's ack is up to the caller. 0 or fatal.
 */
ATTR_NODISCARD int wk_retry_ask(struct wk_recv_in *in, const struct wk_retry_why *why);
/* Within the batch: it has come. 0 or fatal. */
ATTR_NODISCARD int wk_retry_came(struct wk_recv *r, int64_t key);

#endif
