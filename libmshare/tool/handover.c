/* SPDX-License-Identifier: MIT */
/* mshare handover: who is charged for a named region, and can end its host process. */
#include <fcntl.h>
#include <limits.h>

#include "names.h"
#include "parse.h"
#include "tool.h"
#include "views.h"

/*
 * The host process leaves soon when nobody is attached, and another one belongs to who starts it.
 */
static void warn_if_in_vain(const struct command *self, mshare_t r, const char *name)
{
	cleanup_fd int device = ctl_open();
	struct mshare_ctl_query view;
	uint64_t links = 0;

	for (unsigned int i = 0; device >= 0 && i < VIEW_KINDS; i++) {
		if (!view_ask(device, mshare_fd(r), view_kinds[i].prot, &view))
			links += view.links;
	}
	if (!links)
		tool_warn(self, "%s: nobody is attached: it is forgotten in a second", name);
}

static int hand_over(const struct command *self, const char *name, pid_t pid)
{
	mshare_t r = mshare_open(name, O_RDWR, NULL);
	int status = 0;

	if (!r || mshare_handover(r, pid))
		status = tool_failed(self, "%s", mshare_errmsg());
	else
		warn_if_in_vain(self, r, name);
	if (r && mshare_close(r))
		status = tool_failed(self, "%s", mshare_errmsg());
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	char name[REGION_NAME_SIZE];
	uint64_t pid;
	int status = tool_options(self, argc, argv, NULL);

	if (status >= 0)
		return status;
	if (optind != argc - 2)
		return tool_misused(self,
				    "%d words given, two are needed: mshare handover NAME PID",
				    argc - optind);
	if (parse_count(argv[optind + 1], INT_MAX, &pid))
		return tool_misused(self, "\"%s\" is not a process ID", argv[optind + 1]);
	return hand_over(self, region_name(argv[optind], name), (pid_t)pid);
}

const struct command command_handover = {
	.name = "handover",
	.summary = "charge a named region to the control group of a process",
	.help = "usage: mshare handover NAME PID\n"
		"\n"
		"Moves the host process of the region, whose page tables others share through the\n"
		"kernel module, to the control group of the process: that pays for memory which is\n"
		"touched first from then on, and who stops it ends the host process. \"mshare stat\"\n"
		"tells which process that is. It takes the right to write to the region and to\n"
		"cgroup.procs of the groups.\n"
		"\n"
		"Example: from a batch job to the service that goes on using what it has loaded\n"
		"  mshare handover /pgbuf $(systemctl show -P MainPID postgresql@15-main)\n",
	.run = run,
};
