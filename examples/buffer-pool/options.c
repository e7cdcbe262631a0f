/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

#define USAGE_ERROR 2

static const char help[] =
	"usage: buffer-pool [OPTION]...\n"
	"Many processes read random rows of a data file through one shared buffer pool.\n"
	"\n"
	"  --size SIZE       of the pool: 512M, 4G (default 512M)\n"
	"  --workers N       processes (default 16)\n"
	"  --seconds S       how long each run takes (default 2)\n"
	"  --requests N      instead of --seconds: how many rows each worker reads\n"
	"  --kill N          workers to kill in each run (default 2); the first dies with a lock\n"
	"                    held and the hash table half changed\n"
	"  --directory DIR   for the data file, a quarter larger than the pool\n"
	"                    (default $TMPDIR, or /var/tmp)\n"
	"  --no-compare      leave out the run with base pages\n"
	"  --help            this text\n";

#define SIZE_MIN ((uint64_t)2 << 20)
#define SIZE_LIMIT ((uint64_t)1 << 44)

/* A number from 1 to max, with nothing behind it but the unit, if units are allowed. */
static uint64_t parse_number(const char *option, const char *text, uint64_t max, bool units)
{
	static const char letters[] = "KMGT";
	unsigned long long number;
	const char *unit;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	unit = units && *end ? strchr(letters, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		unsigned int shift = 10 * (unsigned int)(unit - letters + 1);

		if (number > max >> shift)
			errx(USAGE_ERROR, "--%s %s is too much", option, text);
		number <<= shift;
		end++;
	}
	if (errno || end == text || *end || *text == '-' || number < 1 || number > max)
		errx(USAGE_ERROR, "--%s %s: expected a number from 1 to %llu%s", option, text,
		     (unsigned long long)max, units ? ", like 512M" : "");
	return number;
}

static size_t parse_size(const char *text)
{
	uint64_t size = parse_number("size", text, SIZE_LIMIT, true);

	if (size < SIZE_MIN)
		errx(USAGE_ERROR, "--size %s: a pool needs 2M at least", text);
	return size;
}

static double parse_seconds(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0 && seconds <= 86400))
		errx(USAGE_ERROR, "--seconds %s: expected a number up to 86400", text);
	return seconds;
}

static unsigned int parse_kills(const char *text)
{
	return strcmp(text, "0") == 0 ? 0 : (unsigned int)parse_number("kill", text, 1000, false);
}

static struct options defaults(void)
{
	const char *directory = getenv("TMPDIR");

	return (struct options){ .size = (size_t)512 << 20,
				 .workers = 16,
				 .seconds = 2,
				 .kills = 2,
				 .directory = directory && *directory ? directory : "/var/tmp",
				 .compare = true };
}

struct options options_from(int argc, char **argv)
{
	static const struct option known[] = {
		{ "size", required_argument, NULL, 's' },
		{ "workers", required_argument, NULL, 'w' },
		{ "seconds", required_argument, NULL, 't' },
		{ "requests", required_argument, NULL, 'r' },
		{ "kill", required_argument, NULL, 'k' },
		{ "directory", required_argument, NULL, 'd' },
		{ "no-compare", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = defaults();
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 's':
			options.size = parse_size(optarg);
			break;
		case 'w':
			options.workers = (unsigned int)parse_number("workers", optarg,
								     POOL_USERS_MAX, false);
			break;
		case 't':
			options.seconds = parse_seconds(optarg);
			break;
		case 'r':
			options.requests = parse_number("requests", optarg, UINT32_MAX, false);
			options.seconds = 0;
			break;
		case 'k':
			options.kills = parse_kills(optarg);
			break;
		case 'd':
			options.directory = optarg;
			break;
		case 'n':
			options.compare = false;
			break;
		case 'h':
			fputs(help, stdout);
			exit(EXIT_SUCCESS);
		default:
			exit(USAGE_ERROR); /* getopt_long() has said why */
		}
	}
	if (optind < argc)
		errx(USAGE_ERROR, "what is \"%s\"? See --help", argv[optind]);
	return options;
}
