/*
 * simulator/wire/sim_wire.h - one accepted socket: bytes in and out, with or without TLS, and what
 * can go wrong below the WebSocket
 *
 * TLS runs through memory buffers, so that every byte passes one place on its way to the socket:
 * there it can be changed, paced, held back. The owner frees the wire from the event loop after
 * on_closed, never from inside a callback of it.
 */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/server/sim_fault.h"

#define SIM_WIRE_OUT_MAX (4u * 1024 * 1024) /* a peer that does not read is cut off */

struct sim_wire;

struct sim_wire_ops {
	void (*on_input)(void *arg);   /* look at sim_wire_input() */
	void (*on_secure)(void *arg);  /* the TLS handshake is done */
	void (*on_drained)(void *arg); /* all that was written has gone to the socket */
	void (*on_closed)(void *arg);  /* the socket is gone; once */
};

/* Takes fd, also on failure. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_wire_new(struct event_base *base, int fd, const struct sim_wire_ops *ops,
                                void *arg, struct sim_wire **wire_out);
void sim_wire_free(struct sim_wire *w); /* NULL is fine */

/* Unread bytes: plain text, or raw ones while TLS has not been started. Drain what was used. */
struct evbuffer *sim_wire_input(struct sim_wire *w);

/* From here on the peer speaks TLS, beginning with what lies unread. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_wire_start_tls(struct sim_wire *w, SSL_CTX *ctx);

/* Send. After end, reset or mute: ignored. */
void sim_wire_write(struct sim_wire *w, const void *data, size_t len);
/* What is written until it is false again leaves together, in as few records as it fits. */
void sim_wire_cork(struct sim_wire *w, bool cork);
/* Bytes that the socket has not taken yet. */
size_t sim_wire_backlog(const struct sim_wire *w);
/* Past TLS, straight to the socket. */
void sim_wire_write_raw(struct sim_wire *w, const void *data, size_t len);

/* Send what is waiting, then FIN; orderly: with TLS's close_notify. Safe twice. */
void sim_wire_end(struct sim_wire *w, bool orderly);
/* Send what the socket takes at once, then RST. Safe twice. */
void sim_wire_reset(struct sim_wire *w);
/* Nothing is sent or looked at any more; the socket stays until the peer closes it. */
void sim_wire_mute(struct sim_wire *w);
/* Is it still of use: not ended, reset, muted or closed? */
bool sim_wire_is_live(const struct sim_wire *w);

/*
 * From now on bytes in one segment, then ms of pause (0: until the next loop pass); bytes 0: no
 * pacing. What is already waiting keeps its pace and order.
 */
void sim_wire_pace(struct sim_wire *w, uint32_t bytes, uint32_t ms);
/* Change the raw bytes sent from now on. */
void sim_wire_shape(struct sim_wire *w, const struct sim_shaper *shaper);

#endif
