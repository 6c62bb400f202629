/*
 * cli/ctl_resp.h - one HTTP/1.1 response out of a byte stream
 *
 * Takes bytes in any portions, no I/O. The body is handed on as it comes, without its framing
 * (Content-Length, chunked, or until the connection ends). One response per connection: the client
 * asks with "Connection: close".
 *
 * libevent's evhttp client is not used because its release in Debian 12 can't talk over a Unix
 * socket, and the admin socket is one; this parser serves all three transports alike.
 */
#ifndef CTL_RESP_H
#define CTL_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

#define CTL_RESP_HEAD_MAX (16 * 1024) /* bytes: status line, fields and chunk lines each */

enum ctl_resp_state {
	CTL_RESP_STATUS,
	CTL_RESP_FIELDS,
	CTL_RESP_BODY, /* as many bytes as .left says */
	CTL_RESP_UNTIL_EOF,
	CTL_RESP_CHUNK_SIZE,
	CTL_RESP_CHUNK, /* .left bytes of this chunk */
	CTL_RESP_CHUNK_END,
	CTL_RESP_TRAILER,
	CTL_RESP_DONE,
};

/* Zero-initialised is ready; end with ctl_resp_clear(). */
struct ctl_resp {
	enum ctl_resp_state state;
	int status;             /* 200; 0 until the status line is there */
	char content_type[64];  /* lower case, without parameters; "" if none */
	uint32_t retry_after_s; /* 0: not given */
	bool head_done;         /* the fields above are final */

	bool chunked;
	bool has_length;
	uint64_t left;   /* bytes of the body or of the chunk still to come */
	size_t head_len; /* bytes of lines so far */
	struct buf line; /* the line that is being received */
};

/* A part of the body, borrowed. Anything but 0 ends ctl_resp_feed() with that value. */
typedef int ctl_resp_cb(const void *bytes, size_t bytes_len, void *arg);

/*
 * 0; WA_EPROTO for what is not HTTP/1.x; WA_ELIMIT for a head that is too large; -ENOMEM; or what
 * cb returned. Bytes after the response are ignored.
 */
ATTR_NODISCARD int ctl_resp_feed(struct ctl_resp *resp, const void *bytes, size_t bytes_len,
                                 ctl_resp_cb *cb, void *arg);

/* Nothing more is needed. */
bool ctl_resp_is_done(const struct ctl_resp *resp);

/* The connection has ended: 0 if the response is whole, else WA_ETRUNC. */
ATTR_NODISCARD int ctl_resp_end(struct ctl_resp *resp);
void ctl_resp_clear(struct ctl_resp *resp);

#endif
