/*
 * simulator/api/sim_control.h - the control API's HTTP side: listening, routing, JSON in and out
 *
 * What the routes do is in sim_api.c. Loopback only, no authentication; a request with an Origin
 * header (a browser's) is refused.
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <event2/buffer.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct sim;
struct sim_control;
struct sim_wait;
struct evhttp_request;

/* Bind and listen as the options say. 0, -errno, -ENOMEM. */
ATTR_NODISCARD int sim_control_new(struct sim *s, struct sim_control **control_out);
void sim_control_free(struct sim_control *c); /* NULL is fine */
/* The port that was bound, host order. */
uint16_t sim_control_port(const struct sim_control *c);

/* ---- for the routes ----------------------------------------------------------------------------
 */

#define SIM_PARAMS 2
#define SIM_PARAM_CAP 32

struct sim_call {
	struct sim *sim;
	char params[SIM_PARAMS][SIM_PARAM_CAP]; /* what stood for the ':' of the route */
	json_t *body;                           /* an object; NULL where the method has none */
	const char *query;                      /* NULL: none */
	/* The answer; exactly one of json (taken) and text is used. */
	int status;
	json_t *json;
	struct evbuffer *text; /* a finished JSON text; owned by the caller of the route */
	/* internal */
	struct evhttp_request *req;
	bool deferred; /* the answer comes later */
};

/* Answer with json, a new reference; NULL means that memory ran out. */
void sim_call_reply(struct sim_call *call, int status, json_t *json);
/* Answer {"error":{"code","message"}}. */
void sim_call_error(struct sim_call *call, int status, const char *code, const char *fmt, ...)
    ATTR_PRINTF(4, 5);

/*
 * The answer comes later, through the wait. When none has come after timeout_ms the caller gets
 * 408 `timeout`; then, and when the caller is gone, on_gone(arg) says that the wait is over.
 * NULL: no memory, and the call is answered.
 */
struct sim_wait *sim_call_defer(struct sim_call *call, uint32_t timeout_ms,
                                void (*on_gone)(void *arg), void *arg);
/* As sim_call_reply() and sim_call_error(); the wait is over, on_gone is not called. */
void sim_wait_reply(struct sim_wait *w, int status, json_t *json);
void sim_wait_error(struct sim_wait *w, int status, const char *code, const char *message);

#endif
