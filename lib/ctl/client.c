// SPDX-License-Identifier: BSD-3-Clause
#include <ctl/client.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <fdpass/fdpass.h>
#include <turnpike/base.h>
#include <turnpike/ctl.h>

static int write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_all(int fd, void *data, size_t len)
{
	uint8_t *p = data;

	while (len > 0) {
		ssize_t n = recv(fd, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int frame_read(int fd, json_t **out)
{
	uint8_t length[4];
	char *text;
	size_t len;
	int rc = read_all(fd, length, sizeof(length));

	if (rc < 0)
		return rc;
	len = tp_load_be32(length);
	if (len > TP_CTL_FRAME_MAX)
		return -EPROTO;
	text = malloc(len + 1);
	if (text == NULL)
		return -ENOMEM;
	rc = read_all(fd, text, len);
	if (rc == 0) {
		*out = json_loadb(text, len, 0, NULL);
		rc = json_is_object(*out) ? 0 : -EPROTO;
		if (rc < 0)
			json_decref(*out);
	}
	explicit_bzero(text, len);
	free(text);
	return rc;
}

static int hello_read(struct ctl_client *c)
{
	int rc = frame_read(c->fd, &c->hello);

	if (rc < 0)
		return rc;
	if (json_integer_value(json_object_get(c->hello, "turnpike")) != TP_CTL_VERSION)
		return -EPROTO;
	return json_object_get(c->hello, "error") != NULL ? -EBUSY : 0;
}

int ctl_client_open(struct ctl_client *c, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = CTL_CLIENT_TIMEOUT_S};
	int rc;

	*c = (struct ctl_client){.fd = -1};
	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	rc = connect(c->fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : hello_read(c);
	if (rc < 0)
		ctl_client_close(c);
	return rc;
}

void ctl_client_close(struct ctl_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	json_decref(c->hello);
	*c = (struct ctl_client){.fd = -1};
}

// The length, with the descriptor.
static int length_write(int fd, const uint8_t length[4], int descriptor)
{
	if (descriptor < 0)
		return write_all(fd, length, 4);
	return fdpass_send(fd, length, 4, descriptor, 0) == 4 ? 0 : -EIO;
}

int ctl_client_send(struct ctl_client *c, const char *command, json_t *arguments)
{
	return ctl_client_send_with(c, command, arguments, -1);
}

int ctl_client_send_with(
	struct ctl_client *c, const char *command, json_t *arguments, int descriptor)
{
	json_t *request = json_pack(
		"{s:I, s:s, s:O}", "id", ++c->id, "command", command, "arguments", arguments);
	char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
	uint8_t length[4];
	int rc = -ENOMEM;

	json_decref(request);
	if (text == NULL)
		return rc;
	tp_store_be32(length, (uint32_t)strlen(text));
	if (strlen(text) > TP_CTL_REQUEST_MAX) {
		rc = -EMSGSIZE;
	} else {
		rc = length_write(c->fd, length, descriptor);
		if (rc == 0)
			rc = write_all(c->fd, text, strlen(text));
	}
	free(text);
	return rc;
}

int ctl_client_receive(struct ctl_client *c, json_t **answer)
{
	int rc = frame_read(c->fd, answer);

	if (rc == 0 && json_integer_value(json_object_get(*answer, "id")) != c->id) {
		json_decref(*answer);
		return -EPROTO;
	}
	return rc;
}
