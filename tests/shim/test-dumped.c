/* SPDX-License-Identifier: MIT */
/* Core dumps of attached processes: what is in them, and what mshare_advise() leaves out of all. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hosts.h"
#include "view.h"

#define SLOTS 4
#define SIZE (SLOTS * SLOT)
#define SALT 9
/* Not even as zeros. */
#define NOTHING ((uint64_t)-1)

struct core {
	const char *at;
	size_t size;
};

/* What a process does that is dumped. */
struct victim {
	char *touches; /* or NULL */
	bool forgets; /* that, afterwards */
	const char *filter; /* for /proc/self/coredump_filter */
};

/* With mappings of files that have a name, which is how the kernel sees attached ones. */
#define ALL "0x3b"
#define BY_DEFAULT "0x33"

static void be_dumped(void *arg)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	const struct victim *v = arg;

	if (v->touches)
		bytes_check(v->touches, SIZE, SALT);
	check(!v->forgets || madvise(v->touches, SIZE, MADV_DONTNEED) == 0);
	check(setrlimit(RLIMIT_CORE, &all) == 0);
	check_equal(write_text("/proc/self/coredump_filter", v->filter), 0);
	check(signal(SIGABRT, SIG_DFL) != SIG_ERR);
	abort();
}

/* Of a child, which has been attached since it was forked. */
static struct core core_of(struct victim victim)
{
	char path[64];
	struct core core;
	struct stat st;
	int status, fd;
	pid_t pid = child_start(be_dumped, &victim);

