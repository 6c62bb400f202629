/* simulator/server/sim_online.c - logins, the offline queue, pings, and what a client sends unasked
 */
#include "simulator/server/sim_online.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "simulator/history/sim_sync.h"
#include "simulator/server/sim_client_fault.h"
#include "simulator/server/sim_client_priv.h"

#define BACKLOG_MAX (256u * 1024) /* of the queue on its way to the socket */
#define OFFLINE_ATTR_MAX 12
#define CREATED_S 1600000000 /* when the account was made, as it is told */

void sim_online_id(struct sim *s, char out[SIM_ID_CAP])
{
	snprintf(out, SIM_ID_CAP, "%" PRIu64, UINT64_C(2000000000) + ++s->ids_made);
}

/* ---- the queue ---------------------------------------------------------------------------------
 */

static void send_offline_end(struct sim_client *c)
{
	struct wa_node *ib = wa_node_new("ib");

	wa_node_set_jid(ib, "from", WA_SERVER_JID);
	wa_node_set_int(wa_node_add(ib, "offline"), "count", c->session.flushed);
	c->session.flushing = false;
	sim_client_send(c, ib);
}

/* One queued stanza; told how often it was sent before, unless it is fresh. */
static void send_queued(struct sim_client *c, const struct buf *stanza, uint32_t sends)
{
	struct wa_node *node = NULL;

	if (!c->session.flushing && sends == 0) {
		sim_client_send_encoded(c, stanza);
		return;
	}
	if (wa_stanza_decode(stanza->p, stanza->len, &node) < 0) {
		sim_client_end(c, "no memory");
		return;
	}
	wa_node_set_int(node, "offline", sends < OFFLINE_ATTR_MAX ? sends : OFFLINE_ATTR_MAX);
	sim_client_send(c, node);
}

static void hand_out(struct sim_client *c)
{
	const struct buf *stanza;
	uint32_t sends;

	while (c->session.device != NULL && c->session.active) {
		if (sim_wire_backlog(c->wire) > BACKLOG_MAX)
			return;
		if (!sim_queue_take(c->session.device->queue, &stanza, &sends)) {
			if (c->session.flushing)
				send_offline_end(c);
			return;
		}
		c->session.flushed += c->session.flushing;
		send_queued(c, stanza, sends);
	}
}

/* Hand out as much as the socket takes; on_drained goes on with it. */
static void pump(struct sim_client *c)
{
	sim_wire_cork(c->wire, true);
	hand_out(c);
	sim_wire_cork(c->wire, false);
}

void sim_online_on_drained(struct sim_client *c)
{
	pump(c);
}

void sim_online_set_active(struct sim_client *c, bool active)
{
	bool begins = active && !c->session.active;

	c->session.active = active;
	if (!begins)
		return;
	c->session.flushing = true;
	c->session.flushed = 0;
	pump(c);
	if (c->session.device != NULL)
		sim_sync_online(c->sim, c->session.device);
}

int sim_online_push(struct sim_device *device, struct wa_node *node)
{
	int rc = sim_queue_push(device->queue, node);

	if (rc == 0 && device->client != NULL)
		pump(device->client);
	return rc;
}

/* ---- login -------------------------------------------------------------------------------------
 */

static void send_success(struct sim_client *c)
{
	const struct sim_device *device = c->session.device;
	const struct sim_phone *phone = sim_phones_find(c->sim->phones, c->number);
	struct wa_node *n = wa_node_new("success");
	char enc_static[B64_CAP(sizeof(device->account->enc_static))];

	b64_encode(device->account->enc_static, sizeof(device->account->enc_static), enc_static);
	wa_node_set_int(n, "t", clock_unix_s());
	wa_node_set(n, "props", "27");
	wa_node_set(n, "companion_enc_static", enc_static);
	wa_node_set_jid(n, "lid", device->lid);
	if (phone != NULL && phone->name[0] != '\0')
		wa_node_set(n, "display_name", phone->name);
	wa_node_set(n, "abprops", "1");
	wa_node_set(n, "group_abprops", "1");
	wa_node_set(n, "location", "sim");
	wa_node_set_int(n, "creation", CREATED_S);
	sim_client_send(c, n);
}

