/* simulator/server/sim_client_send.c - stanzas out: logged, held back or doubled where a fault says
 * so */
#include <errno.h>

#include "common/clock.h"
#include "simulator/base/sim_log.h"
#include "simulator/server/sim_client_priv.h"

#define HOLD_MS 1000 /* fault reorder: how long a stanza waits for the next one */

static void deliver(struct sim_client *c, const struct buf *stanza)
{
	int rc;

	if (!sim_wire_is_live(c->wire))
		return;
	sim_log_add(c->sim->log, c->id, true, clock_unix_ms(), stanza->p, stanza->len);
	rc = sim_stream_send(c->stream, stanza->p, stanza->len);
	if (rc < 0)
		sim_client_end(c, "send failed");
}

void sim_client_flush(struct sim_client *c)
{
	struct buf held = c->held;

	c->held = (struct buf){ 0 };
	if (c->held_timer != NULL)
		event_del(c->held_timer);
	if (held.len > 0)
		deliver(c, &held);
	buf_free(&held);
}

static void on_held(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	sim_client_flush(arg);
}

/* Fault reorder: of two stanzas the second goes first. Takes the bytes of stanza when it is held.
 */
static bool hold(struct sim_client *c, struct buf *stanza)
{
	const struct timeval tv = { .tv_sec = HOLD_MS / 1000 };

	if (c->fault.kind != SIM_F_REORDER || c->held.len > 0)
		return false;
	if (c->held_timer == NULL)
		c->held_timer = evtimer_new(c->sim->base, on_held, c);
	if (c->held_timer == NULL || evtimer_add(c->held_timer, &tv) < 0)
		return false;
	c->held = *stanza;
	*stanza = (struct buf){ 0 };
	return true;
}

/* Takes the bytes. */
static void send_stanza(struct sim_client *c, struct buf *stanza)
{
	if (!hold(c, stanza)) {
		deliver(c, stanza);
		if (c->fault.kind == SIM_F_DUPLICATE)
			deliver(c, stanza);
		sim_client_flush(c);
	}
	buf_free(stanza);
}

void sim_client_send(struct sim_client *c, struct wa_node *node)
{
	struct buf stanza = { 0 };
	int rc = node == NULL ? -ENOMEM : wa_stanza_encode(node, &stanza);

	wa_node_free(node);
	if (rc < 0) {
		buf_free(&stanza);
		sim_client_end(c, "stanza not encoded");
		return;
	}
	send_stanza(c, &stanza);
}

void sim_client_send_encoded(struct sim_client *c, const struct buf *stanza)
{
	struct buf copy = { 0 };

	if (buf_append(&copy, stanza->p, stanza->len) < 0) {
		sim_client_end(c, "no memory");
		return;
	}
	send_stanza(c, &copy);
}
