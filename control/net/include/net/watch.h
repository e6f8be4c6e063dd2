// SPDX-License-Identifier: BSD-3-Clause
// The rtnetlink socket behind a mirror: subscribes, dumps, dumps again after loss. No privilege is
// needed. One thread at a time.
#pragma once

#include <net/mirror.h>

struct net_watch;

// Opens the socket, subscribes and asks for the first dump. The mirror stays the caller's. NULL
// with errno set.
struct net_watch *net_watch_create(struct net_mirror *m);
void net_watch_destroy(struct net_watch *w);

// Returns the descriptor for epoll: readable when net_watch_read has work.
int net_watch_fd(const struct net_watch *w);
// Reads pending messages (a bounded amount: call again while readable) and requests due dumps. 0 or
// a negative errno, after which the whole mirror is requested again.
int net_watch_read(struct net_watch *w, uint64_t now_ns);
// Asks for a dump that was held back (at most one of a kind per 100 ms).
int net_watch_advance(struct net_watch *w, uint64_t now_ns);
// When to call net_watch_advance next; UINT64_MAX: never.
uint64_t net_watch_deadline(const struct net_watch *w);
// Blocks until the mirror is complete: at start-up only. 0, -ETIMEDOUT or another negative errno.
int net_watch_sync(struct net_watch *w, unsigned timeout_ms);
