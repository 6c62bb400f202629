/* simulator/server/sim_server.c - the listening socket of the WhatsApp side, and all its
 * connections */
#include "simulator/server/sim_server.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/sim.h"

#define PAUSE_MS 100  /* after accept ran out of descriptors */
#define OLD_REFS 4096 /* refs of ended connections that are remembered */
#define REF_DIGEST_LEN 8

struct link {
	struct sim_client *client; /* owned */
	struct link *prev, *next;
};

struct sim_server {
	struct sim *sim; /* borrowed */
	struct evconnlistener *listener;
	struct event *sweep;  /* frees the dead at the end of a loop pass */
	struct event *resume; /* accept again */
	struct link live;     /* ring: live.next is the oldest */
	struct link dead;
	uint32_t last_id; /* also: how many were accepted */
	uint16_t port;
	bool closed; /* the server is away */
	uint8_t old_refs[OLD_REFS][REF_DIGEST_LEN];
	size_t old_refs_n;
};

/* ---- list --------------------------------------------------------------------------------------
 */

static void ring_init(struct link *head)
{
	head->prev = head;
	head->next = head;
}

static void ring_append(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static void ring_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
}

static void ring_free(struct link *head)
{
	while (head->next != head) {
		struct link *l = head->next;

		ring_remove(l);
		sim_client_free(l->client);
		free(l);
	}
}

/* ---- refs --------------------------------------------------------------------------------------
 */

static bool digest_ref(const char *ref, uint8_t out[REF_DIGEST_LEN])
{
	uint8_t full[32];

	if (wa_sha256(ref, strlen(ref), full) < 0)
		return false;
	memcpy(out, full, REF_DIGEST_LEN);
	return true;
}

static void remember_refs(struct sim_server *server, const struct sim_pairing *p)
{
	for (size_t i = 0; i < p->refs_n; i++) {
		if (digest_ref(p->refs[i], server->old_refs[server->old_refs_n % OLD_REFS]))
			server->old_refs_n++;
	}
}

static bool is_old_ref(const struct sim_server *server, const char *ref)
{
	size_t n = server->old_refs_n < OLD_REFS ? server->old_refs_n : OLD_REFS;
	uint8_t digest[REF_DIGEST_LEN];

	if (!digest_ref(ref, digest))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (memcmp(server->old_refs[i], digest, REF_DIGEST_LEN) == 0)
			return true;
	}
	return false;
}

enum sim_ref_state sim_server_find_ref(const struct sim_server *server, const char *ref,
                                       struct sim_client **c_out)
{
	*c_out = NULL;
	for (const struct link *l = server->live.next; l != &server->live; l = l->next) {
		if (!sim_client_has_ref(l->client, ref))
			continue;
		if (!sim_client_is_live(l->client))
			return SIM_REF_CLOSED;
		*c_out = l->client;
		return SIM_REF_OPEN;
	}
	return is_old_ref(server, ref) ? SIM_REF_CLOSED : SIM_REF_UNKNOWN;
}

/* ---- clients -----------------------------------------------------------------------------------
 */

void sim_server_client_gone(struct sim_server *server, struct sim_client *c)
{
	struct link *l = server->live.prev; /* the youngest are the likeliest */

	while (l != &server->live && l->client != c)
		l = l->prev;
	if (l == &server->live)
		return;
	remember_refs(server, &c->pairing);
	ring_remove(l);
	ring_append(&server->dead, l);
	event_active(server->sweep, EV_TIMEOUT, 1);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct sim_server *server = arg;

	(void)fd;
	(void)what;
	ring_free(&server->dead);
}

void sim_server_each(const struct sim_server *server,
                     void (*on_client)(const struct sim_client *c, void *arg), void *arg)
{
	for (const struct link *l = server->live.next; l != &server->live; l = l->next) {
		if (sim_client_is_live(l->client))
			on_client(l->client, arg);
	}
}

struct sim_client *sim_server_find(const struct sim_server *server, uint32_t id)
{
	for (const struct link *l = server->live.next; l != &server->live; l = l->next) {
		if (l->client->id == id)
			return sim_client_is_live(l->client) ? l->client : NULL;
	}
	return NULL;
}

static bool fits(const struct sim_client *c, const struct sim_fault_match *match,
                 enum sim_stage stage)
{
	return sim_client_is_live(c) && c->stage == stage &&
	       (match->number[0] == '\0' || strcmp(match->number, c->number) == 0);
}

