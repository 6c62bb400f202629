/*
 * gateway/limit/gw_redis_url.h - the setting redis_url, taken apart
 *
 *   redis://[user][:password]@host[:port][/db]     host: a name, an IPv4 address or [IPv6]
 *   unix:/path[?db=N][&user=U][&password=P]
 *
 * User and password may be percent-encoded, as may the path of a socket. There is no TLS (hiredis
 * 0.14 has none): a Redis that is not on this host belongs behind a tunnel, or on a private
 * network.
 */
#ifndef GW_REDIS_URL_H
#define GW_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define GW_REDIS_PORT 6379
#define GW_REDIS_DB_MAX 65535
#define GW_REDIS_HOST_CAP 256
#define GW_REDIS_PATH_CAP 108 /* of struct sockaddr_un */
#define GW_REDIS_SECRET_CAP 513

struct gw_redis_target {
	char host[GW_REDIS_HOST_CAP]; /* without brackets; "" for a socket */
	char path[GW_REDIS_PATH_CAP]; /* "" for TCP */
	uint16_t port;
	uint32_t db;
	char user[GW_REDIS_SECRET_CAP];     /* "": the default user */
	char password[GW_REDIS_SECRET_CAP]; /* "": none */
};

/* 0 or -EINVAL; *out is wiped by its owner (gw_redis_target_wipe()). */
ATTR_NODISCARD int gw_redis_url_parse(const char *text, struct gw_redis_target *out);

/*
 * The file's first line as the password; one that is longer, empty or has a control character is
 * refused. 0, -EINVAL or -errno.
 */
ATTR_NODISCARD int gw_redis_password_read(const char *file, struct gw_redis_target *target);

void gw_redis_target_wipe(struct gw_redis_target *target);

#endif
