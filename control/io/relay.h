// SPDX-License-Identifier: BSD-3-Clause
// The control process as a whole: what its files share. One thread.
//
//   relay.c     takes everything at start, gives it back at the end
//   segment.c   its files
//   core.c      tables and TURN server
//   reload.c    the same, made anew
//   plane.c     the data plane's files and socket: come and go with it
//   serve.c     messages to the TURN server and its answers back
//   events.c    allocations in the log
//   loop.c      the event loop
//   rates.c     counters of the last second
//   hot.c       the busiest allocations, while somebody looks
//   view_*.c    the operator's commands
#pragma once

#include <ctl/server.h>
#include <turn/server.h>

#include "dplink.h"
#include "hops.h"
#include "hot.h"
#include "rates.h"
#include "rings.h"
#include "settings.h"

// What the process was told at start.
struct io_options {
	const char *config;    // NULL: defaults
	const char *interface; // of the defaults; NULL: that of the default route
	const char *instance;  // NULL: the configuration's
	const char *user;      // to become; NULL: stay
	bool no_sandbox;
	bool json;	      // --plan
	uint32_t worker_rate; // --plan: packets per second one worker was measured to relay; 0
};

// Epoll data.
enum io_tag {
	IO_TAG_SIGNAL,
	IO_TAG_NETLINK,
	IO_TAG_CTL,
	IO_TAG_LINK,
	IO_TAG_KICK,
};

struct io_plane {
	struct shm_state state; // file.base NULL: not mapped
	struct shm_punt punt;
	atomic_bool state_lost; // truncated under us
	atomic_bool punt_lost;
	struct io_dplink link;
	char link_path[SHM_PATH_MAX + 32];
	bool up;	   // as logged
	uint64_t tried_ns; // last attempt to connect or to map
};

struct io_relay {
	struct io_options options;
	struct shm_place place;
	int role_fd;
	int epoll_fd;
	int signal_fd;
	uint64_t started_ns;
	bool stopping;
	bool reloading;
	bool failed;	  // the core could not be opened again
	uint64_t stop_ns; // when a stop no longer waits for the data plane to stop too

	struct io_hops hops;
	struct shm_inject inject;
	struct io_plane plane;
	struct io_rings rings;
	struct ctl_server *ctl;
	struct io_rates rates;
	struct io_hot hot;
	uint64_t resets_logged;
	uint64_t lost_logged;

	// The core.
	struct io_settings *settings;
	struct tables *tables;
	struct turn_server *turn;
	struct tables_recovery recovered;
	bool fresh; // the tables were made by this process
};

// ---- relay.c ----

// Takes over conf. 0, or the exit status after the reason has been logged: then io_relay_stop gives
// back what was taken.
int io_relay_start(struct io_relay *r, const struct io_options *o, struct conf *conf);
void io_relay_stop(struct io_relay *r);

// ---- loop.c ----

void io_relay_run(struct io_relay *r);
// What messages and timers ask for at now_ns, a bounded part of it; returns how many messages.
unsigned io_loop_step(struct io_relay *r, uint64_t now_ns);

// ---- segment.c ----

// Takes the tables of an earlier process, or makes new ones; then the file of rings that goes with
// them. On failure nothing is left open.
int io_segment_open(struct io_relay *r, const struct conf *conf, const struct tables_env *env,
	struct shm_error *err);
int io_segment_open_inject(struct io_relay *r, const struct conf *conf, struct shm_error *err);
// --remove-segment: all files, where no process of the instance runs. Takes over conf; the exit
// status.
int io_segment_clear(struct conf *conf);

// ---- core.c ----

// Opens the tables, or makes them, and recovers what lives in them, by the settings, which stay the
// caller's. 0 or a negative errno, with err filled in; on failure nothing is left open.
int io_core_open(struct io_relay *r, struct io_settings *settings, struct shm_error *err);
// Leaves the tables' files as they are.
void io_core_close(struct io_relay *r);

// ---- reload.c ----

// Reads the configuration and logs its mistakes. NULL: not usable.
struct conf *io_conf_read(const struct io_options *o);
// SIGHUP: reads the configuration again; the old one stays where the new one has mistakes.
void io_reload(struct io_relay *r);

// ---- plane.c ----

void io_plane_init(struct io_relay *r);
void io_plane_fini(struct io_relay *r);
// Lets go of the data plane's files; io_plane_tick maps them again.
void io_plane_files_drop(struct io_relay *r);
// Connects and maps where something is missing, lets go of what was replaced. About every 100 ms.
void io_plane_tick(struct io_relay *r, uint64_t now_ns);
// The link's socket is readable.
void io_plane_link_read(struct io_relay *r, uint64_t now_ns);
// Forwards, as far as can be told from here.
bool io_plane_forwards(const struct io_relay *r, uint64_t now_ns);

// ---- serve.c ----

// At most `budget` messages; returns how many.
unsigned io_serve_rings(struct io_relay *r, uint64_t now_ns, unsigned budget);
// Hands on what the TURN server wants sent and told. `worker` is any.
void io_serve_outputs(struct io_relay *r, uint64_t now_ns, uint32_t worker);

// ---- events.c ----

// The allocation's name for people and logs: tells a reused slot from its last owner.
uint64_t io_allocation_id(const struct turn_allocation_record *rec, uint32_t ref);
void io_event_opened(
	const struct io_relay *r, const struct turn_allocation_record *rec, uint32_t ref);
void io_event_refused(const struct turn_out *out);
void io_event_ended(struct io_relay *r, const struct turn_allocation_record *rec, uint32_t ref,
	const struct tables_usage *usage, uint8_t reason);
// A last line for each live allocation: they end with the segment.
void io_events_end_all(struct io_relay *r);

// ---- view_*.c ----

// Looks for busy allocations while an operator does. About every 100 ms.
void io_top_tick(struct io_relay *r, uint64_t now_ns);

extern const struct ctl_handler io_handlers[];
extern const size_t io_n_handlers;
