/* SPDX-License-Identifier: MIT */
/*
 * Which backend serves which request, on every kind of machine. What must come out is worked out
 * here a second time, from the rules of the manual, and compared for every combination.
 */
#include "choose.h"
#include "mshare.h"
#include "sweep.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>

#define NAME "/choose"
#define SMALL ((size_t)8 << 20)
#define LARGE ((size_t)1 << 30)

static void assert_order(const struct candidates *got, const char *expected)
{
	char text[64] = "";

	for (unsigned int i = 0; i < got->count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, got->ops[i]->name);
	}
	assert_string_equal(text, expected);
}

static void order_for_a_new_region(void **state)
{
	static const char *const expected[] = { "hugetlb thp shim plain", "shim plain",
						"thp shim plain", "hugetlb thp shim plain",
						"hugetlb thp shim plain" };
	struct region_request req = { 0 };
	struct candidates got;

	(void)state;
	for (uint32_t prefer = 0; prefer <= MSHARE_PAGES_PUD; prefer++) {
		req.attr.prefer = prefer;
		choose_new(&req, &got);
		assert_order(&got, expected[prefer]);
	}
}

static void order_for_an_existing_object(void **state)
{
	struct region_request req = { 0 };
	struct candidates got;

	(void)state;
	for (uint32_t prefer = 0; prefer <= MSHARE_PAGES_PUD; prefer++) {
		req.attr.prefer = prefer;
		choose_existing(&req, REGION_HUGETLB, false, &got);
		assert_order(&got, "hugetlb");
		choose_existing(&req, REGION_FILE, false, &got);
		assert_order(&got, "shim plain");
		choose_existing(&req, REGION_FILE, true, &got);
		assert_order(&got, "shim plain");
		choose_existing(&req, REGION_SHMEM, false, &got);
		assert_order(&got, prefer == MSHARE_PAGES_BASE ? "shim plain" : "thp shim plain");
		choose_existing(&req, REGION_SHMEM, true, &got);
		assert_order(&got, prefer == MSHARE_PAGES_BASE ? "shim plain" : "shim thp plain");
	}
}

static void forced_is_the_only_one(void **state)
{
	static const char *const names[] = { "shim", "hugetlb", "thp", "plain" };
	struct region_request req = { 0 };
	struct candidates got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		req.forced = backend_by_name(names[i]);
		assert_non_null(req.forced);
		choose_new(&req, &got);
		assert_order(&got, names[i]);
		choose_existing(&req, REGION_SHMEM, true, &got);
		assert_order(&got, names[i]);
	}
}

static void backends_by_name_and_id(void **state)
{
	(void)state;
	assert_null(backend_by_name("none"));
	assert_null(backend_by_name(""));
	assert_null(backend_by_name("THP"));
	assert_null(backend_by_id(MSHARE_BACKEND_NONE));
	assert_null(backend_by_id((enum mshare_backend)MSHARE_BACKEND_COUNT));
	assert_null(backend_by_id((enum mshare_backend) - 1));
	for (int id = MSHARE_BACKEND_PLAIN; id < MSHARE_BACKEND_COUNT; id++) {
		const struct backend_ops *ops = backend_by_id((enum mshare_backend)id);

		assert_int_equal(ops->id, id);
		assert_ptr_equal(backend_by_name(ops->name), ops);
	}
}

/* One combination, and what must come of it. */
struct wish {
	struct mshare_attr attr;
	size_t size;
	bool named;
};
struct outcome {
	int err;
	enum mshare_backend backend;
	enum mshare_pages pages;
	bool fell_back; /* past a better backend, and below what was preferred */
};

static bool pool_holds(const struct wish *w, bool pud)
{
	uint64_t page_size = pud ? FAKE_PUD : FAKE_PMD;
	uint64_t pages = (w->size + page_size - 1) / page_size;

	if (w->named && (pud || !fake.hugetlbfs))
		return false;
	return (long)pages <= (pud ? fake.pool_pud : fake.pool_pmd);
}

static enum mshare_pages hugetlb_gives(const struct wish *w)
{
	bool want_pud = w->attr.prefer == MSHARE_PAGES_PUD || w->attr.require == MSHARE_PAGES_PUD;

