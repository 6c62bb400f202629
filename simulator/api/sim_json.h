/* simulator/api/sim_json.h - binary nodes as JSON, for GET /log */
#ifndef SIM_JSON_H
#define SIM_JSON_H

#include <jansson.h>

#include "worker/wa/node/wa_node.h"

/*
 * {"tag": "...", "attrs": {...}, "content": null | [nodes] | {"hex": "..."} | {"text": "..."}}
 * text: content that came as a token, a packed string or a JID. New reference, NULL without memory.
 */
json_t *sim_json_node(const struct wa_node *n);
/* Bytes as a hex string. New reference, NULL without memory. */
json_t *sim_json_hex(const void *data, size_t len);

#endif
