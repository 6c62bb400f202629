/*
 * gateway/webhook/gw_hook_url.h - a webhook's URL: checked when it is given, made for each event
 *
 * Read by libcurl's own parser, the one that delivers: nothing is understood in two ways.
 */
#ifndef GW_HOOK_URL_H
#define GW_HOOK_URL_H

#include <stdbool.h>

#include "common/attr.h"

#define GW_HOOK_URL_MAX 2048

/*
 * http or https, a host, no user name or password, printable ASCII, at most GW_HOOK_URL_MAX bytes.
 * A host that is an address has to be one that may be reached (gw_hook_addr.h), or allow_private
 * set; names are judged when they are resolved.
 * 0; -EINVAL with *why_out set to the rule, static text that follows "url "; -ENOMEM.
 */
ATTR_NODISCARD int gw_hook_url_check(const char *url, bool allow_private, const char **why_out);

/*
 * The URL for an event of this kind with byEvents: the kind with a dash for its dot is one more
 * segment of the path ("https://a.example/in?k=1" becomes
 * "https://a.example/in/message-exchange?k=1"). *out is the caller's to free(). 0, -EINVAL or
 * -ENOMEM.
 */
ATTR_NODISCARD int gw_hook_url_for(const char *url, const char *kind, char **out);

#endif
