/* SPDX-License-Identifier: MIT */
#include "image-run.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ioqueue.h"
#include "parse.h"

#define BAR_STEPS 1000

static volatile sig_atomic_t stopped_by;

static void note_signal(int number)
{
	stopped_by = number;
}

static int64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int draw(void *arg, uint64_t done, uint64_t total)
{
	struct image_run *run = arg;
	unsigned int step =
		total ? (unsigned int)((double)done / (double)total * BAR_STEPS) : BAR_STEPS;

	if (step != run->bar.done)
		progress_reach(&run->bar, step, run->verb);
	return stopped_by;
}

static int read_depth(const struct command *self, struct image_run *run)
{
	uint64_t depth;

	if (parse_count(optarg, IO_DEPTH_MAX, &depth))
		return tool_misused(self, "--depth \"%s\" is not a number from 1 to %d", optarg,
				    IO_DEPTH_MAX);
	run->attr.depth = (uint32_t)depth;
	return -1;
}

/* 0 would be the default. */
static int read_mode(const struct command *self, struct image_run *run)
{
	if (parse_mode(optarg, &run->mode) || !run->mode)
		return tool_misused(self, "--mode \"%s\" is not an octal number from 1 to 777",
				    optarg);
	return -1;
}

int image_options(const struct command *self, int argc, char **argv, struct image_run *run)
{
	static const struct option both[] = {
		{ "help", no_argument, NULL, 'h' },	   { "json", no_argument, NULL, 'j' },
		{ "depth", required_argument, NULL, 'd' }, { "cached", no_argument, NULL, 'c' },
		{ "replace", no_argument, NULL, 'r' },	   { "check", no_argument, NULL, 'k' },
		{ "mode", required_argument, NULL, 'm' },  { 0 }
	};
	const struct option save_only[] = { both[0], both[1], both[2], both[3], { 0 } };
	const struct option *options = self == &command_load ? both : save_only;
	int answer, status = -1;

	run->attr = (struct mshare_image_attr)MSHARE_IMAGE_ATTR_INIT;
	while (status < 0 && (answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (answer == 'h') {
			fputs(self->help, stdout);
			return 0;
		}
		run->json |= answer == 'j';
		run->replace |= answer == 'r';
		run->check |= answer == 'k';
		if (answer == 'c')
			run->attr.flags |= MSHARE_IMAGE_CACHED;
		else if (answer == 'd')
			status = read_depth(self, run);
		else if (answer == 'm')
			status = read_mode(self, run);
		else if (!strchr("jrk", answer))
			return tool_bad_option(self, answer, argv);
	}
	return status;
}

void image_begin(struct image_run *run)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = note_signal };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction before;

		/* nohup(1) and shells that ignore a signal mean it */
		if (!sigaction(signals[i], NULL, &before) && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	run->attr.progress = draw;
	run->attr.arg = run;
	progress_start(&run->bar, BAR_STEPS);
	run->started = nanoseconds();
}

void image_end(struct image_run *run)
{
	progress_end(&run->bar);
}

int image_facts(const struct command *self, const struct image_run *run, mshare_t region,
		struct image_facts *facts)
{
	struct mshare_stat st = { .size = sizeof(st) };
	struct stat file;

	if (mshare_stat(region, &st))
		return tool_failed(self, "%s", mshare_errmsg());
	if (stat(run->file, &file))
		return tool_failed(self, "\"%s\": %s", run->file, strerror(errno));
	*facts = (struct image_facts){ .region_size = st.region_size,
				       .file_size = (uint64_t)file.st_size,
				       .io_uring = st.flags & MSHARE_STAT_F_IO_URING,
				       .direct = st.flags & MSHARE_STAT_F_DIRECT,
				       .registered = st.flags & MSHARE_STAT_F_REGISTERED };
	return 0;
}

static void print_json(const struct image_run *run, const struct image_facts *facts, double seconds)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "file", json_object_new_string(run->file));
	json_object_object_add(o, "name", run->name ? json_object_new_string(run->name) : NULL);
	json_object_object_add(o, "region_size", json_object_new_uint64(facts->region_size));
	json_object_object_add(o, "file_size", json_object_new_uint64(facts->file_size));
	json_object_object_add(o, "seconds", json_object_new_double(seconds));
	json_object_object_add(o, "io_uring", json_object_new_boolean(facts->io_uring));
	json_object_object_add(o, "direct", json_object_new_boolean(facts->direct));
	json_object_object_add(o, "registered", json_object_new_boolean(facts->registered));
	tool_print_json(o);
}

void image_report(const struct image_run *run, const struct image_facts *facts, const char *text)
{
	double seconds = (double)(nanoseconds() - run->started) / 1e9;
	char size[TERM_SIZE_TEXT];
	char stored[TERM_SIZE_TEXT];
	char rate[TERM_SIZE_TEXT];

	if (run->json) {
		print_json(run, facts, seconds);
		return;
	}
	printf("%s: %s, %s in the file, in %.2f s (%s/s)%s%s\n", text,
	       term_size(facts->region_size, size), term_size(facts->file_size, stored), seconds,
	       term_size((uint64_t)((double)facts->file_size / (seconds > 0 ? seconds : 1)), rate),
	       facts->io_uring ? "" : ", without io_uring",
	       facts->direct ? "" : ", through the page cache");
}
