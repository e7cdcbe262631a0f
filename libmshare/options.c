/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <string.h>

#include "ioqueue.h"
#include "log.h"

/* A caller's struct beyond this is a mistake, not a newer release. */
#define LARGEST_STRUCT 4096

static int check_size(size_t size, size_t first, const char *what)
{
	if (size < first)
		return fail(-EINVAL,
			    "struct %s: size %zu is below %zu; set it to sizeof(struct %s)", what,
			    size, first, what);
	if (size > LARGEST_STRUCT)
		return fail(-E2BIG, "struct %s: size %zu is above %d; set it to sizeof(struct %s)",
			    what, size, LARGEST_STRUCT, what);
	return 0;
}

int options_in(void *dst, size_t dst_size, const void *src, size_t first, const char *what)
{
	const unsigned char *bytes = src;
	size_t size;
	int err;

	if (!src)
		return 0;
	memcpy(&size, src, sizeof(size));
	err = check_size(size, first, what);
	if (err)
		return err;
	for (size_t i = dst_size; i < size; i++) {
		if (bytes[i])
			return fail(-E2BIG,
				    "struct %s: byte %zu is set, this library knows the first %zu",
				    what, i, dst_size);
	}
	memcpy(dst, src, size < dst_size ? size : dst_size);
	memcpy(dst, &dst_size, sizeof(dst_size));
	return 0;
}

int options_out_size(size_t size, size_t first, const char *what)
{
	return check_size(size, first, what);
}

void options_out(void *dst, const void *src, size_t src_size)
{
	size_t size;

	memcpy(&size, dst, sizeof(size));
	memcpy(dst, src, size < src_size ? size : src_size);
	if (size > src_size)
		memset((char *)dst + src_size, 0, size - src_size);
	memcpy(dst, &size, sizeof(size));
}

static int check_attr(const struct mshare_attr *attr)
{
	uint64_t unknown = attr->flags & ~(MSHARE_REQUIRE_SHARED_TABLES | MSHARE_NORESERVE);

	if (unknown)
		return fail(-EINVAL, "attr: unknown flags 0x%llx", (unsigned long long)unknown);
	if (attr->prefer > MSHARE_PAGES_PUD || attr->require > MSHARE_PAGES_PUD)
		return fail(-EINVAL, "attr: prefer %u or require %u is not an mshare_pages value",
			    attr->prefer, attr->require);
	if (attr->prefer && attr->prefer < attr->require)
		return fail(-EINVAL, "attr: prefer %u is weaker than require %u", attr->prefer,
			    attr->require);
	if (attr->align > MSHARE_ALIGN_PUD)
		return fail(-EINVAL, "attr: align %u is not an mshare_level value", attr->align);
	if (attr->mode & ~0777u)
		return fail(-EINVAL, "attr: mode 0%o has bits other than permissions", attr->mode);
	return 0;
}

int options_attr(const struct mshare_attr *in, struct mshare_attr *out)
{
	int err;

	*out = (struct mshare_attr)MSHARE_ATTR_INIT;
	err = options_in(out, sizeof(*out), in, ATTR_SIZE_V0, "mshare_attr");
	if (!err)
		err = check_attr(out);
	if (!err && out->mode == 0)
		out->mode = 0600;
	return err;
}

static int check_image_attr(const struct mshare_image_attr *attr, uint64_t known)
{
	if (attr->flags & ~known)
		return fail(-EINVAL, "image attr: flags 0x%llx are unknown, or not for this call",
			    (unsigned long long)(attr->flags & ~known));
	if (attr->depth > IO_DEPTH_MAX)
		return fail(-EINVAL, "image attr: depth %u is above %d", attr->depth, IO_DEPTH_MAX);
	if (attr->mode & ~0777u)
		return fail(-EINVAL, "image attr: mode 0%o has bits other than permissions",
			    attr->mode);
	return 0;
}

int options_image_attr(const struct mshare_image_attr *in, uint64_t known,
		       struct mshare_image_attr *out)
{
	int err;

	*out = (struct mshare_image_attr)MSHARE_IMAGE_ATTR_INIT;
	err = options_in(out, sizeof(*out), in, IMAGE_ATTR_SIZE_V0, "mshare_image_attr");
	if (!err)
		err = check_image_attr(out, known);
	if (!err && out->mode == 0)
		out->mode = 0600;
	if (!err && out->depth == 0)
		out->depth = IO_DEPTH_DEFAULT;
	return err;
}
