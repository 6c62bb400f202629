/* worker/online/wk_online_priv.h - a live session's inside, shared by the wk_online files */
#ifndef WK_ONLINE_PRIV_H
#define WK_ONLINE_PRIV_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/online/wk_iq.h"
#include "worker/online/wk_online.h"
#include "worker/online/wk_prekeys.h"
#include "worker/wa/node/wa_node.h"

/* Every request there is: each is on its way at most once. */
enum wk_request {
	WK_REQ_COUNT,  /* pre-keys on the server */
	WK_REQ_UPLOAD, /* of pre-keys */
	WK_REQ_ACTIVE, /* send what was queued, then all the rest */
	WK_REQ_PROPS,  /* server properties */
	WK_REQ_BLOCKLIST,
	WK_REQ_PRIVACY,
	WK_REQ_DIGEST,   /* of our pre-keys on the server */
	WK_REQ_DEVICES,  /* of our own account */
	WK_REQ_GROUPS,   /* that we take part in */
	WK_REQ_APPSTATE, /* collections of app state */
	WK_REQ_CLEAN,    /* dirty bits */
	WK_REQ_LOGOUT,
	WK_REQ_MEDIA,    /* where files are */
	WK_REQ_SEND_TO,  /* devices that a message of ours goes to */
	WK_REQ_TOKEN,    /* our privacy token, given to somebody */
	WK_REQ_SESSIONS, /* keys of devices, to begin sessions with */
	WK_REQ_ROTATE,   /* our signed pre-key, another one */
	WK_REQ_N
};

enum wk_phase {
	WK_PHASE_NEW,   /* no <success> yet */
	WK_PHASE_COUNT, /* each of these waits for the answer to its request */
	WK_PHASE_UPLOAD,
	WK_PHASE_ACTIVE,
	WK_PHASE_QUEUE, /* waiting for the end of the offline queue */
	WK_PHASE_ONLINE,
	WK_PHASE_OVER /* failed, or freed in a callback: nothing is called any more */
};

/* Dirty bits that are remembered: one of each kind. */
enum wk_dirty_kind { WK_DIRTY_ACCOUNT, WK_DIRTY_GROUPS, WK_DIRTY_OTHER, WK_DIRTY_N };

enum wk_dirty_state {
	WK_DIRTY_NONE,
	WK_DIRTY_WORK,    /* its requests are to be made, or on their way */
	WK_DIRTY_DONE,    /* to be cleaned */
	WK_DIRTY_CLEANING /* the server has been told */
};

#define WK_DIRTY_TYPE_CAP 32
#define WK_DIRTY_TIME_CAP 21 /* a u64 in decimal */

struct wk_dirty {
	enum wk_dirty_state state;
	uint32_t work; /* bit for each request that has not succeeded yet */
	bool failed;   /* one of them never will: not cleaned, the server says it again */
	char type[WK_DIRTY_TYPE_CAP];
	char timestamp[WK_DIRTY_TIME_CAP]; /* "": none came */
};

#define WK_ABT_HASH_CAP 65

struct wk_online {
	struct wk_online_params p;
	struct event *timer; /* the next deadline of any kind */
	uint64_t timer_ms;   /* when it fires; 0: it is not set */
	struct event *tells; /* that it has failed */
	struct wk_failure failure;
	unsigned depth;      /* calls into this object that are running */
	bool freed;          /* destroyed when depth is back at 0 */
	enum wk_phase phase;
	struct wk_iq iq;
	struct wk_prekeys keys;
	struct wk_batch *batch; /* what comes in */
	struct wk_emit *emit;
	struct wk_recv *recv;
	struct wk_appstate *appstate;
	struct wk_sessions *sessions;
	struct wk_send *send;
	bool name_changed;   /* push name: to be shown once it is on disk */
	bool groups_named;   /* their names have been asked for on this connection */
	bool digest_wanted;  /* as soon as no upload is waiting */
	unsigned uploads;    /* that the server has taken on this connection */
	uint64_t rotate_look_ms; /* when the signed pre-key's age is looked at next */
	uint64_t upload_ms;  /* when it took the last one */
	int64_t offset_ms;   /* server clock - ours */
	uint64_t stall_ms;   /* QUEUE: when the queue counts as over; 0: not waiting */
	bool queue_waits;    /* offline_preview came: a batch is to be asked for */
	unsigned batch_left; /* stanzas until the batch that was asked for is through */
	bool queue_over;     /* <offline> came */
	bool expiry_told;
	enum { WK_SHOWN_NOTHING, WK_SHOWN_AWAY, WK_SHOWN_HERE } shown; /* presence sent last */
	char abt_hash[WK_ABT_HASH_CAP]; /* of the properties we have */
	struct wk_dirty dirty[WK_DIRTY_N];
	struct wk_online_counts counts;
};

/* ---- wk_online.c -------------------------------------------------------------------------------
 */

/* Around everything that comes from outside and may call out: callbacks may free the object. */
void wk_online_enter(struct wk_online *o);
void wk_online_leave(struct wk_online *o);
/* Has it failed, or been freed, in the meantime? Asked after everything that calls out. */
bool wk_online_is_over(const struct wk_online *o);
/* The stream can't go on: nothing is done any more, the loop calls on_failed. Does nothing when it
 * is over. */
