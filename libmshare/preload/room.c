/* SPDX-License-Identifier: MIT */
#include "room.h"

#include "align.h"
#include "raw.h"

void *room_find(size_t len)
{
	uint64_t align = align_for(page_sizes(), len, MSHARE_ALIGN_AUTO);
	struct map_call room = { .len = len + 2 * align,
				 .prot = PROT_NONE,
				 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				 .fd = -1 };
	void *start;

	if (room.len < len || raw_mmap(&room, &start) || raw_munmap(start, room.len))
		return NULL;
	return (void *)(align_down((uintptr_t)start + align - 1, align));
}
