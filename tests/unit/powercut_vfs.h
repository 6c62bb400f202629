/*
 * tests/unit/powercut_vfs.h - files in memory that lose what was not synced when the power fails
 *
 * A VFS for SQLite, the default one once installed. Each file is kept twice: as programs see it,
 * and as the disk has it for certain. At a cut every write since the last sync of its file survives
 * whole, in part (by sectors of 512 bytes), or not at all, in any order, as do truncations and the
 * end of the file; a new file that was never synced may be gone, a removed one back. What a write
 * does not touch it never harms (what SQLite calls powersafe overwrite).
 * One thread. Ends the program when memory runs out.
 */
#ifndef POWERCUT_VFS_H
#define POWERCUT_VFS_H

#include <stdbool.h>
#include <stdint.h>

/* Once. */
void powercut_install(void);
/* No files, power on, another stream of randomness. Nothing may be open. */
void powercut_reset(uint64_t seed);

/*
 * The power fails during the n-th write, sync, truncation or removal from now on (1: the next one;
 * 0: never). From then on everything of the kind fails.
 */
void powercut_after(uint64_t n);
bool powercut_is_off(void);
/* How many of them there were since the reset. */
uint64_t powercut_ops(void);
/* Fails now, whatever is going on. */
void powercut_now(void);

/* Files become what the disk has kept. What was open has to be closed before. */
void powercut_power_on(void);

#endif
