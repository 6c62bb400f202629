/* worker/net/wk_upgrade.c - the RFC 6455 opening handshake as bytes */
#include "worker/net/wk_upgrade.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"

int wk_upgrade_init(struct wk_upgrade *u, const uint8_t *nonce)
{
	b64_encode(nonce, WK_UPGRADE_NONCE_LEN, u->key);
	return ws_accept(u->key, strlen(u->key), u->accept);
}

int wk_upgrade_request(const struct wk_upgrade *u, const char *authority, const char *path,
                       const char *origin, struct buf *out)
{
	return buf_appendf(out,
	                   "GET %s HTTP/1.1\r\n"
	                   "Host: %s\r\n"
	                   "Connection: Upgrade\r\n"
	                   "Pragma: no-cache\r\n"
	                   "Cache-Control: no-cache\r\n"
	                   "User-Agent: " WK_USER_AGENT "\r\n"
	                   "Upgrade: websocket\r\n"
	                   "Origin: %s\r\n"
	                   "Sec-WebSocket-Version: 13\r\n"
	                   "Sec-WebSocket-Key: %s\r\n"
	                   "\r\n",
	                   path, authority, origin, u->key);
}

/* ---- response head ----------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_token_char(char c)
{
	return c > 0x20 && c < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}

/* "HTTP/1.1 101 ..." */
static int parse_status(const char *p, size_t len, unsigned *status_out)
{
	if (len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') ||
	    p[8] != ' ' || !is_digit(p[9]) || p[9] == '0' || !is_digit(p[10]) || !is_digit(p[11]) ||
	    (len > 12 && p[12] != ' '))
		return WA_EPROTO;
	*status_out = (unsigned)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
	return 0;
}

/* One head at the beginning of p, all of which is within the limit. */
static int parse_one(const char *p, size_t p_len, struct wk_head *head_out)
{
	static const char start[] = "HTTP/1.";
	const size_t start_len = sizeof(start) - 1;
	const char *end, *line_end;
	int rc;

	/* Garbage is refused at its first bytes, not when the head is full. */
	if (memcmp(p, start, p_len < start_len ? p_len : start_len) != 0)
		return WA_EPROTO;
	end = memmem(p, p_len, "\r\n\r\n", 4);
	if (end == NULL)
		return -EAGAIN;
	line_end = memmem(p, p_len, "\r\n", 2);
	rc = parse_status(p, (size_t)(line_end - p), &head_out->status);
	if (rc < 0)
		return rc;
	head_out->len = (size_t)(end - p) + 4;
	head_out->lines = line_end + 2;
	head_out->lines_len = head_out->len - 2 - (size_t)(head_out->lines - p);
	return 0;
}

int wk_head_parse(const void *data, size_t data_len, struct wk_head *head_out)
{
	size_t seen = data_len < WK_HEAD_MAX_LEN ? data_len : WK_HEAD_MAX_LEN;
	const char *p = data;
	struct wk_head head;
	size_t at = 0;
	int rc;

	do {
		rc = parse_one(p + at, seen - at, &head);
		if (rc == -EAGAIN && data_len >= WK_HEAD_MAX_LEN)
			return WA_ELIMIT;
		if (rc < 0)
			return rc;
		at += head.len;
	} while (head.status < 200 && head.status != 101);
	head.len = at;
	*head_out = head;
	return 0;
}

int wk_head_next(const struct wk_head *head, size_t *pos, struct wk_header *h_out)
{
	const char *p = head->lines + *pos;
	size_t left = head->lines_len - *pos;
	const char *end, *v;
	size_t name_len = 0;

	if (left == 0)
		return 0;
	end = memmem(p, left, "\r\n", 2);
	if (end == NULL)
		return WA_EPROTO;
	while (p + name_len < end && is_token_char(p[name_len]))
		name_len++;
	if (name_len == 0 || p + name_len == end || p[name_len] != ':')
		return WA_EPROTO;
	*pos += (size_t)(end - p) + 2;
	h_out->name = p;
	h_out->name_len = name_len;
	for (v = p + name_len + 1; v < end && (*v == ' ' || *v == '\t'); v++)
		;
	while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	h_out->value = v;
	h_out->value_len = (size_t)(end - v);
	return 1;
}

_Bool wk_header_is(const struct wk_header *h, const char *name)
{
	return h->name_len == strlen(name) && strncasecmp(h->name, name, h->name_len) == 0;
}

_Bool wk_header_has(const struct wk_header *h, const char *word)
{
	const char *p = h->value, *end = h->value + h->value_len;
	size_t word_len = strlen(word);

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma != NULL ? comma : end;
		const char *last = stop;

		while (p < last && (*p == ' ' || *p == '\t'))
			p++;
		while (last > p && (last[-1] == ' ' || last[-1] == '\t'))
			last--;
		if ((size_t)(last - p) == word_len && strncasecmp(p, word, word_len) == 0)
			return true;
		p = stop + 1;
	}
	return false;
}

/* ---- the answer to an upgrade ------------------------------------------------------------ */

struct seen {
	bool upgrade, connection, accept;
};

/* NULL, or what is wrong with this header. */
static const char *check_header(const struct wk_upgrade *u, const struct wk_header *h,
                                struct seen *s)
{
	if (wk_header_is(h, "Upgrade")) {
		s->upgrade = wk_header_has(h, "websocket");
	} else if (wk_header_is(h, "Connection")) {
		s->connection |= wk_header_has(h, "upgrade");
	} else if (wk_header_is(h, "Sec-WebSocket-Accept")) {
		if (s->accept)
			return "two Sec-WebSocket-Accept headers";
		if (h->value_len != strlen(u->accept) ||
		    memcmp(h->value, u->accept, h->value_len) != 0)
			return "Sec-WebSocket-Accept does not match";
		s->accept = true;
	} else if (wk_header_is(h, "Sec-WebSocket-Extensions")) {
		return "an extension that was not asked for";
	} else if (wk_header_is(h, "Sec-WebSocket-Protocol")) {
		return "a subprotocol that was not asked for";
	}
	return NULL;
}

static const char *check_headers(const struct wk_upgrade *u, const struct wk_head *head)
{
	struct seen seen = { 0 };
	struct wk_header h;
	size_t pos = 0;
	const char *why;
	int rc;

	while ((rc = wk_head_next(head, &pos, &h)) > 0) {
		why = check_header(u, &h, &seen);
		if (why != NULL)
			return why;
	}
	if (rc < 0)
		return "malformed header line";
	if (!seen.upgrade)
		return "no Upgrade: websocket";
	if (!seen.connection)
		return "no Connection: Upgrade";
	if (!seen.accept)
		return "no Sec-WebSocket-Accept";
	return NULL;
}

int wk_upgrade_check(const struct wk_upgrade *u, const void *data, size_t data_len,
                     size_t *head_len_out, const char **why_out, unsigned *status_out)
{
	struct wk_head head;
	int rc = wk_head_parse(data, data_len, &head);

	*status_out = 0;
	if (rc == -EAGAIN)
		return rc;
	if (rc < 0) {
		*why_out =
		    rc == WA_ELIMIT ? "the response head is too long" : "the answer is not HTTP";
		return WA_EHANDSHAKE;
	}
	*status_out = head.status;
	*why_out =
	    head.status != 101 ? "the server did not switch protocols" : check_headers(u, &head);
	if (*why_out != NULL)
		return WA_EHANDSHAKE;
	*head_len_out = head.len;
	return 0;
}
