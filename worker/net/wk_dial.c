/*
 * worker/net/wk_dial.c - look a name up, try its addresses in turn
 *
 * With a proxy, d->host and d->port are the proxy's: the target is handed to wk_dial_proxy.c and is
 * neither resolved nor dialled anywhere.
 */
#include "worker/net/wk_dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/resolve.h"
#include "worker/net/wk_dial_proxy.h"
#include "worker/net/wk_proxy.h"
#include "worker/net/wk_url.h"
#include "worker/session/wk_failure.h"

#define ADDRS_MAX 8
#define SHARE_MIN_MS 500 /* an address gets at least this long */

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct wk_dial {
	struct wk_dial_params params; /* host: target_host */
	const struct wk_dial_ops *ops;
	void *arg;
	const struct wk_proxy *proxy; /* NULL: none */
	char target_host[WK_HOST_CAP];
	char host[WK_HOST_CAP]; /* of the proxy, or else of the target */
	uint16_t port;
	uint64_t deadline_ms; /* of all addresses, once they are known */
	struct event *limit;  /* of a dial with a proxy */
	struct wk_dial_proxy *talk;
	struct resolve *res;
	union addr addrs[ADDRS_MAX];
	size_t addrs_n, next; /* next: index of the address to try next */
	struct event *ev;     /* the connect that runs, or the start for a literal address */
	int fd;
	int last_errno;
};

static void try_next(struct wk_dial *d);

/* An IPv4 or IPv6 literal: no look-up. */
static bool add_literal(struct wk_dial *d)
{
	union addr *a = &d->addrs[0];

	if (inet_pton(AF_INET, d->host, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(d->port);
	} else if (inet_pton(AF_INET6, d->host, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(d->port);
	} else {
		return false;
	}
	d->addrs_n = 1;
	return true;
}

static void add_resolved(struct wk_dial *d, const struct addrinfo *ai)
{
	for (; ai != NULL && d->addrs_n < ADDRS_MAX; ai = ai->ai_next) {
		if ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6) ||
		    ai->ai_addrlen > sizeof(union addr))
			continue;
		memcpy(&d->addrs[d->addrs_n++], ai->ai_addr, ai->ai_addrlen);
	}
}

static void close_fd(struct wk_dial *d)
{
	if (d->ev != NULL)
		event_free(d->ev);
	d->ev = NULL;
	if (d->fd >= 0)
		(void)close(d->fd);
	d->fd = -1;
}

static void fail(struct wk_dial *d, const struct wk_failure *f)
{
	if (d->limit != NULL)
		(void)event_del(d->limit);
	d->ops->on_failed(f, d->arg);
}

static void fail_connect(struct wk_dial *d)
{
	const char *why = strerror(d->last_errno);
	struct wk_failure f;

	if (d->proxy != NULL)
		wk_failure_set(&f, WA_EPROXY_UNREACHABLE, "proxy %s can't be reached: %s",
		               d->proxy->hostport, why);
	else
		wk_failure_set(&f, WA_ENETWORK, strchr(d->host, ':') ? "[%s]:%u: %s" : "%s:%u: %s",
		               d->host, d->port, why);
	fail(d, &f);
}

/* ---- the talk with a proxy ----------------------------------------------------------------- */

static void on_tunnel(struct wk_pipe pipe, void *arg)
{
	struct wk_dial *d = arg;

	(void)event_del(d->limit);
	d->ops->on_connected(pipe, d->arg);
}

static void on_talk_failed(const struct wk_failure *f, void *arg)
{
	fail(arg, f);
}

static void talk_to_proxy(struct wk_dial *d, int fd)
{
	static const struct wk_dial_proxy_ops ops = {
		.on_tunnel = on_tunnel,
		.on_failed = on_talk_failed,
	};
	struct wk_failure f;

	if (wk_dial_proxy_new(fd, &d->params, &ops, d, &f, &d->talk) < 0)
		fail(d, &f);
}

/* What runs is ended first: nothing may come after the last call. */
static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct wk_dial *d = arg;
	bool connected = d->talk != NULL;
	struct wk_failure f;

	(void)fd;
	(void)what;
	close_fd(d);
	wk_dial_proxy_free(d->talk);
	d->talk = NULL;
	wk_failure_set(&f, WA_EPROXY_UNREACHABLE,
	               connected ? "proxy %s did not answer in time"
	                         : "proxy %s can't be reached: no answer in time",
	               d->proxy->hostport);
	d->ops->on_failed(&f, d->arg);
}

/* 1/20 earlier than the caller's own deadline. */
static int start_limit(struct wk_dial *d)
{
	uint32_t ms = d->params.connect_ms - d->params.connect_ms / 20;
	const struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	if (d->proxy == NULL)
		return 0;
	d->limit = evtimer_new(d->params.base, on_limit, d);
	return d->limit == NULL || evtimer_add(d->limit, &tv) < 0 ? -ENOMEM : 0;
}

/* ---- addresses in turn --------------------------------------------------------------------- */

static void succeed(struct wk_dial *d)
{
	int fd = d->fd;
	int one = 1;

	d->fd = -1;
	close_fd(d);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (d->proxy != NULL)
		talk_to_proxy(d, fd);
	else
		d->ops->on_connected((struct wk_pipe){ fd, NULL }, d->arg);
}

