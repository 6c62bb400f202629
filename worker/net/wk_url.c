/* worker/net/wk_url.c - ws:// and wss:// URLs taken apart */
#include "worker/net/wk_url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define PORT_PLAIN 80
#define PORT_TLS 443

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

/* 1..65535 in decimal, nothing else. */
static int parse_port(const char *p, size_t len, uint16_t *port_out)
{
	unsigned v = 0;

	if (len == 0 || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(p[i] - '0');
	}
	if (v == 0 || v > UINT16_MAX)
		return -EINVAL;
	*port_out = (uint16_t)v;
	return 0;
}

static int copy(char *out, size_t out_cap, const char *p, size_t len)
{
	if (len == 0 || len >= out_cap)
		return -EINVAL;
	memcpy(out, p, len);
	out[len] = '\0';
	return 0;
}

/* "[v6]", "[v6]:port", "host", "host:port" */
static int parse_authority(const char *p, size_t len, struct wk_url *u, bool *v6_out)
{
	const char *end = p + len;
	const char *host_end;
	struct in6_addr in6;

	*v6_out = len > 0 && p[0] == '[';
	if (*v6_out) {
		p++;
		host_end = memchr(p, ']', (size_t)(end - p));
		if (host_end == NULL ||
		    copy(u->host, sizeof(u->host), p, (size_t)(host_end - p)) < 0 ||
		    inet_pton(AF_INET6, u->host, &in6) != 1)
			return -EINVAL;
		p = host_end + 1;
	} else {
		host_end = memchr(p, ':', len);
		if (host_end == NULL)
			host_end = end;
		for (const char *c = p; c < host_end; c++)
			if (!is_host_char(*c))
				return -EINVAL;
		if (copy(u->host, sizeof(u->host), p, (size_t)(host_end - p)) < 0)
			return -EINVAL;
		p = host_end;
	}
	if (p == end)
		return 0;
	if (*p != ':')
		return -EINVAL;
	return parse_port(p + 1, (size_t)(end - p - 1), &u->port);
}

static int parse_path(const char *p, struct wk_url *u)
{
	if (*p == '\0')
		p = "/";
	for (const char *c = p; *c != '\0'; c++)
		if (*c <= 0x20 || *c > 0x7e || *c == '#')
			return -EINVAL;
	if (p[0] == '?') /* a query right behind the host: the path is "/" */
		return (size_t)snprintf(u->path, sizeof(u->path), "/%s", p) < sizeof(u->path)
		           ? 0
		           : -EINVAL;
	return copy(u->path, sizeof(u->path), p, strlen(p));
}

static int take_authority(const char *text, size_t len, struct wk_url *u)
{
	bool v6;

	u->port = u->tls ? PORT_TLS : PORT_PLAIN;
	if (parse_authority(text, len, u, &v6) < 0)
		return -EINVAL;
	(void)snprintf(u->hostport, sizeof(u->hostport), v6 ? "[%s]:%u" : "%s:%u", u->host,
	               u->port);
	(void)snprintf(u->authority, sizeof(u->authority), "%s", u->hostport);
	if (u->port == (u->tls ? PORT_TLS : PORT_PLAIN))
		*strrchr(u->authority, ':') = '\0';
	return 0;
}

int wk_url_authority(const char *text, size_t len, bool tls, struct wk_url *url_out)
{
	struct wk_url u = { .tls = tls, .path = "/" };

	if (take_authority(text, len, &u) < 0)
		return -EINVAL;
	*url_out = u;
	return 0;
}

int wk_url_parse(const char *text, struct wk_url *url_out)
{
	struct wk_url u = { 0 };
	size_t len;

	if (strncmp(text, "ws://", 5) == 0) {
		text += 5;
	} else if (strncmp(text, "wss://", 6) == 0) {
		u.tls = true;
		text += 6;
	} else {
		return -EINVAL;
	}
	len = strcspn(text, "/?#");
	if (take_authority(text, len, &u) < 0 || parse_path(text + len, &u) < 0)
		return -EINVAL;
	*url_out = u;
	return 0;
}

bool wk_url_is_host(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= WK_HOST_CAP)
		return false;
	for (; *text != '\0'; text++)
		if (!is_host_char(*text))
			return false;
	return true;
}
