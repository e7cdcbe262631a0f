// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parts: ranges of a region that a host maps from another file than the region's own, because
 * somebody who may write the region has asked for it (request.c). All views that one device
 * descriptor has of a file share them.
 *
 * While a host exchanges a range, it may be mapped as before or as after: faults in between meet
 * the one or the other, and never wait. A host that dies at that moment leaves it so.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "mshim.h"

static unsigned int parts_per_region = 64;
module_param(parts_per_region, uint, 0644);
MODULE_PARM_DESC(parts_per_region, "ranges of one region that are of other files");

struct part {
	pgoff_t first, last;	/* of the region's file */
	struct file *file;	/* referenced */
	pgoff_t pgoff;		/* of first, in file */
};

/* In order, disjoint. Constant once it is in a struct mshim_parts. */
struct part_list {
	unsigned int nr;
	struct part parts[];
};

struct mshim_parts {
	struct kref ref;		/* of views */
	spinlock_t lock;		/* the rest; innermost */
	struct part_list *now;		/* NULL: none */
	struct part_list *next;		/* what the host is about to map; NULL: nothing */
	u64 id;				/* of the request that next is for */
};

/* Regions with parts: as long as there is none, nobody has to look for them. */
static atomic_t regions_with_parts;

static struct part_list *list_alloc(unsigned int nr)
{
	struct part_list *list = kmalloc(struct_size(list, parts, nr), GFP_KERNEL_ACCOUNT);

	if (list)
		list->nr = 0;
	return list;
}

static void list_free(struct part_list *list)
{
	if (!list)
		return;
	while (list->nr)
		fput(list->parts[--list->nr].file);
	kfree(list);
}

static unsigned int length(const struct part_list *list)
{
	return list ? list->nr : 0;
}

/* The pages [first, last] of a part, joined to the one before where that goes on in the file. */
static void append(struct part_list *list, const struct part *from, pgoff_t first, pgoff_t last)
{
	struct part *before = list->nr ? &list->parts[list->nr - 1] : NULL;
	pgoff_t pgoff = from->pgoff + (first - from->first);

	if (before && before->last + 1 == first &&
	    file_inode(before->file) == file_inode(from->file) &&
	    before->pgoff + (first - before->first) == pgoff) {
		before->last = last;
		return;
	}
	list->parts[list->nr++] = (struct part){ first, last, get_file(from->file), pgoff };
}

/* A new list: part over what there was; without a file it only takes away. NULL: no memory. */
static struct part_list *overlay(const struct part_list *old, const struct part *part)
{
	struct part_list *list = list_alloc(length(old) + 2);
	unsigned int i;

	if (!list)
		return NULL;
	for (i = 0; i < length(old) && old->parts[i].first < part->first; i++)
		append(list, &old->parts[i], old->parts[i].first,
		       min(old->parts[i].last, part->first - 1));
	if (part->file)
		append(list, part, part->first, part->last);
	for (i = 0; i < length(old); i++) {
		if (old->parts[i].last > part->last)
			append(list, &old->parts[i], max(old->parts[i].first, part->last + 1),
			       old->parts[i].last);
	}
	return list;
}

struct mshim_parts *mshim_parts_alloc(void)
{
	struct mshim_parts *parts = kzalloc(sizeof(*parts), GFP_KERNEL_ACCOUNT);

	if (parts) {
		kref_init(&parts->ref);
		spin_lock_init(&parts->lock);
	}
	return parts;
}

struct mshim_parts *mshim_parts_get(struct mshim_parts *parts)
{
	kref_get(&parts->ref);
	return parts;
}

/* Nobody else has a reference, so nobody looks at the lists. */
static void parts_release(struct kref *ref)
{
	struct mshim_parts *parts = container_of(ref, struct mshim_parts, ref);

	if (parts->now || parts->next)
		atomic_dec(&regions_with_parts);
	list_free(parts->now);
	list_free(parts->next);
	kfree(parts);
}

void mshim_parts_put(struct mshim_parts *parts)
{
	kref_put(&parts->ref, parts_release);
}

bool mshim_parts_any(const struct mshim_parts *parts)
{
	return READ_ONCE(parts->now) || READ_ONCE(parts->next);
}

bool mshim_parts_anywhere(void)
{
	return atomic_read(&regions_with_parts);
}

unsigned int mshim_parts_count(struct mshim_parts *parts)
{
	unsigned int count;

	spin_lock(&parts->lock);
	count = max(length(parts->now), length(parts->next));
	spin_unlock(&parts->lock);
	return count;
}

/* The first part that ends at pgoff or behind it; NULL: none. */
static const struct part *part_from(const struct part_list *list, pgoff_t pgoff)
{
	unsigned int i;

	for (i = 0; i < length(list); i++) {
		if (list->parts[i].last >= pgoff)
			return &list->parts[i];
	}
	return NULL;
}

