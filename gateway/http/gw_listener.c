/* gateway/http/gw_listener.c - a listening socket, TCP or Unix, and the connections it brings */
#include "gateway/http/gw_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "common/clock.h"
#include "common/log.h"

#define BACKLOG 1024
#define KEPT_FD_MIN 64 /* out of the way of where they are placed for another program */
/* How long to leave a socket alone that can't be accepted from: out of descriptors, mostly. */
#define PAUSE_MS 100
#define TELL_AGAIN_MS 60000 /* as long as that is so */
/*
 * Bytes of answers that the kernel takes for a client without being able to send them: a thousand
 * who don't read shall not hold gigabytes of its memory, and are noticed in time.
 */
#define UNSENT_MAX (128 * 1024)

struct gw_listener {
	struct evconnlistener *lev;
	struct event *ev_resume;
	gw_listener_cb *cb;
	void *arg;
	struct gw_listen where; /* as bound */
	bool owns_path;
	uint64_t told_ms; /* when it was last told that nobody can be accepted; 0: never */
	bool is_off;      /* by gw_listener_enable(); a pause that ends does not change that */
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
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
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
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", where->path);
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

static void where_v4(const struct sockaddr_in *sin, struct gw_listen *out)
{
	inet_ntop(AF_INET, &sin->sin_addr, out->host, sizeof(out->host));
	out->port = ntohs(sin->sin_port);
}

static void where_v6(const struct sockaddr_in6 *sin6, struct gw_listen *out)
{
	inet_ntop(AF_INET6, &sin6->sin6_addr, out->host, sizeof(out->host));
	out->port = ntohs(sin6->sin6_port);
}

/* An abstract or unnamed socket has no path; one may fill sun_path without a NUL. */
static void where_unix(const struct sockaddr_un *sun, socklen_t len, struct gw_listen *out)
{
	size_t n = len > offsetof(struct sockaddr_un, sun_path)
	               ? len - offsetof(struct sockaddr_un, sun_path)
	               : 0;

	out->is_unix = true;
	if (n >= sizeof(out->path))
		n = sizeof(out->path) - 1;
	memcpy(out->path, sun->sun_path, n);
}

/* Where fd is bound. 0, -EAFNOSUPPORT or another -errno. */
static int bound_to(int fd, struct gw_listen *out)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un sun;
		struct sockaddr_storage ss;
	} u = { .sa.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(u);

	memset(out, 0, sizeof(*out));
	if (getsockname(fd, &u.sa, &len) < 0)
		return -errno;
	if (u.sa.sa_family == AF_INET)
		where_v4(&u.v4, out);
	else if (u.sa.sa_family == AF_INET6)
		where_v6(&u.v6, out);
	else if (u.sa.sa_family == AF_UNIX)
		where_unix(&u.sun, len, out);
	else
		return -EAFNOSUPPORT;
	return 0;
}

/* 0, or why fd can't be listened on; ready to be used as one of our own. */
static int adopt(int fd)
{
	int type = 0, listens = 0, flags, rc;
	socklen_t type_len = sizeof(type), listens_len = sizeof(listens);
	struct gw_listen where;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_len) < 0)
		return -errno;
	rc = bound_to(fd, &where);
	if (rc < 0 || type != SOCK_STREAM)
		return rc < 0 ? rc : -EAFNOSUPPORT;
	if (listens == 0)
		return -EINVAL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
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

static void tell_error(struct gw_listener *l, int err)
{
	uint64_t now_ms = clock_ms();

	if (l->told_ms != 0 && now_ms - l->told_ms < TELL_AGAIN_MS)
		return;
	l->told_ms = now_ms;
	LOG(NULL, LOG_ERR, "accept_failed", LF_ERR("err", -err),
	    LF_STR("hint", err == EMFILE || err == ENFILE
	                       ? "out of descriptors: raise the limit (LimitNOFILE), or lower "
	                         "max_connections"
	                       : "new clients wait; it is tried again"));
}

static void on_accept_error(struct evconnlistener *lev, void *arg)
{
	static const struct timeval pause = { .tv_usec = PAUSE_MS * 1000L };
	struct gw_listener *l = arg;

	tell_error(l, errno);
	if (evtimer_add(l->ev_resume, &pause) == 0)
		evconnlistener_disable(lev);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct gw_listener *l = arg;

	(void)fd;
	(void)what;
	if (!l->is_off)
		evconnlistener_enable(l->lev);
}

/* What is accepted inherits them. */
static int set_tcp_options(int fd)
{
	int on = 1, unsent = UNSENT_MAX;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent)) < 0)
		return -errno;
	return 0;
}

/* takes fd. backlog 0: it listens already. */
static int start(struct event_base *base, int fd, int backlog, gw_listener_cb *cb, void *arg,
                 struct gw_listener **out)
{
	struct gw_listener *l = calloc(1, sizeof(*l));
	int rc = -ENOMEM;

	if (l == NULL)
		goto out;
	l->cb = cb;
	l->arg = arg;
	rc = bound_to(fd, &l->where);
	if (rc == 0 && !l->where.is_unix)
		rc = set_tcp_options(fd);
	if (rc < 0)
		goto out;
	errno = ENOMEM;
	l->ev_resume = evtimer_new(base, on_resume, l);
	if (l->ev_resume != NULL)
		l->lev = evconnlistener_new(
		    base, on_accept, l, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, backlog, fd);
	if (l->lev == NULL) {
		rc = -errno;
		goto out;
	}
	evconnlistener_set_error_cb(l->lev, on_accept_error);
	*out = l;
	return 0;
out:
	close(fd);
	gw_listener_free(l);
	return rc;
}

int gw_listener_new(struct event_base *base, const struct gw_listen *where, mode_t mode,
                    gw_listener_cb *cb, void *arg, struct gw_listener **out)
{
	int fd = where->is_unix ? bind_unix(where, mode) : bind_tcp(where);
	int rc = fd < 0 ? fd : start(base, fd, BACKLOG, cb, arg, out);

	if (rc == 0)
		(*out)->owns_path = where->is_unix;
	return rc;
}

int gw_listener_new_fd(struct event_base *base, int fd, gw_listener_cb *cb, void *arg,
                       struct gw_listener **out)
{
	int rc = adopt(fd);

	if (rc < 0) {
		close(fd);
		return rc;
	}
	return start(base, fd, 0, cb, arg, out);
}

void gw_listener_own_path(struct gw_listener *l)
{
	l->owns_path = l->where.is_unix;
}

void gw_listener_free(struct gw_listener *l)
{
	if (l == NULL)
		return;
	if (l->lev != NULL)
		evconnlistener_free(l->lev);
	if (l->ev_resume != NULL)
		event_free(l->ev_resume);
	if (l->owns_path && l->where.path[0] != '\0')
		unlink(l->where.path);
	free(l);
}

void gw_listener_enable(struct gw_listener *l, bool on)
{
	l->is_off = !on;
	(void)(on ? evconnlistener_enable(l->lev) : evconnlistener_disable(l->lev));
}

int gw_listener_fd(const struct gw_listener *l)
{
	return (int)evconnlistener_get_fd(l->lev);
}

int gw_listener_keep(struct gw_listener *l)
{
	int fd = fcntl(gw_listener_fd(l), F_DUPFD_CLOEXEC, KEPT_FD_MIN);

	if (fd < 0)
		return -errno;
	l->owns_path = false;
	return fd;
}

uint16_t gw_listener_port(const struct gw_listener *l)
{
	return l->where.port;
}

void gw_listener_where(const struct gw_listener *l, struct gw_listen *out)
{
	*out = l->where;
}
