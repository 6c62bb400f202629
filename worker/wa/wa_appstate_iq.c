/* worker/wa/wa_appstate_iq.c - asking the server for app state */
#include <inttypes.h>
#include <stdio.h>

#include "common/err.h"
#include "worker/wa/wa_appstate.h"
#include "worker/wa/wa_stanza.h"

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

static unsigned error_of(const struct wa_node *collection)
{
	const struct wa_node *error = wa_node_child(collection, "error");
	uint64_t code;

	if (error == NULL)
		return wa_node_attr_is(collection, "type", "error") ? 1 : 0;
	if (wa_node_attr_u64(error, "code", 999999, &code) < 0 || code == 0)
		return 1;
	return (unsigned)code;
}

int wa_appstate_each_answer(const struct wa_node *result,
                            int (*on_answer)(void *arg, const struct wa_appstate_answer *a),
                            void *arg)
{
	const struct wa_node *sync = wa_node_child(result, "sync");

	if (sync == NULL)
		return WA_EPROTO;
	for (const struct wa_node *c = wa_node_child(sync, "collection"); c != NULL;
	     c = wa_node_next(c, "collection")) {
		struct wa_appstate_answer a = { .collection = wa_node_attr(c, "name") };
		const struct wa_node *snapshot = wa_node_child(c, "snapshot");
		int rc;

		if (a.collection == NULL)
			continue;
		if (wa_node_attr_u64(c, "version", UINT64_MAX - 1, &a.version) < 0)
			a.version = 0;
		a.error = error_of(c);
		a.has_more = wa_node_attr_is(c, "has_more_patches", "true");
		if (snapshot != NULL && snapshot->content == WA_CONTENT_BYTES)
			a.snapshot = (struct wa_bytes){ snapshot->bytes, snapshot->bytes_len };
		a.patches = wa_node_child(c, "patches");
		if (a.patches == NULL && wa_node_child(c, "patch") != NULL)
			a.patches = c; /* also seen right below */
		rc = on_answer(arg, &a);
		if (rc < 0)
			return rc;
	}
	return 0;
}
