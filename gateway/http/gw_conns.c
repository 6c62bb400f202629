/* gateway/http/gw_conns.c - all connections of a listener: how many, whose, and which go first */
#include "gateway/http/gw_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/http/gw_conn_priv.h"
#include "gateway/instance/gw_room.h"

#define FRESH_MS 200 /* how long a new connection is waited for to say what it wants */
#define OUT_MAX_DEFAULT ((size_t)256 << 20)

void gw_conns_forget_unknown(struct gw_conn *c)
{
	if (c->known)
		return;
	c->known = true;
	TAILQ_REMOVE(&c->conns->unknown, c, unknown);
	if (c->peer != NULL)
		TAILQ_REMOVE(&c->peer->unknown, c, peer_unknown);
}

void gw_conns_remove(struct gw_conn *c)
{
	struct gw_conns *conns = c->conns;

	gw_conns_forget_unknown(c);
	if (c->peer != NULL)
		gw_peers_release(conns->peers, c->peer);
	conns->held -= c->out_held;
	TAILQ_REMOVE(&conns->all, c, all);
	TAILQ_INSERT_TAIL(&conns->closed, c, all);
	conns->n--;
	event_active(conns->ev_reap, EV_TIMEOUT, 0);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
	struct gw_conns *conns = arg;
	struct gw_conn *c;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&conns->closed)) != NULL) {
		TAILQ_REMOVE(&conns->closed, c, all);
		gw_conn_free(c);
	}
}

/* ---- output that waits ----------------------------------------------------------------------- */

void gw_conns_hold_out(struct gw_conn *c)
{
	struct gw_conns *conns = c->conns;
	size_t held = c->pending_ms == 0 ? 0 : c->out.cap;

	conns->held += held - c->out_held;
	c->out_held = held;
	if (conns->held > conns->p.out_max)
		event_active(conns->ev_shed, EV_TIMEOUT, 0); /* not here: others may be at work */
}

static struct gw_conn *holds_most(const struct gw_conns *conns)
{
	struct gw_conn *c, *most = TAILQ_FIRST(&conns->all);

	for (c = most; c != NULL; c = TAILQ_NEXT(c, all))
		if (c->out_held > most->out_held)
			most = c;
	return most;
}

static void on_shed(evutil_socket_t fd, short what, void *arg)
{
	struct gw_conns *conns = arg;

	(void)fd;
	(void)what;
	while (conns->held > conns->p.out_max)
		gw_conn_close(holds_most(conns), "too much waits for clients");
}

/* ---- all of them ----------------------------------------------------------------------------- */

int gw_conns_new(const struct gw_conns_params *params, struct gw_conns **conns_out)
{
	struct gw_conns *conns = calloc(1, sizeof(*conns));
	int rc = -ENOMEM;

	if (conns == NULL)
		return rc;
	conns->p = *params;
	if (conns->p.times == NULL)
		conns->p.times = &gw_conn_times_default;
	if (conns->p.out_max == 0)
		conns->p.out_max = OUT_MAX_DEFAULT;
	TAILQ_INIT(&conns->all);
	TAILQ_INIT(&conns->unknown);
	TAILQ_INIT(&conns->closed);
	conns->ev_reap = event_new(params->base, -1, 0, on_reap, conns);
	conns->ev_shed = event_new(params->base, -1, 0, on_shed, conns);
	if (conns->ev_reap != NULL && conns->ev_shed != NULL)
		rc = gw_peers_new(&conns->peers);
	if (rc < 0) {
		gw_conns_free(conns);
		return rc;
	}
	*conns_out = conns;
	return 0;
}

void gw_conns_free(struct gw_conns *conns)
{
	struct gw_conn *c;

	if (conns == NULL)
		return;
	while ((c = TAILQ_FIRST(&conns->all)) != NULL)
		gw_conn_close(c, "stopped");
	on_reap(-1, 0, conns);
	if (conns->ev_reap != NULL)
		event_free(conns->ev_reap);
	if (conns->ev_shed != NULL)
		event_free(conns->ev_shed);
	gw_peers_free(conns->peers);
	free(conns);
}

