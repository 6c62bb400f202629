/*
 * worker/wk_session.h - one link attempt, from CONNECT to its end
 *
 * A const table of states and events (wk_session.c) says what may happen when; the actions behind
 * it are in wk_session_act.c, what stanzas mean in wk_session_rx.c. Every step has a deadline.
 */
#ifndef WK_SESSION_H
#define WK_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"
#include "worker/wk_failure.h"
#include "worker/wk_pair.h"
#include "worker/wk_target.h"

struct event_base;
struct wk_session;
struct wk_tls;

enum wk_state {
	WK_IDLE,
	WK_RESOLVING,
	WK_CONNECTING,
	WK_TLS,
	WK_UPGRADING,
	WK_HANDSHAKE,
	WK_REGISTERING, /* waiting for pair-device */
	WK_LOOKING_UP,  /* refused as outdated: which version is current? */
	WK_PAIRING,     /* codes are being shown */
	WK_CLOSING,     /* told; the WebSocket is being closed */
	WK_ENDED,
	WK_STATE_N
};

enum wk_event {
	WK_EV_CONNECT,  /* the gateway wants an attempt */
	WK_EV_RESOLVED, /* addresses are known */
	WK_EV_DIALLED,  /* TCP is connected */
	WK_EV_TLS_UP,   /* TLS is done, or not wanted */
	WK_EV_OPEN,     /* the WebSocket is open */
	WK_EV_READY,    /* Noise is done */
	WK_EV_REFS,     /* a pair-device came */
	WK_EV_OUTDATED, /* <failure reason="405"/>, and another version may be tried */
	WK_EV_VERSION,  /* another version was found */
	WK_EV_FAILED,   /* cannot go on: s->failure */
	WK_EV_REFUSED,  /* as FAILED, while the stream is open: close it politely */
	WK_EV_TIMEOUT,  /* the state's deadline */
	WK_EV_STOP,     /* the gateway wants no more */
	WK_EV_CLOSED,   /* the WebSocket is closed, as we wished */
	WK_EVENT_N
};

const char *wk_state_name(enum wk_state st);
const char *wk_event_name(enum wk_event ev);

/* Microseconds since CONNECT; 0: not reached. */
struct wk_timing {
	uint64_t tcp_us, tls_us, upgrade_us, handshake_us, code_us;
};

/* Called from the event loop or from inside wk_session_connect() and wk_session_stop(). */
struct wk_session_ops {
	/* step: a value of Ipc__Step__Name. */
	void (*on_step)(int step, uint64_t elapsed_us, void *arg);
	/* timing: with the first code only, else NULL. The code is borrowed and wiped afterwards.
	 */
	void (*on_code)(const struct wk_code *code, const struct wk_timing *timing, void *arg);
	void (*on_failed)(const struct wk_failure *f, void *arg);
	/* Nothing is open any more; always from the event loop, once. The session may be freed
	 * here. */
	void (*on_end)(void *arg);
};

struct wk_session_params {
	struct event_base *base;
	const struct wk_tls *tls;
	const struct log_ctx *log;
	unsigned speed; /* divides every deadline */
	const struct wk_session_ops *ops;
	void *arg;
};

/* All of params is borrowed for the session's life. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_session_new(const struct wk_session_params *params,
                                  struct wk_session **session_out);
/* Drops whatever is open and wipes every key. NULL is fine. */
void wk_session_free(struct wk_session *s);

/*
 * Begin. target is taken (emptied), also on failure. received_us: when CONNECT came.
 * 0, or WA_ESTATE: an attempt was begun before.
 */
ATTR_NODISCARD int wk_session_connect(struct wk_session *s, struct wk_target *target,
                                      uint64_t received_us);
/* End without a failure; on_end follows. WA_ESTATE when it has ended already. */
int wk_session_stop(struct wk_session *s);

/* The step last announced, or -1. */
int wk_session_step(const struct wk_session *s);
/* The code shown now. 0 or WA_ESTATE. Wipe it after use. */
ATTR_NODISCARD int wk_session_code(const struct wk_session *s, struct wk_code *code_out);

#endif
