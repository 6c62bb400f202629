/* tests/unit/test_wa_signal.c - pairwise sessions: the published vectors, and everything wrong */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "signal_store.h"
#include "wa_vectors.h"
#include "worker/wa/signal/wa_signal.h"

/* ---- helpers ------------------------------------------------------------------------------------
 */

static struct sigpeer alice, bob;

static int setup(void **state)
{
	(void)state;
	sigpeer_init(&alice, 0x11, "998877665544332_1", 3);
	sigpeer_init(&bob, 0x22, "123456789012345_1", 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sigpeer_clear(&alice);
	sigpeer_clear(&bob);
	return 0;
}

static void meet(struct sigpeer *from, struct sigpeer *to)
{
	struct wa_prekey_bundle b;

	sigpeer_bundle(to, &b);
	assert_int_equal(wa_signal_take_bundle(from->signal, &to->addr, &b, NULL), 0);
}

static enum wa_enc seal(struct sigpeer *from, struct sigpeer *to, const char *text, struct buf *out)
{
	enum wa_enc type = WA_ENC_UNKNOWN;

	buf_reset(out);
	assert_int_equal(wa_signal_encrypt(from->signal, &to->addr, text, strlen(text), &type, out),
	                 0);
	return type;
}

static int open_raw(struct sigpeer *at, struct sigpeer *from, enum wa_enc type, const uint8_t *p,
                    size_t n, struct wa_signal_note *note)
{
	struct buf out = { 0 };
	unsigned writes = at->store.writes;
	int rc;

	rc = wa_signal_decrypt(at->signal, &from->addr, type, p, n, &out, note);
	if (rc < 0) {
		assert_int_equal(out.len, 0);
		assert_int_equal(at->store.writes, writes); /* a failure leaves no trace */
	}
	buf_wipe(&out);
	return rc;
}

static int open_it(struct sigpeer *at, struct sigpeer *from, enum wa_enc type,
                   const struct buf *cipher)
{
	return open_raw(at, from, type, cipher->p, cipher->len, NULL);
}

static void open_text(struct sigpeer *at, struct sigpeer *from, enum wa_enc type,
                      const struct buf *cipher, const char *text)
{
	struct buf out = { 0 };

	assert_int_equal(
	    wa_signal_decrypt(at->signal, &from->addr, type, cipher->p, cipher->len, &out, NULL),
	    0);
	assert_int_equal(out.len, strlen(text));
	assert_memory_equal(out.p, text, out.len);
	buf_wipe(&out);
}

/* Alice has written, Bob has answered: both send msg. */
static void converse(void)
{
	struct buf c = { 0 };

	meet(&alice, &bob);
	assert_int_equal(seal(&alice, &bob, "hello", &c), WA_ENC_PKMSG);
	open_text(&bob, &alice, WA_ENC_PKMSG, &c, "hello");
	assert_int_equal(seal(&bob, &alice, "yes?", &c), WA_ENC_MSG);
	open_text(&alice, &bob, WA_ENC_MSG, &c, "yes?");
	buf_free(&c);
}

/* ---- names and padding --------------------------------------------------------------------------
 */

static void test_addr_of_each_space(void **state)
{
	static const struct {
		const char *jid, *text;
	} cases[] = {
		{ "15550001111@s.whatsapp.net", "15550001111:0" },
		{ "15550001111:7@s.whatsapp.net", "15550001111:7" },
		{ "15550001111@c.us", "15550001111:0" },
		{ "100000000000001:99@lid", "100000000000001_1:99" },
		{ "15550001111:99@hosted", "15550001111_128:99" },
		{ "1:99@hosted.lid", "1_129:99" },
		{ "13135550002@bot", "13135550002:0" },
	};
	static const char *const none[] = {
		"120363021033254949@g.us", "status@broadcast", "s.whatsapp.net", "1@newsletter",
		"1_1@s.whatsapp.net",      "1a@lid",           "1@msgr",
	};
	char text[WA_SIGNAL_ADDR_TEXT_CAP];
	struct wa_signal_addr a;
	struct wa_jid jid;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(wa_jid_parse(cases[i].jid, strlen(cases[i].jid), &jid), 0);
		assert_int_equal(wa_signal_addr_from_jid(&jid, &a), 0);
		assert_int_equal(wa_signal_addr_format(&a, text), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		if (wa_jid_parse(none[i], strlen(none[i]), &jid) == 0)
			assert_int_equal(wa_signal_addr_from_jid(&jid, &a), WA_EPROTO);
	}
}

static void test_padding_vectors(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *p = vec_get(root, "padding"), *c;
	size_t i, n;

	(void)state;
	json_array_foreach(vec_get(p, "cases"), i, c)
	{
		struct buf plain = { 0 }, padded = { 0 };

		vec_hex(c, "plaintext", &plain);
		vec_hex(c, "padded", &padded);
		assert_int_equal(wa_unpad(padded.p, padded.len, &n), 0);
		assert_int_equal(n, plain.len);
		assert_int_equal(
		    wa_pad(&plain, (uint8_t)(json_integer_value(vec_get(c, "pad_byte")) - 1)), 0);
		vec_assert_hex(c, "padded", plain.p, plain.len);
		buf_free(&plain);
		buf_free(&padded);
	}
	json_array_foreach(vec_get(p, "invalid"), i, c)
	{
		struct buf padded = { 0 };

		vec_hex(c, "padded", &padded);
		assert_int_equal(wa_unpad(padded.p, padded.len, &n), WA_SIG_EMALFORMED);
		buf_free(&padded);
	}
	assert_int_equal(wa_unpad((const uint8_t *)"\x01\x02", 2, &n), WA_SIG_EMALFORMED);
	json_decref(root);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(wa_enc_parse("pkmsg"), WA_ENC_PKMSG);
	assert_int_equal(wa_enc_parse("msmsg"), WA_ENC_MSMSG);
	assert_int_equal(wa_enc_parse(""), WA_ENC_UNKNOWN);
	assert_int_equal(wa_enc_parse(NULL), WA_ENC_UNKNOWN);
	assert_string_equal(wa_enc_name(WA_ENC_SKMSG), "skmsg");
	assert_string_equal(wa_signal_err_name(WA_SIG_EMAC), "bad_mac");
	assert_null(wa_signal_err_name(-EIO));
	assert_int_equal(wa_signal_retry_reason(WA_SIG_ENOSESSION), 1);
	assert_int_equal(wa_signal_retry_reason(WA_SIG_EMAC), 7);
	assert_int_equal(wa_signal_retry_reason(-EIO), 0);
}

/* ---- the published session ----------------------------------------------------------------------
 */

struct script {
	uint8_t keys[4][WA_KEY_LEN];
	size_t keys_n, next;
	uint8_t pad;
};

static int scripted(void *arg, uint8_t *out, size_t n)
{
	struct script *s = arg;

	if (n == 1) {
		*out = (uint8_t)(s->pad - 1);
		return 0;
	}
	if (n != WA_KEY_LEN || s->next >= s->keys_n)
		return -1;
	memcpy(out, s->keys[s->next++], n);
	return 0;
}

static void script_key(struct script *s, const json_t *who, const char *name)
{
	vec_fixed(vec_get(who, name), "private", s->keys[s->keys_n++], WA_KEY_LEN);
}

/* A device with the vector's identity. */
static void peer_from(struct sigpeer *p, const json_t *who, const char *name, uint32_t device)
{
	uint8_t priv[WA_KEY_LEN];

	memset(p, 0, sizeof(*p));
	snprintf(p->addr.name, sizeof(p->addr.name), "%s", name);
	p->addr.device = device;
	p->own.registration_id = (uint32_t)json_integer_value(vec_get(who, "registration_id"));
	vec_fixed(vec_get(who, "identity"), "private", priv, sizeof(priv));
	assert_int_equal(wa_keypair_from_priv(priv, &p->own.identity), 0);
	assert_int_equal(wa_signal_new(&p->own, &sigstore_ops, &p->store, &p->signal), 0);
}

static void bob_keys(struct sigpeer *p, const json_t *who)
{
	const json_t *spk = vec_get(who, "signed_prekey"), *opk = vec_get(who, "one_time_prekey");
	uint8_t priv[WA_KEY_LEN];
	struct wa_keypair kp;

	p->store.signed_id = (uint32_t)json_integer_value(vec_get(spk, "id"));
	vec_fixed(spk, "private", priv, sizeof(priv));
	assert_int_equal(wa_keypair_from_priv(priv, &p->store.signed_kp), 0);
	vec_fixed(spk, "signature", p->store.signed_sig, WA_SIG_LEN);
	vec_fixed(opk, "private", priv, sizeof(priv));
	assert_int_equal(wa_keypair_from_priv(priv, &kp), 0);
	sigstore_add_prekey(&p->store, (uint32_t)json_integer_value(vec_get(opk, "id")), &kp);
}

/* Encrypt the step's plaintext: the published ciphertext must come out. */
static void encrypt_step(struct sigpeer *from, struct sigpeer *to, struct script *script,
                         const json_t *step)
{
	struct buf padded = { 0 }, out = { 0 };
	enum wa_enc type;

	vec_hex(step, "plaintext_padded", &padded);
	script->pad = padded.p[padded.len - 1];
	assert_int_equal(wa_signal_encrypt(from->signal, &to->addr, padded.p,
	                                   padded.len - script->pad, &type, &out),
	                 0);
	assert_string_equal(wa_enc_name(type), vec_str(step, "enc_type"));
	vec_assert_hex(step, "ciphertext", out.p, out.len);
	buf_free(&padded);
	buf_free(&out);
}

static void decrypt_step(struct sigpeer *at, struct sigpeer *from, const json_t *step)
{
	struct buf cipher = { 0 }, padded = { 0 }, out = { 0 };

	vec_hex(step, "ciphertext", &cipher);
	vec_hex(step, "plaintext_padded", &padded);
	assert_int_equal(wa_signal_decrypt(at->signal, &from->addr,
	                                   wa_enc_parse(vec_str(step, "enc_type")), cipher.p,
	                                   cipher.len, &out, NULL),
	                 0);
	assert_int_equal(out.len, padded.len - padded.p[padded.len - 1]);
	assert_memory_equal(out.p, padded.p, out.len);
	buf_free(&cipher);
	buf_free(&padded);
	buf_free(&out);
}

static void test_session_vector(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *v = vec_get(root, "signal_session"), *flow = vec_get(v, "flow");
	const json_t *va = vec_get(v, "alice"), *vb = vec_get(v, "bob");
	struct script sa = { 0 }, sb = { 0 };
	struct sigpeer a, b;

	(void)state;
	peer_from(&a, va, "998877665544332_1", 3);
	peer_from(&b, vb, "123456789012345_1", 0);
	bob_keys(&b, vb);
	script_key(&sa, va, "base_key");
	script_key(&sa, va, "ratchet_key_0");
	script_key(&sa, va, "ratchet_key_2");
	script_key(&sb, vb, "ratchet_key_1");
	script_key(&sb, vb, "ratchet_key_3");
	wa_signal_set_random(a.signal, scripted, &sa);
	wa_signal_set_random(b.signal, scripted, &sb);

	meet(&a, &b);
	encrypt_step(&a, &b, &sa, json_array_get(flow, 0));
	encrypt_step(&a, &b, &sa, json_array_get(flow, 1));
	decrypt_step(&b, &a, json_array_get(flow, 0));
	assert_int_equal(b.store.prekeys_n, 0); /* used up; step 2 does without */
	decrypt_step(&b, &a, json_array_get(flow, 1));
	encrypt_step(&b, &a, &sb, json_array_get(flow, 2));
	decrypt_step(&a, &b, json_array_get(flow, 2));
	for (size_t i = 3; i < 6; i++)
		encrypt_step(&a, &b, &sa, json_array_get(flow, i));
	decrypt_step(&b, &a, json_array_get(flow, 4)); /* overtakes */
	decrypt_step(&b, &a, json_array_get(flow, 3));
	decrypt_step(&b, &a, json_array_get(flow, 5));
	sigpeer_clear(&a);
	sigpeer_clear(&b);
	json_decref(root);
}

/* ---- errors -------------------------------------------------------------------------------------
 */

static void test_no_session(void **state)
{
	struct wa_signal_session_info info;
	struct buf c = { 0 };
	enum wa_enc type;

	(void)state;
	assert_int_equal(wa_signal_encrypt(alice.signal, &bob.addr, "x", 1, &type, &c),
	                 WA_SIG_ENOSESSION);
	assert_int_equal(wa_signal_session_info(alice.signal, &bob.addr, &info), WA_SIG_ENOSESSION);
	converse();
	seal(&alice, &bob, "lost", &c);
	sigstore_clear(&bob.store);
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &c), WA_SIG_ENOSESSION);
	buf_free(&c);
}

