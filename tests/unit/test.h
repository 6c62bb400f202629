/* tests/unit/test.h - cmocka with what it needs in front of it */
#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* For a fault that is tried at each point: one in so many of them under valgrind, to which all are
 * the same code. */
static inline unsigned test_step(void)
{
	return getenv("TEST_UNDER_VALGRIND") != NULL ? 3 : 1;
}

#endif
