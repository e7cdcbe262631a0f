/* SPDX-License-Identifier: MIT */
/*
 * require-or-accept: say what you must have and what you would like, and see what you got.
 *
 * `prefer` never fails: a region that got less works all the same, only with more page tables.
 * `require` fails with EOPNOTSUPP instead of giving less. Either way nothing happens in silence.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <mshare.h>

#define SIZE ((size_t)4 << 20)

static const char *const pages_text[] = { "anything", "base pages", "transparent huge pages",
					  "reserved huge pages", "reserved gigantic pages" };
static const char *const backend_text[] = { "none", "plain", "thp", "hugetlb", "shim" };

struct wish {
	const char *text;
	struct mshare_attr attr;
};

#define WISH(description, ...)                                                                     \
	{                                                                                          \
		description,                                                                       \
		{                                                                                  \
			.size = sizeof(struct mshare_attr), __VA_ARGS__                            \
		}                                                                                  \
	}
static const struct wish wishes[] = {
	WISH("whatever is best", .prefer = MSHARE_PAGES_AUTO),
	WISH("base pages will do", .prefer = MSHARE_PAGES_BASE),
	WISH("reserved huge pages if possible", .prefer = MSHARE_PAGES_PMD),
	WISH("huge pages of any kind, or nothing", .require = MSHARE_PAGES_THP),
	WISH("reserved huge pages, or nothing", .require = MSHARE_PAGES_PMD),
	WISH("shared page tables, or nothing", .flags = MSHARE_REQUIRE_SHARED_TABLES),
};

/* A refusal must be one that was asked for, and must say why. */
static bool explain_refusal(const struct wish *wish)
{
	const char *sentence;

	if (errno != EOPNOTSUPP) {
		warnx("unexpected failure: %s", mshare_errmsg());
		return false;
	}
	sentence = mshare_errmsg();
	printf("    refused: %s\n", sentence);
	return *sentence && (wish->attr.require || wish->attr.flags);
}

/* What was obtained is never below the requirement; what is below the preference has a reason. */
static bool explain_result(const struct wish *wish, mshare_t region)
{
	struct mshare_stat st = { .size = sizeof(st) };

	if (mshare_stat(region, &st) < 0) {
		warnx("cannot ask: %s", mshare_errmsg());
		return false;
	}
	printf("    got %s, by the %s backend, up to %llu KiB with one entry\n",
	       pages_text[st.pages], backend_text[st.backend],
	       (unsigned long long)st.page_size / 1024);
	if (st.reason[0])
		printf("    not better, because: %s\n", st.reason);
	if (st.pages < wish->attr.require)
		return false;
	if (wish->attr.flags & MSHARE_REQUIRE_SHARED_TABLES)
		return st.flags & MSHARE_STAT_F_SHARED_TABLES;
	return st.pages >= wish->attr.prefer || st.reason[0];
}

static bool try_wish(const struct wish *wish)
{
	mshare_t region = mshare_create(NULL, SIZE, &wish->attr);
	bool honest;

	printf("%s\n", wish->text);
	if (!region)
		return explain_refusal(wish);
	honest = explain_result(wish, region);
	mshare_close(region);
	return honest;
}

int main(void)
{
	bool honest = true;

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if (!try_wish(&wishes[i])) {
			warnx("\"%s\" was not answered as promised", wishes[i].text);
			honest = false;
		}
	return honest ? EXIT_SUCCESS : EXIT_FAILURE;
}