void wk_online_fail(struct wk_online *o, int rc, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* Send a stanza that was built for this (NULL: no memory) and free it; fails the stream if need be.
 */
void wk_online_send(struct wk_online *o, struct wa_node *takes);
/* Save what has changed in the credentials. 0, or a code and the stream has failed. */
ATTR_NODISCARD int wk_online_save(struct wk_online *o);
/* Foreign stanzas that can't be taken: LOG_WARNING for the first few, then LOG_DEBUG. */
int wk_online_level(unsigned so_far);

/* ---- wk_online_ask.c: requests and their answers ----------------------------------------------
 */

/* What came of a request, for those that wait for it. */
struct wk_answer {
	const struct wa_node *result; /* NULL: an error, or no answer in time */
	unsigned code;                /* of the error; 0: none came */
	bool again;                   /* it will be asked again by itself: not the last word */
};

/* Send a request, unless it is on its way or resting already. */
void wk_online_ask(struct wk_online *o, enum wk_request req);
/* An IQ of type result or error. False: nobody waits for it. */
bool wk_online_answered(struct wk_online *o, const struct wa_node *n);
/* Act on deadlines of requests that have passed. */
void wk_online_overdue(struct wk_online *o, uint64_t now_ms);

/* ---- wk_online_up.c: from <success> to online --------------------------------------------------
 */

void wk_online_up(struct wk_online *o, const struct wa_node *success);
void wk_online_on_count(struct wk_online *o, const struct wk_answer *a);
void wk_online_on_upload(struct wk_online *o, const struct wk_answer *a);
void wk_online_on_active(struct wk_online *o, const struct wk_answer *a);
void wk_online_on_digest(struct wk_online *o, const struct wk_answer *a);
void wk_online_on_props(struct wk_online *o, const struct wk_answer *a);
/* The server has told, or may have made, pre-keys few: upload when that is due. */
void wk_online_refill(struct wk_online *o);
/* Another signed pre-key when it is time, or when the server may not know it; looks again later. */
void wk_online_rotate(struct wk_online *o);
void wk_online_on_rotate(struct wk_online *o, const struct wk_answer *a);
/* Digest check, when no upload is in its way. */
void wk_online_digest(struct wk_online *o);
/* A bulletin about the offline queue. */
void wk_online_queue_begins(struct wk_online *o);
void wk_online_queue_ends(struct wk_online *o);
/* A stanza of the queue has come, or the time for the next one is over. */
void wk_online_queue_moves(struct wk_online *o);
void wk_online_queue_stalls(struct wk_online *o, uint64_t now_ms);
/* One of its stanzas has been acted on. */
void wk_online_queue_taken(struct wk_online *o);
/* Presence as the settings want it, if it is not what was sent last. */
void wk_online_show(struct wk_online *o);

/* ---- wk_online_rx.c: what comes by itself -------------------------------------------------------
 */

void wk_online_take(struct wk_online *o, const struct wa_node *n);

/* ---- wk_online_in.c: what comes in, from the stream to the outbox
 * --------------------------------
 */

/* 0 or -ENOMEM; clear is to be called in any case. */
ATTR_NODISCARD int wk_online_in_init(struct wk_online *o);
void wk_online_in_clear(struct wk_online *o);

/* ---- wk_online_state.c: what the account's devices share ----------------------------------------
 */

ATTR_NODISCARD int wk_online_state_init(struct wk_online *o);
/* The batch is on disk. */
void wk_online_state_committed(struct wk_online *o);
void wk_online_on_appstate(struct wk_online *o, const struct wk_answer *a);
void wk_online_on_privacy(struct wk_online *o, const struct wk_answer *a);
void wk_online_on_groups(struct wk_online *o, const struct wk_answer *a);
/* Ask for the names of groups when one is missing. */
void wk_online_name_groups(struct wk_online *o);

/* ---- wk_online_send.c: what we send
 * --------------------------------------------------------------
 */

ATTR_NODISCARD int wk_online_send_init(struct wk_online *o);
/* wk_recv asks for a session with our own phone; the emitter tells of a declined call. */
int wk_online_want_phone(void *online);
int wk_online_on_declined(const struct wa_jid *caller, const struct wa_jid *alt, void *online);
void wk_online_on_send_to(struct wk_online *o, const struct wk_answer *a);
void wk_online_on_token(struct wk_online *o, const struct wk_answer *a);
void wk_online_on_sessions(struct wk_online *o, const struct wk_answer *a);
void wk_online_on_ack(struct wk_online *o, const struct wa_node *n);

/* ---- wk_online_ib.c: bulletins
 * -------------------------------------------------------------------
 */

void wk_online_on_ib(struct wk_online *o, const struct wa_node *n);

/* ---- wk_online_dirty.c: data that is to be fetched again ----------------------------------------
 */

void wk_online_on_dirty(struct wk_online *o, const struct wa_node *dirty);
/* Online now: begin the work. */
void wk_online_dirty_start(struct wk_online *o);
/* A request that dirty bits may wait for has ended. */
void wk_online_dirty_ended(struct wk_online *o, enum wk_request req, const struct wk_answer *a);
void wk_online_on_clean(struct wk_online *o, const struct wk_answer *a);
/* <iq><clean/>...</iq> for all that is done; NULL without memory. */
struct wa_node *wk_online_clean(struct wk_online *o, const char *id);

#endif
