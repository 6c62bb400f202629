/* worker/wa/link/wa_pair.c - reading and answering the stanzas of the pairing phase */
#include "worker/wa/link/wa_pair.h"

#include "common/err.h"
#include "worker/wa/link/wa_device.h"

#define REFS_FIRST_LONG 6 /* the first code lives longer only while all six refs are there */
#define FIRST_CODE_MS 60000
#define NEXT_CODE_MS 20000

static const char *id_of(const struct wa_node *n)
{
	const char *id = wa_node_attr(n, "id");

	return id == NULL || id[0] == '\0' ? NULL : id;
}

static int read_refs(const struct wa_node *pair, struct wa_pair_device *out)
{
	const struct wa_node *ref;

	for (ref = wa_node_child(pair, "ref"); ref != NULL; ref = wa_node_next(ref, "ref")) {
		if (out->refs_n == WA_REFS_MAX || ref->content != WA_CONTENT_BYTES ||
		    ref->bytes_len == 0 || ref->bytes_len > WA_REF_MAX_LEN)
			return WA_EPROTO;
		out->refs[out->refs_n].p = ref->bytes;
		out->refs[out->refs_n].len = ref->bytes_len;
		out->refs_n++;
	}
	return out->refs_n == 0 ? WA_EPROTO : 0;
}

int wa_pair_device_read(const struct wa_node *n, struct wa_pair_device *out)
{
	struct wa_pair_device pd = { 0 };
	const struct wa_node *pair;
	int rc;

	/* "from" may come as a JID or as the bare token: the text is the same. */
	if (!wa_node_is(n, "iq") || !wa_node_attr_is(n, "type", "set") ||
	    !wa_node_attr_is(n, "from", WA_SERVER_JID))
		return WA_ESTATE;
	pair = wa_node_child(n, "pair-device");
	if (pair == NULL)
		return WA_ESTATE;
	pd.id = id_of(n);
	if (pd.id == NULL || n->children_n != 1)
		return WA_EPROTO;
	rc = read_refs(pair, &pd);
	if (rc == 0)
		*out = pd;
	return rc;
}

struct wa_node *wa_iq_result(const char *id)
{
	struct wa_node *iq = wa_node_new("iq");

	wa_node_set_jid(iq, "to", WA_SERVER_JID);
	wa_node_set(iq, "id", id);
	wa_node_set(iq, "type", "result");
	return iq;
}

struct wa_node *wa_iq_error(const char *id, int code, const char *text)
{
	struct wa_node *iq = wa_node_new("iq");
	struct wa_node *error;

	wa_node_set_jid(iq, "to", WA_SERVER_JID);
	wa_node_set(iq, "type", "error");
	wa_node_set(iq, "id", id);
	error = wa_node_add(iq, "error");
	wa_node_set_int(error, "code", code);
	wa_node_set(error, "text", text);
	return iq;
}

struct wa_node *wa_notification_ack(const struct wa_node *notification)
{
	const char *id = id_of(notification);
	struct wa_node *ack;

	if (id == NULL)
		return NULL;
	ack = wa_node_new("ack");
	wa_node_set(ack, "class", "notification");
	wa_node_set(ack, "id", id);
	wa_node_set_jid(ack, "to", WA_SERVER_JID);
	wa_node_set(ack, "type", wa_node_attr(notification, "type"));
	return ack;
}

struct wa_node *wa_ping(const char *id)
{
	struct wa_node *iq = wa_node_new("iq");

	wa_node_set(iq, "id", id);
	wa_node_set_jid(iq, "to", WA_SERVER_JID);
	wa_node_set(iq, "type", "get");
	wa_node_set(iq, "xmlns", "w:p");
	return iq;
}

uint32_t wa_pair_code_valid_ms(size_t index, size_t total)
{
	return index == 0 && total == REFS_FIRST_LONG ? FIRST_CODE_MS : NEXT_CODE_MS;
}
