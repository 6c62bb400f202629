/* common/attr.h - compiler attributes used by every program */
#ifndef ATTR_H
#define ATTR_H

#define ATTR_PRINTF(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define ATTR_NODISCARD __attribute__((warn_unused_result))
#define ATTR_NONNULL __attribute__((nonnull))
#define ATTR_NORETURN __attribute__((noreturn))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