static void test_unknown_prekeys(void **state)
{
	struct buf c = { 0 };

	(void)state;
	meet(&alice, &bob);
	seal(&alice, &bob, "x", &c);
	bob.store.prekeys_n = 0;
	assert_int_equal(open_it(&bob, &alice, WA_ENC_PKMSG, &c), WA_SIG_ENOPREKEY);
	bob.store.prekeys_n = 1;
	bob.store.signed_id = 10;
	assert_int_equal(open_it(&bob, &alice, WA_ENC_PKMSG, &c), WA_SIG_ENOPREKEY);
	bob.store.signed_id = 9;
	open_text(&bob, &alice, WA_ENC_PKMSG, &c, "x");
	buf_free(&c);
}

static void test_duplicates_are_told(void **state)
{
	struct buf c = { 0 }, later = { 0 };

	(void)state;
	converse();
	seal(&alice, &bob, "one", &c);
	seal(&alice, &bob, "two", &later);
	open_text(&bob, &alice, WA_ENC_MSG, &c, "one");
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &c), WA_SIG_EDUPLICATE);
	open_text(&bob, &alice, WA_ENC_MSG, &later, "two");
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &c), WA_SIG_EDUPLICATE);
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &later), WA_SIG_EDUPLICATE);
	buf_free(&c);
	buf_free(&later);
}

