/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mshare: page tables shared by processes, as a module on kernels that do not know of it.
 *
 * The page tables of a region are those of one *host* process, which maps the backing file in the
 * ordinary way. An attached process has a VMA of this module over the same range of the file; its
 * PMD entries (*slots*) are made to point to the host's PTE tables, or hold the host's huge PMD
 * entries. All rmap, rss, reclaim and migration is the host VMA's; the attached VMA is in nobody's
 * rmap and owns no page.
 *
 * How a slot is filled: fault.c. How it is emptied: notifier.c, from both sides,
 *   host side      an mmu_notifier on the host's mm. Before the core changes anything in a range of
 *                  the host, the slots over it are emptied in every attached process, their TLBs
 *                  are flushed by one IPI round, and the range is zapped in each attached VMA so
 *                  that other notifiers of those processes (KVM, IOMMU, RDMA) hear of it;
 *   attached side  a mmu_interval_notifier for each link. Before the core walks the attached
 *                  process's tables to change them, its slots are emptied, with a flush and a zap
 *                  as well: the core must never account for pages that are not the process's.
 * Invariant: an empty slot means that no CPU and no secondary MMU of that process holds a
 * translation of the range made through this link; or that its flush is in flight, or its zap is
 * queued or in flight, for which every section of the host over it waits.
 *
 * Lock order
 *   mmap_lock of the attached mm
 *     mmap_lock of the host mm (a host is never attached itself: links_by_mm and views_by_mm)
 *       locks of the core taken inside faults
 *   mshim_views_mutex
 *   any of the core's locks under which notifiers are called (i_mmap_rwsem, anon_vma, folio lock)
 *     view->lock
 *       PMD lock of an attached mm
 *         lock of a PTE table of the host (hints.c)
 *       parts->lock (part.c)
 * From inside, notifiers of the host only try the attached mmap_lock, see walkers.c, and the i_mmap
 * lock of an attach descriptor, see flight.c.
 *
 * What keeps things alive
 *   view        kref: the control descriptor, each attach descriptor, each link
 *   host mm     mm_count by the notifier's registration, as long as the view exists; mm_users by
 *               each link, so that its tables are not torn down under an attached process, also
 *               when the host has been killed
 *   host's pid  a reference of the view, as long as that exists; the process may have ended
 *   link        its VMA: made in mmap() and open(), freed in close(). A zap of the attached VMA
 *               holds it by link->zaps, and by the batch while it is queued: the interval
 *               notifier's UNMAP and RELEASE, which come before tables and VMA go, wait for both
 *   parts       kref: each view of the same file by the same device descriptor. Their lists are
 *               read under their lock, or the views mutex, which changing them takes both; the
 *               files in them are referenced by the lists
 *   PTE table   a reference on its page, taken when its first link is made (view->slots[].table),
 *               dropped after the last is gone and no walker can see it (walkers.c)
 *   upper page tables of an attached process: its VMA, see link
 *   attached mm, for a worker of repair.c: mm_count, and mm_users while it works; it finds links by
 *               their VMAs, under the mmap_lock
 */
#ifndef _MSHIM_H
#define _MSHIM_H

#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "mshare/abi.h"

/* Else the lock of a shared table would be a different one in each process. */
#ifndef MSHIM_SPLIT_PTLOCKS
#error "mshare needs a lock for each page table, which kernels for less than 4 CPUs do not have"
#endif

/* How long one wait of a fault for the end of something takes at most, jiffies. */
#define WAIT_STEP (HZ / 10)

/* A PTE table, or huge PMD entry, of the host that attached processes point to. */
struct mshim_slot {
	struct page *table;	/* referenced while links > 0; NULL for a huge entry */
	unsigned int links;
	unsigned int busy:31;	/* sections in progress over it, but for those over many slots */
	unsigned int no_hints:1;	/* the host's table was seen without: see hints.c */
};

struct mshim_view {
	struct kref ref;
	struct hlist_node by_inode;	/* mshim_views_mutex; unhashed: no new attachments */
	struct hlist_node by_mm;	/* mshim_views_mutex */
	struct list_head of_control;	/* mshim_views_mutex */
	struct mshim_control *control;	/* mshim_views_mutex; NULL: the host has left */
	struct work_struct free_work;
	struct work_struct put_work;	/* mm_users: see mshim_host_put() */

