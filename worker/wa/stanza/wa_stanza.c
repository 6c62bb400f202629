/* worker/wa/stanza/wa_stanza.c - small stanzas of a live session */
#include "worker/wa/stanza/wa_stanza.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)

/* ---- reading ------------------------------------------------------------------------------------
 */

int wa_node_attr_u64(const struct wa_node *n, const char *name, uint64_t max, uint64_t *v_out)
{
	const char *text = wa_node_attr(n, name);

	return text == NULL || dec_decode(text, max, v_out) < 0 ? WA_EPROTO : 0;
}

int wa_child_bytes(const struct wa_node *n, const char *tag, size_t len_min, size_t len_max,
                   const uint8_t **p_out, size_t *len_out)
{
	const struct wa_node *child = wa_node_child(n, tag);

	if (child == NULL)
		return -ENOENT;
	if (child->content != WA_CONTENT_BYTES || child->bytes_len < len_min ||
	    child->bytes_len > len_max)
		return WA_EPROTO;
	*p_out = child->bytes;
	*len_out = child->bytes_len;
	return 0;
}

bool wa_is_notification(const struct wa_node *n, const char *type)
{
	return wa_node_is(n, "notification") && wa_node_attr_is(n, "type", type) &&
	       wa_node_attr_is(n, "from", WA_SERVER_JID);
}

unsigned wa_iq_error_code(const struct wa_node *answer, const char **text_out)
{
	const struct wa_node *error = wa_node_child(answer, "error");
	uint64_t code;

	if (text_out != NULL)
		*text_out = NULL;
	if (wa_node_attr_is(answer, "type", "result"))
		return 0;
	if (text_out != NULL)
		*text_out = wa_node_attr(error, "text");
	if (wa_node_attr_u64(error, "code", 999999, &code) < 0 || code == 0)
		return 1;
	return (unsigned)code;
}

/* ---- IQs and acks -------------------------------------------------------------------------------
 */

struct wa_node *wa_iq(const char *type, const char *xmlns, const char *id)
{
	struct wa_node *iq = wa_node_new("iq");

	wa_node_set_jid(iq, "to", WA_SERVER_JID);
	wa_node_set(iq, "type", type);
	wa_node_set(iq, "id", id);
	wa_node_set(iq, "xmlns", xmlns);
	return iq;
}

void wa_copy_attr(struct wa_node *to, const char *to_name, const struct wa_node *from,
                  const char *name)
{
	const char *value = wa_node_attr(from, name);

	for (size_t i = 0; value != NULL && i < from->attrs_n; i++) {
		if (strcmp(from->attrs[i].name, name) != 0)
			continue;
		if (from->attrs[i].is_jid)
			wa_node_set_jid(to, to_name, value);
		else
			wa_node_set(to, to_name, value);
		return;
	}
}

struct wa_node *wa_ack(const struct wa_node *stanza, const char *own_jid, unsigned error)
{
	struct wa_node *ack;

	if (wa_node_attr(stanza, "id") == NULL || wa_node_attr(stanza, "from") == NULL)
		return NULL;
	ack = wa_node_new("ack");
	wa_node_set(ack, "class", stanza->tag);
	wa_copy_attr(ack, "id", stanza, "id");
	wa_copy_attr(ack, "to", stanza, "from");
	wa_copy_attr(ack, "participant", stanza, "participant");
	wa_copy_attr(ack, "recipient", stanza, "recipient");
	wa_copy_attr(ack, "type", stanza, "type");
	if (wa_node_is(stanza, "message"))
		wa_node_set_jid(ack, "from", own_jid);
	if (error != 0)
		wa_node_set_int(ack, "error", error);
	return ack;
}

struct wa_node *wa_pong(const struct wa_node *ping)
{
	struct wa_node *iq = wa_node_new("iq");

	wa_node_set_jid(iq, "to", WA_SERVER_JID);
	wa_node_set(iq, "type", "result");
	wa_node_set(iq, "id", wa_node_attr(ping, "id"));
	return iq;
}

struct wa_node *wa_active(const char *id)
{
	struct wa_node *iq = wa_iq("set", "passive", id);

	wa_node_add(iq, "active");
	return iq;
}

struct wa_node *wa_remove_companion(const char *id, const char *own_jid)
{
	struct wa_node *iq = wa_iq("set", "md", id);
	struct wa_node *remove = wa_node_add(iq, "remove-companion-device");

	wa_node_set_jid(remove, "jid", own_jid);
	wa_node_set(remove, "reason", "user_initiated");
	return iq;
}

/* ---- bulletins and presence ---------------------------------------------------------------------
 */

struct wa_node *wa_offline_batch(unsigned count)
{
	struct wa_node *ib = wa_node_new("ib");

	wa_node_set_int(wa_node_add(ib, "offline_batch"), "count", count);
	return ib;
}

struct wa_node *wa_presence(bool available, const char *push_name)
{
	bool named = push_name != NULL && push_name[0] != '\0';
	struct wa_node *presence;

	if (available && !named)
		return NULL;
	presence = wa_node_new("presence");
	wa_node_set(presence, "type", available ? "available" : "unavailable");
	if (named)
		wa_node_set(presence, "name", push_name);
	return presence;
}

uint64_t wa_unified_session_id(int64_t local_unix_ms, int64_t offset_ms)
{
	const int64_t week = 7 * DAY_MS;
	/* Reduced first: no sum of foreign numbers can overflow. */
	int64_t ms = (local_unix_ms % week + offset_ms % week + 3 * DAY_MS) % week;

	return (uint64_t)(ms < 0 ? ms + week : ms);
}

struct wa_node *wa_unified_session(uint64_t id)
{
	struct wa_node *ib = wa_node_new("ib");
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, id);
	wa_node_set(wa_node_add(ib, "unified_session"), "id", text);
	return ib;
}
