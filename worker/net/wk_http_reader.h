/*
 * worker/net/wk_http_reader.h - an HTTP/1.1 answer as its bytes come in: head, then body; no I/O
 *
 * Of a request with "Connection: close": the body is framed by Content-Length, chunks, or the end
 * of the connection. Nothing is kept but a head that is not complete.
 */
#ifndef WK_HTTP_READER_H
#define WK_HTTP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

/* A zeroed one is ready. */
struct wk_http_reader {
	struct buf head; /* until it is complete */
	enum {
		WK_BODY_HEAD,
		WK_BODY_LENGTH,
		WK_BODY_CLOSE,
		WK_BODY_CHUNK_SIZE,
		WK_BODY_CHUNK,
		WK_BODY_CHUNK_END,
		WK_BODY_DONE
	} part;
	uint64_t left;   /* of the body or chunk; while reading a chunk size, its value so far */
	unsigned digits; /* of the chunk size */
	bool in_ext;     /* chunk extension: skipped */
	/* the head, once it was read */
	unsigned status;        /* 0: not yet */
	int64_t date_unix_s;    /* of the Date field; 0: none that can be read */
	uint32_t retry_after_s; /* 0: none, or not in seconds */
	bool has_len;
	uint64_t len; /* of the body, where the head says it */
};

struct wk_http_reader_ops {
	/* Each: 0 to go on; anything else stops and is handed on. */
	int (*on_head)(const struct wk_http_reader *r, void *arg); /* may be NULL */
	int (*on_body)(const uint8_t *data, size_t data_len, void *arg);
};

void wk_http_reader_clear(struct wk_http_reader *r);

/*
 * 0 (what comes behind the body is passed over); WA_EPROTO: malformed; WA_ELIMIT: a head over
 * WK_HEAD_MAX_LEN; -ENOMEM; or what a callback said. After anything but 0 only clear.
 */
ATTR_NODISCARD int wk_http_reader_feed(struct wk_http_reader *r, const void *data, size_t data_len,
                                       const struct wk_http_reader_ops *ops, void *arg);
/* The body is complete. */
bool wk_http_reader_is_done(const struct wk_http_reader *r);
/* The connection has ended. 0: that was the end of the body; WA_ETRUNC. */
ATTR_NODISCARD int wk_http_reader_eof(struct wk_http_reader *r);

#endif
