/*
 * worker/process/wk_heap.h - memory that many workers share, and memory that one does not need
 *
 * There may be thousands of workers on a host, nearly all of them idle: what a page costs, it costs
 * as many times. Not with sanitizers, whose heap is another.
 */
#ifndef WK_HEAP_H
#define WK_HEAP_H

/*
 * For the zygote, once it is ready to fork: take all that is free in the middle of the heap, for
 * good. A worker whose blocks went into these holes would get a copy of each page around them; so
 * they lie side by side behind the heap it was born with, which stays shared. No promise: without
 * memory, holes are left.
 */
void wk_heap_fill(void);

/*
 * For a worker, after a peak: what is free goes back to the kernel, and so does the stack below the
 * caller's frame.
 */
void wk_heap_give_back(void);

#endif
