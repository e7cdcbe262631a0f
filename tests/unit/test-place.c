/* SPDX-License-Identifier: MIT */
/* Which system calls place a mapping, and that a failure of any of them leaves nothing mapped. */
#include "place.h"
#include "mock-sys.h"
#include "unit.h"

#include <sys/mman.h>

#define RESERVE (unsigned int)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define TRY (unsigned int)(MAP_SHARED | MAP_FIXED_NOREPLACE)
#define RW (unsigned int)(PROT_READ | PROT_WRITE)
#define NOWHERE ((void *)0x77)
#define FAR ((uintptr_t)0x7f0000000000)

static const struct place_request request = {
	.len = 4 * MIB, .align = 2 * MIB, .prot = (int)RW, .fd = 5, .off = 6 * MIB
};

static int forget_guess(void **state)
{
	mock_setup(state);
	place_freed(NULL, 0);
	return 0;
}

static void expect_try(const struct place_request *req, uintptr_t addr, long result, uintptr_t got)
{
	if (result == 0)
		mock_expect_map(got, "mmap(%#lx, %zu, %#x, %#x, %d, %lld)", addr, req->len,
				(unsigned int)req->prot, TRY, req->fd, (long long)req->off);
	else
		mock_expect(result, "mmap(%#lx, %zu, %#x, %#x, %d, %lld)", addr, req->len,
			    (unsigned int)req->prot, TRY, req->fd, (long long)req->off);
}

static void expect_munmap(uintptr_t addr, size_t len)
{
	mock_expect(0, "munmap(%#lx, %zu)", addr, len);
}

/* The middle is given back before anything is mapped there, the rest afterwards: see place.c. */
static void expect_in_room(const struct place_request *req, uintptr_t addr, long result,
			   uintptr_t got)
{
	uintptr_t start = addr - 4096;
	size_t room = req->len + 2 * req->align;

	mock_expect_map(start, "mmap(0, %zu, 0, %#x, -1, 0)", room, RESERVE);
	expect_munmap(addr, req->len);
	expect_try(req, addr, result, got);
	if (result == 0 && got != addr)
		expect_munmap(got, req->len);
	expect_munmap(start, 4096);
	expect_munmap(addr + req->len, start + room - addr - req->len);
}

static void assert_placed(const struct place_request *req, uintptr_t addr)
{
	void *out = NOWHERE;

	assert_int_equal(place_anywhere(req, &out), 0);
	assert_int_equal((uintptr_t)out, addr);
	mock_verify();
}

static void assert_not_placed(const struct place_request *req, int err)
{
	void *out = NOWHERE;

	assert_int_equal(place_anywhere(req, &out), err);
	assert_ptr_equal(out, NOWHERE);
	mock_verify();
}

static void middle_is_given_back_before_mapping(void **state)
{
	(void)state;
	expect_in_room(&request, FAR + 2 * MIB, 0, FAR + 2 * MIB);
	assert_placed(&request, FAR + 2 * MIB);
}

/* So that nothing but the mapping fits in between, whatever is free below. */
static void reservation_that_is_aligned_has_a_head(void **state)
{
	(void)state;
	mock_expect_map(FAR, "mmap(0, %zu, 0, %#x, -1, 0)", 8 * MIB, RESERVE);
	expect_munmap(FAR + 2 * MIB, 4 * MIB);
	expect_try(&request, FAR + 2 * MIB, 0, FAR + 2 * MIB);
	expect_munmap(FAR, 2 * MIB);
	expect_munmap(FAR + 6 * MIB, 2 * MIB);
	assert_placed(&request, FAR + 2 * MIB);
}

static void place_taken_meanwhile_is_looked_for_again(void **state)
{
	(void)state;
	expect_in_room(&request, FAR, -EEXIST, 0);
	expect_in_room(&request, FAR, -EEXIST, 0);
	expect_in_room(&request, FAR - 16 * MIB, 0, FAR - 16 * MIB);
	assert_placed(&request, FAR - 16 * MIB);
}

static void place_always_taken_meanwhile(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		expect_in_room(&request, FAR, -EEXIST, 0);
	}
	assert_not_placed(&request, -ENOMEM);
}

