/* cli/ctl_http.c - one HTTP request to the gateway, over TCP, TLS or a Unix socket */
#include "cli/ctl_http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "cli/ctl_resp.h"
#include "cli/ctl_tls.h"
#include "common/err.h"

#define READ_CHUNK 16384

struct ctl_http {
	struct event_base *base;
	const struct ctl_http_cbs *cbs;
	void *arg;
	struct ctl_target target;
	struct addrinfo *addrs; /* what the host's name stands for; NULL for a Unix socket */
	struct addrinfo *next;  /* to be tried when this one fails */
	int fd;                 /* while connecting; afterwards bev owns it */
	struct event *begin_ev; /* fires at the first pass of the loop */
	struct event *connect_ev;
	struct event *deadline_ev;
	struct bufferevent *bev;
	struct ctl_tls *tls;
	struct buf request;
	struct ctl_resp parser;
	struct ctl_http_resp resp;
	int rc;                     /* the last failure */
	char why[CTL_HTTP_WHY_CAP]; /* the same for people */
	uint32_t timeout_ms;
	bool streaming;
	bool ended; /* on_done was called, or is not wanted any more */
};

static void try_next_address(struct ctl_http *h);

static void fail_with(struct ctl_http *h, int rc, const char *why)
{
	h->rc = rc;
	snprintf(h->why, sizeof(h->why), "%s", why);
}

