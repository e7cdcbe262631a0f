/* SPDX-License-Identifier: MIT */
#include "window.h"

#include <errno.h>

#include "align.h"
#include "log.h"
#include "place.h"

int window_open(const struct region *r, const char *call, const struct range *range, int prot,
		struct window *out)
{
	uint64_t start = align_down((uint64_t)range->off, r->grid);
	struct place_request place = {
		.align = r->grid, .prot = prot, .fd = r->fd, .off = (off_t)start
	};
	char text[SIZE_TEXT];
	uint64_t end;
	int err = align_up((uint64_t)range->off + range->len, range_page(r), &end);

	if (!err) {
		place.len = end - start;
		err = place_anywhere(&place, &out->map);
	}
	if (err)
		return fail(err == -EAGAIN ? -ENOMEM : err,
			    "%s: %s of the region cannot be mapped (error %d)", call,
			    size_text(range->len, text), -err);
	out->map_len = place.len;
	out->addr = (char *)out->map + ((uint64_t)range->off - start);
	out->len = end - (uint64_t)range->off;
	return 0;
}

void window_close(const struct window *w)
{
	sys_munmap(w->map, w->map_len);
	place_freed(w->map, w->map_len);
}
