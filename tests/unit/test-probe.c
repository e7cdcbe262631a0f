/* SPDX-License-Identifier: MIT */
/* What a machine has is found, what it lacks is explained, and a passing shortage is not believed.
 */
#include "mshare.h"
#include "probe.h"
#include "sweep.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>

struct row {
	const char *what;
	struct fake_machine machine;
	uint64_t features;
	int errors[MSHARE_BACKEND_COUNT]; /* by enum mshare_backend */
};

#define ALWAYS (MSHARE_CAP_IO_URING | MSHARE_CAP_SHM)

static const struct row rows[] = {
	{ "nothing", { 0 }, ALWAYS, { EINVAL, 0, EOPNOTSUPP, ENOMEM, ENOSYS } },
	{ "no shm",
	  { .no_shm = true },
	  MSHARE_CAP_IO_URING,
	  { EINVAL, 0, EOPNOTSUPP, ENOMEM, ENOSYS } },
	{ "no uring",
	  { .no_uring = true },
	  MSHARE_CAP_SHM,
	  { EINVAL, 0, EOPNOTSUPP, ENOMEM, ENOSYS } },
	{ "thp on touch of names", { .shm_huge = true }, ALWAYS, { EINVAL, 0, 0, ENOMEM, ENOSYS } },
	{ "thp on touch",
	  { .thp_fault = true },
	  ALWAYS | MSHARE_CAP_THP_FAULT,
	  { EINVAL, 0, 0, ENOMEM, ENOSYS } },
	{ "collapse",
	  { .thp_collapse = true },
	  ALWAYS | MSHARE_CAP_THP_COLLAPSE,
	  { EINVAL, 0, 0, ENOMEM, ENOSYS } },
	{ "helper",
	  { .thp_collapse = true, .host = true },
	  ALWAYS | MSHARE_CAP_THP_COLLAPSE | MSHARE_CAP_HOST,
	  { EINVAL, 0, 0, ENOMEM, ENOSYS } },
	{ "pmd pool",
	  { .pool_pmd = 1 },
	  ALWAYS | MSHARE_CAP_HUGE_PMD,
	  { EINVAL, 0, EOPNOTSUPP, 0, ENOSYS } },
	{ "pud pool",
	  { .pool_pud = 1 },
	  ALWAYS | MSHARE_CAP_HUGE_PUD,
	  { EINVAL, 0, EOPNOTSUPP, ENOMEM, ENOSYS } },
	{ "before MADV_POPULATE",
	  { .no_populate = true },
	  ALWAYS,
	  { EINVAL, 0, EOPNOTSUPP, ENOMEM, ENOSYS } },
};

static void check_row(void *arg)
{
	const struct row *row = arg;
	struct fake_usage before = fake_usage();
	struct fake_usage after;
	struct mshare_caps caps = { .size = sizeof(caps) };

	assert_int_equal(mshare_probe(&caps), 0);
	assert_int_equal(caps.size, sizeof(caps));
	assert_int_equal(caps.features, row->features);
	assert_int_equal(caps.base_size, 4096);
	assert_int_equal(caps.pmd_size, FAKE_PMD);
	assert_int_equal(caps.pud_size, FAKE_PUD);
	assert_int_equal(caps.memlock_limit, sys_memlock_limit());
	for (int i = MSHARE_BACKEND_PLAIN; i < MSHARE_BACKEND_COUNT; i++) {
		const struct mshare_backend_caps *backend = &caps.backend[i];

		assert_int_equal(backend->error, row->errors[i]);
		assert_int_equal(backend->page_size == 0, backend->error != 0);
		assert_true(strlen(backend->reason) > 10);
	}
	after = fake_usage();
	assert_memory_equal(&before, &after, sizeof(after));
}

static void machine(void **state)
{
	const struct row *row = *state;

	in_fresh_process(&row->machine, check_row, (void *)row);
}

/* Pools and limits change while a program runs; what the kernel can do does not. */
static void check_changes(void *arg)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	(void)arg;
	assert_int_equal(mshare_probe(&caps), 0);
	assert_int_equal(caps.features & MSHARE_CAP_HUGE_PMD, 0);
	assert_non_null(strstr(caps.backend[MSHARE_BACKEND_HUGETLB].reason, "nr_hugepages"));
	assert_int_equal(caps.shm_free, UINT64_MAX);
	fake.pool_pmd = 3;
	fake.shm_free = 12345 * 4096;
	assert_int_equal(mshare_probe(&caps), 0);
	assert_true(caps.features & MSHARE_CAP_HUGE_PMD);
	assert_int_equal(caps.shm_free, fake.shm_free);
	fake.pool_pmd = 0;
	assert_int_equal(mshare_probe(&caps), 0);
	assert_int_equal(caps.features & MSHARE_CAP_HUGE_PMD, 0);
}

static void pools_are_read_anew(void **state)
{
	(void)state;
	in_fresh_process(&(struct fake_machine){ 0 }, check_changes, NULL);
}

struct shortage {
	bool (*probe)(void);
	unsigned int step, choice;
};

/* A machine can say EINVAL for good; everything else passes. */
static bool means_no(const struct fake_fault *fault)
{
	return fault->err == EINVAL &&
	       (!strcmp(fault->call, "collapse") || !strcmp(fault->call, "advise huge"));
}

static struct fake_fault *shared_fault;

