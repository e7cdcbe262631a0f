/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "doctor.h"
#include "host.h"
#include "names.h"
#include "term.h"
#include "tool.h"

/* Best first, as AUTO looks at them. */
static const enum mshare_backend backends[] = { MSHARE_BACKEND_SHIM, MSHARE_BACKEND_HUGETLB,
						MSHARE_BACKEND_THP, MSHARE_BACKEND_PLAIN };
#define BACKENDS (sizeof(backends) / sizeof(backends[0]))

static const struct {
	uint64_t bit;
	const char *name;
} features[] = {
	{ MSHARE_CAP_THP_FAULT, "thp_fault" }, { MSHARE_CAP_THP_COLLAPSE, "thp_collapse" },
	{ MSHARE_CAP_HUGE_PMD, "huge_pmd" },   { MSHARE_CAP_HUGE_PUD, "huge_pud" },
	{ MSHARE_CAP_HOST, "host" },	       { MSHARE_CAP_IO_URING, "io_uring" },
	{ MSHARE_CAP_IPC_LOCK, "ipc_lock" },   { MSHARE_CAP_SHM, "shm" },
};
#define FEATURES (sizeof(features) / sizeof(features[0]))

static void kernel_text(char *out, size_t size)
{
	struct utsname u;

	if (uname(&u))
		snprintf(out, size, "unknown kernel");
	else
		snprintf(out, size, "%s %s %s", u.sysname, u.release, u.machine);
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void add_u64(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static struct json_object *json_backends(const struct mshare_caps *caps)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < BACKENDS; i++) {
		const struct mshare_backend_caps *b = &caps->backend[backends[i]];
		struct json_object *o = json_object_new_object();

		add_text(o, "backend", backend_name(backends[i]));
		json_object_object_add(o, "available", json_object_new_boolean(b->error == 0));
		add_u64(o, "page_size", b->page_size);
		add_text(o, "reason", b->reason);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *json_trials(const struct trial *trials)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < TRIAL_COUNT; i++) {
		const struct trial *t = &trials[i];
		struct json_object *o = json_object_new_object();

		add_text(o, "region", t->region);
		if (t->made) {
			add_text(o, "backend", backend_name(t->backend));
			add_u64(o, "page_size", t->page_size);
		}
		add_text(o, t->made ? "reason" : "unavailable", t->why);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *json_advice(const struct diagnosis *d)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < d->advice_count; i++) {
		const struct advice *a = &d->advice[i];
		struct json_object *o = json_object_new_object();

		add_text(o, "topic", a->topic);
		add_text(o, "effect", a->effect);
		add_text(o, "command", a->command);
		json_object_object_add(o, "outside_container", json_object_new_boolean(a->outside));
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *json_features(uint64_t have)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < FEATURES; i++)
		json_object_object_add(o, features[i].name,
				       json_object_new_boolean(!!(have & features[i].bit)));
	return o;
}

void doctor_print_json(const struct diagnosis *d)
{
	struct json_object *o = json_object_new_object();
	const char *forced = sys_getenv("MSHARE_BACKEND");
	char kernel[256];

	kernel_text(kernel, sizeof(kernel));
	add_text(o, "kernel", kernel);
	add_u64(o, "base_size", d->caps.base_size);
	add_u64(o, "pmd_size", d->caps.pmd_size);
	add_u64(o, "pud_size", d->caps.pud_size);
	json_object_object_add(o, "backends", json_backends(&d->caps));
	json_object_object_add(o, "auto", json_trials(d->trials));
	json_object_object_add(o, "forced", forced ? json_object_new_string(forced) : NULL);
	json_object_object_add(o, "features", json_features(d->caps.features));
	json_object_object_add(o, "memlock_limit", tool_json_limit(d->caps.memlock_limit));
	json_object_object_add(o, "shm_free", tool_json_limit(d->caps.shm_free));
	add_text(o, "host_path", host_path());
	json_object_object_add(o, "better", json_advice(d));
	json_object_object_add(o, "better_than_plain",
			       json_object_new_boolean(doctor_better_than_plain(d)));
	tool_print_json(o);
}

