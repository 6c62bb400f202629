/* gateway/http/gw_req.c - one API request, from its head to its answer */
#include "gateway/http/gw_req.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/json_text.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/http/gw_conn.h"
#include "gateway/http/gw_gate.h"
#include "gateway/http/gw_json.h"
#include "gateway/http/gw_query.h"
#include "gateway/http/gw_req_priv.h"
#include "gateway/http/gw_route.h"
#include "gateway/metrics/gw_metrics.h"

#define HEADERS_CAP 512 /* most answers have less */
#define CACHE_NONE "no-store"
#define CACHE_ASK "no-cache" /* of the same length: gw_req_may_be_kept() */
/* Behind it stands a secret, which no log may hold. */
#define SECRET_PATH "/l/"
#define SECRET_PATH_LEN (sizeof(SECRET_PATH) - 1)

/* ---- errors ---------------------------------------------------------------------------------- */

static const struct {
	int status;
	const char *message;
	const char *code;
	const char *body;
	size_t body_len;
} errors[] = {
#define BODY(msg, word) \
	"{\"success\":false,\"error\":{\"message\":\"" msg "\",\"code\":\"" word "\"}}"
#define X(id, st, msg, word) [id] = { st, msg, word, BODY(msg, word), sizeof(BODY(msg, word)) - 1 },
	GW_ERROR_LIST(X)
#undef X
#undef BODY
};

int gw_error_status(enum gw_error error)
{
	return errors[error].status;
}

const char *gw_error_message(enum gw_error error)
{
	return errors[error].message;
}

const char *gw_error_code(enum gw_error error)
{
	return errors[error].code;
}

const char *gw_error_body(enum gw_error error)
{
	return errors[error].body;
}

json_t *gw_error_json(const char *message, const char *code, const char *detail)
{
	json_t *error = json_pack("{s:s, s:s*, s:s*}", "message", message, "code", code, "detail",
	                          detail != NULL && *detail != '\0' ? detail : NULL);

	return error == NULL ? NULL : json_pack("{s:b, s:o}", "success", 0, "error", error);
}

/* ---- a new request --------------------------------------------------------------------------- */

static bool id_ok(const char *id)
{
	size_t len =
	    strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return id[len] == '\0' && len >= 1 && len <= GW_REQ_ID_MAX;
}

/* One that no other request has: a bijection of a counter, spread so that no two look alike. */
static uint64_t next_id(struct gw_req_env *env)
{
	uint64_t v = env->id_base + env->ids_n++ * 0x9e3779b97f4a7c15u;

	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
	v = (v ^ v >> 27) * 0x94d049bb133111ebu;
	return v ^ v >> 31;
}

/* The client's id if it can be kept, else a new one. head may be NULL. */
static void choose_id(struct gw_req_env *env, const struct gw_gate *head,
                      char out[GW_REQ_ID_MAX + 1])
{
	const char *given = head == NULL ? NULL : gw_gate_value(head, GW_FIELD_X_REQUEST_ID);
	uint64_t id;

	if (given != NULL && id_ok(given)) {
		memcpy(out, given, strlen(given) + 1);
		return;
	}
	id = next_id(env);
	hex_encode(&id, sizeof(id), out);
}

/* Whose request it is: what proxies say counts from those that are trusted only. */
static struct gw_addr client_of(const struct gw_gate *head, const struct gw_addr *peer,
                                const struct gw_addr_list *trusted)
{
	const char *forwarded[GW_GATE_FIELDS_MAX];
	size_t n = 0;

	if (gw_gate_value(head, GW_FIELD_X_FORWARDED_FOR) == NULL)
		return *peer;
	for (size_t i = 0; i < gw_gate_fields_n(head); i++) {
		if (gw_gate_field_kind(head, i) == GW_FIELD_X_FORWARDED_FOR)
			forwarded[n++] = gw_gate_field_value(head, i);
	}
	return gw_addr_client(peer, forwarded, n, trusted);
}

static void on_conn_gone(void *arg);

