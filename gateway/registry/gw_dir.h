/* gateway/registry/gw_dir.h - making and removing directories */
#ifndef GW_DIR_H
#define GW_DIR_H

#include "common/attr.h"

/*
 * path with mode 0700, and its parents as far as they are missing: others may pass those, not list
 * them. 0 or -errno.
 */
ATTR_NODISCARD int gw_dir_make(const char *path);

/*
 * Remove the directory name of dir_fd with all in it; follows no symbolic link and enters no more
 * than 16 levels. Missing is fine. 0 or -errno.
 */
ATTR_NODISCARD int gw_dir_remove(int dir_fd, const char *name);

#endif
