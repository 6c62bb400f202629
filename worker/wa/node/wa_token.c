/* worker/wa/node/wa_token.c - the token dictionaries over the generated table */
#include "worker/wa/node/wa_token.h"

#include <string.h>

#include "worker/wa/node/wa_token_table.h"

#define SINGLE_N 236
#define DICT_LEN 256

_Static_assert(TOKEN_N == SINGLE_N + WA_TOKEN_DICTS * DICT_LEN, "token tables incomplete");

static const char *token_get(unsigned number, size_t *len_out)
{
	*len_out = (size_t)(token_at[number + 1] - token_at[number] - 1);
	return &token_text[token_at[number]];
}

const char *wa_token_single(uint8_t index, size_t *len_out)
{
	if (index == 0 || index >= SINGLE_N)
		return NULL;
	return token_get(index, len_out);
}

const char *wa_token_double(unsigned dict, uint8_t index, size_t *len_out)
{
	if (dict >= WA_TOKEN_DICTS)
		return NULL;
	return token_get(SINGLE_N + dict * DICT_LEN + index, len_out);
}

bool wa_token_find(const char *s, size_t s_len, int *dict_out, uint8_t *index_out)
{
	unsigned lo, hi;

	if (s_len == 0 || s_len > TOKEN_LONGEST)
		return false;
	lo = token_of_len[s_len];
	hi = token_of_len[s_len + 1];
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		unsigned number = token_sorted[mid];
		int cmp = memcmp(s, &token_text[token_at[number]], s_len);

		if (cmp == 0) {
			*dict_out = number < SINGLE_N ? -1 : (int)((number - SINGLE_N) / DICT_LEN);
			*index_out =
			    (uint8_t)(number < SINGLE_N ? number : (number - SINGLE_N) % DICT_LEN);
			return true;
		}
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return false;
}
