// SPDX-License-Identifier: BSD-3-Clause
// Parts of the difference of two configurations.
#pragma once

#include <settings/diff.h>

void settings_diff_add(struct settings_diff *d, const char *key, bool restart, const char *format,
	...) __attribute__((format(printf, 4, 5)));
// Names the process that the changes from number `first` on reach.
void settings_diff_reach(struct settings_diff *d, unsigned first, enum settings_reach reach);
// NULL is "none".
void settings_diff_text(
	struct settings_diff *d, const char *key, bool restart, const char *from, const char *to);
void settings_diff_number(
	struct settings_diff *d, const char *key, bool restart, uint64_t from, uint64_t to);
// Adds how many were added, removed and changed, where any was.
void settings_diff_counts(
	struct settings_diff *d, const char *key, size_t added, size_t removed, size_t changed);
// Compares caps; `keys`: of each number, in the order of the structs.
#define SETTINGS_CAPS_NUMBERS (sizeof(struct conf_caps) / sizeof(uint32_t))
#define SETTINGS_CAPS_KEYS(path)                                                                   \
	{                                                                                          \
		path "allocation.bandwidth", path "allocation.packet_rate",                        \
			path "allocation.burst", path "user.bandwidth", path "user.packet_rate",   \
			path "user.burst", path "realm.bandwidth", path "realm.packet_rate",       \
			path "realm.burst", path "all.bandwidth", path "all.packet_rate",          \
			path "all.burst"                                                           \
	}
void settings_diff_caps(struct settings_diff *d, const char *const keys[SETTINGS_CAPS_NUMBERS],
	const struct conf_caps *from, const struct conf_caps *to);
// Likewise for a budget: five keys.
#define SETTINGS_BUDGET_KEYS(path)                                                                 \
	{                                                                                          \
		path "megabytes", path "period", path "start", path "calls", path "bandwidth"      \
	}
void settings_diff_budget(struct settings_diff *d, const char *const keys[5],
	const struct conf_budget *from, const struct conf_budget *to);
// Compares the file's own realm and the further ones. 0 or -ENOMEM.
int settings_diff_realms(struct settings_diff *d, const struct conf *from, const struct conf *to);
// Compares listeners, relay addresses and their external ones.
void settings_diff_addresses(
	struct settings_diff *d, const struct conf *from, const struct conf *to);
// Compares the keys that are the edge's.
void settings_diff_edge(struct settings_diff *d, const struct conf *from, const struct conf *to);
// NULL equals NULL alone.
bool settings_texts_equal(const char *a, const char *b);
// The listener of the same transport, address and port; NULL: none.
const struct conf_listener *settings_listener_find(
	const struct conf *c, const struct conf_listener *l);
