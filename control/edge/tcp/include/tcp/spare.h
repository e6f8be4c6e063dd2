// SPDX-License-Identifier: BSD-3-Clause
// A descriptor kept for the time when no other is free. Without it a connection would wait in the
// kernel, and its event come again at once. One thread uses a spare.
#pragma once

#include <stdbool.h>

#include <turnpike/addr.h>

struct tcp_spare {
	int fd; // -1: none
};

// 0, or a negative errno: there is none.
int tcp_spare_open(struct tcp_spare *s);
void tcp_spare_close(struct tcp_spare *s);
// After a connection was accepted: a descriptor is free again, and kept if there was none.
void tcp_spare_refill(struct tcp_spare *s);
// After tcp_accept failed with `rc`. If that was for want of descriptors, ends the connection that
// waits at the listening socket. True: one was ended, and it came from *from.
bool tcp_spare_refuse(struct tcp_spare *s, int listener, int rc, struct tp_addr *from);
