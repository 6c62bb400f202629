/*
 * tests/tools/faults.h - what faults.so and tests/integration/faultctl.mjs share: one file, mapped
 * by every process under test
 *
 * All numbers are little-endian 32 bits or 64 bits at fixed places, by which the script reads them.
 * It writes the command; processes answer with what they count and with what they did.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <stddef.h>
#include <stdint.h>

#define FLT_MAGIC 0x31544c46U /* "FLT1" */
#define FLT_DEPTH 24          /* return addresses that are kept of a call */
#define FLT_SLOTS 32768       /* distinct calls that one recording may hold; a power of two */
#define FLT_NAMES 128         /* functions */
#define FLT_NAME_CAP 32
#define FLT_REPORT_CAP 8192

enum flt_role { FLT_GATEWAY, FLT_ZYGOTE, FLT_WORKER, FLT_CLI, FLT_ROLES };
enum flt_class { FLT_ALLOC, FLT_SYS, FLT_SQL, FLT_CLASSES };
enum flt_mode { FLT_OFF, FLT_RECORD, FLT_FAIL };

/* What a call is made to do besides failing with an errno. */
enum flt_special {
	FLT_SHORT = 10001, /* one byte is read or written */
	FLT_AFTER = 10002, /* done, and reported as failed with EIO */
};

struct flt_name {
	char name[FLT_NAME_CAP];
	uint32_t variants; /* ways in which it can fail */
	uint32_t pad;
};

/* One call, by where it was made from. */
struct flt_call {
	uint64_t hash; /* of role, function and return addresses; 0: free */
	uint32_t role, cls, fn, count;
	uint64_t frames[FLT_DEPTH];
};

struct flt_ctl {
	uint32_t magic;
	uint32_t mode;
	/* what is to fail: one function and place, or the nth call of a class */
	uint32_t role, cls;
	uint64_t hash; /* 0: by number */
	int32_t skip;  /* so many matching calls succeed before */
	uint32_t variant;
	uint32_t fired;
	int32_t fired_pid;
	uint32_t fired_fn;
	int32_t fired_err;
	uint64_t counts[FLT_ROLES][FLT_CLASSES]; /* since the recording began */
	uint32_t heap_asked, heap_told;          /* the gateway tells its heap when these differ */
	uint64_t heap_bytes;
	uint32_t calls_n, calls_lost;
	uint32_t depth; /* return addresses that tell one call from another; 0: all that are kept */
	uint32_t pad;
	char report[FLT_REPORT_CAP]; /* the stack of the call that failed, a frame a line */
	char crash[FLT_REPORT_CAP];  /* the same of a process that crashed */
	struct flt_name names[FLT_NAMES];
	struct flt_call calls[FLT_SLOTS];
};
_Static_assert(offsetof(struct flt_ctl, report) == 176 && sizeof(struct flt_name) == 40 &&
                   sizeof(struct flt_call) == 216,
               "faultctl.mjs has these numbers, too");

#endif
