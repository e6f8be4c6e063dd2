// SPDX-License-Identifier: BSD-3-Clause
// The configuration of a host without a file: one interface, its addresses, a secret made up.
#pragma once

#include "loader.h"

#include <net/if.h>
#include <stdio.h>

#define DEFAULTS_ADDRESSES_MAX 32u

// Interface of the default route with the least metric in the text of /proc/net/route, or of
// /proc/net/ipv6_route. 0 or -ENOENT.
int conf_defaults_route_find(FILE *route, char interface[IFNAMSIZ]);
int conf_defaults_route6_find(FILE *route, char interface[IFNAMSIZ]);

// Stable global addresses of the interface in the text of /proc/net/if_inet6: neither temporary nor
// deprecated nor tentative. Appends to out (DEFAULTS_ADDRESSES_MAX) and returns the new count.
size_t conf_defaults_ipv6_collect(
	FILE *if_inet6, const char *interface, struct tp_addr *out, size_t n);

// The configuration as a file would give it; in the scratch arena.
const char *conf_defaults_text(
	struct conf_loader *load, const char *interface, const struct tp_addr *addresses, size_t n);

// All of it for this host; `interface` NULL: that of the default route. NULL with the mistake
// noted.
const char *conf_defaults_make(struct conf_loader *load, const char *interface);

// Makes up the secret of time-limited credentials.
void conf_defaults_secret_make(struct conf_loader *load);
