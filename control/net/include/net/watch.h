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

// For epoll: readable when net_watch_read has something to do.
int net_watch_fd(const struct net_watch *w);
// Reads what is there (a bounded amount: call again while readable) and asks for due dumps. 0 or
// a negative errno, after which the mirror is asked for again in full.
int net_watch_read(struct net_watch *w, uint64_t now_ns);
// Asks for a dump that was held back (at most one of a kind per 100 ms).
int net_watch_advance(struct net_watch *w, uint64_t now_ns);
// When to call net_watch_advance next; UINT64_MAX: never.
uint64_t net_watch_deadline(const struct net_watch *w);
// Blocks until the mirror is complete: at start-up only. 0, -ETIMEDOUT or another negative errno.
int net_watch_sync(struct net_watch *w, unsigned timeout_ms);
