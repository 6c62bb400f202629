/* tests/fuzz/mutate.c - chance and bytes; how the two engines ask for a change */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define FRESH_MAX 80
#define STACKED_MAX 4 /* changes of one input at once */
#define ROOM 256

uint64_t mut_rand(struct mut *m)
{
	/* splitmix64 */
	uint64_t z = m->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

size_t mut_below(struct mut *m, size_t n)
{
	return n == 0 ? 0 : (size_t)(mut_rand(m) % n);
}

bool mut_chance(struct mut *m, size_t one_in)
{
	return mut_below(m, one_in) == 0;
}

uint64_t mut_number(struct mut *m)
{
	uint64_t power = (uint64_t)1 << mut_below(m, 64);

	switch (mut_below(m, 6)) {
	case 0:
		return power;
	case 1:
		return power - 1;
	case 2:
		return ~power;
	case 3:
		return mut_rand(m);
	default:
		return mut_below(m, 20);
	}
}

const char *mut_pick(struct mut *m, const char *const *texts, size_t n)
{
	return texts[mut_below(m, n)];
}

void mut_put(struct buf *out, const void *data, size_t len)
{
	FUZZ_REQUIRE(len == 0 || buf_append(out, data, len) == 0);
}

void mut_put_text(struct buf *out, const char *text)
{
	mut_put(out, text, strlen(text));
}

void mut_fresh_bytes(struct mut *m, struct buf *out)
{
	static const uint8_t lengths[] = { 0, 1, 3, 4, 8, 12, 16, 20, 32, 33, 64, 65 };
	size_t n =
	    mut_chance(m, 3) ? mut_below(m, FRESH_MAX) : lengths[mut_below(m, sizeof(lengths))];
	bool same = mut_chance(m, 3);
	uint8_t c = (uint8_t)mut_rand(m);

	for (size_t i = 0; i < n; i++) {
		mut_put(out, &c, 1);
		if (!same)
			c = (uint8_t)mut_rand(m);
	}
}

void mut_bytes(struct mut *m, const void *data, size_t len, struct buf *out)
{
	const uint8_t *p = data == NULL ? (const uint8_t *)"" : data;
	size_t at = mut_below(m, len + 1);
	size_t n = 1 + mut_below(m, len - at < 16 ? len - at : 16);
	uint8_t c;

	n = n < len - at ? n : len - at;
	mut_put(out, p, at);
	switch (mut_below(m, 5)) {
	case 0: /* left out */
		at += n;
		break;
	case 1: /* repeated */
		mut_put(out, p + at, n);
		break;
	case 2:
		mut_fresh_bytes(m, out);
		break;
	case 3: /* one bit */
		if (at < len) {
			c = p[at++] ^ (uint8_t)(1u << mut_below(m, 8));
			mut_put(out, &c, 1);
		}
		break;
	default:
		c = (uint8_t)mut_number(m);
		mut_put(out, &c, 1);
		at += at < len;
		break;
	}
	mut_put(out, p + at, len - at);
}

/* ---- frames -----------------------------------------------------------------------------------
 */

static void put_frame_len(size_t len, struct buf *out)
{
	const uint8_t head[3] = { (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len };

	mut_put(out, head, sizeof(head));
}

static void put_frame(const uint8_t *data, size_t len, struct buf *out)
{
	put_frame_len(len, out);
	mut_put(out, data, len);
}

/* One of zeros, about as long as they may be, or of any length. */
static void put_long_frame(struct mut *m, size_t len_max, struct buf *out)
{
	size_t n = mut_chance(m, 2) ? len_max - 2 + mut_below(m, 5) : mut_below(m, len_max);

	put_frame_len(n, out);
	FUZZ_REQUIRE(buf_reserve(out, n) == 0);
	memset(out->p + out->len, 0, n);
	out->len += n;
}

static void change_frame(struct mut *m, size_t len_max, const uint8_t *data, size_t len,
                         struct buf *out)
{
	struct buf changed = { 0 };
	size_t half = mut_below(m, len + 1);

	switch (mut_below(m, 7)) {
	case 0: /* left out */
		break;
	case 1:
		put_frame(data, len, out);
		put_frame(data, len, out);
		break;
	case 2:
		put_frame(data, half, out);
		put_frame(data + half, len - half, out);
		break;
	case 3:
		put_long_frame(m, len_max, out);
		put_frame(data, len, out);
		break;
	case 4: /* one length that is wrong */
		put_frame_len(mut_chance(m, 2) ? len + 1 : (size_t)mut_number(m), out);
		mut_put(out, data, len);
		break;
	default:
		mut_bytes(m, data, len, &changed);
		put_frame(changed.p, changed.len, out);
		break;
	}
	buf_free(&changed);
}

void mut_frames(struct mut *m, size_t len_max, const uint8_t *data, size_t len, struct buf *out)
{
	size_t frames_n = 0, wanted, at, n;

	for (at = 0; len - at >= 3; at += 3 + n, frames_n++) {
		n = (size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2];
		n = n < len - at - 3 ? n : len - at - 3;
	}
	wanted = mut_below(m, frames_n);
	for (at = 0; len - at >= 3; at += 3 + n) {
		n = (size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2];
		n = n < len - at - 3 ? n : len - at - 3;
		if (wanted-- == 0)
			change_frame(m, len_max, data + at + 3, n, out);
		else
			mut_put(out, data + at, 3 + n);
	}
	if (frames_n == 0)
		change_frame(m, len_max, (const uint8_t *)"", 0, out);
	mut_put(out, data + at, len - at);
}

/* ---- engines ----------------------------------------------------------------------------------
 */

bool mut_change(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	struct buf next = { 0 };
	size_t times = 1 + mut_below(m, STACKED_MAX);

	FUZZ_REQUIRE(buf_reserve(out, size + ROOM) == 0);
	if (!fuzz_mutate(m, data, size, out) || out->len == 0)
		return false;
	while (--times > 0) {
		struct buf last = *out;

		buf_reset(&next);
		if (!fuzz_mutate(m, last.p, last.len, &next) || next.len == 0)
			break;
		*out = next;
		next = last;
	}
	buf_free(&next);
	return true;
}

#ifdef FUZZ_LIBFUZZER

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max) __attribute__((weak));

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	static int plain = -1; /* FUZZ_PLAIN=1: the engine's own changes alone, to compare with */
	struct mut m = { seed };
	struct buf out = { 0 };
	size_t n = 0;

	if (plain < 0)
		plain = getenv("FUZZ_PLAIN") != NULL;
	if (!plain && !mut_chance(&m, 3) && mut_change(&m, data, size, &out)) {
		n = out.len < size_max ? out.len : size_max;
		memcpy(data, out.p, n);
	}
	buf_free(&out);
	if (n > 0)
		return n;
	return LLVMFuzzerMutate == NULL ? size : LLVMFuzzerMutate(data, size, size_max);
}

