/* gateway/instance/gw_room.h - is there room for something new? */
#ifndef GW_ROOM_H
#define GW_ROOM_H

#include <stdbool.h>

/*
 * False when memory is about to run out: what is new is refused while there is still enough for
 * what is there already, its lists and its restarts.
 */
bool gw_room_for_more(void);
/* The same for descriptors: fd is the newest, and so tells how many there are. */
bool gw_room_for_fd(int fd);

#endif
