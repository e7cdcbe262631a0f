/* SPDX-License-Identifier: MIT */
/* A program that uses libmshare itself gets from it what it asks for, no more and no less, and its
 * other mappings are converted. */
#include <mshare.h>

#include "subject.h"

int main(int argc, char **argv)
{
	struct mshare_stat st = { .size = sizeof(st), .want = 0 };
	size_t size = SIZE + 4096;
	mshare_t r;
	char *own;
	char *p;

	subject_start(argc, argv, (const char *const[]){ NULL });
	r = mshare_create(NULL, SIZE, NULL);
	expect(r);
	own = mshare_attach(r, NULL, 0, SIZE, READ_WRITE, 0);
	expect(own != MAP_FAILED);
	fill(own, SIZE, 1);
	expect_unseen(SIZE);
	expect(mshare_stat(r, &st) == 0 && st.attachments == 1);
	p = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);
	expect(p != MAP_FAILED);
	expect_converted(size);
	expect_filled(own, SIZE, 1);
	expect(munmap(p, size) == 0 && mshare_detach(r, own, SIZE) == 0 && mshare_close(r) == 0);
	return 0;
}
