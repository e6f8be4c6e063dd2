// SPDX-License-Identifier: BSD-3-Clause
// The sources of the directory: which keys go with which type, their files, the realms they serve.
#include "loader.h"
#include "settle.h"

#include <string.h>

#define SOURCE_NAME_MAX 31u

const char *conf_source_type_name(enum conf_source_type type)
{
	static const char *const names[] = {
		[CONF_SOURCE_SQLITE] = "sqlite",
		[CONF_SOURCE_POSTGRESQL] = "postgresql",
		[CONF_SOURCE_REDIS] = "redis",
		[CONF_SOURCE_HTTP] = "http",
	};

	return names[type];
}

const struct conf_source *conf_source_of(const struct conf_directory *d, const char *realm)
{
	const struct conf_source *others = NULL;

	for (size_t i = 0; i < d->n_sources; i++) {
		const struct conf_source *s = &d->sources[i];

		if (s->n_realms == 0)
			others = s;
		for (size_t k = 0; k < s->n_realms; k++) {
			if (strcmp(s->realms[k], realm) == 0)
				return s;
		}
	}
	return others;
}

// ---- keys of a type ---------------------------------------------------------------------------

struct key {
	const char *name;
	size_t offset;	 // of the text in struct conf_source
	unsigned types;	 // bits of enum conf_source_type that have it
	unsigned needed; // likewise
};

#define SQLITE	   (1u << CONF_SOURCE_SQLITE)
#define POSTGRESQL (1u << CONF_SOURCE_POSTGRESQL)
#define REDIS	   (1u << CONF_SOURCE_REDIS)
#define HTTP	   (1u << CONF_SOURCE_HTTP)

static const struct key keys[] = {
	{"path", offsetof(struct conf_source, path), SQLITE, SQLITE},
	{"connection_file", offsetof(struct conf_source, connection_file), POSTGRESQL | REDIS,
		POSTGRESQL | REDIS},
	{"url", offsetof(struct conf_source, url), HTTP, HTTP},
	{"bearer_file", offsetof(struct conf_source, bearer_file), HTTP, 0},
	{"ca_file", offsetof(struct conf_source, ca_file), HTTP, 0},
	{"certificate", offsetof(struct conf_source, certificate), HTTP, 0},
	{"key_file", offsetof(struct conf_source, key_file), HTTP, 0},
};

static void keys_check(
	struct conf_loader *load, const struct conf_source *s, const struct spot *where)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *const *value =
			(const char *const *)(const void *)((const char *)s + keys[i].offset);
		unsigned type = 1u << s->type;

		if (*value == NULL && (keys[i].needed & type) != 0)
			conf_complain(load, where, conf_textf(load, "add %s", keys[i].name),
				"is a source of type %s without %s", conf_source_type_name(s->type),
				keys[i].name);
		if (*value != NULL && (keys[i].types & type) == 0)
			conf_complain(load, conf_spot_of_value(load, value), "remove it",
				"does not go with type %s", conf_source_type_name(s->type));
	}
	if (s->type == CONF_SOURCE_HTTP && (s->secrets || s->token_keys))
		conf_complain(load, where, "remove secrets and token_keys",
			"a source of type http has users alone");
	if ((s->certificate == NULL) != (s->key_file == NULL))
		conf_complain(load, where, "give both, or neither",
			"certificate and key_file go together");
}

static void url_check(struct conf_loader *load, const struct conf_source *s)
{
	static const char *const harmless[] = {
		"http://127.0.0.1", "http://[::1]", "http://localhost"};
	const struct spot *where = conf_spot_of_value(load, &s->url);

	if (s->url == NULL || where == NULL || strncmp(s->url, "https://", 8) == 0)
		return;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		size_t len = strlen(harmless[i]);

		if (strncmp(s->url, harmless[i], len) == 0 &&
			(s->url[len] == '\0' || s->url[len] == ':' || s->url[len] == '/'))
			return;
	}
	conf_complain(load, where, "use https://, or http:// to this host alone (127.0.0.1, [::1])",
		"keys of users would come over the network in the clear");
}

// ---- sources among each other -----------------------------------------------------------------

static int name_compare(const void *a, const void *b)
{
	return strcmp(((const struct conf_source *)a)->name, ((const struct conf_source *)b)->name);
}

static void tell_same_name(
	struct conf_loader *load, const struct spot *first, const struct spot *second)
{
	conf_complain(load, second, "give each source a name of its own",
		"has the same name as the source in line %u", first->line);
}

// A realm has one source at most.
static void realms_check(struct conf_loader *load, const struct conf_directory *d)
{
	const struct conf_source *others = NULL;

	for (size_t i = 0; i < d->n_sources; i++) {
		const struct conf_source *s = &d->sources[i];
		const struct spot *where = conf_spot_of_struct(load, s);

		if (s->n_realms == 0 && others != NULL)
			conf_complain(load, where, "give one of them realms: [NAME]",
				"is for all other realms, as source %s is",
				conf_quote(load, others->name));
		if (s->n_realms == 0)
			others = s;
		for (size_t k = 0; k < s->n_realms; k++) {
			if (s->realms[k] != NULL && conf_source_of(d, s->realms[k]) != s)
				conf_complain(load, where, "name each realm once",
					"realm %s has another source already",
					conf_quote(load, s->realms[k]));
		}
	}
}

void conf_settle_directory(struct conf_loader *load)
{
	const struct conf_directory *d = &load->draft->conf.directory;
	bool whole = true;

	for (size_t i = 0; i < d->n_sources; i++) {
		const struct conf_source *s = &d->sources[i];
		const struct spot *where = conf_spot_of_struct(load, s);

		whole &= where != NULL;
		if (where == NULL)
			continue;
		if (strlen(s->name) > SOURCE_NAME_MAX)
			conf_complain(load, conf_spot_of_value(load, &s->name),
				"give a shorter name", "has more than %u bytes", SOURCE_NAME_MAX);
		keys_check(load, s, where);
		url_check(load, s);
	}
	if (!whole)
		return;
	conf_pairs_find(load, &(struct conf_pairs){d->sources, d->n_sources, sizeof(*d->sources),
				      true, name_compare, tell_same_name});
	realms_check(load, d);
}

// ---- files ------------------------------------------------------------------------------------

static void file_load(struct conf_loader *load, const char *const *path, struct conf_octets *out)
{
	const struct spot *where = conf_spot_of_value(load, path);

	if (where != NULL)
		conf_line_load(load, where, *path, out);
}

void conf_directory_load(struct conf_loader *load)
{
	const struct conf_directory *d = &load->draft->conf.directory;

	for (size_t i = 0; i < d->n_sources; i++) {
		// The table's memory is the arena's: nobody else sees it yet.
		struct conf_source *s = (struct conf_source *)(uintptr_t)&d->sources[i];

		file_load(load, &s->connection_file, &s->connection);
		file_load(load, &s->bearer_file, &s->bearer);
	}
}
