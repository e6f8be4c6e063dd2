// SPDX-License-Identifier: BSD-3-Clause
// Between the files of this library.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include <bounds/backlog.h>
#include <bounds/gather.h>
#include <ds/list.h>
#include <meter/meter.h>
#include <serve/serve.h>
#include <takeover/form.h>
#include <tcp/spare.h>
#include <wire/first.h>
#include <wire/hello.h>
#include <wire/upgrade.h>
#include <wire/websocket.h>

#define SERVE_SCRATCH	      65536u
// One record of TLS (RFC 8446 5.1), and one write.
#define SERVE_BATCH	      16384u
#define SERVE_LOWAT	      16384 // unsent bytes in the kernel
#define SERVE_BACKLOG	      1024  // connections that wait in the kernel
#define SERVE_READS	      8u    // of one connection in a turn
// Bytes of records that a session reads at once where its client sends more than one read takes,
// and the sessions of a thread that may.
#define SERVE_WIDE	      61440u
#define SERVE_WIDE_MAX	      256u
#define SERVE_ACCEPTS	      64u     // of one listener in a turn
#define SERVE_MESSAGES	      2048u   // from the workers in a turn
#define SERVE_WRITES	      16u     // between two looks at the rings
#define SERVE_REST_NS	      500000u // likewise, where messages gather
#define SERVE_SHARE	      128u    // messages of one connection while others are held
#define SERVE_HELD_READ	      4096u   // bytes at once of one connection while others are held
#define SERVE_PIPES	      16u     // empty ones that a thread keeps
#define SERVE_PIPES_USED      64u     // with bytes in them
#define SERVE_UNACKED_MS      60000u
#define SERVE_PROXY_NS	      (5 * TP_NS_PER_S) // for the header of a proxy
#define CONNECTION_BIND	      0x000bu		// type of the request, RFC 6062
#define CONNECTION_BIND_ERROR 0x011bu

// Address and port that clients connect to, with a tcp listener, a tls listener, or both.
// A port keeps its place as long as the process lives: connections refer to it.
#define SERVE_PORTS_MAX	      1024u

struct serve_port {
	struct tp_addr addr;
	_Atomic bool is_removed; // each thread closes its own socket
	// The configuration has the listener no longer, and the other one stays, or never had it.
	_Atomic bool plain_left;
	_Atomic bool tls_left;
	const struct conf_listener *plain; // NULL: none, and below
	const struct conf_listener *tls;
	const struct conf_listener *proxied; // its proxies; NULL: direct
	struct tls_context *context;	     // under serve.lock
	int fds[TP_EDGE_THREADS_MAX];
};

// How much, as of the last reload: read without a lock.
struct serve_times {
	_Atomic uint64_t handshake_ns;
	_Atomic uint64_t idle_ns;
	_Atomic uint64_t queue_age_ns;
	_Atomic uint64_t queue_bytes;
};

enum conn_state {
	CONN_PROXY,
	CONN_FIRST,
	CONN_HANDSHAKE,
	CONN_WEB, // TURN or HTTP
	CONN_OPEN,
	CONN_PASS,   // a backend's, or joined with a peer
	CONN_ENDING, // refused: has the answer, and is read until the client ends
};

struct serve_thread;
struct pass;
struct mail;

// A connection whose messages are in a WebSocket.
struct conn_ws {
	struct wire_ws reader;
	enum serve_close closing; // SERVE_OPEN: it is not
	uint8_t out[512];	  // whole frames, and the answer to the request, that are to leave
	uint16_t n_out;
};

// The begin of each owner of a handle of the link: a connection, or an association of DTLS.
struct serve_client {
	bool by_datagrams;
};

