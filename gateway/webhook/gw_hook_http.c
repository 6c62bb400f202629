/* gateway/webhook/gw_hook_http.c - POST to somebody else's server: libcurl on the gateway's loop */
#include "gateway/webhook/gw_hook_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/webhook/gw_hook_addr.h"

#define IDLE_MAX 64L      /* connections kept for the next event */
#define RECEIVE_CAP 4096L /* of a call's buffer: the answer is not read by anybody */

struct gw_hook_call {
	TAILQ_ENTRY(gw_hook_call) link;
	struct gw_hook_http *http;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
	size_t head_n, answer_n; /* bytes of the answer */
	const char *refused;     /* why an address was */
	uint64_t began_ms;
	gw_hook_http_done *done;
	void *arg;
};
TAILQ_HEAD(call_list, gw_hook_call);

struct gw_hook_http {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	struct call_list calls;
	bool allow_private;
	uint64_t timeout_ms;
	const char *ca_dir;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_rc = CURLE_FAILED_INIT;

static void global_init(void)
{
	global_rc = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- one call ----------------------------------------------------------------------------------
 */

static void call_free(struct gw_hook_call *c)
{
	if (c == NULL)
		return;
	if (c->easy != NULL) {
		curl_multi_remove_handle(c->http->multi, c->easy);
		curl_easy_cleanup(c->easy);
	}
	curl_slist_free_all(c->headers);
	buf_wipe(&c->body);
	free(c);
}

void gw_hook_http_cancel(struct gw_hook_call *call)
{
	if (call == NULL)
		return;
	TAILQ_REMOVE(&call->http->calls, call, link);
	call_free(call);
}

/* The word for a call without an answer. */
static const char *word(const struct gw_hook_call *c, CURLcode rc)
{
	switch (rc) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "dns";
	case CURLE_COULDNT_CONNECT:
		return c->refused != NULL ? "address_refused" : "connect";
	case CURLE_OPERATION_TIMEDOUT:
		return "timeout";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CIPHER:
		return "tls";
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return "closed";
	case CURLE_URL_MALFORMAT:
		return "url";
	case CURLE_OUT_OF_MEMORY:
		return "memory";
	default:
		return "protocol";
	}
}

/*
 * An answer counts by its status once its head is whole; what comes of its body is of no interest,
 * be it too long, cut short or never there.
 */
static void finish(struct gw_hook_call *c, CURLcode rc)
{
	struct gw_hook_answer a = { .ms = clock_ms() - c->began_ms };
	gw_hook_http_done *done = c->done;
	curl_off_t after = 0;
	void *arg = c->arg;
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0)
		a.retry_after_s = (uint64_t)after;
	if (rc != CURLE_OK && c->answer_n <= GW_HOOK_ANSWER_MAX)
		status = 0; /* cut short by the receiver, or not in time */
	a.status = status >= 200 && status <= 999 ? (int)status : 0;
	if (a.status == 0)
		a.why = word(c, rc);
	if (c->refused != NULL)
		LOG(NULL, LOG_WARNING, "webhook_address_refused", LF_STR("why", c->refused));
	TAILQ_REMOVE(&c->http->calls, c, link);
	call_free(c);
	done(&a, arg);
}

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
	struct gw_hook_call *c = arg;

	(void)data;
	c->answer_n += size * n;
	return c->answer_n > GW_HOOK_ANSWER_MAX ? CURL_WRITEFUNC_ERROR : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct gw_hook_call *c = arg;

	(void)data;
	c->head_n += size * n;
	return c->head_n > GW_HOOK_ANSWER_MAX ? CURL_WRITEFUNC_ERROR : size * n;
}

/* Here, and only here, a webhook gets a socket. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct gw_hook_call *c = arg;
	const char *why = c->http->allow_private ? NULL : gw_hook_addr_refused(&addr->addr);

	(void)purpose;
	if (addr->family != AF_INET && addr->family != AF_INET6)
		why = "not_ip";
	if (why != NULL) {
		c->refused = why;
		return CURL_SOCKET_BAD;
	}
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

/* ---- libcurl and the loop ----------------------------------------------------------------------
 */

static void take_finished(struct gw_hook_http *http)
{
	struct gw_hook_call *c;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
		CURLcode rc = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		finish(c, rc);
	}
}

