/* SPDX-License-Identifier: MIT */
/*
 * No stale translation: processes that spin on a page while the file is punched, truncated, grown
 * and sealed, or while the host changes its own mapping, never see the old page once the call that
 * took it away has returned. `test-stale [ROUNDS]`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "servant.h"
#include "spin.h"

#define SIZE (4 * MIB)

static struct servant servant;

static void punch(const struct change *c, uint64_t state)
{
	(void)state;
	check(fallocate(c->scene->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)c->off,
			PAGE) == 0);
}

static void put_value(const struct change *c, uint64_t state)
{
	*(volatile uint64_t *)(void *)(c->plain + c->off) = state;
}

static void cut_off(const struct change *c, uint64_t state)
{
	(void)state;
	check(ftruncate(c->scene->fd, (off_t)c->off) == 0);
}

static void grow(const struct change *c, uint64_t state)
{
	(void)state;
	check(ftruncate(c->scene->fd, SIZE) == 0);
}

static const struct step punching[] = { { punch, ZERO }, { put_value, VALUE } };
static const struct step truncating[] = {
	{ cut_off, NOTHING },
	{ grow, ZERO },
	{ put_value, VALUE },
};

static void test_punched_memory(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	spin_through(&s, punching, 2);
	check(view_query(s.fd, READ_WRITE).invalidations >= spin_rounds / 2);
	scene_end(&s);
}

static void test_truncated_memory(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	spin_through(&s, truncating, 3);
	scene_end(&s);
}

static void test_punched_disk_file(void **state)
{
	struct scene s = scene_make_of(disk_file(SIZE), SIZE);

	(void)state;
	spin_through(&s, punching, 2);
	scene_end(&s);
}

static void test_truncated_disk_file(void **state)
{
	struct scene s = scene_make_of(disk_file(SIZE), SIZE);

	(void)state;
	spin_through(&s, truncating, 3);
	scene_end(&s);
}

/* What the host does to its mapping. Attached processes see the file or get a signal. */
static void protect(const struct mapping *own)
{
	check(mprotect(own->at + SLOT, PAGE * 9, PROT_NONE) == 0);
}

static void make_read_only(const struct mapping *own)
{
	check(mprotect(own->at, own->size, READ_ONLY) == 0);
}

static void make_read_write(const struct mapping *own)
{
	check(mprotect(own->at, own->size, READ_WRITE) == 0);
}

static void drop_pages(const struct mapping *own)
{
	check(madvise(own->at, own->size, MADV_DONTNEED) == 0);
}

static void unmap_one_page(const struct mapping *own)
{
	check(munmap(own->at + SLOT + 5 * PAGE, PAGE) == 0);
}

static void move_away(const struct mapping *own)
{
	check(mremap(own->at, own->size, own->size, MREMAP_MAYMOVE | MREMAP_FIXED,
		     reserve(own->size)) != MAP_FAILED);
}

static void put_anonymous_memory_there(const struct mapping *own)
{
	check(mmap(own->at, own->size, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == own->at);
	memset(own->at, 0xee, own->size);
}

#define HOST(deed)                                                                                 \
	static void host_##deed(const struct change *c, uint64_t state)                            \
	{                                                                                          \
		(void)c;                                                                           \
		(void)state;                                                                       \
		servant_do(&servant, deed);                                                        \
	}
HOST(deed_unmap)
HOST(unmap_one_page)
HOST(protect)
HOST(move_away)
HOST(put_anonymous_memory_there)

static void host_drop_pages(const struct change *c, uint64_t state)
{
	put_value(c, state);
	servant_do(&servant, drop_pages);
}

/* Reading is still allowed. */
static void host_make_read_only(const struct change *c, uint64_t state)
{
	put_value(c, state);
	servant_do(&servant, make_read_only);
}

static void host_restore(const struct change *c, uint64_t state)
{
	servant_do(&servant, deed_restore);
	put_value(c, state);
}

static void host_make_read_write(const struct change *c, uint64_t state)
{
	servant_do(&servant, make_read_write);
	put_value(c, state);
}

static void test_host_changes(void **state)
{
	static const struct step steps[] = {
		{ host_deed_unmap, NOTHING },	  { host_restore, VALUE },
		{ host_unmap_one_page, NOTHING }, { host_restore, VALUE },
		{ host_protect, NOTHING },	  { host_make_read_write, VALUE },
		{ host_make_read_only, VALUE },	  { host_make_read_write, VALUE },
		{ host_drop_pages, VALUE },	  { host_move_away, NOTHING },
		{ host_restore, VALUE },	  { host_put_anonymous_memory_there, NOTHING },
		{ host_restore, VALUE },
	};
	struct scene s = scene_make_served(memory_file(SIZE), SIZE, &servant);

	(void)state;
	spin_through(&s, steps, sizeof(steps) / sizeof(steps[0]));
	servant_dismiss(&servant);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

/* Once more than mmap(2) would allow: what the host maps cannot be sealed against writing. */
static void seal(const struct change *c, uint64_t state)
{
	check(fcntl(c->scene->fd, F_ADD_SEALS, F_SEAL_WRITE) == -1 && errno == EBUSY);
	check(fcntl(c->scene->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	check(ftruncate(c->scene->fd, SLOT) == -1 && errno == EPERM);
	check(ftruncate(c->scene->fd, SIZE + SLOT) == -1 && errno == EPERM);
	put_value(c, state);
}

/* The file is sealed while it is spun on; when nobody has it mapped it can be sealed for good. */
static void test_sealed(void **state)
{
	static const struct step steps[] = { { seal, VALUE }, { punch, ZERO } };
	struct scene s = scene_make(SIZE);
	int again = dup(s.fd);

	(void)state;
	spin_through(&s, steps, 2);
	scene_end(&s);
	check(fcntl(again, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	check(view_attach(again, READ_WRITE) == -EPERM);
	close(again);
}

/* A flush drops links, never data. */
static void test_flushed(void **state)
{
	struct scene s = scene_make(SIZE);
	struct mshare_ctl_flush flush = {
		.size = sizeof(flush),
		.fd = s.fd,
		.prot = MSHARE_VIEW_READ | MSHARE_VIEW_WRITE,
		.len = SIZE,
	};

	(void)state;
	check_equal(view_query(s.fd, READ_WRITE).entries, SIZE / SLOT);
	check_equal(device_call(MSHARE_CTL_FLUSH, &flush), 0);
	check_equal(view_query(s.fd, READ_WRITE).entries, 0);
	check_equal(view_query(s.fd, READ_WRITE).tables, 0);
	flush.off = SIZE;
	check_equal(device_call(MSHARE_CTL_FLUSH, &flush), -EINVAL);
	scene_end(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_punched_memory),
		cmocka_unit_test(test_truncated_memory),
		cmocka_unit_test(test_punched_disk_file),
		cmocka_unit_test(test_truncated_disk_file),
		cmocka_unit_test(test_host_changes),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_flushed),
	};

	if (argc > 1)
		spin_rounds = (unsigned int)strtoul(argv[1], NULL, 10);
	return SHIM_MAIN(cases);
}