struct conn {
	struct serve_client client;
	struct serve_thread *thread;
	struct serve_port *port;
	int fd;
	enum conn_state state;
	bool admitted;
	uint32_t events;       // that epoll tells of
	bool armed;	       // EPOLLIN is
	bool writable_wanted;  // EPOLLOUT is armed
	bool spoke;	       // a message has come
	bool binding;	       // not read until its ConnectionBind is answered
	bool slow_told;	       // its first loss of media is logged
	bool half;	       // the client has ended its side: not read, answers leave
	bool held;	       // not read until its worker's ring has room
	bool blocked;	       // not read until its session has written
	uint8_t session_reads; // of the socket, that its session may still make in this call
	bool session_stopped;  // it wanted more
	bool socket_dry;       // the last read had less than there was room for
	bool socket_full;      // it had more than a batch
	bool wide;	       // its session reads much at once
	bool by_tls;	       // began with a ClientHello: of the port's tls listener
	uint16_t n_asked;      // requests without an answer yet
	bool moves;	       // is shown to the next process
	int pair_fd;	       // where it moves and is of TLS: our end of the pair
	SSL *ssl;	       // NULL: plain
	uint64_t connection;   // handle of the link; 0: not open
	struct tp_addr remote;
	// In one of the thread's lists, by the time since which it is there.
	struct ds_list timed;
	uint64_t since_ns;
	struct ds_list dirty; // in the thread's list while something is to be written
	// In the thread's list while more is to be read, in a lane while it is held, or in the list
	// of those that are paced.
	struct ds_list again;
	bool paced; // not read until its caps allow it
	struct wire_framer framer;
	uint8_t *partial; // start of a message, or (held, binding) all that was read; NULL: none
	uint32_t n_partial;
	// Bytes that are to leave before anything of the backlog: plain, a part of a batch; TLS,
	// the batch with which the session has to be called again.
	uint8_t *rest;
	uint32_t n_rest;
	struct backlog backlog;
	struct pass *pass; // NULL: not a backend's
	uint8_t *head;	   // bytes that may be a request of HTTP; NULL: none
	uint32_t n_head;
	struct conn_ws *ws; // NULL: no WebSocket
};

struct serve_thread {
	struct serve *serve;
	struct edge_link_thread *link;
	unsigned number;
	uint32_t ports_left_seen;
	int epoll_fd;
	int stop_fd;
	pthread_t thread;
	bool running;
	uint64_t now_ns;
	struct gather gather;
	struct ds_list unnamed; // until the header of their proxy has come
	struct ds_list young;	// handshakes, and messages that have begun
	struct ds_list binding; // until their ConnectionBind is answered
	struct ds_list joined;	// with peers, both ends open: without a limit of time
	struct ds_list idle;	// the others
	struct tcp_spare spare; // given up for one that is to be refused
	int mail_fd;
	pthread_mutex_t mail_lock;
	int pipes[SERVE_PIPES][2]; // empty
	unsigned n_pipes;
	unsigned n_pipes_used; // by connections
	unsigned n_wide;       // sessions that read much at once
	struct mail *mail;     // under the lock, the oldest first
	struct mail **mail_last;
	struct backlog_pool backlogs;
	struct ds_list dirty;
	struct ds_list again;
	struct ds_list paced; // those that have waited longest first
	uint64_t paced_ns;    // when the first of them may be read; UINT64_MAX: there is none
	struct ds_list held[TP_WORKERS_MAX];
	uint64_t held_workers; // whose lanes may have a connection, a bit each
	struct ds_list dead;   // closed in this turn: events may still name them
	struct associations *associations;
	_Atomic uint32_t n_connections;
	struct serve_counters counters; // written by the thread, read by any
	struct wire_hello hello;
	uint8_t scratch[SERVE_SCRATCH];
	uint8_t batch[SERVE_BATCH];
};

struct serve {
	pthread_mutex_t lock; // of contexts and admit
	struct admit *admit;
	struct tls_tickets *tickets;
	struct edge_link *link;
	const struct conf *conf;
	struct serve_port *ports;    // [SERVE_PORTS_MAX]
	size_t n_ports;		     // the main thread's
	_Atomic uint32_t ports_left; // times that a port, or one of its listeners, has left
	struct serve_dtls_port *dtls_ports;
	size_t n_dtls_ports;	      // the main thread's
	_Atomic size_t n_dtls_served; // of them, those that the threads may take
	struct dtls_cookies *cookies;
	struct serve_times times;
	struct serve_thread *threads[TP_EDGE_THREADS_MAX];
	unsigned n_threads;
	bool paused;		// threads end and leave their connections
	pthread_mutex_t gate;	// is the main thread's while they wait to begin
	bool waiting;		// they do: changes under the gate alone
	_Atomic bool shown;	// another process may have our descriptors
	bool leaves;		// the next process has taken over
	struct serve_next next; // where it has
	struct serve_joined joined;
};

