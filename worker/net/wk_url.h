/* worker/net/wk_url.h - ws:// and wss:// URLs taken apart */
#ifndef WK_URL_H
#define WK_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define WK_HOST_CAP 254
#define WK_PATH_CAP 1024
#define WK_HOSTPORT_CAP (WK_HOST_CAP + sizeof("[]:65535"))

struct wk_url {
	bool tls;
	uint16_t port;
	char host[WK_HOST_CAP];          /* name or address, without brackets */
	char hostport[WK_HOSTPORT_CAP];  /* "host:port", "[::1]:port": for texts */
	char authority[WK_HOSTPORT_CAP]; /* as in the Host header: without the scheme's own port */
	char path[WK_PATH_CAP];          /* with query; "/" when the URL has none */
};

/*
 * ws://HOST[:PORT][/PATH] or wss://...; HOST is a name, an IPv4 address or [IPv6]. No user part,
 * no fragment, printable ASCII only. 0 or -EINVAL.
 */
ATTR_NODISCARD int wk_url_parse(const char *text, struct wk_url *url_out);

/* HOST[:PORT] alone, len characters; its path is "/". 0 or -EINVAL. */
ATTR_NODISCARD int wk_url_authority(const char *text, size_t len, bool tls,
                                    struct wk_url *url_out);

/* A host name or IPv4 address by its characters, at most WK_HOST_CAP - 1 of them; no IPv6. */
bool wk_url_is_host(const char *text);

#endif
