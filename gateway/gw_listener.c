/* gateway/gw_listener.c - a listening socket, TCP or Unix, and the connections it brings */
#include "gateway/gw_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "common/log.h"

#define BACKLOG 1024
/* How long to leave a socket alone that can't be accepted from: out of descriptors, mostly. */
#define PAUSE_MS 100

struct gw_listener {
	struct evconnlistener *lev;
	struct event *ev_resume;
	gw_listener_cb *cb;
	void *arg;
	uint16_t port;
	char path[GW_LISTEN_PATH_CAP]; /* empty for TCP */
};

/* ---- sockets --------------------------------------------------------------------------------- */

/* A descriptor or -errno. */
static int socket_new(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* A bound descriptor or -errno. */
static int bind_tcp(const struct gw_listen *where)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(where->port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(where->port) };
	bool is_v6 = inet_pton(AF_INET6, where->host, &v6.sin6_addr) == 1;
	const struct sockaddr *sa =
	    is_v6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;
	int fd, rc, on = 1;

	if (!is_v6 && inet_pton(AF_INET, where->host, &v4.sin_addr) != 1)
		return -EINVAL;
	fd = socket_new(sa->sa_family);
	if (fd < 0)
		return fd;
	/* What is accepted inherits TCP_NODELAY. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    bind(fd, sa, is_v6 ? sizeof(v6) : sizeof(v4)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* Remove a Unix socket that nobody listens on any more. -EADDRINUSE: somebody does. */
static int clear_path(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	fd = socket_new(AF_UNIX);
	if (fd < 0)
		return fd;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ? 0 : -errno;
	close(fd);
	if (rc != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(sun->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/* A bound descriptor or -errno. */
static int bind_unix(const struct gw_listen *where, mode_t mode)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(where->path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, where->path);
	rc = clear_path(&sun);
	if (rc < 0)
		return rc;
	fd = socket_new(AF_UNIX);
	if (fd < 0)
		return fd;
	/* Nobody can connect before listen(), so the mode is in force in time. */
	rc = bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0 &&
	             chmod(sun.sun_path, mode) == 0
	         ? 0
	         : -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	if (ss.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&ss)->sin_port);
	if (ss.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&ss)->sin6_port);
	return 0;
}

/* ---- accepting ------------------------------------------------------------------------------- */

static void on_accept(struct evconnlistener *lev, evutil_socket_t fd, struct sockaddr *sa,
                      int sa_len, void *arg)
{
	struct gw_listener *l = arg;

	(void)lev;
	(void)sa_len;
	l->cb(fd, sa, l->arg);
}

static void on_accept_error(struct evconnlistener *lev, void *arg)
{
	static const struct timeval pause = { .tv_usec = PAUSE_MS * 1000L };
	struct gw_listener *l = arg;

	LOG(NULL, LOG_WARNING, "accept_failed", LF_ERR("err", -errno));
	if (evtimer_add(l->ev_resume, &pause) == 0)
		evconnlistener_disable(lev);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct gw_listener *l = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(l->lev);
}

static int start(struct gw_listener *l, struct event_base *base, int fd)
{
	l->port = bound_port(fd);
	l->ev_resume = evtimer_new(base, on_resume, l);
	errno = 0;
	if (l->ev_resume != NULL)
		l->lev = evconnlistener_new(
		    base, on_accept, l, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (l->lev == NULL) {
		close(fd);
		return errno != 0 ? -errno : -ENOMEM;
	}
	evconnlistener_set_error_cb(l->lev, on_accept_error);
	return 0;
}

int gw_listener_new(struct event_base *base, const struct gw_listen *where, mode_t mode,
                    gw_listener_cb *cb, void *arg, struct gw_listener **out)
{
	struct gw_listener *l = calloc(1, sizeof(*l));
	int fd, rc;

	if (l == NULL)
		return -ENOMEM;
	l->cb = cb;
	l->arg = arg;
	fd = where->is_unix ? bind_unix(where, mode) : bind_tcp(where);
	rc = fd < 0 ? fd : 0;
	if (rc == 0) {
		if (where->is_unix)
			snprintf(l->path, sizeof(l->path), "%s", where->path);
		rc = start(l, base, fd);
	}
	if (rc < 0)
		gw_listener_free(l);
	else
		*out = l;
	return rc;
}

void gw_listener_free(struct gw_listener *l)
{
	if (l == NULL)
		return;
	if (l->lev != NULL)
		evconnlistener_free(l->lev);
	if (l->ev_resume != NULL)
		event_free(l->ev_resume);
	if (l->path[0] != '\0')
		unlink(l->path);
	free(l);
}

uint16_t gw_listener_port(const struct gw_listener *l)
{
	return l->port;
}
