/* tests/unit/test_gw_registry.c - accounts and instances: who exists when, for whom, with which
 * token */
#include "gw_test.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/registry/gw_secrets.h"
#include "gateway/registry/gw_store.h"
#include "gw_fake_supervisor.h"

struct fixture {
	struct gw gw;
	char dir[TEST_DIR_CAP];
};

struct outcome {
	unsigned calls_n;
	int rc;
	struct gw_instance *inst;
};

static void on_done(int rc, struct gw_instance *inst, void *arg)
{
	struct outcome *o = arg;

	o->calls_n++;
	o->rc = rc;
	o->inst = inst;
}

static void on_watch_nothing(struct gw_instance *inst, enum gw_watch_event ev,
                             const struct gw_reason *reason, void *arg)
{
	(void)inst;
	(void)ev;
	(void)reason;
	(void)arg;
}

static bool is_done(void *arg)
{
	return ((struct outcome *)arg)->calls_n > 0;
}

static void open_registry(struct fixture *f)
{
	assert_int_equal(gw_store_open(f->gw.base, f->dir, &f->gw.store), 0);
	assert_int_equal(gw_secrets_start(&f->gw), 0);
	assert_int_equal(gw_registry_new(&f->gw, &f->gw.registry), 0);
}

static void close_registry(struct fixture *f)
{
	gw_store_drain(f->gw.store);
	gw_registry_free(f->gw.registry);
	gw_store_free(f->gw.store);
	gw_master_key_free(f->gw.master_key);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	memset(&fake, 0, sizeof(fake));
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	f->gw.cfg.connect_timeout_s = 60;
	f->gw.cfg.data_dir = f->dir;
	f->gw.base = event_base_new();
	test_dir_make(f->dir);
	open_registry(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_registry(f);
	event_base_free(f->gw.base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* A token's hash, told apart by one letter. */
static const uint8_t *token(char c)
{
	static uint8_t hashes[256][GW_TOKEN_HASH_LEN];
	uint8_t *h = hashes[(unsigned char)c];

	memset(h, c, GW_TOKEN_HASH_LEN);
	return h;
}

static struct gw_account *make_account(struct fixture *f, const char *name, int64_t quota, char tok)
{
	struct outcome o = { 0 };

	assert_int_equal(
	    gw_registry_account_create(f->gw.registry, name, quota, token(tok), on_done, &o), 0);
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	return gw_registry_account_by_name(f->gw.registry, name);
}

static struct gw_instance *make_instance(struct fixture *f, struct gw_account *acc,
                                         const char *name, char tok)
{
	struct outcome o = { 0 };

	assert_int_equal(gw_registry_instance_create(f->gw.registry, acc, name, token(tok), NULL,
	                                             NULL, NULL, on_done, &o),
	                 0);
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_non_null(o.inst);
	return o.inst;
}

static int try_instance(struct fixture *f, struct gw_account *acc, const char *name, char tok)
{
	struct outcome o = { 0 };
	int rc = gw_registry_instance_create(f->gw.registry, acc, name, token(tok), NULL, NULL,
	                                     NULL, on_done, &o);

	assert_true(rc < 0);
	test_run_due(f->gw.base);
	assert_int_equal(o.calls_n, 0); /* refused at once: no callback */
	return rc;
}

static void test_names_are_the_contracts(void **state)
{
	char long_name[GW_NAME_MAX + 2];

	(void)state;
	assert_true(gw_name_valid("Sales_1-x"));
	assert_false(gw_name_valid(""));
	assert_false(gw_name_valid("a b"));
	assert_false(gw_name_valid("a/b"));
	assert_false(gw_name_valid("\xc3\xa9"));
	memset(long_name, 'a', sizeof(long_name));
	long_name[GW_NAME_MAX + 1] = '\0';
	assert_false(gw_name_valid(long_name));
	long_name[GW_NAME_MAX] = '\0';
	assert_true(gw_name_valid(long_name));
}

static void test_an_account_exists_from_its_commit_on(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct outcome o = { 0 }, other = { 0 };

	assert_int_equal(gw_registry_account_create(reg, "acme", 3, token('A'), on_done, &o), 0);
	assert_null(gw_registry_account_by_name(reg, "acme"));
	assert_null(gw_registry_account_by_token(reg, token('A')));
	assert_null(gw_registry_next_account(reg, NULL));
	assert_int_equal(gw_registry_account_create(reg, "acme", 3, token('B'), on_done, &other),
	                 -EEXIST); /* the name is taken at once */
	assert_int_equal(gw_registry_account_create(reg, "b c", 3, token('B'), on_done, &other),
	                 -EINVAL);
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_null(o.inst);
	assert_non_null(gw_registry_account_by_name(reg, "acme"));
	assert_ptr_equal(gw_registry_account_by_token(reg, token('A')),
	                 gw_registry_account_by_name(reg, "acme"));
	assert_null(gw_registry_instance_by_token(reg, token('A')));
	assert_int_equal(other.calls_n, 0);
}

static void test_an_instance_exists_from_its_commit_on(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct outcome o = { 0 };
	char path[128];

	assert_int_equal(gw_registry_instance_create(reg, acc, "sales", token('s'), NULL, NULL,
	                                             NULL, on_done, &o),
	                 0);
	assert_null(gw_registry_instance(reg, acc, "sales"));
	assert_null(gw_registry_instance_by_token(reg, token('s')));
	assert_null(gw_registry_next(reg, acc, NULL));
	assert_null(gw_registry_next_any(reg, NULL));
	assert_int_equal(acc->instances_n, 1);
	assert_int_equal(try_instance(f, acc, "sales", 't'), -EEXIST);
	assert_int_equal(try_instance(f, acc, "other", 's'), -EADDRINUSE);
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_ptr_equal(gw_registry_instance(reg, acc, "sales"), o.inst);
	assert_ptr_equal(gw_registry_instance_by_token(reg, token('s')), o.inst);
	assert_ptr_equal(gw_registry_next(reg, acc, NULL), o.inst);
	assert_ptr_equal(gw_registry_next_any(reg, NULL), o.inst);
	assert_ptr_equal(gw_instance_account(o.inst), acc);
	assert_int_equal(strlen(gw_instance_id(o.inst)), GW_ID_LEN);
	assert_int_equal(strspn(gw_instance_id(o.inst), "abcdefghijklmnopqrstuvwxyz234567"),
	                 GW_ID_LEN);
	snprintf(path, sizeof(path), "%s/instances/%s", f->dir, gw_instance_id(o.inst));
	assert_int_equal(access(path, F_OK), 0);
}

static void test_refuses_bad_names_quota_and_tokens_in_use(void **state)
{
	struct fixture *f = *state;
	struct gw_account *acc = make_account(f, "acme", 2, 'A');
	struct gw_account *none = make_account(f, "none", 0, 'N');

	assert_int_equal(try_instance(f, acc, "", 'a'), -EINVAL);
	assert_int_equal(try_instance(f, acc, "a.b", 'a'), -EINVAL);
	assert_int_equal(try_instance(f, acc, "a", 'A'), -EADDRINUSE); /* an account's token */
	assert_int_equal(try_instance(f, none, "a", 'a'), -EDQUOT);
	make_instance(f, acc, "a", 'a');
	assert_int_equal(try_instance(f, acc, "b", 'a'), -EADDRINUSE);
	make_instance(f, acc, "b", 'b');
	assert_int_equal(try_instance(f, acc, "c", 'c'), -EDQUOT);
	assert_int_equal(acc->instances_n, 2);
}

static void test_a_name_is_unique_within_its_account_only(void **state)
{
	struct fixture *f = *state;
	struct gw_account *a = make_account(f, "a", GW_QUOTA_NONE, 'A');
	struct gw_account *b = make_account(f, "b", GW_QUOTA_NONE, 'B');
	struct gw_instance *ia = make_instance(f, a, "same", '1');
	struct gw_instance *ib = make_instance(f, b, "same", '2');

	assert_ptr_not_equal(ia, ib);
	assert_ptr_equal(gw_registry_instance(f->gw.registry, a, "same"), ia);
	assert_ptr_equal(gw_registry_instance(f->gw.registry, b, "same"), ib);
	assert_null(gw_registry_instance(f->gw.registry, a, "else"));
	assert_null(gw_registry_next(f->gw.registry, a, ia));
	assert_ptr_equal(gw_registry_next_any(f->gw.registry, ia), ib);
}

static void test_rotating_swaps_the_token_at_the_commit(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", 1, 'A');
	struct outcome o = { 0 };

	assert_int_equal(gw_registry_account_rotate(reg, acc, token('B'), on_done, &o), 0);
	assert_ptr_equal(gw_registry_account_by_token(reg, token('A')), acc);
	assert_null(gw_registry_account_by_token(reg, token('B')));
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_null(gw_registry_account_by_token(reg, token('A')));
	assert_ptr_equal(gw_registry_account_by_token(reg, token('B')), acc);
	assert_memory_equal(acc->token_hash, token('B'), GW_TOKEN_HASH_LEN);
	assert_int_equal(gw_registry_account_rotate(reg, acc, token('B'), on_done, &o),
	                 -EADDRINUSE);
}

static void test_a_quota_is_raised_and_lowered(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", 1, 'A');
	struct outcome o = { 0 };

	make_instance(f, acc, "a", 'a');
	assert_int_equal(gw_registry_account_quota(reg, acc, 2, on_done, &o), 0);
	assert_int_equal(try_instance(f, acc, "b", 'b'), -EDQUOT); /* not yet committed */
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	make_instance(f, acc, "b", 'b');
	o = (struct outcome){ 0 };
	assert_int_equal(gw_registry_account_quota(reg, acc, 0, on_done, &o), 0);
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(acc->instances_n, 2); /* what there is stays */
	assert_int_equal(try_instance(f, acc, "c", 'c'), -EDQUOT);
	o = (struct outcome){ 0 };
	assert_int_equal(gw_registry_account_quota(reg, acc, GW_QUOTA_NONE, on_done, &o), 0);
	test_run_until(f->gw.base, is_done, &o);
	make_instance(f, acc, "c", 'c');
}

/* Neither may write back what the other has just changed. */
static void test_quota_and_token_can_change_at_the_same_time(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", 1, 'A');
	struct outcome first = { 0 }, o = { 0 };

	assert_int_equal(gw_registry_account_rotate(reg, acc, token('B'), on_done, &first), 0);
	assert_int_equal(gw_registry_account_quota(reg, acc, 7, on_done, &first), 0);
	assert_int_equal(gw_registry_account_rotate(reg, acc, token('C'), on_done, &o), 0);
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(first.calls_n, 2);
	close_registry(f);
	open_registry(f);
	reg = f->gw.registry;
	assert_null(gw_registry_account_by_token(reg, token('A')));
	assert_null(gw_registry_account_by_token(reg, token('B')));
	acc = gw_registry_account_by_token(reg, token('C'));
	assert_non_null(acc);
	assert_int_equal(acc->quota, 7);
}

/* Many at once: the count is taken when the change is asked for, not when it is durable. */
static void test_a_quota_holds_for_those_being_created(void **state)
{
	struct fixture *f = *state;
	struct gw_account *acc = make_account(f, "acme", 2, 'A');
	struct outcome a = { 0 }, b = { 0 };

	assert_int_equal(gw_registry_instance_create(f->gw.registry, acc, "a", token('a'), NULL,
	                                             NULL, NULL, on_done, &a),
	                 0);
	assert_int_equal(gw_registry_instance_create(f->gw.registry, acc, "b", token('b'), NULL,
	                                             NULL, NULL, on_done, &b),
	                 0);
	assert_int_equal(gw_registry_instance_create(f->gw.registry, acc, "c", token('c'), NULL,
	                                             NULL, NULL, on_done, &b),
	                 -EDQUOT);
	test_run_until(f->gw.base, is_done, &b);
	assert_int_equal(acc->instances_n, 2);
}

/* ---- tokens ------------------------------------------------------------------ */

static size_t compared_n; /* bytes that were compared in constant time */

/* In the place of libcrypto's, for this program. */
int CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
	compared_n += len;
	return memcmp(a, b, len);
}

static void test_a_token_is_compared_whole_and_in_constant_time(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	uint8_t near[GW_TOKEN_HASH_LEN];

	make_account(f, "acme", 1, 'A');
	compared_n = 0;
	assert_non_null(gw_registry_account_by_token(reg, token('A')));
	assert_int_equal(compared_n, GW_TOKEN_HASH_LEN);
	for (unsigned bit = 0; bit < 8 * GW_TOKEN_HASH_LEN; bit++) {
		memcpy(near, token('A'), sizeof(near));
		near[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_null(gw_registry_account_by_token(reg, near));
		assert_null(gw_registry_instance_by_token(reg, near));
	}
}

struct ended {
	unsigned n;
	uint8_t hash[GW_TOKEN_HASH_LEN];
};

static void on_token_end(const uint8_t *hash, void *arg)
{
	struct ended *e = arg;

	e->n++;
	memcpy(e->hash, hash, sizeof(e->hash));
}

static void test_a_token_that_ends_is_told_at_the_commit(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", 1, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	struct outcome o = { 0 };
	struct ended e = { 0 };

	gw_registry_on_token_end(reg, on_token_end, &e);
	assert_int_equal(gw_registry_account_rotate(reg, acc, token('B'), on_done, &o), 0);
	assert_int_equal(e.n, 0);
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(e.n, 1);
	assert_memory_equal(e.hash, token('A'), sizeof(e.hash));
	o = (struct outcome){ 0 };
	assert_int_equal(gw_registry_instance_rotate(reg, inst, token('y'), on_done, &o), 0);
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(e.n, 2);
	assert_memory_equal(e.hash, token('x'), sizeof(e.hash));
	gw_registry_on_token_end(reg, NULL, NULL);
}

static void test_an_account_with_instances_is_not_deleted(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	struct outcome o = { 0 };

	assert_int_equal(gw_registry_account_delete(reg, acc, on_done, &o), -ENOTEMPTY);
	assert_int_equal(gw_registry_instance_delete(reg, inst, on_done, &o), 0);
	test_run_until(f->gw.base, is_done, &o);
	o = (struct outcome){ 0 };
	assert_int_equal(gw_registry_account_delete(reg, acc, on_done, &o), 0);
	assert_null(gw_registry_account_by_token(reg, token('A')));
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_null(gw_registry_account_by_name(reg, "acme"));
	make_account(f, "acme", 1, 'A'); /* name and token are free again */
}

static void test_deleting_an_idle_instance_erases_it(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", 1, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	struct outcome o = { 0 };
	char path[128];

	snprintf(path, sizeof(path), "%s/instances/%s", f->dir, gw_instance_id(inst));
	assert_int_equal(gw_registry_instance_delete(reg, inst, on_done, &o), 0);
	assert_int_equal(o.calls_n, 0);
	assert_null(gw_registry_instance(reg, acc, "x"));
	assert_null(gw_registry_instance_by_token(reg, token('x')));
	assert_null(gw_registry_next(reg, acc, NULL));
	assert_int_equal(try_instance(f, acc, "x", 'y'), -EEXIST); /* until it is gone */
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_null(o.inst);
	assert_int_equal(acc->instances_n, 0);
	assert_int_equal(access(path, F_OK), -1);
	make_instance(f, acc, "x", 'x');
}

static void on_watch(struct gw_instance *inst, enum gw_watch_event ev,
                     const struct gw_reason *reason, void *arg)
{
	(void)inst;
	assert_int_equal(ev, GW_WATCH_FAILED);
	*(int *)arg = reason->rc;
}

static void test_deleting_waits_for_the_worker(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	const struct gw_connect_params p = { 0 };
	struct gw_watch *w;
	struct outcome o = { 0 };
	int told = 0;

	assert_int_equal(gw_instance_connect(inst, &p, on_watch, &told, &w), 0);
	assert_int_equal(gw_registry_instance_delete(reg, inst, on_done, &o), 0);
	assert_int_equal(fake.stops_n, 1);
	gw_store_drain(f->gw.store);
	test_run_due(f->gw.base);
	assert_int_equal(told, WA_EDELETED);
	assert_int_equal(o.calls_n, 0);
	fake_worker_gone(inst);
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_null(gw_registry_next_any(reg, NULL));
}

static void test_nothing_changes_when_the_disk_refuses(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	struct outcome add = { 0 }, del = { 0 }, rot = { 0 }, acct = { 0 };
	struct rlimit before;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(
	    gw_registry_instance_create(reg, acc, "y", token('y'), NULL, NULL, NULL, on_done, &add),
	    0);
	assert_int_equal(gw_registry_instance_delete(reg, inst, on_done, &del), 0);
	assert_int_equal(gw_registry_account_rotate(reg, acc, token('R'), on_done, &rot), 0);
	assert_int_equal(gw_registry_account_create(reg, "new", 1, token('n'), on_done, &acct), 0);
	gw_store_drain(f->gw.store);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(add.rc, WA_ESTORAGE);
	assert_null(add.inst);
	assert_int_equal(del.rc, WA_ESTORAGE);
	assert_int_equal(rot.rc, WA_ESTORAGE);
	assert_int_equal(acct.rc, WA_ESTORAGE);
	assert_false(gw_registry_ok(reg));
	assert_ptr_equal(gw_registry_instance(reg, acc, "x"), inst);
	assert_null(gw_registry_instance(reg, acc, "y"));
	assert_null(gw_registry_account_by_name(reg, "new"));
	assert_ptr_equal(gw_registry_account_by_token(reg, token('A')), acc);
	assert_int_equal(acc->instances_n, 1);
	make_instance(f, acc, "y", 'y'); /* name and token are free */
	assert_true(gw_registry_ok(reg));
	assert_int_equal(inst->state, GW_IDLE); /* and it can be connected again */
}

static void test_everything_is_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct gw_account *acc = make_account(f, "acme", 7, 'A');
	struct gw_account *b;
	struct gw_instance *inst;
	char id[GW_ID_LEN + 1];
	json_t *json;

	make_account(f, "b", GW_QUOTA_NONE, 'B');
	{
		struct outcome o = { 0 };

		assert_int_equal(
		    gw_registry_instance_create(f->gw.registry, acc, "x", token('x'),
		                                "{\"ignoreStatus\":true,\"unknown\":1}", NULL, NULL,
		                                on_done, &o),
		    0);
		test_run_until(f->gw.base, is_done, &o);
		snprintf(id, sizeof(id), "%s", gw_instance_id(o.inst));
	}
	make_instance(f, acc, "y", 'y');
	close_registry(f);
	open_registry(f);
	acc = gw_registry_account_by_token(f->gw.registry, token('A'));
	assert_non_null(acc);
	assert_int_equal(acc->quota, 7);
	assert_int_equal(acc->instances_n, 2);
	inst = gw_registry_next(f->gw.registry, acc, NULL);
	assert_string_equal(gw_instance_name(inst), "x");
	assert_string_equal(gw_instance_id(inst), id);
	json = gw_instance_json(inst);
	assert_true(
	    json_is_true(json_object_get(json_object_get(json, "settings"), "ignoreStatus")));
	json_decref(json);
	inst = gw_registry_next(f->gw.registry, acc, inst);
	assert_string_equal(gw_instance_name(inst), "y");
	assert_ptr_equal(gw_registry_instance_by_token(f->gw.registry, token('y')), inst);
	assert_null(gw_registry_next(f->gw.registry, acc, inst));
	b = gw_registry_next_account(f->gw.registry, acc);
	assert_string_equal(b->name, "b");
	assert_null(gw_registry_next_account(f->gw.registry, b));
}

static void test_settings_that_are_no_object_are_refused(void **state)
{
	struct fixture *f = *state;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct outcome o = { 0 };

	assert_int_equal(gw_registry_instance_create(f->gw.registry, acc, "x", token('x'), "[1]",
	                                             NULL, NULL, on_done, &o),
	                 -EINVAL);
	assert_int_equal(acc->instances_n, 0);
}

/* ---- changes of an instance ------------------------------------------------- */

static void restart(struct fixture *f)
{
	close_registry(f);
	f->gw.master_key = NULL;
	open_registry(f);
}

static struct gw_instance *find(struct fixture *f, const char *name)
{
	struct gw_account *acc = gw_registry_account_by_name(f->gw.registry, "acme");

	assert_non_null(acc);
	return gw_registry_instance(f->gw.registry, acc, name);
}

static bool file_has(const struct fixture *f, const char *name, const char *text)
{
	char path[96], data[65536];
	bool found = false;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	while ((n = fread(data, 1, sizeof(data), file)) > 0)
		found = found || memmem(data, n, text, strlen(text)) != NULL;
	fclose(file);
	return found;
}

static void test_settings_change_by_parts_and_reach_the_worker(void **state)
{
	struct fixture *f = *state;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	const struct gw_connect_params p = { 0 };
	struct outcome a = { 0 }, b = { 0 };
	struct gw_watch *w;
	int64_t before = inst->updated_unix_ms;

	assert_int_equal(gw_instance_connect(inst, &p, on_watch_nothing, NULL, &w), 0);
	inst->updated_unix_ms = 1;
	assert_int_equal(gw_registry_instance_settings(
	                     f->gw.registry, inst, "{\"ignoreStatus\":true,\"x\":1}", on_done, &a),
	                 0);
	assert_int_equal(gw_registry_instance_settings(f->gw.registry, inst,
	                                               "{\"keepOnlineStatus\":true}", on_done, &b),
	                 0);
	assert_false(gw_instance_setting_on(inst, "ignoreStatus")); /* with the commit */
	test_run_until(f->gw.base, is_done, &b);
	assert_int_equal(a.rc + b.rc, 0);
	assert_ptr_equal(b.inst, inst);
	assert_int_equal(fake.settings_n, 2);
	assert_true(inst->updated_unix_ms >= before);
	assert_int_equal(gw_registry_instance_settings(f->gw.registry, inst, "[]", on_done, &a),
	                 -EINVAL);
	fake_worker_gone(inst);
	restart(f);
	inst = find(f, "x");
	assert_true(gw_instance_setting_on(inst, "ignoreStatus"));
	assert_true(gw_instance_setting_on(inst, "keepOnlineStatus"));
	assert_true(gw_instance_setting_on(inst, "disableHistorySync")); /* default */
}

static const struct gw_proxy test_proxy = { .enabled = true,
	                                    .host = "proxy.example",
	                                    .port = 1080,
	                                    .protocol = GW_PROXY_SOCKS5,
	                                    .username = "user",
	                                    .password = "correct horse battery staple" };

static void expect_proxy(const struct gw_proxy *p)
{
	assert_true(p->enabled);
	assert_string_equal(p->host, "proxy.example");
	assert_int_equal(p->port, 1080);
	assert_int_equal(p->protocol, GW_PROXY_SOCKS5);
	assert_string_equal(p->username, "user");
	assert_string_equal(p->password, "correct horse battery staple");
}

static void test_a_proxys_password_is_sealed_on_disk_and_never_shown(void **state)
{
	struct fixture *f = *state;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	struct outcome o = { 0 }, made = { 0 };
	json_t *json;
	char *text;

	assert_int_equal(gw_registry_instance_proxy(f->gw.registry, inst, &test_proxy, on_done, &o),
	                 0);
	assert_int_equal(gw_registry_instance_create(f->gw.registry, acc, "y", token('y'), NULL,
	                                             &test_proxy, NULL, on_done, &made),
	                 0);
	test_run_until(f->gw.base, is_done, &made);
	assert_int_equal(o.rc + made.rc, 0);
	expect_proxy(gw_instance_proxy(inst));
	expect_proxy(gw_instance_proxy(made.inst));
	json = gw_instance_json(inst);
	text = json_dumps(json, JSON_COMPACT);
	assert_non_null(strstr(text, "proxy.example"));
	assert_null(strstr(text, "battery"));
	free(text);
	json_decref(json);
	restart(f);
	expect_proxy(gw_instance_proxy(find(f, "x")));
	expect_proxy(gw_instance_proxy(find(f, "y")));
	close_registry(f);
	assert_true(file_has(f, "registry.db", "proxy.example"));
	assert_false(file_has(f, "registry.db", "battery"));
	assert_false(file_has(f, "registry.db-wal", "battery"));
	open_registry(f);
}

/* A row that was copied to another instance: its password stays shut, and nothing goes directly. */
static void test_a_sealed_password_opens_only_where_it_was_put(void **state)
{
	struct fixture *f = *state;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	struct outcome o = { 0 };
	char path[64];
	sqlite3 *db;

	make_instance(f, acc, "y", 'y');
	assert_int_equal(gw_registry_instance_proxy(f->gw.registry, inst, &test_proxy, on_done, &o),
	                 0);
	test_run_until(f->gw.base, is_done, &o);
	close_registry(f);
	snprintf(path, sizeof(path), "%s/registry.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                              "UPDATE instance SET proxy = (SELECT proxy FROM instance"
	                              " WHERE name = 'x') WHERE name = 'y'",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	open_registry(f);
	expect_proxy(gw_instance_proxy(find(f, "x")));
	assert_true(gw_instance_proxy(find(f, "y"))->enabled);
	assert_string_equal(gw_instance_proxy(find(f, "y"))->password, "");
}

static void test_an_instances_token_is_swapped_at_the_commit(void **state)
{
	struct fixture *f = *state;
	struct gw_registry *reg = f->gw.registry;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	struct outcome o = { 0 };

	assert_int_equal(gw_registry_instance_rotate(reg, inst, token('A'), on_done, &o),
	                 -EADDRINUSE);
	assert_int_equal(gw_registry_instance_rotate(reg, inst, token('n'), on_done, &o), 0);
	assert_ptr_equal(gw_registry_instance_by_token(reg, token('x')), inst);
	assert_null(gw_registry_instance_by_token(reg, token('n')));
	test_run_until(f->gw.base, is_done, &o);
	assert_int_equal(o.rc, 0);
	assert_null(gw_registry_instance_by_token(reg, token('x')));
	assert_ptr_equal(gw_registry_instance_by_token(reg, token('n')), inst);
	restart(f);
	assert_non_null(gw_registry_instance_by_token(f->gw.registry, token('n')));
	assert_null(gw_registry_instance_by_token(f->gw.registry, token('x')));
}

static void test_a_link_is_written_through_and_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');

	for (int i = 0; i < 100; i++) { /* more often than they can be written */
		inst->link.linked = true;
		inst->link.history_days = (uint32_t)i;
		gw_device_jid_set(&inst->link, "55:7@s.whatsapp.net");
		gw_registry_instance_save(f->gw.registry, inst);
	}
	restart(f);
	inst = find(f, "x");
	assert_true(gw_instance_is_linked(inst));
	assert_string_equal(gw_instance_number_jid(inst), "55@s.whatsapp.net");
	assert_int_equal(inst->link.history_days, 99);
}

static void test_a_link_that_could_not_be_written_is_with_the_next_change(void **state)
{
	struct fixture *f = *state;
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	struct rlimit before;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	inst->link.linked = true;
	gw_registry_instance_save(f->gw.registry, inst);
	gw_store_drain(f->gw.store);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_false(gw_registry_ok(f->gw.registry));
	gw_registry_instance_save(f->gw.registry, inst);
	gw_store_drain(f->gw.store);
	assert_true(gw_registry_ok(f->gw.registry));
	restart(f);
	assert_true(gw_instance_is_linked(find(f, "x")));
}

static void test_an_instance_that_is_being_saved_can_be_deleted(void **state)
{
	struct fixture *f = *state;
	struct gw_account *acc = make_account(f, "acme", GW_QUOTA_NONE, 'A');
	struct gw_instance *inst = make_instance(f, acc, "x", 'x');
	struct outcome o = { 0 };

	gw_registry_instance_save(f->gw.registry, inst);
	gw_registry_instance_save(f->gw.registry, inst);
	assert_int_equal(gw_registry_instance_delete(f->gw.registry, inst, on_done, &o), 0);
	test_run_until(f->gw.base, is_done, &o);
	gw_store_drain(f->gw.store);
	assert_int_equal(o.rc, 0);
	assert_null(find(f, "x"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_the_contracts),
		T(test_an_account_exists_from_its_commit_on),
		T(test_an_instance_exists_from_its_commit_on),
		T(test_refuses_bad_names_quota_and_tokens_in_use),
		T(test_a_name_is_unique_within_its_account_only),
		T(test_rotating_swaps_the_token_at_the_commit),
		T(test_a_quota_is_raised_and_lowered),
		T(test_quota_and_token_can_change_at_the_same_time),
		T(test_a_quota_holds_for_those_being_created),
		T(test_a_token_is_compared_whole_and_in_constant_time),
		T(test_a_token_that_ends_is_told_at_the_commit),
		T(test_an_account_with_instances_is_not_deleted),
		T(test_deleting_an_idle_instance_erases_it),
		T(test_deleting_waits_for_the_worker),
		T(test_nothing_changes_when_the_disk_refuses),
		T(test_everything_is_there_after_a_restart),
		T(test_settings_that_are_no_object_are_refused),
		T(test_settings_change_by_parts_and_reach_the_worker),
		T(test_a_proxys_password_is_sealed_on_disk_and_never_shown),
		T(test_a_sealed_password_opens_only_where_it_was_put),
		T(test_an_instances_token_is_swapped_at_the_commit),
		T(test_a_link_is_written_through_and_there_after_a_restart),
		T(test_a_link_that_could_not_be_written_is_with_the_next_change),
		T(test_an_instance_that_is_being_saved_can_be_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