	/* Constant after creation. */
	struct file *backing;		/* referenced */
	kuid_t uid;
	bool writable;
	struct mshim_parts *parts;	/* referenced */
	struct mm_struct *mm;
	struct pid *host;		/* referenced; of the process that registered mm */
	struct mmu_notifier notifier;
	unsigned long start, end;	/* in the host's address space */
	pgoff_t pgoff;			/* of start in the file */
	unsigned long nr_slots;

	atomic_t users;			/* attach descriptors and links, for MSHARE_CTL_WAIT */

	spinlock_t lock;		/* everything below */
	wait_queue_head_t wait;		/* end of invalidations and of zaps */
	bool dead;			/* the host's mm is gone */
	unsigned int invalidating;	/* sections over many slots in progress, and their span */
	unsigned long inval_start, inval_end;
	struct list_head links;
	struct list_head zap_list;	/* links that wait for their zap, in no batch yet */
	struct list_head batches;	/* of zaps, in flight: see zap_batch() */
	struct list_head zaps;		/* in flight, one at a time of each batch */
	struct list_head rounds;	/* of emptying slots, until their flush is done */
	u64 flights;			/* that have begun so far */
	unsigned int nr_links;
	unsigned long nr_tables, nr_entries;
	u64 faults, invalidations, flushes;
	struct mshim_slot *slots;
};

struct mshim_link {
	struct mshim_view *view;	/* referenced, and its mm by mm_users */
	struct vm_area_struct *vma;
	struct mm_struct *mm;		/* vma->vm_mm */
	unsigned long first;		/* slot of the view at vma->vm_start */
	unsigned long nr;		/* slots */
	struct hlist_node by_mm;	/* mshim_links_lock */
	struct mmu_interval_notifier notifier;
	bool notified;			/* notifier is inserted; mmap_lock for writing */

	struct list_head node;		/* view->lock for the rest */
	struct list_head zap_node;
	unsigned long zap_first, zap_last;	/* slots of the link, while it waits */
	unsigned int zaps;
	bool excludes;			/* zaps have the i_mmap lock of the VMA's file: flight.c */
	unsigned long nr_filled, nr_blank;
	bool repairing;			/* a worker is on its way: repair.c */
	unsigned long impatient;	/* jiffies: since when faults wait for it; or 0 */
	unsigned long *filled;		/* bit a slot: it holds a host entry */
	unsigned long *blank;		/* bit a slot: see walkers.c */
};

/* A flush or a zap on its way: on the stack of who does it. */
struct mshim_flight {
	struct list_head node;		/* view->lock, in the order of their numbers */
	u64 number;
	struct task_struct *task;	/* whose stack that is */
};

/* Pages and CPUs of one round of emptying slots. */
struct mshim_round {
	struct mshim_flight flight;
	cpumask_var_t cpus;		/* not allocated: all CPUs */
	bool have_cpus;
	bool emptied;			/* at least one slot */
	bool wait_walkers;		/* see walkers.c */
	struct mm_struct *walked[16];	/* mm_count; where walks may be under way */
	unsigned int nr_walked;
	struct page *tables[64];	/* references to drop after the round */
	unsigned int nr_tables;
};

extern struct mutex mshim_views_mutex;
extern struct workqueue_struct *mshim_workqueue;	/* repair.c: may wait for processes */
extern struct workqueue_struct *mshim_free_workqueue;	/* view.c, link.c */

/* view.c */
struct mshim_control {
	struct list_head views;		/* mshim_views_mutex */
	struct list_head requests;	/* mshim_views_mutex */
	unsigned int waiting;		/* of them, to be taken; written under mshim_views_mutex */
	wait_queue_head_t wait;		/* for requests */
};

struct seq_file;

int mshim_view_create(struct mshim_control *control, const struct mshare_ctl_create *arg,
		      struct file *file);
