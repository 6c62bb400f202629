/*
 * gateway/http/gw_req.h - one API request, from its head to its answer
 *
 * A handler gets a request and owes it exactly one answer, now or later; the request is gone with
 * it. When the caller leaves first, a later answer is dropped.
 */
#ifndef GW_REQ_H
#define GW_REQ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/log.h"
#include "gateway/http/gw_accept.h"
#include "gateway/http/gw_addr.h"
#include "gateway/http/gw_auth.h"

struct gw;
struct gw_conn;
struct gw_gate;
struct gw_req;
struct gw_route;

#define GW_REQ_ID_MAX 64

TAILQ_HEAD(gw_req_list, gw_req);

/* What every request of one listener has in common. Owned by gw_http. */
struct gw_req_env {
	struct gw *gw;
	const struct gw_route *routes;      /* ends with a NULL pattern */
	const struct gw_addr_list *trusted; /* proxies */
	char *const *origins;               /* CORS: NULL-terminated; "*" is any */
	struct gw_req_list *waiting;        /* GETs with a token that wait to be told something */
	uint64_t id_base;                   /* random: ids that are ours are made from it and */
	uint64_t ids_n;                     /* how many there were */
};

/* Errors of the contract with one message and one code each. */
#define GW_ERROR_LIST(X) \
	X(GW_ERR_BAD_REQUEST, 400, "Bad request", "bad_request") \
	X(GW_ERR_NAME_REQUIRED, 400, "Instance name is required", "instance_name_required") \
	X(GW_ERR_BODY, 400, "Invalid request body", "invalid_body") \
	X(GW_ERR_NAME, 400, "Invalid instance name", "invalid_name") \
	X(GW_ERR_NUMBER, 400, "Invalid number", "invalid_number") \
	X(GW_ERR_HISTORY, 400, "Invalid history", "invalid_history") \
	X(GW_ERR_NO_SETTING, 400, "At least one setting must be provided", "at_least_one_setting") \
	X(GW_ERR_NO_SESSION, 400, "Instance has no saved session — call /connect first", \
	  "no_session") \
	X(GW_ERR_WEBHOOK_LIMIT, 400, "Webhook limit reached", "webhook_limit") \
	X(GW_ERR_TOKEN, 401, "Invalid token", "invalid_token") \
	X(GW_ERR_WRONG_INSTANCE, 403, "Instance token does not match the instance", \
	  "wrong_instance") \
	X(GW_ERR_QUOTA, 403, "Account instance quota exceeded", "quota_exceeded") \
	X(GW_ERR_FORBIDDEN, 403, "Forbidden", "forbidden") \
	X(GW_ERR_INSTANCE_NOT_FOUND, 404, "Instance not found", "instance_not_found") \
	X(GW_ERR_ACCOUNT_NOT_FOUND, 404, "Account not found", "account_not_found") \
	X(GW_ERR_WEBHOOK_NOT_FOUND, 404, "Webhook not found", "webhook_not_found") \
	X(GW_ERR_NOT_FOUND, 404, "Not found", "not_found") \
	X(GW_ERR_METHOD, 405, "Method not allowed", "method_not_allowed") \
	X(GW_ERR_NOT_ACCEPTABLE, 406, "Not acceptable", "not_acceptable") \
	X(GW_ERR_TIMEOUT, 408, "Request timeout", "request_timeout") \
	X(GW_ERR_INSTANCE_EXISTS, 409, "Instance already exists", "instance_exists") \
	X(GW_ERR_ACCOUNT_EXISTS, 409, "Account already exists", "account_exists") \
	X(GW_ERR_ACCOUNT_NOT_EMPTY, 409, "Account still has instances", "account_not_empty") \
	X(GW_ERR_AMBIGUOUS, 409, "Several accounts have an instance of this name", \
	  "ambiguous_name") \
	X(GW_ERR_NO_PASSKEY, 409, "No passkey step is pending", "no_passkey") \
	X(GW_ERR_LINK_OVER, 410, "Link is no longer valid", "link_not_valid") \
	X(GW_ERR_BODY_TOO_LARGE, 413, "Request body too large", "body_too_large") \
	X(GW_ERR_RATE_LIMITED, 429, "Rate limit exceeded. Try again later.", "rate_limited") \
	X(GW_ERR_THROTTLED, 429, "Rate limit exceeded. Try again later.", "whatsapp_throttled") \
	X(GW_ERR_STORAGE, 500, "Failed to store the change", "storage") \
	X(GW_ERR_NOT_IMPLEMENTED, 501, "Not implemented", "not_implemented") \
	X(GW_ERR_AT_CAPACITY, 503, "Service is at capacity", "at_capacity") \
	X(GW_ERR_SHUTTING_DOWN, 503, "Service is shutting down", "shutting_down")

enum gw_error {
#define X(id, status, message, code) id,
	GW_ERROR_LIST(X)
#undef X
};

/* ---- reading -------------------------------------------------------------------------------- */

struct gw *gw_req_gw(const struct gw_req *req);
const struct gw_req_env *gw_req_env(const struct gw_req *req);
const char *gw_req_id(const struct gw_req *req);
const char *gw_req_method(const struct gw_req *req);
const struct gw_addr *gw_req_client(const struct gw_req *req);
/* The other end of the connection, whoever it asks for. Only while the caller is there. */
const struct gw_addr *gw_req_peer(const struct gw_req *req);
/* Since the request was whole. */
uint64_t gw_req_age_ms(const struct gw_req *req);
/* Value of a header, or NULL. Only until the handler returns. */
const char *gw_req_header(const struct gw_req *req, const char *name);
/*
 * A query parameter, percent-decoded, "+" as space, into out.
 * 1: found; 0: not there; -EINVAL: given twice, longer than out_cap - 1, or with a control
 * character. Only until the handler returns.
 */
