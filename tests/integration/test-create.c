/* SPDX-License-Identifier: MIT */
/* mshare_create(): what is made, how large, with which rights, and that nobody sees it half made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define RACE_ROUNDS 2000
#define RACERS 3

static void anonymous(void **state)
{
	mshare_t r = region_make(1);
	struct stat st = region_file(r);
	char link[64], target[64] = "";

	(void)state;
	check_equal(st.st_size, backend_region_size(1));
	check_equal(st.st_nlink, 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", mshare_fd(r));
	check(readlink(link, target, sizeof(target) - 1) > 0);
	check(strncmp(target, "/memfd:", 7) == 0);
	check(fcntl(mshare_fd(r), F_GETFD) & FD_CLOEXEC);
	region_end(r);
}

static void named(void **state)
{
	char name[NAME_SIZE];
	mshare_t r = mshare_create(name_make(name, "named"), pmd_size(), NULL);
	struct stat st;

	(void)state;
	check(r);
	st = region_file(r);
	check_equal(st.st_size, pmd_size());
	check_equal(st.st_nlink, 1);
	check_equal(st.st_uid, geteuid());
	check_equal(name_count(name), 1);
	check_equal(region_stat(r, 0).backend, backend_id());
	check(fcntl(mshare_fd(r), F_GETFD) & FD_CLOEXEC);
	check(mshare_unlink(name) == 0);
	check_equal(name_count(name), 0);
	check_equal(region_file(r).st_nlink, 0);
	region_end(r);
}

static void close_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		close(fd);
}

static void check_high(mshare_t r)
{
	check(r);
	check(mshare_fd(r) > STDERR_FILENO);
	check(fcntl(mshare_fd(r), F_GETFD) & FD_CLOEXEC);
	region_end(r);
}

static void without_standard_descriptors(void *arg)
{
	const char *name = arg;
	int room[2];

	close_standard_descriptors();
	check_high(mshare_create(NULL, pmd_size(), NULL));
	check_high(mshare_create(name, pmd_size(), NULL));
	check_high(mshare_open(name, O_RDWR, NULL));
	check(mshare_unlink(name) == 0);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		check(fcntl(fd, F_GETFD) == -1);
	check(pipe(room) == 0 && room[0] == 0 && room[1] == 1);
}

/* What a daemon writes to its standard error must not go into a region. */
static void standard_descriptors_are_left_free(void **state)
{
	char name[NAME_SIZE];

	(void)state;
	child_run(without_standard_descriptors, (void *)name_make(name, "daemon"));
}

/* No higher descriptor may be had: nothing is made. */
static void with_low_descriptors_only(void *arg)
{
	const struct rlimit none = { 3, 3 };

	close(0);
	check(setrlimit(RLIMIT_NOFILE, &none) == 0);
	check_refused(!mshare_create(NULL, pmd_size(), NULL), EMFILE);
	check_refused(!mshare_create(arg, pmd_size(), NULL), EMFILE);
	check(fcntl(0, F_GETFD) == -1);
}

static void standard_descriptors_are_not_a_last_resort(void **state)
{
	char name[NAME_SIZE];

	(void)state;
	child_run(with_low_descriptors_only, (void *)name_make(name, "low"));
	check_equal(name_count(name), 0);
}

static void sizes_are_rounded_up(void **state)
{
	const size_t sizes[] = { 1, page_size(), pmd_size() - 1, pmd_size(), pmd_size() + 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		mshare_t r = region_make(sizes[i]);

		check_equal(region_size(r), backend_region_size(sizes[i]));
		check_equal(region_file(r).st_size, backend_region_size(sizes[i]));
		region_end(r);
	}
}

/* Address space is free, so that tables can be shared; reserved memory is not, so that hugetlb
 * regions stay as small as they can. */
static void sizes_follow_the_level(void **state)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	(void)state;
	for (int level = MSHARE_ALIGN_BASE; level <= MSHARE_ALIGN_PUD; level++) {
		mshare_t r;

		attr.align = (uint32_t)level;
		r = region_make_with(page_size() + 1, &attr);
		if (backend_is(MSHARE_BACKEND_HUGETLB))
			check_equal(region_size(r), pmd_size());
		else
			check_equal(region_size(r), mshare_align(page_size() + 1, level));
		region_end(r);
	}
}

