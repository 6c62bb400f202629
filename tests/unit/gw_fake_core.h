/*
 * tests/unit/gw_fake_core.h - registry and instances that do nothing but remember what they were
 * asked, for tests of the routes
 *
 * One account, acme, and one instance, shop, each with a token. Stands in for gw_registry*,
 * gw_instance* and the supervisor. Changes are told done at the next pass of the loop.
 */
#ifndef GW_FAKE_CORE_H
#define GW_FAKE_CORE_H

#include <stdbool.h>

#include "gateway/gw.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/webhook/gw_hook_config.h"

#define FAKE_ACME "acme-token-0123456789"
#define FAKE_SHOP "shop-token-0123456789"
#define FAKE_JID "5511999990000@s.whatsapp.net"

struct fake_core {
	struct gw *gw;
	/* what the instance is */
	enum gw_conn_state state;
	bool linked, gone;
	struct gw_code code; /* no text: none is live */
	struct gw_passkey passkey;
	struct gw_proxy proxy;
	/* what it answers */
	int connect_rc, reconnect_rc, logout_rc, answer_rc, confirm_rc;
	int change_rc; /* of a registry change, at once */
	int stored_rc; /* of its commit */
	unsigned wait_s;
	/* what it was asked */
	unsigned connects_n, reconnects_n, logouts_n, deletes_n, changes_n;
	char number[32], request_id[65];
	uint32_t history_days;
	bool watched; /* a caller waits */
	bool logging_out;
	char credential[4096];
	char *settings; /* text of the last change, owned */
	bool with_proxy;
	struct gw_hook_config *hooks; /* owned; NULL: none */
	uint8_t token_hash[GW_TOKEN_HASH_LEN];
	int64_t quota;
	gw_registry_token_end *token_end; /* who listens */
	void *token_end_arg;
};
extern struct fake_core core;

void fake_core_init(struct gw *gw);
void fake_core_clear(void);

/* Tell who waits. */
void fake_core_tell(enum gw_watch_event ev, const struct gw_reason *reason);
void fake_core_show_qr(const char *text);
void fake_core_show_pairing(const char *text);
/* reason NULL: done. */
void fake_core_logged_out(const struct gw_reason *reason);

#endif