static void test_duplicate_pkmsg_is_told(void **state)
{
	struct buf c = { 0 };

	(void)state;
	meet(&alice, &bob);
	seal(&alice, &bob, "x", &c);
	open_text(&bob, &alice, WA_ENC_PKMSG, &c, "x");
	assert_int_equal(open_it(&bob, &alice, WA_ENC_PKMSG, &c), WA_SIG_EDUPLICATE);
	buf_free(&c);
}

/* No byte of a message can be changed, and none left out. */
static void no_change_passes(enum wa_enc type, const struct buf *c)
{
	uint8_t *copy = malloc(c->len);

	assert_non_null(copy);
	for (size_t i = 0; i < c->len; i++) {
		memcpy(copy, c->p, c->len);
		copy[i] ^= 0x04;
		/* the registration id of a pkmsg and its version's low half are under no MAC */
		if (open_raw(&bob, &alice, type, copy, c->len, NULL) == 0)
			fail_msg("byte %zu of %zu", i, c->len);
	}
	for (size_t n = 0; n < c->len; n++)
		assert_true(open_raw(&bob, &alice, type, c->p, n, NULL) < 0);
	free(copy);
}

static void test_msg_changed_anywhere(void **state)
{
	struct buf c = { 0 };

	(void)state;
	converse();
	seal(&alice, &bob, "some text", &c);
	no_change_passes(WA_ENC_MSG, &c);
	c.p[c.len - 1] ^= 1;
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &c), WA_SIG_EMAC);
	c.p[c.len - 1] ^= 1;
	open_text(&bob, &alice, WA_ENC_MSG, &c, "some text");
	buf_free(&c);
}

