/* tests/unit/signal_store.c - one account's Signal keys and records in memory */
#include "signal_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

static int call(struct sigstore *st)
{
	st->calls++;
	return st->fail_at != 0 && --st->fail_at == 0 ? -EIO : 0;
}

struct sigstore_record *sigstore_find(struct sigstore *st, const char *key)
{
	for (size_t i = 0; i < st->records_n; i++) {
		if (strcmp(st->records[i].key, key) == 0)
			return &st->records[i];
	}
	return NULL;
}

static int load(struct sigstore *st, const char *key, struct buf *out)
{
	struct sigstore_record *r = sigstore_find(st, key);

	if (call(st) < 0)
		return -EIO;
	return r == NULL ? -ENOENT : buf_append(out, r->value.p, r->value.len);
}

static int save(struct sigstore *st, const char *key, const void *p, size_t n)
{
	struct sigstore_record *r = sigstore_find(st, key);

	if (call(st) < 0)
		return -EIO;
	st->writes++;
	if (r == NULL) {
		MUST(st->records_n < SIGSTORE_RECORDS);
		r = &st->records[st->records_n++];
		snprintf(r->key, sizeof(r->key), "%s", key);
	}
	buf_reset(&r->value);
	return buf_append(&r->value, p, n);
}

static void key_of(char out[256], const char *kind, const char *group,
                   const struct wa_signal_addr *addr)
{
	char text[WA_SIGNAL_ADDR_TEXT_CAP];

	wa_signal_addr_format(addr, text);
	snprintf(out, 256, "%s %s%s%s", kind, group == NULL ? "" : group, group == NULL ? "" : " ",
	         text);
}

static int on_session_load(void *arg, const struct wa_signal_addr *addr, struct buf *out)
{
	char key[256];

	key_of(key, "session", NULL, addr);
	return load(arg, key, out);
}

static int on_session_save(void *arg, const struct wa_signal_addr *addr, const uint8_t *p, size_t n)
{
	char key[256];

	key_of(key, "session", NULL, addr);
	return save(arg, key, p, n);
}

static int on_identity_load(void *arg, const struct wa_signal_addr *addr, uint8_t out[WA_KEY_LEN])
{
	struct buf b = { 0 };
	char key[256];
	int rc;

	key_of(key, "identity", NULL, addr);
	rc = load(arg, key, &b);
	if (rc == 0)
		memcpy(out, b.p, WA_KEY_LEN);
	buf_free(&b);
	return rc;
}

static int on_identity_save(void *arg, const struct wa_signal_addr *addr,
                            const uint8_t id[WA_KEY_LEN])
{
	char key[256];

	key_of(key, "identity", NULL, addr);
	return save(arg, key, id, WA_KEY_LEN);
}

static int on_prekey_load(void *arg, uint32_t id, struct wa_keypair *out)
{
	struct sigstore *st = arg;

	if (call(st) < 0)
		return -EIO;
	for (size_t i = 0; i < st->prekeys_n; i++) {
		if (st->prekeys[i].id == id) {
			*out = st->prekeys[i].kp;
			return 0;
		}
	}
	return -ENOENT;
}

static int on_prekey_remove(void *arg, uint32_t id)
{
	struct sigstore *st = arg;

	if (call(st) < 0)
		return -EIO;
	st->writes++;
	for (size_t i = 0; i < st->prekeys_n; i++) {
		if (st->prekeys[i].id == id)
			st->prekeys[i] = st->prekeys[--st->prekeys_n];
	}
	return 0;
}

static int on_signed_load(void *arg, uint32_t id, struct wa_keypair *out,
                          uint8_t sig_out[WA_SIG_LEN])
{
	struct sigstore *st = arg;

	if (call(st) < 0)
		return -EIO;
	if (id != st->signed_id)
		return -ENOENT;
	*out = st->signed_kp;
	memcpy(sig_out, st->signed_sig, WA_SIG_LEN);
	return 0;
}

