/* SPDX-License-Identifier: MIT */
/*
 * mshare-host seen from the library: who is there, and starting it.
 *
 * Processes that use a region hold a shared open-file-description lock on PRESENCE_BYTE of the
 * backing object; the host of the region holds an exclusive one on HOST_BYTE. Such locks belong to
 * the open file description, which a mapping keeps alive: the lock goes, without anybody's help,
 * when the last descriptor and the last mapping made from it are gone in every process that shares
 * it (fork(2), SCM_RIGHTS).
 *
 * No lost wake-up: a user first takes PRESENCE, then looks for a host; a host that sees no user
 * gives up HOST_BYTE, then looks for users once more and tries to become host again if there is
 * one.
 */
#ifndef MSHARE_HOST_H
#define MSHARE_HOST_H

#include "util.h"

#define PRESENCE_BYTE ((off_t)0x7ffffffffffffff0)
#define HOST_BYTE ((off_t)0x7ffffffffffffff1)

/* The descriptor on which the helper is given the backing object. */
#define HOST_FD 3

/* ... and, as host of page tables, the pipe on which it answers: a byte, 0 or an errno. */
#define HOST_STATUS_FD 4

/* Its first argument as host of page tables; the label is the second then. */
#define HOST_TABLES "tables"

/* Path of the helper: MSHARE_HOST in the environment (not for set-user-ID programs), else the
 * installed one. */
const char *host_path(void);

/* Announces this description as a user. 0, or -errno (somebody holds an exclusive lock over
 * everything). */
must_check int host_announce(int fd);

/* 1: a host serves the object behind fd, 0: none; -errno. */
must_check int host_present(int fd);

/*
 * Announces this description and starts a host for the object unless there is one. The helper is
 * re-parented at once; the caller sees no SIGCHLD and nothing to wait for. 0 when it runs, which is
 * before it serves, or -errno (-ENOENT, -EACCES: no such helper; -EOPNOTSUPP: this program would
 * become its parent). label: shown by ps(1).
 */
must_check int host_ensure(int fd, const char *label);

/* Why it failed, for people: goes on after "mshare-host cannot be started". */
const char *host_reason(int err);

/*
 * Starts a process that hosts the page tables of the object for the kernel module, and waits until
 * it does, or another one was faster. 0, or -errno: it could not be started, or why it cannot host.
 */
must_check int host_start_tables(int fd, const char *label);

#endif
