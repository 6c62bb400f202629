/* tests/unit/test_gw_listener.c - listening sockets: made, taken over, handed on */
#include "gw_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "gateway/http/gw_listener.h"

struct fixture {
	struct event_base *base;
	char dir[TEST_DIR_CAP];
	char path[TEST_DIR_CAP + 8];
	unsigned accepted;
	int last_fd; /* the newest connection */
};

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	f->base = event_base_new();
	assert_non_null(f->base);
	test_dir_make(f->dir);
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	f->last_fd = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->last_fd >= 0)
		close(f->last_fd);
	event_base_free(f->base);
	test_dir_remove(f->dir);
	test_free(f);
	return 0;
}

static void on_accepted(int fd, const struct sockaddr *sa, void *arg)
{
	struct fixture *f = arg;

	(void)sa;
	f->accepted++;
	if (f->last_fd >= 0)
		close(f->last_fd);
	f->last_fd = fd;
}

static bool has_accepted(void *arg)
{
	return ((struct fixture *)arg)->accepted > 0;
}

static struct gw_listen loopback(void)
{
	return (struct gw_listen){ .host = "127.0.0.1" };
}

static struct gw_listen unix_at(const char *path)
{
	struct gw_listen where = { .is_unix = true };

	snprintf(where.path, sizeof(where.path), "%s", path);
	return where;
}