static void stop(struct ctl_http *h)
{
	if (h->connect_ev != NULL)
		event_free(h->connect_ev);
	h->connect_ev = NULL;
	if (h->deadline_ev != NULL)
		event_del(h->deadline_ev);
	if (h->bev != NULL)
		bufferevent_free(h->bev);
	h->bev = NULL;
	ctl_tls_free(h->tls);
	h->tls = NULL;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

static void finish(struct ctl_http *h)
{
	int rc = h->rc;

	h->ended = true;
	stop(h);
	if (rc == 0 && buf_append_u8(&h->resp.body, '\0') < 0) {
		rc = -ENOMEM;
		fail_with(h, rc, "out of memory");
	}
	if (rc == 0)
		h->resp.body.len--; /* the NUL is no part of it */
	h->cbs->on_done(rc, h->why, rc == 0 ? &h->resp : NULL, h->arg);
}

static void arm_deadline(struct ctl_http *h)
{
	const struct timeval tv = { .tv_sec = h->timeout_ms / 1000,
		                    .tv_usec = h->timeout_ms % 1000 * 1000 };

	evtimer_add(h->deadline_ev, &tv);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_http *h = arg;

	(void)fd;
	(void)what;
	snprintf(h->why, sizeof(h->why), "no answer within %u s", h->timeout_ms / 1000);
	h->rc = WA_ETIMEOUT;
	finish(h);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static int on_body(const void *bytes, size_t bytes_len, void *arg)
{
	struct ctl_http *h = arg;

	if (h->cbs->on_stream != NULL && h->parser.status == 200 &&
	    strcmp(h->parser.content_type, "text/event-stream") == 0) {
		h->streaming = true;
		if (h->cbs->on_stream(bytes, bytes_len, h->arg) != 0)
			h->ended = true;
		return h->ended ? -ECANCELED : 0;
	}
	if (bytes_len > CTL_HTTP_BODY_MAX - h->resp.body.len)
		return WA_ELIMIT;
	return buf_append(&h->resp.body, bytes, bytes_len);
}

static void answer_is_whole(struct ctl_http *h)
{
	h->resp.status = h->parser.status;
	h->resp.retry_after_s = h->parser.retry_after_s;
	memcpy(h->resp.content_type, h->parser.content_type, sizeof(h->resp.content_type));
	h->rc = 0;
	finish(h);
}

static const char *why_bad_answer(int rc)
{
	switch (rc) {
	case WA_ELIMIT:
		return "the answer is too large";
	case -ENOMEM:
		return "out of memory";
	case WA_ETRUNC:
		return "the connection ended before the answer did";
	default:
		return "what answers there does not speak HTTP";
	}
}

static void on_readable(struct bufferevent *bev, void *arg)
{
	struct ctl_http *h = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	char bytes[READ_CHUNK];
	int n;

	while ((n = evbuffer_remove(in, bytes, sizeof(bytes))) > 0) {
		int rc = ctl_resp_feed(&h->parser, bytes, (size_t)n, on_body, h);

		if (h->ended) {
			stop(h);
			return;
		}
		if (rc != 0) {
			fail_with(h, rc, why_bad_answer(rc));
			finish(h);
			return;
		}
		if (ctl_resp_is_done(&h->parser)) {
			answer_is_whole(h);
			return;
		}
	}
	if (h->streaming) /* the time that counts is silence from now on */
		arm_deadline(h);
}

/* The connection ended; what came before is still to be read. */
static void on_ended(struct ctl_http *h)
{
	int rc;

	on_readable(h->bev, h);
	if (h->ended)
		return;
	rc = ctl_resp_end(&h->parser);
	if (rc == 0) {
		answer_is_whole(h);
		return;
	}
	fail_with(h, rc, why_bad_answer(rc));
	finish(h);
}

static void on_bev_event(struct bufferevent *bev, short what, void *arg)
{
	struct ctl_http *h = arg;
	int err = EVUTIL_SOCKET_ERROR();

	(void)bev;
	if (what & BEV_EVENT_EOF) {
		on_ended(h);
	} else if (what & BEV_EVENT_ERROR) {
		if (h->tls != NULL && h->parser.status == 0 &&
		    ctl_tls_why(h->tls, h->bev, h->why, sizeof(h->why)))
			h->rc = WA_ETLS;
		else
			fail_with(h, err != 0 ? -err : WA_ETRUNC,
			          err != 0 ? strerror(err) : why_bad_answer(WA_ETRUNC));
		finish(h);
	}
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void connected(struct ctl_http *h)
{
	int fd = h->fd;

	h->fd = -1;
	if (h->target.transport == CTL_TLS)
		h->bev = ctl_tls_bufferevent(h->base, fd, h->target.host, &h->tls);
	else
		h->bev = bufferevent_socket_new(h->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (h->bev == NULL) {
		close(fd);
		fail_with(h, -ENOMEM, "out of memory");
		finish(h);
		return;
	}
	bufferevent_setcb(h->bev, on_readable, NULL, on_bev_event, h);
	if (bufferevent_write(h->bev, h->request.p, h->request.len) < 0 ||
	    bufferevent_enable(h->bev, EV_READ | EV_WRITE) < 0) {
		fail_with(h, -ENOMEM, "out of memory");
		finish(h);
	}
}

static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_http *h = arg;
	int err = ETIMEDOUT;
	socklen_t err_len = sizeof(err);

	if (!(what & EV_TIMEOUT) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) < 0)
		err = errno;
	event_free(h->connect_ev);
	h->connect_ev = NULL;
	if (err == 0) {
		connected(h);
		return;
	}
	fail_with(h, -err, strerror(err));
	close(h->fd);
	h->fd = -1;
	try_next_address(h);
}

/* 0: on_connect() will be called. */
static int connect_to(struct ctl_http *h, const struct sockaddr *sa, socklen_t sa_len)
{
	const struct timeval tv = { .tv_sec = CTL_HTTP_CONNECT_MS / 1000 };
	int err;

	h->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (h->fd < 0)
		return -errno;
	if (connect(h->fd, sa, sa_len) < 0 && errno != EINPROGRESS) {
		err = errno;
		goto fail;
	}
	err = ENOMEM;
	h->connect_ev = event_new(h->base, h->fd, EV_WRITE, on_connect, h);
	if (h->connect_ev != NULL && event_add(h->connect_ev, &tv) == 0)
		return 0;
	if (h->connect_ev != NULL)
		event_free(h->connect_ev);
	h->connect_ev = NULL;
fail:
	close(h->fd);
	h->fd = -1;
	return -err;
}

static void try_next_address(struct ctl_http *h)
{
	while (h->next != NULL) {
		const struct addrinfo *ai = h->next;
		int rc;

		h->next = ai->ai_next;
		rc = connect_to(h, ai->ai_addr, ai->ai_addrlen);
		if (rc == 0)
			return;
		fail_with(h, rc, strerror(-rc));
	}
	finish(h);
}

static void connect_unix(struct ctl_http *h)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int rc;

	memcpy(sun.sun_path, h->target.path, sizeof(sun.sun_path));
	rc = connect_to(h, (const struct sockaddr *)&sun, sizeof(sun));
	if (rc < 0) {
		fail_with(h, rc, strerror(-rc));
		finish(h);
	}
}

static void on_begin(evutil_socket_t fd, short what, void *arg)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct ctl_http *h = arg;
	int rc;

	(void)fd;
	(void)what;
	arm_deadline(h);
	if (h->target.transport == CTL_UNIX) {
		connect_unix(h);
		return;
	}
	rc = getaddrinfo(h->target.host, h->target.port, &hints, &h->addrs);
	if (rc != 0) {
		fail_with(h, WA_EDNS, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
		h->addrs = NULL;
		finish(h);
		return;
	}
	h->next = h->addrs;
	try_next_address(h);
}

/* ---- the request ----------------------------------------------------------------------------- */

static int encode_request(const struct ctl_target *t, const struct ctl_http_req *req,
                          struct buf *out)
{
	const char *accept = req->accept != NULL ? req->accept : "application/json";
	bool v6 = strchr(t->host, ':') != NULL;
	int rc;

	rc = buf_appendf(out, "%s %s%s HTTP/1.1\r\n", req->method, t->base, req->path);
	if (rc == 0 && t->transport == CTL_UNIX)
		rc = buf_append_str(out, "Host: localhost\r\n");
	else if (rc == 0)
		rc = buf_appendf(out, "Host: %s%s%s:%s\r\n", v6 ? "[" : "", t->host, v6 ? "]" : "",
		                 t->port);
	if (rc == 0)
		rc = buf_appendf(out,
		                 "User-Agent: wardenctl/%s\r\nAccept: %s\r\nConnection: close\r\n",
		                 WARDEN_VERSION, accept);
	if (rc == 0 && req->token != NULL)
		rc = buf_appendf(out, "token: %s\r\n", req->token);
	if (rc == 0 && req->body != NULL)
		rc = buf_appendf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
		                 strlen(req->body));
	else if (rc == 0 && strcmp(req->method, "POST") == 0)
		rc = buf_append_str(out, "Content-Length: 0\r\n");
	if (rc == 0)
		rc = buf_append_str(out, "\r\n");
	if (rc == 0 && req->body != NULL)
		rc = buf_append_str(out, req->body);
	return rc;
}

