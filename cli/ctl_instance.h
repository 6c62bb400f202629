/* cli/ctl_instance.h - the list of instances, for the commands that show it */
#ifndef CTL_INSTANCE_H
#define CTL_INSTANCE_H

#include <jansson.h>

#include "cli/ctl_api.h"
#include "common/attr.h"

/* name: only that one; NULL: all the token may see. A new reference to an array in *instances_out.
 */
ATTR_NODISCARD enum ctl_exit ctl_instance_fetch(const struct ctl_api *api, const char *name,
                                                json_t **instances_out);

#endif
