// SPDX-License-Identifier: BSD-3-Clause
// Bans on disk: a file of records, one for each place of a ban in the TURN server. A record is
// flushed before the operator is told; a damaged one counts for nothing. Ended bans are recognised
// by their time.
#include <process/process.h>

#include <errno.h>

#include <log/log.h>
#include <proc/clock.h>

static const struct records_kind kind = {
	.name = "bans",
	.magic = 0x4e415042u, // "BPAN"
	.key = "record of a ban",
};

struct record {
	uint64_t sum; // as in struct records_head
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
TP_ASSERT_SIZE(struct record, RECORDS_SIZE);

static void record_make(struct record *r, const struct turn_ban *ban)
{
	*r = (struct record){
		.realm_id = ban->realm_id,
		.name_len = ban->name_len,
		.until_s = ban->until_s,
		.kind = (uint8_t)ban->kind,
		.family = ban->prefix.ip.family,
		.prefix_len = ban->prefix.prefix_len,
	};
	memcpy(r->ip, ban->prefix.ip.ip, sizeof(r->ip));
	memcpy(r->name, ban->name, ban->name_len);
}

static bool record_read(const struct record *r, struct turn_ban *ban)
{
	if (r->name_len > TURN_USERNAME_MAX || r->kind > TURN_BAN_PREFIX)
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

static void bans_load(struct process *p)
{
	uint64_t now_ns = proc_now_ns(), wall_s = proc_wall_s();
	unsigned n = 0, refused = 0;
	int state = RECORDS_FREE;
	struct record r;

	for (uint32_t i = 0; i < TURN_BANS_MAX && state > RECORDS_END; i++) {
		uint32_t index = i;
		struct turn_ban ban;

		state = records_read(&p->bans, i, &r);
		if (state != RECORDS_WHOLE || !record_read(&r, &ban) || ban.until_s <= wall_s)
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
	int status = records_open(&p->bans, &kind, p->core.settings->conf->control.state_directory);

	if (status == 0)
		bans_load(p);
	return status;
}

void process_bans_close(struct process *p, bool orderly)
{
	struct turn_ban ban;
	uint32_t cursor = 0;

	records_close(&p->bans,
		orderly && p->core.turn != NULL && !turn_ban_next(p->core.turn, &cursor, &ban));
}

static int record_keep(const struct process *p, uint32_t index, struct record *r)
{
	int rc = records_write(&p->bans, index, r);

	if (rc == 0)
		rc = records_flush(&p->bans);
	if (rc < 0)
		log_event(LOG_EV_BANS_NOT_KEPT, LOG_FIELDS(log_errno(rc)));
	return rc;
}

int process_ban(void *ctx, const struct turn_ban *ban, bool lift)
{
	struct process *p = ctx;
	uint32_t index = TURN_BANS_MAX;
	struct record r;
	int rc;

	if (lift) {
		rc = turn_ban_remove(p->core.turn, ban, &index);
	} else {
		rc = turn_ban_add(p->core.turn, proc_now_ns(), proc_wall_s(), ban, &index);
		record_make(&r, ban);
	}
	if (rc == 0 && record_keep(p, index, lift ? NULL : &r) < 0)
		rc = -EIO;
	return rc;
}
