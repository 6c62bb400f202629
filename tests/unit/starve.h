/*
 * tests/unit/starve.h - a heap that fails one allocation of this process, its libraries' among them
 *
 *     for (long n = 0; more; n++) {
 *             starve_at(n);
 *             rc = what_is_tested();
 *             more = starve_end();
 *             assert_int_equal(rc, more ? -ENOMEM : 0);
 *     }
 *
 * Where the heap is another's (sanitizers) none ever fails, and such a loop runs once.
 */
#ifndef STARVE_H
#define STARVE_H

#include <stdbool.h>

/* The allocation after the next n fails; only that one. Below 0: none does. */
void starve_at(long n);
/* No more; has it failed? */
bool starve_end(void);
/* Has it, so far? */
bool starve_failed(void);
/* None fails between these two, and none is counted. */
void starve_pause(void);
void starve_resume(void);

#endif
