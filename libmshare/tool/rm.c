/* SPDX-License-Identifier: MIT */
/* mshare rm: removes names; who uses a region keeps it. */
#include "tool.h"

#include "names.h"

static int run(const struct command *self, int argc, char **argv)
{
	int status = tool_options(self, argc, argv, NULL);

	if (status >= 0)
		return status;
	if (optind == argc)
		return tool_misused(self, "which region? usage: mshare rm NAME...");
	status = 0;
	for (int i = optind; i < argc; i++) {
		char name[REGION_NAME_SIZE];

		if (mshare_unlink(region_name(argv[i], name)))
			status = tool_failed(self, "%s", mshare_errmsg());
	}
	return status;
}

const struct command command_rm = {
	.name = "rm",
	.summary = "remove named regions",
	.help = "usage: mshare rm NAME...\n"
		"\n"
		"Removes the names. Processes that use a region keep it until the last one goes.\n"
		"A name may be given without its leading slash.\n"
		"\n"
		"Example:\n"
		"  mshare rm /pgbuf\n",
	.run = run,
};
