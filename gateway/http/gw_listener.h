/* gateway/http/gw_listener.h - a listening socket, TCP or Unix, and the connections it brings */
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

/* Accept (as it does once it is made), or let clients wait in the socket's queue. */
void gw_listener_enable(struct gw_listener *l, bool on);

/*
 * where  an address and port, or a Unix path: a socket left there by a process that is gone is
 *        replaced, one that answers is not
 * mode   of a Unix socket
 * 0, -EADDRINUSE (also: the Unix socket answers), another -errno, -ENOMEM.
 */
ATTR_NODISCARD int gw_listener_new(struct event_base *base, const struct gw_listen *where,
                                   mode_t mode, gw_listener_cb *cb, void *arg,
                                   struct gw_listener **out);
/*
 * Take over a socket that listens already: one that systemd made, or that the gateway before us had
 * when it made way for this one. Connections that wait on it are served; it becomes non-blocking
 * and close-on-exec. The path of a Unix socket stays when the listener goes, unless
 * gw_listener_own_path() says otherwise.
 * takes fd, on failure too
 * 0, -ENOTSOCK, -EINVAL (it does not listen), -EAFNOSUPPORT (neither TCP nor Unix stream), another
 * -errno, -ENOMEM.
 */
ATTR_NODISCARD int gw_listener_new_fd(struct event_base *base, int fd, gw_listener_cb *cb,
                                      void *arg, struct gw_listener **out);
/* Its Unix socket's path, if it has one, is ours to remove, as if gw_listener_new() had made it. */
void gw_listener_own_path(struct gw_listener *l);
/* Closes it and removes a Unix socket's path that is ours. NULL is fine. */
void gw_listener_free(struct gw_listener *l);
/*
 * The listening descriptor, to be handed to a successor (which needs FD_CLOEXEC cleared, or a
 * dup()). It stays the listener's.
 */
int gw_listener_fd(const struct gw_listener *l);
/*
 * A duplicate of the listening descriptor, close-on-exec, the caller's; a Unix socket's path is
 * left alone when the listener goes. Or -errno.
 */
ATTR_NODISCARD int gw_listener_keep(struct gw_listener *l);
/* The port in force; 0 for a Unix socket. */
uint16_t gw_listener_port(const struct gw_listener *l);
/* Where it really listens: the address in force, whoever chose it. */
void gw_listener_where(const struct gw_listener *l, struct gw_listen *out);

#endif
