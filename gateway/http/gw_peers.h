/*
 * gateway/http/gw_peers.h - how many connections each client address has
 *
 * An entry lives while its address has connections. Owned by gw_conns.
 */
#ifndef GW_PEERS_H
#define GW_PEERS_H

#include <stddef.h>
#include <sys/queue.h>

#include "common/attr.h"
#include "gateway/http/gw_addr.h"

struct gw_conn;
struct gw_peers;

TAILQ_HEAD(gw_conn_list, gw_conn);

struct gw_peer {
	struct gw_peer *next; /* in its bucket */
	struct gw_addr key;   /* gw_addr_client_key() */
	size_t conns_n;
	struct gw_conn_list unknown; /* those without a valid token, oldest first */
};

/* 0, -ENOMEM or WA_ECRYPTO. */
ATTR_NODISCARD int gw_peers_new(struct gw_peers **peers_out);
/* No entry may be left. NULL is fine. */
void gw_peers_free(struct gw_peers *peers);

/* The entry of an address, made if need be, with one more connection; NULL without memory. */
struct gw_peer *gw_peers_hold(struct gw_peers *peers, const struct gw_addr *addr);
/* One connection less; the entry goes with its last. */
void gw_peers_release(struct gw_peers *peers, struct gw_peer *peer);

#endif
