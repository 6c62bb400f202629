/* worker/process/wk_sandbox_landlock.c - one directory and a few files to read */
#include <errno.h>
#include <limits.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/landlock.h"
#include "worker/process/wk_sandbox_priv.h"

/* Own files: made, read, written, cut, renamed within, removed. No directories, links, or nodes. */
#define OWN_DIR \
	(LL_READ_FILE | LL_WRITE_FILE | LL_READ_DIR | LL_REMOVE_FILE | LL_MAKE_REG | LL_TRUNCATE)

static const char *const read_dirs[] = {
	/* what the certificate directory's links lead to */
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/etc/pki/ca-trust/extracted",
	"/etc/ca-certificates/extracted",
};

static const char *const read_files[] = {
	"/etc/resolv.conf", "/etc/hosts", "/dev/urandom", /* SQLite's */
};

/*
 * A rule holds for the file that is there now. The resolver's file is often a link into a directory
 * of its own below /run, where it is replaced at every change: then the directory is allowed.
 */
static void allow_resolver_dir(int ruleset_fd, int abi)
{
	static const char top[] = "/run/";
	char path[PATH_MAX];
	char *slash;

	if (realpath("/etc/resolv.conf", path) == NULL || strncmp(path, top, sizeof(top) - 1) != 0)
		return;
	slash = strrchr(path, '/');
	if (slash == path + sizeof(top) - 2)
		return; /* /run itself: no */
	*slash = '\0';
	(void)!ll_allow(ruleset_fd, abi, path, LL_READ_FILE);
}

/* What is missing on this host is not needed on it. */
static void allow_reading(int ruleset_fd, int abi)
{
	(void)!ll_allow(ruleset_fd, abi, X509_get_default_cert_dir(), LL_READ_FILE | LL_READ_DIR);
	for (size_t i = 0; i < ARRAY_LEN(read_dirs); i++)
		(void)!ll_allow(ruleset_fd, abi, read_dirs[i], LL_READ_FILE | LL_READ_DIR);
	for (size_t i = 0; i < ARRAY_LEN(read_files); i++)
		(void)!ll_allow(ruleset_fd, abi, read_files[i], LL_READ_FILE);
	allow_resolver_dir(ruleset_fd, abi);
}

int wk_sandbox_landlock(int abi, const char *dir)
{
	/* a proxy may be at any port: connect() is free */
	int fd = ll_new(abi, LL_NO_BIND | LL_NO_SCOPE);
	int rc;

	if (fd < 0)
		return fd;
	rc = ll_allow(fd, abi, dir, OWN_DIR);
	if (rc == 0) {
		allow_reading(fd, abi);
		rc = ll_enter(fd);
	}
	(void)close(fd);
	return rc;
}
