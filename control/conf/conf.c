// SPDX-License-Identifier: BSD-3-Clause
#include <conf/conf.h>

#include "defaults.h"
#include "errors.h"
#include "reader.h"
#include "settle.h"

#include <turnpike/limits.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

// A struct conf knows the memory it stands in.
struct conf_block {
	struct conf conf;
	struct arena arena;
};

bool conf_instance_valid(const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_";
	size_t len = strlen(name);

	// DPDK removes files whose names hold "map_" at its start.
	return len > 0 && len < TP_INSTANCE_MAX && name[0] != '-' && strspn(name, plain) == len &&
	       strstr(name, "map_") == NULL;
}

const char *conf_transport_name(enum conf_transport t)
{
	static const char *const names[] = {"udp", "tcp", "tls", "dtls"};

	return names[t];
}

struct tp_addr conf_external_of(const struct conf *c, const struct tp_addr *ip)
{
	for (size_t i = 0; i < c->relay.n_external; i++) {
		const struct conf_external *e = &c->relay.external[i];
		struct tp_addr mapped = e->public_ip;

		if (!tp_addr_same_ip(&e->private_ip, ip))
			continue;
		mapped.port_be = ip->port_be;
		return mapped;
	}
	return *ip;
}

static const char *path_make(struct reader *r, const char *directory, const char *name)
{
	size_t a = strlen(directory), b = strlen(name);
	char *p = reader_array(r, a + b + 2, 1);

	if (p == NULL)
		return "";
	memcpy(p, directory, a);
	p[a] = '/';
	memcpy(p + a + 1, name, b + 1);
	return p;
}

static void names_settle(struct reader *r, const char *instance)
{
	static const char *const remedy = "use 1 to 31 letters, digits, \"-\" and \"_\", not "
					  "beginning with \"-\", without \"map_\"";
	struct conf *c = &r->draft->conf;
	const struct spot *where = reader_find_value(r, &c->instance);

	if (!conf_instance_valid(c->instance))
		reader_complain(r, where, remedy, "%s is no name of an instance",
			reader_quote(r, c->instance));
	if (instance != NULL && !conf_instance_valid(instance))
		reader_complain(r, NULL, remedy, "--instance: %s is no name of an instance",
			reader_quote(r, instance));
	if (instance != NULL) {
		c->instance = arena_text(&r->arena, instance, strlen(instance));
		r->out_of_memory |= c->instance == NULL;
	}
	if (r->out_of_memory)
		return;
	if (c->runtime_directory == NULL)
		c->runtime_directory = path_make(r, "/run/turnpike", c->instance);
	if (c->control.socket == NULL)
		c->control.socket = path_make(r, c->runtime_directory, "control.sock");
	if (strlen(c->control.socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		reader_complain(r, reader_find_value(r, &c->control.socket),
			"shorten control.socket or runtime_directory",
			"the path of the operator socket is longer than %zu octets",
			sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
}

void reader_settle(struct reader *r, const char *instance)
{
	names_settle(r, instance);
	settle_paths(r);
	if (r->role == CONF_FOR_CONTROL)
		settle_service(r);
}

// Relative paths start from the directory of the file.
static const char *directory_of(struct reader *r, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return "";
	return reader_textf(r, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static void reader_run(struct reader *r, const struct conf_request *req)
{
	bool defaults = req->path == NULL && req->text == NULL;
	const char *text = defaults ? defaults_make(r, req->interface) : req->text;
	yaml_document_t doc;

	if ((defaults && text == NULL) || reader_document_load(r, req->path, text, &doc) < 0)
		return;
	r->doc = &doc;
	reader_read(r);
	yaml_document_delete(&doc);
	r->doc = NULL;
	reader_sort_spots(r);
	if (r->out_of_memory)
		return;
	if (r->role == CONF_FOR_CONTROL) {
		reader_secrets_load(r);
		if (defaults)
			defaults_secret_make(r);
	}
	if (!r->out_of_memory)
		reader_settle(r, req->instance);
}

int conf_load(const struct conf_request *req, struct conf **out, struct conf_errors *errs)
{
	struct reader r = {.errs = errs, .role = req->role, .file = "", .directory = ""};
	struct conf_block *block = arena_alloc(&r.arena, sizeof(*block));
	int rc = 0;

	r.draft = arena_alloc(&r.scratch, sizeof(*r.draft));
	if (block == NULL || r.draft == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	if (req->path != NULL) {
		r.file = req->path;
		r.directory = directory_of(&r, req->path);
		r.draft->conf.path = arena_text(&r.arena, req->path, strlen(req->path));
	} else if (req->directory != NULL) {
		r.directory = req->directory;
	}
	reader_run(&r, req);
	errors_sort(errs, r.file);
	if (r.out_of_memory || errs->out_of_memory)
		rc = -ENOMEM;
	else if (errs->n_errors > 0)
		rc = -EINVAL;
out:
	if (rc == 0) {
		block->conf = r.draft->conf;
		block->arena = r.arena;
		*out = &block->conf;
	} else {
		arena_fini(&r.arena);
	}
	free(r.spots);
	arena_fini(&r.scratch);
	return rc;
}

void conf_free(struct conf *c)
{
	struct conf_block *block = (struct conf_block *)c;
	struct arena arena;

	if (c == NULL)
		return;
	// The block stands in the memory that goes.
	arena = block->arena;
	arena_fini(&arena);
}
