/* SPDX-License-Identifier: MIT */
#include "mock-sys.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>

#include "sys.h"
#include "unit.h"

enum { SCRIPT_MAX = 256, TEXT_MAX = 512 };

struct step {
	char pattern[TEXT_MAX];
	long result;
	unsigned char data[8192];
	size_t data_size;
};

/* Guarded by lock, for code under test that has threads. */
static struct {
	pthread_mutex_t lock;
	struct step steps[SCRIPT_MAX];
	size_t count, next;
	char complaints[4096];
} mock = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The result parameter of one call: where it goes and how much room there is. */
struct out {
	void *to;
	size_t size;
};
#define NO_OUT ((struct out){ NULL, 0 })

static void complain(const char *what, const char *call, const char *expected)
{
	size_t used = strlen(mock.complaints);

	snprintf(mock.complaints + used, sizeof(mock.complaints) - used, "%s: %s; expected: %s\n",
		 what, call, expected);
}

static long answer(const char *call, struct out out)
{
	struct step *step;

	if (mock.next >= mock.count) {
		complain("call not expected", call, "nothing more");
		return -ENOTRECOVERABLE;
	}
	step = &mock.steps[mock.next];
	if (fnmatch(step->pattern, call, 0) != 0) {
		complain("call not expected", call, step->pattern);
		return -ENOTRECOVERABLE;
	}
	mock.next++;
	if (step->data_size > out.size)
		complain("answer longer than its place", call, step->pattern);
	else if (step->data_size)
		memcpy(out.to, step->data, step->data_size);
	return step->result;
}

__attribute__((format(printf, 2, 3))) static long called(struct out out, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list args;
	long result;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pthread_mutex_lock(&mock.lock);
	result = answer(text, out);
	pthread_mutex_unlock(&mock.lock);
	return result;
}

__attribute__((format(printf, 4, 0))) static void expect(long result, const void *data, size_t size,
							 const char *pattern, va_list args)
{
	struct step *step = &mock.steps[mock.count];

	assert_true(mock.count < SCRIPT_MAX && size <= sizeof(step->data));
	vsnprintf(step->pattern, sizeof(step->pattern), pattern, args);
	step->result = result;
	step->data_size = size;
	if (size)
		memcpy(step->data, data, size);
	mock.count++;
}

void mock_expect(long result, const char *pattern, ...)
{
	va_list args;

	va_start(args, pattern);
	expect(result, NULL, 0, pattern, args);
	va_end(args);
}

void mock_expect_map(uintptr_t addr, const char *pattern, ...)
{
	void *place = (void *)addr;
	va_list args;

	va_start(args, pattern);
	expect(0, &place, sizeof(place), pattern, args);
	va_end(args);
}

void mock_gives(const void *data, size_t size)
{
	struct step *step = &mock.steps[mock.count - 1];

	assert_true(mock.count > 0 && size <= sizeof(step->data));
	memcpy(step->data, data, size);
	step->data_size = size;
}

size_t mock_pending(void)
{
	return mock.count - mock.next;
}

const char *mock_take_complaints(void)
{
	static char taken[sizeof(mock.complaints)];

	for (; mock.next < mock.count; mock.next++)
		complain("call never made", mock.steps[mock.next].pattern, "it");
	memcpy(taken, mock.complaints, sizeof(taken));
	mock.complaints[0] = '\0';
	mock.count = mock.next = 0;
	return taken;
}

void mock_verify(void)
{
	const char *complaints = mock_take_complaints();

	if (*complaints)
		fail_msg("%s", complaints);
}

int mock_setup(void **state)
{
	(void)state;
	mock.count = mock.next = 0;
	mock.complaints[0] = '\0';
	mock_clear_state();
	return 0;
}

int mock_teardown(void **state)
{
	const char *complaints = mock_take_complaints();

	mock_setup(state);
	if (!*complaints)
		return 0;
	print_error("%s", complaints);
	return -1;
}

/* sys.h, call by call. */

int sys_fail(int err)
{
	errno = -err;
	return -1;
}

int sys_errno(void)
{
	return errno;
}

void sys_set_errno(int value)
{
	errno = value;
}

int sys_open(const char *path, int flags, mode_t mode)
{
	return (int)called(NO_OUT, "open(%s, %#x, %#o)", path, (unsigned int)flags, mode);
}

int sys_memfd_create(const char *name, unsigned int flags)
{
	return (int)called(NO_OUT, "memfd_create(%s, %#x)", name, flags);
}

int sys_dup(int fd)
{
	return (int)called(NO_OUT, "dup(%d)", fd);
}

int sys_dup_above(int fd, int lowest)
{
	return (int)called(NO_OUT, "dup_above(%d, %d)", fd, lowest);
}

int sys_ioctl(int fd, unsigned long command, void *argument)
{
	(void)argument;
	return (int)called(NO_OUT, "ioctl(%d, 0x%lx)", fd, command);
}

int sys_pipe(int ends[2])
{
	return (int)called((struct out){ ends, 2 * sizeof(ends[0]) }, "pipe()");
}