static void send_routing(struct sim_client *c)
{
	struct wa_node *ib = wa_node_new("ib");
	struct wa_node *info;

	wa_node_set_jid(ib, "from", WA_SERVER_JID);
	info = wa_node_add(wa_node_add(ib, "edge_routing"), "routing_info");
	wa_node_set_bytes(info, c->session.device->account->routing, SIM_ROUTING_LEN);
	sim_client_send(c, ib);
}

static void send_dirty(struct sim_client *c, const char *type, int64_t since)
{
	struct wa_node *ib, *dirty;

	if (since == 0)
		return;
	ib = wa_node_new("ib");
	wa_node_set_jid(ib, "from", WA_SERVER_JID);
	dirty = wa_node_add(ib, "dirty");
	wa_node_set(dirty, "type", type);
	wa_node_set_int(dirty, "timestamp", since);
	sim_client_send(c, ib);
}

static void send_preview(struct sim_client *c)
{
	struct sim_queue_counts counts;
	struct wa_node *ib, *preview;

	sim_queue_count(c->session.device->queue, &counts);
	if (counts.count == 0)
		return;
	ib = wa_node_new("ib");
	wa_node_set_jid(ib, "from", WA_SERVER_JID);
	preview = wa_node_add(ib, "offline_preview");
	wa_node_set_int(preview, "count", counts.count);
	wa_node_set_int(preview, "message", counts.message);
	wa_node_set_int(preview, "receipt", counts.receipt);
	wa_node_set_int(preview, "notification", counts.notification);
	wa_node_set_int(preview, "call", counts.call);
	wa_node_set_int(preview, "appdata", 0);
	sim_client_send(c, ib);
}

/* Each send may end the connection, which forgets the device. */
static void send_bulletins(struct sim_client *c)
{
	if (c->session.device != NULL)
		send_routing(c);
	if (c->session.device != NULL)
		send_dirty(c, "account_sync", c->session.device->dirty_account_sync);
	if (c->session.device != NULL)
		send_dirty(c, "groups", c->session.device->dirty_groups);
	if (c->session.device != NULL)
		send_preview(c);
}

/* Routing info only steers load balancing; a wrong one is told to whoever looks. */
static void check_routing(struct sim_client *c, const struct sim_account *a)
{
	size_t len;
	const uint8_t *info = sim_stream_routing(c->stream, &len);

	if (len == 0)
		return;
	if (len == SIM_ROUTING_LEN && memcmp(info, a->routing, SIM_ROUTING_LEN) == 0) {
		c->session.routing = "ok";
		return;
	}
	c->session.routing = "wrong";
	LOG(NULL, LOG_NOTICE, "wrong_routing_info", LF_INT("client", c->id), LF_INT("len", len));
}

static struct sim_device *find_device(struct sim_client *c)
{
	struct sim_device *device = sim_device_find(c->sim->devices, c->number, c->payload.device);

	if (device == NULL || !secret_eq(device->noise_key, c->noise_key, WA_KEY_LEN)) {
		LOG(NULL, LOG_NOTICE, "login_refused", LF_INT("client", c->id),
		    LF_STR("why", device == NULL ? "no such device" : "another noise key"));
		return NULL;
	}
	return device;
}

/* The same device on two connections: the older one goes. */
static void attach(struct sim_client *c, struct sim_device *device)
{
	struct sim_client *older = device->client;

	if (older != NULL) {
		sim_online_gone(older);
		sim_client_stream_error(older, 0, "replaced");
	}
	device->client = c;
	c->session.device = device;
	snprintf(c->jid, sizeof(c->jid), "%s", device->jid);
	sim_queue_rewind(device->queue);
}

void sim_online_begin(struct sim_client *c)
{
	struct sim_device *device = find_device(c);

	if (device == NULL) {
		sim_client_fail(c, 401);
		return;
	}
	check_routing(c, device->account);
	attach(c, device);
	send_success(c);
	if (c->session.device == NULL)
		return;
	c->stage = SIM_ONLINE;
	if (!sim_client_meet(c, SIM_ONLINE) || !sim_client_fault_stanza(c))
		return;
	send_bulletins(c);
	if (!c->payload.passive)
		sim_online_set_active(c, true);
}

void sim_online_gone(struct sim_client *c)
{
	struct sim_device *device = c->session.device;

	c->session.device = NULL;
	if (device == NULL)
		return;
	if (device->client == c)
		device->client = NULL;
	device->last_seen_unix_ms = clock_unix_ms();
}

