/* tests/unit/store_fixture.h - a session.db with a link in a temporary folder */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "common/sealed.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store.h"

#define SF_ID "abcdefghijklmnop"
#define SF_PN "5511999999999"
#define SF_LID "123456789"

struct store_fixture {
	char dir[64];
	struct sealed_key key;
	struct wk_creds creds;
	struct wk_store *st;
};

/* cmocka's setup and teardown; *state is the fixture. parent: where the folder is made; NULL: /tmp.
 */
int store_setup(void **state);
int store_teardown(void **state);
void store_make(struct store_fixture *f, const char *parent);
void store_remove(struct store_fixture *f);
/* Close and open again, as a new process would. */
void store_reopen(struct store_fixture *f);

#endif
