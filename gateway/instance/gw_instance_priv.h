/*
 * gateway/instance/gw_instance_priv.h - what registry, workers and tests may do with an instance
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
#include "gateway/instance/gw_deaths.h"
#include "gateway/instance/gw_device.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_store.h"
#include "gateway/supervision/gw_supervisor.h"

struct event;
struct gw_event_stream;
struct gw_worker;

#define GW_NUMBER_CAP 16 /* 15 digits */

/* Where an instance is. What clients see (gw_conn_state) follows from it. */
enum gw_inst_state {
	GW_IDLE, /* no worker, nothing wanted */
	/* a pairing */
	GW_STARTING, /* its worker is being started */
	GW_DIALING,  /* the worker runs; no code yet */
	GW_CODE,     /* codes are being shown */
	GW_PASSKEY,  /* scanned; the passkey step is open, or pair-success is awaited after it */
	/* a saved session */
	GW_ADOPTING,   /* its worker ran before the gateway did, and has not said what it is at */
	GW_RESUMING,   /* its worker is being started, or is dialling, or logging in */
	GW_ONLINE,     /* logged in */
	GW_WAITING,    /* the worker waits for its next try */
	GW_RESTARTING, /* the worker is no more; the next (for a session or a pairing) at a time */
	/* the end of something */
	GW_LEAVING,     /* nothing is wanted; the last worker is on its way out */
	GW_QUEUED,      /* a pairing or a session waits for the last worker to be gone */
	GW_LOGGING_OUT, /* the link is being ended */
	GW_DELETING,    /* to be deleted once it is unlinked and the worker is gone */
	GW_DELETED,     /* nothing runs; only its owner may touch it */
	GW_INST_STATE_N
};

enum gw_inst_event {
	/* asked for */
	GW_EV_CONNECT,   /* a caller; joins what runs */
	GW_EV_SUPERSEDE, /* a caller whose pairing must replace the one that runs */
	GW_EV_RECONNECT, /* the saved session is wanted */
	GW_EV_LOGOUT,    /* the link is to end */
	GW_EV_RENEW,     /* the worker is to be replaced by one of the newest binary */
	GW_EV_STOP,      /* the gateway ends */
	GW_EV_DELETE,    /* the instance is being deleted */
	GW_EV_RESTORE,   /* the deletion failed */
	/* from the supervisor */
	GW_EV_ADOPT,   /* a worker was found that runs already */
	GW_EV_REFUSED, /* no worker can be started */
	GW_EV_READY,   /* the worker answered HELLO */
	GW_EV_BYE,     /* the worker leaves */
	GW_EV_LOST,    /* the worker crashed, hung or never started */
	GW_EV_GONE,    /* the worker's process is no more; its pointer is dead after this event */
	/* said by the worker */
	GW_EV_STEP,        /* it got on */
	GW_EV_CODE,        /* a code to show */
	GW_EV_PASSKEY,     /* the passkey step has moved */
	GW_EV_LINKED,      /* there are credentials on disk now */
	GW_EV_ONLINE,      /* logged in */
	GW_EV_DOWN,        /* not online; it tries again by itself */
	GW_EV_PROFILE,     /* names and addresses of the account */
	GW_EV_FAILED,      /* over, and nothing is retried */
	GW_EV_LOGOUT_DONE, /* how unlinking ended */
	/* timers */
	GW_EV_DEADLINE, /* who waits has waited long enough */
	GW_EV_RETRY,    /* time for the next worker */
	GW_INST_EVENT_N
};

const char *gw_inst_state_name(enum gw_inst_state st);
const char *gw_inst_event_name(enum gw_inst_event ev);

/* Where the time to the first code went, as the worker measured it; all zero: not said. */
struct gw_code_timing {
	uint64_t spawn_us, start_us, tcp_us, tls_us, upgrade_us, handshake_us, code_us;
};

/* Of an account, as a worker tells it; checked: JIDs are JIDs, names are UTF-8, all fit gw_device.
 */
