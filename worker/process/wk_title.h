/*
 * worker/process/wk_title.h - what /proc/PID/cmdline shows
 *
 * A forked worker has the zygote's command line; it writes its own over it, so that ps, operators
 * and tests see one command line whatever started the worker. The gateway starts the zygote with a
 * long last argument as room for that.
 */
#ifndef WK_TITLE_H
#define WK_TITLE_H

#include <stddef.h>

#include "common/attr.h"

struct wk_title {
	char *room; /* the memory argv lies in */
	size_t room_len;
};

/* argc and argv as main() got them; the memory is remembered, not changed. */
void wk_title_init(struct wk_title *t, int argc, char **argv);

/*
 * Make the command line exactly these arguments (NULL-terminated). argv of main() is lost.
 * 0; -ENOSPC when they do not fit (the command line is then unchanged). Where the kernel does not
 * allow to set the end, NUL bytes fill the room.
 */
ATTR_NODISCARD int wk_title_set(const struct wk_title *t, const char *const *args);

#endif
