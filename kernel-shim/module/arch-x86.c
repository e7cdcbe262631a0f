// SPDX-License-Identifier: GPL-2.0-only
/* What depends on the architecture: the way to a PMD entry, and TLBs. x86-64. */
#include <linux/cpumask.h>
#include <linux/smp.h>
#include <asm/mmu_context.h>
#include <asm/tlbflush.h>

#include "mshim.h"

/*
 * The entry that maps addr, or NULL where no PMD table exists. The tables above it live as long as
 * a VMA over addr does: in the host, its mmap_lock or a notifier section holds that VMA; in an
 * attached process the link does.
 */
pmd_t *mshim_pmd_lookup(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud) || pud_leaf(*pud) || pud_bad(*pud))
		return NULL;
	return pmd_offset(pud, addr);
}

/*
 * A PTE table, or a huge page. A huge page that is mapped read-only is split by the core when it is
 * written to, which empties the slot first; the next fault then asks the host for write access.
 */
bool mshim_pmd_linkable(pmd_t pmd)
{
	if (pmd_none(pmd) || !pmd_present(pmd) || pmd_protnone(pmd) || pmd_devmap(pmd))
		return false;
	return pmd_trans_huge(pmd) || !pmd_bad(pmd);
}

/*
 * Whether an access needs no fault of mm. The caller's lock keeps VMA and tables, and no notifier
 * section is in progress over addr, so what is seen as mapped stays mapped.
 */
bool mshim_mapped(struct mm_struct *mm, unsigned long addr, bool write)
{
	pmd_t *pmd = mshim_pmd_lookup(mm, addr);
	pte_t pte;

	if (!pmd || !mshim_pmd_linkable(*pmd))
		return false;
	if (pmd_trans_huge(*pmd))
		return !write || pmd_write(*pmd);
	pte = READ_ONCE(*pte_offset_kernel(pmd, addr));
	return (pte_flags(pte) & _PAGE_PRESENT) && (!write || pte_write(pte));
}

/*
 * Makes mm part of the next flush, after its entries were changed. As inc_mm_tlb_gen(), which
 * modules do not get: a CPU that switches to mm later sees the new generation and flushes then;
 * the full barrier orders the change of the entries before the look at who runs mm now. Pairs with
 * the setting of the CPU's bit in mm_cpumask before tlb_gen is read in switch_mm_irqs_off().
 */
void mshim_tlb_add(struct mshim_round *round, struct mm_struct *mm)
{
	atomic64_inc_return(&mm->context.tlb_gen);
	if (round->have_cpus)
		cpumask_or(round->cpus, round->cpus, mm_cpumask(mm));
}

static void flush_here(void *unused)
{
	__flush_tlb_all();
}

/*
 * One IPI round to every CPU that runs one of the processes. It also ends every lockless walk
 * (GUP-fast, with interrupts off) that may still look at a table that was just unlinked.
 */
void mshim_tlb_flush(struct mshim_round *round)
{
	if (round->have_cpus)
		on_each_cpu_mask(round->cpus, flush_here, NULL, true);
	else
		on_each_cpu(flush_here, NULL, 1);
}
