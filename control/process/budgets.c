// SPDX-License-Identifier: BSD-3-Clause
// Budgets of bytes: charges users with what their allocations relayed, and keeps the counts in a
// file of records, one for each place of the TURN server's. Not flushed but at the end: a killed
// process loses nothing that was written.
#include <process/process.h>

#include <errno.h>
#include <stdio.h>

#include <log/log.h>
#include <proc/clock.h>
#include <text/time.h>

#define CHARGES_MAX 24576u // places and entries of allocations in one beat, ten times a second
#define PLACES_MAX  1311u  // looked at in one beat: all in five seconds

static const struct records_kind kind = {
	.name = "budgets",
	.magic = 0x54474442u, // "BDGT"
	.key = "budget of a user",
};

struct record {
	uint64_t sum; // as in struct records_head
	uint32_t magic;
	uint16_t realm_id;
	uint16_t name_len;
	uint64_t octets;
	uint64_t since_s;
	uint32_t secret_id;
	uint8_t kind;
	uint8_t reserved[3];
	uint64_t early_until_s;
	char name[TURN_USERNAME_MAX];
	uint8_t padding[1024 - 48 - TURN_USERNAME_MAX];
};
TP_ASSERT_SIZE(struct record, RECORDS_SIZE);

static void record_make(struct record *r, const struct turn_budget_record *b)
{
	*r = (struct record){
		.realm_id = b->realm_id,
		.name_len = b->name_len,
		.octets = b->octets,
		.since_s = b->since_s,
		.early_until_s = b->early_until_s,
		.secret_id = b->secret_id,
		.kind = b->kind,
	};
	memcpy(r->name, b->name, b->name_len);
}

static bool record_read(const struct record *r, struct turn_budget_record *b)
{
	if (r->name_len == 0 || r->name_len > TURN_USERNAME_MAX)
		return false;
	*b = (struct turn_budget_record){
		.octets = r->octets,
		.since_s = r->since_s,
		.early_until_s = r->early_until_s,
		.secret_id = r->secret_id,
		.realm_id = r->realm_id,
		.kind = r->kind,
		.name_len = r->name_len,
	};
	memcpy(b->name, r->name, r->name_len);
	return true;
}

// ---- the file -----------------------------------------------------------------------------------

struct loaded {
	unsigned n;
	unsigned of_no_realm;
	unsigned damaged;
	int err; // 0 or that of a read
};

static struct loaded records_load(struct process *p)
{
	struct loaded l = {0};
	int state = RECORDS_FREE;
	struct record r;

	for (uint32_t i = 0; i < TURN_BUDGETS_MAX && state > RECORDS_END; i++) {
		struct turn_budget_record b;

		state = records_read(&p->budgets.file, i, &r);
		if (state == RECORDS_DAMAGED || (state == RECORDS_WHOLE && !record_read(&r, &b)))
			l.damaged++;
		else if (state != RECORDS_WHOLE)
			continue;
		else if (turn_budget_restore(p->core.turn, i, &b) == 0)
			l.n++;
		else
			l.of_no_realm++;
	}
	l.err = state < 0 ? state : 0;
	return l;
}

static void not_kept_log(int err)
{
	log_event(LOG_EV_BUDGETS_NOT_KEPT, LOG_FIELDS(log_errno(err)));
}

// Writes what has changed in the places from the cursor on. One that could not be written is tried
// again in the next round. True: it has come to the end.
static bool changes_write(struct process *p, uint32_t *cursor, unsigned budget)
{
	struct turn_budget_record b;
	struct record r;
	uint32_t index;
	int err = 0;

	while (turn_budget_changed(p->core.turn, proc_wall_s(), cursor, &budget, &index, &b)) {
		int rc;

		record_make(&r, &b);
		rc = records_write(&p->budgets.file, index, b.name_len > 0 ? &r : NULL);
		if (rc == 0)
			continue;
		turn_budget_not_written(p->core.turn, index);
		err = rc;
	}
	if (err != 0)
		not_kept_log(err);
	return budget > 0;
}

static void all_write(struct process *p)
{
	uint32_t cursor = 0;
	int err;

	changes_write(p, &cursor, UINT32_MAX);
	err = records_flush(&p->budgets.file);
	if (err != 0)
		not_kept_log(err);
}

// Keeps the damaged file beside a new one, in which the whole records stand.
static int damage_put_aside(struct process *p, const struct loaded *l)
{
	struct records *f = &p->budgets.file;
	char aside[RECORDS_PATH_MAX + 16];
	int status;

	snprintf(aside, sizeof(aside), "%s.damaged", f->path);
	status = records_put_aside(f, aside);
	if (status != 0)
		return status;
	log_event(LOG_EV_BUDGETS_DAMAGED,
		LOG_FIELDS(log_str("file", f->path), log_u64("damaged", l->damaged),
			log_u64("kept", l->n), log_str("copy", aside)));
	for (uint32_t i = 0; i < TURN_BUDGETS_MAX; i++)
		turn_budget_not_written(p->core.turn, i);
	all_write(p);
	return 0;
}

// Budgets begin or end to be in force: bytes relayed up to now are not charged.
static void charging_begin(struct process *p)
{
	p->budgets.since_ns = proc_now_ns();
	p->budgets.charge_cursor = 0;
	p->budgets.blind = false;
	tables_charging_set(p->link.tables, false);
}

