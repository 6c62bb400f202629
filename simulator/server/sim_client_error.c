/* simulator/server/sim_client_error.c - the last words of a connection: failure and stream error */
#include <string.h>

#include "simulator/server/sim_client_priv.h"

#define STREAM_ERROR_CODE 500
#define TEMP_BAN_CODE "101" /* sent too many messages to strangers */

void sim_client_fail(struct sim_client *c, uint32_t reason)
{
	struct wa_node *n = wa_node_new("failure");

	wa_node_set_int(n, "reason", reason);
	wa_node_set(n, "location", "sim");
	if (c->fault.kind == SIM_F_FAILURE && c->fault.expire != 0) {
		wa_node_set(n, "code", TEMP_BAN_CODE);
		wa_node_set_int(n, "expire", c->fault.expire);
	}
	sim_client_send(c, n);
	sim_client_end(c, "failure");
}

/* <ack/>: the oldest stanza that the client failed to ack, or one that it never got. */
static void add_ack(const struct sim_client *c, struct wa_node *error)
{
	struct wa_node *n = wa_node_add(error, "ack");
	const char *tag = "notification";
	const char *id =
	    c->session.device == NULL ? NULL : sim_queue_unacked(c->session.device->queue, &tag);

	wa_node_set(n, "class", tag);
	if (id == NULL)
		wa_node_set(n, "type", "companion_reg_refresh");
	wa_node_set(n, "id", id == NULL ? "903" : id);
}

static void add_error_child(const struct sim_client *c, struct wa_node *error, const char *child)
{
	struct wa_node *n;

	if (strcmp(child, "replaced") == 0 || strcmp(child, "device_removed") == 0) {
		n = wa_node_add(error, "conflict");
		wa_node_set(n, "type", child);
	} else if (strcmp(child, "ack") == 0) {
		add_ack(c, error);
	} else {
		n = wa_node_add(error, child);
		if (strcmp(child, "ping") == 0)
			wa_node_set(n, "id",
			            c->session.ping_id[0] == '\0' ? "904" : c->session.ping_id);
	}
}

void sim_client_stream_error(struct sim_client *c, uint32_t code, const char *child)
{
	struct wa_node *n = wa_node_new("stream:error");
	bool has_child = child != NULL && child[0] != '\0';

	if (code == 0 && !has_child)
		code = STREAM_ERROR_CODE;
	if (code == 0 && strcmp(child, "device_removed") == 0)
		code = 401;
	if (code != 0)
		wa_node_set_int(n, "code", code);
	if (has_child)
		add_error_child(c, n, child);
	sim_client_send(c, n);
	sim_client_end(c, "stream:error");
}
