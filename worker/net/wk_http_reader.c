/* worker/net/wk_http_reader.c - an HTTP answer taken apart, piece by piece */
#include "worker/net/wk_http_reader.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/codec.h"
#include "common/err.h"
#include "worker/net/wk_upgrade.h"

#define CHUNK_DIGITS_MAX 8
#define LENGTH_DIGITS_MAX 12
#define RETRY_AFTER_DIGITS_MAX 5
#define DATE_LEN 29
#define DATE_MAX INT64_C(253402300799) /* the year 9999; a leap second may lead beyond */

void wk_http_reader_clear(struct wk_http_reader *r)
{
	buf_free(&r->head);
}

/* ---- the body's framing ------------------------------------------------------------------ */

static int chunk_size_char(struct wk_http_reader *r, char c)
{
	int v = hex_digit(c);

	if (c == '\n') {
		if (r->digits == 0)
			return WA_EPROTO;
		r->part = r->left > 0 ? WK_BODY_CHUNK : WK_BODY_DONE;
		return 0;
	}
	if (c == '\r' || r->in_ext)
		return 0;
	if (c == ';') {
		r->in_ext = true;
		return 0;
	}
	if (v < 0 || ++r->digits > CHUNK_DIGITS_MAX)
		return WA_EPROTO;
	r->left = r->left << 4 | (unsigned)v;
	return 0;
}

static int chunk_end_char(struct wk_http_reader *r, char c)
{
	if (c == '\r')
		return 0;
	if (c != '\n')
		return WA_EPROTO;
	r->part = WK_BODY_CHUNK_SIZE;
	r->left = 0;
	r->digits = 0;
	r->in_ext = false;
	return 0;
}

/* Take what belongs to the current part; *used_out bytes are done with. */
static int feed_part(struct wk_http_reader *r, const uint8_t *p, size_t n, size_t *used_out,
                     const struct wk_http_reader_ops *ops, void *arg)
{
	size_t take = n;

	switch (r->part) {
	case WK_BODY_CHUNK_SIZE:
		*used_out = 1;
		return chunk_size_char(r, (char)*p);
	case WK_BODY_CHUNK_END:
		*used_out = 1;
		return chunk_end_char(r, (char)*p);
	case WK_BODY_LENGTH:
	case WK_BODY_CHUNK:
		if (take > r->left)
			take = (size_t)r->left;
		r->left -= take;
		if (r->left == 0)
			r->part = r->part == WK_BODY_CHUNK ? WK_BODY_CHUNK_END : WK_BODY_DONE;
		break;
	case WK_BODY_CLOSE:
	case WK_BODY_HEAD: /* never: the head is taken before */
		break;
	case WK_BODY_DONE:
		break;
	}
	*used_out = take;
	return ops->on_body(p, take, arg);
}

/* ---- the head ---------------------------------------------------------------------------- */

static int parse_number(const struct wk_header *h, size_t digits_max, uint64_t *out)
{
	uint64_t v = 0;

	if (h->value_len == 0 || h->value_len > digits_max)
		return WA_EPROTO;
	for (size_t i = 0; i < h->value_len; i++) {
		if (h->value[i] < '0' || h->value[i] > '9')
			return WA_EPROTO;
		v = v * 10 + (uint64_t)(h->value[i] - '0');
	}
	*out = v;
	return 0;
}

/* "Sun, 29 Nov 2026 18:20:15 GMT" (RFC 9110 section 5.6.7); 0 for anything else. */
static int64_t parse_date(const struct wk_header *h)
{
	char text[DATE_LEN + 1];
	struct tm tm = { 0 };
	const char *end;
	int64_t unix_s;

	if (h->value_len != DATE_LEN)
		return 0;
	memcpy(text, h->value, DATE_LEN);
	text[DATE_LEN] = '\0';
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* no locale is ever set */
	if (end == NULL || *end != '\0')
		return 0;
	unix_s = timegm(&tm);
	return unix_s <= DATE_MAX ? unix_s : 0;
}

static int take_header(struct wk_http_reader *r, const struct wk_header *h)
{
	uint64_t v;

	if (wk_header_is(h, "Date")) {
		if (r->date_unix_s == 0)
			r->date_unix_s = parse_date(h);
	} else if (wk_header_is(h, "Retry-After")) {
		if (parse_number(h, RETRY_AFTER_DIGITS_MAX, &v) == 0)
			r->retry_after_s = (uint32_t)v;
	} else if (wk_header_is(h, "Transfer-Encoding")) {
		if (!wk_header_has(h, "chunked"))
			return WA_EPROTO;
		r->part = WK_BODY_CHUNK_SIZE;
		r->left = 0;
		r->has_len = false;
	} else if (wk_header_is(h, "Content-Length") && r->part == WK_BODY_CLOSE) {
		if (parse_number(h, LENGTH_DIGITS_MAX, &r->left) < 0)
			return WA_EPROTO;
		r->has_len = true;
		r->len = r->left;
		r->part = r->left > 0 ? WK_BODY_LENGTH : WK_BODY_DONE;
	}
	return 0;
}

static int take_head(struct wk_http_reader *r, const struct wk_head *head)
{
	struct wk_header h;
	size_t pos = 0;
	int rc;

	r->status = head->status;
	r->part = WK_BODY_CLOSE;
	while ((rc = wk_head_next(head, &pos, &h)) > 0) {
		rc = take_header(r, &h);
		if (rc < 0)
			return rc;
	}
	if (rc == 0 && (head->status == 204 || head->status == 304)) {
		r->part = WK_BODY_DONE;
		r->has_len = false; /* what a 304 says is the length of what it does not send */
	}
	return rc;
}

/* Collect the head; *used_out says how many of the new bytes belong to it. */
static int feed_head(struct wk_http_reader *r, const void *data, size_t n, size_t *used_out,
                     const struct wk_http_reader_ops *ops, void *arg)
{
	size_t before = r->head.len;
	size_t take = n < WK_HEAD_MAX_LEN - before ? n : WK_HEAD_MAX_LEN - before;
	struct wk_head head;
	int rc;

	rc = buf_append(&r->head, data, take);
	if (rc < 0)
		return rc;
	*used_out = take;
	rc = wk_head_parse(r->head.p, r->head.len, &head);
	if (rc == -EAGAIN)
		return 0;
	if (rc < 0)
		return rc;
	*used_out = head.len - before;
	rc = take_head(r, &head);
	buf_free(&r->head);
	if (rc == 0 && ops->on_head != NULL)
		rc = ops->on_head(r, arg);
	return rc;
}

int wk_http_reader_feed(struct wk_http_reader *r, const void *data, size_t data_len,
                        const struct wk_http_reader_ops *ops, void *arg)
{
	const uint8_t *p = data;
	size_t used;
	int rc = 0;

	while (data_len > 0 && rc == 0 && r->part != WK_BODY_DONE) {
		used = 0;
		if (r->part == WK_BODY_HEAD)
			rc = feed_head(r, p, data_len, &used, ops, arg);
		else
			rc = feed_part(r, p, data_len, &used, ops, arg);
		p += used;
		data_len -= used;
	}
	return rc;
}

bool wk_http_reader_is_done(const struct wk_http_reader *r)
{
	return r->part == WK_BODY_DONE;
}

int wk_http_reader_eof(struct wk_http_reader *r)
{
	if (r->part == WK_BODY_CLOSE)
		r->part = WK_BODY_DONE;
	return r->part == WK_BODY_DONE ? 0 : WA_ETRUNC;
}
