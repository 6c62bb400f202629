/* worker/session/wk_session_priv.h - the session's inside, shared by its files and its unit test */
#ifndef WK_SESSION_PRIV_H
#define WK_SESSION_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "worker/net/wk_dial.h"
#include "worker/online/wk_alive.h"
#include "worker/session/wk_retry.h"
#include "worker/session/wk_session.h"
#include "worker/wa/transport/wa_noise.h"

struct event;
struct wa_node;
struct wk_ask;
struct wk_conn;
struct wk_age;
struct wk_history;
struct wk_link_code;
struct wk_media;
struct wk_online;
struct wk_outbox;
struct wk_store;
struct wk_version;

struct wk_session {
	struct wk_session_params p;
	enum wk_state state;
	int step; /* announced last; -1: none */
	uint64_t connect_us, dial_us;
	struct wk_timing timing;
	struct wk_target target;
	struct wk_proxy next_proxy; /* from the next dial on */
	bool proxy_changed;

	struct event *deadline;    /* of the state */
	struct event *alive_timer; /* next look at the peer's health */
	struct event *end_timer;   /* on_end, one loop pass later */
	struct event *later; /* what is not urgent: the store after the first code, trimming */
	struct event *logout_timer;

	/* the link */
	struct wk_store *store;   /* NULL: not open */
	struct wk_creds creds;    /* its device is the one being paired, too */
	bool linked;              /* creds are on disk */
	bool had_link;            /* they are, or were */
	bool opened;              /* the store was looked at */
	struct wk_outbox *outbox; /* events on their way; with a link in an open store only */
	struct wk_outbox *left;   /* events of a link that a former life has seen the end of */
	uint64_t left_generation; /* of the link in a store that was closed; 0: none */

	/* the connection */
	struct wk_dial *dial;
	struct wk_pipe pipe; /* on its way from dial to conn */
	struct wk_conn *conn;
	struct wk_alive alive;
	struct wa_server_key server_key; /* what the chain of this connection vouches for */
	bool used_ik, used_routing;
	bool may_dial; /* permission for one dial */

	/* pairing */
	struct wk_pair *pair;
	struct wk_link_code *link_code; /* with a number only */
	struct wk_passkey *passkey;
	const struct wa_pair_device *offer; /* during WK_EV_REFS only */
	bool code_shown;                    /* at least one code of this attempt */

	/* online */
	struct wk_online *online;
	struct wk_history *history; /* as long as online is there */
	struct wk_age *age;         /* likewise; NULL: messages are kept for ever */
	bool paused;                /* nothing is read: the gateway has to catch up */
	uint64_t online_ms;         /* monotonic: since when; 0: it is not */

	struct wk_media *media;               /* files; made when one is wanted first */
	TAILQ_HEAD(wk_ask_list, wk_ask) asks; /* of the gateway, that wait for an answer */

	/* failing and trying again */
	struct wk_failure failure; /* what WK_EV_LOST, WK_EV_FAILED and WK_EV_REFUSED tell */
	struct wk_retry retry;
	uint64_t wait_ms;  /* of WK_EV_LOST */
	uint64_t until_ms; /* monotonic: end of the wait */
	bool told;         /* on_failed was called */

	/* the client version */
	struct wk_version *lookup;
	uint32_t refused;            /* revision that 405 was said to; 0: none */
	bool version_asked;          /* since it was last accepted: one more try, then the end */
	struct wk_failure no_lookup; /* why a look-up found nothing; rc 0: it did not fail */

	/* unlinking */
	bool logging_out;
	unsigned logout_dials; /* begun since it was asked for */

	unsigned bad_stanzas, unknown_stanzas;
};

struct wk_state_info {
	const char *name;
	int step;            /* announced on entry; -1: none */
	int32_t deadline_ms; /* WK_NO_DEADLINE, WK_SAME_DEADLINE: the former state's goes on */
	const char *doing;   /* for the detail of a failure */
};
#define WK_NO_DEADLINE (-1)
#define WK_SAME_DEADLINE (-2)

/* One row per state. */
const struct wk_state_info *wk_state_info(enum wk_state st);

/*
 * Move along the table. 0, WA_ESTATE when the event is not expected in this state (nothing
 * changes), or what the action returned.
 */
int wk_session_event(struct wk_session *s, enum wk_event ev);

/* As wk_session_event(), for callbacks: an action that failed is a failure of the session. */
void wk_session_raise(struct wk_session *s, enum wk_event ev);

/* A wait as the test clock has it. */
uint32_t wk_session_ms(const struct wk_session *s, uint32_t ms);

/* ---- what a failure means (wk_session_lost.c) -------------------------------------------- */

/*
 * The session can't go on. Without a link that is the end; with one the retry policy decides. f may
 * be &s->failure. hint: restart, at_once, expire_s; NULL: nothing special.
 */
void wk_session_lose(struct wk_session *s, const struct wk_failure *f,
                     const struct wk_retry_cause *hint);
static inline void wk_session_fail(struct wk_session *s, const struct wk_failure *f)
{
	wk_session_lose(s, f, NULL);
}
/* For telling: with the generation of the store. */
const struct wk_creds *wk_session_creds(struct wk_session *s);
/* On to a dial: WK_EV_STALE, WK_EV_ASK or WK_EV_DIAL, whichever comes first. */
void wk_session_go(struct wk_session *s);

