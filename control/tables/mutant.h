// SPDX-License-Identifier: BSD-3-Clause
// Faults that the stress test must find, or it proves nothing. They exist in a library of the tests
// only (-DTABLES_MUTANTS); in the product every question is a constant false.
#pragma once

#include <stdbool.h>

enum mutant {
	MUTANT_NONE,
	MUTANT_NO_GRACE_PERIOD, // a retired slot is free at once
	MUTANT_PUBLISH_FIRST,	// the index is stored before the entry is filled
};

#ifdef TABLES_MUTANTS
extern enum mutant tables_mutant;
extern void (*tables_mutant_pause)(void); // lets a reader look while the fault shows

static inline bool mutant_is(enum mutant m)
{
	return tables_mutant == m;
}

static inline void mutant_pause(void)
{
	tables_mutant_pause();
}
#else
static inline bool mutant_is(enum mutant m)
{
	(void)m;
	return false;
}

static inline void mutant_pause(void)
{
}
#endif
