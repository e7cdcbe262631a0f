/* SPDX-License-Identifier: MIT */
/*
 * A program as a user would write it, built against the installed library only.
 *
 *   consumer HELPER    shares a region with a child, and makes sure that the library knows the
 *                      installed helper, and that a region served by one is served by HELPER
 */
#include <mshare.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE ((size_t)4 << 20)
#define MARK UINT64_C(0x6d73686172652121)
#define HELPER_SECONDS 10

static int failed(const char *what)
{
	fprintf(stderr, "consumer: %s: %s\n", what, mshare_errmsg());
	return EXIT_FAILURE;
}

static int child_writes(uint64_t *words)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		words[SIZE / sizeof(*words) - 1] = MARK;
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0 &&
	       words[SIZE / sizeof(*words) - 1] == MARK;
}

static int helper_is_installed(void)
{
	struct mshare_caps caps;

	memset(&caps, 0, sizeof(caps));
	caps.size = sizeof(caps);
	return mshare_probe(&caps) == 0 && (caps.features & MSHARE_CAP_HOST);
}

/* Whether some process runs the program at this path. */
static int is_running(const char *path)
{
	char command[4096];

	if (snprintf(command, sizeof(command),
		     "readlink /proc/[0-9]*/exe 2>/dev/null | grep -qxF '%s'",
		     path) >= (int)sizeof(command))
		return 0;
	return system(command) == 0;
}

/* The helper takes a moment to say that it is there. */
static int helper_serves(mshare_t region, const char *helper)
{
	const struct timespec pause = { 0, 20 * 1000 * 1000 };
	struct mshare_stat st;

	for (int tries = 0; tries < HELPER_SECONDS * 50; tries++) {
		memset(&st, 0, sizeof(st));
		st.size = sizeof(st);
		if (mshare_stat(region, &st) < 0)
			return 0;
		if (st.flags & MSHARE_STAT_F_HOST)
			return is_running(helper);
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "consumer: nobody serves the region: %s\n", st.reason);
	return 0;
}

/* Only where shared memory can have huge pages; the sentence says so where it cannot. */
static int check_helper(const char *helper)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	mshare_t region;
	uint64_t *words;

	setenv("MSHARE_BACKEND", "thp", 1);
	region = mshare_create(NULL, SIZE, &attr);
	if (!region && errno == EOPNOTSUPP) {
		printf("no thp backend here (%s), so no helper was started\n", mshare_errmsg());
		return EXIT_SUCCESS;
	}
	if (!region)
		return failed("mshare_create with the thp backend");
	words = mshare_attach(region, NULL, 0, SIZE, PROT_READ | PROT_WRITE, 0);
	if (words == MAP_FAILED)
		return failed("mshare_attach with the thp backend");
	memset(words, 1, SIZE);
	if (!helper_serves(region, helper))
		return failed("the installed helper does not serve the region");
	printf("served by %s\n", helper);
	mshare_detach(region, words, SIZE);
	mshare_close(region);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	mshare_t region = mshare_create(NULL, SIZE, NULL);
	uint64_t *words;

	if (argc != 2 || !region)
		return failed("mshare_create");
	words = mshare_attach(region, NULL, 0, SIZE, PROT_READ | PROT_WRITE, 0);
	if (words == MAP_FAILED)
		return failed("mshare_attach");
	if (!child_writes(words))
		return failed("what the child wrote is not there");
	if (!helper_is_installed())
		return failed("the installed helper is not found");
	if (mshare_detach(region, words, SIZE) < 0 || mshare_close(region) < 0)
		return failed("mshare_detach or mshare_close");
	return check_helper(argv[1]);
}
