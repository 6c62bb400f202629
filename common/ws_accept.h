/* common/ws_accept.h - the answer to a WebSocket's key (RFC 6455, section 4.2.2), at either end */
#ifndef WS_ACCEPT_H
#define WS_ACCEPT_H

#include <stddef.h>

#include "common/attr.h"
#include "common/codec.h"

#define WS_KEY_LEN 24 /* base64 of 16 bytes */
#define WS_ACCEPT_CAP B64_CAP(20)

/*
 * Sec-WebSocket-Accept for a Sec-WebSocket-Key. 0; -EINVAL: it is not the base64 of 16 bytes;
 * WA_ECRYPTO.
 */
ATTR_NODISCARD int ws_accept(const char *key, size_t key_len, char out[WS_ACCEPT_CAP]);

#endif