void mshim_views_show(struct seq_file *out);
struct mshim_view *mshim_view_find(struct file *file, u32 prot);
void mshim_view_put(struct mshim_view *view);
bool mshim_hosts_file(const struct mm_struct *mm, const struct inode *inode);
bool mshim_is_host(struct mm_struct *mm);
pid_t mshim_view_host(const struct mshim_view *view);
bool mshim_view_has_others(const struct mshim_view *view);

static inline bool mshim_view_overlaps(const struct mshim_view *view, unsigned long start,
				       unsigned long end)
{
	return start < view->end && end > view->start;
}

static inline unsigned long mshim_slot_addr(const struct mshim_view *view, unsigned long slot)
{
	return view->start + (slot << PMD_SHIFT);
}

static inline unsigned long mshim_slot_of(const struct mshim_view *view, unsigned long addr)
{
	return (addr - view->start) >> PMD_SHIFT;
}

static inline unsigned long mshim_host_addr(const struct mshim_view *view, pgoff_t pgoff)
{
	return view->start + ((pgoff - view->pgoff) << PAGE_SHIFT);
}

/* control.c */
long mshim_control_wait(struct mshim_control *control, u32 linger_ms);
struct mshim_view *mshim_view_older(struct mshim_view *view);
void mshim_view_count(struct mshim_view *view, struct mshare_ctl_query *q);
unsigned int mshim_control_users(struct mshim_control *control);
void mshim_control_close(struct mshim_control *control);

/* mapping.c */
struct mshim_place {			/* an address of a host */
	struct vm_area_struct *vma;	/* its mmap_lock is held */
	unsigned long addr;
	const struct file *backing;	/* of the region, and where in it this is */
	pgoff_t pgoff;
};

static inline pgoff_t mshim_pgoff_at(const struct vm_area_struct *vma, unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

struct vm_area_struct *mshim_host_vma(const struct mshim_view *view, unsigned long addr,
				      unsigned long *end);
unsigned long mshim_place_end(const struct mshim_place *place, pgoff_t last);
int mshim_check_mapping(struct mm_struct *mm, const struct mshare_ctl_create *arg,
			const struct file *file, struct mshim_parts *parts, pgoff_t *pgoff);

/* part.c */
struct mshim_wanted {			/* pages [first, last] of the region are to be */
	pgoff_t first, last;
	struct file *file;		/* of this, or NULL: of its own */
	pgoff_t pgoff;			/* from here on */
};

struct mshim_parts *mshim_parts_alloc(void);
struct mshim_parts *mshim_parts_get(struct mshim_parts *parts);
void mshim_parts_put(struct mshim_parts *parts);
bool mshim_parts_any(const struct mshim_parts *parts);
bool mshim_parts_anywhere(void);
unsigned int mshim_parts_count(struct mshim_parts *parts);
bool mshim_parts_fit(struct mshim_parts *parts, const struct mshim_place *place, pgoff_t *last);
int mshim_parts_begin(struct mshim_parts *parts, u64 id, const struct mshim_wanted *wanted);
void mshim_parts_end(struct mshim_parts *parts, u64 id, bool done);
int mshim_parts_fsync(struct mshim_parts *parts, loff_t start, loff_t end, int datasync);

/* backing.c */
int mshim_may_map(const struct file *file, bool writable);
struct file *mshim_backing_get(s32 fd, u32 prot);

/* link.c */
void mshim_host_put(struct mshim_view *view);
void mshim_host_put_work(struct work_struct *work);
extern const struct file_operations mshim_attach_fops;
bool mshim_is_attached(struct mm_struct *mm);
int mshim_link_insert_notifier(struct mshim_link *link);
struct mshim_link *mshim_link_of(const struct vm_area_struct *vma);
int mshim_detach(unsigned long addr, unsigned long len);
void mshim_links_exit(void);

static inline unsigned long mshim_link_addr(const struct mshim_link *link, unsigned long nr)
{
	return link->vma->vm_start + (nr << PMD_SHIFT);
}

/* descriptor.c */
int mshim_attach_init(void);
void mshim_attach_exit(void);
int mshim_attach_fd(struct mshim_view *view);

/* fault.c */
vm_fault_t mshim_fault(struct vm_fault *vmf);
vm_fault_t mshim_mkwrite(struct vm_fault *vmf);

/* dump.c */
void mshim_dump_begin(struct mshim_link *link);
bool mshim_dump_omits(const struct mshim_link *link, const struct vm_area_struct *host);

/* access.c */
int mshim_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len, int write);

