/* gateway/instance/gw_room.c - is there room for something new? */
#include "gateway/instance/gw_room.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define RESERVE_LEN (4u << 20) /* bytes that are left to what is there already */
#define FD_RESERVE 64          /* descriptors, as well */

bool gw_room_for_fd(int fd)
{
	struct rlimit files;

	return getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur <= FD_RESERVE ||
	       (rlim_t)fd < files.rlim_cur - FD_RESERVE;
}

/* Asked of the kernel, which knows every limit there is; nothing of it is touched. */
bool gw_room_for_more(void)
{
	void *p =
	    mmap(NULL, RESERVE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, RESERVE_LEN);
	return true;
}
