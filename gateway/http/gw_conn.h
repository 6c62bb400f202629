/*
 * gateway/http/gw_conn.h - client connections: the gate, deadlines, limits, answers
 *
 * Each connection reads one request at a time through gw_gate; bytes of the next one wait until the
 * answer has left. Deadlines are instants, not idle timers: a client that sends a byte now and then
 * gains nothing. What the gate refuses is answered, drained and closed, so that the client can read
 * why.
 *
 * HTTP/1.1 is spoken here and not by evhttp: libevent 2.1.12 can't serve a second request through a
 * bufferevent_filter (its output is never flushed), writes error pages of its own, and would parse
 * the framing again behind the gate.
 */
#ifndef GW_CONN_H
#define GW_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "gateway/http/gw_addr.h"
#include "gateway/http/gw_gate.h"

struct event_base;
struct gw_conn;
struct gw_conns;

/* Deadlines in ms. Tests choose shorter ones. */
struct gw_conn_times {
	uint32_t
	    head; /* from the first byte (of a new connection: from its start) to the whole head */
	uint32_t body;       /* after which a body must have come at body_rate on average */
	uint32_t body_rate;  /* bytes per second; a whole answer must leave at it, too */
	uint32_t write;      /* for pending output to leave */
	uint32_t keep_alive; /* between two requests */
	uint32_t linger;     /* for the client to read the last answer */
};
extern const struct gw_conn_times gw_conn_times_default;

struct gw_conns_params {
	struct event_base *base;
	size_t max;
	size_t max_per_address; /* 0: no limit */
	const struct gw_addr_list
	    *uncounted; /* proxies: no limit per address; borrowed; may be NULL */
	const struct gw_conn_times *times; /* borrowed; NULL: the default */
	uint64_t body_max;
	size_t out_max; /* bytes that all clients together may leave unread; 0: the default */
	unsigned requests_max; /* on one connection */
	void *arg;
	/*
	 * The head is complete: is its body worth keeping? Without, it is read and dropped.
	 * *body_max may be set for this request only.
	 */
	bool (*wants_body)(struct gw_conn *c, uint64_t *body_max, void *arg);
	/*
	 * One whole request. It is answered by gw_conn_answer() or gw_conn_stream_*(), now or
	 * later; until then its head and body can be read.
	 */
	void (*on_request)(struct gw_conn *c, void *arg);
	/*
	 * A request that can't be served: status 400, 408 or 413. Must be answered at once; the
	 * connection closes behind the answer. Its head is there only if gw_conn_head() says so.
	 */
	void (*on_refused)(struct gw_conn *c, int status, void *arg);
	/* A connection over the limits: a last word on fd, which is closed then. May be NULL. */
	void (*on_full)(int fd, void *arg);
};

/* 0, -ENOMEM or WA_ECRYPTO. */
ATTR_NODISCARD int gw_conns_new(const struct gw_conns_params *params, struct gw_conns **conns_out);
/* Ends every connection. NULL is fine. */
void gw_conns_free(struct gw_conns *conns);
/* Takes fd, non-blocking, just accepted from addr. Over the limits, the oldest without a token
 * goes. */
void gw_conns_add(struct gw_conns *conns, int fd, const struct gw_addr *addr);
size_t gw_conns_n(const struct gw_conns *conns);
/*
 * Is any request without its whole answer, or about to come on a connection that was just made?
 * Looks at every connection.
 */
bool gw_conns_are_busy(const struct gw_conns *conns);
/* Close what is idle and was used before; everything else closes after its answer. */
void gw_conns_drain(struct gw_conns *conns);

/* ---- one request, from on_request or on_refused until its answer ----------------------------- */

/* NULL while the head is not complete (on_refused only). */
const struct gw_gate *gw_conn_head(const struct gw_conn *c);
const struct buf *gw_conn_body(const struct gw_conn *c);
const struct gw_addr *gw_conn_peer(const struct gw_conn *c);
/* Its client has shown a valid token: this connection is not shed for new ones. */
void gw_conn_mark_known(struct gw_conn *c);

/*
 * on_gone(arg) is called once if the connection ends before the answer is complete; nothing of the
 * connection may be used in it or later. until_hangup: that the client stops sending is an end too
 * (else it may still read the answer).
 */
void gw_conn_set_owner(struct gw_conn *c, void (*on_gone)(void *arg), void *arg, bool until_hangup);

struct gw_answer {
	int status;
	const struct buf *headers; /* whole lines, each with CRLF; may be NULL */
	const void *body;
	size_t body_len;
	bool close; /* the connection, behind this answer */
};

/* The answer; c must not be used afterwards. Bodies of HEAD, 204 and 304 are left out. */
void gw_conn_answer(struct gw_conn *c, const struct gw_answer *a);

/*
 * An answer of unknown length: start, pieces, end. c must not be used after the end or a negative
 * return: the connection is over then and on_gone has been called.
 */
ATTR_NODISCARD int gw_conn_stream_start(struct gw_conn *c, int status, const struct buf *headers);
ATTR_NODISCARD int gw_conn_stream_piece(struct gw_conn *c, const void *data, size_t data_len);
void gw_conn_stream_end(struct gw_conn *c);
/*
 * Pieces from here on need not leave at once, until the flush: 0, or negative as above. Whatever
 * has come together by then leaves when it is much.
 */
void gw_conn_stream_cork(struct gw_conn *c);
ATTR_NODISCARD int gw_conn_stream_flush(struct gw_conn *c);

/*
 * The stream's owner writes at the client's pace: when something has to wait for the client it
 * writes no more until on_room(arg of the owner) is called, from the loop. Then the client may take
 * as long as it likes while it takes something every times->write, and pieces may be large.
 */
void gw_conn_pace(struct gw_conn *c, void (*on_room)(void *arg));
/* Nothing waits for the client. */
bool gw_conn_has_room(const struct gw_conn *c);

/* ---- another protocol on the same connection, paced as above --------------------------------- */

/*
 * Answer 101; from here on what the client sends goes to on_data (arg of the owner), which may end
 * the connection, and what was there already before this returns. A client that does not take what
 * is written is not read meanwhile. gw_conn_set_owner() and gw_conn_pace() come first. A negative
 * return: the connection is over, on_gone has been called.
 */
ATTR_NODISCARD int gw_conn_upgrade(struct gw_conn *c, const struct buf *headers,
                                   void (*on_data)(const uint8_t *data, size_t data_len,
                                                   void *arg));
/* As gw_conn_stream_piece(), without framing. */
ATTR_NODISCARD int gw_conn_write(struct gw_conn *c, const void *data, size_t data_len);
/* Nothing more is written; the connection closes behind it. on_gone is not called any more. */
void gw_conn_upgrade_end(struct gw_conn *c);

#endif
