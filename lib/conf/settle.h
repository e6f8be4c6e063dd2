// SPDX-License-Identifier: BSD-3-Clause
// From the draft to the struct conf: checks that concern more than one value.
#pragma once

#include "loader.h"

// Listeners, relay addresses, external addresses.
void conf_settle_endpoints(struct conf_loader *load);
// Certificates and proxies of stream listeners.
void conf_settle_edge(struct conf_loader *load);
// Ports, devices and cores of the data plane.
void conf_settle_ports(struct conf_loader *load);
// Peers on this host; after the endpoints.
void conf_settle_places(struct conf_loader *load);

// Further realms, and the realms of the listeners.
void conf_settle_realms(struct conf_loader *load);
// Checks one realm: its name, users and secrets. `known`: somebody can authenticate in any case.
void conf_realm_check(struct conf_loader *load, const char *const *name, const struct spot *whole,
	const struct draft_credentials *d, bool known);
// `elsewhere`: keys of tokens are in a database.
void conf_tokens_check(struct conf_loader *load, const struct draft_tokens *d, bool elsewhere);
void conf_peers_check(struct conf_loader *load, const struct conf_peers *p);
void conf_budget_check(struct conf_loader *load, const struct conf_budget *b);
// Those of one realm: names and users are there once.
void conf_policies_check(struct conf_loader *load, const struct conf_policy *list, size_t n);
// Sources of the directory.
void conf_settle_directory(struct conf_loader *load);

// Complains that two elements of a list are equal (a conf_pair_fn).
void conf_tell_same(struct conf_loader *load, const struct spot *first, const struct spot *second);
