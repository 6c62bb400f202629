/*
 * gateway/process/gw_activation.h - listening sockets that whoever started us hands over
 *
 * The protocol of sd_listen_fds(3), spoken by systemd and by a gateway that replaces itself by the
 * binary on disk: descriptors from 3 on, named in the environment. Needs no library.
 */
#ifndef GW_ACTIVATION_H
#define GW_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

#define GW_ACTIVATION_MAX 16
#define GW_ACTIVATION_NAME_CAP 32
#define GW_ACTIVATION_KEPT_HTTP "wardend-http" /* from the gateway that this one replaces */
#define GW_ACTIVATION_KEPT_ADMIN "wardend-admin"
#define GW_ACTIVATION_HTTP "http" /* FileDescriptorName= of the public listener's socket units */

struct gw_activated {
	int fd; /* close-on-exec; -1: taken */
	char name[GW_ACTIVATION_NAME_CAP];
};

struct gw_activation {
	struct gw_activated sockets[GW_ACTIVATION_MAX];
	size_t n;
};

/*
 * Read LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES and remove them from the environment. Nothing for
 * us is no error: n is 0. To be called once.
 * 0; -E2BIG (more than GW_ACTIVATION_MAX); -EINVAL (the variables make no sense); -EBADF (one is
 * not open). On failure *out is empty.
 */
ATTR_NODISCARD int gw_activation_init(struct gw_activation *out);

/*
 * The next socket of this name that nobody has taken, now the caller's; -1: none is left. systemd
 * names a socket after its unit where FileDescriptorName= is missing: "warden.socket" and
 * "unknown" count as "http", so that a plain socket unit works.
 */
int gw_activation_take(struct gw_activation *a, const char *name);

/* Closes what was not taken; says how many those were. */
size_t gw_activation_clear(struct gw_activation *a);

#endif