static void test_pkmsg_cut_anywhere(void **state)
{
	struct buf c = { 0 };

	(void)state;
	meet(&alice, &bob);
	seal(&alice, &bob, "some text", &c);
	for (size_t n = 0; n < c.len; n++)
		assert_true(open_raw(&bob, &alice, WA_ENC_PKMSG, c.p, n, NULL) < 0);
	open_text(&bob, &alice, WA_ENC_PKMSG, &c, "some text");
	buf_free(&c);
}

/* Identity, signed pre-key and all of it look right until the MAC of what is inside: no trace yet.
 */
static void test_pkmsg_changed_anywhere(void **state)
{
	struct buf c = { 0 };
	unsigned bad_macs = 0, passed = 0;

	(void)state;
	meet(&alice, &bob);
	seal(&alice, &bob, "some text", &c);
	for (size_t i = 0; i < c.len; i++) {
		int rc;

		sigpeer_clear(&bob);
		sigpeer_init(&bob, 0x22, "123456789012345_1", 0);
		c.p[i] ^= 0x04;
		rc = open_it(&bob, &alice, WA_ENC_PKMSG, &c);
		bad_macs += rc == WA_SIG_EMAC;
		passed += rc == 0;
		c.p[i] ^= 0x04;
	}
	assert_true(bad_macs > 100);
	/* under no MAC: the low half of the version, the registration id, and its tag */
	assert_true(passed <= 5);
	buf_free(&c);
}

static void test_field_twice(void **state)
{
	struct buf c = { 0 }, twice = { 0 };

	(void)state;
	converse();
	seal(&alice, &bob, "x", &c);
	assert_int_equal(buf_append(&twice, c.p, 1), 0);
	assert_int_equal(buf_append(&twice, "\x10\x00", 2), 0);
	assert_int_equal(buf_append(&twice, c.p + 1, c.len - 1), 0);
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &twice), WA_SIG_EMALFORMED);
	buf_free(&c);
	buf_free(&twice);
}

