// SPDX-License-Identifier: BSD-3-Clause
// Periods of budgets: days and months of UTC that begin where the configuration says.
#include <turn/budget.h>

#define DAY_S  86400u
#define HOUR_S 3600u

struct month {
	uint64_t year;
	unsigned month; // 0 to 11
};

static bool is_leap(uint64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

// Days from 1970 to the first of the month.
static uint64_t month_begins(struct month m)
{
	static const unsigned before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	uint64_t y = m.year - 1;

	return (m.year - 1970) * 365 + (y / 4 - y / 100 + y / 400) -
	       (1969 / 4 - 1969 / 100 + 1969 / 400) + before[m.month] +
	       (m.month > 1 && is_leap(m.year));
}

static struct month month_after(struct month m)
{
	return m.month < 11 ? (struct month){m.year, m.month + 1} : (struct month){m.year + 1, 0};
}

// The last month that begins on the day or before; from 1970 on.
static struct month month_of(uint64_t day)
{
	struct month m = {1970 + day / 366, 0};

	while (month_begins(month_after(m)) <= day)
		m = month_after(m);
	return m;
}

static uint64_t day_of_start(const struct turn_budget_conf *conf, struct month m)
{
	return month_begins(m) + (conf->start > 1 ? conf->start - 1 : 0);
}

static uint64_t period_edge(const struct turn_budget_conf *conf, uint64_t wall_s, bool end)
{
	uint64_t offset_s = (uint64_t)conf->start * HOUR_S, day, first;
	struct month m;

	if (conf->period == TURN_BUDGET_DAY) {
		if (wall_s < offset_s)
			return end ? offset_s : 0;
		return (wall_s - offset_s) / DAY_S * DAY_S + offset_s + (end ? DAY_S : 0);
	}
	day = wall_s / DAY_S;
	m = month_of(day);
	first = day_of_start(conf, m);
	if (day >= first)
		return (end ? day_of_start(conf, month_after(m)) : first) * DAY_S;
	if (end)
		return first * DAY_S;
	if (m.year == 1970 && m.month == 0)
		return 0;
	m = m.month > 0 ? (struct month){m.year, m.month - 1} : (struct month){m.year - 1, 11};
	return day_of_start(conf, m) * DAY_S;
}

uint64_t turn_budget_since_s(const struct turn_budget_conf *conf, uint64_t wall_s)
{
	return period_edge(conf, wall_s, false);
}

uint64_t turn_budget_until_s(const struct turn_budget_conf *conf, uint64_t wall_s)
{
	return period_edge(conf, wall_s, true);
}
