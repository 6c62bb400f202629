/* gateway/webhook/gw_hook_addr.c - which addresses a webhook may reach: the public internet and no other */
#include "gateway/webhook/gw_hook_addr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "common/attr.h"

/* RFC 6890 and the IANA special-purpose registries. The first that fits names the reason. */
static const struct net4 {
	uint32_t net;
	unsigned bits;
	const char *why;
} nets4[] = {
	{ 0x00000000, 8, "unspecified" },    /* 0.0.0.0/8: this host */
	{ 0x0a000000, 8, "private" },        /* 10.0.0.0/8 */
	{ 0x64400000, 10, "shared" },        /* 100.64.0.0/10: carrier-grade NAT, cloud metadata */
	{ 0x7f000000, 8, "loopback" },       /* 127.0.0.0/8 */
	{ 0xa9fe0000, 16, "link_local" },    /* 169.254.0.0/16: metadata of most clouds */
	{ 0xac100000, 12, "private" },       /* 172.16.0.0/12 */
	{ 0xc0000000, 24, "special" },       /* 192.0.0.0/24: IETF protocols, metadata of some */
	{ 0xc0000200, 24, "documentation" }, /* 192.0.2.0/24 */
	{ 0xc01fc400, 24, "special" },       /* 192.31.196.0/24: AS112 */
	{ 0xc034c100, 24, "special" },       /* 192.52.193.0/24: AMT */
	{ 0xc0586300, 24, "special" },       /* 192.88.99.0/24: 6to4 relays */
	{ 0xc0a80000, 16, "private" },       /* 192.168.0.0/16 */
	{ 0xc0af3000, 24, "special" },       /* 192.175.48.0/24: AS112 */
	{ 0xc6120000, 15, "benchmarking" },  /* 198.18.0.0/15 */
	{ 0xc6336400, 24, "documentation" }, /* 198.51.100.0/24 */
	{ 0xcb007100, 24, "documentation" }, /* 203.0.113.0/24 */
	{ 0xe0000000, 4, "multicast" },      /* 224.0.0.0/4 */
	{ 0xf0000000, 4, "reserved" },       /* 240.0.0.0/4, broadcast */
	{ 0xa83f8110, 32, "metadata" },      /* 168.63.129.16: a cloud's host, though public */
};

static const char *refused4(uint32_t a)
{
	for (size_t i = 0; i < ARRAY_LEN(nets4); i++)
		if ((a ^ nets4[i].net) >> (32 - nets4[i].bits) == 0)
			return nets4[i].why;
	return NULL;
}

static bool in_net6(const uint8_t *a, const uint8_t *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, net, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ net[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

/* why NULL: an IPv4 address stands at byte v4_at, its bits turned over where flipped. */
static const struct net6 {
	uint8_t net[16];
	unsigned bits;
	const char *why;
	unsigned v4_at;
	bool flipped;
} nets6[] = {
	{ .net = { 0 }, 128, "unspecified" },
	{ .net = { [15] = 1 }, 128, "loopback" },
	{ .net = { [10] = 0xff, [11] = 0xff }, 96, .v4_at = 12 },         /* ::ffff:0:0/96 */
	{ .net = { 0 }, 96, "special" },                                  /* v4-compatible */
	{ .net = { [8] = 0xff, [9] = 0xff }, 96, "special" },             /* ::ffff:0:0:0/96 */
	{ .net = { 0x00, 0x64, 0xff, 0x9b }, 96, .v4_at = 12 },           /* 64:ff9b::/96: NAT64 */
	{ .net = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, "special" }, /* local NAT64 */
	{ .net = { 0x20, 0x01, 0x00, 0x00 }, 32, .v4_at = 12, .flipped = true }, /* Teredo */
	{ .net = { 0x20, 0x01, 0x00 }, 23, "special" }, /* IETF protocols */
	{ .net = { 0x20, 0x01, 0x0d, 0xb8 }, 32, "documentation" },
	{ .net = { 0x20, 0x02 }, 16, .v4_at = 2 },                  /* 6to4 */
	{ .net = { 0x26, 0x20, 0x00, 0x4f, 0x80 }, 48, "special" }, /* AS112 */
	{ .net = { 0x3f, 0xfe }, 16, "special" },                   /* 6bone */
	{ .net = { 0x3f, 0xff, 0x00 }, 20, "documentation" },
	{ .net = { 0x5f, 0x00 }, 16, "special" }, /* segment routing */
	{ .net = { 0xfc }, 7, "private" },
	{ .net = { 0xfe, 0x80 }, 10, "link_local" },
	{ .net = { 0xfe, 0xc0 }, 10, "site_local" },
	{ .net = { 0xff }, 8, "multicast" },
};

static uint32_t v4_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Interface identifiers of ISATAP (RFC 5214), and of nothing else that is routed. */
static const char *refused_isatap(const uint8_t *a)
{
	static const uint8_t id[] = { 0x00, 0x5e, 0xfe };

	if ((a[8] & 0xfd) != 0 || memcmp(a + 9, id, sizeof(id)) != 0)
		return NULL;
	return refused4(v4_at(a + 12));
}

static const char *refused6(const uint8_t *a)
{
	for (size_t i = 0; i < ARRAY_LEN(nets6); i++) {
		const struct net6 *n = &nets6[i];

		if (!in_net6(a, n->net, n->bits))
			continue;
		if (n->why != NULL)
			return n->why;
		return refused4(v4_at(a + n->v4_at) ^ (n->flipped ? UINT32_MAX : 0));
	}
	if ((a[0] & 0xe0) != 0x20)
		return "not_public"; /* 2000::/3 is all that IANA has given out */
	return refused_isatap(a);
}

const char *gw_hook_addr_refused(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

		return refused4(ntohl(in->sin_addr.s_addr));
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

		return refused6(in6->sin6_addr.s6_addr);
	}
	return "not_ip";
}