// One writer; readers see any order.
#define SERVE_COUNT(t, name, n)                                                                    \
	__atomic_store_n(&(t)->counters.name, (t)->counters.name + (uint64_t)(n), __ATOMIC_RELAXED)

// ---- listen.c -----------------------------------------------------------------------------------

struct serve_port *listen_port_find(struct serve *s, const struct tp_addr *addr);
bool listen_is_stream(const struct conf_listener *l);
// Adds the ports of a configuration that are not there yet, without sockets. 0 or a negative errno.
int listen_ports_make(struct serve *s, const struct conf *conf);
// A socket for each thread, of the ports from `first` on, which does not listen yet; those of
// `sockets` first.
int listen_ports_open(struct serve *s, size_t first, struct serve_socket *sockets, size_t n_sockets,
	struct tls_error *err);
// Lets them listen. 0 or a negative errno, likewise.
int listen_ports_begin(struct serve *s, size_t first, struct tls_error *err);
// Closes the ports from `first` on, which no thread knows.
void listen_ports_forget(struct serve *s, size_t first);
void listen_ports_close(struct serve *s);
// A context of the listener's certificates. NULL with err filled in.
struct tls_context *listen_context_load(struct serve *s, const struct conf *conf,
	const struct conf_listener *l, enum tls_kind kind, struct tls_error *err);
// New contexts for all ports, or none. 0 or -1.
int listen_contexts_load(struct serve *s, const struct conf *conf, struct tls_error *err);
// Takes new connections of a port.
void listen_accept(struct serve_thread *t, struct serve_port *p);

// ---- ports.c: ports that come and go while the threads run --------------------------------------

// Gives the threads the ports from `first` on. 0 or a negative errno.
int ports_show(struct serve *s, size_t first);
// Takes those away that the configuration lacks. How many they were.
unsigned ports_remove(struct serve *s, const struct conf *conf);
// Closes the sockets of removed ports and their connections: the thread's part.
void ports_leave(struct serve_thread *t);

// ---- conn.c -------------------------------------------------------------------------------------

void conn_create(struct serve_thread *t, struct serve_port *p, int fd, const struct tp_addr *from);
void conn_event(struct conn *c, uint32_t events);
// A message of the data plane for the client.
void conn_push(struct conn *c, const uint8_t *data, size_t len);
void conn_flush(struct conn *c);
// Logs the first media that the client lost.
void conn_slow_note(struct conn *c);
// Whether the reason is a limit of edge.* that holds for a connection that was admitted.
bool conn_is_limit(enum serve_close why);
void conn_close(struct conn *c, enum serve_close why);
// Forgets one that is another process's.
void conn_leave(struct conn *c);
// Frees the connections closed in this turn.
void conn_reap(struct serve_thread *t);
// Closes those whose time is over. Returns when the next one is due, UINT64_MAX: none.
uint64_t conn_expire(struct serve_thread *t);
// Counts it in the limits. False: they refuse it.
bool conn_admit(struct conn *c);
void conn_events_want(struct conn *c, bool writable);
// The bytes that stay in the socket are not told again, those that follow them are.
void conn_wait_more(struct conn *c);
// Moves the connection to the end of a list of the thread, from now on.
void conn_time(struct conn *c, struct ds_list *list);

// ---- read.c: bytes of a client ------------------------------------------------------------------

// Takes bytes of an open connection, which it may change; `kept` bytes of a message stand before
// them. False: it is closed.
bool conn_bytes(struct conn *c, uint8_t *bytes, size_t kept, size_t len);
// Reads an open connection, or holds it.
void conn_read_open(struct conn *c);
// Reads one that has its turn.
void conn_read_now(struct conn *c);
// Keeps bytes until the next read, instead of those kept before. False: no memory.
bool conn_keep(struct conn *c, const uint8_t *bytes, size_t len);
// Reads one that the thread kept for this turn, because there was more.
void conn_read_again(struct conn *c);

// ---- ending.c -----------------------------------------------------------------------------------

