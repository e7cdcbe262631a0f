// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Holds a reference to itself, so that it cannot be unloaded: the harness has to notice. */
#include <linux/module.h>

static int __init pinned_init(void)
{
	__module_get(THIS_MODULE);
	return 0;
}

static void __exit pinned_exit(void)
{
}

module_init(pinned_init);
module_exit(pinned_exit);
MODULE_DESCRIPTION("cannot be unloaded");
MODULE_LICENSE("Dual MIT/GPL");
