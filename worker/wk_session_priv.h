/* worker/wk_session_priv.h - the session's inside, shared by its three files and its unit test */
#ifndef WK_SESSION_PRIV_H
#define WK_SESSION_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/wa/wa_device.h"
#include "worker/wk_alive.h"
#include "worker/wk_session.h"

struct event;
struct wa_node;
struct wk_conn;
struct wk_conn_ops;
struct wk_dial;
struct wk_version;

struct wk_session {
	struct wk_session_params p;
	enum wk_state state;
	enum wk_state from; /* the state before */
	int step;           /* announced last; -1: none */
	uint64_t connect_us;
	struct wk_timing timing;
	struct wk_target target;
	struct wa_device device;
	struct event *deadline;    /* of the state */
	struct event *alive_timer; /* next look at the peer's health */
	struct event *end_timer;   /* on_end, one loop pass later */
	struct wk_dial *dial;
	int fd; /* connected socket on its way from dial to conn; -1: none */
	struct wk_conn *conn;
	struct wk_version *lookup;
	struct wk_pair *pair;
	struct wk_alive alive;
	const struct wa_pair_device *offer; /* during WK_EV_REFS only */
	struct wk_failure failure;          /* what WK_EV_FAILED and WK_EV_REFUSED tell */
	struct wk_failure outdated;         /* kept while the version is looked up */
	bool told;                          /* on_failed was called */
	bool code_shown;                    /* at least one code of this attempt */
	bool looked_up;                     /* one look-up per attempt */
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

/* As wk_session_event(), for callbacks: an action that failed ends the attempt. */
void wk_session_raise(struct wk_session *s, enum wk_event ev);

/* Raise WK_EV_FAILED with this failure; the step is added to its text. f may be &s->failure. */
void wk_session_fail(struct wk_session *s, const struct wk_failure *f);

/* Milliseconds as the test clock has them. */
uint32_t wk_session_ms(const struct wk_session *s, uint32_t ms);

/* ---- actions (wk_session_act.c): each 0 or a negative code ------------------------------- */

int wk_act_dial(struct wk_session *s);
int wk_act_none(struct wk_session *s);
int wk_act_open(struct wk_session *s);
int wk_act_opening(struct wk_session *s);
int wk_act_ready(struct wk_session *s);
int wk_act_upgraded(struct wk_session *s);
int wk_act_offer(struct wk_session *s);
int wk_act_look_up(struct wk_session *s);
int wk_act_redial(struct wk_session *s);
int wk_act_fail(struct wk_session *s);
int wk_act_fail_lookup(struct wk_session *s);
int wk_act_timeout(struct wk_session *s);
int wk_act_timeout_lookup(struct wk_session *s);
int wk_act_refuse(struct wk_session *s);
int wk_act_close(struct wk_session *s);
int wk_act_end(struct wk_session *s);

/* Close and release everything but the session itself. */
void wk_session_drop(struct wk_session *s);

/* ---- stanzas (wk_session_rx.c) ----------------------------------------------------------- */

void wk_session_on_stanza(const struct wa_node *n, void *session);
void wk_session_on_bad_stanza(int rc, void *session);
void wk_session_on_alive_timer(int fd, short what, void *session);

#endif
