/* simulator/wire/sim_http.c - the one HTTP request at the start of a connection */
#include "simulator/wire/sim_http.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/ws_accept.h"

#define DATE_CAP 40
#define HEADERS_MAX 64

struct span {
	const char *p;
	size_t len;
};

/* What of the headers matters here. */
struct headers {
	struct span host, upgrade, connection, key, version;
	struct span length, encoding, expect, range;
};

size_t sim_http_head_len(const uint8_t *data, size_t data_len)
{
	const uint8_t *end = memmem(data, data_len, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - data) + 4;
}

static bool span_is(const struct span *s, const char *text)
{
	return s->len == strlen(text) && memcmp(s->p, text, s->len) == 0;
}

static bool span_is_word(const struct span *s, const char *word) /* in any case */
{
	return s->len == strlen(word) && strncasecmp(s->p, word, s->len) == 0;
}

static bool is_token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static struct span trimmed(struct span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Cut one line off; false when there is no CRLF. */
static bool cut_line(struct span *rest, struct span *line_out)
{
	const char *end = memmem(rest->p, rest->len, "\r\n", 2);

	if (end == NULL)
		return false;
	*line_out = (struct span){ rest->p, (size_t)(end - rest->p) };
	rest->len -= line_out->len + 2;
	rest->p = end + 2;
	return true;
}

static bool is_clean(const struct span *s) /* no control characters but tab */
{
	for (size_t i = 0; i < s->len; i++) {
		unsigned char c = (unsigned char)s->p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Each of the headers that matter may stand there once. */
static bool keep_once(struct span *slot, const struct span *value)
{
	if (slot->p != NULL)
		return false;
	*slot = *value;
	return true;
}

static bool keep_header(struct headers *h, const struct span *name, const struct span *value)
{
	if (span_is_word(name, "host"))
		return keep_once(&h->host, value);
	if (span_is_word(name, "upgrade"))
		return keep_once(&h->upgrade, value);
	if (span_is_word(name, "connection"))
		return keep_once(&h->connection, value);
	if (span_is_word(name, "sec-websocket-key"))
		return keep_once(&h->key, value);
	if (span_is_word(name, "sec-websocket-version"))
		return keep_once(&h->version, value);
	if (span_is_word(name, "content-length"))
		return keep_once(&h->length, value);
	if (span_is_word(name, "transfer-encoding"))
		return keep_once(&h->encoding, value);
	if (span_is_word(name, "expect"))
		return keep_once(&h->expect, value);
	if (span_is_word(name, "range"))
		return keep_once(&h->range, value);
	return true;
}

static bool read_header(struct headers *h, const struct span *line)
{
	const char *colon = memchr(line->p, ':', line->len);
	struct span name, value;

	if (colon == NULL || colon == line->p || !is_clean(line))
		return false;
	name = (struct span){ line->p, (size_t)(colon - line->p) };
	for (size_t i = 0; i < name.len; i++) {
		if (!is_token_char((unsigned char)name.p[i]))
			return false;
	}
	value = trimmed((struct span){ colon + 1, line->len - name.len - 1 });
	return keep_header(h, &name, &value);
}

static int read_headers(struct span rest, struct headers *h)
{
	struct span line;

	for (int n = 0; cut_line(&rest, &line); n++) {
		if (line.len == 0)
			return rest.len == 0 ? 0 : 400;
		if (n == HEADERS_MAX || !read_header(h, &line))
			return 400;
	}
	return 400;
}

/* "GET /path HTTP/1.1" */
static int read_request_line(const struct span *line, struct span *method_out,
                             struct span *target_out)
{
	struct span method, target, version;
	const char *sp1 = memchr(line->p, ' ', line->len);
	const char *sp2 = memrchr(line->p, ' ', line->len);

	if (sp1 == NULL || sp1 == sp2 || !is_clean(line))
		return 400;
	method = (struct span){ line->p, (size_t)(sp1 - line->p) };
	target = (struct span){ sp1 + 1, (size_t)(sp2 - sp1 - 1) };
	version = (struct span){ sp2 + 1, line->len - (size_t)(sp2 + 1 - line->p) };
	if (target.len == 0 || target.p[0] != '/' || memchr(target.p, ' ', target.len) != NULL)
		return 400;
	if (version.len != 8 || memcmp(version.p, "HTTP/", 5) != 0)
		return 400;
	if (!span_is(&version, "HTTP/1.1"))
		return 505;
	*method_out = method;
	*target_out = target;
	return 0;
}

static struct span path_of(struct span target)
{
	const char *query = memchr(target.p, '?', target.len);

	if (query != NULL)
		target.len = (size_t)(query - target.p);
	return target;
}

/* A word in a comma-separated list. */
static bool has_word(struct span list, const char *word)
{
	while (list.len > 0) {
		const char *comma = memchr(list.p, ',', list.len);
		size_t len = comma == NULL ? list.len : (size_t)(comma - list.p);
		struct span one = trimmed((struct span){ list.p, len });

		if (span_is_word(&one, word))
			return true;
		len += comma != NULL;
		list.p += len;
		list.len -= len;
	}
	return false;
}

static int make_accept(const struct span *key, char out[SIM_HTTP_ACCEPT_CAP])
{
	int rc = ws_accept(key->p, key->len, out);

	return rc == 0 ? 0 : rc == -EINVAL ? 400 : 500;
}

static int check_upgrade(const struct headers *h, struct sim_http_request *req_out)
{
	req_out->kind = SIM_HTTP_UPGRADE;
	if (h->upgrade.p == NULL)
		return 426;
	if (!span_is_word(&h->upgrade, "websocket") || !has_word(h->connection, "upgrade"))
		return 400;
	if (h->version.p == NULL || h->key.p == NULL)
		return 400;
	if (!span_is(&h->version, "13"))
		return 426;
	return make_accept(&h->key, req_out->accept);
}

/* ---- media -------------------------------------------------------------------------------------
 */

static bool has_prefix(const struct span *s, const char *prefix)
{
	return s->len >= strlen(prefix) && memcmp(s->p, prefix, strlen(prefix)) == 0;
}

/* Cut decimal digits off; false when there are none, or too many. */
static bool cut_digits(struct span *s, uint64_t *v_out)
{
	size_t n = 0;

	*v_out = 0;
	for (; n < s->len && s->p[n] >= '0' && s->p[n] <= '9' && n < 19; n++)
		*v_out = *v_out * 10 + (uint64_t)(s->p[n] - '0');
	s->p += n;
	s->len -= n;
	return n > 0;
}

/* "bytes=16-", "bytes=16-31". Anything else is ignored, as a server may. */
static void read_range(struct span s, struct sim_http_request *req)
{
	if (!has_prefix(&s, "bytes="))
		return;
	s.p += 6;
	s.len -= 6;
	if (!cut_digits(&s, &req->range_first) || s.len == 0 || s.p[0] != '-')
		return;
	s.p++;
	s.len--;
	req->range_last = UINT64_MAX;
	if (s.len > 0 && (!cut_digits(&s, &req->range_last) || s.len > 0))
		return;
	req->has_range = req->range_first <= req->range_last;
}

static int read_method(const struct span *method, enum sim_http_method *out)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "DELETE" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (span_is(method, names[i])) {
			*out = (enum sim_http_method)i;
			return 0;
		}
	}
	return 405;
}

static int read_body_len(const struct headers *h, struct sim_http_request *req)
{
	struct span length = h->length;

	req->chunked = h->encoding.p != NULL;
	if (req->chunked && !span_is_word(&h->encoding, "chunked"))
		return 501;
	if (req->chunked && length.p != NULL)
		return 400;
	if (length.p != NULL && (!cut_digits(&length, &req->body_len) || length.len > 0))
		return 400;
	return req->method == SIM_HTTP_POST && length.p == NULL && !req->chunked ? 411 : 0;
}

static int check_media(const struct headers *h, const struct span *method,
                       const struct span *target, struct sim_http_request *req)
{
	int status = read_method(method, &req->method);

	if (status == 0)
		status = read_body_len(h, req);
	if (status != 0)
		return status;
	req->kind = SIM_HTTP_MEDIA;
	req->target = target->p;
	req->target_len = target->len;
	req->expects = span_is_word(&h->expect, "100-continue");
	if (h->range.p != NULL)
		read_range(h->range, req);
	return 0;
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static int check_plain(const struct headers *h, const struct span *path,
                       struct sim_http_request *req)
{
	if (h->encoding.p != NULL || (h->length.p != NULL && !span_is(&h->length, "0")))
		return 400;
	if (span_is(path, "/ws/chat"))
		return check_upgrade(h, req);
	if (!span_is(path, "/sw.js"))
		return 404;
	req->kind = SIM_HTTP_VERSION;
	return 0;
}

int sim_http_parse(const uint8_t *head, size_t head_len, struct sim_http_request *req_out)
{
	struct span rest = { (const char *)head, head_len }, line, method, target, path;
	struct headers h = { .host = { NULL, 0 } };
	bool media;
	int status;

	*req_out = (struct sim_http_request){ .kind = SIM_HTTP_VERSION };
	if (!cut_line(&rest, &line))
		return 400;
	status = read_request_line(&line, &method, &target);
	if (status != 0)
		return status;
	path = path_of(target);
	media = has_prefix(&path, "/mms/") || has_prefix(&path, "/v/");
	if (!media && !span_is(&method, "GET"))
		return 405;
	status = read_headers(rest, &h);
	if (status != 0)
		return status;
	if (h.host.p == NULL || h.host.len == 0)
		return 400;
	return media ? check_media(&h, &method, &target, req_out) : check_plain(&h, &path, req_out);
}

int sim_http_answer_upgrade(const struct sim_http_request *req, struct buf *out)
{
	return buf_appendf(out,
	                   "HTTP/1.1 101 Switching Protocols\r\n"
	                   "Upgrade: websocket\r\n"
	                   "Connection: Upgrade\r\n"
	                   "Sec-WebSocket-Accept: %s\r\n\r\n",
	                   req->accept);
}

int sim_http_answer_version(uint32_t revision, struct buf *out)
{
	char body[160], date[DATE_CAP];
	time_t now = time(NULL);
	struct tm tm;
	int len = snprintf(body, sizeof(body),
	                   "/* service worker */ self.config = JSON.parse("
	                   "\"{\\\"client_revision\\\":%" PRIu32
	                   ",\\\"environment\\\":\\\"simulator\\\"}\");\n",
	                   revision);

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return buf_appendf(out,
	                   "HTTP/1.1 200 OK\r\n"
	                   "Date: %s\r\n"
	                   "Content-Type: text/javascript\r\n"
	                   "Content-Length: %d\r\n"
	                   "Connection: close\r\n\r\n%s",
	                   date, len, body);
}

static const char *status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 416, "Range Not Satisfiable" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "Refused";
}

int sim_http_answer_status(unsigned status, struct buf *out)
{
	return buf_appendf(out,
	                   "HTTP/1.1 %u %s\r\n"
	                   "%sContent-Length: 0\r\n"
	                   "Connection: close\r\n\r\n",
	                   status, status_text(status),
	                   status == 426 ? "Sec-WebSocket-Version: 13\r\n" : "");
}
