/* SPDX-License-Identifier: MIT */
/* Does with small memory everything that `mshare run` looks at; between two calls that mark where
 * the loader is done and where exit(3) begins. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL ((size_t)1 << 20)

static void use(void)
{
	char *p = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *q =
		mmap(NULL, 64 * SMALL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int id = shmget(IPC_PRIVATE, SMALL, 0600);
	char *s = shmat(id, NULL, 0);

	memset(p, 1, SMALL);
	memset(s, 1, SMALL);
	mprotect(p, SMALL / 2, PROT_READ);
	madvise(q, SMALL, MADV_DONTNEED);
	p = mremap(p, SMALL, SMALL / 2, 0);
	msync(p, SMALL / 2, MS_SYNC);
	munmap(p, SMALL / 2);
	munmap(q, 64 * SMALL);
	shmdt(s);
	shmctl(id, IPC_RMID, NULL);
	free(malloc(64 * SMALL));
}

int main(void)
{
	pid_t pid;

	getppid();
	use();
	pid = fork();
	if (pid == 0) {
		use();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	getppid();
	return 0;
}
