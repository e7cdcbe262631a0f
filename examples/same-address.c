/* SPDX-License-Identifier: MIT */
/*
 * same-address: real pointers inside a region.
 *
 * One process builds a binary search tree whose nodes point at each other. Another program, which
 * shares nothing with it but the name, walks it: MSHARE_SAME_ADDR gives both the same address.
 *
 *   same-address               builds the tree, then runs itself again as the walker
 *   same-address walk /NAME    walks it
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mshare.h>

#define NODES 100000

struct node {
	struct node *left;
	struct node *right;
	uint64_t key;
};

/* The whole region. `self` lets a reader make sure that it is where the pointers expect it. */
struct forest {
	struct forest *self;
	struct node *root;
	size_t used;
	struct node nodes[NODES];
};

/*
 * The address follows from the identity of the file, so it needs no agreement, but it can be taken
 * in a process that has mapped a lot already: EADDRINUSE. Attach such regions early in main().
 */
static struct forest *attach(mshare_t region, int prot)
{
	struct forest *forest =
		mshare_attach(region, NULL, 0, sizeof(*forest), prot, MSHARE_SAME_ADDR);

	if (forest == MAP_FAILED && errno == EADDRINUSE)
		errx(EXIT_FAILURE, "attach earlier, or store offsets: %s", mshare_errmsg());
	if (forest == MAP_FAILED)
		errx(EXIT_FAILURE, "cannot attach: %s", mshare_errmsg());
	return forest;
}

static void insert(struct forest *forest, uint64_t key)
{
	struct node **link = &forest->root;
	struct node *node = &forest->nodes[forest->used++]; /* reads as zero: no children yet */

	while (*link)
		link = key < (*link)->key ? &(*link)->left : &(*link)->right;
	node->key = key;
	*link = node;
}

/* Keys 0 ... NODES-1 in a scattered order: 7919 is prime, so no key comes twice. */
static void plant(struct forest *forest)
{
	forest->self = forest;
	for (uint64_t i = 0; i < NODES; i++)
		insert(forest, i * 7919 % NODES);
}

/* In order, the keys must come as 0, 1, 2, ...; returns how many came right. */
static uint64_t walk(const struct node *node, uint64_t expected)
{
	if (!node)
		return expected;
	expected = walk(node->left, expected);
	if (node->key != expected)
		errx(EXIT_FAILURE, "key %llu where %llu belongs", (unsigned long long)node->key,
		     (unsigned long long)expected);
	return walk(node->right, expected + 1);
}

static int walk_by_name(const char *name)
{
	mshare_t region = mshare_open(name, O_RDONLY, NULL);
	struct forest *forest;
	uint64_t count;

	if (!region)
		errx(EXIT_FAILURE, "cannot open %s: %s", name, mshare_errmsg());
	forest = attach(region, PROT_READ);
	if (forest->self != forest)
		errx(EXIT_FAILURE, "built at %p, found at %p", (void *)forest->self,
		     (void *)forest);
	count = walk(forest->root, 0);
	printf("walker  %d: followed %llu pointers through a tree at %p\n", getpid(),
	       (unsigned long long)count, (void *)forest);
	mshare_detach(region, forest, sizeof(*forest));
	mshare_close(region);
	return count == NODES ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_walker(const char *name)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		err(EXIT_FAILURE, "fork");
	if (child == 0) {
		execl("/proc/self/exe", "same-address", "walk", name, (char *)NULL);
		err(EXIT_FAILURE, "cannot run myself");
	}
	if (waitpid(child, &status, 0) < 0)
		err(EXIT_FAILURE, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static int build(void)
{
	struct forest *forest;
	mshare_t region;
	char name[64];
	int result;

	snprintf(name, sizeof(name), "/same-address.%d", getpid());
	region = mshare_create(name, sizeof(*forest), NULL);
	if (!region)
		errx(EXIT_FAILURE, "cannot create %s: %s", name, mshare_errmsg());
	forest = mshare_attach(region, NULL, 0, sizeof(*forest), PROT_READ | PROT_WRITE,
			       MSHARE_SAME_ADDR);
	if (forest == MAP_FAILED) {
		warnx("cannot attach: %s", mshare_errmsg());
		mshare_unlink(name); /* leave no name behind */
		return EXIT_FAILURE;
	}
	plant(forest);
	printf("builder %d: planted %d nodes at %p\n", getpid(), NODES, (void *)forest);
	fflush(stdout);

	result = run_walker(name);
	mshare_unlink(name);
	mshare_detach(region, forest, sizeof(*forest));
	mshare_close(region);
	return result;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return build();
	if (argc == 3 && strcmp(argv[1], "walk") == 0)
		return walk_by_name(argv[2]);
	errx(2, "usage: same-address [walk /NAME]");
}
