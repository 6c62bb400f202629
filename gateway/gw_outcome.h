/* gateway/gw_outcome.h - what a link attempt comes to, as the contract's bodies and statuses */
#ifndef GW_OUTCOME_H
#define GW_OUTCOME_H

#include <jansson.h>

struct gw_code;
struct gw_instance;
struct gw_reason;
struct gw_req;

/* Each json_t is a new reference, or NULL without memory. */

/* A live code. */
json_t *gw_outcome_qr(struct gw_code *code);
/* The instance is linked and online. */
json_t *gw_outcome_connected(const struct gw_instance *inst);
/* The attempt is over: the error's body. */
json_t *gw_outcome_failed(const struct gw_reason *reason);
/* Answer a caller whose attempt is over. */
void gw_outcome_fail(struct gw_req *req, const struct gw_reason *reason);

#endif