	if ((w->attr.flags & MSHARE_REQUIRE_SHARED_TABLES) && w->size < LARGE)
		return MSHARE_PAGES_AUTO;
	if (want_pud && pool_holds(w, true))
		return MSHARE_PAGES_PUD;
	return pool_holds(w, false) ? MSHARE_PAGES_PMD : MSHARE_PAGES_AUTO;
}

/* The pages a backend gives here; AUTO: none. */
static enum mshare_pages gives(enum mshare_backend backend, const struct wish *w)
{
	bool shared = w->attr.flags & MSHARE_REQUIRE_SHARED_TABLES;
	bool on_touch = w->named ? fake.shm_huge : fake.thp_fault;

	if (backend == MSHARE_BACKEND_HUGETLB)
		return hugetlb_gives(w);
	if (backend == MSHARE_BACKEND_THP && !shared && (on_touch || fake.thp_collapse))
		return MSHARE_PAGES_THP;
	return backend == MSHARE_BACKEND_PLAIN && !shared ? MSHARE_PAGES_BASE : MSHARE_PAGES_AUTO;
}

static bool is_tried(enum mshare_backend backend, const struct wish *w)
{
	uint32_t prefer = w->attr.prefer;

	if (fake.backend)
		return backend_by_name(fake.backend)->id == backend;
	if (backend == MSHARE_BACKEND_HUGETLB)
		return prefer != MSHARE_PAGES_BASE && prefer != MSHARE_PAGES_THP;
	return backend != MSHARE_BACKEND_THP || prefer != MSHARE_PAGES_BASE;
}

static struct outcome expected_for(const struct wish *w)
{
	static const enum mshare_backend best_first[] = { MSHARE_BACKEND_HUGETLB,
							  MSHARE_BACKEND_THP, MSHARE_BACKEND_SHIM,
							  MSHARE_BACKEND_PLAIN };
	struct outcome out = { .err = EOPNOTSUPP };

	if (w->attr.prefer && w->attr.prefer < w->attr.require)
		return (struct outcome){ .err = EINVAL };
	for (size_t i = 0; i < ARRAY_SIZE(best_first); i++) {
		enum mshare_pages pages = gives(best_first[i], w);

		if (!is_tried(best_first[i], w))
			continue;
		if (pages != MSHARE_PAGES_AUTO && pages >= w->attr.require) {
			out.fell_back &= !w->attr.prefer || pages < w->attr.prefer;
			return (struct outcome){ 0, best_first[i], pages, out.fell_back };
		}
		out.fell_back = true;
	}
	return out;
}

static void check_obtained(mshare_t r, const struct outcome *expected)
{
	struct mshare_stat st = { .size = sizeof(st) };

	assert_int_equal(mshare_stat(r, &st), 0);
	assert_int_equal(st.backend, expected->backend);
	assert_int_equal(st.pages, expected->pages);
	assert_int_equal(st.page_size, expected->pages == MSHARE_PAGES_BASE  ? 4096
				       : expected->pages == MSHARE_PAGES_PUD ? FAKE_PUD
									     : FAKE_PMD);
	assert_int_equal(st.grid, expected->pages == MSHARE_PAGES_PUD ? FAKE_PUD : FAKE_PMD);
	assert_int_equal(st.alignment, st.region_size >= FAKE_PUD ? FAKE_PUD : FAKE_PMD);
	assert_int_equal(st.reason[0] != '\0', expected->fell_back);
}

static void check_refused(const struct outcome *expected)
{
	assert_int_equal(errno, expected->err);
	assert_true(strlen(mshare_errmsg()) > 10);
	if (expected->err == EOPNOTSUPP && fake.backend)
		assert_ptr_equal(strstr(mshare_errmsg(), fake.backend), mshare_errmsg());
}

static unsigned int succeeded, refused;

static void try_wish(const struct wish *w)
{
	struct outcome expected = expected_for(w);
	struct fake_usage before = fake_usage();
	struct fake_usage after;
	mshare_t r = mshare_create(w->named ? NAME : NULL, w->size, &w->attr);

	if (!r != (expected.err != 0))
		fail_msg("prefer %u require %u flags %llu size %zu named %d forced %s: %s",
			 w->attr.prefer, w->attr.require, (unsigned long long)w->attr.flags,
			 w->size, w->named, fake.backend ? fake.backend : "no",
			 r ? "is there, should be refused" : mshare_errmsg());
	if (r) {
		check_obtained(r, &expected);
		assert_int_equal(mshare_close(r), 0);
		if (w->named)
			assert_int_equal(mshare_unlink(NAME), 0);
	} else {
		check_refused(&expected);
	}
	after = fake_usage();
	assert_memory_equal(&before, &after, sizeof(after));
	*(r ? &succeeded : &refused) += 1;
}

