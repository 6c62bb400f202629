/*
 * worker/net/wk_upgrade.h - client side of the RFC 6455 opening handshake, without I/O
 *
 * Source of the headers: protocol notes 01 section 2.
 */
#ifndef WK_UPGRADE_H
#define WK_UPGRADE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/codec.h"
#include "common/ws_accept.h"

#define WK_HEAD_MAX_LEN 8192 /* longest response head that is read */
#define WK_UPGRADE_NONCE_LEN 16

/* Sent with every HTTP request of the worker: what a browser would say. */
#define WK_USER_AGENT \
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " \
	"Chrome/139.0.0.0 Safari/537.36"

struct wk_upgrade {
	char key[B64_CAP(WK_UPGRADE_NONCE_LEN)]; /* Sec-WebSocket-Key */
	char accept[WS_ACCEPT_CAP];              /* the Sec-WebSocket-Accept that must come back */
};

/* nonce: WK_UPGRADE_NONCE_LEN random bytes. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int wk_upgrade_init(struct wk_upgrade *u, const uint8_t *nonce);

/* Append the request. authority, path, origin are printable ASCII. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_upgrade_request(const struct wk_upgrade *u, const char *authority,
                                      const char *path, const char *origin, struct buf *out);

/*
 * Check the response head at the beginning of data.
 * 0: *head_len_out bytes are the head, WebSocket frames follow. -EAGAIN: more is needed.
 * WA_EHANDSHAKE: not a proper 101; *why_out is then static text, *status_out the HTTP status or 0.
 */
ATTR_NODISCARD int wk_upgrade_check(const struct wk_upgrade *u, const void *data, size_t data_len,
                                    size_t *head_len_out, const char **why_out,
                                    unsigned *status_out);

/* ---- a response head, also used for the version look-up ---------------------------------- */

struct wk_head {
	unsigned status;
	size_t len;        /* of the head with its empty line, interim answers included */
	const char *lines; /* header lines, each ended by CRLF; borrowed */
	size_t lines_len;
};

/*
 * The final answer: interim ones (1xx, but not 101) in front of it are passed over.
 * 0, -EAGAIN (not complete), WA_ELIMIT (over WK_HEAD_MAX_LEN in all), WA_EPROTO (not HTTP/1.x).
 */
ATTR_NODISCARD int wk_head_parse(const void *data, size_t data_len, struct wk_head *head_out);

struct wk_header {
	const char *name, *value;
	size_t name_len, value_len; /* value without white space around it */
};

/* Next header line; *pos starts at 0. 1: *h_out is set. 0: no more. WA_EPROTO: malformed. */
ATTR_NODISCARD int wk_head_next(const struct wk_head *head, size_t *pos, struct wk_header *h_out);

/* Is the name this one, in any case? */
_Bool wk_header_is(const struct wk_header *h, const char *name);
/* Is word one of the comma-separated words of the value, in any case? */
_Bool wk_header_has(const struct wk_header *h, const char *word);

#endif
