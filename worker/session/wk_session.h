/*
 * worker/session/wk_session.h - one session: linked, logged in, held, tried again, unlinked
 *
 * A const table of states and events (wk_session.c) says what may happen when. The actions behind
 * it: wk_session_act.c dials and opens, wk_session_pair.c shows codes, wk_session_link.c keeps
 * credentials, wk_session_online.c holds a login, wk_session_version.c asks for the client version,
 * wk_session_lost.c decides what a failure means, wk_session_end.c ends; wk_session_rx.c and
 * wk_session_stream.c say what stanzas mean. Every step has a deadline.
 */
#ifndef WK_SESSION_H
#define WK_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"
#include "proto/ipc.pb-c.h"
#include "worker/control/wk_target.h"
#include "worker/pair/wk_pair.h"
#include "worker/pair/wk_passkey.h"
#include "worker/session/wk_failure.h"
#include "worker/store/wk_creds.h"

struct event_base;
struct wk_session;
struct wk_tls;

enum wk_state {
	WK_IDLE,
	WK_OPENING, /* the store is being looked at */
	WK_VERSION, /* which client version? */
	WK_ASKING,  /* for the permission to dial */
	WK_RESOLVING,
	WK_CONNECTING,
	WK_TLS,
	WK_UPGRADING,
	WK_HANDSHAKE,
	WK_REGISTERING, /* waiting for pair-device */
	WK_PAIRING,     /* codes are being shown, or a passkey is asked for */
	WK_LINKING,     /* linked; waiting for the server to end the stream */
	WK_LOGIN,       /* login payload sent, waiting for success */
	WK_SYNCING,     /* logged in */
	WK_ONLINE,
	WK_UNLINKING, /* remove-companion-device sent */
	WK_BACKOFF,   /* the session is saved; the next try comes */
	WK_CLOSING,   /* told; the WebSocket is being closed */
	WK_ENDED,
	WK_STATE_N
};

enum wk_event {
	WK_EV_CONNECT,  /* the gateway wants a session; also: look at the store again */
	WK_EV_STALE,    /* on to a dial, but the version comes first */
	WK_EV_ASK,      /* on to a dial, but permission comes first */
	WK_EV_DIAL,     /* on to a dial */
	WK_EV_RESOLVED, /* addresses are known */
	WK_EV_DIALLED,  /* the connection is there */
	WK_EV_TLS_UP,   /* TLS is done, or not wanted */
	WK_EV_OPEN,     /* the WebSocket is open */
	WK_EV_READY,    /* Noise is done, as a new device */
	WK_EV_KNOWN,    /* Noise is done, as a linked device */
	WK_EV_REFS,     /* a pair-device came */
	WK_EV_LINKED,   /* pair-success was verified, committed and answered */
	WK_EV_SUCCESS,  /* logged in */
	WK_EV_ONLINE,   /* up to date */
	WK_EV_UNLINK,   /* online, and to be unlinked */
	WK_EV_KEPT,     /* unlinking has failed: online as before */
	WK_EV_LOST,     /* cannot go on; tried again after s->wait_ms */
	WK_EV_FAILED,   /* cannot go on: s->failure */
	WK_EV_REFUSED,  /* as FAILED, while the stream is open: close it politely */
	WK_EV_TIMEOUT,  /* the state's deadline */
	WK_EV_RESUME,   /* the session is wanted now */
	WK_EV_STOP,     /* the gateway wants no more */
	WK_EV_CLOSED,   /* the WebSocket is closed, as we wished */
	WK_EVENT_N
};

/* Microseconds since CONNECT; 0: not reached. */
struct wk_timing {
	uint64_t tcp_us, tls_us, upgrade_us, handshake_us, code_us;
};

