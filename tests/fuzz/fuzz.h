/* tests/fuzz/fuzz.h - what every fuzz target defines and uses */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold whatever the input is: works in every build, unlike assert(). */
#define FUZZ_REQUIRE(cond) \
	do { \
		if (!(cond)) \
			abort(); \
	} while (0)

#endif
