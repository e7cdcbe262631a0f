/* SPDX-License-Identifier: MIT */
/* Wrong usage is one line on stderr and status 2, and nothing is done. */
#include <stdio.h>
#include <string.h>

#include "mshare.h"
#include "tool.h"

static void help_is_on_stdout(void **state)
{
	static const char *const commands[] = { "",	 "doctor", "list",    "stat", "top",
						"rm",	 "revoke", "metrics", "save", "load",
						"bench", "run",	   "handover" };

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct tool_run *run = tool("%s --help", commands[i]);

		assert_int_equal(run->status, 0);
		assert_string_equal(run->err, "");
		check_contains(run->out, "usage: mshare");
		check_contains(run->out, commands[i]);
		check_contains(run->out, "\nExample");
		check_no_escape(run->out);
	}
}

static void help_about_a_command(void **state)
{
	(void)state;
	check_contains(tool("help top")->out, "usage: mshare top");
	check_contains(tool("help")->out, "usage: mshare COMMAND");
	check_complaint(tool("help topp"), 2, "did you mean \"top\"?");
}

static void version_is_the_header_s(void **state)
{
	char want[64];

	(void)state;
	snprintf(want, sizeof(want), "mshare %d.%d.%d\n", MSHARE_VERSION_MAJOR,
		 MSHARE_VERSION_MINOR, MSHARE_VERSION_PATCH);
	assert_string_equal(tool("--version")->out, want);
}

static void no_command_is_wrong(void **state)
{
	const struct tool_run *run = tool(" ");

	(void)state;
	assert_int_equal(run->status, 2);
	assert_string_equal(run->out, "");
	check_contains(run->err, "usage: mshare");
}

static void unknown_commands(void **state)
{
	(void)state;
	check_complaint(tool("docter"), 2, "did you mean \"doctor\"?");
	check_complaint(tool("lst"), 2, "did you mean \"list\"?");
	check_complaint(tool("metric"), 2, "did you mean \"metrics\"?");
	check_complaint(tool("frobnicate"), 2, "mshare --help");
	check_complaint(tool("--frobnicate"), 2, "mshare --help");
}

static void unknown_options(void **state)
{
	(void)state;
	check_complaint(tool("doctor --frob"), 2, "--frob");
	check_complaint(tool("doctor --json=x"), 2, "--json=x");
	check_complaint(tool("list -x"), 2, "-x");
	check_complaint(tool("rm --json /a"), 2, "--json");
	check_complaint(tool("bench tables --procs"), 2, "--procs needs a value");
}

static void operands_are_counted(void **state)
{
	(void)state;
	check_complaint(tool("doctor now"), 2, "\"now\"");
	check_complaint(tool("list /a"), 2, "\"/a\"");
	check_complaint(tool("stat"), 2, "0 names given");
	check_complaint(tool("stat /a /b"), 2, "2 names given");
	check_complaint(tool("metrics /a"), 2, "\"/a\"");
	check_complaint(tool("rm"), 2, "rm NAME");
	check_complaint(tool("revoke"), 2, "revoke NAME");
	check_complaint(tool("handover /a"), 2, "handover NAME PID");
	check_complaint(tool("handover /a 1 2"), 2, "3 words given");
	check_complaint(tool("handover /a 0"), 2, "\"0\" is not a process ID");
	check_complaint(tool("handover /a 12x"), 2, "\"12x\" is not a process ID");
	check_complaint(tool("handover /a 99999999999"), 2, "not a process ID");
	check_complaint(tool("bench"), 2, "bench tables");
	check_complaint(tool("bench table"), 2, "\"table\"");
	check_complaint(tool("bench tables more"), 2, "\"more\"");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_is_on_stdout),	   cmocka_unit_test(help_about_a_command),
		cmocka_unit_test(version_is_the_header_s), cmocka_unit_test(no_command_is_wrong),
		cmocka_unit_test(unknown_commands),	   cmocka_unit_test(unknown_options),
		cmocka_unit_test(operands_are_counted),
	};

	tool_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
