// SPDX-License-Identifier: BSD-3-Clause
#include <shm/numa.h>
#include <shm/place.h>

#include "fail.h"
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FALLBACK_DIRECTORY "/dev/shm"

static int path_copy(char *to, size_t size, const char *from, struct shm_error *err)
{
	if (from[0] != '/' || strlen(from) >= size)
		return shm_fail(err, SHM_SYSTEM, -EINVAL,
			"%.200s: not an absolute path of at most %zu octets", from, size - 1);
	memcpy(to, from, strlen(from) + 1);
	return 0;
}

// 32 hexadecimal digits between dashes.
static int boot_id_read(uint8_t id[16], struct shm_error *err)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	FILE *f = fopen(path, "re");
	unsigned digits = 0;
	int c;

	if (f == NULL)
		return shm_fail_errno(err, "%s", path);
	memset(id, 0, 16);
	while (digits < 32 && (c = fgetc(f)) != EOF && c != '\n') {
		static const char hex[] = "0123456789abcdef";
		const char *at = c == '\0' ? NULL : strchr(hex, c);

		if (at == NULL)
			continue;
		id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | (at - hex));
		digits++;
	}
	fclose(f);
	if (digits != 32)
		return shm_fail(err, SHM_SYSTEM, -EIO, "%s: not a boot id", path);
	return 0;
}

int shm_share(int fd, gid_t group, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (group != (gid_t)-1 && st.st_gid != group && fchown(fd, (uid_t)-1, group) < 0)
		return -errno;
	return (st.st_mode & 07777) != mode && fchmod(fd, mode) < 0 ? -errno : 0;
}

// A directory that this process made. Others pass through the last one to the operators' socket,
// and list those above it, which hold the instances.
static int directory_share(const char *path, bool last, gid_t group)
{
	mode_t mode = last ? 0751 : 0755;

	if (group != (gid_t)-1 && chown(path, (uid_t)-1, group) < 0)
		return -errno;
	return chmod(path, group == (gid_t)-1 ? mode : mode | 0020) < 0 ? -errno : 0;
}

// Each missing part of the path, as mkdir -p.
static int directory_make(const char *path, gid_t group, struct shm_error *err)
{
	char part[SHM_PATH_MAX];
	size_t len = strlen(path);

	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0750) == 0) {
			if (directory_share(part, path[i] == '\0', group) < 0)
				return shm_fail_errno(err, "%s: group %u", part, (unsigned)group);
		} else if (errno != EEXIST) {
			int rc = shm_fail_errno(err, "cannot make the directory %s", part);

			shm_remedy(err, "make it for this user, or set runtime_directory");
			return rc;
		}
	}
	return 0;
}

int shm_place_init(struct shm_place *p, const char *instance, const char *run_directory,
	const char *directory, gid_t group, struct shm_error *err)
{
	size_t len = strlen(instance);
	int rc;

	memset(p, 0, sizeof(*p));
	p->group = group;
	if (len == 0 || len >= sizeof(p->instance) || strchr(instance, '/') != NULL)
		return shm_fail(err, SHM_SYSTEM, -EINVAL,
			"instance name \"%.40s\": 1 to %zu characters without a slash", instance,
			sizeof(p->instance) - 1);
	memcpy(p->instance, instance, len);
	rc = path_copy(p->run_directory, sizeof(p->run_directory), run_directory, err);
	if (rc == 0 && directory != NULL)
		rc = path_copy(p->directory, sizeof(p->directory), directory, err);
	if (rc == 0)
		rc = boot_id_read(p->boot_id, err);
	if (rc == 0)
		rc = directory_make(p->run_directory, group, err);
	return rc;
}

int shm_place_add_node(
	struct shm_place *p, const char *sysfs, const char *interface, const char *pci)
{
	int node = interface != NULL ? shm_numa_of_interface(sysfs, interface) : -1;

	if (node < 0 && pci != NULL)
		node = shm_numa_of_pci(sysfs, pci);
	if (node >= 0)
		p->nodes |= UINT64_C(1) << node;
	return node;
}

static void record_path(const struct shm_place *p, const char *suffix, char *path, size_t size)
{
	snprintf(path, size, "%s/" SHM_RECORD_NAME "%s", p->run_directory, suffix);
}

static int record_read(const struct shm_place *p, char directory[SHM_PATH_MAX])
{
	char path[2 * SHM_PATH_MAX];
	ssize_t n;
	int fd;

	record_path(p, "", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, directory, SHM_PATH_MAX - 1);
	close(fd);
	if (n <= 0 || directory[0] != '/')
		return -ENOENT;
	directory[n] = '\0';
	directory[strcspn(directory, "\n")] = '\0';
	return 0;
}

static int record_write(const struct shm_place *p, struct shm_error *err)
{
	char path[2 * SHM_PATH_MAX], fresh[2 * SHM_PATH_MAX];
	int fd;

	record_path(p, "", path, sizeof(path));
	record_path(p, ".new", fresh, sizeof(fresh));
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return shm_fail_errno(err, "cannot make %s", fresh);
	if (shm_share(fd, p->group, 0640) < 0 || dprintf(fd, "%s\n", p->directory) < 0 ||
		close(fd) < 0 || rename(fresh, path) < 0)
		return shm_fail_errno(err, "cannot write %s", path);
	return 0;
}

