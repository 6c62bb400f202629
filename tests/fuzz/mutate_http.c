/* tests/fuzz/mutate_http.c - HTTP and JSON changed by their lines and words */
#include "mutate.h"

#include <string.h>
#include <strings.h>

#include "fuzz.h"

#define LINES_MAX 100

static const char *const request_lines[] = {
	"GET / HTTP/1.1",
	"POST /api/instance/create HTTP/1.1",
	"GET /api/instance/connect/a?a=%41 HTTP/1.0",
	"DELETE /a HTTP/1.1",
	"HEAD * HTTP/1.1",
	"OPTIONS * HTTP/1.1",
	"PUT http://a/b HTTP/1.1",
	"CONNECT a:1 HTTP/1.1",
	"GET /%2e%2e/ HTTP/1.1",
	"GET /? HTTP/1.1",
	"GET  / HTTP/1.1",
	"PRI * HTTP/2.0",
};
static const char *const response_lines[] = {
	"HTTP/1.1 200 OK",
	"HTTP/1.1 101 Switching Protocols",
	"HTTP/1.1 100 Continue",
	"HTTP/1.0 200",
	"HTTP/1.1 206 Partial Content",
	"HTTP/1.1 304 Not Modified",
	"HTTP/1.1 407 ",
	"HTTP/1.1 204 No Content",
	"HTTP/1.1 404 Not Found",
	"HTTP/1.1 507 x",
	"HTTP/1.1 301 Moved",
	"HTTP/2 200",
};
static const char *const fields[] = {
	"Host: a",
	"Host: [::1]:80",
	"Content-Length: 0",
	"Content-Length: 5",
	"Content-Length: 05",
	"Transfer-Encoding: chunked",
	"transfer-encoding: Chunked",
	"Transfer-Encoding: gzip, chunked",
	"Connection: close",
	"Connection: keep-alive",
	"Connection: Upgrade",
	"Connection: upgrade, x",
	"Upgrade: websocket",
	"Expect: 100-continue",
	"Trailer: a",
	"TE: trailers",
	"Accept: text/html;q=0.1, */*",
	"Sec-WebSocket-Version: 13",
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
	"apikey: a",
	"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=",
	"Authorization: Bearer a",
	"Origin: http://a",
	"Content-Type: application/json",
	"Content-Type: text/event-stream",
	"Range: bytes=0-4",
	"Content-Range: bytes 0-4/5",
	"Retry-After: 5",
	"Date: Mon, 30 Nov 2026 04:00:00 GMT",
	"Location: /a",
	"X-Forwarded-For: 1.2.3.4, ::1",
	"Cookie: a=b",
	"a:",
	"a : b",
	" a: b",
	"a",
	"Content-Length: 5, 5",
	"Proxy-Authenticate: Basic realm=\"a\"",
};

struct line {
	const uint8_t *p;
	size_t len; /* with its end */
};

/* The lines of a head; where it ends. */
static size_t split(const uint8_t *data, size_t len, struct line *lines, size_t *lines_n)
{
	size_t at = 0;

	for (*lines_n = 0; at < len && *lines_n < LINES_MAX;) {
		const uint8_t *eol = memchr(data + at, '\n', len - at);
		size_t n = eol == NULL ? len - at : (size_t)(eol + 1 - data) - at;

		if (*lines_n > 0 && n <= 2 && eol != NULL)
			return at;
		lines[(*lines_n)++] = (struct line){ data + at, n };
		at += n;
	}
	return at;
}

static void put_line(struct mut *m, const char *text, struct buf *out)
{
	mut_put_text(out, text);
	mut_put_text(out, mut_chance(m, 40) ? "\n" : "\r\n");
}

static void change_line(struct mut *m, const struct line *l, struct buf *out)
{
	switch (mut_below(m, 6)) {
	case 0:
		return;
	case 1:
		mut_put(out, l->p, l->len);
		mut_put(out, l->p, l->len);
		return;
	case 2:
		put_line(m, MUT_PICK(m, fields), out);
		return;
	case 3:
		mut_put(out, l->p, l->len);
		put_line(m, MUT_PICK(m, fields), out);
		return;
	default:
		mut_bytes(m, l->p, l->len > 2 ? l->len - 2 : l->len, out);
		mut_put_text(out, "\r\n");
		return;
	}
}

static bool is_framing(const struct line *l)
{
	static const char length[] = "content-length:", encoding[] = "transfer-encoding:";

	return (l->len > sizeof(length) &&
	        strncasecmp((const char *)l->p, length, sizeof(length) - 1) == 0) ||
	       (l->len > sizeof(encoding) &&
	        strncasecmp((const char *)l->p, encoding, sizeof(encoding) - 1) == 0);
}

static void put_chunks(struct mut *m, const uint8_t *body, size_t len, struct buf *out)
{
	static const char *const ends[] = { "\r\n", "\r\n", "\r\n", ";a=b\r\n", "\n", " \r\n" };
	static const char *const tails[] = { "\r\n", "\r\n", "\r\n", "a: b\r\n\r\n", "" };
	size_t at = 0, n;

	while (at < len) {
		n = 1 + mut_below(m, len - at);
		FUZZ_REQUIRE(buf_appendf(out, mut_chance(m, 3) ? "%zX" : "%zx", n) == 0);
		mut_put_text(out, MUT_PICK(m, ends));
		mut_put(out, body + at, n);
		mut_put_text(out, "\r\n");
		at += n;
	}
	mut_put_text(out, mut_chance(m, 8) ? "000\r\n" : "0\r\n");
	mut_put_text(out, MUT_PICK(m, tails));
}

