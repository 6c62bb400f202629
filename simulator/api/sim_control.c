/* simulator/api/sim_control.c - the control API's HTTP side */
#include "simulator/api/sim_control.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "simulator/api/sim_api.h"
#include "simulator/sim.h"

#define BODY_MAX (64 * 1024)
#define HEAD_MAX (16 * 1024)
#define IDLE_S 60

struct sim_control {
	struct sim *sim; /* borrowed */
	struct evhttp *http;
	uint16_t port;
	struct sim_wait *waits; /* answers that are due */
};

/* A caller that waits. Owned by the control; one who holds it hears of its end by on_gone. */
struct sim_wait {
	struct evhttp_request *req;
	struct event *timer;
	void (*on_gone)(void *arg);
	void *arg;
	struct sim_wait *next, **prev_next;
};

/* ---- answers -----------------------------------------------------------------------------------
 */

void sim_call_reply(struct sim_call *call, int status, json_t *json)
{
	json_decref(call->json);
	call->json = json;
	call->status = status;
}

static json_t *error_json(const char *code, const char *message)
{
	return json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message);
}

void sim_call_error(struct sim_call *call, int status, const char *code, const char *fmt, ...)
{
	char message[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	sim_call_reply(call, status, error_json(code, message));
}

static int add_text(const char *text, size_t len, void *arg)
{
	return evbuffer_add(arg, text, len);
}

static void send_answer(struct evhttp_request *req, struct sim_call *call)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

	if (call->json != NULL &&
	    json_dump_callback(call->json, add_text, call->text, JSON_COMPACT) == 0)
		evbuffer_add(call->text, "\n", 1);
	if (evbuffer_get_length(call->text) == 0) {
		evhttp_send_reply(req, 500, NULL, NULL);
		return;
	}
	evhttp_add_header(headers, "Content-Type", "application/json");
	evhttp_send_reply(req, call->status, NULL, call->text);
}

/* ---- answers that come later -------------------------------------------------------------------
 */

/* Forget the wait; the request is answered elsewhere, or gone. */
static void wait_free(struct sim_wait *w)
{
	evhttp_connection_set_closecb(evhttp_request_get_connection(w->req), NULL, NULL);
	*w->prev_next = w->next;
	if (w->next != NULL)
		w->next->prev_next = w->prev_next;
	if (w->timer != NULL)
		event_free(w->timer);
	free(w);
}

static void on_caller_gone(struct evhttp_connection *connection, void *arg)
{
	struct sim_wait *w = arg;

	(void)connection;
	w->on_gone(w->arg);
	wait_free(w);
}

static void on_wait_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct sim_wait *w = arg;

	(void)fd;
	(void)what;
	w->on_gone(w->arg);
	sim_wait_error(w, 408, "timeout", "the companion has not answered in time");
}

struct sim_wait *sim_call_defer(struct sim_call *call, uint32_t timeout_ms,
                                void (*on_gone)(void *arg), void *arg)
{
	const struct timeval tv = { .tv_sec = timeout_ms / 1000,
		                    .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };
	struct sim_control *c = call->sim->control;
	struct sim_wait *w = calloc(1, sizeof(*w));

	if (w != NULL)
		w->timer = evtimer_new(c->sim->base, on_wait_timeout, w);
	if (w == NULL || w->timer == NULL || evtimer_add(w->timer, &tv) < 0) {
		if (w != NULL && w->timer != NULL)
			event_free(w->timer);
		free(w);
		sim_call_error(call, 500, "internal", "no memory");
		return NULL;
	}
	w->req = call->req;
	w->on_gone = on_gone;
	w->arg = arg;
	w->next = c->waits;
	w->prev_next = &c->waits;
	if (w->next != NULL)
		w->next->prev_next = &w->next;
	c->waits = w;
	evhttp_connection_set_closecb(evhttp_request_get_connection(w->req), on_caller_gone, w);
	call->deferred = true;
	return w;
}

void sim_wait_reply(struct sim_wait *w, int status, json_t *json)
{
	struct sim_call call = { .status = status, .json = json };
	struct evhttp_request *req = w->req;

	wait_free(w);
	call.text = evbuffer_new();
	if (call.text == NULL)
		evhttp_send_reply(req, 500, NULL, NULL);
	else
		send_answer(req, &call);
	json_decref(json);
	if (call.text != NULL)
		evbuffer_free(call.text);
}

void sim_wait_error(struct sim_wait *w, int status, const char *code, const char *message)
{
	sim_wait_reply(w, status, error_json(code, message));
}

/* ---- requests ----------------------------------------------------------------------------------
 */

