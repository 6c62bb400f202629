/*
 * common/binary_id.h - which file a process runs, as one number
 *
 * Made of the file's device, inode, size and time of change: a program that was replaced on disk
 * has another one, the same file run twice has the same. Not for security: a hint for upgrades.
 */
#ifndef BINARY_ID_H
#define BINARY_ID_H

#include <stdint.h>

/* Of an open file; 0: it can't be told. */
uint64_t binary_id_of_fd(int fd);
/* Of the program that runs; 0: it can't be told (no /proc). */
uint64_t binary_id_own(void);

#endif