static void test_versions_and_types(void **state)
{
	struct buf c = { 0 };

	(void)state;
	converse();
	seal(&alice, &bob, "x", &c);
	assert_int_equal(open_it(&bob, &alice, WA_ENC_SKMSG, &c), WA_SIG_EMALFORMED);
	assert_int_equal(open_it(&bob, &alice, WA_ENC_UNKNOWN, &c), WA_SIG_EMALFORMED);
	assert_int_equal(open_it(&bob, &alice, WA_ENC_PKMSG, &c), WA_SIG_EMALFORMED);
	c.p[0] = 0x23;
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &c), WA_SIG_EVERSION);
	c.p[0] = 0x43;
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &c), WA_SIG_EVERSION);
	assert_int_equal(open_raw(&bob, &alice, WA_ENC_MSG, c.p, 0, NULL), WA_SIG_EMALFORMED);
	assert_int_equal(
	    open_raw(&bob, &alice, WA_ENC_MSG, c.p, (size_t)WA_SIGNAL_CIPHER_MAX + 1, NULL),
	    WA_ELIMIT);
	buf_free(&c);
}

static void test_wire_form_is_strict(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[64];
		size_t len;
	} cases[] = {
		{ "no fields", { 0x33 }, 9 },
		{ "cut varint", { 0x33, 0x10, 0x80 }, 3 + 8 },
		{ "length over", { 0x33, 0x0a, 0x7f }, 3 + 8 },
		{ "field 0", { 0x33, 0x02, 0x00 }, 3 + 8 },
		{ "group", { 0x33, 0x0b }, 2 + 8 },
		{ "short key", { 0x33, 0x0a, 0x01, 0x05, 0x10, 0x00, 0x22, 0x00 }, 8 + 8 },
		{ "varint of 11 bytes",
		  { 0x33, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 },
		  13 + 8 },
		{ "counter as bytes", { 0x33, 0x12, 0x00 }, 3 + 8 },
		{ "counter twice", { 0x33, 0x10, 0x00, 0x10, 0x00 }, 5 + 8 },
		{ "17 unknown",
		  { 0x33, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38,
		    0,    0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38,
		    0,    0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0 },
		  35 + 8 },
	};

	(void)state;
	converse();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (open_raw(&bob, &alice, WA_ENC_MSG, cases[i].bytes, cases[i].len, NULL) !=
		    WA_SIG_EMALFORMED)
			fail_msg("%s", cases[i].what);
	}
}

static void test_too_far_ahead(void **state)
{
	struct buf c = { 0 };

	(void)state;
	converse();
	for (unsigned i = 0; i < 2001; i++)
		seal(&alice, &bob, "skipped", &c);
	open_text(&bob, &alice, WA_ENC_MSG, &c, "skipped"); /* 2000 skipped */
	for (unsigned i = 0; i < 2002; i++)
		seal(&alice, &bob, "skipped", &c);
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &c), WA_SIG_ETOOFAR);
	buf_free(&c);
}

static void test_bad_padding_is_refused(void **state)
{
	struct buf c = { 0 }, out = { 0 };
	struct script odd = { .pad = 16 };
	enum wa_enc type;

	(void)state;
	converse();
	/* pad byte 16, then cut it off by an inner text that ends in another byte */
	wa_signal_set_random(alice.signal, scripted, &odd);
	assert_int_equal(wa_signal_encrypt(alice.signal, &bob.addr, "", 0, &type, &c), 0);
	assert_int_equal(wa_signal_decrypt(bob.signal, &alice.addr, type, c.p, c.len, &out, NULL),
	                 0);
	assert_int_equal(out.len, 0); /* an empty message is only padding */
	buf_free(&c);
	buf_free(&out);
}

/* ---- identities ---------------------------------------------------------------------------------
 */

static void test_identity_change_is_told(void **state)
{
	struct wa_signal_note note = { 0 };
	struct buf c = { 0 }, old = { 0 };
	struct wa_keypair kp;
	struct sigpeer other;

	(void)state;
	converse();
	seal(&alice, &bob, "of the old phone", &old);
	sigpeer_init(&other, 0x33, alice.addr.name, alice.addr.device);
	kp = bob.store.signed_kp; /* any key will do for a second one-time key */
	sigstore_add_prekey(&bob.store, 78, &kp);
	meet(&other, &bob);
	seal(&other, &bob, "new phone", &c);
	assert_int_equal(open_raw(&bob, &other, WA_ENC_PKMSG, c.p, c.len, &note), 0);
	assert_true(note.identity_changed);
	assert_false(note.identity_new);
	assert_false(note.session_new);
	assert_int_equal(note.prekey_id, 78);
	/* the old identity's session opens nothing any more */
	assert_int_equal(open_it(&bob, &alice, WA_ENC_MSG, &old), WA_SIG_EMAC);
	sigpeer_clear(&other);
	buf_free(&c);
	buf_free(&old);
}

