/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include "tool.h"

bool doctor_better_than_plain(const struct diagnosis *d)
{
	for (int i = MSHARE_BACKEND_PLAIN + 1; i < MSHARE_BACKEND_COUNT; i++) {
		if (d->caps.backend[i].error == 0)
			return true;
	}
	return false;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct diagnosis d = { .caps = { .size = sizeof(d.caps) } };
	bool json = false;
	int status = tool_options(self, argc, argv, &json);

	if (status >= 0)
		return status;
	if (optind < argc)
		return tool_misused(self, "\"%s\" is one argument too many: mshare doctor [--json]",
				    argv[optind]);
	if (mshare_probe(&d.caps)) /* cannot tell: not the same as "only plain" */
		return tool_failed(self, "%s", mshare_errmsg());
	trial_run(d.trials, d.caps.pmd_size);
	advice_find(&d);
	if (json)
		doctor_print_json(&d);
	else
		doctor_print_text(&d);
	return doctor_better_than_plain(&d) ? 0 : 1;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "tell what this machine can do, and the command that would make it better",
	.help = "usage: mshare doctor [--json]\n"
		"\n"
		"Shows page sizes; for each backend whether a new region can have it, or why not;\n"
		"which one a region gets when nothing is asked for, found out by making one; and\n"
		"the commands that would give this machine more. Nothing is changed.\n"
		"\n"
		"  --json  one object\n"
		"\n"
		"Exit status: 0 if there is better than plain pages, 1 if not, 2 for wrong usage.\n"
		"\n"
		"Example: the commands alone\n"
		"  mshare doctor --json | jq -r '.better[].command'\n",
	.run = run,
};
