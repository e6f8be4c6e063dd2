// SPDX-License-Identifier: BSD-3-Clause
// The configuration in the words of those who act on it: the TURN server, the peer policy, the
// tables. Never changed once made; holds secrets, wiped when freed.
#pragma once

#include <conf/conf.h>
#include <policy/policy.h>
#include <tables/writer.h>
#include <turn/server.h>

struct io_settings {
	struct conf *conf;
	struct turn_conf turn;
	struct policy *policy;
	struct turn_user *users;
	struct turn_secret *secrets;
	struct turn_listener *listeners;
	struct turn_relay_address *relays;
	struct tables_local *locals; // listeners, then relay addresses
	size_t n_locals;
	struct tp_path_config path;
};

// Takes over conf, also on failure. Ids are 0 until io_settings_ids. NULL with errno set.
struct io_settings *io_settings_create(struct conf *conf);
// NULL is fine.
void io_settings_destroy(struct io_settings *s);

// Copies the ids that tables_configure settled, and the keys that outlive the process. 0 or
// -ENOMEM.
int io_settings_ids(struct io_settings *s, const struct tables_secrets *secrets);

// Capacities of new tables.
struct shm_tables_shape io_settings_shape(const struct conf *conf);
// Whether tables of `have` are as large as the configuration wants, and no more than that.
bool io_settings_shape_fits(const struct conf *conf, const struct shm_tables *have);
