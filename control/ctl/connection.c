// SPDX-License-Identifier: BSD-3-Clause
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fdpass/fdpass.h>
#include <turnpike/base.h>

#define LENGTH_LEN 4u
#define IN_SIZE	   (LENGTH_LEN + TP_CTL_REQUEST_MAX)

int ctl_connection_open(struct ctl_connection *c, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int rc = 0;

	*c = (struct ctl_connection){
		.fd = fd, .in = malloc(IN_SIZE), .passed = -1, .call = {.fd = -1}};
	if (c->in == NULL)
		rc = -ENOMEM;
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		rc = -errno;
	if (rc < 0) {
		ctl_connection_close(c);
		return rc;
	}
	c->uid = peer.uid;
	c->pid = peer.pid;
	return 0;
}

void ctl_connection_close(struct ctl_connection *c)
{
	close(c->fd);
	if (c->passed >= 0)
		close(c->passed);
	if (c->call.fd >= 0)
		close(c->call.fd);
	json_decref(c->request);
	json_decref(c->call.result);
	// Answers hold minted passwords.
	if (c->out != NULL)
		explicit_bzero(c->out, c->out_size);
	free(c->out);
	free(c->in);
	*c = (struct ctl_connection){.fd = -1, .passed = -1, .call = {.fd = -1}};
}

bool ctl_connection_has_output(const struct ctl_connection *c)
{
	return c->out_sent < c->out_len;
}

static int out_reserve(struct ctl_connection *c, size_t len)
{
	uint8_t *larger;
	size_t size = c->out_size == 0 ? 4096 : c->out_size;

	while (size < c->out_len + len)
		size *= 2;
	if (size == c->out_size)
		return 0;
	larger = malloc(size);
	if (larger == NULL)
		return -ENOMEM;
	if (c->out != NULL) {
		memcpy(larger, c->out, c->out_len);
		explicit_bzero(c->out, c->out_size);
		free(c->out);
	}
	c->out = larger;
	c->out_size = size;
	return 0;
}

int ctl_connection_put(struct ctl_connection *c, const json_t *frame)
{
	size_t len = json_dumpb(frame, NULL, 0, JSON_COMPACT);
	int rc;

	if (len == 0)
		return -ENOMEM;
	if (len > TP_CTL_FRAME_MAX)
		return -EMSGSIZE;
	rc = out_reserve(c, LENGTH_LEN + len);
	if (rc < 0)
		return rc;
	tp_store_be32(c->out + c->out_len, (uint32_t)len);
	(void)json_dumpb(frame, (char *)c->out + c->out_len + LENGTH_LEN, len, JSON_COMPACT);
	c->out_len += LENGTH_LEN + len;
	return 0;
}

int ctl_connection_flush(struct ctl_connection *c)
{
	while (ctl_connection_has_output(c)) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return -errno;
		c->out_sent += (size_t)n;
	}
	if (c->out != NULL)
		explicit_bzero(c->out, c->out_len);
	c->out_len = c->out_sent = 0;
	return 0;
}

// The last descriptor that comes is kept, for the request that it comes with.
static ssize_t in_receive(struct ctl_connection *c)
{
	int fd;
	ssize_t n =
		fdpass_receive(c->fd, c->in + c->in_len, IN_SIZE - c->in_len, &fd, MSG_DONTWAIT);

	if (fd < 0)
		return n;
	if (c->passed >= 0)
		close(c->passed);
	c->passed = fd;
	return n;
}

int ctl_connection_fill(struct ctl_connection *c, uint64_t now_ns)
{
	const char *text;
	size_t len;

	while (c->in_len < IN_SIZE && ctl_connection_peek(c, &text, &len) == 0) {
		ssize_t n = in_receive(c);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -ECONNRESET;
		c->in_len += (size_t)n;
	}
	if (c->in_len == 0 || ctl_connection_peek(c, &text, &len) != 0)
		c->waiting_since_ns = 0;
	else if (c->waiting_since_ns == 0)
		c->waiting_since_ns = now_ns;
	return 0;
}

int ctl_connection_peek(const struct ctl_connection *c, const char **text, size_t *len)
{
	uint32_t frame_len;

	if (c->in_len < LENGTH_LEN)
		return 0;
	frame_len = tp_load_be32(c->in);
	if (frame_len > TP_CTL_REQUEST_MAX)
		return -EMSGSIZE;
	if (c->in_len < LENGTH_LEN + frame_len)
		return 0;
	*text = (const char *)c->in + LENGTH_LEN;
	*len = frame_len;
	return 1;
}

void ctl_connection_skip(struct ctl_connection *c)
{
	size_t used = LENGTH_LEN + tp_load_be32(c->in);

	c->in_len -= used;
	memmove(c->in, c->in + used, c->in_len);
}
