// SPDX-License-Identifier: BSD-3-Clause
// Listeners, connections and threads of the edge: bytes of stream clients to messages for the data
// plane, and back. It knows the framing of STUN and ChannelData, and nothing else of TURN.
//
// A connection goes through: header of the PROXY protocol where the listener has proxies; first
// bytes, which tell plain from TLS; handshake; open, when it is registered with <edge/link.h>. One
// that is a backend's passes to it instead.
//
// Threads: serve_create, _start, _reload, _stop and _destroy belong to one thread. The counters may
// be read by any.
#pragma once

#include <bounds/admit.h>
#include <conf/conf.h>
#include <dtls/dtls.h>
#include <edge/link.h>
#include <tls/tls.h>
#include <wire/frame.h>

// Why a connection ended: X(name, description).
#define SERVE_CLOSES(X)                                                                            \
	X(client, "the client closed")                                                             \
	X(broken, "the kernel reports an error of the connection")                                 \
	X(garbage, "bytes that are neither STUN nor ChannelData")                                  \
	X(alien, "first bytes of a protocol that the port has no listener for")                    \
	X(proxy, "no header of the PROXY protocol within 5 s, or one that is wrong")               \
	X(handshake, "the TLS handshake failed")                                                   \
	X(tls, "the TLS session failed")                                                           \
	X(handshake_timeout, "no first message within edge.handshake_timeout")                     \
	X(message_timeout, "a message that was begun and not ended in edge.handshake_timeout")     \
	X(idle_timeout, "nothing came for edge.idle_timeout")                                      \
	X(unread, "answers that the client does not read fill edge.queue_bytes")                   \
	X(not_ready, "the control process has not named the listener")                             \
	X(passed, "a backend's connection ended")                                                  \
	X(http, "a request of HTTP that was answered with a refusal")                              \
	X(data, "a data connection of a TCP allocation ended")                                     \
	X(backend, "the backend of the listener can't be reached")                                 \
	X(limit, "a limit of connections or handshakes")                                           \
	X(memory, "no memory")                                                                     \
	X(replaced, "the client has begun another DTLS association from the same address")         \
	X(half_open, "too many DTLS handshakes at once: the oldest gave way")                      \
	X(removed, "the configuration has the listener no longer")                                 \
	X(drained, "the process before, which had the session of DTLS, has ended")                 \
	X(stopping, "the process stops")

enum serve_close {
	SERVE_OPEN,
#define SERVE_CLOSE_ID(name, text) SERVE_CLOSE_##name,
	SERVE_CLOSES(SERVE_CLOSE_ID)
#undef SERVE_CLOSE_ID
		SERVE_CLOSE_COUNT
};

// Counters of one thread, or the sum of all: X(name, description).
#define SERVE_COUNTERS(X)                                                                          \
	X(accepted, "connections accepted")                                                        \
	X(taken, "connections taken over from the process before")                                 \
	X(refused_proxy, "connections from an address that is no proxy of the listener")           \
	X(accept_failed, "connections that the kernel could not hand over: too many files")        \
	X(handshakes, "TLS and DTLS handshakes done")                                              \
	X(resumed, "of them, those that resumed a session")                                        \
	X(websockets, "WebSockets begun")                                                          \
	X(passed, "connections handed to backends")                                                \
	X(passed_in, "bytes for backends")                                                         \
	X(passed_out, "bytes of backends")                                                         \
	X(data_in, "bytes for peers of TCP allocations")                                           \
	X(data_out, "bytes of peers of TCP allocations")                                           \
	X(data_waits, "times that a data connection waited for a cap of bandwidth")                \
	X(messages_in, "messages of clients handed to the data plane")                             \
	X(messages_full, "messages of DTLS clients lost: the data plane was too slow or away")     \
	X(held, "times that a connection was not read: the data plane was too slow or away")       \
	X(messages_oversize, "messages of clients lost: longer than 1,984 bytes")                  \
	X(messages_out, "messages for clients taken over")                                         \
	X(lost_late, "messages for clients dropped by edge.queue_age_ms")                          \
	X(lost_full, "messages for clients dropped by edge.queue_bytes")                           \
	X(bytes_in, "bytes of messages from clients")                                              \
	X(bytes_out, "bytes of messages for clients, with their padding")                          \
	X(reads, "reads of connections")                                                           \
	X(writes, "writes to connections")                                                         \
	X(cookies, "DTLS handshakes begun without a cookie, which was sent")                       \
	X(datagrams_in, "datagrams of DTLS records from clients")                                  \
	X(datagrams_stray, "of them, those of no association")                                     \
	X(datagrams_out, "datagrams of DTLS records for clients")                                  \
	X(datagrams_full, "datagrams and messages of DTLS clients lost: too long, or the data "    \
			  "plane, or in an "                                                       \
			  "upgrade the other edge, too slow or away")

struct serve_counters {
#define SERVE_COUNTER(name, text) uint64_t name;
	SERVE_COUNTERS(SERVE_COUNTER)
#undef SERVE_COUNTER
	uint64_t closed[SERVE_CLOSE_COUNT];
	uint64_t refused[ADMIT_COUNT];
};

struct meter;
struct serve;

// A listening socket that there is already.
struct serve_socket {
	struct tp_addr addr;
	unsigned thread;
	int fd; // -1: taken over
};

// Opens the sockets that are to listen: a port below 1024 needs the privileges of the start. `conf`
// and `tickets` are borrowed until serve_destroy. NULL: `err` says why.
struct serve *serve_create(
	const struct conf *conf, struct tls_tickets *tickets, struct tls_error *err);