/* Called from the event loop or from inside the functions below. Everything is borrowed. */
struct wk_session_ops {
	/* step: a value of Ipc__Step__Name. */
	void (*on_step)(int step, uint64_t elapsed_us, void *arg);
	/* timing: with the first code only, else NULL. The code is wiped afterwards. */
	void (*on_code)(const struct wk_code *code, const struct wk_timing *timing, void *arg);
	void (*on_pairing_code)(const char *code, uint32_t valid_ms, const struct wk_timing *timing,
	                        void *arg);
	void (*on_passkey)(const struct wk_passkey_view *view, void *arg);
	/* Credentials of a new link are on disk. */
	void (*on_linked)(const struct wk_creds *creds, void *arg);
	/* elapsed_us: since the dial began; since_ms: for so long already. */
	void (*on_online)(const struct wk_creds *creds, uint64_t elapsed_us, uint64_t since_ms,
	                  void *arg);
	void (*on_profile)(const struct wk_creds *creds, void *arg);
	/* Saved, but not online; f->rc 0: the server wished for a restart. */
	void (*on_down)(const struct wk_failure *f, unsigned attempt, uint64_t retry_ms, void *arg);
	/* f NULL: unlinked and erased; else nothing has changed. */
	void (*on_logout_done)(const struct wk_failure *f, void *arg);
	/* May I dial? wk_session_dial_go() is the answer. */
	void (*on_dial_ask)(void *arg);
	/* Which version? wk_session_version() is the answer. used: refused; 0: none was tried. */
	void (*on_version_ask)(uint32_t used, void *arg);
	/* What the look-up gave: f NULL: revision. */
	void (*on_version_found)(const struct wk_failure *f, uint32_t revision, void *arg);
	/* To a question, wk_session_ask(); fd -1: none. */
	void (*on_answer)(uint32_t id, const Ipc__Answer *answer, int fd, void *arg);
	/* How far the history is: 0 to 100, messages stored from it so far. */
	void (*on_history)(uint32_t days, uint32_t progress, uint64_t messages, void *arg);
	/* An event, to be kept by the gateway. fd: -1 or borrowed. 0, or a code: nobody has it. */
	int (*on_event)(const Ipc__Event *msg, int fd, void *arg);
	/* Several at once, all or (a code) perhaps not all. NULL: one by one. */
	int (*on_events)(const Ipc__Events *msg, void *arg);
	/* Over, and nothing is retried. */
	void (*on_failed)(const struct wk_failure *f, void *arg);
	/* Nothing is open any more; always from the event loop, once. The session may be freed. */
	void (*on_end)(void *arg);
};

struct wk_session_params {
	struct event_base *base;
	const struct wk_tls *tls;
	const struct log_ctx *log;
	const char *instance_id;
	const char *dir; /* of the instance: session.db */
	unsigned speed;  /* divides every deadline and wait */
	const struct wk_session_ops *ops;
	void *arg;
};

/* All of params is borrowed for the session's life. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_session_new(const struct wk_session_params *params,
                                  struct wk_session **session_out);
/* Drops whatever is open and wipes every key; what is saved stays. NULL is fine. */
void wk_session_free(struct wk_session *s);

/*
 * Begin. target is taken (emptied), also on failure. received_us: when CONNECT came.
 * 0, or WA_ESTATE: one was begun before.
 */
ATTR_NODISCARD int wk_session_connect(struct wk_session *s, struct wk_target *target,
                                      uint64_t received_us);
/* End without a failure; on_end follows. WA_ESTATE when it has ended already. */
int wk_session_stop(struct wk_session *s);

/* The session is wanted now: a wait ends. Nothing happens when it is under way or online. */
void wk_session_resume(struct wk_session *s);
/* Unlink at WhatsApp, then end; within WK_LOGOUT_MS on_logout_done says how it went. */
#define WK_LOGOUT_MS 25000
void wk_session_logout(struct wk_session *s);
/* A gateway has said HELLO: the events that none has acknowledged, again. */
void wk_session_events_tell(struct wk_session *s);
/* No event waits in memory for a gateway: those in session.db are sent by the next worker. */
bool wk_session_events_heard(struct wk_session *s);
/* The gateway has events on its disk. */
void wk_session_event_commit(struct wk_session *s, const Ipc__EventCommit *msg);
/* Permission for one dial. */
void wk_session_dial_go(struct wk_session *s);
/* The gateway's answer: a revision (0: none is known), or find out. */
void wk_session_version(struct wk_session *s, uint32_t revision, bool wanted);
/* Passkey step; dropped when out of turn. */
void wk_session_passkey_answer(struct wk_session *s, const char *credential);
void wk_session_passkey_confirm(struct wk_session *s);
/* Settings have changed. */
void wk_session_settings(struct wk_session *s, const Ipc__SessionSettings *settings);
/*
 * The proxy has changed (NULL: none): from the next dial on. 0; -ENOMEM or -EINVAL: the session
 * must not dial any more.
 */
ATTR_NODISCARD int wk_session_route(struct wk_session *s, const Ipc__Proxy *proxy);

/* A question of the gateway's: on_answer follows, now or later. */
void wk_session_ask(struct wk_session *s, uint32_t id, const Ipc__Ask *m);
/* To a gateway that has come: on_history, if there is a link. */
void wk_session_history_tell(struct wk_session *s);
/* Nobody waits for answers any more. NULL is fine. */
void wk_session_asks_drop(struct wk_session *s);

/* The step last announced, or -1. */
int wk_session_step(const struct wk_session *s);
/* There is, or was, a saved session. */
bool wk_session_had_link(const struct wk_session *s);
/* What CONNECT asked for: the number to pair by code for (""; by QR), days of history (0: none). */
const char *wk_session_number(const struct wk_session *s);
uint32_t wk_session_history_days(const struct wk_session *s);
/*
 * No gateway is there to answer what was asked (may I dial? which version?): go on without. False:
 * nothing was asked.
 */
bool wk_session_alone(struct wk_session *s);
/* Of the saved session, once it has been left: the last state of its store. 0: there is none. */
uint64_t wk_session_left_generation(const struct wk_session *s);
/* Tell a gateway that came later what is true now: the code, the passkey step, online, down. */
void wk_session_tell(struct wk_session *s);

#endif
