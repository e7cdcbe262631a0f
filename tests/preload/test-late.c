/* SPDX-License-Identifier: MIT */
/* Mapping waits for nobody who loads a library. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "subject.h"

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	alarm(60);
	if (!dlopen(getenv("MSHARE_TEST_LATE"), RTLD_NOW)) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	expect_converted(SIZE);
	return 0;
}
