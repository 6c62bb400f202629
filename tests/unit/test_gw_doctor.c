/* tests/unit/test_gw_doctor.c - wardenctl doctor's checks: what they call well, and what not */
#include "gw_test.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "gateway/doctor/gw_doctor_disk.h"
#include "gateway/doctor/gw_doctor_host.h"
#include "gateway/doctor/gw_doctor_reach.h"
#include "gateway/doctor/gw_finding.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/registry/gw_registry.h"

#define MIB (1024ull * 1024)

static void expect(const struct gw_findings *fs, enum gw_check check, enum gw_verdict verdict,
                   const char *detail, const char *advice)
{
	const struct gw_finding *f = &fs->of[check];

	if (f->verdict != verdict || strstr(f->detail, detail) == NULL ||
	    (advice == NULL) != (f->advice[0] == '\0') ||
	    (advice != NULL && strstr(f->advice, advice) == NULL))
		fail_msg("verdict %d, \"%s\", \"%s\"", f->verdict, f->detail, f->advice);
}

static void test_the_worst_of_a_check_counts(void **state)
{
	struct gw_findings fs = { 0 };
	json_t *json;

	(void)state;
	gw_finding_set(&fs, GW_CHECK_REGISTRY, GW_OK, NULL, "fine");
	gw_finding_set(&fs, GW_CHECK_REGISTRY, GW_FAILED, "do", "bad\x1b %d", 1);
	gw_finding_set(&fs, GW_CHECK_REGISTRY, GW_FAILED, "else", "also bad");
	gw_finding_set(&fs, GW_CHECK_REGISTRY, GW_WARNING, NULL, "so so");
	expect(&fs, GW_CHECK_REGISTRY, GW_FAILED, "bad? 1", "do");
	assert_true(gw_findings_failed(&fs));
	json = gw_findings_json(&fs);
	assert_int_equal(json_array_size(json), GW_CHECK_N);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(json, GW_CHECK_REGISTRY), "status")),
	    "failed");
	json_decref(json);
}

static void test_what_was_not_found_out_has_failed(void **state)
{
	struct gw_findings fs = { 0 };

	(void)state;
	gw_finding_set(&fs, GW_CHECK_REGISTRY, GW_WARNING, NULL, "so so");
	assert_false(gw_findings_failed(&fs));
	gw_findings_close(&fs, "no answer", "look");
	expect(&fs, GW_CHECK_REGISTRY, GW_WARNING, "so so", NULL);
	expect(&fs, GW_CHECK_KERNEL, GW_FAILED, "no answer", "look");
}

static void space(uint64_t bytes, uint64_t inodes, uint64_t all, enum gw_verdict verdict,
                  const char *detail, const char *advice)
{
	struct gw_findings fs = { 0 };

	gw_doctor_judge_space(bytes, inodes, all, &fs);
	expect(&fs, GW_CHECK_FREE_SPACE, verdict, detail, advice);
}

static void test_room_on_the_disk(void **state)
{
	(void)state;
	space(5000 * MIB, 100000, 200000, GW_OK, "5000 MiB are free", NULL);
	space(1023 * MIB, 100000, 200000, GW_WARNING, "1023 MiB", "make room");
	space(63 * MIB, 100000, 200000, GW_FAILED, "63 MiB", "make room");
	space(5000 * MIB, 9999, 200000, GW_WARNING, "9999 inodes", "remove files");
	space(5000 * MIB, 0, 200000, GW_FAILED, "0 inodes", "remove files");
	space(5000 * MIB, 0, 0, GW_OK, "5000 MiB", NULL); /* btrfs */
}

static void kind(uint64_t magic, enum gw_verdict verdict, const char *detail, const char *advice)
{
	struct gw_findings fs = { 0 };

	gw_doctor_judge_kind(magic, &fs);
	expect(&fs, GW_CHECK_FILE_SYSTEM, verdict, detail, advice);
}

