/* worker/session/wk_failure.c - how an attempt failed, in words that may be shown */
#include "worker/session/wk_failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"

ATTR_PRINTF(2, 0) static void append(struct wk_failure *f, const char *fmt, va_list ap)
{
	size_t used = strlen(f->detail);
	char *p = f->detail + used;

	(void)vsnprintf(p, sizeof(f->detail) - used, fmt, ap);
	for (; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
}

void wk_failure_set(struct wk_failure *f, int rc, const char *fmt, ...)
{
	va_list ap;

	f->rc = wa_err_is_outcome(rc) || rc == WA_ENO_SESSION ? rc : WA_EWORKER_CRASHED;
	f->reason = 0;
	f->silent = false;
	f->detail[0] = '\0';
	va_start(ap, fmt);
	append(f, fmt, ap);
	va_end(ap);
}

void wk_failure_add(struct wk_failure *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(f, fmt, ap);
	va_end(ap);
}