static void on_connect_event(evutil_socket_t fd, short what, void *arg)
{
	struct wk_dial *d = arg;
	socklen_t len = sizeof(d->last_errno);

	(void)fd;
	if (what & EV_TIMEOUT)
		d->last_errno = ETIMEDOUT;
	else if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &d->last_errno, &len) < 0)
		d->last_errno = errno;
	if (d->last_errno == 0) {
		succeed(d);
		return;
	}
	close_fd(d);
	try_next(d);
}

/*
 * What is left of the deadline, shared by the addresses that are left. The last one has no time
 * limit of its own: the caller's deadline ends it.
 */
static uint64_t share_ms(const struct wk_dial *d, size_t left_n)
{
	uint64_t now = clock_ms();
	uint64_t left = d->deadline_ms > now ? d->deadline_ms - now : 0;
	uint64_t share = left / left_n;

	if (left_n == 1)
		return 0;
	return share < SHARE_MIN_MS ? SHARE_MIN_MS : share;
}

/* timeout_ms 0: none. 0: the connect runs. Else d->last_errno says why not. */
static int try_addr(struct wk_dial *d, const union addr *a, uint64_t timeout_ms)
{
	const struct timeval tv = { (time_t)(timeout_ms / 1000),
		                    (suseconds_t)(timeout_ms % 1000 * 1000) };
	socklen_t len = a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);

	d->fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0)
		goto fail;
	if (connect(d->fd, &a->sa, len) < 0 && errno != EINPROGRESS)
		goto fail;
	d->ev = event_new(d->params.base, d->fd, EV_WRITE, on_connect_event, d);
	if (d->ev == NULL || event_add(d->ev, timeout_ms > 0 ? &tv : NULL) < 0) {
		errno = ENOMEM;
		goto fail;
	}
	return 0;
fail:
	d->last_errno = errno;
	close_fd(d);
	return -d->last_errno;
}

static void try_next(struct wk_dial *d)
{
	while (d->next < d->addrs_n) {
		size_t i = d->next++;

		if (try_addr(d, &d->addrs[i], share_ms(d, d->addrs_n - i)) == 0)
			return;
	}
	fail_connect(d);
}

static void on_try(evutil_socket_t fd, short what, void *arg)
{
	struct wk_dial *d = arg;

	(void)fd;
	(void)what;
	close_fd(d);
	try_next(d);
}

/* The first try is left to the next loop pass: on_resolved may free the dial. */
static int schedule(struct wk_dial *d, event_callback_fn fn)
{
	d->ev = event_new(d->params.base, -1, 0, fn, d);
	if (d->ev == NULL)
		return -ENOMEM;
	event_active(d->ev, EV_TIMEOUT, 0);
	return 0;
}

static void start_connecting(struct wk_dial *d)
{
	d->deadline_ms = clock_ms() + d->params.connect_ms;
	if (start_limit(d) < 0 || schedule(d, on_try) < 0) {
		d->last_errno = ENOMEM;
		fail_connect(d);
		return;
	}
	d->ops->on_resolved(d->arg);
}

static void on_start(evutil_socket_t fd, short what, void *arg)
{
	struct wk_dial *d = arg;

	(void)fd;
	(void)what;
	close_fd(d);
	start_connecting(d);
}

static void on_addresses(int gai_rc, const struct addrinfo *ai, void *arg)
{
	struct wk_dial *d = arg;
	struct wk_failure f;
	const char *why;

	add_resolved(d, ai);
	resolve_free(d->res);
	d->res = NULL;
	if (d->addrs_n > 0) {
		start_connecting(d);
		return;
	}
	why = gai_rc != 0 ? evutil_gai_strerror(gai_rc) : "no address";
	if (d->proxy != NULL)
		wk_failure_set(&f, WA_EPROXY_UNREACHABLE,
		               "proxy %s: its name could not be resolved: %s", d->proxy->hostport,
		               why);
	else
		wk_failure_set(&f, WA_EDNS, "the name %s could not be resolved: %s", d->host, why);
	fail(d, &f);
}

int wk_dial_new(const struct wk_dial_params *params, const struct wk_dial_ops *ops, void *arg,
                struct wk_dial **dial_out)
{
	struct wk_dial *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return -ENOMEM;
	d->params = *params;
	d->ops = ops;
	d->arg = arg;
	d->fd = -1;
	(void)snprintf(d->target_host, sizeof(d->target_host), "%s", params->host);
	d->params.host = d->target_host;
	if (params->proxy != NULL && params->proxy->kind != WK_PROXY_NONE)
		d->proxy = params->proxy;
	d->port = d->proxy != NULL ? d->proxy->port : params->port;
	(void)snprintf(d->host, sizeof(d->host), "%s",
	               d->proxy != NULL ? d->proxy->host : params->host);
	if (add_literal(d))
		rc = schedule(d, on_start);
	else
		rc = resolve_new(params->base, d->host, d->port, on_addresses, d, &d->res);
	if (rc == -ESTALE) { /* this worker never finds a name again: the next one does */
		LOG(NULL, LOG_NOTICE, "resolver_file_replaced");
		(void)event_base_loopexit(params->base, NULL);
	}
	if (rc < 0) {
		wk_dial_free(d);
		return rc;
	}
	*dial_out = d;
	return 0;
}

void wk_dial_free(struct wk_dial *d)
{
	if (d == NULL)
		return;
	resolve_free(d->res);
	wk_dial_proxy_free(d->talk);
	close_fd(d);
	if (d->limit != NULL)
		event_free(d->limit);
	free(d);
}

void wk_pipe_close(struct wk_pipe *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	if (p->bev != NULL)
		bufferevent_free(p->bev);
	*p = (struct wk_pipe){ -1, NULL };
}
