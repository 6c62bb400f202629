/* worker/wk_version_reader.c - an HTTP answer scanned for client_revision, piece by piece */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/codec.h"
#include "common/err.h"
#include "worker/wk_upgrade.h"
#include "worker/wk_version.h"

#define CHUNK_DIGITS_MAX 8
#define REVISION_DIGITS_MAX 10
#define DATE_LEN 29

/* The quotes around it may have a backslash each: sw.js holds the JSON as a string. */
static const char pattern[] = "\"client_revision";

void wk_version_reader_clear(struct wk_version_reader *r)
{
	buf_free(&r->head);
}

/* ---- the pattern: \"client_revision\":1045798079 -----------------------------------------------
 */

static void scan_restart(struct wk_version_reader *r, char c)
{
	r->scan = WK_SCAN_NAME;
	r->matched = c == pattern[0] ? 1 : 0;
	r->number = 0;
	r->number_digits = 0;
}

static void scan_name(struct wk_version_reader *r, char c)
{
	if (c != pattern[r->matched]) {
		scan_restart(r, c);
		return;
	}
	if (pattern[++r->matched] == '\0')
		r->scan = WK_SCAN_QUOTE;
}

/* True: the number is complete. */
static bool scan_number(struct wk_version_reader *r, char c)
{
	if (c >= '0' && c <= '9' && r->number_digits < REVISION_DIGITS_MAX) {
		r->number = r->number * 10 + (uint64_t)(c - '0');
		r->number_digits++;
		return false;
	}
	if (r->number_digits == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
		return false;
	if (r->number_digits > 0 && !(c >= '0' && c <= '9') && r->number > 0 &&
	    r->number <= UINT32_MAX)
		return true;
	scan_restart(r, c);
	return false;
}

static bool scan_char(struct wk_version_reader *r, char c)
{
	switch (r->scan) {
	case WK_SCAN_NAME:
		scan_name(r, c);
		break;
	case WK_SCAN_QUOTE:
		if (c == '"')
			r->scan = WK_SCAN_COLON;
		else if (c != '\\')
			scan_restart(r, c);
		break;
	case WK_SCAN_COLON:
		if (c == ':')
			r->scan = WK_SCAN_NUMBER;
		else
			scan_restart(r, c);
		break;
	case WK_SCAN_NUMBER:
		return scan_number(r, c);
	}
	return false;
}

static int scan(struct wk_version_reader *r, const char *p, size_t n, uint32_t *revision_out)
{
	r->seen += n;
	if (r->seen > WK_VERSION_BODY_MAX)
		return WA_ELIMIT;
	for (size_t i = 0; i < n; i++) {
		if (scan_char(r, p[i])) {
			*revision_out = (uint32_t)r->number;
			return 1;
		}
	}
	return 0;
}

/* ---- the body's framing ------------------------------------------------------------------ */

static int chunk_size_char(struct wk_version_reader *r, char c)
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

static int chunk_end_char(struct wk_version_reader *r, char c)
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
static int feed_part(struct wk_version_reader *r, const char *p, size_t n, size_t *used_out,
                     uint32_t *revision_out)
{
	size_t take = n;

	switch (r->part) {
	case WK_BODY_CHUNK_SIZE:
		*used_out = 1;
		return chunk_size_char(r, *p);
	case WK_BODY_CHUNK_END:
		*used_out = 1;
		return chunk_end_char(r, *p);
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
		return WA_EPROTO; /* the end, and nothing was found */
	}
	*used_out = take;
	return scan(r, p, take, revision_out);
}

/* ---- the head ---------------------------------------------------------------------------- */

static int parse_length(const struct wk_header *h, uint64_t *length_out)
{
	uint64_t v = 0;

	if (h->value_len == 0 || h->value_len > CHUNK_DIGITS_MAX)
		return WA_EPROTO;
	for (size_t i = 0; i < h->value_len; i++) {
		if (h->value[i] < '0' || h->value[i] > '9')
			return WA_EPROTO;
		v = v * 10 + (uint64_t)(h->value[i] - '0');
	}
	*length_out = v;
	return 0;
}

/* "Sun, 29 Nov 2026 18:20:15 GMT" (RFC 9110 section 5.6.7); 0 for anything else. */
static int64_t parse_date(const struct wk_header *h)
{
	char text[DATE_LEN + 1];
	struct tm tm = { 0 };
	const char *end;

	if (h->value_len != DATE_LEN)
		return 0;
	memcpy(text, h->value, DATE_LEN);
	text[DATE_LEN] = '\0';
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* no locale is ever set */
	return end != NULL && *end == '\0' ? timegm(&tm) : 0;
}

static int64_t find_date(const struct wk_head *head)
{
	struct wk_header h;
	size_t pos = 0;

	while (wk_head_next(head, &pos, &h) > 0)
		if (wk_header_is(&h, "Date"))
			return parse_date(&h);
	return 0;
}

static int take_head(struct wk_version_reader *r, const struct wk_head *head)
{
	struct wk_header h;
	size_t pos = 0;
	int rc;

	r->status = head->status;
	r->date_unix_s = find_date(head);
	if (head->status != 200)
		return WA_EPROTO;
	r->part = WK_BODY_CLOSE;
	while ((rc = wk_head_next(head, &pos, &h)) > 0) {
		if (wk_header_is(&h, "Transfer-Encoding")) {
			if (!wk_header_has(&h, "chunked"))
				return WA_EPROTO;
			r->part = WK_BODY_CHUNK_SIZE;
			r->left = 0;
		} else if (wk_header_is(&h, "Content-Length") && r->part == WK_BODY_CLOSE) {
			if (parse_length(&h, &r->left) < 0)
				return WA_EPROTO;
			r->part = r->left > 0 ? WK_BODY_LENGTH : WK_BODY_DONE;
		}
	}
	return rc;
}

/* Collect the head; *used_out says how many of the new bytes belong to it. */
static int feed_head(struct wk_version_reader *r, const void *data, size_t n, size_t *used_out)
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
	if (rc == 0) {
		*used_out = head.len - before;
		rc = take_head(r, &head);
		buf_free(&r->head);
	}
	return rc;
}

int wk_version_feed(struct wk_version_reader *r, const void *data, size_t data_len,
                    uint32_t *revision_out)
{
	const char *p = data;
	size_t used;
	int rc = 0;

	while (data_len > 0 && rc == 0) {
		used = 0;
		if (r->part == WK_BODY_HEAD)
			rc = feed_head(r, p, data_len, &used);
		else
			rc = feed_part(r, p, data_len, &used, revision_out);
		p += used;
		data_len -= used;
	}
	if (rc == 0 && r->part == WK_BODY_DONE)
		return WA_EPROTO;
	return rc;
}