int sys_read_byte(int fd, char *byte, int timeout_ms)
{
	(void)timeout_ms;
	return (int)called((struct out){ byte, 1 }, "read_byte(%d)", fd);
}

int sys_write_byte(int fd, char byte)
{
	return (int)called(NO_OUT, "write_byte(%d, %d)", fd, byte);
}

int sys_close(int fd)
{
	return (int)called(NO_OUT, "close(%d)", fd);
}

int sys_fstat(int fd, struct stat *st)
{
	return (int)called((struct out){ st, sizeof(*st) }, "fstat(%d)", fd);
}

int sys_stat(const char *path, struct stat *st)
{
	return (int)called((struct out){ st, sizeof(*st) }, "stat(%s)", path);
}

int sys_fs_type(int fd, uint64_t *type)
{
	return (int)called((struct out){ type, sizeof(*type) }, "fs_type(%d)", fd);
}

int sys_fs_space(const char *path, uint64_t *total, uint64_t *free_bytes)
{
	uint64_t both[2] = { 0, 0 };
	int err = (int)called((struct out){ both, sizeof(both) }, "fs_space(%s)", path);

	*total = both[0];
	*free_bytes = both[1];
	return err;
}

int sys_ftruncate(int fd, off_t size)
{
	return (int)called(NO_OUT, "ftruncate(%d, %lld)", fd, (long long)size);
}

int sys_fchmod(int fd, mode_t mode)
{
	return (int)called(NO_OUT, "fchmod(%d, %#o)", fd, mode);
}

int sys_punch_hole(int fd, off_t off, off_t len)
{
	return (int)called(NO_OUT, "punch_hole(%d, %lld, %lld)", fd, (long long)off,
			   (long long)len);
}

int sys_link_fd(int fd, const char *path)
{
	return (int)called(NO_OUT, "link_fd(%d, %s)", fd, path);
}

int sys_unlink(const char *path)
{
	return (int)called(NO_OUT, "unlink(%s)", path);
}

int sys_access_exec(const char *path)
{
	return (int)called(NO_OUT, "access_exec(%s)", path);
}

int sys_open_mode(int fd)
{
	return (int)called(NO_OUT, "open_mode(%d)", fd);
}

int sys_seals(int fd)
{
	return (int)called(NO_OUT, "seals(%d)", fd);
}

int sys_fdatasync(int fd)
{
	return (int)called(NO_OUT, "fdatasync(%d)", fd);
}

ssize_t sys_pread(int fd, void *buf, size_t len, off_t off)
{
	return called((struct out){ buf, len }, "pread(%d, %zu, %lld)", fd, len, (long long)off);
}

off_t sys_seek_data(int fd, off_t off)
{
	return called(NO_OUT, "seek_data(%d, %lld)", fd, (long long)off);
}

static const char *byte_name(off_t byte)
{
	return byte == (off_t)0x7ffffffffffffff0   ? "presence"
	       : byte == (off_t)0x7ffffffffffffff1 ? "host"
						   : "other";
}

int sys_ofd_lock(int fd, bool exclusive, off_t byte)
{
	return (int)called(NO_OUT, "ofd_lock(%d, %s, %s)", fd, exclusive ? "exclusive" : "shared",
			   byte_name(byte));
}

int sys_ofd_unlock(int fd, off_t byte)
{
	return (int)called(NO_OUT, "ofd_unlock(%d, %s)", fd, byte_name(byte));
}

int sys_ofd_test(int fd, off_t byte)
{
	return (int)called(NO_OUT, "ofd_test(%d, %s)", fd, byte_name(byte));
}

int sys_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off, void **out)
{
	return (int)called((struct out){ out, sizeof(*out) }, "mmap(%#lx, %zu, %#x, %#x, %d, %lld)",
			   (unsigned long)addr, len, (unsigned int)prot, (unsigned int)flags, fd,
			   (long long)off);
}

int sys_munmap(void *addr, size_t len)
{
	return (int)called(NO_OUT, "munmap(%#lx, %zu)", (unsigned long)addr, len);
}

int sys_madvise(void *addr, size_t len, int advice)
{
	return (int)called(NO_OUT, "madvise(%#lx, %zu, %d)", (unsigned long)addr, len, advice);
}

int sys_mincore(void *addr, size_t len, unsigned char *vec)
{
	return (int)called((struct out){ vec, (len + sys_page_size() - 1) / sys_page_size() },
			   "mincore(%#lx, %zu)", (unsigned long)addr, len);
}

int sys_msync(void *addr, size_t len)
{
	return (int)called(NO_OUT, "msync(%#lx, %zu)", (unsigned long)addr, len);
}

/* As sys.c: the caller's errno is an input, not a call. */
long sys_result(long result)
{
	return result == -1 ? -errno : result;
}

int sys_run_apart(int (*run)(void *), void *arg)
{
	int err = (int)called(NO_OUT, "run_apart()");

	if (!err)
		run(arg);
	return err;
}