// Likewise, with sockets of another process where it has them for this number of threads: they are
// taken over.
struct serve *serve_create_with(const struct conf *conf, struct tls_tickets *tickets,
	struct serve_socket *sockets, size_t n_sockets, struct tls_error *err);

// Lets the sockets listen. Before it a client is another process's, where one has the port too; so
// only one that has the role calls it, or that is about to take over. 0; -1 with err filled in.
int serve_listen(struct serve *s, struct tls_error *err);

// Reads the certificates, as the user that is to read them again at a reload. 0; -1 with err filled
// in.
int serve_certificates_load(struct serve *s, struct tls_error *err);

// Makes the threads, which wait for serve_start; SIGPIPE must be ignored. 0 or a negative errno.
int serve_ready(struct serve *s);
// Lets the threads begin, and makes those that are missing. `link` is borrowed until serve_stop. 0
// or a negative errno; never the latter after serve_ready and serve_attach.
int serve_start(struct serve *s, struct edge_link *link);

struct serve_changes {
	unsigned added; // ports; the configuration is borrowed until serve_destroy if there are any
	unsigned removed; // ports, whose connections end
	bool others;	  // listeners that stay have other keys: for the next start
};

// Takes certificates, limits, times, new and removed listeners over from another configuration,
// which is borrowed during the call only but for new listeners. No other connection ends. Returns
// 0; -1 with err filled in: everything stays as it was. After serve_start.
int serve_reload(struct serve *s, const struct conf *conf, struct serve_changes *changes,
	struct tls_error *err);

// Whether the listeners that stay have the same proxies, names, backends and WebSockets, and their
// port the same ones beside them: a reload does not take these over.
bool serve_listeners_same(const struct serve *s, const struct conf *conf);

// Ends the threads, which close their connections.
void serve_stop(struct serve *s);
void serve_destroy(struct serve *s);

// ---- data connections (RFC 6062): the main thread -----------------------------------------------

struct serve_joined {
	void *ctx;
	// The end of a joined connection: by its thread.
	void (*ended)(void *ctx, uint64_t key, uint64_t to_peer, uint64_t to_client);
	// Takes one of the process before: *meter has a reference for it, or is NULL. False: it is
	// unknown, and closes without a call of `ended`.
	bool (*claim)(void *ctx, uint64_t key, struct meter **meter);
};

// Before serve_start and serve_take.
void serve_on_joined(struct serve *s, const struct serve_joined *joined);
// Joins the peer's socket, which is taken over like the reference to the meter of its bytes, and
// the client's connection, whose client gets the data first. `ended` is called once, also where the
// connection is gone.
void serve_join(struct serve *s, uint64_t key, uint64_t connection, int fd, struct meter *meter,
	const uint8_t *data, size_t len);
// Ends a joined one.
void serve_part(struct serve *s, uint64_t key, uint64_t connection);

// ---- from one process to the next: the main thread ----------------------------------------------

// The next process: false, it can't be told. `bytes` are of takeover_connection_write, `far` is the
// socket of a backend or peer, or -1; the descriptors stay the caller's. After serve_leave any
// thread calls it, one at a time.
struct serve_next {
	void *ctx;
	bool (*connection)(void *ctx, const uint8_t *bytes, size_t len, int fd, int far);
};

// Stops the threads as they are, with all orders obeyed, and starts them again. serve_resume
// returns 0 or a negative errno.
void serve_pause(struct serve *s);
int serve_resume(struct serve *s);
typedef bool serve_socket_fn(void *ctx, const struct tp_addr *addr, unsigned thread, int fd);
// Shows all listening sockets, which stay its own. How many; -1: a call has returned false.
int serve_sockets_show(struct serve *s, serve_socket_fn *show, void *ctx);
// While paused: shows the connections that move. Nothing has changed until serve_leave, and
// serve_stay forgets it. How many they are; -1: the next process can't be told, or (errno EMFILE,
// ENFILE) there are too few descriptors.
int serve_hand(struct serve *s, const struct serve_next *to);
void serve_stay(struct serve *s);
// The next process has them: lets go of listening sockets, and serves the sessions that stay, once
// resumed, until they end. How many have moved.
unsigned serve_leave(struct serve *s, const struct serve_next *to);
// Takes a connection over: between serve_attach and serve_start, or while the threads serve, then
// only one whose handshake is just done, and not after serve_leave. The descriptors are taken.
// False: no edge of this version wrote these, and the descriptors are the caller's.
bool serve_take(struct serve *s, const uint8_t *bytes, size_t len, int fd, int far);
// The key of the cookies of DTLS, from one process to the next, before serve_start.
void serve_cookie_key(const struct serve *s, uint8_t key[DTLS_COOKIE_KEY_LEN]);
void serve_cookie_key_set(struct serve *s, const uint8_t key[DTLS_COOKIE_KEY_LEN]);
// Ties the threads to the link before they begin. 0 or a negative errno. serve_start does
// it otherwise.
int serve_attach(struct serve *s, struct edge_link *link);

// Sum over the threads.
void serve_counters_read(struct serve *s, struct serve_counters *out);
uint32_t serve_connections(struct serve *s);
// The certificate that expires first; 0: there is none.
uint64_t serve_expires_s(struct serve *s, char *file, size_t size);
// Likewise, the time of the one that expires last.
uint64_t serve_last_expires_s(struct serve *s);

const char *serve_close_name(enum serve_close c);
