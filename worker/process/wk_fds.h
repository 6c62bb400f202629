/* worker/process/wk_fds.h - closing what a new process must not keep open */
#ifndef WK_FDS_H
#define WK_FDS_H

/* Close every descriptor from first on. */
void wk_close_from(int first);

#endif