static void test_kinds_of_file_systems(void **state)
{
	(void)state;
	kind(EXT4_SUPER_MAGIC, GW_OK, "ext4", NULL);
	kind(TMPFS_MAGIC, GW_WARNING, "tmpfs", "lost at the next reboot");
	kind(NFS_SUPER_MAGIC, GW_WARNING, "nfs", "local disk");
	kind(CIFS_SUPER_MAGIC, GW_WARNING, "cifs", "local disk");
	kind(0x1234, GW_OK, "0x1234", NULL);
}

static void look(const char *dir, uid_t uid, struct gw_findings *fs)
{
	memset(fs, 0, sizeof(*fs));
	gw_doctor_disk_look(dir, uid, fs);
}

static void make_data_dir(char *dir)
{
	char sub[TEST_DIR_CAP + 16];

	test_dir_make(dir);
	snprintf(sub, sizeof(sub), "%s/instances", dir);
	assert_int_equal(mkdir(sub, 0700), 0);
}

static unsigned count_files(const char *dir)
{
	char command[TEST_DIR_CAP + 64];
	unsigned n = 0;
	FILE *p;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", dir);
	p = popen(command, "r");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%u", &n), 1);
	pclose(p);
	return n;
}

static void test_a_data_dir_is_tried_out(void **state)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	struct rlimit before;
	struct gw_findings fs;
	char dir[TEST_DIR_CAP], sub[TEST_DIR_CAP + 48];

	(void)state;
	make_data_dir(dir);
	look(dir, geteuid(), &fs);
	if (fs.of[GW_CHECK_DATA_DIR].verdict != GW_WARNING) /* a slow disk */
		expect(&fs, GW_CHECK_DATA_DIR, GW_OK, "can be written to", NULL);
	assert_int_not_equal(fs.of[GW_CHECK_FREE_SPACE].verdict, GW_UNKNOWN);
	assert_int_not_equal(fs.of[GW_CHECK_FILE_SYSTEM].verdict, GW_UNKNOWN);
	assert_int_equal(count_files(dir), 1); /* nothing is left behind */
	look(dir, geteuid() + 1, &fs);
	expect(&fs, GW_CHECK_DATA_DIR, GW_WARNING, "belongs to user", "chown");
	assert_int_equal(chmod(dir, 0750), 0);
	look(dir, geteuid(), &fs);
	expect(&fs, GW_CHECK_DATA_DIR, GW_WARNING, "others can read", "chmod 700");
	assert_int_equal(chmod(dir, 0770), 0);
	look(dir, geteuid(), &fs);
	expect(&fs, GW_CHECK_DATA_DIR, GW_FAILED, "others can write", "chmod 700");
	snprintf(sub, sizeof(sub), "%s/instances/%s", dir, GW_PROBE_ID);
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(chmod(dir, 0700), 0);
	if (geteuid() == 0) { /* workers with users of their own */
		assert_int_equal(chown(sub, 65519, 65519), 0);
		look(dir, 0, &fs);
		expect(&fs, GW_CHECK_DATA_DIR, GW_FAILED, "workers run as can't pass", "chmod 711");
	}
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(chmod(dir, 0711), 0); /* to pass through is fine */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	look(dir, geteuid(), &fs);
	setrlimit(RLIMIT_FSIZE, &before);
	expect(&fs, GW_CHECK_DATA_DIR, GW_FAILED, "no file can be written to", "");
	assert_int_equal(count_files(dir), 1);
	snprintf(sub, sizeof(sub), "%s/instances", dir);
	assert_int_equal(rmdir(sub), 0);
	look(dir, geteuid(), &fs);
	expect(&fs, GW_CHECK_DATA_DIR, GW_FAILED, "data_dir/instances: No such file", "backup");
	look("/nowhere/at/all", geteuid(), &fs);
	for (int i = GW_CHECK_DATA_DIR; i <= GW_CHECK_FILE_SYSTEM; i++)
		expect(&fs, (enum gw_check)i, GW_FAILED, "No such file", "data_dir has to be");
	test_dir_remove(dir);
}

