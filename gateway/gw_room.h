/* gateway/gw_room.h - is there room for something new? */
#ifndef GW_ROOM_H
#define GW_ROOM_H

#include <stdbool.h>

/*
 * False when memory is about to run out: what is new is refused while there is still enough for
 * what is there already, its lists and its restarts. (Descriptors: gw_worker_start.c.)
 */
bool gw_room_for_more(void);

#endif
