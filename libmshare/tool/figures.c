/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <stddef.h>

const struct figure_info figure_info[FIGURE_COUNT] = {
	[FIGURE_SIZE] = { "size", "mshare_region_size_bytes", "Size of the region.", false, true },
	[FIGURE_USED] = { "used", "mshare_region_used_bytes",
			  "Memory or storage allocated to the region.", false, true },
	[FIGURE_ATTACHERS] = { "attachers", "mshare_region_attachers",
			       "Processes that map the region, among those that may be looked at.",
			       false, false },
	[FIGURE_LINKED] = { "attachers_linked", "mshare_region_attachers_linked",
			    "Of those, attached through the kernel module.", false, false },
	[FIGURE_ONCE] = { "table_bytes_once", "mshare_region_page_table_shared_bytes",
			  "Page tables kept once for all attached processes.", false, true },
	[FIGURE_SAVED] = { "table_bytes_saved", "mshare_region_page_table_saved_bytes",
			   "Page tables that base pages would need besides in attached processes.",
			   false, true },
	[FIGURE_OWN] = { "table_bytes_attachers", "mshare_region_attacher_page_table_bytes",
			 "All page tables of the attached processes' own.", false, true },
	[FIGURE_LINKS] = { "links", "mshare_region_links",
			   "Mappings attached through the kernel module.", false, false },
	[FIGURE_FAULTS] = { "faults", "mshare_region_faults_total",
			    "Page faults of attached processes that the kernel module served.",
			    true, false },
	[FIGURE_INVALIDATIONS] = { "invalidations", "mshare_region_invalidations_total",
				   "Invalidations that met a shared page table.", true, false },
	[FIGURE_FLUSHES] = { "flushes", "mshare_region_flushes_total",
			     "Rounds of TLB flushes sent for them.", true, false },
	[FIGURE_MINOR_FAULTS] = { "minor_faults", NULL,
				  "All minor page faults of the attached processes.", true, false },
};
