/* cli/ctl_resp.c - one HTTP/1.1 response out of a byte stream */
#include "cli/ctl_resp.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"

/* Digits only; false for anything else and for what does not fit. */
static bool parse_u64(const char *text, unsigned base, uint64_t *out)
{
	uint64_t v = 0;
	const char *p;

	for (p = text; *p != '\0'; p++) {
		unsigned digit;

		if (*p >= '0' && *p <= '9')
			digit = (unsigned)(*p - '0');
		else if (base == 16 && isxdigit((unsigned char)*p))
			digit = (unsigned)(tolower((unsigned char)*p) - 'a') + 10;
		else
			return false;
		if (v > (UINT64_MAX - digit) / base)
			return false;
		v = v * base + digit;
	}
	*out = v;
	return p != text;
}

/* "HTTP/1.1 200 OK" */
static int take_status_line(struct ctl_resp *resp, const char *line)
{
	const char *code;

	if (strncmp(line, "HTTP/1.1 ", 9) != 0 && strncmp(line, "HTTP/1.0 ", 9) != 0)
		return WA_EPROTO;
	code = line + 9;
	if (!isdigit((unsigned char)code[0]) || !isdigit((unsigned char)code[1]) ||
	    !isdigit((unsigned char)code[2]) || (code[3] != ' ' && code[3] != '\0'))
		return WA_EPROTO;
	resp->status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
	if (resp->status < 100)
		return WA_EPROTO;
	resp->state = CTL_RESP_FIELDS;
	return 0;
}

static void take_content_type(struct ctl_resp *resp, const char *value)
{
	size_t n = 0;

	while (value[n] != '\0' && value[n] != ';' && value[n] != ' ' &&
	       n < sizeof(resp->content_type) - 1) {
		resp->content_type[n] = (char)tolower((unsigned char)value[n]);
		n++;
	}
	resp->content_type[n] = '\0';
}

/* The fields that matter to a client of this API; all others pass unread. */
static int take_field(struct ctl_resp *resp, char *line)
{
	char *value = strchr(line, ':');
	uint64_t n;

	if (value == NULL || value == line)
		return WA_EPROTO;
	*value++ = '\0';
	value += strspn(value, " \t");
	for (size_t end = strlen(value); end > 0 && strchr(" \t", value[end - 1]) != NULL; end--)
		value[end - 1] = '\0';
	if (strcasecmp(line, "content-type") == 0) {
		take_content_type(resp, value);
	} else if (strcasecmp(line, "content-length") == 0) {
		if (!parse_u64(value, 10, &n) || (resp->has_length && n != resp->left))
			return WA_EPROTO;
		resp->has_length = true;
		resp->left = n;
	} else if (strcasecmp(line, "transfer-encoding") == 0) {
		if (strcasecmp(value, "chunked") != 0)
			return WA_EPROTO;
		resp->chunked = true;
	} else if (strcasecmp(line, "retry-after") == 0) {
		if (parse_u64(value, 10, &n) && n <= UINT32_MAX)
			resp->retry_after_s = (uint32_t)n;
	}
	return 0;
}

static int end_of_head(struct ctl_resp *resp)
{
	if (resp->status < 200) { /* an interim answer: the real one follows */
		struct buf line = resp->line;
		size_t head_len = resp->head_len;

		memset(resp, 0, sizeof(*resp));
		resp->line = line;
		resp->head_len = head_len;
		return 0;
	}
	resp->head_done = true;
	if (resp->chunked && resp->has_length)
		return WA_EPROTO; /* two opinions about where the body ends */
	if (resp->status == 204 || resp->status == 304)
		resp->state = CTL_RESP_DONE;
	else if (resp->chunked)
		resp->state = CTL_RESP_CHUNK_SIZE;
	else if (resp->has_length)
		resp->state = resp->left > 0 ? CTL_RESP_BODY : CTL_RESP_DONE;
	else
		resp->state = CTL_RESP_UNTIL_EOF;
	return 0;
}

