/* SPDX-License-Identifier: MIT */
/* collapse.h: what is filled becomes huge, what is sparse does not, and refusals are told. */
#include "helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "align.h"
#include "collapse.h"
#include "probe.h"

#define PIECES 6

/* The machine's: bytes of a piece and of a page, and the fewest pages that count as filled. */
static size_t pmd, page, enough;

struct piece_test {
	int fd;
	char *addr;
	unsigned char done[PIECES];
};

static int begin(void **state)
{
	static struct piece_test t;

	t.fd = new_object(PIECES * pmd);
	t.addr = map_object(t.fd, PIECES * pmd);
	memset(t.done, 0, sizeof(t.done));
	/* Small pages first, also where shared memory is given huge ones when touched. */
	assert_int_equal(madvise(t.addr, PIECES * pmd, MADV_NOHUGEPAGE), 0);
	*state = &t;
	return 0;
}

static int end(void **state)
{
	struct piece_test *t = *state;

	munmap(t->addr, PIECES * pmd);
	sys_close(t->fd);
	return 0;
}

static void fill(struct piece_test *t, size_t piece, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		memset(t->addr + piece * pmd + i * page, (int)(piece + i) | 1, page);
}

static void allow_huge(struct piece_test *t)
{
	assert_int_equal(madvise(t->addr, PIECES * pmd, MADV_HUGEPAGE), 0);
}

static long collapse(struct piece_test *t)
{
	allow_huge(t);
	return collapse_filled(t->addr, PIECES * pmd, pmd, t->done);
}

static void filled_pieces_become_huge(void **state)
{
	struct piece_test *t = *state;

	fill(t, 1, pmd / page);
	fill(t, 2, pmd / page);
	fill(t, 4, enough);
	fill(t, 5, enough - 1);
	assert_int_equal(collapse(t), 3);
	assert_memory_equal(t->done, ((unsigned char[]){ 0, 1, 1, 0, 1, 0 }), PIECES);
	assert_int_equal(allocated(t->fd), 3 * pmd + (enough - 1) * page);
	for (size_t i = 0; i < enough; i++)
		assert_int_equal(t->addr[4 * pmd + i * page + 7], (char)((4 + i) | 1));
	assert_int_equal(t->addr[5 * pmd - 1], 0);
	assert_int_equal(huge_bytes(t->addr, 0), 3 * pmd);
	assert_int_equal(collapse(t), 0);
}

static void lost_pages_are_noticed(void **state)
{
	struct piece_test *t = *state;

	fill(t, 0, pmd / page);
	fill(t, 1, pmd / page);
	assert_int_equal(collapse(t), 2);
	assert_int_equal(sys_punch_hole(t->fd, 0, (off_t)pmd), 0);
	assert_int_equal(collapse(t), 0);
	assert_memory_equal(t->done, ((unsigned char[]){ 0, 1, 0, 0, 0, 0 }), PIECES);
	fill(t, 0, pmd / page);
	assert_int_equal(collapse(t) > 0 || huge_bytes(t->addr, pmd) >= 2 * pmd, 1);
	assert_int_equal(huge_bytes(t->addr, 2 * pmd), 2 * pmd);
}

/* A pinned page makes its piece fail; the others of the same call must not suffer. */
static void busy_piece_does_not_stop_others(void **state)
{
	struct piece_test *t = *state;
	struct iovec pinned = { t->addr + 2 * pmd, page };
	int ends[2];

	for (size_t i = 0; i < PIECES; i++)
		fill(t, i, pmd / page);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(vmsplice(ends[1], &pinned, 1, 0), (ssize_t)page);
	assert_int_equal(collapse(t), PIECES - 1);
	assert_memory_equal(t->done, ((unsigned char[]){ 1, 1, 0, 1, 1, 1 }), PIECES);
	sys_close(ends[0]);
	sys_close(ends[1]);
	assert_int_equal(collapse(t), 1);
	assert_int_equal(huge_bytes(t->addr, PIECES * pmd), PIECES * pmd);
}

static void refusal_is_told(void **state)
{
	struct piece_test *t = *state;
	unsigned char present[PIECES * 512];

	fill(t, 0, pmd / page);
	assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	assert_int_equal(collapse(t), -EINVAL);
	assert_int_equal(t->done[0], 0);
	assert_int_equal(collapse_populate(t->addr, PIECES * pmd, pmd, true), -EINVAL);
	assert_int_equal(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
	assert_int_equal(allocated(t->fd), PIECES * pmd);
	if (pmd / page != 512)
		return;
	assert_int_equal(sys_mincore(t->addr, PIECES * pmd, present), 0);
	for (size_t i = 0; i < sizeof(present); i++)
		assert_int_equal(present[i] & 1, 1);
}

static void populate_gives_huge_pages(void **state)
{
	struct piece_test *t = *state;

	fill(t, 3, 5);
	allow_huge(t);
	assert_int_equal(collapse_populate(t->addr, PIECES * pmd, pmd, true), 0);
	assert_int_equal(huge_bytes(t->addr, 0), PIECES * pmd);
	assert_int_equal(t->addr[3 * pmd + 4 * page], (3 + 4) | 1);
	assert_int_equal(t->addr[3 * pmd + 5 * page], 0);
}

/* The rest after the last whole piece is populated too, and no more than that. */
static void populate_ends_at_len(void **state)
{
	struct piece_test *t = *state;

	allow_huge(t);
	assert_int_equal(madvise(t->addr + 2 * pmd, pmd, MADV_NOHUGEPAGE), 0);
	assert_int_equal(collapse_populate(t->addr, 2 * pmd + 3 * page, pmd, true), 0);
	assert_int_equal(allocated(t->fd), 2 * pmd + 3 * page);
	assert_int_equal(huge_bytes(t->addr, 0), 2 * pmd);
}

static void populate_for_reading(void **state)
{
	struct piece_test *t = *state;

	allow_huge(t);
	assert_int_equal(mprotect(t->addr, PIECES * pmd, PROT_READ), 0);
	assert_int_equal(collapse_populate(t->addr, PIECES * pmd, pmd, true), -EOPNOTSUPP);
	assert_int_equal(collapse_populate(t->addr, PIECES * pmd, pmd, false), 0);
	assert_int_equal(huge_bytes(t->addr, 0), PIECES * pmd);
}

/* Where a touch would be a SIGBUS, there is an error instead. */
static void populate_past_the_end(void **state)
{
	struct piece_test *t = *state;

	allow_huge(t);
	assert_int_equal(sys_ftruncate(t->fd, (off_t)(2 * pmd)), 0);
	assert_int_equal(collapse_populate(t->addr, PIECES * pmd, pmd, true), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(filled_pieces_become_huge, begin, end),
		cmocka_unit_test_setup_teardown(lost_pages_are_noticed, begin, end),
		cmocka_unit_test_setup_teardown(busy_piece_does_not_stop_others, begin, end),
		cmocka_unit_test_setup_teardown(refusal_is_told, begin, end),
		cmocka_unit_test_setup_teardown(populate_gives_huge_pages, begin, end),
		cmocka_unit_test_setup_teardown(populate_ends_at_len, begin, end),
		cmocka_unit_test_setup_teardown(populate_for_reading, begin, end),
		cmocka_unit_test_setup_teardown(populate_past_the_end, begin, end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (!probe_thp_collapse()) {
		print_message("1..0 # SKIP this kernel makes no huge pages of shared memory\n");
		return 0;
	}
	pmd = page_sizes()->pmd;
	page = page_sizes()->base;
	enough = pmd / page - pmd / page / 8;
	return cmocka_run_group_tests_name("collapse", tests, NULL, NULL);
}