// Count requests of the client, and answers to them.
void ending_asked(struct conn *c, const uint8_t *message, size_t len);
void ending_answered(struct conn *c, const uint8_t *message, size_t len);
// No more bytes come, for this reason: closes the connection, at once or when its client has the
// answers that it waits for.
void ending_input(struct conn *c, enum serve_close why);
// All that was there has left.
void ending_flushed(struct conn *c);
// Ends one of HTTP that has its answer, once the client has ended.
void ending_begin(struct conn *c);
void ending_read(struct conn *c);

// ---- hold.c -------------------------------------------------------------------------------------

// Holds an open connection instead of reading it, where its messages would have no room, or others
// wait for it. False: it may be read.
bool hold_unread(struct conn *c);
// Holds it with bytes that were read. False: it is closed.
bool hold_bytes(struct conn *c, const uint8_t *bytes, size_t len);
// Whether, after so many messages of it, others that are held have their turn.
bool hold_share_is_used(struct conn *c, unsigned messages);
// Serves those that are held, as far as there is room.
void hold_serve(struct serve_thread *t);
// One of another process, whose bytes go on when there is room.
void hold_taken(struct conn *c);

// ---- begin.c ------------------------------------------------------------------------------------

void begin_proxy_header(struct conn *c);
void begin_first_bytes(struct conn *c);
void begin_handshake(struct conn *c);
// Its handshake was done in another process.
void begin_taken(struct conn *c);
// The end of the relay itself for a connection whose ClientHello waits in the socket.
void conn_tls_begin(struct conn *c);
// Registers the connection, whose messages follow. False: it is closed.
bool conn_open(struct conn *c);
// Looks at bytes that stay in the socket. 0: none yet; -1: the connection is closed.
ssize_t conn_peek(struct conn *c, uint8_t *out, size_t room);

// ---- choose.c: no input or output ---------------------------------------------------------------

// The backend of a ClientHello; NULL: it is for the relay itself. `own`: a certificate of the relay
// has its name.
const struct conf_backend *choose_backend(
	const struct conf_listener *l, const struct wire_hello *h, bool own);

// The backend of plain HTTP for this name; NULL: there is none. `name` NULL: the client gave none.
const struct conf_backend *choose_plain(const struct conf_listener *l, const char *name);

// ---- web.c: plain HTTP and WebSockets -----------------------------------------------------------

// Whether HTTP may come to the listener.
bool web_is_for(const struct conf_listener *l);
// Reads the first bytes of a connection to such a listener, and begins its kind.
void web_read(struct conn *c);
// Bytes for the client ahead of all messages; too many are lost.
void ws_put(struct conn *c, const void *bytes, size_t len);
// Puts the payload of the frames to the front. Returns its length.
size_t ws_decode(struct conn *c, uint8_t *bytes, size_t len);

// ---- pass.c: connections of backends ------------------------------------------------------------

// Reads the ClientHello that waits in the socket, and begins one of both ends when it is whole.
void pass_look(struct conn *c);
// Connects to the backend, which gets these bytes first.
void pass_begin(struct conn *c, const struct conf_backend *b, const uint8_t *bytes, size_t len);
// Joins the socket of a peer, which is taken over, like the meter: the client gets the bytes first,
// the peer those that are kept.
void pass_join(struct conn *c, uint64_t key, int fd, struct meter *meter, const uint8_t *bytes,
	size_t len);
// Moves all that can be moved.
void pass_pump(struct conn *c);
// The same, after an event of either socket.
void pass_event(struct conn *c, uint32_t events);
// The bytes that have passed.
uint64_t pass_bytes(const struct conn *c);
// The backend has not answered in time.
void pass_late(struct conn *c);
void pass_end(struct conn *c);

// ---- bridge.c: the end of TLS alone -------------------------------------------------------------

// Goes on as such: the messages are the next process's, at the other end of `fd`, which is taken
// over.
void pass_bridge(struct conn *c, int fd);
// The same of a connection that is a backend's or a peer's already.
void pass_split(struct conn *c, int fd);

// ---- passage.c: connections of backends from one process to the next ----------------------------

// Takes bytes out of pipes, before passage_fill. False: no memory.
bool passage_settle(struct conn *c);
// Adds its part to the form, which refers to `state`.
void passage_fill(const struct conn *c, struct takeover_connection *f, struct takeover_pass *state);
// It is the other process's: before conn_leave.
void passage_leave(struct conn *c);
// Takes both sides of a form over; `fd` in any case. False: the connection is to be closed.
bool passage_take(struct conn *c, const struct takeover_connection *f, int fd);
// Begins to serve it. False: no memory.
bool passage_begin(struct conn *c);

