/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mshare.h"

#define UNKNOWN_LEVEL 987654
#define UNKNOWN_LEVEL_TEXT "987654"

bool check_in_child;

static void give_up(const struct check_site *site)
{
	if (check_in_child) {
		fflush(NULL);
		_exit(1);
	}
	_fail(site->file, site->line);
}

void check_true(bool ok, const struct check_site *site)
{
	int err = errno;

	if (ok)
		return;
	fprintf(stderr, "%s:%d: not so: %s (errno %s; sentence \"%s\")\n", site->file, site->line,
		site->text, strerrorname_np(err), mshare_errmsg());
	give_up(site);
}

void check_same(uint64_t got, uint64_t wanted, const struct check_site *site)
{
	if (got == wanted)
		return;
	fprintf(stderr, "%s:%d: not so: %s: %llu (%#llx) is not %llu (%#llx)\n", site->file,
		site->line, site->text, (unsigned long long)got, (unsigned long long)got,
		(unsigned long long)wanted, (unsigned long long)wanted);
	give_up(site);
}

void check_leave_sentence(void)
{
	bool refused = mshare_align(1, UNKNOWN_LEVEL) == 0;

	check(refused && strstr(mshare_errmsg(), UNKNOWN_LEVEL_TEXT));
	errno = 0;
}

void check_refusal(bool failed, int expected, const struct check_site *site)
{
	int err = errno;
	const char *sentence = mshare_errmsg();

	if (failed && err == expected && sentence[0] && !strstr(sentence, UNKNOWN_LEVEL_TEXT))
		return;
	fprintf(stderr, "%s:%d: not refused as expected: %s: %s, errno %s, sentence \"%s\"\n",
		site->file, site->line, site->text, failed ? "it failed" : "it worked",
		failed ? strerrorname_np(err) : "unused", sentence);
	give_up(site);
}
