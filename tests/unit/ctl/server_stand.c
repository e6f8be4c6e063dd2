// SPDX-License-Identifier: BSD-3-Clause
#include "server_stand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static enum ctl_step run_status(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	call->result = json_pack("{s:s}", "verdict", "ok");
	return CTL_DONE;
}

// Parts of about 32 KiB.
static enum ctl_step run_list(void *ctx, struct ctl_call *call)
{
	struct stand *f = ctx;
	char fill[1024];

	memset(fill, 'x', sizeof(fill) - 1);
	fill[sizeof(fill) - 1] = '\0';
	call->result = json_array();
	for (unsigned i = 0; i < 32; i++)
		json_array_append_new(
			call->result, json_pack("{s:I, s:s}", "n",
					      (json_int_t)(call->cursor * 32 + i), "fill", fill));
	f->steps++;
	return ++call->cursor < LIST_PARTS ? CTL_MORE : CTL_DONE;
}

static enum ctl_step run_show(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	return ctl_call_fail(call, "not_found", "relayctl allocation list", "no allocation %s",
		ctl_call_text(call, "id"));
}

static enum ctl_step run_mint(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	call->result = json_pack("{s:s, s:I}", "username", ctl_call_text(call, "user"), "ttl",
		(json_int_t)ctl_call_number(call, "ttl"));
	return CTL_DONE;
}

// Longer than a frame may be.
static enum ctl_step run_huge(void *ctx, struct ctl_call *call)
{
	char *fill = malloc(TP_CTL_FRAME_MAX + 1);

	(void)ctx;
	memset(fill, 'x', TP_CTL_FRAME_MAX);
	fill[TP_CTL_FRAME_MAX] = '\0';
	call->result = json_pack("{s:s}", "fill", fill);
	free(fill);
	return CTL_DONE;
}

static enum ctl_step run_nothing(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	(void)call;
	return CTL_DONE;
}

static enum ctl_step run_who(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	call->result =
		json_pack("{s:I, s:I}", "pid", (json_int_t)call->pid, "uid", (json_int_t)call->uid);
	return CTL_DONE;
}

static const struct ctl_handler handlers[] = {
	{"status", run_status},
	{"allocation list", run_list},
	{"allocation show", run_show},
	{"credential mint", run_mint},
	{"worker show", run_huge},
	{"port show", run_nothing},
	{"log level", run_status},
	{"config check", run_who},
};

struct ctl_server_conf stand_conf(struct stand *f)
{
	return (struct ctl_server_conf){
		.path = f->path,
		.group = "no such group",
		.version = "1.2.3",
		.layout_version = 7,
		.handlers = handlers,
		.n_handlers = TP_ARRAY_LEN(handlers),
		.ctx = f,
		.max_clients = MAX_CLIENTS,
		.patience_ns = PATIENCE_NS,
		.idle_ns = IDLE_NS,
	};
}

int stand_open(void **state)
{
	struct stand *f = test_calloc(1, sizeof(*f));
	char instance[] = "unit";
	struct ctl_server_conf conf;

	strcpy(f->dir, "/tmp/ctl_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/control.sock", f->dir);
	f->now_ns = 1000 * TP_NS_PER_S;
	conf = stand_conf(f);
	conf.instance = instance;
	assert_int_equal(ctl_server_create(&conf, &f->s), 0);
	// As a reload frees the configuration.
	memset(instance, 'x', sizeof(instance) - 1);
	*state = f;
	return 0;
}

int stand_close(void **state)
{
	struct stand *f = *state;

	ctl_server_destroy(f->s);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(rmdir(f->dir), 0);
	test_free(f);
	return 0;
}

int stand_client(struct stand *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ctl_server_poll(f->s, f->now_ns);
	return fd;
}

void stand_put_raw(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

void stand_put(int fd, const char *json)
{
	uint8_t length[4];

	tp_store_be32(length, (uint32_t)strlen(json));
	stand_put_raw(fd, length, 4);
	stand_put_raw(fd, json, strlen(json));
}

// Reads exactly len octets while the server runs; false at the end of the stream.
static bool get_raw(struct stand *f, int fd, void *data, size_t len)
{
	size_t got = 0;

	for (unsigned idle = 0; got < len;) {
		ssize_t n = recv(fd, (uint8_t *)data + got, len - got, 0);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return false;
		if (n > 0) {
			got += (size_t)n;
			idle = 0;
			continue;
		}
		assert_int_equal(errno, EAGAIN);
		assert_true(idle++ < 1000);
		ctl_server_poll(f->s, f->now_ns);
	}
	return true;
}

json_t *stand_get(struct stand *f, int fd)
{
	uint8_t length[4];
	char *text;
	json_t *json;

	if (!get_raw(f, fd, length, 4))
		return NULL;
	assert_in_range(tp_load_be32(length), 1, TP_CTL_FRAME_MAX);
	text = malloc(tp_load_be32(length));
	assert_true(get_raw(f, fd, text, tp_load_be32(length)));
	json = json_loadb(text, tp_load_be32(length), 0, NULL);
	free(text);
	assert_non_null(json);
	return json;
}

void stand_expect(struct stand *f, int fd, const char *wanted)
{
	json_t *got = stand_get(f, fd);
	char *text;

	assert_non_null(got);
	text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(got);
}

int stand_greeted_client(struct stand *f)
{
	int fd = stand_client(f);

	stand_expect(f, fd,
		"{\"instance\":\"unit\",\"layout\":7,\"turnpike\":1,"
		"\"version\":\"1.2.3\"}");
	return fd;
}
