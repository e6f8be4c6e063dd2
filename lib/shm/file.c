// SPDX-License-Identifier: BSD-3-Clause
#include <shm/file.h>
#include <shm/group.h>
#include <shm/numa.h>

#include "check.h"
#include "fail.h"
#include "kind.h"
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define SECOND ".second" // suffix of a published file's second name

static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

// Huge pages or common ones: the mapping must be of whole ones.
static uint64_t page_size_of(int fd, bool *huge)
{
	struct statfs fs;

	*huge = fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
	return *huge ? (uint64_t)fs.f_bsize : (uint64_t)sysconf(_SC_PAGESIZE);
}

static int space_fail(const struct shm_file *f, uint64_t size, uint64_t page, bool huge, int rc,
	struct shm_error *err)
{
	if (rc != ENOSPC && rc != ENOMEM && rc != EFBIG) {
		errno = rc;
		return shm_fail_errno(
			err, "%s: cannot reserve %llu octets", f->path, (unsigned long long)size);
	}
	shm_fail(err, SHM_NO_SPACE, -ENOSPC, "%s: no space for %llu octets", f->path,
		(unsigned long long)size);
	if (huge)
		shm_remedy(err,
			"%llu more huge pages of %llu KiB are needed, see "
			"/sys/kernel/mm/hugepages; or lower limits.allocations",
			(unsigned long long)(size / page), (unsigned long long)page / 1024);
	else
		shm_remedy(err, "free some memory there, or lower limits.allocations");
	return -ENOSPC;
}

// Memory for a part of the file, of whole pages.
static int part_reserve(struct shm_file *f, const struct shm_place *p, uint64_t offset,
	uint64_t size, struct shm_error *err)
{
	bool huge;
	uint64_t page = page_size_of(f->fd, &huge);
	struct shm_numa_wish wish = {.mapping = NULL};
	int rc;

	size = (offset + size + page - 1) / page * page;
	offset = offset / page * page;
	size = (size < f->size ? size : f->size) - offset;
	// Not had, it costs speed, no more.
	f->placed = p->nodes != 0 && shm_numa_wish_begin(&wish, f->fd, f->size, p->nodes);
	do {
		rc = posix_fallocate(f->fd, (off_t)offset, (off_t)size);
	} while (rc == EINTR);
	shm_numa_wish_end(&wish);
	if (rc != 0)
		return space_fail(f, size, page, huge, rc, err);
	// A page that is not mapped here costs its first user a fault, no more.
	if (f->base != NULL)
		(void)madvise((uint8_t *)f->base + offset, size, MADV_POPULATE_WRITE);
	return 0;
}

int shm_file_reserve(struct shm_file *f, const struct shm_place *p, uint64_t offset, uint64_t size,
	struct shm_error *err)
{
	if (!f->writable || offset > f->size || size > f->size - offset)
		return shm_fail(err, SHM_SYSTEM, -EINVAL, "%s: not a part of it", f->path);
	return part_reserve(f, p, offset, size, err);
}

static int space_reserve(struct shm_file *f, const struct shm_place *p, size_t header_size,
	uint64_t size, struct shm_error *err)
{
	bool huge;
	uint64_t page = page_size_of(f->fd, &huge);

	f->size = (size + page - 1) / page * page;
	if (ftruncate(f->fd, (off_t)f->size) < 0)
		return space_fail(f, f->size, page, huge, errno, err);
	return part_reserve(f, p, 0, shm_kinds[f->kind].sparse ? header_size : f->size, err);
}

static int file_map(struct shm_file *f, struct shm_error *err)
{
	int prot = PROT_READ | (f->writable ? PROT_WRITE : 0);
	// The holes of a sparse file take memory when they are mapped, and huge pages are set aside
	// for them.
	int how = shm_kinds[f->kind].sparse ? MAP_NORESERVE : MAP_POPULATE;

	f->base = mmap(NULL, f->size, prot, MAP_SHARED | how, f->fd, 0);
	if (f->base == MAP_FAILED) {
		f->base = NULL;
		return shm_fail_errno(err, "%s: cannot map %zu octets", f->path, f->size);
	}
	if (f->kind == SHM_PRIVATE && madvise(f->base, f->size, MADV_DONTDUMP) < 0)
		return shm_fail_errno(err, "%s: cannot keep it out of core dumps", f->path);
	return 0;
}

static int identity_set(struct shm_file *f, struct shm_error *err)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return shm_fail_errno(err, "%s", f->path);
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	return 0;
}

