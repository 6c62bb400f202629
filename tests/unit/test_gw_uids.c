/* tests/unit/test_gw_uids.c - who owns the instances' folders; as root, the rest is nothing to do
 */
#include "gw_test.h"

#include <errno.h>
#include <sys/stat.h>

#include "gateway/supervision/gw_uids.h"

#define UIDS_N (GW_UID_LAST - GW_UID_FIRST + 1)

struct fixture {
	char dir[TEST_DIR_CAP];
	int fd; /* of dir/instances */
	struct gw_uids uids;
};

static void init(struct fixture *f)
{
	gw_uids_init(&f->uids, f->dir, f->fd);
}

static void setup(struct fixture *f)
{
	char path[128];

	test_dir_make(f->dir);
	snprintf(path, sizeof(path), "%s/instances", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	init(f);
}

static void teardown(struct fixture *f)
{
	close(f->fd);
	test_dir_remove(f->dir);
}

static void add_folder(struct fixture *f, const char *id)
{
	assert_int_equal(mkdirat(f->fd, id, 0700), 0);
}

static void add_file(struct fixture *f, const char *path)
{
	int fd = openat(f->fd, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static uid_t owner(struct fixture *f, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(f->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_gid, st.st_uid);
	return st.st_uid;
}

static uid_t settle(struct fixture *f, const char *id)
{
	assert_int_equal(gw_uids_settle(&f->uids, f->fd, id), 0);
	return owner(f, id);
}

static void test_each_folder_gets_a_uid_of_its_own(void **state)
{
	struct fixture f;
	struct stat st;

	(void)state;
	setup(&f);
	add_folder(&f, "a");
	add_folder(&f, "b");
	add_file(&f, "a/session.db"); /* of an older version */
	assert_int_equal(settle(&f, "a"), GW_UID_FIRST);
	assert_int_equal(settle(&f, "b"), GW_UID_FIRST + 1);
	assert_int_equal(owner(&f, "a/session.db"), GW_UID_FIRST);
	assert_int_equal(fstat(f.fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0711);
	assert_int_equal(stat(f.dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0711);
	teardown(&f);
}

static void test_the_next_start_knows_who_has_what(void **state)
{
	struct fixture f;
	uid_t a, b;

	(void)state;
	setup(&f);
	add_folder(&f, "a");
	add_folder(&f, "b");
	a = settle(&f, "a");
	b = settle(&f, "b");
	add_file(&f, "a/session.db"); /* a copy put back, as root */
	add_folder(&f, "c");
	init(&f);
	assert_int_equal(settle(&f, "c"), GW_UID_FIRST + 2);
	assert_int_equal(settle(&f, "a"), a);
	assert_int_equal(settle(&f, "b"), b);
	assert_int_equal(owner(&f, "a/session.db"), a);
	teardown(&f);
}

static void test_a_uid_rests_before_it_is_used_again(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add_folder(&f, "a");
	assert_int_equal(settle(&f, "a"), GW_UID_FIRST);
	gw_uids_release(&f.uids, f.fd, "a");
	assert_int_equal(unlinkat(f.fd, "a", AT_REMOVEDIR), 0);
	add_folder(&f, "b");
	assert_int_equal(settle(&f, "b"), GW_UID_FIRST + 1);
	for (uint32_t i = 2; i < UIDS_N; i++)
		f.uids.used[i] = 1;
	add_folder(&f, "c");
	assert_int_equal(settle(&f, "c"), GW_UID_FIRST); /* the only one that is free */
	teardown(&f);
}

static void test_when_all_are_taken_the_least_shared_is_shared(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (uint32_t i = 0; i < UIDS_N; i++)
		f.uids.used[i] = i == 77 ? 2 : 3;
	add_folder(&f, "a");
	assert_int_equal(settle(&f, "a"), GW_UID_FIRST + 77);
	assert_int_equal(f.uids.used[77], 3);
	teardown(&f);
}

/* A worker that was taken over can't make the gateway give it what is not its own. */
static void test_links_are_not_given_away(void **state)
{
	struct fixture f;
	char secret[128];
	struct stat st;

	(void)state;
	setup(&f);
	snprintf(secret, sizeof(secret), "%s/master.key", f.dir);
	close(open(secret, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	add_folder(&f, "a");
	assert_int_equal(symlinkat(secret, f.fd, "a/soft"), 0);
	assert_int_equal(linkat(AT_FDCWD, secret, f.fd, "a/hard", 0), 0);
	(void)settle(&f, "a");
	assert_int_equal(stat(secret, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(symlinkat(f.dir, f.fd, "link"), 0);
	assert_true(gw_uids_settle(&f.uids, f.fd, "link") < 0);
	assert_int_equal(stat(f.dir, &st), 0);
	assert_int_equal(st.st_uid, 0);
	teardown(&f);
}

static void test_behind_a_closed_folder_all_stay_with_the_gateway(void **state)
{
	char above[TEST_DIR_CAP], path[128];
	struct fixture f;

	(void)state;
	setup(&f);
	add_folder(&f, "a");
	assert_int_equal(settle(&f, "a"), GW_UID_FIRST);
	add_file(&f, "a/session.db");
	init(&f);
	assert_int_equal(settle(&f, "a"), GW_UID_FIRST);
	test_dir_make(above); /* 0700 */
	snprintf(path, sizeof(path), "%s/data", above);
	assert_int_equal(rename(f.dir, path), 0);
	gw_uids_init(&f.uids, path, f.fd);
	assert_false(f.uids.on);
	assert_int_equal(settle(&f, "a"), 0);
	assert_int_equal(owner(&f, "a/session.db"), 0);
	assert_int_equal(rename(path, f.dir), 0);
	test_dir_remove(above);
	teardown(&f);
}

static void test_without_root_nothing_is_given_away(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add_folder(&f, "a");
	assert_int_equal(gw_uids_settle(&f.uids, f.fd, "a"), 0);
	assert_int_equal(owner(&f, "a"), geteuid());
	assert_false(f.uids.on);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest as_root[] = {
		cmocka_unit_test(test_each_folder_gets_a_uid_of_its_own),
		cmocka_unit_test(test_the_next_start_knows_who_has_what),
		cmocka_unit_test(test_a_uid_rests_before_it_is_used_again),
		cmocka_unit_test(test_when_all_are_taken_the_least_shared_is_shared),
		cmocka_unit_test(test_links_are_not_given_away),
		cmocka_unit_test(test_behind_a_closed_folder_all_stay_with_the_gateway),
	};
	const struct CMUnitTest as_user[] = {
		cmocka_unit_test(test_without_root_nothing_is_given_away),
	};

	umask(077);
#ifndef WARDEN_SANITIZERS
	if (geteuid() == 0)
		return cmocka_run_group_tests(as_root, NULL, NULL);
#endif
	(void)as_root;
	return cmocka_run_group_tests(as_user, NULL, NULL);
}
