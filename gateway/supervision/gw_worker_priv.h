/* gateway/supervision/gw_worker_priv.h - what a worker and its supervisor know of each other */
#ifndef GW_WORKER_PRIV_H
#define GW_WORKER_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "common/attr.h"
#include "gateway/instance/gw_dials.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/instance/gw_version.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/supervision/gw_worker.h"
#include "proto/ipc.pb-c.h"

struct event;
struct gw_config;
struct gw_runner_request;
struct ipc_chan;
struct ipc_msg;

/* run_dir/w-ID.sock fits struct sockaddr_un: gw_config.c sees to that. */
#define GW_WORKER_SOCK_CAP 108

enum gw_worker_phase {
	GW_W_WAITING,  /* for a start slot or for the runner */
	GW_W_STARTING, /* HELLO (and CONNECT) are on their way, or it was started to hear them */
	GW_W_READY,    /* it answered HELLO */
	GW_W_LEAVING,  /* told to leave, or leaves by itself */
	GW_W_KILLED,   /* given up: its process is to end now */
};

enum gw_worker_proc {
	GW_P_NONE,   /* no process, or one that has not said yet which */
	GW_P_ASKED,  /* the runner has not answered */
	GW_P_RUNS,   /* pidfd is open */
	GW_P_EXITED, /* its status has been fetched */
};

struct gw_worker {
	TAILQ_ENTRY(gw_worker) in_all;
	TAILQ_ENTRY(gw_worker) in_queue; /* WAITING */
	struct gw_supervisor *sup;
	struct gw *gw;
	struct gw_instance *inst; /* outlives it */
	enum gw_worker_phase phase;
	enum gw_worker_proc proc;
	bool has_slot;   /* counts among the starts that run */
	bool end_said;   /* the instance has heard BYE or LOST */
	bool adopted;    /* it ran before this gateway did */
	bool settling;   /* adopted, and not all it had to say has been heard */
	bool done;       /* it waits to be released: what it said last is to be on disk first */
	uint64_t binary; /* common/binary_id.h; 0: not known */
	int tail_fd;     /* the ring of its last log lines; -1: none */
	int memory_fd;   /* its /proc/PID/smaps_rollup, opened by itself; -1: none */
	struct gw_worker_memory memory; /* as read last */
	uint64_t memory_ms;             /* when that was; 0: never */
	uint32_t spawn_id;
	pid_t pid;
	int pidfd;
	struct ipc_chan *chan;
	struct event *ev_exit;
	struct event *ev_timer; /* one deadline at a time; which one follows from phase */
	uint64_t born_us;
	uint64_t spawn_us;     /* from there to HELLO_REPLY */
	unsigned pings_n;      /* sent since it was last heard */
	uint64_t heard_ms;     /* last message at the time of the last PING */
	struct gw_reason lost; /* rc 0: not lost */
	bool lost_by_end;      /* because its process ended: how explains it */
	char how[48];          /* how the process ended */
	enum gw_mode mode;
	char number[GW_NUMBER_CAP]; /* "": by QR */
	uint32_t history_days;
	char request_id[65];
	struct gw_dial dial;                  /* for a worker that runs */
	bool dial_asked;                      /* by itself: DIAL_GO; else it is for RESUME */
	char resume_id[65];                   /* request id of that */
	struct gw_version_asker version;      /* the client version */
	TAILQ_HEAD(gw_ask_list, gw_ask) asks; /* that wait for its answers */
	unsigned asks_n;
	uint32_t ask_id;  /* of the last one */
	uint64_t rate_ms; /* messages since then ... */
	unsigned rate_n;  /* ... are so many */
	char sock_path[GW_WORKER_SOCK_CAP];
};
TAILQ_HEAD(gw_worker_list, gw_worker);

/* ---- the worker's, for its supervisor --------------------------------------- */

/* WAITING; its ready time runs. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_worker_new(struct gw_supervisor *sup, struct gw *gw, struct gw_instance *inst,
                                 const struct gw_attempt *attempt, uint32_t spawn_id,
                                 struct gw_worker **w_out);
/* Kills what still runs, says nothing. NULL is fine. */
void gw_worker_free(struct gw_worker *w);
/* Make its socket, say HELLO and CONNECT, ask the runner. 0 or -errno (it is WAITING as before). */
ATTR_NODISCARD int gw_worker_launch(struct gw_worker *w);
/*
 * Connect to one that runs already and say HELLO: it is STARTING then. 0; -ECONNREFUSED: nobody
 * listens; or another -errno. (It is WAITING as before.)
 */
ATTR_NODISCARD int gw_worker_adopt(struct gw_worker *w);
/* Its socket is there now: say HELLO and CONNECT. 0 or -errno. */
ATTR_NODISCARD int gw_worker_greet_late(struct gw_worker *w);
/* Tell a worker whose instance is not known any more to leave; whether it hears is not waited for.
 */
