/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int device_open(void)
{
	int fd = open("/dev/mshare", O_RDWR | O_CLOEXEC);

	check(fd >= 0);
	return fd;
}

int device_call(unsigned long command, void *argument)
{
	int device = device_open();
	int ret = ioctl(device, command, argument);

	ret = ret < 0 ? -errno : ret;
	close(device);
	return ret;
}

static uint32_t view_prot(int prot)
{
	return prot & PROT_WRITE ? MSHARE_VIEW_READ | MSHARE_VIEW_WRITE : MSHARE_VIEW_READ;
}

int view_create(int device, int fd, const struct mapping *own, int prot)
{
	struct mshare_ctl_create create = {
		.size = sizeof(create),
		.fd = fd,
		.prot = view_prot(prot),
		.addr = (uintptr_t)own->at,
		.len = own->size,
	};

	return ioctl(device, MSHARE_CTL_CREATE, &create) < 0 ? -errno : 0;
}

/* A host is attached to nothing: what was inherited goes. */
static void unmap_attachments(void)
{
	unsigned long start, end;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	check(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[mshare]") && sscanf(line, "%lx-%lx", &start, &end) == 2)
			check(munmap((void *)start, end - start) == 0);
	fclose(maps);
}

struct host_order {
	struct host host;
	host_body *body;
	struct signpost ready;
};

/* Long enough for who comes late on a busy machine; host_leaves() does not wait for it. */
static struct mshare_ctl_wait lingering = { .size = sizeof(lingering), .linger_ms = 10000 };

/* The last user is known to be gone; the ioctl that is interrupted is called again. */
static void linger_no_more(int number)
{
	(void)number;
	lingering.linger_ms = 10;
}

static void be_host(void *arg)
{
	struct host_order *order = arg;
	struct mapping own = { NULL, order->host.size, order->host.fd };
	const struct sigaction hurry = { .sa_handler = linger_no_more };
	int device = device_open();
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	check(sigaction(SIGUSR1, &hurry, NULL) == 0);
	unmap_attachments();
	own.at = map_plain(own.fd, own.size, order->host.prot);
	check_equal(view_create(device, own.fd, &own, order->host.prot), 0);
	signpost_raise(&order->ready);
	if (order->body)
		order->body(&own);
	do
		ret = ioctl(device, MSHARE_CTL_WAIT, &lingering);
	while (ret < 0 && errno == EINTR);
	check_equal(ret, 0);
}

struct host host_start_with(int fd, size_t size, int prot, host_body *body)
{
	struct host_order order = { { 0, fd, size, prot }, body, { { 0 } } };

	signpost_make(&order.ready);
	order.host.pid = child_start(be_host, &order);
	close(order.ready.fds[1]); /* so that its death is seen */
	signpost_await(&order.ready);
	close(order.ready.fds[0]);
	return order.host;
}

struct host host_start(int fd, size_t size, int prot)
{
	return host_start_with(fd, size, prot, NULL);
}

void host_leaves(const struct host *host)
{
	check(kill(host->pid, SIGUSR1) == 0);
	child_wait(host->pid);
}

void host_kill(const struct host *host)
{
	child_kill(host->pid);
}

int view_attach(int fd, int prot)
{
	struct mshare_ctl_attach attach = {
		.size = sizeof(attach),
		.fd = fd,
		.prot = view_prot(prot),
	};

	return device_call(MSHARE_CTL_ATTACH, &attach);
}

int view_try_query(int fd, int prot, struct mshare_ctl_query *query)
{
	*query = (struct mshare_ctl_query){
		.size = sizeof(*query),
		.fd = fd,
		.prot = view_prot(prot),
	};
	return device_call(MSHARE_CTL_QUERY, query);
}

struct mshare_ctl_query view_query(int fd, int prot)
{
	struct mshare_ctl_query query;

	check_equal(view_try_query(fd, prot, &query), 0);
	return query;
}

void *reserve(size_t size)
{
	char *room = mmap(NULL, size + GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);
	char *at = (char *)(((uintptr_t)room + GIB - 1) & ~(GIB - 1));

	check(room != MAP_FAILED);
	check(at == room || munmap(room, (size_t)(at - room)) == 0);
	check(munmap(at + size, (size_t)(room + GIB - at)) == 0);
	return at;
}

void *try_attach(int fd, size_t size, int prot, void *at)
{
	int view = view_attach(fd, prot);
	void *got;
	int err;

	if (view < 0) {
		errno = -view;
		return MAP_FAILED;
	}
	got = mmap(at ? at : reserve(size), size, prot, MAP_SHARED | MAP_FIXED, view, 0);
	err = errno;
	close(view);
	errno = err;
	return got;
}

void *attach_at(int fd, size_t size, int prot, void *at)
{
	void *got = try_attach(fd, size, prot, at);

	check(got != MAP_FAILED);
	return got;
}

void *attach(int fd, size_t size, int prot)
{
	return attach_at(fd, size, prot, NULL);
}

void *map_plain(int fd, size_t size, int prot)
{
	void *at = mmap(reserve(size), size, prot, MAP_SHARED | MAP_FIXED, fd, 0);

	check(at != MAP_FAILED);
	return at;
}

void detach(void *at, size_t size)
{
	struct mshare_ctl_detach arg = {
		.size = sizeof(arg),
		.addr = (uintptr_t)at,
		.len = size,
	};

	check_equal(device_call(MSHARE_CTL_DETACH, &arg), 0);
	check(!proc_mapped(at, size));
}

static uint64_t word_of(size_t page, uint64_t salt)
{
	return (page + 1) * 0x9e3779b97f4a7c15u ^ salt;
}

void pages_fill(void *at, size_t size, uint64_t salt)
{
	for (size_t i = 0; i < size / PAGE; i++)
		((volatile uint64_t *)at)[i * PAGE / sizeof(uint64_t)] = word_of(i, salt);
}

void pages_check(const void *at, size_t size, uint64_t salt)
{
	for (size_t i = 0; i < size / PAGE; i++) {
		uint64_t word = ((const volatile uint64_t *)at)[i * PAGE / sizeof(uint64_t)];

		if (word != word_of(i, salt))
			fprintf(stderr, "page %zu of %zu:\n", i, size / PAGE);
		check_equal(word, word_of(i, salt));
	}
}

void pages_check_file(int fd, size_t size, uint64_t salt)
{
	for (size_t i = 0; i < size / PAGE; i++) {
		uint64_t word = 0;

		check_equal(pread(fd, &word, sizeof(word), (off_t)(i * PAGE)), sizeof(word));
		check_equal(word, word_of(i, salt));
	}
}

void pause_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

void *shared_memory(size_t size)
{
	void *at = mmap(NULL, size, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(at != MAP_FAILED);
	return at;
}

struct mortal_order {
	child_body *body;
	void *arg;
};

/* CMocka catches them, and would go on with its next test in the child. */
static void be_mortal(void *arg)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS };
	const struct mortal_order *order = arg;

	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		check(signal(deadly[i], SIG_DFL) != SIG_ERR);
	order->body(order->arg);
}

int signal_of(child_body *body, void *arg)
{
	struct mortal_order order = { body, arg };
	pid_t pid = child_start(be_mortal, &order);
	int status;

	check(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	check_equal(WEXITSTATUS(status), 0);
	return 0;
}

int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int err = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

uint64_t counter(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	unsigned long long value = 0;
	size_t n = strlen(key);
	bool found = false;
	char line[256];

	check(file);
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, key, n) == 0 && strchr(" :\t", line[n]) &&
			sscanf(line + n + (line[n] == ':'), " %llu", &value) == 1;
	fclose(file);
	if (!found)
		fprintf(stderr, "%s has no %s\n", path, key);
	check(found);
	return value;
}

int shim_main(const struct CMUnitTest *cases, size_t count)
{
	cmocka_set_message_output(CM_OUTPUT_STDOUT);
	setbuf(stdout, NULL);
	return _cmocka_run_group_tests("shim", cases, count, NULL, NULL) ? 1 : 0;
}
