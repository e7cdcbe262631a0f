/* SPDX-License-Identifier: MIT */
/* Every system call behind every public call fails once, in every way it can. */
#include <fcntl.h>
#include <stdlib.h>

#include "sweep.h"
#include "unit.h"

static const int create_errors[] = { EINVAL, E2BIG, EOVERFLOW, ENAMETOOLONG, EEXIST, ENOENT,
				     EACCES, EPERM, ENOSPC,    EOPNOTSUPP,   EMFILE, ENFILE,
				     ENOMEM, 0 };
static const int open_errors[] = { EINVAL,     E2BIG,  ENAMETOOLONG, ENOENT, EACCES,
				   EOPNOTSUPP, EMFILE, ENFILE,	     ENOMEM, 0 };
static const int from_fd_errors[] = { EBADF,	  EACCES, ENODEV, EINVAL, E2BIG,
				      EOPNOTSUPP, EMFILE, ENFILE, ENOMEM, 0 };
static const int attach_errors[] = { EBADF,  EINVAL,	 ENXIO,	 EACCES,     EPERM,
				     EEXIST, EADDRINUSE, ENOMEM, EOPNOTSUPP, 0 };
static const int detach_errors[] = { EBADF, EINVAL, ENOMEM, 0 };
static const int flush_errors[] = { EBADF,	EINVAL, ENXIO,	ENOMEM, EACCES, EPERM,
				    EOPNOTSUPP, EIO,	ENOSPC, EDQUOT, 0 };
static const int stat_errors[] = { EBADF, EINVAL, E2BIG, ENOMEM, 0 };
static const int unlink_errors[] = { EINVAL, ENOMEM, ENAMETOOLONG, ENOENT, EACCES,
				     EPERM,  EMFILE, ENFILE,	   0 };
static const int probe_errors[] = { EINVAL, E2BIG, EMFILE, ENFILE, ENOMEM, 0 };

#define SIZE ((size_t)8 << 20)
#define NAME "/sweep"

#define PLAIN                                                                                      \
	{                                                                                          \
		.backend = "plain"                                                                 \
	}
#define THP                                                                                        \
	{                                                                                          \
		.backend = "thp", .thp_collapse = true, .host = true                               \
	}
#define THP_FAULT                                                                                  \
	{                                                                                          \
		.backend = "thp", .thp_fault = true, .shm_huge = true, .thp_collapse = true        \
	}
#define HUGETLB                                                                                    \
	{                                                                                          \
		.backend = "hugetlb", .pool_pmd = 64, .hugetlbfs = true                            \
	}
#define EVERYTHING                                                                                 \
	{                                                                                          \
		.thp_fault = true, .shm_huge = true, .thp_collapse = true, .host = true,           \
		.hugetlbfs = true, .pool_pmd = 64, .pool_pud = 2                                   \
	}

/* One region, one descriptor and one attachment are enough for every scenario. */
static mshare_t region;
static int fd = -1;
static void *at;

static void must(bool good)
{
	if (!good)
		abort();
}

static void close_region(void)
{
	must(mshare_close(region) == 0);
}

static int create_anonymous(void)
{
	region = mshare_create(NULL, SIZE, NULL);
	return region ? 0 : -1;
}

static int create_named(void)
{
	region = mshare_create(NAME, SIZE, NULL);
	return region ? 0 : -1;
}

static void close_and_unlink(void)
{
	close_region();
	must(mshare_unlink(NAME) == 0);
}

static void have_name(void)
{
	must(create_named() == 0);
	close_region();
}

static int open_named(void)
{
	region = mshare_open(NAME, O_RDWR, NULL);
	return region ? 0 : -1;
}

static int from_fd(void)
{
	region = mshare_from_fd(fd, NULL);
	return region ? 0 : -1;
}

static void have_shmem(void)
{
	fd = fake_make_fd(FAKE_SHMEM, SIZE, O_RDWR);
	must(fd >= 0);
}

