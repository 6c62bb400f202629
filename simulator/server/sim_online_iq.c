/* simulator/server/sim_online_iq.c - the requests of a client that is online, and their answers */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/log.h"
#include "simulator/appstate/sim_appstate_live.h"
#include "simulator/media/sim_media.h"
#include "simulator/phone/sim_group.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_online.h"
#include "worker/wa/node/wa_jid.h"

#define MEDIA_TTL_S 3600
#define PROPS_REFRESH_S 86400

/* ---- answers -----------------------------------------------------------------------------------
 */

/* `from` mirrors the request's `to`; one that no JID form can carry is not mirrored. */
static const char *mirror(const char *to)
{
	struct wa_jid jid;

	if (to != NULL && to[0] == '@') /* a server alone */
		to++;
	return to == NULL || wa_jid_parse(to, strlen(to), &jid) < 0 ? WA_SERVER_JID : to;
}

struct wa_node *sim_online_answer(const struct wa_node *iq, const char *type)
{
	struct wa_node *n = wa_node_new("iq");

	wa_node_set_jid(n, "from", mirror(wa_node_attr(iq, "to")));
	wa_node_set(n, "type", type);
	wa_node_set(n, "id", wa_node_attr(iq, "id"));
	return n;
}

void sim_online_error(struct sim_client *c, const struct wa_node *iq, int code, const char *text)
{
	struct wa_node *n = sim_online_answer(iq, "error");
	struct wa_node *error = wa_node_add(n, "error");

	wa_node_set_int(error, "code", code);
	wa_node_set(error, "text", text);
	sim_client_send(c, n);
}

static void answer_empty(struct sim_client *c, const struct wa_node *iq)
{
	sim_client_send(c, sim_online_answer(iq, "result"));
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static void on_ping(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n;

	if (c->fault.kind == SIM_F_NO_PONG)
		return;
	n = sim_online_answer(iq, "result");
	wa_node_set_int(n, "t", clock_unix_s());
	sim_client_send(c, n);
}

static void on_passive(struct sim_client *c, const struct wa_node *iq)
{
	bool active = wa_node_child(iq, "active") != NULL;

	if (!active && wa_node_child(iq, "passive") == NULL) {
		sim_online_error(c, iq, 400, "bad-request");
		return;
	}
	answer_empty(c, iq);
	sim_online_set_active(c, active);
}

static void on_props(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n = sim_online_answer(iq, "result");
	struct wa_node *props = wa_node_add(n, "props");

	wa_node_set(props, "protocol", "1");
	wa_node_set(props, "ab_key", "sim");
	wa_node_set(props, "hash", "1");
	wa_node_set_int(props, "refresh", PROPS_REFRESH_S);
	wa_node_set(props, "refresh_id", "1");
	wa_node_set(props, "delta_update", "false");
	sim_client_send(c, n);
}

static void on_privacy(struct sim_client *c, const struct wa_node *iq)
{
	static const char *const names[] = { "readreceipts", "last",     "online",
		                             "profile",      "status",   "groupadd",
		                             "calladd",      "messages", "defense" };
	struct wa_node *n = sim_online_answer(iq, "result");
	struct wa_node *privacy = wa_node_add(n, "privacy");

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct wa_node *category = wa_node_add(privacy, "category");

		wa_node_set(category, "name", names[i]);
		wa_node_set(category, "value", strcmp(names[i], "defense") == 0 ? "off" : "all");
	}
	sim_client_send(c, n);
}

static void on_blocklist(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n = sim_online_answer(iq, "result");

	wa_node_set(wa_node_add(n, "list"), "dhash", "sim");
	sim_client_send(c, n);
}

static void on_media_conn(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n = sim_online_answer(iq, "result");
	struct wa_node *conn = wa_node_add(n, "media_conn"), *node;
	char host[SIM_HOST_PORT_CAP], auth[SIM_MEDIA_AUTH_CAP] = "";

	if (sim_media_auth(c->sim->media, auth) < 0) {
		wa_node_free(n);
		sim_online_error(c, iq, 500, "internal-server-error");
		return;
	}
	sim_host_port(c->sim, host);
	wa_node_set(conn, "auth", auth);
	wa_node_set_int(conn, "ttl", MEDIA_TTL_S);
	wa_node_set_int(conn, "auth_ttl", MEDIA_TTL_S * 6);
	wa_node_set(conn, "max_buckets", "12");
	node = wa_node_add(conn, "host");
	wa_node_set(node, "hostname", host);
	wa_node_set(node, "type", "primary");
	sim_client_send(c, n);
}

