// SPDX-License-Identifier: BSD-3-Clause
// Bans on disk: a file of records of one size, one for each place of a ban in the TURN server. It
// is opened at start, because no file can be later. A record is written whole and flushed before
// the operator is told; one that was cut by a crash has a wrong sum and counts for nothing. Ended
// bans are recognised by their time.
#include <process/process.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <log/log.h>
#include <proc/clock.h>
#include <proc/start.h>
#include <turnpike/siphash.h>

#define MAGIC 0x4e415042u // "BPAN"

// Host byte order: the file stays on its host.
struct record {
	uint64_t sum; // of the rest
	uint32_t magic;
	uint16_t realm_id;
	uint16_t name_len;
	uint64_t until_s;
	uint8_t kind; // enum turn_ban_kind
	uint8_t family;
	uint8_t prefix_len;
	uint8_t reserved[5];
	uint8_t ip[16];
	char name[TURN_USERNAME_MAX];
	uint8_t padding[1024 - 48 - TURN_USERNAME_MAX];
};
TP_ASSERT_SIZE(struct record, 1024);

static uint64_t sum_of(const struct record *r)
{
	static const uint8_t key[16] = "record of a ban";
	size_t from = sizeof(r->sum);

	return tp_siphash24(key, (const uint8_t *)r + from, sizeof(*r) - from);
}

static void record_make(struct record *r, const struct turn_ban *ban)
{
	*r = (struct record){
		.magic = MAGIC,
		.realm_id = ban->realm_id,
		.name_len = ban->name_len,
		.until_s = ban->until_s,
		.kind = (uint8_t)ban->kind,
		.family = ban->prefix.ip.family,
		.prefix_len = ban->prefix.prefix_len,
	};
	memcpy(r->ip, ban->prefix.ip.ip, sizeof(r->ip));
	memcpy(r->name, ban->name, ban->name_len);
	r->sum = sum_of(r);
}

static bool record_read(const struct record *r, struct turn_ban *ban)
{
	if (r->magic != MAGIC || r->sum != sum_of(r) || r->name_len > TURN_USERNAME_MAX ||
		r->kind > TURN_BAN_PREFIX)
		return false;
	*ban = (struct turn_ban){
		.kind = (enum turn_ban_kind)r->kind,
		.realm_id = r->realm_id,
		.name_len = r->name_len,
		.until_s = r->until_s,
	};
	ban->prefix.ip.family = r->family;
	ban->prefix.prefix_len = r->prefix_len;
	memcpy(ban->prefix.ip.ip, r->ip, sizeof(r->ip));
	memcpy(ban->name, r->name, r->name_len);
	return true;
}

static void path_make(const struct process *p, char path[PROCESS_PATH_MAX])
{
	snprintf(
		path, PROCESS_PATH_MAX, "%s/bans", p->core.settings->conf->control.state_directory);
}

static void bans_load(struct process *p)
{
	uint64_t now_ns = proc_now_ns(), wall_s = proc_wall_s();
	unsigned n = 0, refused = 0;
	struct record r;

	for (uint32_t i = 0; i < TURN_BANS_MAX; i++) {
		uint32_t index = i;
		struct turn_ban ban;

		if (pread(p->bans_fd, &r, sizeof(r), (off_t)(i * sizeof(r))) != sizeof(r))
			break;
		if (!record_read(&r, &ban) || ban.until_s <= wall_s)
			continue;
		if (turn_ban_add(p->core.turn, now_ns, wall_s, &ban, &index) == 0)
			n++;
		else
			refused++;
	}
	if (n + refused > 0)
		log_event(LOG_EV_BANS_LOADED,
			LOG_FIELDS(log_u64("bans", n), log_u64("of_no_realm", refused)));
}

int process_bans_open(struct process *p)
{
	char path[PROCESS_PATH_MAX];
	struct stat st;

	path_make(p, path);
	p->bans_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p->bans_fd < 0 || fstat(p->bans_fd, &st) < 0)
		return proc_start_failed(path, -errno,
			"set control.state_directory to a directory that this user may write");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return proc_start_failed(path, -EACCES,
			"the file of bans must be this user's own, mode 0600: move it away");
	bans_load(p);
	return 0;
}

void process_bans_close(struct process *p, bool orderly)
{
	char path[PROCESS_PATH_MAX];
	struct turn_ban ban;
	uint32_t cursor = 0;

	if (p->bans_fd < 0)
		return;
	path_make(p, path);
	if (orderly && p->core.turn != NULL && !turn_ban_next(p->core.turn, &cursor, &ban))
		(void)unlink(path);
	close(p->bans_fd);
	p->bans_fd = -1;
}

static int record_write(const struct process *p, uint32_t index, const struct record *r)
{
	ssize_t n = pwrite(p->bans_fd, r, sizeof(*r), (off_t)(index * sizeof(*r)));
	int rc = n == sizeof(*r) ? 0 : n < 0 ? -errno : -ENOSPC;

	if (rc == 0 && fdatasync(p->bans_fd) < 0)
		rc = -errno;
	if (rc < 0)
		log_event(LOG_EV_BANS_NOT_KEPT, LOG_FIELDS(log_errno(rc)));
	return rc;
}

int process_ban(void *ctx, const struct turn_ban *ban, bool lift)
{
	struct process *p = ctx;
	uint32_t index = TURN_BANS_MAX;
	struct record r = {0};
	int rc;

	if (lift) {
		rc = turn_ban_remove(p->core.turn, ban, &index);
	} else {
		rc = turn_ban_add(p->core.turn, proc_now_ns(), proc_wall_s(), ban, &index);
		record_make(&r, ban);
	}
	if (rc == 0 && record_write(p, index, &r) < 0)
		rc = -EIO;
	return rc;
}
