/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: /sys/kernel/tracing/events/mshare. Files are named by device and inode number. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mshare

#if !defined(_MSHIM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _MSHIM_TRACE_H

#include <linux/tracepoint.h>

#include "mshim.h"

/* A fault of an attached process has filled slots. */
TRACE_EVENT(mshare_link,
	TP_PROTO(const struct mshim_view *view, unsigned long address, unsigned long filled),
	TP_ARGS(view, address, filled),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(ino_t, ino)
		__field(unsigned long, address)
		__field(unsigned long, filled)
	),
	TP_fast_assign(
		__entry->dev = file_inode(view->backing)->i_sb->s_dev;
		__entry->ino = file_inode(view->backing)->i_ino;
		__entry->address = address;
		__entry->filled = filled;
	),
	TP_printk("dev=%u:%u ino=%lu address=%#lx filled=%lu", MAJOR(__entry->dev),
		  MINOR(__entry->dev), (unsigned long)__entry->ino, __entry->address,
		  __entry->filled)
);

/* Slots of one attached process have been emptied. */
TRACE_EVENT(mshare_unlink,
	TP_PROTO(const struct mshim_view *view, unsigned long address, unsigned long emptied),
	TP_ARGS(view, address, emptied),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(ino_t, ino)
		__field(unsigned long, address)
		__field(unsigned long, emptied)
	),
	TP_fast_assign(
		__entry->dev = file_inode(view->backing)->i_sb->s_dev;
		__entry->ino = file_inode(view->backing)->i_ino;
		__entry->address = address;
		__entry->emptied = emptied;
	),
	TP_printk("dev=%u:%u ino=%lu address=%#lx emptied=%lu", MAJOR(__entry->dev),
		  MINOR(__entry->dev), (unsigned long)__entry->ino, __entry->address,
		  __entry->emptied)
);

/* The core invalidates a range of a host. linked: some process had a slot of it. */
TRACE_EVENT(mshare_invalidate,
	TP_PROTO(const struct mshim_view *view, unsigned long start, unsigned long end,
		 bool linked),
	TP_ARGS(view, start, end, linked),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(ino_t, ino)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(bool, linked)
	),
	TP_fast_assign(
		__entry->dev = file_inode(view->backing)->i_sb->s_dev;
		__entry->ino = file_inode(view->backing)->i_ino;
		__entry->start = start;
		__entry->end = end;
		__entry->linked = linked;
	),
	TP_printk("dev=%u:%u ino=%lu start=%#lx end=%#lx linked=%d", MAJOR(__entry->dev),
		  MINOR(__entry->dev), (unsigned long)__entry->ino, __entry->start, __entry->end,
		  __entry->linked)
);

/* One IPI round. tables: references that end with it. */
TRACE_EVENT(mshare_flush,
	TP_PROTO(const struct mshim_round *round),
	TP_ARGS(round),
	TP_STRUCT__entry(
		__field(unsigned int, cpus)
		__field(unsigned int, tables)
	),
	TP_fast_assign(
		__entry->cpus = round->have_cpus ? cpumask_weight(round->cpus) :
						   num_online_cpus();
		__entry->tables = round->nr_tables;
	),
	TP_printk("cpus=%u tables=%u", __entry->cpus, __entry->tables)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
