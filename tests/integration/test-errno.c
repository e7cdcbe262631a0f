/* SPDX-License-Identifier: MIT */
/* errno is left alone by calls that succeed; the sentence by calls that succeed or fail elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "backend.h"
#include "object.h"

#define UNTOUCHED 4711

/* Runs a call that has to succeed. */
#define keeps_errno(call)                                                                          \
	do {                                                                                       \
		errno = UNTOUCHED;                                                                 \
		check(call);                                                                       \
		check_equal(errno, UNTOUCHED);                                                     \
	} while (0)

static void untouched_by_names(void **state)
{
	char name[NAME_SIZE];
	mshare_t r, other;

	(void)state;
	name_make(name, "errno");
	keeps_errno((r = mshare_create(name, pmd_size(), NULL)) != NULL);
	keeps_errno((other = mshare_open(name, O_RDWR, NULL)) != NULL);
	keeps_errno(mshare_unlink(name) == 0);
	keeps_errno(mshare_close(other) == 0);
	keeps_errno(mshare_close(r) == 0);
}

static void untouched_by_descriptors(void **state)
{
	mshare_t r, other;
	int fd;

	(void)state;
	keeps_errno((r = mshare_create(NULL, pmd_size(), NULL)) != NULL);
	keeps_errno((fd = mshare_fd(r)) >= 0);
	keeps_errno((other = mshare_from_fd(fd, NULL)) != NULL);
	keeps_errno(mshare_close(other) == 0);
	keeps_errno(mshare_close(r) == 0);
}

static void untouched_by_attachments(void **state)
{
	static const unsigned int flags[] = { 0, MSHARE_POPULATE, MSHARE_SAME_ADDR };
	mshare_t r = region_make(2 * pmd_size());
	const size_t size = 2 * pmd_size();
	void *p;

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		keeps_errno((p = mshare_attach(r, NULL, 0, size, READ_WRITE, flags[i])) !=
			    MAP_FAILED);
		keeps_errno(mshare_detach(r, p, size) == 0);
	}
	region_end(r);
}

static void untouched_by_the_rest(void **state)
{
	struct mshare_stat st = { .size = sizeof(st),
				  .want = MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES };
	struct mshare_caps caps = { .size = sizeof(caps) };
	mshare_t r = region_make(pmd_size());

	(void)state;
	region_attach_all(r);
	keeps_errno(mshare_stat(r, &st) == 0);
	keeps_errno(mshare_probe(&caps) == 0);
	keeps_errno(mshare_align(1, MSHARE_ALIGN_AUTO) > 0);
	keeps_errno(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	keeps_errno(mshare_flush(r, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
	keeps_errno(mshare_errmsg() != NULL);
	region_end(r);
}

static void untouched_by_flush_of_a_file(void **state)
{
	mshare_t r;
	int fd;

	(void)state;
	if (!backend_takes_files())
		return;
	fd = disk_file(pmd_size());
	keeps_errno((r = mshare_from_fd(fd, NULL)) != NULL);
	memset(region_attach_all(r), 1, pmd_size());
	keeps_errno(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	region_end(r);
}

static void sentence_is_of_the_last_failure(void **state)
{
	char sentence[512] = "";
	mshare_t r;

	(void)state;
	check_equal(mshare_errmsg()[0], '\0');
	r = region_make(pmd_size());
	region_attach_all(r);
	check_equal(mshare_errmsg()[0], '\0'); /* falling back inside is no failure */
	check(mshare_detach(r, NULL, 12345) == -1);
	check(strstr(mshare_errmsg(), "12345"));
	strncpy(sentence, mshare_errmsg(), sizeof(sentence) - 1);
	region_end(r);
	check(strcmp(sentence, mshare_errmsg()) == 0);
	check(mshare_close(r) == -1);
	check(strcmp(sentence, mshare_errmsg()) != 0);
}

/* Numbers that help: what was given, and what it should have been. */
static void sentence_has_the_numbers(void **state)
{
	mshare_t r = region_make(pmd_size());

	(void)state;
	check_refused(mshare_attach(r, NULL, 4097, 1, PROT_READ, 0) == MAP_FAILED, EINVAL);
	check(strstr(mshare_errmsg(), "4097") || strstr(mshare_errmsg(), "0x1001"));
	check_refused(mshare_attach(r, NULL, 0, 99 * pmd_size() + 1, PROT_READ, 0) == MAP_FAILED,
		      ENXIO);
	check(strpbrk(mshare_errmsg(), "0123456789"));
	region_end(r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(sentence_is_of_the_last_failure), /* first: nothing has failed */
		cmocka_unit_test(untouched_by_names),
		cmocka_unit_test(untouched_by_descriptors),
		cmocka_unit_test(untouched_by_attachments),
		cmocka_unit_test(untouched_by_the_rest),
		cmocka_unit_test(untouched_by_flush_of_a_file),
		cmocka_unit_test(sentence_has_the_numbers),
	};

	return RUN_CASES(cases);
}