int gw_req_param(const struct gw_req *req, const char *key, char *out, size_t out_cap);
/*
 * The body as a JSON object, new reference; an empty body is an empty object.
 * 0, -EINVAL or -ENOMEM as gw_json_object() says.
 */
ATTR_NODISCARD int gw_req_json(const struct gw_req *req, json_t **json_out);

/* The :name in the path, decoded; "" where there is none. */
const char *gw_req_name(const struct gw_req *req);
/* Who asks. The pointers in it are good until the handler returns. */
const struct gw_auth *gw_req_auth(const struct gw_req *req);
/* What the route's Accept asks for. */
enum gw_media gw_req_media(const struct gw_req *req);

/* ---- answering: each ends the request, req must not be used afterwards ---------------------- */

/* takes json (NULL: out of memory, answered with 503) */
void gw_req_reply(struct gw_req *req, int status, json_t *json);
void gw_req_reply_data(struct gw_req *req, int status, const char *content_type, const void *data,
                       size_t data_len);
/* detail: one sentence for a person, never a secret; may be NULL */
void gw_req_fail(struct gw_req *req, enum gw_error error, const char *detail);
void gw_req_fail_with(struct gw_req *req, int status, const char *message, const char *code,
                      const char *detail);
/* {"success":false,"error":{...}}; new reference or NULL. code and detail may be NULL. */
json_t *gw_error_json(const char *message, const char *code, const char *detail);
int gw_error_status(enum gw_error error);
const char *gw_error_message(enum gw_error error);
const char *gw_error_code(enum gw_error error);
/* The whole body of an answer without detail: what gw_error_json() would give, as text. */
const char *gw_error_body(enum gw_error error);

/* A header line for the answer. Values are ours or have been checked. */
void gw_req_add_header(struct gw_req *req, const char *name, const char *fmt, ...)
    ATTR_PRINTF(3, 4);
/* The answer holds nothing of anybody: a browser may keep it, and asks whether it is still the
 * same.
 */
void gw_req_may_be_kept(struct gw_req *req);
/* The same without a format, for those of every answer. */
void gw_req_add_text(struct gw_req *req, const char *name, const char *value);
void gw_req_add_number(struct gw_req *req, const char *name, uint64_t value);

/*
 * The answer will take a while: on_hangup(arg) is called when the caller leaves before it; req is
 * gone then. A client that only closes its sending side still gets its answer, unless it is a
 * stream: that would have no end for somebody who is not there. on_hangup is called, too, when the
 * token that a GET was let in by is replaced meanwhile; gw_req then gives the answer itself.
 */
void gw_req_wait(struct gw_req *req, bool stream, void (*on_hangup)(void *arg), void *arg);
/* The wait is over, the answer still to be made: on_hangup is not called any more. */
void gw_req_resume(struct gw_req *req);

/*
 * An answer piece by piece. A negative return: the caller is gone, on_hangup has been called and
 * req is gone. gw_req_wait() comes first.
 */
ATTR_NODISCARD int gw_req_stream_start(struct gw_req *req, const char *content_type);
ATTR_NODISCARD int gw_req_stream_piece(struct gw_req *req, const void *data, size_t data_len);
void gw_req_stream_end(struct gw_req *req);
/* Pieces leave together, until the flush; its return as a piece's. */
void gw_req_stream_cork(struct gw_req *req);
ATTR_NODISCARD int gw_req_stream_flush(struct gw_req *req);
/* At the client's pace (gw_conn_pace()): on_room(arg of gw_req_wait()). Before the start. */
void gw_req_stream_pace(struct gw_req *req, void (*on_room)(void *arg));
bool gw_req_has_room(const struct gw_req *req);

/*
 * Another protocol: 101 with the headers that were added. gw_req_wait() and gw_req_stream_pace()
 * come first; then as gw_conn_upgrade(), all with the arg of gw_req_wait(). on_token_end: the token
 * that let it in is replaced; it is to end the request with gw_req_upgrade_end().
 */
ATTR_NODISCARD int gw_req_upgrade(struct gw_req *req,
                                  void (*on_data)(const uint8_t *data, size_t data_len, void *arg),
                                  void (*on_token_end)(void *arg));
ATTR_NODISCARD int gw_req_write(struct gw_req *req, const void *data, size_t data_len);
void gw_req_upgrade_end(struct gw_req *req);

/* ---- for gw_http and gw_route --------------------------------------------------------------- */

/* The request that c has read; it is answered even without memory for it (NULL then). */
struct gw_req *gw_req_new(struct gw_req_env *env, struct gw_conn *c);
/* The gate's refusals: answers on c at once. */
void gw_req_refuse(struct gw_req_env *env, struct gw_conn *c, enum gw_error error);
/*
 * The token with this hash is none any more: those of list that it let in get 401, or, in the
 * middle of a stream of events, "failed" as its last one. Changes under way are not in the list:
 * they go on, and their callers are told how they went.
 */
void gw_req_token_ended(struct gw_req_list *list, const uint8_t *hash);
/* 503 on a socket that there is no room for. */
void gw_req_turn_away(struct gw_req_env *env, int fd);
void gw_req_set_route(struct gw_req *req, const struct gw_route *route, const char *name);
void gw_req_set_media(struct gw_req *req, enum gw_media media);
/* known: the connection's client has shown a valid token. */
void gw_req_set_auth(struct gw_req *req, const struct gw_auth *auth);
const struct gw_route *gw_req_route(const struct gw_req *req);
/* The head; NULL when the caller is gone or the gate refused it. */
const struct gw_gate *gw_req_head(const struct gw_req *req);

#endif
