// SPDX-License-Identifier: BSD-3-Clause
#include "locate.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <conf/conf.h>
#include <ctl/client.h>
#include <turnpike/ctl.h>

// Whether to go on to the next socket.
typedef bool (*socket_fn)(void *ctx, const char *path);

// Calls `each` with the path of every socket that the kernel lists.
static void sockets_walk(socket_fn each, void *ctx)
{
	FILE *f = fopen("/proc/net/unix", "re");
	bool more = f != NULL;
	char line[512];

	while (more && fgets(line, sizeof(line), f) != NULL) {
		const char *path = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		if (path != NULL)
			more = each(ctx, path);
	}
	if (f != NULL)
		fclose(f);
}

static bool has_name(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL && strcmp(slash + 1, name) == 0;
}

struct bound_search {
	const char *path; // of the socket, or its name alone
	bool by_name;
	char found[RCTL_SOCKET_SIZE]; // "": none
};

static bool bound_check(void *ctx, const char *path)
{
	struct bound_search *s = ctx;

	if (strlen(path) >= sizeof(s->found) ||
		(s->by_name ? !has_name(path, s->path) : strcmp(path, s->path) != 0))
		return true;
	strcpy(s->found, path);
	return false;
}

bool rctl_socket_is_bound(const char *path)
{
	struct bound_search s = {.path = path};

	sockets_walk(bound_check, &s);
	return s.found[0] != '\0';
}

bool rctl_socket_named(const char *name, char path[RCTL_SOCKET_SIZE])
{
	struct bound_search s = {.path = name, .by_name = true};

	sockets_walk(bound_check, &s);
	strcpy(path, s.found);
	return s.found[0] != '\0';
}

struct instance_search {
	const char *instance;
	char found[RCTL_SOCKET_SIZE]; // "": none
};

static bool instance_check(void *ctx, const char *path)
{
	struct instance_search *s = ctx;
	struct ctl_client client;
	const char *name;

	if (!has_name(path, TP_CTL_SOCKET_NAME) || strlen(path) >= sizeof(s->found) ||
		ctl_client_open(&client, path) < 0)
		return true;
	name = json_string_value(json_object_get(client.hello, "instance"));
	if (name != NULL && strcmp(name, s->instance) == 0)
		strcpy(s->found, path);
	ctl_client_close(&client);
	return s->found[0] == '\0';
}

static bool path_set(char out[RCTL_SOCKET_SIZE], const char *directory, const char *name)
{
	int n = snprintf(out, RCTL_SOCKET_SIZE, "%s/%s", directory, name);

	return n >= 0 && (size_t)n < RCTL_SOCKET_SIZE;
}

static int too_long(const char *path)
{
	fprintf(stderr, "relayctl: %s: the path of a socket has at most %u bytes\n", path,
		RCTL_SOCKET_SIZE - 1);
	return RCTL_EXIT_USAGE;
}

// The data plane's socket is in the directory of the operator socket, unless control.socket is set.
static int socket_take(const char *path, struct rctl_place *p)
{
	const char *slash;
	char directory[RCTL_SOCKET_SIZE];
	struct stat st;

	if (strlen(path) >= sizeof(p->control))
		return too_long(path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		strcpy(directory, path);
		if (!path_set(p->control, path, TP_CTL_SOCKET_NAME))
			return too_long(path);
	} else {
		strcpy(p->control, path);
		slash = strrchr(path, '/');
		snprintf(directory, sizeof(directory), "%.*s",
			slash == NULL ? 1 : (int)(slash - path), slash == NULL ? "." : path);
	}
	return path_set(p->dataplane, directory, TP_PUNT_SOCKET_NAME) &&
			       path_set(p->edge, directory, TP_EDGE_CTL_NAME)
		       ? RCTL_EXIT_OK
		       : too_long(path);
}

static int config_take(const struct rctl_options *o, struct rctl_place *p)
{
	struct conf_request request = {
		.role = CONF_FOR_DATAPLANE, .path = o->config, .instance = o->instance};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	char line[1024];
	int rc = conf_load(&request, &conf, &errs);

	for (size_t i = 0; i < errs.len; i++)
		fprintf(stderr, "relayctl: %s\n",
			conf_error_format(&errs.items[i], line, sizeof(line)));
	conf_errors_fini(&errs);
	if (rc < 0)
		return RCTL_EXIT_USAGE;
	if (strlen(conf->control.socket) >= sizeof(p->control) ||
		!path_set(p->dataplane, conf->runtime_directory, TP_PUNT_SOCKET_NAME) ||
		!path_set(p->edge, conf->runtime_directory, TP_EDGE_CTL_NAME))
		rc = too_long(conf->control.socket);
	else
		strcpy(p->control, conf->control.socket);
	conf_free(conf);
	return rc;
}

int rctl_locate(const struct rctl_options *o, struct rctl_place *p)
{
	const char *instance = o->instance == NULL ? "default" : o->instance;
	struct instance_search s = {.instance = instance};
	char usual[RCTL_SOCKET_SIZE];
	struct stat st;
	int n;

	if (o->socket != NULL)
		return socket_take(o->socket, p);
	if (o->config != NULL)
		return config_take(o, p);
	n = snprintf(usual, sizeof(usual), "/run/turnpike/%s/%s", instance, TP_CTL_SOCKET_NAME);
	if (n < 0 || (size_t)n >= sizeof(usual))
		return too_long(instance);
	if (stat(usual, &st) < 0)
		sockets_walk(instance_check, &s);
	return socket_take(s.found[0] != '\0' ? s.found : usual, p);
}
