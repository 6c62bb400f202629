/* tests/fuzz/fuzz.h - what every fuzz target defines and uses */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A property that must hold whatever the input is: works in every build, unlike assert(). Where the
 * replay program lets memory run out, what does not hold then ends that run of the input only; what
 * the target does for itself (fixtures, a second reader) between fuzz_own_begin() and
 * fuzz_own_end() has all the memory it wants.
 */
#if defined(FUZZ_LIBFUZZER) || defined(FUZZ_AFL_LIBRARY)
#define fuzz_broken abort
#define fuzz_own_begin() ((void)0)
#define fuzz_own_end() ((void)0)
#else
_Noreturn void fuzz_broken(void);
void fuzz_own_begin(void);
void fuzz_own_end(void);
#endif
#define FUZZ_REQUIRE(cond) \
	do { \
		if (!(cond)) \
			fuzz_broken(); \
	} while (0)

#endif
