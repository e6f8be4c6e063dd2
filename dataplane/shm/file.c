// SPDX-License-Identifier: BSD-3-Clause
#include <shm/file.h>
#include <shm/numa.h>

#include "fail.h"

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

static const struct {
	const char *name;
	uint64_t magic;
	mode_t mode;
} kinds[] = {
	[SHM_TABLES] = {"tables", TP_MAGIC_TABLES, 0640},
	[SHM_INJECT] = {"inject", TP_MAGIC_INJECT, 0640},
	[SHM_PRIVATE] = {"private", TP_MAGIC_PRIVATE, 0600},
	[SHM_STATE] = {"state", TP_MAGIC_STATE, 0640},
	[SHM_PUNT] = {"punt", TP_MAGIC_PUNT, 0640},
};

static void file_path(
	const struct shm_place *p, enum shm_kind kind, const char *suffix, char *path, size_t size)
{
	snprintf(path, size, "%s/turnpike-%s.%s%s", p->directory, p->instance, kinds[kind].name,
		suffix);
}

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

static int space_reserve(
	struct shm_file *f, const struct shm_place *p, uint64_t size, struct shm_error *err)
{
	bool huge;
	uint64_t page = page_size_of(f->fd, &huge);
	int rc;

	f->size = (size + page - 1) / page * page;
	// Not had, it costs speed, no more.
	f->placed = p->nodes != 0 && ftruncate(f->fd, (off_t)f->size) == 0 &&
		    shm_numa_place(f->fd, f->size, p->nodes) == 0;
	do {
		rc = posix_fallocate(f->fd, 0, (off_t)f->size);
	} while (rc == EINTR);
	if (rc == 0)
		return 0;
	if (rc != ENOSPC && rc != ENOMEM && rc != EFBIG) {
		errno = rc;
		return shm_fail_errno(err, "%s: cannot reserve %zu octets", f->path, f->size);
	}
	shm_fail(err, SHM_NO_SPACE, -ENOSPC, "%s: no space for %zu octets", f->path, f->size);
	if (huge)
		shm_remedy(err,
			"%zu more huge pages of %llu KiB are needed, see "
			"/sys/kernel/mm/hugepages; or lower limits.allocations",
			(size_t)(f->size / page), (unsigned long long)page / 1024);
	else
		shm_remedy(err, "free some memory there, or lower limits.allocations");
	return -ENOSPC;
}

