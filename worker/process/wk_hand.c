/* worker/process/wk_hand.c - what this worker has in hand, told to the gateway should it die of it */
#include "worker/process/wk_hand.h"

#include <string.h>

#include "common/log_tail.h"
#include "worker/wa/node/wa_node.h"

static struct {
	struct log_tail *tail;
	uint64_t now;
	uint64_t aside[WK_HAND_ASIDE_MAX];
	size_t aside_n;
} hand;

void wk_hand_init(struct log_tail *tail)
{
	hand.tail = tail;
}

void wk_hand_set_aside(const uint64_t *keys, size_t n)
{
	hand.aside_n = n < WK_HAND_ASIDE_MAX ? n : WK_HAND_ASIDE_MAX;
	for (size_t i = 0; i < hand.aside_n; i++)
		hand.aside[i] = keys[i];
}

bool wk_hand_is_aside(uint64_t key)
{
	for (size_t i = 0; i < hand.aside_n; i++)
		if (key != 0 && hand.aside[i] == key)
			return true;
	return false;
}

/* FNV-1a, the end of each word included. Who makes two alike only has both set aside. */
static uint64_t mix(uint64_t h, const char *word)
{
	size_t len = word == NULL ? 0 : strlen(word) + 1;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)word[i]) * 0x100000001b3u;
	return h;
}

static uint64_t seal(uint64_t h)
{
	return h == 0 ? 1 : h;
}

uint64_t wk_hand_key_of(const char *kind, const char *id)
{
	return seal(mix(mix(0xcbf29ce484222325u, kind), id));
}

uint64_t wk_hand_key(const struct wa_node *n)
{
	const char *id = wa_node_attr(n, "id");
	uint64_t h;

	if (id == NULL || id[0] == '\0')
		return 0;
	h = mix(mix(0xcbf29ce484222325u, n->tag), id);
	return seal(mix(mix(h, wa_node_attr(n, "from")), wa_node_attr(n, "participant")));
}

uint64_t wk_hand_take(uint64_t key)
{
	uint64_t before = hand.now;

	hand.now = key;
	if (hand.tail != NULL)
		log_tail_hand(hand.tail, key);
	return before;
}
