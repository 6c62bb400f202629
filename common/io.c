/* common/io.c - file descriptors that take less than they are given */
#include "common/io.h"

#include <errno.h>
#include <unistd.h>

int io_write_all(int fd, const void *data, size_t data_len)
{
	const char *p = data;

	while (data_len > 0) {
		ssize_t n = write(fd, p, data_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		data_len -= (size_t)n;
	}
	return 0;
}
