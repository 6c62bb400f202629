/*
 * gateway/instance/gw_instance_act.h - the files of the instance's machine among themselves
 *
 * gw_instance_machine.c holds the table and moves; the actions are in gw_instance_pair.c (a link is
 * made), gw_instance_session.c (a link is used), gw_instance_adopt.c (a worker is taken over),
 * gw_instance_end.c (logout, deletion, the gateway's end), on top of gw_instance_attempt.c and
 * gw_instance_retry.c.
 */
#ifndef GW_INSTANCE_ACT_H
#define GW_INSTANCE_ACT_H

#include "gateway/instance/gw_instance_priv.h"

typedef int gw_act(struct gw_instance *inst, const struct gw_inst_input *in);

/* ---- the machine ------------------------------------------------------------------------------
 */

/* From inside an action: the event leads here instead. Logged. */
void gw_inst_move(struct gw_instance *inst, enum gw_inst_state next);
/* Clients see "connecting" and the like again as the state is, now or a little later. */
void gw_inst_show(struct gw_instance *inst);
void gw_instance_on_show(int fd, short what, void *arg);

/* ---- events (gw_instance_events.c)
 * ----------------------------------------------------------------- */

/* What clients see may have changed. */
void gw_inst_tell_conn(struct gw_instance *inst);
void gw_inst_tell_code(struct gw_instance *inst);
void gw_inst_tell_passkey(struct gw_instance *inst);
void gw_inst_tell_linked(struct gw_instance *inst);
void gw_instance_on_told(int fd, short what, void *arg);

/* ---- watches and codes (gw_instance_watch.c) --------------------------------------------------
 */

void gw_watch_put(struct gw_watch *w, struct gw_watch_list *list);
void gw_instance_code_clear(struct gw_instance *inst);
void gw_instance_passkey_clear(struct gw_instance *inst);
/* Watchers are told from the loop, so that no callback runs inside the call that causes it. */
void gw_instance_notify(struct gw_instance *inst);
/*
 * Over for all who watch (reason NULL: connected); but who came too late for the last code stays,
 * for a pairing of its own.
 */
void gw_instance_watches_end(struct gw_instance *inst, const struct gw_reason *reason);
/* Those who want to pair another way than the attempt does. */
void gw_instance_watches_end_others(struct gw_instance *inst, const struct gw_reason *reason);
void gw_instance_logouts_end(struct gw_instance *inst, const struct gw_reason *reason);
void gw_instance_tell_ended(struct gw_instance *inst);
/* Of ev_notify, ev_deadline and ev_retry; arg is the instance. */
void gw_instance_on_notify(int fd, short what, void *arg);
void gw_instance_on_deadline(int fd, short what, void *arg);
void gw_instance_on_retry(int fd, short what, void *arg);

/* ---- attempts (gw_instance_attempt.c) ---------------------------------------------------------
 */

struct gw_reason gw_reason_make(int rc, const char *detail);
/* Asking for no history in particular (0) is content with any. number: "" for by QR. */
bool gw_inst_same_pairing(const struct gw_instance *inst, const char *number,
                          uint32_t history_days);
/* There is a saved session, or may be one. */
bool gw_inst_has_session(const struct gw_instance *inst);
void gw_inst_deadline(struct gw_instance *inst, uint64_t ms);
/* Whose request it is that something is done for, for the log; NULL: nobody's. */
void gw_inst_request(struct gw_instance *inst, const char *request_id);
/* A caller's wishes, and its patience. */
void gw_inst_attempt_fill(struct gw_instance *inst, const struct gw_connect_params *p);
/* Everyone who waits is told (reason NULL: connected), and nobody's patience counts any more. */
void gw_inst_callers_end(struct gw_instance *inst, const struct gw_reason *reason);
/* The same for what is over; what clients see as the last error is set. */
void gw_inst_attempt_end(struct gw_instance *inst, const struct gw_reason *reason);
/* The gateway goes: who waits is told, nothing is wanted any more. */
void gw_inst_drop_wishes(struct gw_instance *inst);
void gw_inst_attempt_end_rc(struct gw_instance *inst, int rc, const char *detail);
/* Late callers of a pairing whose codes ran out get the next one: in LEAVING, moves to QUEUED. */
void gw_inst_attempt_again(struct gw_instance *inst);
/*
 * The worker for inst->goal, into STARTING or RESUMING; there must be none. What follows when there
 * can be none is done, and its code returned.
 */
