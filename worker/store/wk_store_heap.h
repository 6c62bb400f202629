/*
 * worker/store/wk_store_heap.h - SQLite's blocks, in memory of their own
 *
 * SQLite makes thousands of small blocks and frees nearly all of them when it comes to rest. Among
 * everybody else's they would leave holes in every page; by themselves they leave whole pages.
 */
#ifndef WK_STORE_HEAP_H
#define WK_STORE_HEAP_H

#include <sqlite3.h>

/*
 * To be handed to sqlite3_config(SQLITE_CONFIG_MALLOC). For one thread. What is freed is wiped;
 * large blocks are malloc()'s.
 */
extern const sqlite3_mem_methods wk_store_heap_methods;

/* What is free goes back to the kernel. */
void wk_store_heap_trim(void);

#endif
