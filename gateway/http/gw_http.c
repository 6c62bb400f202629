/* gateway/http/gw_http.c - the listening sockets: the public API and the admin socket */
#include "gateway/http/gw_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/events/gw_feed.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"
#include "gateway/http/gw_addr.h"
#include "gateway/http/gw_conn.h"
#include "gateway/http/gw_gate.h"
#include "gateway/http/gw_listener.h"
#include "gateway/http/gw_req.h"
#include "gateway/http/gw_route.h"
#include "gateway/process/gw_activation.h"
#include "gateway/registry/gw_registry.h"

#define ADMIN_CONNECTIONS_MAX 64
#define REQUESTS_MAX 1000     /* on one connection */
#define PUBLIC_UNIX_MODE 0666 /* tokens decide, as they do over TCP */
#define ADMIN_UNIX_MODE 0600
#define ADDRESS_CAP (GW_LISTEN_PATH_CAP + sizeof("unix:"))
#define URL_CAP 128

/* Its listeners, with their routes and connections. More than one only where systemd made them. */
struct door {
	struct gw_req_env env;
	struct gw_conns *conns;
	struct gw_listener *listeners[GW_ACTIVATION_MAX];
	size_t listeners_n;
};

struct gw_http {
	struct gw *gw;
	struct door public;
	struct door admin;
	struct gw_addr_list *trusted; /* proxies */
	struct gw_req_list waiting;   /* of both doors */
	bool listens_to_tokens;
	char **origins; /* NULL-terminated; the texts are in origins_text */
	char *origins_text;
	char address[ADDRESS_CAP];
};

/* ---- requests -------------------------------------------------------------------------------- */

static bool wants_body(struct gw_conn *c, uint64_t *body_max, void *arg)
{
	const struct door *door = arg;

	return gw_route_wants_body(&door->env, gw_conn_head(c), body_max);
}

static void on_request(struct gw_conn *c, void *arg)
{
	struct door *door = arg;
	struct gw_req *req = gw_req_new(&door->env, c);

	if (req != NULL)
		gw_route_request(req);
}

static void on_refused(struct gw_conn *c, int status, void *arg)
{
	struct door *door = arg;
	enum gw_error error = GW_ERR_BAD_REQUEST;

	if (status == 408)
		error = GW_ERR_TIMEOUT;
	else if (status == 413)
		error = GW_ERR_BODY_TOO_LARGE;
	gw_req_refuse(&door->env, c, error);
}

static void on_full(int fd, void *arg)
{
	struct door *door = arg;

	gw_req_turn_away(&door->env, fd);
}

