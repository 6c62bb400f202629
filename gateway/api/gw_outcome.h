/* gateway/api/gw_outcome.h - what came of an attempt, as the contract's bodies and statuses */
#ifndef GW_OUTCOME_H
#define GW_OUTCOME_H

#include <jansson.h>
#include <stdbool.h>

struct gw_code;
struct gw_instance;
struct gw_passkey;
struct gw_reason;
struct gw_req;

/* What was tried; an error's message says it. */
enum gw_outcome_of {
	GW_OUTCOME_CONNECT,
	GW_OUTCOME_RECONNECT,
	GW_OUTCOME_LOGOUT,
};

#define GW_OUTCOME_THROTTLED_S 3600 /* Retry-After when WhatsApp throttles and does not say */

/* Each json_t is a new reference, or NULL without memory. */

/* A live code, of either kind. */
json_t *gw_outcome_code(struct gw_code *code);
/* The instance is linked and online. As whom is none of the business of one with a one-time link.
 */
json_t *gw_outcome_connected(const struct gw_req *req, const struct gw_instance *inst);
/* Somebody has to do something: answer, or compare codes. */
bool gw_outcome_passkey_waits(const struct gw_passkey *passkey);
/* What that is. */
json_t *gw_outcome_passkey(const struct gw_passkey *passkey);
/* A link attempt is over: the error's body; for one with a one-time link without detail, which may
 * name a proxy. */
json_t *gw_outcome_failed(const struct gw_req *req, const struct gw_reason *reason);
/*
 * The one-time link that let a caller in has run out while it waited: it is given no code any more.
 * Codes that it has been given before are good as long as they say, which is a minute at most.
 */
bool gw_outcome_link_over(const struct gw_req *req);
/* What it is told instead. */
json_t *gw_outcome_link_over_json(void);
/* Answer a caller whose attempt is over. */
void gw_outcome_fail(struct gw_req *req, enum gw_outcome_of what, const struct gw_reason *reason);

#endif
