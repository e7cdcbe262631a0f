/* SPDX-License-Identifier: MIT */
/* mshare run: starts a program with libmshare-preload.so in it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "parse.h"
#include "preload/settings.h"
#include "run-program.h"
#include "tool.h"

/* As env(1) and nohup(1) have it: the statuses below 125 are the program's. */
#define EXIT_RUN 125
#define EXIT_CANNOT_INVOKE 126
#define EXIT_NOT_FOUND 127

struct run_options {
	const struct command *command;
	uint64_t min_size;
	const char *backend;
	const char *report;
	bool json;
	bool populate;
	bool require_shared;
};

static int read_min_size(const char *text, struct run_options *o)
{
	if (!parse_size(text, &o->min_size))
		return 0;
	tool_warn(o->command, "--min-size \"%s\" is not a size above 0, such as 64M or 1GiB", text);
	return EXIT_RUN;
}

static int read_backend(const char *text, struct run_options *o)
{
	o->backend = text;
	if (!strcmp(text, "auto") || backend_by_name(text))
		return 0;
	tool_warn(o->command, "--backend \"%s\" is none of auto, shim, hugetlb, thp, plain", text);
	return EXIT_RUN;
}

/* The environment's, where no option is given: named alike, a wrong one is as wrong. */
static int check_options(const struct run_options *o)
{
	if (o->backend && strcmp(o->backend, "auto") && o->backend[0] &&
	    !backend_by_name(o->backend)) {
		tool_warn(o->command, "MSHARE_BACKEND \"%s\" is none of shim, hugetlb, thp, plain",
			  o->backend);
		return EXIT_RUN;
	}
	if (!o->json || o->report)
		return 0;
	tool_warn(o->command, "--json says how the report is written: --report FILE is missing");
	return EXIT_RUN;
}

static int read_option(int letter, struct run_options *o)
{
	switch (letter) {
	case 'm':
		return read_min_size(optarg, o);
	case 'b':
		return read_backend(optarg, o);
	case 'r':
		o->report = optarg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'p':
		o->populate = true;
		return 0;
	default:
		o->require_shared = true;
		return 0;
	}
}

/* -1: go on with the operands, or an exit status. */
static int read_options(const struct command *c, int argc, char **argv, struct run_options *o)
{
	static const struct option names[] = {
		{ "min-size", required_argument, NULL, 'm' },
		{ "backend", required_argument, NULL, 'b' },
		{ "report", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "populate", no_argument, NULL, 'p' },
		{ "require-shared-tables", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "+:h", names, NULL)) != -1) {
		if (letter == 'h') {
			fputs(c->help, stdout);
			return 0;
		}
		if (letter == '?' || letter == ':')
			return tool_bad_option(c, letter, argv) ? EXIT_RUN : 0;
		if (read_option(letter, o))
			return EXIT_RUN;
	}
	if (optind < argc)
		return -1;
	tool_warn(c, "which program? see mshare run --help");
	return EXIT_RUN;
}

/* No machine that can share tables for any program: better said now than by the program. */
static int check_sharing(const struct command *c)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	if (mshare_probe(&caps)) {
		tool_warn(c, "%s", mshare_errmsg());
		return EXIT_RUN;
	}
	if (!caps.backend[MSHARE_BACKEND_SHIM].error || !caps.backend[MSHARE_BACKEND_HUGETLB].error)
		return 0;
	tool_warn(c, "page tables cannot be shared here: shim: %s; hugetlb: %s",
		  caps.backend[MSHARE_BACKEND_SHIM].reason,
		  caps.backend[MSHARE_BACKEND_HUGETLB].reason);
	return EXIT_RUN;
}

static int set(const struct command *c, const char *name, const char *value)
{
	if (!(value ? setenv(name, value, 1) : unsetenv(name)))
		return 0;
	tool_warn(c, "%s cannot be set: %s", name, strerror(errno));
	return EXIT_RUN;
}

/* A name of one of our descriptors, or of the same file as one: who else writes there has no wish
 * to begin anew. */
static bool is_borrowed(const char *name, const struct stat *file)
{
	struct stat own;

	for (int fd = 0; fd <= 2; fd++)
		if (!sys_fstat(fd, &own) && own.st_dev == file->st_dev &&
		    own.st_ino == file->st_ino)
			return true;
	return !strncmp(name, "/dev/fd/", 8) || !strncmp(name, "/proc/", 6);
}

/* 0 or -errno. */
static int begin_report(const char *name)
{
	cleanup_fd int fd = sys_open(name, O_WRONLY | O_CREAT, 0666);
	struct stat file;
	int err = fd < 0 ? fd : sys_fstat(fd, &file);

	if (!err && S_ISREG(file.st_mode) && !is_borrowed(name, &file))
		err = sys_ftruncate(fd, 0);
	return err;
}