static void on_token_end(const uint8_t *hash, void *arg)
{
	struct gw_http *http = arg;

	gw_req_token_ended(&http->waiting, hash);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void on_public(int fd, const struct sockaddr *sa, void *arg)
{
	struct gw_http *http = arg;
	struct gw_addr addr;

	gw_addr_from_sockaddr(sa, &addr);
	gw_conns_add(http->public.conns, fd, &addr);
}

/* The peer of the admin socket is root or runs as we do. */
static bool is_admin(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	return cred.uid == 0 || cred.uid == geteuid();
}

static void on_admin(int fd, const struct sockaddr *sa, void *arg)
{
	struct gw_http *http = arg;
	struct gw_addr addr;

	if (!is_admin(fd)) {
		LOG(NULL, LOG_WARNING, "admin_peer_refused",
		    LF_STR("why", "neither root nor our user"));
		close(fd);
		return;
	}
	gw_addr_from_sockaddr(sa, &addr);
	gw_conns_add(http->admin.conns, fd, &addr);
}

/* ---- starting -------------------------------------------------------------------------------- */

static int door_init(struct gw_http *http, struct door *door, const struct gw_route *routes,
                     size_t max, size_t max_per_address)
{
	const struct gw_conns_params params = {
		.base = http->gw->base,
		.max = max,
		.max_per_address = max_per_address,
		.uncounted = http->trusted,
		.body_max = GW_GATE_BODY_MAX,
		.requests_max = REQUESTS_MAX,
		.arg = door,
		.wants_body = wants_body,
		.on_request = on_request,
		.on_refused = on_refused,
		.on_full = on_full,
	};
	int rc;

	door->env = (struct gw_req_env){
		.gw = http->gw,
		.routes = routes,
		.trusted = http->trusted,
		.origins = http->origins,
		.waiting = &http->waiting,
	};
	rc = secret_random(&door->env.id_base, sizeof(door->env.id_base));
	return rc < 0 ? rc : gw_conns_new(&params, &door->conns);
}

/* "https://a.example, https://b.example" as a NULL-terminated array. */
static int parse_origins(const char *text, char **text_out, char ***origins_out)
{
	size_t cap = 2, n = 0;
	char **origins, *copy, *save = NULL;

	for (const char *p = text; p != NULL && *p != '\0'; p++)
		cap += *p == ',';
	origins = calloc(cap, sizeof(*origins));
	copy = strdup(text == NULL ? "" : text);
	if (origins == NULL || copy == NULL) {
		free(origins);
		free(copy);
		return -ENOMEM;
	}
	for (char *o = strtok_r(copy, ", \t", &save); o != NULL && n + 1 < cap;
	     o = strtok_r(NULL, ", \t", &save))
		origins[n++] = o;
	*text_out = copy;
	*origins_out = origins;
	return 0;
}

static void describe(const struct gw_listen *where, char out[ADDRESS_CAP])
{
	if (where->is_unix)
		snprintf(out, ADDRESS_CAP, "unix:%s", where->path);
	else
		snprintf(out, ADDRESS_CAP, strchr(where->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
		         where->host, where->port);
}

/* The sockets of that name that were handed over. 0; -ENOENT: there is none; another -errno. */
static int take(struct gw_http *http, struct door *door, const char *name, gw_listener_cb *cb)
{
	struct gw_activation *activation = http->gw->activation;
	int rc = 0;
	int fd = -1;

	while (rc == 0 && activation != NULL && door->listeners_n < GW_ACTIVATION_MAX &&
	       (fd = gw_activation_take(activation, name)) >= 0) {
		rc = gw_listener_new_fd(http->gw->base, fd, cb, http,
		                        &door->listeners[door->listeners_n]);
		if (rc == 0)
			door->listeners_n++;
	}
	return rc == 0 && door->listeners_n == 0 ? -ENOENT : rc;
}

/* Of the gateway that this one replaces; a path that was its own is ours now. */
static int take_kept(struct gw_http *http, struct door *door, const char *name, gw_listener_cb *cb,
                     bool own_path)
{
	int rc = take(http, door, name, cb);

	for (size_t i = 0; own_path && i < door->listeners_n; i++)
		gw_listener_own_path(door->listeners[i]);
	return rc;
}

static int bind_public(struct gw_http *http, const struct gw_listen *where)
{
	int rc = gw_listener_new(http->gw->base, where, PUBLIC_UNIX_MODE, on_public, http,
	                         &http->public.listeners[0]);

	if (rc == 0)
		http->public.listeners_n = 1;
	return rc;
}

static void say_where(struct gw_http *http)
{
	struct gw_listen where;
	char address[ADDRESS_CAP];

	for (size_t i = 0; i < http->public.listeners_n; i++) {
		gw_listener_where(http->public.listeners[i], &where);
		describe(&where, address);
		if (i == 0)
			memcpy(http->address, address, sizeof(http->address));
		LOG(NULL, LOG_NOTICE, "http_listening", LF_STR("address", address));
	}
}

static int open_public(struct gw_http *http)
{
	struct gw_config *cfg = &http->gw->cfg;
	struct gw_listen where;
	char url[URL_CAP];
	int rc = gw_listen_parse(cfg->listen, &where);

	if (rc == 0)
		rc = take_kept(http, &http->public, GW_ACTIVATION_KEPT_HTTP, on_public,
		               !where.is_systemd);
	if (rc == -ENOENT)
		rc = where.is_systemd ? take(http, &http->public, GW_ACTIVATION_HTTP, on_public)
		                      : bind_public(http, &where);
	if (rc < 0) {
		LOG(NULL, LOG_ERR, "http_not_listening", LF_STR("address", cfg->listen),
		    LF_STR("why", rc == -ENOENT ? "no socket was handed over" : wa_err_name(rc)),
		    LF_ERR("err", rc));
		return rc;
	}
	say_where(http);
	if (cfg->public_url == NULL) {
		gw_listener_where(http->public.listeners[0], &where);
		gw_listen_url(&where, where.port, url, sizeof(url));
		cfg->public_url = strdup(url);
	}
	return cfg->public_url == NULL ? -ENOMEM : 0;
}

static int open_admin(struct gw_http *http)
{
	struct gw_listen where = { .is_unix = true };
	int n = snprintf(where.path, sizeof(where.path), "%s/admin.sock", http->gw->cfg.run_dir);
	int rc = n < 0 || (size_t)n >= sizeof(where.path) ? -ENAMETOOLONG : 0;

	if (rc == 0)
		rc = take_kept(http, &http->admin, GW_ACTIVATION_KEPT_ADMIN, on_admin, true);
	if (rc == -ENOENT) {
		rc = gw_listener_new(http->gw->base, &where, ADMIN_UNIX_MODE, on_admin, http,
		                     &http->admin.listeners[0]);
		http->admin.listeners_n = rc == 0;
	}
	if (rc < 0) {
		LOG(NULL, LOG_ERR, "admin_not_listening", LF_STR("path", where.path),
		    LF_ERR("err", rc));
		return rc;
	}
	LOG(NULL, LOG_NOTICE, "admin_listening", LF_STR("path", where.path));
	return 0;
}

/* Half of the descriptors there may be are left for workers and files. */
static size_t connections_max(const struct gw_config *cfg)
{
	size_t max = (size_t)cfg->max_connections;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY ||
	    files.rlim_cur / 2 >= max)
		return max;
	max = (size_t)(files.rlim_cur / 2);
	LOG(NULL, LOG_WARNING, "max_connections_lowered", LF_INT("max_connections", max),
	    LF_INT("open_files_limit", files.rlim_cur));
	return max;
}

static int prepare(struct gw_http *http)
{
	const struct gw_config *cfg = &http->gw->cfg;
	int rc = gw_addr_list_parse(cfg->trusted_proxies, &http->trusted);

	if (rc < 0) {
		LOG(NULL, LOG_ERR, "trusted_proxies_unreadable", LF_ERR("err", rc));
		return rc;
	}
	rc = parse_origins(cfg->cors_origins, &http->origins_text, &http->origins);
	if (rc == 0)
		rc = door_init(http, &http->public, gw_routes_public, connections_max(cfg),
		               (size_t)cfg->max_connections_per_address);
	if (rc == 0)
		rc = door_init(http, &http->admin, gw_routes_admin, ADMIN_CONNECTIONS_MAX, 0);
	return rc;
}

int gw_http_start(struct gw *gw, struct gw_http **http_out)
{
	struct gw_http *http = calloc(1, sizeof(*http));
	int rc;

	if (http == NULL)
		return -ENOMEM;
	http->gw = gw;
	TAILQ_INIT(&http->waiting);
	rc = prepare(http);
	if (rc == 0)
		rc = open_public(http);
	if (rc == 0)
		rc = open_admin(http);
	if (rc < 0) {
		gw_http_free(http);
		return rc;
	}
	gw_registry_on_token_end(gw->registry, on_token_end, http);
	http->listens_to_tokens = true;
	*http_out = http;
	return 0;
}

static void door_close(struct door *door)
{
	for (size_t i = 0; i < door->listeners_n; i++)
		gw_listener_free(door->listeners[i]);
	door->listeners_n = 0;
}

static void door_enable(struct door *door, bool on)
{
	for (size_t i = 0; i < door->listeners_n; i++)
		gw_listener_enable(door->listeners[i], on);
}

void gw_http_accept(struct gw_http *http, bool on)
{
	door_enable(&http->public, on);
	door_enable(&http->admin, on);
}

/* Those who follow events come back to the next gateway, and go on where they were. */
static void end_streams(struct gw_http *http)
{
	if (http->gw->events != NULL)
		gw_feeds_end(http->gw->events);
}

void gw_http_make_way(struct gw_http *http)
{
	gw_http_accept(http, false);
	end_streams(http);
	gw_conns_drain(http->public.conns);
	gw_conns_drain(http->admin.conns);
}

void gw_http_stop_accepting(struct gw_http *http)
{
	door_close(&http->public);
	door_close(&http->admin);
	end_streams(http);
	gw_conns_drain(http->public.conns);
	gw_conns_drain(http->admin.conns);
}

static void keep(struct door *door, const char *name, struct gw_activation *out)
{
	for (size_t i = 0; i < door->listeners_n && out->n < GW_ACTIVATION_MAX; i++) {
		struct gw_activated *s = &out->sockets[out->n];

		s->fd = gw_listener_keep(door->listeners[i]);
		if (s->fd < 0) {
			LOG(NULL, LOG_ERR, "socket_not_kept", LF_ERR("err", s->fd));
			continue;
		}
		snprintf(s->name, sizeof(s->name), "%s", name);
		out->n++;
	}
}

void gw_http_keep_sockets(struct gw_http *http, struct gw_activation *out)
{
	keep(&http->public, GW_ACTIVATION_KEPT_HTTP, out);
	keep(&http->admin, GW_ACTIVATION_KEPT_ADMIN, out);
}

bool gw_http_is_busy(const struct gw_http *http)
{
	return gw_conns_are_busy(http->public.conns) || gw_conns_are_busy(http->admin.conns);
}

const char *gw_http_address(const struct gw_http *http)
{
	return http->address;
}

static void door_clear(struct door *door)
{
	door_close(door);
	gw_conns_free(door->conns);
}

void gw_http_free(struct gw_http *http)
{
	if (http == NULL)
		return;
	if (http->listens_to_tokens)
		gw_registry_on_token_end(http->gw->registry, NULL, NULL);
	door_clear(&http->public);
	door_clear(&http->admin);
	gw_addr_list_free(http->trusted);
	free(http->origins);
	free(http->origins_text);
	free(http);
}
