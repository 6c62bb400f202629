/* gateway/api/gw_web.c - the linking page */
#include "gateway/api/gw_web.h"

#include <string.h>
#include <strings.h>

#include "gateway/http/gw_req.h"

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
static bool is_known(const struct gw_req *req, const struct gw_web_file *f)
{
	const char *tags = gw_req_header(req, "if-none-match");

	return tags != NULL && strstr(tags, f->tag) != NULL;
}

static void answer(struct gw_req *req, const struct gw_web_file *f, const char *type, int status,
                   bool keep)
{
	bool gzip = gw_web_takes_gzip(gw_req_header(req, "accept-encoding"));

	gw_req_add_text(req, "Content-Security-Policy", f->policy);
	gw_req_add_text(req, "X-Content-Type-Options", "nosniff");
	gw_req_add_text(req, "Vary", "Accept-Encoding");
	if (keep) {
		gw_req_may_be_kept(req);
		gw_req_add_header(req, "ETag", "W/\"%s\"", f->tag);
	}
	if (keep && is_known(req, f)) {
		gw_req_reply_data(req, 304, "", NULL, 0);
		return;
	}
	if (gzip)
		gw_req_add_text(req, "Content-Encoding", "gzip");
	gw_req_reply_data(req, status, type, gzip ? f->gzip : f->text,
	                  gzip ? f->gzip_len : f->text_len);
}

void gw_web_answer(struct gw_req *req, int status, bool keep)
{
	gw_req_add_text(req, "X-Robots-Tag", "noindex");
	if (keep) /* else it has been said */
		gw_req_add_text(req, "Referrer-Policy", "no-referrer");
	answer(req, &gw_web_page, "text/html; charset=utf-8", status, keep);
}

void gw_web_answer_openapi(struct gw_req *req)
{
	answer(req, &gw_web_openapi, "application/json", 200, true);
}
