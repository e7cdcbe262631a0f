/* SPDX-License-Identifier: MIT */
#include "seeds.h"

#include <string.h>

#include "mshare.h"
#include "target.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = {
	"/pgbuf", "/a",	   "/.",  "/..",  "/...", "/",
	"",	  "pgbuf", "//a", "/a/b", "/a/",  "/\377\1\n%s%n",
};

static const size_t name_lengths[] = { 254, 255, 256, 4000 };

static const struct mshare_attr attrs[] = {
	MSHARE_ATTR_INIT,
	{ sizeof(struct mshare_attr), MSHARE_REQUIRE_SHARED_TABLES | MSHARE_NORESERVE,
	  MSHARE_PAGES_PUD, MSHARE_PAGES_THP, MSHARE_ALIGN_PUD, 0777 },
	{ sizeof(struct mshare_attr), 4, 0, 0, 0, 0 },
	{ sizeof(struct mshare_attr), 0, 5, 0, 0, 0 },
	{ sizeof(struct mshare_attr), 0, 0, 5, 0, 0 },
	{ sizeof(struct mshare_attr), 0, MSHARE_PAGES_BASE, MSHARE_PAGES_PMD, 0, 0 },
	{ sizeof(struct mshare_attr), 0, 0, 0, 4, 0 },
	{ sizeof(struct mshare_attr), 0, 0, 0, 0, 01000 },
	{ 0, 0, 0, 0, 0, 0 },
	{ sizeof(struct mshare_attr) - 1, 0, 0, 0, 0, 0 },
	{ sizeof(struct mshare_attr) + 1, 0, 0, 0, 0, 0 },
	{ 4096, 0, 0, 0, 0, 0 },
	{ 4097, 0, 0, 0, 0, 0 },
	{ SIZE_MAX, 0, 0, 0, 0, 0 },
};

/* Bytes behind what the library knows, at offset 32: the last one within 4096 set, or beyond. */
static const size_t tails[] = { 33, 40, 4096 };

static const size_t out_sizes[] = { 0,
				    sizeof(struct mshare_stat) - 1,
				    sizeof(struct mshare_stat),
				    sizeof(struct mshare_stat) + 7,
				    4096,
				    4097,
				    SIZE_MAX };

static size_t name_seed(unsigned int index, uint8_t *buf)
{
	size_t length;

	buf[0] = TARGET_NAME;
	if (index < COUNT(names)) {
		length = strlen(names[index]) + 1;
		memcpy(buf + 1, names[index], length);
		return 1 + length + 2;
	}
	length = name_lengths[index - COUNT(names)];
	memset(buf + 1, 'n', length + 1);
	buf[1] = '/';
	return 1 + length + 1;
}

static size_t tail_seed(size_t claimed, uint8_t *buf)
{
	buf[0] = TARGET_ATTR;
	memcpy(buf + 1, &claimed, sizeof(claimed));
	buf[claimed] = 1;
	return 1 + claimed;
}

static size_t in_seed(uint8_t *buf)
{
	size_t claimed = 8 + 4 * 20;

	buf[0] = TARGET_IN;
	buf[1] = 20;
	buf[2] = 255;
	memcpy(buf + 3, &claimed, sizeof(claimed));
	return 3 + claimed;
}

static size_t out_seed(size_t claimed, uint8_t *buf)
{
	buf[0] = TARGET_OUT;
	memcpy(buf + 1, &claimed, sizeof(claimed));
	return 1 + sizeof(claimed);
}

static size_t attr_seed(const struct mshare_attr *attr, uint8_t *buf)
{
	buf[0] = TARGET_ATTR;
	memcpy(buf + 1, attr, sizeof(*attr));
	return 1 + sizeof(*attr);
}

size_t seed(unsigned int index, uint8_t buf[SEED_MAX])
{
	memset(buf, 0, SEED_MAX);
	if (index < COUNT(names) + COUNT(name_lengths))
		return name_seed(index, buf);
	index -= COUNT(names) + COUNT(name_lengths);
	if (index < COUNT(attrs))
		return attr_seed(&attrs[index], buf);
	index -= COUNT(attrs);
	if (index < COUNT(tails))
		return tail_seed(tails[index], buf);
	index -= COUNT(tails);
	if (index < COUNT(out_sizes))
		return out_seed(out_sizes[index], buf);
	index -= COUNT(out_sizes);
	return index == 0 ? in_seed(buf) : image_seed(index - 1, buf);
}
