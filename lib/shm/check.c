// SPDX-License-Identifier: BSD-3-Clause
#include "check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <shm/group.h>

#include "fail.h"
#include "kind.h"

// Members of a group alone can give files to it. The edge is in the place's group: of a file of
// that group the owner decides, whose writer has not closed it to the edge yet.
static bool is_trusted(const struct shm_file *f, const struct shm_place *p, const struct stat *st)
{
	gid_t group = shm_kind_group(p, f->kind);

	if (st->st_uid == geteuid())
		return true;
	if (f->writable)
		return false;
	return st->st_uid == 0 || (group != (gid_t)-1 && st->st_gid == group) ||
	       (p->group != (gid_t)-1 && st->st_gid == p->group &&
		       shm_tables_is_member(st->st_uid));
}

int shm_owner_check(
	const struct shm_file *f, const struct shm_place *p, struct stat *st, struct shm_error *err)
{
	mode_t forbidden = f->kind == SHM_PRIVATE ? 077 : 022;

	if (!S_ISREG(st->st_mode))
		shm_fail(err, SHM_REFUSED, 0, "%s: not a regular file", f->path);
	else if (!is_trusted(f, p, st))
		shm_fail(err, SHM_REFUSED, 0, "%s: belongs to user %u, group %u", f->path,
			(unsigned)st->st_uid, (unsigned)st->st_gid);
	else if ((st->st_mode & forbidden) != 0)
		shm_fail(err, SHM_REFUSED, 0, "%s: mode %03o lets others in", f->path,
			(unsigned)st->st_mode & 0777);
	else
		return 0;
	shm_remedy(err, "remove it if nobody uses it; both processes must be of the same user, or "
			"of the groups segment.group and " SHM_TABLES_GROUP_NAME);
	return -EPERM;
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

int shm_header_check(const struct shm_file *f, const struct shm_place *p,
	const struct shm_file_wish *wish, const struct tp_file_header *h, uint64_t real_size,
	struct shm_error *err)
{
	uint64_t magic = atomic_load_explicit(&h->magic, memory_order_relaxed);

	if (magic == 0)
		return shm_fail(err, SHM_UNFINISHED, -EAGAIN, "%s: not finished", f->path);
	if (magic != shm_kinds[f->kind].magic)
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