struct gw_account_said {
	const char *jid; /* NULL: not said, as with all of them */
	const char *lid;
	const char *platform;
	const char *push_name;
	const char *business_name;
};

/* What a worker that ran before the gateway is at. */
struct gw_inst_hello {
	bool connected;        /* it was told what to do */
	bool linked;           /* it has, or had, a saved session */
	const char *number;    /* a pairing's, by code; NULL: by QR */
	uint32_t history_days; /* asked for with it; 0: none */
	const char *step;      /* a word, static; NULL: none */
	bool shows_code;       /* that step is the one in which codes are shown */
};

/* What comes with an event; only the member of that event is looked at. All borrowed. */
struct gw_inst_input {
	const struct gw_connect_params *params; /* CONNECT, SUPERSEDE */
	struct gw_worker *worker;               /* ADOPT */
	struct gw_inst_hello hello;             /* READY */
	uint64_t since_ms;                      /* ONLINE: for so long already */
	const char *request_id;                 /* RECONNECT, LOGOUT; NULL: none */
	const struct gw_reason *reason; /* REFUSED, FAILED, BYE, LOST; DOWN and LOGOUT_DONE: rc may
	                                   be 0 */
	const char *step;               /* STEP: a word, static */
	bool step_is_login;             /* STEP: one that only a saved session comes to */
	uint32_t attempt;               /* DOWN: tries since it was last online */
	bool silent;                    /* DOWN: WhatsApp did not answer any more */
	uint64_t retry_ms;              /* DOWN: until the next; 0: at once */
	struct {
		bool pairing;     /* a pairing code, not a QR code */
		const char *text; /* printable, fits struct gw_code */
		uint32_t valid_ms;
		unsigned index, total;
		struct gw_code_timing timing;
	} code; /* CODE */
	struct {
		enum gw_passkey_status status; /* REQUIRED, CONFIRM, DONE */
		json_t *public_key;            /* REQUIRED */
		const char *code;              /* CONFIRM; NULL: none */
		uint32_t valid_ms;             /* what is left of the step; 0: not said */
	} passkey;                             /* PASSKEY */
	struct gw_account_said account;        /* LINKED, ONLINE, PROFILE */
};

struct gw_watch {
	TAILQ_ENTRY(gw_watch) link;
	struct gw_watch_list *list; /* the one it is in */
	struct gw_instance *inst;
	gw_watch_cb *cb;
	void *arg;
	char number[GW_NUMBER_CAP]; /* how it wants to pair; "": by QR */
	uint32_t history_days;      /* 0: any */
	uint32_t seen_code;         /* code_seq of the code it was told of; 0: none yet */
	uint32_t seen_passkey;      /* passkey_seq, as above */
	bool seen_connecting;
	struct gw_reason reason; /* once it is over; rc 0: connected */
};
TAILQ_HEAD(gw_watch_list, gw_watch);

/* Who waits for a logout. */
struct gw_logout {
	TAILQ_ENTRY(gw_logout) link;
	gw_logout_cb *cb; /* NULL: forgotten */
	void *arg;
	struct gw_reason reason; /* once it is over; rc 0: done */
};
TAILQ_HEAD(gw_logout_list, gw_logout);

typedef void gw_instance_gone_cb(struct gw_instance *inst, void *arg);

/* What is to run once nothing else is in the way. */
enum gw_goal { GW_GOAL_NONE, GW_GOAL_PAIR, GW_GOAL_SESSION };

#define GW_CRASHES_KEPT 16

struct gw_instance {
	struct gw *gw;
	struct gw_account *account;
	void *owner; /* the registry's node */
	struct log_ctx log;
	char id[GW_ID_LEN + 1];
	char name[GW_NAME_MAX + 1];
	int64_t created_unix_ms;
	int64_t updated_unix_ms;
	uint64_t changes_n;           /* of settings, proxy and updated_unix_ms; never goes back */
	json_t *settings;             /* those that were given; defaults are merged in when shown */
	struct gw_proxy *proxy;       /* in secret memory; NULL: none was ever set */
	struct gw_hook_config *hooks; /* NULL: none was ever set */
	struct gw_device link;
	bool unsure;  /* session.db is there, but whether it holds a link only a worker can tell */
	bool no_news; /* what it shows now was so before this gateway was: a debug line */

