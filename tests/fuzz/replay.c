/*
 * tests/fuzz/replay.c - run a fuzz target over files, with any compiler
 *
 * Arguments are files or folders (read one level deep). Prints how many inputs ran. With --starve=N
 * in front, each input also runs with its first allocation failing, then its second, and so on; of
 * those beyond the Nth, fewer and fewer. A property that does not hold then ends that run alone; a
 * crash is a crash.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "starve.h"

static long starve; /* N of --starve; 0: no run is to fail */
static volatile bool starving;
static jmp_buf run;
static unsigned long starved;

void fuzz_own_begin(void)
{
	starve_pause();
}

void fuzz_own_end(void)
{
	starve_resume();
}

void fuzz_broken(void)
{
	if (starving && starve_failed())
		longjmp(run, 1);
	abort();
}

static void run_starved(const uint8_t *data, size_t size)
{
	volatile long at = 0, step = 1, n = 0;

	starving = true;
	do {
		starve_at(at);
		if (setjmp(run) == 0)
			LLVMFuzzerTestOneInput(data, size);
		at += step;
		if (++n % starve == 0)
			step *= 4;
	} while (starve_end());
	starving = false;
	starved += (unsigned long)n;
}

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
	if (starve > 0)
		run_starved(data, (size_t)st.st_size);
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
	int i = 1;

	if (argc > 1 && strncmp(argv[1], "--starve=", 9) == 0) {
		starve = strtol(argv[1] + 9, NULL, 10);
		i++;
	}
	for (; i < argc; i++) {
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
	if (starve > 0)
		printf("%lu runs without memory, ", starved);
	printf("%u inputs\n", n);
	return n == 0; /* an empty corpus is no test */
}
