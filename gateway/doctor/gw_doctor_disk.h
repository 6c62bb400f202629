/*
 * gateway/doctor/gw_doctor_disk.h - is data_dir a place where sessions can live, and is the key there?
 *
 * A disk may take its time, so the look is taken by a thread of its own, which nobody has to wait
 * for.
 */
#ifndef GW_DOCTOR_DISK_H
#define GW_DOCTOR_DISK_H

#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"
#include "common/sealed.h"
#include "gateway/doctor/gw_finding.h"

struct event_base;
struct gw_doctor_disk;

/*
 * Exists, ours, closed to others; a file can be written, locked, made durable, renamed; room and
 * inodes are left; the file system keeps what it is given. Blocks as long as the disk does.
 * Sets DATA_DIR, FREE_SPACE and FILE_SYSTEM.
 */
void gw_doctor_disk_look(const char *data_dir, uid_t uid, struct gw_findings *fs);

/* What there is of room and of what kind; the judgement alone. magic: statfs's f_type. */
void gw_doctor_judge_space(uint64_t free_bytes, uint64_t free_inodes, uint64_t all_inodes,
                           struct gw_findings *fs);
void gw_doctor_judge_kind(uint64_t magic, struct gw_findings *fs);

/* All of it is copied. */
struct gw_doctor_disk_params {
	const char *data_dir;
	const char *key_path, *key_from; /* gw_master_key_where(); key_from: static */
	struct sealed_key key;           /* of GW_DOCTOR_KEY_OWNER, from the master key in use */
};
#define GW_DOCTOR_KEY_OWNER "doctor"

/*
 * Look at data_dir, and whether the master key's file still holds the key in use (MASTER_KEY).
 * on_done: once, from the loop; fs is borrowed. 0, -ENOMEM or -errno.
 */
ATTR_NODISCARD int gw_doctor_disk_start(struct event_base *base,
                                        const struct gw_doctor_disk_params *params,
                                        void (*on_done)(const struct gw_findings *fs, void *arg),
                                        void *arg, struct gw_doctor_disk **disk_out);
/* on_done comes no more; a thread that still looks ends by itself. NULL is fine. */
void gw_doctor_disk_free(struct gw_doctor_disk *disk);

#endif
