/* tests/unit/http_client.h - the other end of a connection, in the loop of the test */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "gw_test.h"

#include <errno.h>
#include <sys/socket.h>

struct client {
	struct event_base *base;
	struct event *ev;
	int fd;
	bool eof;
	size_t want; /* bytes to wait for; 0: until the other end closes */
	size_t len;
	char got[65536];
};

static inline void on_client_read(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	ssize_t n;

	(void)what;
	n = recv(fd, c->got + c->len, sizeof(c->got) - 1 - c->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		c->eof = true;
		event_del(c->ev);
		return;
	}
	c->len += (size_t)n;
	c->got[c->len] = '\0';
}

/* takes fd */
static inline void client_open(struct client *c, struct event_base *base, int fd)
{
	memset(c, 0, sizeof(*c));
	c->base = base;
	c->fd = fd;
	assert_int_equal(evutil_make_socket_nonblocking(fd), 0);
	c->ev = event_new(base, fd, EV_READ | EV_PERSIST, on_client_read, c);
	assert_non_null(c->ev);
	assert_int_equal(event_add(c->ev, NULL), 0);
}

static inline void client_close(struct client *c)
{
	event_free(c->ev);
	close(c->fd);
}

static inline void client_send(struct client *c, const char *text)
{
	assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline bool client_is_closed(void *arg)
{
	return ((struct client *)arg)->eof;
}

/* The whole answer is there: its head, and the body that Content-Length announces. */
static inline bool client_has_answer(void *arg)
{
	struct client *c = arg;
	const char *end = strstr(c->got, "\r\n\r\n");
	const char *len = strstr(c->got, "Content-Length: ");

	if (c->eof || (end != NULL && strncmp(c->got, "HTTP/1.1 204", 12) == 0))
		return true;
	if (end == NULL || len == NULL || len > end)
		return false;
	return c->len >= (size_t)(end + 4 - c->got) + strtoul(len + 16, NULL, 10);
}

static inline bool client_has_want(void *arg)
{
	struct client *c = arg;

	return c->eof || c->len >= c->want;
}

static inline void client_wait_closed(struct client *c)
{
	test_run_until(c->base, client_is_closed, c);
}

static inline void client_forget(struct client *c)
{
	c->len = 0;
	c->got[0] = '\0';
}

/* Send a request and wait for its answer, which is in c->got then. */
static inline void client_ask(struct client *c, const char *text)
{
	client_forget(c);
	client_send(c, text);
	test_run_until(c->base, client_has_answer, c);
}

static inline int client_status(const struct client *c)
{
	return strncmp(c->got, "HTTP/1.1 ", 9) == 0 ? atoi(c->got + 9) : 0;
}

/* How often is text in what came? */
static inline unsigned client_count(const struct client *c, const char *text)
{
	unsigned n = 0;

	for (const char *p = c->got; (p = strstr(p, text)) != NULL; p += strlen(text))
		n++;
	return n;
}

#endif