// Free huge pages of the mount's size, in bytes.
static uint64_t huge_octets_free(const char *mount)
{
	char path[128];
	struct statfs fs;
	unsigned long pages = 0;
	FILE *f;

	if (statfs(mount, &fs) < 0)
		return 0;
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%lukB/free_hugepages",
		(unsigned long)fs.f_bsize / 1024);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	fclose(f);
	// A mount with a size option reports its own limit, others report 0.
	if (fs.f_blocks != 0 && fs.f_bavail < pages)
		pages = fs.f_bavail;
	return (uint64_t)pages * (uint64_t)fs.f_bsize;
}

static bool path_is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return strncmp(path, directory, len) == 0 && path[len] == '/';
}

unsigned shm_place_mount_rank(const struct shm_place *p, const char *mount)
{
	static const char *const of_others[] = {"/run", "/var/run", "/tmp", "/var/tmp", "/dev/shm"};

	if (path_is_below(mount, p->run_directory))
		return 2;
	for (size_t i = 0; i < sizeof(of_others) / sizeof(of_others[0]); i++)
		if (path_is_below(mount, of_others[i]))
			return 0;
	return 1;
}

static bool huge_mount_find(
	const struct shm_place *p, uint64_t octets, char directory[SHM_PATH_MAX])
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	unsigned best = 0, rank;
	struct mntent *m;

	if (mounts == NULL)
		return false;
	while ((m = getmntent(mounts)) != NULL) {
		if (strcmp(m->mnt_type, "hugetlbfs") != 0 || strlen(m->mnt_dir) >= SHM_PATH_MAX ||
			access(m->mnt_dir, W_OK | X_OK) < 0 ||
			huge_octets_free(m->mnt_dir) < octets)
			continue;
		rank = shm_place_mount_rank(p, m->mnt_dir);
		if (rank <= best)
			continue;
		strcpy(directory, m->mnt_dir);
		best = rank;
	}
	endmntent(mounts);
	return best > 0;
}

static bool tables_present(const struct shm_place *p, const char *directory)
{
	char path[2 * SHM_PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/turnpike-%s.tables", directory, p->instance);
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid();
}

size_t shm_place_candidates(
	const struct shm_place *p, char directories[SHM_CANDIDATES_MAX][SHM_PATH_MAX])
{
	FILE *mounts;
	struct mntent *m;
	size_t n = 0;

	strcpy(directories[n++], p->directory[0] != '\0' ? p->directory : FALLBACK_DIRECTORY);
	if (p->directory[0] != '\0' || (mounts = setmntent("/proc/self/mounts", "re")) == NULL)
		return n;
	while (n < SHM_CANDIDATES_MAX && (m = getmntent(mounts)) != NULL) {
		if (strcmp(m->mnt_type, "hugetlbfs") == 0 && strlen(m->mnt_dir) < SHM_PATH_MAX &&
			shm_place_mount_rank(p, m->mnt_dir) > 0)
			strcpy(directories[n++], m->mnt_dir);
	}
	endmntent(mounts);
	return n;
}

// Only its owner may remove a file from a sticky directory. Two users of one group must be able to
// remove each other's files, so they share a directory of their own in it.
static int fallback_make(struct shm_place *p, struct shm_error *err)
{
	struct stat st;

	if (p->group == (gid_t)-1) {
		strcpy(p->directory, FALLBACK_DIRECTORY);
		return 0;
	}
	snprintf(
		p->directory, sizeof(p->directory), FALLBACK_DIRECTORY "/turnpike-%s", p->instance);
	if (mkdir(p->directory, 0700) < 0 && errno != EEXIST)
		return shm_fail_errno(err, "cannot make %s", p->directory);
	if (lstat(p->directory, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
		shm_fail(
			err, SHM_REFUSED, -EPERM, "%s: is not this user's directory", p->directory);
		shm_remedy(err, "remove it, or set segment.directory");
		return -EPERM;
	}
	if (chown(p->directory, (uid_t)-1, p->group) < 0 || chmod(p->directory, 0770) < 0)
		return shm_fail_errno(err, "%s: group %u", p->directory, (unsigned)p->group);
	return 0;
}

void shm_place_remove(const struct shm_place *p)
{
	char own[SHM_PATH_MAX];

	snprintf(own, sizeof(own), FALLBACK_DIRECTORY "/turnpike-%s", p->instance);
	if (strcmp(own, p->directory) == 0)
		(void)rmdir(own);
}

int shm_place_choose(struct shm_place *p, uint64_t octets, bool huge_pages, struct shm_error *err)
{
	char directory[SHM_PATH_MAX];
	int rc = 0;

	if (p->directory[0] == '\0') {
		// Where the calls of the last run are, pages or not.
		if (record_read(p, directory) == 0 && tables_present(p, directory))
			strcpy(p->directory, directory);
		else if (huge_pages && huge_mount_find(p, octets, directory))
			strcpy(p->directory, directory);
		else
			rc = fallback_make(p, err);
	}
	return rc == 0 ? record_write(p, err) : rc;
}

int shm_place_find(struct shm_place *p, struct shm_error *err)
{
	if (p->directory[0] != '\0')
		return 0;
	if (record_read(p, p->directory) < 0) {
		p->directory[0] = '\0';
		shm_fail(err, SHM_MISSING, -ENOENT, "%s/" SHM_RECORD_NAME ": not there yet",
			p->run_directory);
		shm_remedy(err, "start turnpike-control of instance %s", p->instance);
		return -ENOENT;
	}
	return 0;
}
