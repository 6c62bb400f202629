/*
 * simulator/server/sim_client_fault.h - what a fault does to one connection, stage by stage
 *
 * The functions named after a stage act on the fault that sim_client_meet() has armed, if it is one
 * of that stage's own. False: nothing more is to be done in this stage.
 */
#ifndef SIM_CLIENT_FAULT_H
#define SIM_CLIENT_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "simulator/server/sim_client_priv.h"
#include "simulator/wire/sim_tls.h"

void sim_client_fault_tcp(struct sim_client *c);
bool sim_client_fault_tls(struct sim_client *c);
bool sim_client_fault_upgrade(struct sim_client *c);
bool sim_client_fault_handshake(struct sim_client *c);
/* registration, pairing, login and online */
bool sim_client_fault_stanza(struct sim_client *c);

/*
 * A named moment of the stage has come ("pair-success": it was sent; "515": it is due): a fault
 * with that child happens now. True: go on; false: it has taken the connection.
 */
bool sim_client_fault_late(struct sim_client *c, const char *moment);

/* The number became known: as sim_client_meet(), for faults that match by number. */
bool sim_client_meet_number(struct sim_client *c);

/* The stage of the armed fault is over. */
void sim_client_leave(struct sim_client *c);
/* Which certificate TLS shall show. */
enum sim_tls_cert sim_client_tls_cert(const struct sim_client *c);
/* Send the answer to the upgrade, shaped by its fault. */
void sim_client_write_http(struct sim_client *c, uint8_t *data, size_t len);

#endif
