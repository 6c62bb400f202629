/* worker/wa/appstate/wa_appstate_iq.c - asking the server for app state */
#include <inttypes.h>
#include <stdio.h>

#include "common/err.h"
#include "worker/wa/appstate/wa_appstate.h"
#include "worker/wa/stanza/wa_stanza.h"

struct wa_node *wa_appstate_fetch(const char *id)
{
	struct wa_node *iq = wa_iq("set", "w:sync:app:state", id);

	wa_node_add(iq, "sync");
	return iq;
}

void wa_appstate_fetch_add(struct wa_node *fetch, const char *collection, uint64_t version)
{
	struct wa_node *c;
	char text[24];

	if (fetch == NULL)
		return;
	c = wa_node_add(fetch->first_child, "collection");
	snprintf(text, sizeof(text), "%" PRIu64, version);
	wa_node_set(c, "name", collection);
	wa_node_set(c, "version", text);
	wa_node_set(c, "return_snapshot", version == 0 ? "true" : "false");
}

unsigned wa_appstate_error(const struct wa_node *collection)
{
	const struct wa_node *error = wa_node_child(collection, "error");
	uint64_t code;

	if (error == NULL)
		return wa_node_attr_is(collection, "type", "error") ? 1 : 0;
	if (wa_node_attr_u64(error, "code", 999999, &code) < 0 || code == 0)
		return 1;
	return (unsigned)code;
}
