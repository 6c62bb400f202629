/*
 * common/db_vfs.h - writes that follow one another go to the disk as one
 *
 * SQLite writes its log frame by frame, each in two pieces, and a checkpoint page by page. This VFS
 * lies on top of the default one and holds such writes back until another place is written, what is
 * held is read, or the file is synced, cut, measured or closed. Then they are with the system, as
 * without it. So it is for databases whose every commit ends with a sync (synchronous=FULL): before
 * that SQLite counts on nothing of a commit. A write that fails afterwards fails what made it
 * happen, and the next sync.
 */
#ifndef DB_VFS_H
#define DB_VFS_H

#include "common/attr.h"

/* Its name, for sqlite3_open_v2(); registered with the first call. NULL without memory. */
ATTR_NODISCARD const char *db_vfs(void);

#endif