/* "/phones/:/scan" against "/phones/4915100000000/scan"; ':' stands for one segment. */
static bool path_fits(const char *pattern, const char *path, struct sim_call *call)
{
	size_t n = 0, len;

	while (*pattern != '\0') {
		if (*pattern != ':') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		len = strcspn(path, "/");
		if (len == 0 || len >= SIM_PARAM_CAP || n == SIM_PARAMS)
			return false;
		memcpy(call->params[n], path, len);
		call->params[n++][len] = '\0';
		path += len;
		pattern++;
	}
	return *path == '\0';
}

/* All are let in, so that the refusal is one of ours. */
#define ALL_METHODS \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

static const char *method_name(enum evhttp_cmd_type cmd)
{
	switch ((int)cmd) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "this method";
	}
}

static const struct sim_route *find_route(const char *method, const char *path,
                                          struct sim_call *call)
{
	bool known = false;

	for (const struct sim_route *r = sim_routes; r->method != NULL; r++) {
		if (!path_fits(r->path, path, call))
			continue;
		if (strcmp(r->method, method) == 0)
			return r;
		known = true;
	}
	if (known)
		sim_call_error(call, 405, "method_not_allowed", "%s is not possible here", method);
	else
		sim_call_error(call, 404, "not_found", "no such route");
	return NULL;
}

static bool read_body(struct evhttp_request *req, struct sim_call *call)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t len = evbuffer_get_length(in);
	const char *text = (const char *)evbuffer_pullup(in, -1);
	json_error_t error;

	if (len == 0) {
		sim_call_error(call, 400, "bad_json",
		               "the body is empty; a JSON object is expected");
		return false;
	}
	call->body = text == NULL ? NULL : json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(call->body))
		return true;
	if (call->body != NULL)
		sim_call_error(call, 400, "bad_json", "the body is not a JSON object");
	else
		sim_call_error(call, 400, "bad_json", "%s",
		               text == NULL ? "no memory" : error.text);
	return false;
}

static void dispatch(struct evhttp_request *req, struct sim_call *call)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *method = method_name(evhttp_request_get_command(req));
	const char *path = evhttp_uri_get_path(uri);
	const struct sim_route *route;

	if (evhttp_find_header(evhttp_request_get_input_headers(req), "Origin") != NULL) {
		sim_call_error(call, 403, "forbidden", "not for browsers");
		return;
	}
	call->query = evhttp_uri_get_query(uri);
	route = find_route(method, path == NULL ? "" : path, call);
	if (route == NULL)
		return;
	if (strcmp(method, "POST") == 0 && !read_body(req, call))
		return;
	route->run(call);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct sim_control *c = arg;
	struct sim_call call = { .sim = c->sim, .status = 500, .req = req };

	call.text = evbuffer_new();
	if (call.text == NULL) {
		evhttp_send_reply(req, 500, NULL, NULL);
		return;
	}
	dispatch(req, &call);
	if (!call.deferred) /* else the request may be answered and gone by now */
		send_answer(req, &call);
	json_decref(call.json);
	json_decref(call.body);
	evbuffer_free(call.text);
}

/* ---- life --------------------------------------------------------------------------------------
 */

static int bind_control(struct sim_control *c)
{
	const struct sim_options *o = c->sim->options;
	struct evconnlistener *listener;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	listener = evconnlistener_new_bind(
	    c->sim->base, NULL, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, SOMAXCONN,
	    (const struct sockaddr *)&o->control, (int)o->control_len);
	if (listener == NULL)
		return errno != 0 ? -errno : -EINVAL;
	if (evhttp_bind_listener(c->http, listener) == NULL) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	if (getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	c->port = ntohs(ss.ss_family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port
	                                        : ((struct sockaddr_in6 *)&ss)->sin6_port);
	return 0;
}

int sim_control_new(struct sim *s, struct sim_control **control_out)
{
	struct sim_control *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->sim = s;
	c->http = evhttp_new(s->base);
	if (c->http == NULL) {
		free(c);
		return -ENOMEM;
	}
	evhttp_set_allowed_methods(c->http, ALL_METHODS);
	evhttp_set_max_body_size(c->http, BODY_MAX);
	evhttp_set_max_headers_size(c->http, HEAD_MAX);
	evhttp_set_timeout(c->http, IDLE_S);
	evhttp_set_gencb(c->http, on_request, c);
	rc = bind_control(c);
	if (rc < 0)
		sim_control_free(c);
	else
		*control_out = c;
	return rc;
}

void sim_control_free(struct sim_control *c)
{
	struct sim_wait *w;

	if (c == NULL)
		return;
	while ((w = c->waits) != NULL) {
		w->on_gone(w->arg);
		wait_free(w);
	}
	evhttp_free(c->http);
	free(c);
}

uint16_t sim_control_port(const struct sim_control *c)
{
	return c->port;
}