static int temporary_open(struct shm_file *f, const struct shm_place *p, struct shm_error *err)
{
	shm_kind_path(p, f->kind, ".new", f->path, sizeof(f->path));
	// Left by a process that died before publishing.
	if (unlink(f->path) < 0 && errno != ENOENT) {
		int rc = shm_fail_errno(err, "cannot remove %s", f->path);

		err->cause = SHM_REFUSED;
		shm_remedy(err, "remove it: it is not this user's");
		return rc;
	}
	f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		shm_kinds[f->kind].mode);
	if (f->fd < 0) {
		int rc = shm_fail_errno(err, "cannot make %s", f->path);

		shm_remedy(err, "let this user write there, or set segment.directory");
		return rc;
	}
	return 0;
}

static void header_fill(
	const struct shm_file *f, const struct shm_place *p, size_t header_size, uint64_t pair_id)
{
	struct tp_file_header *h = shm_file_header(f);

	h->layout_version = TP_LAYOUT_VERSION;
	h->header_size = (uint32_t)header_size;
	h->file_size = f->size;
	h->created_ns = boottime_ns();
	memcpy(h->boot_id, p->boot_id, sizeof(h->boot_id));
	memcpy(h->instance, p->instance, sizeof(h->instance));
	h->pair_id = pair_id;
	atomic_store(&h->writer_pid, (uint32_t)getpid());
	atomic_store(&h->writer_generation, 1);
}

static int group_give(const struct shm_file *f, const struct shm_place *p, struct shm_error *err)
{
	gid_t group = shm_kind_group(p, f->kind);
	int rc = shm_share(f->fd, group, shm_kinds[f->kind].mode);

	if (rc == 0)
		return 0;
	errno = -rc;
	rc = shm_fail_errno(err, "%s: cannot give it to group %u", f->path, (unsigned)group);
	shm_remedy(err, "make this user a member of the group: tools/install-users");
	return rc;
}

int shm_file_create(struct shm_file *f, const struct shm_place *p, enum shm_kind kind,
	size_t header_size, uint64_t size, uint64_t pair_id, struct shm_error *err)
{
	int rc;

	memset(f, 0, sizeof(*f));
	f->kind = kind;
	f->writable = true;
	rc = temporary_open(f, p, err);
	if (rc < 0) {
		memset(f, 0, sizeof(*f));
		return rc;
	}
	rc = group_give(f, p, err);
	if (rc == 0)
		rc = space_reserve(f, p, header_size, size, err);
	if (rc == 0)
		rc = file_map(f, err);
	if (rc == 0 && f->placed)
		f->placed = shm_numa_lies_on(f->base, f->size, p->nodes);
	if (rc == 0)
		rc = identity_set(f, err);
	if (rc < 0)
		goto fail;
	header_fill(f, p, header_size, pair_id);
	return 0;
fail:
	shm_file_close(f);
	return rc;
}

static bool is_published(const struct shm_file *f)
{
	return strcmp(f->path + strlen(f->path) - strlen(".new"), ".new") != 0;
}

// A second name, by which the first can be given back: a file without any name can have none again.
static void second_name_give(const struct shm_file *f)
{
	char second[sizeof(f->path) + sizeof(SECOND)];

	snprintf(second, sizeof(second), "%s" SECOND, f->path);
	(void)unlink(second);
	(void)linkat(AT_FDCWD, f->path, AT_FDCWD, second, 0);
}

static bool is_named(const struct shm_file *f, const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino;
}

static bool name_give_back(const struct shm_file *f)
{
	char second[sizeof(f->path) + sizeof(SECOND)];

	snprintf(second, sizeof(second), "%s" SECOND, f->path);
	return f->writable && is_named(f, second) &&
	       linkat(AT_FDCWD, second, AT_FDCWD, f->path, 0) == 0;
}

int shm_file_publish(struct shm_file *f, const struct shm_place *p, struct shm_error *err)
{
	char path[sizeof(f->path)];

	shm_kind_path(p, f->kind, "", path, sizeof(path));
	atomic_store_explicit(
		&shm_file_header(f)->magic, shm_kinds[f->kind].magic, memory_order_release);
	if (rename(f->path, path) < 0) {
		int rc = shm_fail_errno(err, "cannot give %s its name", path);

		err->cause = SHM_REFUSED;
		shm_remedy(err, "remove the file that has it: it is not this user's");
		return rc;
	}
	memcpy(f->path, path, sizeof(path));
	second_name_give(f);
	return 0;
}