int process_budgets_open(struct process *p)
{
	int status = records_open(
		&p->budgets.file, &kind, p->core.settings->conf->control.state_directory);
	struct loaded l;

	if (status != 0)
		return status;
	l = records_load(p);
	if (l.err != 0)
		return records_refuse(&p->budgets.file, l.err, "it can't be read: move it away");
	if (l.damaged > 0)
		status = damage_put_aside(p, &l);
	if (status != 0)
		return status;
	if (l.n + l.of_no_realm > 0)
		log_event(LOG_EV_BUDGETS_LOADED,
			LOG_FIELDS(log_u64("users", l.n), log_u64("of_no_realm", l.of_no_realm)));
	p->budgets.set = turn_budgets_are_set(p->core.turn);
	// Bytes relayed without a budget in force, maybe under another process, are nobody's.
	if (!p->budgets.set || !tables_is_charging(p->link.tables))
		charging_begin(p);
	return 0;
}

// ---- counting -----------------------------------------------------------------------------------

static void charged_log(
	const struct process *p, enum turn_charged charged, const struct turn_budget_view *v)
{
	const struct settings *s = p->core.settings;
	const char *realm = "";
	char text[TEXT_TIME_SIZE];

	if (charged == TURN_CHARGED_FULL)
		log_event(LOG_EV_BUDGETS_FULL, LOG_FIELDS(log_u64("users", TURN_BUDGETS_MAX)));
	if (charged != TURN_CHARGED_NEAR && charged != TURN_CHARGED_SPENT)
		return;
	for (size_t i = 0; i < s->n_realms; i++) {
		if (s->realms[i].id == v->record.realm_id)
			realm = s->realms[i].name;
	}
	log_event(charged == TURN_CHARGED_NEAR ? LOG_EV_BUDGET_NEAR : LOG_EV_BUDGET_SPENT,
		LOG_FIELDS(log_text("user", v->record.name, v->record.name_len),
			log_str("realm", realm), log_u64("octets", v->record.octets),
			log_u64("budget", v->limit),
			log_str("until", text_time_format(v->until_s, text))));
}

// The octets of an allocation to be charged now.
static uint64_t octets_take(struct process *p, uint32_t ref, uint64_t created_ns)
{
	if (created_ns >= p->budgets.since_ns)
		return tables_charge(p->link.tables, ref);
	tables_charge_skip(p->link.tables, ref);
	return 0;
}

// A first pass that did not see all counters is none.
static void pass_end(struct process *p)
{
	p->budgets.charge_cursor = 0;
	if (p->budgets.since_ns != 0 && !p->budgets.blind) {
		p->budgets.since_ns = 0;
		tables_charging_set(p->link.tables, true);
	}
	p->budgets.blind = false;
}

// `n`: budget of turn_charge_next.
static void allocations_charge(struct process *p, uint64_t now_ns, unsigned n)
{
	uint64_t wall_s = proc_wall_s(), created_ns;
	struct turn_budget_view view;
	uint32_t ref;

	p->budgets.blind |= !tables_counters_are_there(p->link.tables);
	while (turn_charge_next(p->core.turn, &p->budgets.charge_cursor, &n, &ref, &created_ns)) {
		uint64_t octets = octets_take(p, ref, created_ns);

		charged_log(
			p, turn_charge(p->core.turn, now_ns, wall_s, ref, octets, &view), &view);
	}
	if (n > 0)
		pass_end(p);
}

void process_budgets_tick(struct process *p, uint64_t now_ns)
{
	bool set = turn_budgets_are_set(p->core.turn);

	if (set != p->budgets.set)
		charging_begin(p);
	p->budgets.set = set;
	if (set) {
		allocations_charge(p, now_ns, CHARGES_MAX);
		process_serve_outputs(p, now_ns, NULL);
	}
	if (changes_write(p, &p->budgets.write_cursor, PLACES_MAX))
		p->budgets.write_cursor = 0;
}

void process_budget_ended(
	struct process *p, const struct turn_allocation_record *rec, uint64_t octets)
{
	struct turn_budget_view view;

	// Before the file was read nothing is counted.
	if (p->core.turn == NULL || p->budgets.file.fd < 0 || rec->created_ns < p->budgets.since_ns)
		return;
	charged_log(p, turn_charge_ended(p->core.turn, proc_wall_s(), rec, octets, &view), &view);
}

int process_budget_reset(void *ctx, uint16_t realm_id, const char *name)
{
	struct process *p = ctx;
	uint32_t cursor = 0, index;
	int n = 0, err = 0, rc;

	for (; turn_budget_reset(p->core.turn, realm_id, name, strlen(name), &cursor, &index);
		n++) {
		rc = records_write(&p->budgets.file, index, NULL);
		if (rc == 0)
			continue;
		turn_budget_not_written(p->core.turn, index);
		err = rc;
	}
	rc = n > 0 ? records_flush(&p->budgets.file) : 0;
	// Nobody knows which of the pages were not.
	for (uint32_t i = 0; rc != 0 && i < TURN_BUDGETS_MAX; i++)
		turn_budget_not_written(p->core.turn, i);
	if (err == 0)
		err = rc;
	if (err == 0)
		return n;
	not_kept_log(err);
	return -EIO;
}

void process_budgets_close(struct process *p, bool orderly)
{
	if (p->budgets.file.fd < 0)
		return;
	if (p->core.turn != NULL) {
		p->budgets.charge_cursor = 0;
		if (turn_budgets_are_set(p->core.turn))
			allocations_charge(p, proc_now_ns(), UINT32_MAX);
		all_write(p);
	}
	records_close(&p->budgets.file, orderly && records_are_free(&p->budgets.file));
}
