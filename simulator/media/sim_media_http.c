/* simulator/media/sim_media_http.c - the media host: one request on a connection */
#include "simulator/media/sim_media_http.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/media/sim_media.h"
#include "simulator/media/sim_media_fault.h"
#include "simulator/media/sim_media_target.h"
#include "simulator/server/sim_client_priv.h"

#define PIECE 65536
#define IDLE_MS 60000
#define CHUNK_LINE_MAX 64
#define PACE_MS 50

struct sim_media_request {
	struct sim_client *c; /* borrowed */
	enum sim_http_method method;
	char *target; /* owned; path and query */
	size_t path_len;
	struct sim_media_fault fault;
	/* the body of an upload */
	struct buf body;
	uint64_t body_left;  /* of the body, or of the present chunk */
	bool chunked, whole; /* whole: all of it is here */
	bool has_range;
	uint64_t range_first, range_last;
	/* the answer */
	struct sim_media_blob *blob; /* held; its bytes from at to end are sent */
	uint64_t at, end, noise;     /* noise: bytes that follow the file */
	bool answered;
};

static void answer(struct sim_media_request *r);

int sim_media_request_new(struct sim_client *c, const struct sim_http_request *req,
                          struct sim_media_request **r_out)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct sim_media_request *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->target = strndup(req->target, req->target_len);
	if (r == NULL || r->target == NULL) {
		free(r);
		return -ENOMEM;
	}
	r->c = c;
	r->method = req->method;
	r->path_len = strcspn(r->target, "?");
	r->body_left = req->body_len;
	r->chunked = req->chunked;
	r->whole = !req->chunked && req->body_len == 0;
	r->has_range = req->has_range;
	r->range_first = req->range_first;
	r->range_last = req->range_last;
	r->fault = sim_media_faults_take(c->sim->media_faults, r->method, r->target);
	*r_out = r;
	sim_client_deadline(c, IDLE_MS);
	if (req->expects)
		sim_wire_write(c->wire, go_on, sizeof(go_on) - 1);
	return 0;
}

void sim_media_request_free(struct sim_media_request *r)
{
	if (r == NULL)
		return;
	sim_media_release(r->blob);
	buf_free(&r->body);
	free(r->target);
	free(r);
}

/* ---- sending -----------------------------------------------------------------------------------
 */

static void finish(struct sim_media_request *r)
{
	sim_client_end(r->c, "answered");
}

/* One piece of the file, with the bit of fault corrupt or mac flipped. */
static void send_piece(struct sim_media_request *r)
{
	uint8_t piece[PIECE];
	size_t n = r->end - r->at < PIECE ? (size_t)(r->end - r->at) : PIECE;
	uint64_t spoiled = UINT64_MAX, len = r->blob->data.len;

	if (r->fault.kind == SIM_MF_CORRUPT)
		spoiled = r->fault.has_offset ? r->fault.offset : len / 2;
	if (r->fault.kind == SIM_MF_MAC)
		spoiled = len - 1;
	memcpy(piece, r->blob->data.p + r->at, n);
	if (spoiled >= r->at && spoiled - r->at < n)
		piece[spoiled - r->at] ^= 0x10;
	r->at += n;
	sim_wire_write(r->c->wire, piece, n);
}

static void send_noise(struct sim_media_request *r)
{
	static const uint8_t piece[PIECE];
	size_t n = r->noise < PIECE ? (size_t)r->noise : PIECE;

	r->noise -= n;
	sim_wire_write(r->c->wire, piece, n);
}

void sim_media_request_drained(struct sim_media_request *r)
{
	if (!r->answered || !sim_wire_is_live(r->c->wire))
		return;
	sim_client_deadline(r->c, IDLE_MS);
	if (r->blob != NULL && r->at < r->end)
		send_piece(r);
	else if (r->blob != NULL && r->fault.kind == SIM_MF_STALL)
		sim_client_deadline(r->c, 0);
	else if (r->noise > 0)
		send_noise(r);
	else
		finish(r);
}

