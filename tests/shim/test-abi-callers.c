/* SPDX-License-Identifier: MIT */
/*
 * Who may ask, and for what: descriptors that give no right to the file or are none, operations
 * that do not exist, 32-bit programs, other calls on the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "operations.h"

static void refuse_file(const struct operation *op, int fd, uint32_t prot, int err)
{
	union argument argument = op->valid;

	argument.file.fd = fd;
	argument.file.prot = prot;
	operation_answers(op, &argument, err);
}

static void no_descriptor(const struct operation *op)
{
	const int bad[] = { -2, INT32_MIN, INT32_MAX, 1000, -100 /* AT_FDCWD */ };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse_file(op, bad[i], BOTH, -EBADF);
	refuse_file(op, -1, BOTH, op->command == MSHARE_CTL_QUERY ? 0 : -EBADF);
}

static void not_a_file(const struct operation *op)
{
	int ends[2];
	int bad[6];

	check(pipe2(ends, O_CLOEXEC) == 0);
	bad[0] = ends[0];
	bad[1] = ends[1];
	bad[2] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bad[3] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	bad[4] = eventfd(0, EFD_CLOEXEC);
	bad[5] = file_reopen(operations.fd, O_PATH);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		check(bad[i] >= 0);
		refuse_file(op, bad[i], BOTH, -EBADF);
		close(bad[i]);
	}
	refuse_file(op, operations.device, BOTH, -EBADF);
}

/* What mmap(2) would refuse. */
static void without_right(const struct operation *op)
{
	int reader = file_reopen(operations.fd, O_RDONLY);
	int writer = file_reopen(operations.fd, O_WRONLY);
	int sealed = memory_file(OPERATIONS_SIZE);
	int future = memory_file(OPERATIONS_SIZE);

	check(reader >= 0 && writer >= 0);
	check(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	check(fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	refuse_file(op, reader, BOTH, -EACCES);
	refuse_file(op, writer, BOTH, -EACCES);
	refuse_file(op, writer, MSHARE_VIEW_READ, -EACCES);
	refuse_file(op, sealed, BOTH, -EPERM);
	refuse_file(op, future, BOTH, -EPERM);
	close(reader);
	close(writer);
	close(sealed);
	close(future);
}

/* Not page cache; else CREATE finds that its mapping is of another file, the others no host. */
static void files_without_a_view(const struct operation *op)
{
	int err = op->command == MSHARE_CTL_CREATE ? -EINVAL : -ENOENT;
	int hugetlb = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	int empty = memory_file(0);
	int proc = open("/proc/version", O_RDONLY | O_CLOEXEC);

	check(hugetlb >= 0 && proc >= 0);
	refuse_file(op, hugetlb, BOTH, -EOPNOTSUPP);
	refuse_file(op, proc, MSHARE_VIEW_READ, -EOPNOTSUPP);
	refuse_file(op, empty, BOTH, err);
	refuse_file(op, operations.fd, MSHARE_VIEW_READ, err); /* the view is for writing */
	close(hugetlb);
	close(empty);
	close(proc);
}

static void test_files(void **state)
{
	(void)state;
	operations_each_with_file(no_descriptor);
	operations_each_with_file(not_a_file);
	operations_each_with_file(without_right);
	operations_each_with_file(files_without_a_view);
}

static void test_unknown_operations(void **state)
{
	const unsigned long query = MSHARE_CTL_QUERY;
	const unsigned long near[] = {
		query ^ 1ul << 16,
		query & ~(3ul << 30),
		query ^ 1ul << 8,
		query | 255,
		_IO(MSHARE_CTL_MAGIC, 0),
		TCGETS,
		0,
		UINT32_MAX,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		check_equal(operation_call(near[i], &operations.all[QUERY].valid), -ENOTTY);
	for (unsigned int nr = 9; nr < 256; nr++)
		check_equal(operation_call(_IOWR(MSHARE_CTL_MAGIC, nr, struct mshare_ctl_query),
					   &operations.all[QUERY].valid),
			    -ENOTTY);
}

/* ioctl(2) as a 32-bit program calls it; the argument is below 4 GiB. */
static int call_32(unsigned long command, void *argument)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(54), "b"((long)operations.device), "c"(command), "d"(argument)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

static void from_32_bit(const struct operation *op)
{
	union argument *low =
		mmap(NULL, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	check(low != MAP_FAILED);
	*low = op->valid;
	check_equal(call_32(op->command, low), -ENOTTY);
	check(memcmp(low, &op->valid, sizeof(*low)) == 0);
	check_equal(operation_call(op->command, low), op->answer);
	munmap(low, PAGE);
}

static void test_32_bit_callers(void **state)
{
	(void)state;
	operations_each(from_32_bit);
}

/* The device and the descriptors it hands out are for nothing else. */
static void test_other_calls(void **state)
{
	int view = view_attach(operations.fd, READ_WRITE);
	int fds[] = { operations.device, view };
	char byte = 0;

	(void)state;
	check(view >= 0);
	check(fcntl(view, F_GETFD) & FD_CLOEXEC);
	for (size_t i = 0; i < 2; i++) {
		check(read(fds[i], &byte, 1) == -1 && errno == EINVAL);
		check(write(fds[i], &byte, 1) == -1 && errno == EINVAL);
		check(pread(fds[i], &byte, 1, 0) == -1);
		check(ftruncate(fds[i], 0) == -1 && errno == EINVAL);
		check(fallocate(fds[i], 0, 0, 1) == -1);
	}
	check(mmap(NULL, SLOT, PROT_READ, MAP_SHARED, operations.device, 0) == MAP_FAILED);
	check_equal(errno, ENODEV);
	check(ioctl(view, MSHARE_CTL_QUERY, &operations.all[QUERY].valid) == -1 && errno == ENOTTY);
	close(view);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		OPERATIONS_CASE(test_files),
		OPERATIONS_CASE(test_unknown_operations),
		OPERATIONS_CASE(test_32_bit_callers),
		OPERATIONS_CASE(test_other_calls),
	};

	return SHIM_MAIN(cases);
}
