/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backing.h"
#include "expect.h"
#include "guarded.h"
#include "log.h"
#include "options.h"
#include "target-image.h"

#define LARGEST_STRUCT 4096
#define LARGEST_NAME 255

unsigned long accepted[TARGET_COUNT];
unsigned long refused[TARGET_COUNT];

void fuzz_count(enum target target, int err)
{
	if (err)
		refused[target]++;
	else
		accepted[target]++;
	EXPECT(!err || fail_reason()[0]);
}

static size_t size_field(const uint8_t *data, size_t size)
{
	size_t field = 0;

	memcpy(&field, data, size < sizeof(field) ? size : sizeof(field));
	return field;
}

/* The caller's struct: as long as its size field says, or, when that is refused at sight, nothing
 * but the size field. */
static void *caller_struct(const uint8_t *data, size_t size, size_t first)
{
	size_t claimed = size_field(data, size);
	bool plausible = claimed >= first && claimed <= LARGEST_STRUCT;

	return guarded_copy(data, size, plausible ? claimed : sizeof(claimed));
}

static int expected_size_error(size_t claimed, size_t first)
{
	if (claimed < first)
		return -EINVAL;
	return claimed > LARGEST_STRUCT ? -E2BIG : 0;
}

static bool all_zero(const uint8_t *bytes, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool attr_is_valid(const struct mshare_attr *attr)
{
	return attr->flags <= (MSHARE_REQUIRE_SHARED_TABLES | MSHARE_NORESERVE) &&
	       attr->prefer <= MSHARE_PAGES_PUD && attr->require <= MSHARE_PAGES_PUD &&
	       (attr->prefer == MSHARE_PAGES_AUTO || attr->prefer >= attr->require) &&
	       attr->align <= MSHARE_ALIGN_PUD && attr->mode <= 0777;
}

static int expected_attr_error(const uint8_t *bytes)
{
	struct mshare_attr attr;
	size_t claimed = size_field(bytes, sizeof(claimed));
	int err = expected_size_error(claimed, ATTR_SIZE_V0);

	if (err)
		return err;
	if (!all_zero(bytes, sizeof(attr), claimed))
		return -E2BIG;
	memcpy(&attr, bytes, sizeof(attr));
	return attr_is_valid(&attr) ? 0 : -EINVAL;
}

static void fuzz_attr(const uint8_t *data, size_t size)
{
	const uint8_t *in = caller_struct(data, size, ATTR_SIZE_V0);
	struct mshare_attr out, asked;
	int err = options_attr((const void *)in, &out);

	EXPECT(err == expected_attr_error(in));
	fuzz_count(TARGET_ATTR, err);
	if (err)
		return;
	memcpy(&asked, in, sizeof(asked));
	EXPECT(out.size == sizeof(out));
	EXPECT(out.flags == asked.flags && out.prefer == asked.prefer);
	EXPECT(out.require == asked.require && out.align == asked.align);
	EXPECT(out.mode == (asked.mode ? asked.mode : 0600));
}

/* Structs of any length: the first two bytes say what this library knows and the first release
 * knew. */
static void fuzz_in(const uint8_t *data, size_t size)
{
	size_t known = 8 + (size_t)data[0] * 4;
	size_t first = 8 + (size_t)data[1] * (known - 8) / 255;
	const uint8_t *in = caller_struct(data + 2, size - 2, first);
	size_t claimed = size_field(in, sizeof(claimed));
	uint8_t out[8 + 255 * 4];
	int expected = expected_size_error(claimed, first);
	size_t copied = claimed < known ? claimed : known;
	int err;

	memset(out, 0xa5, sizeof(out));
	err = options_in(out, known, in, first, "fuzz");
	if (expected == 0 && !all_zero(in, known, claimed))
		expected = -E2BIG;
	EXPECT(err == expected);
	fuzz_count(TARGET_IN, err);
	if (err)
		return;
	EXPECT(size_field(out, sizeof(known)) == known);
	EXPECT(memcmp(out + 8, in + 8, copied - 8) == 0);
	for (size_t i = copied; i < sizeof(out); i++)
		EXPECT(out[i] == 0xa5);
}

static void fuzz_out(const uint8_t *data, size_t size)
{
	uint8_t *dst = caller_struct(data, size, sizeof(struct mshare_stat));
	size_t claimed = size_field(dst, sizeof(claimed));
	size_t known = sizeof(struct mshare_stat);
	uint8_t src[sizeof(struct mshare_stat)];
	int err = options_out_size(claimed, known, "mshare_stat");

	EXPECT(err == expected_size_error(claimed, known));
	fuzz_count(TARGET_OUT, err);
	if (err)
		return;
	for (size_t i = 0; i < known; i++)
		src[i] = data[i % size] ^ 0x5a;
	options_out(dst, src, known);
	EXPECT(size_field(dst, sizeof(claimed)) == claimed);
	EXPECT(memcmp(dst + 8, src + 8, known - 8) == 0);
	EXPECT(all_zero(dst, known, claimed));
}

static int expected_name_error(const char *name)
{
	size_t letters = strlen(name);

	if (name[0] != '/' || strrchr(name, '/') != name || letters == 1)
		return -EINVAL;
	if (strcmp(name, "/.") == 0 || strcmp(name, "/..") == 0)
		return -EINVAL;
	return letters - 1 > LARGEST_NAME ? -ENAMETOOLONG : 0;
}

static void fuzz_name(const uint8_t *data, size_t size)
{
	char *whole = guarded_copy(data, size, size + 1);
	char *name = whole + size - strlen(whole); /* ends at the guard */
	int err;

	memmove(name, whole, strlen(whole) + 1);
	err = backing_check_name(name);
	EXPECT(err == expected_name_error(name));
	fuzz_count(TARGET_NAME, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[TARGET_COUNT])(const uint8_t *, size_t) = {
		fuzz_attr, fuzz_in, fuzz_out, fuzz_name, fuzz_head, fuzz_table, fuzz_chunk,
	};

	if (size < 4 || size > GUARDED_MAX / 2)
		return 0;
	targets[data[0] % TARGET_COUNT](data + 1, size - 1);
	return 0;
}