static void send_head(struct sim_media_request *r, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void send_head(struct sim_media_request *r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->answered = true;
	sim_wire_write(r->c->wire, text, n < 0 ? 0 : (size_t)n);
	sim_media_request_drained(r); /* the first piece goes along */
}

static void send_status(struct sim_media_request *r, unsigned status)
{
	struct buf out = { 0 };

	r->answered = true;
	if (sim_http_answer_status(status, &out) == 0)
		sim_wire_write(r->c->wire, out.p, out.len);
	buf_free(&out);
	finish(r);
}

static void send_json(struct sim_media_request *r, const char *body)
{
	send_head(r,
	          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	          "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
	          strlen(body), body);
}

/* ---- uploads -----------------------------------------------------------------------------------
 */

static void upload(struct sim_media_request *r)
{
	char auth[SIM_MEDIA_AUTH_CAP], path[SIM_MEDIA_PATH_CAP], url[SIM_MEDIA_URL_CAP];
	char body[SIM_MEDIA_PATH_CAP + SIM_MEDIA_URL_CAP + 128];
	struct sim_media *m = r->c->sim->media;
	uint8_t named[SIM_HASH_LEN], hash[SIM_HASH_LEN];
	struct sim_media_blob *b;
	enum sim_media_kind kind;
	int rc;

	if (!sim_media_mms_path(r->target, &kind, named)) {
		send_status(r, 400);
		return;
	}
	if (!sim_media_query(r->target, "auth", auth, sizeof(auth)) ||
	    !sim_media_auth_ok(m, auth, strlen(auth))) {
		send_status(r, 401);
		return;
	}
	if (wa_sha256(r->body.p, r->body.len, hash) < 0 || memcmp(hash, named, sizeof(hash)) != 0) {
		send_status(r, 415); /* TOKEN is not the hash of what came */
		return;
	}
	rc = sim_media_store(m, kind, r->body.p, r->body.len, &b);
	if (rc < 0) {
		send_status(r, rc == WA_ELIMIT ? 413 : 500);
		return;
	}
	b->puts++;
	sim_media_direct_path(b, path);
	sim_media_url(path, url);
	snprintf(body, sizeof(body),
	         "{\"url\":\"%s\",\"direct_path\":\"%s\",\"handle\":\"sim-%" PRIu64
	         "\",\"object_id\":\"%" PRIu64 "\"}",
	         url, path, b->number, b->number);
	send_json(r, body);
}

static void drop(struct sim_media_request *r)
{
	char auth[SIM_MEDIA_AUTH_CAP];
	struct sim_media *m = r->c->sim->media;
	uint8_t hash[SIM_HASH_LEN];
	struct sim_media_blob *b;
	enum sim_media_kind kind;

	if (!sim_media_mms_path(r->target, &kind, hash)) {
		send_status(r, 400);
		return;
	}
	if (!sim_media_query(r->target, "auth", auth, sizeof(auth)) ||
	    !sim_media_auth_ok(m, auth, strlen(auth))) {
		send_status(r, 401);
		return;
	}
	b = sim_media_find_hash(m, hash);
	if (b == NULL) {
		send_status(r, 404);
		return;
	}
	sim_media_drop(m, b);
	send_json(r, "{}");
}

/* ---- downloads ---------------------------------------------------------------------------------
 */

static void send_file(struct sim_media_request *r)
{
	uint64_t len = r->blob->data.len, promised;
	bool ranged = r->has_range;
	char range[96] = "", length[64] = "";

	r->at = ranged ? r->range_first : 0;
	r->end = ranged && r->range_last < len ? r->range_last + 1 : len;
	if (r->at >= len && len > 0) {
		send_status(r, 416);
		return;
	}
	promised = r->end - r->at;
	if (r->fault.kind == SIM_MF_TRUNCATE || r->fault.kind == SIM_MF_STALL ||
	    r->fault.kind == SIM_MF_SHORT) {
		uint64_t cut = r->fault.has_offset ? r->fault.offset : promised / 2;

		if (cut < promised)
			r->end = r->at + cut;
	}
	if (r->fault.kind == SIM_MF_SHORT)
		promised = r->end - r->at;
	if (r->fault.kind == SIM_MF_ENDLESS)
		r->noise = r->fault.bytes != 0 ? r->fault.bytes : UINT64_C(1) << 30;
	if (r->fault.kind != SIM_MF_ENDLESS && r->fault.kind != SIM_MF_NO_LENGTH)
		snprintf(length, sizeof(length), "Content-Length: %" PRIu64 "\r\n", promised);
	if (ranged)
		snprintf(range, sizeof(range),
		         "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", r->at,
		         r->at + promised - 1, len);
	if (r->method == SIM_HTTP_HEAD)
		r->end = r->at;
	if (r->fault.kind == SIM_MF_SLOW) {
		uint32_t rate = r->fault.rate != 0 ? r->fault.rate : 4096;

		sim_wire_pace(r->c->wire, rate >= 20 ? rate / (1000 / PACE_MS) : 1, PACE_MS);
	}
	r->blob->gets++;
	send_head(r,
	          "HTTP/1.1 %s\r\nContent-Type: application/octet-stream\r\n"
	          "Accept-Ranges: bytes\r\n%s%sConnection: close\r\n\r\n",
	          ranged ? "206 Partial Content" : "200 OK", length, range);
}

static void download(struct sim_media_request *r)
{
	char text[64];
	uint8_t hash[SIM_HASH_LEN];
	struct sim_media *m = r->c->sim->media;

	r->blob = sim_media_find(m, r->target, r->path_len);
	if (r->blob == NULL) {
		send_status(r, 404);
		return;
	}
	sim_media_hold(r->blob);
	if (strchr(r->target, '?') == NULL || strstr(r->target, "oh=01_") == NULL) {
		send_status(r, 403); /* a path without its signature */
		return;
	}
	if (sim_media_query(r->target, "hash", text, sizeof(text)) &&
	    (!sim_media_read_hash(text, strlen(text), hash) ||
	     memcmp(hash, r->blob->enc_sha256, sizeof(hash)) != 0)) {
		send_status(r, 403);
		return;
	}
	send_file(r);
}

/* ---- requests ----------------------------------------------------------------------------------
 */

/* Faults that come before any answer. True: that was one. */
static bool refuse(struct sim_media_request *r)
{
	switch (r->fault.kind) {
	case SIM_MF_STATUS:
		send_status(r, r->fault.code != 0 ? r->fault.code : 404);
		return true;
	case SIM_MF_CLOSE:
		finish(r);
		return true;
	case SIM_MF_RESET:
		sim_wire_reset(r->c->wire);
		return true;
	case SIM_MF_REDIRECT:
		send_head(r,
		          "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n"
		          "Connection: close\r\n\r\n",
		          r->fault.location);
		return true;
	case SIM_MF_NONE:
	case SIM_MF_TRUNCATE:
	case SIM_MF_CORRUPT:
	case SIM_MF_MAC:
	case SIM_MF_SLOW:
	case SIM_MF_STALL:
	case SIM_MF_SHORT:
	case SIM_MF_ENDLESS:
	case SIM_MF_NO_LENGTH:
		break;
	}
	return false;
}

static void answer(struct sim_media_request *r)
{
	LOG(NULL, LOG_DEBUG, "media_request", LF_INT("client", r->c->id),
	    LF_INT("method", r->method), LF_INT("body", r->body.len));
	if (refuse(r))
		return;
	if (r->method == SIM_HTTP_POST)
		upload(r);
	else if (r->method == SIM_HTTP_DELETE)
		drop(r);
	else
		download(r);
}

static int take_body(struct sim_media_request *r, struct evbuffer *in)
{
	size_t have = evbuffer_get_length(in);
	size_t n = r->body_left < have ? (size_t)r->body_left : have;
	int rc;

	if (r->body.len + n > SIM_MEDIA_FILE_MAX)
		return WA_ELIMIT;
	rc = buf_reserve(&r->body, n);
	if (rc < 0)
		return rc;
	evbuffer_remove(in, r->body.p + r->body.len, n);
	r->body.len += n;
	r->body_left -= n;
	return 0;
}

/* The line that begins a chunk, or ends the one before. 0; 1: more must come; WA_EPROTO. */
static int chunk_line(struct sim_media_request *r, struct evbuffer *in)
{
	size_t len = 0;
	char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF_STRICT), *end;
	unsigned long long n;

	if (line == NULL)
		return evbuffer_get_length(in) > CHUNK_LINE_MAX ? WA_EPROTO : 1;
	if (len == 0) { /* behind a chunk's data, or after the last chunk */
		free(line);
		return 0;
	}
	n = strtoull(line, &end, 16);
	if (hex_digit(line[0]) < 0 || (*end != '\0' && *end != ';') || n > SIM_MEDIA_FILE_MAX) {
		free(line);
		return WA_EPROTO;
	}
	free(line);
	r->body_left = n;
	r->whole = n == 0;
	return 0;
}

void sim_media_request_feed(struct sim_media_request *r, struct evbuffer *in)
{
	int rc = 0;

	sim_client_deadline(r->c, IDLE_MS);
	if (r->answered) {
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	while (rc == 0 && !r->whole && evbuffer_get_length(in) > 0) {
		if (r->body_left > 0)
			rc = take_body(r, in);
		else
			rc = chunk_line(r, in);
		if (!r->chunked)
			r->whole = r->body_left == 0;
	}
	if (rc < 0)
		send_status(r, rc == WA_ELIMIT ? 413 : 400);
	else if (r->whole)
		answer(r);
}
