/*
 * tests/fuzz/fuzz_stanza_readers.c - a decrypted stanza, given to every reader there is
 *
 * Property: what a reader hands out keeps its bounds, no stanza is two things at once, and whatever
 * answers a stanza can be written.
 */
#include "fuzz.h"
#include "mutate.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/link/wa_adv.h"
#include "worker/wa/link/wa_link_code.h"
#include "worker/wa/link/wa_login.h"
#include "worker/wa/link/wa_pair.h"
#include "worker/wa/link/wa_passkey.h"
#include "worker/wa/stanza/wa_bundle.h"
#include "worker/wa/stanza/wa_prekey.h"
#include "worker/wa/stanza/wa_privacy_token.h"
#include "worker/wa/stanza/wa_receipt.h"
#include "worker/wa/stanza/wa_source.h"
#include "worker/wa/stanza/wa_stanza.h"
#include "worker/wa/stanza/wa_usync.h"

/* Read every byte, so that the sanitizer sees one that is not there. */
static void touch(const void *data, size_t len)
{
	const uint8_t *p = data;
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
}

static void touch_str(const char *s)
{
	if (s != NULL)
		touch(s, strlen(s));
}

static void require_encodes(struct wa_node *n)
{
	struct buf out = { 0 };

	FUZZ_REQUIRE(n == NULL || wa_stanza_encode(n, &out) == 0);
	buf_free(&out);
	wa_node_free(n);
}

static int read_pairing(const struct wa_node *n)
{
	struct wa_pair_success ps;
	struct wa_pair_device pd;
	int rc, hits = 0;

	rc = wa_pair_success_read(n, &ps);
	FUZZ_REQUIRE(rc == 0 || rc == WA_ESTATE || rc == WA_EPROTO);
	if (rc == 0) {
		FUZZ_REQUIRE(ps.device_identity_len >= 1 &&
		             ps.device_identity_len <= WA_DEVICE_IDENTITY_MAX_LEN);
		FUZZ_REQUIRE(ps.id[0] != '\0' && ps.server_unix_s >= 0);
		touch(ps.device_identity, ps.device_identity_len);
		touch_str(ps.jid);
		touch_str(ps.lid);
		touch_str(ps.platform);
		touch_str(ps.business_name);
		hits++;
	}
	rc = wa_pair_device_read(n, &pd);
	FUZZ_REQUIRE(rc == 0 || rc == WA_ESTATE || rc == WA_EPROTO);
	for (size_t i = 0; rc == 0 && i < pd.refs_n; i++)
		touch(pd.refs[i].p, pd.refs[i].len);
	return hits + (rc == 0);
}

static int read_link_code(const struct wa_node *n)
{
	struct wa_link_code lc = { .ref_len = 0 };
	struct wa_link_notice notice;
	int rc;

	rc = wa_link_code_take_ref(&lc, n);
	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO);
	FUZZ_REQUIRE((rc == 0) == (lc.ref_len > 0) && lc.ref_len <= WA_REF_MAX_LEN);
	rc = wa_link_code_notice(n, &notice);
	FUZZ_REQUIRE(rc == 0 || rc == WA_ESTATE || rc == WA_EPROTO);
	if (rc < 0)
		return 0;
	if (notice.stage != WA_LINK_OTHER) {
		FUZZ_REQUIRE(notice.ref_len >= 1 && notice.ref_len <= WA_REF_MAX_LEN);
		touch(notice.ref, notice.ref_len);
	}
	if (notice.stage == WA_LINK_PRIMARY_HELLO) {
		touch(notice.wrapped, WA_LINK_CODE_WRAPPED_LEN);
		touch(notice.primary_identity, WA_KEY_LEN);
	}
	return 1;
}

static int read_passkey(const struct wa_node *n)
{
	struct wa_passkey p = { .device_type = 1 };
	const char *json;
	size_t json_len;
	int rc;

	rc = wa_passkey_options(n, &json, &json_len);
	FUZZ_REQUIRE(rc == 0 || rc == -ENOENT || rc == WA_EPROTO);
	if (rc == 0) {
		FUZZ_REQUIRE(json_len >= 1 && json_len <= WA_PASSKEY_OPTIONS_MAX);
		touch(json, json_len);
	}
	rc = wa_passkey_take_ref(&p, n);
	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO);
	FUZZ_REQUIRE((rc == 0) == (p.ref[0] != '\0'));
	rc = wa_passkey_continue(&p, n);
	FUZZ_REQUIRE(rc == 0 || rc == WA_ESTATE || rc == WA_EPROTO);
	FUZZ_REQUIRE(p.continued == (rc == 0));
	return rc == 0;
}

static int read_ends(const struct wa_node *n)
{
	struct wa_connect_failure f;
	struct wa_stream_error e;
	struct wa_success s;
	int hits = 0;

	if (wa_success_read(n, &s) == 0) {
		FUZZ_REQUIRE(s.server_unix_s >= 0);
		touch_str(s.lid);
		touch_str(s.display_name);
		hits++;
	}
	if (wa_failure_read(n, &f) == 0) {
		touch_str(f.location);
		touch_str(f.message);
		hits++;
	}
	if (wa_stream_error_read(n, &e) == 0) {
		FUZZ_REQUIRE(e.end <= WA_STREAM_RETRY);
		touch_str(e.child);
		hits++;
	}
	return hits;
}

