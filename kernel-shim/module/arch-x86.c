// SPDX-License-Identifier: GPL-2.0-only
/* What depends on the architecture: the way to a PMD entry, and TLBs. x86-64. */
#include <linux/cpumask.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/mmu_context.h>
#include <asm/tlbflush.h>

#include "mshim.h"

int mshim_arch_init(void)
{
	/* Its page tables belong to the hypervisor, which wants to know each table's one owner. */
	if (boot_cpu_has(X86_FEATURE_XENPV)) {
		pr_err("mshare: page tables cannot be shared in a Xen PV guest\n");
		return -ENODEV;
	}
#ifdef X86_FEATURE_INVLPGB
	/* To switch to a global ASID does not look at tlb_gen: see mshim_tlb_add(). */
	if (boot_cpu_has(X86_FEATURE_INVLPGB)) {
		pr_err("mshare: not on processors that flush TLBs by broadcast, yet\n");
		return -ENODEV;
	}
#endif
	return 0;
}

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
	/* Not pmd_present(), which is also true of a huge entry that is being changed. */
	if (pmd_none(pmd) || !(pmd_flags(pmd) & _PAGE_PRESENT) || pmd_devmap(pmd))
		return false;
	return pmd_trans_huge(pmd) || !pmd_bad(pmd);
}

/* At once: a CPU that writes through the old entry sets its dirty bit before this, or faults. */
pmd_t mshim_pmd_exchange(pmd_t *pmd, pmd_t entry)
{
	return __pmd(xchg((pmdval_t *)pmd, pmd_val(entry)));
}

/*
 * Whether an access needs no fault of mm. The caller's lock keeps VMA and tables, and no notifier
 * section is in progress over addr, so what is seen as mapped stays mapped.
 */
bool mshim_mapped(struct mm_struct *mm, unsigned long addr, bool write)
{
	pmd_t *pmd = mshim_pmd_lookup(mm, addr);
	pmd_t entry = pmd ? READ_ONCE(*pmd) : __pmd(0);
	pte_t pte;

	if (!mshim_pmd_linkable(entry))
		return false;
	if (pmd_trans_huge(entry))
		return !write || pmd_write(entry);
	pte = READ_ONCE(*pte_offset_kernel(&entry, addr));
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

/* Of everybody. */
void mshim_tlb_flush_all(void)
{
	on_each_cpu(flush_here, NULL, 1);
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
		mshim_tlb_flush_all();
}