/* Programs change their directory: they get the whole path of a file that is there already. */
static int prepare_report(const struct run_options *o)
{
	const char *name = o->report ? o->report : "";
	char path[2 * PATH_MAX];
	size_t start = 0;
	int err;

	if (!o->report)
		return set(o->command, RUN_REPORT, NULL);
	err = begin_report(name);
	if (!err && name[0] != '/') {
		if (!getcwd(path, PATH_MAX))
			err = -errno;
		start = err ? 0 : strlen(path);
		path[start++] = '/';
	}
	if (err || snprintf(path + start, PATH_MAX, "%s", name) >= PATH_MAX) {
		tool_warn(o->command, "the report %s cannot be written: %s", name,
			  strerror(err ? -err : ENAMETOOLONG));
		return EXIT_RUN;
	}
	return set(o->command, RUN_REPORT, path);
}

static int preload(const struct command *c)
{
	const char *path = getenv("MSHARE_PRELOAD");
	const char *before = getenv("LD_PRELOAD");
	char *all;
	int status;

	if (!path || !path[0])
		path = MSHARE_PRELOAD_PATH;
	if (access(path, R_OK)) {
		tool_warn(c, "%s: %s; MSHARE_PRELOAD in the environment may name another", path,
			  strerror(errno));
		return EXIT_RUN;
	}
	if (strpbrk(path, ": ")) {
		tool_warn(c, "%s: LD_PRELOAD takes no path with a colon or a blank", path);
		return EXIT_RUN;
	}
	if (asprintf(&all, "%s%s%s", before ? before : "", before && before[0] ? ":" : "", path) <
	    0) {
		tool_warn(c, "no memory");
		return EXIT_RUN;
	}
	status = set(c, "LD_PRELOAD", all);
	free(all);
	return status;
}

static int prepare_environment(const struct run_options *o)
{
	const struct command *c = o->command;
	bool any_backend = !o->backend || !o->backend[0] || !strcmp(o->backend, "auto");
	char size[24];
	int status;

	snprintf(size, sizeof(size), "%" PRIu64, o->min_size);
	status = set(c, RUN_MIN_SIZE, size);
	status = status ? status : set(c, RUN_BACKEND, any_backend ? NULL : o->backend);
	status = status ? status : set(c, RUN_REQUIRE, o->require_shared ? "1" : NULL);
	status = status ? status : set(c, RUN_POPULATE, o->populate ? "1" : NULL);
	status = status ? status : set(c, RUN_REPORT_JSON, o->json ? "1" : NULL);
	status = status ? status : prepare_report(o);
	return status ? status : preload(c);
}

static int start(const struct command *c, char **argv)
{
	struct run_program program;
	int err = run_program_find(argv[0], &program);

	if (!err) {
		execv(program.path, argv);
		err = -errno;
		if (err == -ENOEXEC)
			execvp(program.path, argv); /* by the shell */
		snprintf(program.why, sizeof(program.why), "%s: %s", program.path, strerror(-err));
	}
	tool_warn(c, "%s", program.why);
	return err == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_INVOKE;
}

static int run_run(const struct command *c, int argc, char **argv)
{
	struct run_options o = { .command = c,
				 .min_size = RUN_DEFAULT_MIN_SIZE,
				 .backend = getenv("MSHARE_BACKEND") };
	int status = read_options(c, argc, argv, &o);

	if (status != -1)
		return status;
	status = check_options(&o);
	if (!status && o.require_shared)
		status = check_sharing(c);
	if (!status)
		status = prepare_environment(&o);
	return status ? status : start(c, argv + optind);
}

const struct command command_run = {
	.name = "run",
	.summary = "start a program whose big shared mappings become regions",
	.help = "usage: mshare run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
		"\n"
		"Starts PROGRAM, which need not know of it, with libmshare-preload.so: what it, and\n"
		"what it starts, maps shared and big gets the cheapest page tables of this machine.\n"
		"\n"
		"  --min-size SIZE          leave smaller mappings alone; 8M by default\n"
		"  --backend NAME           the best to use: auto (default), shim, hugetlb, thp, plain;\n"
		"                           a weaker one where that cannot be had\n"
		"  --require-shared-tables  no start, and no mapping, without shared page tables\n"
		"  --populate               allocate all memory of a mapping at once, in huge pages\n"
		"                           where they can be had\n"
		"  --report FILE            write what was converted, and what was not and why\n"
		"  --json                   the report as one JSON object a line; with --report\n"
		"\n"
		"Example:\n"
		"  mshare run --report /tmp/report -- postgres -D /srv/db\n"
		"\n"
		"Exit status: that of PROGRAM; 125 run itself failed; 126 PROGRAM cannot be started or\n"
		"converted (static, set-user-ID); 127 there is no such program.\n",
	.run = run_run,
};