static int on_sender_load(void *arg, const char *group, const struct wa_signal_addr *addr,
                          struct buf *out)
{
	char key[256];

	key_of(key, "sender", group, addr);
	return load(arg, key, out);
}

static int on_sender_save(void *arg, const char *group, const struct wa_signal_addr *addr,
                          const uint8_t *p, size_t n)
{
	char key[256];

	key_of(key, "sender", group, addr);
	return save(arg, key, p, n);
}

const struct wa_signal_store_ops sigstore_ops = {
	.session_load = on_session_load,
	.session_save = on_session_save,
	.identity_load = on_identity_load,
	.identity_save = on_identity_save,
	.prekey_load = on_prekey_load,
	.prekey_remove = on_prekey_remove,
	.signed_prekey_load = on_signed_load,
	.sender_key_load = on_sender_load,
	.sender_key_save = on_sender_save,
};

void sigstore_clear(struct sigstore *st)
{
	for (size_t i = 0; i < st->records_n; i++)
		buf_wipe(&st->records[i].value);
	memset(st, 0, sizeof(*st));
}

void sigstore_add_prekey(struct sigstore *st, uint32_t id, const struct wa_keypair *kp)
{
	MUST(st->prekeys_n < SIGSTORE_KEYS);
	st->prekeys[st->prekeys_n].id = id;
	st->prekeys[st->prekeys_n++].kp = *kp;
}

/* ---- a device -----------------------------------------------------------------------------------
 */

static void key_from(uint8_t a, uint8_t b, struct wa_keypair *kp_out)
{
	uint8_t priv[WA_KEY_LEN];

	memset(priv, a, sizeof(priv));
	priv[1] = b;
	MUST(wa_keypair_from_priv(priv, kp_out) == 0);
}

void sigpeer_init(struct sigpeer *p, uint8_t byte, const char *name, uint32_t device)
{
	static const uint8_t rnd[WA_SIG_LEN] = { 1 };
	uint8_t typed[1 + WA_KEY_LEN] = { 0x05 };
	struct wa_keypair kp;

	memset(p, 0, sizeof(*p));
	snprintf(p->addr.name, sizeof(p->addr.name), "%s", name);
	p->addr.device = device;
	p->own.registration_id = 1000u + byte;
	key_from(byte, 1, &p->own.identity);
	key_from(byte, 2, &p->store.signed_kp);
	p->store.signed_id = 9;
	memcpy(typed + 1, p->store.signed_kp.pub, WA_KEY_LEN);
	MUST(wa_xeddsa_sign(p->own.identity.priv, typed, sizeof(typed), rnd, p->store.signed_sig) ==
	     0);
	key_from(byte, 3, &kp);
	sigstore_add_prekey(&p->store, 77, &kp);
	MUST(wa_signal_new(&p->own, &sigstore_ops, &p->store, &p->signal) == 0);
}

void sigpeer_clear(struct sigpeer *p)
{
	wa_signal_free(p->signal);
	sigstore_clear(&p->store);
}

void sigpeer_bundle(const struct sigpeer *p, struct wa_prekey_bundle *b_out)
{
	memset(b_out, 0, sizeof(*b_out));
	b_out->registration_id = p->own.registration_id;
	memcpy(b_out->identity, p->own.identity.pub, WA_KEY_LEN);
	b_out->signed_prekey_id = p->store.signed_id;
	memcpy(b_out->signed_prekey, p->store.signed_kp.pub, WA_KEY_LEN);
	memcpy(b_out->signed_prekey_sig, p->store.signed_sig, WA_SIG_LEN);
	if (p->store.prekeys_n > 0) {
		b_out->has_prekey = true;
		b_out->prekey_id = p->store.prekeys[0].id;
		memcpy(b_out->prekey, p->store.prekeys[0].kp.pub, WA_KEY_LEN);
	}
}
