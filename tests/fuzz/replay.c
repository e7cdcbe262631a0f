/* SPDX-License-Identifier: MIT */
/*
 * The fuzz target without a fuzzer: all seeds, then a fixed number of inputs made from them by a
 * fixed generator, so that every run is the same. Files given as arguments are replayed instead,
 * and --seeds DIR writes the seeds as files for libFuzzer to start from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeds.h"
#include "target.h"

#define RANDOM_INPUTS 300000

static uint64_t state = 1;

/* splitmix64 by Sebastiano Vigna, public domain. */
static uint64_t next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned int count_seeds(void)
{
	uint8_t buf[SEED_MAX];
	unsigned int count = 0;

	while (seed(count, buf))
		count++;
	return count;
}

/* A few bytes changed, the length now and then; one input in eight is noise only. */
static size_t mutate(uint8_t *buf, size_t size)
{
	uint64_t dice = next_random();

	if (dice % 8 == 0) {
		size = 4 + next_random() % 300;
		for (size_t i = 0; i < size; i++)
			buf[i] = (uint8_t)next_random();
		return size;
	}
	for (uint64_t changes = dice / 8 % 4; changes; changes--) {
		uint64_t at = next_random() % (size < 48 ? size : 48);

		buf[at] = (uint8_t)(next_random() % 4 ? next_random() % 8 : next_random());
	}
	if (dice / 32 % 8 == 0)
		size = 1 + next_random() % size;
	return size;
}

static void replay_random(unsigned int seeds)
{
	uint8_t buf[SEED_MAX];

	for (unsigned int i = 0; i < RANDOM_INPUTS; i++) {
		size_t size = seed((unsigned int)(next_random() % seeds), buf);

		LLVMFuzzerTestOneInput(buf, mutate(buf, size));
	}
}

static void replay_seeds(unsigned int seeds)
{
	uint8_t buf[SEED_MAX];

	for (unsigned int i = 0; i < seeds; i++)
		LLVMFuzzerTestOneInput(buf, seed(i, buf));
}

static int replay_file(const char *path)
{
	uint8_t buf[SEED_MAX];
	FILE *file = fopen(path, "rbe");

	if (!file) {
		perror(path);
		return 1;
	}
	LLVMFuzzerTestOneInput(buf, fread(buf, 1, sizeof(buf), file));
	fclose(file);
	return 0;
}

static int write_seeds(const char *dir, unsigned int seeds)
{
	uint8_t buf[SEED_MAX];

	for (unsigned int i = 0; i < seeds; i++) {
		size_t size = seed(i, buf);
		char path[4096];
		FILE *file;

		snprintf(path, sizeof(path), "%s/seed-%02u", dir, i);
		file = fopen(path, "wbe");
		if (!file || fwrite(buf, 1, size, file) != size || fclose(file) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

/* A run that never got past the first check of a function has not tested it. */
static int judge(void)
{
	static const char *const names[TARGET_COUNT] = { "attr",	 "options_in",
							 "options_out",	 "name",
							 "image header", "image table",
							 "image chunk" };
	int bad = 0;

	for (int i = 0; i < TARGET_COUNT; i++) {
		printf("%-12s %8lu accepted %8lu refused\n", names[i], accepted[i], refused[i]);
		bad |= accepted[i] < 1000 || refused[i] < 1000;
	}
	return bad;
}

int main(int argc, char **argv)
{
	unsigned int seeds = count_seeds();
	int bad = 0;

	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2], seeds);
	for (int i = 1; i < argc; i++)
		bad |= replay_file(argv[i]);
	if (argc > 1)
		return bad;
	replay_seeds(seeds);
	replay_random(seeds);
	return judge();
}