static void have_regular(void)
{
	fd = fake_make_fd(FAKE_REGULAR, SIZE, O_RDWR);
	must(fd >= 0);
}

static void have_huge(void)
{
	fd = fake_make_fd(FAKE_HUGE, SIZE, O_RDWR);
	must(fd >= 0);
}

static void have_region(void)
{
	must(create_anonymous() == 0);
}

/* Another process has started the helper of this region. */
static void have_served_region(void)
{
	have_region();
	fake_file_of(mshare_fd(region))->served = true;
}

static void have_regular_region(void)
{
	have_regular();
	must(from_fd() == 0);
}

static int attach_with(void *addr, unsigned int flags)
{
	at = mshare_attach(region, addr, 0, SIZE, PROT_READ | PROT_WRITE, flags);
	return at == MAP_FAILED ? -1 : 0;
}

static int attach_anywhere(void)
{
	return attach_with(NULL, 0);
}

static int attach_hinted(void)
{
	return attach_with((void *)((uintptr_t)48 << 40), 0);
}

static int attach_fixed(void)
{
	return attach_with((void *)((uintptr_t)48 << 40), MSHARE_FIXED);
}

static int attach_same(void)
{
	return attach_with(NULL, MSHARE_SAME_ADDR);
}

static int attach_populated(void)
{
	return attach_with(NULL, MSHARE_POPULATE);
}

static void detach(void)
{
	must(mshare_detach(region, at, SIZE) == 0);
}

static void have_attachment(void)
{
	have_region();
	must(attach_anywhere() == 0);
}

static int detach_once(void)
{
	return mshare_detach(region, at, SIZE);
}

/* What failed to be detached is still attached, and can be detached later. */
static void detach_again(int err)
{
	if (err)
		detach();
	else
		must(mshare_detach(region, at, SIZE) == -1 && errno == EINVAL);
	must(attach_anywhere() == 0);
}

static int flush_data_all(void)
{
	return mshare_flush(region, 0, 0, MSHARE_FLUSH_DATA);
}

static int discard_all(void)
{
	return mshare_flush(region, 0, 0, MSHARE_FLUSH_DISCARD);
}

static void flushes_are_counted(int err)
{
	struct mshare_stat st = { .size = sizeof(st) };

	must(mshare_stat(region, &st) == 0);
	must(st.flushes == (err ? 0 : 1));
}

static int stat_everything(void)
{
	struct mshare_stat st = { .size = sizeof(st),
				  .want = MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES };
	int err = mshare_stat(region, &st);

	if (!err)
		must(st.region_size == SIZE && st.attachments == 1 && st.host_pid == 0);
	return err;
}

static int unlink_name(void)
{
	return mshare_unlink(NAME);
}

/* Done exactly if it said so; the name is there again for the comparison. */
static void unlink_once_more(int err)
{
	must(mshare_unlink(NAME) == (err ? 0 : -1));
	have_name();
}

static int probe(void)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	return mshare_probe(&caps);
}

