/* gateway/gw_listener.h - a listening socket, TCP or Unix, and the connections it brings */
#ifndef GW_LISTENER_H
#define GW_LISTENER_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "common/attr.h"
#include "gateway/gw_config.h"

struct event_base;
struct gw_listener;

/* takes fd, non-blocking. sa is borrowed. */
typedef void gw_listener_cb(int fd, const struct sockaddr *sa, void *arg);

/*
 * where  an address and port, or a Unix path: a socket left there by a process that is gone is
 *        replaced, one that answers is not
 * mode   of a Unix socket
 * 0, -EADDRINUSE (also: the Unix socket answers), another -errno, -ENOMEM.
 */
ATTR_NODISCARD int gw_listener_new(struct event_base *base, const struct gw_listen *where,
                                   mode_t mode, gw_listener_cb *cb, void *arg,
                                   struct gw_listener **out);
/* Closes it and removes a Unix socket's path. NULL is fine. */
void gw_listener_free(struct gw_listener *l);
/* The port in force; 0 for a Unix socket. */
uint16_t gw_listener_port(const struct gw_listener *l);

#endif
