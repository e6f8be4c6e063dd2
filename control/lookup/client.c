// SPDX-License-Identifier: BSD-3-Clause
#include <lookup/client.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <log/log.h>

#define PATIENCE_NS  (TP_LOOKUP_PATIENCE_S * TP_NS_PER_S)
#define RETRY_NS     (100 * TP_NS_PER_MS)
#define MESSAGES_MAX 256u // of one call

struct lookup_question {
	uint64_t asked_ns;
	bool sent;
	struct tp_lookup_ask message;
};

// ---- the connection -----------------------------------------------------------------------------

static void user_add(struct lookup_client *c, uint32_t uid)
{
	c->users[c->n_users++] = uid;
}

void lookup_client_init(struct lookup_client *c, int epoll_fd, uint32_t tag)
{
	const struct passwd *directory = getpwnam(TP_LOOKUP_USER_DIRECTORY);

	*c = (struct lookup_client){.epoll_fd = epoll_fd, .tag = tag, .fd = -1};
	user_add(c, 0);
	user_add(c, geteuid());
	if (directory != NULL)
		user_add(c, directory->pw_uid);
}

static void disconnect(struct lookup_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	for (uint32_t i = 0; i < c->n; i++)
		c->questions[i].sent = false;
	c->n_unsent = c->n;
}

static void lost(struct lookup_client *c, const char *problem)
{
	disconnect(c);
	log_event(LOG_EV_DIRECTORY_DOWN,
		LOG_FIELDS(log_str("problem", problem), log_u64("waiting", c->n),
			log_str("state", "users of databases that are not cached wait")));
}

static void questions_free(struct lookup_client *c)
{
	if (c->questions != NULL)
		explicit_bzero(c->questions, LOOKUP_QUESTIONS_MAX * sizeof(*c->questions));
	free(c->questions);
	c->questions = NULL;
	c->n = c->n_unsent = 0;
}

void lookup_client_fini(struct lookup_client *c)
{
	disconnect(c);
	questions_free(c);
}

void lookup_client_aim(struct lookup_client *c, const char *directory)
{
	if (directory == NULL && c->fd >= 0)
		disconnect(c);
	c->directory = directory;
	c->retry_ns = 0;
}

static bool path_make(const struct lookup_client *c, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	return snprintf(a->sun_path, sizeof(a->sun_path), "%s/%s", c->directory,
		       TP_LOOKUP_SOCKET_NAME) < (int)sizeof(a->sun_path);
}

static int socket_connect(const struct lookup_client *c)
{
	struct sockaddr_un a;
	int fd, rc;

	if (!path_make(c, &a))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

void lookup_client_tidy(const struct lookup_client *c)
{
	struct sockaddr_un a;
	int fd;

	if (c->directory == NULL || !path_make(c, &a))
		return;
	fd = socket_connect(c);
	if (fd >= 0)
		close(fd);
	else if (fd == -ECONNREFUSED)
		(void)unlink(a.sun_path);
}

static bool peer_is_directory(const struct lookup_client *c, int fd, uint32_t *uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*uid = peer.uid;
	for (uint32_t i = 0; i < c->n_users; i++) {
		if (c->users[i] == peer.uid)
			return true;
	}
	return false;
}

static void foreign_log(struct lookup_client *c, uint32_t uid)
{
	if (!c->foreign)
		log_event(LOG_EV_DIRECTORY_DOWN,
			LOG_FIELDS(log_str("problem", "another user listens at its socket"),
				log_u64("uid", uid),
				log_str("remedy", "run turnpike-directory as the user "
						  "turnpike-directory")));
	c->foreign = true;
}

static void connect_try(struct lookup_client *c)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = c->tag};
	int fd = socket_connect(c);
	uint32_t uid = 0;

	if (fd < 0) {
		if (!c->absence_told)
			log_event(LOG_EV_DIRECTORY_DOWN,
				LOG_FIELDS(log_str("problem", "turnpike-directory does not run"),
					log_errno(fd),
					log_str("remedy", "start it: it serves "
							  "directory.sources")));
		c->absence_told = true; // once is enough
		return;
	}
	if (!peer_is_directory(c, fd, &uid)) {
		foreign_log(c, uid);
		close(fd);
		return;
	}
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->absence_told = true;
	c->foreign = false;
	c->counters.connects++;
	log_event(LOG_EV_DIRECTORY_UP, LOG_FIELDS(log_u64("waiting", c->n)));
}

