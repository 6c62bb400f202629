/*
 * worker/net/wk_version.h - which client version does WhatsApp Web have today?
 *
 * GET /sw.js on the host and port of the chat URL, over the same dial path, and a scan of the body
 * for client_revision. Source: protocol notes 03 section 3.
 */
#ifndef WK_VERSION_H
#define WK_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/net/wk_http_reader.h"
#include "worker/net/wk_url.h"

#define WK_VERSION_BODY_MAX (4u * 1024 * 1024)

/* ---- the answer, as bytes come in: no I/O ------------------------------------------------ */

struct wk_version_reader {
	struct wk_http_reader http;
	size_t seen;      /* bytes of the body */
	unsigned matched; /* characters of the pattern */
	enum { WK_SCAN_NAME, WK_SCAN_QUOTE, WK_SCAN_COLON, WK_SCAN_NUMBER } scan;
	unsigned number_digits;
	uint64_t number;
};

/* A zeroed reader is ready. */
void wk_version_reader_clear(struct wk_version_reader *r);

/*
 * 1: *revision_out is set. 0: more is needed. WA_EPROTO: not an answer we can use (status other
 * than 200, malformed, end of the body without a revision); WA_ELIMIT: over WK_VERSION_BODY_MAX.
 */
ATTR_NODISCARD int wk_version_feed(struct wk_version_reader *r, const void *data, size_t data_len,
                                   uint32_t *revision_out);

/* ---- the request ------------------------------------------------------------------------- */

struct event_base;
struct wk_failure;
struct wk_proxy;
struct wk_tls;
struct wk_version;

struct wk_version_ops {
	/* Exactly one of them, once, from the event loop. */
	void (*on_version)(uint32_t revision, void *arg);
	void (*on_failed)(const struct wk_failure *f, void *arg);
};

/*
 * url is borrowed and says where; proxy (NULL: none) is borrowed; the deadline is the caller's.
 * 0 or -ENOMEM.
 */
ATTR_NODISCARD int wk_version_new(struct event_base *base, const struct wk_tls *tls,
                                  const struct wk_url *url, const struct wk_proxy *proxy,
                                  const char *ca_file, uint32_t connect_ms,
                                  const struct wk_version_ops *ops, void *arg,
                                  struct wk_version **version_out);
/* What time it is there, by the answer's Date field (Unix s); 0: it has none. In its callbacks. */
int64_t wk_version_date(const struct wk_version *v);
/* NULL is fine; safe from its callbacks. */
void wk_version_free(struct wk_version *v);

#endif
