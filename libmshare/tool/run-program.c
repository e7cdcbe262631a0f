/* SPDX-License-Identifier: MIT */
#include "run-program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINE_MAX_SCRIPT 256 /* what the kernel reads of a script's first line */
#define DEFAULT_PATH "/bin:/usr/bin"

print_format(3, 4) static int refuse(struct run_program *p, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, args);
	va_end(args);
	return err;
}

static int check_executable(struct run_program *p)
{
	struct stat st;

	if (stat(p->path, &st))
		return refuse(p, -errno, "%s: %s", p->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(p, -EACCES, "%s is not a file", p->path);
	if (sys_access_exec(p->path))
		return refuse(p, -EACCES, "%s is not executable", p->path);
	return 0;
}

/* As execvp(3): the first that can be executed, else the first that is there. */
static int search_path(const char *name, struct run_program *p)
{
	const char *dirs = getenv("PATH");
	int found = refuse(p, -ENOENT, "there is no program \"%s\" in PATH", name);

	for (dirs = dirs ? dirs : DEFAULT_PATH;;) {
		size_t length = strcspn(dirs, ":");
		struct run_program here;
		int n = snprintf(here.path, sizeof(here.path), "%.*s%s%s", (int)length, dirs,
				 length ? "/" : "", name);
		int err = n < (int)sizeof(here.path) ? check_executable(&here) : -ENOENT;

		if (!err || (err == -EACCES && found == -ENOENT)) {
			*p = here;
			found = err;
		}
		if (!err || !dirs[length])
			return found;
		dirs += length + 1;
	}
}

static int find(const char *name, struct run_program *p)
{
	if (!name[0])
		return refuse(p, -ENOENT, "the program's name is empty");
	if (!strchr(name, '/'))
		return search_path(name, p);
	if (snprintf(p->path, sizeof(p->path), "%s", name) >= (int)sizeof(p->path))
		return refuse(p, -ENAMETOOLONG, "the program's name is too long");
	return check_executable(p);
}

/* Where the kernel changes nobody's rights, set-user-ID means nothing. */
static bool rights_may_change(int fd)
{
	struct statvfs fs;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return false;
	return fstatvfs(fd, &fs) || !(fs.f_flag & ST_NOSUID);
}

static int check_rights(int fd, struct run_program *p)
{
	struct stat st;

	if (!rights_may_change(fd))
		return 0;
	if (fstat(fd, &st))
		return refuse(p, -errno, "%s: %s", p->path, strerror(errno));
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return refuse(p, -EPERM,
			      "%s is set-user-ID, so the dynamic linker ignores LD_PRELOAD: it "
			      "cannot be converted",
			      p->path);
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
		return refuse(p, -EPERM,
			      "%s is set-group-ID, so the dynamic linker ignores LD_PRELOAD: it "
			      "cannot be converted",
			      p->path);
	if (getuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return refuse(p, -EPERM,
			      "%s has file capabilities, so the dynamic linker ignores "
			      "LD_PRELOAD: it cannot be converted",
			      p->path);
	return 0;
}

/* The dynamic linker named in an ELF file of this machine; out is "" for a static program. */
static int read_interpreter(int fd, struct run_program *p, char *out)
{
	Elf64_Ehdr elf;
	Elf64_Phdr segment;

	out[0] = '\0';
	if (pread(fd, &elf, sizeof(elf), 0) != sizeof(elf) || elf.e_phentsize != sizeof(segment))
		return refuse(p, -ENOEXEC, "%s is not a whole program", p->path);
	for (unsigned int i = 0; i < elf.e_phnum; i++) {
		off_t at = (off_t)(elf.e_phoff + i * sizeof(segment));

		if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
			return refuse(p, -ENOEXEC, "%s is not a whole program", p->path);
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_filesz >= PATH_MAX ||
		    pread(fd, out, segment.p_filesz, (off_t)segment.p_offset) !=
			    (ssize_t)segment.p_filesz)
			return refuse(p, -ENOEXEC, "%s is not a whole program", p->path);
		out[segment.p_filesz] = '\0';
	}
	return 0;
}

/* Our own: what is preloaded is made for the same C library. */
static bool is_our_linker(const char *path)
{
	struct run_program self = { .path = "/proc/self/exe" };
	char ours[PATH_MAX];
	struct stat a, b;
	cleanup_fd int fd = sys_open(self.path, O_RDONLY, 0);

	/* Without /proc nobody can tell. */
	if (fd < 0 || read_interpreter(fd, &self, ours))
		return true;
	return !stat(path, &a) && !stat(ours, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int check_elf(int fd, const unsigned char *ident, struct run_program *p)
{
	char linker[PATH_MAX];
	int err;

	if (ident[EI_CLASS] != ELFCLASS64)
		return refuse(p, -ENOEXEC,
			      "%s is a 32-bit program: a 64-bit library cannot be loaded into it",
			      p->path);
	err = read_interpreter(fd, p, linker);
	if (err)
		return err;
	if (!linker[0])
		return refuse(p, -ENOEXEC,
			      "%s is linked statically, so no library can be loaded into it: it "
			      "cannot be converted",
			      p->path);
	if (!is_our_linker(linker))
		return refuse(p, -ENOEXEC, "%s is made for another C library (%s)", p->path,
			      linker);
	return 0;
}

static int check_file(struct run_program *p, bool script_allowed);

/* What runs the script is what has to load the library. One step, as the kernel counts them. */
static int check_script(const char *line, struct run_program *script)
{
	struct run_program interpreter;
	size_t blanks = strspn(line, " \t");
	size_t length = strcspn(line + blanks, " \t\n");
	int err;

	snprintf(interpreter.path, sizeof(interpreter.path), "%.*s", (int)length, line + blanks);
	err = check_executable(&interpreter);
	if (!err)
		err = check_file(&interpreter, false);
	if (err)
		return refuse(script, err == -ENOENT ? -ENOEXEC : err, "%.1000s runs with %s",
			      script->path, interpreter.why);
	return 0;
}

static int check_file(struct run_program *p, bool script_allowed)
{
	cleanup_fd int fd = sys_open(p->path, O_RDONLY, 0);
	char head[LINE_MAX_SCRIPT + 1] = "";
	int err;

	/* A program may be executable and not readable: then the dynamic linker decides. */
	if (fd < 0 || pread(fd, head, LINE_MAX_SCRIPT, 0) < 0)
		return 0;
	if (!memcmp(head, ELFMAG, SELFMAG)) {
		err = check_rights(fd, p);
		return err ? err : check_elf(fd, (const unsigned char *)head, p);
	}
	if (!script_allowed)
		return refuse(p, -ENOEXEC, "%s, which is a script itself", p->path);
	/* Without a first line for it, execvp(3) takes the shell. */
	return check_script(!memcmp(head, "#!", 2) ? head + 2 : "/bin/sh", p);
}

int run_program_find(const char *name, struct run_program *p)
{
	int err = find(name, p);

	return err ? err : check_file(p, true);
}
