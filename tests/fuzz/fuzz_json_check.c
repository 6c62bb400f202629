/*
 * tests/fuzz/fuzz_json_check.c - data of events, as a worker sends it
 *
 * Property: what is taken, jansson takes as well, but for numbers beyond what it can hold; and what
 * jansson takes on one line is taken, unless it is nested too deep.
 */
#include "fuzz.h"
#include "mutate.h"

#include <jansson.h>
#include <string.h>

#include "common/err.h"
#include "common/json_check.h"

#define DEPTH 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	json_error_t error;
	json_t *tree;
	int rc;

	if (text == NULL)
		return 0;
	memcpy(text, data, size); /* without a byte behind it that could be read by mistake */
	rc = json_check(text, size, DEPTH);
	FUZZ_REQUIRE(rc == 0 || rc == WA_EPROTO || rc == WA_ELIMIT);
	fuzz_own_begin(); /* jansson's lexer does not survive without memory */
	tree = json_loadb(text, size, JSON_DECODE_ANY, &error);
	if (rc == 0 && tree == NULL)
		FUZZ_REQUIRE(json_error_code(&error) == json_error_numeric_overflow);
	/* a NUL is the end for jansson */
	if (tree != NULL && memchr(text, '\n', size) == NULL && memchr(text, '\r', size) == NULL &&
	    memchr(text, '\0', size) == NULL)
		FUZZ_REQUIRE(rc == 0 || rc == WA_ELIMIT);
	fuzz_own_end();
	json_decref(tree);
	free(text);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	mut_json(m, NULL, 0, data, size, out);
	return true;
}