static void files(uint64_t limit, uint64_t conns, uint64_t instances, enum gw_verdict verdict,
                  const char *detail, const char *advice)
{
	struct gw_findings fs = { 0 };

	gw_doctor_judge_files(limit, conns, instances, &fs);
	expect(&fs, GW_CHECK_OPEN_FILES, verdict, detail, advice);
}

static void test_descriptors_for_clients_and_workers(void **state)
{
	(void)state;
	files(65536, 10000, 1000, GW_OK, "room for 13852 instances", NULL);
	files(8192, 10000, 1000, GW_WARNING, "8192 files", "LimitNOFILE");
	files(1024, 10000, 1000, GW_FAILED, "too few for 1000", "raise it to 17660");
	files(UINT64_MAX, 10000, 1000, GW_OK, "room for", NULL); /* no limit */
}

static void test_how_redis_answers(void **state)
{
	struct gw_findings fs = { 0 };

	(void)state;
	gw_doctor_judge_redis(0, 420, &fs);
	expect(&fs, GW_CHECK_REDIS, GW_OK, "it answers in 0.4 ms", NULL);
	gw_doctor_judge_redis(0, 12000, &fs);
	expect(&fs, GW_CHECK_REDIS, GW_WARNING, "it takes 12.0 ms", "nearer");
	gw_doctor_judge_redis(WA_ETIMEOUT, 0, &fs);
	expect(&fs, GW_CHECK_REDIS, GW_FAILED, "timeout", "redis_url");
}

static void kernel(const struct gw_doctor_kernel *k, enum gw_verdict verdict, const char *detail,
                   const char *advice)
{
	struct gw_findings fs = { 0 };

	gw_doctor_judge_kernel(k, 100, &fs);
	expect(&fs, GW_CHECK_KERNEL, verdict, detail, advice);
}

static void test_what_a_kernel_has_to_have(void **state)
{
	struct gw_doctor_kernel good = {
		.release = "6.1.0", .landlock = 2, .pidfd = true, .seccomp = true, .processes = 4096
	};
	struct gw_doctor_kernel k = good;

	(void)state;
	kernel(&good, GW_OK, "Linux 6.1.0 with pidfds, Landlock (ABI 2)", NULL);
	k.landlock = -1;
	kernel(&k, GW_WARNING, "without Landlock", "turn Landlock on");
	k = good;
	k.seccomp = false;
	kernel(&k, GW_WARNING, "without seccomp", "CONFIG_SECCOMP_FILTER");
	k = good;
	k.processes = 120;
	kernel(&k, GW_WARNING, "120 processes may run", "TasksMax");
	k.pidfd = false; /* worse than all of them */
	kernel(&k, GW_FAILED, "without pidfds", "5.10");
}

static void key(int rc, const char *from, mode_t mode, uid_t owner, enum gw_verdict verdict,
                const char *detail, const char *advice)
{
	struct gw_findings fs = { 0 };

	gw_doctor_judge_key("/k", from, rc, mode, owner, 7, &fs);
	expect(&fs, GW_CHECK_MASTER_KEY, verdict, detail, advice);
}

static void test_the_master_keys_file(void **state)
{
	(void)state;
	key(0, "data_dir", 0100600, 7, GW_OK, "/k (data_dir) is the registry's key", NULL);
	key(0, "setting", 0100400, 0, GW_OK, "(master_key_file)", NULL);
	key(0, "credential", 0100440, 0, GW_OK, "(systemd's credential)", NULL);
	key(0, "data_dir", 0100640, 7, GW_WARNING, "others (mode 640)", "chmod 600 /k");
	key(0, "data_dir", 0100604, 7, GW_FAILED, "others (mode 604)", "chmod 600 /k");
	key(0, "setting", 0100600, 8, GW_FAILED, "user 8", "belong to root");
	key(WA_EAUTH, "data_dir", 0100600, 7, GW_FAILED, "another key", "put the right key back");
	key(-ENOENT, "data_dir", 0, 0, GW_FAILED, "ENOENT", "put the right key back");
	key(-EINVAL, "data_dir", 0, 0, GW_FAILED, "holds no key", "put the right key back");
}

