/*
 * tests/unit/wk_fake_net.h - a session with a network, a server and a phone that do as they are
 * told
 *
 * Stands in for wk_dial, wk_conn and wk_version at link time; store, pairing and bring-up are real.
 * One session at a time.
 */
#ifndef WK_FAKE_NET_H
#define WK_FAKE_NET_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "worker/session/wk_session_priv.h"
#include "worker/wa/node/wa_node.h"

#define FAKE_SENT_MAX 128
#define FAKE_JID "5511999999999:7@s.whatsapp.net"
#define FAKE_LID "100000000000001:7@lid"
#define FAKE_ADDRESS "127.0.0.1:9"

struct fake {
	struct event_base *base;
	struct wk_session *s;
	char dir[PATH_MAX];
	uint8_t key[SEALED_KEY_LEN];
	bool expect_link;          /* what the gateway says of the store */
	uint64_t store_generation; /* as above */

	/* what the session told */
	unsigned steps, codes, pairing_codes, passkeys, linked, online, profiles, downs, failed;
	unsigned logouts, dial_asks, version_asks, version_founds, ended;
	int last_step;
	struct wk_code code;
	char pairing_code[16];
	uint32_t pairing_code_ms;
	enum wk_passkey_stage passkey;
	struct wk_failure failure, down, logout; /* logout.rc 0: done */
	unsigned down_attempt;
	uint64_t down_ms;
	uint32_t version_used, version_found;
	bool stored_when_linked; /* there was a link on disk when it was told */

	/* of the phone; NULL: "android", none */
	const char *platform, *business_name;

	/* what went to the network */
	unsigned dials, conns, closes, lookups;
	bool dialling, open, closing, used_ik, looking_up;
	uint16_t dial_proxy_port; /* of the last dial; 0: directly */
	size_t routing_len;
	struct buf payload;
	int send_rc;
	struct wa_node *sent[FAKE_SENT_MAX];
	unsigned sent_n, read_n;
};

/* A session in a directory of its own; the test's one. */
void fake_setup(struct fake *f);
void fake_setup_speed(struct fake *f, unsigned speed);
/* Another process for the same instance. */
void fake_restart(struct fake *f);
void fake_teardown(struct fake *f);

/* CONNECT. number NULL: by QR. */
void fake_connect(struct fake *f, Ipc__Connect__Mode mode, const char *number);
/* Pass of the loop: everything that is due now. */
void fake_pass(struct fake *f);
/* The loop runs until the session's end. */
void fake_run(struct fake *f);

/* The dial ends; the connection gets as far as Noise. */
void fake_dialled(struct fake *f);
/* Both, after the permission if that is waited for. */
void fake_up(struct fake *f);
void fake_dial_fails(struct fake *f, int rc);
void fake_conn_ends(struct fake *f, int rc);
void fake_version(struct fake *f, int rc, uint32_t revision);

/* A stanza comes; it is freed. */
void fake_rx(struct fake *f, struct wa_node *n);
void fake_rx_failure(struct fake *f, const char *reason);
/* code, child, type: NULL: none. */
void fake_rx_stream_error(struct fake *f, const char *code, const char *child, const char *type);
void fake_rx_pair_device(struct fake *f);
void fake_rx_notification(struct fake *f, const char *type);
/* The phone signs; wrong: with another secret. */
void fake_rx_pair_success(struct fake *f, bool wrong);
/* The same with these bytes as what the phone has signed. */
void fake_rx_device_identity(struct fake *f, const uint8_t *id, size_t len);
void fake_rx_success(struct fake *f);

/* The next stanza sent that was not read yet, or NULL. */
const struct wa_node *fake_sent(struct fake *f);
/* Skip to one with this tag (and first child, unless NULL). */
const struct wa_node *fake_sent_find(struct fake *f, const char *tag, const char *child);

/* All the way. fake_log_in() does not look where it has led. */
void fake_link(struct fake *f);
void fake_log_in(struct fake *f);
void fake_login(struct fake *f);

/* Is there a file of this name (prefix) in the instance's directory? */
bool fake_has_file(const struct fake *f, const char *prefix);

#endif