/* ---- actions: each 0 or a negative code -------------------------------------------------- */

int wk_act_none(struct wk_session *s);

/* wk_session_act.c */
int wk_act_ask(struct wk_session *s);
int wk_act_dial(struct wk_session *s);
int wk_act_open(struct wk_session *s);
int wk_act_opening(struct wk_session *s);
int wk_act_upgraded(struct wk_session *s);
int wk_act_ready(struct wk_session *s);

/* wk_session_version.c */
int wk_act_version(struct wk_session *s);
int wk_act_version_late(struct wk_session *s);

/* wk_session_pair.c */
int wk_act_offer(struct wk_session *s);
/* What a code needs and the network does not: before it is asked for. 0 or a negative code. */
int wk_session_pair_prepare(struct wk_session *s);
/* The code or the passkey step, once more. */
void wk_session_tell_pairing(struct wk_session *s);
/* Everything that only pairing needs. */
void wk_session_pair_drop(struct wk_session *s);

/* wk_session_link.c */
int wk_act_open_store(struct wk_session *s);
int wk_act_linking(struct wk_session *s);
int wk_act_relogin(struct wk_session *s);
/* After the first code, off the way to it: the file that pair-success needs. */
int wk_session_make_store(struct wk_session *s);
/* A pair-success: verify, commit, answer. */
void wk_session_on_pair_success(struct wk_session *s, const struct wa_node *n);

/* wk_session_online.c */
int wk_act_online(struct wk_session *s);
int wk_act_unlink(struct wk_session *s);
/* <success>: WK_EV_SUCCESS, then the bring-up. */
void wk_session_on_success(struct wk_session *s, const struct wa_node *n);
/* Unlinking is over: told, once. f NULL: done, and the session is erased. */
void wk_session_logout_done(struct wk_session *s, const struct wk_failure *f);
void wk_session_on_logout_timer(int fd, short what, void *session);

/* wk_session_lost.c */
int wk_act_timeout(struct wk_session *s);
int wk_act_wait(struct wk_session *s);
int wk_act_go(struct wk_session *s);
int wk_act_resume(struct wk_session *s);

/* wk_session_end.c */
int wk_act_close(struct wk_session *s);
int wk_act_refuse(struct wk_session *s);
int wk_act_fail(struct wk_session *s);
int wk_act_end(struct wk_session *s);
/* Close and release the connection and all that lives with it. */
void wk_session_drop(struct wk_session *s);
/* Before a dial or a look-up: a proxy that has changed is taken; nothing may use the old one. */
void wk_session_take_proxy(struct wk_session *s);
/* Let the store go: closed with a link in it, erased without. */
void wk_session_leave_store(struct wk_session *s);

/* wk_session_history.c */
#define WK_ASKS_MAX 16
/* What fetches files; NULL: no memory. */
struct wk_media *wk_session_media(struct wk_session *s);
/* The answer to wk_online_ask_media(); NULL: there is none. */
void wk_session_on_media_hosts(struct wk_session *s, const struct wa_node *iq);
/* Logged in: 0 or a code of the store. */
int wk_session_history_open(struct wk_session *s);
void wk_session_history_close(struct wk_session *s);

/* wk_session_ask.c */
/* The phone has answered. */
void wk_session_asks_answered(struct wk_session *s, const char *request_id);
/* <notification type="mediaretry">: it has uploaded a file again, or can't. */
void wk_session_asks_retry(struct wk_session *s, const struct wa_node *n);
/* The phone will not answer any more; the store is going. */
void wk_session_asks_offline(struct wk_session *s);
void wk_session_asks_end(struct wk_session *s);

/* wk_session_events.c */
/* The store is open and has a link: its outbox works from here on. */
void wk_session_events_open(struct wk_session *s);
/* The key is at hand: what a former life has left is sent first. */
void wk_session_events_left(struct wk_session *s);
/* Before the store is closed. */
void wk_session_events_close(struct wk_session *s);
/* The session is over. */
void wk_session_events_end(struct wk_session *s);
/* The same before it is erased or set aside: what the gateway does not have outlives it. */
void wk_session_events_outlive(struct wk_session *s);

/* ---- stanzas (wk_session_rx.c, wk_session_stream.c) -------------------------------------- */

void wk_session_on_stanza(const struct wa_node *n, void *session);
void wk_session_on_bad_stanza(int rc, void *session);
void wk_session_on_alive_timer(int fd, short what, void *session);
/* Send a node that was built for this and release it. False: the session has failed with that. */
bool wk_session_send(struct wk_session *s, struct wa_node *n);

/* What pairing (wk_session_pair.c) makes of an IQ's answer and of a notification. */
bool wk_session_pair_answer(struct wk_session *s, const struct wa_node *iq);
void wk_session_pair_notification(struct wk_session *s, const struct wa_node *n);

/* What ends a stream (wk_session_stream.c). */
void wk_session_on_failure(struct wk_session *s, const struct wa_node *n);
void wk_session_on_stream_error(struct wk_session *s, const struct wa_node *n);
void wk_session_on_stream_end(struct wk_session *s, const struct wa_node *n);

#endif