static void reach(const struct gw_probe_result *r, const struct gw_proxy *proxy,
                  struct gw_findings *fs)
{
	memset(fs, 0, sizeof(*fs));
	gw_doctor_judge_reach(r, proxy, "wss://web.whatsapp.com/ws/chat", fs);
}

static void test_whatsapp_and_the_way_there(void **state)
{
	const struct gw_proxy proxy = {
		.enabled = true, .host = "10.0.0.5", .port = 1080, .protocol = GW_PROXY_SOCKS5
	};
	struct gw_probe_result r = { .tcp_us = 20400,
		                     .upgrade_us = 80000,
		                     .handshake_us = 120500,
		                     .server_unix_s = 1000000,
		                     .unix_s = 1000003 };
	struct gw_findings fs;

	(void)state;
	reach(&r, NULL, &fs);
	expect(&fs, GW_CHECK_WHATSAPP, GW_OK,
	       "web.whatsapp.com reached directly in 121 ms (connected 20, open 80)", NULL);
	expect(&fs, GW_CHECK_CLOCK, GW_OK, "within 3 s", NULL);
	reach(&r, &proxy, &fs);
	expect(&fs, GW_CHECK_WHATSAPP, GW_OK, "through socks5://10.0.0.5:1080", NULL);
	r = (struct gw_probe_result){ .rc = WA_EPROXY_AUTH, .detail = "it refused the password" };
	reach(&r, &proxy, &fs);
	expect(&fs, GW_CHECK_WHATSAPP, GW_FAILED,
	       "proxy_auth: it refused the password, through socks5://10.0.0.5:1080",
	       "--password-file");
	expect(&fs, GW_CHECK_CLOCK, GW_WARNING, "has not said what time it is", "see whatsapp");
	r.rc = WA_ENETWORK;
	reach(&r, &proxy, &fs);
	expect(&fs, GW_CHECK_WHATSAPP, GW_FAILED, "network", "the proxy lets connections");
	reach(&r, NULL, &fs);
	expect(&fs, GW_CHECK_WHATSAPP, GW_FAILED, "directly", "firewall");
}

static void sandbox(const struct gw_probe_result *r, uid_t uid, enum gw_verdict verdict,
                    const char *detail, const char *advice)
{
	struct gw_findings fs = { 0 };

	gw_doctor_judge_sandbox(r, uid, &fs);
	expect(&fs, GW_CHECK_SANDBOX, verdict, detail, advice);
}

static void test_what_holds_a_worker(void **state)
{
	struct gw_probe_result r = { .rc = WA_ENETWORK };

	(void)state;
	sandbox(&r, 0, GW_WARNING, "not known", "see whatsapp");
	r.sandbox.known = r.sandbox.limits = r.sandbox.rights = true;
	r.sandbox.landlock = r.sandbox.seccomp = true;
	r.sandbox.uid = 61184;
	sandbox(&r, 0, GW_OK, "users of their own", NULL);
	sandbox(&r, 61184, GW_OK, "the gateway's user", NULL);
	r.sandbox.uid = 0;
	sandbox(&r, 0, GW_WARNING, "root's user", "chmod o+x");
	r.sandbox.rights = r.sandbox.landlock = false;
	sandbox(&r, 0, GW_WARNING, "without dropped rights, Landlock", "see kernel");
}

static void test_a_clock_that_is_off(void **state)
{
	struct gw_probe_result r = { .server_unix_s = 1000000, .unix_s = 1000061 };
	struct gw_findings fs;

	(void)state;
	reach(&r, NULL, &fs);
	expect(&fs, GW_CHECK_CLOCK, GW_WARNING, "61 s ahead of", "timedatectl");
	r.unix_s = 999939;
	reach(&r, NULL, &fs);
	expect(&fs, GW_CHECK_CLOCK, GW_WARNING, "61 s behind", "timedatectl");
	r.unix_s = 1000060;
	reach(&r, NULL, &fs);
	expect(&fs, GW_CHECK_CLOCK, GW_OK, "within 60 s", NULL);
}