static bool origin_allowed(const struct gw_req_env *env, const char *origin)
{
	for (char *const *o = env->origins; o != NULL && *o != NULL; o++) {
		if (strcmp(*o, "*") == 0 || strcmp(*o, origin) == 0)
			return true;
	}
	return false;
}

/* What every answer carries. */
static void add_common_headers(struct gw_req *req, const struct gw_gate *head)
{
	const char *origin = head == NULL ? NULL : gw_gate_value(head, GW_FIELD_ORIGIN);

	if (buf_reserve(&req->headers, HEADERS_CAP) < 0)
		req->headers_lost = true;
	gw_req_add_text(req, "X-Request-Id", req->id);
	gw_req_add_text(req, "Cache-Control", CACHE_NONE);
	if (req->env->origins == NULL || *req->env->origins == NULL)
		return;
	gw_req_add_header(req, "Vary", "Origin");
	if (origin == NULL || !origin_allowed(req->env, origin))
		return;
	gw_req_add_header(req, "Access-Control-Allow-Origin", "%s", origin);
	gw_req_add_header(req, "Access-Control-Expose-Headers",
	                  "X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, "
	                  "X-RateLimit-Reset, Retry-After");
}

/* As much of text as fits. */
static void copy_text(char *out, size_t out_cap, const char *text, size_t len)
{
	if (len >= out_cap)
		len = out_cap - 1;
	memcpy(out, text, len);
	out[len] = '\0';
}

/* The path as the log may show it. */
static void copy_path(struct gw_req *req, const char *target)
{
	const char *rest = target;
	size_t len = sizeof(SECRET_PATH ":link") - 1;

	if (strncmp(target, SECRET_PATH, SECRET_PATH_LEN) != 0) {
		copy_text(req->path, sizeof(req->path), target, strcspn(target, "?"));
		return;
	}
	rest += SECRET_PATH_LEN;
	rest += strcspn(rest, "/?");
	memcpy(req->path, SECRET_PATH ":link", sizeof(SECRET_PATH ":link"));
	copy_text(req->path + len, sizeof(req->path) - len, rest, strcspn(rest, "?"));
}

static void copy_head(struct gw_req *req, const struct gw_gate *head)
{
	const char *method = gw_gate_method(head);

	copy_text(req->method, sizeof(req->method), method, strlen(method));
	copy_path(req, gw_gate_target(head));
	req->client = client_of(head, gw_conn_peer(req->conn), req->env->trusted);
}

static void answer_no_memory(struct gw_conn *c)
{
	static const char lines[] =
	    "Content-Type: application/json\r\nCache-Control: " CACHE_NONE "\r\n";
	const struct buf headers = {
		.p = (uint8_t *)(uintptr_t)lines,
		.len = sizeof(lines) - 1,
	};
	const struct gw_answer a = {
		.status = 503,
		.headers = &headers,
		.body = errors[GW_ERR_AT_CAPACITY].body,
		.body_len = errors[GW_ERR_AT_CAPACITY].body_len,
		.close = true,
	};

	gw_conn_answer(c, &a);
}

struct gw_req *gw_req_new(struct gw_req_env *env, struct gw_conn *c)
{
	const struct gw_gate *head = gw_conn_head(c);
	struct gw_req *req = calloc(1, sizeof(*req));

	if (req == NULL) {
		answer_no_memory(c);
		return NULL;
	}
	req->env = env;
	req->conn = c;
	req->began_ms = clock_ms();
	req->client = *gw_conn_peer(c);
	choose_id(env, head, req->id);
	req->log.request_id = req->id;
	if (head != NULL)
		copy_head(req, head);
	add_common_headers(req, head);
	gw_conn_set_owner(c, on_conn_gone, req, false);
	return req;
}

void gw_req_refuse(struct gw_req_env *env, struct gw_conn *c, enum gw_error error)
{
	struct gw_req *req = gw_req_new(env, c);

	if (req != NULL)
		gw_req_fail(req, error, NULL);
}