static int no_key(uint32_t id, uint8_t pub[WA_KEY_LEN], void *arg)
{
	unsigned *asked = arg;

	FUZZ_REQUIRE(id <= 0xffffff);
	*asked += 1;
	memset(pub, (int)(id & 0xff), WA_KEY_LEN);
	return *asked <= WA_PREKEY_DIGEST_MAX ? 0 : -ENOENT;
}

static int on_user(void *arg, const struct wa_usync_user *u)
{
	FUZZ_REQUIRE(u->user.user[0] != '\0' && u->user.device == 0);
	FUZZ_REQUIRE(u->devices_n <= WA_USYNC_DEVICES_MAX && (u->known || u->devices_n == 0));
	FUZZ_REQUIRE(u->lid.server[0] == '\0' || strcmp(u->lid.server, "lid") == 0);
	for (size_t i = 0; i < u->devices_n; i++) {
		FUZZ_REQUIRE(strcmp(u->devices[i].user, u->user.user) == 0);
		for (size_t j = 0; j < i; j++)
			FUZZ_REQUIRE(u->devices[i].device != u->devices[j].device);
	}
	*(unsigned *)arg += 1;
	return 0;
}

static void read_users(const struct wa_node *n)
{
	struct wa_privacy_token t;
	unsigned users = 0;
	int rc = wa_usync_each(n, on_user, &users);

	FUZZ_REQUIRE(rc == 0 || (rc == WA_EPROTO && users == 0));
	if (wa_privacy_token_read(n, &t) == 0) {
		FUZZ_REQUIRE(t.token_len >= 1 && t.token_len <= WA_PRIVACY_TOKEN_MAX);
		FUZZ_REQUIRE(t.user.user[0] != '\0' && t.user.device == 0 && t.unix_s >= 0);
		touch(t.token, t.token_len);
	}
}

static int on_receipt_item(void *arg, const struct wa_receipt_item *item)
{
	(void)arg;
	touch_str(item->message_id);
	touch_str(item->participant);
	return 0;
}

static int on_bundle(void *arg, const struct wa_bundle_answer *a)
{
	(void)arg;
	touch_str(a->jid);
	if (a->error == 0)
		touch(&a->bundle, sizeof(a->bundle));
	return 0;
}

/* Receipts, the senders of messages, keys of others. */
static void read_traffic(const struct wa_node *n)
{
	static const struct wa_own_users own = { "1", "77" };
	struct wa_receipt receipt;
	struct wa_retry retry;
	struct wa_source source;
	int rc = wa_receipt_read_node(n, &receipt);

	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO);
	FUZZ_REQUIRE(rc < 0 || (receipt.id != NULL && receipt.from != NULL));
	if (rc == 0)
		FUZZ_REQUIRE(wa_receipt_each(n, on_receipt_item, NULL) == 0);
	if (wa_retry_read(n, &retry) == 0) {
		FUZZ_REQUIRE(rc == 0);
		touch_str(retry.message_id);
		touch(retry.device_identity, retry.device_identity_len);
	}
	rc = wa_source_read(n, &own, &source);
	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO);
	if (rc == 0) {
		FUZZ_REQUIRE(source.id != NULL && source.chat.server[0] != '\0');
		FUZZ_REQUIRE(source.chat.device == 0);
		touch_str(source.push_name);
	}
	rc = wa_bundle_each(n, on_bundle, NULL);
	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO);
}

/* The registration, identity and signed pre-key of a device that is all zeros, so that a digest
 * can match it. */
static void read_answers(const struct wa_node *n)
{
	struct wa_device d = { .registration_id = 0 };
	unsigned asked = 0, code;
	const char *text;
	uint32_t count;
	int rc;

	code = wa_iq_error_code(n, &text);
	FUZZ_REQUIRE(code <= 999999 && (code != 0 || text == NULL));
	touch_str(text);
	rc = wa_prekey_count_read(n, &count);
	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO);
	rc = wa_prekey_digest_check(n, &d, no_key, &asked);
	FUZZ_REQUIRE(rc == 0 || rc == WA_EAUTH || rc == WA_EPROTO || rc == WA_ESTATE);
	FUZZ_REQUIRE(asked <= WA_PREKEY_DIGEST_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wa_node *n = NULL;

	if (wa_stanza_decode(data, size, &n) < 0)
		return 0;
	FUZZ_REQUIRE(read_pairing(n) + read_link_code(n) + read_passkey(n) + read_ends(n) <= 1);
	read_answers(n);
	read_users(n);
	read_traffic(n);
	require_encodes(wa_ack(n, "1:2@s.whatsapp.net", 0));
	require_encodes(wa_notification_ack(n));
	require_encodes(wa_pong(n));
	wa_node_free(n);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	return mut_node(m, data, size, out);
}
