/* tests/unit/store_fixture.c - a session.db with a link in a temporary folder */
#include "store_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

void store_make(struct store_fixture *f, const char *parent)
{
	static const uint8_t master[SEALED_KEY_LEN] = { 7 };
	struct wk_creds *c = &f->creds;

	memset(f, 0, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "%s/warden-test-msg-XXXXXX",
	         parent == NULL ? "/tmp" : parent);
	MUST(mkdtemp(f->dir) != NULL);
	MUST(sealed_derive(master, SF_ID, 1, &f->key) == 0);
	MUST(wa_device_init(&c->device) == 0);
	snprintf(c->jid, sizeof(c->jid), SF_PN ":3@s.whatsapp.net");
	snprintf(c->lid, sizeof(c->lid), SF_LID ":3@lid");
	MUST(buf_append(&c->account, "account", 7) == 0);
	memset(c->account_key, 0x55, sizeof(c->account_key));
	MUST(wk_store_open(f->dir, SF_ID, &f->key, true, &f->st) == 0);
	MUST(wk_store_link(f->st, c) == 0);
}

void store_reopen(struct store_fixture *f)
{
	wk_store_close(f->st);
	f->st = NULL;
	MUST(wk_store_open(f->dir, SF_ID, &f->key, false, &f->st) == 0);
	wk_creds_clear(&f->creds);
	MUST(wk_store_load(f->st, &f->creds) == 0);
}

void store_remove(struct store_fixture *f)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	wk_store_close(f->st);
	wk_creds_clear(&f->creds);
	d = opendir(f->dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, e->d_name);
		(void)unlink(path);
	}
	if (d != NULL)
		closedir(d);
	(void)rmdir(f->dir);
}

int store_setup(void **state)
{
	struct store_fixture *f = calloc(1, sizeof(*f));

	store_make(f, NULL);
	*state = f;
	return 0;
}

int store_teardown(void **state)
{
	store_remove(*state);
	free(*state);
	return 0;
}
