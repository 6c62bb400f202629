/* gateway/webhook/gw_hook_addr.h - which addresses a webhook may reach: the public internet and no other */
#ifndef GW_HOOK_ADDR_H
#define GW_HOOK_ADDR_H

struct sockaddr;

/*
 * Why a webhook must not connect to this address ("private", "loopback", ...; static text), or NULL
 * where it may. Everything that is not plainly public is refused: what IANA keeps for special
 * purposes, all IPv6 outside of 2000::/3, and IPv6 addresses that carry a refused IPv4 address
 * (mapped, NAT64, 6to4, Teredo, ISATAP). It is asked about the address that is connected to, after
 * the name has been resolved, so that no second look-up can give another.
 */
const char *gw_hook_addr_refused(const struct sockaddr *sa);

#endif
