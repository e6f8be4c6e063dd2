// SPDX-License-Identifier: BSD-3-Clause
// Associations of DTLS clients: datagrams of records from the link to messages, and back. Each
// thread has those of its own, by listener and remote address; the data plane gives all datagrams
// of one client to one thread. Nothing is kept for a source before it has shown a cookie.
#pragma once

#include <ds/map.h>
#include <dtls/dtls.h>

#include "internal.h"

// Associations of one thread in their handshake: beyond it the oldest gives way.
#define ASSOCIATION_SHAKING_MAX 4096u
// Between two looks at flights that are to be sent again.
#define ASSOCIATION_TICK_NS	(200 * TP_NS_PER_MS)

// Address and port of a DTLS listener.
struct serve_dtls_port {
	struct tp_addr addr;
	struct tls_context *context; // under serve.lock
	bool is_removed;	     // likewise; its associations end by themselves
};

// Of one thread.
struct associations {
	struct serve_thread *thread;
	struct ds_map map;
	struct ds_list shaking; // by the time since which they are there
	struct ds_list idle;	// the others, by their last message
	struct ds_list refused; // taken over, to be closed for their fault by the first turn
	struct ds_list parting; // closed: their last records are awaited
	struct ds_list dead;	// closed in this turn: events may still name them
	uint32_t n_shaking;
	uint64_t ticked_ns;
};

// No padding: it is hashed.
struct association_key {
	struct tp_addr remote;
	uint16_t listener_id;
	uint16_t zero;
};
TP_ASSERT_SIZE(struct association_key, 24);

// Where the session and the client are: see dtls_bridge.c.
enum association_place {
	ASSOCIATION_WHOLE,  // both are here
	ASSOCIATION_CLIENT, // the session is in the process before
	ASSOCIATION_SESSION // the client is the next process's
};

struct association {
	struct serve_client client;
	struct associations *all;
	struct ds_map_node node;
	struct association_key key;
	struct tp_addr local;
	enum association_place place;
	bool moves;	   // is shown to the next process
	bool parts;	   // is closed, and its last records are awaited
	int pair_fd;	   // to the other process, where one has a part of it; -1: none
	bool admitted;	   // counts against the limits
	struct dtls *dtls; // CLIENT: NULL
	struct dtls_events events;
	struct edge_link_way way;
	const struct edge_link_way *fed; // that of the datagram that is read
	uint8_t random[32];		 // of its ClientHello
	enum serve_close fault;		 // found while a datagram was read, or it was taken over
	bool open;			 // the handshake is done
	bool shaking;			 // counts among n_shaking
	uint64_t connection;		 // handle of the link; 0: no message has come
	struct ds_list timed;
	uint64_t since_ns;
};

// ---- ports --------------------------------------------------------------------------------------

// Those of a configuration. 0 or a negative errno.
int association_ports_make(struct serve *s, const struct conf *conf);
// Takes back those from `first` on, which no thread knows.
void association_ports_forget(struct serve *s, size_t first);
void association_ports_free(struct serve *s);
// New contexts for all ports, [n_dtls_ports]. NULL with err filled in.
struct tls_context **association_contexts_load(
	struct serve *s, const struct conf *conf, struct tls_error *err);
// Puts them into use, and frees the list with those before. Ports that the configuration lacks are
// removed from then on.
void association_contexts_swap(struct serve *s, const struct conf *conf, struct tls_context **made);
void association_contexts_free(struct serve *s, struct tls_context **made);

// ---- one thread's -------------------------------------------------------------------------------

// NULL: no memory.
struct associations *associations_create(struct serve_thread *t);
// They have ended. NULL is fine.
void associations_destroy(struct associations *all);

struct association *association_find(struct associations *all, const struct association_key *key);
// A new one at the end of a list, without a session. NULL: no memory.
struct association *association_create(struct associations *all, const struct association_key *key,
	const struct tp_addr *local, struct ds_list *list);
// Takes it out of the map, the limits and the count of connections.
void association_leave(struct association *a);
void association_close(struct association *a, enum serve_close why);
// Moves it to the end of a list of the thread, from now on.
void association_time(struct association *a, struct ds_list *list);
// A datagram of the client for the session that is here. It may close.
void association_feed(
	struct association *a, const struct edge_link_way *way, const uint8_t *data, size_t len);
// A message of the client for the data plane, whose record was authentic and came by this way.
// False: the caller must close it for a->fault.
bool association_deliver(
	struct association *a, const struct edge_link_way *way, const uint8_t *data, size_t len);
// Records for the client.
void association_send(struct association *a, const uint8_t *datagram, size_t len);
// A datagram that arrived at a DTLS listener.
void association_datagram(struct associations *all, uint16_t listener_id,
	const struct tp_addr *remote, const struct edge_link_way *way, const uint8_t *data,
	size_t len);
// A message of the data plane for the client that owns the handle.
void association_push(
	struct serve_client *client, uint64_t connection, const uint8_t *data, size_t len);
// Sends flights again, and closes those whose time is over. Returns when the next one is due,
// UINT64_MAX: none.
uint64_t associations_expire(struct associations *all);
// Closes all.
void associations_end(struct associations *all);
// Frees those closed in this turn.
void associations_reap(struct associations *all);

// ---- dtls_bridge.c: a client and its session in two processes -----------------------------------

// Sends a packet to the other process.
void bridge_send(struct association *a, const struct takeover_packet *head, const uint8_t *bytes,
	size_t len);
// Takes packets of the other process.
void bridge_event(struct association *a);
// Tells the other process the end. True: the last records of its session are awaited, and the
// association is to be dropped when they have come.
bool bridge_end(struct association *a, enum serve_close why);
// Drops closed associations whose last records do not come. Returns when the next one is due.
uint64_t bridges_expire(struct associations *all);
// Waits up to 0.2 s for the last records of closed associations, then drops these.
void bridges_end(struct associations *all);
// Frees the session and the descriptor of a closed association; the rest by associations_reap.
void association_drop(struct association *a);

// The parts of serve_hand, serve_stay and serve_leave, while the thread is paused. Add the number
// of associations that move to *n.
bool associations_hand(struct associations *all, const struct serve_next *to, unsigned *n);
void associations_stay(struct associations *all);
void associations_leave(struct associations *all, unsigned *n);
// Takes over an association whose session is in a process before this one, with the descriptor.
void association_take(struct serve_thread *t, const struct takeover_connection *f, int fd);