static void act(struct gw_hook_http *http, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(http->multi, fd, what, &running);
	take_finished(http);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	act(arg, fd,
	    ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
	        ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout_wanted(CURLM *multi, long ms, void *arg)
{
	struct gw_hook_http *http = arg;
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	(void)multi;
	if (ms < 0)
		return event_del(http->timer);
	return event_add(http->timer, &tv);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct gw_hook_http *http = arg;
	struct event *ev = socket_arg;
	short events = EV_PERSIST;

	(void)easy;
	if (ev != NULL)
		event_free(ev);
	ev = NULL;
	if (what != CURL_POLL_REMOVE) {
		if (what & CURL_POLL_IN)
			events |= EV_READ;
		if (what & CURL_POLL_OUT)
			events |= EV_WRITE;
		ev = event_new(http->base, fd, events, on_ready, http);
		/* without memory its deadline ends it */
		if (ev != NULL && event_add(ev, NULL) < 0) {
			event_free(ev);
			ev = NULL;
		}
	}
	curl_multi_assign(http->multi, fd, ev);
	return 0;
}

/* ---- in and out --------------------------------------------------------------------------------
 */

#define SET(option, value) (rc == CURLE_OK ? (rc = curl_easy_setopt(c->easy, option, value)) : rc)

/* What holds for every call. */
static CURLcode set_common(struct gw_hook_call *c)
{
	const struct gw_hook_http *http = c->http;
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_PRIVATE, c);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, ""); /* nor what the environment says */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* a look-up that hangs is left alone, not waited for */
	SET(CURLOPT_TIMEOUT_MS, (long)http->timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)http->timeout_ms);
	SET(CURLOPT_BUFFERSIZE, RECEIVE_CAP);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, c);
	SET(CURLOPT_WRITEFUNCTION, on_answer);
	SET(CURLOPT_WRITEDATA, c);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, c);
	SET(CURLOPT_USERAGENT, "Warden/" WARDEN_VERSION);
	/* the directory, hashed: to read the whole bundle for each connection takes 15 ms */
	SET(CURLOPT_CAINFO, NULL);
	SET(CURLOPT_CAPATH, http->ca_dir);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	return rc;
}

static CURLcode set_request(struct gw_hook_call *c, const struct gw_hook_request *req)
{
	CURLcode rc = CURLE_OK;

	for (size_t i = 0; i < GW_HOOK_HEADERS_MAX && req->headers[i] != NULL; i++) {
		struct curl_slist *longer = curl_slist_append(c->headers, req->headers[i]);

		if (longer == NULL)
			return CURLE_OUT_OF_MEMORY;
		c->headers = longer;
	}
	SET(CURLOPT_URL, req->url);
	SET(CURLOPT_HTTPHEADER, c->headers);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
	SET(CURLOPT_POSTFIELDS, c->body.len > 0 ? (const char *)c->body.p : "");
	return rc;
}

int gw_hook_http_post(struct gw_hook_http *http, struct gw_hook_request *req,
                      gw_hook_http_done *done, void *arg, struct gw_hook_call **call_out)
{
	struct gw_hook_call *c = calloc(1, sizeof(*c));
	CURL *easy = curl_easy_init();

	if (c == NULL || easy == NULL) {
		curl_easy_cleanup(easy);
		free(c);
		buf_wipe(req->body);
		return -ENOMEM;
	}
	*c = (struct gw_hook_call){ .http = http,
		                    .easy = easy,
		                    .body = *req->body,
		                    .began_ms = clock_ms(),
		                    .done = done,
		                    .arg = arg };
	*req->body = (struct buf){ 0 };
	if (set_common(c) != CURLE_OK || set_request(c, req) != CURLE_OK ||
	    curl_multi_add_handle(http->multi, c->easy) != CURLM_OK) {
		call_free(c);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&http->calls, c, link);
	*call_out = c;
	return 0;
}

int gw_hook_http_new(struct event_base *base, bool allow_private, uint64_t timeout_ms,
                     struct gw_hook_http **http_out)
{
	struct gw_hook_http *http = calloc(1, sizeof(*http));
	const char *dir = getenv(X509_get_default_cert_dir_env());

	pthread_once(&once, global_init);
	if (http == NULL || global_rc != CURLE_OK) {
		free(http);
		return -ENOMEM;
	}
	TAILQ_INIT(&http->calls);
	http->base = base;
	http->allow_private = allow_private;
	http->timeout_ms = timeout_ms;
	http->ca_dir = dir != NULL ? dir : X509_get_default_cert_dir();
	http->multi = curl_multi_init();
	http->timer = event_new(base, -1, 0, on_timer, http);
	if (http->multi == NULL || http->timer == NULL) {
		gw_hook_http_free(http);
		return -ENOMEM;
	}
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, IDLE_MAX);
	curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	*http_out = http;
	return 0;
}

void gw_hook_http_free(struct gw_hook_http *http)
{
	struct gw_hook_call *c;

	if (http == NULL)
		return;
	while ((c = TAILQ_FIRST(&http->calls)) != NULL)
		gw_hook_http_cancel(c);
	curl_multi_cleanup(http->multi);
	if (http->timer != NULL)
		event_free(http->timer);
	free(http);
}
