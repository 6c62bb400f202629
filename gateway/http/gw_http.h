/*
 * gateway/http/gw_http.h - the listening sockets: the public API and the admin socket
 *
 * Ties the parts together: a connection (gw_conn) hands over one whole request at a time, gw_route
 * finds who answers it. Owned by main(); holds nothing that must survive a restart.
 */
#ifndef GW_HTTP_H
#define GW_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct gw;
struct gw_activation;
struct gw_http;

/*
 * Bind cfg.listen ("host:port", "[v6]:port", "unix:/path"; "systemd" takes all sockets named "http"
 * of gw->activation) and run_dir/admin.sock, and answer from the next pass of the loop on.
 * cfg.public_url is filled in where it had to wait for the port. Each address in force is logged
 * (http_listening), with the port the kernel chose where port 0 was asked for. 0; -EINVAL (listen,
 * trusted_proxies or cors_origins can't be read), -EADDRINUSE (also: another gateway answers on a
 * Unix socket), -ENOENT ("systemd", but no socket was handed over), another -errno, -ENOMEM. What
 * failed has been logged.
 */
ATTR_NODISCARD int gw_http_start(struct gw *gw, struct gw_http **http_out);

/* Serve who connects (as from the start), or let clients wait in the sockets' queues. */
void gw_http_accept(struct gw_http *http, bool on);

/*
 * As gw_http_stop_accepting(), but the sockets stay open: who connects waits in their queues, for
 * the program that gw_http_keep_sockets() is for.
 */
void gw_http_make_way(struct gw_http *http);
/* Duplicates of all listening sockets, named for gw_http_start() of the next program; *out is empty
 * before. */
void gw_http_keep_sockets(struct gw_http *http, struct gw_activation *out);

/*
 * Close the listening sockets and the connections without a request; each other connection closes
 * after its answer. Safe twice.
 */
void gw_http_stop_accepting(struct gw_http *http);

/* False once every connection has its answer and is closed. */
bool gw_http_is_busy(const struct gw_http *http);

/* Where the (first) public listener answers: "127.0.0.1:8080", "[::1]:8080" or "unix:/path". */
const char *gw_http_address(const struct gw_http *http);

/* Ends what is left. NULL is fine. */
void gw_http_free(struct gw_http *http);

#endif
