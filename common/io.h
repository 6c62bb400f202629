/* common/io.h - file descriptors that take less than they are given */
#ifndef IO_H
#define IO_H

#include <stddef.h>

#include "common/attr.h"

/* All of it to a blocking descriptor, in as many pieces as it takes. 0 or -errno; some of it may be
 * written on failure. */
ATTR_NODISCARD int io_write_all(int fd, const void *data, size_t data_len);

#endif
