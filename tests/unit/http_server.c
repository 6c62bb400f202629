/* tests/unit/http_server.c - an HTTP server inside the test */
#include "http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX 32

struct http_server {
	struct event_base *base;
	struct evconnlistener *listener;
	uint16_t port;
	struct {
		struct buf data;
		bool stay;
	} answers[MAX];
	size_t answers_n, next;
	char *requests[MAX];
	size_t requests_n;
	struct bufferevent *open[MAX];
	size_t open_n;
};

static void must(int rc)
{
	if (rc < 0)
		abort();
}

static void forget(struct http_server *s, struct bufferevent *bev)
{
	for (size_t i = 0; i < s->open_n; i++)
		if (s->open[i] == bev)
			s->open[i] = s->open[--s->open_n];
	bufferevent_free(bev);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	forget(arg, bev);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	forget(arg, bev);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct http_server *s = arg;
	size_t len = evbuffer_get_length(in);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);

	if (end.pos < 0)
		return;
	if (s->requests_n == MAX || s->next == s->answers_n) {
		forget(s, bev);
		return;
	}
	s->requests[s->requests_n] = calloc(1, len + 1);
	(void)evbuffer_remove(in, s->requests[s->requests_n++], len);
	(void)bufferevent_write(bev, s->answers[s->next].data.p, s->answers[s->next].data.len);
	bufferevent_setcb(bev, NULL, s->answers[s->next].stay ? NULL : on_written, on_event, s);
	s->next++;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
	struct http_server *s = arg;
	struct bufferevent *bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l;
	(void)sa;
	(void)len;
	if (bev == NULL || s->open_n == MAX)
		abort();
	s->open[s->open_n++] = bev;
	bufferevent_setcb(bev, on_read, NULL, on_event, s);
	must(bufferevent_enable(bev, EV_READ | EV_WRITE));
}

struct http_server *http_server_new(struct event_base *base)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct http_server *s = calloc(1, sizeof(*s));
	socklen_t len = sizeof(a);

	s->base = base;
	s->listener = evconnlistener_new_bind(base, on_accept, s,
	                                      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 8,
	                                      (struct sockaddr *)&a, sizeof(a));
	if (s->listener == NULL)
		abort();
	must(getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&a, &len));
	s->port = ntohs(a.sin_port);
	return s;
}

void http_server_free(struct http_server *s)
{
	while (s->open_n > 0)
		forget(s, s->open[0]);
	evconnlistener_free(s->listener);
	for (size_t i = 0; i < s->answers_n; i++)
		buf_free(&s->answers[i].data);
	for (size_t i = 0; i < s->requests_n; i++)
		free(s->requests[i]);
	free(s);
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_say(struct http_server *s, const void *data, size_t data_len, bool stay)
{
	if (s->answers_n == MAX)
		abort();
	must(buf_append(&s->answers[s->answers_n].data, data, data_len));
	s->answers[s->answers_n++].stay = stay;
}

void http_server_say_body(struct http_server *s, const void *body, size_t body_len)
{
	struct buf b = { 0 };

	must(buf_appendf(&b, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body_len));
	must(buf_append(&b, body, body_len));
	http_server_say(s, b.p, b.len, false);
	buf_free(&b);
}

void http_server_say_status(struct http_server *s, unsigned status)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "HTTP/1.1 %u X\r\nContent-Length: 0\r\n\r\n", status);
	http_server_say(s, text, strlen(text), false);
}

size_t http_server_requests(const struct http_server *s)
{
	return s->requests_n;
}

const char *http_server_request(const struct http_server *s, size_t i)
{
	return s->requests[i];
}