static int take_chunk_size(struct ctl_resp *resp, char *line)
{
	line[strcspn(line, "; \t")] = '\0'; /* extensions mean nothing here */
	if (!parse_u64(line, 16, &resp->left))
		return WA_EPROTO;
	resp->state = resp->left > 0 ? CTL_RESP_CHUNK : CTL_RESP_TRAILER;
	resp->head_len = 0; /* each chunk line has the bound to itself */
	return 0;
}

static int take_line(struct ctl_resp *resp, char *line)
{
	switch (resp->state) {
	case CTL_RESP_STATUS:
		return take_status_line(resp, line);
	case CTL_RESP_FIELDS:
		return line[0] == '\0' ? end_of_head(resp) : take_field(resp, line);
	case CTL_RESP_CHUNK_SIZE:
		return take_chunk_size(resp, line);
	case CTL_RESP_CHUNK_END:
		resp->state = CTL_RESP_CHUNK_SIZE;
		return line[0] == '\0' ? 0 : WA_EPROTO;
	case CTL_RESP_TRAILER:
		if (line[0] == '\0')
			resp->state = CTL_RESP_DONE;
		return 0;
	case CTL_RESP_BODY:
	case CTL_RESP_UNTIL_EOF:
	case CTL_RESP_CHUNK:
	case CTL_RESP_DONE:
		break;
	}
	return WA_ESTATE;
}

/* Collect up to the LF; *used_out bytes are consumed. */
static int feed_line(struct ctl_resp *resp, const char *p, size_t left, size_t *used_out)
{
	const char *lf = memchr(p, '\n', left);
	size_t n = lf != NULL ? (size_t)(lf - p) : left;
	size_t room = CTL_RESP_HEAD_MAX - resp->head_len;
	int rc;

	/* Within the room only, and before the limit: the error must not depend on how bytes
	 * arrive. */
	if (memchr(p, '\0', n < room ? n : room) != NULL)
		return WA_EPROTO;
	*used_out = lf != NULL ? n + 1 : n;
	if (*used_out > room)
		return WA_ELIMIT;
	resp->head_len += *used_out;
	rc = buf_append(&resp->line, p, n);
	if (rc < 0 || lf == NULL)
		return rc;
	if (resp->line.len > 0 && resp->line.p[resp->line.len - 1] == '\r')
		resp->line.len--;
	rc = buf_append_u8(&resp->line, '\0');
	if (rc < 0)
		return rc;
	rc = take_line(resp, (char *)resp->line.p);
	buf_reset(&resp->line);
	return rc;
}

static int feed_body(struct ctl_resp *resp, const char *p, size_t left, size_t *used_out,
                     ctl_resp_cb *cb, void *arg)
{
	size_t n = left;

	if (resp->state != CTL_RESP_UNTIL_EOF) {
		if (n > resp->left)
			n = (size_t)resp->left;
		resp->left -= n;
		if (resp->left == 0)
			resp->state =
			    resp->state == CTL_RESP_CHUNK ? CTL_RESP_CHUNK_END : CTL_RESP_DONE;
	}
	*used_out = n;
	return cb(p, n, arg);
}

int ctl_resp_feed(struct ctl_resp *resp, const void *bytes, size_t bytes_len, ctl_resp_cb *cb,
                  void *arg)
{
	const char *p = bytes;
	size_t left = bytes_len;

	while (left > 0 && resp->state != CTL_RESP_DONE) {
		bool body = resp->state == CTL_RESP_BODY || resp->state == CTL_RESP_UNTIL_EOF ||
		            resp->state == CTL_RESP_CHUNK;
		size_t used = 0;
		int rc;

		rc = body ? feed_body(resp, p, left, &used, cb, arg)
		          : feed_line(resp, p, left, &used);
		if (rc != 0)
			return rc;
		p += used;
		left -= used;
	}
	return 0;
}

bool ctl_resp_is_done(const struct ctl_resp *resp)
{
	return resp->state == CTL_RESP_DONE;
}

int ctl_resp_end(struct ctl_resp *resp)
{
	if (resp->state == CTL_RESP_UNTIL_EOF)
		resp->state = CTL_RESP_DONE;
	return resp->state == CTL_RESP_DONE ? 0 : WA_ETRUNC;
}

void ctl_resp_clear(struct ctl_resp *resp)
{
	buf_free(&resp->line);
	memset(resp, 0, sizeof(*resp));
}
