/*
 * tests/fuzz/fuzz_version.c - the HTTP answer in which the client version and the time are looked
 * up
 *
 * Input: one byte that says where to cut, then the answer. Property: verdict, revision and date do
 * not depend on how the bytes arrive; a date is one of a year with four digits.
 */
#include "fuzz.h"
#include "mutate.h"

#include "worker/net/wk_version.h"

struct result {
	int rc;
	uint32_t revision;
	int64_t date;
	unsigned status;
};

static struct result feed(const uint8_t *data, size_t size, size_t step)
{
	struct wk_version_reader reader = { 0 };
	struct result r = { 0 };
	size_t n;

	for (size_t i = 0; i < size && r.rc == 0; i += n) {
		n = size - i < step ? size - i : step;
		r.rc = wk_version_feed(&reader, data + i, n, &r.revision);
	}
	r.date = reader.http.date_unix_s;
	r.status = reader.http.status;
	wk_version_reader_clear(&reader);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result a, b;

	if (size < 1)
		return 0;
	a = feed(data + 1, size - 1, size);
	b = feed(data + 1, size - 1, 1 + data[0]);
	FUZZ_REQUIRE(a.rc == b.rc && a.revision == b.revision);
	FUZZ_REQUIRE(a.date == b.date && a.status == b.status);
	FUZZ_REQUIRE(a.date < INT64_C(253402300800));
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	if (size < 1)
		return false;
	mut_put(out, data, 1);
	mut_http(m, MUT_HTTP_RESPONSE, data + 1, size - 1, out);
	return true;
}
