/*
 * tests/fuzz/fuzz_sim.c - what the simulator reads of clients: HTTP heads, targets, app state
 * patches
 *
 * First byte: 0 the rest is an HTTP head; 1 a target of the media host; 2 an uploaded SyncdPatch.
 * Property: a head that is taken has a target inside itself; a patch that is refused changes
 * nothing, one that is taken makes one version.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "proto/wa_appstate.pb-c.h"
#include "simulator/appstate/sim_appstate.h"
#include "simulator/media/sim_media.h"
#include "simulator/media/sim_media_target.h"
#include "simulator/wire/sim_http.h"

#define INPUT_MAX 16384

static void head(const uint8_t *data, size_t size)
{
	struct sim_http_request req;
	size_t len = sim_http_head_len(data, size);

	if (len == 0 || sim_http_parse(data, len, &req) != 0 || req.kind != SIM_HTTP_MEDIA)
		return;
	FUZZ_REQUIRE(req.target_len > 0 && req.target[0] == '/');
	FUZZ_REQUIRE((const uint8_t *)req.target >= data &&
	             (const uint8_t *)req.target + req.target_len <= data + len);
	FUZZ_REQUIRE(!req.has_range || req.range_first <= req.range_last);
	FUZZ_REQUIRE(!req.chunked || req.body_len == 0);
}

static void target(const uint8_t *data, size_t size)
{
	char text[INPUT_MAX + 1], value[64];
	uint8_t hash[SIM_HASH_LEN];
	enum sim_media_kind kind;

	memcpy(text, data, size);
	text[size] = '\0';
	if (sim_media_query(text, "auth", value, sizeof(value)))
		FUZZ_REQUIRE(strlen(value) < sizeof(value));
	if (sim_media_mms_path(text, &kind, hash))
		FUZZ_REQUIRE(kind < SIM_MEDIA_KINDS_N);
}

/* The key of the vectors, so that their patches are good seeds. */
static void patch(const uint8_t *data, size_t size)
{
	static const uint8_t id[SIM_AS_KEY_ID_LEN] = { 0, 0, 0, 0, 0x12, 0x34 };
	static const uint8_t key[32] = { 0xb3, 0x17, 0x69, 0x2b, 0xb4, 0x9b, 0xb4, 0x8b,
		                         0x40, 0xb3, 0x80, 0xca, 0x8d, 0xb8, 0x89, 0x97,
		                         0x1d, 0x6b, 0x8a, 0xcd, 0x66, 0xf3, 0x74, 0x64,
		                         0xc5, 0x78, 0xaa, 0x30, 0x5f, 0xfa, 0xc5, 0xe7 };
	const uint64_t seed = 1;
	struct sim_appstate *as = NULL;
	struct sim_media *media = NULL;
	struct sim_rand rnd;
	const char *why = "";
	int rc;

	FUZZ_REQUIRE(sim_rand_init(&rnd, &seed) == 0);
	FUZZ_REQUIRE(sim_media_new(&rnd, &media) == 0);
	FUZZ_REQUIRE(sim_as_new(&rnd, 0, media, &as) == 0);
	FUZZ_REQUIRE(sim_as_add_key(as, id, key, 0) == 0);
	rc = sim_as_upload(as, SIM_AS_REGULAR_HIGH, data, size, &why);
	FUZZ_REQUIRE(sim_as_version(as, SIM_AS_REGULAR_HIGH) == (rc == 0));
	sim_as_free(as);
	sim_media_free(media);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > INPUT_MAX)
		return 0;
	if (data[0] == 0)
		head(data + 1, size - 1);
	else if (data[0] == 1)
		target(data + 1, size - 1);
	else if (data[0] == 2)
		patch(data + 1, size - 1);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	if (size < 2 || (data[0] != 0 && data[0] != 2))
		return false;
	mut_put(out, data, 1);
	if (data[0] == 0)
		mut_http(m, MUT_HTTP_REQUEST, data + 1, size - 1, out);
	else
		mut_pb(m, &wa__syncd_patch__descriptor, data + 1, size - 1, out);
	return true;
}
