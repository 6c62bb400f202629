/* simulator/api/sim_json.c - binary nodes as JSON */
#include "simulator/api/sim_json.h"

#include <stdlib.h>

#include "common/codec.h"

json_t *sim_json_hex(const void *data, size_t len)
{
	char *text = malloc(HEX_CAP(len));
	json_t *j;

	if (text == NULL)
		return NULL;
	hex_encode(data, len, text);
	j = json_string(text);
	free(text);
	return j;
}

/* Text that is no UTF-8 shows as hex, so that the log can always be read. */
static json_t *text_json(const char *text, size_t len)
{
	json_t *j = json_stringn(text, len);

	return j != NULL ? j : sim_json_hex(text, len);
}

static json_t *attrs_json(const struct wa_node *n)
{
	json_t *attrs = json_object();

	for (size_t i = 0; attrs != NULL && i < n->attrs_n; i++) {
		const struct wa_attr *a = &n->attrs[i];

		json_object_set_new(attrs, a->name, text_json(a->value, a->value_len));
	}
	return attrs;
}

static json_t *children_json(const struct wa_node *n)
{
	json_t *children = json_array();

	for (const struct wa_node *c = n->first_child; children != NULL && c != NULL; c = c->next)
		json_array_append_new(children, sim_json_node(c));
	return children;
}

static json_t *content_json(const struct wa_node *n)
{
	switch (n->content) {
	case WA_CONTENT_NODES:
		return children_json(n);
	case WA_CONTENT_BYTES:
		if (n->content_is_text)
			return json_pack("{s:o}", "text",
			                 text_json((const char *)n->bytes, n->bytes_len));
		return json_pack("{s:o}", "hex", sim_json_hex(n->bytes, n->bytes_len));
	case WA_CONTENT_NONE:
		break;
	}
	return json_null();
}

json_t *sim_json_node(const struct wa_node *n)
{
	return json_pack("{s:s, s:o, s:o}", "tag", n->tag, "attrs", attrs_json(n), "content",
	                 content_json(n));
}
