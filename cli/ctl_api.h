/*
 * cli/ctl_api.h - calls to the gateway: where it is, with which token, what its errors mean
 *
 * Everything here that fails has told the person so on stderr, with what to do next, and returns
 * the exit code of the program.
 */
#ifndef CTL_API_H
#define CTL_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/ctl_http.h"
#include "cli/ctl_url.h"
#include "common/attr.h"

/* What the program ends with. */
enum ctl_exit {
	CTL_EXIT_OK = 0,
	CTL_EXIT_FAILED = 1,
	CTL_EXIT_USAGE = 2,
	CTL_EXIT_UNREACHABLE = 3,
};

#define CTL_TOKEN_MAX 512

/* End with ctl_api_clear(). */
struct ctl_api {
	struct ctl_target target;
	char token[CTL_TOKEN_MAX + 1]; /* "" on the admin socket: who may, is asked of the kernel */
};

/* The admin socket of WARDEN_RUN_DIR. */
ATTR_NODISCARD enum ctl_exit ctl_api_open_admin(struct ctl_api *api);
/* WARDEN_URL, with the token of token_file (NULL: WARDEN_TOKEN). */
ATTR_NODISCARD enum ctl_exit ctl_api_open(struct ctl_api *api, const char *token_file);
void ctl_api_clear(struct ctl_api *api);

/*
 * One call. body: NULL or JSON (takes it). Success, set only then: *answer_out, a new reference to
 * the object that came with a 2xx status.
 */
ATTR_NODISCARD enum ctl_exit ctl_api_call(const struct ctl_api *api, const char *method,
                                          const char *path, json_t *body, json_t **answer_out);

/* How a call failed. End with ctl_fail_clear(). */
struct ctl_fail {
	int rc;                     /* negative: there was no answer; else 0 */
	int status;                 /* of the answer */
	uint32_t retry_after_s;     /* 0: not given */
	json_t *answer;             /* NULL: not JSON */
	char why[CTL_HTTP_WHY_CAP]; /* part of a sentence; "" where there was an answer */
};
void ctl_fail_clear(struct ctl_fail *fail);
/* It may go by itself: nobody answers, too many requests, the gateway stops or is in trouble. */
bool ctl_fail_may_pass(const struct ctl_fail *fail);

/* One call, from the opening on: as ctl_api_open(), then as ctl_api_call(). */
ATTR_NODISCARD enum ctl_exit ctl_api_once(const char *token_file, const char *method,
                                          const char *path, json_t *body, json_t **answer_out);
ATTR_NODISCARD enum ctl_exit ctl_api_admin(const char *method, const char *path, json_t *body,
                                           json_t **answer_out);

/* As ctl_api_call(), without a word. False: *fail_out is set. */
ATTR_NODISCARD bool ctl_api_try(const struct ctl_api *api, const char *method, const char *path,
                                json_t *body, json_t **answer_out, struct ctl_fail *fail_out);
/* Say it, with what to do. Returns the exit code. */
enum ctl_exit ctl_api_tell(const struct ctl_api *api, const struct ctl_fail *fail);

/* For what does not go through ctl_api_call(): say why there was no answer at all... */
enum ctl_exit ctl_api_unreachable(const struct ctl_api *api, int rc, const char *why);
/* ... or what an answer other than 2xx means; answer may be NULL (not JSON). */
enum ctl_exit ctl_api_refused(const struct ctl_api *api, int status, uint32_t retry_after_s,
                              const json_t *answer);

/* The array at key of an answer, borrowed; told when it is not there. */
ATTR_NODISCARD enum ctl_exit ctl_api_array(const json_t *answer, const char *key,
                                           json_t **array_out);

/* The string at key, or "" when it is not there or no string. Borrowed. */
const char *ctl_json_str(const json_t *obj, const char *key);
/* One line of JSON on stdout. Takes value; NULL (no memory) is told. */
ATTR_NODISCARD enum ctl_exit ctl_json_print(json_t *value);
/* Write text to stdout; a failure (a full disk, a closed pipe) is told. */
enum ctl_exit ctl_print(const char *text, size_t text_len);
enum ctl_exit ctl_no_memory(void);

#endif
