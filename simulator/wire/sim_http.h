/*
 * simulator/wire/sim_http.h - the one HTTP request at the start of a connection, parsed strictly
 *
 * Known are the WebSocket upgrade at /ws/chat, GET /sw.js (the version look-up), and the media
 * host's uploads, downloads and deletions under /mms/ and /v/. Source: RFC 6455 section 4.2, RFC
 * 9110 (ranges), RFC 9112; protocol notes 01 section 2, 03 section 3 and 09.
 */
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

#define SIM_HTTP_HEAD_MAX 8192
#define SIM_HTTP_ACCEPT_CAP 29

enum sim_http_kind { SIM_HTTP_UPGRADE, SIM_HTTP_VERSION, SIM_HTTP_MEDIA };
enum sim_http_method { SIM_HTTP_GET, SIM_HTTP_HEAD, SIM_HTTP_POST, SIM_HTTP_DELETE };

struct sim_http_request {
	enum sim_http_kind kind;
	char accept[SIM_HTTP_ACCEPT_CAP]; /* upgrade: the Sec-WebSocket-Accept that answers it */
	/* media */
	enum sim_http_method method;
	const char *target; /* path and query; borrowed from the head, no NUL behind it */
	size_t target_len;
	uint64_t body_len; /* of Content-Length */
	bool chunked;      /* Transfer-Encoding: chunked; body_len is 0 then */
	bool expects;      /* 100-continue */
	bool has_range;
	uint64_t range_first, range_last; /* range_last UINT64_MAX: to the end */
};

/* Bytes up to and including the empty line; 0: not there yet. */
size_t sim_http_head_len(const uint8_t *data, size_t data_len);

/*
 * Parse a complete head.
 * 0, or the HTTP status (400, 404, 405, 411, 426, 501, 505) of a request that is refused.
 */
ATTR_NODISCARD int sim_http_parse(const uint8_t *head, size_t head_len,
                                  struct sim_http_request *req_out);

/* Answers, appended to out. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_http_answer_upgrade(const struct sim_http_request *req, struct buf *out);
/* /sw.js: the revision as the real file holds it, with escaped quotes. */
ATTR_NODISCARD int sim_http_answer_version(uint32_t revision, struct buf *out);
ATTR_NODISCARD int sim_http_answer_status(unsigned status, struct buf *out);

#endif
