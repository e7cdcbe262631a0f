// SPDX-License-Identifier: GPL-2.0-only
/* Access by others than the attached process itself. */
#include <linux/highmem.h>

#include "mshim.h"

/* ptrace(2) and /proc/PID/mem where get_user_pages() cannot fault: through the host's mapping. */
int mshim_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len, int write)
{
	struct mshim_link *link = vma->vm_private_data;
	unsigned int offset = offset_in_page(addr);
	unsigned long from;
	struct page *page;
	long got;

	if (!link || (write && !(vma->vm_flags & VM_WRITE)))
		return -EFAULT;
	from = mshim_host_addr(link->view, vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT));
	if (mshim_mmap_read_lock_nested(link->view->mm))
		return -EINTR;
	got = mshim_host_vma(link->view, from, NULL) ?
		      mshim_get_page(link->view->mm, from & PAGE_MASK, write, &page) : -EFAULT;
	mmap_read_unlock(link->view->mm);
	if (got != 1)
		return -EFAULT;
	len = min_t(int, len, PAGE_SIZE - offset);
	if (write) {
		memcpy_to_page(page, offset, buf, len);
		set_page_dirty_lock(page);
	} else {
		memcpy_from_page(buf, page, offset, len);
	}
	put_page(page);
	return len;
}