size_t gw_conns_n(const struct gw_conns *conns)
{
	return conns->n;
}

/* Just accepted, its first request is most likely on its way. */
static bool is_fresh(const struct gw_conn *c)
{
	return c->state == CONN_IDLE && c->requests_n == 0 && clock_ms() - c->began_ms < FRESH_MS;
}

bool gw_conns_are_busy(const struct gw_conns *conns)
{
	const struct gw_conn *c;

	for (c = TAILQ_FIRST(&conns->all); c != NULL; c = TAILQ_NEXT(c, all)) {
		if ((c->state != CONN_IDLE && c->state != CONN_LINGER) || is_fresh(c))
			return true;
	}
	return false;
}

void gw_conns_drain(struct gw_conns *conns)
{
	struct gw_conn *c, *next;

	conns->draining = true;
	for (c = TAILQ_FIRST(&conns->all); c != NULL; c = next) {
		next = TAILQ_NEXT(c, all);
		if (c->state == CONN_IDLE && !is_fresh(c))
			gw_conn_close(c, "stopping");
	}
}

/* Make room by closing the oldest connection of list that has shown no token. */
static bool shed(struct gw_conn_list *list)
{
	struct gw_conn *oldest = TAILQ_FIRST(list);

	if (oldest == NULL)
		return false;
	gw_conn_close(oldest, "shed for a new one");
	return true;
}

/* Count one more connection of addr. False: there is no room for it. */
static bool admit(struct gw_conns *conns, int fd, const struct gw_addr *addr,
                  struct gw_peer **peer_out)
{
	struct gw_peer *peer = NULL;

	if (conns->p.max_per_address > 0 && gw_addr_is_ip(addr) &&
	    (conns->p.uncounted == NULL || !gw_addr_list_has(conns->p.uncounted, addr))) {
		peer = gw_peers_hold(conns->peers, addr);
		if (peer == NULL)
			return false;
	}
	if ((peer != NULL && peer->conns_n > conns->p.max_per_address && !shed(&peer->unknown)) ||
	    ((conns->n >= conns->p.max || (gw_addr_is_ip(addr) && !gw_room_for_fd(fd))) &&
	     !shed(&conns->unknown))) {
		if (peer != NULL)
			gw_peers_release(conns->peers, peer);
		return false;
	}
	*peer_out = peer;
	return true;
}

static void turn_away(struct gw_conns *conns, int fd)
{
	LOG(NULL, LOG_DEBUG, "http_conn_refused", LF_INT("connections", conns->n));
	if (conns->p.on_full != NULL)
		conns->p.on_full(fd, conns->p.arg);
	shutdown(fd, SHUT_WR);
	close(fd);
}

/* In the place of one that was shed, so that the numbers say how many there are. */
static int lowest(int fd)
{
	int low = gw_room_for_fd(fd) ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (low < 0)
		return fd;
	close(fd);
	return low;
}

void gw_conns_add(struct gw_conns *conns, int fd, const struct gw_addr *addr)
{
	struct gw_peer *peer = NULL;
	struct gw_conn *c;

	if (!admit(conns, fd, addr, &peer)) {
		turn_away(conns, fd);
		return;
	}
	fd = lowest(fd);
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		if (peer != NULL)
			gw_peers_release(conns->peers, peer);
		close(fd);
		return;
	}
	c->conns = conns;
	c->fd = fd;
	c->addr = *addr;
	c->peer = peer;
	TAILQ_INSERT_TAIL(&conns->all, c, all);
	TAILQ_INSERT_TAIL(&conns->unknown, c, unknown);
	if (peer != NULL)
		TAILQ_INSERT_TAIL(&peer->unknown, c, peer_unknown);
	conns->n++;
	gw_conn_start(c);
}
