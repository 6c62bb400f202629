/*
 * gateway/http/gw_body.h - what routes take from a JSON body: typed keys, settings, a proxy
 *
 * Unknown keys are ignored; a known one with the wrong type is refused by name.
 */
#ifndef GW_BODY_H
#define GW_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct gw_proxy;
struct gw_req;

#define GW_BODY_WHY_CAP 128
#define GW_BODY_REJECT_MESSAGE_MAX 1024 /* characters of callRejectMessage */

enum gw_body_type {
	GW_BODY_BOOL,
	GW_BODY_TEXT,
	GW_BODY_WORDS, /* an array of strings */
};

struct gw_body_key {
	const char *name;
	enum gw_body_type type;
};

/* The body as an object, new reference. NULL: the request has been answered. */
json_t *gw_body_read(struct gw_req *req);

/* Each of keys that is there has its type. False: why_out (GW_BODY_WHY_CAP bytes) names it. */
ATTR_NODISCARD bool gw_body_types_ok(const json_t *body, const struct gw_body_key *keys,
                                     size_t keys_n, char *why_out);

/*
 * The settings of contract 3.1 that the body holds, as JSON text for the registry.
 * The number of them; -EINVAL (why_out says which and why); -ENOMEM. Caller frees *text_out.
 */
ATTR_NODISCARD int gw_body_settings(const json_t *body, char **text_out, char *why_out);

/*
 * Lay what the body says of a proxy (contract 3.2) over proxy.
 * flat: the keys are those of POST /api/instance/new, proxyEnabled and so on.
 * The number of keys that were there, or -EINVAL with why_out set; proxy is then in between and of
 * no use. An enabled proxy has a host and a port.
 */
ATTR_NODISCARD int gw_body_proxy(const json_t *body, bool flat, struct gw_proxy *proxy,
                                 char *why_out);

#endif
