// SPDX-License-Identifier: BSD-3-Clause
// Lets the kernel tell an interface's neighbours when its MAC address changes: the relay's frames
// leave past the kernel, so nothing else would, and a router goes on sending IPv6 to the address of
// before for half a minute. Sets net.ipv4.conf.NAME.arp_notify and net.ipv6.conf.NAME.ndisc_notify
// until the end; after a kill they stay. One thread at a time.
#pragma once

#define ANNOUNCE_SYSCTLS "/proc/sys/net"

// Zeroed: nothing is set.
struct steer_announce {
	int fds[2]; // of settings that were off
	unsigned n;
};

// One that is on already, or that this kernel does not have, is left alone.
void steer_announce_start(struct steer_announce *a, const char *sysctls, const char *interface);
// Needs no access to the files any more.
void steer_announce_stop(struct steer_announce *a);
