/* simulator/server/sim_fault.c - what shall go wrong, at which stage, for which connection */
#include "simulator/server/sim_fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static const char *const stage_names[] = {
#define X(id, name) [id] = (name),
	SIM_STAGE_LIST(X)
#undef X
};

static const struct {
	const char *name;
	unsigned stages;
	enum sim_stage default_stage;
} kinds[] = {
#define X(id, name, stages, stage) [id] = { (name), (stages), (stage) },
	SIM_FAULT_LIST(X)
#undef X
};

struct sim_faults {
	struct sim_fault_entry *list; /* owned; in the order of definition */
	size_t n, cap;
	uint32_t last_id;
};

const char *sim_stage_name(enum sim_stage stage)
{
	return stage_names[stage];
}

int sim_stage_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(stage_names); i++) {
		if (strcmp(name, stage_names[i]) == 0)
			return (int)i;
	}
	return -EINVAL;
}

const char *sim_fault_name(enum sim_fault_kind kind)
{
	return kind == SIM_F_NONE ? "none" : kinds[kind].name;
}

int sim_fault_parse(const char *name)
{
	for (size_t i = SIM_F_NONE + 1; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(name, kinds[i].name) == 0)
			return (int)i;
	}
	return -EINVAL;
}

enum sim_stage sim_fault_default_stage(enum sim_fault_kind kind)
{
	return kinds[kind].default_stage;
}

bool sim_fault_fits(enum sim_fault_kind kind, enum sim_stage stage)
{
	return (kinds[kind].stages & SIM_AT(stage)) != 0;
}

int sim_faults_new(struct sim_faults **faults_out)
{
	struct sim_faults *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	*faults_out = f;
	return 0;
}

void sim_faults_free(struct sim_faults *f)
{
	if (f == NULL)
		return;
	free(f->list);
	free(f);
}

static int grow(struct sim_faults *f)
{
	size_t cap = f->cap == 0 ? 8 : f->cap * 2;
	struct sim_fault_entry *list = realloc(f->list, cap * sizeof(*list));

	if (list == NULL)
		return -ENOMEM;
	f->list = list;
	f->cap = cap;
	return 0;
}

/* no_refs and its kin decide about pair-device itself, which is sent at the end of registration. */
static enum sim_stage effective_stage(const struct sim_fault *fault)
{
	switch ((int)fault->kind) {
	case SIM_F_NO_REFS:
	case SIM_F_REFS_END:
		return SIM_REGISTRATION;
	case SIM_F_NO_PONG:
		return fault->stage == SIM_REGISTRATION ? SIM_PAIRING : fault->stage;
	default: /* all others happen where they were asked for */
		return fault->stage;
	}
}

int sim_faults_add(struct sim_faults *f, const struct sim_fault_match *match,
                   const struct sim_fault *fault, uint32_t *id_out)
{
	struct sim_fault_entry *e;
	int rc;

	if (f->n >= SIM_FAULTS_MAX)
		return WA_ELIMIT;
	rc = f->n == f->cap ? grow(f) : 0;
	if (rc < 0)
		return rc;
	e = &f->list[f->n++];
	memset(e, 0, sizeof(*e));
	e->id = ++f->last_id;
	e->match = *match;
	e->fault = *fault;
	e->fault.stage = effective_stage(fault);
	*id_out = e->id;
	return 0;
}

size_t sim_faults_clear(struct sim_faults *f)
{
	size_t n = f->n;

	f->n = 0;
	return n;
}

size_t sim_faults_count(const struct sim_faults *f)
{
	return f->n;
}

const struct sim_fault_entry *sim_faults_at(const struct sim_faults *f, size_t index)
{
	return &f->list[index];
}

static bool is_match(const struct sim_fault_entry *e, enum sim_stage stage, const char *number)
{
	if (e->fault.stage != stage)
		return false;
	if (e->match.number[0] == '\0')
		return true;
	return number != NULL && strcmp(e->match.number, number) == 0;
}

/* Count a connection that fits; false: it is not its turn. */
static bool count(struct sim_fault_entry *e, bool armed)
{
	e->seen++;
	if (armed || (e->match.nth != 0 && e->seen != e->match.nth))
		return false;
	e->hit++;
	return true;
}

static bool arm(struct sim_faults *f, enum sim_stage stage, const char *number, bool by_number,
                struct sim_fault *fault_out)
{
	bool armed = false;

	for (size_t i = 0; i < f->n; i++) {
		struct sim_fault_entry *e = &f->list[i];

		if (!is_match(e, stage, number) || (by_number && e->match.number[0] == '\0'))
			continue;
		if (count(e, armed)) {
			*fault_out = e->fault;
			armed = true;
		}
	}
	return armed;
}

bool sim_faults_arm(struct sim_faults *f, enum sim_stage stage, const char *number,
                    struct sim_fault *fault_out)
{
	return arm(f, stage, number, false, fault_out);
}

bool sim_faults_arm_number(struct sim_faults *f, enum sim_stage stage, const char *number,
                           struct sim_fault *fault_out)
{
	return arm(f, stage, number, true, fault_out);
}

bool sim_shaper_is_active(const struct sim_shaper *s)
{
	return s->kind == SIM_F_CORRUPT || s->kind == SIM_F_TRUNCATE || s->kind == SIM_F_STALL;
}

enum sim_shape sim_shape(struct sim_shaper *s, uint8_t *data, size_t *len)
{
	enum sim_fault_kind kind = s->kind;
	size_t at;

	if (!sim_shaper_is_active(s) || *len == 0)
		return SIM_SHAPE_PASS;
	if (s->offset < 0)
		s->offset = (int64_t)(*len / 2);
	if ((uint64_t)s->offset >= s->passed + *len) {
		s->passed += *len;
		return SIM_SHAPE_PASS;
	}
	at = (size_t)((uint64_t)s->offset - s->passed);
	s->kind = SIM_F_NONE;
	if (kind == SIM_F_CORRUPT) {
		data[at] ^= 0x20;
		return SIM_SHAPE_PASS;
	}
	*len = at;
	return kind == SIM_F_TRUNCATE ? SIM_SHAPE_CUT : SIM_SHAPE_MUTE;
}
