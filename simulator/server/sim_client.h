/*
 * simulator/server/sim_client.h - one connection of a client, from accept to close
 *
 * The server owns clients; a client ends by itself (peer, protocol, fault, time) and then tells the
 * server, which frees it at the end of the loop pass.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/pair/sim_qr.h"
#include "simulator/phone/sim_phone.h"
#include "simulator/server/sim_fault.h"

struct sim;
struct sim_client;

struct sim_client_info {
	uint32_t id;
	const char *number;    /* NULL while it is not known */
	const char *jid;       /* NULL before login, or before the link is made */
	const char *handshake; /* "XX", "IK", "XXfallback"; NULL before it is done */
	const char *routing;   /* edge routing info at login: "ok", "wrong"; NULL: none */
	enum sim_stage stage;
	int64_t connected_unix_ms;
};

/* Takes fd, also on failure. 0, -ENOMEM or WA_ECRYPTO. */
ATTR_NODISCARD int sim_client_new(struct sim *s, uint32_t id, int fd, struct sim_client **c_out);
/* Begin; the server must know the client by now, for it may end at once. */
void sim_client_start(struct sim_client *c);
void sim_client_free(struct sim_client *c); /* NULL is fine; not from inside its callbacks */

/* Is it still served? One that is being closed no longer shows. */
bool sim_client_is_live(const struct sim_client *c);
/* Strings are borrowed. */
void sim_client_info(const struct sim_client *c, struct sim_client_info *info_out);

/*
 * Let a fault happen to a live connection, at the stage where it is (fault->stage is not looked
 * at). The pair must fit.
 */
void sim_client_hit(struct sim_client *c, const struct sim_fault *fault);

/* Has this connection been given the ref? */
bool sim_client_has_ref(const struct sim_client *c, const char *ref);
/*
 * Compare a QR code with what the connection that holds its ref has said.
 * 0, or WA_EPROTO with *error_out filled.
 */
ATTR_NODISCARD int sim_client_check_qr(const struct sim_client *c, const struct sim_qr *qr,
                                       struct sim_qr_error *error_out);

#endif
