/* cli/ctl_url.h - where the gateway is: WARDEN_URL, or a Unix socket */
#ifndef CTL_URL_H
#define CTL_URL_H

#include <sys/un.h>

#include "common/attr.h"

enum ctl_transport { CTL_TCP, CTL_TLS, CTL_UNIX };

struct ctl_target {
	enum ctl_transport transport;
	char host[256]; /* name or address; IPv6 without brackets */
	char port[6];
	char base[256]; /* before /api, behind a reverse proxy: "" or "/x", never ending in / */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* CTL_UNIX */
	char shown[576]; /* in messages: "http://127.0.0.1:8080/base", "/run/warden/admin.sock" */
};

/*
 * http://HOST[:PORT][/BASE], https://..., or unix:/PATH. No user, query or fragment.
 * 0, or -EINVAL with *why_out a static text that says what is wrong.
 */
ATTR_NODISCARD int ctl_url_parse(const char *url, struct ctl_target *target_out,
                                 const char **why_out);

/* run_dir/name as a target. 0, or -ENAMETOOLONG when that path is too long for a socket. */
ATTR_NODISCARD int ctl_url_unix(const char *run_dir, const char *name,
                                struct ctl_target *target_out);

#endif
