/* gateway/instance/gw_proxy.h - an instance's proxy as the registry keeps it: JSON, user name and password sealed */
#ifndef GW_PROXY_H
#define GW_PROXY_H

#include "common/attr.h"
#include "common/sealed.h"
#include "gateway/instance/gw_instance.h"

/*
 * text_out: JSON; the caller's to free(). User name and password are sealed with the registry's key
 * for this instance. 0, WA_ECRYPTO, -ENOMEM.
 */
ATTR_NODISCARD int gw_proxy_encode(const struct gw_proxy *p, const struct sealed_key *key,
                                   const char *instance_id, char **text_out);
/*
 * text: what gw_proxy_encode() made; NULL or "{}": no proxy. 0; WA_ESTORE_CORRUPT (not what we
 * wrote); WA_EAUTH and the like (user name or password can't be read: p_out has the rest);
 * -ENOMEM.
 */
ATTR_NODISCARD int gw_proxy_decode(const char *text, const struct sealed_key *key,
                                   const char *instance_id, struct gw_proxy *p_out);
/* As clients see it: never the password. New reference, NULL without memory. */
json_t *gw_proxy_json(const struct gw_proxy *p);

#endif
