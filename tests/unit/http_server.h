/*
 * tests/unit/http_server.h - an HTTP server inside the test: says what the test wrote down
 *
 * One connection, one answer, then it closes. Answers go out in the order they were given; each
 * request is kept.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct event_base;
struct http_server;

struct http_server *http_server_new(struct event_base *base);
void http_server_free(struct http_server *s);
uint16_t http_server_port(const struct http_server *s);
/* The next answer, as raw bytes; stay: the connection is left open behind it. */
void http_server_say(struct http_server *s, const void *data, size_t data_len, _Bool stay);
/* The same: status 200 with that body and its length. */
void http_server_say_body(struct http_server *s, const void *body, size_t body_len);
void http_server_say_status(struct http_server *s, unsigned status);
/* Requests so far, and the head of one of them. */
size_t http_server_requests(const struct http_server *s);
const char *http_server_request(const struct http_server *s, size_t i);

#endif