/* The same head, with a framing that fits what follows. */
static void reframe(struct mut *m, const struct line *lines, size_t lines_n, const uint8_t *body,
                    size_t len, struct buf *out)
{
	bool chunked = mut_chance(m, 2);

	for (size_t i = 0; i < lines_n; i++) {
		if (!is_framing(&lines[i]))
			mut_put(out, lines[i].p, lines[i].len);
	}
	if (chunked)
		mut_put_text(out, "Transfer-Encoding: chunked\r\n\r\n");
	else
		FUZZ_REQUIRE(buf_appendf(out, "Content-Length: %zu\r\n\r\n", len) == 0);
	if (chunked)
		put_chunks(m, body, len, out);
	else
		mut_put(out, body, len);
}

/* One that is made of parts: most such are sound. */
static void fresh_http(struct mut *m, enum mut_http kind, struct buf *out)
{
	struct line lines[8];
	struct buf head = { 0 }, body = { 0 };
	size_t n;

	put_line(
	    m, kind == MUT_HTTP_REQUEST ? MUT_PICK(m, request_lines) : MUT_PICK(m, response_lines),
	    &head);
	if (kind == MUT_HTTP_REQUEST && !mut_chance(m, 8))
		mut_put_text(&head, "Host: a\r\n");
	for (n = mut_below(m, 4); n > 0; n--)
		put_line(m, MUT_PICK(m, fields), &head);
	mut_put_text(&head, "\r\n");
	mut_fresh_bytes(m, &body);
	(void)split(head.p, head.len, lines, &n);
	if (mut_chance(m, 3))
		mut_put(out, head.p, head.len);
	else
		reframe(m, lines, n, body.p, body.len, out);
	buf_free(&head);
	buf_free(&body);
}

void mut_http(struct mut *m, enum mut_http kind, const uint8_t *data, size_t len, struct buf *out)
{
	struct line lines[LINES_MAX];
	size_t n, body = split(data, len, lines, &n), wanted;

	if (n == 0 || mut_chance(m, 12)) {
		fresh_http(m, kind, out);
		if (mut_chance(m, 2)) /* in front of what was there */
			mut_put(out, data, len);
		return;
	}
	/* the empty line is no part of the body */
	if (body < len && mut_chance(m, 4)) {
		size_t empty = data[body] == '\n' ? 1 : 2;

		empty = empty < len - body ? empty : len - body;
		reframe(m, lines, n, data + body + empty, len - body - empty, out);
		return;
	}
	wanted = mut_below(m, n + 1);
	for (size_t i = 0; i < n; i++) {
		if (i == wanted)
			change_line(m, &lines[i], out);
		else
			mut_put(out, lines[i].p, lines[i].len);
	}
	if (wanted == n)
		mut_bytes(m, data + body, len - body, out);
	else
		mut_put(out, data + body, len - body);
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

/* From at to behind the word, string or sign there. */
static size_t json_word(const uint8_t *p, size_t len, size_t at)
{
	size_t end = at + 1;

	if (p[at] == '"') {
		while (end < len && p[end] != '"')
			end += p[end] == '\\' && end + 1 < len ? 2 : 1;
		return end < len ? end + 1 : len;
	}
	if (memchr("{}[],: \t\r\n", p[at], 10) != NULL)
		return end;
	while (end < len && memchr("{}[],: \t\r\n\"", p[end], 11) == NULL)
		end++;
	return end;
}

static void put_json(struct mut *m, const char *const *names, size_t names_n, struct buf *out)
{
	static const char *const words[] = {
		"{}",
		"[]",
		"null",
		"true",
		"false",
		"0",
		"-1",
		"1e400",
		"1.5",
		"18446744073709551616",
		"\"\"",
		"\"a\"",
		"\"\\u0000\"",
		"\"\\ud83d\\ude00\"",
		"\"\\ud800\"",
		"\"http://a/b\"",
		"\"https://a.example\"",
		"[\"a\"]",
		"{\"a\":1}",
		"[[[[[[[[[[[[]]]]]]]]]]]]",
		"\"127.0.0.1\"",
		"\"8080\"",
		"9007199254740993",
	};

	if (names_n > 0 && !mut_chance(m, 3)) {
		FUZZ_REQUIRE(buf_appendf(out, "\"%s\":", mut_pick(m, names, names_n)) == 0);
		mut_put_text(out, MUT_PICK(m, words));
		mut_put_text(out, ",");
		return;
	}
	mut_put_text(out, MUT_PICK(m, words));
}

void mut_json(struct mut *m, const char *const *names, size_t names_n, const uint8_t *data,
              size_t len, struct buf *out)
{
	size_t words_n = 0, at = 0, end = 0, wanted;

	for (size_t i = 0; i < len; i = json_word(data, len, i))
		words_n++;
	for (wanted = mut_below(m, words_n); at < len && wanted > 0; wanted--)
		at = json_word(data, len, at);
	if (at < len)
		end = json_word(data, len, at);
	mut_put(out, data, at);
	switch (mut_below(m, 6)) {
	case 0: /* left out */
		break;
	case 1:
		mut_put(out, data + at, end - at);
		mut_put(out, data + at, end - at);
		break;
	case 2:
		put_json(m, NULL, 0, out);
		break;
	case 3:
		mut_bytes(m, data + at, end - at, out);
		break;
	default: /* a member, where it may be one */
		if (at < len && data[at] == '{')
			mut_put(out, data + at++, 1);
		put_json(m, names, names_n, out);
		end = at;
		break;
	}
	mut_put(out, data + end, len - end);
}
