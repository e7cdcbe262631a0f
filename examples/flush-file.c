/* SPDX-License-Identifier: MIT */
/*
 * flush-file: a region over an ordinary file. Records are written with plain stores, brought to
 * stable storage by mshare_flush(), and checked by another process with nothing but read(2).
 *
 *   flush-file [FILE]    FILE must not exist, and is removed at the end
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mshare.h>

struct record {
	uint64_t number; /* from 1, so that zeros are no record */
	uint64_t check; /* follows from the number */
	char text[112];
};

#define FILE_SIZE ((size_t)32 << 20)
#define HALF (FILE_SIZE / 2)
#define RECORDS (FILE_SIZE / sizeof(struct record))

static uint64_t check_of(uint64_t number)
{
	return (number ^ 0x6d73686172650000) * 0x9e3779b97f4a7c15;
}

static void write_records(struct record *records)
{
	for (uint64_t i = 0; i < RECORDS; i++) {
		records[i].number = i + 1;
		records[i].check = check_of(i + 1);
		snprintf(records[i].text, sizeof(records[i].text), "record %llu of %zu",
			 (unsigned long long)i + 1, (size_t)RECORDS);
	}
}

static bool is_record(const struct record *record, uint64_t number)
{
	return record->number == number && record->check == check_of(number);
}

static bool is_empty(const struct record *record)
{
	static const struct record nothing;

	return memcmp(record, &nothing, sizeof(nothing)) == 0;
}

/* Runs in a process of its own: records before `end`, zeros from there on, as read(2) sees them. */
static int verify_file(const char *path, size_t end)
{
	FILE *file = fopen(path, "re");
	struct record record;
	size_t count = 0;

	if (!file) {
		warn("cannot open %s", path);
		return EXIT_FAILURE;
	}
	for (; fread(&record, sizeof(record), 1, file) == 1; count++) {
		bool kept = count * sizeof(record) < end;

		if (kept ? !is_record(&record, count + 1) : !is_empty(&record)) {
			warnx("record %zu is wrong in the file", count + 1);
			break;
		}
	}
	fclose(file);
	printf("reader %d: %zu records are there, %zu are gone\n", getpid(), end / sizeof(record),
	       count - end / sizeof(record));
	fflush(stdout);
	return count == RECORDS ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool another_process_agrees(const char *path, size_t end)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child < 0)
		err(EXIT_FAILURE, "fork");
	if (child == 0)
		_exit(verify_file(path, end)); /* the file is the parent's to remove */
	if (waitpid(child, &status, 0) < 0)
		err(EXIT_FAILURE, "waitpid");
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/*
 * read(2) sees stores at once, flushed or not: both look at the page cache. What MSHARE_FLUSH_DATA
 * adds is that they survive a power cut from here on. Flush what you wrote, not the whole file.
 */
static bool flush_records(mshare_t region, const char *path)
{
	struct mshare_stat st = { .size = sizeof(st) };

	if (mshare_flush(region, 0, FILE_SIZE, MSHARE_FLUSH_DATA) < 0)
		errx(EXIT_FAILURE, "cannot flush: %s", mshare_errmsg());
	if (mshare_stat(region, &st) < 0)
		errx(EXIT_FAILURE, "cannot ask: %s", mshare_errmsg());
	printf("writer %d: flushed %zu records, %llu MiB of storage, through %s\n", getpid(),
	       (size_t)RECORDS, (unsigned long long)st.used >> 20,
	       st.flags & MSHARE_STAT_F_IO_URING ? "io_uring" : "system calls");
	return st.flushes == 1 && another_process_agrees(path, FILE_SIZE);
}

/* Gives the storage of the second half back. Everybody, attached or reading, sees zeros there. */
static bool discard_half(mshare_t region, const struct record *records, const char *path)
{
	struct mshare_stat before = { .size = sizeof(before) }, after = { .size = sizeof(after) };

	if (mshare_stat(region, &before) < 0)
		errx(EXIT_FAILURE, "cannot ask: %s", mshare_errmsg());
	if (mshare_flush(region, HALF, FILE_SIZE - HALF, MSHARE_FLUSH_DISCARD) < 0) {
		warnx("nothing given back: %s", mshare_errmsg());
		return errno == EOPNOTSUPP; /* some file systems cannot punch holes */
	}
	if (mshare_stat(region, &after) < 0)
		errx(EXIT_FAILURE, "cannot ask: %s", mshare_errmsg());
	printf("writer %d: gave %llu MiB back\n", getpid(),
	       (unsigned long long)(before.used - after.used) >> 20);
	return before.used - after.used >= FILE_SIZE - HALF &&
	       is_record(&records[HALF / sizeof(*records) - 1], HALF / sizeof(*records)) &&
	       is_empty(&records[HALF / sizeof(*records)]) && another_process_agrees(path, HALF);
}

static bool use(int fd, const char *path)
{
	mshare_t region = mshare_from_fd(fd, NULL); /* the descriptor stays ours */
	struct record *records;
	bool right;

	if (!region)
		errx(EXIT_FAILURE, "%s cannot be a region: %s", path, mshare_errmsg());
	records = mshare_attach(region, NULL, 0, FILE_SIZE, PROT_READ | PROT_WRITE, 0);
	if (records == MAP_FAILED)
		errx(EXIT_FAILURE, "cannot attach %s: %s", path, mshare_errmsg());
	write_records(records);
	right = flush_records(region, path) && discard_half(region, records, path);
	mshare_detach(region, records, FILE_SIZE);
	mshare_close(region);
	return right;
}

static const char *created;

static void remove_created(void)
{
	unlink(created);
}

/* A store into a hole would be SIGBUS once the disk is full: all blocks are allocated first. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		err(EXIT_FAILURE, "cannot make %s", path);
	created = path;
	atexit(remove_created);
	errno = posix_fallocate(fd, 0, FILE_SIZE);
	if (errno)
		err(EXIT_FAILURE, "cannot make %s %zu bytes long", path, FILE_SIZE);
	return fd;
}

int main(int argc, char **argv)
{
	char here[64];
	bool right;
	int fd;

	if (argc > 2)
		errx(2, "usage: flush-file [FILE]");
	snprintf(here, sizeof(here), "flush-file.%d.tmp", getpid());
	fd = make_file(argc == 2 ? argv[1] : here);
	right = use(fd, created);
	close(fd);
	if (!right)
		warnx("%s does not hold what it should", created);
	return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
