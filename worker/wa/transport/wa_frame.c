/* worker/wa/transport/wa_frame.c - cutting the byte stream into frames and back */
#include "worker/wa/transport/wa_frame.h"

#include <stdbool.h>

#include "common/err.h"

#define HEAD_LEN 3
#define FORMAT_MAX_LEN ((1u << 24) - 1)
#define KEEP_CAP 4096 /* an idle reader holds no more than this */

const uint8_t wa_stream_header[WA_STREAM_HEADER_LEN] = { 'W', 'A', 6, 3 };

int wa_frame_append(struct buf *out, const void *payload, size_t payload_len)
{
	const uint8_t head[HEAD_LEN] = {
		(uint8_t)(payload_len >> 16),
		(uint8_t)(payload_len >> 8),
		(uint8_t)payload_len,
	};
	int rc;

	if (payload_len == 0 || payload_len > FORMAT_MAX_LEN)
		return WA_ELIMIT;
	rc = buf_reserve(out, HEAD_LEN + payload_len);
	if (rc == 0)
		rc = buf_append(out, head, HEAD_LEN);
	if (rc == 0)
		rc = buf_append(out, payload, payload_len);
	return rc;
}

/*
 * Length of the frame that begins at p, its head included; 0 when even the head is not complete.
 * A bad length is known, and refused, before any of the payload has been stored.
 */
static int frame_len(const struct wa_frame_reader *r, const uint8_t *p, size_t p_len,
                     size_t *len_out)
{
	size_t max_len = r->max_len == 0 ? WA_FRAME_MAX_LEN : r->max_len;
	size_t payload_len;

	*len_out = 0;
	if (p_len < HEAD_LEN)
		return 0;
	payload_len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
	if (payload_len == 0)
		return WA_EPROTO;
	if (payload_len > max_len)
		return WA_ELIMIT;
	*len_out = HEAD_LEN + payload_len;
	return 0;
}

/* Add to the unfinished frame what belongs to it; *done_out says it is complete. */
static int fill(struct wa_frame_reader *r, const uint8_t **p, size_t *left, bool *done_out)
{
	size_t want, n, total;
	int rc;

	*done_out = false;
	do {
		rc = frame_len(r, r->buf.p, r->buf.len, &total);
		if (rc < 0)
			return rc;
		want = (total == 0 ? HEAD_LEN : total) - r->buf.len;
		if (want == 0) {
			*done_out = true;
			return 0;
		}
		n = want < *left ? want : *left;
		rc = buf_append(&r->buf, *p, n);
		if (rc < 0)
			return rc;
		*p += n;
		*left -= n;
	} while (n == want);
	return 0;
}

static void drop_buffered(struct wa_frame_reader *r)
{
	if (r->buf.cap > KEEP_CAP)
		buf_free(&r->buf);
	else
		buf_reset(&r->buf);
}

int wa_frame_feed(struct wa_frame_reader *r, const void *data, size_t data_len,
                  int (*on_frame)(const uint8_t *payload, size_t payload_len, void *arg), void *arg)
{
	const uint8_t *p = data;
	size_t left = data_len, total;
	bool done;
	int rc;

	while (left > 0) {
		if (r->buf.len == 0) {
			rc = frame_len(r, p, left, &total);
			if (rc < 0)
				return rc;
			if (total > 0 && total <= left) { /* whole: no copy */
				rc = on_frame(p + HEAD_LEN, total - HEAD_LEN, arg);
				if (rc < 0)
					return rc;
				p += total;
				left -= total;
				continue;
			}
		}
		rc = fill(r, &p, &left, &done);
		if (rc < 0)
			return rc;
		if (!done)
			continue; /* left is 0 */
		rc = on_frame(r->buf.p + HEAD_LEN, r->buf.len - HEAD_LEN, arg);
		if (rc < 0)
			return rc;
		drop_buffered(r);
	}
	return 0;
}

void wa_frame_reader_clear(struct wa_frame_reader *r)
{
	buf_free(&r->buf);
}