// ---- questions ----------------------------------------------------------------------------------

static void question_send(struct lookup_client *c, struct lookup_question *q)
{
	size_t size = tp_lookup_ask_size(&q->message);
	ssize_t n;

	if (c->fd < 0 || q->sent)
		return;
	n = send(c->fd, &q->message, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == (ssize_t)size) {
		q->sent = true;
		c->n_unsent--;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
		lost(c, "its connection ended");
	}
}

static int question_add(
	struct lookup_client *c, uint64_t now_ns, const char *realm, struct lookup_question **out)
{
	struct lookup_question *q;

	if (c->questions == NULL)
		c->questions = calloc(LOOKUP_QUESTIONS_MAX, sizeof(*c->questions));
	if (c->directory == NULL || c->questions == NULL || c->n == LOOKUP_QUESTIONS_MAX) {
		c->counters.refused++;
		return -ENOBUFS;
	}
	q = &c->questions[c->n++];
	*q = (struct lookup_question){.asked_ns = now_ns};
	q->message.head =
		(struct tp_lookup_head){TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION, TP_LOOKUP_ASK};
	q->message.realm_len = (uint16_t)strlen(realm);
	memcpy(q->message.text, realm, q->message.realm_len);
	c->n_unsent++;
	c->counters.asked++;
	*out = q;
	return 0;
}

int lookup_client_ask(struct lookup_client *c, uint64_t now_ns, const struct turn_lookup *lookup)
{
	struct lookup_question *q;
	int rc;

	if (strlen(lookup->realm) > TP_LOOKUP_REALM_MAX || lookup->key_len > TP_LOOKUP_NAME_MAX) {
		c->counters.refused++;
		return -EMSGSIZE;
	}
	rc = question_add(c, now_ns, lookup->realm, &q);
	if (rc < 0)
		return rc;
	q->message.ticket = lookup->ticket;
	q->message.by = (uint16_t)lookup->kind;
	q->message.name_len = (uint16_t)lookup->key_len;
	memcpy(q->message.text + q->message.realm_len, lookup->key, lookup->key_len);
	question_send(c, q);
	return 0;
}

// The TURN server's tickets have the number of a look-up in their lower half, never so large. The
// upper half tells a question from one that was forgotten, whose answer may be on its way.
static uint64_t realm_ticket(const struct lookup_client *c, uint16_t realm_id)
{
	return (uint64_t)c->keys_round << 32 | (UINT32_MAX - UINT16_MAX + realm_id);
}

static bool is_of_realm(uint64_t ticket)
{
	return (uint32_t)ticket >= UINT32_MAX - UINT16_MAX;
}

int lookup_client_ask_keys(struct lookup_client *c, uint64_t now_ns, const char *realm,
	uint16_t realm_id, uint16_t wanted)
{
	struct lookup_question *q;
	int rc;

	if (strlen(realm) > TP_LOOKUP_REALM_MAX)
		return -EMSGSIZE;
	for (uint32_t i = 0; i < c->n; i++) {
		if (c->questions[i].message.ticket == realm_ticket(c, realm_id))
			return -EALREADY;
	}
	rc = question_add(c, now_ns, realm, &q);
	if (rc < 0)
		return rc;
	q->message.ticket = realm_ticket(c, realm_id);
	q->message.by = TP_LOOKUP_BY_REALM;
	q->message.wanted = wanted;
	question_send(c, q);
	return 0;
}

// The order of questions is of no meaning.
static void question_drop(struct lookup_client *c, uint32_t index)
{
	c->n_unsent -= !c->questions[index].sent;
	c->questions[index] = c->questions[--c->n];
}

void lookup_client_forget_keys(struct lookup_client *c)
{
	for (uint32_t i = 0; i < c->n;) {
		if (is_of_realm(c->questions[i].message.ticket))
			question_drop(c, i);
		else
			i++;
	}
	c->keys_round++;
}

