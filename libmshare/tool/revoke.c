/* SPDX-License-Identifier: MIT */
/* mshare revoke: ends regions for everybody. */
#include <fcntl.h>

#include "names.h"
#include "tool.h"

static int revoke(const struct command *self, const char *name)
{
	mshare_t r = mshare_open(name, O_RDWR, NULL);
	int status = 0;

	if (!r || mshare_revoke(r) || mshare_unlink(name))
		status = tool_failed(self, "%s", mshare_errmsg());
	if (r && mshare_close(r))
		status = tool_failed(self, "%s", mshare_errmsg());
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	int status = tool_options(self, argc, argv, NULL);

	if (status >= 0)
		return status;
	if (optind == argc)
		return tool_misused(self, "which region? usage: mshare revoke NAME...");
	status = 0;
	for (int i = optind; i < argc; i++) {
		char name[REGION_NAME_SIZE];
		int failed = revoke(self, region_name(argv[i], name));

		status = status ? status : failed;
	}
	return status;
}

const struct command command_revoke = {
	.name = "revoke",
	.summary = "end named regions for everybody",
	.help = "usage: mshare revoke NAME...\n"
		"\n"
		"Gives the memory of the regions back at once and removes their names. Every process\n"
		"that touches one gets SIGBUS, which ends it unless it expects that. What the region\n"
		"holds is lost. \"mshare rm\" removes a name and lets its users go on.\n"
		"\n"
		"Example:\n"
		"  mshare revoke /pgbuf\n",
	.run = run,
};