static void try_attrs(size_t size, bool named)
{
	for (uint32_t prefer = 0; prefer <= MSHARE_PAGES_PUD; prefer++)
		for (uint32_t require = 0; require <= MSHARE_PAGES_PUD; require++)
			for (uint64_t shared = 0; shared <= MSHARE_REQUIRE_SHARED_TABLES; shared++)
				try_wish(&(struct wish){ { .size = sizeof(struct mshare_attr),
							   .flags = shared,
							   .prefer = prefer,
							   .require = require },
							 size,
							 named });
}

static void try_pools(void)
{
	static const long pools[][2] = { { 0, 0 }, { 64, 0 }, { 1024, 0 }, { 0, 2 }, { 1024, 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
		fake.pool_pmd = pools[i][0];
		fake.pool_pud = pools[i][1];
		try_attrs(SMALL, false);
		try_attrs(SMALL, true);
		try_attrs(LARGE, false);
		try_attrs(LARGE, true);
	}
}

/* In a process of its own: what the kernel can do is asked once. */
static void try_everything(void *arg)
{
	static const char *const forced[] = { NULL, "shim", "hugetlb", "thp", "plain" };

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(forced); i++) {
		fake.backend = forced[i];
		try_pools();
		fake.hugetlbfs = !fake.hugetlbfs;
	}
	assert_int_equal(succeeded + refused, 5 * 5 * 4 * 50);
	assert_true(succeeded > 500 && refused > 500);
}

static void machine_without_huge_pages(void **state)
{
	(void)state;
	in_fresh_process(&(struct fake_machine){ 0 }, try_everything, NULL);
}

static void machine_with_collapse(void **state)
{
	(void)state;
	in_fresh_process(&(struct fake_machine){ .thp_collapse = true, .hugetlbfs = true },
			 try_everything, NULL);
}

static void machine_with_thp_on_touch(void **state)
{
	(void)state;
	in_fresh_process(&(struct fake_machine){ .thp_fault = true }, try_everything, NULL);
}

static void machine_with_thp_on_touch_of_names(void **state)
{
	(void)state;
	in_fresh_process(&(struct fake_machine){ .shm_huge = true, .hugetlbfs = true },
			 try_everything, NULL);
}

/* Refused, or really shared: never a region that only claims to have what was required. */
static void try_shared(void *arg)
{
	struct mshare_attr attr = { .size = sizeof(attr), .flags = MSHARE_REQUIRE_SHARED_TABLES };
	unsigned int shared = 0;

	(void)arg;
	for (attr.align = MSHARE_ALIGN_AUTO; attr.align <= MSHARE_ALIGN_PUD; attr.align++) {
		for (size_t size = SMALL; size <= 2 * LARGE; size *= 2) {
			struct mshare_stat st = { .size = sizeof(st) };
			mshare_t r = mshare_create(NULL, size, &attr);

			if (!r) {
				assert_int_equal(errno, EOPNOTSUPP);
				continue;
			}
			assert_int_equal(mshare_stat(r, &st), 0);
			if (!(st.flags & MSHARE_STAT_F_SHARED_TABLES))
				fail_msg("align %u, size %zu: required, and not shared", attr.align,
					 size);
			assert_int_equal(mshare_close(r), 0);
			shared++;
		}
	}
	assert_true(shared > 0);
}

static void required_tables_are_shared(void **state)
{
	(void)state;
	in_fresh_process(&(struct fake_machine){ .pool_pmd = 2048 }, try_shared, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_for_a_new_region),
		cmocka_unit_test(order_for_an_existing_object),
		cmocka_unit_test(forced_is_the_only_one),
		cmocka_unit_test(backends_by_name_and_id),
		cmocka_unit_test(machine_without_huge_pages),
		cmocka_unit_test(machine_with_collapse),
		cmocka_unit_test(machine_with_thp_on_touch),
		cmocka_unit_test(machine_with_thp_on_touch_of_names),
		cmocka_unit_test(required_tables_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
