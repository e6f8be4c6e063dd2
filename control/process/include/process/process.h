// SPDX-License-Identifier: BSD-3-Clause
// The control process as a whole: puts the link to the data plane, the tables with the TURN server,
// and the operator's part together. One thread.
//
//   options.c  the command line
//   process.c  takes everything at start, gives it back at the end
//   core.c     tables and TURN server: opened, recovered, closed
//   reload.c   a new configuration for the running core
//   loop.c     the event loop
//   serve.c    messages to the TURN server and its answers back
//   keys.c     secrets and keys of tokens in databases
//   events.c   allocations in the log
//   bans.c     bans on disk           budgets.c  budgets of bytes, on disk
//   records.c  the files of both (<process/records.h>)
//   stream.c   clients by TCP, TLS and DTLS
//   host.c     addresses, cores and memory of the host
//   sandbox.c  system calls that the running process may use
//
// Around it: settings/ (the configuration as they need it), link/ (the data plane's side),
// operator/ (relayctl's commands), lookup/
// (the directory of users), plan/ (--plan), turn/, tables/, net/ and ctl/.
#pragma once

#include <sched.h>

#include <ctl/server.h>
#include <link/edge.h>
#include <link/link.h>
#include <lookup/client.h>
#include <operator/operator.h>
#include <process/records.h>
#include <settings/settings.h>
#include <turn/server.h>

// The command line.
struct process_options {
	const char *config;    // NULL: defaults
	const char *interface; // of the defaults; NULL: that of the default route
	const char *instance;  // NULL: the configuration's
	const char *user;      // to become; NULL: stay
	bool allow_root;       // may stay uid 0
	bool no_sandbox;
	bool json;	      // --plan
	uint32_t worker_rate; // --plan: packets per second one worker was measured to relay; 0
};

// Epoll data.
enum process_tag {
	PROCESS_TAG_SIGNAL,
	PROCESS_TAG_NETLINK,
	PROCESS_TAG_CTL,
	PROCESS_TAG_LINK,
	PROCESS_TAG_KICK,
	PROCESS_TAG_LOOKUP,
	PROCESS_TAG_EDGE,
};

struct process_core {
	struct settings *settings;
	struct turn_server *turn; // NULL: not open
	struct tables_recovery recovered;
};

struct process_loop {
	int epoll_fd;
	int signal_fd;
	struct ctl_server *ctl;
	bool stopping;
	bool reloading;
	bool failed;	    // the process can't go on; the log says why
	bool lock_reported; // its name is lost, and that was logged
	uint64_t stop_ns;   // when a stop no longer waits for the data plane to stop too
	uint64_t resets_logged;
	uint64_t lost_logged;
};

// Messages that wait for the report of their connection, at a time.
#define PROCESS_HELD_MAX 256u

struct process_streams {
	struct link_edge edge;
	struct {
		struct link_message *message;
		uint64_t since_ns;
	} held[PROCESS_HELD_MAX];
	unsigned n_held;
	bool spent; // the edge has had its share of this turn
};

struct process_budgets {
	struct records file;
	bool set; // some realm has budgets
	// Octets of allocations from before are not charged in this pass; 0: all are.
	uint64_t since_ns;
	bool blind; // the pass had no counters for a while
	uint32_t charge_cursor;
	uint32_t write_cursor;
};

struct process {
	struct process_options options;
	int role_fd;
	uint64_t started_ns;
	struct link link;
	struct process_core core;
	struct lookup_client lookup;
	struct process_realm_keys *keys; // by realm; NULL without memory
	struct process_streams streams;
	struct operator_desk operator;
	struct process_loop loop;
	cpu_set_t cores; // that the process may run on
	struct records bans;
	struct process_budgets budgets;
	cpu_set_t placed;	    // of these, off the cores of the workers
	bool absent[TP_LOCALS_MAX]; // addresses that no interface has, by id
};

// ---- process.c --------------------------------------------------------------------------------

// Before everything else, also where process_start is not called.
void process_init(struct process *p, const struct process_options *o);
// Takes over conf. 0, or the exit status after the reason has been logged: then process_stop
// releases the rest.
int process_start(struct process *p, const struct process_options *o, struct conf *conf);
void process_stop(struct process *p);
// --remove-segment: removes all files where no process of the instance runs. Takes over conf.
// Returns the exit status.
int process_segment_remove(struct conf *conf);

// ---- core.c -----------------------------------------------------------------------------------

// Opens the tables, or makes them, and recovers the live objects in them, by the settings, which
// stay the caller's. 0 or a negative errno, with err filled in; on failure nothing is left open.
int process_core_open(struct process *p, struct settings *settings, struct shm_error *err);
// Leaves the tables' files as they are.
void process_core_close(struct process *p);

