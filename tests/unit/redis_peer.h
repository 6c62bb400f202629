/*
 * tests/unit/redis_peer.h - a Redis that says what the test tells it to, on a Unix socket
 *
 * It takes whole commands apart and answers each with the next of its lines; without a line left it
 * keeps silent.
 */
#ifndef REDIS_PEER_H
#define REDIS_PEER_H

#include "gw_test.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "common/buf.h"

#define PEER_SAID_MAX 64

struct redis_peer {
	struct event_base *base;
	char path[TEST_DIR_CAP + 16];
	int listen_fd;
	int fd; /* -1: nobody is here */
	struct event *ev_accept;
	struct event *ev_read;
	struct buf in;
	char *said[PEER_SAID_MAX]; /* commands, arguments with one blank between them */
	unsigned said_n;
	const char *const *lines; /* answers, NULL-terminated */
	unsigned accepted_n;
};

static inline void peer_hang_up(struct redis_peer *p)
{
	if (p->fd < 0)
		return;
	event_free(p->ev_read);
	close(p->fd);
	p->fd = -1;
	buf_free(&p->in);
}

static inline void peer_say(struct redis_peer *p, const char *bytes)
{
	assert_int_equal(send(p->fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

/* "*N\r\n$LEN\r\nARG\r\n..." at the front of in: its length, or 0 while it is not whole. */
static inline size_t peer_command(struct redis_peer *p, char *text, size_t cap)
{
	const char *at = (const char *)p->in.p, *end = at + p->in.len, *line;
	long args;

	text[0] = '\0';
	line = at == NULL ? NULL : memchr(at, '\n', p->in.len);
	if (line == NULL)
		return 0;
	assert_int_equal(*at, '*');
	args = strtol(at + 1, NULL, 10);
	at = line + 1;
	for (long i = 0; i < args; i++) {
		size_t len;

		line = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		if (line == NULL)
			return 0;
		assert_int_equal(*at, '$');
		len = strtoul(at + 1, NULL, 10);
		at = line + 1;
		if ((size_t)(end - at) < len + 2)
			return 0;
		snprintf(text + strlen(text), cap - strlen(text), "%s%.*s", i > 0 ? " " : "",
		         (int)len, at);
		at += len + 2;
	}
	return (size_t)(at - (const char *)p->in.p);
}

static inline void on_peer_read(evutil_socket_t fd, short what, void *arg)
{
	struct redis_peer *p = arg;
	char data[65536], text[8192];
	ssize_t n = recv(fd, data, sizeof(data), 0);
	size_t len;

	(void)what;
	if (n <= 0) {
		peer_hang_up(p);
		return;
	}
	assert_int_equal(buf_append(&p->in, data, (size_t)n), 0);
	while ((len = peer_command(p, text, sizeof(text))) > 0) {
		assert_in_range(p->said_n, 0, PEER_SAID_MAX - 1);
		p->said[p->said_n++] = strdup(text);
		buf_drop(&p->in, len);
		if (p->lines != NULL && *p->lines != NULL)
			peer_say(p, *p->lines++);
	}
}

static inline void on_peer_accept(evutil_socket_t fd, short what, void *arg)
{
	struct redis_peer *p = arg;
	int conn = accept(fd, NULL, NULL);

	(void)what;
	assert_true(conn >= 0);
	peer_hang_up(p);
	p->fd = conn;
	p->accepted_n++;
	p->ev_read = event_new(p->base, conn, EV_READ | EV_PERSIST, on_peer_read, p);
	assert_int_equal(event_add(p->ev_read, NULL), 0);
}

static inline void peer_listen(struct redis_peer *p)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	unlink(p->path);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", p->path);
	p->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(p->listen_fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(p->listen_fd, 8), 0);
	p->ev_accept = event_new(p->base, p->listen_fd, EV_READ | EV_PERSIST, on_peer_accept, p);
	assert_int_equal(event_add(p->ev_accept, NULL), 0);
}

static inline void peer_open(struct redis_peer *p, struct event_base *base, const char *dir)
{
	memset(p, 0, sizeof(*p));
	p->base = base;
	p->fd = -1;
	p->listen_fd = -1;
	snprintf(p->path, sizeof(p->path), "%s/redis.sock", dir);
}

static inline void peer_forget(struct redis_peer *p)
{
	while (p->said_n > 0)
		free(p->said[--p->said_n]);
}

static inline void peer_close(struct redis_peer *p)
{
	peer_hang_up(p);
	peer_forget(p);
	if (p->listen_fd < 0)
		return;
	event_free(p->ev_accept);
	close(p->listen_fd);
	p->listen_fd = -1;
	unlink(p->path);
}

#endif
