/*
 * gateway/webhook/gw_hook_config.h - who is to hear of an instance's events: its webhooks, its WebSocket
 *
 * In memory one struct for each instance that has any; on disk one JSON text in the registry, with
 * URL, authorization and secret sealed. A change is a patch: {"webhooks":{LABEL:{...}|null},
 * "websocket":{...}}, of which every key that is there replaces what was; the registry lays it over
 * its text and, that being durable, over the memory.
 */
#ifndef GW_HOOK_CONFIG_H
#define GW_HOOK_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/codec.h"
#include "common/sealed.h"
#include "gateway/events/gw_event.h"

#define GW_WEBHOOK_LABEL_MAX 64  /* ^[A-Za-z0-9_-]{1,64}$ */
#define GW_WEBHOOK_AUTH_MAX 1024 /* of the Authorization header's value */
#define GW_WEBHOOKS_MAX 16       /* of one instance, enabled or not */
#define GW_WEBHOOKS_ENABLED_MAX 3
#define GW_WEBHOOK_KEY_LEN 32
#define GW_WEBHOOK_SECRET_PREFIX "whsec_"
#define GW_WEBHOOK_SECRET_CAP (sizeof(GW_WEBHOOK_SECRET_PREFIX) - 1 + B64_CAP(GW_WEBHOOK_KEY_LEN))
#define GW_WEBHOOK_MASK \
	"********" /* shown for an authorization; given, it keeps the one there is */

struct gw_webhook {
	char label[GW_WEBHOOK_LABEL_MAX + 1];
	bool enabled;
	bool by_events;    /* the kind becomes a part of the path: gw_hook_url_for() */
	bool media_base64; /* media comes along */
	struct gw_event_filter filter;
	int64_t gone_unix_ms; /* its receiver said 410, which disabled it; 0: it did not */
	char *url;            /* never NULL; "": none. In secret memory, as the next two */
	char *authorization;  /* never NULL; "": none */
	uint8_t *key;         /* GW_WEBHOOK_KEY_LEN bytes that sign; NULL: none */
};

struct gw_websocket {
	bool enabled;
	bool media_base64;
	struct gw_event_filter filter;
};

struct gw_hook_config {
	struct gw_websocket websocket;
	size_t webhooks_n;
	struct gw_webhook *webhooks[GW_WEBHOOKS_MAX]; /* in order of creation */
};

/* NULL for NULL, and where there is none. */
const struct gw_webhook *gw_webhook_find(const struct gw_hook_config *c, const char *label);

/*
 * Lay patch over *c, which is made where it is NULL. 0; WA_ESTORE_CORRUPT (a value that no patch of
 * ours holds; it is left out) or -ENOMEM, with the rest of the patch in place.
 */
ATTR_NODISCARD int gw_hook_config_apply(struct gw_hook_config **c, const json_t *patch);
void gw_hook_config_free(struct gw_hook_config *c); /* NULL is fine */

/* What patches, in this order, would make of c: how many labels there are, how many enabled. */
void gw_hook_config_count(const struct gw_hook_config *c, const json_t *const *patches,
                          size_t patches_n, size_t *labels_n_out, size_t *enabled_n_out);

/* A patch as text for the registry; *text_out is the caller's to free(). 0, -ENOMEM, WA_ECRYPTO. */
ATTR_NODISCARD int gw_hook_patch_seal(const json_t *patch, const struct sealed_key *key,
                                      const char *instance_id, char **text_out);
/*
 * The registry's text. *c_out is NULL where there is nothing in it. 0; WA_ESTORE_CORRUPT, WA_EAUTH,
 * ... with *c_out holding what could be read: a webhook that could not is not enabled. -ENOMEM.
 */
ATTR_NODISCARD int gw_hook_config_load(const char *text, const struct sealed_key *key,
                                       const char *instance_id, struct gw_hook_config **c_out);

/* A new signing secret as text: whsec_ and base64. out holds GW_WEBHOOK_SECRET_CAP bytes; a secret.
 * 0 or WA_ECRYPTO. */
ATTR_NODISCARD int gw_webhook_secret_new(char *out);

/* As the contract shows them; new references, NULL without memory. */
json_t *gw_webhook_json(const struct gw_webhook *w);
json_t *gw_websocket_json(const struct gw_websocket *ws);
/* The "webhook" of an instance in list: the first that is enabled, or the first. c may be NULL. */
json_t *gw_hook_config_brief_json(const struct gw_hook_config *c);

#endif