static void place_taken_meanwhile_on_an_old_kernel(void **state)
{
	(void)state;
	expect_in_room(&request, FAR, 0, FAR + GIB + 4096);
	expect_in_room(&request, FAR, 0, FAR);
	assert_placed(&request, FAR);
}

static void next_goes_below_the_last_in_one_call(void **state)
{
	(void)state;
	place_freed((void *)FAR, 0);
	expect_try(&request, FAR - 4 * MIB, 0, FAR - 4 * MIB);
	assert_placed(&request, FAR - 4 * MIB);
	expect_try(&request, FAR - 8 * MIB, 0, FAR - 8 * MIB);
	assert_placed(&request, FAR - 8 * MIB);
}

static void freed_place_is_taken_again(void **state)
{
	(void)state;
	place_freed((void *)FAR, 4 * MIB);
	expect_try(&request, FAR, 0, FAR);
	assert_placed(&request, FAR);
}

static void guess_is_aligned_for_the_request(void **state)
{
	struct place_request huge = request;

	(void)state;
	huge.align = GIB;
	place_freed((void *)(FAR + 6 * MIB), 0);
	expect_try(&huge, FAR, 0, FAR);
	assert_placed(&huge, FAR);
}

/* Taken, or an address that this kernel does not give to us: neither is the caller's business. */
static void guess_refused_falls_back_to_reservation(void **state)
{
	static const int refusals[] = { -EEXIST, -EPERM };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		place_freed((void *)FAR, 0);
		expect_try(&request, FAR - 4 * MIB, refusals[i], 0);
		expect_in_room(&request, 2 * FAR / 3 / GIB * GIB, 0, 2 * FAR / 3 / GIB * GIB);
		assert_placed(&request, 2 * FAR / 3 / GIB * GIB);
	}
}

static void guess_ignored_by_an_old_kernel(void **state)
{
	(void)state;
	place_freed((void *)FAR, 0);
	expect_try(&request, FAR - 4 * MIB, 0, FAR - GIB + 4096);
	expect_munmap(FAR - GIB + 4096, 4 * MIB);
	expect_in_room(&request, FAR - 2 * GIB, 0, FAR - 2 * GIB);
	assert_placed(&request, FAR - 2 * GIB);
}

static void guess_failing_for_good_is_the_answer(void **state)
{
	static const int errors[] = { -ENOMEM, -EACCES, -ENODEV, -EAGAIN, -EINVAL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		place_freed((void *)FAR, 0);
		expect_try(&request, FAR - 4 * MIB, errors[i], 0);
		assert_not_placed(&request, errors[i]);
	}
}

static void no_guess_where_none_fits(void **state)
{
	static const uintptr_t ceilings[] = { 4096, 4 * MIB - 1, 4 * MIB, 5 * MIB, 6 * MIB - 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ceilings); i++) {
		place_freed((void *)ceilings[i], 0);
		expect_in_room(&request, FAR, 0, FAR);
		assert_placed(&request, FAR);
	}
}

static void reservation_refused(void **state)
{
	(void)state;
	mock_expect(-ENOMEM, "mmap(0, %zu, 0, %#x, -1, 0)", request.len + 2 * request.align,
		    RESERVE);
	assert_not_placed(&request, -ENOMEM);
}

/* And the middle is not unmapped then, which may be another thread's by now. */
static void mapping_refused_leaves_nothing(void **state)
{
	static const int errors[] = { -EACCES, -EPERM, -ENOMEM, -ENODEV, -EAGAIN, -EINVAL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		expect_in_room(&request, FAR + 2 * MIB, errors[i], 0);
		assert_not_placed(&request, errors[i]);
	}
}

static void reservation_that_cannot_be_given_back(void **state)
{
	(void)state;
	mock_expect_map(FAR, "mmap(0, %zu, 0, %#x, -1, 0)", 8 * MIB, RESERVE);
	mock_expect(-ENOMEM, "munmap(%#lx, %zu)", FAR + 2 * MIB, 4 * MIB);
	expect_munmap(FAR, 8 * MIB);
	assert_not_placed(&request, -ENOMEM);
}

