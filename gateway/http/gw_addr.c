/* gateway/http/gw_addr.c - client addresses: text, networks, and who a forwarded request is from */
#include "gateway/http/gw_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool is_v4(const struct gw_addr *a)
{
	return memcmp(a->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

void gw_addr_from_sockaddr(const struct sockaddr *sa, struct gw_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in sin;

		memcpy(&sin, sa, sizeof(sin));
		memcpy(out->b, v4_prefix, sizeof(v4_prefix));
		memcpy(out->b + sizeof(v4_prefix), &sin.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 sin6;

		memcpy(&sin6, sa, sizeof(sin6));
		memcpy(out->b, &sin6.sin6_addr, sizeof(out->b));
	}
}

/* A bare address, NUL-terminated. */
static int parse_bare(const char *text, struct gw_addr *out)
{
	struct gw_addr a = { { 0 } };

	if (inet_pton(AF_INET6, text, a.b) == 1) {
		*out = a;
		return gw_addr_is_ip(out) ? 0 : -EINVAL;
	}
	memcpy(a.b, v4_prefix, sizeof(v4_prefix));
	if (inet_pton(AF_INET, text, a.b + sizeof(v4_prefix)) != 1)
		return -EINVAL;
	*out = a;
	return 0;
}

int gw_addr_parse(const char *text, size_t text_len, struct gw_addr *out)
{
	char tmp[64];
	char *p = tmp, *end;

	if (text_len >= sizeof(tmp) || memchr(text, '\0', text_len) != NULL)
		return -EINVAL;
	memcpy(tmp, text, text_len);
	tmp[text_len] = '\0';
	if (*p == '[') {
		end = strchr(++p, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		*end = '\0';
	} else if (strchr(p, '.') != NULL && strchr(p, ':') == strrchr(p, ':')) {
		p[strcspn(p, ":")] = '\0'; /* IPv4 with a port */
	}
	return parse_bare(p, out);
}

/* inet_ntop() goes through sprintf(), once for each request that is logged. */
static void format_v4(const uint8_t *b, char *out)
{
	for (int i = 0; i < 4; i++) {
		if (b[i] >= 100)
			*out++ = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			*out++ = (char)('0' + b[i] / 10 % 10);
		*out++ = (char)('0' + b[i] % 10);
		*out++ = i < 3 ? '.' : '\0';
	}
}

void gw_addr_format(const struct gw_addr *a, char *out)
{
	if (!gw_addr_is_ip(a))
		memcpy(out, "unix", sizeof("unix"));
	else if (is_v4(a))
		format_v4(a->b + sizeof(v4_prefix), out);
	else
		(void)inet_ntop(AF_INET6, a->b, out, GW_ADDR_CAP);
}

bool gw_addr_is_ip(const struct gw_addr *a)
{
	static const struct gw_addr none;

	return !gw_addr_eq(a, &none);
}

bool gw_addr_eq(const struct gw_addr *a, const struct gw_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

struct gw_addr gw_addr_client_key(const struct gw_addr *a)
{
	struct gw_addr key = *a;

	if (!is_v4(a))
		memset(key.b + 8, 0, 8);
	return key;
}

/* ---- networks -------------------------------------------------------------------------------- */

struct network {
	struct gw_addr addr;
	unsigned bits; /* of 128; unused for the Unix element */
	bool is_unix;
};

struct gw_addr_list {
	size_t n;
	struct network nets[];
};

static int parse_bits(const char *text, unsigned max, unsigned *out)
{
	char *end;
	unsigned long v;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	v = strtoul(text, &end, 10);
	if (*end != '\0' || v > max)
		return -EINVAL;
	*out = (unsigned)v;
	return 0;
}

static int parse_network(char *text, struct network *out)
{
	char *slash = strchr(text, '/');
	unsigned bits;
	int rc;

	*out = (struct network){ .bits = 128 };
	if (strcmp(text, "unix") == 0) {
		out->is_unix = true;
		return 0;
	}
	if (slash != NULL)
		*slash++ = '\0';
	/* "::" as a network is every address, so it is read without parse_bare()'s check. */
	if (strcmp(text, "::") != 0) {
		rc = parse_bare(text, &out->addr);
		if (rc < 0)
			return rc;
	}
	if (slash == NULL)
		return 0;
	rc = parse_bits(slash, is_v4(&out->addr) ? 32 : 128, &bits);
	if (rc == 0)
		out->bits = is_v4(&out->addr) ? 96 + bits : bits;
	return rc;
}

int gw_addr_list_parse(const char *text, struct gw_addr_list **list_out)
{
	struct gw_addr_list *list;
	char *copy = strdup(text == NULL ? "" : text);
	char *save = NULL;
	size_t cap = 1;
	int rc = 0;

	if (copy == NULL)
		return -ENOMEM;
	for (const char *p = copy; *p != '\0'; p++)
		cap += *p == ',';
	list = calloc(1, sizeof(*list) + cap * sizeof(list->nets[0]));
	if (list == NULL)
		rc = -ENOMEM;
	for (char *w = strtok_r(copy, ", \t", &save); rc == 0 && w != NULL;
	     w = strtok_r(NULL, ", \t", &save))
		rc = list->n < cap ? parse_network(w, &list->nets[list->n++]) : -EINVAL;
	free(copy);
	if (rc < 0)
		free(list);
	else
		*list_out = list;
	return rc;
}

void gw_addr_list_free(struct gw_addr_list *list)
{
	free(list);
}

static bool in_network(const struct network *net, const struct gw_addr *a)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (net->is_unix || !gw_addr_is_ip(a))
		return net->is_unix && !gw_addr_is_ip(a);
	if (memcmp(net->addr.b, a->b, whole) != 0)
		return false;
	return rest == 0 || ((net->addr.b[whole] ^ a->b[whole]) >> (8 - rest)) == 0;
}

bool gw_addr_list_has(const struct gw_addr_list *list, const struct gw_addr *a)
{
	for (size_t i = 0; i < list->n; i++) {
		if (in_network(&list->nets[i], a))
			return true;
	}
	return false;
}

/* The last element before end, without white space around it. */
static const char *last_element(const char *text, const char *end, size_t *len_out)
{
	const char *p = end;

	while (p > text && p[-1] != ',')
		p--;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*len_out = (size_t)(end - p);
	return p;
}

/*
 * Go on from who through one line, its last element first, for as long as it is a proxy. True: the
 * line is at its end, and so far all were proxies.
 */
static bool follow(const char *line, const struct gw_addr_list *trusted, struct gw_addr *who)
{
	const char *end = line + strlen(line), *p;
	struct gw_addr next;
	size_t len;

	while (gw_addr_list_has(trusted, who)) {
		p = last_element(line, end, &len);
		if (len > 0 && gw_addr_parse(p, len, &next) < 0)
			return false;
		if (len > 0)
			*who = next;
		while (p > line && p[-1] != ',')
			p--;
		if (p == line)
			return true;
		end = p - 1;
	}
	return false;
}

struct gw_addr gw_addr_client(const struct gw_addr *peer, const char *const *forwarded,
                              size_t forwarded_n, const struct gw_addr_list *trusted)
{
	struct gw_addr who = *peer;

	while (forwarded_n > 0 && follow(forwarded[--forwarded_n], trusted, &who))
		;
	return who;
}

/* Is there any element in these lines? */
static bool any_element(const char *const *forwarded, size_t forwarded_n)
{
	for (size_t i = 0; i < forwarded_n; i++)
		if (forwarded[i][strspn(forwarded[i], ", \t")] != '\0')
			return true;
	return false;
}

bool gw_addr_client_known(const struct gw_addr *peer, const char *const *forwarded,
                          size_t forwarded_n, const struct gw_addr_list *trusted,
                          struct gw_addr *who_out)
{
	struct gw_addr who = *peer;
	size_t left = forwarded_n;
	bool whole = true;

	while (whole && left > 0)
		whole = follow(forwarded[--left], trusted, &who);
	if (whole ? !any_element(forwarded, forwarded_n) : gw_addr_list_has(trusted, &who))
		return false;
	*who_out = who;
	return true;
}
