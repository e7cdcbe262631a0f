/* SPDX-License-Identifier: MIT */
/* Every way in which a process can change its own attachment: refused, or harmless to others. */
#include <errno.h>
#include <linux/mman.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (16 * MIB)

/* What `act` leaves behind of its own attachment. */
enum left { INTACT, GONE };

struct deed {
	const struct scene *scene;
	enum left (*act)(char *at);
};

static void do_deed(void *arg)
{
	const struct deed *deed = arg;
	char *at = attach(deed->scene->fd, SIZE, READ_WRITE);
	uint64_t links = view_query(deed->scene->fd, READ_WRITE).links;

	pages_check(at, SIZE, SCENE_SALT);
	if (deed->act(at) == INTACT)
		pages_check(at, SIZE, SCENE_SALT);
	else
		links--;
	check_equal(view_query(deed->scene->fd, READ_WRITE).links, links);
	pages_check(deed->scene->at, SIZE, SCENE_SALT); /* the inherited one */
}

static void harmless(enum left (*act)(char *at))
{
	struct scene s = scene_make(SIZE);
	struct deed deed = { &s, act };

	child_run(do_deed, &deed);
	scene_end(&s);
}

static enum left detach_whole(char *at)
{
	detach(at, SIZE);
	return GONE;
}

static int detach_range(const void *at, size_t size)
{
	struct mshare_ctl_detach arg = {
		.size = sizeof(arg),
		.addr = (uintptr_t)at,
		.len = size,
	};

	return device_call(MSHARE_CTL_DETACH, &arg);
}

static enum left detach_other_than_whole(char *at)
{
	check_equal(detach_range(at, SIZE - SLOT), -EINVAL);
	check_equal(detach_range(at + SLOT, SIZE - SLOT), -EINVAL);
	check_equal(detach_range(at, SIZE + SLOT), -EINVAL);
	check_equal(detach_range(at, PAGE), -EINVAL);
	check_equal(detach_range(at, 0), -EINVAL);
	check_equal(detach_range(at + 1, SIZE), -EINVAL);
	check_equal(detach_range(NULL, SIZE), -EINVAL);
	check_equal(detach_range((void *)~0ul, ~0ul), -EINVAL);
	return INTACT;
}

static enum left detach_what_is_no_attachment(char *at)
{
	char *other = mmap(NULL, SLOT, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)at;
	check_equal(detach_range(other, SLOT), -EINVAL);
	other[0] = 1;
	check(munmap(other, SLOT) == 0);
	return INTACT;
}

static enum left unmap_by_hand(char *at)
{
	check(munmap(at, SIZE) == 0);
	return GONE;
}

/* One munmap(2) of more than the attachment. */
static enum left unmap_with_what_is_around(char *at)
{
	char *after = mmap(at + SIZE, SLOT, READ_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	check(after == at + SIZE);
	after[0] = 1;
	check(munmap(at, SIZE + SLOT) == 0);
	check(!proc_mapped(at, SIZE + SLOT));
	return GONE;
}

static enum left unmap_a_part(char *at)
{
	check(munmap(at, SLOT) == -1 && errno == EINVAL);
	check(munmap(at + SIZE - SLOT, SLOT) == -1 && errno == EINVAL);
	check(munmap(at + SLOT, SLOT) == -1 && errno == EINVAL);
	check(munmap(at + PAGE, PAGE) == -1 && errno == EINVAL);
	return INTACT;
}

static enum left map_over_whole(char *at)
{
	char *got = mmap(at, SIZE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	check(got == at);
	for (size_t off = 0; off < SIZE; off += PAGE) {
		check_equal(at[off], 0);
		at[off] = 1;
	}
	return GONE;
}

static enum left map_over_a_part(char *at)
{
	check(mmap(at + SLOT, SLOT, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      MAP_FAILED);
	check(errno == EINVAL || errno == ENOMEM);
	check(mmap(at, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      MAP_FAILED);
	return INTACT;
}

static enum left remap(char *at)
{
	char *room = reserve(2 * SIZE);

	check(mremap(at, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, room) == MAP_FAILED);
	check(errno == EINVAL);
	pages_check(at, SIZE, SCENE_SALT);
	check(mremap(at, SIZE, 2 * SIZE, MREMAP_MAYMOVE) == MAP_FAILED);
	check(errno == EINVAL || errno == EFAULT);
	check(mremap(at, SIZE, SLOT, 0) == MAP_FAILED && errno == EINVAL);
	check(mremap(at, SLOT, SLOT, MREMAP_MAYMOVE | MREMAP_FIXED, room) == MAP_FAILED);
	check(mremap(at, 0, SIZE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
	check(mremap(at, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP) == MAP_FAILED);
	check_equal(errno, EINVAL);
	return INTACT;
}

static enum left protect(char *at)
{
	check(mprotect(at, SIZE, PROT_READ) == -1 && errno == EACCES);
	check(mprotect(at, SIZE, PROT_NONE) == -1 && errno == EACCES);
	check(mprotect(at, SIZE, READ_WRITE | PROT_EXEC) == -1 && errno == EACCES);
	check(mprotect(at, SLOT, PROT_READ) == -1);
	check(errno == EACCES || errno == EINVAL);
	check(mprotect(at, SIZE, READ_WRITE) == 0 || errno == EACCES);
	return INTACT;
}

/* As mmap(2) over it: of a part it is refused, of the whole it attaches anew. */
static enum left remap_file_pages_of_it(char *at)
{
	check(remap_file_pages(at, SLOT, 0, SLOT / PAGE, 0) == -1);
	check(errno == EINVAL || errno == ENOMEM);
	pages_check(at, SIZE, SCENE_SALT);
	check(remap_file_pages(at, SIZE, 0, 0, 0) == 0);
	return INTACT;
}

static enum left detach_twice(char *at)
{
	check_equal(detach_range(at, SIZE), 0);
	check_equal(detach_range(at, SIZE), -EINVAL);
	return GONE;
}

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		harmless(name);                                                                    \
	}
CASE(detach_whole)
CASE(detach_other_than_whole)
CASE(detach_what_is_no_attachment)
CASE(unmap_by_hand)
CASE(unmap_with_what_is_around)
CASE(unmap_a_part)
CASE(map_over_whole)
CASE(map_over_a_part)
CASE(remap)
CASE(protect)
CASE(remap_file_pages_of_it)
CASE(detach_twice)

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_detach_whole),
		cmocka_unit_test(test_detach_other_than_whole),
		cmocka_unit_test(test_detach_what_is_no_attachment),
		cmocka_unit_test(test_unmap_by_hand),
		cmocka_unit_test(test_unmap_with_what_is_around),
		cmocka_unit_test(test_unmap_a_part),
		cmocka_unit_test(test_map_over_whole),
		cmocka_unit_test(test_map_over_a_part),
		cmocka_unit_test(test_remap),
		cmocka_unit_test(test_protect),
		cmocka_unit_test(test_remap_file_pages_of_it),
		cmocka_unit_test(test_detach_twice),
	};

	return SHIM_MAIN(cases);
}
