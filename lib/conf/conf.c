// SPDX-License-Identifier: BSD-3-Clause
#include <conf/conf.h>

#include "defaults.h"
#include "errors.h"
#include "loader.h"
#include "settle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// conf and its arena share one allocation.
struct conf_block {
	struct conf conf;
	struct conf_arena arena;
};

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

// Relative paths start from the directory of the file.
static const char *directory_of(struct conf_loader *load, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return "";
	return conf_textf(load, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static void loader_run(struct conf_loader *load, const struct conf_request *req)
{
	bool defaults = req->path == NULL && req->text == NULL;
	const char *text = defaults ? conf_defaults_make(load, req->interface) : req->text;
	yaml_document_t doc;

	if ((defaults && text == NULL) || conf_document_load(load, req->path, text, &doc) < 0)
		return;
	load->doc = &doc;
	conf_document_read(load);
	yaml_document_delete(&doc);
	load->doc = NULL;
	conf_spots_sort(load);
	if (load->out_of_memory)
		return;
	if (load->role == CONF_FOR_CONTROL) {
		conf_secrets_load(load);
		if (defaults)
			conf_defaults_secret_make(load);
	}
	if (load->role == CONF_FOR_DIRECTORY)
		conf_directory_load(load);
	if (!load->out_of_memory)
		conf_settle(load, req->instance);
}

int conf_load(const struct conf_request *req, struct conf **out, struct conf_errors *errs)
{
	struct conf_loader load = {.errs = errs, .role = req->role, .file = "", .directory = ""};
	struct conf_block *block = conf_arena_alloc(&load.arena, sizeof(*block));
	int rc = 0;

	load.draft = conf_arena_alloc(&load.scratch, sizeof(*load.draft));
	if (block == NULL || load.draft == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	if (req->path != NULL) {
		load.file = req->path;
		load.directory = directory_of(&load, req->path);
		load.draft->conf.path = conf_arena_text(&load.arena, req->path, strlen(req->path));
	} else if (req->directory != NULL) {
		load.directory = req->directory;
	}
	loader_run(&load, req);
	conf_errors_sort(errs, load.file);
	if (load.out_of_memory || errs->out_of_memory)
		rc = -ENOMEM;
	else if (errs->n_errors > 0)
		rc = -EINVAL;
out:
	if (rc == 0) {
		block->conf = load.draft->conf;
		block->arena = load.arena;
		*out = &block->conf;
	} else {
		conf_arena_fini(&load.arena);
	}
	free(load.spots);
	conf_arena_fini(&load.scratch);
	return rc;
}

void conf_free(struct conf *c)
{
	struct conf_block *block = (struct conf_block *)c;
	struct conf_arena arena;

	if (c == NULL)
		return;
	// The block itself lives in the arena.
	arena = block->arena;
	conf_arena_fini(&arena);
}
