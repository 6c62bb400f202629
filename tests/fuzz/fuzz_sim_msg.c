/*
 * tests/fuzz/fuzz_sim_msg.c - what the simulator reads of what clients send
 *
 * First byte: 0 a Message (wrappers, text); 1 to 3 a msg, pkmsg, skmsg whose chain key is noted.
 * Properties: a text is NUL-terminated and no longer than its room; a ciphertext that is noted once
 * is repeated the second time, never reused.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "common/attr.h"
#include "proto/wa_msg.pb-c.h"
#include "simulator/phone/sim_chains.h"
#include "simulator/phone/sim_msg.h"
#include "worker/wa/crypto/wa_keys.h"

#define INPUT_MAX 65536

static void describe(const uint8_t *data, size_t size)
{
	struct sim_msg_info info;

	sim_msg_describe(data, size, &info);
	FUZZ_REQUIRE(info.type != NULL);
	FUZZ_REQUIRE(info.text == NULL || memchr(info.text, '\0', SIM_TEXT_CAP) != NULL);
}

static void on_chain(const char *name, uint32_t next, void *arg)
{
	(void)next;
	FUZZ_REQUIRE(name[0] != '\0');
	*(size_t *)arg += 1;
}

static void chains(enum wa_enc type, const uint8_t *data, size_t size)
{
	struct sim_chains *c = NULL;
	struct sim_chains_sum sum;
	size_t seen = 0;

	sim_chains_sum(NULL, &sum);
	FUZZ_REQUIRE(sum.messages == 0 && sum.chains == 0);
	if (sim_chains_note(&c, 1, "120363000000000001@g.us", type, data, size) == 0) {
		FUZZ_REQUIRE(sim_chains_note(&c, 1, "120363000000000001@g.us", type, data, size) ==
		             0);
		sim_chains_sum(c, &sum);
		FUZZ_REQUIRE(sum.messages == 2 && sum.repeated == 1 && sum.reused == 0);
		FUZZ_REQUIRE(sum.chains == 1);
		sim_chains_each(c, on_chain, &seen);
		FUZZ_REQUIRE(seen == 1);
	}
	sim_chains_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum wa_enc types[] = { WA_ENC_MSG, WA_ENC_PKMSG, WA_ENC_SKMSG };

	if (size == 0 || size > INPUT_MAX || wa_keys_init() < 0)
		return 0;
	if (data[0] % 4 == 0)
		describe(data + 1, size - 1);
	else
		chains(types[data[0] % 4 - 1], data + 1, size - 1);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	static const ProtobufCMessageDescriptor *const schemas[] = {
		&wa__message__descriptor,
	};
	size_t kind = size < 2 ? ARRAY_LEN(schemas) : data[0] % 4;

	if (kind >= ARRAY_LEN(schemas) || schemas[kind] == NULL)
		return false;
	mut_put(out, data, 1);
	mut_pb(m, schemas[kind], data + 1, size - 1, out);
	return true;
}