static void test_first_identity_is_told(void **state)
{
	struct wa_signal_note note = { 0 };
	struct buf c = { 0 };

	(void)state;
	meet(&alice, &bob);
	seal(&alice, &bob, "x", &c);
	assert_int_equal(open_raw(&bob, &alice, WA_ENC_PKMSG, c.p, c.len, &note), 0);
	assert_true(note.identity_new);
	assert_true(note.session_new);
	assert_false(note.identity_changed);
	assert_int_equal(note.prekey_id, 77);
	buf_free(&c);
}

static void test_identity_change_can_be_refused(void **state)
{
	struct wa_prekey_bundle b;
	struct sigpeer other;
	struct buf c = { 0 };

	(void)state;
	converse();
	wa_signal_free(bob.signal);
	bob.own.refuse_changed_identity = true;
	assert_int_equal(wa_signal_new(&bob.own, &sigstore_ops, &bob.store, &bob.signal), 0);
	seal(&alice, &bob, "same phone", &c);
	open_text(&bob, &alice, WA_ENC_MSG, &c, "same phone");
	sigpeer_init(&other, 0x33, alice.addr.name, alice.addr.device);
	meet(&other, &bob);
	seal(&other, &bob, "new phone", &c);
	assert_int_equal(open_it(&bob, &other, WA_ENC_PKMSG, &c), WA_SIG_EIDENTITY);
	sigpeer_bundle(&other, &b);
	assert_int_equal(wa_signal_take_bundle(bob.signal, &other.addr, &b, NULL),
	                 WA_SIG_EIDENTITY);
	sigpeer_clear(&other);
	buf_free(&c);
}

static void test_bundle_must_be_signed(void **state)
{
	struct wa_prekey_bundle b;

	(void)state;
	for (size_t i = 0; i < WA_SIG_LEN; i += 7) {
		sigpeer_bundle(&bob, &b);
		b.signed_prekey_sig[i] ^= 1;
		assert_int_equal(wa_signal_take_bundle(alice.signal, &bob.addr, &b, NULL),
		                 WA_SIG_EBUNDLE);
	}
	sigpeer_bundle(&bob, &b);
	b.signed_prekey[3] ^= 1;
	assert_int_equal(wa_signal_take_bundle(alice.signal, &bob.addr, &b, NULL), WA_SIG_EBUNDLE);
	assert_int_equal(alice.store.writes, 0);
}

static void test_bundle_without_one_time_key(void **state)
{
	struct wa_signal_note note = { 0 };
	struct wa_prekey_bundle b;
	struct buf c = { 0 };

	(void)state;
	sigpeer_bundle(&bob, &b);
	b.has_prekey = false;
	assert_int_equal(wa_signal_take_bundle(alice.signal, &bob.addr, &b, NULL), 0);
	seal(&alice, &bob, "x", &c);
	assert_int_equal(open_raw(&bob, &alice, WA_ENC_PKMSG, c.p, c.len, &note), 0);
	assert_int_equal(note.prekey_id, 0);
	assert_int_equal(bob.store.prekeys_n, 1);
	buf_free(&c);
}

static void test_session_info(void **state)
{
	struct wa_signal_session_info before, after;
	struct buf c = { 0 };

	(void)state;
	meet(&alice, &bob);
	assert_int_equal(wa_signal_session_info(alice.signal, &bob.addr, &before), 0);
	assert_int_equal(before.remote_registration_id, 1000 + 0x22);
	assert_false(before.answered);
	seal(&alice, &bob, "x", &c);
	open_text(&bob, &alice, WA_ENC_PKMSG, &c, "x");
	seal(&bob, &alice, "y", &c);
	open_text(&alice, &bob, WA_ENC_MSG, &c, "y");
	assert_int_equal(wa_signal_session_info(alice.signal, &bob.addr, &after), 0);
	assert_true(after.answered);
	assert_memory_equal(before.base_key, after.base_key, WA_KEY_LEN);
	meet(&alice, &bob);
	assert_int_equal(wa_signal_session_info(alice.signal, &bob.addr, &after), 0);
	assert_memory_not_equal(before.base_key, after.base_key, WA_KEY_LEN);
	buf_free(&c);
}

/* ---- store --------------------------------------------------------------------------------------
 */