size_t sim_server_hit(struct sim_server *server, const struct sim_fault_match *match,
                      const struct sim_fault *fault)
{
	struct link *l = server->live.next, *next;
	uint32_t seen = 0;
	size_t hit = 0;

	for (; l != &server->live; l = next) {
		next = l->next; /* a connection that ends changes its ring */
		if (!fits(l->client, match, fault->stage))
			continue;
		if (match->nth != 0 && ++seen != match->nth)
			continue;
		sim_client_hit(l->client, fault);
		hit++;
	}
	return hit;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
                      int sa_len, void *arg)
{
	struct sim_server *server = arg;
	struct link *l = malloc(sizeof(*l));
	int rc;

	(void)listener;
	(void)sa;
	(void)sa_len;
	if (l == NULL) {
		close(fd);
		return;
	}
	rc = sim_client_new(server->sim, ++server->last_id, fd, &l->client);
	if (rc < 0) {
		LOG(NULL, LOG_WARNING, "client_refused", LF_ERR("err", rc));
		free(l);
		return;
	}
	ring_append(&server->live, l);
	sim_client_start(l->client);
}

/* Most often: no descriptor left. Wait instead of spinning. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct sim_server *server = arg;
	const struct timeval tv = { .tv_usec = PAUSE_MS * 1000 };
	int err = errno;

	LOG(NULL, LOG_WARNING, "accept_failed", LF_ERR("err", -err));
	evconnlistener_disable(listener);
	evtimer_add(server->resume, &tv);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct sim_server *server = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(server->listener);
}

/* ---- listening ---------------------------------------------------------------------------------
 */

static int listen_at(struct sim_server *server, const struct sockaddr *addr, int len)
{
	server->listener = evconnlistener_new_bind(server->sim->base, on_accept, server,
	                                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
	                                               LEV_OPT_REUSEABLE,
	                                           SOMAXCONN, addr, len);
	if (server->listener == NULL)
		return errno != 0 ? -errno : -EINVAL;
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	return 0;
}

/* The port in an address of either family, network order. */
static in_port_t *port_of(struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET ? &((struct sockaddr_in *)ss)->sin_port
	                                : &((struct sockaddr_in6 *)ss)->sin6_port;
}

static int bind_listener(struct sim_server *server)
{
	const struct sim_options *o = server->sim->options;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int rc = listen_at(server, (const struct sockaddr *)&o->listen, (int)o->listen_len);

	if (rc < 0)
		return rc;
	if (getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	server->port = ntohs(*port_of(&ss));
	return 0;
}

/* ---- away --------------------------------------------------------------------------------------
 */

void sim_server_close(struct sim_server *server)
{
	struct link *l = server->live.next, *next;

	server->closed = true;
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	server->listener = NULL;
	evtimer_del(server->resume);
	for (; l != &server->live; l = next) {
		next = l->next; /* a connection that ends changes its ring */
		sim_wire_reset(l->client->wire);
	}
}

int sim_server_open(struct sim_server *server)
{
	const struct sim_options *o = server->sim->options;
	struct sockaddr_storage ss = o->listen;
	int rc;

	if (!server->closed)
		return 0;
	*port_of(&ss) = htons(server->port);
	rc = listen_at(server, (const struct sockaddr *)&ss, (int)o->listen_len);
	server->closed = rc < 0;
	return rc;
}

void sim_server_count(const struct sim_server *server, struct sim_server_counts *counts_out)
{
	memset(counts_out, 0, sizeof(*counts_out));
	counts_out->open = !server->closed;
	counts_out->accepted = server->last_id;
	for (const struct link *l = server->live.next; l != &server->live; l = l->next) {
		if (!sim_client_is_live(l->client))
			continue;
		counts_out->live++;
		counts_out->online += l->client->stage == SIM_ONLINE;
	}
}

/* ---- life --------------------------------------------------------------------------------------
 */

int sim_server_new(struct sim *s, struct sim_server **server_out)
{
	struct sim_server *server = calloc(1, sizeof(*server));
	int rc;

	if (server == NULL)
		return -ENOMEM;
	server->sim = s;
	ring_init(&server->live);
	ring_init(&server->dead);
	server->sweep = evtimer_new(s->base, on_sweep, server);
	server->resume = evtimer_new(s->base, on_resume, server);
	rc = server->sweep == NULL || server->resume == NULL ? -ENOMEM : bind_listener(server);
	if (rc < 0)
		sim_server_free(server);
	else
		*server_out = server;
	return rc;
}

void sim_server_free(struct sim_server *server)
{
	if (server == NULL)
		return;
	ring_free(&server->live);
	ring_free(&server->dead);
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	if (server->sweep != NULL)
		event_free(server->sweep);
	if (server->resume != NULL)
		event_free(server->resume);
	free(server);
}

uint16_t sim_server_port(const struct sim_server *server)
{
	return server->port;
}