static int file_map(struct shm_file *f, struct shm_error *err)
{
	int prot = PROT_READ | (f->writable ? PROT_WRITE : 0);

	f->base = mmap(NULL, f->size, prot, MAP_SHARED | MAP_POPULATE, f->fd, 0);
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
	file_path(p, f->kind, ".new", f->path, sizeof(f->path));
	// What a maker left behind who died before publishing.
	if (unlink(f->path) < 0 && errno != ENOENT) {
		int rc = shm_fail_errno(err, "cannot remove %s", f->path);

		err->cause = SHM_REFUSED;
		shm_remedy(err, "remove it: it is not this user's");
		return rc;
	}
	f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
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
	if (kind != SHM_PRIVATE && p->group != (gid_t)-1 &&
		fchown(f->fd, (uid_t)-1, p->group) < 0) {
		rc = shm_fail_errno(
			err, "%s: cannot give it to group %u", f->path, (unsigned)p->group);
		shm_remedy(err, "make this user a member of the group");
		goto fail;
	}
	if (fchmod(f->fd, kinds[kind].mode) < 0) {
		rc = shm_fail_errno(err, "%s: cannot set its mode", f->path);
		goto fail;
	}
	rc = space_reserve(f, p, size, err);
	if (rc == 0)
		rc = file_map(f, err);
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

int shm_file_publish(struct shm_file *f, const struct shm_place *p, struct shm_error *err)
{
	char path[sizeof(f->path)];

	file_path(p, f->kind, "", path, sizeof(path));
	atomic_store_explicit(
		&shm_file_header(f)->magic, kinds[f->kind].magic, memory_order_release);
	if (rename(f->path, path) < 0) {
		int rc = shm_fail_errno(err, "cannot give %s its name", path);

		err->cause = SHM_REFUSED;
		shm_remedy(err, "remove the file that has it: it is not this user's");
		return rc;
	}
	memcpy(f->path, path, sizeof(path));
	return 0;
}

// Who may have made a file that we read or write.
static int owner_check(
	const struct shm_file *f, const struct shm_place *p, struct stat *st, struct shm_error *err)
{
	bool mine = st->st_uid == geteuid();
	bool trusted = mine ||
		       (!f->writable && (st->st_uid == 0 ||
						(p->group != (gid_t)-1 && st->st_gid == p->group)));
	mode_t forbidden = f->kind == SHM_PRIVATE ? 077 : 022;

	if (!S_ISREG(st->st_mode))
		shm_fail(err, SHM_REFUSED, 0, "%s: not a regular file", f->path);
	else if (!trusted)
		shm_fail(err, SHM_REFUSED, 0, "%s: belongs to user %u, group %u", f->path,
			(unsigned)st->st_uid, (unsigned)st->st_gid);
	else if ((st->st_mode & forbidden) != 0)
		shm_fail(err, SHM_REFUSED, 0, "%s: mode %03o lets others in", f->path,
			(unsigned)st->st_mode & 0777);
	else
		return 0;
	shm_remedy(err, "remove it if nobody uses it; both processes must be of the same user, or "
			"of one group (control.group)");
	return -EPERM;
}

static int existing_open(
	struct shm_file *f, const struct shm_place *p, struct stat *st, struct shm_error *err)
{
	int rc;

	file_path(p, f->kind, "", f->path, sizeof(f->path));
	// Nobody's FIFO must hold us up.
	f->fd = open(
		f->path, (f->writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0 && errno == ENOENT) {
		rc = shm_fail(err, SHM_MISSING, -ENOENT, "%s: not there yet", f->path);
		shm_remedy(err, "start %s of instance %s",
			f->kind == SHM_STATE || f->kind == SHM_PUNT ? "turnpike-dataplane"
								    : "turnpike-control",
			p->instance);
		return rc;
	}
	if (f->fd < 0) {
		rc = shm_fail_errno(err, "cannot open %s", f->path);
		if (rc == -ELOOP || rc == -EACCES || rc == -ENXIO || rc == -EISDIR) {
			err->cause = SHM_REFUSED;
			shm_remedy(err, "both processes must be of the same user, or of one group "
					"(control.group); a link there is not ours");
		}
		return rc;
	}
	if (fstat(f->fd, st) < 0)
		return shm_fail_errno(err, "%s", f->path);
	return owner_check(f, p, st, err);
}

static int layout_check(const struct shm_file *f, const struct shm_place *p,
	const struct shm_file_wish *wish, const struct tp_file_header *h, struct shm_error *err)
{
	if (wish->other_role != NULL && shm_role_held(p, wish->other_role)) {
		shm_fail(err, SHM_LAYOUT_IN_USE, 0,
			"%s: layout %u, this program has %u, and turnpike-%s is running with it",
			f->path, h->layout_version, TP_LAYOUT_VERSION, wish->other_role);
		shm_remedy(err,
			"start the version that made it to keep its calls, or stop turnpike-%s "
			"first to begin anew",
			wish->other_role);
		return -EBUSY;
	}
	shm_fail(err, SHM_OTHER_LAYOUT, 0, "%s: layout %u, this program has %u", f->path,
		h->layout_version, TP_LAYOUT_VERSION);
	if (!wish->writable)
		shm_remedy(err, "run turnpike-control and turnpike-dataplane of one version");
	return -EPROTO;
}

static int header_check(const struct shm_file *f, const struct shm_place *p,
	const struct shm_file_wish *wish, const struct tp_file_header *h, uint64_t real_size,
	struct shm_error *err)
{
	uint64_t magic = atomic_load_explicit(&h->magic, memory_order_relaxed);

	if (magic == 0)
		return shm_fail(err, SHM_UNFINISHED, -EAGAIN, "%s: not finished", f->path);
	if (magic != kinds[f->kind].magic)
		return shm_fail(err, SHM_CORRUPT, -EPROTO, "%s: wrong magic", f->path);
	if (memcmp(h->boot_id, p->boot_id, sizeof(h->boot_id)) != 0)
		return shm_fail(err, SHM_OTHER_BOOT, -ESTALE, "%s: of an earlier boot", f->path);
	if (h->layout_version != TP_LAYOUT_VERSION)
		return layout_check(f, p, wish, h, err);
	if (memcmp(h->instance, p->instance, sizeof(h->instance)) != 0)
		return shm_fail(err, SHM_CORRUPT, -EPROTO, "%s: of another instance", f->path);
	if (h->header_size != wish->header_size || h->file_size != real_size)
		return shm_fail(err, SHM_CORRUPT, -EPROTO,
			"%s: says %llu octets with a header of %u, is %llu with one of %zu",
			f->path, (unsigned long long)h->file_size, h->header_size,
			(unsigned long long)real_size, wish->header_size);
	return 0;
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
	rc = header_check(f, p, wish, copy, (uint64_t)st.st_size, err);
	if (rc < 0)
		goto fail;
	f->size = (size_t)st.st_size;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	rc = file_map(f, err);
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

	file_path(p, kind, "", path, sizeof(path));
	if (unlink(path) < 0 && errno != ENOENT)
		return shm_fail_errno(err, "cannot remove %s", path);
	return 0;
}

enum shm_fate shm_file_fate(const struct shm_file *f)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0 || (uint64_t)st.st_size < f->size)
		return SHM_FATE_TRUNCATED;
	if (stat(f->path, &st) < 0 || st.st_dev != f->dev || st.st_ino != f->ino)
		return SHM_FATE_REPLACED;
	return SHM_FATE_SAME;
}
