/* SPDX-License-Identifier: MIT */
/*
 * mshare_handover(): whose control group the host process is in. It pays for pages that are touched
 * first from then on, and who ends the group ends the host.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "control.h"
#include "ctl.h"
#include "log.h"
#include "mshare/abi.h"
#include "shim-ask.h"

/* A host that dies is followed by another, which may die as well. */
#define TRIES 4

struct handover {
	const struct region *r;
	pid_t pid; /* whose group it is */
	int device;
	int procs; /* cgroup.procs of the group */
};

/*
 * Nobody to be had for it. What counts is whether somebody hosts the object, not what this process
 * would have attached itself.
 */
static int host_error(const struct region *r, int err)
{
	if (err == -EMFILE || err == -ENFILE)
		return fail(err, "handover: no descriptor is left to reach the host process");
	if (err == -ENOMEM)
		return fail(err, "handover: no memory to reach or start a host process");
	if (!r->ops->hosts_tables)
		return fail(-EOPNOTSUPP,
			    "handover: with the %s backend each page is charged to whoever touches "
			    "it first, there is no host process to hand over",
			    r->ops->name);
	return fail(-EOPNOTSUPP, "handover: no host process to hand over (%s)",
		    strerrordesc_np(-err));
}

/* -ENOENT: there is none; for a view that a sealed memfd cannot have neither. */
static int host_of(const struct handover *h, uint32_t prot, pid_t *pid)
{
	struct mshare_ctl_query query = { .size = sizeof(query), .fd = h->r->fd, .prot = prot };
	int err = mshare_ctl(h->device, MSHARE_CTL_QUERY, &query);

	*pid = query.host;
	return err == -EPERM ? -ENOENT : err;
}

static int move_error(const struct handover *h, pid_t host, int err)
{
	switch (err) {
	case -EACCES:
		return fail(
			err,
			"handover: no right to move the host process %d to the control group of "
			"process %d: it takes the right to write to cgroup.procs of the group "
			"around both",
			host, h->pid);
	case -ENOENT:
		return fail(-EACCES,
			    "handover: the control group of the host process %d is outside of this "
			    "process's cgroup namespace",
			    host);
	case -ENODEV:
		return fail(-ESRCH, "handover: the control group of process %d is gone", h->pid);
	case -EBUSY:
		return fail(
			err,
			"handover: the control group of process %d has groups with controllers of "
			"their own and takes no more processes",
			h->pid);
	case -EOPNOTSUPP:
		return fail(err,
			    "handover: the control group of process %d is an invalid domain "
			    "(cgroup.type)",
			    h->pid);
	case -ENOMEM:
		return fail(err, "handover: no memory to move the host process %d", host);
	default:
		return fail(-EPERM, "handover: the host process %d may not be moved (%s)", host,
			    strerrordesc_np(-err));
	}
}

static int write_pid(int procs, pid_t pid)
{
	char text[16];

	return sys_write_text(procs, text, (size_t)snprintf(text, sizeof(text), "%d", pid));
}

/*
 * The host of one view; -ENOENT: there is none, or it has ended meanwhile. What is written is a
 * number: the descriptor tells that from before the second question until after the move it was
 * that of one process, which hosts the view.
 */
static int move_host(const struct handover *h, uint32_t prot)
{
	cleanup_fd int process = -1;
	pid_t host, again;
	int err = host_of(h, prot, &host);

	if (err)
		return err == -ENOENT ? err : host_error(h->r, err);
	if (!host)
		return fail(-EOPNOTSUPP, "handover: the host process is in another PID namespace");
	process = sys_pidfd_open(host);
	if (process < 0)
		return process == -ESRCH ? -ENOENT : host_error(h->r, process);
	if (host_of(h, prot, &again) || again != host)
		return -ENOENT;
	err = write_pid(h->procs, host);
	if (err == -ESRCH || (!err && sys_pidfd_ended(process)))
		return -ENOENT;
	return err ? move_error(h, host, err) : 0;
}

/* Of both views, which mostly is one process. */
static int move_hosts(const struct handover *h)
{
	static const uint32_t prots[] = { MSHARE_VIEW_READ | MSHARE_VIEW_WRITE, MSHARE_VIEW_READ };
	int result = -ENOENT;

	for (size_t i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		int err = move_host(h, prots[i]);

		if (err && err != -ENOENT)
			return err;
		if (!err)
			result = 0;
	}
	return result;
}

static int move_or_start(const struct handover *h)
{
	for (int i = 0; i < TRIES; i++) {
		int err = move_hosts(h);

		if (err != -ENOENT)
			return err;
		if (h->r->ops->hosts_tables)
			err = shim_start_host(h->r);
		if (err)
			return host_error(h->r, err);
	}
	return fail(-EOPNOTSUPP, "handover: %d host processes have ended meanwhile", TRIES);
}

int region_handover(struct region *r, pid_t pid)
{
	struct handover h = { .r = r, .pid = pid ? pid : getpid() };
	cleanup_fd int procs = -1, device = -1;

	if (pid < 0)
		return fail(-EINVAL, "handover: process ID %d is negative", pid);
	if (!r->writable)
		return fail(-EACCES, "handover: the region is opened for reading only");
	h.device = device = ctl_open();
	if (device < 0)
		return host_error(r, device);
	h.procs = procs = cgroup_open_procs(pid);
	return procs < 0 ? procs : move_or_start(&h);
}
