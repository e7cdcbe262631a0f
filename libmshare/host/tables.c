/* SPDX-License-Identifier: MIT */
#include "tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "align.h"
#include "ctl.h"
#include "mappings.h"
#include "mshare/abi.h"
#include "place.h"

/* How long nobody may be attached before the host leaves: a little more than a restart takes. */
#define LINGER_MS 1000

/* How long another host may take between its two views: 2,000 times 1 ms. */
#define OTHER_STEPS 2000
#define OTHER_STEP_NS 1000000

/*
 * Whole PUD ranges, so that the file can grow a little without a new host. The mapping costs
 * address space only: nothing is touched here, faults come from attached processes.
 */
static int map_object(int object, int prot, void **addr, size_t *len)
{
	struct place_request place = { .align = page_sizes()->pud, .prot = prot, .fd = object };
	struct stat st;
	uint64_t size;
	int err = sys_fstat(object, &st);

	if (!err)
		err = align_up((uint64_t)st.st_size, place.align, &size);
	if (err)
		return err;
	place.len = size;
	*len = size;
	return place_anywhere(&place, addr);
}

static int register_view(int device, int object, const struct mapping *m, uint32_t flags)
{
	struct mshare_ctl_create create = {
		.size = sizeof(create),
		.flags = flags,
		.fd = object,
		.prot = m->prot & PROT_WRITE ? MSHARE_VIEW_READ | MSHARE_VIEW_WRITE
					     : MSHARE_VIEW_READ,
		.addr = (uintptr_t)m->addr,
		.len = m->len,
	};

	return mshare_ctl(device, MSHARE_CTL_CREATE, &create);
}

/* before: the view that this one is to replace; or NULL. */
static int make_view(int device, int object, int prot, const struct mapping *before)
{
	struct mapping m = { .prot = prot };
	void *addr;
	int err = mappings_reserve();

	if (!err)
		err = map_object(object, prot, &addr, &m.len);
	if (err)
		return err;
	m.addr = addr;
	if (before)
		err = mappings_copy(before, m.addr);
	if (!err)
		err = register_view(device, object, &m, before ? MSHARE_CREATE_REPLACE : 0);
	if (err)
		sys_munmap(m.addr, m.len);
	else
		mappings_add(m.addr, m.len, prot);
	return err;
}

static bool has_view(int device, int object, uint32_t prot, int *err)
{
	struct mshare_ctl_query query = { .size = sizeof(query), .fd = object, .prot = prot };

	*err = mshare_ctl(device, MSHARE_CTL_QUERY, &query);
	return *err == 0;
}

/* Another host has the view for reading and is about to make the one for writing. */
static void await_other(int device, int object)
{
	int err;

	for (int i = 0; i < OTHER_STEPS && has_view(device, object, MSHARE_VIEW_READ, &err); i++) {
		if (has_view(device, object, MSHARE_VIEW_READ | MSHARE_VIEW_WRITE, &err) ||
		    err != -ENOENT)
			return;
		nanosleep(&(struct timespec){ 0, OTHER_STEP_NS }, NULL);
	}
}

/*
 * A file has two views, with tables of their own. Who has made the one for reading hosts both, so
 * that one process can be asked to change what all may do. -EEXIST: another one.
 */
static int make_views(int device, int object)
{
	int read_err = make_view(device, object, PROT_READ, NULL);
	int write_err;

	if (read_err == -EEXIST) {
		await_other(device, object);
		return read_err;
	}
	write_err = make_view(device, object, PROT_READ | PROT_WRITE, NULL);
	return !read_err || !write_err ? 0 : write_err;
}

/*
 * A mapping that is shared for the kernel, also where it is mapped for reading, wants a descriptor
 * that is open for writing; so only who may write the file can host it. The new descriptor, or
 * -errno.
 */
static int open_for_writing(int object)
{
	char path[sizeof("/proc/self/fd/") + 11];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", object);
	return sys_open(path, O_RDWR, 0);
}