// ---- splice.c: bytes from socket to socket in the kernel ----------------------------------------

struct splice {
	int pipe[2];
	size_t n; // bytes in it; 0: there is no pipe
};

// Takes up to `room` bytes out of a socket; what was taken before has left. As recv(2); ENFILE:
// there is no pipe to be had: clients that do not read can't take all descriptors.
ssize_t splice_fill(struct serve_thread *t, struct splice *s, int from, size_t room);
// Gives the socket what it takes. As send(2); 0: there is nothing.
ssize_t splice_empty(struct serve_thread *t, struct splice *s, int to);
// Reads all of it. False: it can't be.
bool splice_read(struct serve_thread *t, struct splice *s, uint8_t *out);
// Forgets what is left.
void splice_end(struct serve_thread *t, struct splice *s);
void splice_fini(struct serve_thread *t);

// ---- pace.c: data connections under caps --------------------------------------------------------

// Whether the connection is not to be read for now.
bool pace_waits(struct conn *c, struct meter *meter);
// Puts one that waits in the list, unless it is in another.
void pace_queue(struct conn *c);
// Moves what those may move that have waited long enough.
void pace_serve(struct serve_thread *t);

// ---- join.c: data connections -------------------------------------------------------------------

// Whether the message asks for it.
bool join_is_asked(const struct conn *c, const uint8_t *message, size_t len);
// Stops reading, keeping bytes that were read. False: without memory, or closed.
bool join_wait(struct conn *c, const uint8_t *bytes, size_t len);
// The answer came as a message: the connection stays as it is.
void join_refused(struct conn *c);
// Gives the thread a connection of another process. False: without memory.
bool join_taken(struct serve_thread *t, const uint8_t *bytes, size_t len, int fd);
// Takes the orders that have come for the thread.
void join_mail(struct serve_thread *t);

// ---- stream.c: bytes, plain or TLS -------------------------------------------------------------

// Bytes read; 0: none for now; -1: the end, with *why.
ssize_t stream_read(struct conn *c, uint8_t *out, size_t room, enum serve_close *why);
// Whether the session holds bytes that no event will tell.
bool stream_holds(const struct conn *c);
// Gives the session the socket. False: no memory.
bool stream_tls_begin(struct conn *c);
// Writes the rest, then the backlog. 0: all is written; 1: the socket is full; -1: *why.
int stream_write(struct conn *c, enum serve_close *why);
// Bytes written; 0: the socket is full: the next call has the same bytes again, at least as many;
// -1: *why.
ssize_t stream_put(struct conn *c, const uint8_t *bytes, size_t len, enum serve_close *why);
// 1: done, 0: wants an event, -1: failed.
int stream_handshake(struct conn *c, bool *wants_write);

// ---- socket.c -----------------------------------------------------------------------------------

// The socket for the connection's session, which frees it. NULL: no memory.
BIO *socket_bio(struct conn *c);

// ---- thread.c -----------------------------------------------------------------------------------

// One turn of the loop, which waits for something to do if it may. False: the thread is to end.
bool thread_turn(struct serve_thread *t, bool may_wait);
// Looks at the clock, for calls while it does not run.
void thread_now(struct serve_thread *t);
// Takes what the main thread has for it.
void thread_mail(struct serve_thread *t);
// Closes a descriptor that the loop may watch. Where another process has it too, a plain close
// would leave its events to the loop.
void thread_close(struct serve_thread *t, int fd);
// Closes all connections.
void thread_end(struct serve_thread *t);
void *thread_run(void *arg);

// ---- serve.c ------------------------------------------------------------------------------------

// 0 or a negative errno.
int thread_start(struct serve_thread *t);

// ---- hand.c, take.c: from one process to the next -----------------------------------------------

// Hands a connection whose handshake is done to the next process, if there is one. False: none.
bool hand_late(struct conn *c);
// Makes a connection of another process one of the thread, with the socket of its backend or peer,
// or -1.
void hand_take(struct serve_thread *t, const struct takeover_connection *f, int fd, int far);
