/*
 * simulator/sim_client_fault.h - what a fault does to one connection, stage by stage
 *
 * The functions named after a stage act on the fault that sim_client_meet() has armed, if it is one
 * of that stage's own. False: nothing more is to be done in this stage.
 */
#ifndef SIM_CLIENT_FAULT_H
#define SIM_CLIENT_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "simulator/sim_client_priv.h"
#include "simulator/sim_tls.h"

void sim_client_fault_tcp(struct sim_client *c);
bool sim_client_fault_tls(struct sim_client *c);
bool sim_client_fault_upgrade(struct sim_client *c);
bool sim_client_fault_handshake(struct sim_client *c);
/* registration, pairing and login */
bool sim_client_fault_stanza(struct sim_client *c);

/* The stage of the armed fault is over. */
void sim_client_leave(struct sim_client *c);
/* Which certificate TLS shall show. */
enum sim_tls_cert sim_client_tls_cert(const struct sim_client *c);
/* Send the answer to the upgrade, shaped by its fault. */
void sim_client_write_http(struct sim_client *c, uint8_t *data, size_t len);

#endif
