/*
 * cli/ctl_http.h - one HTTP request to the gateway, over TCP, TLS or a Unix socket
 *
 * Bounded in size and in time. TLS checks the server against the system's certificates and the
 * URL's host name. Redirects are not followed: a token must not travel to another place.
 */
#ifndef CTL_HTTP_H
#define CTL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/ctl_url.h"
#include "common/attr.h"
#include "common/buf.h"

struct ctl_http;
struct event_base;

/* bytes of an answer that is collected: a list of some 50,000 instances */
#define CTL_HTTP_BODY_MAX (64 * 1024 * 1024)
#define CTL_HTTP_CONNECT_MS 5000 /* per address of the host */

/* All pointers are borrowed; they must live as long as the request. */
struct ctl_http_req {
	const char *method;  /* "GET" */
	const char *path;    /* "/api/..." with its query, already encoded */
	const char *accept;  /* NULL: application/json */
	const char *token;   /* NULL: none */
	const char *body;    /* JSON; NULL: none */
	uint32_t timeout_ms; /* for the whole request; of a stream: the longest silence */
};

struct ctl_http_resp {
	int status;
	char content_type[64];
	uint32_t retry_after_s; /* 0: not given */
	struct buf body;        /* NUL-terminated besides its len; empty if it was streamed */
};

struct ctl_http_cbs {
	/*
	 * A part of a 200 answer of type text/event-stream, borrowed. Anything but 0 ends the
	 * request without on_done. NULL: streams are collected like any body.
	 */
	int (*on_stream)(const void *bytes, size_t bytes_len, void *arg);
	/*
	 * The end, once: rc 0 with the answer (borrowed), or why there is none, as a code and as a
	 * sentence part for people ("Connection refused").
	 */
	void (*on_done)(int rc, const char *why, const struct ctl_http_resp *resp, void *arg);
};

/*
 * Start a request; callbacks come from the loop only. The host name is looked up blocking, at the
 * first pass of the loop: a program for one request has nothing else to do meanwhile.
 * 0 with *http_out, owned by the caller; -ENOMEM.
 */
ATTR_NODISCARD int ctl_http_start(struct event_base *base, const struct ctl_target *target,
                                  const struct ctl_http_req *req, const struct ctl_http_cbs *cbs,
                                  void *arg, struct ctl_http **http_out);
/* Ends the request if it still runs. NULL is fine. Not from its own callbacks. */
void ctl_http_free(struct ctl_http *http);

/* Room for the sentence part that says why there is no answer. */
#define CTL_HTTP_WHY_CAP 256

/*
 * The same for one request without a stream, waiting for its end. resp_out is to be ended with
 * ctl_http_resp_clear() after 0. why_out holds CTL_HTTP_WHY_CAP bytes, set on failure.
 * 0; -errno of connecting; WA_EDNS, WA_ETLS, WA_ETIMEOUT, WA_EPROTO, WA_ETRUNC, WA_ELIMIT, -ENOMEM.
 */
ATTR_NODISCARD int ctl_http_call(const struct ctl_target *target, const struct ctl_http_req *req,
                                 struct ctl_http_resp *resp_out, char *why_out);
void ctl_http_resp_clear(struct ctl_http_resp *resp);

#endif