void gw_worker_dismiss(const char *sock_path, const char *instance_id);
/* This gateway goes, the worker stays: let go of it without a word. w is freed. */
void gw_worker_part(struct gw_worker *w);
/* It could not be launched, from the loop: the instance hears LOST and GONE; w is freed. */
void gw_worker_fail(struct gw_worker *w, int rc);
/* The runner's answer; pidfd is taken over. w may be freed. */
void gw_worker_on_spawned(struct gw_worker *w, int rc, pid_t pid, int pidfd);
/* No more patience. The instance hears GONE later. */
void gw_worker_kill(struct gw_worker *w);

/* ---- among the files of this module ----------------------------------------- */

const char *gw_worker_phase_name(enum gw_worker_phase phase);
const struct log_ctx *gw_worker_log(const struct gw_worker *w);
/* The one deadline; which one it is follows from the phase. */
void gw_worker_timer(struct gw_worker *w, uint32_t ms);
/* From here on it has ms to be gone. */
void gw_worker_leaving(struct gw_worker *w, uint32_t ms);
/* Everything it said has been read, or rc tells why no more is read. w may be freed. */
void gw_worker_channel_over(struct gw_worker *w, int rc);
/* Watch its process. On failure pidfd is closed. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_worker_watch(struct gw_worker *w, pid_t pid, int pidfd);
/* HELLO_REPLY of one whose process we don't know. 0, or WA_EPROTO: it is not who it says. */
ATTR_NODISCARD int gw_worker_identify(struct gw_worker *w, const Ipc__HelloReply *m);
/* Its process, should it hang before it said which it is: found by its command line. */
void gw_worker_track_down(struct gw_worker *w);
/* One that runs and was not taken over, for want of memory then, holds the store: it makes room. */
void gw_worker_oust(const struct gw_worker *w);
/* For the same in a gateway after us. */
void gw_worker_note_pid(const struct gw_worker *w);
void gw_worker_forget_pid(const struct gw_worker *w);
/* All that an adopted one had to say has been heard, or it is lost. Safe twice. */
void gw_worker_settled(struct gw_worker *w);
/* CONNECT, with all that the instance has. 0, WA_ECRYPTO, or what ipc_chan_send() says. */
ATTR_NODISCARD int gw_worker_say_connect(struct gw_worker *w);
/* DIAL_ASK: answered now or in its turn. 0, or WA_EPROTO: it has asked already. */
ATTR_NODISCARD int gw_worker_dial_ask(struct gw_worker *w);
/* May it be told something? */
bool gw_worker_listens(const struct gw_worker *w);
/* Of dial and version; arg is the worker. */
void gw_worker_on_dial(struct gw_dial *d, void *arg);
void gw_worker_on_version(struct gw_version_asker *a, uint32_t revision, bool look_up);
/* Of struct ipc_chan_ops; arg is the worker. */
int gw_worker_on_msg(struct ipc_chan *c, struct ipc_msg *m, void *arg);

/* A control socket that listens, or one that is connected. A descriptor or -errno. */
ATTR_NODISCARD int gw_worker_listen_at(const char *path);
ATTR_NODISCARD int gw_worker_connect_to(const char *path);
/* What CONNECT says of WhatsApp and of the way there; all borrowed from cfg and p. */
void gw_worker_fill_target(struct gw_config *cfg, Ipc__Connect *m);
void gw_worker_fill_proxy(const struct gw_proxy *p, Ipc__Proxy *m);
/* wa_ca_file for CONNECT; -1: none, or it can't be opened, which is logged. */
int gw_worker_open_ca_file(const struct gw_config *cfg);

/* WA_EAT_CAPACITY for what more of the host would cure, else WA_EWORKER_START. */
int gw_worker_start_rc(int sys_rc);

/* ---- the supervisor's, for its workers -------------------------------------- */

const struct gw_worker_times *gw_supervisor_times(const struct gw_supervisor *sup);
struct gw_runner *gw_supervisor_runner(const struct gw_supervisor *sup);
/* A number for a request to the runner, unlike all others. */
uint32_t gw_supervisor_spawn_id(struct gw_supervisor *sup);
/* All of /proc may be read now: some 10 ms on a full host, so it is done a few times a second only.
 */
bool gw_supervisor_may_search(struct gw_supervisor *sup);
/* One adopted worker less to wait for. */
void gw_supervisor_settled(struct gw_supervisor *sup);
/* w does not count among the starts any more (has_slot), nor wait for one. */
void gw_supervisor_release(struct gw_supervisor *sup, struct gw_worker *w);
/* w is out of every list from here on; its owner is whoever calls. */
void gw_supervisor_forget(struct gw_supervisor *sup, struct gw_worker *w);
/* From STOP to SIGKILL when the gateway ends. */
uint32_t gw_supervisor_shutdown_ms(const struct gw_supervisor *sup);

#endif