static void mode_is_cut_by_umask(void **state)
{
	static const struct {
		uint32_t mode;
		mode_t mask;
		mode_t result;
	} cases[] = {
		{ 0, 022, 0600 }, { 0666, 027, 0640 }, { 0660, 0, 0660 }, { 0644, 077, 0600 }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mshare_attr attr = MSHARE_ATTR_INIT;
		mode_t before = umask(cases[i].mask);
		char name[NAME_SIZE];
		mshare_t r;

		attr.mode = cases[i].mode;
		r = mshare_create(name_make(name, "mode"), 1, &attr);
		check(r);
		check_equal(umask(before), cases[i].mask);
		check_equal(region_file(r).st_mode & 07777, cases[i].result);
		check(mshare_unlink(name) == 0);
		region_end(r);
	}
}

static void reads_as_zero(void **state)
{
	mshare_t r = region_make(2 * pmd_size());

	(void)state;
	bytes_check_zero(region_attach_all(r), region_size(r));
	region_end(r);
}

static void existing_name_is_left_alone(void **state)
{
	char name[NAME_SIZE];
	mshare_t r = mshare_create(name_make(name, "exists"), pmd_size(), NULL), again;
	struct stat before;

	(void)state;
	check(r);
	before = region_file(r);
	bytes_fill(region_attach_all(r), pmd_size(), 1);
	check_refused(!mshare_create(name, 4 * pmd_size(), NULL), EEXIST);
	again = mshare_open(name, O_RDONLY, NULL);
	check(again);
	check_equal(region_file(again).st_ino, before.st_ino);
	check_equal(region_size(again), pmd_size());
	bytes_check(mshare_attach(again, NULL, 0, pmd_size(), PROT_READ, 0), pmd_size(), 1);
	check(mshare_unlink(name) == 0);
	region_end(again);
	region_end(r);
}

/* Opens the first name all the time, until the second appears. */
static void open_eagerly(void *arg)
{
	const char *name = arg;
	const char *done = name + NAME_SIZE;

	/* Looking for the end is slow beside opening, so it is done now and then. */
	for (unsigned int i = 0; i % 256 || !name_count(done); i++) {
		mshare_t r = mshare_open(name, O_RDWR, NULL);

		if (!r) {
			check_equal(errno, ENOENT);
			continue;
		}
		check_equal(region_size(r), pmd_size());
		region_end(r);
	}
	check_equal(name_count(name), 1);
}

static void appears_complete(void **state)
{
	char name[2 * NAME_SIZE], *done = name + NAME_SIZE;
	mshare_t last;
	pid_t opener;

	(void)state;
	name_make(name, "race");
	name_make(done, "race-over");
	opener = child_start(open_eagerly, name);
	for (int i = 0; i < RACE_ROUNDS; i++) {
		mshare_t r = mshare_create(name, pmd_size(), NULL);

		check(r);
		region_end(r);
		check(i == RACE_ROUNDS - 1 || mshare_unlink(name) == 0);
	}
	usleep(10000);
	last = mshare_create(done, 1, NULL);
	check(last);
	child_wait(opener);
	region_end(last);
	check(mshare_unlink(done) == 0 && mshare_unlink(name) == 0);
}

struct race {
	char name[NAME_SIZE];
	struct signpost start;
	struct signpost won;
};

static void create_once(void *arg)
{
	struct race *race = arg;
	mshare_t r;

	signpost_await(&race->start);
	r = mshare_create(race->name, pmd_size(), NULL);
	if (r)
		signpost_raise(&race->won);
	else
		check_equal(errno, EEXIST);
}

static void one_creator_wins(void **state)
{
	struct race race;
	pid_t racers[RACERS];
	char wins[RACERS + 1];

	(void)state;
	name_make(race.name, "creators");
	signpost_make(&race.start);
	signpost_make(&race.won);
	for (int i = 0; i < RACERS; i++)
		racers[i] = child_start(create_once, &race);
	for (int i = 0; i < RACERS; i++)
		signpost_raise(&race.start);
	for (int i = 0; i < RACERS; i++)
		child_wait(racers[i]);
	check_equal(read(race.won.fds[0], wins, sizeof(wins)), 1);
	check_equal(name_count(race.name), 1);
	check(mshare_unlink(race.name) == 0);
	signpost_close(&race.start);
	signpost_close(&race.won);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(anonymous),
		cmocka_unit_test(named),
		cmocka_unit_test(standard_descriptors_are_left_free),
		cmocka_unit_test(standard_descriptors_are_not_a_last_resort),
		cmocka_unit_test(sizes_are_rounded_up),
		cmocka_unit_test(sizes_follow_the_level),
		cmocka_unit_test(mode_is_cut_by_umask),
		cmocka_unit_test(reads_as_zero),
		cmocka_unit_test(existing_name_is_left_alone),
		cmocka_unit_test(appears_complete),
		cmocka_unit_test(one_creator_wins),
	};

	return RUN_CASES(cases);
}
