/* worker/wa/node/wa_token.h - the token dictionaries, version 3 (tables: worker/wa/node/tokens-*.txt) */
#ifndef WA_TOKEN_H
#define WA_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WA_TOKEN_DICTS 4

/* NULL for index 0 and for 236 and above. */
const char *wa_token_single(uint8_t index, size_t *len_out);
/* NULL for dict above 3. */
const char *wa_token_double(unsigned dict, uint8_t index, size_t *len_out);

/*
 * Look a string up. True: *dict_out is -1 for a single-byte token, else 0..3, *index_out the byte.
 */
bool wa_token_find(const char *s, size_t s_len, int *dict_out, uint8_t *index_out);

#endif