	enum gw_inst_state state;
	enum gw_inst_state from; /* the one before the event that is being acted on */
	enum gw_goal goal;
	enum gw_mode mode; /* of the worker, or the last one */

	enum gw_conn_state conn; /* what clients see */
	int64_t since_unix_ms;   /* of conn */
	uint64_t conn_at_ms;     /* monotonic, of since_unix_ms */
	struct event *ev_show;   /* conn follows the state a little later */

	struct {
		enum gw_conn_state conn; /* of the last instance.state about it */
		bool known;              /* there was one, or it needed none */
		bool adopting;           /* its worker has yet to say what it is at */
		bool pairing;            /* that was of a pairing */
		bool silent;    /* keepalive_timeout was told, keepalive_restored not yet */
		unsigned due;   /* what ev_told is to tell */
		uint64_t at_ms; /* monotonic, of the last such */
	} told;
	struct event *ev_told;

	struct {
		char number[GW_NUMBER_CAP]; /* "": by QR */
		uint32_t history_days;
		char request_id[65];
		uint64_t began_ms;
		const char *step; /* last one heard of; static; NULL: none */
		unsigned codes_n;
		bool called;       /* by a caller that wants a link, be it a new one */
		bool holds_number; /* gw_numbers_begin() without its end */
	} attempt;                 /* the running one, or the last */
	struct gw_worker *worker;  /* borrowed; NULL: none */

	struct gw_code code; /* empty text: none */
	uint32_t code_seq;   /* counts codes; never goes back */
	struct gw_passkey passkey;
	uint32_t passkey_seq;         /* counts its moves; never goes back */
	struct gw_watch_list watches; /* of what runs */
	struct gw_watch_list ended;   /* to be told how theirs ended */
	struct event *ev_notify;
	struct event *ev_deadline;

	struct {
		int down_rc;          /* why it is not online; 0: restart, or never said */
		bool down_at_once;    /* the next try came at once */
		bool down_silent;     /* because WhatsApp did not answer any more */
		uint64_t try_ms;      /* monotonic: when this try was begun */
		unsigned attempt;     /* tries since it was last online */
		uint64_t online_ms;   /* monotonic, since when; 0: it is not */
		int64_t next_unix_ms; /* of the next try; 0: none is planned */
		unsigned restarts_n;  /* in a row */
		unsigned held_n;      /* of those because another worker had the store */
		bool due;             /* the time has come, but the last worker is still there */
		struct {
			uint64_t at_ms; /* 0: none */
			enum gw_inst_state state;
		} crash[GW_CRASHES_KEPT];
		unsigned crash_i;
	} retry;
	struct event *ev_retry;
	struct gw_deaths deaths; /* what its workers died of */

	struct gw_logout_list logouts;       /* waiting */
	struct gw_logout_list logouts_ended; /* to be told */
	enum gw_inst_state back;             /* after a logout that failed */
	uint64_t logout_until_ms;            /* monotonic: how long it may take */
	bool unlinking;                      /* the worker has been told to unlink */
	uint64_t unlink_failed_ms;           /* monotonic; 0: it has not */
	bool unlink_tried;                   /* before the deletion that is on its way */

	struct {
		uint32_t progress; /* 0 to 100 */
		uint64_t messages; /* stored from it */
	} history;                 /* of the link, as its worker told last */

	char *last_log; /* what its last worker that crashed had to say; NULL: none has */

	gw_instance_gone_cb *on_gone; /* of gw_instance_delete() */
	void *on_gone_arg;

	struct gw_event_stream *events; /* gw_events'; NULL until it has to do with any */

	struct gw_shown *shown; /* cache of gw_instance_json_text(); NULL until asked for */
};

