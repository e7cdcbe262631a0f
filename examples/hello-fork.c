/* SPDX-License-Identifier: MIT */
/*
 * hello-fork: the smallest use. A parent makes an anonymous region, forks, and the two talk
 * through it. The child inherits the mapping: same address, same bytes.
 */
#include <err.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mshare.h>

#define QUESTION "What is in a page table entry?"
#define ANSWER "Eight bytes, in every process."

/* What the two share. A new region reads as zero, so only the semaphore needs setting up. */
struct conversation {
	sem_t asked; /* the second argument of sem_init() makes it work between processes */
	char question[64];
	char answer[64];
};

static int answer_question(struct conversation *talk)
{
	while (sem_wait(&talk->asked) < 0) /* a signal may interrupt it */
		;
	printf("child:  was asked \"%s\"\n", talk->question);
	if (strcmp(talk->question, QUESTION) != 0)
		return EXIT_FAILURE;
	strcpy(talk->answer, ANSWER);
	return EXIT_SUCCESS;
}

static void ask(struct conversation *talk)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		err(EXIT_FAILURE, "fork");
	if (child == 0)
		exit(answer_question(talk));

	strcpy(talk->question, QUESTION); /* after fork(): it travels through the region */
	sem_post(&talk->asked);
	if (waitpid(child, &status, 0) < 0)
		err(EXIT_FAILURE, "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
		errx(EXIT_FAILURE, "the child failed");
}

int main(void)
{
	struct conversation *talk;
	mshare_t region;

	/* No name: who has no descriptor and no common ancestor cannot find it. NULL: defaults. */
	region = mshare_create(NULL, sizeof(*talk), NULL);
	if (!region)
		errx(EXIT_FAILURE, "cannot create a region: %s", mshare_errmsg());
	talk = mshare_attach(region, NULL, 0, sizeof(*talk), PROT_READ | PROT_WRITE, 0);
	if (talk == MAP_FAILED)
		errx(EXIT_FAILURE, "cannot attach the region: %s", mshare_errmsg());

	if (sem_init(&talk->asked, 1, 0) < 0)
		err(EXIT_FAILURE, "sem_init");
	ask(talk);
	printf("parent: was told \"%s\"\n", talk->answer);
	if (strcmp(talk->answer, ANSWER) != 0)
		errx(EXIT_FAILURE, "the answer got lost");

	if (mshare_detach(region, talk, sizeof(*talk)) < 0 || mshare_close(region) < 0)
		errx(EXIT_FAILURE, "cannot give the region back: %s", mshare_errmsg());
	return EXIT_SUCCESS;
}
