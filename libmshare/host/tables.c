/* SPDX-License-Identifier: MIT */
#include "tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "align.h"
#include "ctl.h"
#include "mshare/abi.h"
#include "place.h"

/* How long nobody may be attached before the host leaves: a little more than a restart takes. */
#define LINGER_MS 1000

/*
 * Whole PUD ranges, so that the file can grow a little without a new host. The mapping costs address space only: nothing is
 * touched here, faults come from attached processes.
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

static int make_view(int device, int object, int prot, uint32_t view)
{
	struct mshare_ctl_create create = { .size = sizeof(create), .fd = object, .prot = view };
	void *addr;
	size_t len;
	int err = map_object(object, prot, &addr, &len);

	if (err)
		return err;
	create.addr = (uintptr_t)addr;
	create.len = len;
	err = mshare_ctl(device, MSHARE_CTL_CREATE, &create);
	if (err)
		sys_munmap(addr, len);
	return err;
}

/* A file has two views, with tables of their own. -EEXIST: others host both. */
static int make_views(int device, int object)
{
	int read_err = make_view(device, object, PROT_READ, MSHARE_VIEW_READ);
	int write_err = make_view(device, object, PROT_READ | PROT_WRITE,
				  MSHARE_VIEW_READ | MSHARE_VIEW_WRITE);

	if (!read_err || !write_err)
		return 0;
	return write_err == -EEXIST ? read_err : write_err;
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

static int report(int status, int err)
{
	int written = sys_write_byte(status, (char)-err);

	sys_close(status);
	return written;
}

int tables_serve(int object, int status)
{
	struct mshare_ctl_wait wait = { .size = sizeof(wait), .linger_ms = LINGER_MS };
	cleanup_fd int device = ctl_open();
	int err = device < 0 ? device : host_object(device, object);
	int told = report(status, err == -EEXIST ? 0 : err);

	if (err == -EEXIST)
		return 0;
	if (!err)
		err = told;
	return err ? err : mshare_ctl(device, MSHARE_CTL_WAIT, &wait);
}
