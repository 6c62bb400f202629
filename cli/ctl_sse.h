/*
 * cli/ctl_sse.h - server-sent events out of a byte stream
 *
 * Takes bytes in any portions, gives whole events; no I/O. Format: WHATWG HTML, "Server-sent
 * events". What our clients do not need (id: the data says it; retry) is read and dropped.
 */
#ifndef CTL_SSE_H
#define CTL_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

#define CTL_SSE_LINE_MAX (12 * 1024 * 1024) /* bytes of one line */
#define CTL_SSE_DATA_MAX (12 * 1024 * 1024) /* bytes of one event's data */
#define CTL_SSE_NAME_CAP 64 /* an event name, its NUL included; longer ones are cut */

/* Zero-initialised is ready; end with ctl_sse_clear(). */
struct ctl_sse {
	struct buf line;              /* the line that is being received */
	struct buf data;              /* the event's data lines so far, each ended by LF */
	char event[CTL_SSE_NAME_CAP]; /* "" stands for "message" */
	bool after_cr;                /* an LF that follows belongs to the same line end */
	bool started; /* the first line, where a byte order mark may stand, is over */
};

/*
 * One event; event and data are borrowed for the call, data is NUL-terminated besides data_len.
 * Anything but 0 ends ctl_sse_feed() with that value.
 */
typedef int ctl_sse_cb(const char *event, const char *data, size_t data_len, void *arg);

/*
 * 0; WA_ELIMIT when a line or an event is larger than the bounds above; -ENOMEM; or what cb
 * returned. After anything but 0 the parser is only good for ctl_sse_clear().
 */
ATTR_NODISCARD int ctl_sse_feed(struct ctl_sse *sse, const void *bytes, size_t bytes_len,
                                ctl_sse_cb *cb, void *arg);
void ctl_sse_clear(struct ctl_sse *sse);

#endif
