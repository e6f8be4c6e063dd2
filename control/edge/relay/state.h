// SPDX-License-Identifier: BSD-3-Clause
// Between the files of this library.
#pragma once

#include <relay/relay.h>

#include <pthread.h>

#include <ds/list.h>
#include <ds/map.h>
#include <tcp/spare.h>

// The first key of this process; those of control are below.
#define KEY_FIRST (UINT64_C(1) << 32)

enum source_kind {
	SOURCE_LISTENER,
	SOURCE_PEER,
};

// Whose event it is, at the beginning of both.
struct source {
	enum source_kind kind;
	int fd;		     // -1: none
	struct ds_list due;  // in the list of reports that are due
	struct ds_list dead; // ended in this turn: events may still name it
};

struct listener {
	struct source source;
	struct ds_map_node by_local;
	struct ds_list link;  // of all, or of those that end
	struct ds_list peers; // once it ends, the joined ones
	struct meter *meter;
	struct tp_session_relay is;
};

struct peer {
	struct source source;
	struct ds_map_node by_key;
	struct ds_list link;	   // of the listener
	struct listener *listener; // NULL: none
	struct ds_list timed;	   // of those that connect, that wait, or that are awaited
	uint64_t since_ns;
	struct tp_session_peer is;
	bool known; // to some control process: its end is told
};

// One that ended in another thread.
struct ended {
	struct ended *next;
	uint64_t key;
	uint64_t to_peer;
	uint64_t to_client;
};

struct edge_relay {
	struct edge_relay_settings settings;
	struct tp_addr *addresses; // of the settings
	int epoll_fd;
	int ended_fd;
	struct tcp_spare spare; // given up for a peer that is to be refused
	pthread_mutex_t mutex;	// of `ended`
	struct ended *ended;
	uint64_t now_ns;
	uint64_t metered_ns; // the last look at all meters
	uint64_t next_key;
	struct meters *meters;
	uint32_t n_used;  // buckets whose use is to be told until the next look
	uint32_t used_id; // the one that was due last
	struct ds_map listeners;
	struct ds_map peers;
	struct ds_list all;    // listeners
	struct ds_list ending; // listeners that were ordered to end and have not been told
	struct ds_list due;    // the oldest first
	struct ds_list dead;
	struct ds_list connecting;
	struct ds_list waiting;
	struct ds_list awaited; // joined in the process before: their connections have not come
	uint32_t n_listeners;
	uint32_t n_peers;
	struct edge_relay_counters counters;
};

// ---- relay.c ------------------------------------------------------------------------------------

// Whether the configuration has it as a relayed transport address.
bool relay_local_right(const struct edge_relay *r, const struct tp_addr *local);
// Takes the ends that threads have told.
void relay_ended(struct edge_relay *r, bool counts);
// A report is due.
void relay_due(struct edge_relay *r, struct source *s);
// Closes the socket, and frees the whole once no event can name it.
void relay_bury(struct edge_relay *r, struct source *s);
// False: no more can be watched.
bool relay_watch(struct edge_relay *r, struct source *s, uint32_t events);
void relay_unwatch(struct edge_relay *r, struct source *s);

// ---- listener.c ---------------------------------------------------------------------------------

struct listener *listener_find(const struct edge_relay *r, const struct tp_addr *local);
// Opens one by an order, or gives the one that is there other caps.
void listener_open(struct edge_relay *r, const struct tp_session_order *o);
// Ends it and its peers by an order: its end is told after theirs.
void listener_close(struct edge_relay *r, struct listener *l);
// A peer of it has ended.
void listener_peer_ended(struct edge_relay *r, struct listener *l);
// Ends it and its peers without a report.
void listener_forget(struct edge_relay *r, struct listener *l);
void listener_event(struct edge_relay *r, struct listener *l);
void listener_told(struct edge_relay *r, struct listener *l);
// Reports bytes that passed since the last report.
void listener_meter(struct edge_relay *r, struct listener *l);
// Adopts a listening socket of the process before. False: it does not fit.
bool listener_adopt(struct edge_relay *r, const struct edge_relay_moved *m, int fd);

// ---- peer.c -------------------------------------------------------------------------------------

struct peer *peer_find(const struct edge_relay *r, uint64_t key);
// Goes out by an order; false: the key is taken.
bool peer_connect(struct edge_relay *r, const struct tp_session_order *o);
// Came in by the socket, which becomes its own.
void peer_accept(struct edge_relay *r, struct listener *l, int fd, const struct tp_addr *from);
void peer_keep(struct edge_relay *r, struct peer *p, const struct tp_session_order *o);
void peer_join(struct edge_relay *r, struct peer *p, const struct tp_session_order *o,
	const uint8_t *data);
// `failed`: the error of one that was not connected, else 0.
void peer_end(struct edge_relay *r, struct peer *p, int failed);
// By an order: a joined one ends in its thread.
void peer_close(struct edge_relay *r, struct peer *p);
void peer_event(struct edge_relay *r, struct peer *p, uint32_t events);
void peer_ended(struct edge_relay *r, const struct ended *e);
void peers_expire(struct edge_relay *r);
void peer_told(struct edge_relay *r, struct peer *p);
bool peer_adopt(struct edge_relay *r, const struct edge_relay_moved *m, int fd);
// The connection of one that was adopted joined has come. False: none is awaited.
bool peer_claim(struct edge_relay *r, struct peer *p);
// Forgets one that has moved.
void peer_leave(struct edge_relay *r, struct peer *p);

// ---- socket.c: descriptors, or a negative errno -------------------------------------------------

int socket_listen(const struct tp_addr *local);
// -EINPROGRESS is none: *done says whether it is connected.
int socket_connect(const struct tp_addr *local, const struct tp_addr *peer, bool *done);
int socket_accept(int fd, struct tp_addr *from);
// The error that ended an attempt; 0: connected.
int socket_error(int fd);
