/*
 * gateway/api/gw_web.h - the linking page, one document with all that it needs in it, and openapi.json
 *
 * Made from web/ by make (web/bundle) and part of the program. What it may do is in its
 * Content-Security-Policy: its own script and style by their hashes, and requests to where it came
 * from; nothing else.
 */
#ifndef GW_WEB_H
#define GW_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_req;

/* Generated: web/page.c. */
struct gw_web_file {
	const uint8_t *text;
	size_t text_len;
	const uint8_t *gzip;
	size_t gzip_len;
	const char *policy; /* Content-Security-Policy */
	const char *tag;    /* of its text: 32 hex digits */
};
extern const struct gw_web_file gw_web_page;
extern const struct gw_web_file gw_web_openapi;

/* Does a client with this Accept-Encoding (NULL: none) take gzip? */
bool gw_web_takes_gzip(const char *accept_encoding);

/* Answer with the page. keep: a browser may keep it and asks only whether it has changed. */
void gw_web_answer(struct gw_req *req, int status, bool keep);
/* Answer with the description of the API, to be kept likewise. */
void gw_web_answer_openapi(struct gw_req *req);

#endif
