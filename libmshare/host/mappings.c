/* SPDX-License-Identifier: MIT */
#include "mappings.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "rights.h"

static struct mapping *mappings;
static size_t count;

int mappings_reserve(void)
{
	struct mapping *grown = reallocarray(mappings, count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	mappings = grown;
	return 0;
}

void mappings_add(void *addr, size_t len, int prot)
{
	mappings[count++] = (struct mapping){ addr, len, prot };
}

const struct mapping *mappings_largest(int prot)
{
	const struct mapping *largest = NULL;

	for (size_t i = 0; i < count; i++)
		if (mappings[i].prot == prot && (!largest || mappings[i].len > largest->len))
			largest = &mappings[i];
	return largest;
}

/* What of the range a mapping has; 0: nothing. */
static size_t overlap(const struct mapping *m, uint64_t off, uint64_t len)
{
	if (off >= m->len)
		return 0;
	return len < m->len - off ? len : m->len - off;
}

/* What was, to be put back: as many parts as there were, so that it takes no more mappings. */
struct before {
	struct right *rights;
	long count;
};

static void put_back(const struct before *before)
{
	for (long i = 0; i < before->count; i++) {
		const struct right *part = &before->rights[i];
		void *addr = (void *)part->start;

		/* Joining what was cut needs no memory that is not there. */
		if (sys_mprotect(addr, part->end - part->start, part->prot))
			abort(); /* better no host than one that has done half of it */
	}
}

static int protect_one(const struct mapping *m, uint64_t off, uint64_t len, int prot,
		       struct before *before)
{
	size_t part = overlap(m, off, len);
	int err;

	*before = (struct before){ 0 };
	if (!part)
		return 0;
	before->count = rights_of(m->addr + off, part, &before->rights);
	if (before->count < 0) {
		err = (int)before->count;
		before->count = 0;
		return err;
	}
	err = sys_mprotect(m->addr + off, part, prot & m->prot);
	if (err)
		put_back(before);
	return err;
}

int mappings_protect(uint64_t off, uint64_t len, int prot)
{
	struct before *before = calloc(count, sizeof(*before));
	size_t done = 0;
	int err = before ? 0 : -ENOMEM;

	while (!err && done < count) {
		err = protect_one(&mappings[done], off, len, prot, &before[done]);
		done++;
	}
	for (size_t i = 0; i < done; i++) {
		if (err && i + 1 < done)
			put_back(&before[i]);
		free(before[i].rights);
	}
	free(before);
	return err;
}

/* About pages, not about mappings: the kernel follows it for those that are mapped only once. */
static bool is_about_pages(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT;
}

/*
 * Takes the entries of all mappings but the last away, so that each page is mapped only once where
 * it is met last. It loses nothing: what is dirty is so in the file. A mapping that keeps its
 * entries (EINVAL: it is locked) keeps the kernel from following the advice, so that is an error.
 */
static int advise_one(const struct mapping *m, uint64_t off, uint64_t len, int advice)
{
	size_t part = overlap(m, off, len);
	int err = part ? sys_madvise(m->addr + off, part, advice) : 0;

	if (err || !part || m == &mappings[count - 1] || !is_about_pages(advice))
		return err;
	return sys_madvise(m->addr + off, part, MADV_DONTNEED);
}

int mappings_advise(uint64_t off, uint64_t len, int advice)
{
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		int this_err = advise_one(&mappings[i], off, len, advice);

		err = err ? err : this_err;
	}
	return err;
}

/* What a mapping had in the range: kept elsewhere, to be put back. */
struct kept {
	struct right *pieces;
	void **copies; /* of each */
	long count; /* that there are copies of */
};

static int keep_pieces(struct kept *kept, long total)
{
	int err = 0;

	kept->copies = calloc((size_t)total, sizeof(*kept->copies));
	if (!kept->copies)
		return -ENOMEM;
	while (!err && kept->count < total) {
		const struct right *piece = &kept->pieces[kept->count];

		err = sys_mremap_copy((void *)piece->start, piece->end - piece->start, NULL,
				      &kept->copies[kept->count]);
		kept->count += !err;
	}
	return err;
}

static int keep(struct kept *kept, const char *addr, size_t len)
{
	long total = rights_of(addr, len, &kept->pieces);

	return total < 0 ? (int)total : keep_pieces(kept, total);
}

static void forget(struct kept *kept)
{
	for (long i = 0; i < kept->count; i++)
		sys_munmap(kept->copies[i], kept->pieces[i].end - kept->pieces[i].start);
	free(kept->copies);
	free(kept->pieces);
}

static void restore(struct kept *kept)
{
	for (long i = 0; i < kept->count; i++) {
		const struct right *piece = &kept->pieces[i];

		if (sys_mremap_to(kept->copies[i], piece->end - piece->start, (void *)piece->start))
			abort(); /* better no host than one that has done half of it */
	}
	kept->count = 0;
}

static int map_one(const struct mapping *m, const struct part *part, struct kept *kept)
{
	size_t len = overlap(m, part->off, part->len);
	void *addr = m->addr + part->off;
	int err = len ? keep(kept, addr, len) : 0;

	if (err || !len)
		return err;
	err = sys_mmap(addr, len, part->prot & m->prot, MAP_SHARED | MAP_FIXED, part->fd,
		       (off_t)part->fd_off, &addr);
	if (err)
		restore(kept);
	return err;
}

int mappings_map(const struct part *part)
{
	struct kept *kept = calloc(count, sizeof(*kept));
	size_t done = 0;
	int err = kept ? 0 : -ENOMEM;

	while (!err && done < count) {
		err = map_one(&mappings[done], part, &kept[done]);
		done++;
	}
	for (size_t i = 0; i < done; i++) {
		if (err && i + 1 < done)
			restore(&kept[i]);
		forget(&kept[i]);
	}
	free(kept);
	return err;
}

int mappings_copy(const struct mapping *from, char *to)
{
	struct right *pieces;
	long pieces_count = rights_of(from->addr, from->len, &pieces);
	int err = pieces_count < 0 ? (int)pieces_count : 0;

	for (long i = 0; !err && i < pieces_count; i++) {
		size_t off = pieces[i].start - (uintptr_t)from->addr;
		void *at;

		err = sys_mremap_copy((void *)pieces[i].start, pieces[i].end - pieces[i].start,
				      to + off, &at);
	}
	free(pieces);
	return err;
}
