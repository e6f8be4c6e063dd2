// SPDX-License-Identifier: BSD-3-Clause
// How many lines of one event may be written: a number per second, of which one client's prefix
// takes no more than a part. The caller locks.
#pragma once

#include <log/log.h>

#define METER_WINDOW_NS TP_NS_PER_S
#define METER_PREFIXES	64u

// All zero at first.
struct meter {
	uint64_t window_ns; // begin of the current window of one second
	unsigned lines;	    // written in it
	// Of those, lines that name a client of one prefix (/32 or /64), by a hash of it: prefixes
	// with the same hash share.
	uint16_t by_prefix[METER_PREFIXES];
	uint64_t suppressed; // not reported yet
};

// Whether a line with these fields (NULL: none) may be written; counts it. *suppressed is the count
// to report with it. A prefix may write while it has written at most half as
// many lines as remain: the first one about a third of all (4 of 10, 11 of 30), and something stays
// for those that come after it. Many prefixes fill it.
bool meter_pass(struct meter *m, unsigned lines_per_s, const struct log_field *fields,
	uint64_t now_ns, uint64_t *suppressed);
