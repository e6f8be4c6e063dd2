// SPDX-License-Identifier: BSD-3-Clause
#include "children.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATAPLANE_NICE (-10)

static const char *const kind_names[CHILDREN_COUNT] = {
	[CHILDREN_CONTROL] = "turnpike-control",
	[CHILDREN_DATAPLANE] = "turnpike-dataplane",
	[CHILDREN_EDGE] = "turnpike-edge",
	[CHILDREN_DIRECTORY] = "turnpike-directory",
};

// ---- programs -----------------------------------------------------------------------------------

static bool own_directory(char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	char *slash;

	if (n <= 0)
		return false;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

// In --programs, or beside this program, or where the build tree has it.
static bool program_find(struct children *c, unsigned service)
{
	static const char *const in_build[CHILDREN_COUNT] = {
		[CHILDREN_CONTROL] = "control",
		[CHILDREN_DATAPLANE] = "dataplane",
		[CHILDREN_EDGE] = "control/edge",
		[CHILDREN_DIRECTORY] = "control/directory",
	};
	const char *name = c->names[service];
	char *path = c->programs[service];
	size_t size = sizeof(c->programs[service]);
	char own[2048];

	if (c->options->programs != NULL) {
		snprintf(path, size, "%s/%s", c->options->programs, name);
		return access(path, X_OK) == 0;
	}
	if (!own_directory(own, sizeof(own)))
		return false;
	snprintf(path, size, "%s/%s", own, name);
	if (access(path, X_OK) == 0)
		return true;
	snprintf(path, size, "%s/../../%s/%s", own, in_build[c->kinds[service]], name);
	return access(path, X_OK) == 0;
}

// ---- notify socket ------------------------------------------------------------------------------

static int notify_open(struct children *c)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(a);
	int on = 1;

	c->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->notify_fd < 0 ||
		setsockopt(c->notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
		// An abstract name of the kernel's choice.
		bind(c->notify_fd, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path)) <
			0 ||
		getsockname(c->notify_fd, (struct sockaddr *)&a, &len) < 0)
		return -errno;
	snprintf(c->notify_path, sizeof(c->notify_path), "@%.*s",
		(int)(len - offsetof(struct sockaddr_un, sun_path) - 1), a.sun_path + 1);
	return 0;
}

int children_init(struct children *c, const struct options *o, unsigned needed)
{
	int rc;

	*c = (struct children){.options = o, .notify_fd = -1};
	for (unsigned kind = 0; kind < CHILDREN_COUNT; kind++) {
		if ((needed & 1u << kind) == 0)
			continue;
		c->kinds[c->n] = kind;
		c->names[c->n++] = kind_names[kind];
	}
	for (unsigned i = 0; i < c->n; i++) {
		if (program_find(c, i))
			continue;
		fprintf(stderr,
			"turnpike: there is no program %s; name its directory with "
			"--programs\n",
			c->programs[i]);
		return -1;
	}
	rc = notify_open(c);
	if (rc < 0)
		fprintf(stderr, "turnpike: no notify socket: %s\n", strerror(-rc));
	return rc < 0 ? -1 : 0;
}

static int successor_of(const struct children *c, pid_t pid)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (pid != 0 && c->successors[i] == pid)
			return (int)i;
	}
	return -1;
}

static void succeed(struct children *c, unsigned service)
{
	for (unsigned i = 0; i < CHILDREN_LEAVING_MAX; i++) {
		if (c->leaving[i] != 0)
			continue;
		c->leaving[i] = c->pids[service];
		break;
	}
	c->pids[service] = c->successors[service];
	c->successors[service] = 0;
}

static int service_of(const struct children *c, pid_t pid)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (pid != 0 && c->pids[i] == pid)
			return (int)i;
	}
	return -1;
}

static pid_t sender_of(struct msghdr *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		struct ucred who;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&who, CMSG_DATA(h), sizeof(who));
		return who.pid;
	}
	return 0;
}

static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (; text != NULL; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, line, len) == 0 && (text[len] == '\n' || text[len] == '\0'))
			return true;
	}
	return false;
}

