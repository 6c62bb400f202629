/* cli/ctl_link.h - what a link is asked for with, by both ways to ask for one */
#ifndef CTL_LINK_H
#define CTL_LINK_H

#include <stdint.h>

#include "cli/ctl_command.h"

struct ctl_link_terms {
	char number[CTL_PHONE_CAP]; /* digits; "": link by QR */
	int64_t history_days;       /* 0: not asked for */
};

/* --number and --history; told when they are wrong. */
ATTR_NODISCARD enum ctl_exit ctl_link_terms(const struct ctl_call *call,
                                            struct ctl_link_terms *terms_out);

/* ctl_share.c: wardenctl link NAME --share */
enum ctl_exit ctl_link_share(const struct ctl_call *call);

#endif