static void length_that_overflows_with_its_alignment(void **state)
{
	struct place_request req = request;

	(void)state;
	req.len = SIZE_MAX - 4095;
	assert_not_placed(&req, -ENOMEM);
	req.len = SIZE_MAX - 2 * MIB + 1;
	assert_not_placed(&req, -ENOMEM);
}

static void base_pages_go_where_the_kernel_likes(void **state)
{
	struct place_request req = request;

	(void)state;
	req.align = 4096;
	mock_expect_map(FAR + 4096, "mmap(0, %zu, %#x, %#x, 5, %lld)", req.len, RW, MAP_SHARED,
			(long long)req.off);
	assert_placed(&req, FAR + 4096);
	mock_expect(-ENOMEM, "mmap(0, *)");
	assert_not_placed(&req, -ENOMEM);
}

static void fixed(void **state)
{
	void *out = NOWHERE;

	(void)state;
	expect_try(&request, FAR, 0, FAR);
	assert_int_equal(place_fixed(&request, (void *)FAR, &out), 0);
	assert_int_equal((uintptr_t)out, FAR);
}

static void fixed_refused(void **state)
{
	static const int errors[] = { -EEXIST, -ENOMEM, -EPERM, -EACCES };
	void *out = NOWHERE;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		expect_try(&request, FAR, errors[i], 0);
		assert_int_equal(place_fixed(&request, (void *)FAR, &out), errors[i]);
		mock_verify();
	}
	expect_try(&request, FAR, 0, FAR + GIB);
	expect_munmap(FAR + GIB, request.len);
	assert_int_equal(place_fixed(&request, (void *)FAR, &out), -EEXIST);
	assert_ptr_equal(out, NOWHERE);
}

static void same_address_in_the_window(void **state)
{
	(void)state;
	for (dev_t dev = 0; dev < 8; dev++)
		for (ino_t ino = 1; ino < 2000; ino++) {
			uint64_t addr = place_same_addr(dev, ino);

			assert_int_equal(addr % GIB, 0);
			assert_true(addr >= (uint64_t)32 << 40);
			assert_true(addr + PLACE_SAME_MAX < (uint64_t)1 << 47);
			assert_int_equal(place_same_addr(dev, ino), addr);
		}
}

/* Files made one after the other must not want the same place: pairs that do are counted. */
static void same_address_spreads(void **state)
{
	enum { FILES = 256 };
	uint64_t addrs[FILES];
	unsigned int collisions = 0;

	(void)state;
	for (ino_t ino = 0; ino < FILES; ino++)
		addrs[ino] = place_same_addr(25, 1000 + ino);
	for (size_t i = 0; i < FILES; i++)
		for (size_t j = 0; j < i; j++)
			collisions += addrs[i] == addrs[j];
	/* 32,640 pairs over 32,768 places: one is expected by chance. */
	assert_in_range(collisions, 0, 8);
	assert_int_not_equal(place_same_addr(25, 1000), place_same_addr(26, 1000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, forget_guess, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(middle_is_given_back_before_mapping),
		TEST(reservation_that_is_aligned_has_a_head),
		TEST(place_taken_meanwhile_is_looked_for_again),
		TEST(place_always_taken_meanwhile),
		TEST(place_taken_meanwhile_on_an_old_kernel),
		TEST(next_goes_below_the_last_in_one_call),
		TEST(freed_place_is_taken_again),
		TEST(guess_is_aligned_for_the_request),
		TEST(guess_refused_falls_back_to_reservation),
		TEST(guess_ignored_by_an_old_kernel),
		TEST(guess_failing_for_good_is_the_answer),
		TEST(no_guess_where_none_fits),
		TEST(reservation_refused),
		TEST(mapping_refused_leaves_nothing),
		TEST(reservation_that_cannot_be_given_back),
		TEST(length_that_overflows_with_its_alignment),
		TEST(base_pages_go_where_the_kernel_likes),
		TEST(fixed),
		TEST(fixed_refused),
		TEST(same_address_in_the_window),
		TEST(same_address_spreads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
