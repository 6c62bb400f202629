/* simulator/server/sim_server.h - the listening socket of the WhatsApp side, and all its
 * connections */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/server/sim_fault.h"

struct sim;
struct sim_client;
struct sim_server;

/* Bind and listen as the options say. 0, -errno, -ENOMEM. */
ATTR_NODISCARD int sim_server_new(struct sim *s, struct sim_server **server_out);
/* Ends every connection. NULL is fine. */
void sim_server_free(struct sim_server *server);

/* The port that was bound, host order. */
uint16_t sim_server_port(const struct sim_server *server);

/*
 * The server goes away: nothing listens at its port any more, and every connection is reset. What
 * it knows (devices, queues, refs) stays. Open again, it listens at the same port: 0 (also when it
 * was open), -errno.
 */
void sim_server_close(struct sim_server *server);
ATTR_NODISCARD int sim_server_open(struct sim_server *server);

struct sim_server_counts {
	bool open;
	uint32_t accepted; /* connections so far */
	size_t live;       /* connections there are */
	size_t online;     /* those that are logged in */
};
void sim_server_count(const struct sim_server *server, struct sim_server_counts *counts_out);

/* A client's socket is gone; it is freed at the end of this loop pass. */
void sim_server_client_gone(struct sim_server *server, struct sim_client *c);

/* Live connections in the order of their ids. */
void sim_server_each(const struct sim_server *server,
                     void (*on_client)(const struct sim_client *c, void *arg), void *arg);

/* A live connection; NULL: none of that id. */
struct sim_client *sim_server_find(const struct sim_server *server, uint32_t id);
/*
 * Let a fault happen now to each live connection that is at fault->stage and fits the match; nth
 * counts them by id. Returns to how many it did.
 */
size_t sim_server_hit(struct sim_server *server, const struct sim_fault_match *match,
                      const struct sim_fault *fault);

enum sim_ref_state { SIM_REF_UNKNOWN, SIM_REF_OPEN, SIM_REF_CLOSED };
/* Who holds the ref? CLOSED: a connection that has ended since; only then and for UNKNOWN *c_out is
 * NULL. */
enum sim_ref_state sim_server_find_ref(const struct sim_server *server, const char *ref,
                                       struct sim_client **c_out);

#endif