/*
 * An instance without attempt. acc and owner are kept, row is copied; proxy: NULL for none; hooks:
 * takes it, NULL for none. 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_instance_new(struct gw *gw, struct gw_account *acc,
                                   const struct gw_instance_row *row, const struct gw_proxy *proxy,
                                   struct gw_hook_config *hooks, void *owner,
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

/* ---- for workers and their supervisor ---------------------------------------- */

/* A worker was found that serves it, and has been greeted; borrowed until GONE. 0 or WA_ESTATE. */
ATTR_NODISCARD int gw_instance_adopt(struct gw_instance *inst, struct gw_worker *w);
/* Its session goes on in a worker of the newest binary. False: not now. */
bool gw_instance_renew(struct gw_instance *inst);
/* That worker is not there yet. */
bool gw_instance_is_renewing(const struct gw_instance *inst);
/* What its worker must not work on. */
const struct gw_deaths *gw_instance_deaths(const struct gw_instance *inst);
/* Its worker has crashed: keep what tail_fd (common/log_tail.h; -1: nothing) holds. */
void gw_instance_keep_log(struct gw_instance *inst, int tail_fd);
/* What it is linked to is on disk as it is in memory. */
bool gw_instance_is_saved(const struct gw_instance *inst);

/* ---- for the registry ------------------------------------------------------- */

/* What it is linked to is on disk now. */
void gw_instance_saved(struct gw_instance *inst);
/* The gateway has started: a saved session is resumed, in its turn. */
void gw_instance_autostart(struct gw_instance *inst);
/* The gateway goes, the worker stays: callers get WA_ESHUTTING_DOWN, it hears nothing. */
void gw_instance_part(struct gw_instance *inst);
/* The gateway ends: callers get WA_ESHUTTING_DOWN, the worker is told to leave. */
void gw_instance_stop(struct gw_instance *inst);
/*
 * Callers get WA_EDELETED, the link is ended (for at most 10 s), the worker is told to leave;
 * on_gone is called when nothing runs any more (at once when nothing does).
 */
void gw_instance_delete(struct gw_instance *inst, gw_instance_gone_cb *on_gone, void *arg);
/* The deletion did not work out. */
void gw_instance_restore(struct gw_instance *inst);

/* How far its history is: days asked for (0: none were), 0 to 100, messages stored so far. */
void gw_instance_history(struct gw_instance *inst, uint32_t days, uint32_t progress,
                         uint64_t messages);
/* Its session.db has been committed up to here. Older is nothing new. */
void gw_instance_stored(struct gw_instance *inst, int64_t generation);
const struct gw_device *gw_instance_link(const struct gw_instance *inst);
void gw_instance_updated(struct gw_instance *inst, int64_t unix_ms);
/*
 * Before a change is stored: all that takes memory. partial: from gw_settings_normalise().
 * *given_out: new reference, for gw_instance_settings_changed(). 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_settings_begin(struct gw_instance *inst, const char *partial,
                                     json_t **given_out);
/* The change is committed. */
void gw_instance_settings_changed(struct gw_instance *inst, json_t *given, int64_t updated_unix_ms);
/* patch: of gw_hook_config.h. */
void gw_instance_hooks_changed(struct gw_instance *inst, const json_t *patch,
                               int64_t updated_unix_ms);
/* proxy: of secret_alloc(); takes it. */
void gw_instance_proxy_changed(struct gw_instance *inst, struct gw_proxy *proxy,
                               int64_t updated_unix_ms);

/*
 * The known settings of a JSON text with the right types, as compact JSON; NULL or text without any
 * gives "{}". *text_out is the caller's to free(). 0, -EINVAL (not a JSON object), -ENOMEM.
 */
ATTR_NODISCARD int gw_settings_normalise(const char *text, char **text_out);

/* The value of a truth setting ("keepOnlineStatus"), default or given. */
bool gw_instance_setting_on(const struct gw_instance *inst, const char *name);
/* "callRejectMessage". Borrowed. */
const char *gw_instance_setting_text(const struct gw_instance *inst, const char *name);

#endif
