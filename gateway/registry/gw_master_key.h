/*
 * gateway/registry/gw_master_key.h - the key that wraps every secret at rest
 *
 * Read once at start: the setting master_key_file, else $CREDENTIALS_DIRECTORY/master_key, else
 * data_dir/master.key, which is made on the first start (mode 0600). One that others may read or
 * change, a group may change, or that belongs to another user (than ours or root) is refused; one
 * that a group may read is warned of, but for systemd's. Held in locked memory. The
 * file holds 32 bytes, or 64 hex digits with an optional line end.
 */
#ifndef GW_MASTER_KEY_H
#define GW_MASTER_KEY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"
#include "common/sealed.h"

struct gw_master_key;

/*
 * first: the registry is new, so that a missing data_dir/master.key may be made; else its absence
 * is an error: with another key nothing that was sealed could be read any more.
 * 0, or a negative code after an error in the log that says which file and what is wrong.
 */
ATTR_NODISCARD int gw_master_key_load(const char *file, const char *data_dir, _Bool first,
                                      struct gw_master_key **key_out);
/* NULL, or what of a file's mode and owner makes it unsafe for a process of uid; static text. */
const char *gw_master_key_why_unsafe(mode_t mode, uid_t owner, uid_t uid);
/* Wipes. NULL is fine. */
void gw_master_key_free(struct gw_master_key *k);

/*
 * Where the key is read from: path_out holds path_cap bytes. *from_out: "setting", "credential" or
 * "data_dir", static. 0, or -ENAMETOOLONG.
 */
ATTR_NODISCARD int gw_master_key_where(const char *file, const char *data_dir, char *path_out,
                                       size_t path_cap, const char **from_out);
/* The key of an instance, or of "registry". 0 or WA_ECRYPTO. */
ATTR_NODISCARD int gw_master_key_derive(const struct gw_master_key *k, const char *owner,
                                        uint32_t epoch, struct sealed_key *key_out);
/* The same with the key that path holds now, without a word. -errno; -EINVAL: it holds none. */
ATTR_NODISCARD int gw_master_key_derive_from(const char *path, const char *owner, uint32_t epoch,
                                             struct sealed_key *key_out);

#endif