void gw_req_turn_away(struct gw_req_env *env, int fd)
{
	char id[GW_REQ_ID_MAX + 1], answer[512];
	int len;

	choose_id(env, NULL, id);
	len = snprintf(answer, sizeof(answer),
	               "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
	               "Content-Length: %zu\r\nCache-Control: no-store\r\nX-Request-Id: %s\r\n"
	               "Connection: close\r\n\r\n%s",
	               errors[GW_ERR_AT_CAPACITY].body_len, id, errors[GW_ERR_AT_CAPACITY].body);
	(void)!send(fd, answer, (size_t)len, MSG_NOSIGNAL);
}

void gw_req_free(struct gw_req *req)
{
	if (req->is_waiting)
		TAILQ_REMOVE(req->env->waiting, req, in_waiting);
	buf_free(&req->headers);
	free(req);
}

void gw_req_log(const struct gw_req *req, int status, size_t body_len)
{
	char client[GW_ADDR_CAP];

	if (!log_wants(LOG_INFO))
		return;
	gw_addr_format(&req->client, client);
	LOG(&req->log, LOG_INFO, "http_request", LF_STR("method", req->method),
	    LF_INT("status", status), LF_INT("ms", clock_ms() - req->began_ms),
	    LF_INT("bytes", body_len), LF_STR("client", client), LF_STR("path", req->path));
}

void gw_req_note(struct gw_req *req, int status)
{
	if (!req->noted)
		gw_metrics_http(req->env->gw->metrics, req->route, status, gw_req_age_ms(req));
	req->noted = true;
}

