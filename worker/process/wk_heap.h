/*
 * worker/process/wk_heap.h - memory that many workers share, and memory that one does not need
 *
 * There may be thousands of workers on a host, nearly all of them idle: what a page costs, it costs
 * as many times. Not with sanitizers, whose heap is another.
 */
#ifndef WK_HEAP_H
#define WK_HEAP_H

/* Note where the heap is: first thing in main(), while it is all in one piece. */
void wk_heap_init(void);

/*
 * For the zygote, once it is ready to fork: take all that is free in the middle of the heap, for
 * good. A worker whose blocks went into these holes would get a copy of each page around them; so
 * they lie side by side behind the heap it was born with. And keep an image of that heap, sealed,
 * which it is a private mapping of from now on: so a worker can tell what it needs no copy of. No
 * promise: without memory, or memfd_create(), it stays an ordinary heap.
 */
void wk_heap_share(void);

/*
 * For a worker, after a peak: what is free goes back to the kernel, with it pages of zeros, copies
 * of pages of the zygote's heap that are again like the original, and the stack below the caller's
 * frame. Some 0.3 ms.
 */
void wk_heap_give_back(void);

#endif
