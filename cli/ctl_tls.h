/* cli/ctl_tls.h - TLS for ctl_http: the system's certificates, the host's name checked */
#ifndef CTL_TLS_H
#define CTL_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct bufferevent;
struct ctl_tls;
struct event_base;

/*
 * A bufferevent that speaks TLS on fd (connected, or being connected). Takes fd on success only.
 * host: the name or address that the certificate must be for. *tls_out is to be freed after the
 * bufferevent. NULL without memory.
 */
struct bufferevent *ctl_tls_bufferevent(struct event_base *base, int fd, const char *host,
                                        struct ctl_tls **tls_out);
void ctl_tls_free(struct ctl_tls *tls); /* NULL is fine */

/* Was it TLS that failed? Then why, for people, cut at why_cap. */
bool ctl_tls_why(const struct ctl_tls *tls, struct bufferevent *bev, char *why, size_t why_cap);

#endif
