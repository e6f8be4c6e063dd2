// SPDX-License-Identifier: BSD-3-Clause
// Budgets of bytes: in `limits` and in each realm.
#include "schema.h"

static const struct rule_choice periods[] = {
	{.name = "month", .value = CONF_BUDGET_MONTH},
	{.name = "day", .value = CONF_BUDGET_DAY},
	{.name = NULL},
};

static const struct rule_choice ends[] = {
	{.name = "end", .value = CONF_SPENT_END},
	{.name = "cap", .value = CONF_SPENT_CAP},
	{.name = NULL},
};

static const struct rule budget_rules[] = {
	{.key = "megabytes",
		.type = RULE_U32,
		RULE_AT(struct conf_budget, megabytes),
		.max = UINT32_MAX,
		.initial = "0",
		.unit = "MB",
		.text = "Data relayed in a period, both directions together, without the headers "
			"of IP, UDP and TURN, in millions of bytes; 0: no budget."},
	{.key = "period",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_budget, period),
		.choices = periods,
		.initial = "month",
		.text = "`month` or `day`, of UTC."},
	{.key = "start",
		.type = RULE_U32,
		RULE_AT(struct conf_budget, start),
		.max = 28,
		.initial = "0",
		.text = "Day on which a month begins, 1 to 28, or hour at which a day begins, 0 to "
			"23; 0 means day 1 or hour 0."},
	{.key = "calls",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_budget, spent),
		.choices = ends,
		.initial = "end",
		.text = "Calls of a user with a spent budget `end`, or go on with a cap of all of "
			"them together (`cap`). New ones are refused with 486 in either case."},
	{.key = "bandwidth",
		.type = RULE_U32,
		RULE_AT(struct conf_budget, bandwidth_kbps),
		.min = 1,
		.max = UINT32_MAX,
		.initial = "128",
		.unit = "kbit/s",
		.text = "Bandwidth of that cap; a lower `caps.user.bandwidth` holds instead."},
	{.key = NULL},
};

const struct section conf_schema_budget = {
	.rules = budget_rules,
	.size = sizeof(struct conf_budget),
	.text = "The bytes that each user of the realm may have relayed in a period. A user is "
		"that of `user_quota`: each time-limited credential that has a time and no name, "
		"and each token, is one. Counted every few seconds; a user may exceed the budget "
		"by the bytes relayed meanwhile. The counts survive restarts, in the file "
		"`budgets` in `control.state_directory`.",
};