/* Whichever call of the store fails, the operation says so; nothing crashes or half-succeeds. */
static void test_every_store_failure_is_told(void **state)
{
	struct buf c = { 0 }, out = { 0 };
	unsigned failures = 0;
	enum wa_enc type;

	(void)state;
	meet(&alice, &bob);
	seal(&alice, &bob, "x", &c);
	for (unsigned n = 1; n < 40; n++) {
		int rc;

		/* from scratch, so that every try is the first */
		sigpeer_clear(&bob);
		sigpeer_init(&bob, 0x22, "123456789012345_1", 0);
		bob.store.fail_at = n;
		rc = wa_signal_decrypt(bob.signal, &alice.addr, WA_ENC_PKMSG, c.p, c.len, &out,
		                       NULL);
		if (rc == 0)
			break;
		assert_int_equal(rc, -EIO);
		assert_int_equal(out.len, 0);
		failures++;
	}
	assert_true(failures >= 5);
	bob.store.fail_at = 1;
	assert_int_equal(wa_signal_encrypt(bob.signal, &alice.addr, "x", 1, &type, &c), -EIO);
	buf_wipe(&out);
	buf_free(&c);
}

static int no_random(void *arg, uint8_t *out, size_t n)
{
	(void)arg, (void)out, (void)n;
	return -1;
}

static void test_no_randomness_is_told(void **state)
{
	struct wa_prekey_bundle b;

	(void)state;
	wa_signal_set_random(alice.signal, no_random, NULL);
	sigpeer_bundle(&bob, &b);
	assert_int_equal(wa_signal_take_bundle(alice.signal, &bob.addr, &b, NULL), WA_ECRYPTO);
	assert_int_equal(alice.store.writes, 0);
}

/* ---- groups -------------------------------------------------------------------------------------
 */

#define GROUP "120363021033254949@g.us"

static int group_open(struct sigpeer *at, const struct wa_signal_addr *from, const struct buf *c,
                      struct buf *out)
{
	unsigned writes = at->store.writes;
	int rc = wa_signal_group_decrypt(at->signal, GROUP, from, c->p, c->len, out);

	if (rc < 0)
		assert_int_equal(at->store.writes, writes);
	return rc;
}

static void test_sender_key_vector(void **state)
{
	static const size_t order[] = { 2, 0, 1 };
	json_t *root = vec_load("messaging.json");
	const json_t *v = vec_get(root, "sender_key"), *messages = vec_get(v, "messages");
	struct buf skdm = { 0 };
	bool taken = false;

	(void)state;
	vec_hex(v, "skdm", &skdm);
	assert_int_equal(
	    wa_signal_skdm_take(bob.signal, GROUP, &alice.addr, skdm.p, skdm.len, &taken), 0);
	assert_true(taken);
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		const json_t *m = json_array_get(messages, order[i]);
		struct buf c = { 0 }, padded = { 0 }, out = { 0 };

		vec_hex(m, "skmsg", &c);
		vec_hex(m, "plaintext_padded", &padded);
		assert_int_equal(group_open(&bob, &alice.addr, &c, &out), 0);
		assert_int_equal(out.len, padded.len - padded.p[padded.len - 1]);
		assert_memory_equal(out.p, padded.p, out.len);
		/* told again, the key must not make this message new */
		assert_int_equal(
		    wa_signal_skdm_take(bob.signal, GROUP, &alice.addr, skdm.p, skdm.len, &taken),
		    0);
		assert_false(taken);
		assert_int_equal(group_open(&bob, &alice.addr, &c, &out), WA_SIG_EDUPLICATE);
		buf_free(&c);
		buf_free(&padded);
		buf_wipe(&out);
	}
	buf_free(&skdm);
	json_decref(root);
}

static void group_join(struct buf *skdm)
{
	assert_int_equal(wa_signal_skdm_make(alice.signal, GROUP, &alice.addr, skdm, NULL), 0);
	assert_int_equal(
	    wa_signal_skdm_take(bob.signal, GROUP, &alice.addr, skdm->p, skdm->len, NULL), 0);
}

static void group_seal(const char *text, struct buf *out)
{
	buf_reset(out);
	assert_int_equal(
	    wa_signal_group_encrypt(alice.signal, GROUP, &alice.addr, text, strlen(text), out), 0);
}