static int host_object(int device, int object)
{
	cleanup_fd int writable = -1;

	if (sys_open_mode(object) == O_RDWR)
		return make_views(device, object);
	writable = open_for_writing(object);
	return writable < 0 ? writable : make_views(device, writable);
}

/* Of a file that has grown: a new view that shows all of it. Who is attached keeps the old one. */
static int replace_view(int device, int object, const struct mapping *before)
{
	const struct mapping copy = *before;
	cleanup_fd int writable = open_for_writing(object);

	return writable < 0 ? writable : make_view(device, writable, copy.prot, &copy);
}

/* To be done to all of a range, the views have to show it; not more than there is. */
static int grow(int device, int object, uint64_t end)
{
	static const int prots[] = { PROT_READ, PROT_READ | PROT_WRITE };
	struct stat st;
	int err = sys_fstat(object, &st);

	if (!err && end > (uint64_t)st.st_size + page_sizes()->pmd)
		err = -ENXIO;
	for (size_t i = 0; !err && i < sizeof(prots) / sizeof(prots[0]); i++) {
		const struct mapping *largest = mappings_largest(prots[i]);

		if (largest && largest->len < end)
			err = replace_view(device, object, largest);
	}
	return err;
}

static int rights_of_view(uint32_t rights)
{
	return (rights & MSHARE_VIEW_READ ? PROT_READ : 0) |
	       (rights & MSHARE_VIEW_WRITE ? PROT_WRITE : 0);
}

/* Another file for a range. The kernel must know before it is mapped. */
static int map_part(int device, const struct mshare_ctl_next *asked)
{
	struct mshare_ctl_part announced = { .size = sizeof(announced), .id = asked->id };
	struct part part = {
		.off = asked->off,
		.len = asked->len,
		.fd_off = asked->map_off,
		.prot = rights_of_view(asked->argument),
	};
	int err;

	part.fd = mshare_ctl(device, MSHARE_CTL_PART, &announced);
	if (part.fd < 0)
		return part.fd;
	err = mappings_map(&part);
	sys_close(part.fd);
	return err;
}

static int do_asked(int device, int object, const struct mshare_ctl_next *asked)
{
	int err = grow(device, object, asked->off + asked->len);

	if (err)
		return err;
	switch (asked->operation) {
	case MSHARE_ASK_PROTECT:
		return mappings_protect(asked->off, asked->len, rights_of_view(asked->argument));
	case MSHARE_ASK_ADVISE:
		return mappings_advise(asked->off, asked->len, (int)asked->argument);
	case MSHARE_ASK_GROW:
		return 0;
	case MSHARE_ASK_MAP:
		return map_part(device, asked);
	default:
		return -EOPNOTSUPP;
	}
}

/* Does what is asked until nobody is attached. */
static int serve_requests(int device, int object)
{
	for (;;) {
		struct mshare_ctl_next next = { .size = sizeof(next), .linger_ms = LINGER_MS };
		struct mshare_ctl_answer answer = { .size = sizeof(answer) };
		int err = mshare_ctl(device, MSHARE_CTL_NEXT, &next);

		if (err || !next.operation)
			return err;
		answer.id = next.id;
		answer.error = do_asked(device, object, &next);
		err = mshare_ctl(device, MSHARE_CTL_ANSWER, &answer);
		if (err && err != -ENOENT) /* who asked may have stopped waiting */
			return err;
	}
}

static int report(int status, int err)
{
	int written = sys_write_byte(status, (char)-err);

	sys_close(status);
	return written;
}

int tables_serve(int object, int status)
{
	cleanup_fd int device = ctl_open();
	int err = device < 0 ? device : host_object(device, object);
	int told = report(status, err == -EEXIST ? 0 : err);

	if (err == -EEXIST)
		return 0;
	if (!err)
		err = told;
	return err ? err : serve_requests(device, object);
}