#endif

#ifdef FUZZ_AFL_LIBRARY

#define AFL_API __attribute__((visibility("default")))
AFL_API void *afl_custom_init(void *afl, unsigned seed);
AFL_API void afl_custom_deinit(void *arg);
AFL_API size_t afl_custom_fuzz(void *arg, uint8_t *data, size_t size, uint8_t **out, uint8_t *other,
                               size_t other_size, size_t size_max);

struct afl_mutator {
	struct mut m;
	struct buf out;
};

void *afl_custom_init(void *afl, unsigned seed)
{
	struct afl_mutator *a = calloc(1, sizeof(*a));

	(void)afl;
	FUZZ_REQUIRE(a != NULL);
	a->m.state = seed;
	return a;
}

void afl_custom_deinit(void *arg)
{
	struct afl_mutator *a = arg;

	buf_free(&a->out);
	free(a);
}

size_t afl_custom_fuzz(void *arg, uint8_t *data, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t size_max)
{
	struct afl_mutator *a = arg;

	(void)other, (void)other_size;
	buf_reset(&a->out);
	if (!mut_change(&a->m, data, size, &a->out)) {
		buf_reset(&a->out);
		mut_bytes(&a->m, data, size, &a->out);
	}
	*out = a->out.p;
	return a->out.len < size_max ? a->out.len : size_max;
}

#endif