/* request.c */
long mshim_ask(struct mshim_view *view, const struct mshare_ctl_ask *ask, struct file *map);
long mshim_next(struct mshim_control *control, struct mshare_ctl_next *next);
long mshim_part(struct mshim_control *control, u64 id);
long mshim_answer(struct mshim_control *control, const struct mshare_ctl_answer *answer);
void mshim_requests_end(struct mshim_control *control);

/* repair.c */
void mshim_repair(struct mm_struct *mm, unsigned long address);
vm_fault_t mshim_repair_wait(struct mshim_link *link);
void mshim_repair_later(struct mshim_link *link);

/* notifier.c */
extern const struct mmu_notifier_ops mshim_host_ops;
extern const struct mmu_interval_notifier_ops mshim_link_ops;
void mshim_flush_view(struct mshim_view *view, unsigned long start, unsigned long end);

/* flight.c */
void mshim_flight_begin(struct mshim_view *view, struct list_head *list,
			struct mshim_flight *flight);
void mshim_flight_end(struct mshim_view *view, struct mshim_flight *flight);
void mshim_flights_wait(struct mshim_view *view, struct list_head *list);
void mshim_zap_queue(struct mshim_link *link, unsigned long nr);
void mshim_zap_queued(struct mshim_view *view);
bool mshim_is_zapping(struct mshim_view *view);
void mshim_zaps_wait(struct mshim_view *view);

/* section.c */
void mshim_section_begin(struct mshim_view *view, unsigned long start, unsigned long end);
void mshim_section_end(struct mshim_view *view, unsigned long start, unsigned long end);
bool mshim_invalidating(const struct mshim_view *view, unsigned long addr);
void mshim_section_wait(struct mshim_view *view, unsigned long addr);

/* walkers.c */
int mshim_walkers_init(void);
void mshim_walkers_exit(void);
void mshim_slot_fill(struct mshim_link *link, unsigned long nr, pmd_t *pmd, pmd_t entry);
void mshim_slot_empty(struct mshim_link *link, unsigned long nr, pmd_t *pmd, bool exclusive,
		      struct mshim_round *round);
bool mshim_blanks_remove(struct mshim_link *link);
bool mshim_walkers_lock(struct mshim_link *link);
void mshim_walkers_unlock(struct mshim_link *link, bool locked);
void mshim_round_begin(struct mshim_round *round);
void mshim_round_end(struct mshim_round *round);

static inline bool mshim_round_has_room(const struct mshim_round *round)
{
	return round->nr_tables < ARRAY_SIZE(round->tables);
}

/* hints.c */
#ifndef MSHIM_WALKERS_RECHECK
void mshim_hints_expect(struct mshim_view *view, unsigned long first, unsigned long last);
bool mshim_hints_any(struct mshim_view *view, unsigned long addr, pmd_t entry);
vm_fault_t mshim_hints_resolve(struct mshim_view *view, unsigned long addr, unsigned int flags);
#else
static inline void mshim_hints_expect(struct mshim_view *view, unsigned long first,
				      unsigned long last)
{
}

static inline bool mshim_hints_any(struct mshim_view *view, unsigned long addr, pmd_t entry)
{
	return false;
}

static inline vm_fault_t mshim_hints_resolve(struct mshim_view *view, unsigned long addr,
					     unsigned int flags)
{
	return 0;
}
#endif

/* arch-x86.c */
int mshim_arch_init(void);
pmd_t *mshim_pmd_lookup(struct mm_struct *mm, unsigned long addr);
bool mshim_pmd_linkable(pmd_t pmd);
pmd_t mshim_pmd_exchange(pmd_t *pmd, pmd_t entry);
bool mshim_mapped(struct mm_struct *mm, unsigned long addr, bool write);
void mshim_tlb_add(struct mshim_round *round, struct mm_struct *mm);
void mshim_tlb_flush(struct mshim_round *round);
void mshim_tlb_flush_all(void);

/* stats.c */
void mshim_stats_init(void);
void mshim_stats_exit(void);

#endif
