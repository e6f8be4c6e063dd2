// SPDX-License-Identifier: BSD-3-Clause
// The realms of the settings: users' keys, secrets and policies.
#pragma once

#include <settings/settings.h>

// After the addresses, which every policy keeps closed. 0 or a negative errno.
int settings_realms_make(struct settings *s);
// The cap in the terms of the packet path.
struct turn_cap settings_cap(const struct conf_cap *c);
void settings_realms_free(struct settings *s);
void settings_wipe_free(const void *p, size_t len);
