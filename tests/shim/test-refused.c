/* SPDX-License-Identifier: MIT */
/* What would change shared tables behind the host's back is refused, and the mapping goes on. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "object.h"
#include "view.h"

#define SIZE (64 * MIB)

struct fixture {
	int fd;
	struct host host;
	struct host reader; /* of the read-only view, if asked for */
	char *at;
	char *at_read_only;
};

/* Hosts are forked before anything is attached: who is attached cannot be a host. */
static void begin_with(struct fixture *f, bool reader)
{
	f->at_read_only = NULL;
	f->fd = memory_file(SIZE);
	f->host = host_start(f->fd, SIZE, READ_WRITE);
	if (reader)
		f->reader = host_start(f->fd, SIZE, READ_ONLY);
	f->at = attach(f->fd, SIZE, READ_WRITE);
	if (reader)
		f->at_read_only = attach(f->fd, SIZE, READ_ONLY);
	pages_fill(f->at, SIZE, 7);
}

static void begin(struct fixture *f)
{
	begin_with(f, false);
}

static void end(struct fixture *f)
{
	pages_check(f->at, SIZE, 7);
	detach(f->at, SIZE);
	host_leaves(&f->host);
	if (f->at_read_only) {
		detach(f->at_read_only, SIZE);
		host_leaves(&f->reader);
	}
	close(f->fd);
}

static void test_mprotect(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	check(mprotect(f.at, SIZE, PROT_READ) == -1 && errno == EACCES);
	end(&f);
}

static void test_part_of_it(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	check(munmap(f.at, SLOT) == -1 && errno == EINVAL);
	check(munmap(f.at + SIZE / 2, SLOT) == -1 && errno == EINVAL);
	check(mmap(f.at + SLOT, SLOT, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      MAP_FAILED);
	end(&f);
}

static void test_mremap(void **state)
{
	struct fixture f;
	char *elsewhere = reserve(SIZE);

	(void)state;
	begin(&f);
	check(mremap(f.at, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == MAP_FAILED);
	check(errno == EINVAL);
	pages_check(f.at, SIZE, 7);
	check(mremap(f.at, SIZE, 2 * SIZE, MREMAP_MAYMOVE) == MAP_FAILED);
	end(&f);
}

static void test_advice_is_harmless(void **state)
{
	static const int advice[] = { MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT, MADV_RANDOM };
	struct fixture f;
	char *other;

	(void)state;
	begin(&f);
	other = attach(f.fd, SIZE, READ_WRITE);
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		check(madvise(f.at, SIZE, advice[i]) == 0);
		pages_check(f.at, SIZE, 7);
		pages_check(other, SIZE, 7);
	}
	detach(other, SIZE);
	end(&f);
}

static void store(void *arg)
{
	*(volatile char *)arg = 1;
}

/* The read-only view has tables of its own; nothing gets through them, not the kernel either. */
static void test_read_only(void **state)
{
	struct fixture f;
	char *at;
	int ends[2];
	int status;
	pid_t child;

	(void)state;
	begin_with(&f, true);
	at = f.at_read_only;
	pages_check(at, SIZE, 7);
	check(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
	check(read(ends[0], at, 1) == -1 && errno == EFAULT);
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		store(at);
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	check(mprotect(at, SIZE, READ_WRITE) == -1 && errno == EACCES);
	pages_check(at, SIZE, 7);
	close(ends[0]);
	close(ends[1]);
	end(&f);
}

/* Who is attached stays attached; who comes later finds another host. */
static void test_host_killed(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	host_kill(&f.host);
	pages_check(f.at, SIZE, 7);
	check(madvise(f.at, SIZE, MADV_DONTNEED) == 0);
	pages_check(f.at, SIZE, 7);
	detach(f.at, SIZE);
	f.host = host_start(f.fd, SIZE, READ_WRITE);
	f.at = attach(f.fd, SIZE, READ_WRITE);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mprotect),  cmocka_unit_test(test_part_of_it),
		cmocka_unit_test(test_mremap),	  cmocka_unit_test(test_advice_is_harmless),
		cmocka_unit_test(test_read_only), cmocka_unit_test(test_host_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
