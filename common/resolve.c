/* common/resolve.c - one name look-up through evdns */
#include "common/resolve.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct resolve {
	struct evdns_base *dns;
	struct evdns_getaddrinfo_request *req; /* NULL: evdns has called back */
	struct event *ev;                      /* tells the owner, or frees, one loop pass later */
	struct evutil_addrinfo *ai;
	int gai_rc;
	bool orphan; /* the owner is gone */
	resolve_cb *cb;
	void *arg;
};

static void destroy(struct resolve *r)
{
	if (r->ai != NULL)
		evutil_freeaddrinfo(r->ai);
	if (r->ev != NULL)
		event_free(r->ev);
	if (r->dns != NULL)
		evdns_base_free(r->dns, 0);
	free(r);
}

/* A loop pass after evdns called back: only now is it safe to free its base. */
static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;

	(void)fd;
	(void)what;
	if (r->orphan)
		destroy(r);
	else
		r->cb(r->gai_rc, r->ai, r->arg);
}

static void on_answer(int gai_rc, struct evutil_addrinfo *ai, void *arg)
{
	struct resolve *r = arg;

	r->req = NULL;
	r->gai_rc = gai_rc;
	r->ai = ai;
	event_active(r->ev, EV_TIMEOUT, 0);
}

#define RESOLV_CONF "/etc/resolv.conf"

/*
 * A sandbox lets us read the file that was there when we started. When it has been replaced (not
 * written over) the new one is out of reach: what the system allows, the sandbox refuses.
 */
static bool out_of_reach(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)close(fd);
	return fd < 0 && errno == EACCES && access(path, R_OK) == 0;
}

static int start(struct resolve *r, struct event_base *base, const char *host, uint16_t port)
{
	const struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
	};
	char service[sizeof("65535")];

	if (out_of_reach(RESOLV_CONF))
		return -ESTALE;
	r->ev = event_new(base, -1, 0, on_later, r);
	r->dns = evdns_base_new(base, 0);
	if (r->ev == NULL || r->dns == NULL)
		return -ENOMEM;
	/* Without /etc/resolv.conf this leaves 127.0.0.1 as the nameserver; /etc/hosts is read
	 * anyway. */
	(void)evdns_base_resolv_conf_parse(r->dns, DNS_OPTIONS_ALL, RESOLV_CONF);
	/* Silent name servers are told as such after 4 s, before the caller's deadline of 5 s. */
	(void)evdns_base_set_option(r->dns, "timeout:", "2");
	(void)evdns_base_set_option(r->dns, "attempts:", "2");
	(void)evdns_base_set_option(r->dns, "getaddrinfo-allow-skew:", "0.5");
	(void)snprintf(service, sizeof(service), "%u", port);
	/* May call back at once (a name of /etc/hosts); returns NULL then. */
	r->req = evdns_getaddrinfo(r->dns, host, service, &hints, on_answer, r);
	return 0;
}

int resolve_new(struct event_base *base, const char *host, uint16_t port, resolve_cb *cb, void *arg,
                struct resolve **res_out)
{
	struct resolve *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return -ENOMEM;
	r->cb = cb;
	r->arg = arg;
	rc = start(r, base, host, port);
	if (rc < 0) {
		destroy(r);
		return rc;
	}
	*res_out = r;
	return 0;
}

void resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	r->orphan = true;
	/* evdns calls back even for a cancelled request, later; that call then leads to destroy().
	 */
	if (r->req != NULL)
		evdns_getaddrinfo_cancel(r->req);
	else
		event_active(r->ev, EV_TIMEOUT, 0);
}
