/* gateway/http/gw_route.c - which handler answers, and the checks that come before */
#include "gateway/http/gw_route.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "gateway/gw.h"
#include "gateway/http/gw_accept.h"
#include "gateway/http/gw_auth.h"
#include "gateway/http/gw_gate.h"
#include "gateway/http/gw_query.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/metrics/gw_metrics.h"
#include "gateway/registry/gw_registry.h"

#define ACCEPT_CAP 2048
#define ALLOW_CAP 128
/* Stands for a name that can't be decoded: not a valid one either. */
#define UNREADABLE_NAME "/"

/* A path without its query, and the name in it. */
struct path {
	const char *p;
	size_t len;
	const char *name; /* NULL: the pattern has none */
	size_t name_len;
};

static bool starts_with(const struct path *path, const char *prefix, size_t prefix_len)
{
	return path->len >= prefix_len && memcmp(path->p, prefix, prefix_len) == 0;
}

/*
 * ":instance" matches one segment, an empty one too, with or without the slash before it where it
 * is the last; ":name" matches one segment that is not empty.
 */
static bool path_matches(struct path *path, const char *pattern)
{
	const char *colon = strchr(pattern, ':');
	size_t prefix_len = colon == NULL ? strlen(pattern) : (size_t)(colon - pattern);
	const char *suffix, *end;
	bool may_be_empty;

	path->name = NULL;
	if (colon == NULL)
		return path->len == prefix_len && starts_with(path, pattern, prefix_len);
	suffix = colon + strcspn(colon, "/");
	may_be_empty = strncmp(colon, ":instance", 9) == 0;
	if (may_be_empty && *suffix == '\0' && path->len == prefix_len - 1 &&
	    starts_with(path, pattern, prefix_len - 1)) {
		path->name = "";
		path->name_len = 0;
		return true;
	}
	if (!starts_with(path, pattern, prefix_len))
		return false;
	path->name = path->p + prefix_len;
	end = memchr(path->name, '/', path->len - prefix_len);
	path->name_len = end == NULL ? path->len - prefix_len : (size_t)(end - path->name);
	if (path->name_len == 0 && !may_be_empty)
		return false;
	return path->len - prefix_len - path->name_len == strlen(suffix) &&
	       memcmp(path->name + path->name_len, suffix, strlen(suffix)) == 0;
}

static struct path path_of(const char *target)
{
	return (struct path){ .p = target, .len = strcspn(target, "?") };
}

/*
 * The route of a path and a method. NULL: none; allow_out then lists the methods that the path
 * knows, and is empty for an unknown path.
 */
static const struct gw_route *find(const struct gw_route *routes, struct path *path,
                                   const char *method, char allow_out[ALLOW_CAP])
{
	size_t len = 0;

	allow_out[0] = '\0';
	for (const struct gw_route *r = routes; r->pattern != NULL; r++) {
		if (!path_matches(path, r->pattern))
			continue;
		if (strcmp(r->method, method) == 0)
			return r;
		if (len < ALLOW_CAP)
			len += (size_t)snprintf(allow_out + len, ALLOW_CAP - len, "%s%s",
			                        len > 0 ? ", " : "", r->method);
	}
	return NULL;
}

/* ---- CORS ------------------------------------------------------------------------------------ */

/* Whether the origin is let in, add_common_headers() of gw_req.c has decided. */
static bool is_preflight(const struct gw_req *req)
{
	const struct gw_req_env *env = gw_req_env(req);

	return strcmp(gw_req_method(req), "OPTIONS") == 0 && env->origins != NULL &&
	       *env->origins != NULL && gw_req_header(req, "origin") != NULL &&
	       gw_req_header(req, "access-control-request-method") != NULL;
}

static void answer_preflight(struct gw_req *req, const char *allow)
{
	gw_req_add_header(req, "Access-Control-Allow-Methods", "%s", allow);
	gw_req_add_header(
	    req, "Access-Control-Allow-Headers",
	    "token, authorization, content-type, accept, x-request-id, last-event-id");
	gw_req_add_header(req, "Access-Control-Max-Age", "600");
	gw_req_reply_data(req, 204, "", NULL, 0);
}

