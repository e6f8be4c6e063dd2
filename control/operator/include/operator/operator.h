// SPDX-License-Identifier: BSD-3-Clause
// The operator's view of the relay: the commands of relayctl, and the measurements behind them. It
// reads its sources and changes nothing but by an operator's command. One thread.
//
//   handlers.c    the table of commands, JSON shared by several of them
//   status.c      status                    loss.c      losses of packets, named first in it
//   warnings.c    its other warnings, each with its remedy
//   allocation.c  allocation list, show, kill
//   dataplane.c   worker, drop, port, nexthop, counter
//   top.c         top                       hot.c       the busiest allocations
//   trace.c       trace                     capture.c   capture
//   service.c     credential, config, log   reserved.c  the kernel's list of reserved ports
//   secret.c      secret list               ban.c       ban add, remove, list
//   policy.c      policy explain            budget.c    budget show, reset
//   rates.c       counters of the last second  user.c   user show, realm list
#pragma once

#include <ctl/server.h>
#include <link/edge.h>
#include <link/link.h>
#include <lookup/client.h>
#include <net/mirror.h>
#include <operator/hot.h>
#include <operator/rates.h>
#include <settings/diff.h>
#include <settings/settings.h>
#include <turn/server.h>

struct operator_sources {
	struct tables *tables;
	struct turn_server *turn;
	const struct settings *settings;
	struct link *link;
	const struct net_mirror *mirror;
	const struct lookup_client *lookup; // NULL: in a test
	const struct link_edge *edge;	    // likewise
};

// The outcome of a reload.
struct operator_reload {
	char problem[400]; // where it is refused
	char remedy[320];
	struct settings_diff diff;
};

// Reads the configuration again and puts it into force; a dry run only compares. 0, or a negative
// errno with the problem filled in.
typedef int (*operator_reload_fn)(void *ctx, bool dry_run, struct operator_reload *r);

// Adds a ban or lifts one, and keeps that over restarts. 0 or a negative errno: -EIO where it holds
// but is not kept.
typedef int (*operator_ban_fn)(void *ctx, const struct turn_ban *ban, bool lift);

// Has the budgets of the name in the realm begin anew, and keeps that. How many there were; -EIO
// where it holds but is not kept.
typedef int (*operator_budget_fn)(void *ctx, uint16_t realm_id, const char *name);

struct operator_desk {
	struct operator_sources sources;
	struct operator_rates rates;
	struct operator_hot hot;
	// The process's own, for `status` and `config check`.
	const char *config;		 // NULL: runs without a file
	const char *instance;		 // NULL: that of the configuration
	const struct ctl_server *socket; // the operators'; NULL: none yet
	uint64_t started_ns;
	uint32_t recovered; // allocations of an earlier process
	operator_reload_fn reload;
	operator_ban_fn ban;		 // NULL: in a test
	operator_budget_fn budget_reset; // likewise
	void *reload_ctx;		 // of the three
};

// Samples the data plane's counters and looks for busy allocations. About every 100 ms.
void operator_tick(struct operator_desk *op, uint64_t now_ns);
void operator_fini(struct operator_desk *op);

// The name of an allocation in logs and for people: tells a reused slot from its last user.
uint64_t operator_allocation_id(const struct turn_allocation_record *rec, uint32_t ref);

// Handlers for the operator's socket; their ctx is a struct operator_desk. Outputs of the TURN
// server are left to the caller.
extern const struct ctl_handler operator_handlers[];
extern const size_t operator_n_handlers;