bool children_hear(struct children *c, struct children_notice *out)
{
	char text[1024];
	union {
		char data[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.data,
		.msg_controllen = sizeof(control.data)};
	int successor;
	ssize_t n = recvmsg(c->notify_fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return false;
	text[n] = '\0';
	*out = (struct children_notice){
		.service = service_of(c, sender_of(&m)),
		.ready = has_line(text, "READY=1"),
		.alive = has_line(text, "WATCHDOG=1"),
	};
	successor = successor_of(c, sender_of(&m));
	if (successor >= 0 && out->ready) {
		succeed(c, (unsigned)successor);
		out->service = successor;
		out->took_over = true;
	}
	return true;
}

// ---- processes ----------------------------------------------------------------------------------

static void argument_put(const char **argv, unsigned *n, const char *name, const char *value)
{
	if (value == NULL)
		return;
	argv[(*n)++] = name;
	argv[(*n)++] = value;
}

// As root each process becomes its user, unless the options say otherwise.
static void user_put(const struct options *o, const char *name, const char *const *more,
	const char **argv, unsigned *n)
{
	if (o->allow_root) {
		argv[(*n)++] = "--allow-root";
		return;
	}
	if (geteuid() != 0)
		return;
	for (unsigned i = 0; more[i] != NULL; i++) {
		if (strncmp(more[i], "--user", strlen("--user")) == 0 ||
			strcmp(more[i], "--allow-root") == 0)
			return;
	}
	argument_put(argv, n, "--user", name);
}

static void child_run(const struct children *c, unsigned service, bool take_over)
{
	const struct options *o = c->options;
	const char *const *const further[CHILDREN_COUNT] = {
		[CHILDREN_CONTROL] = o->control,
		[CHILDREN_DATAPLANE] = o->dataplane,
		[CHILDREN_EDGE] = o->edge,
		[CHILDREN_DIRECTORY] = o->directory,
	};
	enum children_service kind = c->kinds[service];
	const char *const *more = further[kind];
	const char *argv[OPTIONS_ARGUMENTS_MAX + 9];
	sigset_t none;
	unsigned n = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	// The priority that its unit gives it: calls wait while it starts and while it ends.
	if (kind == CHILDREN_DATAPLANE)
		(void)setpriority(PRIO_PROCESS, 0, DATAPLANE_NICE);
	// A process group of its own: an interrupt from the terminal comes by this program, in
	// order.
	setpgid(0, 0);
	setenv("NOTIFY_SOCKET", c->notify_path, 1);
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	argv[n++] = c->programs[service];
	argument_put(argv, &n, "--config", o->config);
	if (kind == CHILDREN_CONTROL || kind == CHILDREN_DATAPLANE)
		argument_put(argv, &n, "--interface", o->interface);
	argument_put(argv, &n, "--instance", o->instance);
	user_put(o, c->names[service], more, argv, &n);
	for (unsigned i = 0; more[i] != NULL; i++)
		argv[n++] = more[i];
	if (take_over)
		argv[n++] = "--take-over";
	argv[n] = NULL;
	execv(argv[0], (char *const *)(uintptr_t)argv);
	fprintf(stderr, "turnpike: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static pid_t child_start(const struct children *c, unsigned service, bool take_over)
{
	pid_t pid = fork();

	if (pid == 0)
		child_run(c, service, take_over);
	return pid;
}

int children_start(struct children *c, unsigned service)
{
	pid_t pid = child_start(c, service, false);

	if (pid < 0)
		return -errno;
	c->pids[service] = pid;
	return 0;
}

int children_upgrade(struct children *c, unsigned service)
{
	pid_t pid;

	if (c->kinds[service] != CHILDREN_EDGE)
		return -EOPNOTSUPP;
	// It may have taken over, and be about to say so.
	if (c->successors[service] > 0)
		return -EALREADY;
	pid = child_start(c, service, true);
	if (pid < 0)
		return -errno;
	c->successors[service] = pid;
	return 0;
}

void children_signal(const struct children *c, unsigned service, int signal)
{
	if (c->pids[service] > 0)
		kill(c->pids[service], signal);
	if (c->successors[service] > 0)
		kill(c->successors[service], signal);
	for (unsigned i = 0; i < CHILDREN_LEAVING_MAX && c->kinds[service] == CHILDREN_EDGE; i++) {
		if (c->leaving[i] > 0)
			kill(c->leaving[i], signal);
	}
}

static void leaving_forget(struct children *c, pid_t pid)
{
	for (unsigned i = 0; i < CHILDREN_LEAVING_MAX; i++) {
		if (c->leaving[i] == pid)
			c->leaving[i] = 0;
	}
}

bool children_reap(struct children *c, struct children_end *out)
{
	pid_t pid = waitpid(-1, &out->status, WNOHANG);

	if (pid <= 0)
		return false;
	out->service = service_of(c, pid);
	out->failed = successor_of(c, pid);
	leaving_forget(c, pid);
	if (out->failed >= 0)
		c->successors[out->failed] = 0;
	if (out->service < 0)
		return true;
	c->pids[out->service] = 0;
	// It has been taken over by one that is about to say so.
	if (c->successors[out->service] > 0) {
		c->pids[out->service] = c->successors[out->service];
		c->successors[out->service] = 0;
		out->service = -1;
	}
	return true;
}
