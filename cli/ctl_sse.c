/* cli/ctl_sse.c - server-sent events out of a byte stream */
#include "cli/ctl_sse.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

/* The blank line: hand the event over and begin the next. */
static int dispatch(struct ctl_sse *sse, ctl_sse_cb *cb, void *arg)
{
	size_t data_len = sse->data.len;
	int rc = 0;

	if (data_len > 0) {
		sse->data.p[--data_len] = '\0'; /* in place of the last line's LF */
		rc = cb(sse->event[0] != '\0' ? sse->event : "message", (const char *)sse->data.p,
		        data_len, arg);
	}
	buf_reset(&sse->data);
	sse->event[0] = '\0';
	return rc;
}

static void take_event_name(struct ctl_sse *sse, const char *value, size_t value_len)
{
	if (value_len >= sizeof(sse->event))
		value_len = sizeof(sse->event) - 1;
	memcpy(sse->event, value, value_len);
	sse->event[value_len] = '\0';
}

static int take_data(struct ctl_sse *sse, const char *value, size_t value_len)
{
	int rc;

	if (value_len >= CTL_SSE_DATA_MAX || sse->data.len > CTL_SSE_DATA_MAX - value_len - 1)
		return WA_ELIMIT;
	rc = buf_append(&sse->data, value, value_len);
	return rc < 0 ? rc : buf_append_u8(&sse->data, '\n');
}

/* One line without its end; the first may begin with a byte order mark. */
static int take_line(struct ctl_sse *sse, const char *line, size_t line_len, ctl_sse_cb *cb,
                     void *arg)
{
	const char *colon, *value;
	size_t name_len, value_len;

	if (!sse->started && line_len >= 3 && memcmp(line, byte_order_mark, 3) == 0) {
		line += 3;
		line_len -= 3;
	}
	sse->started = true;
	if (line_len == 0)
		return dispatch(sse, cb, arg);
	colon = memchr(line, ':', line_len);
	name_len = colon != NULL ? (size_t)(colon - line) : line_len;
	value = colon != NULL ? colon + 1 : line + line_len;
	value_len = line_len - (size_t)(value - line);
	if (value_len > 0 && value[0] == ' ') {
		value++;
		value_len--;
	}
	if (name_len == 5 && memcmp(line, "event", 5) == 0)
		take_event_name(sse, value, value_len);
	else if (name_len == 4 && memcmp(line, "data", 4) == 0)
		return take_data(sse, value, value_len);
	return 0; /* a comment (no name), id, retry, or a field nobody knows */
}

static size_t until_line_end(const char *p, size_t left)
{
	size_t n = 0;

	while (n < left && p[n] != '\n' && p[n] != '\r')
		n++;
	return n;
}

int ctl_sse_feed(struct ctl_sse *sse, const void *bytes, size_t bytes_len, ctl_sse_cb *cb,
                 void *arg)
{
	const char *p = bytes;
	size_t left = bytes_len;

	while (left > 0) {
		size_t n;
		int rc;

		if (sse->after_cr && *p == '\n') {
			sse->after_cr = false;
			p++;
			left--;
			continue;
		}
		sse->after_cr = false;
		n = until_line_end(p, left);
		if (n > CTL_SSE_LINE_MAX - sse->line.len)
			return WA_ELIMIT;
		rc = buf_append(&sse->line, p, n);
		if (rc < 0)
			return rc;
		p += n;
		left -= n;
		if (left == 0)
			break;
		sse->after_cr = *p == '\r';
		p++;
		left--;
		rc = take_line(sse, sse->line.p != NULL ? (const char *)sse->line.p : "",
		               sse->line.len, cb, arg);
		if (rc != 0)
			return rc;
		buf_reset(&sse->line);
	}
	return 0;
}

void ctl_sse_clear(struct ctl_sse *sse)
{
	buf_wipe(&sse->line); /* held a code */
	buf_wipe(&sse->data);
	memset(sse, 0, sizeof(*sse));
}