/* Whether vma maps what the list has at pgoff of the region; then *last is how far it says so. */
static bool fits(const struct part_list *list, const struct mshim_place *place, pgoff_t *last)
{
	const struct part *part = part_from(list, place->pgoff);
	const struct inode *inode = file_inode(place->vma->vm_file);
	pgoff_t mapped = mshim_pgoff_at(place->vma, place->addr);

	if (part && part->first <= place->pgoff) {
		*last = part->last;
		return file_inode(part->file) == inode &&
		       part->pgoff + (place->pgoff - part->first) == mapped;
	}
	*last = part ? part->first - 1 : ULONG_MAX;
	return file_inode(place->backing) == inode && place->pgoff == mapped;
}

/*
 * Whether an address of a host maps what everybody is to see there, and up to which page of the
 * region that is certain, as far as vma goes. mmap_lock of the host held: what it maps after a
 * change of the lists is seen with that change.
 */
bool mshim_parts_fit(struct mshim_parts *parts, const struct mshim_place *place, pgoff_t *last)
{
	bool fit;

	if (!mshim_parts_any(parts))
		return fits(NULL, place, last);
	spin_lock(&parts->lock);
	fit = fits(parts->now, place, last) || (parts->next && fits(parts->next, place, last));
	spin_unlock(&parts->lock);
	return fit;
}

/* What host is going to map for request id: see mshim_parts_end(). mshim_views_mutex held. */
int mshim_parts_begin(struct mshim_parts *parts, u64 id, const struct mshim_wanted *wanted)
{
	struct part part = { wanted->first, wanted->last, wanted->file, wanted->pgoff };
	bool before = mshim_parts_any(parts);
	struct part_list *list;

	lockdep_assert_held(&mshim_views_mutex);
	if (parts->next)
		return -EBUSY;
	list = overlay(parts->now, &part); /* only the mutex is needed to read it */
	if (!list)
		return -ENOMEM;
	if (list->nr > parts_per_region && list->nr > length(parts->now)) {
		list_free(list);
		return -EUSERS;
	}
	if (!before)
		atomic_inc(&regions_with_parts);
	spin_lock(&parts->lock);
	WRITE_ONCE(parts->next, list);
	parts->id = id;
	spin_unlock(&parts->lock);
	return 0;
}

/* It has, or could not: then all is as it was. mshim_views_mutex held. */
void mshim_parts_end(struct mshim_parts *parts, u64 id, bool done)
{
	struct part_list *next, *old;

	lockdep_assert_held(&mshim_views_mutex);
	next = parts->next;
	if (!next || parts->id != id)
		return;
	old = done ? parts->now : next;
	spin_lock(&parts->lock);
	if (done)
		WRITE_ONCE(parts->now, next->nr ? next : NULL);
	WRITE_ONCE(parts->next, NULL);
	spin_unlock(&parts->lock);
	list_free(old);
	if (done && !next->nr)
		list_free(next);
	if (!mshim_parts_any(parts))
		atomic_dec(&regions_with_parts);
}

/* Of a list, the file of the first part in [*pgoff, last], referenced, and which; or NULL. */
static struct file *next_part(struct mshim_parts *parts, struct part_list *const *list,
			      pgoff_t *pgoff, pgoff_t last, struct part *out)
{
	const struct part *part;
	struct file *file = NULL;

	spin_lock(&parts->lock);
	part = part_from(*list, *pgoff);
	if (part && part->first <= last) {
		*pgoff = max(*pgoff, part->first);
		*out = *part;
		file = get_file(part->file);
	}
	spin_unlock(&parts->lock);
	return file;
}

static int fsync_list(struct mshim_parts *parts, struct part_list *const *list, loff_t start,
		      loff_t end, int datasync)
{
	pgoff_t pgoff = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	struct file *file;
	struct part part;
	int err = 0;

	while ((file = next_part(parts, list, &pgoff, last, &part))) {
		pgoff_t until = min(last, part.last);
		pgoff_t from = part.pgoff + (pgoff - part.first);
		loff_t to = (loff_t)(from + (until - pgoff) + 1) << PAGE_SHIFT;
		int this_err = vfs_fsync_range(file, (loff_t)from << PAGE_SHIFT, to - 1, datasync);

		err = err ?: this_err;
		fput(file);
		pgoff = until + 1;
		if (!pgoff || pgoff > last)
			break;
	}
	return err;
}

/*
 * Writes back what of [start, end] of the region is in parts, also in those that the host is about
 * to map: it may have, and have died before it said so. These first: when it says so meanwhile they
 * are found among the others. The first error.
 */
int mshim_parts_fsync(struct mshim_parts *parts, loff_t start, loff_t end, int datasync)
{
	int err = fsync_list(parts, &parts->next, start, end, datasync);
	int now_err = fsync_list(parts, &parts->now, start, end, datasync);

	return err ?: now_err;
}