// A file that lost its name while its writer was away has the second one still. The writer gives
// the first back, a reader takes the file as it is.
static int named_open(const struct shm_file *f)
{
	// Nobody's FIFO must hold us up.
	const int flags = (f->writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	char second[sizeof(f->path) + sizeof(SECOND)];
	int fd = open(f->path, flags);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	snprintf(second, sizeof(second), "%s" SECOND, f->path);
	if (f->writable && linkat(AT_FDCWD, second, AT_FDCWD, f->path, 0) == 0)
		return open(f->path, flags);
	return open(second, flags);
}

static int existing_open(
	struct shm_file *f, const struct shm_place *p, struct stat *st, struct shm_error *err)
{
	int rc;

	shm_kind_path(p, f->kind, "", f->path, sizeof(f->path));
	f->fd = named_open(f);
	if (f->fd < 0 && errno == ENOENT) {
		rc = shm_fail(err, SHM_MISSING, -ENOENT, "%s: not there yet", f->path);
		shm_remedy(err, "start turnpike-%s of instance %s", shm_kind_maker(f->kind),
			p->instance);
		return rc;
	}
	if (f->fd < 0) {
		rc = shm_fail_errno(err, "cannot open %s", f->path);
		if (rc == -ELOOP || rc == -EACCES || rc == -ENXIO || rc == -EISDIR) {
			err->cause = SHM_REFUSED;
			shm_remedy(err, "both processes must be of the same user, or of the groups "
					"segment.group and " SHM_TABLES_GROUP_NAME
					" (tools/install-users); a link there is not ours");
		}
		return rc;
	}
	if (fstat(f->fd, st) < 0)
		return shm_fail_errno(err, "%s", f->path);
	return shm_owner_check(f, p, st, err);
}

int shm_file_open(struct shm_file *f, const struct shm_place *p, const struct shm_file_wish *wish,
	void *copy, size_t copy_size, struct shm_error *err)
{
	struct stat st;
	ssize_t n;
	int rc;

	memset(f, 0, sizeof(*f));
	f->kind = wish->kind;
	f->writable = wish->writable;
	f->fd = -1;
	rc = existing_open(f, p, &st, err);
	if (rc < 0)
		goto fail;
	n = pread(f->fd, copy, copy_size, 0);
	if (n < 0 || (size_t)n != copy_size || (uint64_t)st.st_size < wish->header_size) {
		rc = shm_fail(err, SHM_CORRUPT, -EPROTO, "%s: %lld octets are no header", f->path,
			(long long)st.st_size);
		goto fail;
	}
	rc = shm_header_check(f, p, wish, copy, (uint64_t)st.st_size, err);
	if (rc < 0)
		goto fail;
	f->size = (size_t)st.st_size;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	rc = file_map(f, err);
	if (rc < 0)
		goto fail;
	// That of a version before may be of another group.
	rc = f->writable ? group_give(f, p, err) : 0;
	if (rc < 0)
		goto fail;
	if (f->writable) {
		struct tp_file_header *h = shm_file_header(f);

		atomic_fetch_add(&h->writer_generation, 1);
		atomic_store(&h->writer_pid, (uint32_t)getpid());
	}
	return 0;
fail:
	if (f->fd >= 0)
		shm_file_close(f);
	memset(f, 0, sizeof(*f));
	return rc;
}

void shm_file_close(struct shm_file *f)
{
	if (f->path[0] == '\0')
		return;
	if (f->base != NULL)
		munmap(f->base, f->size);
	if (!is_published(f))
		unlink(f->path);
	close(f->fd);
	memset(f, 0, sizeof(*f));
}

int shm_file_remove(const struct shm_place *p, enum shm_kind kind, struct shm_error *err)
{
	char path[2 * SHM_PATH_MAX];

	// The second name first: with it the writer gives the other back.
	shm_kind_path(p, kind, SECOND, path, sizeof(path));
	(void)unlink(path);
	shm_kind_path(p, kind, "", path, sizeof(path));
	if (unlink(path) < 0 && errno != ENOENT)
		return shm_fail_errno(err, "cannot remove %s", path);
	return 0;
}

enum shm_fate shm_file_fate(const struct shm_file *f)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0 || (uint64_t)st.st_size < f->size)
		return SHM_FATE_TRUNCATED;
	if (is_named(f, f->path))
		return SHM_FATE_SAME;
	if (lstat(f->path, &st) == 0)
		return SHM_FATE_REPLACED;
	return name_give_back(f) ? SHM_FATE_SAME : SHM_FATE_UNNAMED;
}
