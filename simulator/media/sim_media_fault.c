/* simulator/media/sim_media_fault.c - what shall go wrong with which request to the media host */
#include "simulator/media/sim_media_fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

struct entry {
	struct sim_media_match match;
	struct sim_media_fault fault;
	uint32_t seen, hit;
};

struct sim_media_faults {
	struct entry list[SIM_MEDIA_FAULTS_MAX];
	size_t n;
	uint32_t ids;
};

static const char *const words[] = { [SIM_MF_NONE] = "",
#define X(id, word) [id] = word,
	                             SIM_MEDIA_FAULT_LIST(X)
#undef X
};

bool sim_media_fault_find(const char *word, enum sim_media_fault_kind *kind_out)
{
	for (size_t i = 1; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], word) == 0) {
			*kind_out = (enum sim_media_fault_kind)i;
			return true;
		}
	}
	return false;
}

int sim_media_faults_new(struct sim_media_faults **f_out)
{
	struct sim_media_faults *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	*f_out = f;
	return 0;
}

void sim_media_faults_free(struct sim_media_faults *f)
{
	free(f);
}

int sim_media_faults_add(struct sim_media_faults *f, const struct sim_media_match *match,
                         const struct sim_media_fault *fault, uint32_t *id_out)
{
	if (f->n == SIM_MEDIA_FAULTS_MAX)
		return WA_ELIMIT;
	f->list[f->n++] = (struct entry){ .match = *match, .fault = *fault };
	*id_out = ++f->ids;
	return 0;
}

void sim_media_faults_clear(struct sim_media_faults *f)
{
	f->n = 0;
}

static bool is_due(struct entry *e, enum sim_http_method method, const char *target)
{
	const struct sim_media_match *m = &e->match;

	if ((m->method >= 0 && m->method != (int)method) || strstr(target, m->part) == NULL)
		return false;
	e->seen++;
	return e->seen >= m->nth && (m->times == 0 || e->hit < m->times);
}

struct sim_media_fault sim_media_faults_take(struct sim_media_faults *f,
                                             enum sim_http_method method, const char *target)
{
	struct sim_media_fault taken = { .kind = SIM_MF_NONE };

	for (size_t i = 0; i < f->n; i++) {
		struct entry *e = &f->list[i];

		if (!is_due(e, method, target) || taken.kind != SIM_MF_NONE)
			continue;
		e->hit++;
		taken = e->fault;
	}
	return taken;
}
