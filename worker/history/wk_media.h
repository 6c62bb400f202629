/*
 * worker/history/wk_media.h - files from WhatsApp's media servers: fetched, verified, opened
 *
 * The one way to a file: a message's media, a history blob, an app-state blob. Plaintext reaches
 * the sink as a stream before it could be verified: nobody may act on it until on_done said rc 0,
 * and on a retry the sink is told to begin anew. At most WK_MEDIA_AT_ONCE are fetched at a time,
 * the rest wait in their order. Everything goes through the instance's proxy.
 * Source: protocol notes 09.
 */
#ifndef WK_MEDIA_H
#define WK_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"
#include "worker/net/wk_url.h"
#include "worker/wa/history/wa_media.h"

struct event_base;
struct wa_node;
struct wk_failure;
struct wk_media;     /* of a session: hosts, what is on its way */
struct wk_media_get; /* one file */
struct wk_proxy;
struct wk_tls;

#define WK_MEDIA_AT_ONCE 2
#define WK_MEDIA_WAITING_MAX 64
#define WK_MEDIA_HOSTS_MAX 8

struct wk_media_params {
	struct event_base *base;
	const struct wk_tls *tls; /* all borrowed for its life */
	const struct log_ctx *log;
	const struct wk_url *chat; /* of the chat: with or without TLS as it has it */
	const char *ca_file;
	const char *origin;
	unsigned speed; /* divides every deadline */
	/* The proxy as it is now; NULL: none. Borrowed until wk_media_proxy_changes(). */
	const struct wk_proxy *(*proxy)(void *arg);
	/*
	 * The media hosts are not known: ask for them (<media_conn/>), wk_media_hosts() is the
	 * answer. False: there is no connection to ask over.
	 */
	bool (*ask_hosts)(void *arg);
	void *arg;
};

ATTR_NODISCARD int wk_media_new(const struct wk_media_params *params, struct wk_media **media_out);
/* What is on its way ends without a call. NULL is fine. */
void wk_media_free(struct wk_media *m);

/* The answer to ask_hosts: <iq><media_conn>, or NULL when there is none. */
void wk_media_hosts(struct wk_media *m, const struct wa_node *iq);
/* Before the proxy is replaced: no request may go on with the old one; they begin anew. */
void wk_media_proxy_changes(struct wk_media *m);

/* A file as a message or notice tells of it. All borrowed for the call. */
struct wk_media_file {
	enum wa_media_kind kind;
	uint64_t hand; /* whose work it is, should a worker die of it (wk_hand.h); 0: nobody's */
	const uint8_t *media_key;  /* 32 bytes */
	const char *direct_path;   /* NULL: by url */
	const char *url;           /* NULL: none */
	const uint8_t *sha256;     /* NULL: not told */
	const uint8_t *enc_sha256; /* NULL: the file is not encrypted */
	bool has_len;
	uint64_t len;         /* of the plaintext */
	uint64_t len_max;     /* of the plaintext; a larger one is WA_ELIMIT */
	uint32_t deadline_ms; /* for all of it */
};

struct wk_media_ops {
	/* The file begins (again): what came before is void. May be NULL. */
	int (*on_begin)(void *arg);
	/* Plaintext. 0, or a negative code that ends it. */
	wa_media_sink_fn *on_data;
	/*
	 * The stored bytes as they come, before on_data of the same bytes; may be NULL. For who
	 * keeps the file closed and opens it again when it has been verified.
	 */
	wa_media_sink_fn *on_stored;
	/*
	 * Last call. f->rc 0: complete and verified. WA_EMEDIA_GONE (403, 404, 410); WA_EAUTH,
	 * WA_EPROTO, WA_ETRUNC (not the file that was promised); WA_ELIMIT; WA_ETIMEOUT;
	 * WA_ENETWORK, WA_EDNS, WA_ETLS, WA_EPROXY_...; the sink's code; -ENOMEM.
	 */
	void (*on_done)(const struct wk_failure *f, void *arg);
};

/*
 * Fetch a file. Its callbacks come from the event loop, never from inside.
 * 0; -EINVAL: neither a path nor a url that may be fetched; WA_EAT_CAPACITY; -ENOMEM.
 */
ATTR_NODISCARD int wk_media_fetch(struct wk_media *m, const struct wk_media_file *file,
                                  const struct wk_media_ops *ops, void *arg,
                                  struct wk_media_get **get_out);
/* End it without another call. NULL is fine. Not from its callbacks: those return a code. */
void wk_media_cancel(struct wk_media_get *g);

#endif
