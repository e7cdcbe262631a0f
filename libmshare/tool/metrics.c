/* SPDX-License-Identifier: MIT */
/* mshare metrics: what mshare top shows, for Prometheus. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "census.h"
#include "text.h"
#include "tool.h"

/* The text format 0.0.4: a label is a UTF-8 string, with these three escaped. */
static void print_label(FILE *out, const char *name, const char *bytes)
{
	char *text = text_utf8(bytes);

	fprintf(out, "%s=\"", name);
	for (const char *c = text; c && *c; c++) {
		if (*c == '\n')
			fputs("\\n", out);
		else if (*c == '\\' || *c == '"')
			fprintf(out, "\\%c", *c);
		else
			putc(*c, out);
	}
	putc('"', out);
	free(text);
}

/*
 * Names may be used again, and regions without one have all the same: the inode tells them apart.
 */
static void print_identity(FILE *out, const struct census_region *r)
{
	print_label(out, "region", r->name ? r->name : r->path ? r->path : "");
	fprintf(out, ",device=\"%x:%x\",inode=\"%lu\"", major(r->dev), minor(r->dev),
		(unsigned long)r->ino);
}

static void print_family(FILE *out, const char *name, const char *help, const char *type)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_single(FILE *out, const char *name, const char *help, uint64_t value)
{
	print_family(out, name, help, "gauge");
	fprintf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void print_info(FILE *out, const struct census *c)
{
	print_family(out, "mshare_region_info", "Always 1; labels tell what the region is.",
		     "gauge");
	for (size_t i = 0; i < c->count; i++) {
		const struct census_region *r = &c->list[i];

		fputs("mshare_region_info{", out);
		print_identity(out, r);
		putc(',', out);
		print_label(out, "command", r->command);
		fprintf(out, ",backend=\"%s\",memory=\"%s\"} 1\n", census_backend(r) ?: "",
			census_memory(r) ?: "");
	}
}

/* What is not known has no sample: a 0 would be a lie that alerts believe. */
static void print_figure(FILE *out, const struct census *c, enum figure f)
{
	const struct figure_info *info = &figure_info[f];

	print_family(out, info->metric, info->help, info->counter ? "counter" : "gauge");
	for (size_t i = 0; i < c->count; i++) {
		if (c->list[i].figures[f] == FIGURE_UNKNOWN)
			continue;
		fprintf(out, "%s{", info->metric);
		print_identity(out, &c->list[i]);
		fprintf(out, "} %llu\n", (unsigned long long)c->list[i].figures[f]);
	}
}

static void print_metrics(FILE *out, const struct census *c)
{
	print_family(out, "mshare_build_info", "Always 1; the label tells the version.", "gauge");
	fprintf(out, "mshare_build_info{version=\"%d.%d.%d\"} 1\n", MSHARE_VERSION_MAJOR,
		MSHARE_VERSION_MINOR, MSHARE_VERSION_PATCH);
	print_single(out, "mshare_module_loaded", "Whether the kernel module is there and answers.",
		     c->module == 0);
	print_single(out, "mshare_regions", "Regions seen.", c->count);
	print_single(out, "mshare_processes_unread",
		     "Processes that may not be looked at: attachers may be missing.", c->unread);
	print_info(out, c);
	for (int f = 0; f < FIGURE_COUNT; f++) {
		if (figure_info[f].metric)
			print_figure(out, c, (enum figure)f);
	}
}

static FILE *open_beside(const char *path, char *temporary)
{
	mode_t mask = umask(0);
	int fd;
	FILE *out;

	umask(mask);
	snprintf(temporary, PATH_MAX, "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return NULL;
	out = fdopen(fd, "w");
	/* The exporter that reads it is another user. */
	if (!out || fchmod(fd, 0666 & ~mask)) {
		if (out)
			fclose(out);
		else
			close(fd);
		unlink(temporary);
		return NULL;
	}
	return out;
}

/* A reader finds the old file or the new one, never half of one. */
static int write_file(const struct command *self, const char *path, const struct census *c)
{
	char temporary[PATH_MAX];
	FILE *out = NULL;
	int bad;

	errno = ENAMETOOLONG;
	if (strlen(path) + sizeof(".XXXXXX") <= sizeof(temporary))
		out = open_beside(path, temporary);
	if (!out)
		return tool_failed(self, "no file can be made beside %s: %s", path,
				   strerror(errno));
	print_metrics(out, c);
	bad = ferror(out);
	bad |= fclose(out);
	if (!bad && !rename(temporary, path))
		return 0;
	bad = errno;
	unlink(temporary);
	return tool_failed(self, "%s cannot be written: %s", path, strerror(bad));
}

/* -1 to go on, or an exit status. */
static int read_options(const struct command *self, int argc, char **argv, const char **output,
			bool *thorough)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "output", required_argument, NULL, 'o' },
						 { "tables", no_argument, NULL, 't' },
						 { 0 } };
	int answer;

	while ((answer = getopt_long(argc, argv, ":ho:t", options, NULL)) != -1) {
		if (answer == 'h') {
			fputs(self->help, stdout);
			return 0;
		}
		if (answer == 'o')
			*output = optarg;
		else if (answer == 't')
			*thorough = true;
		else
			return tool_bad_option(self, answer, argv);
	}
	if (optind < argc)
		return tool_misused(self,
				    "\"%s\" is one argument too many: see mshare metrics --help",
				    argv[optind]);
	return -1;
}

static int run(const struct command *self, int argc, char **argv)
{
	const char *output = NULL;
	bool thorough = false;
	struct census c;
	int status = read_options(self, argc, argv, &output, &thorough);

	if (status >= 0)
		return status;
	if (census_take(&c, NULL, thorough))
		status = tool_failed(self, "no memory for the regions");
	else if (output)
		status = write_file(self, output, &c);
	else
		print_metrics(stdout, &c);
	census_free(&c);
	return status < 0 ? 0 : status;
}

const struct command command_metrics = {
	.name = "metrics",
	.summary = "print what regions cost for Prometheus",
	.help = "usage: mshare metrics [--output FILE] [--tables]\n"
		"\n"
		"Prints the figures of mshare top in the text format of Prometheus, once. What is\n"
		"not known has no sample. Labels: region (name, or path), device and inode.\n"
		"\n"
		"  --output FILE  write a file, which is replaced in one step and can be read by\n"
		"                 others, as node_exporter's textfile collector wants it\n"
		"  --tables       measure the page tables saved also where tables are large, which\n"
		"                 keeps their processes waiting\n"
		"\n"
		"Example, as a line of root's crontab:\n"
		"  * * * * * mshare metrics --output /var/lib/prometheus/node-exporter/mshare.prom\n",
	.run = run,
};
