// SPDX-License-Identifier: BSD-3-Clause
// The process turnpike-edge: start, loop, reload, end. One thread, the main one, but for those of
// <serve/serve.h>.
#pragma once

#include <ctl/server.h>
#include <edge/link.h>
#include <relay/relay.h>
#include <serve/serve.h>
#include <takeover/channel.h>

struct edge_options {
	const char *config;
	const char *instance; // NULL: the configuration's
	const char *user;     // NULL: stays as it was started
	bool allow_root;
	bool no_sandbox;
	bool take_over;
};

// A configuration to which listeners that a reload has added refer.
struct edge_conf {
	struct edge_conf *next;
	struct conf *conf;
};

// Parts of the process before, until the link, the relay and the threads have them.
struct edge_before {
	int fd;	     // the channel, until it is taken over; -1: none
	int word_fd; // where it says that it refuses; -1: none
	char refusal[256];
	bool died;
	struct takeover_welcome welcome;
	struct serve_socket *sockets;
	size_t n_sockets;
	struct edge_link_parts parts;
	bool linked; // the parts are the link's
	int far_fd;  // of the connection that follows; -1: none
	unsigned n_connections;
	int drains[TAKEOVER_DRAINS_MAX]; // channels of those that drain, the oldest first
	unsigned n_drains;
};

struct edge {
	struct edge_options options;
	struct conf *conf;	 // of the start: sockets and threads are made of it
	struct edge_conf *later; // of reloads
	struct shm_place place;
	int role_fd;
	int signal_fd;
	struct tls_tickets *tickets;
	struct serve *serve;
	struct edge_link *link;
	struct edge_relay *relay;
	struct edge_link_relay relaying; // the link's way to it
	uint64_t room;			 // descriptors for connections
	uint32_t relay_sockets;		 // of TCP allocations, at most
	uint64_t now_ns;		 // of the turn of the loop
	struct ctl_server *ctl;
	uint64_t started_ns;
	bool stopping;
	bool failed;
	bool lock_reported;
	uint64_t warned_s;   // wall clock of the last warning of a certificate
	uint64_t ended;	     // connections and handshakes, a second ago
	uint64_t trimmed;    // of them when memory was given back
	uint64_t trimmed_ns; // and the time
	struct edge_before before;
	int next_listen_fd; // for the next process; -1: none
	char next_path[TAKEOVER_PATH_SIZE];
	int next_fd;	  // the channel to the next process; -1: none
	int next_word_fd; // where it is told that it is refused; -1: none
	uint64_t next_ns;
	bool next_is_stale; // a reload has changed what it read when it started
	int next_rc;	    // of the record that could not be sent
	bool draining;	    // the next process has taken over
	uint64_t drain_ns;
};

// False: the process ends with *status; a message or the help was printed.
bool edge_options_parse(struct edge_options *o, int argc, char **argv, int *status);

// Sockets, user, role, certificates, walls, threads. 0, or an exit status after a line. Takes conf
// over.
int edge_start(struct edge *e, const struct edge_options *o, struct conf *conf);
// No more connections than descriptors.
void edge_connections_clamp(const struct edge *e, struct conf *conf);
// Reads configuration and certificates again. 0; -1 with err filled in: nothing has changed.
int edge_reload(struct edge *e, struct tls_error *err);
void edge_run(struct edge *e);
void edge_stop(struct edge *e);

// relays.c: the sockets of TCP allocations, after the threads were made. 0 or -1 with errno set.
int edge_relays_open(struct edge *e);

// predecessor.c: the socket by which the next process finds this one. 0 or a negative errno. Where
// this process takes over, the one before has the name, until edge_next_rename.
int edge_next_open(struct edge *e);
int edge_next_rename(struct edge *e);
void edge_next_close(struct edge *e);
// Ends this process, after a line: the next one has ended, and with it all that it had taken over.
void edge_next_died(struct edge *e);
// Answers the next process, and hands over to it.
void edge_next_poll(struct edge *e);

// finding.c, successor.c. All take the process before over, or do nothing without one.
// Finds it and gets its listening sockets, before others are opened. 0, or an exit status after a
// line.
int edge_before_find(struct edge *e);
// Gets the rest, when all that may fail has been done: from the moment at which the process before
// has let go, this one serves. 0 or an exit status likewise.
int edge_before_take(struct edge *e);
// Takes connections whose handshake was under way, of all that drain.
void edge_before_poll(struct edge *e);
// Closes the channels to those that drain: the next process has them.
void edge_before_leave(struct edge *e);
void edge_before_close(struct edge *e);

// finding.c, for successor.c.
// Closes the channel by which this process takes over, and all that came with it.
void edge_before_channel_close(struct edge_before *b);
// The exit status, after a line.
int edge_before_failed(struct edge *e, int rc);
// Receives a record of the kind. 0 or a negative errno; -ECANCELED: it has refused.
int edge_before_expect(struct edge *e, enum takeover_kind kind, struct takeover_record *r);
// Whether it has said so since WELCOME.
bool edge_before_refused(struct edge *e);
bool edge_before_has_died(int rc);
// Locks the role. 0 or an exit status after a line.
int edge_role_lock(struct edge *e);

// The operator socket. 0 or a negative errno. Its name is likewise that of the process before.
int edge_operator_open(struct edge *e);
int edge_operator_rename(struct edge *e);
