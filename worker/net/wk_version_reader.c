/* worker/net/wk_version_reader.c - an HTTP answer scanned for client_revision, piece by piece */
#include "common/err.h"
#include "worker/net/wk_version.h"

#define REVISION_DIGITS_MAX 10

/* The quotes around it may have a backslash each: sw.js holds the JSON as a string. */
static const char pattern[] = "\"client_revision";

void wk_version_reader_clear(struct wk_version_reader *r)
{
	wk_http_reader_clear(&r->http);
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

static int on_head(const struct wk_http_reader *http, void *arg)
{
	(void)arg;
	return http->status == 200 ? 0 : WA_EPROTO;
}

/* 1: found. */
static int on_body(const uint8_t *data, size_t n, void *arg)
{
	struct wk_version_reader *r = arg;
	const char *p = (const char *)data;

	r->seen += n;
	if (r->seen > WK_VERSION_BODY_MAX)
		return WA_ELIMIT;
	for (size_t i = 0; i < n; i++) {
		if (scan_char(r, p[i]))
			return 1;
	}
	return 0;
}

/* Once it is complete without a revision there is no use in waiting. */
int wk_version_feed(struct wk_version_reader *r, const void *data, size_t data_len,
                    uint32_t *revision_out)
{
	static const struct wk_http_reader_ops ops = { .on_head = on_head, .on_body = on_body };
	int rc = wk_http_reader_feed(&r->http, data, data_len, &ops, r);

	if (rc > 0)
		*revision_out = (uint32_t)r->number;
	return rc == 0 && wk_http_reader_is_done(&r->http) ? WA_EPROTO : rc;
}