int gw_inst_start(struct gw_instance *inst);
/* For whom the attempt is from here on: who wants to pair another way is superseded. */
void gw_inst_pairing_begins(struct gw_instance *inst);
/* A worker to unlink. 0 or why there is none. */
int gw_inst_start_logout(struct gw_instance *inst);

void gw_inst_error_set(struct gw_instance *inst, const struct gw_reason *reason);
void gw_inst_error_clear(struct gw_instance *inst);
/* What a worker says of the account: there is a link. */
void gw_inst_link_take(struct gw_instance *inst, const struct gw_account_said *a);
/* There are no credentials any more. */
void gw_inst_unlink(struct gw_instance *inst, enum gw_link_end end);

/* ---- restarts (gw_instance_retry.c) -----------------------------------------------------------
 */

/* n: restarts in a row before this one. rnd: any random number. */
uint32_t gw_restart_delay_ms(unsigned n, uint32_t rnd);
/* In ms the next worker is started, by way of RESTARTING. */
void gw_inst_restart_in(struct gw_instance *inst, uint32_t ms);
void gw_inst_restart_cancel(struct gw_instance *inst);
/*
 * The worker of a session is lost in state where: the next one is planned (RESTARTING), or it has
 * crashed too often and nothing is (LEAVING).
 */
void gw_inst_crashed(struct gw_instance *inst, enum gw_inst_state where,
                     const struct gw_reason *reason);
/* Another worker has the store: once more in a second? Moves to RESTARTING. */
bool gw_inst_held_again(struct gw_instance *inst);

/* ---- actions ----------------------------------------------------------------------------------
 */

/* gw_instance_machine.c */
gw_act gw_act_drop, gw_act_gone;
/* gw_instance_pair.c */
gw_act gw_act_begin, gw_act_join, gw_act_enqueue, gw_act_replace, gw_act_replace_queued,
    gw_act_pair_refused, gw_act_ready, gw_act_pair_step, gw_act_code, gw_act_passkey, gw_act_linked,
    gw_act_late_linked, gw_act_pair_failed, gw_act_pair_broken, gw_act_too_late,
    gw_act_too_late_queued, gw_act_codes_over;
/* gw_instance_session.c */
gw_act gw_act_session_begin, gw_act_session_queue, gw_act_session_now, gw_act_session_join,
    gw_act_session_restart_now, gw_act_start_goal, gw_act_retry, gw_act_gone_restart,
    gw_act_session_refused, gw_act_session_step, gw_act_session_code, gw_act_online, gw_act_profile,
    gw_act_down, gw_act_callers_late, gw_act_session_failed, gw_act_late_failed,
    gw_act_unlinked_by_itself, gw_act_session_broken, gw_act_session_bye;
/* gw_instance_adopt.c */
gw_act gw_act_adopt, gw_act_adopted, gw_act_adopt_join, gw_act_adopt_broken, gw_act_adopt_logout,
    gw_act_renew;
/* gw_instance_end.c */
gw_act gw_act_logout_idle, gw_act_logout_pairing, gw_act_logout_session, gw_act_logout_leaving,
    gw_act_logout_restarting, gw_act_logout_connect, gw_act_logout_done, gw_act_logout_failed,
    gw_act_logout_broken, gw_act_logout_gone, gw_act_logout_late, gw_act_logout_online,
    gw_act_logout_down, gw_act_stop, gw_act_deleted, gw_act_delete_idle, gw_act_delete_pairing,
    gw_act_delete_session, gw_act_delete_leaving, gw_act_delete_logout, gw_act_delete_over,
    gw_act_delete_broken, gw_act_delete_gone, gw_act_restore;

#endif
