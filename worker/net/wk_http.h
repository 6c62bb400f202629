/*
 * worker/net/wk_http.h - one HTTP GET over the worker's dial path: its body as a stream
 *
 * Through the instance's proxy like everything else, TLS or plain as the caller says, never
 * redirected, one request a connection. Media and history blobs are fetched with it.
 */
#ifndef WK_HTTP_H
#define WK_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct event_base;
struct wk_failure;
struct wk_http;
struct wk_proxy;
struct wk_tls;

#define WK_HTTP_URL_MAX 4096

struct wk_http_params {
	struct event_base *base;
	const struct wk_tls *tls;     /* borrowed */
	const char *ca_file;          /* as for wk_tls_open(); borrowed for the request's life */
	const struct wk_proxy *proxy; /* NULL: none; borrowed for the request's life */
	const char *url;              /* https://HOST[:PORT]/PATH, printable ASCII; copied */
	bool plain;                   /* over TCP without TLS all the same: a test server's */
	const char *origin;           /* of Origin and Referer; NULL: neither; copied */
	uint64_t body_max;            /* bytes; a longer body is WA_ELIMIT */
	uint32_t connect_ms;          /* up to the connection */
	uint32_t idle_ms;             /* without a byte, from then on */
	uint32_t total_ms;            /* for all of it */
};

/* From the event loop. Exactly one of on_done and on_failed is the last call. */
struct wk_http_ops {
	/*
	 * The head is there. retry_after_s: what the server wished; 0: nothing. 0: go on; a
	 * negative code ends it, through on_failed.
	 */
	int (*on_head)(unsigned status, uint32_t retry_after_s, void *arg);
	/* Of a body: the next bytes. As above. */
	int (*on_body)(const uint8_t *data, size_t data_len, void *arg);
	/* The body is complete. */
	void (*on_done)(void *arg);
	void (*on_failed)(const struct wk_failure *f, void *arg);
};

/* 0, -ENOMEM, or -EINVAL (a url that is none, or over WK_HTTP_URL_MAX). */
ATTR_NODISCARD int wk_http_new(const struct wk_http_params *params, const struct wk_http_ops *ops,
                               void *arg, struct wk_http **http_out);
/* Ends it without another call. NULL is fine; safe from its callbacks. */
void wk_http_free(struct wk_http *h);

#endif
