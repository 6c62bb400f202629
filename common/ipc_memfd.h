/*
 * common/ipc_memfd.h - what is too large for a frame, in memory that its sender can't change any
 * more
 *
 * The sender writes a memfd, seals it and sends its descriptor along. The receiver believes
 * nothing: without F_SEAL_WRITE, F_SEAL_SHRINK and F_SEAL_GROW, or of another size than it takes,
 * it is refused before it is looked at. (A file that could shrink would be a SIGBUS for who reads
 * its mapping.)
 */
#ifndef IPC_MEMFD_H
#define IPC_MEMFD_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* A sealed copy of data; a descriptor, or -errno. */
ATTR_NODISCARD int ipc_memfd_new(const void *data, size_t data_len);

/* The same piece by piece: one that is empty, for io_write_all(), and its seal. The descriptor or 0,
 * or -errno; who began it closes it. */
ATTR_NODISCARD int ipc_memfd_begin(void);
ATTR_NODISCARD int ipc_memfd_seal(int fd);

struct ipc_memfd_map {
	const uint8_t *p; /* read-only */
	size_t len;
};
/*
 * Look at fd, which stays the caller's and may be closed while it is mapped.
 * 0; WA_EPROTO (not such a memfd, or empty); WA_ELIMIT (over len_max bytes); -errno.
 */
ATTR_NODISCARD int ipc_memfd_map(int fd, size_t len_max, struct ipc_memfd_map *map_out);
/* Of one that is all zero nothing. */
void ipc_memfd_unmap(struct ipc_memfd_map *map);

#endif