static int dial_tcp(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static int dial_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* A blocking, inheritable socket, as systemd hands it over. */
static int bound_tcp(bool listening)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	if (listening)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static int bound_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void test_listener_says_where_it_listens(void **state)
{
	struct fixture *f = *state;
	struct gw_listen where = loopback(), got;
	struct gw_listener *l = NULL;

	assert_int_equal(gw_listener_new(f->base, &where, 0, on_accepted, f, &l), 0);
	gw_listener_where(l, &got);
	assert_false(got.is_unix);
	assert_string_equal(got.host, "127.0.0.1");
	assert_int_not_equal(got.port, 0);
	assert_int_equal(got.port, gw_listener_port(l));
	gw_listener_free(l);
}

static void test_unix_listener_removes_its_path(void **state)
{
	struct fixture *f = *state;
	struct gw_listen where = unix_at(f->path), got;
	struct gw_listener *l = NULL;
	struct stat st;

	assert_int_equal(gw_listener_new(f->base, &where, 0600, on_accepted, f, &l), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	gw_listener_where(l, &got);
	assert_true(got.is_unix);
	assert_string_equal(got.path, f->path);
	gw_listener_free(l);
	assert_false(exists(f->path));
}

static void test_listener_replaces_a_dead_socket_only(void **state)
{
	struct fixture *f = *state;
	struct gw_listen where = unix_at(f->path);
	struct gw_listener *l = NULL, *second = NULL;

	close(bound_unix(f->path));
	assert_int_equal(gw_listener_new(f->base, &where, 0600, on_accepted, f, &l), 0);
	assert_int_equal(gw_listener_new(f->base, &where, 0600, on_accepted, f, &second),
	                 -EADDRINUSE);
	assert_null(second);
	assert_true(exists(f->path));
	gw_listener_free(l);
}

/* What waited on the socket before it was taken over is served. */
static void test_taken_over_socket_serves_who_waits(void **state)
{
	struct fixture *f = *state;
	int fd = bound_tcp(true), client, later, on = 0;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin), on_len = sizeof(on);
	struct gw_listener *l = NULL;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	client = dial_tcp(ntohs(sin.sin_port));
	assert_int_equal(gw_listener_new_fd(f->base, fd, on_accepted, f, &l), 0);
	assert_int_equal(gw_listener_fd(l), fd);
	assert_int_equal(gw_listener_port(l), ntohs(sin.sin_port));
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	test_run_until(f->base, has_accepted, f);
	assert_true((fcntl(f->last_fd, F_GETFL) & O_NONBLOCK) != 0);
	/* Who comes later has its options, too. */
	later = dial_tcp(gw_listener_port(l));
	f->accepted = 0;
	test_run_until(f->base, has_accepted, f);
	assert_int_equal(getsockopt(f->last_fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len), 0);
	assert_int_not_equal(on, 0);
	assert_int_equal(getsockopt(f->last_fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &on, &on_len), 0);
	assert_int_equal(on, 128 * 1024);
	gw_listener_free(l);
	close(client);
	close(later);
}

static void test_path_of_a_socket_taken_over_stays(void **state)
{
	struct fixture *f = *state;
	struct gw_listener *l = NULL;
	struct gw_listen got;
	int client;

	assert_int_equal(gw_listener_new_fd(f->base, bound_unix(f->path), on_accepted, f, &l), 0);
	gw_listener_where(l, &got);
	assert_true(got.is_unix);
	assert_string_equal(got.path, f->path);
	client = dial_unix(f->path);
	test_run_until(f->base, has_accepted, f);
	close(client);
	gw_listener_free(l);
	assert_true(exists(f->path));
}

static void test_own_path_is_removed(void **state)
{
	struct fixture *f = *state;
	struct gw_listener *l = NULL;

	assert_int_equal(gw_listener_new_fd(f->base, bound_unix(f->path), on_accepted, f, &l), 0);
	gw_listener_own_path(l);
	gw_listener_free(l);
	assert_false(exists(f->path));
}

/* One listener goes, its successor has a copy of its descriptor: nobody is refused in between. */
static void test_successor_takes_the_descriptor(void **state)
{
	struct fixture *f = *state;
	struct gw_listen where = loopback();
	struct gw_listener *old = NULL, *l = NULL;
	uint16_t port;
	int fd, client;

	assert_int_equal(gw_listener_new(f->base, &where, 0, on_accepted, f, &old), 0);
	port = gw_listener_port(old);
	fd = dup(gw_listener_fd(old));
	assert_true(fd >= 0);
	gw_listener_free(old);
	client = dial_tcp(port);
	assert_int_equal(gw_listener_new_fd(f->base, fd, on_accepted, f, &l), 0);
	assert_int_equal(gw_listener_port(l), port);
	test_run_until(f->base, has_accepted, f);
	gw_listener_free(l);
	close(client);
}

/* Each is refused, and closed. */
static void test_what_does_not_listen_is_refused(void **state)
{
	struct fixture *f = *state;
	struct gw_listener *l = NULL;
	int fd;

	fd = bound_tcp(false);
	assert_int_equal(gw_listener_new_fd(f->base, fd, on_accepted, f, &l), -EINVAL);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(gw_listener_new_fd(f->base, fd, on_accepted, f, &l), -ENOTSOCK);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_true(gw_listener_new_fd(f->base, fd, on_accepted, f, &l) < 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_true(gw_listener_new_fd(f->base, fd, on_accepted, f, &l) < 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(gw_listener_new_fd(f->base, 4000, on_accepted, f, &l), -EBADF);
	assert_null(l);
}

/* No descriptor is left: a pause, whose end is no reason to accept where that is turned off. */
static void test_a_pause_that_ends_turns_nothing_on(void **state)
{
	struct fixture *f = *state;
	struct gw_listen where = loopback();
	struct rlimit was, none;
	struct gw_listener *l = NULL;
	int client;

	assert_int_equal(gw_listener_new(f->base, &where, 0, on_accepted, f, &l), 0);
	client = dial_tcp(gw_listener_port(l));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(f->accepted, 0);
	gw_listener_enable(l, false);
	test_fire_timers(f->base);
	test_run_due(f->base);
	assert_int_equal(f->accepted, 0);
	gw_listener_enable(l, true);
	test_run_until(f->base, has_accepted, f);
	gw_listener_free(l);
	close(client);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_listener_says_where_it_listens),
		T(test_unix_listener_removes_its_path),
		T(test_listener_replaces_a_dead_socket_only),
		T(test_taken_over_socket_serves_who_waits),
		T(test_path_of_a_socket_taken_over_stays),
		T(test_own_path_is_removed),
		T(test_successor_takes_the_descriptor),
		T(test_what_does_not_listen_is_refused),
		T(test_a_pause_that_ends_turns_nothing_on),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