static void answer_no_route(struct gw_req *req, const char *allow)
{
	if (*allow == '\0') {
		gw_req_fail(req, GW_ERR_NOT_FOUND, NULL);
	} else if (is_preflight(req)) {
		answer_preflight(req, allow);
	} else {
		gw_req_add_header(req, "Allow", "%s", allow);
		gw_req_fail(req, GW_ERR_METHOD, NULL);
	}
}

/* ---- token and limit ------------------------------------------------------------------------- */

/* Several Accept lines are one list. */
static enum gw_media negotiate(const struct gw_gate *head)
{
	char accept[ACCEPT_CAP] = "";
	size_t len = 0;
	int n;

	for (size_t i = 0; i < gw_gate_fields_n(head); i++) {
		if (gw_gate_field_kind(head, i) != GW_FIELD_ACCEPT)
			continue;
		n = snprintf(accept + len, sizeof(accept) - len, "%s%s", len > 0 ? ", " : "",
		             gw_gate_field_value(head, i));
		len += (size_t)n;
		if (len >= sizeof(accept))
			return GW_MEDIA_JSON;
	}
	return gw_accept_best(len > 0 ? accept : NULL);
}

static bool takes_query_token(const struct gw_route *r, enum gw_media media)
{
	if ((r->flags & GW_ROUTE_QUERY_TOKEN) == 0)
		return false;
	return (r->flags & GW_ROUTE_MEDIA) == 0 || media == GW_MEDIA_EVENTS;
}

static bool token_suits(const struct gw_route *r, const struct gw_auth *auth)
{
	return r->auth == GW_ROUTE_OPEN || auth->kind == GW_TOKEN_ACCOUNT ||
	       (r->auth == GW_ROUTE_EITHER && auth->kind == GW_TOKEN_INSTANCE);
}

static void limit_key(const struct gw_req *req, struct gw_limit_key *key)
{
	const struct gw_auth *auth = gw_req_auth(req);
	struct gw_addr addr;

	memset(key, 0, sizeof(*key));
	if (auth->kind != GW_TOKEN_NONE) {
		key->by = GW_LIMIT_BY_TOKEN;
		memcpy(key->bytes, auth->hash, GW_TOKEN_HASH_LEN);
	} else {
		key->by = GW_LIMIT_BY_ADDRESS;
		addr = gw_addr_client_key(gw_req_client(req));
		memcpy(key->bytes, addr.b, sizeof(addr.b));
	}
}

/* Whose instance is it? Fills auth.instance. False: it has been answered. */
static bool within_scope(struct gw_req *req)
{
	struct gw_auth auth = *gw_req_auth(req);
	const char *name = gw_req_name(req);

	if (!gw_name_valid(name)) {
		gw_req_fail(req, GW_ERR_NAME, NULL);
		return false;
	}
	if (auth.kind == GW_TOKEN_INSTANCE) {
		if (strcmp(gw_instance_name(auth.instance), name) == 0)
			return true;
		gw_req_fail(req, GW_ERR_WRONG_INSTANCE, NULL);
		return false;
	}
	auth.instance = gw_registry_instance(gw_req_gw(req)->registry, auth.account, name);
	if (auth.instance == NULL) {
		gw_req_fail(req, GW_ERR_INSTANCE_NOT_FOUND, NULL);
		return false;
	}
	gw_req_set_auth(req, &auth);
	return true;
}

/* ---- the order of checks --------------------------------------------------------------------- */

static bool has_instance(const struct gw_route *r)
{
	return strstr(r->pattern, ":instance") != NULL;
}

static void check_token(struct gw_req *req, const struct gw_route *r)
{
	const struct gw_gate *head = gw_req_head(req);
	struct gw_auth auth = { .kind = GW_TOKEN_NONE };

	if ((r->flags & GW_ROUTE_MEDIA) != 0)
		gw_req_set_media(req, negotiate(head));
	if (r->auth != GW_ROUTE_OPEN)
		gw_auth_request(gw_req_gw(req)->registry, head,
		                takes_query_token(r, gw_req_media(req)), &auth);
	gw_req_set_auth(req, &auth);
}

/* Token and limit are behind it. */
static void go_on(struct gw_req *req, const struct gw_route *r)
{
	if (!token_suits(r, gw_req_auth(req)))
		gw_req_fail(req, GW_ERR_TOKEN, NULL);
	else if (has_instance(r) && !within_scope(req))
		return;
	else if (r->handler == NULL)
		gw_req_fail(req, GW_ERR_NOT_IMPLEMENTED, NULL);
	else
		r->handler(req);
}

