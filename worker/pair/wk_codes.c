/* worker/pair/wk_codes.c - the refs of one pair-device and their clock */
#include "worker/pair/wk_codes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

static uint32_t lifetime_ms(const struct wk_codes *c, size_t index)
{
	uint32_t ms = wa_pair_code_valid_ms(index, c->n);

	return c->speed > 1 ? ms / c->speed : ms;
}

void wk_codes_clear(struct wk_codes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		secret_wipe(c->refs[i], c->ref_lens[i]);
		free(c->refs[i]);
		c->refs[i] = NULL;
	}
	c->n = 0;
	c->index = 0;
}

int wk_codes_set(struct wk_codes *c, const struct wa_pair_device *pd, uint64_t now_ms)
{
	wk_codes_clear(c);
	for (size_t i = 0; i < pd->refs_n; i++) {
		uint8_t *ref = malloc(pd->refs[i].len);

		if (ref == NULL) {
			wk_codes_clear(c);
			return -ENOMEM;
		}
		memcpy(ref, pd->refs[i].p, pd->refs[i].len);
		c->refs[i] = ref;
		c->ref_lens[i] = pd->refs[i].len;
		c->n = i + 1;
	}
	c->until_ms = now_ms + lifetime_ms(c, c->index);
	return 0;
}

bool wk_codes_live(const struct wk_codes *c)
{
	return c->index < c->n;
}

uint32_t wk_codes_left_ms(const struct wk_codes *c, uint64_t now_ms)
{
	return wk_codes_live(c) && now_ms < c->until_ms ? (uint32_t)(c->until_ms - now_ms) : 0;
}

uint32_t wk_codes_all_left_ms(const struct wk_codes *c, uint64_t now_ms)
{
	uint32_t ms = wk_codes_left_ms(c, now_ms);

	for (size_t i = c->index + 1; i < c->n; i++)
		ms += lifetime_ms(c, i);
	return ms;
}

bool wk_codes_next(struct wk_codes *c, uint64_t now_ms)
{
	if (wk_codes_live(c))
		c->index++;
	if (!wk_codes_live(c))
		return false;
	c->until_ms = now_ms + lifetime_ms(c, c->index);
	return true;
}
