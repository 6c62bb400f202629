/*
 * gateway/registry/gw_store_tidy.c - the folders of instances that are no more
 *
 * A folder goes after its row is gone for good, and comes before its row is there: a gateway that
 * dies in between leaves one that no instance has. What is to be erased is therefore written down
 * with the row's end (a trigger of the schema) and crossed out when it is done. A folder that
 * nobody wrote down is removed only while it is empty: there may be a session in it whose row an
 * old copy of the registry does not know.
 */
#include "gateway/registry/gw_store_db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/db.h"
#include "common/log.h"
#include "gateway/registry/gw_dir.h"

/* Once more at the next start, should it not work out. */
static void cross_out(struct gw_store_db *d, const char *id)
{
	sqlite3_stmt *s = d->stmt[GW_SQL_ERASED];

	(void)sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
	(void)sqlite3_step(s);
	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
}

int gw_store_db_instance_erase(struct gw_store_db *d, const char *id)
{
	int rc;

	gw_uids_release(&d->uids, d->instances_fd, id);
	rc = gw_dir_remove(d->instances_fd, id);
	if (rc == 0)
		cross_out(d, id);
	return rc;
}

/* The first id in order after this one that sql finds; false: none. */
static bool next_id(struct gw_store_db *d, const char *sql, char id[GW_ID_LEN + 1])
{
	sqlite3_stmt *s = NULL;
	bool found = sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) == SQLITE_OK &&
	             sqlite3_bind_text(s, 1, id, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
	             sqlite3_step(s) == SQLITE_ROW && sqlite3_column_bytes(s, 0) == GW_ID_LEN &&
	             db_text(s, 0, id, GW_ID_LEN + 1) == 0;

	(void)sqlite3_finalize(s);
	return found;
}

static void erase_what_is_due(struct gw_store_db *d)
{
	char id[GW_ID_LEN + 1] = "";

	while (next_id(d, "SELECT id FROM to_erase WHERE id > ?1 ORDER BY id LIMIT 1", id)) {
		int rc = gw_store_db_instance_erase(d, id);

		LOG(NULL, rc < 0 ? LOG_ERR : LOG_NOTICE, "instance_erased_late", LF_STR("id", id),
		    LF_ERR("err", rc));
	}
}

static bool is_id(const char *name)
{
	return strlen(name) == GW_ID_LEN &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz234567") == GW_ID_LEN &&
	       strcmp(name, GW_PROBE_ID) != 0;
}

static void remove_unused(struct gw_store_db *d)
{
	int fd = openat(d->instances_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (dir == NULL && fd >= 0)
		close(fd);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char id[GW_ID_LEN + 1];

		if (!is_id(e->d_name))
			continue;
		memcpy(id, e->d_name, sizeof(id));
		if (!next_id(d, "SELECT id FROM instance WHERE id = ?1", id))
			(void)unlinkat(d->instances_fd, e->d_name, AT_REMOVEDIR);
	}
	if (dir != NULL)
		closedir(dir);
}

void gw_store_db_tidy(struct gw_store_db *d)
{
	erase_what_is_due(d);
	remove_unused(d);
}
