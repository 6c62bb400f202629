/* simulator/server/sim_client_priv.h - shared by sim_client*.c (the connection), sim_pair*.c and
 * sim_online*.c (its stanzas) */
#ifndef SIM_CLIENT_PRIV_H
#define SIM_CLIENT_PRIV_H

#include <event2/event.h>

#include "common/buf.h"
#include "simulator/media/sim_media_http.h"
#include "simulator/pair/sim_pair.h"
#include "simulator/server/sim_client.h"
#include "simulator/server/sim_online.h"
#include "simulator/sim.h"
#include "simulator/wire/sim_reg.h"
#include "simulator/wire/sim_stream.h"
#include "simulator/wire/sim_wire.h"
#include "worker/wa/node/wa_node.h"

struct sim_client {
	struct sim *sim; /* borrowed */
	uint32_t id;
	int64_t connected_unix_ms;
	enum sim_stage stage;
	bool ended;                      /* no longer served */
	bool whole_connection;           /* the fault of stage tcp shapes or paces all there is */
	struct sim_fault fault;          /* of the present stage */
	struct sim_chain *wrong;         /* owned; a chain with a flaw, for this connection only */
	struct sim_rand rnd;             /* this connection's own stream */
	struct sim_wire *wire;           /* owned */
	struct sim_stream *stream;       /* owned; from the upgrade on */
	struct sim_media_request *media; /* owned; a connection to the media host */
	struct event *timer;             /* the deadline of the present stage */
	struct buf held;                 /* fault reorder: a stanza waiting for the next one */
	struct event *held_timer;        /* made when first needed */
	struct sim_payload payload;
	uint8_t noise_key[WA_KEY_LEN];
	char number[SIM_NUMBER_CAP]; /* "" while it is not known */
	char jid[SIM_JID_CAP];       /* of the device; "" while there is none */
	struct sim_pairing pairing;
	struct sim_session session; /* from <success> on */
};

/*
 * The first answer of a stage is due: let a waiting fault happen.
 * False: nothing more is to be sent or done in this stage.
 */
bool sim_client_meet(struct sim_client *c, enum sim_stage stage);

/*
 * The phone of a pairing is known now: /clients shows it, and faults of the present stage that
 * match by number can happen. False: one has taken the connection, nothing more is to be sent.
 */
ATTR_NODISCARD bool sim_client_set_number(struct sim_client *c, const char *number);
/* Pairing is done: /clients shows number and JID of the device. */
void sim_client_linked(struct sim_client *c, const struct sim_device *device);

/*
 * Pairing is over: stream error 515, then close; or what a fault with child "515" puts in its
 * place.
 */
void sim_client_restart(struct sim_client *c);

/* Log and send; takes node (NULL: no memory). Failure ends the connection. */
void sim_client_send(struct sim_client *c, struct wa_node *node);
/* The same with a stanza that is encoded; borrowed. */
void sim_client_send_encoded(struct sim_client *c, const struct buf *stanza);
/* Fault reorder: what is held back goes now. */
void sim_client_flush(struct sim_client *c);
/* <failure reason=N/> or <stream:error/>, then close. child: see README, faults; NULL: none. */
void sim_client_fail(struct sim_client *c, uint32_t reason);
void sim_client_stream_error(struct sim_client *c, uint32_t code, const char *child);
/* Last words, then close; why: static text for the log. Safe twice. */
void sim_client_end(struct sim_client *c, const char *why);
/* ms 0: no deadline any more. */
void sim_client_deadline(struct sim_client *c, uint32_t ms);

#endif
