/* gateway/gw_web.c - the linking page */
#include "gateway/gw_web.h"

#include <string.h>
#include <strings.h>

#include "gateway/gw_req.h"

/* ";q=0" in all its spellings. */
static bool is_refused(const char *params, size_t len)
{
	const char *q = memmem(params, len, "q=0", 3);

	return q != NULL && strspn(q + 3, ".0 \t") == len - (size_t)(q + 3 - params);
}

bool gw_web_takes_gzip(const char *accept_encoding)
{
	const char *p = accept_encoding;
	size_t len, word_len;

	while (p != NULL && *p != '\0') {
		p += strspn(p, ", \t");
		len = strcspn(p, ",");
		word_len = strcspn(p, ",; \t");
		if (word_len == 4 && strncasecmp(p, "gzip", 4) == 0)
			return !is_refused(p + word_len, len - word_len);
		p += len;
	}
	return false;
}

/* The client has it as it is. */
static bool is_known(const struct gw_req *req)
{
	const char *tags = gw_req_header(req, "if-none-match");

	return tags != NULL && strstr(tags, gw_web_page.tag) != NULL;
}

void gw_web_answer(struct gw_req *req, int status, bool keep)
{
	bool gzip = gw_web_takes_gzip(gw_req_header(req, "accept-encoding"));
	const void *body = gzip ? gw_web_page.gzip : gw_web_page.text;
	size_t body_len = gzip ? gw_web_page.gzip_len : gw_web_page.text_len;

	gw_req_add_text(req, "Content-Security-Policy", gw_web_page.policy);
	gw_req_add_text(req, "X-Content-Type-Options", "nosniff");
	gw_req_add_text(req, "X-Robots-Tag", "noindex");
	gw_req_add_text(req, "Vary", "Accept-Encoding");
	if (keep) {
		gw_req_may_be_kept(req);
		gw_req_add_text(req, "Referrer-Policy", "no-referrer");
		gw_req_add_header(req, "ETag", "W/\"%s\"", gw_web_page.tag);
	}
	if (keep && is_known(req)) {
		gw_req_reply_data(req, 304, "", NULL, 0);
		return;
	}
	if (gzip)
		gw_req_add_text(req, "Content-Encoding", "gzip");
	gw_req_reply_data(req, status, "text/html; charset=utf-8", body, body_len);
}
