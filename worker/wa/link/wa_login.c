/* worker/wa/link/wa_login.c - reading the stanzas that answer a login, and those that end a stream */
#include "worker/wa/link/wa_login.h"

#include <stddef.h>

#include "common/err.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/stanza/wa_stanza.h"

/* An attribute as a number; 0 when it is none. */
static uint32_t attr_u32(const struct wa_node *n, const char *name)
{
	uint64_t v;

	return wa_node_attr_u64(n, name, UINT32_MAX, &v) < 0 ? 0 : (uint32_t)v;
}

int wa_success_read(const struct wa_node *n, struct wa_success *out)
{
	struct wa_jid lid;
	uint64_t number, t;

	if (!wa_node_is(n, "success"))
		return WA_ESTATE;
	out->lid = wa_node_attr(n, "lid");
	if (out->lid != NULL && (wa_jid_parse_device(out->lid, "lid", &lid) < 0 ||
	                         wa_jid_user_number(&lid, &number) < 0))
		out->lid = NULL;
	out->server_unix_s = wa_node_attr_u64(n, "t", INT64_MAX, &t) < 0 ? 0 : (int64_t)t;
	out->display_name = wa_node_attr(n, "display_name");
	return 0;
}

int wa_failure_read(const struct wa_node *n, struct wa_connect_failure *out)
{
	if (!wa_node_is(n, "failure"))
		return WA_ESTATE;
	out->reason = attr_u32(n, "reason");
	out->code = attr_u32(n, "code");
	out->expire_s = attr_u32(n, "expire");
	out->location = wa_node_attr(n, "location");
	out->message = wa_node_attr(n, "logout_message_subtext");
	if (out->message == NULL)
		out->message = wa_node_attr(n, "message");
	return 0;
}

static enum wa_stream_end end_of_code(uint32_t code)
{
	switch (code) {
	case 515:
		return WA_STREAM_RESTART;
	case 516:
		return WA_STREAM_LOGGED_OUT;
	case 401:
		return WA_STREAM_UNAUTHORIZED;
	case 409:
		return WA_STREAM_REPLACED;
	case 429:
		return WA_STREAM_THROTTLED;
	default:
		return WA_STREAM_RETRY;
	}
}

int wa_stream_error_read(const struct wa_node *n, struct wa_stream_error *out)
{
	const struct wa_node *conflict = wa_node_child(n, "conflict");
	const struct wa_node *child = wa_node_child(n, NULL);

	if (!wa_node_is(n, "stream:error"))
		return WA_ESTATE;
	out->code = attr_u32(n, "code");
	out->child = child == NULL ? NULL : child->tag;
	if (wa_node_attr_is(conflict, "type", "device_removed"))
		out->end = WA_STREAM_LOGGED_OUT;
	else if (wa_node_attr_is(conflict, "type", "replaced"))
		out->end = WA_STREAM_REPLACED;
	else
		out->end = end_of_code(out->code);
	return 0;
}
