// SPDX-License-Identifier: BSD-3-Clause
// The directory at work: each source has a bounded queue and threads of its own, so that a slow
// one delays nobody else's users.
//
//   service.c  questions to the queue of their realm's source, answers back
//   worker.c   the threads of one source: asking, trying again, telling of a source that fails
//   socket.c   the control process's connections
//
// Threads: all functions are for one thread, the main one; answers wake it by service_fd.
#pragma once

#include <sys/types.h>

#include <conf/conf.h>
#include <turnpike/lookup.h>

struct service;

// Where an answer goes: of no meaning to the service.
struct service_return {
	uint32_t connection;
	uint32_t generation;
};

struct service_answer {
	struct service_return to;
	struct tp_lookup_answer message;
	struct tp_lookup_keys *keys; // of a realm, instead of the message; else NULL
};

// Wipes an answer, and frees its keys.
void service_answer_end(struct service_answer *a);

struct service_counters {
	uint64_t asked;
	uint64_t found;
	uint64_t unknown;
	uint64_t failed; // those below, too
	uint64_t full;	 // refused: the source's queue was full
	uint64_t late;	 // nobody waited any more
};

// Starts the threads of all sources. `d` is borrowed for the life of the service. 0 or a negative
// errno.
int service_create(const struct conf_directory *d, struct service **out);
// Waits for the threads: for the longest time-out of a source at most. NULL is fine.
void service_destroy(struct service *s);
// Takes questions no longer, and ends when the last one is answered: after a reload. True: it has
// ended, and service_destroy waits for nothing.
bool service_drain(struct service *s);

// Readable while there are answers.
int service_fd(const struct service *s);
// Asks; the answer may be there at once.
void service_ask(struct service *s, const struct service_return *to, const struct tp_lookup_ask *m,
	uint64_t now_ns);
// The next answer; false: none is there. The caller ends it.
bool service_next(struct service *s, struct service_answer *out);
void service_count(const struct service *s, struct service_counters *out);

// ---- socket.c ---------------------------------------------------------------------------------

#define SERVICE_CONNECTIONS_MAX 4u

struct service_connection {
	int fd; // -1: free
	uint32_t generation;
};

// Connections of control processes: one, and another one while that one restarts.
struct service_socket {
	int listen_fd;
	int epoll_fd;
	uid_t control;	     // may connect, with root and our own user
	uint32_t generation; // of the last connection
	uint64_t refused;    // connections of others
	uint64_t bad;	     // messages that are none; their connection is closed
	uint64_t lost;	     // answers that found no room or no connection
	struct service_connection connections[SERVICE_CONNECTIONS_MAX];
};

// Epoll data: the listening socket has SERVICE_TAG_LISTEN, connections follow it.
#define SERVICE_TAG_LISTEN 1u

// Takes over listen_fd, which listens. 0 or a negative errno.
int service_socket_init(struct service_socket *k, int listen_fd, int epoll_fd, uid_t control);
void service_socket_fini(struct service_socket *k);
// The descriptor of the tag is readable: takes a bounded number of messages.
void service_socket_serve(
	struct service_socket *k, uint32_t tag, struct service *s, uint64_t now_ns);
// Sends all answers that are there.
void service_socket_answer(struct service_socket *k, struct service *s);
