/*
 * worker/wa/transport/wa_frame.h - the byte stream inside the WebSocket: header once, then u24-length frames
 *
 * Source: protocol notes 01 sections 3 and 4.
 */
#ifndef WA_FRAME_H
#define WA_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

#define WA_FRAME_MAX_LEN (2u * 1024 * 1024) /* what we accept; the format allows 2^24 - 1 */
#define WA_STREAM_HEADER_LEN 4

extern const uint8_t
    wa_stream_header[WA_STREAM_HEADER_LEN]; /* "WA" 06 03: also the Noise prologue */

/* Append u24 length and payload. 0, -ENOMEM, or WA_ELIMIT (payload_len 0 or >= 2^24). */
ATTR_NODISCARD int wa_frame_append(struct buf *out, const void *payload, size_t payload_len);

/* Reassembles frames from a stream cut anywhere; zero-initialised is ready. */
struct wa_frame_reader {
	struct buf buf; /* bytes of an unfinished frame */
	size_t max_len; /* 0: WA_FRAME_MAX_LEN */
};

/*
 * Feed bytes; on_frame is called for every complete frame in order (payload borrowed for the call).
 * 0; WA_ELIMIT (frame too long); WA_EPROTO (empty frame); -ENOMEM; or the first negative return of
 * on_frame, after which nothing more is delivered. After any failure the stream is unusable.
 * on_frame must not free or feed the reader.
 */
ATTR_NODISCARD int
wa_frame_feed(struct wa_frame_reader *r, const void *data, size_t data_len,
              int (*on_frame)(const uint8_t *payload, size_t payload_len, void *arg), void *arg);
void wa_frame_reader_clear(struct wa_frame_reader *r);

#endif