static void test_group_there_and_back(void **state)
{
	struct buf skdm = { 0 }, again = { 0 }, c = { 0 }, out = { 0 };
	uint32_t id_1, id_2;

	(void)state;
	assert_int_equal(wa_signal_group_encrypt(alice.signal, GROUP, &alice.addr, "x", 1, &c),
	                 WA_SIG_ENOSESSION);
	group_join(&skdm);
	group_seal("hello all", &c);
	assert_int_equal(group_open(&bob, &alice.addr, &c, &out), 0);
	assert_int_equal(out.len, 9);
	assert_memory_equal(out.p, "hello all", 9);
	/* the same key, further on: a newcomer reads only what follows */
	assert_int_equal(wa_signal_skdm_make(alice.signal, GROUP, &alice.addr, &again, &id_1), 0);
	assert_int_equal(wa_signal_skdm_make(alice.signal, GROUP, &alice.addr, &skdm, &id_2), 0);
	assert_int_equal(id_1, id_2);
	sigpeer_clear(&bob);
	sigpeer_init(&bob, 0x22, "123456789012345_1", 0);
	assert_int_equal(group_open(&bob, &alice.addr, &c, &out), WA_SIG_ENOSESSION);
	assert_int_equal(
	    wa_signal_skdm_take(bob.signal, GROUP, &alice.addr, again.p, again.len, NULL), 0);
	assert_int_equal(group_open(&bob, &alice.addr, &c, &out), WA_SIG_EDUPLICATE);
	group_seal("and you", &c);
	assert_int_equal(group_open(&bob, &alice.addr, &c, &out), 0);
	/* of another member, or another group, it is nothing */
	assert_int_equal(group_open(&bob, &bob.addr, &c, &out), WA_SIG_ENOSESSION);
	assert_int_equal(
	    wa_signal_group_decrypt(bob.signal, "status@broadcast", &alice.addr, c.p, c.len, &out),
	    WA_SIG_ENOSESSION);
	buf_free(&skdm);
	buf_free(&again);
	buf_free(&c);
	buf_wipe(&out);
}

static void test_group_message_changed_anywhere(void **state)
{
	struct buf skdm = { 0 }, c = { 0 }, out = { 0 };

	(void)state;
	group_join(&skdm);
	group_seal("text", &c);
	for (size_t i = 1; i < c.len; i++) {
		c.p[i] ^= 0x10;
		if (group_open(&bob, &alice.addr, &c, &out) == 0)
			fail_msg("byte %zu of %zu", i, c.len);
		c.p[i] ^= 0x10;
	}
	for (size_t n = c.len; n > 0; n--) {
		struct buf cut = { .p = c.p, .len = n - 1 };

		assert_true(group_open(&bob, &alice.addr, &cut, &out) < 0);
	}
	c.p[c.len - 1] ^= 0x10;
	assert_int_equal(group_open(&bob, &alice.addr, &c, &out), WA_SIG_EMAC);
	c.p[c.len - 1] ^= 0x10;
	assert_int_equal(group_open(&bob, &alice.addr, &c, &out), 0);
	buf_free(&skdm);
	buf_free(&c);
	buf_wipe(&out);
}

static void test_group_too_far_ahead(void **state)
{
	struct buf skdm = { 0 }, c = { 0 }, out = { 0 };

	(void)state;
	group_join(&skdm);
	for (unsigned i = 0; i < 2002; i++)
		group_seal("x", &c);
	assert_int_equal(group_open(&bob, &alice.addr, &c, &out), WA_SIG_ETOOFAR);
	buf_free(&skdm);
	buf_free(&c);
	buf_wipe(&out);
}

static void test_distribution_is_checked(void **state)
{
	struct buf skdm = { 0 };

	(void)state;
	assert_int_equal(wa_signal_skdm_make(alice.signal, GROUP, &alice.addr, &skdm, NULL), 0);
	for (size_t n = 0; n < skdm.len; n++)
		assert_true(wa_signal_skdm_take(bob.signal, GROUP, &alice.addr, skdm.p, n, NULL) <
		            0);
	skdm.p[0] = 0x22;
	assert_int_equal(
	    wa_signal_skdm_take(bob.signal, GROUP, &alice.addr, skdm.p, skdm.len, NULL),
	    WA_SIG_EVERSION);
	assert_int_equal(bob.store.writes, 0);
	buf_free(&skdm);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_addr_of_each_space),
		T(test_padding_vectors),
		T(test_names),
		T(test_session_vector),
		T(test_no_session),
		T(test_unknown_prekeys),
		T(test_duplicates_are_told),
		T(test_duplicate_pkmsg_is_told),
		T(test_msg_changed_anywhere),
		T(test_pkmsg_cut_anywhere),
		T(test_pkmsg_changed_anywhere),
		T(test_field_twice),
		T(test_versions_and_types),
		T(test_wire_form_is_strict),
		T(test_too_far_ahead),
		T(test_bad_padding_is_refused),
		T(test_identity_change_is_told),
		T(test_first_identity_is_told),
		T(test_identity_change_can_be_refused),
		T(test_bundle_must_be_signed),
		T(test_bundle_without_one_time_key),
		T(test_session_info),
		T(test_every_store_failure_is_told),
		T(test_no_randomness_is_told),
		T(test_sender_key_vector),
		T(test_group_there_and_back),
		T(test_group_message_changed_anywhere),
		T(test_group_too_far_ahead),
		T(test_distribution_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