static void check_shortage(void *arg)
{
	const struct shortage *s = arg;
	bool answer;

	fake_faults_on(s->step, s->choice);
	answer = s->probe();
	fake_faults_off();
	*shared_fault = fake_fault();
	if (answer || !shared_fault->fired || means_no(shared_fault))
		return;
	if (!s->probe())
		fail_msg("%s failed once with %s: taken for the answer for ever",
			 shared_fault->call, strerror(shared_fault->err));
}

static void try_shortages(bool (*probe)(void), const struct fake_machine *machine)
{
	struct shortage s = { .probe = probe };
	unsigned int faults = 0;

	do {
		s.step++;
		s.choice = 0;
		do {
			in_fresh_process(machine, check_shortage, &s);
			s.choice++;
			faults += shared_fault->fired;
		} while (shared_fault->fired);
	} while (shared_fault->reached);
	assert_true(faults >= 8);
}

static bool memfd_huge_on_touch(void)
{
	return probe_thp_fault(SHMEM_MEMFD);
}

static bool named_huge_on_touch(void)
{
	return probe_thp_fault(SHMEM_NAMED);
}

static void shortage_is_no_answer(void **state)
{
	const struct fake_machine both = { .thp_fault = true,
					   .shm_huge = true,
					   .thp_collapse = true };

	(void)state;
	shared_fault = mmap(NULL, sizeof(*shared_fault), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared_fault, MAP_FAILED);
	try_shortages(probe_thp_collapse, &both);
	try_shortages(memfd_huge_on_touch, &both);
	try_shortages(named_huge_on_touch, &both);
}

/* The reason of the thp backend, for each combination of what a touch gives. */
static void check_thp_text(void *arg)
{
	const char *const *expected = arg;
	struct mshare_caps caps = { .size = sizeof(caps) };

	assert_int_equal(mshare_probe(&caps), 0);
	for (; *expected; expected++)
		if (!strstr(caps.backend[MSHARE_BACKEND_THP].reason, *expected))
			fail_msg("\"%s\" is not in \"%s\"", *expected,
				 caps.backend[MSHARE_BACKEND_THP].reason);
}

static void thp_text_tells_mounts_apart(void **state)
{
	const struct {
		struct fake_machine machine;
		const char *expected[4];
	} cases[] = {
		{ { .thp_fault = true, .shm_huge = true }, { "huge pages when first touched" } },
		{ { .thp_fault = true, .thp_collapse = true, .host = true },
		  { "without a name: huge pages when first touched; named: ", "mshare-host" } },
		{ { .thp_fault = true, .thp_collapse = true },
		  { "without a name: huge", "named: huge pages with MSHARE_POPULATE only" } },
		{ { .thp_fault = true },
		  { "without a name: huge", "remount,huge=advise /dev/shm" } },
		{ { .shm_huge = true, .thp_collapse = true, .host = true },
		  { "named: huge pages when first touched; without a name: ", "mshare-host" } },
		{ { .shm_huge = true }, { "named: huge", "echo advise > " } },
		{ { .thp_collapse = true, .host = true }, { "filled ranges", "mshare-host" } },
		{ { 0 }, { "echo advise > " } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		in_fresh_process(&cases[i].machine, check_thp_text, (void *)cases[i].expected);
}

/* What an attached region of the thp backend does to get huge pages. */
struct thp_case {
	const char *name; /* NULL: a memfd */
	bool reopened; /* by its descriptor */
	unsigned int advised, helpers;
};

static void check_thp_attach(void *arg)
{
	const struct thp_case *c = arg;
	mshare_t r = mshare_create(c->name, FAKE_PMD, NULL);

	assert_non_null(r);
	if (c->reopened)
		r = mshare_from_fd(mshare_fd(r), NULL);
	assert_non_null(r);
	fake_huge_advised = 0; /* by the probe */
	assert_ptr_not_equal(mshare_attach(r, NULL, 0, FAKE_PMD, PROT_READ | PROT_WRITE, 0),
			     MAP_FAILED);
	assert_int_equal(fake_huge_advised, c->advised);
	assert_int_equal(fake_helpers_started, c->helpers);
}

/* The helper is asked exactly where touching the object does not give huge pages. */
static void helper_where_touching_does_not_help(void **state)
{
	struct fake_machine m = {
		.backend = "thp", .thp_fault = true, .thp_collapse = true, .host = true
	};

	(void)state;
	for (int reopened = 0; reopened <= 1; reopened++) {
		m.thp_fault = true;
		m.shm_huge = false;
		in_fresh_process(&m, check_thp_attach, &(struct thp_case){ NULL, reopened, 1, 0 });
		in_fresh_process(&m, check_thp_attach, &(struct thp_case){ "/n", reopened, 0, 1 });
		m.thp_fault = false;
		m.shm_huge = true;
		in_fresh_process(&m, check_thp_attach, &(struct thp_case){ NULL, reopened, 0, 1 });
		in_fresh_process(&m, check_thp_attach, &(struct thp_case){ "/n", reopened, 1, 0 });
	}
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 4] = {
		cmocka_unit_test(thp_text_tells_mounts_apart),
		cmocka_unit_test(helper_where_touching_does_not_help),
		cmocka_unit_test(pools_are_read_anew),
		cmocka_unit_test(shortage_is_no_answer),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[4 + i] = (struct CMUnitTest){ .name = rows[i].what,
						    .test_func = machine,
						    .initial_state = (void *)&rows[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
