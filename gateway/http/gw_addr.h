/* gateway/http/gw_addr.h - client addresses: text, networks, and who a forwarded request is from */
#ifndef GW_ADDR_H
#define GW_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/attr.h"

/* IPv4 as ::ffff:a.b.c.d; all zero: not an IP address (a Unix socket). */
struct gw_addr {
	uint8_t b[16];
};

#define GW_ADDR_CAP 46 /* as text, with its NUL */

/* Of a socket's peer; all zero for anything but IPv4 and IPv6. */
void gw_addr_from_sockaddr(const struct sockaddr *sa, struct gw_addr *out);
/* "10.0.0.1", "::1", "[::1]", each also with ":port" behind it where that is unambiguous. 0 or
 * -EINVAL. */
ATTR_NODISCARD int gw_addr_parse(const char *text, size_t text_len, struct gw_addr *out);
/* "10.0.0.1", "2001:db8::1" or "unix"; out holds GW_ADDR_CAP bytes. */
void gw_addr_format(const struct gw_addr *a, char *out);
bool gw_addr_is_ip(const struct gw_addr *a);
bool gw_addr_eq(const struct gw_addr *a, const struct gw_addr *b);
/* What is counted as one client: an IPv4 address, or the /64 of an IPv6 one. */
struct gw_addr gw_addr_client_key(const struct gw_addr *a);

/* ---- networks -------------------------------------------------------------------------------- */

struct gw_addr_list;

/*
 * Comma-separated addresses and networks ("10.0.0.0/8, ::1, unix"); "unix" is any peer on a Unix
 * socket. NULL or empty text: an empty list.
 * 0, -EINVAL (an element can't be read; host bits of a network may be set), -ENOMEM.
 */
ATTR_NODISCARD int gw_addr_list_parse(const char *text, struct gw_addr_list **list_out);
void gw_addr_list_free(struct gw_addr_list *list); /* NULL is fine */
bool gw_addr_list_has(const struct gw_addr_list *list, const struct gw_addr *a);

/*
 * Who a request is from: peer, unless it is one of trusted; then the last address in forwarded (the
 * values of all X-Forwarded-For fields in their order, which are one list) that is not, or the
 * first where all are. An element that is no address ends the search: the one behind it is believed
 * last. Empty elements are none.
 */
struct gw_addr gw_addr_client(const struct gw_addr *peer, const char *const *forwarded,
                              size_t forwarded_n, const struct gw_addr_list *trusted);
/* The same, but false (*who_out untouched) where there is no element, or the search ended at one
 * that is no address. */
bool gw_addr_client_known(const struct gw_addr *peer, const char *const *forwarded,
                          size_t forwarded_n, const struct gw_addr_list *trusted,
                          struct gw_addr *who_out);

#endif