static bool question_end(struct lookup_client *c, uint64_t ticket)
{
	for (uint32_t i = 0; i < c->n; i++) {
		if (c->questions[i].message.ticket == ticket) {
			question_drop(c, i);
			return true;
		}
	}
	return false;
}

void lookup_client_tick(struct lookup_client *c, uint64_t now_ns)
{
	for (uint32_t i = 0; i < c->n;) {
		if (now_ns < c->questions[i].asked_ns + PATIENCE_NS) {
			i++;
			continue;
		}
		c->counters.expired++;
		question_drop(c, i);
	}
	if (c->directory == NULL)
		return;
	if (c->fd < 0 && now_ns >= c->retry_ns) {
		c->retry_ns = now_ns + RETRY_NS;
		connect_try(c);
		c->counters.again += c->fd >= 0 ? c->n : 0;
	}
	for (uint32_t i = 0; i < c->n && c->fd >= 0 && c->n_unsent > 0; i++)
		question_send(c, &c->questions[i]);
}

// ---- answers ------------------------------------------------------------------------------------

static struct turn_answer answer_of(struct lookup_client *c, const struct tp_lookup_answer *m)
{
	struct turn_answer a = {.status = TURN_ANSWER_FAILED, .life_s = m->life_s};

	switch (m->status) {
	case TP_LOOKUP_FOUND:
		c->counters.found++;
		a.status = TURN_ANSWER_FOUND;
		a.key.algorithm = m->algorithm == TP_LOOKUP_MD5	     ? TURN_KEY_MD5
				  : m->algorithm == TP_LOOKUP_SHA256 ? TURN_KEY_SHA256
								     : TURN_KEY_NONE;
		a.key.len = m->key_len <= TURN_KEY_MAX ? m->key_len : 0;
		memcpy(a.key.octets, m->key, a.key.len);
		break;
	case TP_LOOKUP_UNKNOWN:
		c->counters.unknown++;
		a.status = TURN_ANSWER_UNKNOWN;
		break;
	default:
		c->counters.failed++;
		break;
	}
	return a;
}

static void keys_take(struct lookup_client *c, uint64_t ticket, const struct tp_lookup_keys *keys)
{
	if (keys != NULL)
		c->counters.found++;
	else
		c->counters.failed++;
	if (c->keys != NULL)
		c->keys(c->keys_ctx, (uint16_t)ticket, keys);
}

union message {
	struct tp_lookup_answer answer;
	struct tp_lookup_keys keys;
};

// False: it is none.
static bool message_take(struct lookup_client *c, const union message *m, size_t size,
	lookup_answer_fn answer, void *ctx)
{
	bool is_keys = tp_lookup_keys_are_whole(&m->keys, size);
	uint64_t ticket = is_keys ? m->keys.ticket : m->answer.ticket;
	struct turn_answer a;

	if (!is_keys && (size != sizeof(m->answer) ||
				!tp_lookup_head_is(&m->answer.head, TP_LOOKUP_ANSWER)))
		return false;
	if ((is_keys && !is_of_realm(ticket)) || !question_end(c, ticket)) {
		c->counters.stale++;
		return true;
	}
	if (is_of_realm(ticket)) {
		keys_take(c, ticket, is_keys ? &m->keys : NULL);
		return true;
	}
	a = answer_of(c, &m->answer);
	answer(ctx, ticket, &a);
	explicit_bzero(&a, sizeof(a));
	return true;
}

void lookup_client_read(struct lookup_client *c, lookup_answer_fn answer, void *ctx)
{
	union message m;

	for (unsigned i = 0; i < MESSAGES_MAX && c->fd >= 0; i++) {
		ssize_t n = recv(c->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0 || (size_t)n > sizeof(m) ||
			!message_take(c, &m, (size_t)n, answer, ctx)) {
			c->counters.bad += n > 0;
			lost(c, n > 0 ? "it sent a message of another version"
				      : "its connection ended");
			return;
		}
		explicit_bzero(&m, (size_t)n);
	}
}
