/* SPDX-License-Identifier: MIT */
/* Sentences belong to a thread, are never longer than their place, and sizes in them are exact. */
#include "log.h"
#include "mock-sys.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* A failure that reaches the caller of the library. */
#define leaves(...)                                                                                \
	({                                                                                         \
		int left_with = fail(__VA_ARGS__);                                                 \
		fail_publish();                                                                    \
		left_with;                                                                         \
	})

static void empty_before_the_first_failure(void **state)
{
	(void)state;
	assert_string_equal(fail_message(), "");
	assert_string_equal(fail_reason(), "");
}

/* A failure that the library gets over must not show as the caller's last error. */
static void published_only_when_it_leaves(void **state)
{
	(void)state;
	assert_int_equal(leaves(-EINVAL, "first"), -EINVAL);
	assert_int_equal(fail(-ENOENT, "second, overcome"), -ENOENT);
	assert_string_equal(fail_reason(), "second, overcome");
	assert_string_equal(fail_message(), "first");
	fail_publish();
	assert_string_equal(fail_message(), "second, overcome");
}

static void keeps_the_error_and_the_last_sentence(void **state)
{
	(void)state;
	assert_int_equal(leaves(-EINVAL, "length %d is odd", 7), -EINVAL);
	assert_string_equal(fail_message(), "length 7 is odd");
	assert_int_equal(leaves(-ENOENT, "%s", "no such name"), -ENOENT);
	assert_string_equal(fail_message(), "no such name");
	assert_int_equal(leaves(0, "not an error"), 0);
	assert_string_equal(fail_message(), "not an error");
}

static void long_sentence_is_cut(void **state)
{
	char text[5000];
	size_t length;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(leaves(-EIO, "<%s>", text), -EIO);
	length = strlen(fail_message());
	assert_in_range(length, 256, 1023);
	assert_int_equal(fail_message()[0], '<');
	assert_int_equal(strspn(fail_message() + 1, "x"), length - 1);
	assert_int_equal(leaves(-EIO, "short"), -EIO);
	assert_string_equal(fail_message(), "short");
}

struct speaker {
	pthread_barrier_t *barrier;
	int number;
	bool began_empty;
	bool kept_own;
};

static void *speak(void *arg)
{
	struct speaker *me = arg;
	char mine[64];

	me->began_empty = fail_message()[0] == '\0';
	me->kept_own = true;
	for (int round = 0; round < 100; round++) {
		snprintf(mine, sizeof(mine), "thread %d round %d", me->number, round);
		if (leaves(-me->number, "thread %d round %d", me->number, round) != -me->number)
			me->kept_own = false;
		pthread_barrier_wait(me->barrier);
		if (strcmp(fail_message(), mine) != 0)
			me->kept_own = false;
		pthread_barrier_wait(me->barrier);
	}
	return NULL;
}

static void every_thread_has_its_own(void **state)
{
	enum { THREADS = 4 };
	struct speaker speakers[THREADS];
	pthread_t threads[THREADS];
	pthread_barrier_t barrier;

	(void)state;
	assert_int_equal(leaves(-EPERM, "main"), -EPERM);
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		speakers[i] = (struct speaker){ .barrier = &barrier, .number = i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, speak, &speakers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_true(speakers[i].began_empty);
		assert_true(speakers[i].kept_own);
	}
	pthread_barrier_destroy(&barrier);
	assert_string_equal(fail_message(), "main");
}

/* What `fail(-EIO, text)` prints on stderr. */
static size_t printed_by_failure(const char *text, char *buf, size_t size)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t got;
	int err;

	assert_non_null(file);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	err = fail(-EIO, "%s", text);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(err, -EIO);
	rewind(file);
	got = fread(buf, 1, size - 1, file);
	buf[got] = '\0';
	fclose(file);
	return got;
}

static void silent_unless_asked(void **state)
{
	char out[2048];
	char text[1000];

	(void)state;
	assert_int_equal(printed_by_failure("quiet", out, sizeof(out)), 0);
	mock_env("MSHARE_DEBUG", "1");
	assert_true(printed_by_failure("loud 42", out, sizeof(out)) > 0);
	assert_string_equal(out, "libmshare: loud 42\n");
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(printed_by_failure(text, out, sizeof(out)) > 100);
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	mock_env("MSHARE_DEBUG", NULL);
}

static void sizes_as_text(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 bytes" },
		{ 1023, "1023 bytes" },
		{ KIB, "1 KiB" },
		{ 4097, "4097 bytes" },
		{ 1536 * KIB, "1536 KiB" },
		{ 2 * MIB, "2 MiB" },
		{ 2 * MIB + 1, "2097153 bytes" },
		{ GIB, "1 GiB" },
		{ 1025 * MIB, "1025 MiB" },
		{ (uint64_t)1 << 63, "8589934592 GiB" },
		{ UINT64_MAX, "18446744073709551615 bytes" },
	};
	char buf[SIZE_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ptr_equal(size_text(rows[i].bytes, buf), buf);
		assert_string_equal(buf, rows[i].text);
		assert_true(strlen(buf) < SIZE_TEXT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_before_the_first_failure),
		cmocka_unit_test(published_only_when_it_leaves),
		cmocka_unit_test(keeps_the_error_and_the_last_sentence),
		cmocka_unit_test(long_sentence_is_cut),
		cmocka_unit_test(every_thread_has_its_own),
		cmocka_unit_test(silent_unless_asked),
		cmocka_unit_test(sizes_as_text),
	};

	return cmocka_run_group_tests(tests, mock_setup, mock_teardown);
}
