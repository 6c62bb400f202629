/* tests/unit/faulty_vfs.h - a disk that fails when it is told to, under the real SQLite */
#ifndef FAULTY_VFS_H
#define FAULTY_VFS_H

#include <stdbool.h>

/* Every database that is opened from now on lies on it. */
void faulty_vfs_install(void);
/* No more. */
void faulty_vfs_remove(void);
/*
 * The nth operation from now on (from 1: opening, reading, writing, syncing, cutting, deleting)
 * fails with this SQLite code; stays: so do all behind it. nth 0: none does.
 */
void faulty_vfs_fail(unsigned nth, int rc, bool stays);
/* Has one failed since? */
bool faulty_vfs_has_failed(void);

#endif