int ctl_http_start(struct event_base *base, const struct ctl_target *target,
                   const struct ctl_http_req *req, const struct ctl_http_cbs *cbs, void *arg,
                   struct ctl_http **http_out)
{
	const struct timeval at_once = { .tv_sec = 0 };
	struct ctl_http *h = calloc(1, sizeof(*h));
	int rc = -ENOMEM;

	if (h == NULL)
		return -ENOMEM;
	h->base = base;
	h->cbs = cbs;
	h->arg = arg;
	h->target = *target;
	h->fd = -1;
	h->timeout_ms = req->timeout_ms;
	h->begin_ev = evtimer_new(base, on_begin, h);
	h->deadline_ev = evtimer_new(base, on_deadline, h);
	if (h->begin_ev == NULL || h->deadline_ev == NULL || evtimer_add(h->begin_ev, &at_once) < 0)
		goto fail;
	rc = encode_request(target, req, &h->request);
	if (rc < 0)
		goto fail;
	*http_out = h;
	return 0;
fail:
	ctl_http_free(h);
	return rc;
}

void ctl_http_free(struct ctl_http *h)
{
	if (h == NULL)
		return;
	stop(h);
	if (h->begin_ev != NULL)
		event_free(h->begin_ev);
	if (h->deadline_ev != NULL)
		event_free(h->deadline_ev);
	if (h->addrs != NULL)
		freeaddrinfo(h->addrs);
	buf_wipe(&h->request); /* held the token */
	ctl_resp_clear(&h->parser);
	ctl_http_resp_clear(&h->resp);
	free(h);
}

void ctl_http_resp_clear(struct ctl_http_resp *resp)
{
	buf_wipe(&resp->body); /* may hold a token or a code */
	memset(resp, 0, sizeof(*resp));
}

/* ---- waiting for one request ----------------------------------------------------------------- */

struct call {
	struct event_base *base;
	struct ctl_http_resp *resp;
	char *why;
	int rc;
};

static void on_call_done(int rc, const char *why, const struct ctl_http_resp *resp, void *arg)
{
	struct call *call = arg;

	call->rc = rc;
	if (rc == 0) {
		*call->resp = *resp;
		call->resp->body = (struct buf){ 0 };
		call->rc = buf_append(&call->resp->body, resp->body.p, resp->body.len + 1);
		if (call->rc == 0)
			call->resp->body.len--;
		why = "out of memory";
	}
	if (call->rc != 0)
		snprintf(call->why, CTL_HTTP_WHY_CAP, "%s", why);
	event_base_loopbreak(call->base);
}

int ctl_http_call(const struct ctl_target *target, const struct ctl_http_req *req,
                  struct ctl_http_resp *resp_out, char *why_out)
{
	static const struct ctl_http_cbs cbs = { .on_done = on_call_done };
	struct call call = { .base = event_base_new(), .resp = resp_out, .why = why_out };
	struct ctl_http *h = NULL;

	snprintf(why_out, CTL_HTTP_WHY_CAP, "out of memory");
	call.rc = -ENOMEM;
	if (call.base == NULL)
		return -ENOMEM;
	if (ctl_http_start(call.base, target, req, &cbs, &call, &h) == 0)
		event_base_dispatch(call.base);
	ctl_http_free(h);
	event_base_free(call.base);
	return call.rc;
}
