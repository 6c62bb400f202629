/*
 * gateway/http/gw_conn_priv.h - the inside of a connection, for the three files that share it
 *
 * gw_conn.c reads and keeps the deadlines, gw_conn_write.c answers, gw_conns.c holds them all.
 */
#ifndef GW_CONN_PRIV_H
#define GW_CONN_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include <event2/event_struct.h>

#include "common/buf.h"
#include "gateway/http/gw_addr.h"
#include "gateway/http/gw_conn.h"
#include "gateway/http/gw_gate.h"
#include "gateway/http/gw_peers.h"

#define CONN_KEEP_CAP 4096 /* larger buffers are given back between requests */

enum conn_state {
	CONN_IDLE,     /* no byte of a request yet */
	CONN_HEAD,     /* reading a head */
	CONN_BODY,     /* reading a body */
	CONN_HANDLING, /* the answer is being made */
	CONN_ANSWERED, /* the answer is complete and on its way out */
	CONN_LINGER,   /* everything said; waiting for the client to close */
	CONN_CLOSED,   /* to be freed */
};

struct gw_conn {
	TAILQ_ENTRY(gw_conn) all;
	TAILQ_ENTRY(gw_conn) unknown;      /* of conns */
	TAILQ_ENTRY(gw_conn) peer_unknown; /* of its address */
	struct gw_conns *conns;
	struct gw_peer *peer; /* NULL: not counted */
	struct gw_addr addr;
	int fd;
	enum conn_state state;
	bool known;     /* a valid token came along */
	bool eof;       /* the client sends no more */
	bool close;     /* behind the running answer */
	bool chunked;   /* the running answer is a chunked stream */
	bool corked;    /* its pieces leave together */
	bool no_body;   /* the running answer has none, whatever is given */
	bool continued; /* "100 Continue" was said, or there is no need to */
	bool keep_body; /* else it is read and dropped */
	bool until_hangup;
	bool pumping;
	unsigned requests_n;
	struct gw_gate gate;
	struct buf in; /* from in_at on: not yet read by the gate */
	size_t in_at;
	struct buf body;
	struct buf out; /* from out_at on: not yet sent */
	size_t out_at;
	size_t out_held;  /* of conns->held: what out takes */
	size_t drained_n; /* while lingering */
	void (*on_gone)(void *arg);
	void (*on_room)(void *arg); /* the answer is paced; NULL: it is not */
	void (*on_data)(const uint8_t *data, size_t data_len, void *arg); /* upgraded; NULL: not */
	void *on_gone_arg;
	uint64_t began_ms;    /* of the state's deadline */
	uint64_t pending_ms;  /* since when there is output; 0: none */
	size_t pending_at;    /* out_at then */
	uint64_t deadline_ms; /* 0: none */
	uint64_t armed_ms;    /* when the timer goes off; 0: not set */
	struct event ev_read;
	struct event ev_write;
	struct event ev_timer;
};

struct gw_conns {
	struct gw_conns_params p;
	struct gw_peers *peers;
	struct gw_conn_list all;
	struct gw_conn_list unknown; /* oldest first */
	struct gw_conn_list closed;
	struct event *ev_reap;
	struct event *ev_shed;
	size_t n;
	size_t held; /* bytes of all output that waits for clients */
	bool draining;
	time_t date_at;
	char date[40]; /* the Date line of that second */
};

/* ---- gw_conn.c ------------------------------------------------------------------------------ */

/* A connection that is in all lists already begins to read. */
void gw_conn_start(struct gw_conn *c);
/* Safe from anywhere and safe twice; the memory stays until the end of the loop pass. */
void gw_conn_close(struct gw_conn *c, const char *why);
void gw_conn_free(struct gw_conn *c);
/* Set the deadline of the state the connection is in. */
void gw_conn_set_deadline(struct gw_conn *c);
/* The answer has left: on to the next request, or out. */
void gw_conn_finish(struct gw_conn *c);

/* ---- gw_conn_write.c ------------------------------------------------------------------------ */

/* Send what is in out, now or when the client takes it. May close, and may finish the request. */
void gw_conn_flush(struct gw_conn *c);

/* ---- gw_conns.c ----------------------------------------------------------------------------- */

/* Its client has shown a token, or it is going: no longer one to shed. Safe twice. */
void gw_conns_forget_unknown(struct gw_conn *c);
/* It is closed: out of the lists, to be freed at the end of the loop pass. */
void gw_conns_remove(struct gw_conn *c);
/* Count what its out takes now. Over the limit, who holds most is closed, in the next loop pass. */
void gw_conns_hold_out(struct gw_conn *c);

#endif