	check(waitpid(pid, &status, 0) == pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && WCOREDUMP(status));
	snprintf(path, sizeof(path), "/scratch/core.%d", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	check(fd >= 0 && fstat(fd, &st) == 0 && unlink(path) == 0);
	core.size = (size_t)st.st_size;
	core.at = mmap(NULL, core.size, PROT_READ, MAP_PRIVATE, fd, 0);
	check(core.at != MAP_FAILED);
	close(fd);
	return core;
}

/* The part of a dump that begins at this address. */
static const Elf64_Phdr *segment_of(const struct core *core, const char *at)
{
	const Elf64_Ehdr *header = (const void *)core->at;
	const Elf64_Phdr *segments = (const void *)(core->at + header->e_phoff);

	check(memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_type == ET_CORE);
	for (size_t i = 0; i < header->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr == (uintptr_t)at)
			return &segments[i];
	fail_msg("no segment of the dump begins at %p", (const void *)at);
	return NULL;
}

/* Bit s of omitted: slot s of the mapping is zero in the dump. Others are as they are here. */
static void core_holds(const struct core *core, const char *at, size_t size, uint64_t omitted)
{
	const Elf64_Phdr *segment = segment_of(core, at);
	const char *data = core->at + segment->p_offset;

	check_equal(segment->p_memsz, size);
	check_equal(segment->p_filesz, omitted == NOTHING ? 0 : size);
	for (size_t off = 0; off < segment->p_filesz; off += SLOT) {
		if (omitted & 1ull << off / SLOT)
			bytes_check_zero(data + off, SLOT);
		else
			check(memcmp(data + off, at + off, SLOT) == 0);
	}
}

/* Whether or not it has touched the region before; who is not dumped keeps what is linked. */
static void dumps_hold(mshare_t r, char *at, uint64_t omitted)
{
	char *touched[] = { NULL, at };
	uint64_t links;

	bytes_check(at, SIZE, SALT);
	links = region_stat(r, 0).links;
	check(links > 0);
	for (size_t i = 0; i < sizeof(touched) / sizeof(touched[0]); i++) {
		struct core core = core_of((struct victim){ touched[i], false, ALL });

		core_holds(&core, at, SIZE, omitted);
		munmap((void *)core.at, core.size);
		check(COMES_TRUE(region_stat(r, 0).links == links));
	}
}

static mshare_t region_filled(char **at)
{
	mshare_t r = region_make(SIZE);

	*at = region_attach_all(r);
	is_shared(r);
	bytes_fill(*at, SIZE, SALT);
	return r;
}

static void all_leave(mshare_t r, char *at)
{
	check(mshare_detach(r, at, SIZE) == 0);
	region_end(r);
	nobody_hosts();
}

static void test_filter(void **state)
{
	char *at;
	mshare_t r = region_filled(&at);
	struct core unlinked = core_of((struct victim){ at, true, ALL });
	struct core usual = core_of((struct victim){ at, false, BY_DEFAULT });

	(void)state;
	core_holds(&unlinked, at, SIZE, 0);
	core_holds(&usual, at, SIZE, NOTHING);
	munmap((void *)unlinked.at, unlinked.size);
	munmap((void *)usual.at, usual.size);
	all_leave(r, at);
}

static void test_whole(void **state)
{
	char *at;
	mshare_t r = region_filled(&at);

	(void)state;
	dumps_hold(r, at, 0);
	check(mshare_advise(r, 0, 0, MSHARE_ADVICE_DONTDUMP) == 0);
	dumps_hold(r, at, NOTHING);
	check(mshare_advise(r, 0, 0, MSHARE_ADVICE_DODUMP) == 0);
	dumps_hold(r, at, 0);
	all_leave(r, at);
}

static void test_parts(void **state)
{
	char *at;
	mshare_t r = region_filled(&at);

	(void)state;
	check(mshare_advise(r, SLOT, 2 * SLOT, MSHARE_ADVICE_DONTDUMP) == 0);
	dumps_hold(r, at, 0x6);
	check(mshare_advise(r, SLOT, SLOT, MSHARE_ADVICE_DODUMP) == 0);
	dumps_hold(r, at, 0x4);
	check(mshare_advise(r, 0, 0, MSHARE_ADVICE_DONTDUMP) == 0);
	dumps_hold(r, at, NOTHING);
	all_leave(r, at);
}

/* Attachments are dumped each by its own range, those for reading as well. */
static void test_attachments(void **state)
{
	char *at, *reader, *first, *second;
	mshare_t r = region_filled(&at);
	struct core core;

	(void)state;
	reader = mshare_attach(r, NULL, 0, SIZE, READ_ONLY, 0);
	first = mshare_attach(r, NULL, 0, SLOT, READ_WRITE, 0);
	second = mshare_attach(r, NULL, SLOT, SLOT, READ_WRITE, 0);
	check(reader != MAP_FAILED && first != MAP_FAILED && second != MAP_FAILED);
	check(mshare_advise(r, SLOT, SLOT, MSHARE_ADVICE_DONTDUMP) == 0);
	core = core_of((struct victim){ at, false, ALL });
	core_holds(&core, at, SIZE, 0x2);
	core_holds(&core, reader, SIZE, 0x2);
	core_holds(&core, first, SLOT, 0);
	core_holds(&core, second, SLOT, NOTHING);
	munmap((void *)core.at, core.size);
	check(mshare_detach(r, reader, SIZE) == 0 && mshare_detach(r, first, SLOT) == 0);
	check(mshare_detach(r, second, SLOT) == 0);
	all_leave(r, at);
}

/* What is new is dumped, what was left out stays so, in a view that replaces another. */
static void test_grown(void **state)
{
	const off_t from = (off_t)(GIB - 2 * SLOT);
	mshare_t r = region_make(GIB);
	char *before = mshare_attach(r, NULL, from, 2 * SLOT, READ_WRITE, 0);
	char *after;
	struct core core;

	(void)state;
	check(before != MAP_FAILED);
	is_shared(r);
	check(mshare_advise(r, 0, GIB - SLOT, MSHARE_ADVICE_DONTDUMP) == 0);
	check(mshare_resize(r, GIB + SLOT) == 0);
	after = mshare_attach(r, NULL, from, 3 * SLOT, READ_WRITE, 0);
	check(after != MAP_FAILED);
	is_shared(r);
	bytes_fill(after, 3 * SLOT, SALT);
	core = core_of((struct victim){ NULL, false, ALL });
	core_holds(&core, before, 2 * SLOT, 0x1);
	core_holds(&core, after, 3 * SLOT, 0x1);
	munmap((void *)core.at, core.size);
	check(mshare_detach(r, after, 3 * SLOT) == 0);
	check(mshare_detach(r, before, 2 * SLOT) == 0);
	region_end(r);
	nobody_hosts();
}

/* A table is linked whole, so it is dumped whole. */
static void test_off_the_grid(void **state)
{
	char *at;
	mshare_t r = region_filled(&at);

	(void)state;
	check(mshare_advise(r, PAGE, SLOT, MSHARE_ADVICE_DONTDUMP) == -1);
	check_equal(errno, EINVAL);
	check(mshare_advise(r, 0, SLOT + PAGE, MSHARE_ADVICE_DONTDUMP) == -1);
	check_equal(errno, EINVAL);
	dumps_hold(r, at, 0);
	all_leave(r, at);
}

static int begin(void **state)
{
	(void)state;
	return write_text("/proc/sys/kernel/core_pattern", "/scratch/core.%p");
}

static int end(void **state)
{
	(void)state;
	return write_text("/proc/sys/kernel/core_pattern", "core");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(test_filter),	CASE(test_whole), CASE(test_parts),
		CASE(test_attachments), CASE(test_grown), CASE(test_off_the_grid),
	};

	return HOSTS_MAIN(cases);
}