// ---- bans.c -------------------------------------------------------------------------------------

// Opens the file of bans and puts those in it into force. 0, or the exit status after the reason
// has been logged.
int process_bans_open(struct process *p);
// Removes the file where there are no bans and the process leaves in order.
void process_bans_close(struct process *p, bool orderly);
// An operator_ban_fn; ctx is the process.
int process_ban(void *ctx, const struct turn_ban *ban, bool lift);

// ---- budgets.c ----------------------------------------------------------------------------------

// Opens the file of budgets and takes over the counts in it. 0, or the exit status after the reason
// has been logged.
int process_budgets_open(struct process *p);
// Writes all counts; removes the file where there are none and the process leaves in order.
void process_budgets_close(struct process *p, bool orderly);
// Charges some allocations and writes some counts: ten times a second.
void process_budgets_tick(struct process *p, uint64_t now_ns);
// An allocation has ended, with so many octets that are not charged.
void process_budget_ended(
	struct process *p, const struct turn_allocation_record *rec, uint64_t octets);
// An operator_budget_fn; ctx is the process.
int process_budget_reset(void *ctx, uint16_t realm_id, const char *name);

// ---- reload.c ---------------------------------------------------------------------------------

// Reads the configuration again and puts it into force, whole or not at all; a dry run compares
// only. The log gets one line, and that of process_room_check. 0, or a negative errno with the
// reason in r.
int process_reload(struct process *p, bool dry_run, struct operator_reload *r);
// At start and after a reload: says where caps are configured that the tables have no room for.
void process_room_check(const struct process *p);

// ---- loop.c -----------------------------------------------------------------------------------

void process_run(struct process *p);
// Serves messages and timers due at now_ns, a bounded amount; returns the number of messages.
unsigned process_loop_step(struct process *p, uint64_t now_ns);

// ---- serve.c ----------------------------------------------------------------------------------

// At most `budget` messages; returns how many.
unsigned process_serve_rings(struct process *p, uint64_t now_ns, unsigned budget);
// The directory's socket is readable: its answers resume requests.
void process_serve_answers(struct process *p, uint64_t now_ns);
// Tells the lookups where the directory of the configuration in force is.
void process_serve_aim(struct process *p);
// Hands on messages and events of the TURN server. `origin`: of the request; NULL: none.
void process_serve_outputs(struct process *p, uint64_t now_ns, const struct link_origin *origin);

// One message to the TURN server, and its answers.
void process_serve_message(struct process *p, uint64_t now_ns, const struct link_message *m);

// ---- keys.c ------------------------------------------------------------------------------------

struct process_realm_keys;

// Asks for the keys of all realms again, by the configuration in force.
void process_keys_aim(struct process *p);
void process_keys_fini(struct process *p);
// Asks for those whose life is over: ten times a second.
void process_keys_tick(struct process *p, uint64_t now_ns);

// ---- stream.c ---------------------------------------------------------------------------------

// Opens the socket for the edge. 0 or a negative errno.
int process_streams_open(struct process *p);
void process_streams_close(struct process *p);
// The listeners of the configuration in force.
void process_streams_tell(struct process *p);
// An order of the TURN server for the edge.
void process_streams_order(struct process *p, const struct turn_out *out);
// The edge's socket is readable: once in a turn of the loop.
void process_streams_read(struct process *p);
// Takes a message whose connection may be reported yet. False: it is the caller's to serve.
bool process_streams_hold(struct process *p, uint64_t now_ns, const struct turn_tuple *from,
	const struct link_message *m);

// ---- events.c ---------------------------------------------------------------------------------

void process_event_opened(const struct turn_allocation_record *rec, uint32_t ref);
void process_event_moved(const struct turn_allocation_record *rec, uint32_t ref, uint32_t previous);
void process_event_scan(
	const struct turn_allocation_record *rec, uint32_t ref, const struct tp_addr *peer);
void process_event_refused(const struct turn_out *out);
void process_event_ended(const struct turn_allocation_record *rec, uint32_t ref,
	const struct tables_usage *usage, uint8_t reason);
// A last line for each live allocation: they end with the segment.
void process_events_end_all(struct process *p);

// ---- host.c -----------------------------------------------------------------------------------

// Logs listeners and relay addresses that came to or left the host's interfaces; a relay address
// that is absent gets no allocation. About once a second.
void process_addresses_check(struct process *p);
// Keeps off the workers' cores where there is another.
void process_cores_choose(struct process *p);
// At start: says where memory is too little, or may be swapped out.
void process_memory_check(const struct process *p);

// ---- sandbox.c --------------------------------------------------------------------------------

// From here on the process uses only descriptors that are open: it makes no file, truncates none,
// runs no program, maps no code, opens no network socket, has no capability. 0 or a negative errno.
int process_confine(const struct process *p);
