/* common/err.c - names of failure codes */
#include "common/err.h"

#include <stddef.h>
#include <stdbool.h>
#include <string.h>

const char *wa_err_name(int rc)
{
	const char *name;

	switch (rc) {
	case 0:
		return "ok";
#define X(id, num, text) \
	case (num): \
		return text;
		WA_ERR_LIST(X)
#undef X
	default:
		break;
	}
	name = rc < 0 && rc > -4096 ? strerrorname_np(-rc) : NULL;
	return name != NULL ? name : "unknown";
}

bool wa_err_is_outcome(int rc)
{
	return rc == WA_EPROTO || (rc <= WA_ETIMEOUT && rc >= WA_ETHROTTLED);
}