static const struct scenario scenarios[] = {
	{ "create, plain", PLAIN, NULL, create_anonymous, close_region, NULL, create_errors, false,
	  4 },
	{ "create, thp", THP, NULL, create_anonymous, close_region, NULL, create_errors, false, 8 },
	{ "create, hugetlb", HUGETLB, NULL, create_anonymous, close_region, NULL, create_errors,
	  false, 5 },
	{ "create, best", EVERYTHING, NULL, create_anonymous, close_region, NULL, create_errors,
	  false, 5 },
	{ "create by name, plain", PLAIN, NULL, create_named, close_and_unlink, NULL, create_errors,
	  false, 6 },
	{ "create by name without O_TMPFILE",
	  { .backend = "plain", .no_tmpfile = true },
	  NULL,
	  create_named,
	  close_and_unlink,
	  NULL,
	  create_errors,
	  false,
	  6 },
	{ "create by name, hugetlb", HUGETLB, NULL, create_named, close_and_unlink, NULL,
	  create_errors, false, 8 },
	{ "create by name, best", EVERYTHING, NULL, create_named, close_and_unlink, NULL,
	  create_errors, false, 8 },
	{ "open, plain", PLAIN, have_name, open_named, close_region, NULL, open_errors, false, 4 },
	{ "open, best", EVERYTHING, have_name, open_named, close_region, NULL, open_errors, false,
	  5 },
	{ "from_fd, shared memory", EVERYTHING, have_shmem, from_fd, close_region, NULL,
	  from_fd_errors, false, 4 },
	{ "from_fd, regular file", EVERYTHING, have_regular, from_fd, close_region, NULL,
	  from_fd_errors, false, 4 },
	{ "from_fd, hugetlb", EVERYTHING, have_huge, from_fd, close_region, NULL, from_fd_errors,
	  false, 4 },
	{ "attach, plain", PLAIN, have_region, attach_anywhere, detach, NULL, attach_errors, false,
	  4 },
	{ "attach, thp with helper", THP, have_region, attach_anywhere, detach, NULL, attach_errors,
	  false, 5 },
	{ "attach, thp with a helper there", THP, have_served_region, attach_anywhere, detach, NULL,
	  attach_errors, false, 4 },
	{ "attach, thp by advice", THP_FAULT, have_region, attach_anywhere, detach, NULL,
	  attach_errors, false, 4 },
	{ "attach, hugetlb", HUGETLB, have_region, attach_anywhere, detach, NULL, attach_errors,
	  false, 4 },
	{ "attach with a hint", PLAIN, have_region, attach_hinted, detach, NULL, attach_errors,
	  false, 4 },
	{ "attach, fixed", PLAIN, have_region, attach_fixed, detach, NULL, attach_errors, false,
	  4 },
	{ "attach, same address", THP, have_region, attach_same, detach, NULL, attach_errors, false,
	  4 },
	{ "attach and populate, plain", PLAIN, have_region, attach_populated, detach, NULL,
	  attach_errors, false, 5 },
	{ "attach and populate, thp", THP, have_region, attach_populated, detach, NULL,
	  attach_errors, false, 7 },
	{ "attach and populate, hugetlb", HUGETLB, have_region, attach_populated, detach, NULL,
	  attach_errors, false, 5 },
	{ "detach", PLAIN, have_attachment, detach_once, NULL, detach_again, detach_errors, true,
	  1 },
	{ "flush to storage", PLAIN, have_regular_region, flush_data_all, NULL, flushes_are_counted,
	  flush_errors, false, 2 },
	{ "flush to storage without io_uring",
	  { .backend = "plain", .no_uring = true },
	  have_regular_region,
	  flush_data_all,
	  NULL,
	  flushes_are_counted,
	  flush_errors,
	  false,
	  3 },
	{ "discard", PLAIN, have_region, discard_all, NULL, flushes_are_counted, flush_errors,
	  false, 2 },
	{ "stat, thp", THP, have_attachment, stat_everything, NULL, NULL, stat_errors, false, 6 },
	{ "stat, hugetlb", HUGETLB, have_attachment, stat_everything, NULL, NULL, stat_errors,
	  false, 5 },
	{ "unlink", PLAIN, have_name, unlink_name, NULL, unlink_once_more, unlink_errors, true, 1 },
	{ "unlink, hugetlb", HUGETLB, have_name, unlink_name, NULL, unlink_once_more, unlink_errors,
	  true, 4 },
	{ "probe", EVERYTHING, NULL, probe, NULL, NULL, probe_errors, false, 20 },
	{ "probe, nothing there", {}, NULL, probe, NULL, NULL, probe_errors, false, 10 },
};

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(scenarios)];

	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		tests[i] = (struct CMUnitTest){ .name = scenarios[i].name,
						.test_func = sweep,
						.initial_state = (void *)&scenarios[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