/* ---- pings of ours -----------------------------------------------------------------------------
 */

void sim_online_ping(struct sim_client *c, uint32_t kick_ms)
{
	struct wa_node *iq = wa_node_new("iq");

	sim_online_id(c->sim, c->session.ping_id);
	wa_node_set_jid(iq, "from", WA_SERVER_JID);
	wa_node_set(iq, "id", c->session.ping_id);
	wa_node_set_int(iq, "t", clock_unix_s());
	wa_node_set(iq, "type", "get");
	wa_node_set(iq, "xmlns", "urn:xmpp:ping");
	sim_client_deadline(c, kick_ms);
	sim_client_send(c, iq);
}

void sim_online_on_deadline(struct sim_client *c)
{
	sim_client_stream_error(c, 0, "ping");
}

static void on_answer(struct sim_client *c, const struct wa_node *iq)
{
	if (c->session.ping_id[0] == '\0' || !wa_node_attr_is(iq, "id", c->session.ping_id))
		return;
	c->session.ping_id[0] = '\0';
	sim_client_deadline(c, 0);
}

/* ---- stanzas in --------------------------------------------------------------------------------
 */

static void on_ack(struct sim_client *c, const struct wa_node *n)
{
	const char *class = wa_node_attr(n, "class"), *id = wa_node_attr(n, "id");

	if (class == NULL || id == NULL)
		return;
	(void)sim_queue_ack(c->session.device->queue, class, id);
	if (strcmp(class, "message") == 0)
		sim_online_acked(c, n);
}

static void send_ack(struct sim_client *c, const struct wa_node *of, int error, const char *phash)
{
	struct wa_node *n = wa_node_new("ack");
	const char *jid = wa_node_attr(of, "to");

	wa_node_set(n, "class", of->tag);
	wa_node_set(n, "id", wa_node_attr(of, "id"));
	wa_node_set_jid(n, "from", jid == NULL ? WA_SERVER_JID : jid);
	wa_node_set_jid(n, "participant", wa_node_attr(of, "participant"));
	wa_node_set(n, "type", wa_node_is(of, "receipt") ? wa_node_attr(of, "type") : NULL);
	wa_node_set_int(n, "t", clock_unix_s());
	if (error != 0)
		wa_node_set_int(n, "error", error);
	wa_node_set(n, "phash", phash);
	sim_client_send(c, n);
}

void sim_online_send_ack(struct sim_client *c, const struct wa_node *of, int error)
{
	send_ack(c, of, error, NULL);
}

void sim_online_send_ack_phash(struct sim_client *c, const struct wa_node *of, const char *phash)
{
	send_ack(c, of, 0, phash);
}

static void on_iq(struct sim_client *c, const struct wa_node *iq)
{
	if (wa_node_attr(iq, "id") == NULL || wa_node_attr(iq, "type") == NULL)
		sim_client_stream_error(c, 0, "xml-not-well-formed");
	else if (wa_node_attr_is(iq, "type", "result") || wa_node_attr_is(iq, "type", "error"))
		on_answer(c, iq);
	else
		sim_online_iq(c, iq);
}

static void dispatch(struct sim_client *c, const struct wa_node *n)
{
	if (wa_node_is(n, "iq")) {
		on_iq(c, n);
	} else if (wa_node_is(n, "ack")) {
		on_ack(c, n);
	} else if (wa_node_is(n, "receipt")) {
		sim_online_receipt(c, n);
	} else if (wa_node_is(n, "message")) {
		sim_online_message(c, n);
	} else if (wa_node_is(n, "call")) {
		sim_online_call(c, n);
	} else if (wa_node_is(n, "xmlstreamend")) {
		sim_client_end(c, "ended by the client");
	}
	/* ib, presence, chatstate: taken, not answered */
}

int sim_online_on_stanza(struct sim_client *c, const uint8_t *stanza, size_t len)
{
	struct wa_node *n = NULL;
	int rc;

	if (c->session.device == NULL)
		return 0; /* replaced or removed: nobody listens */
	rc = wa_stanza_decode(stanza, len, &n);
	if (rc < 0) {
		sim_client_stream_error(c, 0, "xml-not-well-formed");
		return rc;
	}
	dispatch(c, n);
	wa_node_free(n);
	return 0;
}
