/* gateway/doctor/gw_finding.h - what wardenctl doctor has found: one finding for each check */
#ifndef GW_FINDING_H
#define GW_FINDING_H

#include <jansson.h>
#include <stdbool.h>

#include "common/attr.h"

/* In the order in which they are shown. */
#define GW_CHECK_LIST(X) \
	X(GW_CHECK_DATA_DIR, "data_dir") \
	X(GW_CHECK_FREE_SPACE, "free_space") \
	X(GW_CHECK_FILE_SYSTEM, "file_system") \
	X(GW_CHECK_REGISTRY, "registry") \
	X(GW_CHECK_MASTER_KEY, "master_key") \
	X(GW_CHECK_REDIS, "redis") \
	X(GW_CHECK_WORKERS, "workers") \
	X(GW_CHECK_SANDBOX, "sandbox") \
	X(GW_CHECK_OPEN_FILES, "open_files") \
	X(GW_CHECK_KERNEL, "kernel") \
	X(GW_CHECK_WHATSAPP, "whatsapp") \
	X(GW_CHECK_CLOCK, "clock")

enum gw_check {
#define X(id, name) id,
	GW_CHECK_LIST(X)
#undef X
	    GW_CHECK_N
};

enum gw_verdict { GW_UNKNOWN, GW_OK, GW_WARNING, GW_FAILED };

#define GW_FINDING_TEXT_CAP 384

struct gw_finding {
	enum gw_verdict verdict;
	char detail[GW_FINDING_TEXT_CAP]; /* what was seen, in a sentence without its full stop */
	char advice[GW_FINDING_TEXT_CAP]; /* what to do; "" where all is well */
};

/* Zero-initialised: nothing is known yet. No secret may be put in. */
struct gw_findings {
	struct gw_finding of[GW_CHECK_N];
};

/*
 * Note what a check has seen; advice is copied, NULL: none. Of several findings of one check the
 * worst counts, and of equals the first. Control characters become '?'.
 */
void gw_finding_set(struct gw_findings *fs, enum gw_check check, enum gw_verdict verdict,
                    const char *advice, const char *fmt, ...) ATTR_PRINTF(5, 6);

/* Each check that has found nothing yet has failed, for this reason. */
void gw_findings_close(struct gw_findings *fs, const char *why, const char *advice);
/* Has any check failed? */
bool gw_findings_failed(const struct gw_findings *fs);
/* [{"check","status","detail","advice"}], status one of ok, warning, failed. NULL: no memory. */
json_t *gw_findings_json(const struct gw_findings *fs);

#endif
