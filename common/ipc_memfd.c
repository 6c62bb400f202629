/* common/ipc_memfd.c - what is too large for a frame */
#include "common/ipc_memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/io.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

int ipc_memfd_begin(void)
{
	int fd = memfd_create("warden-ipc", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

int ipc_memfd_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0 ? -errno : 0;
}

int ipc_memfd_new(const void *data, size_t data_len)
{
	int fd = ipc_memfd_begin();
	int rc;

	if (fd < 0)
		return fd;
	rc = io_write_all(fd, data, data_len);
	if (rc == 0)
		rc = ipc_memfd_seal(fd);
	if (rc == 0)
		return fd;
	(void)close(fd);
	return rc;
}

/* Seals exist in memory files only: one that has them is on no disk that could fail. */
static int check(int fd, size_t len_max, size_t *len_out)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return WA_EPROTO;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return WA_EPROTO;
	if ((uint64_t)st.st_size > len_max)
		return WA_ELIMIT;
	*len_out = (size_t)st.st_size;
	return 0;
}

int ipc_memfd_map(int fd, size_t len_max, struct ipc_memfd_map *map_out)
{
	size_t len = 0;
	int rc = check(fd, len_max, &len);
	void *p;

	if (rc < 0)
		return rc;
	p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	map_out->p = p;
	map_out->len = len;
	return 0;
}

void ipc_memfd_unmap(struct ipc_memfd_map *map)
{
	if (map->p != NULL)
		(void)munmap((void *)(uintptr_t)map->p, map->len);
	map->p = NULL;
	map->len = 0;
}
