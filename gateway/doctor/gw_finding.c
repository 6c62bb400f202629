/* gateway/doctor/gw_finding.c - what wardenctl doctor has found */
#include "gateway/doctor/gw_finding.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[GW_CHECK_N] = {
#define X(id, name) [id] = name,
	GW_CHECK_LIST(X)
#undef X
};

static const char *const verdicts[] = {
	[GW_UNKNOWN] = "failed",
	[GW_OK] = "ok",
	[GW_WARNING] = "warning",
	[GW_FAILED] = "failed",
};

/* Some of it comes from paths and from peers. */
static void clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}

void gw_finding_set(struct gw_findings *fs, enum gw_check check, enum gw_verdict verdict,
                    const char *advice, const char *fmt, ...)
{
	struct gw_finding *f = &fs->of[check];
	va_list ap;

	if (verdict <= f->verdict)
		return;
	f->verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	snprintf(f->advice, sizeof(f->advice), "%s", advice != NULL ? advice : "");
	clean(f->detail);
	clean(f->advice);
}

void gw_findings_close(struct gw_findings *fs, const char *why, const char *advice)
{
	for (int i = 0; i < GW_CHECK_N; i++)
		if (fs->of[i].verdict == GW_UNKNOWN)
			gw_finding_set(fs, (enum gw_check)i, GW_FAILED, advice, "%s", why);
}

bool gw_findings_failed(const struct gw_findings *fs)
{
	for (int i = 0; i < GW_CHECK_N; i++)
		if (fs->of[i].verdict == GW_FAILED)
			return true;
	return false;
}

json_t *gw_findings_json(const struct gw_findings *fs)
{
	json_t *all = json_array();

	for (int i = 0; all != NULL && i < GW_CHECK_N; i++) {
		const struct gw_finding *f = &fs->of[i];
		json_t *one = json_pack("{s:s, s:s, s:s, s:s?}", "check", names[i], "status",
		                        verdicts[f->verdict], "detail", f->detail, "advice",
		                        f->advice[0] != '\0' ? f->advice : NULL);

		if (one == NULL || json_array_append_new(all, one) < 0) {
			json_decref(all);
			all = NULL;
		}
	}
	return all;
}
