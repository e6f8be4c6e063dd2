// SPDX-License-Identifier: BSD-3-Clause
// The operator socket: bounded clients, bounded frames, never a wait. The owner of the event loop
// supplies the handlers of the commands in a const table. One thread.
//
// The wire is described in <turnpike/ctl.h>, the commands in <ctl/command.h>.
#pragma once

#include <stdint.h>

#include <jansson.h>

#include <ctl/command.h>
#include <turnpike/ctl.h>

// One request. The handler reads the first group, writes the second.
struct ctl_call {
	const struct ctl_command *command;
	const json_t *arguments; // checked: only known members, required ones there, types right
	uint64_t now_ns;
	uint32_t uid; // of the connected process, as reported by the kernel
	int32_t pid;  // likewise; 0: of a namespace that we don't see
	int fd; // the descriptor that came with the request, or -1; closed unless it is taken over
		// by setting this to -1

	json_t *result;	 // the handler's reference passes on; LIST: an array
	uint64_t cursor; // the handler's own between steps of one request; 0 at first
	uint64_t count;	 // likewise
	bool failed;	 // by ctl_call_fail
};

enum ctl_step {
	CTL_DONE, // result is the last, or the call failed
	CTL_MORE, // LIST: result is a part; call again when it has been sent
};

// Must not block. A part of a list should stay below a few hundred objects.
typedef enum ctl_step (*ctl_handler_fn)(void *ctx, struct ctl_call *call);

struct ctl_handler {
	const char *command;
	ctl_handler_fn run;
};

// NULL or 0 where the argument is absent.
const char *ctl_call_text(const struct ctl_call *call, const char *name);
uint64_t ctl_call_number(const struct ctl_call *call, const char *name);
// The request is refused: `code` is a word for programs ("not_found", "refused", "internal"), the
// message names the problem, the remedy the way out.
enum ctl_step ctl_call_fail(struct ctl_call *call, const char *code, const char *remedy,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

struct ctl_server;

struct ctl_server_conf {
	const char *path;     // of the socket; a stale one is replaced
	const char *group;    // owner group of the socket where it exists; NULL: left alone
	const char *version;  // in the hello
	const char *instance; // in the hello; NULL: left out
	unsigned layout_version;
	const struct ctl_handler *handlers;
	size_t n_handlers;
	void *ctx;	      // the handlers'
	unsigned max_clients; // at least 3: one place is for refusals, one for uid 0
	uint64_t patience_ns; // a client that takes longer to read or to end a frame is dropped
	uint64_t idle_ns;     // a client without a request for this long is dropped; 0: never
};

struct ctl_server_counters {
	uint64_t accepted;
	uint64_t refused; // too many clients, or no descriptor left
	uint64_t evicted; // idle for too long, or idle while all places were taken
	uint64_t dropped; // too slow, or their frames were no frames
	uint64_t requests;
};

// Copies path, group and instance; borrows version and handlers for the life of the server. 0;
// -EINVAL for a handler of no command; -EADDRINUSE when another process listens there; another
// negative errno.
int ctl_server_create(const struct ctl_server_conf *conf, struct ctl_server **out);
// Gives the socket another name in its directory, in the place of one that has it. 0 or a negative
// errno.
int ctl_server_rename(struct ctl_server *s, const char *path);
// Ends all connections and removes the socket.
void ctl_server_destroy(struct ctl_server *s);

// Returns the descriptor for epoll, level-triggered: readable while ctl_server_poll has work.
int ctl_server_fd(const struct ctl_server *s);
// Serves pending requests, a bounded amount of work.
void ctl_server_poll(struct ctl_server *s, uint64_t now_ns);
// Drops clients that exhausted the patience.
void ctl_server_advance(struct ctl_server *s, uint64_t now_ns);
// When to call ctl_server_advance next; UINT64_MAX: never.
uint64_t ctl_server_deadline(const struct ctl_server *s);

const struct ctl_server_counters *ctl_server_get_counters(const struct ctl_server *s);