static void on_clean(struct sim_client *c, const struct wa_node *iq)
{
	struct sim_device *device = c->session.device;

	for (const struct wa_node *n = wa_node_child(iq, "clean"); n != NULL;
	     n = wa_node_next(n, "clean")) {
		if (wa_node_attr_is(n, "type", "account_sync"))
			device->dirty_account_sync = 0;
		else if (wa_node_attr_is(n, "type", "groups"))
			device->dirty_groups = 0;
	}
	answer_empty(c, iq);
}

static void on_picture(struct sim_client *c, const struct wa_node *iq)
{
	sim_online_error(c, iq, 404, "item-not-found");
}

static void on_mex(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n = sim_online_answer(iq, "result");

	wa_node_set_text(wa_node_add(n, "result"), "{\"data\":{}}");
	sim_client_send(c, n);
}

/* A companion removes itself; others are the phone's to remove. */
static void on_remove(struct sim_client *c, const struct wa_node *iq)
{
	const struct wa_node *request = wa_node_child(iq, "remove-companion-device");

	if (!wa_node_attr_is(request, "jid", c->session.device->jid)) {
		sim_online_error(c, iq, 403, "forbidden");
		return;
	}
	answer_empty(c, iq);
	if (c->session.device != NULL)
		sim_online_unlink(c->sim, c->session.device);
}

static const struct request {
	const char *xmlns;
	const char *type;  /* NULL: both */
	const char *child; /* NULL: any, or none */
	void (*run)(struct sim_client *c, const struct wa_node *iq);
} requests[] = {
	{ "encrypt", NULL, NULL, sim_online_keys },
	{ "w:p", "get", NULL, on_ping },
	{ "passive", "set", NULL, on_passive },
	{ "abt", "get", "props", on_props },
	{ "privacy", "get", "privacy", on_privacy },
	{ "privacy", "set", "tokens", answer_empty },
	{ "blocklist", "get", NULL, on_blocklist },
	{ "usync", "get", NULL, sim_online_usync },
	{ "w:m", "set", "media_conn", on_media_conn },
	{ "w:sync:app:state", "set", "sync", sim_appstate_iq },
	{ "urn:xmpp:whatsapp:dirty", "set", "clean", on_clean },
	{ "w:g2", NULL, NULL, sim_group_iq },
	{ "w:profile:picture", "get", NULL, on_picture },
	{ "urn:xmpp:whatsapp:push", "set", "config", answer_empty },
	{ "w:stats", "set", NULL, answer_empty },
	{ "w:mex", "get", NULL, on_mex },
	{ "md", "set", "remove-companion-device", on_remove },
};

static bool is_request(const struct request *r, const struct wa_node *iq)
{
	return wa_node_attr_is(iq, "xmlns", r->xmlns) &&
	       (r->type == NULL || wa_node_attr_is(iq, "type", r->type)) &&
	       (r->child == NULL || wa_node_child(iq, r->child) != NULL);
}

/* Faults failure and stall with the xmlns of requests as child. True: iq is one of those. */
static bool is_faulty(struct sim_client *c, const struct wa_node *iq)
{
	if ((c->fault.kind != SIM_F_FAILURE && c->fault.kind != SIM_F_STALL) ||
	    c->fault.child[0] == '\0' || !wa_node_attr_is(iq, "xmlns", c->fault.child))
		return false;
	if (c->fault.kind == SIM_F_FAILURE)
		sim_online_error(c, iq, c->fault.code != 0 ? (int)c->fault.code : 500, "fault");
	return true;
}

void sim_online_iq(struct sim_client *c, const struct wa_node *iq)
{
	if (is_faulty(c, iq))
		return;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		if (is_request(&requests[i], iq)) {
			requests[i].run(c, iq);
			return;
		}
	}
	LOG(NULL, LOG_INFO, "unknown_request", LF_INT("client", c->id),
	    LF_STR("xmlns", wa_node_attr(iq, "xmlns")));
	sim_online_error(c, iq, 501, "feature-not-implemented");
}
