// SPDX-License-Identifier: BSD-3-Clause
// The control process's end of <turnpike/lookup.h>: questions of the TURN server to the directory,
// and its answers. Never waits. Questions stay until they are answered or nobody waits for them any
// more, and are asked again of a directory that was started again; there is room for as many as the
// TURN server has open at a time.
//
// One thread.
#pragma once

#include <turn/server.h>
#include <turnpike/lookup.h>

#define LOOKUP_QUESTIONS_MAX 1024u

struct lookup_question;

struct lookup_counters {
	uint64_t asked;
	uint64_t again; // asked once more, of a new connection
	uint64_t found; // answers
	uint64_t unknown;
	uint64_t failed;
	uint64_t expired; // not answered in time
	uint64_t refused; // no room, or too long
	uint64_t bad;	  // messages that are none; the connection was closed
	uint64_t stale;	  // answers to no question
	uint64_t connects;
};

// The keys of a realm, wiped afterwards; NULL: its source can't tell.
typedef void (*lookup_keys_fn)(void *ctx, uint16_t realm_id, const struct tp_lookup_keys *keys);

struct lookup_client {
	const char *directory; // of the socket; borrowed; NULL: no source is configured
	int epoll_fd;
	uint32_t tag;
	int fd;		   // -1: not connected
	bool absence_told; // or it was there already
	bool foreign;	   // somebody else listens at the socket; was logged
	uint64_t retry_ns; // when to connect again
	uint32_t n_users;  // that may be the directory's
	uint32_t users[3];
	struct lookup_question *questions; // LOOKUP_QUESTIONS_MAX; NULL before the first one
	uint32_t n;			   // of those
	uint32_t n_unsent;
	lookup_keys_fn keys; // takes the keys of realms; NULL: they are dropped
	void *keys_ctx;
	uint32_t keys_round; // how often questions for keys were forgotten
	struct lookup_counters counters;
};

typedef void (*lookup_answer_fn)(void *ctx, uint64_t ticket, const struct turn_answer *answer);

// `tag`: epoll data of the socket. Looks the directory's user up.
void lookup_client_init(struct lookup_client *c, int epoll_fd, uint32_t tag);
void lookup_client_fini(struct lookup_client *c);
// Where to connect from now on; NULL: nowhere.
void lookup_client_aim(struct lookup_client *c, const char *directory);
// Removes the socket of a directory that is gone, at the end of both.
void lookup_client_tidy(const struct lookup_client *c);

static inline bool lookup_client_is_up(const struct lookup_client *c)
{
	return c->fd >= 0;
}

// 0; -ENOBUFS or -EMSGSIZE: it is not asked, and the caller answers.
int lookup_client_ask(struct lookup_client *c, uint64_t now_ns, const struct turn_lookup *q);
// Asks for the keys of a realm: TP_LOOKUP_SECRETS, TP_LOOKUP_TOKEN_KEYS, or both. 0; -EALREADY:
// that question is under way; -ENOBUFS or -EMSGSIZE. No answer within TP_LOOKUP_PATIENCE_S: none
// comes.
int lookup_client_ask_keys(struct lookup_client *c, uint64_t now_ns, const char *realm,
	uint16_t realm_id, uint16_t wanted);
// Forgets all questions for keys: answers to them are stale from now on.
void lookup_client_forget_keys(struct lookup_client *c);
// The socket is readable: hands all answers on.
void lookup_client_read(struct lookup_client *c, lookup_answer_fn answer, void *ctx);
// Connects, asks again, forgets what is over: ten times a second.
void lookup_client_tick(struct lookup_client *c, uint64_t now_ns);
