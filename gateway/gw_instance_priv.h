/*
 * gateway/gw_instance_priv.h - what registry, workers and tests may do with an instance
 *
 * The rest of the gateway uses gw_instance.h only.
 */
#ifndef GW_INSTANCE_PRIV_H
#define GW_INSTANCE_PRIV_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/attr.h"
#include "common/log.h"
#include "gateway/gw_instance.h"
#include "gateway/gw_store.h"

struct event;
struct gw_worker;

/* Where an instance is. What clients see (gw_conn_state) follows from it. */
enum gw_inst_state {
	GW_IDLE,     /* no worker, no attempt */
	GW_STARTING, /* an attempt; its worker is being started */
	GW_DIALING,  /* the worker runs; no code yet */
	GW_CODE,     /* codes are being shown */
	GW_LEAVING,  /* no attempt; the last worker is on its way out */
	GW_QUEUED,   /* an attempt that waits for the last worker to be gone */
	GW_DELETING, /* to be deleted once the worker is gone */
	GW_DELETED,  /* nothing runs; only its owner may touch it */
	GW_INST_STATE_N
};

enum gw_inst_event {
	GW_EV_CONNECT,   /* a caller; joins the attempt that runs */
	GW_EV_SUPERSEDE, /* a caller whose attempt must replace the one that runs */
	GW_EV_REFUSED,   /* the supervisor can't start a worker */
	GW_EV_READY,     /* the worker answered HELLO */
	GW_EV_STEP,      /* the worker's attempt got on */
	GW_EV_CODE,      /* a code to show */
	GW_EV_FAILED,    /* the worker's attempt is over */
	GW_EV_BYE,       /* the worker leaves */
	GW_EV_LOST,      /* the worker crashed, hung or never started */
	GW_EV_GONE,      /* the worker's process is no more; its pointer is dead after this event */
	GW_EV_DEADLINE,  /* no code in time, or none after the last one */
	GW_EV_STOP,      /* the gateway ends */
	GW_EV_DELETE,    /* the instance is being deleted */
	GW_EV_RESTORE,   /* the deletion failed */
	GW_INST_EVENT_N
};

const char *gw_inst_state_name(enum gw_inst_state st);
const char *gw_inst_event_name(enum gw_inst_event ev);

/* Where the time to the first code went, as the worker measured it; all zero: not said. */
struct gw_code_timing {
	uint64_t spawn_us, start_us, tcp_us, tls_us, upgrade_us, handshake_us, code_us;
};

/* What comes with an event; only the member of that event is looked at. All borrowed. */
struct gw_inst_input {
	const struct gw_connect_params *params; /* CONNECT, SUPERSEDE */
	const struct gw_reason *reason;         /* REFUSED, FAILED, BYE, LOST */
	const char *step;                       /* STEP: a word, static */
	struct {
		const char
		    *text; /* checked by the worker's owner: printable, fits struct gw_code */
		uint32_t valid_ms;
		unsigned index, total;
		struct gw_code_timing timing;
	} code; /* CODE */
};

struct gw_watch {
	TAILQ_ENTRY(gw_watch) link;
	struct gw_watch_list *list; /* the one it is in */
	struct gw_instance *inst;
	gw_watch_cb *cb;
	void *arg;
	uint32_t seen_seq;       /* code_seq of the code it was told of; 0: none yet */
	struct gw_reason reason; /* once it is over */
};
TAILQ_HEAD(gw_watch_list, gw_watch);

typedef void gw_instance_gone_cb(struct gw_instance *inst, void *arg);

struct gw_instance {
	struct gw *gw;
	struct gw_account *account;
	void *owner; /* the registry's node */
	struct log_ctx log;
	char id[GW_ID_LEN + 1];
	char name[GW_NAME_MAX + 1];
	int64_t created_unix_ms;
	int64_t updated_unix_ms;
	json_t *settings; /* those that were given; defaults are merged in when shown */

	enum gw_inst_state state;
	enum gw_conn_state conn;
	int64_t since_unix_ms; /* of conn */
	struct gw_reason last_error;

	struct {
		uint32_t history_days;
		char request_id[65];
		uint64_t began_ms;
		const char *step; /* last one heard of; static; NULL: none */
		unsigned codes_n;
	} attempt;                /* the running one, or the last */
	struct gw_worker *worker; /* borrowed; NULL: none */

	struct gw_code code;          /* empty text: none */
	uint32_t code_seq;            /* counts codes; never goes back */
	struct gw_watch_list watches; /* of the running attempt */
	struct gw_watch_list ended;   /* to be told how theirs ended */
	struct event *ev_notify;
	struct event *ev_deadline;

	gw_instance_gone_cb *on_gone; /* of gw_instance_delete() */
	void *on_gone_arg;
};

/*
 * An instance without attempt. acc and owner are kept, row is copied.
 * 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_instance_new(struct gw *gw, struct gw_account *acc,
                                   const struct gw_instance_row *row, void *owner,
                                   struct gw_instance **inst_out);
/* Nothing may run for it any more. Watches that are due are told first. NULL is fine. */
void gw_instance_free(struct gw_instance *inst);

/* The registry's node. */
void *gw_instance_owner(const struct gw_instance *inst);

/*
 * The one function that moves. 0; WA_ESTATE when the event has no place in this state (logged,
 * nothing changes); or what the action said. A worker whose message is refused is to be ended.
 */
int gw_instance_event(struct gw_instance *inst, enum gw_inst_event ev,
                      const struct gw_inst_input *in);

/* In these states clients see "connecting". */
bool gw_instance_attempt_runs(enum gw_inst_state st);

/* ---- among the files of this module ----------------------------------------- */

void gw_watch_put(struct gw_watch *w, struct gw_watch_list *list);
void gw_instance_code_clear(struct gw_instance *inst);
/* Watchers are told from the loop, so that no callback runs inside the call that causes it. */
void gw_instance_notify(struct gw_instance *inst);
/*
 * The attempt is over for all who watch it; but who came too late for the last code stays, for an
 * attempt of its own.
 */
void gw_instance_watches_end(struct gw_instance *inst, const struct gw_reason *reason);
void gw_instance_tell_ended(struct gw_instance *inst);
/* Of ev_notify and ev_deadline; arg is the instance. */
void gw_instance_on_notify(int fd, short what, void *arg);
void gw_instance_on_deadline(int fd, short what, void *arg);

/* ---- for the registry ------------------------------------------------------- */

/* The gateway ends: callers get WA_ESHUTTING_DOWN, the worker is told to leave. */
void gw_instance_stop(struct gw_instance *inst);
/*
 * Callers get WA_EDELETED, the worker is told to leave; on_gone is called when nothing runs any
 * more (at once when nothing does).
 */
void gw_instance_delete(struct gw_instance *inst, gw_instance_gone_cb *on_gone, void *arg);
/* The deletion did not work out. */
void gw_instance_restore(struct gw_instance *inst);

/*
 * The known settings of a JSON text with the right types, as compact JSON; NULL or text without any
 * gives "{}". *text_out is the caller's to free(). 0, -EINVAL (not a JSON object), -ENOMEM.
 */
ATTR_NODISCARD int gw_settings_normalise(const char *text, char **text_out);

#endif