/* The connection ended before the answer was complete. */
static void on_conn_gone(void *arg)
{
	struct gw_req *req = arg;

	req->conn = NULL;
	gw_req_note(req, 499);
	if (req->on_hangup == NULL)
		return; /* the handler answers later, into the void */
	gw_req_log(req, 499, 0);
	req->on_hangup(req->on_hangup_arg);
	gw_req_free(req);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct gw *gw_req_gw(const struct gw_req *req)
{
	return req->env->gw;
}

const struct gw_req_env *gw_req_env(const struct gw_req *req)
{
	return req->env;
}

const char *gw_req_id(const struct gw_req *req)
{
	return req->id;
}

const char *gw_req_method(const struct gw_req *req)
{
	return req->method;
}

const struct gw_addr *gw_req_client(const struct gw_req *req)
{
	return &req->client;
}

const struct gw_addr *gw_req_peer(const struct gw_req *req)
{
	return gw_conn_peer(req->conn);
}

uint64_t gw_req_age_ms(const struct gw_req *req)
{
	return clock_ms() - req->began_ms;
}

const struct gw_gate *gw_req_head(const struct gw_req *req)
{
	return req->conn == NULL ? NULL : gw_conn_head(req->conn);
}

const char *gw_req_header(const struct gw_req *req, const char *name)
{
	const struct gw_gate *head = gw_req_head(req);

	return head == NULL ? NULL : gw_gate_find(head, name);
}

int gw_req_param(const struct gw_req *req, const char *key, char *out, size_t out_cap)
{
	const struct gw_gate *head = gw_req_head(req);

	return head == NULL ? 0 : gw_query_param(gw_gate_target(head), key, out, out_cap);
}

int gw_req_json(const struct gw_req *req, json_t **json_out)
{
	const struct buf *body = req->conn == NULL ? NULL : gw_conn_body(req->conn);
	json_t *json;

	if (body != NULL && body->len > 0)
		return gw_json_object(body->p, body->len, json_out);
	json = json_object();
	if (json == NULL)
		return -ENOMEM;
	*json_out = json;
	return 0;
}

const char *gw_req_name(const struct gw_req *req)
{
	return req->name;
}

const struct gw_auth *gw_req_auth(const struct gw_req *req)
{
	return &req->auth;
}

enum gw_media gw_req_media(const struct gw_req *req)
{
	return req->media;
}

const struct gw_route *gw_req_route(const struct gw_req *req)
{
	return req->route;
}

void gw_req_set_route(struct gw_req *req, const struct gw_route *route, const char *name)
{
	req->route = route;
	snprintf(req->name, sizeof(req->name), "%s", name);
}

void gw_req_set_media(struct gw_req *req, enum gw_media media)
{
	req->media = media;
}

void gw_req_set_auth(struct gw_req *req, const struct gw_auth *auth)
{
	req->auth = *auth;
	if (auth->kind != GW_TOKEN_NONE)
		gw_conn_mark_known(req->conn);
}

/* ---- answering ------------------------------------------------------------------------------- */

void gw_req_add_header(struct gw_req *req, const char *name, const char *fmt, ...)
{
	char value[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	gw_req_add_text(req, name, value);
}

void gw_req_add_text(struct gw_req *req, const char *name, const char *value)
{
	struct buf *h = &req->headers;

	if (buf_append_str(h, name) < 0 || buf_append(h, ": ", 2) < 0 ||
	    buf_append_str(h, value) < 0 || buf_append(h, "\r\n", 2) < 0)
		req->headers_lost = true;
}

void gw_req_add_number(struct gw_req *req, const char *name, uint64_t value)
{
	struct buf *h = &req->headers;

	if (buf_append_str(h, name) < 0 || buf_append(h, ": ", 2) < 0 ||
	    buf_append_dec(h, value) < 0 || buf_append(h, "\r\n", 2) < 0)
		req->headers_lost = true;
}

void gw_req_may_be_kept(struct gw_req *req)
{
	uint8_t *p = memmem(req->headers.p, req->headers.len, ": " CACHE_NONE "\r\n",
	                    sizeof(": " CACHE_NONE "\r\n") - 1);

	if (p != NULL)
		memcpy(p + 2, CACHE_ASK, sizeof(CACHE_ASK) - 1);
}

void gw_req_reply_data(struct gw_req *req, int status, const char *content_type, const void *data,
                       size_t data_len)
{
	struct gw_answer a = { .status = status, .body = data, .body_len = data_len };

	if (req->conn != NULL) {
		if (data_len > 0)
			gw_req_add_text(req, "Content-Type", content_type);
		gw_req_log(req, status, data_len);
		gw_req_note(req, status);
		a.headers = &req->headers;
		if (req->headers_lost)
			answer_no_memory(req->conn);
		else
			gw_conn_answer(req->conn, &a);
	}
	gw_req_free(req);
}

void gw_req_reply(struct gw_req *req, int status, json_t *json)
{
	char *text = json_text(json);

	if (text == NULL)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	else
		gw_req_reply_data(req, status, gw_media_type(GW_MEDIA_JSON), text, strlen(text));
	if (text != NULL)
		secret_wipe(text, strlen(text)); /* may hold a token */
	free(text);
	json_decref(json);
}

void gw_req_fail_with(struct gw_req *req, int status, const char *message, const char *code,
                      const char *detail)
{
	gw_req_reply(req, status, gw_error_json(message, code, detail));
}

void gw_req_fail(struct gw_req *req, enum gw_error error, const char *detail)
{
	if (detail == NULL || *detail == '\0')
		gw_req_reply_data(req, errors[error].status, gw_media_type(GW_MEDIA_JSON),
		                  errors[error].body, errors[error].body_len);
	else
		gw_req_fail_with(req, errors[error].status, errors[error].message,
		                 errors[error].code, detail);
}

void gw_req_wait(struct gw_req *req, bool stream, void (*on_hangup)(void *arg), void *arg)
{
	req->on_hangup = on_hangup;
	req->on_hangup_arg = arg;
	gw_conn_set_owner(req->conn, on_conn_gone, req, stream);
	if (req->auth.kind != GW_TOKEN_NONE && strcmp(req->method, "GET") == 0) {
		TAILQ_INSERT_TAIL(req->env->waiting, req, in_waiting);
		req->is_waiting = true;
	}
}

void gw_req_resume(struct gw_req *req)
{
	req->on_hangup = NULL;
	req->on_hangup_arg = NULL;
	if (req->is_waiting)
		TAILQ_REMOVE(req->env->waiting, req, in_waiting);
	req->is_waiting = false;
}
