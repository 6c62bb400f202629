/*
 * gateway/webhook/gw_hook_http.h - POST to somebody else's server: libcurl on the gateway's loop
 *
 * Nothing blocks: names are looked up by libcurl's threads. The address is judged where the socket
 * is made, by what is really connected to (gw_hook_addr.h), so that neither a name nor a second
 * look-up leads where it must not. No redirects, no proxy of the environment, no cookies, HTTP/1.1.
 * Owned by gw_hooks.
 */
#ifndef GW_HOOK_HTTP_H
#define GW_HOOK_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

struct event_base;
struct gw_hook_call;
struct gw_hook_http;

#define GW_HOOK_TIMEOUT_MS 15000 /* from the name to the end of the answer */
#define GW_HOOK_ANSWER_MAX \
	(64 * 1024) /* read of its head, and of its body; what follows is cut off */
#define GW_HOOK_HEADERS_MAX 8

/* base: the loop; timeout_ms: of one call. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_hook_http_new(struct event_base *base, bool allow_private,
                                    uint64_t timeout_ms, struct gw_hook_http **http_out);
/* Calls that run are cut off; their callbacks are not called. NULL is fine. */
void gw_hook_http_free(struct gw_hook_http *http);

struct gw_hook_request {
	const char *url;
	const char *headers[GW_HOOK_HEADERS_MAX]; /* "Name: value"; NULL ends them */
	struct buf *body;                         /* taken; empty on return, also on failure */
};

struct gw_hook_answer {
	int status;             /* 0: there was none */
	uint64_t retry_after_s; /* 0: not said */
	const char *why; /* where there was none, a word: "dns", "tls", "timeout", ...; static */
	uint64_t ms;     /* how long it took */
};
/* From the loop, once, never from inside gw_hook_http_post(). answer is borrowed. */
typedef void gw_hook_http_done(const struct gw_hook_answer *answer, void *arg);

/* 0 (done will be called) or -ENOMEM. */
ATTR_NODISCARD int gw_hook_http_post(struct gw_hook_http *http, struct gw_hook_request *req,
                                     gw_hook_http_done *done, void *arg,
                                     struct gw_hook_call **call_out);
/* done is not called any more. Not from inside or after it. NULL is fine. */
void gw_hook_http_cancel(struct gw_hook_call *call);

#endif
