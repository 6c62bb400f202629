/*
 * gateway/http/gw_gate.h - the strict reader of the raw request stream
 *
 * Bytes in, verdict out: no I/O, no clock. It frames exactly one request, keeps its head and passes
 * its body on piece by piece. Nothing behind the gate parses framing a second time, so there is no
 * second opinion that a smuggled request could use.
 *
 * It takes: HTTP/1.1 or 1.0; CRLF line ends (one empty line before the request is skipped, RFC 9112
 * section 2.2); methods of A-Z, "-" and "_"; targets in origin form made of RFC 3986 characters,
 * without %00 and, in the path, without an encoded slash or dot segments that lead above the root;
 * token header names directly followed by a colon; values without control characters and without a
 * tab at either end; exactly one Host that is a host (at most one in 1.0); at most one
 * Content-Length, digits only; Transfer-Encoding exactly "chunked", never with Content-Length or
 * in 1.0; chunk sizes of plain hex digits, no extensions, no trailer fields; no Expect but
 * "100-continue"; tokens and a few others at most once. Anything else is GW_GATE_BAD. Where servers
 * disagree about a byte, it is refused.
 */
#ifndef GW_GATE_H
#define GW_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

#define GW_GATE_HEAD_MAX 16384
#define GW_GATE_TARGET_MAX 8192
#define GW_GATE_FIELDS_MAX 64
#define GW_GATE_BODY_MAX (1024 * 1024)

/*
 * Fields that are looked for in every request: the gate notes where they are. single: they may come
 * once; two of them are two opinions about framing, about who asks, or about what the body is.
 */
#define GW_FIELD_LIST(X) \
	/* id, name in small letters, single */ \
	X(GW_FIELD_HOST, "host", true) \
	X(GW_FIELD_CONTENT_LENGTH, "content-length", true) \
	X(GW_FIELD_TRANSFER_ENCODING, "transfer-encoding", true) \
	X(GW_FIELD_CONNECTION, "connection", false) \
	X(GW_FIELD_EXPECT, "expect", true) \
	X(GW_FIELD_TOKEN, "token", true) \
	X(GW_FIELD_AUTHORIZATION, "authorization", true) \
	X(GW_FIELD_CONTENT_TYPE, "content-type", true) \
	X(GW_FIELD_X_REQUEST_ID, "x-request-id", true) \
	X(GW_FIELD_X_FORWARDED_FOR, "x-forwarded-for", false) \
	X(GW_FIELD_ORIGIN, "origin", true) \
	X(GW_FIELD_ACCEPT, "accept", false) \
	X(GW_FIELD_IF_MATCH, "if-match", true) \
	X(GW_FIELD_IF_NONE_MATCH, "if-none-match", true) \
	X(GW_FIELD_IF_MODIFIED_SINCE, "if-modified-since", true) \
	X(GW_FIELD_IF_UNMODIFIED_SINCE, "if-unmodified-since", true)

enum gw_field {
#define X(id, name, single) id,
	GW_FIELD_LIST(X)
#undef X
	    GW_FIELD_OTHER, /* none of them */
};
#define GW_FIELD_N GW_FIELD_OTHER

enum gw_gate_verdict {
	GW_GATE_MORE,      /* all bytes used; the request is not complete */
	GW_GATE_HEAD,      /* the head is complete: the questions below can be asked */
	GW_GATE_DATA,      /* a piece of the body; feed the rest next */
	GW_GATE_DONE,      /* the request is complete; no byte behind it was used */
	GW_GATE_BAD,       /* refused; stays so */
	GW_GATE_TOO_LARGE, /* the body is over the limit; stays so */
	GW_GATE_NO_MEMORY, /* stays so */
};

/* Embedded by its user; the members belong to gw_gate.c and gw_gate_head.c. */
struct gw_gate {
	struct buf head; /* from the request line on; its parts become NUL-terminated strings */
	uint64_t body_default; /* as given to gw_gate_init() */
	uint64_t body_max;     /* of this request */
	uint64_t body_len;     /* body bytes passed on so far */
	uint64_t left;         /* of the body, or of the chunk */
	uint64_t chunk_size;   /* while its digits are read */
	uint32_t line_len;     /* of the head line that is being read, without its CRLF */
	uint16_t target_at;
	uint16_t fields_n;
	uint8_t first[GW_FIELD_N]; /* 1 + where in fields the first of its name is; 0: none */
	uint8_t state;             /* enum in gw_gate.c */
	uint8_t verdict;
	uint8_t minor; /* HTTP/1.minor */
	uint8_t chunk_digits;
	bool skipped_line;
	bool chunked;
	bool expects_continue;
	bool close;
	bool keep_alive;
	struct {
		uint16_t name_at;
		uint16_t value_at;
		uint8_t kind;         /* enum gw_field */
	} fields[GW_GATE_FIELDS_MAX]; /* the first fields_n are set */
};

/* body_max: largest body, in bytes. */
void gw_gate_init(struct gw_gate *g, uint64_t body_max);
void gw_gate_clear(struct gw_gate *g);
/* Ready for the next request, with body_max as given to gw_gate_init(). */
void gw_gate_reset(struct gw_gate *g);
/* For this request only, between HEAD and the next feed: its route takes more, or less. */
void gw_gate_set_body_max(struct gw_gate *g, uint64_t body_max);

/*
 * data, data_len  the next bytes of the stream; borrowed
 * used_out        how many of them were used
 * piece_out       DATA: body bytes, inside data; piece_len_out their number
 * Call again with what is left until MORE, DONE or a refusal. After HEAD and after DATA it may be
 * called with data_len 0: a request without (more) body is DONE then.
 */
ATTR_NODISCARD enum gw_gate_verdict gw_gate_feed(struct gw_gate *g, const void *data,
                                                 size_t data_len, size_t *used_out,
                                                 const uint8_t **piece_out, size_t *piece_len_out);

/* Has any byte of a request been read? */
bool gw_gate_is_started(const struct gw_gate *g);
/* Has HEAD been said about this request? */
bool gw_gate_has_head(const struct gw_gate *g);

/* ---- the head, from GW_GATE_HEAD until reset; strings are borrowed -------------------------- */

const char *gw_gate_method(const struct gw_gate *g);
const char *gw_gate_target(const struct gw_gate *g);
/* 0 for HTTP/1.0, 1 for HTTP/1.1. */
unsigned gw_gate_minor(const struct gw_gate *g);
size_t gw_gate_fields_n(const struct gw_gate *g);
const char *gw_gate_field_name(const struct gw_gate *g, size_t i);
const char *gw_gate_field_value(const struct gw_gate *g, size_t i);
/* Which of those that are looked for it is, or GW_FIELD_OTHER. */
enum gw_field gw_gate_field_kind(const struct gw_gate *g, size_t i);
/* Value of the first field of that kind, or NULL. */
const char *gw_gate_value(const struct gw_gate *g, enum gw_field kind);
/* Value of the first field of that name (any case), or NULL: for those that have no enum gw_field.
 */
const char *gw_gate_find(const struct gw_gate *g, const char *name);
/* Is word an element of a field's comma-separated list? Any case. list NULL: no. */
bool gw_gate_list_has(const char *list, const char *word);
/* The client waits for "100 Continue" before it sends the body that it announced. */
bool gw_gate_expects_continue(const struct gw_gate *g);
/* May the connection be used again after this request, as far as the client is concerned? */
bool gw_gate_keeps_alive(const struct gw_gate *g);

#endif
