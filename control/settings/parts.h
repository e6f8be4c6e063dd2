// SPDX-License-Identifier: BSD-3-Clause
// Parts of the difference of two configurations.
#pragma once

#include <settings/diff.h>

void settings_diff_add(struct settings_diff *d, const char *key, bool restart, const char *format,
	...) __attribute__((format(printf, 4, 5)));
void settings_diff_number(
	struct settings_diff *d, const char *key, bool restart, uint64_t from, uint64_t to);
// Adds how many were added, removed and changed, where any was.
void settings_diff_counts(
	struct settings_diff *d, const char *key, size_t added, size_t removed, size_t changed);
// Compares the file's own realm and the further ones. 0 or -ENOMEM.
int settings_diff_realms(struct settings_diff *d, const struct conf *from, const struct conf *to);
