/* cli/ctl_instance.h - calls about instances, for the commands that share them */
#ifndef CTL_INSTANCE_H
#define CTL_INSTANCE_H

#include <jansson.h>

#include "cli/ctl_api.h"
#include "common/attr.h"

struct ctl_call;

#define CTL_INSTANCE_PATH_CAP 192
/* The path of list, for one or (NULL) all of them. out holds CTL_INSTANCE_PATH_CAP bytes. */
void ctl_instance_list_path(const char *name, char *out);

/* The one that call names, or all the token may see: as JSON, or by print where there are any. */
ATTR_NODISCARD enum ctl_exit ctl_instance_each(const struct ctl_call *call,
                                               enum ctl_exit (*print)(json_t *instances));

/*
 * One call about the instance of call: route and its name under /api/instance. takes body (may be
 * NULL). Success, set only then: *answer_out, a new reference.
 */
ATTR_NODISCARD enum ctl_exit ctl_instance_call(const struct ctl_call *call, const char *method,
                                               const char *route, json_t *body,
                                               json_t **answer_out);

/* The same with a path of another kind. */
ATTR_NODISCARD enum ctl_exit ctl_instance_call_path(const struct ctl_call *call, const char *method,
                                                    const char *path, json_t *body,
                                                    json_t **answer_out);

/*
 * The object at key of an answer, as one line of JSON or by print (NULL where it is JSON in any
 * case); told when it is not there.
 */
ATTR_NODISCARD enum ctl_exit ctl_instance_show(const struct ctl_call *call, const json_t *answer,
                                               const char *key,
                                               enum ctl_exit (*print)(const json_t *object));

#endif
