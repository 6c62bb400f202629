/*
 * simulator/sim_control.h - the control API's HTTP side: listening, routing, JSON in and out
 *
 * What the routes do is in sim_api.c. Loopback only, no authentication; a request with an Origin
 * header (a browser's) is refused.
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <event2/buffer.h>
#include <jansson.h>
#include <stdint.h>

#include "common/attr.h"

struct sim;
struct sim_control;

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
};

/* Answer with json, a new reference; NULL means that memory ran out. */
void sim_call_reply(struct sim_call *call, int status, json_t *json);
/* Answer {"error":{"code","message"}}. */
void sim_call_error(struct sim_call *call, int status, const char *code, const char *fmt, ...)
    ATTR_PRINTF(4, 5);

#endif
