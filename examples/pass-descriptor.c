/* SPDX-License-Identifier: MIT */
/*
 * pass-descriptor: hand a region to another program over a unix socket, to be read, not written.
 * There is no name that anybody else could find, and whoever has the descriptor has the region.
 *
 *   pass-descriptor                makes a region and sends it to a second program, which is
 *   pass-descriptor receive FD     this one again, started with a socket as its descriptor FD
 */
#define _GNU_SOURCE 1 /* F_ADD_SEALS */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mshare.h>

#define NUMBERS 1000000

/* Room for one descriptor in a control message, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static struct msghdr message_for(struct iovec *payload, union control *control)
{
	return (struct msghdr){ .msg_iov = payload,
				.msg_iovlen = 1,
				.msg_control = control->room,
				.msg_controllen = sizeof(control->room) };
}

static void send_descriptor(int socket, int fd)
{
	union control control = { 0 };
	char byte = 0; /* a control message travels with at least one byte */
	struct iovec payload = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = message_for(&payload, &control);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, MSG_NOSIGNAL) != 1)
		err(EXIT_FAILURE, "sendmsg");
}

static int receive_descriptor(int socket)
{
	union control control = { 0 };
	char byte;
	struct iovec payload = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = message_for(&payload, &control);
	struct cmsghdr *header;
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
		errx(EXIT_FAILURE, "the sender has gone without a word");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		errx(EXIT_FAILURE, "the message carried no descriptor");
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/*
 * What the receiver may do is decided here: mshare_fd() could write, so a read-only descriptor of
 * the same object is opened for it. The seal lets it trust the size: a region that cannot shrink
 * cannot raise SIGBUS under its readers.
 */
static int read_only_descriptor(mshare_t region)
{
	char path[64];
	int fd;

	if (fcntl(mshare_fd(region), F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		err(EXIT_FAILURE, "cannot seal the region");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", mshare_fd(region));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "cannot open the region for reading only");
	return fd;
}

static void must_not_be_writable(mshare_t region, size_t size)
{
	void *addr = mshare_attach(region, NULL, 0, size, PROT_READ | PROT_WRITE, 0);

	if (addr != MAP_FAILED || errno != EACCES)
		errx(EXIT_FAILURE, "a read-only region let itself be attached for writing");
	printf("receiver: writing is refused: %s\n", mshare_errmsg());
}

static int receive(int socket)
{
	const size_t size = NUMBERS * sizeof(uint64_t);
	int fd = receive_descriptor(socket);
	mshare_t region = mshare_from_fd(fd, NULL);
	const uint64_t *numbers;
	uint64_t sum = 0;

	close(fd); /* the region has its own duplicate */
	if (!region)
		errx(EXIT_FAILURE, "not a region: %s", mshare_errmsg());
	if (!(fcntl(mshare_fd(region), F_GET_SEALS) & F_SEAL_SHRINK))
		errx(EXIT_FAILURE, "the sender could shrink the region under us");
	must_not_be_writable(region, size);

	numbers = mshare_attach(region, NULL, 0, size, PROT_READ, 0);
	if (numbers == MAP_FAILED)
		errx(EXIT_FAILURE, "cannot attach: %s", mshare_errmsg());
	for (size_t i = 0; i < NUMBERS; i++)
		sum += numbers[i];
	printf("receiver: read %d numbers, their sum is %llu\n", NUMBERS, (unsigned long long)sum);
	mshare_detach(region, (void *)numbers, size);
	mshare_close(region);
	return sum == (uint64_t)NUMBERS * (NUMBERS + 1) / 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static pid_t start_receiver(int socket)
{
	pid_t child = fork();
	char number[16];

	if (child < 0)
		err(EXIT_FAILURE, "fork");
	if (child > 0)
		return child;
	snprintf(number, sizeof(number), "%d", dup(socket)); /* the duplicate survives exec */
	execl("/proc/self/exe", "pass-descriptor", "receive", number, (char *)NULL);
	err(EXIT_FAILURE, "cannot run myself");
}

/* The numbers 1, 2, 3, ... in a new region. The attachment is not needed once they are written. */
static mshare_t make_region(void)
{
	const size_t size = NUMBERS * sizeof(uint64_t);
	mshare_t region = mshare_create(NULL, size, NULL);
	uint64_t *numbers;

	if (!region)
		errx(EXIT_FAILURE, "cannot create a region: %s", mshare_errmsg());
	numbers = mshare_attach(region, NULL, 0, size, PROT_READ | PROT_WRITE, 0);
	if (numbers == MAP_FAILED)
		errx(EXIT_FAILURE, "cannot attach: %s", mshare_errmsg());
	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = i + 1;
	if (mshare_detach(region, numbers, size) < 0)
		errx(EXIT_FAILURE, "cannot detach: %s", mshare_errmsg());
	return region;
}

static int send_region(void)
{
	int sockets[2], fd, status;
	mshare_t region;
	pid_t receiver;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		err(EXIT_FAILURE, "socketpair");
	receiver = start_receiver(sockets[1]); /* before the region exists: nothing is inherited */
	close(sockets[1]);

	region = make_region();
	fd = read_only_descriptor(region);
	send_descriptor(sockets[0], fd);
	close(fd);
	mshare_close(region); /* now the region lives in the message alone */
	printf("sender:   made %d numbers, sent the descriptor, let go of it\n", NUMBERS);

	if (waitpid(receiver, &status, 0) < 0)
		err(EXIT_FAILURE, "waitpid");
	close(sockets[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 1)
		return send_region();
	if (argc == 3 && strcmp(argv[1], "receive") == 0)
		return receive(atoi(argv[2]));
	errx(2, "usage: pass-descriptor");
}
