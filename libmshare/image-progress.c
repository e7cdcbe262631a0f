/* SPDX-License-Identifier: MIT */
#include "image-progress.h"

#include <errno.h>
#include <inttypes.h>

#include "log.h"

int image_progress_add(struct image_progress *p, uint64_t bytes)
{
	int answer;

	p->done = bytes < p->total - p->done ? p->done + bytes : p->total;
	if (!p->attr->progress)
		return 0;
	answer = p->attr->progress(p->attr->arg, p->done, p->total);
	if (!answer || p->too_late)
		return 0;
	return fail(-ECANCELED,
		    "the progress function answered %d, to stop, at %" PRIu64 " of %" PRIu64
		    " bytes",
		    answer, p->done, p->total);
}