static void heading(const char *text)
{
	printf("\n%s%s%s\n", term_on(TERM_BOLD), text, term_off());
}

static void print_answer(const char *name, bool yes, const char *text)
{
	printf("  %-12s %s%-4s%s %s\n", name, term_on(yes ? TERM_GOOD : TERM_BAD),
	       yes ? "yes" : "no", term_off(), text);
}

static void print_backends(const struct mshare_caps *caps)
{
	heading("Backends, for a new region");
	for (size_t i = 0; i < BACKENDS; i++) {
		const struct mshare_backend_caps *b = &caps->backend[backends[i]];

		print_answer(backend_name(backends[i]), b->error == 0, b->reason);
	}
}

static void print_trials(const struct trial *trials)
{
	const char *forced = sys_getenv("MSHARE_BACKEND");
	char page[TERM_SIZE_TEXT];

	heading("What a region gets when nothing is asked for (tried with a small one)");
	if (forced)
		printf("  MSHARE_BACKEND=%s in the environment leaves no choice\n", forced);
	for (size_t i = 0; i < TRIAL_COUNT; i++) {
		const struct trial *t = &trials[i];

		if (!t->made)
			printf("  %-12s none: %s\n", t->region, t->why);
		else
			printf("  %-12s %s, pages of %s%s%s\n", t->region, backend_name(t->backend),
			       term_size(t->page_size, page), t->why[0] ? "; " : "", t->why);
	}
}

static const char *limit_text(uint64_t value, char *buf)
{
	return value == UINT64_MAX ? "no limit" : term_size(value, buf);
}

static void print_machine(const struct mshare_caps *caps)
{
	char text[TERM_SIZE_TEXT];
	uint64_t have = caps->features;

	heading("Machine and process");
	printf("  %-12s", "page sizes");
	printf(" %s base,", term_size(caps->base_size, text));
	printf(" %s PMD,", term_size(caps->pmd_size, text));
	printf(" %s PUD\n", term_size(caps->pud_size, text));
	print_answer("mshare-host", have & MSHARE_CAP_HOST, host_path());
	print_answer("io_uring", have & MSHARE_CAP_IO_URING, "for MSHARE_FLUSH_DATA");
	print_answer("CAP_IPC_LOCK", have & MSHARE_CAP_IPC_LOCK, "locks memory without limit");
	printf("  %-12s %s\n", "memlock", limit_text(caps->memlock_limit, text));
	print_answer("/dev/shm", have & MSHARE_CAP_SHM, "for named regions");
	printf("  %-12s %s\n", "  free", limit_text(caps->shm_free, text));
}

static void print_advice(const struct diagnosis *d)
{
	if (!d->advice_count)
		return;
	heading("What would make it better");
	for (size_t i = 0; i < d->advice_count; i++) {
		const struct advice *a = &d->advice[i];

		printf("  %-12s %s%s\n      %s%s%s\n", a->topic, a->effect,
		       a->outside ? " (outside this container, which may not change it)" : "",
		       term_on(TERM_BOLD), a->command, term_off());
	}
}

void doctor_print_text(const struct diagnosis *d)
{
	char kernel[256];

	kernel_text(kernel, sizeof(kernel));
	printf("%smshare %d.%d.%d%s on %s\n", term_on(TERM_BOLD), MSHARE_VERSION_MAJOR,
	       MSHARE_VERSION_MINOR, MSHARE_VERSION_PATCH, term_off(), kernel);
	print_backends(&d->caps);
	print_trials(d->trials);
	print_machine(&d->caps);
	print_advice(d);
	if (!doctor_better_than_plain(d))
		puts("\nOnly plain pages can be had here as it is.");
}
