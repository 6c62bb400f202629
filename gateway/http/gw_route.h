/*
 * gateway/http/gw_route.h - who answers what, and the checks that come before
 *
 * The order is the contract's: route, method, empty name, token, limit, name form, scope; the
 * handler then checks parameters and body.
 */
#ifndef GW_ROUTE_H
#define GW_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/limit/gw_limit.h"

struct gw_gate;
struct gw_req;
struct gw_req_env;

#define GW_ROUTE_LARGE_MAX (16 * 1024 * 1024)

enum gw_route_auth {
	GW_ROUTE_OPEN,    /* no token asked for */
	GW_ROUTE_EITHER,  /* TokenAccount or TokenInstance */
	GW_ROUTE_ACCOUNT, /* TokenAccount only */
};

enum {
	GW_ROUTE_BODY = 1,        /* reads a JSON body */
	GW_ROUTE_MEDIA = 2,       /* answers in the form that Accept asks for */
	GW_ROUTE_QUERY_TOKEN = 4, /* takes ?token= ; with GW_ROUTE_MEDIA for event streams only */
	GW_ROUTE_LARGE = 16,      /* its body may have GW_ROUTE_LARGE_MAX bytes */
	GW_ROUTE_ALWAYS = 8,      /* answered while the gateway stops, too */
};

struct gw_route {
	const char *pattern; /* one segment may be ":instance" or ":name"; NULL ends a table */
	const char *method;
	void (*handler)(struct gw_req *req); /* NULL: in the contract, not built yet */
	enum gw_route_auth auth;
	enum gw_limit_class limit;
	unsigned flags;
};

extern const struct gw_route gw_routes_public[];
extern const struct gw_route gw_routes_admin[];

/* Check and answer a request. */
void gw_route_request(struct gw_req *req);

/*
 * At the end of a head: will anybody look at the body that follows? *body_max is raised for a route
 * that takes media.
 */
bool gw_route_wants_body(const struct gw_req_env *env, const struct gw_gate *head,
                         uint64_t *body_max);

#endif
