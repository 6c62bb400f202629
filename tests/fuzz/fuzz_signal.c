/*
 * tests/fuzz/fuzz_signal.c - ciphertexts of a hostile peer
 *
 * First byte: what the rest is: 0 msg, 1 pkmsg, 2 skmsg, 3 distribution message for a device that
 * knows the peer; 4 to 6 a good msg, skmsg or pkmsg of the peer with the rest laid over it by
 * exclusive or, so that the inside is reached. Property: what is refused writes nothing and gives
 * no byte; what is accepted was sent, or says so: nothing but a distribution message or the
 * unchanged ciphertext passes.
 */
#include "fuzz.h"

#include <string.h>

#include "signal_store.h"

#define INPUT_MAX 4096
#define GROUP "120363021033254949@g.us"
#define TEXT "the peer's text"

static int fixed(void *arg, uint8_t *out, size_t n)
{
	uint8_t *next = arg;

	for (size_t i = 0; i < n; i++)
		out[i] = (*next)++;
	return 0;
}

/* A ciphertext of each kind, made once; the receiver's store as it was before them. */
static struct world {
	bool ready;
	struct buf cipher[3];
	struct sigstore_record records[SIGSTORE_RECORDS];
	size_t records_n;
} world;

static const struct wa_signal_addr peer_addr = { "998877665544332_1", 3 };
static const struct wa_signal_addr own_addr = { "123456789012345_1", 0 };

static void prepare(void)
{
	struct wa_prekey_bundle b;
	struct buf c = { 0 };
	struct sigpeer peer, own;
	uint8_t seed_a = 1, seed_b = 101;
	enum wa_enc type;

	sigpeer_init(&peer, 0x11, peer_addr.name, peer_addr.device);
	sigpeer_init(&own, 0x22, own_addr.name, own_addr.device);
	wa_signal_set_random(peer.signal, fixed, &seed_a);
	wa_signal_set_random(own.signal, fixed, &seed_b);
	/* a conversation in both directions, and a group */
	sigpeer_bundle(&own, &b);
	FUZZ_REQUIRE(wa_signal_take_bundle(peer.signal, &own.addr, &b, NULL) == 0);
	FUZZ_REQUIRE(wa_signal_encrypt(peer.signal, &own.addr, "x", 1, &type, &c) == 0);
	FUZZ_REQUIRE(wa_signal_decrypt(own.signal, &peer.addr, type, c.p, c.len, &world.cipher[0],
	                               NULL) == 0);
	buf_reset(&world.cipher[0]);
	/* still unanswered: the next is a pkmsg of the same session */
	FUZZ_REQUIRE(wa_signal_encrypt(peer.signal, &own.addr, TEXT, strlen(TEXT), &type,
	                               &world.cipher[2]) == 0);
	FUZZ_REQUIRE(type == WA_ENC_PKMSG);
	buf_reset(&c);
	FUZZ_REQUIRE(wa_signal_encrypt(own.signal, &peer.addr, "y", 1, &type, &c) == 0);
	FUZZ_REQUIRE(wa_signal_decrypt(peer.signal, &own.addr, type, c.p, c.len, &world.cipher[0],
	                               NULL) == 0);
	buf_reset(&world.cipher[0]);
	FUZZ_REQUIRE(wa_signal_encrypt(peer.signal, &own.addr, TEXT, strlen(TEXT), &type,
	                               &world.cipher[0]) == 0);
	FUZZ_REQUIRE(type == WA_ENC_MSG);
	buf_reset(&c);
	FUZZ_REQUIRE(wa_signal_skdm_make(peer.signal, GROUP, &peer.addr, &c, NULL) == 0);
	FUZZ_REQUIRE(wa_signal_skdm_take(own.signal, GROUP, &peer.addr, c.p, c.len, NULL) == 0);
	FUZZ_REQUIRE(wa_signal_group_encrypt(peer.signal, GROUP, &peer.addr, TEXT, strlen(TEXT),
	                                     &world.cipher[1]) == 0);
	memcpy(world.records, own.store.records, sizeof(world.records));
	world.records_n = own.store.records_n;
	wa_signal_free(own.signal);
	sigpeer_clear(&peer);
	buf_free(&c);
	world.ready = true;
}

/* The receiver as it was when the ciphertexts were made. */
static void receiver(struct sigpeer *p)
{
	sigpeer_init(p, 0x22, own_addr.name, own_addr.device);
	for (size_t i = 0; i < world.records_n; i++) {
		struct sigstore_record *r = &p->store.records[p->store.records_n++];

		memcpy(r->key, world.records[i].key, sizeof(r->key));
		FUZZ_REQUIRE(buf_append(&r->value, world.records[i].value.p,
		                        world.records[i].value.len) == 0);
	}
}

static int open_it(struct sigpeer *p, unsigned kind, const uint8_t *data, size_t size,
                   struct buf *out)
{
	switch (kind) {
	case 0:
		return wa_signal_decrypt(p->signal, &peer_addr, WA_ENC_MSG, data, size, out, NULL);
	case 1:
		return wa_signal_decrypt(p->signal, &peer_addr, WA_ENC_PKMSG, data, size, out,
		                         NULL);
	case 2:
		return wa_signal_group_decrypt(p->signal, GROUP, &peer_addr, data, size, out);
	default:
		return wa_signal_skdm_take(p->signal, GROUP, &peer_addr, data, size, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned laid_over[] = { 0, 2, 1 };
	struct buf out = { 0 }, mixed = { 0 };
	struct sigpeer p;
	unsigned kind;
	bool same = false;
	int rc;

	if (size < 1 || size > INPUT_MAX || data[0] > 6)
		return 0;
	fuzz_own_begin();
	if (!world.ready)
		prepare();
	receiver(&p);
	fuzz_own_end();
	kind = data[0];
	if (kind < 4) {
		rc = open_it(&p, kind, data + 1, size - 1, &out);
	} else {
		const struct buf *good = &world.cipher[kind - 4];

		FUZZ_REQUIRE(buf_append(&mixed, good->p, good->len) == 0);
		for (size_t i = 0; i + 1 < size && i < mixed.len; i++)
			mixed.p[i] ^= data[i + 1];
		same = memcmp(mixed.p, good->p, good->len) == 0;
		kind = laid_over[kind - 4];
		rc = open_it(&p, kind, mixed.p, mixed.len, &out);
		FUZZ_REQUIRE(!same || rc == 0);
	}
	if (rc < 0)
		FUZZ_REQUIRE(out.len == 0 && p.store.writes == 0);
	else if (kind != 3)
		FUZZ_REQUIRE(out.len == 0 || memcmp(out.p, TEXT, out.len) == 0 || kind == 1);
	sigpeer_clear(&p);
	buf_free(&mixed);
	buf_wipe(&out);
	return 0;
}
