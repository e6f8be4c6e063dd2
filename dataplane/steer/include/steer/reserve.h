// SPDX-License-Identifier: BSD-3-Clause
// Keeps the kernel's ephemeral ports off ours: answers to the host's own queries would be steered
// to the relay. Ports are merged into net.ipv4.ip_local_reserved_ports (both families use it) and
// taken out again at the end; which ones we added is recorded in a file, so that an end after a
// crash gives back those and no others. One thread at a time.
#pragma once

#include <steer/claim.h>

#define RESERVE_SYSCTL	 "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define RESERVE_RANGE	 "/proc/sys/net/ipv4/ip_local_port_range"
#define RESERVE_LEFT_MIN 1024u // ephemeral ports that the host must keep

// A set of ports, one bit each.
struct reserve_ports {
	uint64_t bits[65536 / 64];
};

void steer_reserve_ports_of(struct reserve_ports *ports, const struct steer_claim *own, size_t n);
bool steer_reserve_ports_cover(const struct reserve_ports *have, const struct reserve_ports *want);
// "1-3,5"; -EINVAL for anything else. White space at the end is ignored.
int steer_reserve_ports_parse(struct reserve_ports *ports, const char *text);
// The text's length, or -E2BIG.
int steer_reserve_ports_print(const struct reserve_ports *ports, char *text, size_t size);

// Reserves `want`, releases the other ports named in `record`, and rewrites `record`. -ENOSPC, and
// nothing is reserved, when the host would keep less than RESERVE_LEFT_MIN ephemeral ports of
// `range`: without any it could send nothing at all.
int steer_reserve_apply(const char *sysctl, const char *range, const char *record,
	const struct reserve_ports *want);

// 1: all of `want` is reserved; 0: not; or a negative errno.
int steer_reserve_verify(const char *sysctl, const struct reserve_ports *want);

// Releases the ports named in `record` and removes it; 0 also when there is none.
int steer_reserve_release(const char *sysctl, const char *record);