/* The request is counted, or over its limit, and its headers say so. result NULL: neither. */
static void on_counted(struct gw_req *req, const struct gw_limit_result *res)
{
	if (res == NULL) {
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return;
	}
	gw_req_add_number(req, "X-RateLimit-Limit", res->limit);
	gw_req_add_number(req, "X-RateLimit-Remaining", res->remaining);
	gw_req_add_number(req, "X-RateLimit-Reset", (uint64_t)res->reset_unix_s);
	if (res->allowed) {
		go_on(req, gw_req_route(req));
		return;
	}
	gw_metrics_rate_limited(gw_req_gw(req)->metrics, gw_req_auth(req)->kind != GW_TOKEN_NONE);
	gw_req_add_number(req, "Retry-After", res->retry_after_s);
	gw_req_fail(req, GW_ERR_RATE_LIMITED, NULL);
}

static void on_limit_hangup(void *arg)
{
	gw_limit_cancel(arg);
}

/* Redis has answered. Meanwhile the token may have ended, its instance be gone, and we too. */
static void on_limit(const struct gw_limit_result *res, void *arg)
{
	struct gw_req *req = arg;
	const struct gw_route *r = gw_req_route(req);

	gw_req_resume(req);
	check_token(req, r);
	if (gw_req_gw(req)->stopping && (r->flags & GW_ROUTE_ALWAYS) == 0)
		gw_req_fail(req, GW_ERR_SHUTTING_DOWN, NULL);
	else
		on_counted(req, res);
}

/* The route is known; from here on every answer counts. */
static void run(struct gw_req *req, const struct gw_route *r)
{
	struct gw_limit_result res;
	struct gw_limit_call *call;
	struct gw_limit_key key;
	int rc;

	check_token(req, r);
	if (r->limit == GW_LIMIT_NONE) {
		go_on(req, r);
		return;
	}
	limit_key(req, &key);
	rc = gw_limit_take(gw_req_gw(req)->limit, r->limit, &key, on_limit, req, &res, &call);
	if (rc > 0)
		gw_req_wait(req, false, on_limit_hangup, call);
	else
		on_counted(req, rc < 0 ? NULL : &res);
}

void gw_route_request(struct gw_req *req)
{
	struct path path = path_of(gw_gate_target(gw_req_head(req)));
	char name[GW_NAME_MAX + 1] = "", allow[ALLOW_CAP];
	const struct gw_route *r;

	r = find(gw_req_env(req)->routes, &path, gw_req_method(req), allow);
	if (r == NULL) {
		answer_no_route(req, allow);
		return;
	}
	if (path.name != NULL &&
	    gw_percent_decode(path.name, path.name_len, false, name, sizeof(name)) < 0)
		memcpy(name, UNREADABLE_NAME, sizeof(UNREADABLE_NAME));
	gw_req_set_route(req, r, name);
	if (gw_req_gw(req)->stopping && (r->flags & GW_ROUTE_ALWAYS) == 0)
		gw_req_fail(req, GW_ERR_SHUTTING_DOWN, NULL);
	else if (has_instance(r) && name[0] == '\0')
		gw_req_fail(req, GW_ERR_NAME_REQUIRED, NULL);
	else
		run(req, r);
}

bool gw_route_wants_body(const struct gw_req_env *env, const struct gw_gate *head,
                         uint64_t *body_max)
{
	struct path path = path_of(gw_gate_target(head));
	char allow[ALLOW_CAP];
	struct gw_auth auth;
	const struct gw_route *r;

	if (gw_gate_value(head, GW_FIELD_CONTENT_LENGTH) == NULL &&
	    gw_gate_value(head, GW_FIELD_TRANSFER_ENCODING) == NULL)
		return false;
	r = find(env->routes, &path, gw_gate_method(head), allow);
	if (r != NULL && (r->flags & GW_ROUTE_LARGE) != 0)
		*body_max = GW_ROUTE_LARGE_MAX;
	if (r == NULL || (r->flags & GW_ROUTE_BODY) == 0)
		return false;
	if (r->auth == GW_ROUTE_OPEN)
		return true;
	gw_auth_request(env->gw->registry, head, false, &auth);
	return token_suits(r, &auth);
}
