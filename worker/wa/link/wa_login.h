/*
 * worker/wa/link/wa_login.h - logging in, and the stanzas that end a stream
 *
 * Source: protocol notes 03 section 2.1 and 04 sections 2, 3 and 5.
 */
#ifndef WA_LOGIN_H
#define WA_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/node/wa_node.h"

struct wa_login {
	struct wa_version version;
	const char *jid;       /* own device JID: username and device come from it */
	const char *push_name; /* NULL or "": not known */
	uint32_t logins;       /* lc */
	uint32_t attempt;      /* connectAttemptCount; 0: left out */
};

/* Append a serialized ClientPayload for login. 0, WA_EPROTO (jid), -ENOMEM. */
ATTR_NODISCARD int wa_payload_login(const struct wa_login *l, struct buf *out);

/* Borrowed from the node. */
struct wa_success {
	const char *lid;       /* NULL: not said, or no device JID of lid */
	int64_t server_unix_s; /* 0: not said */
	const char *display_name;
};
/* 0 or WA_ESTATE (no <success>). */
ATTR_NODISCARD int wa_success_read(const struct wa_node *n, struct wa_success *out);

struct wa_connect_failure {
	uint32_t reason;      /* 0: missing or no number */
	uint32_t code;        /* of a temporary ban; 0: none */
	uint32_t expire_s;    /* from now; 0: not said */
	const char *location; /* borrowed, may be NULL */
	const char *message;  /* logout_message_subtext, else message; may be NULL */
};
/* 0 or WA_ESTATE (no <failure>). */
ATTR_NODISCARD int wa_failure_read(const struct wa_node *n, struct wa_connect_failure *out);

/* What a stream:error means; the order of evaluation is that of the notes. */
enum wa_stream_end {
	WA_STREAM_RESTART,      /* 515 */
	WA_STREAM_LOGGED_OUT,   /* 516, or conflict device_removed */
	WA_STREAM_REPLACED,     /* conflict replaced, or 409 */
	WA_STREAM_UNAUTHORIZED, /* 401 alone: the next login tells */
	WA_STREAM_THROTTLED,    /* 429 */
	WA_STREAM_RETRY, /* 5xx, missing ack, ping, not-well-formed, bad MAC, anything else */
};
struct wa_stream_error {
	enum wa_stream_end end;
	uint32_t code;     /* 0: none */
	const char *child; /* tag of the first child; NULL: none. Borrowed. */
};
/* 0 or WA_ESTATE (no <stream:error>). */
ATTR_NODISCARD int wa_stream_error_read(const struct wa_node *n, struct wa_stream_error *out);

#endif
