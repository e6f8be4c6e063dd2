// SPDX-License-Identifier: BSD-3-Clause
#include <process/process.h>

#include <stdio.h>

#include <log/log.h>
#include <stun/read.h>

#include <proc/clock.h>

static const char *reason_name(uint8_t stored)
{
	static const char *const names[] = {
		[TURN_CLOSE_REFRESH] = "refresh",
		[TURN_CLOSE_EXPIRED] = "expired",
		[TURN_CLOSE_KILLED] = "killed",
		[TURN_CLOSE_SHUTDOWN] = "shutdown",
		[TURN_CLOSE_CONNECTION] = "connection",
		[TURN_CLOSE_CONFIG] = "configuration",
		[TURN_CLOSE_RELAY] = "relay",
		[TURN_CLOSE_BANNED] = "banned",
		[TURN_CLOSE_BUDGET] = "budget",
	};

	// Removed by a recovery scan.
	return stored == 0 || stored > TP_ARRAY_LEN(names) ? "recovery" : names[stored - 1];
}

static struct log_field user_field(const struct turn_allocation_record *rec)
{
	return log_text("user", rec->username, rec->username_len);
}

void process_event_opened(const struct turn_allocation_record *rec, uint32_t ref)
{
	const struct turn_relay_slot *slot = &rec->relay[rec->relay[0].expires_s == 0];

	log_event(LOG_EV_ALLOCATION_CREATED,
		LOG_FIELDS(log_allocation(operator_allocation_id(rec, ref)), user_field(rec),
			log_addr("client", &rec->client.remote), log_addr("relayed", &slot->local),
			log_u64("lifetime_s", rec->lifetime_s)));
}

void process_event_moved(const struct turn_allocation_record *rec, uint32_t ref, uint32_t previous)
{
	char text[17];

	snprintf(text, sizeof(text), "%llx",
		(unsigned long long)operator_allocation_id(rec, previous));
	log_event(LOG_EV_ALLOCATION_MOVED,
		LOG_FIELDS(log_allocation(operator_allocation_id(rec, ref)), user_field(rec),
			log_addr("client", &rec->client.remote), log_str("previous", text)));
}

void process_event_scan(
	const struct turn_allocation_record *rec, uint32_t ref, const struct tp_addr *peer)
{
	log_event(LOG_EV_PORT_SCAN,
		LOG_FIELDS(log_allocation(operator_allocation_id(rec, ref)), user_field(rec),
			log_addr("client", &rec->client.remote), log_addr("peer", peer)));
}

static enum log_event_id refusal_event(const struct turn_refusal *refusal)
{
	switch (refusal->cause) {
	case TURN_REFUSED_UNKNOWN_USER:
	case TURN_REFUSED_CREDENTIAL_EXPIRED:
	case TURN_REFUSED_CREDENTIAL_LIFETIME:
	case TURN_REFUSED_INTEGRITY:
	case TURN_REFUSED_TOKEN:
	case TURN_REFUSED_BANNED:
		return LOG_EV_AUTH_FAILED;
	case TURN_REFUSED_TRIAL:
		return LOG_EV_PEER_WOULD_BE_DENIED;
	case TURN_REFUSED_PEER:
		return LOG_EV_PEER_DENIED;
	case TURN_REFUSED_QUOTA:
	case TURN_REFUSED_BUDGET:
		return LOG_EV_QUOTA_REACHED;
	case TURN_REFUSED_PORTS:
		return LOG_EV_PORTS_EXHAUSTED;
	case TURN_REFUSED_TABLES:
		return LOG_EV_TABLE_FULL;
	default:
		return refusal->method == STUN_ALLOCATE ? LOG_EV_ALLOCATION_REFUSED
							: LOG_EV_REQUEST_REFUSED;
	}
}

void process_event_refused(const struct turn_out *out)
{
	const struct turn_refusal *refusal = out->refusal;
	enum log_event_id event = refusal_event(refusal);
	char rule[POLICY_TEXT_SIZE];

	if (!log_enabled(event))
		return;
	if (refusal->cause == TURN_REFUSED_PEER || refusal->cause == TURN_REFUSED_TRIAL)
		log_event(event, LOG_FIELDS(log_addr("client", &out->tuple.remote),
					 log_text("user", refusal->username, refusal->username_len),
					 log_ip("peer", &refusal->peer),
					 log_str("rule", policy_decision_format(&refusal->why, rule,
								 sizeof(rule)))));
	else
		log_event(event, LOG_FIELDS(log_addr("client", &out->tuple.remote),
					 log_text("user", refusal->username, refusal->username_len),
					 log_u64("code", refusal->code),
					 log_str("reason", turn_refusal_text(refusal->cause))));
}

static void ended_log(const struct turn_allocation_record *rec, uint32_t ref, const char *reason,
	const struct tables_usage *usage)
{
	uint64_t now_ns = proc_now_ns();
	uint64_t age_ns = now_ns > rec->created_ns ? now_ns - rec->created_ns : 0;

	log_event(LOG_EV_ALLOCATION_ENDED,
		LOG_FIELDS(log_allocation(operator_allocation_id(rec, ref)), user_field(rec),
			log_addr("client", &rec->client.remote), log_str("reason", reason),
			log_u64("age_s", age_ns / TP_NS_PER_S),
			log_u64("to_peer_packets", usage->to_peer_packets),
			log_u64("to_peer_octets", usage->to_peer_octets),
			log_u64("to_client_packets", usage->to_client_packets),
			log_u64("to_client_octets", usage->to_client_octets)));
}

void process_event_ended(const struct turn_allocation_record *rec, uint32_t ref,
	const struct tables_usage *usage, uint8_t reason)
{
	ended_log(rec, ref, reason_name(reason), usage);
}

void process_events_end_all(struct process *p)
{
	struct turn_allocation_view view;
	uint64_t cursor = 0;

	tables_end_all(p->link.tables);
	while (turn_allocation_next(p->core.turn, &cursor, &view)) {
		struct tables_usage usage = {0};

		(void)tables_allocation_usage(p->link.tables, view.ref, &usage);
		ended_log(view.record, view.ref, reason_name(1 + TURN_CLOSE_SHUTDOWN), &usage);
	}
}
