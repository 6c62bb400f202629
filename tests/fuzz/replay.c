/*
 * tests/fuzz/replay.c - run a fuzz target over files, with any compiler
 *
 * Arguments are files or folders (read one level deep). Prints how many inputs ran.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	struct stat st;
	int rc = -1;

	if (f == NULL || fstat(fileno(f), &st) < 0)
		goto out;
	/* exactly the size, so that a read past the end is seen */
	data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
	if (data == NULL || fread(data, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
		goto out;
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	rc = 0;
out:
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	free(data);
	if (f != NULL)
		fclose(f);
	return rc;
}

static int run_dir(const char *path, unsigned *n)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char file[4096];
	int rc = 0;

	if (d == NULL)
		return -1;
	while (rc == 0 && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		rc = run_file(file);
		*n += 1;
	}
	closedir(d);
	return rc;
}

int main(int argc, char **argv)
{
	unsigned n = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			if (run_dir(argv[i], &n) < 0)
				return 1;
			continue;
		}
		if (run_file(argv[i]) < 0)
			return 1;
		n++;
	}
	printf("%u inputs\n", n);
	return n == 0; /* an empty corpus is no test */
}