struct looked {
	unsigned n;
	struct gw_findings fs;
};

static void on_looked(const struct gw_findings *fs, void *arg)
{
	struct looked *l = arg;

	l->n++;
	l->fs = *fs;
}

static bool has_looked(void *arg)
{
	return ((struct looked *)arg)->n > 0;
}

static unsigned threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* A thread that nobody waits for still works with OpenSSL, which exit() takes apart. */
static bool no_thread_is_left(void *arg)
{
	return threads() == *(const unsigned *)arg;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void wait_for_threads(struct event_base *base, unsigned before)
{
	const struct timeval tick = { .tv_usec = 1000 };
	struct event *ev = event_new(base, -1, EV_PERSIST, on_tick, NULL);

	assert_non_null(ev);
	assert_int_equal(event_add(ev, &tick), 0);
	test_run_until(base, no_thread_is_left, &before);
	event_free(ev);
}

static void test_the_disk_is_looked_at_beside_the_loop(void **state)
{
	unsigned before = threads();
	struct event_base *base = event_base_new();
	struct gw_doctor_disk_params p = { 0 };
	struct gw_doctor_disk *d = NULL, *left = NULL;
	struct gw_master_key *k = NULL;
	struct looked l = { 0 };
	char dir[TEST_DIR_CAP], path[TEST_DIR_CAP + 32];

	(void)state;
	make_data_dir(dir);
	assert_int_equal(gw_master_key_load(NULL, dir, true, &k), 0);
	assert_int_equal(gw_master_key_where(NULL, dir, path, sizeof(path), &p.key_from), 0);
	assert_string_equal(p.key_from, "data_dir");
	assert_int_equal(gw_master_key_derive(k, GW_DOCTOR_KEY_OWNER, 0, &p.key), 0);
	p.data_dir = dir;
	p.key_path = path;
	assert_int_equal(gw_doctor_disk_start(base, &p, on_looked, &l, &d), 0);
	assert_int_equal(gw_doctor_disk_start(base, &p, on_looked, &l, &left), 0);
	gw_doctor_disk_free(left); /* nobody waits for this one */
	test_run_until(base, has_looked, &l);
	assert_int_equal(l.n, 1);
	expect(&l.fs, GW_CHECK_MASTER_KEY, GW_OK, "registry's key", NULL);
	gw_doctor_disk_free(d);
	p.key.bytes[0] ^= 1; /* the file holds another */
	l.n = 0;
	assert_int_equal(gw_doctor_disk_start(base, &p, on_looked, &l, &d), 0);
	test_run_until(base, has_looked, &l);
	expect(&l.fs, GW_CHECK_MASTER_KEY, GW_FAILED, "another key", "put the right key back");
	gw_doctor_disk_free(d);
	wait_for_threads(base, before);
	gw_master_key_free(k);
	event_base_free(base);
	test_dir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_worst_of_a_check_counts),
		cmocka_unit_test(test_what_was_not_found_out_has_failed),
		cmocka_unit_test(test_room_on_the_disk),
		cmocka_unit_test(test_kinds_of_file_systems),
		cmocka_unit_test(test_a_data_dir_is_tried_out),
		cmocka_unit_test(test_descriptors_for_clients_and_workers),
		cmocka_unit_test(test_how_redis_answers),
		cmocka_unit_test(test_what_a_kernel_has_to_have),
		cmocka_unit_test(test_the_master_keys_file),
		cmocka_unit_test(test_whatsapp_and_the_way_there),
		cmocka_unit_test(test_what_holds_a_worker),
		cmocka_unit_test(test_a_clock_that_is_off),
		cmocka_unit_test(test_the_disk_is_looked_at_beside_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
